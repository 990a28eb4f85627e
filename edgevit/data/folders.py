"""Labelled pictures on disk: a folder of class folders, one with `labels.csv`, or what a training held out."""

from __future__ import annotations

import csv
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.errors import DataError, PictureError
from edgevit_runtime.preprocess.fitting import prepare
from edgevit_runtime.preprocess.pictures import SUFFIXES
from edgevit_runtime.preprocess.policy import DEFAULT_FILL, parse_policy
from edgevit_runtime.resolution import ResolutionLike
from edgevit_runtime.wording import counted

__all__ = ["PictureSet", "decode", "decode_batches", "read_folder", "split", "training_sets"]

LABELS_FILE = "labels.csv"
SPLIT_FILE = "split.csv"
SPLIT_HEADER = ("file", "class_index", "part")
DECODERS = 2
AHEAD = 32
"""Pictures decoded before they are asked for."""
_WNID = re.compile(r"n\d{8}")
"""What ImageNet's own folders are called: WordNet's numbers."""

OnSkip = Callable[[Path, PictureError], None]


@dataclass(frozen=True)
class PictureSet:
    """Picture files and their class indices, in one order; `labels` are the class names by index, where known."""

    root: Path
    files: tuple[Path, ...]
    classes: tuple[int, ...]
    labels: tuple[str, ...] = ()

    def pick(self, indices: Sequence[int]) -> PictureSet:
        """The pictures at `indices`, in that order."""
        files = tuple(self.files[index] for index in indices)
        return PictureSet(self.root, files, tuple(self.classes[index] for index in indices), self.labels)

    def counts(self) -> dict[int, int]:
        """Class index -> number of pictures."""
        present, numbers = np.unique(self.classes, return_counts=True)
        return {int(index): int(number) for index, number in zip(present, numbers, strict=True)}


def read_folder(
    path: str | Path, labels: Sequence[str] = (), keys: Sequence[str] = (), *, min_classes: int = 1
) -> PictureSet:
    """The pictures of a folder with `labels.csv` (`file,class_index` or `file,label`), or else of its class folders.

    path may also be the `split.csv` of a training run: the pictures that it validated on.

    labels: the class names that a model knows; names found on disk are then mapped to their indices, and one that the
        model does not know is an error. Without them, class folders count in sorted order.
    keys: what else the classes may be called on disk, in the order of the labels, such as ImageNet's WNIDs.
    min_classes: how many different classes there have to be; a training needs two.
    Raises `DataError`.
    """
    root = Path(path)
    if root.name == SPLIT_FILE and root.is_file():
        found = _from_split(root, labels)
    elif root.is_file():
        folder = f"name its folder, {root.parent}" if root.name == LABELS_FILE else f"or a training run's {SPLIT_FILE}"
        raise DataError(f"{root} is a file, and a folder of pictures is needed: {folder}")
    elif not root.is_dir():
        raise DataError(f"no such picture folder: {root}")
    else:
        read = _from_csv if (root / LABELS_FILE).is_file() else _from_folders
        found = read(root, labels, keys)
    present = len(set(found.classes))
    if present < min_classes:
        raise DataError(f"{root} holds pictures of {present} class only; at least {min_classes} are needed")
    return found


def _from_folders(root: Path, labels: Sequence[str], keys: Sequence[str]) -> PictureSet:
    folders = sorted(each for each in root.iterdir() if each.is_dir() and not each.name.startswith("."))
    _check_utf8(folders)
    pictures = {folder: _pictures(folder) for folder in folders}
    if not any(pictures.values()):
        loose = sum(_is_picture(each) for each in root.iterdir())
        held = f"{counted(loose, 'picture')}, but none in a class folder" if loose else "no pictures"
        raise DataError(f"{root} holds {held}: it needs a folder for each class, or {LABELS_FILE}")
    empty = [folder.name for folder, files in pictures.items() if not files]
    if empty:
        raise DataError(f"{root} has class folders without a picture: {', '.join(empty)}")
    names = tuple(folder.name for folder in folders)
    index = _index(names, labels, keys, root)
    files = [(file, index[folder.name]) for folder, inside in pictures.items() for file in inside]
    return PictureSet(root, tuple(file for file, _ in files), tuple(each for _, each in files), tuple(labels) or names)


