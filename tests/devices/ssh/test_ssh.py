"""A machine over the real ssh: a real OpenSSH server on loopback, with an account that has nothing."""

import json
import os
import platform
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.request
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from edgevit.devices.artefact_store import ArtefactStore
from edgevit.devices.installation import locked
from edgevit.devices.registry import device as device_named
from edgevit.devices.remote_machine import Machine, Python
from edgevit.devices.ssh import linux_installation
from edgevit.devices.ssh import ssh_device as ssh_module
from edgevit.devices.ssh.linux_installation import LinuxInstallation
from edgevit.devices.ssh.ssh_device import SshDevice, ssh_device
from edgevit.devices.wheels import Target
from edgevit.errors import ConfigError, DeviceError
from edgevit_runtime.tasks import try_out_of
from support.painted_artefact import write_painted
from support.sample_pictures import random_picture
from support.waiting import LIMIT_S, free_port, until

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "runtimes" / "contract" / "golden" / "dials-int8.tflite"
pytestmark = pytest.mark.ssh


@pytest.fixture(scope="module")
def pi(make_server):
    """A machine that is there throughout."""
    return make_server()


@pytest.fixture
def device(pi):
    return device_named(pi.name)


@pytest.fixture(autouse=True)
def well(request, monkeypatch):
    """ssh://pi is that machine in its tests, and each leaves it as it found it."""
    if "pi" not in request.fixturenames:
        yield
    else:
        pi = request.getfixturevalue("pi")
        monkeypatch.setenv("PATH", str(pi.bin), prepend=":")
        yield
        pi.spare()
        pi.limit("")
        pi.configure()
        pi.trust()


def test_run(device):
    words = ["printf", "%s|", "a b", "it's", '"$HOME"', "*", "é\nf", "-n", ""]
    assert device.run(words, timeout_s=LIMIT_S).stdout == 'a b|it\'s|"$HOME"|*|é\nf|-n||'
    assert device.run(["cat"], timeout_s=LIMIT_S, stdin=b"\xff\x00x").stdout == "�x"
    assert device.run(["cat"], timeout_s=LIMIT_S).stdout == ""
    finished = device.run(["sh", "-c", "echo out; echo err >&2; exit 3"], timeout_s=LIMIT_S, check=False)
    assert (finished.code, finished.stdout, finished.stderr) == (3, "out\n", "err\n")
    with pytest.raises(DeviceError, match=r"ssh://pi: exit code 2 from: ls /nowhere: .*No such file"):
        device.run(["ls", "/nowhere"], timeout_s=LIMIT_S)


