"""What a graph costs is counted as it is, stated in the manifest, and bounded by the file's size."""

import json

import pytest

from edgevit_runtime import ArtefactError, Model
from edgevit_runtime.manifest import read_manifest
from edgevit_runtime.verify import graph_cost
from edgevit_runtime.verify.flatbuffer import DamagedError
from edgevit_runtime.verify.graph_cost import Counter, GraphCost, check_bounds
from edgevit_runtime.verify.operand import Operand
from support.editable_artefact import EditableArtefact
from support.structured_damage import Costs


@pytest.fixture(scope="module")
def whole(artefact):
    return EditableArtefact(artefact("float32", 48))


def opened(content, tmp_path):
    path = tmp_path / "changed.tflite"
    path.write_bytes(content)
    Model(path, weight_cache=False).close()


def test_a_graph_by_hand():
    """x [1, 4, 8] times weights [16, 8], plus a constant, times itself: each number by hand."""
    tensors = [
        Operand((1, 4, 8), "float32"),
        Operand((16, 8), "int8", constant=True),
        Operand((1, 4, 16), "float32"),
        Operand((16,), "float32", constant=True),
        Operand((1, 4, 16), "float32"),
        Operand((1, 4, 4), "float32"),
        Operand((2, 3), "float32", constant=True),
        Operand((2, 2), "float32"),
    ]
    counter = Counter(tensors, [0])
    counter.add("FULLY_CONNECTED", {}, [0, 1, -1], [2])
    counter.add("ADD", {}, [2, 3], [4])
    counter.add("BATCH_MATMUL", {"adjoint_y": 1}, [4, 4], [5])
    counter.add("BATCH_MATMUL", {"adjoint_y": 1}, [6, 6], [7])
    found = counter.total([5])
    assert (found.linear_macs, found.attention_macs, found.constant_macs) == (4 * 16 * 8, 4 * 4 * 16, 2 * 2 * 3)
    assert found.live_bytes == 2 * 4 * 16 * 4  # what ADD reads and writes
    assert found.constant_bytes == 16 * 8 + 16 * 4 + 2 * 2 * 3 * 4
    read_and_written = (128 + 128 + 256) + (256 + 64 + 256) + (2 * 256 + 64) + (2 * 24 + 16)
    assert found.moved_bytes == read_and_written


@pytest.mark.parametrize(("zero", "counted"), [(True, (0, 0, 2 * 4)), (False, (2 * 4, 0, 0))])
def test_what_is_multiplied_by_zero_tells_nothing_of_the_picture(zero, counted):
    """x [1, 2] times 0.0, plus a constant [2, 2], times another [2, 2]."""
    tensors = [
        Operand((1, 2), "float32"),
        Operand((1, 1), "float32", constant=True, zero=zero),
        Operand((1, 2), "float32"),
        Operand((2, 2), "float32", constant=True),
        Operand((2, 2), "float32"),
        Operand((2, 2), "float32"),
    ]
    counter = Counter(tensors, [0])
    counter.add("MUL", {}, [0, 1], [2])
    counter.add("ADD", {}, [2, 3], [4])
    counter.add("BATCH_MATMUL", {}, [4, 3], [5])
    found = counter.total([5])
    assert (found.linear_macs, found.attention_macs, found.constant_macs) == counted


def test_a_pool_reads_each_window():
    tensors = [Operand((1, 8, 8, 2), "int8"), Operand((1, 8, 8, 2), "int8")]
    counter = Counter(tensors, [0])
    counter.add("MAX_POOL_2D", {"filter_width": 5, "filter_height": 3}, [0], [1])
    assert counter.total([1]).moved_bytes == 128 + 128 + 15 * 128


@pytest.mark.parametrize("recipe", ["float32", "float16", "int8", "int4", "int8-full"])
def test_every_manifest_states_it(artefact, recipe):
    for signature in read_manifest(artefact(recipe)).signatures:
        assert signature.cost.live_bytes >= signature.resolution.pixels * 3
        assert signature.cost.moved_bytes > signature.cost.live_bytes
        # All weights are read once: not much less than the file, and no more than twice where they are unpacked.
        assert 0 < signature.cost.constant_bytes < 2 * artefact(recipe).stat().st_size


@pytest.mark.parametrize(
    ("part", "key"),
    [
        *(("macs", key) for key in ("linear", "attention")),
        *(("cost", key) for key in ("constant_macs", "live_bytes", "moved_bytes", "constant_bytes")),
    ],
)
def test_a_manifest_that_states_something_else(whole, tmp_path, part, key):
    for more in (-1, 1):
        manifest = json.loads(json.dumps(whole.manifest))
        manifest["signatures"][0][part][key] += more
        with pytest.raises(ArtefactError, match=r"classify_48 takes \d+ .*, not \d+ as the manifest says"):
            opened(whole.changed((), manifest), tmp_path)


def test_a_manifest_that_states_nothing(whole, tmp_path):
    """That of version 2.0 did not; a newer one has to."""
    manifest = json.loads(json.dumps(whole.manifest))
    for each in manifest["signatures"]:
        del each["cost"]
    with pytest.raises(ArtefactError, match="cost is an object, not None"):
        opened(whole.changed((), manifest), tmp_path)
    opened(whole.changed((), {**manifest, "schema_version": [2, 0]}), tmp_path)


def test_other_operators_and_types_than_stated(whole, tmp_path):
    for key, value, message in (
        ("ops", 3, r"classify_48 has \d+ operators, not 3"),
        ("dtypes", {"FLOAT32": 2}, "classify_48 has tensors of other types than it says"),
    ):
        manifest = json.loads(json.dumps(whole.manifest))
        manifest["signatures"][0][key] = value
        with pytest.raises(ArtefactError, match=message):
            opened(whole.changed((), manifest), tmp_path)


def test_small_files_that_ask_for_much(whole, tmp_path):
    """Their manifests state just that: each was counted right, and is too much."""
    messages = set()
    damage = Costs(whole)
    for number in range(60):
        content = damage.damaged(number)
        if len(content) > 3_000_000:
            continue
        try:
            opened(content, tmp_path)
        except ArtefactError as error:
            messages.add(str(error).partition("tampered with: ")[2].split(" of an ")[0].lstrip("0123456789 "))
    assert {"live_bytes", "moved_bytes", "constant_bytes", "macs"} <= messages


def test_bounds():
    fine = GraphCost(10**9, 10**8, 0, 10**8, 10**9, 10**7)
    check_bounds([fine] * 8, 10**7)
    with pytest.raises(DamagedError, match="live_bytes of an inference"):
        check_bounds([fine._replace(live_bytes=2**29)], 10**5)
    with pytest.raises(DamagedError, match="inferences that take"):
        check_bounds([fine] * 40, 10**7)
    with pytest.raises(DamagedError, match="multiply-accumulates"):
        check_bounds([fine._replace(linear_macs=graph_cost.MAX_MACS + 1)], 2**31)
