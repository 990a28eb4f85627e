"""How an artefact is quantized: each recipe as data, with what it is for and where its numbers come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgevit.activation_ranges import ActivationRanges
from edgevit.errors import unknown_key

ANY = "*"
OUTSIDE = "outside"
"""Stands among the blocks for what is before and behind them."""

STREAM = ("tokens", "attended")
NORM = ("squares", "variance", "stabilised", "scale", "scaled", "normalised")
"""Sites by the last word of their names: the residual stream, and what a LayerNorm computes (`lowering`)."""

STEM = ("colours", "strided")
"""What a stem of convolutions computes in front of the patch embedding."""
DENSE_CONV = ("near", "fine", "halved", "level", "tower", "doubled")
DENSE_LINEAR = ("quarters", "details", "projection", "classes", "log_distances", "cell_logits", "heatmaps")
DENSE_HEAD = (*DENSE_CONV, *DENSE_LINEAR)
"""Linear layers of the heads that read all tokens."""
DENSE_PLAIN = ("summed", "detailed", "enlarged", "class_logits")
"""What else these heads compute."""
VECTOR = ("averaged", "pooled", "shifted", "vector")
"""What is computed of the picture's vector, besides a norm."""
ROTARY = ("turned", "crossed", "rotated")
"""How queries and keys are turned by their places."""
POOL_LINEAR = ("keys", "values")
POOL = (*POOL_LINEAR, "own", "gathered", "deviations", "added")
"""What attention pooling computes, besides what blocks do."""

POWERS = ("below", "powers", "spans", "parts", "total", "root", "inverse")
BY_POWERS = (*POWERS, "weighed")
"""What attention computes in place of a softmax and its product where a recipe's weighting is `powers`."""
WEIGHTING_KINDS: Mapping[str, str] = {
    "softmax": "shares of one in each row, then their product with the values",
    "powers": "1 for the largest of each row, their product with the values, and the division behind",
}
"""How attention may weigh the values: `converters.graph.attention.WEIGHTINGS`."""

LINEAR: Mapping[str, str] = {
    **dict.fromkeys(("patches", "strided", *DENSE_CONV), "CONV_2D"),
    **dict.fromkeys(
        ("qkv", "queries", "output", "expand", "contract", "logits", *DENSE_LINEAR, *POOL_LINEAR), "FULLY_CONNECTED"
    ),
}
"""Linear layers by the last word of the site they put out, and the op that each becomes."""

OPS: Mapping[str, str] = {
    **LINEAR,
    **dict.fromkeys(("products", "mixed", "weighed"), "BATCH_MATMUL"),
    **dict.fromkeys(("weights", "scores"), "SOFTMAX"),
    **dict.fromkeys((*STREAM, "stabilised", "summed", "detailed", "shifted", "added", "rotated"), "ADD"),
    **dict.fromkeys(("enlarged", "class_logits"), "RESIZE_BILINEAR"),
    **dict.fromkeys(("variance", "averaged", "pooled", "gathered"), "MEAN"),
    **dict.fromkeys(
        ("squares", "scaled", "normalised", "vector", "own", "turned", "crossed", "parts", "inverse"), "MUL"
    ),
    **dict.fromkeys(("colours", "deviations", "below"), "SUB"),
    **dict.fromkeys(("scale", "root"), "RSQRT"),
    "powers": "EXP",
    "spans": "FULLY_CONNECTED",
    "total": "SUM",
    "gate": "LOGISTIC",
    "gelu": "GELU",
}
"""Sites by the last word of their names, and the op that makes each."""

NOT_IN_INT16 = ("enlarged", "class_logits", "projection", "doubled", *STEM)
"""Sites whose numbers RESIZE_BILINEAR makes or PAD moves: the runtime takes those ops in int8 and float32 alone."""

OP_CLASSES: Mapping[str, tuple[str, ...]] = {
    "qkv": ("qkv", "queries"),
    "attention": (*ROTARY, "products", "mixed", "weighed"),
    "softmax": ("weights", "scores", *POWERS),
    "output": ("output",),
    "expand": ("expand",),
    "gelu": ("gate", "gelu"),
    "contract": ("contract",),
    "patches": ("patches", *STEM),
    "head": ("logits", *VECTOR, *POOL, *DENSE_HEAD, *DENSE_PLAIN),
    "norm": tuple(each for each in NORM if each != "normalised"),
    "normalised": ("normalised",),
    "stream": STREAM,
}
"""What `sensitivity` looks at together, by the sites that the ops put out; a linear layer's weights go with it."""

