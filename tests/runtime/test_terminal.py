"""What others wrote reaches the terminal as text alone; output that goes nowhere ends a command without a traceback."""

import contextlib
import io
import os
import subprocess
import sys

import pytest

from edgevit_runtime import terminal
from edgevit_runtime.terminal import ClosedPipeError, OutputError, harmless, one_line

RUNS = {"edgevit-run": "edgevit_runtime", "edgevit": "edgevit"}
NASTY = "a\x1b[31m\x07\x9b2J\u202egpj.exe\udcff\r"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain – täglich 漢字 🌹\n\tx", "plain – täglich 漢字 🌹\n\tx"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m\x7f\x00\r\x08", "\\x9b31m\\x7f\\x00\\x0d\\x08"),
        ("\u202egpj", "\\u202egpj"),
        ("\u2028\u2066\ud800", "\\u2028\\u2066\\ud800"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf\\xe9.jpg"),
    ],
)
def test_escapes(text, shown):
    assert harmless(text) == shown
    assert harmless(shown) == shown


def test_a_name_stays_in_its_line():
    assert one_line("a\nedgevit-run: all is well\tb") == "a\\nedgevit-run: all is well\\tb"
    assert one_line(OutputError("x\x1by")) == "x\\x1by"


def test_all_that_is_printed_passes_here(capsys):
    with terminal.printing():
        print(NASTY)
        print(NASTY, file=sys.stderr)
        terminal.complain("edgevit", f"no {NASTY}\nsecond")
        terminal.trusted(sys.stderr).write("\x1b[K")
    captured = capsys.readouterr()
    shown = "a\\x1b[31m\\x07\\x9b2J\\u202egpj.exe\\xff\\x0d"
    assert captured.out == f"{shown}\n"
    assert captured.err == f"{shown}\nedgevit: no {shown}\\nsecond\n\x1b[K"
    assert type(sys.stdout).__name__ != "_Printed"


def test_a_terminal_that_is_not_utf8_shows_what_it_can():
    raw = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with contextlib.redirect_stdout(raw), terminal.printing():
        print("21 °C 漢")
    assert raw.buffer.getvalue() == b"21 \\xb0C \\u6f22\n"


def test_streams_that_are_not_there(monkeypatch):
    """Some services have neither; what is said on standard error is then lost, and no more."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert terminal.run("edgevit", lambda: 3) == 3
    with terminal.printing():
        print("x", file=sys.stderr)
        assert not sys.stderr.isatty()
        with pytest.raises(OutputError, match="cannot write to standard output: it is closed"):
            print("x")
    assert terminal.run("edgevit", lambda: print("x") or 0) == 1


def test_a_reader_that_went_away():
    class Closed(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with contextlib.redirect_stdout(Closed()), terminal.printing(), pytest.raises(ClosedPipeError):
        print("x")


# Each prints something, and loads little for it.
COMMANDS = [
    ["edgevit-run", "--help"],
    ["edgevit-run", "--version"],
    ["edgevit-run", "info", "{artefact}"],
    ["edgevit-run", "info", "{artefact}", "--json"],
    ["edgevit-run", "classify", "{artefact}", "{picture}"],
    ["edgevit-run", "classify", "{artefact}", "{picture}", "--json"],
    ["edgevit-run", "self-test", "{artefact}"],
    ["edgevit", "--help"],
    ["edgevit", "--version"],
    ["edgevit", "recipes"],
    ["edgevit", "recipes", "--json"],
    ["edgevit", "inspect", "{artefact}"],
    ["edgevit", "inspect", "{artefact}", "--json"],
]


def started(words, artefact, picture, **options):
    given = [word.format(artefact=artefact, picture=picture) for word in words[1:]]
    environment = {**os.environ, "PYTHONDEVMODE": "0"}
    return subprocess.run(
        [sys.executable, "-m", RUNS[words[0]], *given], stderr=subprocess.PIPE, env=environment, check=False, **options
    )


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    from support.sample_pictures import random_picture

    path = tmp_path_factory.mktemp("pictures") / "one.png"
    random_picture(1).save(path)
    return path


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_output_that_goes_nowhere(words, tiny_tflite, picture):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "w") as full:
        done = started(words, tiny_tflite, picture, stdout=full)
    *table, last = done.stderr.decode().splitlines()  # with --json, edgevit's tables are on standard error
    assert last == f"{words[0]}: cannot write to standard output: No space left on device"
    assert done.returncode == 1
    assert not table or words[-1] == "--json"
    assert "Traceback" not in "".join(table)


@pytest.mark.parametrize("words", COMMANDS[3:6] + COMMANDS[9:12], ids=" ".join)
def test_a_pipe_that_nobody_reads(words, tiny_tflite, picture):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as closed:
        done = started(words, tiny_tflite, picture, stdout=closed)
    assert done.returncode == 1
    assert not done.stderr or words[-1] == "--json"
    assert b"Traceback" not in done.stderr
    assert b"Error" not in done.stderr


def test_native_code_has_no_say(tiny_tflite, tmp_path):
    """libtiff writes of damage to standard error by itself; the command has one line for each picture."""
    from support.sample_pictures import random_picture

    file = io.BytesIO()
    random_picture(1).save(file, "TIFF", compression="tiff_adobe_deflate")
    content = bytearray(file.getvalue())
    content[20:60] = bytes(40)  # of the packed pixels, which come first
    paths = [tmp_path / f"{number}.tif" for number in range(3)]
    for path in paths:
        path.write_bytes(content)
    done = started(
        ["edgevit-run", "classify", "{artefact}", *map(str, paths)], tiny_tflite, None, stdout=subprocess.PIPE
    )
    lines = done.stderr.decode().splitlines()
    assert [line.partition(": ")[2].partition(": ")[0] for line in lines] == [
        f"cannot read picture {each}" for each in paths
    ]
    assert (done.returncode, done.stdout) == (1, b"")
