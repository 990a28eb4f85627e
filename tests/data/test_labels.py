"""Label files as people have them: with indices, marks of Windows, tabs, or in JSON; and what is refused."""

import codecs
import json
import re

import pytest

from edgevit.data.labels import read_label_keys, read_labels
from edgevit.errors import DataError

NAMES = ("daisy", "dandelion", "red roses")
SHUFFLED = (2, 0, 1)


@pytest.fixture
def write(tmp_path):
    path = tmp_path / "labels.txt"

    def call(content):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return call


@pytest.mark.parametrize("between", ["\t", " ", "   ", ",", ", ", ": ", ":", ";", " - ", ". ", ") ", " = ", " | "])
@pytest.mark.parametrize("order", [(0, 1, 2), SHUFFLED])
def test_indices_in_any_order(write, between, order):
    path = write("\n".join(f"{index}{between}{NAMES[index]}" for index in order))
    assert read_labels(path) == NAMES
    assert read_label_keys(path) == ()


def test_more_than_ten_are_put_in_order_as_numbers(write):
    names = [f"class {chr(97 + index)}" for index in range(12)]
    assert read_labels(write("".join(f"{index:02} {names[index]}\n" for index in sorted(range(12), key=str)))) == tuple(
        names
    )


@pytest.mark.parametrize(
    "text",
    [
        "daisy\ndandelion\nred roses\n",
        "\ufeffdaisy\r\ndandelion\r\nred roses\r\n\r\n",
        "\ufeff2,red roses\n0,daisy\n1,dandelion",
    ],
)
def test_a_byte_order_mark_is_no_letter(write, text):
    assert read_labels(write(text)) == NAMES


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("7 up\ncola\nfanta\n", ("7 up", "cola", "fanta")),
        ("0\n1\n2\n", ("0", "1", "2")),
        ("2\n0\n1\n", ("2", "0", "1")),
        ("10 euro", ("10 euro",)),
        ("1st\n2nd\n3rd", ("1st", "2nd", "3rd")),
        ('1,"roses, red"\n0,daisy', ("daisy", "roses, red")),
        ("crane\ncat\ncrane", ("crane", "cat", "crane")),
        ("0 crane\n1 cat\n2 crane", ("crane", "cat", "crane")),
        ("class:3\nclass:4", ("class:3", "class:4")),
    ],
)
def test_names_that_have_numbers(write, text, names):
    assert read_labels(write(text)) == names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 daisy\n2 roses\n3 tulips", "not the indices 0 to 2: 0 is missing (they begin at 1)"),
        ("0 daisy\n1 roses\n1 tulips", "not the indices 0 to 2: 1 stands in the lines 2 and 3"),
        ("0 daisy\n1 roses\n7 tulips", "not the indices 0 to 2: 2 is missing;"),
        ("id,name\n0,daisy\n1,roses", "not the indices 0 to 2: line 1 has none, 'id,name'"),
        ("0\tdaisy\n1\troses\ntulips", "line 3 has none, 'tulips'"),
        ("daisy,1\nroses,0", "has the indices behind the names: 'daisy,1'"),
        ("daisy\t0\nroses\t1", "has the indices behind the names: 'daisy\\t0'"),
        ("0 euro\n1 euro", "calls all classes 'euro', with the indices in front"),
        ("daisy\n\nroses", "has an empty line 2"),
        ("", "is empty"),
        ("\n\n", "is empty"),
    ],
)
def test_what_looks_like_indices_and_is_none_is_refused(write, text, message):
    path = write(text)
    with pytest.raises(DataError, match=re.escape(f"the label file {path} ")) as error:
        read_labels(path)
    assert message in str(error.value)
    assert str(error.value).count("\n") == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("daisy\nroses\n".encode("utf-16"), "is text in UTF-16: save it as UTF-8"),
        (codecs.BOM_UTF16_BE + "daisy".encode("utf-16-be"), "is text in UTF-16"),
        ("daisy\n".encode("utf-32"), "is text in UTF-32"),
        ("daisy\n".encode("utf-16-le"), "is no text file in UTF-8: it has zero bytes"),
        ("chêne\n".encode("latin-1"), "is not text in UTF-8 (invalid continuation byte at byte 2): save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is no text file in UTF-8"),
    ],
)
def test_other_encodings_are_named(write, content, message):
    with pytest.raises(DataError, match=re.escape(message)):
        read_labels(write(content))


def test_wnids(write):
    for text, keys in (
        ("n01\ttench\nn02\tgoldfish\n", ("n01", "n02")),
        ("1\tn02\tgoldfish\n0\tn01\ttench\n", ("n01", "n02")),
        ("n01440764 tench\nn01443537 goldfish", ("n01440764", "n01443537")),
        ("tench\ngoldfish\n", ()),
    ):
        path = write(text)
        assert (read_labels(path), read_label_keys(path)) == (("tench", "goldfish"), keys)


@pytest.mark.parametrize(
    "document",
    [
        NAMES,
        {str(index): NAMES[index] for index in SHUFFLED},
        {NAMES[index]: index for index in SHUFFLED},
        {"model_type": "vit", "id2label": {str(index): NAMES[index] for index in SHUFFLED}},
    ],
)
def test_json(write, document):
    assert read_labels(write(json.dumps(document))) == NAMES
    assert read_labels(write(b"\xef\xbb\xbf" + json.dumps(document, indent=1).encode())) == NAMES


def test_json_with_keys(write):
    path = write('{"1": ["n02", "goldfish"], "0": ["n01", "tench"]}')  # as Keras's imagenet_class_index.json
    assert (read_labels(path), read_label_keys(path)) == (("tench", "goldfish"), ("n01", "n02"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "is JSON that holds 1 in the place of a name"),
        ('["a", ""]', "has no name for class 1"),
        ('{"1": "a", "2": "b"}', "is JSON with 2 keys, and neither these nor their values are the indices 0 to 1"),
        ('["a"', "begins like JSON and is none"),
        ("[" * 100_000, "begins like JSON and is none"),
        ("[]", "is empty"),
    ],
)
def test_json_refusals(write, text, message):
    with pytest.raises(DataError, match=re.escape(message)):
        read_labels(write(text))


def test_no_file(tmp_path):
    with pytest.raises(DataError, match=r"no such label file: .*nowhere"):
        read_labels(tmp_path / "nowhere")
