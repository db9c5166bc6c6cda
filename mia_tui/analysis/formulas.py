"""Metrics of summed counts: of a whole part, or of many samples of it at once.

All functions take, for each class, how many images of it were predicted as it (`right`), how many are of it (`truth`)
and how many were predicted as it (`predicted`): arrays of shape (…, C). Any number of leading axes is kept, so the
metrics of two thousand samples are computed like those of one.

The values equal scikit-learn with its default labels and zero_division=0: a class that occurs neither in the truth
nor among the predictions is left out of a mean, and a ratio of nothing is 0.
"""

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
