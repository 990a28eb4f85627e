"""What the verifier refuses: each lie that a file can tell, told alone."""

import mmap
import struct

import pytest

from converters.quantize.recipes import RECIPES
from edgevit_runtime.errors import ArtefactError
from edgevit_runtime.manifest import read_manifest
from edgevit_runtime.verify.flatbuffer import DamagedError, Parser
from edgevit_runtime.verify.operators import OPS, Operand
from edgevit_runtime.verify.tflite_schema import TABLES
from edgevit_runtime.verify.verifier import verify


@pytest.fixture(scope="module")
def model(artefact):
    """The int8-full artefact as objects that can be changed; `refusal` packs them and asks the verifier."""
    from ai_edge_litert.tools import flatbuffer_utils

    return lambda: flatbuffer_utils.read_model(artefact("int8-full"))


def asked(path):
    """What the verifier says to a changed model, by an artefact's manifest; None where it lets it pass.

    Mapped, as `Model` has its file: nothing that it says may hold on to the bytes.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    manifest = read_manifest(path)

    def ask(changed):
        content = bytes(flatbuffer_utils.convert_object_to_bytearray(changed))
        try:
            with mmap.mmap(-1, len(content)) as mapped, memoryview(mapped) as data:
                data[:] = content
                verify(data, manifest)
        except ArtefactError as error:
            return str(error)
        return None

    return ask


@pytest.fixture(scope="module")
def refusal(artefact):
    return asked(artefact("int8-full"))


@pytest.fixture(scope="module")
def int4(artefact):
    """(the int4 artefact as objects that can be changed, what the verifier says to it)"""
    from ai_edge_litert.tools import flatbuffer_utils

    return lambda: flatbuffer_utils.read_model(artefact("int4")), asked(artefact("int4"))


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_passes(artefact, recipe):
    path = artefact(recipe)
    verify(path.read_bytes(), read_manifest(path))


def test_the_packed_model_itself_passes(model, refusal):
    assert refusal(model()) is None


def op(model, code):
    """The first operator of a kind, and its subgraph."""
    graph = model.subgraphs[0]
    index = next(i for i, each in enumerate(model.operatorCodes) if max(each.builtinCode, 0) == code)
    return next(each for each in graph.operators if each.opcodeIndex == index), graph


def _index(name):
    return next(code for code, each in OPS.items() if each.name == name)


def input_beyond(model):
    op(model, _index("ADD"))[0].inputs[0] = 9999


def negative_input(model):
    op(model, _index("ADD"))[0].inputs[0] = -1


def read_before_written(model):
    operator, graph = op(model, _index("GELU"))
    operator.inputs[0] = graph.operators[-1].outputs[0]


def written_twice(model):
    operator, graph = op(model, _index("GELU"))
    operator.outputs[0] = graph.operators[0].outputs[0]


def constant_too_short(model):
    operator, graph = op(model, _index("FULLY_CONNECTED"))
    buffer = model.buffers[graph.tensors[operator.inputs[1]].buffer]
    buffer.data = buffer.data[:-16]


def output_too_large(model):
    operator, graph = op(model, _index("SOFTMAX"))
    graph.tensors[operator.outputs[0]].shape[-1] *= 8


def dynamic_shape(model):
    graph = model.subgraphs[0]
    graph.tensors[0].shapeSignature = [-1, *graph.tensors[0].shape[1:]]


def empty_shape(model):
    model.subgraphs[0].tensors[0].shape[0] = 0


def huge_shape(model):
    model.subgraphs[0].tensors[0].shape = [1 << 20, 1 << 20]


def foreign_operator(model):
    model.operatorCodes[0].builtinCode = 119  # WHILE
    model.operatorCodes[0].deprecatedBuiltinCode = 119


def variable(model):
    op(model, _index("ADD"))[0].mutatingVariableInputs = [True]


def axes_that_are_none(model):
    operator, graph = op(model, _index("TRANSPOSE"))
    tensor = graph.tensors[operator.inputs[1]]
    model.buffers[tensor.buffer].data = list(struct.pack("<i", 7) * tensor.shape[0])


def options_of_another(model):
    op(model, _index("SOFTMAX"))[0].builtinOptionsType = 8


def negative_scale(model):
    model.subgraphs[0].tensors[op(model, _index("GELU"))[0].inputs[0]].quantization.scale[0] = -1.0


def tiny_softmax_scale(model):
    operator, graph = op(model, _index("SOFTMAX"))
    graph.tensors[operator.inputs[0]].quantization.scale[0] = 2.0**-27


def scales_of_a_sum_far_apart(model):
    operator, graph = op(model, _index("ADD"))
    graph.tensors[operator.outputs[0]].quantization.scale[0] = 1e-12


def far_zero_point(model):
    model.subgraphs[0].tensors[op(model, _index("GELU"))[0].inputs[0]].quantization.zeroPoint[0] = -524299


def wrong_type(model):
    operator, graph = op(model, _index("GELU"))
    graph.tensors[operator.outputs[0]].type = 0
    graph.tensors[operator.outputs[0]].quantization = None


def subgraph_beyond(model):
    model.signatureDefs[0].subgraphIndex = 77


def signature_renamed(model):
    model.signatureDefs[0].signatureKey = b"classify_7"


def another_output(model):
    model.signatureDefs[0].outputs[0].tensorIndex = 3


def scale_not_of_the_manifest(model):
    graph = model.subgraphs[0]
    graph.tensors[graph.outputs[0]].quantization.scale[0] *= 2


LIES = {
    input_beyond: "ADD: tensor 9999 of",
    negative_input: "ADD: tensor -1 of",
    read_before_written: "is read before it is written",
    written_twice: "is written twice",
    constant_too_short: "bytes for a constant of shape",
    output_too_large: "SOFTMAX: gives",
    dynamic_shape: "a tensor whose shape is not fixed",
    empty_shape: "a tensor of shape",
    huge_shape: "a tensor of 1099511627776 bytes",
    foreign_operator: "an operator 119 that no recipe uses",
    variable: "ADD: a variable",
    axes_that_are_none: "TRANSPOSE: axes",
    options_of_another: "SOFTMAX: options of kind 8",
    negative_scale: "a scale that is no positive number",
    tiny_softmax_scale: "scales too far apart",
    scales_of_a_sum_far_apart: "scales too far apart",
    far_zero_point: "a zero point out of range",
    wrong_type: "GELU: takes no int8",
    subgraph_beyond: "subgraph 77 of 5",
    signature_renamed: "its signatures are not those of its manifest",
    another_output: "outputs",
    scale_not_of_the_manifest: "is not what the manifest says",
}


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_lies_are_refused(model, refusal, lie):
    changed = model()
    lie(changed)
    assert LIES[lie] in (refusal(changed) or "passed")


def scales_of(model, weights):
    return model.subgraphs[0].tensors[weights.quantization.details.scales]


def halves_missing(model, weights):
    model.buffers[weights.buffer].data = model.buffers[weights.buffer].data[:-16]


def scales_too_few(model, weights):
    scales_of(model, weights).shape[0] -= 1


def scales_elsewhere(model, weights):
    weights.quantization.details.scales = 9999


def scales_of_another_type(model, weights):
    weights.quantization.details.scales = model.subgraphs[0].inputs[0]


def scales_of_zero(model, weights):
    buffer = model.buffers[scales_of(model, weights).buffer]
    buffer.data = [0, 0, *buffer.data[2:]]


def scales_of_infinity(model, weights):
    buffer = model.buffers[scales_of(model, weights).buffer]
    buffer.data = [0, 0x7C, *buffer.data[2:]]


def other_blocks(model, weights):
    weights.quantization.details.blockSize = 16


def zero_points_by_blocks(model, weights):
    weights.quantization.details.zeroPoints = weights.quantization.details.scales


def no_details(model, weights):
    weights.quantization = None


def int4_under_channel_scales(model, weights):
    from ai_edge_litert import schema_py_generated as schema

    rows = weights.shape[0]
    weights.quantization = schema.QuantizationParametersT(scale=[0.1] * rows, zeroPoint=[0] * rows)


def details_of_an_activation(model, weights):
    model.subgraphs[0].tensors[op(model, _index("GELU"))[0].inputs[0]].quantization = weights.quantization


INT4_LIES = {
    halves_missing: "bytes for a constant of shape",
    scales_too_few: "bytes for a constant of shape",
    scales_elsewhere: "tensor of scales 9999 of",
    scales_of_another_type: "for int4 weights",
    scales_of_zero: "a scale that is no positive number",
    scales_of_infinity: "a scale that is no positive number",
    other_blocks: "int4 blocks in",
    zero_points_by_blocks: "zero points by blocks",
    no_details: "int4 weights without scales by blocks",
    int4_under_channel_scales: "int4 weights without scales by blocks",
    details_of_an_activation: "scales by blocks of no weights",
}


@pytest.mark.parametrize("lie", INT4_LIES, ids=lambda lie: lie.__name__)
def test_lies_about_int4_are_refused(int4, lie):
    read, ask = int4
    model = read()
    assert ask(model) is None
    lie(model, next(each for each in model.subgraphs[0].tensors if each.type == 17))
    assert INT4_LIES[lie] in ask(model)


@pytest.fixture(scope="module")
def convolutions(cnn_artefact):
    """The same of the small CNN's int8-full artefact: (objects to change, what the verifier says of them)."""
    from ai_edge_litert.tools import flatbuffer_utils

    path = cnn_artefact("int8-full")
    return lambda: flatbuffer_utils.read_model(path), asked(path)


