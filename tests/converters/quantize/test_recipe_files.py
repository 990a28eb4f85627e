"""Recipes of one's own: what a file may say, what it makes of a model, and that the artefact tells."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from converters import convert
from converters.graph.attention import WEIGHTINGS
from converters.graph.folded import fold, model_arrays
from converters.graph.lowering import graph
from converters.quantize.activations import activation, block_of, readers, roundings, word
from converters.quantize.fake_quantization import RoundedArithmetic, Simulation
from converters.quantize.post_training import calibrate
from converters.quantize.ranges import observe
from converters.quantize.recipe_files import ACTIVATIONS, find_recipe, read_recipe, to_toml, with_rules, write_recipe
from converters.quantize.recipes import (
    BY_POWERS,
    HEADS_ONLY,
    OPS,
    OUTSIDE,
    RECIPES,
    ROTARY,
    STEM,
    Rule,
    get_recipe,
    sites_in,
)
from edgevit.errors import ConfigError, ConversionError
from edgevit_runtime import Model, read_manifest
from support.sample_pictures import pictures_in, random_picture

DOCS = Path(__file__).resolve().parents[3] / "docs" / "quantization.md"
RULE = '[[rules]]\nweight = "int8"\nactivation = "int8-dynamic"\n'
LEFT = '[[rules]]\nweight = "float32"\n'


def file_with(tmp_path, text, name="mine.toml"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "mine.toml is not TOML: "),
        ("", "mine.toml: neither a base nor [[rules]]: nothing says how to quantize"),
        ('nam = "a"\n' + RULE, "mine.toml: unknown key 'nam'; did you mean 'name'? (known: name, summary, "),
        ('name = "int8"\n' + RULE, "mine.toml: name 'int8' is a built-in recipe's; take another"),
        ('name = "a b"\n' + RULE, "mine.toml: name 'a b' must be letters, digits"),
        ("name = 3\n" + RULE, "mine.toml: name must be a text, not 3"),
        ('base = "int9"', "mine.toml: unknown base 'int9'; did you mean 'int8'"),
        ("rules = 3", "mine.toml: rules must be tables, each begun by a line [[rules]]"),
        ('for_cpu = "yes"\n' + RULE, "mine.toml: for_cpu must be true or false, not 'yes'"),
        (RULE + '[[rules]]\nweights = "int8"', "rule 2: unknown key 'weights'; did you mean 'weight'? (known: op,"),
        (RULE + '[[rules]]\nop = "*"', "mine.toml: rule 2: weight is missing"),
        (RULE + 'op = "GELUU"', "mine.toml: rule 1: unknown op 'GELUU'; did you mean 'GELU'? (known: *, ADD,"),
        (RULE + 'sites = ["expant"]', "mine.toml: rule 1: unknown site 'expant'; did you mean 'expand'? (known: "),
        (RULE + "sites = [3]", "mine.toml: rule 1: unknown site '3'"),
        (RULE + 'sites = "expand"', "mine.toml: rule 1: sites must be a list such as ['expand'], not 'expand'"),
        (RULE + "sites = []", "mine.toml: rule 1: sites is empty; leave it out to mean all"),
        (RULE + "blocks = [-1]", "mine.toml: rule 1: block -1 must be a whole number from 0, or 'outside'"),
        (RULE + "blocks = [true]", "mine.toml: rule 1: block True must be a whole number from 0"),
        (RULE + "blocks = 3", "mine.toml: rule 1: blocks must be a list of numbers from 0"),
        ('[[rules]]\nweight = "int9"', "mine.toml: rule 1: unknown weight 'int9'; did you mean 'int8'? (known: "),
        (
            '[[rules]]\nweight = "int8"\nactivation = "int4"',
            "rule 1: unknown activation 'int4' (known: float32, int8-dynamic, int8-static, int16-static)",
        ),
        (
            '[[rules]]\nweight = "int8"',
            "rule 1: int8 weights cannot go with activation 'float32' (the default); they go with int8-dynamic, "
            "int8-static, int16-static",
        ),
        (
            '[[rules]]\nweight = "float16"\nactivation = "int8-static"',
            "rule 1: float16 weights cannot go with activation 'int8-static'; they go with float32",
        ),
        (RULE + 'op = "GELU"', "rule 1: int8-dynamic is for ops with weights, CONV_2D, FULLY_CONNECTED; GELU has none"),
        (RULE + 'sites = ["products"]', "CONV_2D, FULLY_CONNECTED; BATCH_MATMUL has none: int8-static, int16-static"),
        (
            RULE + 'op = "GELU"\nsites = ["expand"]',
            "rule 1: op 'GELU' makes nothing at site 'expand', which is FULLY_CONNECTED's",
        ),
        (
            '[[rules]]\nweight = "int8"\nactivation = "int16-static"',
            "rule 1: int16-static for all ops would take the picture in 16 bits; name sites or blocks",
        ),
        (
            LEFT + 'sites = ["logits"]\nblocks = [3]',
            "rule 1: it would say nothing: site 'logits' is not in a block but 'outside'",
        ),
        (
            LEFT + 'sites = ["expand", "scores"]\nblocks = [0, 1]',
            "rule 1: it would say nothing: site 'scores' is not in a block but 'outside'",
        ),
        (
            LEFT + 'sites = ["gelu"]\nblocks = ["outside"]',
            "rule 1: it would say nothing: site 'gelu' is in the blocks",
        ),
        (
            LEFT + 'sites = ["tokens", "expand"]\nblocks = ["outside"]',
            "rule 1: it would say nothing: site 'expand' is in the blocks",
        ),
        (
            LEFT + 'op = "CONV_2D"\nblocks = ["outside", 1]',
            "rule 1: it would say nothing: nothing in block 1 is that",
        ),
        (
            LEFT + 'sites = ["head"]',
            "unknown site 'head'; what `edgevit sensitivity` calls that is 'logits', 'averaged', 'pooled', 'shifted', "
            "'vector', 'keys', 'values', 'own', 'gathered', 'deviations', 'added', 'near', 'fine', 'halved', "
            "'level', 'tower', 'doubled', 'quarters', 'details', 'projection', 'classes', "
            "'log_distances', 'cell_logits', 'heatmaps', 'summed', 'detailed', 'enlarged', 'class_logits' here",
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path, run, text, message):
    path = file_with(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        read_recipe(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value).removesuffix("\n")
    code, _, err = run("recipes", path)
    assert code == 1
    assert "mine.toml" in err


def test_the_graph_has_the_sites_that_rules_can_name(tiny_model):
    """In each block and outside of all; `scaled` only where a norm's output has a factor; no other task's head, and
    nothing of quick GELU, rotary positions or a stem of convolutions."""
    config = tiny_model.config
    folded = fold(config, model_arrays(tiny_model), 64)
    batches = [(folded, np.zeros((1, 64, 64, 3), np.uint8))]
    seen = {site for weighting in WEIGHTINGS for site in observe(config, batches, weighting=weighting).samples}
    for place in (OUTSIDE, *range(config.depth)):
        found = {word(site) for site in seen if block_of(site) == place} - {"pixels"}
        lacking = {*HEADS_ONLY} - {"logits", "scores"} if place == OUTSIDE else set()
        lacking |= {"gate", *ROTARY, *STEM}
        lacking |= {"scaled"} if place in (OUTSIDE, config.depth - 1) else {"scaled", "queries"}
        assert found == {*sites_in(place)} - lacking


def test_a_rule_about_the_last_blocks_queries_elsewhere(tiny_model, tmp_path):
    path = file_with(tmp_path, RULE + LEFT + 'sites = ["queries"]\nblocks = [0, 1]')
    with pytest.raises(ConfigError, match=r"rule 2: it would say nothing: site 'queries' is the last block's, 2; "):
        convert(tiny_model, tmp_path / "x.tflite", recipe=path, resolutions=[32])


@pytest.mark.parametrize(
    ("rule", "hardware"),
    [
        (
            LEFT + 'sites = ["logits"]',
            "what computes in floats, too: its own rules leave some, where int8-full has ",
        ),
        (
            '[[rules]]\nsites = ["weights"]\nweight = "int8"\nactivation = "int16-static"',
            "accelerators without floats; of 16 bits they need ADD, MUL, MEAN, RSQRT, FULLY_CONNECTED; by its own "
            "rules in 16 bits SOFT",
        ),
    ],
)
def test_the_hardware_is_what_its_own_rules_leave_of_the_bases(tmp_path, rule, hardware):
    assert read_recipe(file_with(tmp_path, f'base = "int8-full"\n{rule}')).hardware.startswith(hardware)


def test_files_that_are_none(tmp_path):
    with pytest.raises(ConfigError, match=r"no such recipe file: .*gone.toml"):
        find_recipe(tmp_path / "gone.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read as text"):
        find_recipe(str(tmp_path / "bytes.toml"))
    with pytest.raises(ConfigError, match=r"is no recipe: a custom one is a .toml file"):
        find_recipe(file_with(tmp_path, RULE, "mine.txt"))
    with pytest.raises(ConfigError, match="unknown recipe 'int7'; did you mean 'int8'"):
        find_recipe("int7")
    assert find_recipe("int8") is RECIPES["int8"]


def test_what_follows_from_the_rules(tmp_path):
    islands = read_recipe(file_with(tmp_path, 'base = "int8-full"\n[[rules]]\nsites = ["gelu"]\nweight = "float32"'))
    assert (islands.name, islands.base, islands.integer_io, islands.for_cpu) == ("mine", "int8-full", True, False)
    plain = read_recipe(file_with(tmp_path, RULE))
    assert (plain.base, plain.integer_io, plain.for_cpu, plain.needs_calibration) == ("", False, True, False)
    assert not read_recipe(file_with(tmp_path, "for_cpu = false\n" + RULE)).for_cpu
    wide = '[[rules]]\nsites = ["gelu"]\nweight = "int8"\nactivation = "int16-static"'
    assert not read_recipe(file_with(tmp_path, wide)).for_cpu


def test_written_and_read_again_it_is_the_same(tmp_path):
    rules = (
        Rule("*", "int8", "int16-static", ("weights", "mixed"), 'why "quoted" \\ ü 😀', (0, 11)),
        Rule("FULLY_CONNECTED", "float32", blocks=(1, OUTSIDE)),
    )
    recipe = with_rules(get_recipe("int8-full"), rules, "mine", summary="two rules")
    write_recipe(recipe, tmp_path / "mine.toml")
    again = read_recipe(tmp_path / "mine.toml")
    assert dataclasses.replace(again, source="") == recipe
    assert to_toml(again) == to_toml(recipe)
    more = with_rules(again, (Rule("GELU", "float32"),), "more")
    write_recipe(more, tmp_path / "more.toml")
    assert read_recipe(tmp_path / "more.toml").rules == more.rules
    write_recipe(get_recipe("int8"), tmp_path / "plain.toml")
    plain = read_recipe(tmp_path / "plain.toml")
    assert (plain.rules, plain.summary) == (get_recipe("int8").rules, "int8 as it is")
    with pytest.raises(ConfigError, match=r"a recipe is written as a .toml file, not 'mine.txt'"):
        write_recipe(recipe, tmp_path / "mine.txt")


def test_every_op_is_one_that_the_quantizer_knows():
    """Or that edgevit quantizes by itself, `integer_weights`."""
    from ai_edge_quantizer import qtyping

    by_others = {op for site, op in OPS.items() if site not in BY_POWERS}
    assert by_others <= {each.value for each in qtyping.TFLOperationName}
    assert set(ACTIVATIONS) >= {rule.weight for recipe in RECIPES.values() for rule in recipe.rules}


def tensors(path):
    """The name of what each op of the first subgraph puts out -> its dtype; but for what is put between ops."""
    names = {value: name for name, value in vars(schema.TensorType).items() if isinstance(value, int)}
    model = flatbuffer_utils.read_model(str(path))
    graph = model.subgraphs[0]
    outputs = [graph.tensors[op.outputs[0]] for op in graph.operators]
    return {
        each.name.decode().partition(";")[0]: names[each.type]
        for each in outputs
        if not each.name.decode().endswith(("_quantized", "_dequant"))
    }


MIXED = """
name = "mixed"
base = "int8-full"
[[rules]]
sites = ["weights", "mixed"]
blocks = [0, 2]
weight = "int8"
activation = "int16-static"
[[rules]]
sites = ["expand", "gelu"]
blocks = [1]
weight = "float32"
[[rules]]
sites = ["patches"]
weight = "float32"
[[rules]]
op = "FULLY_CONNECTED"
weight = "float32"
blocks = ["outside"]
why = "the head"
"""


@pytest.fixture(scope="module")
def mixed(tiny_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "mixed.toml").write_text(MIXED)
    pictures = pictures_in(folder / "pictures", 16)
    convert(tiny_model, folder / "x.tflite", recipe=folder / "mixed.toml", resolutions=[64], calibration=pictures)
    return folder


def test_rules_reach_their_blocks_and_no_others(mixed):
    found = tensors(mixed / "x.tflite")
    for block in range(3):
        softmax = found[f"block{block}/attention/weights/Softmax"]
        assert softmax == ("INT8" if block == 1 else "INT16")
        expand = next(dtype for name, dtype in found.items() if name.startswith(f"block{block}/expand/MatMul"))
        assert expand == ("FLOAT32" if block == 1 else "INT8")
    graph = flatbuffer_utils.read_model(str(mixed / "x.tflite")).subgraphs[0]
    heads = [[graph.tensors[index] for index in (*op.inputs, *op.outputs)] for op in graph.operators]
    head = next(each for each in heads if each[-1].name == b"logits" and len(each) == 4)
    assert {tensor.type for tensor in head} == {schema.TensorType.FLOAT32}  # and then becomes int8, to be put out


def test_a_rule_reaches_what_the_graph_puts_out():
    """Whose tensor is called as the signature's output is, with nothing behind it; the quantizer adds a semicolon."""
    rule = Rule("FULLY_CONNECTED", "float32", sites=("logits",))
    for name in ("logits", "logits;", "logits/MatMul;logits/add;", "scores;"):  # values are the logits themselves
        assert re.match(rule.pattern, name), name
    for name in ("scores2;", "logits2;", "block0/expand/MatMul;"):
        assert not re.match(rule.pattern, name), name


