"""The formats that checkpoints come in, in one table, and the way from a file to a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgevit.checkpoints import (
    augreg,
    dinov3,
    ecvit,
    keras_hub,
    open_clip,
    timm,
    timm_eva,
    transformers,
    vision_tower,
)
from edgevit.checkpoints.checkpoint_file import KERAS_H5, CheckpointFile, read
from edgevit.checkpoints.facts import CUSTOM, NO_HEAD, Facts, config_for, variants_of
from edgevit.checkpoints.hub import variant_of
from edgevit.checkpoints.strangers import stranger
from edgevit.checkpoints.text_side import TEXT_NAMES, joined, text_side
from edgevit.checkpoints.weight_mapping import WeightRule, apply, left_out, without_head
from edgevit.checkpoints.wrappers import PREFIXES, unwrapped
from edgevit.config import SCORES, ViTConfig, head_scores
from edgevit.errors import CheckpointError, ConfigError
from edgevit.model import ImageText, ViT, build, named_weights
from edgevit.variants import variant_config

OF_TEXT = "of the text tower"
Unwrapped = tuple[CheckpointFile, list[str]]
"""A checkpoint that was read, and what was taken off its names."""


@dataclass(frozen=True)
class Format:
    """One importer: the functions of its module."""

    what: str
    recognise: Callable[[CheckpointFile], bool]
    facts: Callable[[CheckpointFile], Facts]
    rules: Callable[[ViTConfig, CheckpointFile], dict[str, WeightRule]]
    dropped: Mapping[str, str]
    """Patterns of tensor names that the model does without, and why."""


FORMATS: dict[str, Format] = {
    "timm-eva": Format(
        "timm's DINOv3 and PE-Core (.safetensors)",
        timm_eva.recognise, timm_eva.facts, timm_eva.rules, timm_eva.DROPPED,
    ),
    "dinov3": Format(
        "Hugging Face transformers' DINOv3 (.safetensors)",
        dinov3.recognise, dinov3.facts, dinov3.rules, dinov3.DROPPED,
    ),
    "ecvit": Format(
        "EdgeCrafter's ECViT (.safetensors)",
        ecvit.recognise, ecvit.facts, ecvit.rules, ecvit.DROPPED,
    ),
    "timm": Format(
        "timm's ViT, DeiT, DINOv2, CLIP and SigLIP (.safetensors)",
        timm.recognise, timm.facts, timm.rules, timm.DROPPED,
    ),
    "transformers": Format(
        "Hugging Face transformers' ViT, DeiT and DINOv2 (.safetensors)",
        transformers.recognise, transformers.facts, transformers.rules, transformers.DROPPED,
    ),
    "clip": Format(
        "Hugging Face transformers' CLIP, SigLIP and SigLIP 2 (.safetensors)",
        vision_tower.recognise, vision_tower.facts, vision_tower.rules, vision_tower.DROPPED,
    ),
    "open-clip": Format(
        "OpenAI's CLIP and open_clip's (.safetensors)",
        open_clip.recognise, open_clip.facts, open_clip.rules, open_clip.DROPPED,
    ),
    "augreg": Format(
        "the original ViT and AugReg (.npz)",
        augreg.recognise, augreg.facts, augreg.rules, augreg.DROPPED,
    ),
    "keras-hub": Format(
        "KerasHub's presets of ViT, DeiT and DINOv2 (a folder with config.json and model.weights.h5)",
        keras_hub.recognise, keras_hub.facts, keras_hub.rules, keras_hub.DROPPED,
    ),
}  # fmt: skip


def is_known(source: CheckpointFile) -> bool:
    """Whether the tensors have the names of some format."""
    return any(each.recognise(source) for each in FORMATS.values())


def format_of(source: CheckpointFile) -> str:
    """The key of the format whose names the tensors have. Raises `CheckpointError` that lists them all."""
    for name, each in FORMATS.items():
        if each.recognise(source):
            return name
    for prefix in ("", *PREFIXES):
        names = [name.removeprefix(prefix) for name in source.tensors if name.startswith(prefix)]
        if what := stranger(names):
            raise CheckpointError(f"{source.path} is {what}, which edgevit's ViT cannot be")
    config = source.documents.get("config.json")
    said = config.values.get("model_type", config.values.get("class_name")) if config else None
    why = f", and its config.json says {said!r}" if said else ""
    if source.container == KERAS_H5 and config is None:
        why = ", and there is no config.json beside it, without which Keras weights are not known"
    tensors = ", ".join(sorted(source.tensors)[:3]) or "no tensors at all"
    known = "; ".join(each.what for each in FORMATS.values())
    raise CheckpointError(f"{source.path} is none of the known formats: it holds {tensors}, ...{why} (known: {known})")


def import_checkpoint(
    path: str | Path | Unwrapped,
    variant: str | None = None,
    *,
    labels: tuple[str, ...] = (),
    label_keys: tuple[str, ...] = (),
    classes: int | None = None,
    head: str | None = None,
    name: str | None = None,
    on_note: Callable[[str], None] = lambda _line: None,
) -> ViT:
    """A checkpoint, file or folder, as a model; the format is told by its content. Of two towers it is that of images.

    variant: what it must be, `custom` for whatever it is; None to tell it from the shape.
    labels: class names, before those that lie beside the checkpoint; label_keys: `ViTConfig.label_keys`.
    classes: make a new head of so many classes, all zeros, in the place of the checkpoint's; 0: none. A checkpoint
        without a head becomes a backbone.
    head: what its scores are, a key of `edgevit.config.SCORES`, where the checkpoint does not say so, or not rightly.
    name: what to call it where two variants have its shape, the path's own if None: `facebook/deit-tiny-patch16-224`.
    on_note: told what was recognised, left out and folded.
    Raises `CheckpointError` unless every tensor fits.
    """
    if variant not in (None, CUSTOM):
        variant_config(str(variant))  # a misspelt name first
    asked = None if head is None else head_scores(head)
    source, changes = path if isinstance(path, tuple) else unwrapped(read(path), is_known)
    path = source.path
    format_name = format_of(source)
    importer = FORMATS[format_name]
    _check_numbers(source)
    facts = importer.facts(source)
    if facts.classes is None and classes is None and facts.no_head != NO_HEAD:
        raise CheckpointError(
            f"{path}: {facts.no_head}; say --classes N for a new one of N classes, to be trained with `edgevit train "
            "--from`, or --classes 0 for the backbone alone"
        )
    known = (facts.classes or 0) if classes is None else classes
    if labels and len(labels) != known:
        whose = "the new head" if classes else str(path)
        raise CheckpointError(
            f"the labels name {len(labels)} classes and {whose} has {known}: one name for each, in order"
        )
    try:
        config = config_for(facts, source, variant, variant_of(name or str(path)))
        names = labels or (facts.labels if classes is None else ())
        scores = asked or (facts.scores if classes is None else None)
        if known == 1 and scores in (None, "softmax"):
            raise CheckpointError(
                f"{path}: {'the new head' if classes else 'its classifier'} has one output, and a softmax over one "
                "class is always 100 %: say --head sigmoid (a probability) or --head regression (a value)"
            )
        config = config.with_(labels=(), label_keys=())
        config = config.with_(classes=known, scores=scores or "softmax").with_(labels=names, label_keys=label_keys)
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    rules, dropped = importer.rules(config, source), {**importer.dropped, **dict.fromkeys(TEXT_NAMES, OF_TEXT)}
    if classes is not None or not known:
        all_rules, rules = rules, without_head(rules)
        kept = {each for rule in rules.values() for each in rule.names}
        heads = {each for ours, rule in all_rules.items() if ours not in rules for each in rule.names}
        dropped = (
            dict.fromkeys(
                sorted(heads - kept), "the classifier, for a new one" if known else "the classifier, for none"
            )
            | dropped
        )
    model = build(config)
    variables = named_weights(model)
    shapes = {ours: tuple(variable.shape) for ours, variable in variables.items() if ours in rules}
    like = " or ".join(variants_of(facts))
    for ours, value in apply(rules, config, source.tensors, shapes, dropped, like).items():
        if not np.isfinite(value).all():
            raise CheckpointError(
                f"{path}: {ours} holds NaN or infinity (it comes from {', '.join(rules[ours].names)})"
            )
        variables[ours].assign(value)
    recognised = f"{source.path}: {importer.what}; {facts}"
    said = (
        *facts.notes,
        _normalising(facts, config),
        _resizing(facts, config.resize),
        _scoring(config, scores, classes),
    )
    for line in (recognised, *changes, *said, *_account(source, rules, dropped)):
        if line:
            on_note(line)
    return model


def import_model(
    path: str | Path, *, classes: int | None = None, on_note: Callable[[str], None] = lambda _line: None, **options: Any
) -> ViT | ImageText:
    """The same, with its text tower where it has one and `classes` asks for no other head: an image-text model.

    options: those of `import_checkpoint`.
    """
    opened = unwrapped(read(path), is_known)
    source = opened[0]
    side = text_side(source) if classes is None else None
    image = import_checkpoint(opened, classes=classes, on_note=on_note, **options)
    if side is None:
        return image
    model = joined(source, side, image)
    on_note(f"texts: {side}, read beside it")
    return model


def _check_numbers(source: CheckpointFile) -> None:
    """Raises `CheckpointError` for weights that are no real numbers: those of a quantized checkpoint mean others."""
    for name, value in source.tensors.items():
        if value.ndim > 1 and not (value.dtype.kind == "f" or value.dtype.name.startswith("bfloat16")):
            raise CheckpointError(
                f"{source.path}: {name} holds {value.dtype} numbers; quantized checkpoints are not read, "
                "take the float one"
            )


def _normalising(facts: Facts, config: ViTConfig) -> str:
    """Which mean and std were assumed; empty where the checkpoint said them."""
    if facts.mean is not None and facts.std is not None:
        return ""
    mean, std = (", ".join(f"{each:g}" for each in part) for part in (config.mean, config.std))
    return f"pixels: mean {mean} and std {std} are assumed, as of {config.variant}, for the checkpoint does not say"


def _scoring(config: ViTConfig, said: str | None, classes: int | None) -> str:
    """What the head's outputs were taken for; empty where that was said, or the head is not the checkpoint's."""
    if not config.classes or classes is not None:
        return ""
    if said is not None:
        return "" if said == "softmax" else f"scores: {said}, {SCORES[said]}"
    return (
        f"scores: its {config.classes} outputs are taken for logits, with a softmax behind them; where they are "
        "something else, --head sigmoid (labels, each by itself) or --head regression (values)"
    )


def _resizing(facts: Facts, policy: str) -> str:
    """How pictures are brought to a resolution, and whether the checkpoint said so."""
    if facts.resize is None:
        return f"pictures: {policy} is assumed, for the checkpoint does not say; another by `edgevit convert --resize`"
    return f"pictures: {policy}, which the checkpoint was made for"


def _account(source: CheckpointFile, rules: Mapping[str, WeightRule], dropped: Mapping[str, str]) -> list[str]:
    """A line for each reason that tensors were left out, and for what was folded."""
    used = {name for rule in rules.values() for name in rule.names}
    reasons: dict[str, list[str]] = {}
    for name in source.tensors:
        if name not in used and (why := left_out(name, dropped)):
            reasons.setdefault(why, []).append(name)
    lines = [
        f"left out: {', '.join(names[:4])}{', ...' if len(names) > 4 else ''} ({why})" for why, names in reasons.items()
    ]
    scales = len({rule.scale for rule in rules.values() if rule.scale})
    if scales:
        lines.append(f"folded: LayerScale, {scales} times, into the linear layer in front of it")
    norms = len({rule.norm for rule in rules.values() if rule.norm})
    if norms:
        lines.append(f"folded: batch norms, {norms} times, into the convolution in front of it")
    return lines
