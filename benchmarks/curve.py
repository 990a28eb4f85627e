"""The latency curve of DeiT-Tiny int8 over eight resolutions: its fit, and how well it predicts what it did not see."""

from __future__ import annotations

from deit_tiny import LADDER, artefact
from edgevit.devices.profile_request import ProfileRequest
from edgevit.latency.measurement import measure
from record import write

SECONDS = 10.0


def main() -> None:
    profile = measure(artefact("int8", LADDER), ProfileRequest(seconds=SECONDS)).to_dict()
    curve = profile["curve"]
    profile.pop("model")
    for point, fitted in zip(profile["points"], curve["points"], strict=True):
        print(
            f"{point['resolution']:4d} {point['latency_ms']['median']:8.2f} ms  fitted {fitted['fitted_ms']:8.2f}"
            f"  quadratic {fitted['quadratic_share']:.0%}  left out {fitted['leave_one_out_error']:+.1%}"
        )
    print(f"R² {curve['r2']:.5f}, crossover {curve['crossover_tokens']} tokens")
    write("curve", {"artefact": "DeiT-Tiny int8", **profile})


if __name__ == "__main__":
    main()
