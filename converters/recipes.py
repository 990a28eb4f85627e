"""How an artefact is quantized: each recipe as data, with what it is for and where its numbers come from."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.errors import unknown_key

ANY = "*"


@dataclass(frozen=True)
class Rule:
    """What happens to one class of ops. A later rule overrides an earlier one."""

    op: str
    """A TFLite op (`FULLY_CONNECTED`), or `*` for every op that the quantizer knows."""
    weight: str
    """`int8` per channel, symmetric, or `float16`."""
    activation: str = "float32"
    """`float32`; `int8-dynamic`: per row, as it runs; `int8-static`: one range from calibration."""
    sites: tuple[str, ...] = ()
    """Only ops whose result is at such a site, by the last word of its name (`expand`); all where empty."""

    @property
    def pattern(self) -> str:
        """For the names of the tensors that the ops put out."""
        return f"(^|.*/)({'|'.join(self.sites)})/.*" if self.sites else ".*"


@dataclass(frozen=True)
class Recipe:
    name: str
    rules: tuple[Rule, ...]
    for_cpu: bool
    """Whether the artefact must be one XNNPACK partition: `convert` fails otherwise."""
    self_test_tolerance: float
    """How far a score may be from the reference kernels', as a share of the best class's score."""
    integer_io: bool = False
    summary: str = ""
    source: str = ""

    @property
    def needs_calibration(self) -> bool:
        return any(rule.activation == "int8-static" for rule in self.rules)


RECIPES: dict[str, Recipe] = {
    "float32": Recipe(
        "float32",
        (),
        for_cpu=True,
        self_test_tolerance=1e-3,
        summary="nothing is quantized: the yardstick for the others",
        source="IEEE 754",
    ),
    "float16": Recipe(
        "float16",
        (Rule(ANY, "float16"),),
        for_cpu=True,
        self_test_tolerance=1e-2,
        summary="weights in half precision: half the size, the same speed on most CPUs",
        source="https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_float16_quant",
    ),
    "int8": Recipe(
        "int8",
        (Rule(ANY, "int8", "int8-dynamic"),),
        for_cpu=True,
        self_test_tolerance=0.25,
        summary="int8 weights per channel; each row of activations is quantized as it runs; no calibration",
        source="XNNPACK qd8-f32-qc8w kernels, https://github.com/google/XNNPACK",
    ),
    "int8-static": Recipe(
        "int8-static",
        (Rule("FULLY_CONNECTED", "int8", "int8-static"), Rule("CONV_2D", "int8", "int8-static")),
        for_cpu=True,
        self_test_tolerance=0.25,
        summary="int8 linear layers with calibrated ranges; attention, softmax and norms stay float",
        source="Jacob et al. 2018, https://arxiv.org/abs/1712.05877",
    ),
    "int8-attention": Recipe(
        "int8-attention",
        (Rule(ANY, "int8", "int8-dynamic"), Rule("BATCH_MATMUL", "int8", "int8-static", sites=("products",))),
        for_cpu=True,
        self_test_tolerance=0.25,
        summary="as `int8`, and queries times keys in int8 with calibrated ranges: the more it saves, the more tokens",
        source="XNNPACK qs8 batch matrix multiply; benchmarks/attention.py for what else was tried",
    ),
    "int8-full": Recipe(
        "int8-full",
        (Rule(ANY, "int8", "int8-static"),),
        for_cpu=False,
        self_test_tolerance=0.5,
        integer_io=True,
        summary="every op integer: for accelerators that have nothing else; slower and less exact on a CPU",
        source="Jacob et al. 2018, https://arxiv.org/abs/1712.05877",
    ),
}


def get_recipe(name: str) -> Recipe:
    """The named recipe. Raises `ConfigError` that lists the names."""
    if name not in RECIPES:
        raise unknown_key("recipe", name, RECIPES)
    return RECIPES[name]
