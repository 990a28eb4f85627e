"""A Keras model that is not ours, traced at squares and rectangles."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from converters.graph.tracing import total_stride, trace
from edgevit.errors import ResolutionError
from edgevit.model import ForeignModel
from edgevit_runtime.resolution import Resolution
from support.cnn import STRIDE, tiny_cnn


@pytest.mark.parametrize("own", [None, 64])
@pytest.mark.parametrize("resolution", [Resolution(64), Resolution(96, 48), Resolution(48, 80)])
def test_the_graph_is_the_model(own, resolution):
    """Of any size, or built for one square and freed for others."""
    model = ForeignModel(tiny_cnn(own))
    flatbuffer = trace(model, resolution)
    image = np.random.default_rng(0).integers(0, 256, (1, resolution.height, resolution.width, 3)).astype(np.uint8)
    interpreter = Interpreter(model_content=flatbuffer)
    interpreter.allocate_tensors()
    (taken,), (given,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.set_tensor(taken["index"], image)
    interpreter.invoke()
    np.testing.assert_allclose(interpreter.get_tensor(given["index"]), model.scores(image), atol=1e-5)
    assert total_stride(flatbuffer) == STRIDE


def test_a_model_built_for_a_rectangle():
    import keras

    image = keras.Input((32, 48, 3))
    numbers = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    model = ForeignModel(keras.Model(image, keras.layers.Dense(3)(numbers), name="wide"))
    assert model.resolution == Resolution(48, 32)
    assert model.scores(np.zeros((2, 32, 48, 3), np.uint8)).shape == (2, 3)
    with pytest.raises(ResolutionError, match=r"wide does not run at resolution 32x48 \(its own is 48x32; "):
        model.at("32x48")
