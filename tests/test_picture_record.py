"""Two accuracies held against each other: as often wrong as they say, and as sharp as pairs are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from edgevit.latency.cost import Cost
from edgevit.latency.plan import Candidate, Plan
from edgevit.picture_record import TOP1, Accuracy, Metric, PictureRecord
from edgevit.statistics import margin, mean_margin, paired_interval, paired_mean_interval, unpaired_interval
from edgevit_runtime.resolution import Resolution

PICTURES, TRIALS = 500, 1500


def accuracy(right: NDArray[np.bool_], *, paired: bool = True) -> Accuracy:
    record = PictureRecord.of("same", right) if paired else None
    return Accuracy(float(right.mean()), len(right), record)


def taken(slow: Accuracy, fast: Accuracy) -> int:
    """The resolution that a plan takes of two, the larger 224 and the smaller 96, with time for both."""
    candidates = tuple(
        Candidate("x", "x", None, "int8", 1, "d", Resolution(size), 2, Cost(1, 1), ms, ms, False, each)
        for size, ms, each in ((96, 1.0, fast), (224, 2.0, slow))
    )
    chosen = Plan(candidates, 9.0).chosen
    assert chosen is not None
    return chosen.resolution.width


def drawn(
    random: np.random.Generator, first: float, second: float, alike: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Two models' answers on the same pictures; `alike`: on which share both answer by the same dice."""
    same = random.random(PICTURES) < alike
    dice, other = random.random(PICTURES), random.random(PICTURES)
    return dice < first, np.where(same, dice, other) < second


@pytest.mark.parametrize("alike", [0.0, 0.9])
def test_false_claims(alike: float) -> None:
    """Of two that are as good, 5 in 100 pairs are told apart; by one's margin, as once, 18 of independent ones."""
    random = np.random.default_rng(16)
    claims = by_margin = slower = 0
    for _ in range(TRIALS):
        first, second = map(accuracy, drawn(random, 0.8, 0.8, alike))
        less = first.less(second)
        assert less is not None
        assert less.paired
        claims += less.told
        by_margin += abs(first.share - second.share) > margin(max(first.share, second.share), PICTURES)
        slower += taken(first, second) == 224
    assert 0.02 <= claims / TRIALS <= 0.06
    assert slower / TRIALS <= 0.035  # of the claims, those in favour of the larger one
    if not alike:
        assert by_margin / TRIALS > 0.14


def test_power() -> None:
    """3.5 points between models that mostly answer alike: the pairs see it nearly always, two samples hardly ever."""
    random = np.random.default_rng(17)
    seen = by_margin = by_samples = slower = 0
    for _ in range(TRIALS):
        first, second = drawn(random, 0.8, 0.765, 0.99)
        less = accuracy(first).less(accuracy(second))
        apart = accuracy(first, paired=False).less(accuracy(second, paired=False))
        assert less is not None
        assert apart is not None
        assert not apart.paired
        low, _ = paired_interval(int((first & ~second).sum()), int((second & ~first).sum()), PICTURES)
        assert less.told == (low > 0.0)
        seen, by_samples = seen + less.told, by_samples + apart.told
        by_margin += float(first.mean() - second.mean()) > margin(float(first.mean()), PICTURES)
        slower += taken(accuracy(first), accuracy(second)) == 224
    assert seen / TRIALS > 0.94
    assert slower == seen
    assert by_samples / TRIALS < 0.2
    assert by_margin / TRIALS < 0.6


def test_what_a_record_holds() -> None:
    right = np.arange(11) % 3 == 0
    record = PictureRecord.of("x", right)
    assert record.text == "bits:kkA="  # 10010010 010
    assert record.contributions.tolist() == right.tolist()
    values = np.array([0.25, 0.5, 1.0])
    record = PictureRecord.of("x", values)
    assert record.text.startswith("float16:")
    assert record.contributions.tolist() == values.tolist()
    with pytest.raises(ValueError, match="not 4 pictures"):
        _ = PictureRecord("x", 4, record.text).contributions
    long = PictureRecord.of("x", np.ones(50_000, np.bool_))
    assert len(long.text) < 8500


def test_contributions_that_are_no_yes_or_no() -> None:
    """IoU by picture, say: the bootstrap of the differences, which has about the ends of a t interval here."""
    random = np.random.default_rng(3)
    first = random.random(400)
    second = first - 0.02 + 0.1 * random.standard_normal(400)
    less = Accuracy(first.mean(), 400, PictureRecord.of("x", first)).less(
        Accuracy(second.mean(), 400, PictureRecord.of("x", second))
    )
    assert less is not None
    half = 1.96 * float((first - second).std()) / 20.0
    assert (less.low, less.high) == pytest.approx((less.value - half, less.value + half), abs=0.002)
    assert less.told
    assert paired_mean_interval(first - second) == paired_mean_interval(first - second)
    assert (
        not Accuracy(0.5, 2, PictureRecord.of("x", np.array([0.5, 0.5])))
        .less(Accuracy(0.5, 2, PictureRecord.of("x", np.array([0.5, 0.5]))))
        .told
    )  # type: ignore[union-attr]


def test_only_the_same_pictures_are_paired() -> None:
    right = np.arange(100) < 80
    one, other = Accuracy(0.8, 100, PictureRecord.of("a", right)), Accuracy(0.8, 100, PictureRecord.of("b", right))
    assert not one.less(other).paired  # type: ignore[union-attr]
    assert one.less(one).paired  # type: ignore[union-attr]
    assert one.less(Accuracy(0.7)) is None


def test_two_samples_as_newcombe_has_them() -> None:
    """Newcombe 1998, table II, example (a), method 10: 56/70 less 48/80."""
    assert unpaired_interval(56 / 70, 48 / 80, (70, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert unpaired_interval(1.0, 0.0, (10, 10))[1] == 1.0


def test_a_mean_that_counts_no_pictures_has_its_own_interval():
    """Not the binomial one, which would be far too wide for a mean of shares that hardly differ."""
    random = np.random.default_rng(4)
    miou = Metric("miou", "mIoU", counted=False)
    values = random.normal(0.6, 0.05, 50)
    found = Accuracy(float(values.mean()), 50, PictureRecord.of("x", values), miou)
    low, high = found.interval
    half = 2.0096 * values.std(ddof=1) / 50**0.5  # Student's t of 49 degrees of freedom
    assert (low, high) == pytest.approx((found.share - half, found.share + half), abs=1e-4)
    assert high - low < 0.04
    assert (miou.title, TOP1.title) == ("mIoU", "top-1 accuracy")
    alone = replace(found, record=None)
    assert alone.interval is None
    assert alone.less(found) is None  # nobody knows how far apart
    assert replace(alone, metric=TOP1).interval is not None
    assert Accuracy(0.5, 1, PictureRecord.of("x", np.array([0.5])), miou).interval is None


def test_the_interval_of_a_mean_holds():
    random, held = np.random.default_rng(0), 0
    for _ in range(1000):
        values = random.beta(2.0, 1.0, 40)  # of mean 2/3
        half = mean_margin(values)
        held += abs(values.mean() - 2.0 / 3.0) <= half
    assert 0.92 <= held / 1000 <= 0.97
