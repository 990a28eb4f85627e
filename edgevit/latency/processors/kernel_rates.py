"""Cycles for each unit of a kernel's work: what LiteRT 2.3's kernels were counted to take on each processor.

Every row is fitted to operators that were counted one by one (benchmarks/arm_rates.py), which prints these rows with
`--registry`; a test holds them against the file that it wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["RATES", "SOURCE", "KernelRate"]

SOURCE = "benchmarks/results/arm_rates.json"
"""Of all rows."""


@dataclass(frozen=True)
class KernelRate:
    """One kernel of LiteRT 2.3 on one processor."""

    cycles: Mapping[str, float]
    """By unit of work (`edgevit.latency.processors.kernel_work`); units that are not named cost nothing."""
    tile: tuple[int, int] = (1, 1)
    """Rows and columns that a product computes at once."""


RATES: dict[str, dict[str, KernelRate]] = {
    "cortex-a76": {
        "ADD float32 alike": KernelRate({"elements": 0.49333}),
        "ADD float32 one number": KernelRate({}),
        "BATCH_MATMUL float32 float32": KernelRate(
            {"macs": 0.12523, "outputs": 0.83292, "inputs": 0.0061074, "weights": 0.58326, "calls": 79.164}, (6, 1)
        ),
        "BATCH_MATMUL float32 float32 second turned": KernelRate(
            {"macs": 0.12475, "outputs": 0.83426, "weights": 1.5212, "calls": 772}, (6, 8)
        ),
        "BATCH_MATMUL int8 int8 second turned": KernelRate(
            {"macs": 0.046309, "outputs": 0.33913, "inputs": 0.16558, "weights": 0.30713, "calls": 606.42}, (4, 16)
        ),
        "CAST uint8 float32": KernelRate({"elements": 0.62669}),
        "CONCATENATION float32": KernelRate({"bytes": 0.088864}),
        "CONV_2D float32 float32": KernelRate({"macs": 0.21535, "outputs": 3.4155, "weights": 0.00963}, (6, 1)),
        "CONV_2D float32 int8": KernelRate(
            {"macs": 0.0038251, "outputs": 61.129, "inputs": 0.92702, "weights": 0.0013039}, (6, 1)
        ),
        "DEQUANTIZE int8 float32": KernelRate({"elements": 0.66973}),
        "FULLY_CONNECTED float32 float32": KernelRate(
            {"macs": 0.12459, "outputs": 0.80307, "inputs": 0.40006, "weights": 0.12672}, (6, 16)
        ),
        "FULLY_CONNECTED float32 int8": KernelRate(
            {"macs": 0.031037, "outputs": 1.5744, "inputs": 2.6622, "weights": 0.092034}
        ),
        "FULLY_CONNECTED int8 int8": KernelRate({"macs": 0.034941, "outputs": 0.65342, "weights": 0.0058821}, (4, 16)),
        "GELU float32": KernelRate({"elements": 4.3537, "rows": 22.225}),
        "MEAN float32 along rows": KernelRate({"elements": 0.09254, "rows": 23.226}),
        "MUL float32 alike": KernelRate({"elements": 0.29933, "rows": 8.569}),
        "MUL float32 by columns": KernelRate({"elements": 0.57611, "calls": 63.3}),
        "MUL float32 by rows": KernelRate({"elements": 0.39292, "rows": 10.94}),
        "MUL float32 one number": KernelRate({}),
        "QUANTIZE float32 int8": KernelRate({"elements": 0.63401}),
        "QUANTIZE int8 int8": KernelRate({"elements": 0.30814}),
        "RSQRT float32": KernelRate({"elements": 0.1699}),
        "SOFTMAX float32": KernelRate({"elements": 3.2979, "rows": 107}),
        "SPLIT float32": KernelRate({"bytes": 0.092519}),
        "SPLIT int8": KernelRate({"bytes": 0.078339}),
        "STRIDED_SLICE float32": KernelRate({"rows": 0.0025749}),
        "TRANSPOSE float32 rows stay": KernelRate({"elements": 0.36258, "rows": 6.0229}),
        "TRANSPOSE int8 rows stay": KernelRate({"elements": 0.16234}),
    },
    "cortex-a72": {
        "ADD float32 alike": KernelRate({"elements": 1.1205}),
        "ADD float32 one number": KernelRate({}),
        "BATCH_MATMUL float32 float32": KernelRate(
            {"macs": 0.25182, "outputs": 1.632, "weights": 0.74192, "calls": 468.84}, (4, 1)
        ),
        "BATCH_MATMUL float32 float32 second turned": KernelRate(
            {"macs": 0.25059, "outputs": 1.664, "inputs": 0.89263, "weights": 1.2958, "calls": 1016.6}, (1, 8)
        ),
        "BATCH_MATMUL int8 int8 second turned": KernelRate(
            {"macs": 0.10014, "outputs": 4.2215, "inputs": 0.24626, "weights": 4.6922, "calls": 740.85}, (8, 8)
        ),
        "CAST uint8 float32": KernelRate({"elements": 0.88041}),
        "CONCATENATION float32": KernelRate({"bytes": 0.11991}),
        "CONV_2D float32 float32": KernelRate({"macs": 0.37059, "weights": 0.01011, "calls": 656.15}),
        "CONV_2D float32 int8": KernelRate({"macs": 0.53274, "inputs": 1.7752, "weights": 0.015889}),
        "DEQUANTIZE int8 float32": KernelRate({"elements": 0.94718}),
        "FULLY_CONNECTED float32 float32": KernelRate(
            {"macs": 0.24997, "outputs": 1.7833, "inputs": 0.55521, "weights": 0.065644}, (4, 16)
        ),
        "FULLY_CONNECTED float32 int8": KernelRate(
            {"macs": 0.12596, "outputs": 3.6542, "inputs": 2.6008, "weights": 0.015098, "calls": 3402}
        ),
        "FULLY_CONNECTED int8 int8": KernelRate({"macs": 0.040741, "outputs": 18.963, "weights": 0.016009}, (4, 16)),
        "GELU float32": KernelRate({"elements": 9.7995, "rows": 21.701}),
        "MEAN float32 along rows": KernelRate({"elements": 0.36305, "rows": 60.015}),
        "MUL float32 alike": KernelRate({"elements": 0.68919, "rows": 25.556}),
        "MUL float32 by columns": KernelRate({"elements": 1.1796, "calls": 67.175}),
        "MUL float32 by rows": KernelRate({"elements": 0.87455, "rows": 7.7429}),
        "MUL float32 one number": KernelRate({"elements": 0.00036715}),
        "QUANTIZE float32 int8": KernelRate({"elements": 0.90735}),
        "QUANTIZE int8 int8": KernelRate({"elements": 0.42781}),
        "RSQRT float32": KernelRate({"elements": 0.77118}),
        "SOFTMAX float32": KernelRate({"elements": 5.224, "rows": 196.88}),
        "SPLIT float32": KernelRate({"bytes": 0.12348, "rows": 0.067662}),
        "SPLIT int8": KernelRate({"bytes": 0.10972}),
        "STRIDED_SLICE float32": KernelRate({"rows": 0.0033749}),
        "TRANSPOSE float32 rows stay": KernelRate({"elements": 0.44715, "rows": 14.96}),
        "TRANSPOSE int8 rows stay": KernelRate({"elements": 0.28501}),
    },
}
"""Processor -> kernel -> what its units cost."""
