"""How often each image is shown in an epoch, where rare classes are shown more often (`sampling`).

An epoch keeps its length. What is shown is a function of (seed, epoch): a resumed run computes it again.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from mia_tui.config.train import Sampling
from mia_tui.engine.data.random import SAMPLING_STREAM, hashes

_POWERS: dict[Sampling, float] = {"all": 1.0, "sqrt": 0.5, "balanced": 0.0}


@dataclass(frozen=True)
class Shown:
    """The images of an epoch, in no particular order.

    Attributes:
        rows: Rows of the samples, shape (N,), int64.
        turn: How often the image was shown before in this epoch, shape (N,), int64: 0 for the first time.
    """

    rows: Tensor
    turn: Tensor


def shown_in_epoch(rows: Tensor, classes: Tensor, sampling: Sampling, *, seed: int, epoch: int) -> Shown:
    """Which images an epoch shows: as many as there are, and of each class a number by its size.

    Each class gets a share of the epoch in proportion to its number of images (`all`), to the square root of that
    (`sqrt`), or the same as all others (`balanced`). Within a class every image is shown equally often, give or take
    one; which ones are shown once more is drawn anew for each epoch.

    Args:
        rows: Rows of the training images, ascending, shape (N,), int64.
        classes: Class of each of them, shape (N,), int64.
        sampling: How the epoch is shared out.
        seed: Seed of the run.
        epoch: Number of the epoch.

    Source: Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition", 2020, eq. 1, with
        q = 1, 1/2 and 0; there images are drawn with replacement.
    """
    if sampling == "all" or not len(rows):
        return Shown(rows, torch.zeros_like(rows))
    order = torch.argsort(hashes(seed, epoch, rows, stream=SAMPLING_STREAM), stable=True)
    shown, turns = [], []
    for number, count in _places(torch.bincount(classes), len(rows), _POWERS[sampling]):
        own = rows[order[classes[order] == number]]
        place = torch.arange(count)
        shown.append(own[place % len(own)])
        turns.append(place // len(own))
    return Shown(torch.cat(shown), torch.cat(turns))


def _places(sizes: Tensor, total: int, power: float) -> list[tuple[int, int]]:
    """Each class that has images, and how often one of its images is shown; the sum is `total`."""
    present = [number for number, size in enumerate(sizes.tolist()) if size]
    weights = sizes[present].double() ** power
    # Where exact shares end in fractions: the ends of consecutive stretches, rounded, add up to the whole.
    ends = (weights.cumsum(0) / weights.sum() * total).round().long().tolist()
    return [(number, end - start) for number, start, end in zip(present, [0, *ends[:-1]], ends, strict=True)]
