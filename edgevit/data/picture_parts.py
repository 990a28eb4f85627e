"""Which of a folder's pictures train, which validate and which are kept for a test, by whatever says so there.

In this order: a column `split` of the labels' own table, or the part that a label file is for; `split.csv`; lists
(`train.txt`, `val.txt`); folders (`train/`, `val/`). Two that contradict each other are refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgevit.data.folder_shapes import PARTS, check_utf8, part_named
from edgevit.data.label_tables import SPLIT_FILE
from edgevit.data.named_table import FILE_COLUMNS, PART_COLUMNS, read_named_table
from edgevit.data.picture_index import PictureIndex
from edgevit.data.same_pictures import copies, same_of
from edgevit.errors import DataError
from edgevit.text_files import NotTextError, read_text
from edgevit_runtime.wording import counted

__all__ = ["VOC_MASKS", "PictureParts", "find_parts", "part_of_word", "table_parts"]

VOC_BOXES, VOC_MASKS = "ImageSets/Main", "ImageSets/Segmentation"
"""Where Pascal VOC has the lists of each of its tasks; all others lie beside the labels."""
_ONE = "keep one of the two"


@dataclass(frozen=True)
class PictureParts:
    """The part of each picture: `train`, `val`, `test`, or None where nothing says."""

    root: Path
    files: tuple[Path, ...]
    parts: tuple[str | None, ...]
    source: str = ""
    """What says so."""

    def taken(self, wanted: str | None) -> tuple[list[int], tuple[str, ...]]:
        """The indices of the wanted part, and what is to be said of it.

        All, where nothing is wanted, or `val` is and nothing says which is which; in the place of `val`, where there is
        none, `test`, or else `train`. Raises `DataError` where there is no other part that is wanted.
        """
        everything = list(range(len(self.files)))
        if wanted is None:
            return everything, ()
        if wanted == "val" and not any(self.parts):
            return everything, (f"{self.root}: nothing says which pictures validate: taken are all {len(everything)}",)
        if wanted != "val" and wanted not in self.parts:
            there = " and ".join(part for part in PARTS if part in self.parts)
            raise DataError(
                f"{self.root}: no picture is of {wanted}: "
                + (f"by {self.source}, there is {there}" if there else "nothing says which picture is of which part")
            )
        part = next(each for each in (wanted, "test", "train") if each in self.parts)
        found = self._of(part)
        return found, (f"{self.root}: {self.source}: taken is {part}, {len(found)} of {len(everything)} pictures",)

    def halves(self, share: float, seed: int) -> tuple[list[int], list[int], tuple[str, ...]]:
        """The indices that train and those that validate, and what is to be said of it.

        Where nothing says which validate, `share` of them do, drawn from `seed`. A picture and its copies, byte for
        byte, are never in both: drawn together, and left out of those that train where the split is given.
        Raises `DataError` where nothing is left to train on or to validate on.
        """
        check_utf8(self.files)
        present = {part for part in self.parts if part}
        if "train" in present and "val" in present:
            train, val = self._of("train"), self._of("val")
            said = [
                f"{self.root}: {self.source}: of {len(self.files)} pictures {len(train)} train, {len(val)} validate"
            ]
            return *self._apart(train, val, said), tuple(said)
        if present and "train" not in present and len(present) > 1:
            raise DataError(f"{self.root}: {self.source}: no pictures of train, so there is nothing to train on")
        among = self._of(next(iter(present))) if len(present) == 1 else self._of("train") if present else None
        among = list(range(len(self.files))) if among is None else among
        train, val = self._drawn(among, share, seed)
        said = [f"{self.root}: {len(val)} of {counted(len(among), 'picture')} validate, drawn with seed {seed}"]
        if present:
            said[0] += f"; by {self.source}, those are of {'train' if 'train' in present else next(iter(present))}"
        return train, val, (*said, *self._unsaid(bool(present)))

    def _of(self, part: str) -> list[int]:
        return [index for index, each in enumerate(self.parts) if each == part]

    def _unsaid(self, some_said: bool) -> tuple[str, ...]:
        more = self.parts.count(None) if some_said else 0
        return (f"{self.root}: {counted(more, 'picture')} in no part: left alone",) if more else ()

    def _apart(self, train: list[int], val: list[int], said: list[str]) -> tuple[list[int], list[int]]:
        said += self._unsaid(True)
        same = same_of([self.files[index] for index in train], [self.files[index] for index in val])
        if same:
            first, other = next(iter(sorted(same.items())))
            are = "pictures of train are" if len(same) > 1 else "picture of train is"
            such = "such as " if len(same) > 1 else ""
            said.append(
                f"{self.root}: {len(same)} {are}, byte for byte, among those that validate, too ({such}{first} and "
                f"{other}): left out of train"
            )
            train = [index for index in train if self.files[index] not in same]
        if not train:
            raise DataError(f"{self.root}: all pictures of train validate, too: nothing is left to train on")
        return train, val

    def _drawn(self, among: list[int], share: float, seed: int) -> tuple[list[int], list[int]]:
        first = copies(self.files[index] for index in among)
        groups: dict[Path, list[int]] = {}
        for index in among:
            groups.setdefault(first.get(self.files[index], self.files[index]), []).append(index)
        if len(groups) < 2:
            raise DataError(
                f"{self.root} has {counted(len(groups), 'picture')}; two are needed, to train and to validate"
            )
        several = list(groups.values())
        val: list[int] = []
        held_out = max(1, round(share * len(among)))
        for place in np.random.default_rng(seed).permutation(len(several))[:-1]:
            if len(val) >= held_out:
                break
            val += several[place]
        chosen = set(val)
        return [index for index in among if index not in chosen], sorted(val)


def find_parts(
    index: PictureIndex,
    files: Sequence[Path],
    said: Sequence[str | None] = (),
    said_by: str = "",
    lists_in: str = VOC_BOXES,
) -> PictureParts:
    """The parts of the files, all of them below the index's folder.

    said: what their labels' own table says of each; said_by: what that is called; lists_in: where lists may lie, too.
    Raises `DataError`.
    """
    sources = [(said_by, list(said))]
    split = index.root / SPLIT_FILE
    if split.is_file():
        sources.append((SPLIT_FILE, _by_file(files, _of_table(split, index))))
    lists = _part_lists(index.root, lists_in)
    if lists:
        sources.append(
            (
                " and ".join(lists[part].name for part in PARTS if part in lists),
                _by_file(files, _of_lists(lists, index)),
            )
        )
    by_folder = [index.part_of(file) for file in files]
    names = " and ".join(part for part in PARTS if part in by_folder)
    sources = [(name, parts) for name, parts in [*sources, (f"folders of {names}", by_folder)] if any(parts)]
    if not sources:
        return PictureParts(index.root, tuple(files), (None,) * len(files))
    source, parts = sources[0]
    for other, others in sources[1:]:
        for file, one, two in zip(files, parts, others, strict=True):
            if one and two and one != two:
                raise DataError(f"{file} is of {one} by {source} and of {two} by {other}: {_ONE}")
    return PictureParts(index.root, tuple(files), tuple(parts), source)


def part_of_word(word: str, where: str) -> str:
    """`train`, `val` or `test`, as a cell calls it in whatever spelling. Raises `DataError` for another word."""
    part = part_named(word)
    if part is None:
        raise DataError(f"{where}: a part is train, val or test, not {word!r:.60}")
    return part


def table_parts(tables: Sequence[Path], root: Path, what: str) -> list[str | None]:
    """The part that each of several files of labels is for, by its name or else its folder; None for a single one.

    Raises `DataError` where two are for the same, or nothing says for which.
    """
    found: list[str | None] = []
    for path in tables:
        words = [path.stem, *reversed(re.split(r"[._ -]+", path.stem)), *reversed(path.relative_to(root).parts[:-1])]
        found.append(next((part for word in words if (part := part_named(word))), None))
    if len(tables) > 1 and (None in found or len(set(found)) < len(found)):
        place = next(place for place, part in enumerate(found) if part is None or found.count(part) > 1)
        same = (each for each, part in enumerate(found) if each != place and part in (found[place], None))
        other = next(same, 0 if place else 1)
        raise DataError(
            f"{root} has several files of {what}, {tables[place]} and {tables[other]}, and not one for each of train, "
            "val and test: name the one that is meant"
        )
    return found


def _part_lists(root: Path, lists_in: str) -> dict[str, Path]:
    """Part -> the list of its pictures (`train.txt`). Raises `DataError` for two of one part."""
    found: dict[str, Path] = {}
    for path in [*sorted(root.glob("*.txt")), *sorted((root / lists_in).glob("*.txt"))]:
        part = part_named(path.stem)
        if part is None or not path.is_file():
            continue
        if part in found:
            raise DataError(f"{found[part]} and {path} both list what is meant by {part}: {_ONE}")
        found[part] = path
    return found


def _by_file(files: Sequence[Path], parts: dict[Path, str]) -> list[str | None]:
    return [parts.get(file) for file in files]


def _of_table(path: Path, index: PictureIndex) -> dict[Path, str]:
    table = read_named_table(path)
    file, part = table.one_of(FILE_COLUMNS), table.one_of(PART_COLUMNS)
    if file is None or part is None:
        given = ",".join(table.columns)
        raise DataError(f"{path} must begin with the line file,split, not {given!r:.100}")
    found: dict[Path, str] = {}
    for row in table.rows:
        picture = index.expected(row.text(file), row.place, path)
        if picture is not None:
            _put(found, picture, part_of_word(row.text(part), row.place), row.place)
    return found


def _of_lists(lists: dict[str, Path], index: PictureIndex) -> dict[Path, str]:
    found: dict[Path, str] = {}
    for part, path in lists.items():
        try:
            lines = read_text(path).splitlines()
        except NotTextError as error:
            raise DataError(f"the list {path} {error}") from error
        for number, line in enumerate(lines, start=1):
            if line.strip():
                place = f"{path}, line {number}"
                picture = _listed(line.strip(), index, place, part)
                if picture is not None:
                    _put(found, picture, part, place)
    return found


def _listed(name: str, index: PictureIndex, place: str, part: str) -> Path | None:
    """By a file's name or its stem; of several columns (CamVid: picture and mask) the first counts."""
    try:
        for each in (name, name.split()[0]):
            found = index.find(each, part=part) or index.of_stem(Path(f"{each}.any"), part)
            if found is not None:
                return found
    except DataError as error:
        raise DataError(f"{place}: {error}") from error
    return index.expected(name, place, part=part)


def _put(found: dict[Path, str], picture: Path, part: str, place: str) -> None:
    if found.setdefault(picture, part) != part:
        raise DataError(f"{place}: {picture} is of {part} here, and was of {found[picture]} before: {_ONE}")
