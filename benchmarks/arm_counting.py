"""How many instructions an inference is on a Cortex-A76 (Raspberry Pi 5), and about how many cycles, without one.

qemu-user runs edgevit-runtime's real aarch64 wheels and says how often each block of code ran (tools/count_blocks.c).
LLVM's model of the pipeline then says what a block takes as a loop of itself that finds all it reads in the first cache
(llvm-mca; of Neoverse N1, whose pipeline is the A76's). So the estimate leaves out waiting for memory: take it
to compare models, and a board's clock and a stopwatch for milliseconds.

Needs Debian's packages qemu-user, llvm-19 and gcc (`apt install --no-install-recommends qemu-user llvm-19 gcc`: what
qemu-user recommends would take qemu-user-static away), and a root made by tools/arm64-root.sh.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from record import BUILD, ROOT

PROCESSOR, PIPELINE = "cortex-a76", "neoverse-n1"
FEATURES = "+fullfp16,+dotprod,+lse,+rdm,+crc,+rcpc,+sha2,+aes"
TOOLS = {"qemu-aarch64": "qemu-user", "llvm-mc-19": "llvm-19", "llvm-mca-19": "llvm-19", "cc": "gcc"}
"""Programs, and the Debian packages that they come with."""
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
}


def check_tools() -> None:
    """Says what to install, and ends."""
    lacking = {package for tool, package in TOOLS.items() if shutil.which(tool) is None}
    if lacking:
        sys.exit(f"apt install --no-install-recommends {' '.join(sorted(lacking))}")


def plugin() -> Path:
    path, source = BUILD / "count_blocks.so", ROOT / "tools" / "count_blocks.c"
    if not path.exists() or path.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", path, source], check=True)
    return path


def counted(root: Path, model: Path, signature: str | None = None) -> dict[str, Any]:
    """Of one inference, one thread, in the system at `root`: `instructions`, `cycles`, and instructions by kind.

    signature: of an artefact; None: any `.tflite`.
    """
    to = BUILD / "blocks.txt"
    to.unlink(missing_ok=True)
    asked = [signature] if signature else []
    command: list[str | Path] = [
        *("env", "-u", "PYTHONHOME", f"PYTHONPATH={root / 'opt' / 'edgevit'}", "PYTHONDONTWRITEBYTECODE=1"),
        *("qemu-aarch64", "-L", root / "cpu" / PROCESSOR, "-cpu", PROCESSOR, "-plugin", f"{plugin()},to={to}"),
        root / "usr" / "bin" / "python3.11",
        *(ROOT / "benchmarks" / "arm_guest.py", model),
        *asked,
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode or not to.is_file():
        sys.exit(f"{model.name} did not run as a {PROCESSOR}: {(done.stderr or done.stdout)[-2000:]}")
    return estimated(read_blocks(to))


def read_blocks(path: Path) -> Counter[Block]:
    """What count_blocks.c wrote: how often each block ran."""
    found: Counter[Block] = Counter()
    for line in path.read_text(encoding="ascii").splitlines():
        times, *code = line.split()
        found[tuple(code)] += int(times)
    return found


def estimated(blocks: Mapping[Block, int]) -> dict[str, Any]:
    words = disassembled(sorted({word for block in blocks for word in block}))
    instructions = sum(times * len(block) for block, times in blocks.items())
    often, asked = [], 0
    for block, times in sorted(blocks.items(), key=lambda each: -each[1] * len(each[0])):
        if asked > CONSIDERED * instructions:
            break
        often.append(block)
        asked += times * len(block)
    takes = cycles([[words[word] for word in block] for block in often])
    cycles_of_these = sum(blocks[block] * each for block, each in zip(often, takes, strict=True))
    kinds: Counter[str] = Counter()
    for block, times in blocks.items():
        for word in block:
            name = words[word].split(maxsplit=1)[0]
            kinds.update({kind: times for kind, pattern in _KINDS.items() if re.match(pattern, name)})
    return {
        "instructions": instructions,
        "cycles": round(cycles_of_these * instructions / max(1, asked)),
        "by_kind": {kind: kinds[kind] for kind in _KINDS},
    }


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


def cycles(blocks: Sequence[Sequence[str]]) -> list[float]:
    """What one pass of each takes, in a loop of itself."""
    lines = []
    for number, block in enumerate(blocks):
        lines += [f"# LLVM-MCA-BEGIN {number}", *map(_for_pipeline, block), "# LLVM-MCA-END"]
    options = ("-mtriple=aarch64", f"-mcpu={PIPELINE}", f"-mattr={FEATURES}", f"-iterations={ITERATIONS}", "-json")
    done = subprocess.run(
        ["llvm-mca-19", *options, "-skip-unsupported-instructions=lack-sched"],
        input="\n".join(lines) + "\n", capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"llvm-mca: {done.stderr[:2000]}")
    found = {int(each["Name"]): each["SummaryView"] for each in json.loads(done.stdout)["CodeRegions"]}
    return [found[number]["TotalCycles"] / found[number]["Iterations"] for number in range(len(blocks))]


def _for_pipeline(text: str) -> str:
    """The same to the pipeline in words that stand by themselves: where a branch leads to does not matter, say."""
    name = text.split(maxsplit=1)[0]
    if _BRANCH.match(name):  # a call would be taken for 100 cycles
        return "b ." if name in ("br", "blr", "ret") else "b.ne ."
    if name == "unknown" or _PLAIN.match(name):
        return "nop"
    return "ldr x9, [x9]" if _FROM_CODE.match(text) else text
