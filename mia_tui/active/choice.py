"""Which images are worth labelling first: a representative start, then the least sure, spread over look-alikes."""

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.suggester import Learned, Rows, Suggester

_LOOKED_AT = 8  # times as many least sure images as are chosen
_MOST_STARTED = 4096  # images that a start is chosen from


def next_images(suggester: Suggester, learned: Learned | None, among: NDArray[np.bool_], count: int) -> Rows:
    """Images worth labelling, the first first.

    Args:
        suggester: With the points of all images.
        learned: From the labels that there are; None before there are labels of two classes.
        among: Which images may be chosen, shape (N,).
        count: How many, at most.
    """
    candidates = np.flatnonzero(among).astype(np.int32)
    if not len(candidates):
        return candidates
    if learned is None:
        step = max(1, len(candidates) // _MOST_STARTED)
        return _spread(suggester.points, candidates[::step], count)
    shares = np.sort(learned.probabilities(candidates), axis=1)
    margins = shares[:, -1] - shares[:, -2]
    unsure = candidates[np.argsort(margins, kind="stable")[: count * _LOOKED_AT]]
    return _spread(suggester.points, unsure, count)


def _spread(points: NDArray[np.float32], candidates: Rows, count: int) -> Rows:
    """The first, and then always the one farthest from all chosen before."""
    chosen = [0]
    distances = np.square(points[candidates] - points[candidates[0]]).sum(axis=1)
    while len(chosen) < min(count, len(candidates)):
        farthest = int(distances.argmax())
        chosen.append(farthest)
        beside = np.square(points[candidates] - points[candidates[farthest]]).sum(axis=1)
        distances = np.minimum(distances, beside)
    return candidates[chosen]
