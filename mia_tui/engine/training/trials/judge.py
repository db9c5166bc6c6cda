"""The images that trials are judged on, and how."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.split.assignment import group_numbers
from mia_tui.engine.data.random import ORDER_STREAM, hashes
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.trials import MOST_JUDGED, MOST_LOSS

_TEMPERATURES = torch.logspace(-1, 1.2, 23)  # 0.1 to 16
_DIGITS = 5


@dataclass(frozen=True, eq=False)
class Fold:
    """One network of a trial.

    Attributes:
        samples: The samples of the run, each in the part that it has for this network.
        judged: Rows of those that it is judged on, ascending, shape (n,), int64.
        train: How many it trains on.
    """

    samples: list[Sample]
    judged: Tensor
    train: int


def make_folds(samples: Sequence[Sample], group_by: str | None, count: int, seed: int) -> list[Fold]:
    """Cut the images of a run for its trials; images of one group stay together.

    Args:
        samples: Of the run, without those of the test part.
        group_by: As in `SplitRule`.
        count: How many folds; 1 takes the parts of the run.
        seed: What the folds are drawn from.
    """
    if count == 1:
        rows = [row for row, sample in enumerate(samples) if sample.split == "val"]
        return [Fold(list(samples), _some(rows), len(samples) - len(rows))]
    fold_of = _fold_numbers(samples, groups_of(samples, group_by), count, seed)
    most = -(-MOST_JUDGED // count)
    folds = []
    for number in range(count):
        parts = ["val" if fold == number else "train" for fold in fold_of]
        cut = [
            msgspec.structs.replace(sample, split=part) for sample, part in zip(samples, parts, strict=True)
        ]
        rows = [row for row, part in enumerate(parts) if part == "val"]
        folds.append(Fold(cut, _some(rows, most), parts.count("train")))
    return [fold for fold in folds if len(fold.judged) and fold.train]


def groups_of(samples: Sequence[Sample], group_by: str | None) -> npt.NDArray[np.int64]:
    """The number of the group of each sample, shape (n,)."""
    keys = [ImageKey(sample.path, sample.frame) for sample in samples]
    return np.array(group_numbers(keys, group_by=group_by), np.int64)


def _fold_numbers(
    samples: Sequence[Sample], groups: npt.NDArray[np.int64], count: int, seed: int
) -> list[int]:
    """The fold of each sample: a group goes where there are fewest images of its classes."""
    members: dict[int, list[int]] = {}
    for row, group in enumerate(groups.tolist()):
        members.setdefault(group, []).append(row)
    order = torch.argsort(hashes(seed, 0, torch.arange(len(members)), stream=ORDER_STREAM), stable=True)
    classes = max(sample.class_index for sample in samples) + 1
    held = np.zeros((count, classes))
    fold_of = [0] * len(samples)
    for group in order.tolist():
        own = np.bincount([samples[row].class_index for row in members[group]], minlength=classes)
        fold = int(np.lexsort((held.sum(axis=1), held @ own))[0])
        held[fold] += own
        for row in members[group]:
            fold_of[row] = fold
    return fold_of


def _some(rows: Sequence[int], most: int = MOST_JUDGED) -> Tensor:
    """Rows, at equal distances where there are too many."""
    step = max(1, -(-len(rows) // most))
    return torch.tensor(list(rows)[::step], dtype=torch.int64)


def image_losses(logits: Tensor, targets: Tensor, weights: Tensor) -> npt.NDArray[np.float64]:
    """The cross entropy of each image at the temperature at which the mean is least, shape (n,).

    A network that is trained for long is too sure of itself, which a temperature mends; what is left is how well it
    tells classes apart.

    Args:
        logits: Shape (n, C), float32, on the CPU.
        targets: Shape (n,), int64.
        weights: How much each image counts in the mean, shape (n,).
    """
    logits = torch.nan_to_num(logits.float(), nan=0.0, posinf=1e4, neginf=-1e4)
    best: Tensor | None = None
    least = float("inf")
    for temperature in _TEMPERATURES.tolist():
        losses = cross_entropy(logits / temperature, targets, reduction="none").clamp(0.0, MOST_LOSS)
        mean = float((losses * weights).sum())
        if mean < least:
            best, least = losses, mean
    assert best is not None
    found: npt.NDArray[np.float64] = best.double().numpy().round(_DIGITS)
    return found
