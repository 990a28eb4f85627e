"""Android phones over the real adb: real adbds of Debian, with mksh and toybox as Android has them."""

import json
import os
import platform
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgevit.devices.adb import adb_device as adb_module
from edgevit.devices.adb import benchmark_model, bundle
from edgevit.devices.adb.adb_device import AdbDevice, adb_device
from edgevit.devices.adb.phone_installation import TOP, PhoneInstallation
from edgevit.errors import DeviceError, ProfileError
from edgevit_runtime.tasks import try_out_of
from edgevit_runtime.verify.integrity import file_sha256
from support.sample_pictures import random_picture
from support.waiting import LIMIT_S, until

GOLDEN = Path(__file__).resolve().parents[3] / "runtimes" / "contract" / "golden" / "dials-int8.tflite"
pytestmark = pytest.mark.adb


@pytest.fixture(scope="module")
def root(network, phone_root):
    return phone_root("x86_64")


@pytest.fixture(scope="module")
def plugged(network, root):
    """A phone that is there throughout."""
    return network.phone(root, 7001)


@pytest.fixture
def device(plugged):
    return AdbDevice(plugged.serial)


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A phone that comes back has all the time that it needs for that."""
    monkeypatch.setattr(adb_module, "_BACK_S", LIMIT_S)


@pytest.fixture
def gone(monkeypatch):
    """No test waits ten seconds for a phone that does not come back."""
    monkeypatch.setattr(adb_module, "_BACK_S", 1.0)


@pytest.fixture
def guest(network, phone_root):
    """Plugs in phones of this test's own."""
    guests = []

    def plug(port, **options):
        root = options.pop("root", None) or phone_root("x86_64")
        guests.append(network.phone(root, port, **options))
        return guests[-1]

    yield plug
    for each in guests:
        each.unplug()
        network.adb("disconnect", each.serial)


def test_run(device):
    words = ["it's", 'a "b"', "$HOME", "*", "a\nb", "ä"]
    assert device.run(["printf", "%s|", *words], timeout_s=LIMIT_S).stdout == "".join(f"{word}|" for word in words)
    finished = device.run(["sh", "-c", "cat; echo why >&2; exit 7"], timeout_s=LIMIT_S, stdin=b"in\n", check=False)
    assert (finished.code, finished.stdout, finished.stderr) == (7, "in\n", "why\n")
    with pytest.raises(DeviceError, match=r"exit code 1 from: ls /nowhere: ls: /nowhere: No such file"):
        device.run(["ls", "/nowhere"], timeout_s=LIMIT_S)
    with pytest.raises(DeviceError, match=r"exit code 3 from: : a; exit 3: it said nothing$"):  # in one line
        device.shell(": a;\nexit 3", timeout_s=LIMIT_S)


def test_run_as_before_android_7(plugged):
    """Shell protocol v1, by the same adb and adbd: no exit codes, one stream, line ends of a terminal."""
    device = AdbDevice(plugged.serial)
    device.__dict__["_has_exit_codes"] = False
    finished = device.run(["sh", "-c", "echo a; echo b >&2; exit 3"], timeout_s=LIMIT_S, check=False)
    assert (finished.code, finished.stdout) == (3, "a\nb\n")
    with pytest.raises(DeviceError, match="Android before 7 gives a command no standard input"):
        device.run(["cat"], timeout_s=LIMIT_S, stdin=b"x")


