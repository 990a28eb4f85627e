"""Which machines edgevit can be put on, and what is told of those it cannot: by what machines say of themselves."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from edgevit.devices.device import Finished
from edgevit.devices.remote_machine import Machine, Python, describe, free_bytes
from edgevit.devices.target_python import python_and_target
from edgevit.devices.wheels import Target, pins, requirements, runtime_files, wheel_files
from edgevit.errors import DeviceError

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Python((3, 11, 2), "cpython", 64, "/usr/bin/python3.11", True)
PI = Machine(
    system="Linux",
    kernel="6.6.51+rpt-rpi-2712",
    machine="aarch64",
    bits=64,
    home="/home/pi",
    libc="glibc",
    libc_version=(2, 36),
    pythons=(PYTHON,),
    release="Debian GNU/Linux 12 (bookworm)",
    board="Raspberry Pi 5 Model B Rev 1.0",
)


def test_pi():
    assert python_and_target(PI, "ssh://pi") == (PYTHON, Target("3.11", "aarch64", 36))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"system": "Darwin"}, "ssh://pi runs Darwin: edgevit can be put on Linux machines and Android phones"),
        ({"bits": 32}, "ssh://pi runs a 32-bit system .aarch64 kernel.: LiteRT has none for it; install a 64-bit one"),
        ({"bits": None, "pythons": (replace(PYTHON, bits=32),)}, "runs a 32-bit system"),
        ({"machine": "armv7l", "bits": 32}, "runs a 32-bit system .armv7l kernel."),
        ({"machine": "armv7l", "bits": None, "pythons": ()}, "32-bit system .armv7l kernel.: .*; install a 64-bit one"),
        ({"machine": "riscv64"}, "ssh://pi has riscv64 processors: LiteRT has wheels for aarch64 and x86_64 only"),
        ({"libc": "musl", "libc_version": None, "release": "Alpine Linux v3.20"}, "musl as its C library .Alpine"),
        ({"libc": "", "libc_version": None}, "does not say which C library it has"),
        ({"pythons": ()}, "no Python that edgevit can use: CPython 3.9 to 3.14 .it has none.: `sudo apt"),
        ({"pythons": (), "broken": ("/usr/bin/python3 (no libz)",)}, r"python3 \(no libz\) does not run: mend that"),
        ({"pythons": (replace(PYTHON, version=(3, 7, 3)),)}, r"it has cpython 3.7 \(/usr/bin/python3.11\)"),
        ({"pythons": (replace(PYTHON, version=(3, 15, 0)),)}, "it has cpython 3.15"),
        ({"pythons": (replace(PYTHON, implementation="pypy"),)}, "it has pypy 3.11"),
        ({"pythons": (replace(PYTHON, implementation="cpythont"),)}, "it has cpythont 3.11"),
        ({"pythons": (replace(PYTHON, whole=False),)}, "lacks parts of Python's standard library: `sudo apt"),
    ],
)  # fmt: skip
def test_refused(changed, message):
    with pytest.raises(DeviceError, match=message):
        python_and_target(replace(PI, **changed), "ssh://pi")


def test_first_python_that_fits():
    old, part = replace(PYTHON, version=(3, 8, 1)), replace(PYTHON, whole=False)
    new = replace(PYTHON, version=(3, 13, 1), place="/usr/bin/python3.13")
    assert python_and_target(replace(PI, pythons=(old, part, new)), "ssh://pi")[1].python == "3.13"


def test_options_of_pip():
    words = Target("3.9", "aarch64", 31).options()
    assert words[words.index("--python-version") + 1] == "3.9"
    assert "cp39" in words
    platforms = [after for word, after in pairwise(words) if word == "--platform"]
    assert platforms[0] == "manylinux_2_31_aarch64"
    assert "manylinux_2_32_aarch64" not in platforms
    assert platforms[-2:] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]


def test_needs_of_the_runtime():
    needs = requirements()
    assert [re.match(r"[\w-]+", need)[0] for need in needs] == ["numpy", "ai-edge-litert", "pillow"]
    assert not any(";" in need for need in needs)


def test_runtime_as_it_is_installed():
    names = [name for name, _ in runtime_files()]
    assert {"edgevit_runtime/__main__.py", "edgevit_runtime/cli/main.py", "edgevit_runtime/measure/sensors.py"} <= set(
        names
    )
    assert all(name.endswith(".py") for name in names)


@pytest.mark.slow
def test_runtime_installed_from_a_wheel(tmp_path):
    """The same files from a wheel as from the clone, where it is installed editable."""
    shutil.copytree(ROOT / "runtimes" / "python", tmp_path / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "wheel"]
    subprocess.run([*command, tmp_path / "source"], check=True)
    script = "from edgevit.devices.wheels import runtime_files; import edgevit_runtime, hashlib; "
    script += (
        "print(edgevit_runtime.__file__); print(hashlib.sha256(repr(sorted(runtime_files())).encode()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "wheel")},
        capture_output=True,
        text=True,
        check=True,
    )
    place, digest = done.stdout.split("\n")[:2]
    assert place.startswith(str(tmp_path / "wheel"))
    assert digest == hashlib.sha256(repr(sorted(runtime_files())).encode()).hexdigest()


class Said:
    """A device that says this, whatever it is asked."""

    name = "ssh://pi"

    def __init__(self, stdout, stderr="", code=0):
        self.finished = Finished(code, stdout, stderr)

    def run(self, command, *, timeout_s, stdin=None, check=True):
        return self.finished


def test_a_machine_in_its_own_words():
    said = """\
system Linux
kernel 5.10.103-v8+
machine aarch64
home /home/my user
bits 32
libc glibc 2.31
board Raspberry Pi 4 Model B Rev 1.4
python 3.9.2 cpython 32 /usr/bin/python3.9
whole /usr/bin/python3.9
python 3.9.2 cpython 32 /usr/bin/python3.9
whole /usr/bin/python3.9
end
"""
    machine = describe(Said(said))
    assert machine.home == "/home/my user"
    assert machine.libc_version == (2, 31)
    assert machine.bits == 32
    assert machine.pythons == (Python((3, 9, 2), "cpython", 32, "/usr/bin/python3.9", True),)


def test_no_package_index(tmp_path, monkeypatch):
    """pip's last line says that there is no such version; what is missing is the network."""
    for name in [each for each in os.environ if each.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "1")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    target = Target("3.11", "aarch64", 36)
    with pytest.raises(
        DeviceError, match=r"it reaches no package index that has them \(Connection refused\): is there"
    ):
        list(wheel_files(target, pins(), requirements()))


def test_free_bytes():
    assert free_bytes("free /dev/mmc blk0p2 30000000 10000000 20000000 34% /home") == 20000000 * 1024
    assert free_bytes("free overlay 30000000 10000000 20000000 34% /") == 20000000 * 1024
    assert free_bytes("free") is None


@pytest.mark.parametrize("said", ["", "Welcome!\n", "system Linux\nmachine x86_64\n", "This account is closed\n"])
def test_no_machine(said):
    with pytest.raises(DeviceError, match="ssh://pi does not answer as a POSIX shell does"):
        describe(Said(said))
