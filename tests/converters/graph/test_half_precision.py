"""Half precision, simulated: each number that the graph computes is stored in 16 bits, sums are in 32.

So a GPU's accelerator does it (`tests/runtime/engines/test_accelerators.py` asks one): squares of the stream are the
first to leave the range, from 256 on.
"""

import numpy as np
import pytest
import tensorflow as tf

from converters.graph.arithmetic import Arithmetic
from converters.graph.folded import fold, model_arrays
from converters.graph.lowering import graph
from converters.graph.positions import InFloats
from edgevit.checkpoints import import_checkpoint
from edgevit_runtime.preprocess.fitting import prepare
from support.sample_pictures import random_picture


class InHalves(Arithmetic):
    """Notes the largest number at each site, before it is rounded."""

    def __init__(self):
        self.largest = {}

    def result(self, site, values):
        self.largest[site] = max(self.largest.get(site, 0.0), float(np.abs(values).max()))
        return tf.cast(tf.cast(values, tf.float16), tf.float32)


def both(model, resolution, images):
    """Logits in float32 and in half precision, [pictures, classes] each; and what was noted."""
    folded = fold(model.config, model_arrays(model), resolution, resampling=InFloats)
    plain, halves = graph(model.config, folded), InHalves()
    rounded = graph(model.config, folded, do=halves)
    found = [[np.asarray(run(image[None])["logits"])[0] for image in images] for run in (plain, rounded)]
    return np.stack(found[0]), np.stack(found[1]), halves.largest


@pytest.mark.parametrize("resolution", [48, 64, 96])
def test_it_stays_in_range_and_near(tiny_model, resolution):
    images = [np.asarray(random_picture(seed, (resolution, resolution))) for seed in range(4)]
    exact, found, largest = both(tiny_model, resolution, images)
    assert max(largest.values()) < np.finfo(np.float16).max
    assert {"squares", "variance", "products", "weights", "mixed", "gelu", "tokens"} <= {
        site.rpartition("/")[2] for site in largest
    }
    assert ("positions/columns" in largest) == (resolution != 64)
    np.testing.assert_allclose(found, exact, atol=0.02 * np.abs(exact).max())
    assert np.abs(found - exact).max() > 0  # it was rounded


def test_a_stream_beyond_256_leaves_it(tiny_model):
    """Which is found out, and not only here: what is no number passes no self-test."""
    from edgevit.model import build, transfer

    model = build(tiny_model.config, seed=1)
    transfer(tiny_model, model, keep_head=True)
    bias = np.array(model.patches.projection.bias)
    bias[0] = 400.0
    model.patches.projection.bias.assign(bias)
    image = np.asarray(random_picture(1, (64, 64)))
    exact, found, largest = both(model, 64, [image])
    assert np.isfinite(exact).all()
    assert largest["block0/norm1/squares"] > np.finfo(np.float16).max
    assert np.abs(found - exact).max() > 0.1 or not np.isfinite(found).all()


@pytest.mark.realdata
@pytest.mark.parametrize("resolution", [224, 384])
def test_real_weights_stay_far_from_its_end(real_data, resolution):
    (file,) = (real_data / "deit_tiny").glob("*.safetensors")
    model = import_checkpoint(file, "deit-tiny")
    files = sorted((real_data / "imagenet_val").glob("*.JPEG"))[:2]
    exact, found, largest = both(model, resolution, [prepare(each, resolution, "squash") for each in files])
    assert max(largest.values()) < np.finfo(np.float16).max / 4
    np.testing.assert_array_equal(found.argmax(axis=1), exact.argmax(axis=1))
    np.testing.assert_allclose(found, exact, atol=0.05)
