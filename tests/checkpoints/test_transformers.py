"""transformers' ViT, DeiT and DINOv2, written here in its names; test_references.py has the library itself."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from edgevit.checkpoints import import_checkpoint
from edgevit.config import HALF, IMAGENET_MEAN, IMAGENET_STD
from edgevit.errors import CheckpointError, EdgeViTError
from edgevit.model import named_weights
from support.foreign_checkpoints import to_timm, to_transformers, transformers_config, write_json

SQUASH = {"image_mean": HALF, "image_std": HALF, "resample": 2, "size": {"height": 48, "width": 48}}


@pytest.fixture
def place(tmp_path):
    """Writes a repository's files to a folder; None leaves one out."""

    def write(tensors, config, preprocessor=SQUASH):
        save_file(tensors, tmp_path / "model.safetensors")
        for name, values in (("config.json", config), ("preprocessor_config.json", preprocessor)):
            if values is not None:
                write_json(tmp_path / name, values)
        return tmp_path

    return write


def test_vit_is_the_same_model(make_model, images, place):
    model = make_model(layer_norm_epsilon=1e-12)
    imported = import_checkpoint(place(to_transformers(to_timm(model), "vit.", "vit"), transformers_config(model)))
    assert imported.config == model.config
    np.testing.assert_array_equal(imported(images(64)), model(images(64)))


