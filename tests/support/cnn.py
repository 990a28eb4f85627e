"""A small CNN with what large ones have: depthwise and padded convolutions, squeeze and excite, pools."""

from __future__ import annotations

from typing import Any

import numpy as np

STRIDE = 16
"""Its total stride, pixels."""


def tiny_cnn(size: int | None = None, *, classes: int = 4, seed: int = 3, probabilities: bool = False) -> Any:
    """A functional Keras model of raw pixels [batch, size, size, 3], its weights random and its norms not idle."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    image = keras.Input((size, size, 3))
    x = layers.Rescaling(1 / 127.5, -1.0)(image)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = layers.Activation("hard_swish")(layers.BatchNormalization()(x))
    x = layers.ZeroPadding2D(((1, 1), (1, 1)))(x)
    x = layers.DepthwiseConv2D(3, strides=2, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(x)
    squeezed = layers.Conv2D(4, 1, activation="relu")(squeezed)
    squeezed = layers.Conv2D(8, 1, activation="sigmoid")(squeezed)
    x = layers.Multiply()([x, squeezed])
    x = layers.Concatenate()([layers.MaxPooling2D(2)(x), layers.AveragePooling2D(3, 2, padding="same")(x)])
    shortcut = x
    x = layers.Conv2D(16, 1, activation="silu")(x)
    x = layers.Add()([x, shortcut])
    x = layers.SeparableConv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(classes, activation="softmax" if probabilities else None)(x)
    model = keras.Model(image, x, name="tiny_cnn")
    random = np.random.default_rng(seed)
    for variable in model.weights:
        values = np.asarray(variable)
        if "variance" in variable.path:
            variable.assign(random.uniform(0.5, 1.5, values.shape))
        else:
            variable.assign(values + random.normal(0.0, 0.3, values.shape))
    return model
