"""Damaged artefacts and pictures through the runtime: does anything crash, hang, or raise what is not ours?

`python benchmarks/fuzz.py` takes a tiny ViT in each recipe, damages it in `ARTEFACTS` ways drawn from seeds (most hit
offsets, indices, shapes, options and small constants; its seal is taken off, which would find nearly all), loads each
and classifies at each resolution; the same with the verifier left out, to see what it prevents; and `PICTURES` damaged
pictures. The damage: tests/support/mutations.py.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from edgevit_runtime.resolution import Resolution, as_resolutions
from record import write
from support.fuzzing import artefact_trial, outcomes, picture_trial, summary
from support.mutations import Artefacts, Pictures
from support.sample_pictures import LABELS, pictures_in

ARTEFACTS, UNVERIFIED, PICTURES = 120_000, 2_000, 20_000


def tiny_artefacts(folder: Path) -> dict[str, Path]:
    """One block, two resolutions, in each recipe."""
    from converters import convert
    from converters.quantize.recipes import RECIPES
    from edgevit.config import ViTConfig
    from edgevit.model import build

    config = ViTConfig(
        width=32,
        depth=1,
        heads=2,
        classes=4,
        mlp_width=64,
        patch=16,
        base_resolution=Resolution(32),
        labels=LABELS,
        ladder=as_resolutions((32, 48)),
        resize="squash",
    )
    model = build(config, seed=1)
    paths = {}
    for name, recipe in RECIPES.items():
        paths[name] = folder / f"{name}.tflite"
        calibration = pictures_in(folder / "calibration") if recipe.needs_calibration else None
        convert(model, paths[name], recipe=name, calibration=calibration)
    return paths


def main() -> None:
    document: dict[str, Any] = {"artefacts": ARTEFACTS, "pictures": PICTURES, "unverified": UNVERIFIED}
    with tempfile.TemporaryDirectory() as scratch:
        paths = tiny_artefacts(Path(scratch))
        trials: list[tuple[str, int, dict[str, Any]]] = [
            ("native, verified", ARTEFACTS * 3 // 4, {"backend": "native"}),
            ("interpreter, verified", ARTEFACTS // 4, {"backend": "interpreter"}),
            ("native, not verified", UNVERIFIED, {"backend": "native", "verified": False}),
        ]
        for name, count, options in trials:
            totals: Counter[str] = Counter()
            first = 0
            for path in paths.values():
                share = count // len(paths)
                trial = artefact_trial(Artefacts(path).damaged, **options)
                totals.update(summary(outcomes(share, trial, first=first)))
                first += share
            document[name] = dict(totals)
            print(name, document[name], flush=True)
        trial = picture_trial(Pictures().damaged, paths["int8"])
        document["damaged pictures"] = summary(outcomes(PICTURES, trial))
        print("damaged pictures", document["damaged pictures"])
    write("fuzz", document)


if __name__ == "__main__":
    main()
