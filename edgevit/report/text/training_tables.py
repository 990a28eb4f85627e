"""A training run as lines and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgevit.picture_record import Accuracy
from edgevit.report.class_figures import ClassFigures
from edgevit.report.metric_names import METRICS
from edgevit.report.text.command_lines import command_line
from edgevit.report.text.formatting import accuracies, percent
from edgevit.statistics import Z_95, margin
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.wording import counted

MOST_CLASSES = 20
IMPROVED = 0.005
"""By so much a metric that is no share of pictures has to rise between the last quarters of a run."""
EPOCHS_TIMED = 4
"""So many say how long the rest will take: not the first alone, which is slower, and of some that are validated."""
IMBALANCE = 2.0
"""From this ratio of the largest class to the smallest the user is told."""


class EpochLike(Protocol):
    """What lines of a run need of an epoch."""

    @property
    def number(self) -> int: ...
    @property
    def loss(self) -> float: ...
    @property
    def images_per_s(self) -> float: ...
    @property
    def seconds(self) -> float: ...
    @property
    def judged(self) -> Mapping[Resolution, float]: ...
    @property
    def metric(self) -> str: ...
    @property
    def count(self) -> int | None: ...


def epoch_line(epoch: EpochLike, total: int) -> str:
    """`epoch 3/30  loss 1.234  450 images/s  val 64: 71.2 % ± 2.1  128: 88.0 % ± 1.5`, with 95 % intervals.

    Without what follows the speed where the epoch was not validated.
    """
    speed = f"{epoch.images_per_s:.0f} images/s" if epoch.images_per_s >= 10 else f"{epoch.images_per_s:.1f} images/s"
    done = f"epoch {epoch.number}/{total}  loss {epoch.loss:.3f}  {speed}"
    if not epoch.judged:
        return done
    values = _figures(epoch.metric, epoch.judged.values(), epoch.count)
    told = "  ".join(f"{resolution}: {value}" for resolution, value in zip(epoch.judged, values, strict=True))
    judged = "val" if epoch.metric == "top1" else f"val {METRICS[epoch.metric].heading}"
    return f"{done}  {judged} {told}"


def time_left(epochs: Sequence[EpochLike], total: int) -> str:
    """`about 25 min left`, by the last epochs; empty behind the last one."""
    last = [each.seconds for each in epochs[-EPOCHS_TIMED:]]
    seconds = (total - epochs[-1].number) * sum(last) / len(last)
    if seconds <= 0:
        return ""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds >= 1.5 * unit:
            return f"about {seconds / unit:.{1 if name == 'h' else 0}f} {name} left"
    return f"about {max(1, round(seconds))} s left"


def training_table(document: Mapping[str, Any]) -> Table:
    """The task's metric on the validation pictures, by resolution, of the weights that were kept."""
    metric = document.get("metric", "top1")
    table = Table(title="validation, the weights that were kept", title_justify="left")
    table.add_column("resolution", justify="right")
    table.add_column(f"val {METRICS[metric].heading}", justify="right")
    values = _figures(metric, [each[metric] for each in document["results"]], document["images"]["val"])
    for each, value in zip(document["results"], values, strict=True):
        table.add_row(str(each["resolution"]), value)
    if not METRICS[metric].counted:
        table.caption = f"of {counted(document['images']['val'], 'picture')}"
        return table
    table.caption = f"with the 95 % interval of {counted(document['images']['val'], 'picture')}"
    return table


def _figures(metric: str, values: Iterable[float], count: int | None) -> list[str]:
    """The metric at several resolutions; a share of pictures has its interval, in one form for all."""
    return accuracies([Accuracy(each, count, metric=METRICS[metric]) for each in values])


def believable(document: Mapping[str, Any]) -> str | None:
    """A line on what the scores are worth, where a temperature was fitted."""
    found = document.get("score_temperature")
    if not found:
        return None
    before, after = percent(found["ece_before"], 1), percent(found["ece_after"], 1)
    return (
        f"scores: expected calibration error {after} on the validation pictures, {before} before the logits were "
        f"divided by {found['temperature']:.2f} (fitted there; the head's weights hold it)"
    )


