"""What a resolution costs: MACs by arithmetic, milliseconds by measurement, and the curve between them.

The functions `cost` and `predict` stay in their modules, `edgevit.latency.cost` and `edgevit.latency.budget`.
"""

from edgevit.latency.budget import Prediction, Recommendation, recommend
from edgevit.latency.cost import Cost
from edgevit.latency.curve import LEAST_RESOLUTIONS, Curve, fit
from edgevit.latency.devices import DEVICES
from edgevit.latency.point import Point
from edgevit.latency.profile import Profile, assemble, measure, read_profile
from edgevit.latency.request import ProfileRequest

__all__ = [
    "DEVICES",
    "LEAST_RESOLUTIONS",
    "Cost",
    "Curve",
    "Point",
    "Prediction",
    "Profile",
    "ProfileRequest",
    "Recommendation",
    "assemble",
    "fit",
    "measure",
    "read_profile",
    "recommend",
]
