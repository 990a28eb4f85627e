"""Attention's weights in integers: what ai-edge-quantizer leaves in floats of a recipe whose weighting is `powers`.

It knows no REDUCE_MAX and no EXP, so it brings [heads, N, N] to floats and back around them. Here, behind it:

- The largest product of a row is found, and taken away, in steps of the products: exactly.
- e to the power of what is left is 0 to 1, in 255 steps. DEQUANTIZE, EXP and QUANTIZE, which stay, are one table to
  XNNPACK. What adds the weights up (`weighting`) reads the same rounded ones, so that a row's shares sum to one.
- A row's weights sum to anything from 1 to N, and so does what they make of the values. So it is computed twice, in
  coarse steps that hold all of it, and in steps a `FINENESS` as large that hold the rows in which few tokens count.
  Where the fine ones end, both end alike: what a fine one says more than its coarse one is added to that.
- Queries, keys and values are read as QKV's layer puts them out where its zero point is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from converters.graph.packing import pack
from converters.graph.tflite_model import op_name, tensor_name
from converters.quantize.activations import UNIT, site_of, word
from converters.quantize.fake_rounding import FINENESS, LEVELS, nudged

__all__ = ["with_integer_weights"]

INT8, FLOAT = schema.TensorType.INT8, schema.TensorType.FLOAT32
Params = tuple[float, int]
"""Scale and zero point."""
VERSIONS = {"ADD": 1, "SUB": 2, "QUANTIZE": 2, "DEQUANTIZE": 2, "REDUCE_MAX": 2}
"""Of the operators that are made here, the first that took int8 (tensorflow/lite/tools/versioning/op_version.cc)."""


def with_integer_weights(quantized: bytes, ranges: Mapping[str, tuple[float, float]]) -> bytes:
    """`quantized`, as the module's text has it; as it is where no product of attention is in int8.

    ranges: by site, as they were given for it.
    """
    rewriting = _Rewriting(quantized)
    found = [
        (operator, site)
        for operator in list(rewriting.subgraph.operators)
        if rewriting.name(operator) == "BATCH_MATMUL" and (site := rewriting.site(operator.outputs[0], ranges))
    ]
    for operator, site in found:
        if word(site) == "products":
            _below(rewriting, operator, nudged(*ranges[site]))
        else:
            _weighed(rewriting, operator)
    return rewriting.packed() if found else quantized


def _below(rewriting: _Rewriting, product: Any, ends: tuple[float, float]) -> None:
    """Products less the largest of their row, in int8."""
    (products,) = product.outputs
    low, high = ends
    step = (high - low) / LEVELS
    rewriting.set_params(products, (step, -128 - round(low / step)))
    rewriting.read_plainly(product)
    (plain,) = rewriting.readers(products)  # DEQUANTIZE
    top, less = (
        next(each for each in rewriting.readers(plain.outputs[0]) if rewriting.name(each) == name)
        for name in ("REDUCE_MAX", "SUB")
    )
    real = less.outputs[0]
    top.inputs = [products, top.inputs[1]]
    rewriting.make_int8(top, rewriting.params(products))
    less.inputs = [products, top.outputs[0]]
    less.outputs = [rewriting.like(real, "integer", INT8, (step, 127))]  # from -255 steps to 0
    rewriting.remove(plain)
    rewriting.add("DEQUANTIZE", [less.outputs[0]], real)
    for each in (top, less):
        rewriting.recode(each)


def _weighed(rewriting: _Rewriting, product: Any) -> None:
    """The sum of the values by the weights in coarse steps, and what finer ones say more."""
    rewriting.read_plainly(product)
    weights = product.inputs[0]
    (low, high), (coarse,) = UNIT, product.outputs
    rewriting.set_params(weights, ((high - low) / LEVELS, -128))
    rounding = rewriting.maker(weights)
    real = rounding.inputs[0]
    others = [each for each in rewriting.readers(real) if each is not rounding]
    for each in [each for each in others if rewriting.name(each) == "QUANTIZE"]:
        rewriting.replace(each.outputs[0], weights)  # of the same steps by now
        rewriting.remove(each)
        others.remove(each)
    if others:
        rounded = rewriting.like(real, "rounded", FLOAT)
        for each in others:
            each.inputs = [rounded if index == real else index for index in each.inputs]
        rewriting.add("DEQUANTIZE", [weights], rounded)

    (plain,) = rewriting.readers(coarse)  # DEQUANTIZE
    (whole,) = plain.outputs
    fine_step = rewriting.params(coarse)[0] / FINENESS, 0
    fine, again, more = (rewriting.like(coarse, name, INT8, fine_step) for name in ("fine", "again", "more"))
    in_floats, base = (rewriting.like(whole, name, FLOAT) for name in ("more", "coarse"))
    plain.outputs = [base]
    rewriting.add_copy(product, fine)
    rewriting.add("QUANTIZE", [coarse], again)
    rewriting.add("SUB", [fine, again], more)
    rewriting.add("DEQUANTIZE", [more], in_floats)
    rewriting.add("ADD", [base, in_floats], whole)


OPTIONS: Mapping[str, Any] = {
    "ADD": schema.AddOptionsT,
    "SUB": schema.SubOptionsT,
    "QUANTIZE": schema.QuantizeOptionsT,
    "DEQUANTIZE": schema.DequantizeOptionsT,
}


class _Rewriting:
    """A flatbuffer with one subgraph, and what is done to its operators and tensors."""

    def __init__(self, flatbuffer: bytes) -> None:
        self.model = flatbuffer_utils.read_model_from_bytearray(bytearray(flatbuffer))
        (self.subgraph,) = self.model.subgraphs

    def packed(self) -> bytes:
        """With every operator behind those that it reads from."""
        makers = {index: each for each in self.subgraph.operators for index in each.outputs}
        placed: dict[int, Any] = {}

        def place(operator: Any) -> None:
            if id(operator) not in placed:
                for index in operator.inputs:
                    if index in makers:
                        place(makers[index])
                placed[id(operator)] = operator

        for each in self.subgraph.operators:
            place(each)
        self.subgraph.operators = list(placed.values())
        return pack(self.model)

    def name(self, operator: Any) -> str:
        return op_name(self.model.operatorCodes[operator.opcodeIndex])

    def site(self, tensor: int, ranges: Mapping[str, tuple[float, float]]) -> str | None:
        """The site of a product of attention that is in int8."""
        found = self.subgraph.tensors[tensor]
        site = site_of(tensor_name(found), ranges) if found.type == INT8 else None
        return site if site is not None and word(site) in ("products", "weighed") else None

    def readers(self, tensor: int) -> list[Any]:
        return [each for each in self.subgraph.operators if tensor in list(each.inputs)]

    def maker(self, tensor: int) -> Any:
        return next(each for each in self.subgraph.operators if tensor in list(each.outputs))

    def params(self, tensor: int) -> Params:
        held = self.subgraph.tensors[tensor].quantization
        return float(held.scale[0]), int(held.zeroPoint[0])

    def set_params(self, tensor: int, params: Params) -> None:
        self.subgraph.tensors[tensor].quantization = schema.QuantizationParametersT(
            scale=np.array([params[0]], np.float32), zeroPoint=np.array([params[1]], np.int64)
        )

    def replace(self, tensor: int, by: int) -> None:
        """Has all that read one tensor read another."""
        for each in self.readers(tensor):
            each.inputs = [by if index == tensor else index for index in each.inputs]

    def make_int8(self, operator: Any, params: Params) -> None:
        """What an operator puts out, in integers."""
        self.subgraph.tensors[operator.outputs[0]].type = INT8
        self.set_params(operator.outputs[0], params)

    def like(self, tensor: int, suffix: str, kind: int, params: Params | None = None) -> int:
        """A tensor of its shape."""
        of = self.subgraph.tensors[tensor]
        made = schema.TensorT(
            name=f"{tensor_name(of).rstrip(';')}/{suffix}", shape=of.shape, type=kind, buffer=0, hasRank=of.hasRank
        )
        self.subgraph.tensors.append(made)
        if params is not None:
            self.set_params(len(self.subgraph.tensors) - 1, params)
        return len(self.subgraph.tensors) - 1

    def read_plainly(self, product: Any) -> None:
        """Without the QUANTIZE in front of a product where what that reads is int8 with the zero point 0 already."""
        sources = list(product.inputs)
        for place, index in enumerate(sources):
            maker = self.maker(index)
            if self.name(maker) != "QUANTIZE":
                continue
            (source,) = maker.inputs
            if self.subgraph.tensors[source].type == INT8 and self.params(source)[1] == 0:
                sources[place] = source
                product.inputs = list(sources)
                if not self.readers(index):
                    self.remove(maker)

    def remove(self, operator: Any) -> None:
        self.subgraph.operators = [each for each in self.subgraph.operators if each is not operator]

    def add(self, name: str, inputs: list[int], output: int) -> None:
        made = schema.OperatorT(opcodeIndex=self._code(name), inputs=inputs, outputs=[output])
        made.builtinOptions = OPTIONS[name]()
        made.builtinOptionsType = getattr(schema.BuiltinOptions, OPTIONS[name].__name__.removesuffix("T"))
        self.subgraph.operators = [*self.subgraph.operators, made]

    def add_copy(self, operator: Any, output: int) -> None:
        """The same operator, which puts out another tensor."""
        made = schema.OperatorT(
            opcodeIndex=operator.opcodeIndex,
            inputs=operator.inputs,
            outputs=[output],
            builtinOptions=operator.builtinOptions,
            builtinOptionsType=operator.builtinOptionsType,
        )
        self.subgraph.operators = [*self.subgraph.operators, made]

    def recode(self, operator: Any) -> None:
        """Under a code whose version takes int8."""
        operator.opcodeIndex = self._code(self.name(operator))

    def _code(self, name: str) -> int:
        """Of an operator, which there is one of for each name: its version is raised where it must."""
        for index, code in enumerate(self.model.operatorCodes):
            if op_name(code) == name:
                code.version = max(code.version, VERSIONS[name])
                return index
        number = getattr(schema.BuiltinOperator, name)
        self.model.operatorCodes.append(
            schema.OperatorCodeT(deprecatedBuiltinCode=number, builtinCode=number, version=VERSIONS[name])
        )
        return len(self.model.operatorCodes) - 1
