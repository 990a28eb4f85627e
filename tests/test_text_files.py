"""Every text file that people give is read with or without the mark that Windows programs put in front."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from converters.quantize.recipe_files import read_recipe
from edgevit.checkpoints import checkpoint_file
from edgevit.data.folders import read_folder
from edgevit.data.labels import read_labels
from edgevit.documents import read_json
from edgevit.errors import EdgeViTError
from edgevit.text_files import NotTextError, read_text
from support.sample_pictures import random_picture

MARK = b"\xef\xbb\xbf"


def labels(folder, content):
    (folder / "labels.txt").write_bytes(content(b"ash\noak\n"))
    return read_labels(folder / "labels.txt")


def recipe(folder, content):
    (folder / "mine.toml").write_bytes(content(b'base = "int8"\nsummary = "mine"\n'))
    return read_recipe(folder / "mine.toml").summary


def document(folder, content):
    (folder / "a.json").write_bytes(content(b'{"schema": "mine"}'))
    return dict(read_json(folder / "a.json").values)


def table(folder, content):
    for index in range(2):
        random_picture(index).save(folder / f"{index}.png")
    (folder / "labels.csv").write_bytes(content(b"file,label\r\n0.png,ash\r\n1.png,oak\r\n"))
    return read_folder(folder).labels


def config(folder, content):
    save_file({"a": np.zeros(1, np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_bytes(content(b'{"architecture": "mine"}'))
    return dict(checkpoint_file.read(folder / "model.safetensors").documents["config.json"].values)


READERS = [labels, recipe, document, table, config]


@pytest.mark.parametrize("read", READERS)
def test_with_or_without_a_mark(tmp_path, read):
    plain = read(tmp_path, lambda content: content)
    assert read(tmp_path, lambda content: MARK + content) == plain


@pytest.mark.parametrize("read", READERS)
def test_utf_16_is_named(tmp_path, read):
    """What Windows calls "Unicode", with its mark and without."""
    with pytest.raises(EdgeViTError, match="is text in UTF-16: save it as UTF-8"):
        read(tmp_path, lambda content: content.decode().encode("utf-16"))
    with pytest.raises(EdgeViTError, match="it has zero bytes, as UTF-16"):
        read(tmp_path, lambda content: content.decode().encode("utf-16-be"))


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_tables_of_other_countries(tmp_path, between):
    assert table(tmp_path, lambda content: content.replace(b",", between.encode())) == ("ash", "oak")


def test_tables_of_windows(tmp_path):
    (tmp_path / "deep").mkdir()
    random_picture(0).save(tmp_path / "deep" / "a.png")
    (tmp_path / "labels.csv").write_bytes(b"File,Label\r\ndeep\\a.png,ash\r\n")
    assert read_folder(tmp_path).files == (tmp_path / "deep" / "a.png",)


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(NotTextError, match="cannot be read: Is a directory"):
        read_text(tmp_path)
    with pytest.raises(NotTextError, match="cannot be read: No such file"):
        read_text(tmp_path / "no")
    (tmp_path / "empty").write_bytes(b"")
    assert read_text(tmp_path / "empty") == ""
