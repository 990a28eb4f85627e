"""`edgevit profile`, with a device that only remembers."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgevit.cli.main import main
from edgevit.devices.profile_request import ProfileRequest
from edgevit.devices.profiling import DEVICES
from edgevit.documents import Record


@pytest.fixture
def ladder(
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[dict[int, float]], dict[str, Any]],
    deit_tiny_ms: dict[int, float],
) -> None:
    def measure(artefact: Path, request: ProfileRequest) -> Record:
        chosen = request.resolutions or tuple(deit_tiny_ms)
        document = answer({resolution: deit_tiny_ms[resolution] for resolution in chosen})
        return Record({**document, "threads": request.threads[0]}, "the test")

    monkeypatch.setitem(DEVICES, "local", measure)


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stop:
        main(["profile", "x.tflite", *args])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def test_options_reach_the_device(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[dict[int, float]], dict[str, Any]],
) -> None:
    asked: list[ProfileRequest] = []

    def measure(artefact: Path, request: ProfileRequest) -> Record:
        asked.append(request)
        return Record(answer({96: 2.0}), "the test")

    monkeypatch.setitem(DEVICES, "local", measure)
    words = "--resolutions 96 --threads 4,1 --cpus 4-6 --seconds 2 --duration 60 --cool-down 0"
    assert run(capsys, *words.split(), "--sustained", "120", "--sustained-at", "96", "--ops")[0] == 0
    assert asked == [ProfileRequest((96,), (4, 1), (4, 5, 6), 2.0, 60.0, 0.0, 120.0, 96, ops=True)]


@pytest.mark.usefixtures("ladder")
class TestProfile:
    def test_table(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, err = run(capsys, "--budget-ms", "30", "--predict", "352")
        assert (code, err) == (0, "")
        words = " ".join(out.split())
        assert "Take 288 within 30 ms: 22.9 ms median, p90 25.2 ms" in words
        assert "t(N) = 0.453 ms + 38.0 µs · N + 96.2 ns · N²" in words
        assert "from N = 395 on (a square of 317)" in words
        assert "Predicted at 352 (N = 485): 41.5 ms." in words
        assert "288 325 1654 446 22.9 (22.4–25.2) 23.0 44 % +0.3 % 60.0" in words

    def test_operators(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        answer: Callable[[dict[int, float]], dict[str, Any]],
    ) -> None:
        def measure(artefact: Path, request: ProfileRequest) -> Record:
            document = answer({96: 2.0, 224: 12.0})
            for point, factor in zip(document["points"], (1.0, 18.0), strict=True):
                spent = {"attention": 1.0, "quadratic": 0.25, "mlp": 0.5, "norm": 0.2, "rest": 0.3}
                point["ops_ms"] = {part: factor * ms for part, ms in spent.items()}
            return Record(document, "the test")

        monkeypatch.setitem(DEVICES, "local", measure)
        for artefacts in ((), ("y.tflite",)):
            code, out, _ = run(capsys, *artefacts, "--ops")
            words = " ".join(out.split())
            assert code == 0
            assert "attention's linear layers 0.750 38 % 13.5 38 % MLP with GELU 0.500 25 % 9.00 25 %" in words
            assert "together 2.00 ?36.0" in words
            assert "at 224 their sum is off the median by more than 20 % (3 times it at 224)" in words

    def test_json_alone_on_standard_output(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, err = run(capsys, "--json", "--threads", "4", "--resolutions", "96,128,160,192,224")
        document = json.loads(out)
        assert (code, document["threads"], len(document["points"])) == (0, 4, 5)
        assert document["edgevit"]
        assert document["measured_at"]
        assert "MMACs" in err

    def test_json_to_a_file_and_quiet(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        target = tmp_path / "profile.json"
        assert run(capsys, "--json", str(target), "--quiet") == (0, "", "")
        assert json.loads(target.read_text())["curve"]["r2"] > 0.99

    def test_no_resolution_fits(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, err = run(capsys, "--budget-ms", "1", "--json")
        assert code == 1
        assert json.loads(out)["recommendation"]["resolution"] is None
        assert "MMACs" in err
        assert err.splitlines()[-1].startswith("edgevit: no resolution fits 1 ms: the fastest, 96, takes 2 ms")

    def test_few_resolutions(self, capsys: pytest.CaptureFixture[str]) -> None:
        code, out, err = run(capsys, "--resolutions", "96,128")
        assert (code, err) == (0, "")
        assert "t(N)" not in out
        assert "No curve: a curve needs at least 5 resolutions, this profile has 2" in out
        assert run(capsys, "--resolutions", "96,128", "--quiet") == (0, "", "")

    @pytest.mark.parametrize(
        ("args", "code", "message"),
        [
            (["--predict", "300"], 1, "resolution 300 is not a multiple of the patch size 16"),
            (
                ["--predict", "352", "--resolutions", "96,128"],
                1,
                "cannot predict 352: a curve needs at least 5",
            ),
            (["--resolutions", "big"], 1, "a resolution is a whole number of pixels"),
            (["--device", "usb://1"], 1, "unknown device 'usb://1'"),
            (["--budget-ms", "0"], 2, "is not in the range x>0"),
            (["--threads", "0"], 1, "threads are whole numbers above 0"),
            (["--cpus", "7-4"], 1, "cpus are numbers and ranges"),
            (["--sustained-at", "96"], 1, "sustained_at 96 says where, but not for how long"),
            (["--json", "out.txt"], 1, "edgevit: the file for --json must end in .json, not out.txt"),
        ],
    )
    def test_wrong_options(self, capsys: pytest.CaptureFixture[str], args: list[str], code: int, message: str) -> None:
        found, _, err = run(capsys, *args)
        assert found == code
        assert message in err
        assert "Traceback" not in err


def test_starts_without_what_it_does_not_need() -> None:
    program = (
        "import sys, edgevit.cli.profile, edgevit.cli.report, edgevit.latency\n"
        "import edgevit.report.text.profile_tables, edgevit.report.html.page\n"
        "loaded = {'tensorflow', 'keras', 'matplotlib', 'scipy', 'jinja2'} & set(sys.modules)\n"
        "sys.exit(str(loaded) if loaded else 0)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