HEADS_ONLY = ("logits", "scores", *VECTOR, *POOL, *DENSE_HEAD, *DENSE_PLAIN)
BEFORE_AND_BEHIND = ("patches", *STEM, "tokens", *NORM, *HEADS_ONLY)
IN_BLOCKS = tuple(site for site in OPS if site not in ("patches", *STEM, *HEADS_ONLY))
"""Which of them there are outside of the encoder's blocks, and which in each (`queries` in the last alone)."""

WITH_WEIGHTS = ("FULLY_CONNECTED", "CONV_2D", "BATCH_MATMUL")
"""The ops that a rule for all ops reaches where it says nothing of ranges: the quantizer knows it for no others."""


def sites_in(block: int | str) -> tuple[str, ...]:
    """The sites that a block has, or what is `OUTSIDE` of all."""
    return BEFORE_AND_BEHIND if block == OUTSIDE else IN_BLOCKS


@dataclass(frozen=True)
class Rule:
    """What happens to one class of ops. A later rule overrides an earlier one."""

    op: str
    """A TFLite op (`FULLY_CONNECTED`), or `*` for every op that can do what the rule says."""
    weight: str
    """`int8` per channel, symmetric; `int4` per 32 inputs of a channel, of FULLY_CONNECTED only; `float16`; `float32`:
    left as it is."""
    activation: str = "float32"
    """`float32`; `int8-dynamic`: per row, as it runs; `int8-static`, `int16-static`: one range from calibration."""
    sites: tuple[str, ...] = ()
    """Only ops whose result is at such a site, by the last word of its name (`expand`); all where empty."""
    why: str = ""
    blocks: tuple[int | str, ...] = ()
    """Only ops in these encoder blocks, from 0, or `OUTSIDE` of all; all where empty."""

    @property
    def pattern(self) -> str:
        """For the names of the tensors that the ops put out."""
        numbers = "|".join(str(each) for each in self.blocks if each != OUTSIDE)
        places = [f"block({numbers})/"] if numbers else []
        places += [r"(?!block\d)"] if OUTSIDE in self.blocks else []
        # A graph's output has no more than the site's name; the quantizer puts a semicolon behind each name.
        # Of a regression the output `scores` is the layer's own.
        values = ("scores",) if "logits" in self.sites and self.op == LINEAR["logits"] else ()
        end = f"({'|'.join((*self.sites, *values))})(/|;|$)" if self.sites else ""
        return f"^({'|'.join(places)})(.*/)?{end}.*" if places or end else ".*"

    @property
    def is_static(self) -> bool:
        return self.activation in ("int8-static", "int16-static")

    @property
    def has_weights(self) -> bool:
        """Whether any op that it is for has some: not what only computes with activations."""
        at_sites = {OPS[site] for site in self.sites}
        return bool((at_sites if self.op == ANY and at_sites else {self.op}) & {ANY, *LINEAR.values()})

    @property
    def misses(self) -> str | None:
        """A site that is in none of its blocks, or a block that has none of its sites; None where there is no such."""
        named = [site for site in self.sites or OPS if self.op in (ANY, OPS[site])]
        blocks = self.blocks or (OUTSIDE, 0)
        for site in self.sites:
            if not any(site in sites_in(block) for block in blocks):
                return f"site {site!r} is {'in the blocks' if site in IN_BLOCKS else f'not in a block but {OUTSIDE!r}'}"
        for block in blocks:
            if self.blocks and not any(site in sites_in(block) for site in named):
                return f"{'nothing outside of the blocks' if block == OUTSIDE else f'nothing in block {block}'} is that"
        return None

    def reaches(self, op: str | None) -> bool:
        """Whether it says how `op` computes, wherever the op stands."""
        every = self.is_static or self.weight == "float32" or op in WITH_WEIGHTS
        return self.op == op or (self.op == ANY and every)