def test_the_artefact_computes_what_is_simulated(tiny_model, mixed):
    """So that ranges, rounded layers and rules meet in the blocks that they are for."""
    recipe, config = read_recipe(mixed / "mixed.toml"), tiny_model.config
    seen = calibrate(config, model_arrays(tiny_model), recipe, (64,), sorted((mixed / "pictures").iterdir()))
    prepared = seen.prepared(recipe)
    images = np.stack([np.asarray(random_picture(300 + index, (64, 64))) for index in range(16)])
    folded = prepared.with_rounded(fold(config, model_arrays(tiny_model), 64))
    simulated = graph(config, folded, do=RoundedArithmetic(recipe, prepared.calibration.ranges))(images)["scores"][:, 0]
    with Model(mixed / "x.tflite", weight_cache=False) as model:
        scores = np.stack([model.outputs(image)["scores"] for image in images])
    assert np.abs(simulated - scores).mean() < 0.01
    assert prepared.rounded.blocks[1].expand is prepared.equalized.blocks[1].expand  # float: nothing to round for
    assert prepared.rounded.blocks[0].expand is not prepared.equalized.blocks[0].expand


def test_the_artefact_tells_what_it_is(mixed, run):
    manifest = read_manifest(mixed / "x.tflite")
    assert manifest.recipe == "mixed"
    custom = manifest.raw["custom_recipe"]
    assert custom["base"] == "int8-full"
    assert custom["rules"][0] == {
        "op": "*",
        "weight": "int8",
        "activation": "int16-static",
        "sites": ["weights", "mixed"],
        "blocks": [0, 2],
    }
    code, out, err = run("inspect", mixed / "x.tflite")
    assert code == 0
    assert "mixed: int8-full, and then:" in out + err
    assert "all ops at expand, gelu in blocks 1: left in float32" in out + err
    code, out, _ = run("recipes", mixed / "mixed.toml", "--json")
    assert code == 0
    assert json.loads(out)["recipes"][0]["rules"][-1]["why"] == "the head"