def test_deit_with_both_heads(make_model, images, place):
    model = make_model(distilled=True, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    preprocessor = {**SQUASH, "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD}
    tensors = to_transformers(to_timm(model), "deit.", "deit")
    imported = import_checkpoint(place(tensors, transformers_config(model, "deit"), preprocessor))
    assert imported.config == model.config
    for ours, theirs in zip(imported.head_logits(images(48)), model.head_logits(images(48)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_deit_with_the_class_tokens_head_alone(make_model, images, place):
    model = make_model(distilled=True)
    tensors = to_transformers(to_timm(model), "deit.", "deit")
    for part in ("weight", "bias"):
        tensors[f"classifier.{part}"] = tensors.pop(f"cls_classifier.{part}")
        del tensors[f"distillation_classifier.{part}"]
    imported = import_checkpoint(place(tensors, transformers_config(model, "deit")))
    np.testing.assert_allclose(imported(images(48)), model.head_logits(images(48))[0], atol=1e-4)


def test_dinov2_folds_layer_scale_and_gets_a_new_head(make_model, images, place):
    model, notes = make_model(patch=14, base_resolution=56), []
    tensors = to_transformers(to_timm(model, scaled=True), "", "dinov2")
    for part in ("weight", "bias"):
        del tensors[f"classifier.{part}"]
    tensors["embeddings.mask_token"] = np.zeros((1, 24), np.float32)
    folder = place(tensors, transformers_config(model, "dinov2"))
    imported = import_checkpoint(folder, classes=3, labels=("a", "b", "c"), on_note=notes.append)
    np.testing.assert_allclose(imported.features(images(56)), model.features(images(56)), atol=1e-4)
    assert not np.asarray(imported(images(56))).any()
    assert (imported.config.classes, imported.config.labels) == (3, ("a", "b", "c"))
    assert notes[-2:] == [
        "left out: embeddings.mask_token (for masked pretraining only)",
        "folded: LayerScale, 4 times, into the linear layer in front of it",
    ]


def test_a_model_without_a_head_is_a_backbone(make_model, place):
    model = make_model()
    tensors = to_transformers(to_timm(model), "", "vit")
    for part in ("weight", "bias"):
        del tensors[f"classifier.{part}"]
        tensors[f"pooler.dense.{part}"] = np.zeros(24, np.float32)
    folder = place(tensors, transformers_config(model))
    backbone = import_checkpoint(folder)
    assert (backbone.config.classes, backbone.heads) == (0, [])
    images = np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3)).astype(np.uint8)
    np.testing.assert_allclose(backbone(images), model.features(images), atol=1e-4)
    notes = []
    assert import_checkpoint(folder, classes=2, on_note=notes.append).config.classes == 2
    assert notes[-1] == "left out: pooler.dense.bias, pooler.dense.weight (a layer that the classifier does not read)"


def test_a_dinov2_classifier_reads_the_patches_too(make_model, place):
    model = make_model(patch=14, base_resolution=56)
    tensors = to_transformers(to_timm(model, scaled=True), "dinov2.", "dinov2")
    tensors["classifier.weight"] = np.random.default_rng(0).normal(size=(5, 48)).astype(np.float32)
    folder = place(tensors, transformers_config(model, "dinov2"))
    config = import_checkpoint(folder).config
    assert (config.pooling, config.pooled_width, config.classes) == ("class-mean", 48, 5)
    assert import_checkpoint(folder, classes=5).config.classes == 5
    assert import_checkpoint(folder, classes=0).config.classes == 0


@pytest.mark.parametrize(
    ("problem", "scores"),
    [
        ("multi_label_classification", "sigmoid"),
        ("regression", "regression"),
        ("single_label_classification", "softmax"),
    ],
)
def test_what_the_scores_are(make_model, place, problem, scores):
    model = make_model()
    folder = place(to_transformers(to_timm(model), "", "vit"), {**transformers_config(model), "problem_type": problem})
    assert import_checkpoint(folder).config.scores == scores
    folder = place(to_transformers(to_timm(model), "", "vit"), {**transformers_config(model), "problem_type": "other"})
    with pytest.raises(CheckpointError, match="problem_type is 'other'; edgevit knows single_label_classification"):
        import_checkpoint(folder)


def test_another_head_takes_the_place_of_the_checkpoints(make_model, place):
    model = make_model()
    folder = place(to_transformers(to_timm(model), "vit.", "vit"), transformers_config(model))
    imported = import_checkpoint(folder, classes=5)
    assert imported.config.labels == ()
    assert not np.asarray(named_weights(imported)["head/linear/kernel"]).any()


def test_no_bias_of_queries_where_config_says_so(make_model, images, place):
    model = make_model()
    weights = named_weights(model)
    for index in range(2):
        weights[f"block{index}/attention/qkv/bias"].assign(np.zeros(72))
    tensors = to_transformers(to_timm(model), "vit.", "vit")
    tensors = {
        name: value for name, value in tensors.items() if ".attention.attention." not in name or "bias" not in name
    }
    config = transformers_config(model)
    with pytest.raises(
        CheckpointError, match=r"missing \(6\): vit\.encoder\.layer\.0\.attention\.attention\.query\.bias"
    ):
        import_checkpoint(place(tensors, config))
    imported = import_checkpoint(place(tensors, {**config, "qkv_bias": False}))
    np.testing.assert_array_equal(imported(images(48)), model(images(48)))


@pytest.mark.parametrize(
    ("changes", "policy"),
    [
        ({"size": {"height": 224, "width": 224}, "resample": 2}, "squash,bilinear"),
        ({"size": 224, "resample": 3}, "squash"),
        (
            {
                "size": {"shortest_edge": 256},
                "do_center_crop": True,
                "resample": 3,
                "crop_size": {"height": 224, "width": 224},
            },
            "crop:0.875",
        ),
        (
            {
                "size": 256,
                "do_center_crop": True,
                "crop_size": 224,
                "resample": 3,
                "image_processor_type": "BitImageProcessor",
            },
            "crop:0.875",
        ),
        ({"do_resize": False}, "crop:0.875"),
    ],
)
def test_resizing_becomes_a_policy(make_model, place, changes, policy):
    model = make_model()
    tensors = to_transformers(to_timm(model), "vit.", "vit")
    assert import_checkpoint(place(tensors, transformers_config(model), {**SQUASH, **changes})).config.resize == policy


@pytest.mark.parametrize(
    ("changes", "policy", "said"),
    [
        (
            {
                "size": {"height": 64, "width": 64}, "do_center_crop": True, "resample": 3,
                "crop_size": {"height": 48, "width": 48},
            },
            "squash", "squashes pictures to 64 x 64 and takes the middle 48 x 48, which no policy does: squash",
        ),
        ({"size": 64, "do_center_crop": True, "crop_size": 48, "resample": 3}, "squash", "takes the middle 48 x 48"),
        ({"size": {"shortest_edge": 48}, "resample": 3}, "crop:0.875", "and cuts nothing off, which no policy does"),
        ({"size": 48, "resample": 1}, "squash", "resample is 1, which no policy has: bicubic is taken"),
    ],
)  # fmt: skip
def test_resizing_that_no_policy_does_is_said(make_model, place, changes, policy, said):
    """A squash with a crop behind it is no crop that keeps the picture's shape."""
    model, notes = make_model(), []
    folder = place(to_transformers(to_timm(model), "vit.", "vit"), transformers_config(model), {**SQUASH, **changes})
    assert import_checkpoint(folder, on_note=notes.append).config.resize == policy
    assert any(said in each for each in notes)


def test_a_grid_that_is_not_square(make_model, images, place):
    """16 patches are 4 x 4 or 2 x 8: config.json says which."""
    model = make_model(base_resolution="128x32")
    tensors = to_transformers(to_timm(model), "vit.", "vit")
    imported = import_checkpoint(place(tensors, {**transformers_config(model), "image_size": [32, 128]}))
    assert imported.config.base_resolution == model.config.base_resolution
    np.testing.assert_array_equal(imported(images(64)), model(images(64)))
    with pytest.raises(CheckpointError, match=r"image_size \[32, 256\] makes 2 x 16 patches, .* positions for 16"):
        import_checkpoint(place(tensors, {**transformers_config(model), "image_size": [32, 256]}))


def test_what_was_assumed_is_said(make_model, place):
    model, notes = make_model(), []
    folder = place(to_transformers(to_timm(model), "vit.", "vit"), transformers_config(model), None)
    import_checkpoint(folder, on_note=notes.append)
    assert any(each.startswith("pixels: mean 0.5, 0.5, 0.5 and std 0.5, 0.5, 0.5 are assumed") for each in notes)
    assert any(each.startswith("scores: its 5 outputs are taken for logits") for each in notes)


@pytest.mark.parametrize("head", ["sigmoid", "regression"])
def test_one_output_is_no_softmax(make_model, place, images, head):
    model = make_model(scores="sigmoid", labels=(), classes=1)
    folder = place(to_transformers(to_timm(model), "vit.", "vit"), transformers_config(model, id2label=None))
    with pytest.raises(
        CheckpointError, match="has one output, and a softmax over one class is always 100 %: say --head"
    ):
        import_checkpoint(folder)
    imported = import_checkpoint(folder, head=head)
    assert (imported.config.classes, imported.config.scores) == (1, head)
    np.testing.assert_array_equal(imported(images(48)), model(images(48)))


def test_shards_are_one_checkpoint(make_model, place, images):
    """As transformers writes large models; what lies elsewhere, or not at all, is not looked for."""
    model = make_model()
    tensors = to_transformers(to_timm(model), "vit.", "vit")
    folder = place(tensors, transformers_config(model))
    (folder / "model.safetensors").unlink()
    names, places = sorted(tensors), {}
    for number, part in enumerate((names[:20], names[20:])):
        file = f"model-0000{number + 1}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file)
        places |= dict.fromkeys(part, file)
    index = folder / "model.safetensors.index.json"
    write_json(index, {"weight_map": places})
    for source in (folder, index, folder / "model-00002-of-00002.safetensors"):
        np.testing.assert_array_equal(import_checkpoint(source)(images(48)), model(images(48)))
    for name in ("../model-00001-of-00002.safetensors", "model-00003-of-00003.safetensors"):
        write_json(index, {"weight_map": {**places, names[0]: name}})
        with pytest.raises(CheckpointError, match="which is not beside it: download all of its files"):
            import_checkpoint(folder)


def test_labels_that_are_none(make_model, place):
    model = make_model()
    config = transformers_config(model, id2label={str(index): f"LABEL_{index}" for index in range(5)})
    assert import_checkpoint(place(to_transformers(to_timm(model), "vit.", "vit"), config)).config.labels == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_act": "gelu_new"}, "hidden_act is 'gelu_new'; edgevit's MLP has the exact `gelu`"),
        ({"hidden_size": 192}, "says hidden_size 192, the tensors of model.safetensors say 24: it is another model's"),
        ({"num_attention_heads": "3"}, "num_attention_heads must be a whole number, at least 1, not '3'"),
        ({"id2label": {"0": "ash"}}, "id2label has 1 names for 5 classes"),
        ({"num_attention_heads": 5}, "width 24 is not divisible by heads 5"),
        ({"model_type": "ijepa"}, "model_type is 'ijepa'; edgevit knows vit, deit, dinov2"),
        ({"image_size": "48"}, "image_size must be a size in pixels or [height, width], not '48'"),
    ],
)
def test_config_json_is_checked(make_model, place, changes, message):
    model = make_model()
    folder = place(to_transformers(to_timm(model), "vit.", "vit"), transformers_config(model, **changes))
    with pytest.raises(EdgeViTError) as failure:
        import_checkpoint(folder)
    assert message in str(failure.value)


