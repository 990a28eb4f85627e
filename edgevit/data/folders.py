"""Labelled pictures on disk: a folder of class folders, one with `labels.csv`, or what a training held out."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgevit.data.class_names import class_indices, class_labels
from edgevit.data.folder_shapes import (
    check_utf8,
    find_split,
    folders_in,
    loose_pictures,
    other_level,
    same_folders_below,
)
from edgevit.data.label_tables import LABELS_FILE, SPLIT_FILE, SPLIT_HEADER, read_label_table, read_split
from edgevit.data.picture_set import PictureSet
from edgevit.data.same_pictures import in_both
from edgevit.errors import DataError, PictureError
from edgevit_runtime.preprocess.fitting import prepare
from edgevit_runtime.preprocess.picture_folders import left_out_line, pictures_below
from edgevit_runtime.preprocess.policy import DEFAULT_FILL, parse_policy
from edgevit_runtime.resolution import ResolutionLike
from edgevit_runtime.wording import counted

__all__ = [
    "SPLIT_FILE",
    "SPLIT_HEADER",
    "PictureSet",
    "decode",
    "decode_batches",
    "read_folder",
    "split",
    "training_sets",
]

DECODERS = 2
AHEAD = 32
"""Pictures decoded before they are asked for."""

OnSkip = Callable[[Path, PictureError], None]


def read_folder(
    path: str | Path,
    labels: Sequence[str] = (),
    keys: Sequence[str] = (),
    *,
    min_classes: int = 1,
    part: str = "val",
    who: str = "the model",
) -> PictureSet:
    """The pictures of a folder with `labels.csv` (`file,class_index` or `file,label`), or else of its class folders.

    path may also be the `split.csv` of a training run, or its folder: the pictures that it validated on.

    labels: the class names that a model knows; names found on disk are then mapped to their indices, and one that the
        model does not know is an error. Without them, class folders count in sorted order.
    keys: what else the classes may be called on disk, in the order of the labels, such as ImageNet's WNIDs.
    min_classes: how many different classes there have to be; a training needs two.
    part: `train`, `val` or `test`: which is taken of a folder that has such; it is said in `assumed`.
    who: what the labels belong to.
    Raises `DataError`, or `PictureError` for a folder that cannot be read.
    """
    root = Path(path)
    if root.name == SPLIT_FILE and root.is_file():
        found = read_split(root, labels, keys)
    elif root.is_file():
        folder = f"name its folder, {root.parent}" if root.name == LABELS_FILE else f"or a training run's {SPLIT_FILE}"
        raise DataError(f"{root} is a file, and a folder of pictures is needed: {folder}")
    elif not root.is_dir():
        raise DataError(f"no such picture folder: {root}")
    elif (root / SPLIT_FILE).is_file():  # a run's folder
        found = read_split(root / SPLIT_FILE, labels, keys)
    elif (root / LABELS_FILE).is_file():
        found = read_label_table(root, labels, keys, who)
    elif split := find_split(root, labels):
        taken = split.part(part)
        found = read_folder(taken, labels, keys, min_classes=min_classes, who=who)
        return replace(found, assumed=(f"{split}: taken is {taken.name}/", *found.assumed))
    else:
        found = _from_folders(root, labels, keys, min_classes, who)
    if len(set(found.classes)) < min_classes:
        raise DataError(f"{root} holds pictures of 1 class only; at least {min_classes} are needed")
    return found


def _from_folders(root: Path, labels: Sequence[str], keys: Sequence[str], min_classes: int, who: str) -> PictureSet:
    folders = folders_in(root)
    check_utf8(folders)
    pictures = {folder: pictures_below(folder) for folder in folders}
    left_out = _added(each.left_out for each in pictures.values())
    loose, level = loose_pictures(root), other_level(root, pictures)
    if not any(each.files for each in pictures.values()):
        held = f"{counted(loose, 'picture')}, but none in a class folder" if loose else "no pictures"
        held += f"; {line}" if (line := left_out_line(left_out)) else ""
        wanted = f"it needs a folder for each class, or {LABELS_FILE}"
        raise DataError(f"{root} holds {held}: {wanted}" + (f"; if it is one class, give {level}" if level else ""))
    names = tuple(folder.name for folder in folders)
    strange = bool(labels) and not {*names} & {*labels, *keys}
    if level and (strange or min_classes > 1):
        raise DataError(f"{root} holds one folder with pictures, and the class folders seem to be in it: give {level}")
    empty = [
        folder.name + (f" ({line})" if (line := left_out_line(found.left_out)) else "")
        for folder, found in pictures.items()
        if not found.files
    ]
    if empty:
        raise DataError(f"{root} has class folders without a picture: {', '.join(empty)}")
    index = class_indices(names, labels, keys, root, who)
    files = [(Path(file), index[folder.name]) for folder, found in pictures.items() for file in found.files]
    assumed = []
    if loose:
        assumed.append(f"{root}: {counted(loose, 'picture')} beside the class folders, in none of them: left alone")
    if again := same_folders_below(folders):
        assumed.append(
            f"each folder in {root} holds {again}: taken for classes are the outer ones, {', '.join(names[:5])}; if "
            "the inner ones are, put those of one name together"
        )
    if level:
        assumed.append(f"{root} holds one folder, which is taken for a class; if it holds the classes, give {level}")
    return PictureSet(
        root,
        tuple(file for file, _ in files),
        tuple(each for _, each in files),
        tuple(labels) or class_labels(names),
        tuple(left_out.items()),
        tuple(assumed),
    )


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(sorted(total.items()))


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
            name = pictures.name(index)
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

    What was made of the folder, and pictures that are in both, stand in `assumed` of the first.
    Raises `DataError`, also for files whose names the run's `split.csv` could not hold.
    """
    train, val = _training_sets(Path(path), share, seed)
    check_utf8((*train.files, *val.files))
    same = in_both(train.files, val.files)
    said = (*train.assumed, *val.assumed, *((same,) if same else ()))
    left_out = _added((dict(train.left_out), dict(val.left_out)) if train.root != val.root else (dict(train.left_out),))
    return (
        replace(train, assumed=tuple(dict.fromkeys(said)), left_out=tuple(left_out.items())),
        replace(val, assumed=(), left_out=()),
    )


def check_training_folder(path: str | Path) -> None:
    """Raises `DataError` for a folder that nothing can be trained on; its files are listed, none is opened."""
    _training_sets(Path(path), 0.1, 0)


def _training_sets(root: Path, share: float, seed: int) -> tuple[PictureSet, PictureSet]:
    if not root.is_dir() or (root / LABELS_FILE).is_file() or (parts := find_split(root)) is None:
        return split(read_folder(root, min_classes=2), share, seed)
    if "train" not in parts.parts:
        raise DataError(f"{parts}, and nothing to train on: it needs train/")
    train = read_folder(parts.parts["train"], min_classes=2)
    if "val" not in parts.parts:
        said = f"{parts}: {share:.0%} of {train.root.name}/ validates; the test is left for `edgevit evaluate`"
        return split(replace(train, assumed=(said, *train.assumed)), share, seed)
    val = read_folder(parts.parts["val"], train.labels, who=str(train.root))
    unseen = sorted(set(val.classes) - set(train.classes))
    if unseen:
        raise DataError(f"{val.root} has pictures of class {unseen[0]}, and {train.root} has none")
    said = f"{parts}: {train.root.name}/ trains, {val.root.name}/ validates"
    said += ", the test is left for `edgevit evaluate`" if "test" in parts.parts else ""
    return replace(train, assumed=(said, *train.assumed)), val


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
