"""What a resolution costs: MACs by arithmetic, milliseconds by measurement, and the curve between them.

The functions `cost` and `predict` stay in their modules, `edgevit.latency.cost` and `edgevit.latency.budget`.
"""

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
