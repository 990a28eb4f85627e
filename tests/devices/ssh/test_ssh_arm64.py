"""ssh to a machine for arm64: sh, Python and the wheels there are aarch64's, and qemu runs them all.

What is real: ssh and sshd (this PC's), what the machine says of itself, the choice of wheels by that, every byte that
a Raspberry Pi would get. What is not: the processor (qemu's Cortex-A76, as in a Raspberry Pi 5), the kernel (this PC's,
by qemu's translation of system calls), the speed.
"""

import json
from pathlib import Path

import pytest

GOLDEN = Path(__file__).resolve().parents[3] / "runtimes" / "contract" / "golden" / "dials-int8.tflite"
pytestmark = [pytest.mark.ssh, pytest.mark.arm64, pytest.mark.slow]


def test_deploy_profile_uninstall(make_arm64_server, run):
    pi = make_arm64_server()
    code, out, err = run("deploy", GOLDEN, pi.name, "--json")
    assert code == 0, err
    deployment = json.loads(out)
    assert deployment["device"]["machine"] == "aarch64"
    assert deployment["device"]["libc"] == "glibc 2.36"
    assert deployment["self_test"]["passed"]
    assert deployment["self_test"]["backend"] == "native"
    assert deployment["place"].startswith("/home/pi/.local/share/edgevit/artefacts/")
    (wheels,) = (pi.top / "archives").glob("wheels-aarch64-cp311-*")
    libraries = [each for each in wheels.rglob("*.so*") if each.is_file()]
    assert len(libraries) > 20
    assert {machine(each) for each in libraries} == {183}  # EM_AARCH64

    code, out, err = run("profile", GOLDEN, "--device", pi.name, "--seconds", "0.3", "--json")
    assert code == 0, err
    profile = json.loads(out)
    assert profile["device"]["machine"] == "aarch64"
    assert profile["device"]["name"] == "ssh://pi"
    assert all(point["latency_ms"]["median"] > 0 for point in profile["points"])

    assert "edgevit is removed" in run("deploy", "--uninstall", "--yes", pi.name)[1]
    assert list(pi.home.iterdir()) == []


def machine(library):
    """e_machine of an ELF file."""
    return int.from_bytes(library.read_bytes()[18:20], "little")
