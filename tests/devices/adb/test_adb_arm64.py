"""A phone for arm64: sh and toybox, the bundle's loader, Python and wheels are aarch64's, and qemu runs them all.

What is real: adb and adbd (this machine's), the choice of Debian packages and wheels by the ABI, the loader's command
line, every byte that a phone would get. What is not: the processor (qemu's Cortex-A76), the kernel (this machine's, by
qemu's translation of system calls), Android's C library, SELinux and seccomp.
"""

import json
from pathlib import Path

import pytest

from support import adb_phones

GOLDEN = Path(__file__).resolve().parents[3] / "runtimes" / "contract" / "golden" / "dials-int8.tflite"
pytestmark = [pytest.mark.adb, pytest.mark.arm64, pytest.mark.slow, pytest.mark.long]


@pytest.fixture(scope="module")
def plugged(network, phone_root):
    if reason := adb_phones.missing_arm64():
        pytest.skip(reason)
    return network.phone(phone_root("arm64-v8a"), 7101)


def test_deploy_and_profile(plugged, run):
    code, out, err = run("deploy", GOLDEN, plugged.name, "--json")
    assert code == 0, err
    deployment = json.loads(out)
    assert deployment["device"]["machine"] == "aarch64"
    assert deployment["self_test"]["passed"]
    assert deployment["self_test"]["backend"] == "native"
    loader = (
        plugged.tmp
        / "edgevit"
        / "archives"
        / next(
            each.name
            for each in (plugged.tmp / "edgevit" / "archives").iterdir()
            if each.name.startswith("python-aarch64")
        )
        / "lib"
        / "ld-linux-aarch64.so.1"
    )
    assert int.from_bytes(loader.read_bytes()[18:20], "little") == 183  # EM_AARCH64 (elf(5))
    code, out, err = run("profile", GOLDEN, "--device", plugged.name, "--seconds", "0.3", "--ops", "--json")
    assert code == 0, err
    profile = json.loads(out)
    assert profile["device"]["machine"] == "aarch64"
    assert [point["resolution"] for point in profile["points"]] == [48, 96]
    assert profile["curve"] is None
    assert profile["curve_note"].startswith("a curve needs at least 5 resolutions, this profile has 2")
    assert "No curve: a curve needs at least 5 resolutions, this profile has 2" in " ".join(err.split())
