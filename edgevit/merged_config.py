"""Several models with one backbone as one, as far as their configs say: `merged_config`. No Keras is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from edgevit.config import ViTConfig
from edgevit.dense_head import DenseHead
from edgevit.errors import ConfigError
from edgevit_runtime.resolution import Resolution

__all__ = ["FREEZE", "merged_config", "two_heads"]

BACKBONE = (
    "width",
    "depth",
    "heads",
    "mlp_width",
    "patch",
    "base_resolution",
    "attention",
    "layer_norm_epsilon",
    "mean",
    "std",
    "distilled",
    "activation",
    "class_token",
    "input_norm",
    "qk_norm",
    "learned_positions",
    "resampling",
    "rotary",
    "rotary_theta",
    "rotary_grid",
    "registers",
)
"""Fields that decide what the backbone computes."""
CLASSIFIER = (
    "classes", "labels", "label_keys", "templates", "scores", "score_temperature", "pooling", "pool_norm", "pool_heads",
    "projection", "cosine_scale",
)  # fmt: skip
"""Fields that belong to the classifier's head."""
FREEZE = "train each head on the same frozen backbone: edgevit train DATA --task TASK --from MODEL.keras --freeze"
"""How models come to share a backbone."""


def merged_config(
    configs: Mapping[str, ViTConfig],
    *,
    resolutions: Sequence[Resolution] = (),
    resize: str | None = None,
    on_note: Callable[[str], None] = lambda _line: None,
) -> ViTConfig:
    """One model with the heads of all these, by the names of their files.

    resolutions, resize: the ladder and the preprocessing policy that were asked for. Otherwise the ladder is that of
        all together, and the policy is the models' own, or where they differ that of the heads that read all tokens:
        what these find has a place in the picture, which should be there whole.
    on_note: told what was decided where they differ.

    Raises `ConfigError` where their backbones differ, or two have another head for one task.
    """
    (first_name, first), *others = configs.items()
    for name, config in others:
        for field in BACKBONE:
            ours, theirs = getattr(first, field), getattr(config, field)
            if ours != theirs:
                raise ConfigError(
                    f"{first_name} and {name} have different backbones: {field} is {ours} and {theirs}; {FREEZE}"
                )
    classifier = _classifier(configs)
    policy = resize or _policy(configs, on_note)
    ladder = tuple(sorted({each for config in configs.values() for each in config.ladder}))
    if not resolutions and any(config.ladder and config.ladder != ladder for config in configs.values()):
        shown = ", ".join(map(str, ladder))
        on_note(f"resolutions: {shown}, which the models were trained for between them; --resolutions chooses")
    return first.with_(
        **{field: getattr(classifier, field) for field in CLASSIFIER},
        dense_heads=_dense_heads(configs),
        resize=policy,
        ladder=ladder,
    )


def two_heads(task: str, names: Iterable[str]) -> ConfigError:
    """For several models that have different heads for one task."""
    return ConfigError(
        f"{' and '.join(names)} both have a head for {task}, and not the same one: an artefact holds one of a task, so "
        "leave one model out, or convert it to a file of its own"
    )


def _classifier(configs: Mapping[str, ViTConfig]) -> ViTConfig:
    """The model whose classifier it will be; where none has one, any."""
    having = {name: config for name, config in configs.items() if config.classes}
    for name, config in list(having.items())[1:]:
        first = next(iter(having))
        if any(getattr(config, field) != getattr(having[first], field) for field in CLASSIFIER):
            raise two_heads("classify", (first, name))
    return next(iter((having or configs).values()))


def _dense_heads(configs: Mapping[str, ViTConfig]) -> tuple[DenseHead, ...]:
    found: dict[str, tuple[str, DenseHead]] = {}
    for name, config in configs.items():
        for head in config.dense_heads:
            before, same = found.setdefault(head.task, (name, head))
            if same != head:
                raise two_heads(head.task, (before, name))
    return tuple(head for _, head in found.values())


def _policy(configs: Mapping[str, ViTConfig], on_note: Callable[[str], None]) -> str:
    policies = {name: config.resize for name, config in configs.items()}
    if len(set(policies.values())) == 1:
        return next(iter(policies.values()))
    each_own = ", ".join(f"{name} {policy}" for name, policy in policies.items())
    dense = {config.resize for config in configs.values() if config.dense_heads}
    if len(dense) != 1:
        raise ConfigError(f"one pass sees one picture, and the models want other preprocessing ({each_own}): --resize")
    (policy,) = dense
    on_note(f"preprocessing: {policy} for all tasks (the models' own: {each_own}); --resize chooses")
    return policy
