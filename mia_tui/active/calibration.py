"""How sure a head is: the temperature by which its scores become probabilities that come true.

Scores of labelled images are taken as if these had not been labelled (Guo et al. 2017, temperature scaling, on scores
by cross-validation). Images that were chosen to be labelled are harder than the others, so each counts for as many
images as there are with margins like its own. Few of them have large margins, and each of these stands for many: by
cross-entropy a single one that is surely wrong made all probabilities too low, by up to 0.08 with 150 to 300 labels,
so the score is Brier's (1950), in which a mistake costs 2 at most. Where few labels speak, they move the temperature
little from the usual one, 1 / (3.6 + 2.4 ln C), which was right for random labels of blood cells, drawn cells and
digits (0.16 with 3 classes, 0.13 with 6, 0.11 with 10).
"""

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.head import softmax

_TEMPERATURES = np.geomspace(0.02, 2.0, 47).astype(np.float32)
_BINS = 5  # of margins
_MOST = 20.0  # times as many images as others that one can stand for
_PRIOR = (
    20.0  # the labels that outweigh the usual temperature: with fewer, few mistakes say how sure is too sure
)


def best_temperature(
    scores: NDArray[np.float32], positions: NDArray[np.int32], counts: NDArray[np.float32]
) -> float:
    """The temperature with the least Brier score.

    Args:
        scores: Of images that took no part in learning, shape (M, C).
        positions: Of their classes, shape (M,).
        counts: For how many images each stands, shape (M,).
    """
    rows = np.arange(len(scores))
    usual = 1 / (3.6 + 2.4 * np.log(scores.shape[1]))
    prior = np.square(np.log(_TEMPERATURES / usual)) * _PRIOR
    counts = counts / max(float(counts.sum()), 1e-9) * len(rows)
    losses = []
    for temperature in _TEMPERATURES:
        misses = softmax(scores / temperature)
        misses[rows, positions] -= 1
        losses.append(float(np.square(misses).sum(axis=1) @ counts))
    return float(_TEMPERATURES[int(np.argmin(np.asarray(losses) + prior))])


def stands_for(margins: NDArray[np.float32], of_all: NDArray[np.float32]) -> NDArray[np.float32]:
    """For how many of all images each of some stands: as many as there are with margins like its own.

    Args:
        margins: Best score less the second best, of images that took no part in learning, shape (M,).
        of_all: The same of all images, or a sample of them.

    Returns:
        Shape (M,), of mean about 1.
    """
    edges = np.quantile(of_all, np.linspace(0, 1, _BINS + 1)[1:-1])
    there = np.bincount(np.searchsorted(edges, of_all), minlength=_BINS) / max(1, len(of_all))
    here = np.searchsorted(edges, margins)
    known = np.bincount(here, minlength=_BINS) / max(1, len(margins))
    found: NDArray[np.float32] = (there[here] / np.maximum(known[here], 1 / _BINS / _MOST)).astype(np.float32)
    return found
