"""Where nothing can be written, one line says so, before the work where that can be known; nothing is left behind."""

import errno
import os
import resource
from contextlib import contextmanager

import pytest

from edgevit.errors import ConfigError
from edgevit.files import check_writable, replacing, write_text

LONGEST = 255
"""Bytes of a name that Linux's file systems take."""


@contextmanager
def files_up_to(size_bytes):
    """Python ignores SIGXFSZ: a longer file is an OSError, as on a disk that fills up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def place(tmp_path, tiny_keras, tiny_tflite):
    (tmp_path / "m.keras").write_bytes(tiny_keras.read_bytes())
    (tmp_path / "m.tflite").write_bytes(tiny_tflite.read_bytes())
    (tmp_path / "there.tflite").write_text("before")
    return tmp_path


LATE = {
    "convert": ("convert {0}/m.keras -o {0}/there.tflite --resolutions 32 --overwrite", 20_000),
    "extract": ("extract {0}/m.tflite --resolution 32 -o {0}/there.tflite --overwrite", 20_000),
    "synthetic": ("synthetic {0}/new --pictures 10 --size 64", 500),
}
EARLY = {
    "convert": "convert {0}/none.keras -o {1}.tflite",
    "convert: recipe": "convert {0}/none.keras -o {0}/o.tflite --validation {0} --max-drop 1 --save-recipe {1}.toml",
    "extract": "extract {0}/m.tflite --resolution 32 -o {1}.tflite",
    "import": "import {0}/none.npz -o {1}.keras",
    "train": "train {0}/none -o {1}.keras",
    "sensitivity": "sensitivity {0}/none.keras --data {0}/none --png {1}.png",
    "profile": "profile {0}/none.tflite --json {1}.json",
    "evaluate": "evaluate {0}/none.tflite {0}/none --json {1}.json",
    "plan": "plan {0}/none.json --png {1}.png",
    "report": "report {0}/none.json -o {1}.html",
    "compare": "compare {0}/none.json {0}/none.json -o {1}.html",
}


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("case", LATE)
def test_a_disk_that_fills_up_is_one_line_and_leaves_what_was_there(run, place, case):
    command, limit_bytes = LATE[case]
    before = contents(place)
    with files_up_to(limit_bytes):
        code, out, err = run(*command.format(place).split())
    assert (code, out) == (1, "")
    # What is read is copied first, so that what is checked is what is used.
    assert err.startswith(("edgevit: cannot write", f"edgevit: cannot take a copy of {place}"))
    assert os.strerror(errno.EFBIG) in err
    assert err.count("\n") == 1
    assert contents(place) == before


def test_a_model_that_does_not_fit_is_one_line(tiny_model, tmp_path):
    from edgevit.model import save

    (tmp_path / "m.keras").write_text("before")
    with files_up_to(20_000), pytest.raises(ConfigError, match=r"cannot write .*m\.keras: File too large"):
        save(tiny_model, tmp_path / "m.keras")
    assert contents(tmp_path) == {"m.keras": b"before"}


@pytest.mark.parametrize("case", EARLY)
@pytest.mark.parametrize("name", ["/proc/x", "{0}/" + "x" * 260])
def test_a_place_that_takes_no_file_is_found_before_the_inputs_are(run, place, case, name):
    before = contents(place)
    code, out, err = run(*EARLY[case].format(place, name.format(place)).split())
    assert (code, out) == (1, "")
    assert err.startswith("edgevit: cannot write ")
    assert err.count("\n") == 1
    assert contents(place) == before


@pytest.mark.parametrize(
    "command", ["convert {0}/m.keras", "extract {0}/m.tflite --resolution 32", "train {0}", "import {0}/x.npz"]
)
def test_a_folder_is_called_a_folder(run, place, command):
    code, _, err = run(*command.format(place).split(), "-o", place)
    assert code == 1
    assert err == f"edgevit: cannot write {place}: it is a folder\n"


def test_a_disk_without_a_page_left_is_found_at_once(tmp_path):
    with files_up_to(0), pytest.raises(ConfigError, match=r"cannot write .*: File too large"):
        check_writable(tmp_path / "x.tflite", overwrite=False)
    assert contents(tmp_path) == {}


def test_names_as_long_as_can_be_are_written(run, place):
    output = place / ("x" * (LONGEST - len(".tflite")) + ".tflite")
    code, _, err = run("extract", place / "m.tflite", "--resolution", 32, "-o", output, "--quiet")
    assert (code, err) == (0, "")
    assert output.stat().st_size > 0
    long = place / ("x" * LONGEST)
    write_text(long, "all")
    assert long.read_text() == "all"


def test_what_fails_for_another_reason_says_that(tmp_path):
    def fail():
        with replacing(tmp_path / "a.json") as partial:
            partial.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert contents(tmp_path) == {}
