"""A mask as COCO writes it: the lengths of its runs, down the columns, in a short string.

The format is that of COCO's tools (https://github.com/cocodataset/cocoapi, rleToString): runs of 0 and 1 take turns,
the first of 0, maybe of length 0. From the fourth on, a length is written as its difference from the one two before.
Each number takes characters of five bits, the lowest first, from `0` on; a sixth bit says that more follow, and the
fifth bit of the last is its sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgevit_runtime.errors import EdgeViTError
from edgevit_runtime.preprocess.pictures import MAX_PIXELS

Array = np.ndarray[Any, Any]

_FIRST = ord("0")
_MORE, _SIGN, _BITS = 0x20, 0x10, 5
_LONGEST = 7
"""Characters of the longest number: 35 bits, more than any difference within `MAX_PIXELS` takes."""
_MOST_CHARACTERS = 1 << 24
"""A mask with more runs than these hold is noise."""


@dataclass(frozen=True)
class RunLengths:
    """One mask. `size` is (height, width) in pixels, as COCO has it."""

    size: tuple[int, int]
    counts: str

    def to_dict(self) -> dict[str, Any]:
        """COCO's RLE, which its own tools read: `{"size": [height, width], "counts": "..."}`."""
        return {"size": list(self.size), "counts": self.counts}


def encode(mask: Array) -> RunLengths:
    """A mask, bool or numbers of which 0 is none, [height, width] -> its run lengths."""
    if mask.ndim != 2 or not mask.size:
        raise EdgeViTError(f"a mask is [height, width], not {list(mask.shape)}")
    flat = (mask != 0).reshape(-1, order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ends = np.concatenate([[0] if flat[0] else [], changes, [flat.size]]).astype(np.int64)
    lengths = np.diff(ends, prepend=0)
    lengths[3:] -= lengths[1:-2].copy()
    height, width = mask.shape
    return RunLengths((height, width), _written(lengths))


def decode(run_lengths: RunLengths | Mapping[str, Any]) -> Array:
    """Run lengths, ours or a dict with COCO's `size` and `counts` -> bool [height, width].

    Raises `EdgeViTError` for what is no such mask: other characters, lengths that do not come to its size, or a mask
    of more than `MAX_PIXELS`.
    """
    if not isinstance(run_lengths, RunLengths):
        run_lengths = _checked(run_lengths)
    height, width = run_lengths.size
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise EdgeViTError(f"a mask of {height} x {width} pixels is none, or too large (at most {MAX_PIXELS} pixels)")
    if len(run_lengths.counts) > min(2 * height * width + _LONGEST, _MOST_CHARACTERS):
        raise EdgeViTError(f"a mask of {height} x {width} pixels has no {len(run_lengths.counts)} characters of runs")
    lengths = _read(run_lengths.counts)
    lengths[1::2] = np.cumsum(lengths[1::2])
    lengths[2::2] = np.cumsum(lengths[2::2])
    # Each is compared before they are added: so no sum leaves 64 bits.
    if (lengths < 0).any() or (lengths > height * width).any() or lengths.sum() != height * width:
        raise EdgeViTError(f"the runs of a mask do not come to its {height} x {width} pixels")
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return np.ascontiguousarray(flat.reshape(height, width, order="F"))


def _written(numbers: Array) -> str:
    characters = np.zeros((len(numbers), _LONGEST), np.uint8)
    used = np.zeros((len(numbers), _LONGEST), bool)
    going = np.ones(len(numbers), bool)
    for place in range(_LONGEST):
        low = numbers & 0x1F
        numbers = numbers >> _BITS
        used[:, place] = going
        # The sign is the last character's fifth bit: it ends where the rest is that bit over and over.
        going = going & (numbers != np.where(low & _SIGN, -1, 0))
        characters[:, place] = low + _MORE * going + _FIRST
    return characters[used].tobytes().decode("ascii")


def _read(text: str) -> Array:
    """int64 [n]: the numbers of a string, still as differences."""
    codes = np.frombuffer(text.encode("ascii", "replace"), np.uint8).astype(np.int64) - _FIRST
    if not len(codes) or (codes < 0).any() or (codes > 0x3F).any() or codes[-1] & _MORE:
        raise EdgeViTError("the runs of a mask end early, or hold what is no run")
    lasts = np.flatnonzero(codes & _MORE == 0)
    firsts = np.concatenate([[0], lasts[:-1] + 1])
    places = np.arange(len(codes)) - np.repeat(firsts, lasts - firsts + 1)
    if places.max() >= _LONGEST:
        raise EdgeViTError(f"a run of a mask has more than {_LONGEST} characters")
    numbers: Array = np.add.reduceat((codes & 0x1F) << (_BITS * places), firsts)
    negative = codes[lasts] & _SIGN != 0
    return numbers - np.where(negative, np.int64(1) << (_BITS * (places[lasts] + 1)), 0)


def _checked(document: Mapping[str, Any]) -> RunLengths:
    size, counts = document.get("size"), document.get("counts")
    if not isinstance(size, (list, tuple)) or len(size) != 2 or not all(type(side) is int for side in size):
        raise EdgeViTError(f"the size of a mask is [height, width], not {str(size)[:80]}")
    if not isinstance(counts, str):
        raise EdgeViTError(f"the counts of a mask are a string, not {type(counts).__name__} (uncompressed RLE?)")
    return RunLengths((size[0], size[1]), counts)
