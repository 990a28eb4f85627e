"""`profile --estimate`: a curve of a processor that is not there, marked as an estimate wherever it is shown."""

import json

import pytest

import edgevit
from edgevit.cli import main
from edgevit.devices.profile_request import ProfileRequest
from edgevit.errors import ConfigError, DocumentError, ResolutionError
from edgevit.latency.processors.estimated_profile import estimated_profile
from edgevit.latency.processors.processor import PROCESSORS
from edgevit.latency.profile_document import read_profile
from edgevit.report.accuracies import Accuracies
from edgevit.report.charts.curve_charts import combined_figure
from edgevit.report.html.page import render


def run(*words):
    """A command line's exit code."""
    with pytest.raises(SystemExit) as done:
        main([str(word) for word in words])
    return done.value.code or 0


@pytest.fixture(scope="module")
def profile(tiny_tflite):
    return estimated_profile(tiny_tflite, ProfileRequest(), "cortex-a76")


def test_every_point_is_marked(profile, tiny_tflite):
    assert [point.trust.mark for point in profile.points] == ["≈"] * 5
    assert {point.runs for point in profile.points} == {0}
    assert profile.obtained == "estimated"
    assert "estimated" in profile.place
    assert profile.curve is not None


def test_time_is_cycles_at_the_boards_clock(profile):
    core = PROCESSORS["cortex-a76"]
    assert profile.estimate is not None
    for (resolution, cycles), point in zip(profile.estimate.cycles, profile.points, strict=True):
        assert resolution == point.resolution
        assert point.median_ms == pytest.approx(1.15 * cycles / 2.4e6, rel=1e-4)
        assert core.milliseconds(cycles) == pytest.approx(point.median_ms, rel=1e-4)


def test_a_cortex_a72_takes_longer(profile, tiny_tflite):
    other = estimated_profile(tiny_tflite, ProfileRequest(), "cortex-a72")
    assert all(b.median_ms > 2 * a.median_ms for a, b in zip(profile.points, other.points, strict=True))


def test_in_the_terminal(tiny_tflite, capsys):
    assert run("profile", tiny_tflite, "--estimate", "cortex-a76", "--budget-ms", "50", "--predict", "112") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Cortex-A76 (Raspberry Pi 5), estimated" in out
    assert "≈ estimated, not measured: instructions of Cortex-A76s counted, not timed" in out
    assert "≈ t(N) =" in out
    assert "nobody ran this on a Raspberry Pi 5" in out
    assert "outside the estimated resolutions" in out
    assert "median" not in out
    assert "measured resolution" not in out


def test_in_json(tiny_tflite, tmp_path):
    path = tmp_path / "pi5.json"
    assert run("profile", tiny_tflite, "--estimate", "cortex-a76", "--json", path, "--quiet") == 0
    document = json.loads(path.read_text())
    assert document["estimate"]["processor"] == "cortex-a76"
    assert document["device"]["name"] == "estimate of cortex-a76"
    assert all([doubt["why"] for doubt in point["doubtful"]] == ["estimate"] for point in document["points"])
    again = read_profile(path)
    assert again.to_dict() == {**document, "edgevit": again.edgevit}
    assert again.estimate is not None
    document["estimate"]["boards_slower_than_cycles"] = "much"
    path.write_text(json.dumps(document))
    with pytest.raises(DocumentError, match="boards_slower_than_cycles"):
        read_profile(path)


def test_on_the_page(profile):
    page = render(profile, Accuracies())
    assert "≈ estimated, not measured" in page
    assert "nobody ran this on a Raspberry Pi 5" in page
    assert "estimate ms" in page
    assert "median ms" not in page


def test_in_the_picture(profile):
    figure = combined_figure(profile, Accuracies())
    words = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert words[0] == "≈ estimated"
    assert not any("measured: median" in each for each in words)
    assert "estimated" in figure.get_suptitle()


def test_beside_each_other(tiny_tflite, artefact):
    document = edgevit.profile([tiny_tflite, artefact("float32")], estimate="cortex-a76")
    assert document["schema"].startswith("edgevit.comparison")
    assert [each["estimate"]["processor"] for each in document["profiles"]] == ["cortex-a76"] * 2


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"threads": 4}, "--threads 4"),
        ({"device": "ssh://pi"}, "--device ssh://pi"),
        ({"seconds": 2.0}, "--seconds"),
        ({"sustained": 20.0}, "--sustained"),
        ({"ops": True}, "--ops"),
        ({"cpus": "0-3"}, "--cpus"),
    ],
)
def test_what_only_a_device_could_follow(tiny_tflite, options, named):
    with pytest.raises(ConfigError, match=named):
        edgevit.profile(tiny_tflite, estimate="cortex-a76", **options)


def test_unknown_processors_and_resolutions(tiny_tflite):
    with pytest.raises(ConfigError, match="cortex-a76"):
        edgevit.profile(tiny_tflite, estimate="cortex-a78")
    with pytest.raises(ResolutionError):
        edgevit.profile(tiny_tflite, estimate="cortex-a76", resolutions="1000")


def test_an_operator_that_was_never_counted(artefact, tmp_path, monkeypatch):
    """It names the kernel, and leaves nothing behind."""
    from edgevit.errors import ProfileError
    from edgevit.latency.processors import kernel_rates

    monkeypatch.delitem(kernel_rates.RATES["cortex-a76"], "GELU float32")
    path = tmp_path / "p.json"
    with pytest.raises(ProfileError, match="GELU float32 was never counted on a Cortex-A76"):
        edgevit.profile(artefact("int8"), estimate="cortex-a76")
    assert run("profile", artefact("int8"), "--estimate", "cortex-a76", "--json", path) == 1
    assert not path.exists()
