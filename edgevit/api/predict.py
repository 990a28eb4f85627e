"""`edgevit.predict`: what another variant would take on a device that was profiled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgevit.api.arguments import OneOrMore, Resolutions, as_ladder, as_paths, in_known_words
from edgevit.config import ViTConfig
from edgevit.latency.comparison import read_profiles
from edgevit.latency.cost import divides
from edgevit.latency.prediction import Estimate, LatencyPredictor, of_threads, of_vits
from edgevit.latency.shape_options import reshaped

__all__ = ["ShapeEstimates", "predict"]


@dataclass(frozen=True)
class ShapeEstimates:
    """What a shape would take, and what that was told from."""

    predictor: LatencyPredictor
    config: ViTConfig
    estimates: tuple[Estimate, ...]
    left_out: tuple[str, ...]
    """Why profiles among those given do not serve."""
    other_threads: tuple[int, ...]
    """On what other numbers of threads there are profiles."""

    def to_dict(self) -> dict[str, Any]:
        """edgevit.prediction/1."""
        first, config = self.predictor.profiles[0], self.config
        return {
            "schema": "edgevit.prediction/1",
            "profiles": [profile.model for profile in self.predictor.profiles],
            "left_out": list(self.left_out),
            "device": dict(first.device),
            "recipe": first.recipe,
            "threads": first.threads,
            "variant": config.variant,
            "width": config.width,
            "depth": config.depth,
            "heads": config.heads,
            "patch": config.patch,
            "fit_error": self.predictor.fit_error,
            "prior": self.predictor.prior.source,
            **self.predictor.trust.to_dict(),
            "points": [estimate.to_dict() for estimate in self.estimates],
        }


@in_known_words
def predict(
    paths: OneOrMore,
    *,
    variant: str | None = None,
    width: int | None = None,
    depth: int | None = None,
    heads: int | None = None,
    patch: int | None = None,
    resolutions: Resolutions | None = None,
    threads: int | None = None,
    on_result: Callable[[ShapeEstimates], None] = lambda _estimates: None,
) -> dict[str, Any]:
    """The `edgevit.prediction/1` document: latencies of a shape that was not run, in ms, each with its range.

    paths: profiles of one device, at five resolutions or more; several models make it surer.
    variant: a named one, with its patch size or without: `vit-small`, `vit-tiny/8`; None: the profiled shape.
    width, depth, heads, patch: instead of the variant's.
    resolutions: [96, "640x384"] or "96,640x384"; None: the profiles', as far as the patch divides them.
    threads: of profiles on several numbers of threads; None: the first one's.
    on_result: given what the document is made of.

    Raises `DocumentError`, `ProfileError` for profiles that nothing can be told from, `ConfigError` for a shape that
    cannot be, `ResolutionError`.
    """
    wanted = as_ladder(resolutions)
    kept, left_out = of_vits(read_profiles(as_paths(paths)))
    kept, other_threads = of_threads(kept, threads)
    predictor = LatencyPredictor(kept)
    config = reshaped(predictor.shapes[0], variant, width=width, depth=depth, heads=heads, patch=patch)
    if not wanted:
        known = sorted({point.resolution for profile in predictor.profiles for point in profile.points})
        wanted = tuple(each for each in known if divides(config.patch, each)) or (config.base_resolution,)
    estimates = tuple(predictor.predict(config, each) for each in wanted)
    made = ShapeEstimates(predictor, config, estimates, left_out, other_threads)
    on_result(made)
    return made.to_dict()