def test_a_later_rule_wins_whichever_pattern_came_first(tiny_model, tiny_tflite, tmp_path):
    """ai-edge-quantizer keeps patterns in the order of their first coming."""
    text = RULE + '[[rules]]\nblocks = [1]\nweight = "float32"\n' + RULE
    convert(tiny_model, tmp_path / "a.tflite", recipe=file_with(tmp_path, text), resolutions=[32])
    image = np.asarray(random_picture(5, (32, 32)))
    with Model(tmp_path / "a.tflite") as ours, Model(tiny_tflite) as plain:
        np.testing.assert_array_equal(ours.outputs(image)["scores"], plain.outputs(image)["scores"])


def test_a_block_that_the_model_has_not(tiny_model, tmp_path):
    path = file_with(tmp_path, RULE + "[[rules]]\nblocks = [0, 3]\nweight = 'float32'\n")
    with pytest.raises(ConfigError, match=r"mine.toml: rule 2: block 3: the model has blocks 0 to 2"):
        convert(tiny_model, tmp_path / "x.tflite", recipe=path)
    with pytest.raises(ConfigError, match=r"mine.toml: rule 2: block 3: the model has blocks 0 to 2"):
        Simulation(tiny_model, str(path))
    assert not (tmp_path / "x.tflite").exists()