def test_put_and_get(device, plugged, tmp_path):
    source, target = tmp_path / "it's a ü.bin", "/data/local/tmp/it's a ü.bin"
    source.write_bytes(os.urandom(3_000_001))
    device.put(source, target)
    device.get(target, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == source.read_bytes()
    (plugged.tmp / "it's a ü.bin").unlink()
    with pytest.raises(DeviceError, match=r"`adb pull .*: No such file or directory"):
        device.get(target, tmp_path / "none")
    with pytest.raises(DeviceError, match="remote couldn't create file"):
        device.put(source, "/proc/x")
    assert not list(plugged.tmp.glob("*.partial"))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["back", "it's a ü.bin"]


def test_what_takes_too_long_is_ended_on_the_phone(device):
    with pytest.raises(DeviceError, match="no end after 1 s: sleep 4321"):
        device.run(["sleep", "4321"], timeout_s=1)
    until(lambda: "4321" not in device.run(["ps", "-ef"], timeout_s=LIMIT_S).stdout)


def test_no_phone_named(network, device, guest):
    assert adb_device("").name == device.name
    second = guest(7002)
    with pytest.raises(DeviceError, match=rf"there are several: take one of {device.name} \(device\), {second.name}"):
        adb_device("")
    with pytest.raises(DeviceError, match=r"adb sees no phone 'R58M'; it sees adb://127"):
        adb_device("R58M")


@pytest.mark.parametrize(
    ("port", "state", "told"),
    [
        (7003, "unauthorized", "it does not trust this machine yet: unlock it and allow USB debugging"),
        (7004, "recovery", "it is in its recovery system: `adb reboot`"),
        (7005, "sideload", "it waits for an update"),
    ],
)
def test_states(guest, gone, root, run, port, state, told):
    there = guest(port, root=root, state=state)
    code, out, err = run("profile", GOLDEN, "--device", there.name)
    assert (code, out) == (1, "")
    assert err.startswith(f"edgevit: {there.name} is {state}: {told}")
    with pytest.raises(DeviceError, match=state if state == "unauthorized" else "the connection dropped"):
        AdbDevice(there.serial).run(["true"], timeout_s=LIMIT_S)  # a phone that was well when it was looked up


def test_states_of_usb(gone, monkeypatch):
    """What adb prints of phones on USB, which no test can plug in."""
    text = (
        "List of devices attached\n"
        "R58M30XYZ\tno permissions (user in plugdev group; are your udev rules wrong?); see [http://x]\n"
        "????????????\tno permissions\nemulator-5554\toffline\n\n"
    )
    monkeypatch.setattr(adb_module, "_adb", lambda *_, **__: subprocess.CompletedProcess([], 0, text, ""))
    with pytest.raises(DeviceError, match="adb://R58M30XYZ is no permissions: this user may not open its USB port"):
        adb_device("R58M30XYZ")
    with pytest.raises(DeviceError, match="adb://emulator-5554 is offline: an emulator that has ended, or"):
        adb_device("emulator-5554")
    told = r"the connection dropped, twice, .*; adb calls it offline: an emulator that has ended.*`adb kill-server`"
    with pytest.raises(DeviceError, match=told):
        AdbDevice("emulator-5554").run(["true"], timeout_s=LIMIT_S)


def test_no_adb(run, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    code, _, err = run("profile", GOLDEN, "--device", "adb://x")
    assert code == 1
    assert err.startswith("edgevit: there is no `adb` on this machine: install Android's platform-tools")


# Counts its starts, says how many of it run already, and stays until it is let go.
STAY = "cd /data/local/tmp; echo >> starts; pgrep -c -x -f 'sleep 32500'; [ -e let-go ] || sleep 32500; echo done"


def starts(phone):
    """How often the command was begun."""
    path = phone.tmp / "starts"
    return len(path.read_text()) if path.exists() else 0


def once_begun(phone, *events):
    """Each happens once the command was begun one more time than at the one before."""

    def wait():
        for count, event in enumerate(events, starts(phone) + 1):
            until(lambda count=count: starts(phone) >= count)
            event()

    threading.Thread(target=wait, daemon=True).start()


def test_dropped_while_a_command_runs(guest, gone):
    """adb itself ends with 0 then, and says nothing."""
    there = guest(7006)
    once_begun(there, there.unplug)
    with pytest.raises(DeviceError, match=f"{there.name}: the connection dropped, and it is not there any more"):
        AdbDevice(there.serial).run(["sh", "-c", STAY], timeout_s=LIMIT_S)


def test_dropped_and_there_again(guest):
    there = guest(7007)
    device = AdbDevice(there.serial)

    def again():
        there.unplug()
        (there.tmp / "let-go").touch()
        guest(7007, root=there.root)

    once_begun(there, again)
    assert device.run(["sh", "-c", STAY], timeout_s=LIMIT_S).stdout == "0\ndone\n"
    assert starts(there) == 2  # once in vain, then all of it


@pytest.fixture
def relayed(network, plugged):
    """The phone that is there throughout, by a network that can drop out."""
    there = network.relayed(plugged, 7026)
    yield there
    there.unplug()
    network.adb("disconnect", there.serial)
    for name in ("starts", "let-go"):
        (plugged.tmp / name).unlink(missing_ok=True)


def test_only_the_connection_dropped(relayed):
    """The phone lets the first one run: it is ended before the second one starts, or both would be slow."""

    def cut():
        (relayed.tmp / "let-go").touch()
        relayed.cut()

    once_begun(relayed, cut)
    assert AdbDevice(relayed.serial).run(["sh", "-c", STAY], timeout_s=LIMIT_S).stdout == "0\ndone\n"
    assert starts(relayed) == 2  # once in vain, then all of it


def test_only_the_connection_dropped_twice(relayed, device):
    once_begun(relayed, relayed.cut, relayed.cut)
    with pytest.raises(DeviceError, match=r"the connection dropped, twice, while the phone ran: sh -c"):
        AdbDevice(relayed.serial).run(["sh", "-c", STAY], timeout_s=LIMIT_S)
    assert device.run(["pgrep", "-x", "-f", "sleep 32500"], timeout_s=LIMIT_S, check=False).stdout == ""


@pytest.fixture
def lost(network, guest):
    """A phone whose connection drops once, between a rename and the answer that it is done."""
    there = guest(7027)
    moved, mv = there.tmp / "moved", there.root / "system" / "bin" / "mv"
    mv.unlink()
    mv.write_text(f'#!/system/bin/sh\ntoybox mv "$@" && touch /data/local/tmp/{moved.name} && sleep 1\n')
    mv.chmod(0o755)

    def drop():
        until(lambda: moved.exists() or there.process.poll() is not None)
        network.adb("disconnect", there.serial)

    threading.Thread(target=drop, daemon=True).start()
    return there


def test_put_whose_answer_is_lost(lost, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    target = lost.tmp / "target"
    target.write_bytes(b"old")
    device, there = AdbDevice(lost.serial), f"/data/local/tmp/{target.name}"
    device.put(new, there)
    assert target.read_bytes() == b"new"
    assert [each.name for each in lost.tmp.iterdir() if each.name not in ("moved", target.name)] == []
    # That some file is there is no sign that this one was put there.
    words = ["sh", "-c", adb_module._RENAME, "put", f"{there}.gone", there, file_sha256(old)]
    with pytest.raises(DeviceError, match=r"mv: bad '/data/local/tmp/target\.gone'"):
        device.run(words, timeout_s=LIMIT_S)


def test_uninstall_whose_answer_is_lost(lost):
    (lost.tmp / "edgevit" / "archives" / "wheels-x86_64-0123").mkdir(parents=True)
    assert PhoneInstallation(AdbDevice(lost.serial)).uninstall()
    assert [each.name for each in lost.tmp.iterdir()] == ["moved"]


def test_deploy_profile_uninstall(plugged, run, tmp_path, tiny_tflite):
    code, out, err = run("deploy", tiny_tflite, plugged.name, "--json")
    assert code == 0, err
    deployment = json.loads(out)
    assert deployment["schema"] == "edgevit.deployment/1"
    assert deployment["self_test"]["passed"]
    assert deployment["first"]["top"]
    assert deployment["device"]["machine"] == "x86_64"
    assert deployment["sent_bytes"] > 50e6
    script = deployment["command"].replace("classify", "info").replace(" /sdcard/PICTURE.jpg", "")
    assert f"{TOP}/models/{tiny_tflite.name}" in script
    random_picture(1).save(tmp_path / "picture.jpg")
    words = {"shell": True, "cwd": tmp_path, "capture_output": True, "text": True}
    assert " ms)\n" in subprocess.run(deployment["command_stdin"], **words).stdout
    printed = subprocess.run(script.split(), capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr

    code, out, err = run("deploy", tiny_tflite, plugged.name)
    assert code == 0, err
    assert "nothing had to be sent" in out
    assert deployment["command"] in out

    code, out, err = run("profile", tiny_tflite, "--device", plugged.name, "--seconds", "0.3", "--ops", "--json")
    assert code == 0, err
    profile = json.loads(out)
    assert [point["resolution"] for point in profile["points"]] == deployment_resolutions(deployment)
    assert len(profile["curve"]["points"]) == len(profile["points"])
    assert profile["device"]["name"] == plugged.name
    assert profile["device"]["model"] == "Debian adbd on x86_64"
    assert profile["device"]["system"].startswith("Android 14, Linux ")
    assert profile["model"] == str(tiny_tflite)

    listed = json.loads(run("deploy", "--list", plugged.name, "--json")[1])
    assert listed["runtime"].startswith("edgevit-run ")
    (stored,) = listed["artefacts"]
    assert (stored["name"], stored["size_bytes"]) == (tiny_tflite.name, tiny_tflite.stat().st_size)
    assert stored["deployed"]
    assert "is removed" in run("deploy", tiny_tflite, "--uninstall", "--yes", plugged.name)[1]
    assert run("deploy", "--list", plugged.name)[1].endswith(", no artefacts\n")
    assert list((plugged.tmp / "edgevit" / "models").iterdir()) == []

    code, out, err = run("deploy", "--uninstall", "--yes", plugged.name)
    assert (code, "edgevit is removed" in out) == (0, True), err
    assert list(plugged.tmp.iterdir()) == []
    assert "there was no edgevit" in run("deploy", "--uninstall", "--yes", plugged.name)[1]


def test_printed_commands():
    phone, place = PhoneInstallation(AdbDevice("R58M")), f"{TOP}/models/x.tflite"
    start = f"adb -s R58M shell {TOP}/edgevit-run"
    assert phone.commands(place, try_out_of("classify")) == (
        f"{start} classify {place} - < picture.jpg",
        f"{start} classify {place} /sdcard/PICTURE.jpg",
    )
    behind = "-o /data/local/tmp/features.npz"  # a phone's sessions begin in /, which nobody may write
    assert phone.commands(place, try_out_of("features")) == (
        f"{start} features {place} - {behind} < picture.jpg",
        f"{start} features {place} /sdcard/PICTURE.jpg {behind}",
    )


def deployment_resolutions(deployment):
    return [int(each["name"].rpartition("_")[2]) for each in deployment["self_test"]["signatures"]]


STEPS = ("_send_layer", "send", "_write_version", "_write_script", "_remove_others")


@pytest.fixture(scope="module")
def deployed(network, phone_root):
    """The folder of a phone that has a version in use."""
    there = network.phone(phone_root("x86_64"), 7010)
    PhoneInstallation(AdbDevice(there.serial)).install(GOLDEN)
    there.unplug()
    return there.root


@pytest.mark.parametrize("step", STEPS)
def test_interrupted_deployment(guest, deployed, monkeypatch, step):
    """Unplugged at each step of a new version's deployment: the old one stays in use, and the next one succeeds."""
    port = 7011 + STEPS.index(step)
    there = guest(port, root=deployed)
    in_use = (there.tmp / "edgevit/edgevit-run").read_text()
    left = there.tmp / "edgevit/artefacts/0123456789ab/left.tflite.01234567.partial"  # by a deployment that was killed
    left.parent.mkdir(exist_ok=True)
    left.touch()
    made = bundle.runtime_files
    monkeypatch.setattr(bundle, "runtime_files", lambda: [*made(), (f"edgevit_runtime/newer{step}.py", b"")])
    with monkeypatch.context() as patch:
        real = getattr(PhoneInstallation, step)

        def unplugged(self, *args):
            if step != "_write_script" or args[1] == f"{TOP}/edgevit-run":  # the switch itself
                there.unplug()
            return real(self, *args)

        patch.setattr(adb_module, "_BACK_S", 1.0)  # nobody plugs it in again meanwhile
        patch.setattr(PhoneInstallation, step, unplugged)
        with pytest.raises(DeviceError, match="the connection dropped"):
            PhoneInstallation(AdbDevice(there.serial)).install(GOLDEN)
    again = guest(port, root=deployed)
    switched = step == "_remove_others"
    assert ((there.tmp / "edgevit/edgevit-run").read_text() == in_use) != switched
    there_again = PhoneInstallation(AdbDevice(again.serial))
    assert there_again.run(["info", there_again.place(GOLDEN, "artefacts")], timeout_s=LIMIT_S).code == 0
    new = there_again.install(GOLDEN)
    assert new.version not in in_use
    assert [each.name for each in (there.tmp / "edgevit/versions").iterdir()] == [new.version]
    assert len(list((there.tmp / "edgevit/archives").iterdir())) == 3
    assert not (there.tmp / "edgevit/incoming").exists()
    assert not list((there.tmp / "edgevit").rglob("*.partial"))


def test_full(guest, tmp_path):
    there = guest(7008, size="40m")
    with pytest.raises(DeviceError, match=r"has \d\d MB free under .*, and edgevit needs \d\d\d MB: make room"):
        PhoneInstallation(AdbDevice(there.serial)).install(GOLDEN)
    (tmp_path / "large").write_bytes(bytes(60_000_000))
    device = AdbDevice(there.serial)
    with pytest.raises(DeviceError, match="No space left on device; make room"):
        device.put(tmp_path / "large", f"{TOP}/large")
    assert "partial" not in device.run(["ls", "-a", TOP], timeout_s=LIMIT_S).stdout


def test_full_while_it_unpacks(guest, monkeypatch):
    """A phone whose `df` is too hopeful."""
    there = guest(7009, size="60m")
    monkeypatch.setattr(PhoneInstallation, "_check_room", lambda *_: None)
    with pytest.raises(DeviceError, match="No space left on device"):
        PhoneInstallation(AdbDevice(there.serial)).install(GOLDEN)
    device = AdbDevice(there.serial)
    assert not PhoneInstallation(device).has(f"{TOP}/edgevit-run")
    assert PhoneInstallation(device).uninstall()


def test_another_artefact_is_sent(guest, deployed, run, tiny_tflite):
    """On a phone that has all the rest."""
    there = guest(7028, root=deployed)
    PhoneInstallation(AdbDevice(there.serial)).install(GOLDEN)
    code, out, err = run("deploy", tiny_tflite, there.name, "--json")
    assert code == 0, err
    assert json.loads(out)["sent_bytes"] == tiny_tflite.stat().st_size
    assert PhoneInstallation(AdbDevice(there.serial)).install(tiny_tflite).sent_bytes == 0


def test_two_at_once(guest, deployed):
    first, second = guest(7020), guest(7021, root=deployed)
    with ThreadPoolExecutor(2) as pool:
        places = list(pool.map(lambda each: PhoneInstallation(AdbDevice(each.serial)).install(GOLDEN), (first, second)))
        finished = list(
            pool.map(
                lambda each: PhoneInstallation(AdbDevice(each.serial)).profile(GOLDEN, ["--seconds", "0.2"], LIMIT_S),
                (first, second),
            )
        )
    assert places[0].place == places[1].place
    assert [each.record("device").text("name") for each in finished] == [first.name, second.name]
    assert PhoneInstallation(AdbDevice(first.serial)).uninstall()
    assert PhoneInstallation(AdbDevice(second.serial)).run(["info", places[1].place], timeout_s=LIMIT_S).code == 0


def test_another_deployment_at_work(guest, deployed):
    there = guest(7022, root=deployed)
    lock = there.tmp / "edgevit" / ".lock"
    lock.symlink_to("workstation 4711")
    with pytest.raises(
        DeviceError, match=r"another deployment is at work there \(process 4711 on workstation, for \d+ s\)"
    ):
        PhoneInstallation(AdbDevice(there.serial)).install(GOLDEN)
    done = subprocess.Popen(["true"])
    done.wait()
    lock.unlink()
    lock.symlink_to(f"{platform.node()} {done.pid}")  # of this machine, and gone
    PhoneInstallation(AdbDevice(there.serial)).install(GOLDEN)
    assert not lock.is_symlink()


def test_rseq_is_never_called(guest, deployed):
    """Under a filter as Android lays it on apps, of which `rseq` (glibc 2.35 and later, at each start) is one call."""
    there = guest(7024, root=deployed, filtered=True)
    device = AdbDevice(there.serial)
    assert (
        device.shell("unset GLIBC_TUNABLES; uname", timeout_s=LIMIT_S, check=False).code == 128 + 31
    )  # toybox, by glibc
    place = PhoneInstallation(device).place(GOLDEN, "artefacts")
    finished = device.shell(f"unset GLIBC_TUNABLES; {TOP}/edgevit-run self-test {place}", timeout_s=LIMIT_S)
    assert "self-test passed" in finished.stdout


def test_processor_without_litert(guest, run):
    there = guest(7023)
    (there.root / "system/props/ro.product.cpu.abi").write_text("armeabi-v7a\n")
    code, _, err = run("deploy", GOLDEN, there.name)
    assert code == 1
    assert "cannot run LiteRT: unknown ABI 'armeabi-v7a'; did you mean 'arm64-v8a'?" in err


# Speaks as TFLite's benchmark_model does, but lets edgevit's loop measure: the program itself is on no package index.
STAND_IN = rf"""#!/system/bin/sh
for each; do
  case $each in
  --graph=*) graph=${{each#*=}} ;;
  --signature_to_run_for=classify_*) resolution=${{each##*_}} ;;
  --num_threads=*) threads=${{each#*=}} ;;
  --min_secs=*) seconds=${{each#*=}} ;;
  esac
done
echo "INFO: STARTING!"
echo "INFO: count=9 first=87112 curr=51629 min=51629 max=87112 avg=58147.4 std=11478 p5=51629 median=51962 p95=87112"
{TOP}/edgevit-run profile $graph --resolutions $resolution --threads $threads --seconds $seconds --json |
  while read -r key value; do
    value=${{value%,}}
    case $key in
    '"median":') median=$value ;;
    '"p10":') p10=$value ;;
    '"p90":') p90=$value ;;
    '"runs":')
      echo "INFO: count=$value first=1 avg=1 std=0 p5=${{p10}}e3 median=${{median}}e3 p95=${{p90}}e3"
      echo "$median" > /data/local/tmp/median-$resolution ;;
    esac
  done
echo "INFO: Inference timings in us: Init: 119515, First inference: 87112, Warmup (avg): 58147.4, Inference (avg): 1"
"""


def test_benchmark_model(guest, deployed, run, tmp_path):
    there = guest(7025, root=deployed)
    program = tmp_path / "benchmark_model"
    program.write_text(STAND_IN)
    arguments = ("profile", GOLDEN, "--device", there.name, "--benchmark-model")
    code, out, err = run(*arguments, program, "--seconds", "0.2", "--cpus", "0", "--json")
    assert code == 0, err
    profile = json.loads(out)
    assert [point["resolution"] for point in profile["points"]] == [48, 96]
    measured = [float((there.tmp / f"median-{resolution}").read_text()) for resolution in (48, 96)]
    assert [point["latency_ms"]["median"] for point in profile["points"]] == pytest.approx(measured)
    assert profile["load_ms"] == 119.515
    assert {point["latency_ms"]["spread"] for point in profile["points"]} == {"p5..p95"}
    assert "median (p5–p95)" in err
    assert profile["device"]["backend"] == "benchmark_model"
    program.write_text("#!/system/bin/sh\necho 'ERROR: Benchmarking failed.'; exit 1\n")
    code, _, err = run(*arguments, program)
    assert (code, "benchmark_model failed for classify_48: exit code 1: ERROR: Benchmarking failed." in err) == (
        1,
        True,
    )
    code, _, err = run(*arguments, program, "--ops", "--duration", "9")
    assert (code, "cannot be used with --duration, --ops" in err) == (1, True)
    code, _, err = run("profile", GOLDEN, "--benchmark-model", program)
    assert (code, "is for phones (--device adb://SERIAL), not for local" in err) == (1, True)


def test_benchmark_model_without_a_median():
    text = "count=50 first=79449 curr=81350 min=77385 max=88213 avg=79732 std=1929\nAverage inference timings in us: …"
    with pytest.raises(ProfileError, match="no median"):
        benchmark_model.parse(text)
    with pytest.raises(ProfileError, match="no times: it said nothing"):
        benchmark_model.parse("")