@pytest.mark.parametrize("recipe", ["float32", "float16", "int8", "int8-full"])
def test_every_recipe_of_convolutions_passes(cnn_artefact, recipe):
    path = cnn_artefact(recipe)
    verify(path.read_bytes(), read_manifest(path))


def other_multiplier(model):
    op(model, _index("DEPTHWISE_CONV_2D"))[0].builtinOptions.depthMultiplier = 2


def kernel_beyond(model):
    operator, graph = op(model, _index("DEPTHWISE_CONV_2D"))
    graph.tensors[operator.inputs[1]].shape[1:3] = [9, 1]  # as many weights


def pool_of_nothing(model):
    op(model, _index("MAX_POOL_2D"))[0].builtinOptions.filterHeight = 0


def pool_beyond(model):
    op(model, _index("AVERAGE_POOL_2D"))[0].builtinOptions.filterWidth = 1 << 20


def no_stride(model):
    op(model, _index("AVERAGE_POOL_2D"))[0].builtinOptions.strideW = 0


def scales_of_hard_swish(model):
    operator, graph = op(model, _index("HARD_SWISH"))
    graph.tensors[operator.outputs[0]].quantization.scale[0] = 1e-12


CONVOLUTION_LIES = {
    other_multiplier: "DEPTHWISE_CONV_2D: a depthwise convolution of other channels",
    kernel_beyond: "DEPTHWISE_CONV_2D: gives",
    pool_of_nothing: "MAX_POOL_2D: a pool of 0 over",
    pool_beyond: "AVERAGE_POOL_2D: a pool of 1048576 over",
    no_stride: "AVERAGE_POOL_2D: a stride of 0",
    scales_of_hard_swish: "HARD_SWISH: scales too far apart",
}


