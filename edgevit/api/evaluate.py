"""`edgevit.evaluate`: how good a model or an artefact is at each resolution."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgevit.api.arguments import (
    Labels,
    OneOrMore,
    Resolutions,
    as_labels,
    as_ladder,
    as_modules,
    as_paths,
    check_known,
    in_known_words,
)
from edgevit.api.early_checks import check_heads, check_judged, check_labelled_folder, check_policy
from edgevit.config import head_scores
from edgevit.quiet_keras import load_keras
from edgevit.tasks import judging_options, parsed

__all__ = ["evaluate"]


@in_known_words
def evaluate(
    model: str | Path,
    data: str | Path,
    *,
    against: OneOrMore = (),
    task: str | None = None,
    resolutions: Resolutions | None = None,
    resize: str | None = None,
    pixels: str | None = None,
    labels: Labels | None = None,
    head: str | None = None,
    import_: OneOrMore = (),
    threads: int = 1,
    limit: int | None = None,
    strict: bool = False,
    mistakes: int = 0,
    on_picture: Callable[[int, int], None] = lambda _done, _total: None,
    **options_of_tasks: Any,
) -> dict[str, Any]:
    """The `edgevit.evaluation/1` document of a `.keras` model or a `.tflite` artefact; fractions are 0 to 1.

    data: a folder of class folders, or one with labels.csv or with val/ in it; for segment, detect and keypoints one
        with masks, boxes or points; or the folder of a training run, for what that held out. Classes are matched by
        name.
    against: other models, shown the same pixels: what each loses against `model`, with the paired 95 % interval.
    task: `classify` (top-1, top-5), `features` (k nearest neighbours), `segment`, `detect` or `keypoints`. None: what
        the model has a head for; of several, what the pictures are labelled for; without a head `features`.
    resolutions: [128, "640x384"] or "128,640x384"; None: all that the models have.
    resize: the preprocessing policy; None: the model's own. pixels, head: what a Keras model that is not ours
        wants and gives, as for `edgevit.convert`; import_: Python modules with layers of its own.
    labels: class names in the model's order, or a file with them, for a model that has none of its own.
    threads: of an artefact's interpreter. limit: use only so many pictures, spread over the set.
    strict: raise `PictureError` at a picture that cannot be read, instead of counting it as skipped.
    mistakes: keep so many of the worst confusions (of masks: the worst pictures) and of the pictures on which the first
        two models differ, with small copies of the pictures, which the report shows.
    on_picture: told (pictures done, pictures in all), over all resolutions.
    options_of_tasks: `gallery` (features: known pictures to look for neighbours in; otherwise all others of `data`),
        `neighbours` (features: how many of them vote; otherwise 20).

    Raises what `edgevit.evaluation.evaluate` raises: all of it `EdgeViTError`s.
    """
    options_of_tasks = parsed(check_known(options_of_tasks, evaluate, judging_options()), judging_options())
    ladder, others, names = as_ladder(resolutions), as_paths(against), as_labels(labels)
    from edgevit.evaluation import evaluate as evaluated
    from edgevit.evaluation import one_task

    if task is not None:
        one_task(task)
    for each in (model, *others):
        check_judged(each)
    check_policy(resize)
    check_labelled_folder(data)
    check_heads(model, task, options_of_tasks)
    if head is not None:
        head_scores(head)
    if ".keras" in {each.suffix for each in (Path(model), *others)}:
        load_keras()
    return evaluated(
        model,
        data,
        task=task,
        against=others,
        resolutions=ladder,
        resize=resize,
        pixels=pixels,
        labels=names,
        head=head,
        modules=as_modules(import_),
        threads=threads,
        limit=limit,
        strict=strict,
        mistakes=mistakes,
        on_picture=on_picture,
        **options_of_tasks,
    )
