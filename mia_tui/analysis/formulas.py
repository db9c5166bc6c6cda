"""Metrics of summed counts: of a whole part, or of many samples of it at once.

All functions take, for each class, how many images of it were predicted as it (`right`), how many are of it (`truth`)
and how many were predicted as it (`predicted`): arrays of shape (…, C). Any number of leading axes is kept, so the
metrics of two thousand samples are computed like those of one.

The values equal scikit-learn with its default labels and zero_division=0: a class that occurs neither in the truth
nor among the predictions is left out of a mean, and a ratio of nothing is 0.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]


def class_metrics(right: Numbers, truth: Numbers, predicted: Numbers) -> dict[str, Numbers]:
    """Precision, recall, F1 and MCC of each class against all others, each of shape (…, C)."""
    return {
        "precision": ratio(right, predicted),
        "recall": ratio(right, truth),
        "f1": ratio(2 * right, truth + predicted),
        "mcc": _class_mcc(right, truth, predicted),
    }


def overall_metrics(right: Numbers, truth: Numbers, predicted: Numbers) -> dict[str, Numbers]:
    """All metrics over all classes, by their names in catalog/metrics.py (without the loss), each of shape (…).

    Source: scikit-learn's accuracy_score, balanced_accuracy_score, precision_recall_fscore_support and
        matthews_corrcoef; for the last one Gorodkin, "Comparing two K-category assignments", 2004.
    """
    precision, recall = ratio(right, predicted), ratio(right, truth)
    f1 = ratio(2 * right, truth + predicted)
    total = truth.sum(axis=-1)
    seen, there = (truth > 0) | (predicted > 0), truth > 0
    return {
        "accuracy": ratio(right.sum(axis=-1), total),
        "balanced_accuracy": _mean(recall, there),
        "macro_precision": _mean(precision, seen),
        "macro_recall": _mean(recall, seen),
        "macro_f1": _mean(f1, seen),
        "weighted_precision": ratio((precision * truth).sum(axis=-1), total),
        "weighted_recall": ratio((recall * truth).sum(axis=-1), total),
        "weighted_f1": ratio((f1 * truth).sum(axis=-1), total),
        "mcc": _mcc(right, truth, predicted),
    }


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Numbers:
    """Part of whole, 0 where there is no whole."""
    over, under = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    found: Numbers = np.divide(over, under, out=np.zeros(over.shape), where=under > 0)
    return found


def _mean(values: Numbers, among: npt.NDArray[np.bool_]) -> Numbers:
    return ratio((values * among).sum(axis=-1), among.sum(axis=-1))


def _class_mcc(right: Numbers, truth: Numbers, predicted: Numbers) -> Numbers:
    total = truth.sum(axis=-1, keepdims=True)
    spread = truth * (total - truth) * predicted * (total - predicted)
    return ratio(right * total - truth * predicted, np.sqrt(np.maximum(spread, 0.0)))


def _mcc(right: Numbers, truth: Numbers, predicted: Numbers) -> Numbers:
    total = truth.sum(axis=-1)
    covariance = right.sum(axis=-1) * total - (truth * predicted).sum(axis=-1)
    spread = (total**2 - (predicted**2).sum(axis=-1)) * (total**2 - (truth**2).sum(axis=-1))
    return ratio(covariance, np.sqrt(np.maximum(spread, 0.0)))


@dataclass(frozen=True, eq=False)
class Slopes:
    """How a metric changes with each count: its derivatives, each of shape (C,), or (1,) where all are the same.

    A metric does not change if all counts grow alike, so what single images or groups add to it sums up to 0.

    Attributes:
        right: By the images of a class that are right.
        truth: By the images of a class.
        predicted: By the images that are predicted as a class.
        total: By all images, where these do not follow from `truth`.
    """

    right: Numbers
    truth: Numbers
    predicted: Numbers
    total: Numbers


def class_slopes(right: Numbers, truth: Numbers, predicted: Numbers) -> dict[str, Slopes]:
    """The derivatives of `class_metrics`, each of a class by its own counts; 0 where a metric is not defined."""
    none = np.zeros_like(right)
    both = truth + predicted
    per_truth, per_predicted, per_both = (
        ratio(1.0, truth),
        ratio(1.0, predicted),
        ratio(1.0, both),
    )
    f1_slope = -2 * right * per_both**2
    return {
        "precision": Slopes(per_predicted, none, -right * per_predicted**2, none),
        "recall": Slopes(per_truth, -right * per_truth**2, none, none),
        "f1": Slopes(2 * per_both, f1_slope, f1_slope, none),
        "mcc": _class_mcc_slopes(right, truth, predicted),
    }


def overall_slopes(right: Numbers, truth: Numbers, predicted: Numbers) -> dict[str, Slopes]:
    """The derivatives of `overall_metrics`."""
    total, none = truth.sum(), np.zeros_like(right)
    values = overall_metrics(right, truth, predicted)
    own = class_slopes(right, truth, predicted)
    class_values = class_metrics(right, truth, predicted)
    seen, there = (truth > 0) | (predicted > 0), truth > 0
    accuracy = Slopes(none + ratio(1.0, total), none - ratio(right.sum(), total**2), none, none)

    def mean(name: str, among: npt.NDArray[np.bool_]) -> Slopes:
        share = among / max(1, among.sum())
        slopes = own[name]
        return Slopes(slopes.right * share, slopes.truth * share, slopes.predicted * share, none)

    def weighted(name: str) -> Slopes:
        slopes, share = own[name], ratio(truth, total)
        by_weight = ratio(class_values[name] - values[f"weighted_{name}"], total)
        return Slopes(slopes.right * share, slopes.truth * share + by_weight, slopes.predicted * share, none)

    return {
        "accuracy": accuracy,
        "balanced_accuracy": mean("recall", there),
        "macro_precision": mean("precision", seen),
        "macro_recall": mean("recall", seen),
        "macro_f1": mean("f1", seen),
        "weighted_precision": weighted("precision"),
        "weighted_recall": accuracy,
        "weighted_f1": weighted("f1"),
        "mcc": _mcc_slopes(right, truth, predicted),
    }


def _class_mcc_slopes(right: Numbers, truth: Numbers, predicted: Numbers) -> Slopes:
    total = truth.sum()
    value = _class_mcc(right, truth, predicted)
    of_truth, of_predicted = truth * (total - truth), predicted * (total - predicted)
    root = np.sqrt(of_truth * of_predicted)
    return Slopes(
        ratio(total, root),
        -ratio(predicted, root) - value / 2 * ratio(total - 2 * truth, of_truth),
        -ratio(truth, root) - value / 2 * ratio(total - 2 * predicted, of_predicted),
        ratio(right, root) - value / 2 * (ratio(truth, of_truth) + ratio(predicted, of_predicted)),
    )


def _mcc_slopes(right: Numbers, truth: Numbers, predicted: Numbers) -> Slopes:
    total, value, none = truth.sum(), _mcc(right, truth, predicted), np.zeros_like(right)
    of_predicted, of_truth = total**2 - predicted @ predicted, total**2 - truth @ truth
    root = np.sqrt(np.maximum(of_predicted * of_truth, 0.0))
    return Slopes(
        none + ratio(total, root),
        ratio(right.sum() - predicted, root)
        - value * (ratio(total, of_predicted) + ratio(total - truth, of_truth)),
        -ratio(truth, root) + value * ratio(predicted, of_predicted),
        none,
    )
