"""A signature of an artefact: one task at one resolution, with its input, its outputs, and how pictures are fitted.

A joint task, `classify+segment`, answers several tasks from one pass of the backbone; each output says whose it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from edgevit_runtime.json_values import items, number, record, shape, text, whole
from edgevit_runtime.preprocess.policy import parse_policy
from edgevit_runtime.resolution import Resolution, as_resolution
from edgevit_runtime.verify.operand import LARGEST_SCALE, SMALLEST_SCALE
from edgevit_runtime.verify.self_test import SelfTest, parse_self_test

JOINED_BY = "+"
"""What stands between the tasks in a joint task's name."""


def joint_name(tasks: Iterable[str]) -> str:
    """What the task is called that answers all of these at once: `classify+segment`."""
    return JOINED_BY.join(tasks)


def parts_of(task: str) -> tuple[str, ...]:
    """The tasks that a task's name names: of a joint one several, otherwise itself alone."""
    return tuple(task.split(JOINED_BY))


class Tensor(NamedTuple):
    """An input or output: its name, dtype, shape, and where it is quantized, real = scale * (q - zero_point).

    task: of an output of a joint task, whose it is; otherwise None.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float = 0.0
    zero_point: int = 0
    task: str | None = None


class StatedCost(NamedTuple):
    """What one inference takes besides the products that `macs` counts; see `verify.graph_cost.GraphCost`."""

    constant_macs: int
    live_bytes: int
    moved_bytes: int
    constant_bytes: int


class Preprocessing(NamedTuple):
    """How pictures are fitted for a signature: a policy, and the colour (r, g, b) that fills what stays empty."""

    policy: str
    fill: tuple[int, int, int]


class Signature(NamedTuple):
    """One task at one resolution, or several in one pass."""

    name: str
    task: str
    """A key of the manifest's `tasks`."""
    resolution: Resolution
    tokens: int
    ops: int
    partitions: int
    dtypes: Mapping[str, int]
    """Tensors by dtype, as TFLite writes it: INT8."""
    macs: Mapping[str, int]
    cost: StatedCost | None
    """None in a manifest of version 2.0."""
    input: Tensor
    outputs: tuple[Tensor, ...]
    preprocessing: Preprocessing
    self_test: SelfTest

    @property
    def tasks(self) -> tuple[str, ...]:
        """What it answers: its task, or all that its joint task joins."""
        return parts_of(self.task)

    def part(self, task: str) -> Signature:
        """Of a joint task what belongs to one of its tasks, as if that stood alone; otherwise itself."""
        if task == self.task:
            return self
        outputs = tuple(each._replace(task=None) for each in self.outputs if each.task == task)
        return self._replace(task=task, outputs=outputs)

    def output(self, name: str) -> Tensor:
        """The output of that name. Raises `ValueError` where there is none."""
        for each in self.outputs:
            if each.name == name:
                return each
        raise ValueError(f"{self.name} has no output {name!r}")


INPUTS: Mapping[str, tuple[float, int]] = {"uint8": (0.0, 0), "int8": (1.0, -128)}
"""What a picture may be: pixels as they are, or less 128; by dtype, the scale and zero point that say so."""
OUTPUTS = {"float32": (0, 0), "int8": (-128, 127), "uint8": (0, 255), "int16": (0, 0)}
"""What an output may be, and its zero point; all but float32 have a scale."""
MAX_OUTPUT_NUMBERS = 2**27


def read_signature(raw: Mapping[str, Any], version: tuple[int, int]) -> Signature:
    """From an entry of a manifest of this version.

    Raises `ValueError`, `KeyError` and the like where it is damaged, or nothing that we could run.
    """
    resolution = as_resolution(raw["resolution"])
    outputs = tuple(map(_output, items(raw, "outputs")))
    signature = Signature(
        name=text(raw, "name"),
        task=text(raw, "task"),
        resolution=resolution,
        tokens=whole(raw, "tokens", 1),
        ops=whole(raw, "ops"),
        partitions=whole(raw, "partitions"),
        dtypes={dtype: whole(raw["dtypes"], dtype) for dtype in record(raw, "dtypes")} if "dtypes" in raw else {},
        macs={kind: whole(record(raw, "macs"), kind) for kind in ("linear", "attention")},
        cost=_cost(record(raw, "cost")) if version >= (2, 1) else None,
        input=_input(record(raw, "input"), resolution),
        outputs=outputs,
        preprocessing=_preprocessing(record(raw, "preprocessing")),
        self_test=parse_self_test(record(raw, "self_test"), {each.name: math.prod(each.shape) for each in outputs}),
    )
    if signature.name != f"{signature.task}_{signature.resolution}":
        raise ValueError(f"a signature {signature.name} for {signature.task} at {signature.resolution}")
    if (whole(raw, "width"), whole(raw, "height")) != (resolution.width, resolution.height):
        raise ValueError(f"{signature.name} is {raw['width']} wide and {raw['height']} high")
    if not outputs or len({each.name for each in outputs}) < len(outputs):
        raise ValueError(f"{signature.name} has no outputs, or two of one name")
    _check_parts(signature)
    return signature


def _check_parts(signature: Signature) -> None:
    """Of a joint task each output belongs to one of its tasks, and each of these has some; of others nobody asks."""
    tasks, owners = signature.tasks, {each.task for each in signature.outputs}
    if len(set(tasks)) < len(tasks) or "" in tasks:
        raise ValueError(f"{signature.name} joins no tasks, or one twice")
    if owners != (set(tasks) if len(tasks) > 1 else {None}):
        raise ValueError(f"{signature.name} has outputs of {sorted(map(str, owners))}")


def _cost(raw: Mapping[str, Any]) -> StatedCost:
    return StatedCost(*(whole(raw, each) for each in StatedCost._fields))


def _preprocessing(raw: Mapping[str, Any]) -> Preprocessing:
    red, green, blue = (whole({"fill": each}, "fill", 0, 255) for each in items(raw, "fill"))
    found = Preprocessing(text(raw, "policy"), (red, green, blue))
    parse_policy(found.policy)
    return found


def _input(raw: Mapping[str, Any], resolution: Resolution) -> Tensor:
    found = _tensor(raw)
    if found.shape != (1, resolution.height, resolution.width, 3):
        raise ValueError(f"at {resolution} it takes {list(found.shape)}")
    if INPUTS.get(found.dtype) != (found.scale, found.zero_point):
        raise ValueError(f"its input is pixels as {found.dtype} of scale {found.scale:g}, which none are")
    return found


def _output(raw: Mapping[str, Any]) -> Tensor:
    found = _tensor(raw)._replace(task=text(raw, "task") if "task" in raw else None)
    lowest, highest = OUTPUTS.get(found.dtype, (1, 0))
    if not lowest <= found.zero_point <= highest or (found.scale > 0.0) is (found.dtype == "float32"):
        raise ValueError(f"an output of {found.dtype} with scale {found.scale:g} and zero point {found.zero_point}")
    if math.prod(found.shape) > MAX_OUTPUT_NUMBERS:
        raise ValueError(f"an output of {list(found.shape)}")
    return found


def _tensor(raw: Mapping[str, Any]) -> Tensor:
    tensor = Tensor(text(raw, "name"), text(raw, "dtype"), shape(raw, "shape"))
    if "scale" not in raw and "zero_point" not in raw:
        return tensor
    scale = number(raw, "scale")
    if not SMALLEST_SCALE <= scale <= LARGEST_SCALE:
        raise ValueError(f"{tensor.name} has the scale {scale:g}")
    return tensor._replace(scale=scale, zero_point=whole(raw, "zero_point", -(2**15), 2**15 - 1))
