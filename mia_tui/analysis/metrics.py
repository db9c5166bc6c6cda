"""The metrics of a network with an interval for each: what goes into a paper.

Where several images belong to a group (a slide, a patient, a file), all intervals come from a bootstrap over groups
(`resampling`). Shares have the interval of Wilson with as many independent images as would vary that much (Franco,
Little, Louis and Slud, "Comparative study of confidence intervals for proportions in complex sample surveys", 2019),
other figures one of Student's t on the scale of the logit or of Fisher's transformation. Where each image is a
group of its own, shares have the interval of Wilson (1927), which also holds for few images, and other figures the
bootstrap over images. F1 follows from a share, that of the right images among those of a class or predicted as it:
F1 = 2 share / (1 + share).

tests/benchmarks/test_interval_coverage.py shows how often these intervals contain the truth.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mia_tui.analysis.formulas import Numbers, class_metrics, overall_metrics
from mia_tui.analysis.intervals import Interval, by_fisher, by_logit, normal_quantile, t_quantile, wilson
from mia_tui.analysis.resampling import (
    GroupCounts,
    StandardErrors,
    bootstrap_errors,
    count_by_group,
)
from mia_tui.text import counted

LEAST_GROUPS = 20
"""With fewer groups, how much these vary is not known well enough for an interval."""

LEAST_IMAGES = 50
"""With fewer images of a class there is no interval for its figures, except for shares of independent images."""

LEAST_OF_EACH = 10
"""With fewer images of any class, or fewer groups that have it, there is none for means over classes."""

_LEAST_DEGREES = 4.0
_SHARES = ("accuracy", "weighted_recall")  # both are the share of right images
_Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Attributes:
        value: The figure; 0 where it is not defined, as scikit-learn has it.
        interval: Of 95 %; None where there are too few images or groups for one.
        why_none: Why there is no interval, such as `too few: 12 images`; empty where there is one.
    """

    value: float
    interval: Interval | None
    why_none: str = ""


@dataclass(frozen=True)
class ClassEstimates:
    """The figures of one class against all others; `support` is its number of images in the truth."""

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


class _Sample(NamedTuple):
    """What all intervals are made of."""

    drawn: GroupCounts
    errors: StandardErrors | None  # none of a single group
    images: int
    is_grouped: bool
    noun: str  # what is drawn by the bootstrap: `24 groups`

    @property
    def method(self) -> str:
        return f"bootstrap over {self.noun}"


def metric_table(
    truth: _Positions,
    predicted: _Positions,
    classes: tuple[str, ...] | list[str],
    groups: _Positions,
    *,
    seed: int = 0,
) -> MetricTable:
    """All metrics of some predictions; 0.2 s for 100,000 images of 10 classes, 1 s of 1,000.

    Args:
        truth: Positions of the classes, shape (n,).
        predicted: Positions of the predicted classes, shape (n,).
        classes: C names.
        groups: A number for each image, shared by those that are not independent, shape (n,).
        seed: Of the samples of the bootstrap: the same predictions have the same intervals.
    """
    rng = np.random.default_rng(seed)
    group = np.unique(groups, return_inverse=True)[1].reshape(-1).astype(np.int64)
    drawn = count_by_group(truth, predicted, group, len(classes), rng)
    is_grouped = drawn.groups < len(truth)
    sample = _Sample(
        drawn,
        bootstrap_errors(drawn, rng) if drawn.groups > 1 else None,
        len(truth),
        is_grouped,
        counted(drawn.groups, "group" if is_grouped else "image"),
    )
    values = overall_metrics(*drawn.totals)
    few = _too_few_of_a_class(sample, classes)
    overall = {name: _overall(name, float(value), sample, few) for name, value in values.items()}
    return MetricTable(overall, _by_class(sample, classes))


def _overall(name: str, value: float, sample: _Sample, few: str) -> Estimate:
    if not sample.images:
        return Estimate(value, None, "no images")
    if sample.is_grouped and sample.drawn.groups < LEAST_GROUPS:
        return Estimate(value, None, f"too few: {counted(sample.drawn.groups, 'group')}")
    if name in _SHARES:
        if not sample.is_grouped:
            return Estimate(value, wilson(value, sample.images, f"Wilson, {sample.noun}"))
        assert sample.errors is not None
        error = sample.errors.overall[name]
        return Estimate(value, _share(value, error, sample.images, sample.drawn.groups, sample))
    if few or sample.errors is None:
        return Estimate(value, None, few or "too few: 1 image")
    return _figure(value, sample.errors.overall[name], name == "mcc", sample)


def _figure(value: float, error: float, is_mcc: bool, sample: _Sample) -> Estimate:
    """A mean over classes or a correlation, whose interval follows from its standard error."""
    groups = sample.drawn.groups
    critical = _critical(groups) if sample.is_grouped else normal_quantile()
    if error > 0 and abs(value) < 1 and (is_mcc or value > 0):
        by_scale = by_fisher if is_mcc else by_logit
        return Estimate(value, by_scale(value, error, critical, sample.method))
    if is_mcc and abs(value) < 1:
        return Estimate(value, None, "not defined: only one class has images, or was predicted")
    # All images are right, or all are wrong, so no sample differs from another.
    says_as_much = groups if sample.is_grouped else _independent_images(sample.drawn.totals[1])
    share = (value + 1) / 2 if is_mcc else value
    found = wilson(share, says_as_much, f"Wilson, {sample.noun}", critical=critical)
    if is_mcc:
        found = Interval(2 * found.low - 1, 2 * found.high - 1, found.method)
    return Estimate(value, found)


