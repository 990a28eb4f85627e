"""`edgevit report`: files in, files out, one line for whatever is wrong with them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgevit.cli.main import main
from edgevit.latency.profile import Profile

EVALUATION: dict[str, Any] = {
    "schema": "edgevit.evaluation/1",
    "model": "out/deit_tiny.tflite",
    "data": "val",
    "images": 1300,
    "skipped": 0,
    "results": [
        {"resolution": 96, "top1": 0.4, "top5": 0.6},
        {"resolution": 288, "top1": 0.815, "top5": None},
    ],
    "against": {
        "model": "deit_tiny.keras",
        "results": [{"resolution": 288, "top1": 0.82, "top5": 0.95, "agreement": 0.987}],
    },
}


@pytest.fixture
def folder(tmp_path: Path, measured: Callable[[dict[int, float]], Profile], deit_tiny_ms: dict[int, float]) -> Path:
    (tmp_path / "profile.json").write_text(json.dumps(measured(deit_tiny_ms).within(30.0).to_dict()))
    (tmp_path / "eval.json").write_text(json.dumps(EVALUATION))
    return tmp_path


def run(
    capsys: pytest.CaptureFixture[str], folder: Path, *files: str, options: tuple[str, ...] = ()
) -> tuple[int, str, str]:
    paths = [str(folder / file) for file in files]
    with pytest.raises(SystemExit) as stop:
        main(["report", *paths, "-o", str(folder / "report.html"), *options])
    out, err = capsys.readouterr()
    return int(stop.value.code or 0), out, err


def test_writes_both(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    png = folder / "curve.png"
    code, out, err = run(capsys, folder, "profile.json", "eval.json", options=("--png", str(png), "--title", "Hi"))
    assert (code, err) == (0, "")
    assert "wrote" in out
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<h1>Hi</h1>" in page
    assert "is what to take within 30 ms" in page
    assert "98.7 %" in page
    assert png.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert sorted(path.name for path in folder.iterdir()) == [
        "curve.png",
        "eval.json",
        "profile.json",
        "report.html",
    ]


def test_says_what_it_recommends(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, _ = run(capsys, folder, "profile.json", "eval.json")
    said = "288 is what to take within 30 ms. 22.9 ms median, p90 25.2 ms; top-1 81.5 % ± 2.1 on 1300 pictures. "
    assert (code, out) == (0, f"wrote {folder / 'report.html'}\n{said}It is the most accurate that fits.\n")


def test_an_evaluation_of_another_artefact_is_warned_of(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """The other one is predicted from the profile: terminal and headline name it, and say what is wrong first."""
    other = {"model": "p4.tflite", "recipe": "int8", "variant": "deit-tiny", "patch": 16, "against": None}
    (folder / "other.json").write_text(_changed(**other))
    profile = json.loads((folder / "profile.json").read_text())
    (folder / "profile.json").write_text(json.dumps({**profile, "variant": "deit-tiny"}))
    code, out, _ = run(capsys, folder, "profile.json", "other.json")
    said = "deit_tiny.tflite was not evaluated: the evaluations are of p4.tflite"
    assert (code, f"not joined: {said}\n" in out) == (0, True)
    assert "288 of p4.tflite is what to take within 30 ms. " in out
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "of p4.tflite is what to take within 30 ms<" in page
    assert 0 < page.index(f"<p>Not joined: {said}.</p>") < page.index('<section class="headline')


def test_another_budget(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert run(capsys, folder, "profile.json", options=("--budget-ms", "13", "--quiet")) == (0, "", "")
    assert "is what to take within 13 ms" in (folder / "report.html").read_text(encoding="utf-8")


def test_a_missed_budget_is_written_and_told(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, _, err = run(capsys, folder, "profile.json", options=("--budget-ms", "1"))
    assert code == 1
    assert err.startswith("edgevit: no resolution fits 1 ms")
    assert "nothing fits 1 ms" in (folder / "report.html").read_text(encoding="utf-8")


def _changed(**changes: Any) -> str:
    return json.dumps({**EVALUATION, **changes})


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing.json", None, "no such file"),
        (
            "bad.tflite",
            "TFL3\udcff",
            "is an artefact (`edgevit profile` makes a profile of it), and a JSON document is",
        ),
        ("bad.keras", "PK\udcff", "is a model (`edgevit evaluate` makes an evaluation of it), and a JSON document is"),
        ("bad.json", "\udcff", "bad.json is no text, and a JSON document is needed: it is not text in UTF-8 "),
        ("bad.json", "{", "is not JSON"),
        ("bad.json", "\x00\x01", "is not JSON"),
        (
            "bad.json",
            "[]",
            "JSON without a schema, not edgevit.profile/1, edgevit.comparison/1 or",
        ),
        ("bad.json", _changed(schema="edgevit.profile/1"), "device is missing; it must be an object"),
        ("bad.json", _changed(schema="edgevit.plan/1"), "a document of schema 'edgevit.plan/1', not edgevit.profile/1"),
        ("bad.json", _changed(results=[]), "holds no results for out/deit_tiny.tflite"),
        ("bad.json", _changed(results=[{"resolution": 96, "top1": 81.5}]), "a number from 0 to 1, not 81.5"),
        ("bad.json", _changed(images="many"), "images must be a whole number, at least 1, not 'many'"),
        ("bad.json", _changed(model=""), "model must be a text"),
        ("bad.json", _changed(against={"model": "x"}), "against: results is missing"),
        (
            "bad.json",
            _changed(results=[{"resolution": 96, "top1": 0.5}]),
            "differ about out/deit_tiny.tflite at 96",
        ),
    ],
)
def test_a_wrong_evaluation(
    capsys: pytest.CaptureFixture[str], folder: Path, name: str, text: str | None, message: str
) -> None:
    if text is not None:
        (folder / name).write_text(text, errors="surrogateescape")
    code, out, err = run(capsys, folder, "profile.json", "eval.json", name, options=("--png", str(folder / "x.png")))
    assert (code, out) == (1, "")
    assert message in err
    assert err.startswith("edgevit: ")
    assert name in err
    assert len(err.splitlines()) == 1
    assert not list(folder.glob("*.html")) + list(folder.glob("*.png")) + list(folder.glob(".*"))


def test_the_same_evaluation_twice_is_one(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "again.json").write_text(_changed(against=None))
    assert run(capsys, folder, "profile.json", "eval.json", "again.json")[0] == 0


def test_the_same_file_twice_is_refused(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    for twice in ("profile.json", "eval.json"):
        code, out, err = run(capsys, folder, "profile.json", "eval.json", twice)
        assert (code, out) == (1, "")
        assert err == f"edgevit: {folder / twice} is given twice: name each file once\n"
    assert not (folder / "report.html").exists()


def test_files_in_any_order(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert run(capsys, folder, "eval.json", "profile.json")[0] == 0
    assert "; top-1 " in (folder / "report.html").read_text(encoding="utf-8")


def test_evaluations_alone_make_no_report(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, _, err = run(capsys, folder, "eval.json")
    assert code == 1
    assert err.startswith("edgevit: a report needs a profile: make one with `edgevit profile")
    assert not (folder / "report.html").exists()


def test_several_profiles(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    slower = json.loads((folder / "profile.json").read_text())
    slower["model"], slower["recipe"] = "out/other.tflite", "float32"
    for point in slower["points"]:
        for key in ("median", "p10", "p90"):
            point["latency_ms"][key] *= 2.0
    (folder / "slower.json").write_text(json.dumps(slower))
    png = folder / "both.png"
    code, _, err = run(
        capsys, folder, "profile.json", "slower.json", "eval.json", options=("--budget-ms", "3", "--png", str(png))
    )
    assert (code, err) == (0, "")  # one of the two fits
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "2 profiles of Test CPU" in page
    assert re.findall(r"<tr data-profile=\"(\d)\" class=\"missed\">", page) == ["1"]
    assert "96" in page
    assert '<span class="ratio">2.00</span>' in page
    assert png.read_bytes().startswith(b"\x89PNG")
    assert run(capsys, folder, "profile.json", "slower.json", options=("--budget-ms", "1"))[0] == 1


def test_a_damaged_profile_names_its_file(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    document = json.loads((folder / "profile.json").read_text())
    document["points"][2]["latency_ms"]["p10"] = 1e9
    (folder / "profile.json").write_text(json.dumps(document))
    code, _, err = run(capsys, folder, "profile.json")
    assert code == 1
    assert err.count("profile.json") == 1
    assert "in order p10 <= median <= p90" in err


def test_outputs_are_checked_first(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    before = (folder / "profile.json").read_text()
    for options, message in (
        (("-o", str(folder / "profile.json")), "must end in .html"),
        (("-o", str(folder / "nowhere" / "report.html")), "there is no folder"),
        (("--png", str(folder / "curve.jpg")), "must end in .png"),
    ):
        code, _, err = run(capsys, folder, "profile.json", options=options)
        assert code == 1
        assert message in err
    assert (folder / "profile.json").read_text() == before
    assert not (folder / "report.html").exists()