def test_a_custom_recipe_is_fine_tuned_for_as_others_are(tiny_model, mixed, tmp_path):
    from edgevit.model import build, named_weights

    model = build(tiny_model.config, seed=1)
    for name, variable in named_weights(model).items():
        variable.assign(named_weights(tiny_model)[name])
    simulation = Simulation(model, str(mixed / "mixed.toml"))
    simulation.calibrate([np.stack([np.asarray(random_picture(index, (64, 64))) for index in range(4)])])
    model.calibration = simulation.calibration()
    assert model.calibration.recipe == "mixed"
    convert(model, tmp_path / "x.tflite", recipe=mixed / "mixed.toml", resolutions=[64])
    other = file_with(tmp_path, MIXED.replace('"mixed"\n', '"other"\n', 1))
    with pytest.raises(ConversionError, match=r"other needs pictures to calibrate with: .*were learned for mixed"):
        convert(model, tmp_path / "y.tflite", recipe=other, resolutions=[64])


def test_who_reads_what():
    """What is left float is rounded as its integer readers read it; the artefact's own ranges: `test_simulation`."""
    full = get_recipe("int8-full")
    assert readers("block1/attention/weights") == ("mixed",)
    tokens = ("logits", "summed", "quarters", "details", "projection", "classes")
    assert readers("norm/normalised") == (*tokens, "pooled", "scaled", "keys", "mixed")
    island = with_rules(full, (Rule("*", "float32", sites=("gelu",), blocks=(1,)),), "x")
    assert activation("block1/gelu", island) == "float32"
    assert activation("block0/gelu", island) == "int8-static"
    assert roundings("block1/gelu", island) == ("int8",)  # as `contract` reads it
    assert roundings("block1/expand", island) == ("int8",)
    last = with_rules(full, (Rule("*", "float32", blocks=(0, 1, 2)),), "x")
    assert roundings("block2/tokens", last) == ("int16",)  # as the last norm reads it
    assert roundings("block1/attended", last) == ()


@pytest.mark.slow
def test_the_example_of_the_docs(tiny_model, tmp_path):
    text = DOCS.read_text(encoding="utf-8")
    pictures, found = pictures_in(tmp_path / "p"), []
    for index, example in enumerate(re.findall(r"```toml\n(.*?)```", text, re.DOTALL)):
        path = file_with(tmp_path, example)
        found.append((read_recipe(path).base, read_recipe(path).weighting))
        convert(tiny_model, tmp_path / f"{index}.tflite", recipe=path, resolutions=[32], calibration=pictures)
    assert found == [("int8-full", "softmax"), ("int8-attention", "powers")]