@pytest.mark.parametrize("lie", CONVOLUTION_LIES, ids=lambda lie: lie.__name__)
def test_lies_about_convolutions_are_refused(convolutions, lie):
    model, refusal = convolutions
    changed = model()
    lie(changed)
    assert CONVOLUTION_LIES[lie] in (refusal(changed) or "passed")


@pytest.mark.parametrize(
    ("amounts", "shape", "message"),
    [
        ((0, 0, 1, 2, 3, 0, 0, 0), (4, 2), None),
        ((0, 0, -1, 2, 3, 0, 0, 0), (4, 2), "a padding out of range"),
        ((0, 0, 1 << 30, 2, 3, 0, 0, 0), (4, 2), "a padding out of range"),
        ((0, 0, 1, 2, 3, 0), (3, 2), "a padding of another rank"),
        (None, (4, 2), "the padding is no constant"),
    ],
)
def test_padding(amounts, shape, message):
    inputs = [Operand((1, 5, 6, 3), "float32"), Operand(shape, "int32", amounts)]
    if message is None:
        assert OPS[_index("PAD")].rule(inputs, {}) == [(1, 8, 9, 3)]
    else:
        with pytest.raises(DamagedError, match=message):
            OPS[_index("PAD")].rule(inputs, {})


def test_overlapping_parts_do_not_make_a_long_walk():
    """A hundred thousand tables that share one long list: read for each, it would be 40 GB."""
    count = 100_000
    vector = 40
    vtable = vector + 4 + 4 * count
    tables = vtable + 8
    shape = tables + 8 * count
    data = bytearray(shape + 4 + 4 * count)
    struct.pack_into("<I", data, 0, 16)
    struct.pack_into("<HHH", data, 8, 6, 8, 4)
    struct.pack_into("<iI", data, 16, 8, vector - 20)
    struct.pack_into("<I", data, vector, count)
    struct.pack_into("<HHH", data, vtable, 6, 8, 4)
    for index in range(count):
        place, table = vector + 4 + 4 * index, tables + 8 * index
        struct.pack_into("<I", data, place, table - place)
        struct.pack_into("<iI", data, table, table - vtable, shape - (table + 4))
    struct.pack_into("<I", data, shape, count)
    schema = {"Model": {0: ("subgraphs", "[Part]")}, "Part": {0: ("shape", "[i]")}}
    with pytest.raises(DamagedError, match="overlap"):
        Parser(bytes(data), schema).root("Model")