def _check_utf8(paths: Iterable[Path]) -> None:
    """Raises `DataError` for a path that no label and no `split.csv` could hold."""
    for path in paths:
        try:
            str(path).encode()
        except UnicodeEncodeError as error:
            shown = os.fsencode(path).decode("utf-8", "backslashreplace")
            raise DataError(f"the name {shown} is not UTF-8: rename it") from error


def _pictures(folder: Path) -> list[Path]:
    return sorted(filter(_is_picture, folder.rglob("*")))


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _index(names: Sequence[str], labels: Sequence[str], keys: Sequence[str], root: Path) -> dict[str, int]:
    """Name -> class index: the model's where it has names, the order of the names otherwise."""
    if not labels:
        return {name: index for index, name in enumerate(names)}
    known: dict[str, set[int]] = {}
    for words in (labels, keys):
        for index, word in enumerate(words):
            known.setdefault(word, set()).add(index)
    for name in names:
        if name not in known:
            shown = ", ".join(list(labels)[:10]) + (", …" if len(labels) > 10 else "")
            hint = ""
            if _WNID.fullmatch(name) and not keys:
                hint = "; for WNIDs give `edgevit import` --labels that have them: n01440764<TAB>tench"
            raise DataError(f"{root}: the model has no class {name!r} (it knows {shown}){hint}")
        if len(known[name]) > 1:  # ImageNet has two cranes: a bird and a machine
            indices = " and ".join(map(str, sorted(known[name])))
            raise DataError(
                f"{root}: {name!r} names the classes {indices} of the model: say which each picture is, by a "
                f"{LABELS_FILE} with the columns file,class_index"
            )
    return {name: min(known[name]) for name in names}


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as table:
            return list(csv.reader(table))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}") from error


def _from_split(path: Path, labels: Sequence[str]) -> PictureSet:
    """The validation pictures of a run; their paths are as the training was given them."""
    header, *rows = _rows(path) or [[]]
    if header != list(SPLIT_HEADER) or not all(len(row) == 3 and row[1].isdecimal() for row in rows):
        raise DataError(f"{path} is not a training run's {SPLIT_FILE}, with the columns {','.join(SPLIT_HEADER)}")
    held_out = [(Path(file), int(index)) for file, index, part in rows if part == "val"]
    if not held_out:
        raise DataError(f"{path} lists no validation pictures")
    for file, _ in held_out:
        if not file.is_file():
            raise DataError(f"{path}: no such picture: {file}; run this where the training ran")
    return PictureSet(path, tuple(file for file, _ in held_out), tuple(index for _, index in held_out), tuple(labels))


def _from_csv(root: Path, labels: Sequence[str], keys: Sequence[str]) -> PictureSet:
    path = root / LABELS_FILE
    rows = _rows(path)
    header = [cell.strip() for cell in rows[0]] if rows else []
    if header not in (["file", "class_index"], ["file", "label"]):
        raise DataError(f"{path} must begin with the line file,class_index or file,label, not {','.join(header)!r}")
    entries = [(number, row) for number, row in enumerate(rows[1:], start=2) if row]
    if not entries:
        raise DataError(f"{path} lists no pictures")
    for number, row in entries:
        if len(row) != 2:
            raise DataError(f"{path}, line {number}: two values are expected, not {len(row)}")
    values = [row[1].strip() for _, row in entries]
    if header[1] == "label":
        names = tuple(labels) or tuple(sorted(set(values)))
        index = _index(sorted(set(values)), labels, keys, path) if labels else _index(names, (), (), path)
        classes = tuple(index[value] for value in values)
    else:
        names = tuple(labels)
        for (number, _), value in zip(entries, values, strict=True):
            if not value.isdecimal():
                raise DataError(f"{path}, line {number}: a class index is a whole number from 0, not {value!r}")
        classes = tuple(map(int, values))
    files = tuple(root / row[0].strip() for _, row in entries)
    for (number, _), file in zip(entries, files, strict=True):
        if not file.is_file():
            raise DataError(f"{path}, line {number}: no such picture: {file}")
    return PictureSet(root, files, classes, names)


