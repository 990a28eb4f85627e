"""The tables of a TFLite file as far as an artefact uses them: tensorflow/lite/schema/schema.fbs, version 3.

What is not listed (custom ops, sparse tensors, external buffers, variables) no artefact has, and the
reader refuses. Parts that a check reads from a table are named here once.
"""

from __future__ import annotations

from edgevit_runtime.verify.flatbuffer import Fields

# table -> {field number: (name, what it holds)}
TABLES: dict[str, Fields] = {
    "Model": {
        0: ("version", "I"),
        1: ("codes", "[OperatorCode]"),
        2: ("subgraphs", "[SubGraph]"),
        3: ("description", "string"),
        4: ("buffers", "[Buffer]"),
        5: ("metadata_buffer", "[i]"),
        6: ("metadata", "[Metadata]"),
        7: ("signatures", "[SignatureDef]"),
    },
    "OperatorCode": {0: ("short_code", "b"), 2: ("version", "i"), 3: ("code", "i")},
    "SubGraph": {
        0: ("tensors", "[Tensor]"),
        1: ("inputs", "[i]"),
        2: ("outputs", "[i]"),
        3: ("operators", "[Operator]"),
        4: ("name", "string"),
        5: ("debug_metadata_index", "i"),
    },
    "Tensor": {
        0: ("shape", "[i]"),
        1: ("type", "b"),
        2: ("buffer", "I"),
        3: ("name", "string"),
        4: ("quantization", "Quantization"),
        7: ("shape_signature", "[i]"),
        8: ("has_rank", "b"),
    },
    "Quantization": {
        0: ("min", "[f]"),
        1: ("max", "[f]"),
        2: ("scale", "[f]"),
        3: ("zero_point", "[q]"),
        4: ("details_type", "B"),
        5: ("details_at", "offset"),
        6: ("dimension", "i"),
    },
    "Blockwise": {0: ("scales", "i"), 1: ("zero_points", "i"), 2: ("block_size", "i")},
    "Operator": {
        0: ("opcode", "I"),
        1: ("inputs", "[i]"),
        2: ("outputs", "[i]"),
        3: ("options_type", "B"),
        4: ("options_at", "offset"),
        7: ("mutating", "[b]"),
        8: ("intermediates", "[i]"),
        13: ("debug_metadata_index", "i"),
    },
    "Buffer": {0: ("data", "bytes"), 1: ("offset", "Q"), 2: ("size", "Q")},
    "Metadata": {0: ("name", "string"), 1: ("buffer", "I")},
    "SignatureDef": {
        0: ("inputs", "[TensorMap]"),
        1: ("outputs", "[TensorMap]"),
        2: ("key", "string"),
        4: ("subgraph", "I"),
    },
    "TensorMap": {0: ("name", "string"), 1: ("tensor", "I")},
    # Options of operators, by the names that `ops.OPS` gives them.
    "None": {},
    "Fused": {0: ("activation", "b"), 1: ("pot_scale", "b")},
    "BatchMatMul": {0: ("adjoint_x", "b"), 1: ("adjoint_y", "b"), 2: ("asymmetric", "b")},
    "Cast": {0: ("from", "b"), 1: ("to", "b")},
    "Concatenation": {0: ("axis", "i"), 1: ("activation", "b")},
    "Conv2D": {
        0: ("padding", "b"),
        1: ("stride_w", "i"),
        2: ("stride_h", "i"),
        3: ("activation", "b"),
        4: ("dilation_w", "i"),
        5: ("dilation_h", "i"),
        6: ("bias_type", "b"),
    },
    "DepthwiseConv2D": {
        0: ("padding", "b"),
        1: ("stride_w", "i"),
        2: ("stride_h", "i"),
        3: ("multiplier", "i"),
        4: ("activation", "b"),
        5: ("dilation_w", "i"),
        6: ("dilation_h", "i"),
    },
    "FullyConnected": {
        0: ("activation", "b"),
        1: ("format", "b"),
        2: ("keep_dims", "b"),
        3: ("asymmetric", "b"),
        4: ("bias_type", "b"),
    },
    "Gelu": {0: ("approximate", "b")},
    "Pool2D": {
        0: ("padding", "b"),
        1: ("stride_w", "i"),
        2: ("stride_h", "i"),
        3: ("filter_width", "i"),
        4: ("filter_height", "i"),
        5: ("activation", "b"),
    },
    "Reduce": {0: ("keep_dims", "b")},
    "Reshape": {0: ("shape", "[i]")},
    "ResizeBilinear": {2: ("align_corners", "b"), 3: ("half_pixel_centers", "b")},
    "Softmax": {0: ("beta", "f")},
    "Squeeze": {0: ("axes", "[i]")},
    "Split": {0: ("count", "i")},
    "StridedSlice": {
        0: ("begin_mask", "i"),
        1: ("end_mask", "i"),
        2: ("ellipsis_mask", "i"),
        3: ("new_axis_mask", "i"),
        4: ("shrink_mask", "i"),
        5: ("offset", "b"),
    },
}

# TensorType -> numpy's name
TYPES: dict[int, str] = {
    0: "float32",
    1: "float16",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
    17: "int4",
}