def test_shared_parts_are_read_once(artefact):
    """What the resolutions share is one object, so that a ladder takes little longer to verify than its parts."""
    model = Parser(artefact("int8").read_bytes(), TABLES).root("Model")
    some, others = (model["subgraphs"][index]["operators"] for index in (1, -1))  # both resample positions
    shared = {id(each) for each in some} & {id(each) for each in others}
    assert len(shared) > 0.8 * len(some)


def test_unknown_fields_are_refused():
    data = bytearray(40)
    struct.pack_into("<I", data, 0, 20)
    struct.pack_into("<HH30x", data, 4, 4 + 2 * 5, 8)
    struct.pack_into("<H", data, 4 + 4 + 2 * 4, 4)
    struct.pack_into("<i", data, 20, 16)
    with pytest.raises(DamagedError, match="a Metadata has a field 4 that this runtime does not know: upgrade it"):
        Parser(bytes(data), TABLES).root("Metadata")


@pytest.mark.parametrize(
    ("name", "inputs", "options", "shape"),
    [
        ("ADD", [(1, 4, 8), (8,)], {}, (1, 4, 8)),
        ("BATCH_MATMUL", [(2, 5, 8), (2, 7, 8)], {"adjoint_y": 1}, (2, 5, 7)),
        ("BATCH_MATMUL", [(2, 5, 7), (2, 7, 8)], {}, (2, 5, 8)),
        ("BATCH_MATMUL", [(5, 7), (2, 7, 8)], {}, (2, 5, 8)),
        ("FULLY_CONNECTED", [(1, 5, 8), (3, 8), (3,)], {"keep_dims": 1}, (1, 5, 3)),
        ("FULLY_CONNECTED", [(1, 5, 8), (3, 8), None], {}, (5, 3)),
        (
            "CONV_2D",
            [(1, 32, 48, 3), (8, 16, 16, 3), (8,)],
            {"padding": 1, "stride_w": 16, "stride_h": 16},
            (1, 2, 3, 8),
        ),
        (
            "DEPTHWISE_CONV_2D",
            [(1, 9, 8, 3), (1, 3, 3, 6), (6,)],
            {"padding": 0, "stride_w": 2, "stride_h": 2, "multiplier": 2},
            (1, 5, 4, 6),
        ),
        (
            "AVERAGE_POOL_2D",
            [(1, 7, 7, 8)],
            {"padding": 1, "stride_w": 2, "stride_h": 2, "filter_width": 3, "filter_height": 2},
            (1, 3, 3, 8),
        ),
        ("SQUEEZE", [(1, 1, 1, 8)], {"axes": (1, -2)}, (1, 8)),
        ("SQUEEZE", [(1, 1, 1, 8)], {}, (8,)),
        ("CONCATENATION", [(1, 1, 8), (1, 4, 8)], {"axis": -2}, (1, 5, 8)),
        ("SOFTMAX", [(2, 5, 5)], {"beta": 1.0}, (2, 5, 5)),
    ],
)
def test_shapes(name, inputs, options, shape):
    operands = [None if each is None else Operand(each, "float32") for each in inputs]
    assert OPS[_index(name)].rule(operands, options) == [shape]


@pytest.mark.parametrize(
    "inputs",
    [[(3, 5, 7), (2, 7, 8)], [(2, 5, 7), (7, 8)], [(5, 6), (2, 7, 8)], [(7,), (7, 8)], [(5, 7), (7,)]],
)
def test_products_that_cannot_be(inputs):
    with pytest.raises(DamagedError, match="a product"):
        OPS[_index("BATCH_MATMUL")].rule([Operand(each, "float32") for each in inputs], {})
