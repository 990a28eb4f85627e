"""Checkpoints by name from the Hugging Face hub: the optional extra `edgevit[hub]`."""

from __future__ import annotations

from pathlib import Path

from edgevit.config import VARIANTS
from edgevit.errors import CheckpointError

FILE_NAME = "model.safetensors"


def download(name: str) -> Path:
    """The safetensors file of a hub repository such as `timm/deit_tiny_patch16_224.fb_in1k`.

    Raises `CheckpointError` when huggingface_hub is not installed, or the hub does not answer or have it.
    """
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise CheckpointError(
            f"to fetch {name} from the hub: `pip install 'edgevit[hub]'`; or give a local .safetensors file"
        ) from None
    try:
        return Path(hf_hub_download(repo_id=name, filename=FILE_NAME))
    except Exception as error:  # the hub's many network and lookup errors
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(f"cannot fetch {FILE_NAME} of {name} from the hub: {reason}") from error


def variant_of(name: str) -> str | None:
    """The variant that a hub or file name speaks of, if any: `deit_tiny_patch16_224.fb_in1k` -> `deit-tiny`."""
    plain = name.lower().replace("-", "_")
    for variant in sorted(VARIANTS, key=len, reverse=True):
        for patch in (16, 8, 32):
            if f"{variant.replace('-', '_')}_patch{patch}" in plain:
                return variant if patch == 16 else f"{variant}/{patch}"
    return None
