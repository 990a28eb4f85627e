"""Forms as browsers, curl and requests send them, and damaged ones."""

import pytest

from edgevit_runtime.serve.form import PARTS, is_form, read_form
from edgevit_runtime.serve.response import RequestError

FORM = "multipart/form-data; boundary=xYz"
PICTURE = b"\xff\xd8\r\n--xY\r\n\x00--"


def part(head, content):
    return b"--xYz\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n" + content + b"\r\n"


FILE = part(b'name="file"; filename="a.jpg"\r\nContent-Type: image/jpeg', PICTURE)
END = b"--xYz--\r\n"


@pytest.mark.parametrize(
    "file",
    [
        FILE,
        part(b'name="p"; filename="a\\"b; name=c.jpg"', PICTURE),
        part(b"name=p; filename=a.jpg", PICTURE),
        part(b"name=\"p\"; filename*=UTF-8''a.jpg", PICTURE),
        b"before\r\n" + FILE,
        FILE.replace(b"--xYz\r\n", b"--xYz \t\r\n"),
        part(b'name="top"', b"3") + FILE,
        FILE + part(b'name="second"; filename=""', b""),  # a field of a page where nothing was chosen
    ],
)
def test_the_one_file(file):
    assert read_form(file + END + b"behind", FORM).picture == PICTURE


def test_fields_beside_the_file():
    form = read_form(part(b'name="top"', b"3") + FILE + part(b'name="resolution"', b"160") + END, FORM)
    assert form.fields == {"top": "3", "resolution": "160"}
    assert read_form(FILE.replace(b"xYz", b"a b") + b"--a b--", 'multipart/form-data; boundary="a b"').picture


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (END, "the form has no file: send the picture file itself"),
        (part(b'name="file"; filename=""', b"") + END, "the form has no file: "),
        (part(b'name="file"', b"a.jpg") + END, "the form has no file: "),
        (FILE + FILE + END, "the form has 2 files, where one is taken: send"),
        (2 * part(b'name="top"', b"3") + FILE + END, "the form's field 'top' is given twice"),
        (FILE, "the form is damaged"),
        (FILE[:-20], "the form is damaged"),
        (b"", "the form is damaged"),
        (b"hello", "the form is damaged"),
        (b"--xYz", "the form is damaged"),
        (b"--xYzz\r\n\r\n\r\n--xYz--", "the form is damaged"),
        (b"--xYz\r\nContent-Disposition: form-data", "the form is damaged"),
        (b"--xYz\r\nA: " + 5000 * b"a" + b"\r\n\r\n\r\n--xYz--", "the form is damaged"),
        (b"".join(part(b"name=%d" % each, b"") for each in range(PARTS + 1)) + END, "the form is damaged"),
        (FILE.replace(b"\r\n\r\n\xff", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n\xff") + END, "not in base64"),
    ],
)
def test_what_is_no_form_with_one_file(body, message):
    with pytest.raises(RequestError, match=message) as refused:
        read_form(body, FORM)
    assert refused.value.response.code == 400


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", 'multipart/form-data; boundary="']
)
def test_a_form_without_a_boundary(kind):
    with pytest.raises(RequestError, match="no boundary"):
        read_form(FILE + END, kind)


def test_what_a_form_is():
    assert is_form("Multipart/Form-Data; boundary=a")
    assert not is_form("multipart/mixed; boundary=a")
    assert not is_form("")
