"""Makes `vectors/damage.json`: changes of the golden artefact that every runtime must refuse, before native code.

    python runtimes/contract/make_damage.py

The seal alone would find most of them, so it is taken off first: what is left must be found by what is wrong with it.
Some thousands of damaged copies are drawn from seeds; every tensor's scales and shape are changed, one at a time;
numbers of the manifest say something else. Of each reason for which the Python runtime refuses them, two stay.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
from collections.abc import Iterator
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
            with data[: manifest.size_bytes] as whole:
                verify(whole, manifest)
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


def resized(content: bytes) -> bytes:
    """A longer copy whose manifest says so, in the room that it has for that."""
    old = re.search(rb'"size_bytes":[0-9]+ *', content)
    assert old is not None
    return content.replace(old[0], (b'"size_bytes":%d' % len(content)).ljust(len(old[0])), 1)


def structured(whole: bytes) -> Iterator[bytes]:
    """Copies that keep their form, and say something else."""
    from support.editable_artefact import EditableArtefact
    from support.structured_damage import Quantization, Shapes

    editable = EditableArtefact(GOLDEN, in_place=True)
    for kind in (Quantization(editable), Shapes(editable)):
        for number in range(0, len(kind), 7):
            yield resized(editable.changed([kind.part(number)]))
    for number, buffer in enumerate(editable.model["buffers"]):
        if 0 < len(buffer.get("data", b"")) < 100:
            for offset, size in ((len(whole) + 64, 64), (16, 2**63), (18, len(buffer["data"])), (0, 8)):
                yield resized(editable.changed([(("buffers", number), "Buffer", {"offset": offset, "size": size})]))
    start = whole.index(b'{"schema"')
    for found in re.finditer(rb'"([a-z_]+)":([0-9]+)', whole[start : start + 20_000]):
        at = start + found.end() - 1
        yield whole[:at] + b"%d" % ((whole[at] - ord("0") + 1) % 10) + whole[at + 1 :]
    for old, new in (
        (b'"dtype":"float32"', b'"dtype":"float64"'),
        (b'"dtype":"uint8"', b'"dtype":"int64"'),
        (b'"versions":{"edgevit"', b'"versions":["edgevit"'),
        (b'"labels":["', b'"labels":[["'),
        (b'"scores":"softmax"', b'"scores":"hardmax"'),
    ):
        yield whole.replace(old, new, 1)
    at = whole.index(b'"versions":{') + len(b'"versions":')
    end = whole.index(b"}", at) + 1
    yield whole[:at] + (b"[" * 40 + b"]" * 40).ljust(end - at) + whole[end:]


def vectors() -> dict[str, Any]:
    from support.mutations import Artefacts

    artefacts = Artefacts(GOLDEN)
    sealed = GOLDEN.read_bytes()
    whole = artefacts.whole
    assert refusal(whole) is None
    seen: dict[str, int] = {}
    cases = []
    for changed in itertools.chain(map(artefacts.damaged, range(DRAWN)), structured(whole)):
        reason = refusal(changed)
        if reason is None:
            continue
        kind = re.sub(r"-?[0-9.]+(e[+-]?[0-9]+)?|\[.*?\]|'.*?'|(?<=not ).*", "#", reason)
        seen[kind] = seen.get(kind, 0) + 1
        if seen[kind] > OF_EACH:
            continue
        case: dict[str, Any] = {"reason": reason}
        if len(changed) < len(whole):
            case["length"] = len(changed)
        else:
            case["patches"] = patches(whole, changed[: len(whole)])
            if len(changed) > len(whole):
                case["append"] = changed[len(whole) :].hex()
        if len(json.dumps(case)) < 1000:
            cases.append(case)
    return {
        "format": "A case is the golden artefact, cut to its manifest's size_bytes and changed as `unseal` says, then "
        "cut to `length` bytes, or changed as `patches` says: [offset, bytes in hex], with the bytes `append` (hex) "
        "behind it where there are such. Each must be refused. `reason` "
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
