"""`edgevit convert`: what it advises."""

from dataclasses import replace

import pytest

from edgevit.activation_ranges import ActivationRanges
from edgevit.model import build, save
from edgevit_runtime.cli import main as on_device

HINT = "loses less when pictures say how to round: --calibration DIR"


@pytest.mark.parametrize(
    ("learned", "asked", "advised"),
    [(None, "int4", True), ("int4", "int4", False), ("int4", "mine.toml", False), ("int8-static", "mine.toml", True)],
)
def test_pictures_are_advised_unless_the_recipe_or_its_base_was_learned(
    tiny_config, tmp_path, run, learned, asked, advised
):
    model = build(tiny_config, seed=1)
    model.calibration = None if learned is None else ActivationRanges(learned, {})
    save(model, tmp_path / "x.keras")
    if asked == "mine.toml":
        asked = tmp_path / asked
        asked.write_text('base = "int4"\n[[rules]]\nsites = ["logits"]\nweight = "float32"\n')
    code, out, err = run(
        "convert", tmp_path / "x.keras", "-o", tmp_path / "x.tflite", "--resolutions", 32, "--recipe", asked
    )
    assert code == 0, err
    assert (HINT in out) == advised


def test_a_backbone_is_tried_by_what_it_answers(tiny_config, tmp_path, run):
    """The command that is printed to try it is one that the device takes."""
    save(build(replace(tiny_config, classes=0, labels=()), seed=1), tmp_path / "x.keras")
    code, out, err = run("convert", tmp_path / "x.keras", "-o", tmp_path / "x.tflite", "--resolutions", 32)
    assert code == 0, err
    (line,) = (line for line in out.splitlines() if line.startswith("try it: "))
    assert line == f"try it: edgevit-run features {tmp_path}/x.tflite picture.jpg -o ./features.npz"
    assert on_device._parse(line.split()[3:]).pictures == ["picture.jpg"]
