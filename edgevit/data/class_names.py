"""Which class a name means: folders, tables and other models are matched by name, never by the order they come in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from edgevit.data.picture_set import PictureSet
from edgevit.errors import ConfigError, DataError

__all__ = [
    "check_distinct",
    "class_indices",
    "class_labels",
    "class_order",
    "composed",
    "numbered_as",
    "repeated",
    "shown",
]

_WNID = re.compile(r"n\d{8}")
"""What ImageNet's own folders are called: WordNet's numbers."""


def composed(name: str) -> str:
    """With letters and their accents as one character: macOS writes names of files as two, and nobody sees it."""
    return unicodedata.normalize("NFC", name)


def shown(names: Sequence[str], most: int = 10) -> str:
    """`ash, oak, … (12 more)`"""
    return ", ".join(names[:most]) + (f", … ({len(names) - most} more)" if len(names) > most else "")


def repeated(labels: Sequence[str], keys: Sequence[str] = ()) -> str | None:
    """The line that says which names several classes have, and what else tells these apart; None where none has.

    keys: WNIDs, one for each class, or nothing.
    """
    places: dict[str, list[int]] = {}
    for index, name in enumerate(labels):
        places.setdefault(composed(name), []).append(index)
    several = [f"{name} ({', '.join(map(str, found))})" for name, found in places.items() if len(found) > 1]
    if not several:
        return None
    how = "their WNIDs do" if keys else "a labels.csv with the columns file,class_index does"
    return (
        f"names that several classes have, with their indices: {shown(several, 5)}; where pictures are labelled, the "
        f"name does not tell which: {how}"
    )


def check_distinct(labels: Sequence[str], where: object) -> None:
    """Raises `DataError` for a name that is there twice: two classes with one text share what they find.

    where: the file that has one a line, or what else they come from.
    """
    seen: dict[str, int] = {}
    for line, name in enumerate(labels, start=1):
        first = seen.setdefault(composed(name), line)
        if first != line:
            raise DataError(f"{where} has {name!r} twice, in the lines {first} and {line}: leave one out")


def class_labels(names: Iterable[str]) -> tuple[str, ...]:
    """The classes that folders or tables of these names make, sorted."""
    return tuple(sorted({composed(name) for name in names}))


def class_indices(
    names: Sequence[str], labels: Sequence[str], keys: Sequence[str], where: object, who: str = "the model"
) -> dict[str, int]:
    """Name -> class index: as `labels` and `keys` say where there are labels, the order of `class_labels` otherwise.

    where: the folder or table that has the names; who: what the labels belong to.
    Raises `DataError` for a name that none of the classes has, or several have.
    """
    if not labels:
        order = class_labels(names)
        return {name: order.index(composed(name)) for name in names}
    known: dict[str, set[int]] = {}
    for words in (labels, keys):
        for index, word in enumerate(words):
            known.setdefault(composed(word), set()).add(index)
    for name in names:
        if composed(name) not in known:
            near = {word.casefold(): word for word in known}
            close = get_close_matches(name.casefold(), near, n=1, cutoff=0.8)
            hint = f"; did you mean {near[close[0]]!r}?" if close else ""
            if _WNID.fullmatch(name) and not keys:
                hint = "; for WNIDs give `edgevit import` --labels that have them: n01440764<TAB>tench"
            raise DataError(f"{where}: {who} has no class {name!r} (it knows {shown(labels)}){hint}")
        if len(known[composed(name)]) > 1:  # ImageNet has two cranes: a bird and a machine
            indices = " and ".join(map(str, sorted(known[composed(name)])))
            raise DataError(
                f"{where}: {name!r} names the classes {indices} of {who}: say which each picture is, by a "
                "labels.csv with the columns file,class_index"
            )
    return {name: min(known[composed(name)]) for name in names}


def numbered_as(pictures: PictureSet, model: object, classes: int, labels: Sequence[str]) -> PictureSet:
    """The pictures with the numbers that a model has for their classes; `pictures` were read with its labels.

    A model without labels has numbers only: names that are all numbers are taken for those, and as many names as it has
    classes in sorted order, which is said. Raises `DataError` where that leaves open which is which.
    """
    names = pictures.labels
    if not labels and names:
        if all(name.isdecimal() for name in names):
            numbers = [int(name) for name in names]
            pictures = replace(
                pictures,
                classes=tuple(numbers[index] for index in pictures.classes),
                labels=(),
                assumed=(
                    *pictures.assumed,
                    f"{model} has no class names: the names in {pictures.root} count as numbers",
                ),
            )
        elif len(names) != classes:
            raise DataError(
                f"{model} has {classes} classes without names, and {pictures.root} has {len(names)} "
                f"({shown(names)}): which is which is not known. Give the {classes} names in the model's order by "
                "--labels, or a labels.csv with the columns file,class_index"
            )
        else:
            said = f"{model} has no class names: those of {pictures.root} are taken in sorted order ({shown(names)})"
            pictures = replace(pictures, assumed=(*pictures.assumed, said))
    if max(pictures.classes) >= classes:
        raise DataError(
            f"{pictures.root} has a picture of class {max(pictures.classes)}, and the classes of {model} are "
            f"numbered from 0 to {classes - 1}"
        )
    return pictures


def class_order(
    labels: Sequence[str], others: Sequence[str], who: object, other: object, noun: str = "classes"
) -> list[int] | None:
    """For each class of `labels` the index that it has among `others`; None where both have one order, or no names.

    noun: what the names are of. Raises `ConfigError`, which names `who` and `other`, for classes that one of them
    lacks, or whose names say too little.
    """
    labels, others = tuple(map(composed, labels)), tuple(map(composed, others))
    if not labels or not others or labels == others:
        return None
    lacking = [name for name in labels if name not in set(others)]
    unknown = [name for name in others if name not in set(labels)]
    if lacking or unknown:
        parts = [f"{who} alone has {shown(lacking, 5)}"] if lacking else []
        parts += [f"{other} alone has {shown(unknown, 5)}"] if unknown else []
        raise ConfigError(f"{who} and {other} know different {noun}: {'; '.join(parts)}")
    twice = next((name for name in labels if labels.count(name) > 1), None)
    if twice is not None or len(labels) != len(others):
        name = twice or next(name for name in others if others.count(name) > 1)
        raise ConfigError(f"{who} and {other} have their {noun} in another order, and {name!r} names two of them")
    place = {name: index for index, name in enumerate(others)}
    return [place[name] for name in labels]