@dataclass(frozen=True)
class Measured:
    """Of DeiT-Tiny at 224, one thread, 1300 ImageNet pictures: benchmarks/results/recipes.json, rounded."""

    size_mb: float
    times_faster: float | None
    """Than `float32`, on an x86-64 CPU with AVX512-VNNI; None: not timed there."""
    top1: float
    agreement: float
    """The share of pictures on which it names the class that float does."""


@dataclass(frozen=True)
class Recipe:
    name: str
    rules: tuple[Rule, ...]
    for_cpu: bool
    """Whether the artefact must be one XNNPACK partition: `convert` fails otherwise."""
    integer_io: bool = False
    summary: str = ""
    source: str = ""
    hardware: str = ""
    measured: Measured | None = None
    weighting: str = "softmax"
    """Of `WEIGHTING_KINDS`."""
    base: str = ""
    """Of a custom recipe (`recipe_files`): the one in this table that its rules begin with."""

    @property
    def needs_calibration(self) -> bool:
        return any(rule.is_static for rule in self.rules)

    def computes(self, site: str) -> bool:
        """Whether its graphs have such a site, by the last word of its name: not where attention weighs otherwise."""
        return self.weighting == "powers" or site not in BY_POWERS

    @property
    def is_custom(self) -> bool:
        return RECIPES.get(self.name) != self

    @property
    def uses_calibration(self) -> bool:
        """Whether it gains by pictures: they say how to round weights, too."""
        return any(rule.weight in ("int8", "int4") for rule in self.rules)

    @property
    def wants_calibration(self) -> bool:
        """Whether it needs pictures, or loses several points without: it is measured with some."""
        return self.needs_calibration or any(rule.weight == "int4" for rule in self.rules)

    def is_learned(self, calibration: ActivationRanges | None) -> bool:
        """Whether a model that brings `calibration` was fine-tuned for it, or for the recipe that it is based on."""
        return calibration is not None and calibration.recipe in (self.name, self.base)


_STATIC_RULES = (
    Rule(
        "FULLY_CONNECTED",
        "int8",
        "int8-static",
        why="QKV and the head: a norm in front of them, and channels that can be evened out exactly behind",
    ),
    Rule(
        "FULLY_CONNECTED",
        "int8",
        "int8-dynamic",
        sites=("output", "expand", "contract", *DENSE_LINEAR, *POOL_LINEAR),
        why="what they read or put out has no such freedom; row by row they lose less, at no cost",
    ),
    Rule("CONV_2D", "int8", "int8-dynamic", why="an int8 result would cost more than all of its weights"),
    *(
        Rule(op, "int8", "int8-static", sites=("qkv", "queries"), why="QKV is sorted by heads while it is still int8")
        for op in ("RESHAPE", "TRANSPOSE", "SPLIT", "STRIDED_SLICE", "CONCATENATION")
    ),
)

