"""Pictures and a text for each: a CSV file with the columns `file` and `text`, and perhaps `split`."""

from __future__ import annotations

from pathlib import Path

from edgevit.data.label_source import label_source
from edgevit.data.named_table import FILE_COLUMNS, PART_COLUMNS, read_header, read_named_table
from edgevit.data.picture_index import files_near
from edgevit.data.picture_parts import find_parts, part_of_word
from edgevit.data.picture_set import PictureSet
from edgevit.errors import DataError

__all__ = ["TEXT_COLUMNS", "find_pairs", "pair_training_sets"]

TEXT_COLUMNS = ("text", "caption")
LONGEST_TEXT = 10_000
"""Characters; a text tower reads some hundred."""


def find_pairs(data: Path) -> Path | None:
    """The table of pairs that `data` is, or that a folder has; None for none. Raises `DataError` for several."""
    if data.is_file():
        return data if data.suffix.lower() == ".csv" and _has_pairs(data) else None
    tables = [path for path in files_near(data, ".csv") if _has_pairs(path)] if data.is_dir() else []
    if len(tables) > 1:
        raise DataError(
            f"{data} has several tables of pairs, {tables[0].name} and {tables[1].name}: name the one meant"
        )
    return tables[0] if tables else None


def _has_pairs(path: Path) -> bool:
    columns = set(read_header(path))
    return bool(columns & set(FILE_COLUMNS)) and bool(columns & set(TEXT_COLUMNS))


def pair_training_sets(path: str | Path, *, share: float = 0.1, seed: int = 0) -> tuple[PictureSet, PictureSet]:
    """(train, val): a picture's class is its text's place in `labels`, where each text is once; both have all of them.

    A picture may have several texts, a line each: they are then all in one of the two. Which validates the column
    `split` says, or folders do, or `share` of the pictures are drawn from `seed`.

    Raises `DataError`, with file and line.
    """
    table_path = find_pairs(Path(path))
    if table_path is None:
        _refuse(Path(path))
    assert table_path is not None
    index, table = label_source(table_path), read_named_table(table_path)
    file, text, said = (table.one_of(names) for names in (FILE_COLUMNS, TEXT_COLUMNS, PART_COLUMNS))
    assert file is not None  # by its header it was found
    assert text is not None
    files, texts, parts = [], [], []
    for row in table.rows:
        caption = " ".join(row.text(text).split())
        if len(caption) > LONGEST_TEXT:
            raise DataError(f"{row.place}: a text of {len(caption)} characters; at most {LONGEST_TEXT} are read")
        picture = index.expected(row.text(file), row.place, table_path)
        if picture is not None:
            files.append(picture)
            texts.append(caption)
            parts.append(part_of_word(row.text(said), row.place) if said else None)
    if not files:
        raise DataError(f"{table_path} lists no pictures")
    labels = tuple(dict.fromkeys(texts))
    place = {each: number for number, each in enumerate(labels)}
    classes = tuple(place[each] for each in texts)
    if len(labels) < 2:
        raise DataError(f"{table_path} has one text for all pictures, {labels[0]!r:.60}: nothing tells them apart")
    train, val, notes = find_parts(index, files, parts, table_path.name).halves(share, seed)
    both = PictureSet(index.root, tuple(files), classes, labels, tuple(index.left_out.items()), tuple(notes))
    return both.pick(train), both.pick(val)


def _refuse(path: Path) -> None:
    """Raises `DataError` for what holds no pairs."""
    if not path.exists():
        raise DataError(f"no such table of pairs: {path}")
    wanted = "a CSV file that begins with the line file,text"
    if path.is_dir():
        raise DataError(f"{path} has no pairs of a picture and a text: {wanted}")
    given = ",".join(read_header(path))
    raise DataError(f"{path} must begin with the line file,text, not {given!r:.100}")
