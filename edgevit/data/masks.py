"""Pictures with masks: what is at each pixel, for segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edgevit.data.class_names import class_indices
from edgevit.data.dense_set import DenseSet
from edgevit.data.frame_notes import FrameNotes
from edgevit.data.label_problem import ProblemCounter
from edgevit.data.mask_classes import MOST_CLASSES, Colour, MaskClasses, find_mask_classes, read_mask_classes
from edgevit.data.mask_pairs import MaskPairs, mask_pairs
from edgevit.data.mask_values import IGNORED, MaskTable, stored_values
from edgevit.data.picture_parts import VOC_MASKS, PictureParts, find_parts
from edgevit.errors import DataError
from edgevit_runtime.preprocess.picture_files import turned
from edgevit_runtime.preprocess.pictures import stored_frame

__all__ = ["IGNORED", "MaskSet", "mask_training_sets", "read_masks"]

LOOKED_INTO = 20
_WRONG_SIZE = "the mask is {}, its picture {}: save it at the picture's size"
"""Masks that are read before a set is believed: what is wrong with all of them is said at once."""


@dataclass(frozen=True, kw_only=True)
class MaskSet(DenseSet):
    """Pictures and their masks, in one order."""

    BY_PICTURE: ClassVar[tuple[str, ...]] = ("files", "masks", "turns")

    masks: tuple[Path, ...]
    turns: tuple[int, ...]
    """Of each mask EXIF's orientation (1 to 8) that it has to be turned by, as its picture is; 1: it lies upright."""
    table: MaskTable
    ignored: int | str | None = None
    """The class that does not count where one was named, or its value where it has no name; 255 is another unless it
    is a class."""

    @property
    def colours(self) -> tuple[Colour, ...]:
        """The colours of the values, where masks are in colours; otherwise nothing."""
        return self.table.colours

    def mask(self, index: int) -> NDArray[np.uint8]:
        """The class indices of a picture, uint8 [H, W], as it is upright; `IGNORED` where nothing counts.

        Raises `DataError`, with the file, for a value that is no class, and `PictureError` for a damaged file.
        """
        return np.ascontiguousarray(turned(self.table.read(self.masks[index]), self.turns[index]))


def read_masks(
    path: str | Path,
    labels: Sequence[str] = (),
    keys: Sequence[str] = (),
    *,
    ignored: int | str | None = None,
    as_trained: int | str | None = None,
    part: str | None = "val",
    who: str = "the model",
) -> MaskSet:
    """The pictures and masks of a folder with `images/` and `masks/`, and a `classes.txt` that says what they mean.

    labels, keys, who: the class names that a model knows, as `read_folder` has them; without a `classes.txt` the values
        are their indices. Without labels, classes count in the order of their values.
    ignored: the value or the class that does not count, beside 255.
    as_trained: what did not count in the masks that the model learned from; it does not here, either, where `ignored`
        says nothing, there is a `classes.txt`, and it is none of the model's classes in it.
    part: as `read_boxes` has it.
    Raises `DataError`, which names the file, also for masks of another size than their picture.
    """
    root = Path(path)
    pairs = _pairs(root)
    chosen, said = _parts(pairs).taken(part)
    return _mask_set(pairs, chosen, _table(pairs, labels, keys, ignored, who, as_trained), said)


def mask_training_sets(
    path: str | Path, *, ignored: int | str | None = None, share: float = 0.1, seed: int = 0
) -> tuple[MaskSet, MaskSet]:
    """(train, val) of a folder: as it says itself, or else `share` of the pictures validate, drawn from `seed`.

    What was made of the folder stands in the first's notes. Raises as `read_masks` does.
    """
    pairs = _pairs(Path(path))
    train, val, said = _parts(pairs).halves(share, seed)
    both = _mask_set(pairs, [*train, *val], _table(pairs, (), (), ignored, ""), said)
    return both.halved({pairs.index.files[place] for place in train})


def _pairs(root: Path) -> MaskPairs:
    if not root.is_dir():
        raise DataError(f"no such folder: {root}" if not root.exists() else f"{root} is a file, and a folder is needed")
    return mask_pairs(root)


def _parts(pairs: MaskPairs) -> PictureParts:
    return find_parts(pairs.index, pairs.index.files, lists_in=VOC_MASKS)


