"""features: the tokens themselves, for search, probes and whatever else reads them; and where the model looks.

Outputs, each float32 (real numbers, whatever the file holds):

    class_token     [width]                  the class token after the last block and norm
    patch_tokens    [rows, columns, width]   the patch tokens, as they lie in the picture
    patch_mean      [width]                  their mean
    class_token_N, patch_tokens_N            the same after block N (from 1), where the artefact was converted with it
    attention       [heads, rows, columns]   how much the class token looks at each patch, in the last block

A model without a class token gives none of its outputs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgevit_runtime.errors import EdgeViTError, PictureError
from edgevit_runtime.json_values import flag, items, whole
from edgevit_runtime.preprocess.pictures import Picture
from edgevit_runtime.resolution import Resolution, ResolutionLike
from edgevit_runtime.signature import Signature
from edgevit_runtime.tasks.task import Answer, Answering, Command, TryOut, size_fields
from edgevit_runtime.terminal import complain, one_line

if TYPE_CHECKING:
    import argparse

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Features:
    """The task's entry in the manifest."""

    width: int
    layers: tuple[int, ...] = ()
    """Blocks, counted from 1, whose tokens are put out besides the last one's."""
    normed: bool = True
    """Whether the last norm stands behind all of them, or behind none."""
    attention: bool = False
    class_token: bool = True
    """Whether there is one."""

    name = "features"

    @property
    def summary(self) -> str:
        blocks = "blocks" if len(self.layers) > 1 else "block"
        layers = f", and after {blocks} {', '.join(map(str, self.layers))}" if self.layers else ""
        attention = ", and the class token's attention" if self.attention else ""
        return f"tokens of {self.width} numbers{layers}, {'normed' if self.normed else 'not normed'}{attention}"


def read(entry: Mapping[str, Any], signatures: Sequence[Signature]) -> Features:
    """The manifest's entry. Raises `ValueError`, `KeyError` or `TypeError` where it is damaged."""
    task = Features(
        width=whole(entry, "width", 1),
        layers=tuple(whole({"layers": each}, "layers", 1) for each in items(entry, "layers")),
        normed=flag(entry, "normed"),
        attention=flag(entry, "attention"),
        class_token=flag(entry, "class_token") if "class_token" in entry else True,
    )
    suffixes = ["", *(f"_{layer}" for layer in task.layers)]
    for signature in signatures:
        found = signature.output("patch_tokens").shape
        if len(found) != 4:
            raise ValueError(f"{signature.name} has no grid of patch_tokens")
        _, rows, columns, _ = found
        for suffix in suffixes:
            if task.class_token and signature.output(f"class_token{suffix}").shape != (1, task.width):
                raise ValueError(f"{signature.name} has no class_token{suffix} of {task.width} numbers")
            if signature.output(f"patch_tokens{suffix}").shape != (1, rows, columns, task.width):
                raise ValueError(f"{signature.name} has other patch_tokens{suffix}")
        if signature.output("patch_mean").shape != (1, task.width):
            raise ValueError(f"{signature.name} has no patch_mean of {task.width} numbers")
        if task.attention and signature.output("attention").shape[2:] != (rows, columns):  # [1, heads, rows, columns]
            raise ValueError(f"{signature.name} has no attention over {rows} x {columns} patches")
    return task


@dataclass(frozen=True)
class PictureFeatures:
    """What one picture's tokens are: arrays by name, see the module. `features["patch_tokens"]` is one of them.

    grid: (rows, columns) of the patches.
    picture_size: (width, height) of the picture itself; `policy` is how it was fitted to the resolution.
    """

    arrays: Mapping[str, Array]
    grid: tuple[int, int]
    resolution: Resolution
    latency_ms: float
    picture_size: tuple[int, int]
    policy: str

    def __getitem__(self, name: str) -> Array:
        if name not in self.arrays:
            raise EdgeViTError(f"the artefact puts out no {name!r} (it has {', '.join(self.arrays)})")
        return self.arrays[name]

    @property
    def class_token(self) -> Array:
        """[width]"""
        return self["class_token"]

    @property
    def patch_tokens(self) -> Array:
        """[rows, columns, width]"""
        return self.arrays["patch_tokens"]

    def to_dict(self) -> dict[str, Any]:
        """As JSON: arrays as nested lists."""
        return {
            **size_fields(self.resolution, self.picture_size),
            "latency_ms": self.latency_ms,
            "grid": list(self.grid),
            **{name: values.tolist() for name, values in self.arrays.items()},
        }

    def outline(self) -> dict[str, Any]:
        """What is printed of it: the arrays' shapes."""
        shapes = {name: list(values.shape) for name, values in self.arrays.items()}
        sizes = size_fields(self.resolution, self.picture_size)
        return {**sizes, "latency_ms": self.latency_ms, "shapes": shapes}


class GivesFeatures:
    """`Model`'s methods for the task."""

    def features(self: Answering, picture: Picture, resolution: ResolutionLike | None = None) -> PictureFeatures:
        """The tokens of a picture, given as for `classify`, as named float arrays with their grid.

        Raises `PictureError` for an unreadable picture, `ResolutionError` for one that is not on the ladder,
        `EdgeViTError` where the artefact has no such task (`edgevit convert --task features`).
        """
        self.task(Features)
        return _features(self.answer("features", picture, resolution))

    def features_many(
        self: Answering,
        pictures: Iterable[Picture] | str,
        resolution: ResolutionLike | None = None,
        *,
        decoders: int = 2,
    ) -> Iterator[PictureFeatures | PictureError]:
        """`features` for each picture of a list or a folder, in order; an unreadable one gives its `PictureError`."""
        self.task(Features)
        answers = self.answer_many("features", pictures, resolution, decoders=decoders)
        return (each if isinstance(each, PictureError) else _features(each) for each in answers)