def test_preprocessing_that_is_no_normalisation_is_refused(make_model, place):
    model = make_model()
    folder = place(
        to_transformers(to_timm(model), "vit.", "vit"), transformers_config(model), {**SQUASH, "rescale_factor": 1.0}
    )
    with pytest.raises(CheckpointError, match=r"pixels are not brought to 0\.\.1"):
        import_checkpoint(folder)


def test_registers(make_model, place):
    """They have no positions, and stand between the class token and the patches."""
    model = make_model(patch=14, base_resolution=56)
    tensors = to_transformers(to_timm(model, scaled=True), "", "dinov2")
    registers = np.random.default_rng(0).normal(size=(1, 4, tensors["embeddings.cls_token"].shape[-1]))
    tensors["embeddings.register_tokens"] = registers.astype(np.float32)
    imported = import_checkpoint(place(tensors, transformers_config(model, "dinov2")))
    assert imported.config.prefix == 5
    np.testing.assert_array_equal(imported.positions.register_tokens, tensors["embeddings.register_tokens"][0])
    positions, theirs = np.array(imported.positions.positions), tensors["embeddings.position_embeddings"][0]
    np.testing.assert_array_equal(positions[[0, *range(5, len(positions))]], theirs)
    assert not positions[1:5].any()


def test_half_precision_is_read(make_model, place):
    import ml_dtypes

    model = make_model()
    for dtype in (np.float16, ml_dtypes.bfloat16):
        tensors = {name: value.astype(dtype) for name, value in to_transformers(to_timm(model), "vit.", "vit").items()}
        imported = import_checkpoint(place(tensors, transformers_config(model)))
        expected = np.asarray(named_weights(model)["norm/gamma"]).astype(dtype).astype(np.float32)
        np.testing.assert_array_equal(named_weights(imported)["norm/gamma"], expected)
