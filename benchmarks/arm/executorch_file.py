"""DeiT-Tiny as a file of ExecuTorch, made as its makers recommend for CPUs (XNNPACK): run by a Python with PyTorch.

    python executorch_file.py FORM CHECKPOINT PICTURES TO

FORM: static (activations in int8 by ranges of the pictures) or dynamic (as they come). CHECKPOINT: timm's. PICTURES:
prepared ones, uint8 [n, height, width, 3] in an .npy file. It imports nothing of the project, so that an environment of
its own does: `pip install torch timm executorch`, 3 GB.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def build(form: str, checkpoint: Path, pictures: Path, to: Path) -> None:
    """Quantized as https://docs.pytorch.org/executorch/stable/backends/xnnpack/xnnpack-quantization.html has it."""
    import timm
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from executorch.exir import to_edge_transform_and_lower
    from safetensors.torch import load_file
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    images = np.load(pictures)
    # PyTorch's fused attention would be taken apart with checks for masked rows, which run outside XNNPACK.
    timm.layers.set_fused_attn(False)
    model = timm.create_model("deit_tiny_patch16_224", img_size=images.shape[1:3]).eval()
    model.load_state_dict(load_file(checkpoint))
    mean, std = (np.array(model.pretrained_cfg[name], np.float32) for name in ("mean", "std"))
    planes = np.ascontiguousarray(((images / np.float32(255) - mean) / std).transpose(0, 3, 1, 2))
    shown = torch.from_numpy(planes).split(1)
    quantizer = XNNPACKQuantizer()
    quantizer.set_global(get_symmetric_quantization_config(is_per_channel=True, is_dynamic=form == "dynamic"))
    prepared = prepare_pt2e(torch.export.export(model, (shown[0],)).module(), quantizer)
    with torch.no_grad():
        for each in shown:
            prepared(each)
    quantized = torch.export.export(convert_pt2e(prepared), (shown[0],))
    program = to_edge_transform_and_lower(quantized, partitioner=[XnnpackPartitioner()]).to_executorch()
    to.write_bytes(program.buffer)


if __name__ == "__main__":
    form, *paths = sys.argv[1:]
    build(form, *map(Path, paths))
