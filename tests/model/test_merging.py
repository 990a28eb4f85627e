"""Models over one backbone become one; others are refused by what differs first."""

from dataclasses import replace

import numpy as np
import pytest

from edgevit.errors import ConfigError
from edgevit.model import merge_heads, named_weights
from support.two_heads import MASK_LABELS, SEGMENT, over, pair


def test_one_model_has_both_heads(tiny_config):
    classifier, segmenter = pair(tiny_config)
    said = []
    merged = merge_heads({"a": classifier, "b": segmenter}, on_note=said.append)
    images = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3)).astype(np.uint8)
    np.testing.assert_array_equal(merged(images), classifier(images))
    np.testing.assert_array_equal(merged.dense("segment", images), segmenter.dense("segment", images))
    assert merged.config.labels == tiny_config.labels
    assert merged.config.dense_head("segment").labels == MASK_LABELS
    assert (merged.config.resize, merged.config.ladder) == ("letterbox", (32, 48, 64))
    assert said == [
        f"preprocessing: letterbox for all tasks (the models' own: a {tiny_config.resize}, b letterbox); "
        "--resize chooses",
        "resolutions: 32, 48, 64, which the models were trained for between them; --resolutions chooses",
    ]


def test_what_was_asked_for_needs_no_word(tiny_config):
    classifier, segmenter = pair(tiny_config)
    said = []
    merged = merge_heads({"a": classifier, "b": segmenter}, resolutions=(48,), resize="squash", on_note=said.append)
    assert (merged.config.resize, said) == ("squash", [])


def test_the_order_of_files_does_not_matter(tiny_config):
    classifier, segmenter = pair(tiny_config)
    merged = merge_heads({"b": segmenter, "a": classifier})
    weights = {**named_weights(segmenter), **named_weights(classifier)}
    for name, variable in named_weights(merged).items():
        np.testing.assert_array_equal(variable, weights[name], name)


def test_equal_heads_are_one(tiny_config):
    classifier, segmenter = pair(tiny_config)
    both = merge_heads({"a": classifier, "b": segmenter})
    again = merge_heads({"both": both, "a": classifier})
    for name, variable in named_weights(again).items():
        np.testing.assert_array_equal(variable, named_weights(both)[name], name)


def test_the_first_weight_that_differs_is_named(tiny_config):
    classifier, segmenter = pair(tiny_config)
    kernel = named_weights(segmenter)["block1/expand/kernel"]
    kernel.assign(np.nextafter(np.asarray(kernel), np.float32(1)))
    message = r"a and b have different backbones: block1/expand/kernel differs, as 1 of \d+ weights do; .*--freeze$"
    with pytest.raises(ConfigError, match=message):
        merge_heads({"a": classifier, "b": segmenter})


DIFFERENT = {
    "width": ({"width": 48}, "different backbones: width is 32 and 48"),
    "base": ({"base_resolution": 96}, "different backbones: base_resolution is"),
    "mean": ({"mean": (0.1, 0.2, 0.3)}, "different backbones: mean is"),
    "labels": ({"labels": ("w", "x", "y", "z"), "resize": "letterbox"}, "both have a head for classify"),
    "head": ({}, "a and b both have a head for classify, and not the same one"),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_what_differs_is_refused(tiny_config, case):
    changes, message = DIFFERENT[case]
    classifier, _ = pair(tiny_config)
    config = classifier.config.with_(**changes)
    other = over(classifier, config) if case in ("labels", "head") else pair(config)[1]
    with pytest.raises(ConfigError, match=message):
        merge_heads({"a": classifier, "b": other})


def test_two_segmenters_are_refused(tiny_config):
    _, segmenter = pair(tiny_config)
    with pytest.raises(ConfigError, match="both have a head for segment, and not the same one"):
        merge_heads({"a": segmenter, "b": over(segmenter, segmenter.config, seed=9)})
    wider = segmenter.config.with_(dense_heads=(replace(SEGMENT, width=64),))
    with pytest.raises(ConfigError, match="both have a head for segment, and not the same one"):
        merge_heads({"a": segmenter, "b": over(segmenter, wider)})


def test_classifiers_of_other_preprocessing_need_a_word(tiny_config):
    classifier, _ = pair(tiny_config)
    other = over(classifier, classifier.config.with_(classes=0, labels=(), resize="crop:0.9"))
    with pytest.raises(ConfigError, match=r"want other preprocessing .*: --resize"):
        merge_heads({"a": classifier, "b": other})
