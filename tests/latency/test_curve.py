"""The fit: what it recovers, what it refuses, how it judges itself."""

from __future__ import annotations

import numpy as np
import pytest

from edgevit.errors import ProfileError
from edgevit.latency.curve import Curve, fit
from edgevit_runtime.resolution import Resolution, parse_resolutions

TOKENS = [37, 65, 101, 145, 197, 257, 401, 577]


@pytest.mark.parametrize(
    ("a", "b", "c"),
    [(0.5, 0.04, 1e-4), (0.0, 0.04, 1e-4), (2.0, 0.0, 3e-5), (0.3, 0.02, 0.0), (20.0, 1.5, 0.002)],
)
def test_recovers_what_made_the_data(a: float, b: float, c: float) -> None:
    curve = fit(TOKENS, [a + b * n + c * n * n for n in TOKENS])
    found = (curve.a_ms, curve.b_ms_per_token, curve.c_ms_per_token2)
    assert found == pytest.approx((a, b, c), rel=1e-6, abs=1e-9)
    assert curve.r2 == pytest.approx(1.0)
    assert max(abs(each.error) for each in curve.left_out) < 1e-6
    for n in (50, 325, 785):
        assert curve.predict(n) == pytest.approx(a + b * n + c * n * n)
        assert curve.quadratic_share(n) == pytest.approx(c * n * n / (a + b * n + c * n * n), abs=1e-9)


def test_no_part_is_ever_negative() -> None:
    bent_down = [10.0 * np.sqrt(n) for n in TOKENS]  # plain least squares gives it c < 0
    design = np.stack([np.ones(len(TOKENS)), TOKENS, np.square(TOKENS)], axis=1)
    assert np.linalg.lstsq(design, np.array(bent_down), rcond=None)[0][2] < 0
    curve = fit(TOKENS, bent_down)
    assert curve.c_ms_per_token2 == 0.0
    assert min(curve.a_ms, curve.b_ms_per_token) >= 0.0
    assert curve.crossover_tokens is None
    assert curve.crossover_resolution(16) is None


def test_a_measured_ladder(deit_tiny_ms: dict[int, float]) -> None:
    tokens = [(resolution // 16) ** 2 + 1 for resolution in deit_tiny_ms]
    curve = fit(tokens, list(deit_tiny_ms.values()))
    assert curve.r2 >= 0.999
    for each, latency in zip(curve.left_out, deit_tiny_ms.values(), strict=True):
        assert abs(each.error) < 0.04
        assert each.predicted_ms == pytest.approx(latency * (1 + each.error))
        assert curve.predict(each.tokens) == pytest.approx(latency, rel=0.03)
    # neither part is negligible: nobody may say that latency is purely quadratic
    assert curve.quadratic_share(tokens[0]) < 0.1
    assert 0.6 < curve.quadratic_share(tokens[-1]) < 0.8


def test_small_resolutions_count_as_much_as_large_ones() -> None:
    noisy = [0.5 + 0.04 * n + 1e-4 * n * n for n in TOKENS]
    noisy[-1] *= 1.03  # 3 % on the largest are more milliseconds than the whole smallest
    curve = fit(TOKENS, noisy)
    assert curve.predict(TOKENS[0]) == pytest.approx(noisy[0], rel=0.03)


def test_leaving_one_out_really_leaves_it_out() -> None:
    latency = [0.5 + 0.04 * n + 1e-4 * n * n for n in TOKENS]
    latency[3] *= 1.5
    errors = [each.error for each in fit(TOKENS, latency).left_out]
    assert errors[3] == pytest.approx(1 / 1.5 - 1)


@pytest.mark.parametrize("tokens", [[], [37], [37, 65, 101, 145], [37, 37, 65, 65, 101, 101]])
def test_too_few_resolutions(tokens: list[int]) -> None:
    with pytest.raises(ProfileError, match=rf"at least 5 resolutions, this profile has {len(set(tokens))}"):
        fit(tokens, [1.0] * len(tokens))


def test_latency_must_be_above_zero() -> None:
    with pytest.raises(ProfileError, match="above 0"):
        fit(TOKENS, [1.0] * 7 + [0.0])


def test_crossover() -> None:
    curve = Curve(a_ms=1.0, b_ms_per_token=0.04, c_ms_per_token2=1e-4, r2=1.0)
    assert curve.crossover_tokens == pytest.approx(400)
    assert curve.linear_ms(400) == pytest.approx(curve.quadratic_ms(400))
    assert curve.crossover_resolution(16) == pytest.approx(16 * 399**0.5)
    assert Curve(1.0, 0.0, 1e-4, 1.0).crossover_tokens == 0.0
    assert Curve(1.0, 0.0, 1e-4, 1.0).crossover_resolution(16) is None


def test_a_ladder_of_squares_and_rectangles() -> None:
    resolutions = parse_resolutions("96,128,320x192,192x320,256x128,224,640x384")
    tokens = [each.pixels // 16**2 + 1 for each in resolutions]
    assert len(set(tokens)) == 6
    curve = fit(tokens, [0.5 + 0.038 * n + 1e-4 * n * n for n in tokens], resolutions)
    found = (curve.a_ms, curve.b_ms_per_token, curve.c_ms_per_token2, curve.r2)
    assert found == pytest.approx((0.5, 0.038, 1e-4, 1.0), rel=1e-6)
    assert [each.resolution for each in curve.left_out] == list(resolutions)
    assert all(curve.left_out_error(each) == pytest.approx(0.0, abs=1e-6) for each in resolutions)
    assert curve.left_out_error(Resolution(160)) is None


def test_of_as_many_tokens_both_count_and_both_are_left_out() -> None:
    """Neither may tell the other: the one in the fit would be its own prediction."""
    resolutions = parse_resolutions("96,128,320x192,192x320,256x128,224")
    tokens = [each.pixels // 16**2 + 1 for each in resolutions]
    true = {each: 0.5 + 0.038 * n + 1e-4 * n * n for each, n in zip(resolutions, tokens, strict=True)}
    wide, upright = Resolution(320, 192), Resolution(192, 320)
    latency = {**true, upright: 1.2 * true[upright]}
    curve = fit(tokens, list(latency.values()), resolutions)
    assert curve.left_out_error(wide) == pytest.approx(0.0, abs=1e-6)
    assert curve.left_out_error(upright) == pytest.approx(1 / 1.2 - 1)
    n = tokens[resolutions.index(wide)]
    assert true[wide] < curve.predict(n) < latency[upright]  # both pulled


def test_rectangles_of_one_size_are_one_of_the_five() -> None:
    tokens = [37, 65, 101, 241, 241]
    with pytest.raises(ProfileError, match=r"this profile has 4 \(those of as many tokens count once\): profile more"):
        fit(tokens, [1.0, 2.0, 3.0, 4.0, 5.0])
