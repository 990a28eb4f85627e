"""`edgevit.plan`: which variant, recipe and resolution to take on a device."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgevit.api.arguments import OneOrMore, Words, as_paths, as_words, in_known_words
from edgevit.errors import ConfigError
from edgevit.files import check_output, write_bytes
from edgevit.latency.plan import Plan, plans_document
from edgevit.report.candidates import make_plans
from edgevit.report.input_documents import check_evaluations, check_profiles, read_documents

__all__ = ["plan"]


@in_known_words
def plan(
    *paths: OneOrMore,
    device_profile: OneOrMore = (),
    eval: OneOrMore = (),
    budget_ms: float | None = None,
    variants: Words | None = None,
    png: str | Path | None = None,
    overwrite: bool = False,
    on_result: Callable[[tuple[Plan, ...]], None] = lambda _plans: None,
) -> dict[str, Any]:
    """The `edgevit.plan/1` document of a device, or `edgevit.plans/1` of several: what is both fast and accurate.

    paths: profiles and evaluations in any order, one by one or as a list. device_profile, eval: the same, each where
        it must be that.
    budget_ms: what must be kept; `chosen` is None where nothing does, and nothing is raised.
    variants: without evaluations, variants to predict beside: ["vit-nano", "vit-tiny/8"] or "vit-nano,vit-tiny/8".
    png: where the picture of the front is drawn; for one device. overwrite: replace a file that is there already.
    on_result: given the plans that the document is made of.

    Raises `DocumentError` for a file that is none of these, `ConfigError` without a profile or for evaluations on
    different pictures, `ProfileError` where there is nothing to choose from.
    """
    profile_paths, evaluation_paths = as_paths(device_profile), as_paths(eval)
    picture = None if png is None else Path(png)
    if picture is not None:
        check_output(picture, ".png", overwrite=overwrite)
    check_profiles(profile_paths)
    check_evaluations(evaluation_paths)
    profiles, accuracies = read_documents((*profile_paths, *evaluation_paths, *as_paths(*paths)))
    if not profiles:
        raise ConfigError(
            "a plan needs a profile of the device: make one with `edgevit profile X.tflite --json profile.json`, and "
            "name it too"
        )
    plans = make_plans(profiles, accuracies, budget_ms, as_words(variants))
    if picture is not None and len(plans) > 1:
        devices = ", ".join(each.device for each in plans)
        raise ConfigError(f"--png is for one device, and these profiles are of {len(plans)}: {devices}")
    if picture is not None:
        from edgevit.report.charts.canvas import png as draw
        from edgevit.report.charts.plan_chart import plan_figure

        write_bytes(picture, draw(plan_figure(plans[0])))
    on_result(plans)
    return plans_document(plans)
