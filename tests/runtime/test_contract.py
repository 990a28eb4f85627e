"""What `convert` writes is what the contract's schema says, and the schema refuses what the reader refuses."""

import copy
import json
import warnings
from pathlib import Path

import jsonschema
import pytest

from edgevit_runtime.errors import ArtefactError
from edgevit_runtime.manifest import parse_manifest, read_manifest

SCHEMA = Path(__file__).resolve().parents[2] / "runtimes" / "contract" / "manifest.schema.json"


@pytest.fixture(scope="module")
def validator():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("recipe", ["float32", "int8", "int8-static", "int4", "int8-full"])
def test_every_recipes_manifest(validator, artefact, recipe):
    validator.validate(dict(read_manifest(artefact(recipe)).raw))


def test_a_model_of_others(validator, cnn_artefact):
    validator.validate(dict(read_manifest(cnn_artefact("float32")).raw))


MEASURED = {
    "resolution": 32,
    "top1": 0.5,
    "float": {"top1": 0.75},
    "drop": 0.25,
    "drop_low": 0.0,
    "drop_high": 0.5,
    "agreement": 0.5,
}


def set_at(raw, path, value):
    *place, last = path
    for key in place:
        raw = raw[key]
    if value is None:
        del raw[last]
    else:
        raw[last] = value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema_version",), [1, 0]),
        (("tasks",), {}),
        (("tasks", "classify", "classes"), 0),
        (("tasks", "classify", "scores"), "maximum"),
        (("tasks", "classify", "labels"), None),
        (("signatures", 0, "resolution"), "32X48"),
        (("signatures", 0, "resolution"), 0),
        (("signatures", 0, "outputs", 0, "shape"), ["four"]),
        (("signatures", 0, "preprocessing", "policy"), "stretch"),
        (("signatures", 0, "preprocessing", "fill"), [0, 0, 256]),
        (("signatures", 0, "self_test"), None),
        (("default_resolution",), "big"),
        (("signatures", 0, "cost"), None),
        (("signatures", 0, "cost", "live_bytes"), -1),
        (("signatures", 0, "cost", "moved_bytes"), 0.5),
        (("signatures", 0, "tokens"), "17"),
        (("signatures", 0, "macs", "linear"), True),
        (("signatures", 0, "outputs", 0, "shape"), []),
        (("signatures", 0, "outputs", 0, "shape"), [2, 4]),
        (("signatures", 0, "outputs", 0, "dtype"), "int64"),
        (("signatures", 0, "self_test", "copies"), "1"),
        (("tasks", "classify", "labels"), [1, 2, 3, 4]),
        (("accuracy",), {"set": "x", "pictures": 0, "results": []}),
        (("accuracy",), {"set": "x", "pictures": 1, "metric": 1, "results": []}),
        (("accuracy",), {"set": "x", "pictures": 1, "results": [{**MEASURED, "agreement": "much"}]}),
        (("accuracy",), {"set": "x", "pictures": 1, "results": [{**MEASURED, "drop": None}]}),
        (("calibration",), {"folder": 1, "pictures": 2}),
        (("versions",), {"edgevit": 1}),
        (("custom_recipe",), {"rules": [{}]}),
        (("chosen_for",), {"device": "pi5"}),
        (("chosen_for",), {"device": 5, "by": "counts"}),
        (("chosen_for",), {"device": "pi5", "by": "counts", "resolution": "large"}),
        (("chosen_for",), {"device": "pi5", "by": "counts", "over_float32": {"int8": "half"}}),
    ],
)
def test_both_refuse(validator, tiny_tflite, path, value):
    raw = copy.deepcopy(dict(read_manifest(tiny_tflite).raw))
    set_at(raw, path, value)
    assert not validator.is_valid(raw)
    with pytest.raises(ArtefactError):
        parse_manifest(json.dumps(raw).encode())


@pytest.mark.parametrize("resolution", [224, "640x384", None])
def test_both_take_what_a_recipe_was_picked_for(validator, tiny_tflite, resolution):
    raw = copy.deepcopy(dict(read_manifest(tiny_tflite).raw))
    raw["chosen_for"] = {"device": "pi5", "by": "counts", "resolution": resolution, "over_float32": {"int8": 0.5}}
    validator.validate(raw)
    assert parse_manifest(json.dumps(raw).encode()).raw["chosen_for"] == raw["chosen_for"]