def _by_class(sample: _Sample, classes: tuple[str, ...] | list[str]) -> list[ClassEstimates]:
    right, truth, predicted = sample.drawn.totals
    values = class_metrics(right, truth, predicted)
    # Of how many images each figure is the share; F1 follows from that of the images of or predicted as the class.
    of = {"precision": predicted, "recall": truth, "f1": truth + predicted - right}
    counts = sample.drawn.counts
    with_class, with_answer = (counts[:, 1] > 0).sum(axis=0), (counts[:, 2] > 0).sum(axis=0)
    with_either = ((counts[:, 1] > 0) | (counts[:, 2] > 0)).sum(axis=0)
    groups = {"precision": with_answer, "recall": with_class, "f1": with_either}
    rows = []
    for place, name in enumerate(classes):
        support = int(truth[place])
        few = _too_few(support, int(with_class[place]), sample)
        found = {}
        for metric, images in of.items():
            value = float(values[metric][place])
            found[metric] = _class_share(
                metric, value, place, float(images[place]), int(groups[metric][place]), sample, few
            )
        found["mcc"] = _class_mcc(float(values["mcc"][place]), place, found["f1"], sample, few, support)
        rows.append(ClassEstimates(name, support, **found))
    return rows


def _class_share(
    metric: str, value: float, place: int, images: float, groups: int, sample: _Sample, few: str
) -> Estimate:
    """Precision, recall or F1 of a class."""
    if not images:
        return Estimate(value, None, "no images" if metric != "precision" else "never predicted")
    share = value / (2 - value) if metric == "f1" else value
    if not sample.is_grouped:
        found = wilson(share, images, f"Wilson, {counted(int(images), 'image')}")
    elif few:
        return Estimate(value, None, few)
    else:
        assert sample.errors is not None
        error = float(sample.errors.by_class[metric][place])
        if metric == "f1":
            error *= 2 / (2 - value) ** 2
        found = _share(share, error, images, groups, sample)
    if metric == "f1":
        low, high = (2 * end / (1 + end) for end in (found.low, found.high))
        found = Interval(min(low, value), max(high, value), found.method)
    return Estimate(value, found)


def _class_mcc(value: float, place: int, f1: Estimate, sample: _Sample, few: str, support: int) -> Estimate:
    """The correlation of being of a class with being predicted as it."""
    if not few and support < LEAST_IMAGES:
        few = f"too few: {counted(support, 'image')}"
    if few:
        return Estimate(value, None, few)
    assert sample.errors is not None
    error = float(sample.errors.by_class["mcc"][place])
    if value == 1 and f1.interval is not None:  # the first image that is wrong lowers both alike
        return Estimate(value, f1.interval)
    return _figure(value, error, True, sample)


def _share(share: float, error: float, images: float, groups: int, sample: _Sample) -> Interval:
    """The interval of a share of images in groups, from its standard error."""
    says_as_much = share * (1 - share) / error**2 if error > 0 and 0 < share < 1 else groups
    if says_as_much >= images:  # they vary no more than independent images do
        return wilson(share, images, sample.method)
    return wilson(share, max(1.0, says_as_much), sample.method, critical=_critical(groups))


def _critical(groups: int) -> float:
    return t_quantile(max(_LEAST_DEGREES, groups - 1))


def _independent_images(truth: Numbers) -> float:
    """With how many images a share would vary as much as the mean recall of all classes."""
    there = truth[truth > 0]
    return float(len(there) ** 2 / (1 / there).sum())


def _too_few(support: int, with_class: int, sample: _Sample) -> str:
    """Why there is no interval for a class whose images are in groups; empty if there is one."""
    if not support:
        return "no images"
    if not sample.is_grouped:
        return ""
    if support < LEAST_IMAGES:
        return f"too few: {counted(support, 'image')}"
    if sample.drawn.groups < LEAST_GROUPS:
        return f"too few: {counted(sample.drawn.groups, 'group')}"
    return f"too few: {counted(with_class, 'group')} with it" if with_class < LEAST_OF_EACH else ""


def _too_few_of_a_class(sample: _Sample, classes: tuple[str, ...] | list[str]) -> str:
    """Why there is no interval for means over classes; empty if there is one."""
    truth = sample.drawn.totals[1]
    with_class = (sample.drawn.counts[:, 1] > 0).sum(axis=0)
    for place in np.flatnonzero(truth > 0).tolist():
        if truth[place] < LEAST_OF_EACH:
            return f"too few: {counted(int(truth[place]), 'image')} of {classes[place]}"
        if sample.is_grouped and with_class[place] < LEAST_OF_EACH:
            return f"too few: {counted(int(with_class[place]), 'group')} with {classes[place]}"
    return ""
