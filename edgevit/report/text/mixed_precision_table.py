"""What an accuracy-aware conversion kept and took out, and how right an artefact is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from edgevit.report.metric_names import METRICS
from edgevit.report.text import formatting
from edgevit.report.text.recipe_tables import block_words
from edgevit.tasks import TASKS
from edgevit_runtime.wording import counted

_CLOCK = ", one thread of this machine while it converted (`edgevit profile` for a figure to rely on)"

__all__ = ["accuracy_lines", "points_words", "result_lines", "selection_table", "trial_line"]


def points_words(points: float) -> str:
    """`1 point`, `0.5 points`."""
    return f"{points:g} point{'' if points == 1 else 's'}"


def selection_table(document: Mapping[str, Any]) -> Table | str:
    """One row a class of ops of an `edgevit.selection/1` document; a line where nothing had to be looked at."""
    parts = document["parts"]
    if not parts:
        points, resolution = document["max_drop_points"], document["resolution"]
        return f"{document['base']} as it is keeps within {points_words(points)} at {resolution} px"
    table = Table(
        title=f"{document['base']} at {document['resolution']} px: out of int8, into {document['islands']}",
        title_justify="left",
    )
    table.add_column("class of ops")
    table.add_column("kept in int8")
    table.add_column("taken out")
    table.add_column("share of the loss", justify="right")
    table.add_column("ms for each taken out", justify="right")
    whole = sum(part["loss"] for part in parts)
    for kind in dict.fromkeys(part["kind"] for part in parts):
        own = [part for part in parts if part["kind"] == kind]
        kept = [part["block"] for part in own if not part["taken_out"]]
        taken = [part["block"] for part in own if part["taken_out"]]
        share = sum(part["loss"] for part in own) / whole if whole else 0.0
        table.add_row(kind, block_words(kept), block_words(taken), f"{share:.1%}", f"{own[0]['cost_ms']:+.2f}")
    return table


def trial_line(name: str, trial: Mapping[str, Any], *, kept: bool) -> str:
    """A mix that was measured, as `edgevit.selection/1` has its trials."""
    what = f"{name} with {counted(trial['parts'], 'part')} taken out" if trial["parts"] else f"{name} as it is"
    return f"{what}: drop {_drop_words(trial)}: {'kept within' if kept else 'too much'}"


def result_lines(inspection: Mapping[str, Any]) -> Iterator[str]:
    """What a conversion came to: its accuracy where it was measured, and the choice where there was one."""
    if inspection["accuracy"]:
        yield from accuracy_lines(inspection["accuracy"], inspection["manifest"]["tasks"])
    if "selection" in inspection:
        yield from _selection_lines(inspection["selection"])


def _selection_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """What it came to, and how far that can be relied on."""
    chosen, parts = document["chosen"], document["parts"]
    if chosen["parts"]:
        yield (
            f"{document['recipe']}: {chosen['parts']} of {len(parts)} parts taken out of int8, "
            f"about {formatting.ms(document['before_ms'])} ms before, "
            f"{formatting.ms(document['after_ms'])} ms after{_CLOCK}"
        )
    else:
        yield f"{document['base']}: about {formatting.ms(document['after_ms'])} ms{_CLOCK}"
    tried = len(document["trials"])
    if tried > 1:
        yield (
            f"chosen among {tried} mixes by these very pictures: on others expect a larger drop; "
            f"what lies within the 95 % interval, in brackets, says nothing"
        )


def accuracy_lines(accuracy: Mapping[str, Any], tasks: Mapping[str, Any]) -> Iterator[str]:
    """A manifest's `accuracy`, a line for each resolution. tasks: the manifest's own."""
    head = f"{counted(accuracy['pictures'], 'picture')} of {accuracy['set']}"
    metric = METRICS[accuracy.get("metric", "top1")]
    others = _other_figures(accuracy.get("task", "classify"), tasks)
    for each in accuracy["results"]:
        more = "".join(f"{heading} {each[key]:.2%}, " for key, heading in others if each.get(key) is not None)
        yield (
            f"{each['resolution']} px: {metric.heading} {each[metric.key]:.2%}, float {each['float'][metric.key]:.2%}, "
            f"drop {_drop_words(each)}, "
            f"{more}agreement {_agreement(each)} ({head})"
        )
    asked = accuracy.get("max_drop")
    if asked:
        one = 100 / accuracy["pictures"] if metric.counted else 0.0
        if 0 < asked["points"] < one:
            yield (
                f"{counted(accuracy['pictures'], 'picture')} cannot tell {points_words(asked['points'])}: "
                f"one is {points_words(round(one, 2))}"
            )
        here = next(each for each in accuracy["results"] if each["resolution"] == asked["resolution"])
        worst = here["drop_high"] * 100
        if worst > asked["points"] and not 0 < asked["points"] < one:
            yield (
                f"{formatting.not_told(accuracy['pictures'])} that drop from a larger one: by chance it may be "
                f"{worst:.2f} points at {asked['resolution']} px, where {points_words(asked['points'])} "
                f"{'is' if asked['points'] == 1 else 'are'} permitted"
            )
        over = [
            str(each["resolution"])
            for each in accuracy["results"]
            if each["resolution"] != asked["resolution"] and each["drop"] > asked["points"] / 100
        ]
        if over:
            yield (
                f"--max-drop {asked['points']:g} was asked for at {asked['resolution']} px; "
                f"the drop is larger at {', '.join(over)}"
            )


def _drop_words(result: Mapping[str, Any]) -> str:
    """A drop with the ends of its 95 % interval, as `edgevit evaluate --against` has them."""
    return f"{formatting.lost(result['drop'], (result['drop_low'], result['drop_high']))} points"


def _agreement(result: Mapping[str, Any]) -> str:
    """None where neither was sure of anything."""
    return "–" if result["agreement"] is None else f"{result['agreement']:.2%}"


def _other_figures(task: str, tasks: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(key, heading) of what is told besides the metric; of five classes or fewer, one of five is always right."""
    figures = [(each.key, each.heading) for each in TASKS[task].figures[1:]]
    return [] if task == "classify" and tasks["classify"]["classes"] <= 5 else figures