def split(pictures: PictureSet, share: float, seed: int) -> tuple[PictureSet, PictureSet]:
    """(train, val): `share` of each class for val, at least one picture of each; drawn from `seed`.

    Raises `DataError` for a class with a single picture.
    """
    random = np.random.default_rng(seed)
    train: list[int] = []
    val: list[int] = []
    classes = np.array(pictures.classes)
    for index, count in pictures.counts().items():
        if count < 2:
            name = pictures.labels[index] if pictures.labels else str(index)
            raise DataError(
                f"{pictures.root} has one picture of class {name!r}; two are needed, to train and to validate"
            )
        drawn = random.permutation(np.flatnonzero(classes == index))
        held_out = min(count - 1, max(1, round(share * count)))
        val += drawn[:held_out].tolist()
        train += drawn[held_out:].tolist()
    return pictures.pick(sorted(train)), pictures.pick(sorted(val))


def training_sets(path: str | Path, *, share: float = 0.1, seed: int = 0) -> tuple[PictureSet, PictureSet]:
    """(train, val) of a folder: its `train` and `val` folders where it has both, otherwise a stratified split.

    Raises `DataError`, also for files whose names the run's `split.csv` could not hold.
    """
    train, val = _training_sets(Path(path), share, seed)
    _check_utf8((*train.files, *val.files))
    return train, val


def _training_sets(root: Path, share: float, seed: int) -> tuple[PictureSet, PictureSet]:
    if (root / "train").is_dir() and (root / "val").is_dir():
        train = read_folder(root / "train", min_classes=2)
        val = read_folder(root / "val", train.labels)
        unseen = sorted(set(val.classes) - set(train.classes))
        if unseen:
            raise DataError(f"{root / 'val'} has pictures of class {unseen[0]}, and {root / 'train'} has none")
        return train, val
    return split(read_folder(root, min_classes=2), share, seed)


def decode(
    pictures: PictureSet,
    resolution: ResolutionLike,
    policy: str,
    *,
    fill: tuple[int, int, int] = DEFAULT_FILL,
    strict: bool = False,
    on_skip: OnSkip = lambda _file, _error: None,
) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Each picture as uint8 [H, W, 3] with its class index, in order, decoded a little ahead in threads.

    fill: the colour around pictures under `letterbox`.

    Raises `PictureError` for an unknown policy. A picture that cannot be read is passed to `on_skip` and left out, or
    raises its `PictureError` with `strict`.
    """
    parse_policy(policy)
    queue: deque[tuple[Path, int, Future[NDArray[Any]]]] = deque()
    waiting = zip(pictures.files, pictures.classes, strict=True)
    with ThreadPoolExecutor(DECODERS) as pool:
        try:
            while True:
                while len(queue) < AHEAD and (entry := next(waiting, None)) is not None:
                    queue.append((*entry, pool.submit(prepare, entry[0], resolution, policy, fill=fill)))
                if not queue:
                    return
                file, index, future = queue.popleft()
                try:
                    image = future.result()
                except PictureError as error:
                    if strict:
                        raise
                    on_skip(file, error)
                    continue
                yield image, index
        finally:
            for _, _, future in queue:
                future.cancel()


def decode_batches(
    pictures: PictureSet,
    resolution: ResolutionLike,
    policy: str,
    size: int,
    *,
    fill: tuple[int, int, int] = DEFAULT_FILL,
    strict: bool = False,
    on_skip: OnSkip = lambda _file, _error: None,
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """As `decode`, by `size`: uint8 [size, H, W, 3] and classes [size]; the last batch holds what is left."""
    images: list[NDArray[np.uint8]] = []
    truths: list[int] = []
    for image, truth in decode(pictures, resolution, policy, fill=fill, strict=strict, on_skip=on_skip):
        images.append(image)
        truths.append(truth)
        if len(images) == size:
            yield np.stack(images), np.array(truths)
            images, truths = [], []
    if images:
        yield np.stack(images), np.array(truths)
