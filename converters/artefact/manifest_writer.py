"""Writes the manifest. Its reader is the runtime's: `edgevit_runtime.manifest`, which also owns the schema version."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from converters.quantize.recipe_files import described
from edgevit.config import ViTConfig
from edgevit.errors import ConversionError
from edgevit.foreign_config import ForeignConfig
from edgevit_runtime.manifest import SCHEMA_VERSION, Manifest, parse_manifest
from edgevit_runtime.preprocess.policy import parse_policy
from edgevit_runtime.resolution import Resolution, as_resolution
from edgevit_runtime.signature import Signature, StatedCost, joint_name, parts_of
from edgevit_runtime.verify.integrity import file_sha256

if TYPE_CHECKING:  # which read a manifest alone have no use for
    from converters.artefact.audit import RungAudit
    from converters.quantize.recipes import Recipe
    from edgevit.tasks import Task

Config = ViTConfig | ForeignConfig
ConfigT = TypeVar("ConfigT", ViTConfig, ForeignConfig)

TOOLS = ("edgevit", "tensorflow", "keras", "ai-edge-quantizer", "ai-edge-litert")


def with_choices(config: ConfigT, labels: Sequence[str] | None, resize: str | None) -> ConfigT:
    """`config` with the labels and the preprocessing that were asked for. Raises `ConversionError`, `ConfigError`."""
    if labels is not None:
        if len(labels) != config.classes:
            raise ConversionError(f"{len(labels)} labels for a model with {config.classes} classes")
        config = config.with_(labels=tuple(labels))
    if resize is not None:
        parse_policy(resize)
        config = config.with_(resize=resize)
    return config


def source_entry(paths: str | Path | Sequence[str | Path] | None) -> dict[str, Any] | None:
    """What the manifest says of the file that a model came from; of several the others are under `with`."""
    listed = [paths] if isinstance(paths, str | Path) else list(paths or ())
    if not listed:
        return None
    first, *others = [{"file": Path(each).name, "sha256": file_sha256(each)} for each in listed]
    return {**first, "with": others} if others else first


def signature_entry(
    config: Config, tasks: Sequence[Task], resolution: Resolution, audited: RungAudit, self_test: Mapping[str, Any]
) -> dict[str, Any]:
    """What the manifest says of one signature, which answers one task, or several in one pass."""
    said = {
        output.name: {"meaning": output.meaning, **({"task": task.name} if len(tasks) > 1 else {})}
        for task in tasks
        for output in task.outputs
    }
    name = joint_name(task.name for task in tasks)
    return {
        "name": f"{name}_{resolution}",
        "task": name,
        **resolution.to_fields(),
        "tokens": config.tokens(resolution),
        **_measured(audited),
        "input": audited.input.to_dict(),
        "outputs": [{**output.to_dict(), **said[output.name]} for output in audited.outputs],
        "preprocessing": {
            "policy": config.resize,
            "interpolation": parse_policy(config.resize).interpolation,
            "pixels": "RGB, 0 to 255",
            "fill": list(config.fill),
        },
        "self_test": dict(self_test),
    }


def _measured(audited: RungAudit) -> dict[str, Any]:
    return {
        "ops": sum(audited.ops.values()),
        "partitions": audited.partitions,
        "ops_outside": audited.ops_outside,
        "dtypes": audited.dtypes,
        "macs": {"linear": audited.macs.linear_macs, "attention": audited.macs.attention_macs},
        "cost": {field: getattr(audited.cost, field) for field in StatedCost._fields},
    }


def remeasured(entry: Mapping[str, Any], audited: RungAudit, self_test: Mapping[str, Any]) -> dict[str, Any]:
    """A signature's entry, of which a head was exchanged (`head_exchange`)."""
    shapes = {output.name: list(output.shape) for output in audited.outputs}
    outputs = [{**output, "shape": shapes[output["name"]]} for output in entry["outputs"]]
    return {**entry, **_measured(audited), "outputs": outputs, "self_test": dict(self_test)}


def default_resolution(config: Config, resolutions: Sequence[Resolution]) -> Resolution:
    """The resolution the model was made for if the ladder holds it, otherwise the nearest to it.

    Of masks, boxes and points it is the largest that they were trained at: what is small is seen there alone, and the
    grid of the weights that training began with says nothing of it.
    """
    dense = getattr(config, "dense_heads", ())
    base = max(config.ladder) if dense and config.ladder else config.base_resolution

    def distance(each: Resolution) -> int:
        return abs(each.width - base.width) + abs(each.height - base.height)

    return min(sorted(resolutions, reverse=True), key=distance)


