"""A signature of an artefact: one task at one resolution, with its input, its outputs, and how pictures are fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from edgevit_runtime.preprocess.policy import parse_policy
from edgevit_runtime.resolution import Resolution, as_resolution
from edgevit_runtime.verify.self_test import SelfTest, parse_self_test


class Tensor(NamedTuple):
    """An input or output: its name, dtype, shape, and where it is quantized, real = scale * (q - zero_point)."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float = 0.0
    zero_point: int = 0


class Preprocessing(NamedTuple):
    """How pictures are fitted for a signature: a policy, and the colour (r, g, b) that fills what stays empty."""

    policy: str
    fill: tuple[int, int, int]


class Signature(NamedTuple):
    """One task at one resolution."""

    name: str
    task: str
    resolution: Resolution
    tokens: int
    ops: int
    partitions: int
    macs: Mapping[str, int]
    input: Tensor
    outputs: tuple[Tensor, ...]
    preprocessing: Preprocessing
    self_test: SelfTest

    def output(self, name: str) -> Tensor:
        """The output of that name. Raises `ValueError` where there is none."""
        for each in self.outputs:
            if each.name == name:
                return each
        raise ValueError(f"{self.name} has no output {name!r}")


def read_signature(raw: Mapping[str, Any]) -> Signature:
    """From the manifest's entry. Raises `ValueError`, `KeyError` and the like where that is damaged."""
    outputs = tuple(map(_tensor, raw["outputs"]))
    signature = Signature(
        name=str(raw["name"]),
        task=str(raw["task"]),
        resolution=as_resolution(raw["resolution"]),
        tokens=int(raw["tokens"]),
        ops=int(raw["ops"]),
        partitions=int(raw["partitions"]),
        macs={"linear": int(raw["macs"]["linear"]), "attention": int(raw["macs"]["attention"])},
        input=_tensor(raw["input"]),
        outputs=outputs,
        preprocessing=_preprocessing(raw["preprocessing"]),
        self_test=parse_self_test(raw["self_test"], {each.name: math.prod(each.shape) for each in outputs}),
    )
    if signature.name != f"{signature.task}_{signature.resolution}":
        raise ValueError(f"a signature {signature.name} for {signature.task} at {signature.resolution}")
    if signature.input.shape != (1, signature.resolution.height, signature.resolution.width, 3):
        raise ValueError(f"{signature.name} takes {list(signature.input.shape)}")
    return signature


def _preprocessing(raw: Mapping[str, Any]) -> Preprocessing:
    red, green, blue = (int(each) for each in raw["fill"])
    if not all(0 <= each <= 255 for each in (red, green, blue)):
        raise ValueError(f"a colour {[red, green, blue]}")
    found = Preprocessing(str(raw["policy"]), (red, green, blue))
    parse_policy(found.policy)
    return found


def _tensor(raw: Mapping[str, Any]) -> Tensor:
    return Tensor(
        name=str(raw["name"]),
        dtype=str(raw["dtype"]),
        shape=tuple(map(int, raw["shape"])),
        scale=float(raw.get("scale", 0.0)),
        zero_point=int(raw.get("zero_point", 0)),
    )
