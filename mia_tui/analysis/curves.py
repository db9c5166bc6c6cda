"""How well the probability of a class separates its images from all others: ROC and precision-recall curves.

The points and areas equal scikit-learn's roc_curve (with all points), roc_auc_score, precision_recall_curve and
average_precision_score.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]

_COLUMNS = 32  # that are copied at a time, since a column of very many images is spread over the memory


@dataclass(frozen=True, eq=False)
class ClassCurve:
    """A curve with one point for each threshold that changes something, from the strictest to none.

    Attributes:
        x: False positive rate (ROC) or recall (precision-recall), ascending from 0 to 1, shape (k,).
        y: True positive rate (ROC) or precision (precision-recall), shape (k,).
        area: Below the curve: of a ROC by trapezoids, of precision and recall the average precision.
        thresholds: An image is taken for the class from this score on, descending, shape (k,); the first, with which
            none is taken, is infinite.
    """

    x: Numbers
    y: Numbers
    area: float
    thresholds: Numbers


@dataclass(frozen=True, eq=False)
class Areas:
    """The areas of the curves of all classes, each class against all others.

    Attributes:
        roc: Shape (C,); NaN where a class has no image, or all of them.
        precision_recall: Average precision, shape (C,); NaN where a class has no image.
        macro_roc: Mean of those that are defined; None without one.
        macro_precision_recall: The same of the average precision.
    """

    roc: Numbers
    precision_recall: Numbers
    macro_roc: float | None
    macro_precision_recall: float | None


def roc(truth_is_class: _Bools, scores: npt.NDArray[Any]) -> ClassCurve | None:
    """The ROC curve of a class; None if no image is of the class, or all are: then there is none.

    Args:
        truth_is_class: Which images are of the class, shape (n,), bool.
        scores: Higher for those that are more likely of the class, such as its log probabilities, shape (n,).
    """
    found = _hits(truth_is_class, scores)
    if found is None or found[0][-1] == found[1][-1]:
        return None
    right, taken, thresholds = found
    others = taken - right
    x, y = others / others[-1], right / right[-1]
    return ClassCurve(x, y, float(np.trapezoid(y, x)), thresholds)


def precision_recall(truth_is_class: _Bools, scores: npt.NDArray[Any]) -> ClassCurve | None:
    """The precision-recall curve of a class, beginning at recall 0 with precision 1; None if no image is of it.

    Args:
        truth_is_class: Which images are of the class, shape (n,), bool.
        scores: As for `roc`.
    """
    found = _hits(truth_is_class, scores)
    if found is None:
        return None
    right, taken, thresholds = found
    x = right / right[-1]
    y = np.divide(right, taken, out=np.ones_like(x), where=taken > 0)
    return ClassCurve(x, y, float((np.diff(x) * y[1:]).sum()), thresholds)


def areas(log_probabilities: npt.NDArray[Any], truth: npt.NDArray[np.int64]) -> Areas:
    """The areas below both curves of each class, without their points: 2 s for 100,000 images of 1,000 classes.

    Args:
        log_probabilities: Shape (n, C).
        truth: Positions of the classes, shape (n,).
    """
    images, classes = log_probabilities.shape
    roc_areas, averages = np.full(classes, np.nan), np.full(classes, np.nan)
    by_class = np.argsort(truth, kind="stable")
    ends = np.searchsorted(truth[by_class], np.arange(classes + 1))
    for start in range(0, classes, _COLUMNS):
        columns = log_probabilities[:, start : start + _COLUMNS].T
        columns = np.ascontiguousarray(columns, np.result_type(columns.dtype, np.float32))
        for place, column in enumerate(columns, start):
            own = np.sort(column[by_class[ends[place] : ends[place + 1]]])
            if not len(own):
                continue
            every = np.sort(column)
            above = images - np.searchsorted(every, own, side="right")
            same_or_above = images - np.searchsorted(every, own, side="left")
            averages[place] = _average_precision(own, same_or_above)
            if len(own) < images:
                roc_areas[place] = _roc_area(own, above, same_or_above, images)
    return Areas(roc_areas, averages, _mean(roc_areas), _mean(averages))


def thinned(x: Numbers, y: Numbers, most: int) -> npt.NDArray[np.int64]:
    """Positions of the points that are enough to draw a curve, both ends among them, ascending.

    The same length of the curve lies between each two: of steep parts few points would be left by every tenth one.

    Args:
        x: Shape (k,).
        y: Shape (k,).
        most: Points that are drawn; a curve of fewer keeps all.
    """
    if len(x) <= most:
        return np.arange(len(x))
    along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    places = np.searchsorted(along, np.linspace(0.0, along[-1], most))
    return np.union1d(np.minimum(places, len(x) - 1), [0, len(x) - 1]).astype(np.int64)


def _hits(truth_is_class: _Bools, scores: npt.NDArray[Any]) -> tuple[Numbers, Numbers, Numbers] | None:
    """How many of the class and how many in all have each score or a higher one, from none on; and the scores."""
    if not truth_is_class.any():
        return None
    order = np.argsort(-scores, kind="stable")
    sorted_scores = np.asarray(scores, np.float64)[order]
    last_of_ties = np.append(np.flatnonzero(np.diff(sorted_scores)), len(order) - 1)
    right = np.cumsum(truth_is_class[order])[last_of_ties]
    return (
        np.concatenate([[0.0], right]),
        np.concatenate([[0.0], last_of_ties + 1.0]),
        np.concatenate([[np.inf], sorted_scores[last_of_ties]]),
    )


def _average_precision(own: npt.NDArray[Any], same_or_above: npt.NDArray[np.int64]) -> float:
    """From the scores of the class's images, ascending, and how many images have them or higher ones."""
    own_same_or_above = len(own) - np.searchsorted(own, own, side="left")
    return float((own_same_or_above / same_or_above).mean())


def _roc_area(
    own: npt.NDArray[Any], above: npt.NDArray[np.int64], same_or_above: npt.NDArray[np.int64], images: int
) -> float:
    """The share of pairs of an image of the class and another one in which the former has the higher score."""
    own_above = len(own) - np.searchsorted(own, own, side="right")
    own_same_or_above = len(own) - np.searchsorted(own, own, side="left")
    others_above, others_same_or_above = above - own_above, same_or_above - own_same_or_above
    others = images - len(own)
    return float(1.0 - ((others_above + others_same_or_above) / 2).mean() / others)


def _mean(values: Numbers) -> float | None:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else None
