"""Damaged artefacts, cache files and pictures through the runtime: does anything crash, hang, grow, or raise what is
not ours?

`python benchmarks/fuzz.py` takes a tiny ViT in each recipe and a small CNN in some, and tries of each

    quantization    every tensor's scales, zero points and type, one tensor at a time, then two at a time
    shapes, cost    other shapes; graphs that take long or much, with a manifest that states just that
    manifest        something odd in the place of each value, one at a time
    nesting, outside, appended    JSON without end, constants behind the flatbuffer, bytes behind the file
    bytes           offsets, indices and bytes drawn from seeds

without the seal, which would find nearly all; then a few of them with the verifier left out, to see what it prevents;
bits of cache files, after which answers must be the same; and damaged pictures. No try may crash, take 20 s of
processor time or 1.5 GB. The damage: tests/support/structured_damage.py and mutations.py.

What was done is kept in build/benchmarks/fuzz.jsonl, so that a run that was stopped goes on; `--fresh` begins anew.
`--tries N` does some of each kind, `--only NAME` one kind.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edgevit_runtime.verify.integrity import file_sha256
from record import BUILD, write
from support.editable_artefact import EditableArtefact
from support.fuzzing import Outcome, artefact_trial, cache_trial, outcomes, picture_trial, summary
from support.mutations import Artefacts, Pictures
from support.structured_damage import KINDS, Quantization

FOLDER, STATE = BUILD / "fuzz", BUILD / "fuzz.jsonl"
AT_ONCE = 500
BYTES, UNVERIFIED, PICTURES, BITS, PAIRS = 4_000, 150, 20_000, 1_000, 1_000
"""Tries: of bytes and without the verifier for each artefact; pictures, bits and pairs of tensors."""
CNN_RECIPES = ("float32", "float16", "int8", "int8-full")


def make_artefacts(folder: Path) -> None:
    """One block, in each recipe, at a resolution whose positions are resampled; and the CNN."""
    from converters import convert
    from converters.quantize.recipes import RECIPES
    from edgevit.config import ViTConfig
    from edgevit.model import build
    from edgevit_runtime.resolution import Resolution, as_resolutions
    from support.cnn import tiny_cnn
    from support.sample_pictures import LABELS, pictures_in

    config = ViTConfig(
        width=32,
        depth=1,
        heads=2,
        classes=4,
        mlp_width=64,
        patch=16,
        base_resolution=Resolution(32),
        labels=LABELS,
        ladder=as_resolutions((48,)),
        resize="squash",
    )
    model = build(config, seed=1)
    pictures = pictures_in(folder / "calibration")
    for name, recipe in RECIPES.items():
        convert(
            model,
            folder / f"vit-{name}.tflite",
            recipe=name,
            resolutions=(48,),
            calibration=pictures if recipe.needs_calibration else None,
        )
    for name in CNN_RECIPES:
        convert(
            tiny_cnn(),
            folder / f"cnn-{name}.tflite",
            recipe=name,
            resolutions=(32,),
            labels=LABELS,
            calibration=pictures if RECIPES[name].needs_calibration else None,
        )


def artefacts() -> dict[str, Path]:
    """Made by a process of its own: one that tries them must be small, and have one thread."""
    if not list(FOLDER.glob("*.tflite")):
        FOLDER.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, __file__, "--make"], check=True)
    return {path.stem: path for path in sorted(FOLDER.glob("*.tflite"))}


Try = Callable[[int], Outcome]


def tries(limit: int | None) -> Iterator[tuple[str, int, Callable[[], Try]]]:
    """(what, how many, what makes one that tries a number)."""
    paths = artefacts()

    def count(wanted: int) -> int:
        return wanted if limit is None else min(limit, wanted)

    for name, path in paths.items():
        whole = EditableArtefact(path)
        for kind, make in KINDS.items():
            damage: Any = Quantization(whole, PAIRS) if kind == "quantization" else make(whole)
            step = 1 if limit is None else max(1, len(damage) // limit)

            def spread(number: int, damage: Any = damage, step: int = step) -> bytes:
                return bytes(damage.damaged(number * step))

            for backend in ("native", "interpreter"):
                # What never reaches native code is tried once.
                if backend == "native" or kind in ("quantization", "shapes", "cost"):
                    total = count(len(damage) // step)
                    yield (
                        f"{kind}, {backend}, {name}",
                        total,
                        lambda spread=spread, backend=backend: artefact_trial(spread, backend=backend),  # type: ignore[misc]
                    )
        yield (
            f"bytes, native, {name}",
            count(BYTES),
            lambda path=path: artefact_trial(Artefacts(path).damaged, backend="native"),  # type: ignore[misc]
        )
        yield (
            f"not verified, native, {name}",
            count(UNVERIFIED),
            lambda whole=whole: artefact_trial(scattered(whole), backend="native", verified=False),  # type: ignore[misc]
        )
        yield f"cache bits, native, {name}", count(BITS // len(paths)), lambda path=path: cache_trial(path, "native")  # type: ignore[misc]
    yield "pictures", count(PICTURES), lambda: picture_trial(Pictures().damaged, paths["vit-int8"])


def scattered(whole: EditableArtefact) -> Callable[[int], bytes]:
    """Some of all that is done to scales, from the first tensor to the last."""
    damage = Quantization(whole)
    return lambda number: damage.damaged(number * (len(damage) // UNVERIFIED))


def preload() -> None:
    """What every child would load for itself."""
    import ai_edge_litert.interpreter  # noqa: F401

    from edgevit_runtime.verify import verifier  # noqa: F401


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--make", action="store_true", help="make the artefacts alone")
    parser.add_argument("--fresh", action="store_true", help="forget what was done before")
    parser.add_argument("--tries", type=int, help="so many of each kind and artefact, spread over all")
    parser.add_argument("--only", default="", help="only what is called so")
    parser.add_argument("--so-far", action="store_true", help="try no more, and write what was tried so far")
    options = parser.parse_args()
    if options.make:
        make_artefacts(FOLDER)
        return
    if options.fresh:
        STATE.unlink(missing_ok=True)
    preload()
    code = file_sha256(Path(sys.modules["edgevit_runtime.verify.verifier"].__file__ or ""))[:8]
    done = {}
    if STATE.exists():
        for line in STATE.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            done[row["what"], row["first"], row["code"]] = row
    totals: dict[str, Counter[str]] = {}
    odd: list[dict[str, Any]] = []
    for what, count, make in tries(options.tries):
        if options.only not in what:
            continue
        one: Try | None = None
        for first in range(0, count, AT_ONCE):
            row = done.get((what, first, code))
            if row is None and options.so_far:
                continue
            if row is None:
                one = one or make()
                found = outcomes(min(AT_ONCE, count - first), one, first=first)
                strange = {
                    number: outcome
                    for number, outcome in found.items()
                    if outcome not in ("answered", "refused", "made again")
                }
                row = {"what": what, "first": first, "code": code, "outcomes": summary(found), "odd": strange}
                with STATE.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
            kind = what.partition(",")[0]
            totals.setdefault(kind, Counter()).update(row["outcomes"])
            if kind != "not verified":
                odd += [{"what": what, "number": number, "outcome": each} for number, each in row["odd"].items()]
        print(what, {kind: dict(each) for kind, each in totals.items() if kind == what.partition(",")[0]}, flush=True)
    print(json.dumps(odd, indent=1))
    tried = {kind: sum(each.values()) for kind, each in totals.items()}
    document = {"tries": tried, "outcomes": {kind: dict(each) for kind, each in totals.items()}, "odd": odd}
    if options.tries is None and not options.only:
        write("fuzz", document)
    else:
        print(json.dumps(document["outcomes"], indent=1))
    sys.exit(bool(odd))


if __name__ == "__main__":
    main()