@pytest.mark.parametrize("agreement", [0.5, None])
def test_both_take_figures_of_models_that_agree_on_nothing(validator, tiny_tflite, agreement):
    raw = copy.deepcopy(dict(read_manifest(tiny_tflite).raw))
    raw["accuracy"] = {"set": "x", "pictures": 1, "results": [{**MEASURED, "agreement": agreement}]}
    validator.validate(raw)
    assert parse_manifest(json.dumps(raw).encode()).raw["accuracy"]["results"][0]["agreement"] == agreement


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("signatures", 0, "name"), "classify_33"),
        (("signatures", 0, "input", "shape"), [1, 64, 32, 3]),
        (("default_resolution",), 33),
        (("tasks", "classify", "classes"), 5),
        (("signatures", 1, "name"), "classify_32"),
        (("signatures", 0, "width"), 48),
        (("signatures", 0, "input", "dtype"), "float32"),
        (("signatures", 0, "outputs", 0, "dtype"), "int8"),
        (("signatures", 0, "outputs", 0, "scale"), 0.5),
        (("novelty",), json.loads("[" * 120 + "]" * 120)),
        (("novelty",), float("inf")),
        (("tasks", "classify", "labels"), ["a", "b", "c", "\ud800"]),
    ],
)
def test_what_no_schema_can_say_the_reader_refuses(tiny_tflite, path, value):
    raw = copy.deepcopy(dict(read_manifest(tiny_tflite).raw))
    set_at(raw, path, value)
    with pytest.raises(ArtefactError):
        parse_manifest(json.dumps(raw).encode())


def test_a_newer_minor_version_may_say_more(validator, tiny_tflite):
    raw = {**dict(read_manifest(tiny_tflite).raw), "schema_version": [2, 7], "novelty": {"a": 1}}
    validator.validate(raw)
    assert parse_manifest(json.dumps(raw).encode()).tasks["classify"].classes == 4


CONTRACT = SCHEMA.parent


def test_a_budget_chooses_as_the_traces_say():
    from edgevit_runtime.adaptive_resolution import Budget
    from edgevit_runtime.resolution import as_resolution

    vectors = json.loads((CONTRACT / "vectors" / "budget.json").read_text(encoding="utf-8"))
    medians_ms = {as_resolution(key): value for key, value in vectors["medians_ms"].items()}
    chosen = set()
    for trace in vectors["traces"]:
        now = [0.0]
        budget = Budget(trace["budget_ms"], medians_ms, lambda now=now: now[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for number, (seconds, resolution, latency_ms, met) in enumerate(trace["steps"]):
                assert str(budget.resolution) == resolution, (trace["name"], number)
                now[0] = seconds
                budget.record(budget.resolution, latency_ms)
                assert budget.met is met, (trace["name"], number)
                chosen.add(resolution)
    assert len(chosen) > 3


def test_damaged_files_are_refused():
    from edgevit_runtime.manifest import find_manifest
    from edgevit_runtime.verify.verifier import verify

    vectors = json.loads((CONTRACT / "vectors" / "damage.json").read_text(encoding="utf-8"))
    sealed = (CONTRACT / vectors["golden"]).read_bytes()
    assert len(sealed) == vectors["sealed_bytes"]
    whole = bytearray(sealed[: read_manifest(CONTRACT / vectors["golden"]).size_bytes])

    def patched(content, patches):
        content = bytearray(content)
        for at, text in patches:
            content[at : at + len(text) // 2] = bytes.fromhex(text)
        return bytes(content)

    def read(content):
        with memoryview(content) as data:
            manifest = parse_manifest(find_manifest(data) or b"")
            if len(content) < manifest.size_bytes:
                raise ArtefactError("truncated")
            with data[: manifest.size_bytes] as artefact:
                verify(artefact, manifest)

    whole = patched(whole, vectors["unseal"])
    read(whole)  # in order
    assert len(vectors["cases"]) > 50
    for case in vectors["cases"]:
        content = whole[: case["length"]] if "length" in case else patched(whole, case["patches"])
        content += bytes.fromhex(case.get("append", ""))
        with pytest.raises(ArtefactError):
            read(content)
