"""The recipe for a kind of device, chosen by what each recipe's graph of a model would take there.

On a processor whose kernels were counted, each candidate's graph is made (`candidate_graphs`) and its cycles are added
up; for other kinds of devices what was measured of each recipe decides. Nothing is timed: the same model and options
give the same choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from converters.conversion import find_ladder
from converters.search.candidate_graphs import CandidateGraphs
from converters.search.recipe_candidates import BASELINE, RecipeCandidate, RecipeChoice, candidates, measured, quickest
from edgevit.latency.device_kinds import get_device_kind
from edgevit.latency.processors.graph_operators import GraphOperator
from edgevit.latency.processors.kernel_work import kernel_of
from edgevit.latency.processors.processor import Processor
from edgevit.model import ViT
from edgevit.tasks import TASKS, Task, choose_tasks
from edgevit.tasks.dense_task import DenseTask
from edgevit_runtime.resolution import ResolutionLike, as_resolutions

__all__ = ["choose_recipe"]


def choose_recipe(
    model: ViT,
    device: str,
    *,
    task: str | Sequence[str] | None = None,
    task_options: Mapping[str, Any] | None = None,
    resolutions: Sequence[ResolutionLike] = (),
    calibrated: bool = False,
) -> RecipeChoice:
    """The quickest candidate on a kind of device, at the ladder's largest resolution, where most of the time is spent.

    device: of `DEVICE_KINDS`; task, task_options, resolutions: as for `convert`, all tasks in one pass.
    calibrated: whether there are pictures to calibrate with.

    Raises `ConfigError`, `ResolutionError`, and `ConversionError` where no candidate can be told.
    """
    kind = get_device_kind(device)
    tasks = choose_tasks(model.config, task, task_options or {})
    ladder = find_ladder(model.config, as_resolutions(resolutions))
    possible = {
        each.name: calibrated or not each.needs_calibration or each.is_learned(model.calibration)
        for each in candidates()
    }
    if kind.counted is None:
        return quickest(kind, measured(possible))
    graphs = CandidateGraphs(model, _without_dense_heads(model, tasks), max(ladder))
    operators = {
        each.name: graphs.operators(each, pictures=calibrated or not possible[each.name]) for each in candidates()
    }
    found, kernels = _counted(kind.counted, operators, possible)
    heads = tuple(f"the {each.name} head" for each in tasks if isinstance(each, DenseTask))
    return quickest(kind, found, graphs.resolution, (*heads, *kernels))


def _counted(
    core: Processor, operators: Mapping[str, Sequence[GraphOperator]], possible: Mapping[str, bool]
) -> tuple[list[RecipeCandidate], tuple[str, ...]]:
    """The candidates, and what is in none of their counts.

    What the baseline's graph has as well and nobody counted is left out of all: each does the same there. Where a
    recipe has more than that, or less, its sum says nothing beside the others.
    """
    uncounted = {name: _never_counted(core, each) for name, each in operators.items()}
    shared = uncounted[BASELINE]
    cycles = {
        name: sum(core.operator_cycles(each) for each in found if core.counts(each))
        for name, found in operators.items()
        if uncounted[name] == shared
    }
    told = []
    for recipe in candidates():
        name, own = recipe.name, recipe.name in cycles
        differing = (uncounted[name] - shared) + (shared - uncounted[name])
        told.append(
            RecipeCandidate(
                recipe,
                cycles[name] / cycles[BASELINE] if own else None,
                cycles[name] if own else None,
                core.milliseconds(cycles[name]) if own else None,
                tuple(dict.fromkeys(kernel for kernel, _ in differing)),
                possible[name],
            )
        )
    return told, tuple(dict.fromkeys(kernel for kernel, _ in shared))


def _never_counted(core: Processor, operators: Sequence[GraphOperator]) -> Counter[tuple[str, Any]]:
    """Kernels and shapes of what they put out."""
    return Counter(
        (kernel_of(each), tuple(output.shape for output in each.outputs)) for each in operators if not core.counts(each)
    )


def _without_dense_heads(model: ViT, tasks: Sequence[Task]) -> tuple[Task, ...]:
    """The tasks whose operators' rates hold: of heads for masks, boxes and points the backbone alone is counted.

    Rates of convolutions were fitted to patch embeddings. What such a head computes is alike in all int8 recipes.
    """
    kept = [each for each in tasks if not isinstance(each, DenseTask)]
    if len(kept) < len(tasks) and not any(each.name == "features" for each in kept):
        kept.append(TASKS["features"].of(model.config, {}))
    return tuple(kept)
