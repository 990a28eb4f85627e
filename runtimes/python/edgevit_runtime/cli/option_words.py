"""Options by the words that people type for them: other tools' words, `_` for `-`, slips. The host uses it, too."""

from __future__ import annotations

from collections.abc import Collection, Sequence

__all__ = ["INSTEAD", "SYNONYMS", "instead", "meant", "no_such_option", "reworded"]

SYNONYMS: dict[str, tuple[str, ...]] = {
    # what other tools call them (PyTorch, timm, Keras, Ultralytics, tflite's benchmark_model)
    "lr": ("learning-rate",),
    "batch-size": ("batch",),
    "wd": ("weight-decay",),
    "num-classes": ("classes",),
    "nb-classes": ("classes",),
    "num-epochs": ("epochs",),
    "image-size": ("resolutions", "resolution"),
    "img-size": ("resolutions", "resolution"),
    "imgsz": ("resolutions", "resolution"),
    "input-size": ("resolutions", "resolution"),
    "size": ("resolutions", "resolution"),
    "num-threads": ("threads",),
    "pretrained": ("from",),
    "weights": ("from",),
    "out": ("output",),
    "output-file": ("output",),
    "force": ("overwrite",),
    "calibration-data": ("calibration",),
    "validation-data": ("validation",),
    "val": ("validation",),
    "val-split": ("val-share",),
    "validation-split": ("val-share",),
    "drop-path": ("stochastic-depth",),
    "target": ("for",),
    "board": ("for",),
    "device": ("for",),
    # one thing, or several; with its unit, or without
    "resolution": ("resolutions",),
    "resolutions": ("resolution",),
    "label": ("labels",),
    "thread": ("threads",),
    "epoch": ("epochs",),
    "variant": ("variants",),
    "budget": ("budget-ms",),
    "latency-budget": ("budget-ms",),
    # before, here
    "top": ("top-k",),
    "topk": ("top-k",),
}
"""The word without its hyphens -> the options that are meant, the first that a command has."""

_FOLDERS = (
    *("val", "val-data", "val-dir", "valid", "validation", "validation-data"),
    *("train", "train-data", "train-dir", "training-data"),
)
_BOTH_IN_ONE = "DATA is one folder with train/ and val/ in it; of a folder without val/, --val-share of it validates"
INSTEAD: dict[str, tuple[str, str]] = dict.fromkeys(_FOLDERS, ("val-share", _BOTH_IN_ONE))
"""A word without its hyphens -> (an option that tells which command it is, how what is wanted is told that command).

For what no option does, so that the nearest one would lead astray."""


def meant(word: str, known: Collection[str]) -> str:
    """`--lr=1` -> `--learning-rate=1`, for a command that has no `--lr`; itself where nothing is known of it.

    known: the command's options, with their hyphens.
    """
    name, equals, value = word.partition("=")
    if not name.startswith("--") or name == "--" or name in known:
        return word
    plain = _plain(word)
    for each in (plain, *SYNONYMS.get(plain, ())):
        if f"--{each}" in known:
            return f"--{each}{equals}{value}"
    return word


def reworded(words: Sequence[str], known: Collection[str]) -> list[str]:
    """A command line whose options are those of the command, as far as `meant` tells. What follows `--` is none."""
    end = words.index("--") if "--" in words else len(words)
    return [*(meant(word, known) for word in words[:end]), *words[end:]]


def instead(word: str, known: Collection[str]) -> str | None:
    """How a command is told what no option of it does: see `INSTEAD`. None where nothing is known of the word."""
    option, how = INSTEAD.get(_plain(word), ("", ""))
    return how if f"--{option}" in known and meant(word, known) == word else None


def no_such_option(word: str, known: Collection[str]) -> str:
    """The line for an option that a command does not have, with what does its work, or the nearest that it has."""
    from difflib import get_close_matches

    name, plain = word.partition("=")[0], _plain(word)
    how = instead(word, known)
    if how is not None:
        return f"no such option {name}: {how}"
    long = sorted(each[2:] for each in known if each.startswith("--"))
    near = get_close_matches(plain, long, n=1, cutoff=0.6)
    parts = [each for each in long if len(plain) > 2 and (plain in each.split("-") or each.startswith(plain))]
    found = near or parts[:1]
    return f"no such option {name}" + (f"; did you mean --{found[0]}?" if found else "")


def _plain(word: str) -> str:
    """`--Batch_Size=8` -> `batch-size`"""
    return word.partition("=")[0].lstrip("-").replace("_", "-").lower()
