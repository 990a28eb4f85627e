"""Imported checkpoints against the libraries that they come from, and as int8 artefacts.

What the libraries wrote and answered, small models of random weights, is kept in tests/references
(tools/store_references.py): so this needs none of them. For each the largest difference of an answer; and of its `int8`
artefact for pictures' vectors the cosine to the model's own on 100 drawn pictures, the XNNPACK partitions, and how many
ops it has more than a plain ViT of its width and depth.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from edgevit_runtime.resolution import Resolution
from record import write
from support.library_references import SMALL, STORED, pictures
from support.stored_references import read
from support.tower_references import TOWERS

PICTURES = 100


def main() -> None:
    from edgevit.variants import VARIANTS

    VARIANTS.update(SMALL)  # what tensors of so small models do not tell
    plain: dict[Any, int] = {}
    rows = [row(name, plain) for name in (*STORED, *TOWERS)]
    write("checkpoints", {"rows": rows, "pictures": PICTURES, "original_with_tanh_gelu": with_tanh()})


def row(name: str, plain: dict[Any, int]) -> dict[str, Any]:
    from edgevit.checkpoints import import_checkpoint

    with tempfile.TemporaryDirectory() as folder:
        reference = read(name, Path(folder))
        model = import_checkpoint(reference.path, reference.variant, classes=reference.classes)
        difference = reference.difference(model)
    config = model.config
    _, height, width, _ = reference.images.shape
    at = config.base_resolution if config.learned_positions else Resolution(width, height)
    key = config.width, config.depth, config.heads, config.mlp_width, config.patch, at
    if key not in plain:
        plain[key] = artefact(plain_model(config, at), at)["ops"]
    found = artefact(model, at)
    measured = {
        "name": name,
        "library": reference.library,
        "compared": reference.compared,
        "resolution": f"{width}x{height}",
        "depth": config.depth,
        "width": config.width,
        "max_difference": difference,
        "largest_answer": float(abs(reference.answer).max()),
        "partitions": found["partitions"],
        "ops_added": found["ops"] - plain[key],
        "cosine_mean": found["cosine_mean"],
        "cosine_least": found["cosine_least"],
    }
    print(measured, flush=True)
    return measured


def plain_model(config: Any, at: Resolution) -> Any:
    """A ViT of this shape with a class token, positions learned at that resolution, GELU, and nothing else."""
    from edgevit.config import ViTConfig
    from edgevit.model import build, named_weights

    names = ("width", "depth", "heads", "mlp_width", "patch")
    shape = {name: getattr(config, name) for name in names}
    model = build(ViTConfig(classes=0, base_resolution=at, **shape), seed=0)
    random = np.random.default_rng(0)
    for variable in named_weights(model).values():  # a gain of 1 or a bias of 0 would be an op less
        variable.assign(np.asarray(variable) + random.normal(0.0, 0.1, variable.shape))
    return model


def artefact(model: Any, at: Resolution) -> dict[str, Any]:
    """Of the int8 artefact for vectors, at the resolution that its positions were learned at, or of its pictures."""
    import edgevit
    from converters import convert
    from edgevit_runtime import Model

    shown = pictures(max(at.width, at.height), PICTURES)[:, : at.height, : at.width]
    exact = np.asarray(model.vectors(shown))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.tflite"
        convert(model, path, recipe="int8", task="embed", resolutions=[at])
        (signature,) = edgevit.inspect(path)["signatures"]
        with Model(path) as runner:
            found = np.stack([runner.outputs(np.ascontiguousarray(image), "embed")["vector"] for image in shown])
    cosines = np.sum(exact * found, axis=1) / np.linalg.norm(found, axis=1)
    return {
        "ops": signature["ops"],
        "partitions": signature["partitions"],
        "cosine_mean": float(cosines.mean()),
        "cosine_least": float(cosines.min()),
    }


def with_tanh() -> float:
    """How much the logits of an original ViT change by JAX's GELU, by way of tanh, where timm's is exact."""
    from edgevit.checkpoints import import_checkpoint
    from edgevit.model import build, named_weights

    with tempfile.TemporaryDirectory() as folder:
        reference = read("original .npz, by timm", Path(folder))
        model = import_checkpoint(reference.path, reference.variant)
    other = build(model.config.with_(activation="gelu_tanh"))
    weights = named_weights(model)
    for name, variable in named_weights(other).items():
        variable.assign(weights[name])
    return float(np.abs(np.asarray(model(reference.images)) - np.asarray(other(reference.images))).max())


if __name__ == "__main__":
    main()
