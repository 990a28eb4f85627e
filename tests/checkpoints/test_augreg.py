"""The original ViT's .npz, written here in its names and layouts; test_references.py has timm read and run one."""

import numpy as np
import pytest

from edgevit.checkpoints import import_checkpoint
from edgevit.errors import CheckpointError
from support.foreign_checkpoints import to_flax, to_timm


def test_it_is_the_same_model(make_model, images, tmp_path):
    model = make_model(labels=())
    arrays = to_flax(to_timm(model), heads=3)
    np.savez(tmp_path / "x.npz", **arrays)
    imported = import_checkpoint(tmp_path / "x.npz")
    assert imported.config == model.config
    np.testing.assert_array_equal(imported(images(64)), model(images(64)))


def test_the_optimizers_state_is_left_out(make_model, images, tmp_path):
    model, notes = make_model(), []
    arrays = {f"opt/target/{name}": value for name, value in to_flax(to_timm(model), heads=3).items()}
    np.savez(tmp_path / "x.npz", **arrays, **{"opt/state/step": np.zeros(())})
    imported = import_checkpoint(tmp_path / "x.npz", on_note=notes.append)
    np.testing.assert_array_equal(imported(images(48)), model(images(48)))
    assert notes[-1] == "left out: opt/state/step (the optimizer's state)"


def test_bfloat16_without_a_name_is_read(make_model, tmp_path):
    import ml_dtypes

    model = make_model()
    arrays = to_flax(to_timm(model), heads=3)
    arrays["Transformer/encoder_norm/scale"] = arrays["Transformer/encoder_norm/scale"].astype(ml_dtypes.bfloat16)
    np.savez(tmp_path / "x.npz", **arrays)
    with np.load(tmp_path / "x.npz") as stored:
        assert stored["Transformer/encoder_norm/scale"].dtype.kind == "V"
    imported = import_checkpoint(tmp_path / "x.npz")
    expected = arrays["Transformer/encoder_norm/scale"].astype(np.float32)
    np.testing.assert_array_equal(imported.norm.gamma, expected)


def test_heads_are_checked_against_the_variant(tmp_path, make_model):
    np.savez(tmp_path / "x.npz", **to_flax(to_timm(make_model(width=64, heads=4, depth=6, mlp_width=256)), heads=4))
    with pytest.raises(CheckpointError, match="has 4 heads, a vit-nano 2: it is width 64, depth 6, MLP 256, 4 heads"):
        import_checkpoint(tmp_path / "x.npz", "vit-nano")


def test_a_wrong_tensor_is_named_in_its_own_layout(make_model, tmp_path):
    arrays = to_flax(to_timm(make_model()), heads=3)
    name = "Transformer/encoderblock_1/MultiHeadDotProductAttention_1/key/kernel"
    arrays[name] = arrays[name][:, :, :7]
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(CheckpointError) as failure:
        import_checkpoint(tmp_path / "x.npz")
    assert f"wrong shape (1): {name} [24, 3, 7], wanted [24, 3, 8]" in str(failure.value)


def test_a_head_behind_tanh_needs_a_new_one(make_model, tmp_path):
    arrays = to_flax(to_timm(make_model()), heads=3)
    arrays |= {"pre_logits/kernel": np.zeros((24, 24), np.float32), "pre_logits/bias": np.zeros(24, np.float32)}
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(CheckpointError, match=r"tanh \(pre_logits\) stands before its classifier.*--classes N"):
        import_checkpoint(tmp_path / "x.npz")
    assert import_checkpoint(tmp_path / "x.npz", classes=2).config.classes == 2


def test_a_hybrid_is_refused(make_model, tmp_path):
    arrays = to_flax(to_timm(make_model()), heads=3)
    np.savez(tmp_path / "x.npz", **arrays, **{"conv_root/kernel": np.zeros((7, 7, 3, 64), np.float32)})
    with pytest.raises(CheckpointError, match="a hybrid with a ResNet in front"):
        import_checkpoint(tmp_path / "x.npz")
