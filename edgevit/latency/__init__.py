"""What a resolution costs: MACs by arithmetic, milliseconds by measurement, and the curve between them.

The functions `cost` and `predict` stay in their modules, `edgevit.latency.cost` and `edgevit.latency.budget`.
"""

from edgevit.latency.budget import Prediction, Recommendation, recommend
from edgevit.latency.comparison import Comparison
from edgevit.latency.cost import Cost
from edgevit.latency.curve import LEAST_RESOLUTIONS, Curve, fit
from edgevit.latency.devices import DEVICES
from edgevit.latency.plan import Candidate, Plan
from edgevit.latency.point import Point
from edgevit.latency.profile import Profile, assemble, measure, read_profile
from edgevit.latency.rates import Estimate, Predictor
from edgevit.latency.request import ProfileRequest
from edgevit.latency.together import measure_together

__all__ = [
    "DEVICES",
    "LEAST_RESOLUTIONS",
    "Candidate",
    "Comparison",
    "Cost",
    "Curve",
    "Estimate",
    "Plan",
    "Point",
    "Prediction",
    "Predictor",
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
