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
        "ADD float32 alike": KernelRate({"elements": 0.48051, "rows": 0.11224}),
        "ADD float32 by rows": KernelRate({"elements": 0.42572}),
        "ADD float32 one number": KernelRate({}),
        "BATCH_MATMUL float32 float32": KernelRate(
            {"macs": 0.12304, "outputs": 0.66962, "inputs": 0.16231, "weights": 0.58252, "calls": 131.35}, (6, 1)
        ),
        "BATCH_MATMUL float32 float32 second turned": KernelRate(
            {"macs": 0.12467, "outputs": 0.83754, "weights": 1.5213, "calls": 859.37}, (6, 8)
        ),
        "BATCH_MATMUL int8 int8": KernelRate(
            {"macs": 0.015534, "outputs": 1.6112, "inputs": 0.99999, "weights": 1.4948, "calls": 1684.2}, (6, 1)
        ),
        "BATCH_MATMUL int8 int8 second turned": KernelRate(
            {"macs": 0.041208, "outputs": 0.64098, "inputs": 0.64236, "weights": 0.30759, "calls": 594.24}, (8, 8)
        ),
        "CAST uint8 float32": KernelRate({"elements": 0.62797}),
        "CONCATENATION float32": KernelRate({"bytes": 0.088677}),
        "CONV_2D float32 float32": KernelRate({"macs": 0.21647, "outputs": 2.5605, "weights": 0.0063666}, (6, 1)),
        "CONV_2D float32 int8": KernelRate(
            {"macs": 0.0042018, "outputs": 60.833, "inputs": 0.9286, "weights": 0.001223}, (6, 1)
        ),
        "DEQUANTIZE int8 float32": KernelRate({"elements": 0.67356, "rows": 0.032937}),
        "FULLY_CONNECTED float32 float32": KernelRate(
            {"macs": 0.12459, "outputs": 0.80377, "inputs": 0.39961, "weights": 0.12681}, (6, 16)
        ),
        "FULLY_CONNECTED float32 int8": KernelRate(
            {"macs": 0.031007, "outputs": 1.5761, "inputs": 2.6671, "weights": 0.092084}
        ),
        "FULLY_CONNECTED int8 int8": KernelRate({"macs": 0.031868, "outputs": 1.2588, "weights": 0.0047268}, (4, 16)),
        "GELU float32": KernelRate({"elements": 4.3584, "rows": 19.323}),
        "MEAN float32 along rows": KernelRate({"elements": 0.094847, "rows": 21.689}),
        "MUL float32 alike": KernelRate({"elements": 0.34047}),
        "MUL float32 by columns": KernelRate({"elements": 0.54838}),
        "MUL float32 by rows": KernelRate({"elements": 0.38523, "rows": 12.568}),
        "MUL float32 one number": KernelRate({"rows": 0.25}),
        "QUANTIZE float32 int8": KernelRate({"elements": 0.61849}),
        "QUANTIZE int8 int8": KernelRate({"elements": 0.34081}),
        "REDUCE_MAX int8 along rows": KernelRate({"elements": 0.039486, "rows": 36.273}),
        "RSQRT float32": KernelRate({"elements": 0.38385}),
        "SOFTMAX float32": KernelRate({"elements": 3.2995, "rows": 106.58}),
        "SPLIT float32": KernelRate({"bytes": 0.093389}),
        "SPLIT int8": KernelRate({"bytes": 0.079804}),
        "STRIDED_SLICE float32": KernelRate({}),
        "SUB int8 alike": KernelRate({"elements": 1.4311}),
        "SUB int8 by rows": KernelRate({"elements": 1.0398, "rows": 23.147}),
        "SUM float32 along rows": KernelRate({"elements": 0.13576, "rows": 20.067}),
        "TABLE int8": KernelRate({"elements": 0.6805, "rows": 0.3789}),
        "TRANSPOSE float32 rows stay": KernelRate({"elements": 0.35909, "rows": 6.2301}),
        "TRANSPOSE int8 rows stay": KernelRate({"elements": 0.16158}),
    },
    "cortex-a72": {
        "ADD float32 alike": KernelRate({"elements": 1.0841, "rows": 1.5515}),
        "ADD float32 by rows": KernelRate({"elements": 0.92374}),
        "ADD float32 one number": KernelRate({}),
        "BATCH_MATMUL float32 float32": KernelRate(
            {"macs": 0.24795, "outputs": 1.4191, "inputs": 0.31945, "weights": 0.74435}, (6, 1)
        ),
        "BATCH_MATMUL float32 float32 second turned": KernelRate(
            {"macs": 0.25078, "outputs": 1.6639, "inputs": 0.84114, "weights": 1.2926, "calls": 1385.6}, (1, 8)
        ),
        "BATCH_MATMUL int8 int8": KernelRate(
            {"macs": 0.074361, "outputs": 3.0308, "inputs": 3.3439, "weights": 5.1881, "calls": 4683.9}, (6, 1)
        ),
        "BATCH_MATMUL int8 int8 second turned": KernelRate(
            {"macs": 0.10477, "outputs": 3.9197, "inputs": 0.22833, "weights": 4.6952, "calls": 634.95}, (8, 8)
        ),
        "CAST uint8 float32": KernelRate({"elements": 0.88038}),
        "CONCATENATION float32": KernelRate({"bytes": 0.11798}),
        "CONV_2D float32 float32": KernelRate({"macs": 0.37054, "weights": 0.0056359, "calls": 1382.2}),
        "CONV_2D float32 int8": KernelRate({"outputs": 409.14, "inputs": 1.7765, "weights": 0.015883}, (6, 1)),
        "DEQUANTIZE int8 float32": KernelRate({"elements": 0.94765}),
        "FULLY_CONNECTED float32 float32": KernelRate(
            {"macs": 0.24991, "outputs": 1.7943, "inputs": 0.55639, "weights": 0.065693}, (4, 16)
        ),
        "FULLY_CONNECTED float32 int8": KernelRate(
            {"macs": 0.12526, "outputs": 3.729, "inputs": 2.6789, "weights": 0.015865, "calls": 3323.4}
        ),
        "FULLY_CONNECTED int8 int8": KernelRate(
            {"macs": 0.12664, "outputs": 2.6562, "inputs": 0.16114, "weights": 0.015554}
        ),
        "GELU float32": KernelRate({"elements": 9.7975, "rows": 22.972}),
        "MEAN float32 along rows": KernelRate({"elements": 0.37372, "rows": 55.343}),
        "MUL float32 alike": KernelRate({"elements": 0.7345}),
        "MUL float32 by columns": KernelRate({"elements": 1.1536}),
        "MUL float32 by rows": KernelRate({"elements": 0.87032, "rows": 9.1262}),
        "MUL float32 one number": KernelRate({"elements": 0.00060779}),
        "QUANTIZE float32 int8": KernelRate({"elements": 0.89564}),
        "QUANTIZE int8 int8": KernelRate({"elements": 0.4224}),
        "REDUCE_MAX int8 along rows": KernelRate({"elements": 0.069544, "rows": 45.187}),
        "RSQRT float32": KernelRate({"elements": 8.5871}),
        "SOFTMAX float32": KernelRate({"elements": 5.2237, "rows": 196.01}),
        "SPLIT float32": KernelRate({"bytes": 0.12449, "rows": 0.13297}),
        "SPLIT int8": KernelRate({"bytes": 0.11115}),
        "STRIDED_SLICE float32": KernelRate({"calls": 0.004504}),
        "SUB int8 alike": KernelRate({"elements": 1.5182}),
        "SUB int8 by rows": KernelRate({"elements": 1.1364, "rows": 27.549}),
        "SUM float32 along rows": KernelRate({"elements": 0.50782, "rows": 42.932}),
        "TABLE int8": KernelRate({"elements": 1.2108, "rows": 1.5147}),
        "TRANSPOSE float32 rows stay": KernelRate({"elements": 0.44671, "rows": 15.06}),
        "TRANSPOSE int8 rows stay": KernelRate({"elements": 0.28542}),
    },
}
"""Processor -> kernel -> what its units cost."""
