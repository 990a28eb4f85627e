"""What a resolution costs: MACs by arithmetic, milliseconds by measurement, and the curve between them.

The functions `cost` and `predict` stay in their modules, `edgevit.latency.cost` and `edgevit.latency.budget`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgevit.devices.profile_request import ProfileRequest
    from edgevit.devices.profiling import DEVICES
    from edgevit.latency.budget import LatencyPrediction, Recommendation
    from edgevit.latency.comparison import Comparison
    from edgevit.latency.cost import Cost
    from edgevit.latency.curve import LEAST_RESOLUTIONS, Curve, fit
    from edgevit.latency.interleaving import measure_together
    from edgevit.latency.measurement import measure
    from edgevit.latency.plan import Candidate, Plan
    from edgevit.latency.point import Point
    from edgevit.latency.prediction import Estimate, LatencyPredictor
    from edgevit.latency.profile import Profile
    from edgevit.latency.profile_document import assemble, read_profile
    from edgevit.latency.recommendation import Choice, recommend

__all__ = [
    "DEVICES",
    "LEAST_RESOLUTIONS",
    "Candidate",
    "Choice",
    "Comparison",
    "Cost",
    "Curve",
    "Estimate",
    "LatencyPrediction",
    "LatencyPredictor",
    "Plan",
    "Point",
    "Profile",
    "ProfileRequest",
    "Recommendation",
    "assemble",
    "fit",
    "measure",
    "measure_together",
    "read_profile",
    "recommend",
]

_ROOMS = {
    "Candidate": "edgevit.latency.plan",
    "Choice": "edgevit.latency.recommendation",
    "Comparison": "edgevit.latency.comparison",
    "Cost": "edgevit.latency.cost",
    "Curve": "edgevit.latency.curve",
    "DEVICES": "edgevit.devices.profiling",
    "Estimate": "edgevit.latency.prediction",
    "LEAST_RESOLUTIONS": "edgevit.latency.curve",
    "LatencyPrediction": "edgevit.latency.budget",
    "LatencyPredictor": "edgevit.latency.prediction",
    "Plan": "edgevit.latency.plan",
    "Point": "edgevit.latency.point",
    "Profile": "edgevit.latency.profile",
    "ProfileRequest": "edgevit.devices.profile_request",
    "Recommendation": "edgevit.latency.budget",
    "assemble": "edgevit.latency.profile_document",
    "fit": "edgevit.latency.curve",
    "measure": "edgevit.latency.measurement",
    "measure_together": "edgevit.latency.interleaving",
    "read_profile": "edgevit.latency.profile_document",
    "recommend": "edgevit.latency.recommendation",
}


def __getattr__(name: str) -> Any:
    """Each when it is first asked for: who wants a curve loads no device."""
    if name in _ROOMS:
        return getattr(importlib.import_module(_ROOMS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