def manifest_bytes(
    config: Config,
    recipe: Recipe,
    tasks: Sequence[Task],
    signatures: Sequence[Mapping[str, Any]],
    *,
    calibration: Mapping[str, Any] | None,
    accuracy: Mapping[str, Any] | None = None,
    source: Mapping[str, Any] | None,
    chosen_for: Mapping[str, Any] | None = None,
) -> bytes:
    """The manifest as JSON, already read back once by the runtime's reader.

    Nothing in it depends on when or where it was written: the same model and versions give the same bytes.
    """
    variant = config.to_dict()
    for entry in ("classes", "scores", "labels", "label_keys", "templates"):  # they belong to the task
        variant.pop(entry, None)
    manifest = {
        "schema": "edgevit.manifest",
        "schema_version": list(SCHEMA_VERSION),
        "size_bytes": 0,
        "sealed": True,
        "recipe": recipe.name,
        **({"custom_recipe": described(recipe)} if recipe.is_custom else {}),
        **({"chosen_for": dict(chosen_for)} if chosen_for else {}),
        "model": {"variant": config.variant, "config": variant, "source": source},
        "default_resolution": default_resolution(
            config, [as_resolution(each["resolution"]) for each in signatures]
        ).to_json(),
        "tasks": {**{task.name: task.entry() for task in tasks}, **_joint_entries(signatures)},
        "signatures": list(signatures),
        "accuracy": accuracy,
        "calibration": calibration,
        "versions": {name: importlib.metadata.version(name) for name in TOOLS},
    }
    return _to_bytes(manifest)


def _joint_entries(signatures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the manifest says of the tasks that join others."""
    names = dict.fromkeys(each["task"] for each in signatures)
    return {name: {"tasks": list(parts_of(name))} for name in names if len(parts_of(name)) > 1}


def part_manifest(manifest: Manifest, signatures: Sequence[Signature]) -> bytes:
    """The manifest of an artefact that holds only these signatures of another."""
    names = {signature.name for signature in signatures}
    held = {signature.resolution for signature in signatures}
    asked = {name for signature in signatures for name in (signature.task, *signature.tasks)}
    tasks = [name for name in manifest.tasks if name in asked]
    accuracy = manifest.raw.get("accuracy")
    if accuracy is not None:
        results = [each for each in accuracy["results"] if as_resolution(each["resolution"]) in held]
        accuracy = {**accuracy, "results": results} if accuracy.get("task", "classify") in tasks else None
    default = manifest.default_resolution
    return _to_bytes(
        {
            **manifest.raw,
            "size_bytes": 0,
            "sealed": True,
            "default_resolution": (default if default in held else max(held)).to_json(),
            "tasks": {name: manifest.raw["tasks"][name] for name in tasks},
            "signatures": [entry for entry in manifest.raw["signatures"] if entry["name"] in names],
            "accuracy": accuracy,
        }
    )


def relabelled_manifest(
    manifest: Manifest,
    signatures: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
    templates: Sequence[str],
    cosine_scale: float,
) -> bytes:
    """The manifest of an artefact that was given other labels. What was measured with the old ones is left out."""
    raw, accuracy = manifest.raw, manifest.raw.get("accuracy")
    kept = {key: raw["tasks"]["classify"][key] for key in ("threshold",) if key in raw["tasks"]["classify"]}
    classify = {
        "scores": raw["tasks"]["classify"]["scores"],
        "classes": len(labels),
        "labels": list(labels),
        **(kept if len(labels) > 1 else {}),
        **({"templates": list(templates)} if templates else {}),
    }
    config = {**raw["model"]["config"], "cosine_scale": cosine_scale, "score_temperature": 1.0}
    return _to_bytes(
        {
            **raw,
            "size_bytes": 0,
            "sealed": True,
            "model": {**raw["model"], "config": config},
            "tasks": {**raw["tasks"], "classify": classify},
            "signatures": list(signatures),
            "accuracy": None if accuracy and accuracy.get("task", "classify") == "classify" else accuracy,
        }
    )


def _to_bytes(manifest: Mapping[str, Any]) -> bytes:
    text = json.dumps(manifest, ensure_ascii=False, separators=(",", ":")).encode()
    text = text.replace(b'"size_bytes":0', _SIZE_PLACE, 1)
    parse_manifest(text)
    return text


_SIZE_PLACE = b'"size_bytes":0              '


def stamp_size(artefact: bytes) -> bytes:
    """Writes the packed file's size into its manifest, in the room left for it, so that a cut file is known as one."""
    size = b'"size_bytes":%d' % len(artefact)
    if artefact.count(_SIZE_PLACE) != 1:
        raise ConversionError("the packed file does not hold its manifest exactly once")
    return artefact.replace(_SIZE_PLACE, size.ljust(len(_SIZE_PLACE)))
