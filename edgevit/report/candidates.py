"""What there is to choose from: profiles and evaluations brought together, gaps filled by prediction."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePath

from edgevit.config import ViTConfig
from edgevit.errors import ConfigError, ProfileError
from edgevit.latency.budget import predict
from edgevit.latency.comparison import device_names
from edgevit.latency.cost import Cost, divides
from edgevit.latency.plan import Candidate, Plan
from edgevit.latency.prediction import LatencyPredictor
from edgevit.latency.profile import Profile
from edgevit.latency.workload import shape_of
from edgevit.picture_record import Accuracy
from edgevit.report.accuracies import Accuracies, Series
from edgevit.report.text import sentences
from edgevit.variants import VARIANTS, variant_config
from edgevit_runtime.resolution import Resolution
from edgevit_runtime.wording import counted

__all__ = ["make_plans", "profiled"]


def make_plans(
    profiles: Sequence[Profile], accuracies: Accuracies, budget_ms: float | None, variants: Sequence[str] = ()
) -> tuple[Plan, ...]:
    """A plan for each device, over everything that was profiled there, and over what can be predicted from it.

    Predicted are: evaluated resolutions that a profile lacks, by its curve; evaluated models that nobody profiled, and
    `variants` where nothing was evaluated, by the rates of the profiles of their recipe. Raises `ConfigError` where
    the accuracies are of different pictures.
    """
    _check_same_pictures(accuracies)
    if variants and accuracies.series:
        raise ConfigError("--variants is for plans without evaluations: nobody knows the accuracy of a name")
    by_device: dict[str, list[Profile]] = {}
    for device, profile in zip(device_names(profiles), profiles, strict=True):
        by_device.setdefault(device, []).append(profile)
    made = {device: _found(device, there, accuracies, variants) for device, there in by_device.items()}
    # Of one device alone the plan itself says that there is nothing.
    empty = [device for device in made if not made[device][0]] if len(made) > 1 else []
    lost = tuple(f"{device}: nothing that was profiled there was evaluated" for device in empty)
    if made and not any(found for found, _, _ in made.values()):
        reasons = dict.fromkeys(note for _, notes, _ in made.values() for note in notes)
        raise ProfileError(f"nothing to choose from: {'; '.join(reasons) or 'no profiled resolution was evaluated'}")
    return tuple(
        Plan(found, budget_ms, (*notes, *lost), assumed, several=len(made) > 1)
        for device, (found, notes, assumed) in made.items()
        if device not in empty
    )


def _found(
    device: str, profiles: Sequence[Profile], accuracies: Accuracies, variants: Sequence[str]
) -> tuple[tuple[Candidate, ...], tuple[str, ...], tuple[str, ...]]:
    """One device's candidates, what was left out and why, and what predictions stand on beside the profiles."""
    found: list[Candidate] = []
    notes: list[str] = []
    used: set[Series] = set()
    labels = _labels(profiles)
    for label, profile in zip(labels, profiles, strict=True):
        series = accuracies.of(profile)
        if accuracies.series and series is None:
            notes.append(str(accuracies.unjoined(profile)))
            continue
        if series is not None:
            used.add(series)
        found += profiled(label, profile, series)
        if series is not None and (
            lacking := [each for each in profile.points if series.score(each.resolution) is None]
        ):
            notes.append(
                f"{label} at {', '.join(str(each.resolution) for each in lacking)}, where it was not evaluated"
            )
    groups = _groups(profiles)
    for each in accuracies.series:
        if each not in used:
            made, note = _unprofiled(each, groups)
            found += made
            notes += [note] if note and not _is_reference(each, accuracies, used) else []
    for name in variants:
        config = variant_config(name)
        for group in groups:
            ladder = sorted({point.resolution for profile in group.profiles for point in profile.points})
            found += _predicted(group, config, name, name, [(each, None) for each in ladder])
    unprofiled = {each.recipe for each in found if each.label not in labels}
    borrowed = [each.borrowed for each in groups if each.borrowed and each.profiles[0].recipe in unprofiled]
    return tuple(replace(each, device=device) for each in found), tuple(notes), tuple(dict.fromkeys(borrowed))


def _labels(profiles: Sequence[Profile]) -> list[str]:
    """The artefacts' names, with threads where those differ; the recipe has a column of its own."""
    several = len({each.runs_on for each in profiles}) > 1
    return [" · ".join([sentences.artefact(each)] + [sentences.threads(each)] * several) for each in profiles]


def _check_same_pictures(accuracies: Accuracies) -> None:
    """A figure on other pictures is another figure. By their digest; older evaluations by folder and number."""
    digests = {each.pictures for each in accuracies.series}
    if len(digests) == 1 and None not in digests:
        return
    sets = {(PurePath(each.data).name, each.images) for each in accuracies.series}
    if len(sets) > 1 or len(digests - {None}) > 1:
        named = ", ".join(f"{counted(images, 'picture')} of {name}" for name, images in sorted(sets))
        named += "" if len(sets) > 1 else ", but not the same ones"
        raise ConfigError(f"these evaluations cannot be held against each other: {named}; evaluate all on one set")