@dataclass(frozen=True)
class _Meaning:
    """What the values mean, and the labels that come of it."""

    table: MaskTable
    labels: tuple[str, ...]
    ignored: int | str | None
    assumed: tuple[str, ...] = ()


def _table(
    pairs: MaskPairs,
    labels: Sequence[str],
    keys: Sequence[str],
    ignored: int | str | None,
    who: str,
    as_trained: int | str | None = None,
) -> _Meaning:
    root = pairs.index.root
    if len(labels) > MOST_CLASSES:
        raise DataError(f"{root}: masks have at most {MOST_CLASSES} classes, and {who} has {len(labels)}")
    path = find_mask_classes(root)
    assumed: tuple[str, ...] = ()
    if path is not None:
        classes = read_mask_classes(path)
    elif labels:
        classes = MaskClasses(root, tuple(labels), tuple(range(len(labels))))
        assumed = (f"{root} has no classes.txt: the values of its masks count as the classes of {who}",)
    else:
        values = ", ".join(map(str, _values_in(pairs, ())))
        raise DataError(
            f"{root} has masks of the values {values}, and nothing names them: write a classes.txt, a name a line"
        )
    value = classes.value_of(ignored) if ignored is not None else None
    if ignored is None and as_trained is not None and path is not None:
        value = classes.value_as_trained(as_trained, labels)
        if value is not None:
            assumed = (f"{root}: {as_trained} does not count in its masks, as when {who} was trained (--ignored)",)
    named = {name: each for name, each in zip(classes.names, classes.values, strict=True) if each != value}
    if not named:
        raise DataError(f"{classes.path} has no class but the one that is ignored")
    names = tuple(labels) or tuple(named)
    index = class_indices(list(named), names, keys, classes.path, who)
    indices = {each: index[name] for name, each in named.items()}
    if value is not None:
        indices[value] = IGNORED
    if not classes.colours:
        _check_binary(pairs, indices)
        indices.setdefault(IGNORED, IGNORED)
    of_value = dict(zip(classes.values, classes.names, strict=True))
    nothing = None if value is None else of_value.get(value, value)
    return _Meaning(MaskTable(indices, classes.colours), names, nothing, assumed)


def _looked_into(pairs: MaskPairs) -> list[Path]:
    places = np.unique(np.linspace(0, len(pairs.masks) - 1, LOOKED_INTO).round().astype(int))
    return [pairs.masks[place] for place in places]


def _values_in(pairs: MaskPairs, colours: tuple[Colour, ...]) -> list[int]:
    found: set[int] = set()
    for mask in _looked_into(pairs):
        found |= set(np.unique(stored_values(mask, colours)).tolist())
    return sorted(found)


def _check_binary(pairs: MaskPairs, indices: dict[int, int]) -> None:
    """Masks in black and white mean two classes, and not one class and what does not count."""
    if IGNORED not in indices and _values_in(pairs, ()) == [0, 255]:
        raise DataError(
            f"{pairs.masks[0].parent} has masks of 0 and 255 only, and 255 is what does not count unless classes.txt "
            "names it: write `0 background` and `255 object` there, with the names that are meant"
        )


def _mask_set(pairs: MaskPairs, chosen: Sequence[int], meaning: _Meaning, said: Sequence[str]) -> MaskSet:
    index = pairs.index
    notes, counter = FrameNotes(index.root), ProblemCounter()
    kept: list[int] = []
    turns: list[int] = []
    for place in chosen:
        file, mask = index.files[place], pairs.masks[place]
        width, height, _ = stored_frame(mask)
        frame = notes.frame(file, (width, height), str(mask), counter, _WRONG_SIZE)
        if frame is not None:
            kept.append(place)
            turns.append(frame.orientation if frame.turned_from((width, height)) else 1)
    if not kept:
        raise DataError(f"{index.root}: no picture can be read; {'; '.join(map(str, counter.problems()))}")
    found = MaskSet(
        root=index.root,
        files=tuple(index.files[place] for place in kept),
        labels=meaning.labels,
        problems=counter.problems(),
        assumed=(*said, *pairs.assumed, *meaning.assumed, *notes.said()),
        left_out=tuple(index.left_out.items()),
        masks=tuple(pairs.masks[place] for place in kept),
        turns=tuple(turns),
        table=meaning.table,
        ignored=meaning.ignored,
    )
    for mask in {found.masks[place] for place in np.linspace(0, len(kept) - 1, LOOKED_INTO).astype(int)}:
        found.table.read(mask)
    return found
