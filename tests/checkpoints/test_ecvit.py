"""EdgeCrafter's ECViT: what is told by its tensors, what is folded and assumed, and what is refused."""

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from edgevit.checkpoints import import_checkpoint
from edgevit.errors import CheckpointError
from support.stored_references import read

PERIODS = "rope_embed.periods"


@pytest.fixture
def ecvit(tmp_path):
    return read("EdgeCrafter: ECViT", tmp_path)


def changed(path, without=(), **tensors):
    """The same file with other tensors, by the ends of their names, and without some."""
    kept = {name: value for name, value in load_file(path).items() if name not in without}
    save_file({**kept, **{f"rope_embed.{name}": value for name, value in tensors.items()}}, path)
    return path


def test_what_it_becomes(ecvit):
    notes = []
    model = import_checkpoint(ecvit.path, on_note=notes.append)
    config = model.config
    assert (config.stem, config.stem_widths, config.class_token) == ("convolutions", (4, 8, 16), False)
    assert (config.heads, config.rotary, config.rotary_theta, config.registers) == (2, "centred", 100.0, 1)
    assert (config.classes, config.pooling, config.learned_positions) == (0, "mean", False)
    said = "\n".join(notes)
    for line in (
        "a stem of convolutions",
        "batch norms, 3 times",
        "no norm behind its blocks",
        "resolution of 640 are",
    ):
        assert line in said
    # The fresh norm is one, and changes nothing but the scale of tokens.
    np.testing.assert_array_equal(np.asarray(model.norm.gamma), np.ones(config.width))


def test_heads_and_theta_are_told_by_the_periods(ecvit):
    periods = 50.0 ** (np.arange(8) / 8)
    model = import_checkpoint(changed(ecvit.path, periods=periods.astype(np.float32)))
    assert (model.config.heads, model.config.rotary_theta) == (1, 50.0)


@pytest.mark.parametrize(
    ("periods", "message"),
    [
        (np.arange(1, 5), r"rope_embed.periods are no powers of one number"),
        (np.ones((2, 2)), r"rope_embed.periods has the shape \[2, 2\], and the width is 32"),
        (np.ones(3), r"rope_embed.periods has the shape \[3\]"),
        (np.full(4, np.nan), r"rope_embed.periods are no powers of one number"),
        (np.array([1.0, 0.0, -3.0, -2.0]), r"rope_embed.periods are no powers of one number"),
        (np.zeros(4), r"rope_embed.periods are no powers of one number"),
    ],
)
def test_periods_that_cannot_be(ecvit, periods, message):
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(changed(ecvit.path, periods=periods.astype(np.float32)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (PERIODS, "an ECViT without rope_embed.periods"),
        ("patch_embed.convs.1.norm.running_var", "missing .1.: patch_embed.convs.1.norm.running_var"),
        ("patch_embed.convs.2.conv.weight", "missing .1.: patch_embed.convs.2.conv.weight"),
    ],
)
def test_a_tensor_that_is_missing(ecvit, name, message):
    with pytest.raises(CheckpointError, match=message):
        import_checkpoint(changed(ecvit.path, without=(name,)))


def test_a_detectors_other_parts_are_accounted_for(ecvit):
    with pytest.raises(CheckpointError, match=r"unexpected .1.: rope_embed.scale"):
        import_checkpoint(changed(ecvit.path, scale=np.ones(4, np.float32)))
