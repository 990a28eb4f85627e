"""Imported checkpoints against the libraries that they come from: the largest difference of an answer.

Small models with random weights, saved by the library and run by it: tests/support/library_references.py. Needs the
extras [torch] and [keras-hub], and timm (`pip install --no-deps timm`: its torchvision need not be there).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from record import write
from support.library_references import REFERENCES, original


def main() -> None:
    from edgevit.checkpoints import import_checkpoint

    rows = []
    for name, make in REFERENCES.items():
        with tempfile.TemporaryDirectory() as folder:
            reference = make(Path(folder))
            model = import_checkpoint(reference.path, reference.variant, classes=reference.classes)
            rows.append(
                {
                    "name": name,
                    "library": reference.library,
                    "compared": "features" if reference.features else "logits",
                    "resolution": int(reference.images.shape[1]),
                    "depth": model.config.depth,
                    "width": model.config.width,
                    "max_difference": reference.difference(model),
                    "largest_answer": float(abs(reference.answer).max()),
                }
            )
            print(rows[-1])
    with tempfile.TemporaryDirectory() as folder:
        reference = original(Path(folder), tanh=True)
        tanh = reference.difference(import_checkpoint(reference.path))
    write("checkpoints", {"rows": rows, "original_with_tanh_gelu": tanh})


if __name__ == "__main__":
    main()
