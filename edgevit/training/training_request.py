"""What a user asks of a training run, and what follows from it: the spec and the model's config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgevit.config import ViTConfig, check_resolution, nearest_resolution
from edgevit.dense_head import FORMS, DenseHead
from edgevit.errors import ConfigError, unknown_key
from edgevit.files import check_place, check_writable
from edgevit.training.presets import Preset, get_preset
from edgevit.training.spec import TrainSpec
from edgevit.variants import variant_config
from edgevit_runtime.preprocess.policy import DEFAULT_POLICY, parse_policy
from edgevit_runtime.resolution import Resolution, as_resolutions
from edgevit_runtime.wording import counted

SYNTHETIC = "synthetic"
PHOTO_LADDER = as_resolutions((128, 160, 192, 224))
DRAWN = {False: 6000, True: 1200}
"""Pictures that `synthetic` draws, dials and panels."""
VAL_SHARE = 0.1
FEW = 2000
"""Below so many pictures a ViT learns little from nothing (docs/training.md: what each part buys)."""
CLASSIFIERS_ONLY = (
    "mixup", "cutmix", "erasing", "trivial_augment", "class_weights", "label_smoothing", "single_share",
)  # fmt: skip
"""Options of `TrainSpec` by which nothing else learns."""
DETECTORS_ONLY = ("mosaic",)
NOT_OF_PAIRS = ("mixup", "cutmix", "erasing", "class_weights", "label_smoothing", "self_distillation")
"""Options of `TrainSpec` that pairs of a picture and a text do not learn by."""
TRAINED = ("classify", "embed", "image-text", *FORMS)
LEAST_EPOCHS, MOST_EPOCHS = 8, 200
"""Where the epochs follow from the number of pictures."""
COSINE_SCALE = 20.0
"""What `embed` learns by: a temperature of 0.05 (Zhai and Wu 2019, https://arxiv.org/abs/1811.12649, section 4.2)."""
SYNTHETIC_LADDER = as_resolutions((48, 64, 80, 96, 112, 128))
DENSE_SYNTHETIC_LADDER = as_resolutions((96, 128))
"""Of a panel: its smallest things have some pixels left."""


@dataclass(frozen=True)
class TrainingRequest:
    """What the command line says; None and () stand for the defaults that depend on the rest."""

    data: str
    output: Path
    preset: str | None = None
    variant: str | None = None
    start: Path | None = None
    ladder: tuple[Resolution, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    """Values for `TrainSpec` that go before the preset's."""
    stochastic_depth: float | None = None
    resize: str | None = None
    val_share: float | None = None
    """How much of each class validates, where the folder has no val/ of its own; None: `VAL_SHARE`."""
    pictures: int | None = None
    """For `synthetic`; None: as many as `DRAWN` says."""
    teacher: str | None = None
    teacher_weights: str = "imagenet"
    distillation_token: bool = False
    qat: str | None = None
    resume: bool = False
    restart: bool = False
    strict: bool = False
    task: str | None = None
    """What the head is for; None: what the data is for, or else `classify`."""
    ignored: int | str | None = None
    """Of masks: the value or the class that does not count."""
    projection: int | None = None
    """Of `embed` and `image-text`: the width of the vector; None: as the model to start from has it, or that of its
    tokens."""
    pooling: str | None = None
    """Of `embed`: what of the tokens the vector is made of; None: likewise."""
    overwrite: bool = True
    """Whether a finished model of that name may be replaced; who asks users says no."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "ladder", as_resolutions(self.ladder))

    @property
    def synthetic(self) -> bool:
        return self.data == SYNTHETIC

    @property
    def dense_task(self) -> str:
        """What its head reads all tokens for; empty for a classifier."""
        return self.task if self.task in FORMS else ""

    @property
    def embeds(self) -> bool:
        """Whether it learns vectors that pictures are compared by."""
        return self.task == "embed"

    @property
    def pairs(self) -> bool:
        """Whether it learns of pictures and texts that belong together."""
        return self.task == "image-text"

    @property
    def lesson(self) -> str:
        """What it learns, as `edgevit.training.lessons.LESSONS` calls it."""
        return self.dense_task or (self.task if self.embeds or self.pairs else None) or "classify"

    @property
    def drawn(self) -> int:
        """How many pictures `synthetic` draws to train on."""
        return DRAWN[bool(self.dense_task)] if self.pictures is None else self.pictures

    @property
    def folder(self) -> Path:
        """The run's own folder, beside the model: `plants.run` for `plants.keras`."""
        return self.output.with_suffix(".run")

    @property
    def share(self) -> float:
        """The share of the pictures that validates, 0 to 1."""
        return VAL_SHARE if self.val_share is None else self.val_share

    def check(self) -> None:
        """Finds what is wrong in the request alone, before anything is read. Raises `ConfigError`."""
        self.check_output()
        self._check_options()

    def check_output(self) -> None:
        """As `check`, as far as an earlier run is not asked what the options were."""
        check_place(self.output)
        if self.output.suffix != ".keras":
            raise ConfigError(f"a model is saved as a .keras file, not {self.output.name!r}")
        check_writable(self.output, overwrite=True)  # whether it may be: `earlier_run`
        if self.folder.exists() and not self.folder.is_dir():
            raise ConfigError(f"the run's folder {self.folder} is a file; move it away, or choose another --output")
        if self.resume and self.restart:
            raise ConfigError("--resume goes on with the unfinished run and --restart drops it; give one of them")

    def _check_options(self) -> None:
        if self.start is not None and self.variant is not None:
            raise ConfigError(f"--from {self.start} brings its own variant; leave --variant out")
        if self.start is None:
            for given, option in ((self.qat, "--qat"), (self.options.get("freeze"), "--freeze")):
                if given:
                    raise ConfigError(f"{option} needs weights to start from: --from MODEL.keras")
        if self.task is not None and self.task not in TRAINED:
            raise unknown_key("task to train", self.task, TRAINED)
        self._check_vector()
        self._check_pairs()
        for name in DETECTORS_ONLY:
            if self.options.get(name) and self.dense_task != "detect":
                raise ConfigError(f"--{name} is for --task detect: leave it out")
        if self.dense_task:
            self._check_dense()
        elif self.ignored is not None:
            raise ConfigError("--ignored is a value of masks: it is for --task segment")
        if not 0.0 < self.share < 1.0:
            raise ConfigError(f"--val-share must lie between 0 and 1, not {self.share}")
        if self.distillation_token and self.teacher is None:
            raise ConfigError("--distillation-token listens to a teacher: give one with --teacher")
        if self.resize is not None:
            parse_policy(self.resize)

    def _check_vector(self) -> None:
        """Raises `ConfigError` for what only vectors have, or what they cannot be learned with."""
        for value, option in ((self.projection, "--vector-width"), (self.pooling, "--pooling")):
            if value is not None and not self.embeds and not (self.pairs and self.start is None):
                raise ConfigError(f"{option} is for --task embed, or image-text without --from: leave it out")
        if self.embeds and self.qat:
            raise ConfigError("--qat is for classes, masks, boxes and points so far: vectors lose little by int8")
        if self.embeds and self.distillation_token:
            raise ConfigError("--distillation-token is a second classifier, and a picture has one vector: leave it out")

    def _check_pairs(self) -> None:
        """Raises `ConfigError` for what pairs of pictures and texts do not learn by, or only they do."""
        if not self.pairs:
            if self.options.get("text"):
                raise ConfigError("--text is for --task image-text: leave it out")
            return
        for given, option in (
            (self.teacher, "--teacher"),
            (self.qat, "--qat"),
            *((self.options.get(name), f"--{name.replace('_', '-')}") for name in NOT_OF_PAIRS),
        ):
            if given:
                raise ConfigError(f"{option} is not for pairs of a picture and a text: leave it out")
        if self.synthetic:
            raise ConfigError("for --task image-text draw the pairs first: edgevit synthetic shapes/ --scene shapes")
        if self.options.get("text") == "frozen" and self.start is None:
            raise ConfigError("--text frozen needs a text tower that knows something: --from CLIP.keras")

    def _check_dense(self) -> None:
        """Raises `ConfigError` for what only a classifier learns by."""
        for given, option in (
            (self.teacher, "--teacher"),
            (self.distillation_token, "--distillation-token"),
        ):
            if given:
                raise ConfigError(f"{option} is for classifiers so far: leave it out with --task {self.dense_task}")
        if self.qat and self.options.get("self_distillation"):
            raise ConfigError(
                "--self-distillation compares tokens, which a graph under --qat does not give: leave it out"
            )
        for name in CLASSIFIERS_ONLY:
            if self.options.get(name):
                raise ConfigError(
                    f"--{name.replace('_', '-')} is for classifiers: leave it out with --task {self.dense_task}"
                )

    def preset_name(self) -> str:
        if self.preset is not None:
            return self.preset
        if self.qat is not None:
            return "qat"
        if self.dense_task:
            return "dense-scratch" if self.start is None else "dense"
        return "scratch" if self.start is None else "fine-tune"

    def spec(self, count: int | None = None) -> TrainSpec:
        """The preset's values under the options'. count: of the pictures to train on, where that is known."""
        preset = get_preset(self.preset_name())
        values = dict(preset.values)
        if preset.views and count:
            values["epochs"] = min(MOST_EPOCHS, max(LEAST_EPOCHS, round(preset.views / count)))
        if self.dense_task:  # of a preset for classifiers, too
            values = {name: value for name, value in values.items() if name not in CLASSIFIERS_ONLY}
        if self.dense_task != "detect":
            values = {name: value for name, value in values.items() if name not in DETECTORS_ONLY}
        if self.pairs:
            values = {name: value for name, value in values.items() if name not in NOT_OF_PAIRS}
            values |= {"label_smoothing": 0.0, "text": "trained"}
        # What a text says of left and right is wrong of a mirrored picture.
        values["augmentation"] = "shift" if self.synthetic or self.pairs else "photo"
        if self.dense_task and self.qat:
            values["self_distillation"] = 0.0
        if self.options.get("freeze"):
            # One linear layer: it takes a higher rate, and there is nothing below it to protect.
            values |= {"layer_decay": 1.0, "learning_rate": 3e-3, "self_distillation": 0.0}
        return TrainSpec(**{**values, **self.options})

    def remarks(self, count: int) -> tuple[str, ...]:
        """What is to be said of a training on so many pictures, which does what was asked for all the same."""
        said = []
        if self.start is None and not self.synthetic and count < FEW:
            instead = "" if self.dense_task or self.preset_name() == "small-data" else ", or --preset small-data"
            made = "`edgevit import` makes one of trained weights: docs/checkpoints.md"
            said.append(
                f"{counted(count, 'picture')} are few to train from nothing: --from MODEL.keras ({made}){instead}"
            )
        batch = self.spec().batch
        if batch > count:
            smaller = max(1, min(32, count // 4))
            said.append(
                f"a batch of {batch} is more than the {counted(count, 'picture')}: each epoch is one step of all of "
                f"them; with --batch {smaller} it has {count // smaller}"
            )
        return tuple(said)

    def config(self, base: ViTConfig | None, classes: int, labels: tuple[str, ...]) -> ViTConfig:
        """`base` (of the model to start from) or the variant, for these classes.

        A fresh model's positions are learned on the grid of the ladder's middle.
        """
        start = base or self.variant_config()
        ladder = self.resolutions(start)
        preset: Preset = get_preset(self.preset_name())
        depth = preset.stochastic_depth if self.stochastic_depth is None else self.stochastic_depth
        # The old labels go first: their count need not be the new one's.
        config = start.with_(labels=(), label_keys=(), templates=(), dense_heads=()).with_(
            classes=classes,
            labels=labels,
            scores="softmax",
            ladder=ladder,
            score_temperature=1.0,
            resize=self.resize or self._resize_of(base) or self.default_resize(),
            stochastic_depth=0.0 if self.options.get("freeze") else depth,
            cosine_scale=COSINE_SCALE if self.embeds else 0.0,
        )
        if self.embeds:
            config = config.with_(
                distilled=False,
                pooling=self.pooling or config.pooling,
                projection=config.projection if self.projection is None else self.projection,
            )
        if self.pairs:
            config = config.with_(distilled=False)
            if base is None:
                width = config.width if self.projection is None else self.projection
                config = config.with_(pooling=self.pooling or "class", projection=width)
        if self.distillation_token:
            config = config.with_(distilled=True)
        return config if base else config.with_(base_resolution=ladder[len(ladder) // 2])

    def dense_config(self, base: ViTConfig | None, head: DenseHead) -> ViTConfig:
        """The same with one head that reads all tokens, and no classifier."""
        return self.config(base, 0, ()).with_(dense_heads=(head,))

    def variant_config(self) -> ViTConfig:
        return variant_config(self.variant or ("vit-nano" if self.synthetic else "vit-tiny"))

    def resolutions(self, base: ViTConfig) -> tuple[Resolution, ...]:
        """The ladder. Raises `ResolutionError` for one that the patch does not divide."""
        drawn = DENSE_SYNTHETIC_LADDER if self.dense_task else SYNTHETIC_LADDER
        default = drawn if self.synthetic else PHOTO_LADDER
        known = () if self.dense_task and not base.dense_heads else base.ladder
        # With patches of 14: 126, 154, 196, 224. What somebody asked for is not touched.
        ladder = self.ladder or known or as_resolutions(nearest_resolution(each, base.patch) for each in default)
        for resolution in ladder:
            check_resolution(resolution, base.patch)
        return ladder

    def _resize_of(self, base: ViTConfig | None) -> str | None:
        """What the model to start from was trained with, where that suits the task."""
        if base is None or not base.ladder or (self.dense_task and not base.dense_heads):
            return None
        return base.resize

    def default_resize(self) -> str:
        if self.dense_task:
            return "letterbox"
        return "squash" if self.synthetic else DEFAULT_POLICY
