"""Kinds of devices that a recipe can be picked for before one is at hand: `edgevit convert --for pi5`.

A kind stands on one of two grounds: a processor whose kernels were counted (`edgevit.latency.processors`), by which any
model's graph is estimated; or measurements of every recipe on a machine that was at hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgevit.errors import unknown_key
from edgevit.latency.processors.processor import PROCESSORS, Processor

__all__ = ["DEVICE_KINDS", "DeviceKind", "get_device_kind"]


@dataclass(frozen=True)
class DeviceKind:
    """What stands for all devices of a kind."""

    name: str
    """As `--for` takes it."""
    title: str
    processor: str | None
    """Whose counted cycles decide, a key of `PROCESSORS`; None: what was measured of each recipe does."""
    stands_for: str
    """What the figures are of, in words that go behind `by`."""
    limits: str
    """For which devices of the kind they say little."""
    source: str
    deit_tiny_ms: Mapping[str, float] = field(default_factory=dict)
    """Estimated for DeiT-Tiny at 224, by recipe: what `edgevit recipes` shows. No model is judged by it."""

    @property
    def counted(self) -> Processor | None:
        return None if self.processor is None else PROCESSORS[self.processor]


_A76_MS = {
    "float32": 82.1, "float16": 82.1, "int8": 40.8, "int8-static": 40.4, "int8-attention": 37.1, "int8-products": 30.0,
}  # fmt: skip
"""benchmarks/results/for_devices.json, as are those of `pi4`."""

DEVICE_KINDS: dict[str, DeviceKind] = {
    "pi5": DeviceKind(
        "pi5",
        "Raspberry Pi 5",
        "cortex-a76",
        "counted cycles of a Cortex-A76 at 2.4 GHz",
        "estimates of one thread, which a board may miss by a third",
        "https://www.raspberrypi.com/products/raspberry-pi-5/: four Cortex-A76 at 2.4 GHz",
        _A76_MS,
    ),
    "pi4": DeviceKind(
        "pi4",
        "Raspberry Pi 4",
        "cortex-a72",
        "counted cycles of a Cortex-A72 at 1.8 GHz",
        "estimates of one thread, which a board may miss by a third",
        "https://www.raspberrypi.com/products/raspberry-pi-4-model-b/: four Cortex-A72 at 1.8 GHz",
        {
            "float32": 284.7,
            "float16": 284.7,
            "int8": 195.9,
            "int8-static": 195.0,
            "int8-attention": 189.1,
            "int8-products": 176.5,
        },
    ),
    "phone": DeviceKind(
        "phone",
        "phone",
        "cortex-a76",
        "counted cycles of a Cortex-A76 at 2.4 GHz, which stands for large cores with int8 dot products",
        "estimates of one thread; cores without dot products are as pi4's, newer ones with int8 matrix products were "
        "not counted, and a GPU is another matter (docs/gpu.md)",
        "Arm Cortex-A76 Core Technical Reference Manual: dot product instructions of Armv8.4",
        _A76_MS,
    ),
    "x86": DeviceKind(
        "x86",
        "PC (x86-64)",
        None,
        "what DeiT-Tiny took at 224 on a processor with int8 dot products (AVX512-VNNI)",
        "on a PC without int8 dot products float32 is as fast as int8 or faster: --recipe float16 (docs/speed.md)",
        "benchmarks/results/recipes.json",
    ),
}
"""By the name that `--for` takes."""


def get_device_kind(name: str) -> DeviceKind:
    """Raises `ConfigError`, which lists the known ones and the nearest."""
    if name not in DEVICE_KINDS:
        raise unknown_key("kind of device", name, DEVICE_KINDS)
    return DEVICE_KINDS[name]
