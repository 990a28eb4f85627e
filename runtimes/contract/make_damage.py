"""Makes `vectors/damage.json`: changes of the golden artefact that every runtime must refuse, before native code.

    python runtimes/contract/make_damage.py

The seal alone would find most of them, so it is taken off first: what is left must be found by what is wrong with it.
Some thousands of damaged copies are drawn from seeds, and of each reason for which the Python runtime refuses them,
two stay.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from edgevit_runtime.errors import ArtefactError
from edgevit_runtime.manifest import find_manifest, parse_manifest
from edgevit_runtime.verify.verifier import verify

FOLDER = Path(__file__).parent
GOLDEN = FOLDER / "golden" / "dials-int8.tflite"
TARGET = FOLDER / "vectors" / "damage.json"
DRAWN, OF_EACH = 3000, 2

sys.path.insert(0, str(FOLDER.parents[1] / "tests"))


def refusal(content: bytes) -> str | None:
    """Why an artefact without a seal is refused; None where it is not."""
    try:
        with memoryview(content) as data:
            text = find_manifest(data)
            if text is None:
                return "no manifest"
            manifest = parse_manifest(text)
            if len(content) < manifest.size_bytes:
                return "truncated"
            verify(data, manifest)
    except ArtefactError as error:
        return str(error)
    return None


def patches(whole: bytes, changed: bytes) -> list[list[Any]]:
    """[offset, hex] of each run of bytes that differs; both are of one length."""
    found: list[list[Any]] = []
    for at, (old, new) in enumerate(zip(whole, changed, strict=True)):
        if old != new:
            if found and at - found[-1][0] - len(found[-1][1]) <= 8:
                found[-1][1] += changed[found[-1][0] + len(found[-1][1]) : at + 1]
            else:
                found.append([at, bytes([new])])
    return [[at, content.hex()] for at, content in found]


def vectors() -> dict[str, Any]:
    from support.mutations import Artefacts

    artefacts = Artefacts(GOLDEN)
    sealed = GOLDEN.read_bytes()
    whole = artefacts.whole
    assert refusal(whole) is None
    seen: dict[str, int] = {}
    cases = []
    for number in range(DRAWN):
        changed = artefacts.damaged(number)
        reason = refusal(changed)
        if reason is None:
            continue
        kind = re.sub(r"[0-9]+|\[.*?\]|'.*?'", "#", reason)
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > OF_EACH:
            continue
        case: dict[str, Any] = {"reason": reason}
        if len(changed) < len(whole):
            case["length"] = len(changed)
        else:
            case["patches"] = patches(whole, changed)
        if len(json.dumps(case)) < 1000:
            cases.append(case)
    return {
        "format": "A case is the golden artefact, cut to its manifest's size_bytes and changed as `unseal` says, then "
        "cut to `length` bytes, or changed as `patches` says: [offset, bytes in hex]. Each must be refused. `reason` "
        "is the Python runtime's; another may find something else wrong first. The artefact without any case is in "
        "order; with its seal any changed byte of it must be refused, too, and any cut.",
        "golden": "golden/dials-int8.tflite",
        "sealed_bytes": len(sealed),
        "unseal": patches(sealed[: len(whole)], whole),
        "cases": cases,
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    found = vectors()
    text = json.dumps({**found, "cases": []}, indent=1)
    rows = ",\n".join("  " + json.dumps(case) for case in found["cases"])
    TARGET.write_text(text.replace('"cases": []', f'"cases": [\n{rows}\n ]') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
