"""The metrics of a network with an interval for each: what goes into a paper."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mia_tui.analysis.formulas import (
    Numbers,
    Slopes,
    class_metrics,
    class_slopes,
    overall_metrics,
    overall_slopes,
)
from mia_tui.analysis.intervals import Interval, t_quantile, wilson

LEAST_GROUPS = 20
LEAST_IMAGES = 50

_Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Attributes:
        value: The figure; 0 where it is not defined.
        interval: Of 95 %; None where there are too few images or groups for one.
        why_none: Why there is no interval, such as `too few: 12 images`; empty where there is one.
    """

    value: float
    interval: Interval | None
    why_none: str = ""


@dataclass(frozen=True)
class ClassEstimates:
    """The figures of one class; `support` is its number of images in the truth."""

    name: str
    support: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    mcc: Estimate


@dataclass(frozen=True, eq=False)
class MetricTable:
    """All figures.

    Attributes:
        overall: By their names in catalog/metrics.py, without the loss.
        by_class: In the order of the classes.
    """

    overall: dict[str, Estimate]
    by_class: list[ClassEstimates]


def metric_table(
    truth: _Positions,
    predicted: _Positions,
    classes: tuple[str, ...] | list[str],
    groups: _Positions,
    *,
    seed: int = 0,
) -> MetricTable:
    """All metrics of some predictions.

    Args:
        truth: Positions of the classes, shape (n,).
        predicted: Positions of the predicted classes, shape (n,).
        classes: C names.
        groups: A number for each image, shared by those that are not independent, shape (n,).
        seed: Of the random samples.
    """
    size = len(classes)
    right = np.bincount(truth[truth == predicted], minlength=size).astype(np.float64)
    of_truth = np.bincount(truth, minlength=size).astype(np.float64)
    of_predicted = np.bincount(predicted, minlength=size).astype(np.float64)
    counts = right, of_truth, of_predicted
    values, slopes = overall_metrics(*counts), overall_slopes(*counts)
    group = np.unique(groups, return_inverse=True)[1].reshape(-1)
    grouped = bool(len(group)) and int(group.max()) + 1 < len(group)
    hits = truth == predicted
    overall = {}
    for name, value in values.items():
        errors = _changes(slopes[name], truth, predicted, hits)
        overall[name] = _estimate(name, float(value), errors, group, grouped)
    by_class = _class_estimates(classes, counts, truth, predicted, hits, group, grouped)
    return MetricTable(overall, by_class)


def _changes(
    slopes: Slopes, truth: _Positions, predicted: _Positions, hits: npt.NDArray[np.bool_]
) -> Numbers:
    changes: Numbers = slopes.truth[truth] + slopes.predicted[predicted] + hits * slopes.right[truth]
    return changes


def _estimate(name: str, value: float, changes: Numbers, group: _Positions, grouped: bool) -> Estimate:
    images = len(group)
    if not images:
        return Estimate(value, None, "no images")
    groups = int(group.max()) + 1
    if grouped and groups < LEAST_GROUPS:
        return Estimate(value, None, f"too few: {groups} groups")
    if not grouped and images < LEAST_IMAGES:
        return Estimate(value, None, f"too few: {images} images")
    sums = np.bincount(group, changes)
    error = math.sqrt(groups / (groups - 1) * float(sums @ sums))
    critical = t_quantile(groups - 1)
    method = f"{groups:,} groups" if grouped else f"{images:,} images"
    is_mcc = name == "mcc"
    if error <= 0 or (not is_mcc and not 0 < value < 1) or (is_mcc and abs(value) >= 1):
        share = (value + 1) / 2 if is_mcc else value
        found = wilson(min(1.0, max(0.0, share)), groups, method, critical=critical)
        return Estimate(value, Interval(2 * found.low - 1, 2 * found.high - 1, method) if is_mcc else found)
    if is_mcc:
        middle, half = math.atanh(value), critical * error / (1 - value**2)
        return Estimate(value, Interval(math.tanh(middle - half), math.tanh(middle + half), method))
    middle, half = math.log(value / (1 - value)), critical * error / (value * (1 - value))
    return Estimate(
        value, Interval(1 / (1 + math.exp(half - middle)), 1 / (1 + math.exp(-middle - half)), method)
    )


def _class_estimates(
    classes: tuple[str, ...] | list[str],
    counts: tuple[Numbers, Numbers, Numbers],
    truth: _Positions,
    predicted: _Positions,
    hits: npt.NDArray[np.bool_],
    group: _Positions,
    grouped: bool,
) -> list[ClassEstimates]:
    values, slopes = class_metrics(*counts), class_slopes(*counts)
    found = []
    for place, name in enumerate(classes):
        support = int(counts[1][place])
        estimates = {}
        is_it, said = truth == place, predicted == place
        for metric, by_class in slopes.items():
            value = float(values[metric][place])
            if support < LEAST_IMAGES:
                estimates[metric] = Estimate(
                    value, None, f"too few: {support} images" if support else "no images"
                )
                continue
            changes = (
                is_it * by_class.truth[place]
                + said * by_class.predicted[place]
                + (is_it & hits) * by_class.right[place]
                + by_class.total[place]
            )
            estimates[metric] = _estimate(metric, value, changes, group, grouped)
        found.append(ClassEstimates(name, support, **estimates))
    return found
