"""How well pictures are found by their vectors: recall@k and mean average precision.

recall@k: the share of the pictures that have one of their class among the k nearest (Jégou et al. 2011,
https://doi.org/10.1109/TPAMI.2010.57). mAP: the mean over pictures of the average precision of the whole gallery, in
the order of the cosine, those of the picture's class being relevant (Manning et al. 2008, Introduction to Information
Retrieval, section 8.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RANKS", "Found", "retrieve"]

RANKS = (1, 5, 10)
ROWS = 256
"""Queries at a time: a bounded piece of the matrix of all cosines."""


@dataclass(frozen=True)
class Found:
    """Of each query, [n]: the rank of the first of its class in the gallery, from 0; its average precision; the class
    of the nearest. A query that has none of its class there has the gallery's size for a rank, and 0."""

    ranks: NDArray[np.int64]
    precisions: NDArray[np.float64]
    nearest: NDArray[np.int64]


def retrieve(
    queries: NDArray[Any],
    gallery: NDArray[Any],
    classes: NDArray[np.int64],
    known: NDArray[np.int64],
    *,
    leave_one_out: bool,
) -> Found:
    """queries [n, width] of `classes` [n], gallery [m, width] of classes `known` [m], vectors of length 1.

    leave_one_out: both are the same pictures in the same order, of which none finds itself.
    """
    ranks, precisions, nearest = [], [], []
    for start in range(0, len(queries), ROWS):
        cosines = queries[start : start + ROWS] @ gallery.T
        rows = np.arange(len(cosines))
        if leave_one_out:
            cosines[rows, start + rows] = -np.inf  # comes last
        order = np.argsort(-cosines, axis=1, kind="stable")[:, : len(gallery) - leave_one_out]
        relevant = known[order] == classes[start : start + ROWS, None]
        hits = relevant.cumsum(axis=1)
        precision = np.where(relevant, hits / np.arange(1, order.shape[1] + 1), 0.0).sum(axis=1)
        precisions.append(precision / np.maximum(hits[:, -1], 1))
        ranks.append(np.where(hits[:, -1] > 0, relevant.argmax(axis=1), len(gallery)))
        nearest.append(known[order[:, 0]])
    return Found(*(np.concatenate(each) for each in (ranks, precisions, nearest)))
