"""The same curve through adb as without: DeiT-Tiny int8 on this machine, by itself and as a phone.

The phone, of tests/support/adb_phones.py, is this machine under Debian's adbd, with the bundle's C library, Python
3.11 and wheels; so what adb, the bundle and its loader cost or change would show. In turns; of each, the least
disturbed round counts.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from deit_tiny import LADDER, artefact
from edgevit.devices.profile_request import ProfileRequest
from edgevit.latency.measurement import measure
from record import ROOT, write
from support.adb_phones import Network

ROUNDS = 5
SECONDS = 0.8


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "phone"
        subprocess.run([ROOT / "tools" / "adbd-root.sh", root], check=True)
        network = Network(Path(folder) / "network")
        try:
            os.environ["ADB_SERVER_SOCKET"] = network.environment["ADB_SERVER_SOCKET"]
            write("phone", in_turns(network.phone(root, 7001).name, "adb"))
        finally:
            network.close()


def in_turns(device: str, way: str) -> dict[str, Any]:
    """The figures of `ROUNDS` profiles here and as many on a device that is this machine, reached in that way."""
    path, request = artefact("int8", LADDER), ProfileRequest(seconds=SECONDS)
    measure(path, ProfileRequest(resolutions=(LADDER[0],), seconds=0.1), device=device)  # puts all of it there
    profiles = [measure(path, request, device=name).to_dict() for _ in range(ROUNDS) for name in ("local", device)]
    rows = []
    for index, resolution in enumerate(LADDER):
        local, there = (
            [profile["points"][index]["latency_ms"]["median"] for profile in profiles[first::2]] for first in (0, 1)
        )
        rows.append(
            {
                "resolution": resolution,
                "local_ms": local,
                f"{way}_ms": there,
                "difference": min(there) / min(local) - 1,
                "local_second_best": sorted(local)[1] / min(local) - 1,
            }
        )
        print(f"{resolution:4d}  local {min(local)} ms  {way} {min(there)} ms  {rows[-1]['difference']:+.1%}")
    kept: list[dict[str, Any]] = [
        {"device": {**profile["device"], "name": name}, "curve": profile["curve"]}
        for profile, name in zip(profiles, ("local", way) * ROUNDS, strict=True)
    ]
    return {"artefact": "DeiT-Tiny int8", "seconds": SECONDS, "rows": rows, "profiles": kept}


if __name__ == "__main__":
    main()
