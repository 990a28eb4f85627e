"""`edgevit.sensitivity`: where a recipe loses accuracy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from converters.quantize.calibration import listed_pictures
from converters.quantize.recipe_files import check_rounds_activations, find_recipe
from edgevit.api.arguments import in_known_words
from edgevit.api.early_checks import check_ladder, check_policy, known_model
from edgevit.files import check_output, write_bytes
from edgevit.quiet_keras import load_keras
from edgevit.tasks import analysed_task
from edgevit_runtime.resolution import ResolutionLike, as_resolution

__all__ = ["sensitivity"]


@in_known_words
def sensitivity(
    model: str | Path,
    data: str | Path,
    *,
    task: str | None = None,
    recipe: str | Path = "int8-full",
    resolution: ResolutionLike | None = None,
    resize: str | None = None,
    limit: int = 32,
    png: str | Path | None = None,
    overwrite: bool = False,
    on_row: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """The `edgevit.sensitivity/1` document: what rounding each class of ops of each block alone costs.

    data: a folder of pictures; no labels needed, they calibrate, too. limit: how many of them to use. Labels for a task
        that reads all tokens (masks, boxes, points) tell its metric, too.
    task: whose outputs; None: `classify`, or else what the model has a head for.
    recipe: int8, int8-static, int8-full, int4, or a `.toml` file. resolution: None: the one it was trained at.
    resize: the preprocessing policy; None: the model's own. png: where the table is drawn, too.
    overwrite: replace a file that is there already.
    on_row: told (groups measured, groups in all).

    Raises `ModelError`, `ConfigError` for a recipe that rounds no activations, `ResolutionError`, `DataError`.
    """
    chosen = find_recipe(recipe)
    wanted = None if resolution is None else as_resolution(resolution)
    if png is not None:
        check_output(Path(png), ".png", overwrite=overwrite)
    known = known_model(model)
    check_ladder(known, () if wanted is None else (wanted,))
    check_policy(resize)
    check_rounds_activations(chosen)
    if known is not None:
        analysed_task(known.config, task)
    listed_pictures(Path(data))
    load_keras()
    from converters.search.sensitivity import island
    from converters.search.sensitivity import sensitivity as measured
    from edgevit.model import load

    document = measured(
        load(model), data, task=task, recipe=recipe, resolution=wanted, resize=resize, count=limit, on_row=on_row
    )
    if png is not None:
        from edgevit.report.charts.canvas import png as draw
        from edgevit.report.charts.sensitivity_chart import sensitivity_figure

        write_bytes(Path(png), draw(sensitivity_figure(document)))
    return {"model": str(model), **document, "island": asdict(island(document, chosen))}
