"""Confusion matrices: their metrics, their files, and the report of one for the screen.

Everything follows from counts summed over a whole part, in float64, by the formulas of analysis/formulas.py.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta

from mia_tui.analysis.formulas import class_metrics, overall_metrics
from mia_tui.catalog.metrics import METRICS
from mia_tui.decoding import Count, Index, Text, decode_json
from mia_tui.errors import RunError
from mia_tui.files import read
from mia_tui.runs.disk import make_folder, write_atomically
from mia_tui.runs.evaluation.class_order import likeness_order
from mia_tui.runs.record.layout import RunDir, unreadable
from mia_tui.text import decode_name, encode_name, printable

Matrix = npt.NDArray[np.int64]
_Numbers = npt.NDArray[np.float64]
Which = Literal["last", "best", "evaluation"]

MOST_CONFUSIONS = 1000

_MOST_DENSE_CLASSES = 50
_MOST_BYTES = 1 << 29
_MOST_CLASSES = 10_000  # of a matrix that is read: 800 MB


class ClassFigures(msgspec.Struct, frozen=True, rename={"name": "class"}):
    """Metrics of one class; `support` is its number of images in the truth. Undefined values are 0."""

    name: str
    support: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class SavedConfusion:
    """A confusion matrix with what it was counted on.

    Attributes:
        epoch: Epoch of the weights.
        split: Part of the images.
        classes: Names, in the order of rows and columns.
        counts: Shape (C, C), int64; rows are the truth, columns the predictions.
    """

    epoch: int
    split: str
    classes: tuple[str, ...]
    counts: Matrix


@dataclass(frozen=True)
class ConfusedPair:
    """Images of one class that were predicted as another; both by position."""

    truth: int
    predicted: int
    count: int


@dataclass(frozen=True, eq=False)
class ConfusionReport:
    """How well a network did; two reports are never equal, so that a widget knows a new one without comparing.

    Attributes:
        which: Whether this is the last epoch or the best.
        matrix: The counts.
        figures: Metrics over all classes, by name.
        by_class: Metrics of each class.
        confusions: The largest ones, largest first; at most `MOST_CONFUSIONS`.
        mistakes: Number of images that were predicted as another class.
        by_likeness: Positions of the classes so that those that are confused are neighbours.
    """

    which: Which
    matrix: SavedConfusion
    figures: dict[str, float]
    by_class: list[ClassFigures]
    confusions: list[ConfusedPair]
    mistakes: int
    by_likeness: tuple[int, ...]


class _ConfusionFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The JSON: `rows` whole, or `cells` as [row, column, count] where most are 0."""

    epoch: Count
    split: Text
    classes: Annotated[list[Text], Meta(min_length=1, max_length=_MOST_CLASSES)]
    rows: list[list[Count]] | None = None
    cells: list[tuple[Index, Index, Count]] | None = None


def count_confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """A confusion matrix, shape (classes, classes), int64: rows truth, columns prediction.

    Args:
        truth: Position of the class of each image, shape (n,), int.
        predicted: Position of the predicted one, shape (n,), int.
        classes: Their number.
    """
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (truth, predicted), 1)
    return counts


def figures(confusion: Matrix) -> dict[str, float]:
    """All metrics of a confusion matrix, by their names in catalog/metrics.py (without the loss).

    Args:
        confusion: Shape (C, C), integers; rows are the truth, columns the predictions.

    Returns:
        Metrics in 0..1, mcc in -1..1; all NaN if the matrix counts no image.

    Source: see `analysis.formulas`.
    """
    counts = _checked(confusion)
    if not counts.sum():
        return dict.fromkeys((name for name in METRICS if name != "loss"), float("nan"))
    values = overall_metrics(np.diag(counts), counts.sum(axis=1), counts.sum(axis=0))
    return {name: float(value) for name, value in values.items()}


def per_class(confusion: Matrix, classes: tuple[str, ...] | list[str]) -> list[ClassFigures]:
    """Metrics of each class, in the order of `classes`; a class without images has zeros.

    Args:
        confusion: Shape (C, C), integers; rows are the truth, columns the predictions.
        classes: C names.
    """
    counts = _checked(confusion)
    truth = counts.sum(axis=1)
    values = class_metrics(np.diag(counts), truth, counts.sum(axis=0))
    return [
        ClassFigures(name, int(support), float(precision), float(recall), float(f1))
        for name, support, precision, recall, f1 in zip(
            classes, truth, values["precision"], values["recall"], values["f1"], strict=True
        )
    ]


def save_confusion(path: Path, confusion: SavedConfusion, *, root: Path | None = None) -> None:
    """Write a confusion matrix as JSON; sparse above 50 classes.

    Args:
        path: The file; its folder is made where it is missing.
        confusion: What to write.
        root: As for `files.new_content`.

    Raises:
        RunError: If the disk does not take it.
    """
    counts = confusion.counts
    sparse = len(confusion.classes) > _MOST_DENSE_CLASSES
    rows, columns = np.nonzero(counts)
    cells = zip(rows.tolist(), columns.tolist(), counts[rows, columns].tolist(), strict=True)
    file = _ConfusionFile(
        epoch=confusion.epoch,
        split=confusion.split,
        classes=[encode_name(name) for name in confusion.classes],
        rows=None if sparse else counts.tolist(),
        cells=list(cells) if sparse else None,
    )
    make_folder(path.parent, root=root)
    write_atomically(path, msgspec.json.encode(file), root=root)


def load_confusion(path: Path) -> SavedConfusion:
    """Read what `save_confusion` wrote.

    Raises:
        RunError: If the file is missing or damaged.
    """
    try:
        file = decode_json(read(path, most_bytes=_MOST_BYTES), _ConfusionFile)
        counts = _matrix(file)
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, IndexError) as error:
        raise RunError(f"{printable(path)} holds no confusion matrix: {error}.") from error
    return SavedConfusion(file.epoch, file.split, tuple(decode_name(name) for name in file.classes), counts)


def load_confusion_report(run: RunDir, which: Which) -> ConfusionReport:
    """Read a confusion matrix and compute its metrics; half a second for a thousand classes, so call it in a thread.

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
        likeness_order(matrix.counts),
    )


def _checked(confusion: Matrix) -> _Numbers:
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1]:
        raise ValueError(f"A confusion matrix is square, this one is {confusion.shape}.")
    return confusion.astype(np.float64)


def _matrix(file: _ConfusionFile) -> Matrix:
    size = len(file.classes)
    if file.rows is not None:
        return np.array(file.rows, dtype=np.int64).reshape(size, size)
    counts = np.zeros((size, size), dtype=np.int64)
    if file.cells:
        rows, columns, values = np.array(file.cells, dtype=np.int64).T
        counts[rows, columns] = values
    return counts


def _largest(wrong: np.ndarray) -> list[ConfusedPair]:
    rows, columns = np.nonzero(wrong)
    counts = wrong[rows, columns]
    order = np.argsort(-counts, kind="stable")[:MOST_CONFUSIONS]
    cells = zip(rows[order].tolist(), columns[order].tolist(), counts[order].tolist(), strict=True)
    return [ConfusedPair(*cell) for cell in cells]
