"""Checkpoints by name from the Hugging Face hub: the optional extra `edgevit[hub]`."""

from __future__ import annotations

from pathlib import Path

from edgevit.errors import CheckpointError
from edgevit.variants import PATCH_SIZES, VARIANTS

# What `edgevit.checkpoints.checkpoint_file` reads, weights first. A repository's pickles
# and other copies stay where they are.
OPEN_CLIP = "open_clip_model.safetensors"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", OPEN_CLIP, "model.weights.h5")
PATTERNS = ("model.safetensors", "model.weights.h5", "model-*-of-*.safetensors", "task.weights.h5", "*.json")


def is_name(text: str) -> bool:
    """Whether `text` is a hub repository's name, `owner/name`, rather than a file or folder that is not there."""
    owner, slash, name = text.partition("/")
    files = (".safetensors", ".npz", ".h5", ".bin", ".pth", ".pt", ".keras", ".json")
    return bool(slash and owner.strip(".") and name) and "/" not in name and not name.endswith(files)


def download(name: str) -> Path:
    """The folder with the weights and JSON files of a repository such as `timm/deit_tiny_patch16_224.fb_in1k`.

    Raises `CheckpointError` when huggingface_hub is not installed, or the hub does not answer or have it, or the
    repository holds no weights that edgevit reads.
    """
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise CheckpointError(
            f"to fetch {name} from the hub: `pip install 'edgevit[hub]'`; or give a local file or folder"
        ) from None
    try:
        folder = Path(snapshot_download(repo_id=name, allow_patterns=list(PATTERNS)))
        if not any((folder / each).is_file() for each in WEIGHTS):  # often it lies beside the others, as a copy
            folder = Path(snapshot_download(repo_id=name, allow_patterns=[OPEN_CLIP, *PATTERNS]))
    except Exception as error:  # the hub's many network and lookup errors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"cannot fetch {name} from the hub: {reason}") from error
    if not any((folder / each).is_file() for each in WEIGHTS):
        raise CheckpointError(f"{name} on the hub holds neither {WEIGHTS[0]} nor {WEIGHTS[-1]}")
    return folder


def variant_of(name: str) -> str | None:
    """The variant that a hub or file name speaks of, if any: `deit_tiny_patch16_224.fb_in1k` -> `deit-tiny`."""
    plain = name.lower().replace("-", "_")
    for variant in sorted(VARIANTS, key=len, reverse=True):
        for patch in PATCH_SIZES:
            if f"{variant.replace('-', '_')}_patch{patch}" in plain:
                return variant if patch == VARIANTS[variant].patch else f"{variant}/{patch}"
    return None