def _features(answer: Answer) -> PictureFeatures:
    rows, columns, _ = answer.outputs["patch_tokens"].shape
    return PictureFeatures(
        dict(answer.outputs),
        (rows, columns),
        answer.signature.resolution,
        answer.latency_ms,
        answer.picture_size,
        answer.signature.preprocessing.policy,
    )


def decode(task: Features, answer: Answer) -> PictureFeatures:
    """As `Model.features` gives it."""
    return _features(answer)


def _add_features(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pictures", nargs="+", metavar="picture", help="files, folders, or - for standard input")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("-o", "--output", metavar="OUT.npz", help="where the arrays go")
    which.add_argument("--json", action="store_true", help="print their shapes instead, an object for each picture")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there already")
    parser.add_argument("--resolution", help="which of the artefact's resolutions, such as 224 or 640x384")


def _run_features(options: argparse.Namespace, open_model: Callable[..., Any]) -> int:
    """Writes an .npz: each output with a first axis over the pictures, and `files`, their names."""
    from edgevit_runtime.array_file import write_arrays
    from edgevit_runtime.atomic_write import check_writable
    from edgevit_runtime.wording import counted

    if options.json:
        return _print_shapes(options, open_model)
    if not options.output.endswith(".npz"):
        raise EdgeViTError(f"arrays are written as an .npz file, not {options.output!r}")
    check_writable(options.output, overwrite=options.overwrite)
    names: list[str] = []
    found: list[PictureFeatures] = []
    failed = 0
    for name, result in _features_by_name(options, open_model):
        if isinstance(result, PictureError):
            failed += 1
            complain("edgevit-run", result)
        else:
            names.append(name)
            found.append(result)
    if not found:
        raise PictureError("none of the pictures could be read; nothing was written")
    arrays = {name: np.stack([each[name] for each in found]) for name in found[0].arrays}
    write_arrays(options.output, {"files": np.array(names), **arrays})
    shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in arrays.items())
    print(f"{options.output}: {counted(len(found), 'picture')} at {found[0].resolution} px: {shapes}")
    return 1 if failed else 0


def _print_shapes(options: argparse.Namespace, open_model: Callable[..., Any]) -> int:
    """Prints a JSON object for each picture: what `features` would write of it."""
    failed = 0
    for name, result in _features_by_name(options, open_model):
        if isinstance(result, PictureError):
            failed += 1
            found: dict[str, Any] = {"error": str(result)}
        else:
            found = result.outline()
        print(json.dumps({"file": name, **found}), flush=True)
    return 1 if failed else 0


def _features_by_name(
    options: argparse.Namespace, open_model: Callable[..., Any]
) -> Iterator[tuple[str, PictureFeatures | PictureError]]:
    """Of all the pictures that the words name, in order."""
    from edgevit_runtime.cli.picture_sources import named_pictures

    with open_model(options) as model:
        pictures = list(named_pictures(options.pictures))
        results = model.features_many([picture for _, picture in pictures], options.resolution)
        yield from zip((name for name, _ in pictures), results)


def _add_look(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("picture", help="a picture file, or - for standard input")
    parser.add_argument("--draw", metavar="OUT.png", help="lay it over the picture, and write that")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there already")
    parser.add_argument("--head", type=int, help="one head of the attention, from 0 (default: the mean of all)")
    parser.add_argument("--resolution", help="which of the artefact's resolutions, such as 224 or 640x384")


def _run_look(options: argparse.Namespace, open_model: Callable[..., Any]) -> int:
    """Prints where the class token looks, darker where it looks more, and draws it over the picture if asked to."""
    from edgevit_runtime.cli.picture_sources import named_pictures
    from edgevit_runtime.preprocess.pictures import load_picture
    from edgevit_runtime.tasks.look import check_drawing, draw_look, shades

    if options.draw is not None:
        check_drawing(options.draw, overwrite=options.overwrite)
    if os.path.isdir(options.picture):
        raise PictureError(f"{options.picture} is a folder: look takes one picture")
    ((name, source),) = named_pictures([options.picture])
    with open_model(options) as model:
        task = model.task(Features)
        if not task.attention:
            raise EdgeViTError(f"{model.path} puts out no attention: convert it again with --task features --attention")
        pixels = load_picture(source)
        found = model.features(pixels, options.resolution)
    heads = found["attention"]
    if options.head is not None and not 0 <= options.head < len(heads):
        raise EdgeViTError(f"--head is a number from 0 to {len(heads) - 1}, not {options.head}")
    attention = heads.mean(axis=0) if options.head is None else heads[options.head]
    which = f"mean of {len(heads)} heads" if options.head is None else f"head {options.head} of {len(heads)}"
    print(f"{one_line(name)}  ({found.resolution} px, {found.latency_ms:.1f} ms; {which})")
    print("\n".join(shades(attention)))
    if options.draw is not None:
        draw_look(options.draw, pixels, attention, found.resolution, found.policy)
        print(f"drawn to {options.draw}")
    return 0


COMMANDS: tuple[Command, ...] = (
    Command(
        "features",
        "Write pictures' tokens to an .npz file.",
        _add_features,
        _run_features,
        ("features dinov2.tflite photos/ -o photos.npz",),
    ),
    Command(
        "look",
        "Show where the model looks in a picture.",
        _add_look,
        _run_look,
        ("look dinov2.tflite rose.jpg --draw look.png",),
    ),
)


def _tell(answer: Mapping[str, Any]) -> str:
    rows, columns, width = answer["shapes"]["patch_tokens"]
    return f"gives {rows} x {columns} patch tokens of {width} numbers ({answer['latency_ms']:.1f} ms)"


TRY_OUT = TryOut("features", _tell, output="features.npz")