RECIPES: dict[str, Recipe] = {
    "float32": Recipe(
        "float32",
        (),
        for_cpu=True,
        summary="nothing is quantized: the yardstick for the others",
        source="IEEE 754",
        hardware="all hardware",
        measured=Measured(22.9, 1.0, 0.8015, 1.0),
    ),
    "float16": Recipe(
        "float16",
        (Rule(ANY, "float16"),),
        for_cpu=True,
        summary="weights in half precision: half the size, the same speed on most CPUs",
        source="https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/post_training_float16_quant",
        hardware="any CPU; GPUs and NPUs that compute in half precision",
        measured=Measured(11.6, 1.0, 0.8015, 1.0),
    ),
    "int8": Recipe(
        "int8",
        (Rule(ANY, "int8", "int8-dynamic"),),
        for_cpu=True,
        summary="int8 weights per channel; each row of activations is quantized as it runs; no calibration",
        source="XNNPACK qd8-f32-qc8w kernels, https://github.com/google/XNNPACK",
        hardware="CPUs with int8 dot products (VNNI, Arm DotProd, i8mm), by XNNPACK",
        measured=Measured(6.1, 2.19, 0.8031, 0.9877),
    ),
    "int8-static": Recipe(
        "int8-static",
        _STATIC_RULES,
        for_cpu=True,
        summary="int8 linear layers, QKV with calibrated ranges; softmax, norms and products stay float",
        source="Jacob et al. 2018, https://arxiv.org/abs/1712.05877",
        hardware="CPUs with int8 dot products, as `int8`",
        measured=Measured(6.1, 2.2, 0.8023, 0.9892),
    ),
    "int8-attention": Recipe(
        "int8-attention",
        (
            *_STATIC_RULES,
            Rule(
                "BATCH_MATMUL",
                "int8",
                "int8-static",
                sites=("products",),
                why="the softmax behind forgives much; weights times values, which go on as they are, stay float",
            ),
        ),
        for_cpu=True,
        summary="as `int8-static`, and queries times keys in int8, too: the more it saves, the more tokens",
        source="XNNPACK qs8 batch matrix multiply; benchmarks/attention.py for what else was tried",
        hardware="CPUs with int8 dot products, as `int8`",
        measured=Measured(6.1, 2.47, 0.8038, 0.9869),
    ),
    "int8-products": Recipe(
        "int8-products",
        (
            *_STATIC_RULES,
            Rule(
                "BATCH_MATMUL",
                "int8",
                "int8-static",
                sites=("products", "weighed"),
                why="weights whose largest is 1 in each row have one range for all rows: both products can be int8",
            ),
            Rule(
                "FULLY_CONNECTED",
                "int8",
                "int8-static",
                sites=("expand", "contract"),
                why="no row's range is looked for, and the GELU from int8 to int8 is a table to XNNPACK",
            ),
            Rule(
                "FULLY_CONNECTED",
                "int8",
                "int8-dynamic",
                sites=("expand", "contract"),
                blocks=(0,),
                why="of all MLPs the first would lose most by one range: its tokens are the least alike",
            ),
        ),
        for_cpu=True,
        weighting="powers",
        summary="as `int8-attention`, and the sum over the values and the MLP in int8: for Arm, and many tokens",
        source="XNNPACK qs8 batch matrix multiply, tables; benchmarks/attention_forms.py for what it keeps and costs",
        hardware="CPUs with int8 dot products, by XNNPACK",
        measured=Measured(6.2, None, 0.8031, 0.9862),
    ),
    "int4": Recipe(
        "int4",
        (
            Rule(
                "FULLY_CONNECTED",
                "int4",
                "int8-dynamic",
                why="nearly all of the weights; a scale for every 32 of them costs an eighth and halves the loss",
            ),
            Rule(
                "FULLY_CONNECTED",
                "int8",
                "int8-dynamic",
                sites=("output", "logits", *DENSE_LINEAR, *POOL_LINEAR),
                why="a tenth of the weights: of all layers they lose most by 4 bits for what they save",
            ),
            Rule("CONV_2D", "int8", "int8-dynamic", why="few weights, and all that follows reads what they put out"),
        ),
        for_cpu=True,
        summary="4-bit weights, a scale for every 32, rounded by pictures (`--calibration`): for who counts megabytes",
        source="XNNPACK qd8-f32-qb4w kernels; GPTQ, https://arxiv.org/abs/2210.17323",
        hardware="CPUs with int8 dot products, by XNNPACK; nothing else",
        measured=Measured(3.9, 1.87, 0.7946, 0.9508),
    ),
    "int8-full": Recipe(
        "int8-full",
        (
            Rule(ANY, "int8", "int8-static"),
            Rule(
                ANY,
                "int8",
                "int16-static",
                sites=(*STREAM, *NORM, "averaged", "deviations"),
                why="in 256 steps a stream with outliers loses its small channels, and their squares everything",
            ),
        ),
        for_cpu=False,
        integer_io=True,
        summary="every op integer, residual stream and norms in 16 bits: for accelerators; slower on a CPU",
        source="Jacob et al. 2018, https://arxiv.org/abs/1712.05877",
        hardware="accelerators without floats; of 16 bits they need ADD, MUL, MEAN, RSQRT, FULLY_CONNECTED",
        measured=Measured(6.1, 0.46, 0.7985, 0.9708),
    ),
}


def get_recipe(name: str) -> Recipe:
    """The named recipe. Raises `ConfigError` that lists the names."""
    if name not in RECIPES:
        raise unknown_key("recipe", name, RECIPES)
    return RECIPES[name]
