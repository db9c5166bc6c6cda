"""How alike images look, as the angle between their points: what unfamiliar images and near-duplicates are found by.

Points are centred, so an ordinary image lies near the middle and everything is near to it; which way a point lies
from the middle tells more than how far. On microscope images of three classes, of which one had no labels, the mean
cosine to the 5 nearest labelled images told that class from the others with an area under the ROC curve of 0.91,
distances between points with 0.78. The first 64 axes do as well as 32 or 128. Dividing each by its deviation to the
power of 2/3 did better than not (0.88), and than whitening (below 0.9).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.suggester import Rows

_MOST_AXES = 64
_FLATTENED = 2 / 3
_LEAST = 1e-9
_AT_ONCE = 1 << 22  # cosines in memory: 16 MB

Directions = NDArray[np.float32]
"""Vectors of length 1, shape (N, at most 64): their product is the cosine."""


def directions(points: NDArray[np.float32]) -> Directions:
    """Directions of points.

    Args:
        points: Centred, on principal axes in falling order (`Suggester.points`), shape (N, dims).
    """
    some = points[:, :_MOST_AXES]
    weighed = some / np.maximum(some.std(axis=0), _LEAST) ** _FLATTENED
    lengths = np.maximum(np.linalg.norm(weighed, axis=1, keepdims=True), _LEAST)
    found: Directions = (weighed / lengths).astype(np.float32)
    return found


def cosines(one: Directions, others: Directions) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Cosines of all pairs, some rows at a time: where they begin, and shape (rows, len(others))."""
    step = max(1, _AT_ONCE // max(1, len(others)))
    for start in range(0, len(one), step):
        yield start, one[start : start + step] @ others.T


def nearness(
    one: Directions, others: Directions, count: int, apart: tuple[Rows, Rows] | None = None
) -> NDArray[np.float32]:
    """The mean cosine to the nearest others, shape (len(one),); of a vector without others it is -1.

    Args:
        one: Vectors.
        others: Those to be near to.
        count: How many of the nearest.
        apart: Groups of both; those of the same group do not count.
    """
    means = [np.empty(0, np.float32)]
    for start, found in cosines(one, others):
        if apart is not None:
            found[apart[0][start : start + len(found), None] == apart[1][None]] = -1
        most = min(count, found.shape[1])
        nearest = np.partition(found, found.shape[1] - most, axis=1)[:, found.shape[1] - most :]
        means.append(nearest.mean(axis=1) if most else np.full(len(found), -1, np.float32))
    return np.concatenate(means)
