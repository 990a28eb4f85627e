"""Profiles side by side: labels, ratios, and what counts as slower."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgevit.cli.main import main
from edgevit.errors import DocumentError, ProfileError, SlowerError
from edgevit.latency.comparison import Comparison, device_names, read_profiles
from edgevit.latency.measuring_conditions import Doubt
from edgevit.latency.profile import Profile
from edgevit_runtime.resolution import Resolution
from support.profiles import MIXED_MS

Measured = Callable[[dict[int, float]], Profile]


def scaled(profile: Profile, factor: float, spread: float = 0.02) -> Profile:
    """Slower by a factor; p10 and p90 lie `spread` from the median."""
    points = []
    for point in profile.points:
        ms = factor * point.median_ms
        points.append(replace(point, median_ms=ms, p10_ms=(1 - spread) * ms, p90_ms=(1 + spread) * ms))
    return replace(profile, points=tuple(points))


@pytest.fixture
def base(measured: Measured, deit_tiny_ms: dict[int, float]) -> Profile:
    return scaled(measured(deit_tiny_ms), 1.0)


def test_labels_say_only_what_differs(base: Profile) -> None:
    assert Comparison((base, replace(base, recipe="float32"))).labels == ("int8", "float32")
    assert Comparison((base, replace(base, model="b/x.tflite", threads=4))).labels == (
        "deit_tiny.tflite · 1 thread",
        "x.tflite · 4 threads",
    )
    assert Comparison((base, replace(base, device={"model": "Pi 5"}))).labels == ("Test CPU", "Pi 5")
    twins = [replace(base, device={"cpu": "EPYC", "name": name}) for name in ("local", "ssh://pi")]
    assert Comparison(tuple(twins)).labels == ("local", "ssh://pi")
    faster = replace(twins[1], threads=2)  # another device all the same
    assert Comparison((twins[0], faster)).labels == ("1 thread · local", "2 threads · ssh://pi")
    other = replace(base, device={"cpu": "Pi 5", "name": "ssh://pi5"})
    assert device_names((*twins, other, twins[0])) == ("EPYC · local", "EPYC · ssh://pi", "Pi 5", "EPYC · local")
    assert device_names(tuple(twins)) == ("local", "ssh://pi")
    assert device_names((base, base)) == ("Test CPU", "Test CPU")
    later = [replace(base, measured_at=f"2026-11-2{day}T10:00:00+00:00") for day in (3, 4)]
    assert Comparison(tuple(later)).labels == ("2026-11-23 10:00:00", "2026-11-24 10:00:00")
    assert Comparison((later[0], base)).labels == ("2026-11-23 10:00:00", "undated")
    assert Comparison((base, base)).labels == ("deit_tiny.tflite (1)", "deit_tiny.tflite (2)")
    assert Comparison((base,)).labels == ("deit_tiny.tflite",)


def test_ratios(base: Profile) -> None:
    few = scaled(replace(base, points=base.points[:3]), 2.0)
    together = Comparison((base, few))
    assert together.ratio(1) == pytest.approx(2.0)
    assert together.at(1, 96).ratio == pytest.approx(2.0)  # type: ignore[union-attr]
    assert together.at(1, 512) is None
    assert together.resolutions == tuple(point.resolution for point in base.points)


@pytest.mark.parametrize(
    ("factor", "spread", "slower"),
    [
        (1.12, 0.02, True),  # beyond the limit, and apart
        (1.08, 0.02, False),  # within the limit
        (1.12, 0.15, False),  # beyond the limit, but its fastest tenth is as fast as before
        (1.4, 0.15, True),  # noisy, and slower all the same
        (0.8, 0.02, False),
    ],
)
def test_slower_beyond_the_scatter(base: Profile, factor: float, spread: float, slower: bool) -> None:
    together = Comparison((base, scaled(base, factor, spread)), limit=0.1)
    assert bool(together.slower()) is slower
    if slower:
        with pytest.raises(SlowerError, match="more than 10 % slower than"):
            together.check()
    else:
        together.check()


def test_a_noisy_first_profile_excuses_too(base: Profile) -> None:
    Comparison((scaled(base, 1.0, spread=0.3), scaled(base, 1.15)), limit=0.1).check()


def test_what_cannot_be_judged(base: Profile) -> None:
    with pytest.raises(ProfileError, match="Name two profiles or more"):
        Comparison((base,), limit=0.1).check()
    others = replace(base, points=base.points[1:]), replace(base, points=base.points[:1], recipe="x")
    with pytest.raises(ProfileError, match="has no resolution that"):
        Comparison(others, limit=0.1).check()


def test_what_it_writes_it_reads(base: Profile, tmp_path: Path) -> None:
    path = tmp_path / "both.json"
    path.write_text(json.dumps(Comparison((base, scaled(base, 2.0))).to_dict()))
    assert [each.points for each in read_profiles([path])] == [base.points, scaled(base, 2.0).points]
    path.write_text('{"schema": "edgevit.evaluation/1"}')
    with pytest.raises(DocumentError, match=r"'edgevit\.evaluation/1', not edgevit\.profile/1 or"):
        read_profiles([path])


class TestCommand:
    @pytest.fixture
    def files(self, base: Profile, tmp_path: Path) -> tuple[str, str]:
        paths = []
        for name, profile in (("a.json", base), ("b.json", replace(scaled(base, 1.25), recipe="int8-static"))):
            (tmp_path / name).write_text(json.dumps(profile.to_dict()))
            paths.append(str(tmp_path / name))
        return paths[0], paths[1]

    def run(self, capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["compare", *args])
        out, err = capsys.readouterr()
        return int(stop.value.code or 0), out, err

    def test_table(self, capsys: pytest.CaptureFixture[str], files: tuple[str, str]) -> None:
        code, out, err = self.run(capsys, *files)
        assert (code, err) == (0, "")
        words = " ".join(out.split())
        assert "224 12.0 15.0 1.25" in words
        assert "all 1.25" in words
        assert "Ratios are to int8" in words

    def test_sizes(self, capsys: pytest.CaptureFixture[str], base: Profile, tmp_path: Path) -> None:
        paths = []
        for name, size_bytes in (("a", None), ("b", 6_080_000)):
            paths.append(tmp_path / f"{name}.json")
            profile = replace(base, recipe=name, size_bytes=size_bytes)
            paths[-1].write_text(json.dumps(profile.to_dict()))
        page = tmp_path / "report.html"
        code, out, _ = self.run(capsys, *map(str, paths), "-o", str(page))
        assert (code, "MB – 6.08" in " ".join(out.split())) == (0, True)
        text = page.read_text(encoding="utf-8")
        assert '<th scope="col">file MB</th>' in text
        assert "<td>6.08</td>" in text
        paths[1].write_text(json.dumps(replace(base, recipe="b").to_dict()))
        assert "MB" not in self.run(capsys, *map(str, paths))[1]

    def test_marks_are_explained(self, capsys: pytest.CaptureFixture[str], base: Profile, tmp_path: Path) -> None:
        path = tmp_path / "hot.json"
        hot = replace(base.points[0], stable=False, doubtful=(Doubt("heat", "80 °C"),))
        path.write_text(json.dumps(replace(base, points=(hot, *base.points[1:])).to_dict()))
        (tmp_path / "cool.json").write_text(json.dumps(replace(base, recipe="float32").to_dict()))
        words = " ".join(self.run(capsys, str(path), str(tmp_path / "cool.json"))[1].split())
        assert "96 ?~2.00" in words
        assert "? doubtful, the device was not as it should be; ~ not settled in the time given" in words

    def test_other_percentiles_are_named(
        self, capsys: pytest.CaptureFixture[str], base: Profile, tmp_path: Path
    ) -> None:
        """What TFLite's own program told as p5 and p95 is not passed off as p10 and p90, wherever it was stored."""
        told = replace(base, recipe="x", points=tuple(replace(point, spread="p5..p95") for point in base.points))
        paths = [str(tmp_path / f"{name}.json") for name in "abc"]
        for path, profile in zip(paths, (base, told, replace(told, recipe="y")), strict=True):
            Path(path).write_text(json.dumps(profile.to_dict()))
        assert read_profiles([Path(paths[1])])[0].points == told.points
        for names, spread in ((paths[:2], "p10–p90 or p5–p95"), (paths[1:], "p5–p95")):
            words = " ".join(self.run(capsys, *names, "--fail-slower", "10%")[1].split())
            assert f"within the scatter ({spread}) of the runs" in words
            assert f"Judged by {spread}: what is slower has to stand out further than by p10–p90." in words

    def test_slower_fails_with_one_line(self, capsys: pytest.CaptureFixture[str], files: tuple[str, str]) -> None:
        code, out, err = self.run(capsys, *files, "--fail-slower", "10%")
        assert code == 1
        assert "11 points are beyond that" in out
        (line,) = err.splitlines()
        assert line.startswith("edgevit: more than 10 % slower than int8: int8-static at ")
        assert "by 25%" in line
        assert line.endswith("and 7 more")
        assert self.run(capsys, *files, "--fail-slower", "0.3", "--quiet") == (0, "", "")

    def test_json_and_report(self, capsys: pytest.CaptureFixture[str], files: tuple[str, str], tmp_path: Path) -> None:
        page = tmp_path / "report.html"
        code, out, err = self.run(capsys, *files, "--json", "-o", str(page), "--fail-slower", "10%")
        document = json.loads(out)
        assert (code, document["schema"], document["fail_slower"]) == (1, "edgevit.comparison/1", 0.1)
        assert [each["label"] for each in document["series"]] == ["int8", "int8-static"]
        assert document["series"][1]["ratio"] == pytest.approx(1.25)
        assert len(document["slower"]) == 11
        assert "Side by side" in page.read_text(encoding="utf-8")
        assert "res." in err

    def test_files_count_once_and_two_are_needed(
        self, capsys: pytest.CaptureFixture[str], files: tuple[str, str], tmp_path: Path
    ) -> None:
        first = files[0]
        again = str(tmp_path / "x" / ".." / "a.json")
        assert self.run(capsys, first, again) == (1, "", f"edgevit: {first} is given twice: name each file once\n")
        code, out, err = self.run(capsys, first)
        assert (code, out) == (1, "")
        assert err == (
            f"edgevit: a comparison needs two profiles or more, and {first} holds one: name another beside it\n"
        )
        both = tmp_path / "both.json"
        assert self.run(capsys, *files, "--json", str(both), "--quiet") == (0, "", "")
        assert self.run(capsys, str(both), "--quiet") == (0, "", "")

    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["--fail-slower", "ten"], "a share is written such as 10% or 0.1, not 'ten'"),
            (["--fail-slower", "10"], "a share is written such as 10% or 0.1, not '10'"),
            (["-o", "report.txt"], "report.txt must end in .html"),
            (["nowhere.json"], "no such file: nowhere.json"),
        ],
    )
    def test_bad_input(
        self, capsys: pytest.CaptureFixture[str], files: tuple[str, str], args: list[str], message: str
    ) -> None:
        code, out, err = self.run(capsys, *files, *args)
        assert (code, out, err) == (1, "", f"edgevit: {message}\n")


def test_rectangles_side_by_side(measured: Callable[[Any], Profile]) -> None:
    slow = {each: 2.0 * ms for each, ms in MIXED_MS.items() if each != "192x320"}
    together = Comparison((measured(MIXED_MS), replace(measured(slow), recipe="float32")))
    assert list(map(str, together.resolutions)) == ["96", "128", "256x128", "224", "192x320", "320x192", "640x384"]
    assert together.at(1, Resolution(192, 320)) is None
    found = together.at(1, Resolution(320, 192))
    assert found is not None
    assert found.ratio == 2.0
    points = together.to_dict()["series"][1]["points"]
    assert points[-1].items() >= {"resolution": "640x384", "width": 640, "height": 384, "ratio": 2.0}.items()
