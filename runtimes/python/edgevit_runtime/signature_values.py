"""What stands at a signature's ends: pixels as it takes them, and outputs as real numbers."""

from __future__ import annotations

import numpy as np

from edgevit_runtime.engines.interpreters import Array
from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.signature import Signature, Tensor


def as_input(signature: Signature, image: Array) -> Array:
    """A prepared picture, uint8 [H, W, 3], as the signature takes it: [1, H, W, 3]."""
    if image.dtype != np.uint8 or image.shape != signature.input.shape[1:]:
        wanted = list(signature.input.shape[1:])
        raise EdgeViTError(f"a prepared picture is uint8 {wanted}, not {image.dtype} {list(image.shape)}")
    # int8 input: the same pixels, shifted by the zero point of -128.
    pixels = image if signature.input.dtype == "uint8" else (image ^ 0x80).view(np.int8)
    return np.ascontiguousarray(pixels)[None]


def as_real(values: Array, tensor: Tensor) -> Array:
    """Quantized outputs as real numbers; float ones as they are."""
    if tensor.scale == 0.0:
        return values.astype(np.float32, copy=False)
    return ((values.astype(np.float32) - tensor.zero_point) * tensor.scale).astype(np.float32)
