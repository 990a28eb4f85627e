"""What a training run does, apart from its model and its pictures."""

from __future__ import annotations

from dataclasses import dataclass

from edgevit.errors import ConfigError, unknown_key
from edgevit.training.augmentation import get_augmentation

PRECISIONS: dict[str, str] = {
    "float32": "every number has 32 bits",
    "mixed_bfloat16": "matrix products in bfloat16, weights in float32: CPUs with AVX512-BF16 or AMX, TPUs, newer GPUs",
    "mixed_float16": "matrix products in float16 with loss scaling, weights in float32: GPUs",
}
"""Keras dtype policies, https://keras.io/api/mixed_precision/. What is saved is float32 in each case."""

DISTILLATIONS: dict[str, str] = {
    "soft": "Kullback-Leibler divergence to the teacher's softened scores, Hinton et al. 2015, arXiv 1503.02531",
    "hard": "cross-entropy with the class that the teacher names, Touvron et al. 2021, arXiv 2012.12877, section 4",
}


TEXTS: dict[str, str] = {
    "frozen": "the text tower stays as it is, and pictures learn its vectors",
    "trained": "both towers learn",
}
"""What becomes of the text tower while pictures and texts learn to agree."""

PLAIN_SHARE = 0.2
"""Of the steps: in the last of them no picture is put together (Ge et al. 2021, YOLOX, arXiv 2107.08430)."""


@dataclass(frozen=True)
class TrainSpec:
    """What a run does. Shares and rates are 0..1; a rate of 0 turns a thing off."""

    epochs: int = 30
    batch: int = 64
    learning_rate: float = 1e-3
    """The peak, for the head; `layer_decay` lowers it towards the patches."""
    layer_decay: float = 1.0
    """Each layer's learning rate is this much of the one above it (Clark et al. 2020, arXiv 2003.10555; BEiT)."""
    backbone_rate: float = 1.0
    """All but the heads learn at this share of the rate: a fresh head on weights that can see already has far to go."""
    weight_decay: float = 0.05
    warmup_share: float = 0.1
    """The share of all steps in which the learning rate rises."""
    label_smoothing: float = 0.1
    clip_norm: float = 1.0
    ema: float = 0.0
    """Momentum of the weights' moving average; what is validated and saved is then the average."""
    single_share: float = 0.0
    """The share of all steps, at the start, that stays at the config's base resolution; then the whole ladder mixes.

    From scratch a small ViT finds its way at one resolution several times sooner than at all of them together.
    """
    self_distillation: float = 0.0
    """Weight of the divergence from the model's own answer at the ladder's top, for a batch at a lower resolution
    (Tian et al. 2023, ResFormer, arXiv 2212.00776, in spirit: theirs compares class tokens)."""
    augmentation: str = "photo"
    trivial_augment: bool = False
    """One random Pillow operation a picture, of random strength (Müller and Hutter 2021, arXiv 2103.10158)."""
    mixup: float = 0.0
    """Alpha of the Beta distribution (Zhang et al. 2018, arXiv 1710.09412); every other batch where cutmix is on."""
    cutmix: float = 0.0
    """Largest factor of Keras's CutMix (Yun et al. 2019, arXiv 1905.04899)."""
    erasing: float = 0.0
    """The chance that a box of a picture becomes noise (Zhong et al. 2020, arXiv 1708.04896)."""
    mosaic: float = 0.0
    """Of detection: the chance that a picture is put together from four (Bochkovskiy et al. 2020, arXiv 2004.10934);
    not in the last `PLAIN_SHARE` of the steps."""
    class_weights: bool = False
    """Weigh each class by the inverse of how many pictures it has."""
    freeze: bool = False
    """Train the head only: a linear probe."""
    distillation: str = "soft"
    """A key of `DISTILLATIONS`; used where there is a teacher."""
    distillation_weight: float = 0.5
    temperature: float = 3.0
    """Softens both sides of soft distillation."""
    text: str | None = None
    """Of image-text: a key of `TEXTS`."""
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        get_augmentation(self.augmentation)
        if self.precision not in PRECISIONS:
            raise unknown_key("precision", self.precision, PRECISIONS)
        if self.distillation not in DISTILLATIONS:
            raise unknown_key("distillation", self.distillation, DISTILLATIONS)
        if self.text is not None and self.text not in TEXTS:
            raise unknown_key("text", self.text, TEXTS)
        if self.epochs < 1 or self.batch < 1:
            raise ConfigError(f"epochs and batch must be 1 or more, not {self.epochs} and {self.batch}")
        if self.learning_rate <= 0.0:
            raise ConfigError(f"the learning rate must be above 0, not {self.learning_rate}")
        for name in ("layer_decay", "backbone_rate"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} must lie in (0, 1], not {getattr(self, name)}")
        if self.temperature <= 0.0:
            raise ConfigError(f"the temperature must be above 0, not {self.temperature}")
        for name in ("single_share", "label_smoothing", "ema", "warmup_share", "erasing"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ConfigError(f"{name} must lie in [0, 1), not {getattr(self, name)}")
        for name in ("weight_decay", "self_distillation", "mixup"):
            if getattr(self, name) < 0.0:
                raise ConfigError(f"{name} must be 0 or more, not {getattr(self, name)}")
        for name in ("cutmix", "distillation_weight", "mosaic"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigError(f"{name} must lie in [0, 1], not {getattr(self, name)}")
