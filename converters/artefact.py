"""The whole way from a model to an artefact on disk: lower, quantize, audit, merge, describe, test, write."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edgevit.converters.audit import audit, check_lowering, self_test_entry
from edgevit.converters.calibration import calibration_files
from edgevit.converters.ladder import Rung, add_metadata, merge, pack
from edgevit.converters.lowering import Folded, lower, model_arrays, output_names
from edgevit.converters.manifest import manifest_bytes, signature_entry, stamp_size
from edgevit.converters.posttraining import Prepared, prepare
from edgevit.converters.quantize import quantize
from edgevit.converters.recipes import Recipe, get_recipe
from edgevit_runtime import Model
from edgevit_runtime.manifest import BUFFER_NAME
from edgevit_runtime.preprocess import parse_policy
from edgevit_runtime.seal import make_seal

from edgevit.calibration import Calibration
from edgevit.config import ViTConfig, check_resolution
from edgevit.errors import AuditError, ConversionError
from edgevit.model import ViT

OnStep = Callable[[str, int, int], None]
"""Told (what is being done, steps done, steps in all)."""


def convert(
    model: ViT,
    path: str | Path,
    *,
    recipe: str = "int8",
    resolutions: Sequence[int] = (),
    labels: Sequence[str] | None = None,
    resize: str | None = None,
    calibration: str | Path | None = None,
    with_logits: bool = False,
    source: str | Path | None = None,
    sign: str | Path | None = None,
    on_step: OnStep = lambda _what, _done, _total: None,
) -> None:
    """Compiles `model` to one `.tflite` artefact at `path`; a failure leaves nothing there.

    resolutions: the ladder; where empty, the one that the model was trained for.
    labels: class names in index order; None keeps the model's own.
    resize: the preprocessing policy; None keeps the model's own.
    calibration: a folder of pictures, for the recipes with static ranges; None takes the ranges that the model learned
        in fine-tuning for this recipe. `int8` does without, and rounds its weights better with.
    source: the `.keras` file the model came from, named in the manifest with its hash.
    sign: an Ed25519 private key in PEM; devices that trust its public half run only what it signed.

    Raises `ConfigError`, `ResolutionError`, `DataError`, `ConversionError` or its child `AuditError`.
    """
    chosen, path = get_recipe(recipe), Path(path)
    config = _config(model.config, labels, resize)
    ladder = _ladder(config, resolutions)
    ranges = _ranges(model, chosen, calibration)
    if path.suffix != ".tflite":
        raise ConversionError(f"an artefact is written as a .tflite file, not {path.name!r}")
    if not path.parent.is_dir():
        raise ConversionError(f"cannot write {path}: there is no folder {path.parent}")
    if sign is not None:
        make_seal(bytes(32), sign)  # a wrong key is named now, not after minutes of work

    arrays = model_arrays(model)
    _check_finite(arrays)
    prepared = Prepared(calibration=ranges.learned)
    if ranges.files:
        on_step("calibration", 0, len(ladder) + 1)
        prepared = prepare(config, arrays, chosen, ladder, ranges.files)
    rungs, entries = [], []
    for done, resolution in enumerate(ladder):
        name = f"classify_{resolution}"
        on_step(f"{resolution} px", done, len(ladder) + 1)
        rung, entry = _rung(model, config, arrays, chosen, name, resolution, prepared, with_logits)
        rungs.append(rung)
        entries.append(entry)
    on_step("self-test", len(ladder), len(ladder) + 1)
    merged = merge(rungs)
    text = manifest_bytes(config, chosen, entries, calibration=ranges.described, source=_source(source))
    add_metadata(merged, BUFFER_NAME, text)
    content = stamp_size(pack(merged))
    seal = make_seal(hashlib.sha256(content).digest(), sign)
    _write_tested(path, content + seal.to_bytes())
    on_step("done", len(ladder) + 1, len(ladder) + 1)


@dataclass(frozen=True)
class Ranges:
    """Where static ranges come from: pictures, what the model learned, or nowhere, for recipes without."""

    files: tuple[Path, ...] = ()
    learned: Calibration | None = None
    described: dict[str, Any] | None = None
    """For the manifest."""


def _ranges(model: ViT, recipe: Recipe, folder: str | Path | None) -> Ranges:
    if folder is not None and not recipe.uses_calibration:
        raise ConversionError(
            f"the recipe {recipe.name} uses no calibration; leave it out, or choose int8, int8-static or int8-full"
        )
    if folder is not None:
        files = calibration_files(Path(folder))
        return Ranges(files=files, described={"folder": Path(folder).name, "pictures": len(files)})
    if not recipe.needs_calibration:
        return Ranges()
    learned: Calibration | None = model.calibration
    if learned is None or learned.recipe != recipe.name:
        other = f" (this model's ranges were learned for {learned.recipe})" if learned else ""
        raise ConversionError(f"the recipe {recipe.name} needs pictures to calibrate with: --calibration DIR{other}")
    return Ranges(learned=learned, described={"learned_for": learned.recipe, "ranges": len(learned.ranges)})


def _rung(
    model: ViT,
    config: ViTConfig,
    arrays: dict[str, Any],
    recipe: Recipe,
    name: str,
    resolution: int,
    prepared: Prepared,
    with_logits: bool,
) -> tuple[Rung, dict[str, Any]]:
    """One resolution, quantized and audited, and its entry in the manifest."""
    outputs = output_names(with_logits=with_logits)

    def lowered(adjust: Callable[[Folded], Folded]) -> bytes:
        graph = lower(
            config,
            arrays,
            resolution,
            with_logits=with_logits,
            float_input=recipe.integer_io,
            adjust=adjust,
        )
        return pack(merge([Rung(name, graph, outputs)]))

    plain = lowered(prepared.equalized)
    check_lowering(plain, audit(plain, get_recipe("float32"), name), model, name)
    if prepared.rounded is not None:  # from here on it is no longer the model to the last bit
        plain = lowered(prepared.finished)
    quantized = Rung(name, quantize(plain, recipe, prepared.calibration), outputs)
    single = pack(merge([quantized]))
    audited = audit(single, recipe, name)
    entry = signature_entry(config, name, resolution, audited, self_test_entry(single, audited, recipe))
    return quantized, entry


def _config(config: ViTConfig, labels: Sequence[str] | None, resize: str | None) -> ViTConfig:
    if labels is not None:
        if len(labels) != config.classes:
            raise ConversionError(f"{len(labels)} labels for a model with {config.classes} classes")
        config = config.with_(labels=tuple(labels))
    if resize is not None:
        parse_policy(resize)
        config = config.with_(resize=resize)
    return config


def _ladder(config: ViTConfig, resolutions: Sequence[int]) -> tuple[int, ...]:
    ladder = tuple(sorted(set(resolutions))) or config.ladder or (config.base_resolution,)
    for resolution in ladder:
        check_resolution(resolution, config.patch)
    return ladder


def _check_finite(arrays: dict[str, Any]) -> None:
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ConversionError(f"the model's weight {name} holds NaN or infinity; it cannot be converted")


def _source(path: str | Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    return {"file": Path(path).name, "sha256": hashlib.sha256(Path(path).read_bytes()).hexdigest()}


def _write_tested(path: Path, content: bytes) -> None:
    """Writes beside `path`, replays the self-test through the runtime, and only then puts the file in place."""
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial.tflite")
    try:
        partial.write_bytes(content)
        with Model(partial, weight_cache=False) as written:
            result = written.self_test()
        for check in result.checks:
            if not check.passed:
                raise AuditError(
                    f"the finished artefact fails its self-test: {check.name} differs from the reference kernels by "
                    f"{check.max_error:.2g}, tolerance {check.tolerance:.2g} ({result.backend} {result.version})"
                )
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
