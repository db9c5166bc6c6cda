"""A confusion matrix, worked out for showing: figures of each class, and the largest confusions."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mia_tui.runs.evaluation.figures import (
    ClassFigures,
    SavedConfusion,
    figures,
    load_confusion,
    per_class,
)
from mia_tui.runs.record.layout import RunDir

Which = Literal["last", "best"]

MOST_CONFUSIONS = 1000


@dataclass(frozen=True)
class Cell:
    """Images of one class that were taken for another; both by position."""

    truth: int
    predicted: int
    count: int


@dataclass(frozen=True, eq=False)
class ConfusionReport:
    """How a network of a run did; two that were read are two, whatever is in them.

    Attributes:
        which: Whether this is the last epoch or the best.
        matrix: The counts.
        figures: Figures of the whole, by name.
        by_class: Figures of each class.
        confusions: The largest ones, largest first; at most `MOST_CONFUSIONS`.
        mistakes: Images that were taken for another class.
    """

    which: Which
    matrix: SavedConfusion
    figures: dict[str, float]
    by_class: list[ClassFigures]
    confusions: list[Cell]
    mistakes: int


def load_confusion_report(run: RunDir, which: Which) -> ConfusionReport:
    """Read a confusion matrix and work it out; 50 ms for a thousand classes, so for a thread.

    Raises:
        RunError: If the file is missing or damaged.
    """
    matrix = load_confusion(run.confusion(which))
    wrong = matrix.counts.copy()
    np.fill_diagonal(wrong, 0)
    return ConfusionReport(
        which,
        matrix,
        figures(matrix.counts),
        per_class(matrix.counts, matrix.classes),
        _largest(wrong),
        int(wrong.sum()),
    )


def _largest(wrong: np.ndarray) -> list[Cell]:
    rows, columns = np.nonzero(wrong)
    counts = wrong[rows, columns]
    order = np.argsort(-counts, kind="stable")[:MOST_CONFUSIONS]
    cells = zip(rows[order].tolist(), columns[order].tolist(), counts[order].tolist(), strict=True)
    return [Cell(*cell) for cell in cells]
