"""`edgevit inspect` of a model; of artefacts: tests/converters/test_artefact.py."""

import json

from edgevit.activation_ranges import ActivationRanges
from edgevit.dense_head import DenseHead
from edgevit.model import build, save
from support.cnn import tiny_cnn
from support.painted_artefact import write_painted
from support.sample_pictures import LABELS, LADDER


def test_a_model_says_what_it_is(run, tiny_keras, tiny_config):
    code, out, err = run("inspect", tiny_keras)
    assert (code, err) == (0, "")
    lines = dict(line.split("  ", 1) for line in out.splitlines())
    assert out.splitlines()[0].startswith(f"{tiny_keras}  custom  ")
    assert lines["shape"].strip() == "width 32, depth 3, 2 heads, patch 16"
    assert lines["classes"].strip() == "4"
    assert lines["labels"].strip() == ", ".join(LABELS)
    assert lines["pixels"].endswith("mean 0.485, 0.456, 0.406, std 0.229, 0.224, 0.225")
    assert lines["resize"].strip() == "squash"
    assert lines["trained for"].strip() == f"{', '.join(map(str, LADDER))} px"
    assert lines["calibration"].strip() == "none learned"
    code, out, _ = run("inspect", tiny_keras, "--json")
    document = json.loads(out)
    assert document["schema"] == "edgevit.model/1"
    assert document["config"] == json.loads(json.dumps(tiny_config.to_dict()))
    assert document["size_bytes"] == tiny_keras.stat().st_size


def test_what_fine_tuning_learned(run, tiny_config, tmp_path):
    model = build(tiny_config.with_(ladder=(), labels=()))
    model.calibration = ActivationRanges("int8-static", {"block0/norm1/squares": (0.0, 2.0), "image": (-1.0, 1.0)})
    save(model, tmp_path / "x.keras")
    out = run("inspect", tmp_path / "x.keras")[1]
    assert "2 ranges learned for int8-static" in out
    assert "no ladder: `edgevit convert --resolutions` names one" in out
    document = json.loads(run("inspect", tmp_path / "x.keras", "--json")[1])
    assert document["calibration"] == {"recipe": "int8-static", "ranges": 2}


def test_heads_that_read_all_tokens(run, tiny_config, tmp_path):
    heads = (
        DenseHead("detect", 1, ("cell",)),
        DenseHead("keypoints", 2, ("tip", "centre"), margin=0.25),
        DenseHead("segment", 3, form="linear"),
    )
    save(build(tiny_config.with_(classes=0, labels=(), dense_heads=heads)), tmp_path / "x.keras")
    out = run("inspect", tmp_path / "x.keras")[1]
    assert "detect         1 class (pyramid)  cell\n" in out
    assert "keypoints      2 points of each box, grown by 25% (transposed)  tip, centre\n" in out
    assert "segment        3 classes (linear)  none\n" in out


def test_an_artefact_says_what_counts(run, tmp_path):
    write_painted(tmp_path / "x.tflite", ["detect", "keypoints"], [64])
    out = run("inspect", tmp_path / "x.tflite")[1]
    assert "  counted      boxes from a score of 0.3 on, that overlap by 0.6 at most\n" in out
    assert "  counted      points from a score of 0.2 on are there\n" in out


def test_where_a_model_has_its_positions_from(run, tmp_path, tiny_config):
    """Said where they are not just learned."""
    turned = tiny_config.with_(
        rotary="index", rotary_grid=(6, 4), rotary_theta=1e4, pooling="attention-all", pool_heads=4
    )
    save(build(turned), tmp_path / "x.keras")
    lines = run("inspect", tmp_path / "x.keras")[1].splitlines()
    grid = "patches counted from 1 on a grid of their own of 6 x 4; theta 10000"
    assert f"positions      learned, and rotary: {grid}" in lines
    assert any(line.startswith("pooling        attention-all: ") and line.endswith(", 4 heads") for line in lines)
    save(build(tiny_config.with_(rotary="centred", learned_positions=False)), tmp_path / "y.keras")
    lines = run("inspect", tmp_path / "y.keras")[1].splitlines()
    assert "positions      rotary: patch centres from -1 to 1, times 2 π; theta 100" in lines


def test_files_that_are_no_models_of_ours(run, tiny_keras, tmp_path):
    def refused(path):
        code, out, err = run("inspect", path)
        assert (code, out, err.count("\n")) == (1, "", 1)
        return err

    assert "no such model: none.keras" in refused("none.keras")
    path, content = tmp_path / "x.keras", tiny_keras.read_bytes()
    path.write_bytes(content[:-100])
    assert "x.keras is not a .keras model, or is cut short" in refused(path)
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1  # among the weights
    path.write_bytes(changed)
    assert "x.keras is damaged: model.weights.h5 in it is not what was written" in refused(path)
    tiny_cnn().save(path)
    assert "holds a Keras Functional, not an edgevit ViT: `edgevit convert` takes it" in refused(path)


def test_what_stands_for_the_picture_is_said(run, tiny_config, tmp_path):
    forms = {"pooling": "mean", "pool_norm": True, "registers": 2, "projection": 12, "cosine_scale": 20.0}
    save(build(tiny_config.with_(**forms)), tmp_path / "m.keras")
    code, out, err = run("inspect", tmp_path / "m.keras")
    assert code == 0, err
    assert "patch 16, 2 registers\n" in out
    assert "pooling        mean: the mean of the patch tokens, the last norm behind it\n" in out
    assert "vector         a projection to 12 numbers, by which classes are told\n" in out


def test_where_an_artefact_runs(run, artefact):
    """Each recipe's signatures on CPU, GPU and NPU: whole, or the first op that stands in the way."""
    lines = run("inspect", artefact("int8"))[1].splitlines()
    assert "CPU (XNNPACK)  in one partition: every signature" in lines
    assert "GPU (LiteRT)   whole, where a device's GPU passes the self-test: every signature" in lines
    assert "NPU (Vela)     not whole, RESHAPE on FLOAT32: every signature" in lines
    whole = {
        recipe: {
            processor: all(
                each["runs_on"][processor]["whole"] and each["runs_on"][processor]["in_the_way"] is None
                for each in json.loads(run("inspect", artefact(recipe), "--json")[1])["signatures"]
            )
            for processor in ("cpu", "gpu", "npu")
        }
        for recipe in ("float32", "float16", "int8-attention", "int4", "int8-full")
    }
    everywhere_but_npu = {"cpu": True, "gpu": True, "npu": False}
    assert whole == {
        "float32": everywhere_but_npu,
        "float16": everywhere_but_npu,
        "int8-attention": everywhere_but_npu,
        "int4": {"cpu": True, "gpu": False, "npu": False},
        "int8-full": {"cpu": False, "gpu": False, "npu": True},
    }
    (first, *_) = json.loads(run("inspect", artefact("int8-full"), "--json")[1])["signatures"]
    assert first["runs_on"]["gpu"]["in_the_way"] == "QUANTIZE on INT16"