def test_greeting(device, pi, tmp_path):
    """What a shell says before the command is none of its output."""
    pi.limit("echo Welcome to the machine.")
    assert device.run(["echo", "out"], timeout_s=LIMIT_S).stdout == "out\n"
    (pi.home / "a").write_bytes(b"\x00\n\xff")
    device.get(str(pi.home / "a"), tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"\x00\n\xff"
    pi.limit("echo 'Permission denied, says the greeting' >&2")
    assert device.run(["sh", "-c", "exit 255"], timeout_s=LIMIT_S, check=False).code == 254


@pytest.mark.parametrize("stream", ["yes lies", "yes lies >&2", "head -c 5000000 /dev/zero"])
def test_a_machine_that_never_stops_talking(pi, run, stream):
    """It takes 4 MB of this machine's memory, not all that it says."""
    pi.limit(stream)
    code, out, err = run("deploy", GOLDEN, pi.name)
    assert (code, out) == (1, "")
    assert err.startswith("edgevit: ssh://pi: it said more than 4 MB")
    assert err.count("\n") == 1


LIES = {
    "a C library": ("getconf", "echo glibc 2.999999999", "does not say which C library it has"),
    "a Python": ("python3", f"echo python {'9' * 5000}.0.0 cpython 64 /x", "no Python that edgevit can use"),
    "escapes": ("uname", r"printf '\033[2J\033]0;title\007Linux\n'", "runs a 32-bit system (Linux kernel)"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_machine_that_lies(pi, run, tmp_path, lie):
    name, script, message = LIES[lie]
    folder = tmp_path / "bin"
    folder.mkdir()
    for each in ("sh", "tr", "tail", "env", "grep", "cat", "date", "rm"):
        (folder / each).symlink_to(shutil.which(each))
    (folder / "getconf").write_text("#!/bin/sh\n[ $1 = LONG_BIT ] && echo 64 || echo glibc 2.36\n")
    (folder / "uname").write_text("#!/bin/sh\n[ $1 = -s ] && echo Linux || echo x86_64\n")
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    for each in ("getconf", "uname", name):
        (folder / each).chmod(0o755)
    pi.limit(f"path={folder}")
    code, out, err = run("deploy", GOLDEN, pi.name)
    assert (code, out) == (1, "")
    assert message in err or lie == "escapes"
    assert err.startswith("edgevit: ssh://pi")
    assert "\033" not in err
    assert err.count("\n") == 1
    assert len(err) < 500


def test_killed_command_is_no_lost_connection(device):
    """ssh itself answers both with 255."""
    assert device.run(["sh", "-c", "kill -9 $$"], timeout_s=LIMIT_S, check=False).code == 137
    assert device.run(["sh", "-c", "kill -ILL $$"], timeout_s=LIMIT_S, check=False).code == 132


def test_no_end(device, pi, tmp_path):
    with pytest.raises(DeviceError, match=f"no end after 1 s: sleep {LONG}"):
        device.run(["sleep", LONG], timeout_s=1)
    until(lambda: f"sleep {LONG}" not in processes())  # nobody waits for it


LONG = str(100_000 + os.getpid())
"""Seconds to sleep: days, and no other run of these tests on this machine sleeps as long."""


def processes():
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def test_put_and_get(device, pi, tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(content)
    target = pi.home / "it's here"
    device.put(tmp_path / "a", str(target))
    assert target.read_bytes() == content
    device.get(str(target), tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == content
    with pytest.raises(DeviceError, match=r"from: cat /nowhere: .*No such file"):
        device.get("/nowhere", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == content
    with pytest.raises(DeviceError, match=r"cannot write /nowhere/a: .*(nonexistent|No such file)"):
        device.put(tmp_path / "a", "/nowhere/a")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "b"]
    assert [each.name for each in pi.home.iterdir() if each.name.endswith(".partial")] == []


def test_dropped_once(device, pi, tmp_path):
    """A transfer that is cut off in its middle is made again, from its start."""
    content = os.urandom(20_000_000)
    (tmp_path / "a").write_bytes(content)
    pi.kill("a.", times=1)
    device.put(tmp_path / "a", str(pi.home / "a"))
    assert (pi.home / "a").read_bytes() == content
    assert [each.name for each in pi.home.iterdir() if each.name.endswith(".partial")] == []


def test_dropped_twice(device, pi, tmp_path):
    pi.kill(f"sleep {LONG}")
    with pytest.raises(DeviceError, match=rf"the connection dropped, twice .*, while it ran: sleep {LONG}; are"):
        device.run(["sleep", LONG], timeout_s=LIMIT_S)
    until(lambda: f"sleep {LONG}" not in processes())


WRONG = {
    "key": ("takes none of this user's keys: `ssh-copy-id pi` puts one there", lambda pi: pi.configure(key="stranger")),
    "unknown host": ("does not know its host key yet: connect once by hand (`ssh pi`)", lambda pi: forget(pi)),
    "other host": (
        "was set up anew, `ssh-keygen -f {folder}/known -R '[127.0.0.1]:{port}'` and",
        lambda pi: pi.trust("stranger"),
    ),
    "port": ("nothing listens there: is its ssh server on", lambda pi: pi.configure(port=1)),
    "name": ("no such name on this network: try pi.local", lambda pi: (pi.folder / "client").write_text("")),
    "name of mDNS": ("does this machine know .local names (mDNS", lambda pi: name(pi, "nowhere.local")),
    "name of a domain": ("no such name on this network: try its address", lambda pi: name(pi, "nowhere.invalid")),
    "no ssh server": ("hangs up before any key is asked for: is that the port", lambda pi: hang_up(pi)),
    "configuration": ("mend that in ssh's configuration", lambda pi: (pi.folder / "client").write_text("Nonsense 1")),
}


def forget(pi):
    (pi.folder / "known").unlink()


def name(pi, host):
    client = pi.folder / "client"
    client.write_text(client.read_text().replace("HostName 127.0.0.1", f"HostName {host}"))


def hang_up(pi):
    """From now on something else listens on the server's port, and closes what it accepts."""
    pi.stop()
    server = socket.create_server(("127.0.0.1", pi.port))

    def serve():
        with server:
            for _ in range(2):
                server.accept()[0].close()

    threading.Thread(target=serve, daemon=True).start()


@pytest.mark.parametrize("what", WRONG)
def test_no_connection(make_server, run, what):
    message, spoil = WRONG[what]
    pi = make_server()
    message = message.format(folder=pi.folder, port=pi.port)
    spoil(pi)
    for words in (("deploy", GOLDEN, "ssh://pi"), ("profile", GOLDEN, "--device", "ssh://pi")):
        code, out, err = run(*words)
        assert (code, out) == (1, "")
        assert err.startswith("edgevit: ssh://pi: ")
        assert message in err
        assert err.count("\n") == 1
    assert list(pi.home.iterdir()) == []


def test_no_ssh(run, monkeypatch, cache):
    monkeypatch.setenv("PATH", "/nowhere")
    code, _, err = run("deploy", GOLDEN, "ssh://pi")
    assert (code, err) == (1, "edgevit: there is no `ssh` on this machine: install OpenSSH's client\n")


@pytest.mark.parametrize(
    "name",
    [
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://a:b@c",
        "ssh://-l@c",
        "ssh://c:x",
        "ssh://c/d",
        "ssh://a b",
        "ssh://a;b",
    ],
)
def test_no_address(run, name):
    code, _, err = run("deploy", GOLDEN, name)
    assert code == 1
    assert "write ssh://[USER@]HOST[:PORT]" in err


def test_addresses():
    assert ssh_device("pi") == SshDevice("pi")
    assert ssh_device("me@pi.local:2222") == SshDevice("pi.local", "me", 2222)
    assert ssh_device("[fe80::1]:22").name == "ssh://[fe80::1]:22"
    assert ssh_device("me@pi:2222").by_hand == "ssh -p 2222 me@pi"
    with pytest.raises(ConfigError, match="a port is a number from 1 to 65535, not 70000"):
        ssh_device("pi:70000")


def test_wrong_words(run):
    assert "deploy takes an artefact and a device" in run("deploy", GOLDEN)[2]
    assert "unknown device 'shh://pi'" in run("deploy", GOLDEN, "shh://pi")[2]
    assert "local is this machine" in run("deploy", GOLDEN, "local")[2]
    assert "--online is for ssh://" in run("deploy", GOLDEN, "adb://x", "--online")[2]


def test_no_artefact(run, pi, tmp_path):
    (tmp_path / "a.tflite").write_bytes(b"x" * 100)
    code, _, err = run("deploy", tmp_path / "a.tflite", pi.name)
    assert code == 1
    assert "a.tflite" in err
    assert not pi.top.exists()


@pytest.mark.slow
def test_deploy_profile_uninstall(make_server, run, tiny_tflite):
    pi = make_server()
    code, out, err = run("deploy", tiny_tflite, pi.name, "--json")
    assert code == 0, err
    deployment = json.loads(out)
    assert deployment["schema"] == "edgevit.deployment/1"
    assert deployment["self_test"]["passed"]
    assert deployment["first"]["top"]
    assert deployment["device"]["name"] == "ssh://pi"
    assert deployment["device"]["python"] == "3.11"
    assert deployment["sent_bytes"] > 20e6
    assert names(pi.home) == [".local"]
    info = deployment["command"].replace("classify", "info").replace(f"{pi.home}/PICTURE.jpg", "--json").split()
    printed = subprocess.run(info, capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    assert json.loads(printed.stdout)["recipe"] == "int8"

    sent = len(pi.commands)
    code, out, err = run("deploy", tiny_tflite, pi.name)
    assert code == 0, err
    assert "nothing had to be sent" in out
    model, system, machine = (deployment["device"][key] for key in ("model", "system", "machine"))
    assert model == machine  # of a PC, that has no board's name
    assert out.startswith(f"{machine}, {system}: nothing")
    assert deployment["command"] in out
    assert not any(" put " in each for each in pi.commands[sent:])

    sent = len(pi.commands)
    code, out, err = run("profile", tiny_tflite, "--device", pi.name, "--seconds", "0.3", "--ops", "--json")
    assert code == 0, err
    profile = json.loads(out)
    resolutions = [int(each["name"].rpartition("_")[2]) for each in deployment["self_test"]["signatures"]]
    assert [point["resolution"] for point in profile["points"]] == resolutions
    assert len(profile["curve"]["points"]) == len(profile["points"])
    assert profile["device"]["name"] == "ssh://pi"
    assert profile["device"]["python"].startswith("3.11.")
    assert profile["model"] == str(tiny_tflite)
    local = json.loads(run("profile", tiny_tflite, "--seconds", "0.3", "--ops", "--json")[1])
    for key in ("schema", "edgevit", "variant", "patch", "recipe", "threads"):
        assert profile[key] == local[key]
    for there, here in zip(profile["points"], local["points"], strict=True):
        assert (there["resolution"], there["tokens"]) == (here["resolution"], here["tokens"])
        assert there["latency_ms"].keys() == here["latency_ms"].keys()
    assert len(pi.commands[sent:]) == 3  # what it is, whether all is there, the measurement

    code, out, err = run("deploy", "--uninstall", "--yes", pi.name)
    assert (code, out) == (0, "ssh://pi: edgevit is removed\n"), err
    assert names(pi.home) == []
    assert "there was no edgevit" in run("deploy", "--uninstall", "--yes", pi.name)[1]


def test_printed_commands_are_for_two_shells():
    account = LinuxInstallation(SshDevice("pi", "anna"))
    account.__dict__["machine"] = Machine("Linux", "6.1", "aarch64", 64, "/home/an na", "glibc", (2, 36), ())
    top = "/home/an na/.local/share/edgevit"
    pictures = ("-", "/home/an na/PICTURE.jpg")
    for task, behind in (("classify", []), ("features", ["-o", "/home/an na/features.npz"])):
        printed = account.commands(f"{top}/models/x.tflite", try_out_of(task))
        for command, picture in zip(printed, pictures, strict=True):
            first, where, *sent = shlex.split(command.removesuffix(" < picture.jpg"))
            assert (first, where) == ("ssh", "anna@pi")
            words = [f"{top}/edgevit-run", task, f"{top}/models/x.tflite", picture, *behind]
            assert shlex.split(" ".join(sent)) == words


@pytest.mark.slow
def test_deploy_of_features(pi, run, backbone_tflite, tmp_path):
    code, out, err = run("deploy", backbone_tflite, pi.name, "--json")
    assert code == 0, err
    deployment = json.loads(out)
    assert deployment["first"]["shapes"]["patch_tokens"] == [4, 4, 32]
    random_picture(1).save(tmp_path / "picture.jpg")
    words = {"shell": True, "cwd": tmp_path, "capture_output": True, "text": True}
    printed = subprocess.run(deployment["command_stdin"], **words)
    assert printed.stdout.startswith(f"{pi.home}/features.npz: 1 picture at 64 px: "), printed.stderr
    (pi.home / "features.npz").unlink()
    assert "gives 4 x 4 patch tokens of 32 numbers" in run("deploy", backbone_tflite, pi.name)[1]
    assert run("deploy", backbone_tflite, "--uninstall", "--yes", pi.name)[0] == 0


@pytest.mark.slow
def test_names_that_stay(make_server, run, tiny_tflite, tmp_path):
    """A name leads to what was deployed last under it; what is there is listed, and goes one by one."""
    pi = make_server()
    (tmp_path / "new").mkdir()
    old, new = shutil.copy(GOLDEN, tmp_path / "plants.tflite"), shutil.copy(tiny_tflite, tmp_path / "new/plants.tflite")
    assert run("deploy", "--list", pi.name)[1] == "ssh://pi: no edgevit-run, no artefacts\n"
    deployment = json.loads(run("deploy", old, pi.name, "--json")[1])
    link = pi.top / "models" / "plants.tflite"
    assert deployment["model"] == str(link)
    assert str(link.resolve()) == deployment["place"]

    random_picture(1).save(tmp_path / "picture.jpg")
    shutil.copy(tmp_path / "picture.jpg", pi.home / "PICTURE.jpg")
    answers = [
        subprocess.run(deployment[key], shell=True, cwd=tmp_path, capture_output=True, text=True).stdout
        for key in ("command", "command_stdin")
    ]
    assert answers[0].splitlines()[1:] == answers[1].splitlines()[1:] != []
    pi.limit("cd() { command cd /; }")  # sessions begin elsewhere than in $HOME, as where a server sets that
    for key, there in (("command", str(pi.home / "PICTURE.jpg")), ("command_stdin", "-")):
        done = subprocess.run(deployment[key], shell=True, cwd=tmp_path, capture_output=True, text=True)
        assert done.stdout.splitlines()[1:] == answers[0].splitlines()[1:], done.stderr
        assert f" {there}" in deployment[key]
    pi.limit("")

    # What is only measured does not take the name.
    assert run("profile", new, "--device", pi.name, "--seconds", "0.2", "--json")[0] == 0
    assert str(link.resolve()) == deployment["place"]
    run("deploy", new, pi.name)
    assert link.read_bytes() == new.read_bytes()
    there = json.loads(run("deploy", "--list", pi.name, "--json")[1])
    assert there["schema"] == "edgevit.deployed/1"
    assert there["runtime"].startswith("edgevit-run ")
    stored = [(each["name"], each["size_bytes"], each["deployed"]) for each in there["artefacts"]]
    assert stored == [("plants.tflite", each.stat().st_size, each == new) for each in (new, old)]
    text = run("deploy", "--list", pi.name)[1].splitlines()
    assert [line.split()[0] for line in text] == ["ssh://pi:", "plants.tflite", "plants.tflite"]
    assert text[1].endswith(" MB  models/plants.tflite")

    digest = there["artefacts"][1]["digest"]
    assert (
        run("deploy", digest, "--uninstall", "--yes", pi.name)[1] == f"ssh://pi: plants.tflite ({digest}) is removed\n"
    )
    assert link.read_bytes() == new.read_bytes()
    code, _, err = run("deploy", "roses.tflite", "--uninstall", "--yes", pi.name)
    assert (code, "ssh://pi has no artefact roses.tflite: it has plants.tflite (`edgevit deploy --list" in err) == (
        1,
        True,
    )
    assert (
        json.loads(run("deploy", new, "--uninstall", "--yes", pi.name, "--json")[1])["artefacts"][0]["name"]
        == "plants.tflite"
    )
    assert (names(pi.top / "artefacts"), names(pi.top / "models")) == ([], [])
    assert "edgevit-run 0." in run("deploy", "--list", pi.name)[1]
    run("deploy", "--uninstall", "--yes", pi.name)
    assert names(pi.home) == ["PICTURE.jpg"]


def test_service_of_the_docs(deployed):
    """The unit of docs/devices.md serves what `deploy` put there."""
    pi = deployed
    ArtefactStore(SshDevice("pi"), str(pi.top)).publish(str(next((pi.top / "artefacts").glob("*/*.tflite"))))
    text = (ROOT / "docs" / "devices.md").read_text()
    start = re.search(r"^ +ExecStart=(.+)$", text, re.MULTILINE)[1]
    port = str(free_port())
    words = start.replace("%h", str(pi.home)).replace("plants.tflite", GOLDEN.name).replace("8400", port).split()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as service:

        def answers():
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
                return answer.status == 200

        try:
            until(answers, alive=lambda: service.poll() is None)
        finally:
            service.terminate()


def test_what_is_removed_is_asked_for(make_server, run):
    """On a terminal; where there is none nobody can say yes, and all stays."""
    pi = make_server()
    LinuxInstallation(SshDevice("pi")).install(GOLDEN)
    ArtefactStore(SshDevice("pi"), str(pi.top)).publish(str(next((pi.top / "artefacts").glob("*/*.tflite"))))
    before = sorted(pi.top.rglob("*"))
    for words, what in (((), "edgevit and 1 artefact"), ((GOLDEN,), rf"{GOLDEN.name} \([0-9a-f]{{12}}\)")):
        code, out, err = run("deploy", *words, "--uninstall", pi.name)
        assert (code, out) == (1, "")
        assert re.fullmatch(f"edgevit: remove {what} from ssh://pi\\? Nobody is there to be asked: say --yes\n", err)
    code, said = on_a_terminal("n\n", "deploy", GOLDEN, "--uninstall", pi.name)
    assert (code, "remove " in said, "nothing was removed" in said) == (1, True, True)
    assert sorted(pi.top.rglob("*")) == before
    code, said = on_a_terminal("y\n", "deploy", GOLDEN, "--uninstall", pi.name)
    assert (code, "is removed" in said) == (0, True), said
    assert list((pi.top / "models").iterdir()) == []


def on_a_terminal(typed, *words):
    """(exit code, all that was shown) of `edgevit`, with a terminal as its standard input and output."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-P", "-c", "from edgevit.cli import main; main()", *map(str, words)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        os.write(ours, typed.encode())
        shown = b""
        with suppress(OSError):  # EIO: nobody has the other end any more
            while block := os.read(ours, 4096):
                shown += block
    os.close(ours)
    return process.returncode, shown.decode()


# What stands in for systemd's `systemctl`, which needs a system that systemd has started: it notes what it is asked,
# and `restart` starts the command of the unit.
SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> {folder}/asked
unit=$HOME/.config/systemd/user/edgevit.service
case "$*" in
*restart*)
	start=$(sed -n 's/^ExecStart=//p' "$unit" | tr -d '"')
	$start > {folder}/served 2>&1 &
	echo $! > {folder}/process ;;
*disable*) kill "$(cat {folder}/process)" ;;
esac
"""


@pytest.fixture
def served(make_server, tmp_path):
    """A machine of its own, and the folder of what stands in for `systemctl` there."""
    pi, folder = make_server(), tmp_path / "bin"
    folder.mkdir()
    (folder / "systemctl").write_text(SYSTEMCTL.format(folder=tmp_path))
    (folder / "systemctl").chmod(0o755)
    pi.limit(f"path={folder}:$path")
    yield pi, tmp_path
    with suppress(OSError, ValueError):
        os.kill(int((tmp_path / "process").read_text()), signal.SIGTERM)


@pytest.fixture
def detector(tmp_path):
    """An artefact that does not classify."""
    write_painted(tmp_path / "detector.tflite", ["detect"], [64])
    return tmp_path / "detector.tflite"


@pytest.mark.slow
@pytest.mark.parametrize("task", ["classify", "detect"])
def test_service(served, run, request, task):
    """Over the real ssh, with the real server behind it. Not seen here: systemd itself."""
    (pi, systemctl), port = served, free_port()
    artefact = GOLDEN if task == "classify" else request.getfixturevalue("detector")
    unit = pi.home / ".config" / "systemd" / "user" / "edgevit.service"
    words = ("deploy", artefact, pi.name, "--service", "--port", port)
    code, out, err = run(*words, "--json")
    assert code == 0, err
    service = json.loads(out)["service"]
    assert (service["unit"], service["url"]) == (str(unit), f"http://127.0.0.1:{port}/{task}")
    assert service["hint"].startswith("sudo loginctl enable-linger ")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
        assert answer.status == 200
    asked = (systemctl / "asked").read_text().splitlines()
    steps = [words.replace("--user ", "").replace("--quiet ", "") for words in asked]
    assert steps == ["show-environment", "daemon-reload", "enable edgevit.service", "restart edgevit.service"]
    if shutil.which("systemd-analyze"):
        checked = subprocess.run(["systemd-analyze", "--user", "verify", unit], capture_output=True, text=True)
        assert "edgevit.service" not in checked.stderr, checked.stderr

    text = unit.read_text()
    unit.write_text(text.replace("on-failure", "always"))
    code, out, err = run(*words)
    assert (code, out) == (1, "")
    assert f"{unit} exists there, with other words: replace it with --overwrite" in err
    code, _, err = run("deploy", "--uninstall", "--yes", pi.name)
    assert code == 0, err
    assert not unit.exists()
    assert "disable" in (systemctl / "asked").read_text()


def test_no_service(deployed, run, backbone_tflite, tmp_path):
    """A machine without systemd: nothing is sent for it, and nothing is left."""
    pi = deployed
    before = sorted(pi.home.rglob("*"))
    pi.limit(f"path={tmp_path}:$path")
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho 'Failed to connect to bus: No medium found' >&2\nexit 1\n")
    (tmp_path / "systemctl").chmod(0o755)
    code, out, err = run("deploy", GOLDEN, pi.name, "--service")
    assert (code, out) == (1, "")
    assert "--service needs systemd's user manager, and has none there: Failed to connect to bus" in err
    assert "has no task classify or embed or segment or" in run("deploy", backbone_tflite, pi.name, "--service")[2]
    assert "--port is that of --service" in run("deploy", GOLDEN, pi.name, "--port", 80)[2]
    assert sorted(pi.home.rglob("*")) == before


def test_folders_that_were_there_stay(make_server, run):
    """`--uninstall` takes what `deploy` made, and no folder that somebody else made or uses."""
    pi = make_server()
    (pi.home / ".local").mkdir()
    with locked(device_named(pi.name), str(pi.top), 60):
        pass
    assert (pi.top / ".made").read_text() == f"{pi.home}/.local/share\n"
    run("deploy", "--uninstall", "--yes", pi.name)
    assert names(pi.home / ".local") == []
    with locked(device_named(pi.name), str(pi.top), 60):
        (pi.home / ".local" / "share" / "another").touch()
    run("deploy", "--uninstall", "--yes", pi.name)
    assert names(pi.home / ".local" / "share") == ["another"]


def names(folder):
    return sorted(each.name for each in folder.iterdir())


@pytest.fixture(scope="module")
def deployed(pi):
    """The machine with a version in use."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(pi.bin), prepend=":")
        LinuxInstallation(SshDevice("pi")).install(GOLDEN)
    return pi


@pytest.fixture
def newer(monkeypatch, request):
    """From now on this machine has another edgevit-runtime than before."""
    real = linux_installation.runtime_files
    name = f"edgevit_runtime/of_{abs(hash(request.node.name))}.py"
    monkeypatch.setattr(linux_installation, "runtime_files", lambda: [*real(), (name, b"")])


# A step of a deployment, and words of the command that it is there.
STEPS = {
    "describe": "uname -s",
    "lock": 'ln -s "$2" "$1"',
    "look": "mkdir -p incoming",
    "send": "/incoming/runtime-",
    "unpack": "tar -xzf",
    "artefact": "echo there",
    "version": "/incoming/venv-",
    "self-test": " self-test ",
    "switch": "ln -sf",
    "remove": "case $kept",
    "name": "models",
    "classify": " classify ",
}


@pytest.mark.slow
@pytest.mark.parametrize("step", STEPS)
def test_interrupted_deployment(deployed, newer, run, step):
    """The connection is killed at each step, and again when it is tried once more: the version in use stays whole."""
    pi = deployed
    in_use = os.readlink(pi.top / "edgevit-run")
    pi.kill(STEPS[step])
    code, out, err = run("deploy", GOLDEN, pi.name)
    assert (code, out) == (1, "")
    assert err.startswith("edgevit: ssh://pi: ")
    assert "the connection dropped, twice" in err
    after = os.readlink(pi.top / "edgevit-run")
    if step not in ("switch", "remove", "classify", "name"):  # the switch may be made when its answer gets lost
        assert after == in_use
    assert works(pi)

    pi.spare()
    code, out, err = run("deploy", GOLDEN, pi.name)
    assert code == 0, err
    assert "self-test passed" in out
    assert works(pi)
    assert os.readlink(pi.top / "edgevit-run") != in_use
    assert names(pi.top) == [".made", "archives", "artefacts", "cache", "edgevit-run", "models", "versions"]
    assert len(names(pi.top / "versions")) == 1
    assert len(names(pi.top / "archives")) == 2


def works(pi):
    """Whether the version in use runs, asked on the machine itself."""
    artefact = next((pi.top / "artefacts").glob("*/*.tflite"))
    done = subprocess.run([pi.top / "edgevit-run", "info", artefact], capture_output=True, text=True)
    return done.returncode == 0


@pytest.mark.slow
def test_terminated_deployment(make_server):
    """SIGTERM here: what it was at goes there, the lock and the connection too."""
    pi = make_server()
    command = [sys.executable, "-P", "-c", "from edgevit.cli import main; main()", "deploy", str(GOLDEN), pi.name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as deploying:
        until((pi.top / "incoming").exists, alive=lambda: deploying.poll() is None)
        deploying.terminate()
        out, err = deploying.communicate(timeout=LIMIT_S)
    assert (deploying.returncode, out, err) == (143, "", "edgevit: terminated\n")
    assert not (pi.top / ".lock").is_symlink()
    assert not (pi.top / "incoming").exists()
    assert list(Path("/tmp").glob(f"edgevit-ssh-{deploying.pid}-*")) == []


@pytest.mark.slow
def test_dropped_once_in_each_step(deployed, newer, run):
    """One drop in each is no failure."""
    for pattern in STEPS.values():
        deployed.kill(pattern, times=1)
    code, _, err = run("deploy", GOLDEN, deployed.name)
    assert code == 0, err
    assert list((deployed.folder / "kills").iterdir()) == []  # each has happened
    assert works(deployed)


def test_two_at_once(deployed):
    """The second says so; a lock whose process is dead counts for nothing."""
    pi, there = deployed, LinuxInstallation(SshDevice("pi"))
    with subprocess.Popen(["sleep", LONG]) as other:
        (pi.top / ".lock").symlink_to(f"{os.uname().nodename} {other.pid}")
        with pytest.raises(DeviceError, match=f"another deployment is at work there \\(process {other.pid} on "):
            there.install(GOLDEN)
        assert (pi.top / ".lock").is_symlink()
        other.kill()
        other.wait()
    assert there.install(GOLDEN).self_test["passed"]
    assert not (pi.top / ".lock").is_symlink()


@pytest.mark.slow
def test_two_at_once_for_real(deployed, newer, pi):
    """Two processes deploy at the same moment: one does, or both one after the other; what is there is whole."""
    command = [sys.executable, "-P", "-c", "from edgevit.cli import main; main()", "deploy", str(GOLDEN), pi.name]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ends = [(each.communicate()[1], each.returncode) for each in both]
    assert 0 in [code for _, code in ends], ends
    for err, code in ends:
        assert code == 0 or "another deployment is at work there" in err
    assert works(pi)


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("size=20m", "MB free under"),  # it sees that beforehand
        # The disk looks large enough.
        ("size=1g,nr_inodes=300", "No space left on device; make room on the device, or `edgevit deploy --uninst"),
    ],
)
def test_full_disk(make_server, run, size, message):
    pi = make_server()
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", pi.home], check=True)
    try:
        code, _, err = run("deploy", GOLDEN, pi.name)
        assert code == 1
        assert message in err
        assert "sh -c" not in err
        assert not (pi.top / "edgevit-run").exists()
        assert not (pi.top / "incoming").exists()
        assert [each.name for folder in ("archives", "versions") for each in (pi.top / folder).iterdir()] == []
        if "inodes" in size:
            subprocess.run(["mount", "-o", "remount,size=1g,nr_inodes=0", pi.home], check=True)
            assert run("deploy", GOLDEN, pi.name)[0] == 0
            assert works(pi)
    finally:
        subprocess.run(["umount", "-l", pi.home], check=True)


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_leftovers_are_no_reason_to_refuse(make_server, run):
    """Room for one deployment is room for one after an interrupted one: what that left goes before it is counted."""
    pi = make_server()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=180m", "none", pi.home], check=True)
    try:
        for left in ("edgevit/incoming", "edgevit.removed-1", "edgevit/artefacts/0123456789ab"):
            (pi.top.parent / left).mkdir(parents=True)
            (pi.top.parent / left / "a.partial").write_bytes(bytes(25_000_000))
        code, _, err = run("deploy", GOLDEN, pi.name)
        assert code == 0, err
        assert names(pi.top.parent) == ["edgevit"]
        assert list(pi.top.rglob("*.partial")) == []
    finally:
        subprocess.run(["umount", "-l", pi.home], check=True)


def test_no_writing_there(make_server, run):
    """A home folder that cannot be written: what is wrong, in words, and no line of shell."""
    pi = make_server()
    (pi.home / ".local").write_text("a file where a folder has to be")
    code, _, err = run("deploy", GOLDEN, pi.name)
    assert code == 1
    assert err.startswith(f"edgevit: ssh://pi: cannot write in {pi.top}: mkdir: cannot create directory ")
    assert "sh -c" not in err
    (pi.home / ".local").unlink()
    if os.getuid() == 0:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", pi.home], check=True)
    else:
        pi.home.chmod(0o555)
    try:
        code, _, err = run("deploy", GOLDEN, pi.name)
        assert code == 1
        assert f"cannot write in {pi.top}: mkdir: cannot create directory " in err
        told = "mounted for reading only" if os.getuid() == 0 else "`ls -ld` shows whose it is"
        assert told in err
        assert err.count("\n") == 1
    finally:
        if os.getuid() == 0:
            subprocess.run(["umount", "-l", pi.home], check=True)
        else:
            pi.home.chmod(0o755)


def test_full_disk_keeps_the_old(deployed, newer, run):
    """No room for a new version: the old one stays in use."""
    in_use = os.readlink(deployed.top / "edgevit-run")
    deployed.limit("ulimit -f 8")  # 4 KB
    code, _, err = run("deploy", GOLDEN, deployed.name)
    assert code == 1
    assert "File size limit exceeded" in err or "File too large" in err
    assert os.readlink(deployed.top / "edgevit-run") == in_use
    assert works(deployed)
    assert names(deployed.top / "versions") == [in_use.split("/")[1]]
    deployed.limit("")
    assert run("deploy", GOLDEN, deployed.name)[0] == 0
    assert os.readlink(deployed.top / "edgevit-run") != in_use


def test_no_python(make_server, run):
    pi = make_server()
    (pi.folder / "few").mkdir()
    for tool in ("sh", "env", "uname", "getconf", "tail", "cat", "tr"):
        (pi.folder / "few" / tool).symlink_to(shutil.which(tool))
    pi.limit(f"path={pi.folder / 'few'}")
    code, _, err = run("deploy", GOLDEN, pi.name)
    assert code == 1
    assert "ssh://pi has no Python that edgevit can use" in err
    assert "`sudo apt install python3` there" in err


def test_python_that_does_not_run(make_server, run):
    """That is another thing than none."""
    pi = make_server()
    (pi.folder / "few").mkdir()
    for tool in ("sh", "env", "uname", "getconf", "tail", "cat", "tr"):
        (pi.folder / "few" / tool).symlink_to(shutil.which(tool))
    broken = pi.folder / "few" / "python3"
    broken.write_text("#!/bin/sh\necho 'python3: error while loading shared libraries: libz.so.1' >&2\nexit 127\n")
    broken.chmod(0o755)
    pi.limit(f"path={pi.folder / 'few'}")
    code, _, err = run("deploy", GOLDEN, pi.name)
    assert code == 1
    told = "(python3: error while loading shared libraries: libz.so.1, exit code 127) does not run: mend that there"
    assert f"ssh://pi has no Python that edgevit can use: {broken} {told}" in err


@pytest.mark.slow
def test_online(make_server, run):
    """The machine's own pip fetches the wheels; this machine sends the runtime and the artefact only."""
    pi = make_server()
    if device_named(pi.name).run(["python3", "-m", "pip", "--version"], timeout_s=LIMIT_S, check=False).code:
        pytest.skip("this machine's python3 has no pip (apt install python3-pip)")
    code, out, err = run("deploy", GOLDEN, pi.name, "--online", "--json")
    if code and "it reaches no package index that has them" in err:
        pytest.skip(f"the system's pip has no package index here: {err}")
    assert code == 0, err
    deployment = json.loads(out)
    assert deployment["self_test"]["passed"]
    assert deployment["sent_bytes"] < 5e6
    assert [each for each in names(pi.top / "archives") if each.startswith("wheels")] == []
    # A profile takes what is there.
    code, out, err = run("profile", GOLDEN, "--device", pi.name, "--seconds", "0.2")
    assert "curve needs" in out, err
    assert [each for each in names(pi.top / "archives") if each.startswith("wheels")] == []


def test_online_whose_answer_is_lost(make_server, monkeypatch, tmp_path):
    """The connection drops when what pip fetched has its name: that is no failure. What it left before that goes."""
    pi = make_server()
    wheel = write_wheel(tmp_path / "ours", "")
    monkeypatch.setattr(linux_installation, "pins", lambda: [str(wheel)])
    archive = pi.top / "archives" / "online-0123"
    archive.parent.mkdir(parents=True)
    left = pi.top / "incoming" / archive.name
    left.mkdir(parents=True)
    (left / "tiny.py").write_text("only in p")  # of a pip whose connection dropped
    pi.kill('mv "$1" "$2"', times=1, place=archive)
    python = Python(sys.version_info[:3], "cpython", 64, sys.executable, True)
    target = Target(python.minor, platform.machine(), 36)
    LinuxInstallation(SshDevice("pi"), online=True)._fetch(python, target, archive.name)
    assert list((pi.folder / "kills").iterdir()) == []  # it has happened
    assert (archive / "tiny.py").read_text() == ""


def test_online_takes_no_other_bytes(make_server, monkeypatch, tmp_path):
    """The index that the device asks has another wheel under that name and version: nothing of it stays there."""
    python = Python(sys.version_info[:3], "cpython", 64, sys.executable, True)
    pi = make_server()
    ours, theirs = (write_wheel(tmp_path / whose, f"whose = {whose!r}") for whose in ("ours", "theirs"))
    (pi.home / ".config" / "pip").mkdir(parents=True)
    (pi.home / ".config" / "pip" / "pip.conf").write_text(f"[global]\nno-index = true\nfind-links = {theirs.parent}\n")
    for name, value in (("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", str(ours.parent)), ("PIP_CONFIG_FILE", os.devnull)):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(linux_installation, "pins", lambda: ["tiny==1.0"])
    (pi.top / "incoming").mkdir(parents=True)
    installation = LinuxInstallation(SshDevice("pi"), online=True)
    with pytest.raises(DeviceError, match=r"cannot fetch tiny==1\.0: what its index has under that name are not"):
        installation._fetch(python, Target(python.minor, platform.machine(), 36), "online-0123")
    assert not (pi.top / "archives").exists()
    shutil.copy(ours, theirs)
    (pi.top / "archives").mkdir()
    installation._fetch(python, Target(python.minor, platform.machine(), 36), "online-0123")
    assert "ours" in (pi.top / "archives" / "online-0123" / "tiny.py").read_text()


def write_wheel(folder, code):
    folder.mkdir()
    wheel = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("tiny.py", code)
        file.writestr("tiny-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        file.writestr("tiny-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("tiny-1.0.dist-info/RECORD", "")
    return wheel


def test_moved_home(deployed):
    """edgevit-run finds its version wherever its folder is, and whatever lies where it is called."""
    pi = deployed
    moved = pi.folder / "moved"
    pi.top.rename(moved)
    try:
        (pi.home / "json.py").write_text("raise SystemExit('taken for json')")
        done = subprocess.run([moved / "edgevit-run", "--version"], capture_output=True, text=True, cwd=pi.home)
        assert done.stdout.startswith("edgevit-run "), done.stderr
    finally:
        moved.rename(pi.top)
        (pi.home / "json.py").unlink()


def test_many_calls_one_connection(device, pi):
    """All calls of a process share one; a connection that was lost between two calls is made anew."""
    log = pi.folder / "server.log"
    device.run(["true"], timeout_s=LIMIT_S)
    before = log.read_text().count("Accepted publickey")
    for _ in range(3):
        device.run(["true"], timeout_s=LIMIT_S)
    assert log.read_text().count("Accepted publickey") == before
    pi.stop()
    pi.start()
    device.run(["true"], timeout_s=LIMIT_S)
    assert log.read_text().count("Accepted publickey") == before + 1


def test_server_gone(make_server):
    """The whole machine goes away while a command runs there."""
    pi = make_server()
    device = device_named(pi.name)
    device.run(["true"], timeout_s=LIMIT_S)

    def stop():
        until(lambda: f"sleep {LONG}" in processes())
        pi.stop()

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(DeviceError, match="nothing listens there"):
        device.run(["sleep", LONG], timeout_s=LIMIT_S)


def test_folders_of_killed_processes_go(tmp_path, monkeypatch):
    """The connection of a process that was killed ends when the next one starts, and its folder goes."""
    made = [Path(tempfile.mkdtemp(prefix=f"edgevit-ssh-{number}-", dir="/tmp")) for number in (ended(), os.getppid())]
    (made[0] / "socket").touch()
    assert Path(ssh_module._control_folder.__wrapped__()).is_dir()
    assert [each.exists() for each in made] == [False, True]
    made[1].rmdir()


def ended():
    """The number of a process that is no more."""
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


def test_control_folder_is_private():
    folder = Path(ssh_module._control_folder())
    assert folder.stat().st_mode & 0o777 == 0o700
