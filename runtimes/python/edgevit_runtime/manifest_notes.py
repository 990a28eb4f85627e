"""What a manifest tells people: where the model comes from, how it was calibrated, what it lost, who made it.

No runtime computes with it, but commands print it: so it is what the schema says, or there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgevit_runtime.json_values import items, number, record, text, texts, whole
from edgevit_runtime.resolution import as_resolution

RULE_TEXTS = ("op", "weight", "activation", "why")


def check_notes(raw: Mapping[str, Any]) -> None:
    """Raises `ValueError` or `EdgeViTError` for notes that are not what they are called."""
    if (source := record(raw, "model").get("source")) is not None:
        for each in (_object(source, "source"), *(items(source, "with") if "with" in source else ())):
            text(_object(each, "with"), "file")
            text(each, "sha256")
    if (custom := raw.get("custom_recipe")) is not None:
        _check_recipe(_object(custom, "custom_recipe"))
    if (chosen_for := raw.get("chosen_for")) is not None:
        text(_object(chosen_for, "chosen_for"), "device")
        text(chosen_for, "by")
        if chosen_for.get("resolution") is not None:
            as_resolution(chosen_for["resolution"])  # which `extract` may have left out
        shares = record(chosen_for, "over_float32") if "over_float32" in chosen_for else {}
        for name in shares:
            number(shares, name)
    if (calibration := raw.get("calibration")) is not None:
        if "folder" in _object(calibration, "calibration"):
            text(calibration, "folder")
            whole(calibration, "pictures")
        else:
            text(calibration, "learned_for")
            whole(calibration, "ranges")
    if (accuracy := raw.get("accuracy")) is not None:
        _check_accuracy(_object(accuracy, "accuracy"))
    for name in record(raw, "versions") if "versions" in raw else ():
        text(raw["versions"], name)


def _check_recipe(custom: Mapping[str, Any]) -> None:
    text(custom, "name")
    if custom.get("base") is not None:
        text(custom, "base")
    if "weighting" in custom:
        text(custom, "weighting")
    for rule in items(custom, "rules"):
        for key in RULE_TEXTS:
            if key in _object(rule, "rules") or key != "why":
                text(rule, key)
        texts(rule, "sites") if "sites" in rule else ()
        for block in items(rule, "blocks") if "blocks" in rule else ():
            if isinstance(block, bool) or not isinstance(block, (int, str)):
                raise ValueError(f"blocks are numbers and names, not {block!a}")


def _check_accuracy(accuracy: Mapping[str, Any]) -> None:
    text(accuracy, "set")
    whole(accuracy, "pictures", 1)
    metric = text(accuracy, "metric") if "metric" in accuracy else "top1"
    if "task" in accuracy:
        text(accuracy, "task")
    for each in items(accuracy, "results"):
        as_resolution(_object(each, "results").get("resolution"))  # type: ignore[arg-type]
        for key in (metric, "drop", "drop_low", "drop_high"):
            number(each, key)
        if each.get("agreement", 1) is not None:  # nothing was found that could be agreed on
            number(each, "agreement")
        number(record(each, "float"), metric)
    if (asked := accuracy.get("max_drop")) is not None:
        number(_object(asked, "max_drop"), "points")
        as_resolution(asked.get("resolution"))  # which `extract` may have left out


def _object(value: Any, key: str) -> Mapping[str, Any]:
    return record({key: value}, key)
