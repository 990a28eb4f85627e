"""Blocks of Arm instructions as cycles: what LLVM's model of the pipeline says of each, as a loop of itself.

The model (llvm-mca) finds all that a block reads in the first cache, and every branch as foreseen. So the estimate
leaves out waiting for memory: `edgevit.latency.processors` has the factor that real boards showed.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

PIPELINES = {
    "cortex-a76": "neoverse-n1",  # LLVM has no model of the A76's own; Neoverse N1 is its server twin
    "cortex-a72": "cortex-a72",
}
"""Processor -> LLVM's model of its pipeline."""
FEATURES = "+fullfp16,+dotprod,+lse,+rdm,+crc,+rcpc,+sha2,+aes"
CONSIDERED = 0.998
"""The pipeline is asked for so much of what ran; the rest, thousands of blocks, is taken to be as quick."""
ITERATIONS = 100

Block = tuple[str, ...]
"""The instructions of a piece of code without branches into it, each as 8 hexadecimal digits."""
_BRANCH = re.compile(r"(b|bl|br|blr|ret|cbn?z|tbn?z|b\..*)$")
_PLAIN = re.compile(r"(svc|adrp?|mrs|msr|dmb|dsb|isb)$")
_FROM_CODE = re.compile(r"ldr(sw)?\s+\w+, #")
_KINDS = {
    "dot products": r"[su]dot$",
    "float multiply-adds": r"fml[as]$",
    "int multiply-adds": r"[su]ml[as]l2?$|ml[as]$",
    "loads": r"(ld|prf)",
    "stores": r"st",
}


class Pipeline:
    """Of one processor; what it was asked once it remembers, so that operators that share kernels are told quickly."""

    def __init__(self, processor: str) -> None:
        self.name = PIPELINES[processor]
        self._texts: dict[str, str] = {}
        self._cycles: dict[Block, float] = {}

    def estimated(self, blocks: Mapping[Block, int]) -> dict[str, Any]:
        """Of blocks and how often they ran: `instructions`, `cycles`, and instructions `by_kind`."""
        self._disassemble({word for block in blocks for word in block})
        instructions = sum(times * len(block) for block, times in blocks.items())
        often, asked = [], 0
        for block, times in sorted(blocks.items(), key=lambda each: -each[1] * len(each[0])):
            if asked > CONSIDERED * instructions:
                break
            often.append(block)
            asked += times * len(block)
        unknown = [block for block in often if block not in self._cycles]
        told = cycles([[self._texts[word] for word in block] for block in unknown], self.name) if unknown else []
        self._cycles.update(zip(unknown, told, strict=True))
        kinds: Counter[str] = Counter()
        for block, times in blocks.items():
            for word in block:
                name = self._texts[word].split(maxsplit=1)[0]
                kinds.update({kind: times for kind, pattern in _KINDS.items() if re.match(pattern, name)})
        spent = sum(blocks[block] * self._cycles[block] for block in often)
        return {
            "instructions": instructions,
            "cycles": round(spent * instructions / max(1, asked)),
            "by_kind": {kind: kinds[kind] for kind in _KINDS},
        }

    def _disassemble(self, words: set[str]) -> None:
        new = sorted(words - self._texts.keys())
        if new:
            self._texts.update(disassembled(new))


def disassembled(words: Sequence[str]) -> dict[str, str]:
    """Instruction -> its text; what LLVM does not know is called `unknown`."""
    as_bytes = [" ".join(f"0x{word[place : place + 2]}" for place in (6, 4, 2, 0)) for word in words]
    done = subprocess.run(
        ["llvm-mc-19", "--disassemble", "-triple=aarch64", "-mattr=+all", "--show-encoding"],
        input="\n".join(as_bytes) + "\n", capture_output=True, text=True,
    )  # fmt: skip
    found = dict.fromkeys(words, "unknown")
    for text, encoding in re.findall(r"^\s*(.*?)\s*// encoding: \[([^]]*)\]", done.stdout, re.MULTILINE):
        found["".join(each.removeprefix("0x") for each in reversed(encoding.split(",")))] = text
    return found


def cycles(blocks: Sequence[Sequence[str]], pipeline: str) -> list[float]:
    """What one pass of each takes, in a loop of itself, by one of LLVM's models."""
    lines = []
    for number, block in enumerate(blocks):
        lines += [f"# LLVM-MCA-BEGIN {number}", *map(for_pipeline, block), "# LLVM-MCA-END"]
    options = ("-mtriple=aarch64", f"-mcpu={pipeline}", f"-mattr={FEATURES}", f"-iterations={ITERATIONS}", "-json")
    done = subprocess.run(
        ["llvm-mca-19", *options, "-skip-unsupported-instructions=lack-sched"],
        input="\n".join(lines) + "\n", capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"llvm-mca: {done.stderr[:2000]}")
    found = {int(each["Name"]): each["SummaryView"] for each in json.loads(done.stdout)["CodeRegions"]}
    return [found[number]["TotalCycles"] / found[number]["Iterations"] for number in range(len(blocks))]


def for_pipeline(text: str) -> str:
    """The same to the pipeline in words that stand by themselves: where a branch leads to does not matter, say."""
    name = text.split(maxsplit=1)[0]
    if _BRANCH.match(name):  # a call would be taken for 100 cycles
        return "b ." if name in ("br", "blr", "ret") else "b.ne ."
    if name == "unknown" or _PLAIN.match(name):
        return "nop"
    return "ldr x9, [x9]" if _FROM_CODE.match(text) else text