def still_improving(document: Mapping[str, Any]) -> str | None:
    """A line where the mean validation accuracy of the last quarter of the epochs is above that of the quarter before.

    By more than a standard error: of two runs that stand still, one would be told otherwise.
    """
    epochs = document["epochs"]
    # Those of one resolution alone, at the start, are not comparable with those of the whole ladder.
    metric = document.get("metric", "top1")
    alike = [each[metric] for each in epochs if each[metric].keys() == epochs[-1][metric].keys()]
    means = [float(np.mean(list(each.values()))) for each in alike]
    part = max(1, len(means) // 4)
    if len(means) < 2:
        return None
    last, before = float(np.mean(means[-part:])), float(np.mean(means[-2 * part : -part]))
    counted_pictures = METRICS[metric].counted
    if last - before <= (margin(before, document["images"]["val"]) / Z_95 if counted_pictures else IMPROVED):
        return None
    return f"still improving: more epochs may help (the same command with --resume --epochs {2 * len(epochs)})"


def imbalance_note(counts: Sequence[int], labels: Sequence[str]) -> str | None:
    """A line where one class has at least twice as many pictures as another; `labels` may be empty."""
    present = [(count, index) for index, count in enumerate(counts) if count]
    if not present:
        return None
    (few, rare), (many, common) = min(present), max(present)
    if many < IMBALANCE * few:
        return None
    names = labels or [str(index) for index in range(len(counts))]
    return (
        f"classes are uneven: {names[common]} has {counted(many, 'picture')}, {names[rare]} has {few}; "
        "--class-weights lets each class count the same"
    )


def class_table(document: Mapping[str, Any]) -> Table:
    """Each class's pictures, precision and recall, the worst recall first; the worst twenty of more.

    Last come the classes without a validation picture: of those nothing is known.
    """
    rows = sorted(document["classes"], key=lambda row: 2.0 if row["recall"] is None else row["recall"])
    where = f", at {document['confusion']['resolution']} px" if "confusion" in document else ""
    table = Table(title=f"by class, the worst first{where}", title_justify="left", caption_justify="left")
    table.add_column("class", overflow="fold")
    for header in ("train", "val", "precision", "recall"):
        table.add_column(header, justify="right")
    for row in rows[:MOST_CLASSES]:
        figures = ("–" if row[key] is None else f"{row[key]:.1%}" for key in ("precision", "recall"))
        table.add_row(Text(on_one_line(row["label"])), str(row["train"]), str(row["val"]), *figures)
    if len(rows) > MOST_CLASSES:
        file = Path(document.get("run", ""), "summary.json")
        table.caption = Text(f"{len(rows) - MOST_CLASSES} more in {file}")
    return table


def class_figures_table(found: ClassFigures) -> Table:
    """The task's figure of each class, the worst first; the worst twenty of more."""
    table = Table(title=f"by {found.noun}, the worst first, at {found.resolution} px", title_justify="left")
    table.add_column(found.noun, overflow="fold")
    table.add_column(found.heading, justify="right")
    for label, share in found.rows[:MOST_CLASSES]:
        table.add_row(Text(on_one_line(label)), "–" if share is None else percent(share, 1))
    return table


def most_confused(document: Mapping[str, Any], n: int = 3) -> list[str]:
    """`roses taken for tulips: 14 of 129`, the most frequent first; fewer than `n` where fewer were confused."""
    matrix = np.array(document["confusion"]["matrix"])
    names = [on_one_line(row["label"]) for row in document["classes"]]
    wrong = matrix - np.diag(np.diag(matrix))
    places = np.argsort(-wrong, axis=None, kind="stable")[:n]
    pairs = [divmod(int(place), len(names)) for place in places]
    return [
        f"{names[truth]} taken for {names[named]}: {wrong[truth, named]} of {matrix[truth].sum()}"
        for truth, named in pairs
        if wrong[truth, named]
    ]


def summary(document: Mapping[str, Any]) -> Group:
    """What a user wants to know when a run has ended, and what to type next.

    Print it with `soft_wrap=True`: the commands are there to be copied.
    """
    model = document["model"]
    artefact = model.removesuffix(".keras") + ".tflite"
    preset = f", preset {document['preset']}" if document.get("preset") else ""
    headline = (
        f"{model}: {document['variant']}, {document['parameters']:,} parameters{preset}, "
        f"kept: epoch {document['best_epoch']} of {len(document['epochs'])}, {document['seconds']:.0f} s"
    )
    parts: list[RenderableType] = [Text(headline), training_table(document)]
    parts += [Text(line) for line in (believable(document), still_improving(document)) if line]
    if "classes" in document:
        parts.append(class_table(document))
    if figures := ClassFigures.of(document):
        parts.append(class_figures_table(figures))
    if "classes" in document and "confusion" in document:
        parts += map(Text, most_confused(document))
    if "run" in document:
        drawn = "confusion.png, " if "confusion" in document else "classes.png, " if figures else ""
        parts.append(Text(f"in {document['run']}: history.csv, curves.png, {drawn}summary.json, split.csv"))
        parts += [Text(line) for line in [_state_left(Path(document["run"]))] if line]
    qat = document.get("spec", {}).get("qat")
    recipe = ("--recipe", qat) if qat else ()
    texts = document.get("task") == "image-text"
    labels = ("--labels", "things.txt") if texts else ()
    parts.append(Text(f"next: {command_line('convert', model, '-o', artefact, *labels, *recipe)}"))
    if document["data"] != "synthetic" and not texts:
        parts.append(Text(f"then: {command_line('evaluate', model, _validation(document), '--against', artefact)}"))
    return Group(*parts)


def _state_left(folder: Path) -> str | None:
    """What the largest file of a finished run is still for; None where there is none."""
    state = folder / "state.npz"
    if not state.is_file():
        return None
    size = state.stat().st_size / 1e6
    return (
        f"and state.npz, {size:.0f} MB, by which --resume --epochs N lengthens the run: delete it where that is not "
        "wanted"
    )


def _validation(document: Mapping[str, Any]) -> str:
    """What to evaluate on: val/ where there is one, else what was held out; pictures that trained would flatter."""
    val = Path(document["data"]) / "val"
    if document.get("task", "classify") != "classify" and "run" in document:
        return str(Path(document["run"]))
    held_out = Path(document["run"], "split.csv") if "run" in document else "PICTURES_IT_NEVER_SAW"
    return str(val if val.is_dir() else held_out)


def on_one_line(label: str) -> str:
    """A label on one line of a terminal: what is not printable in a folder's name would break it, or colour it."""
    return "".join(each if each.isprintable() else " " for each in label)