def profiled(label: str, profile: Profile, series: Series | None) -> list[Candidate]:
    """The measured points with their accuracy; and evaluated resolutions that were not measured, by the curve."""
    of_all = Candidate(
        label=label,
        model=profile.model,
        variant=profile.variant,
        recipe=profile.recipe,
        threads=profile.threads,
        accelerator=profile.accelerator,
        device=profile.place,
        resolution=profile.points[0].resolution,
        tokens=0,
        macs=None,
        latency_ms=0.0,
        late_ms=0.0,
        predicted=False,
        size_bytes=profile.size_bytes,
    )
    made = [
        replace(
            of_all,
            resolution=point.resolution,
            tokens=point.tokens,
            macs=point.macs,
            latency_ms=point.latency_ms,
            late_ms=point.late_ms,
            late_name=point.late_name,
            accuracy=series.accuracy(point.resolution) if series else None,
            trust=point.trust,
        )
        for point in profile.points
        if series is None or series.score(point.resolution) is not None
    ]
    if series is None or profile.curve is None:
        return made
    worst = max((abs(each.error) for each in profile.curve.left_out), default=0.0)
    for score in series.scores:
        if profile.point(score.resolution) is None and divides(profile.patch, score.resolution):
            each = predict(profile.points, profile.curve, score.resolution)
            made.append(
                replace(
                    of_all,
                    resolution=each.resolution,
                    tokens=each.tokens,
                    latency_ms=each.predicted_ms,
                    late_ms=each.predicted_ms * (1.0 + worst),
                    predicted=True,
                    accuracy=series.accuracy(each.resolution),
                    extrapolated=each.extrapolated,
                    trust=each.trust,
                )
            )
    return made


def _groups(profiles: Sequence[Profile]) -> list[LatencyPredictor]:
    """What can be predicted from: profiles alike in recipe and threads; what cannot serve is left out."""
    alike: dict[tuple[str, str], list[Profile]] = {}
    for profile in profiles:
        with suppress(ProfileError):  # another maker's model, or one resolution
            shape_of(profile)
            alike.setdefault((profile.recipe, profile.runs_on), []).append(profile)
    groups = []
    for group in alike.values():
        with suppress(ProfileError):  # too few resolutions
            groups.append(LatencyPredictor(group))
    return groups


def _is_reference(series: Series, accuracies: Accuracies, used: set[Series]) -> bool:
    """Whether it is the float model that a profiled artefact was evaluated against: nobody expects a profile of it."""
    beside = [
        other
        for pair in accuracies.agreements
        for own, other in ((pair.model, pair.against), (pair.against, pair.model))
        if own == series
    ]
    return series.model.endswith(".keras") and any(each in used for each in beside)


def _unprofiled(series: Series, groups: Sequence[LatencyPredictor]) -> tuple[list[Candidate], str | None]:
    """Predictions for an evaluated model without a profile; or a note why there are none."""
    name = PurePath(series.model).name
    if (series.variant or "").partition("/")[0] not in VARIANTS or series.recipe is None:
        return [], f"{name} has no profile here, and nothing says which variant it is"
    fitting = [group for group in groups if group.profiles[0].recipe == series.recipe]
    if not fitting:
        return [], f"{name} has no profile here, and none of {series.recipe} to predict it from"
    config = variant_config(str(series.variant))
    scores = [
        (score.resolution, series.accuracy(score.resolution))
        for score in series.scores
        if divides(config.patch, score.resolution)
    ]
    return [each for group in fitting for each in _predicted(group, config, name, series.model, scores)], None


def _predicted(
    group: LatencyPredictor,
    config: ViTConfig,
    label: str,
    model: str,
    scores: Sequence[tuple[Resolution, Accuracy | None]],
) -> list[Candidate]:
    first = group.profiles[0]
    config = config.with_(classes=group.shapes[0].classes, labels=(), label_keys=())
    made = []
    for resolution, accuracy in scores:
        if not divides(config.patch, resolution):
            continue
        each = group.predict(config, resolution)
        macs = Cost(each.work.linear_macs, each.work.attention_macs)
        made.append(
            Candidate(
                label=label,
                model=model,
                variant=config.variant,
                recipe=first.recipe,
                threads=first.threads,
                accelerator=first.accelerator,
                device=first.place,
                resolution=resolution,
                tokens=each.tokens,
                macs=macs,
                latency_ms=each.predicted_ms,
                late_ms=each.high_ms,
                predicted=True,
                accuracy=accuracy,
                extrapolated=each.extrapolated,
                trust=group.trust,
            )
        )
    return made
