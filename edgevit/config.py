"""What a ViT is, as data: `ViTConfig`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from edgevit.dense_head import OF_LAST_BLOCK, DenseHead
from edgevit.errors import ConfigError, unknown_key
from edgevit.model_checks import LARGEST, check_pooling, check_rotary, check_stem
from edgevit.model_choices import ACTIVATIONS, POOLINGS, RESAMPLINGS, ROTARIES, SCORES, SINCE, head_scores
from edgevit.patch_grid import MAX_TOKENS, Grid, check_resolution, nearest_resolution
from edgevit_runtime.resolution import Resolution, ResolutionLike, as_resolution

__all__ = [
    "ACTIVATIONS",
    "MAX_TOKENS",
    "POOLINGS",
    "ROTARIES",
    "SCORES",
    "Grid",
    "ViTConfig",
    "check_resolution",
    "head_scores",
    "nearest_resolution",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)

BASE_RESOLUTION = Resolution(224)
"""What the variants' papers train at."""


@dataclass(frozen=True)
class ViTConfig:
    """The shape of one Vision Transformer and what its pixels and classes mean.

    A picture of W x H pixels becomes N = (W / patch)(H / patch) + 1 tokens of `width` numbers each; `depth` pre-norm
    encoder blocks follow (Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929).
    """

    width: int
    depth: int
    heads: int
    classes: int
    """0: a backbone without a head."""
    mlp_width: int
    patch: int = 16
    base_resolution: Resolution = BASE_RESOLUTION
    """The resolution whose patch grid the learned positions lie on; other resolutions resample them. It may be given as
    224 or "320x192", too."""
    attention: str = "global"
    """A key of `edgevit.model.attention.global_attention.ATTENTIONS`."""
    stochastic_depth: float = 0.0
    """The chance that the last block's residual branch is dropped in training; grows linearly from 0."""
    layer_norm_epsilon: float = 1e-6
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    """Pixel normalisation (pixel / 255 - mean) / std, done inside the model: it takes raw pixels, 0 to 255."""
    resize: str = "crop:0.875"
    """How pictures are brought to a resolution: a policy of `edgevit_runtime.preprocess.policy`."""
    ladder: tuple[Resolution, ...] = ()
    """The resolutions it was trained for: what `convert` takes where nobody names others."""
    labels: tuple[str, ...] = ()
    """The class names in index order, or empty where nobody gave any."""
    label_keys: tuple[str, ...] = ()
    """What the folders of the classes may be called besides, in index order, such as ImageNet's WNIDs; or empty."""
    templates: tuple[str, ...] = ()
    """Sentences that the labels were put into, for a text tower to make the classes' vectors; or empty."""
    scores: str = "softmax"
    """What the classes' scores are: a key of `SCORES`."""
    score_temperature: float = 1.0
    """What training divided the logits by, so that scores mean what they say; the head's weights hold it already."""
    distilled: bool = False
    """A second learned token behind the class token, with a head of its own that learned from a teacher
    (Touvron et al. 2021, https://arxiv.org/abs/2012.12877, section 4)."""
    variant: str = "custom"
    """The table row that this came from."""
    dense_heads: tuple[DenseHead, ...] = ()
    """Heads that read all tokens, one for each task."""
    pooling: str = "class"
    """What stands for the whole picture, for its classes as for its vector: a key of `POOLINGS`."""
    pool_norm: bool = False
    """The last norm stands behind the mean of the patch tokens, and not in front of it (timm's `fc_norm`)."""
    registers: int = 0
    """Learned tokens behind the class token that nothing reads (Darcet et al. 2023, https://arxiv.org/abs/2309.16588)."""
    projection: int = 0
    """The width of the picture's vector, which a linear layer makes of what is pooled; 0: the vector is that itself."""
    cosine_scale: float = 0.0
    """Above 0: the classifier compares the picture's vector with one of each class, and this times their cosine is the
    logit (Zhai and Wu 2019, https://arxiv.org/abs/1811.12649). 0: it is a linear layer on what is pooled."""
    activation: str = "gelu"
    """Of the blocks' MLPs: a key of `ACTIVATIONS`."""
    class_token: bool = True
    """Whether there is one in front; without it `pooling` reads the patch tokens."""
    input_norm: bool = False
    """A norm between the positions and the first block (Radford et al. 2021, https://arxiv.org/abs/2103.00020)."""
    qk_norm: bool = False
    """Queries and keys are normalised, each head's by itself (Dehghani et al. 2023,
    https://arxiv.org/abs/2302.05442, section 2)."""
    learned_positions: bool = True
    """Whether a learned position is added to each token."""
    resampling: str = "bicubic"
    """How they are brought to another grid: a key of `RESAMPLINGS`."""
    rotary: str = ""
    """How queries and keys are turned by their place in the picture: a key of `ROTARIES`; empty: they are not."""
    rotary_theta: float = 100.0
    """The slowest turn's share: the frequencies go from 1 down to about 1 / theta."""
    rotary_grid: tuple[int, ...] = ()
    """Of rotary `index`: the rows and columns that patches are counted on, whatever the picture's grid."""
    pool_heads: int = 0
    """Of attention pooling; 0: as many as a block has."""
    stem: str = "patch"
    """How pixels become patch tokens: a key of `STEMS`."""

    def __post_init__(self) -> None:
        for name in ("width", "depth", "heads", "mlp_width", "patch"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ConfigError(f"{name} must be a whole number above 0, not {value!r}")
        if not isinstance(self.classes, int) or self.classes < 0:
            raise ConfigError(f"classes must be a whole number, 0 for a backbone without a head, not {self.classes!r}")
        for name, most in LARGEST.items():
            if name != "registers" and getattr(self, name) > most:
                raise ConfigError(f"{name} is {getattr(self, name)}; at most {most} is supported")
        if self.scores not in SCORES:
            raise unknown_key("scores", self.scores, SCORES)
        if self.classes == 1 and self.scores == "softmax":
            raise ConfigError(
                "a softmax over one class is always 100 %: a head of one output is a probability (sigmoid) or a value "
                "(regression)"
            )
        if not 0.0 < self.score_temperature < float("inf"):
            raise ConfigError(f"score_temperature must be above 0, not {self.score_temperature!r}")
        if self.activation not in ACTIVATIONS:
            raise unknown_key("activation", self.activation, ACTIVATIONS)
        if self.resampling not in RESAMPLINGS:
            raise unknown_key("resampling", self.resampling, RESAMPLINGS)
        check_pooling(self)
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} is not divisible by heads {self.heads}")
        check_rotary(self)
        check_stem(self)
        if not 0.0 <= self.stochastic_depth < 1.0:
            raise ConfigError(f"stochastic_depth must lie in [0, 1), not {self.stochastic_depth!r}")
        object.__setattr__(self, "base_resolution", as_resolution(self.base_resolution))
        object.__setattr__(self, "ladder", tuple(map(as_resolution, self.ladder)))
        for resolution in (self.base_resolution, *self.ladder):
            check_resolution(resolution, self.patch)
        for name in ("mean", "std", "labels", "label_keys", "templates", "rotary_grid"):  # JSON gives lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        dense = tuple(each if isinstance(each, DenseHead) else DenseHead.from_dict(each) for each in self.dense_heads)
        object.__setattr__(self, "dense_heads", dense)
        if len({each.task for each in dense}) < len(dense):
            raise ConfigError(f"two heads for one task: {', '.join(each.task for each in dense)}")
        if self.patch % 2 and self.dense_head("detect") is not None:
            raise ConfigError(f"a detect head has cells of half a patch's side, and patches of {self.patch} have none")
        if self.labels and len(self.labels) != self.classes:
            raise ConfigError(f"{len(self.labels)} labels for {self.classes} classes")
        if self.label_keys and len(self.label_keys) != self.classes:
            raise ConfigError(f"{len(self.label_keys)} label keys for {self.classes} classes")

    @property
    def stem_widths(self) -> tuple[int, ...]:
        """The channels of the convolutions in front of the one that makes tokens, each with half the rows and columns
        of the one before; empty where there are none."""
        halvings = self.patch.bit_length() - 2 if self.stem == "convolutions" else 0
        return tuple(self.width >> halving for halving in range(halvings, 0, -1))

    @property
    def pools_by_attention(self) -> bool:
        return self.pooling in ("attention", "attention-all")

    @property
    def pooled_from(self) -> int:
        """The first token of those that attention pooling or a mean reads."""
        return 0 if self.pooling == "attention-all" else self.prefix

    @property
    def pooling_heads(self) -> int:
        """Of attention pooling."""
        return self.pool_heads or self.heads

    @property
    def pooled_width(self) -> int:
        """Of what stands for the whole picture."""
        return self.width * (2 if self.pooling == "class-mean" else 1)

    @property
    def vector_width(self) -> int:
        """Of the vector that it is compared by."""
        return self.projection or self.pooled_width

    @property
    def has_vector(self) -> bool:
        """Whether its weights were made to compare pictures by their vectors."""
        return bool(self.projection or self.cosine_scale)

    def dense_head(self, task: str) -> DenseHead | None:
        """The head for a dense task; None where there is none."""
        return next((each for each in self.dense_heads if each.task == task), None)

    def blocks_read(self, task: str) -> tuple[int, ...]:
        """After which blocks, counted from 1, the head for a dense task reads the tokens, whose mean it takes."""
        head = self.dense_head(task)
        last_two = (self.depth - 1, self.depth) if self.depth > 1 else (self.depth,)
        return (self.depth,) if head is None or head.form in OF_LAST_BLOCK else last_two

    @property
    def detail_block(self) -> int:
        """After which block a detect head reads where in a patch things are: later ones are about what they are."""
        return max(1, self.depth // 4)

    def planes_read(self, task: str) -> tuple[int, ...]:
        """The same with the detect head's `detail_block` in front."""
        return (self.detail_block, *self.blocks_read(task)) if task == "detect" else self.blocks_read(task)

    @property
    def cell_strides(self) -> tuple[int, ...]:
        """The sides of a detect head's cells, in pixels, finest first: 8, 16 and 32 with patches of 16."""
        return self.patch // 2, self.patch, 2 * self.patch

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    def grid(self, resolution: ResolutionLike) -> Grid:
        """The patches at `resolution`. Raises `ResolutionError` for one that the patch does not divide."""
        resolution = as_resolution(resolution)
        check_resolution(resolution, self.patch)
        return Grid(resolution.height // self.patch, resolution.width // self.patch)

    @property
    def prefix(self) -> int:
        """How many learned tokens are before the patches: the class token, a distillation token, registers."""
        return self.front_read + self.registers

    @property
    def front_read(self) -> int:
        """Those of them that are read for the picture as a whole, the first ones."""
        return self.classifiers if self.class_token else 0

    @property
    def classifiers(self) -> int:
        """How many linear layers the classes' logits are the mean of."""
        return 2 if self.distilled else 1

    def tokens(self, resolution: ResolutionLike) -> int:
        """N = (W / patch)(H / patch) + 1: the patches and the class token (or what else is in front, `prefix`)."""
        return self.grid(resolution).patches + self.prefix

    @property
    def weights_at_least(self) -> int:
        """How many numbers its weights hold, but for biases and norms."""
        linear = self.width * (4 * self.width + 2 * self.mlp_width)
        positions = self.tokens(self.base_resolution) if self.learned_positions else 0
        return self.depth * linear + self.width * (positions + self.classes)

    @property
    def fill(self) -> tuple[int, int, int]:
        """The mean colour, 0 to 255: what `letterbox` lays around a picture."""
        red, green, blue = (int(255.0 * each + 0.5) for each in self.mean)
        return red, green, blue

    def with_(self, **changes: Any) -> ViTConfig:
        """A copy with some fields changed."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it: resolutions as 224 or "640x384"."""
        ladder = tuple(each.to_json() for each in self.ladder)
        dense = [each.to_dict() for each in self.dense_heads]
        values = {
            **asdict(self),
            "base_resolution": self.base_resolution.to_json(),
            "ladder": ladder,
            "dense_heads": dense,
        }
        return {name: value for name, value in values.items() if name not in SINCE or value != SINCE[name]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ViTConfig:
        known = {field.name for field in fields(cls)}
        unexpected = sorted(set(values) - known)
        if unexpected:
            raise ConfigError(f"a model from a newer edgevit? unknown config entries: {', '.join(unexpected)}")
        return cls(**values)
