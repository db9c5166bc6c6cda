"""Shares of classes in groups of images (wells, slides, patients), with intervals; corrected for confusions.

Images of a group are alike, so the share of a class over all groups is as uncertain as the groups differ, not as few
images there are. Within a group, images are counted as independent.

A network that takes one class for another shifts the shares. With the confusions that were seen on labelled images
the shift can be undone on average ("adjusted count", matrix method: Forman, "Quantifying counts and costs via
classification", 2008; Vucetic and Obradovic 2001), which makes shares less biased and more uncertain.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mia_tui.analysis.intervals import LEVEL, normal_quantile, t_quantile, wilson_ends

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]

ENOUGH_GROUPS = 20
"""With fewer groups, how much they differ is not well known."""

LEAST_WITH_INTERVAL = 6
"""With fewer groups there is no interval over them."""

ILL_CONDITIONED = 10.0
"""Errors are magnified up to so many times by a correction that is called ill-conditioned."""

_RESAMPLES = 1000
_FEWEST_RESAMPLES = 200
_MOST_DRAWS = 2_000_000  # of groups, classes and resamples: about a second
_DRAWS_AT_ONCE = 4_000_000
_SINGULAR = 1e6
_MOST_CLASSES = 200  # with intervals of a correction: a matrix is inverted in each resample


@dataclass(frozen=True, eq=False)
class Shares:
    """Shares of classes with intervals of 95 %; arrays of one shape, NaN where there is no value.

    Attributes:
        value: 0 to 1.
        low: Lower end of the interval.
        high: Its upper end.
        method: How the interval was made, to stand in a sentence; empty without one.
        why_none: Why there is no interval; empty if there is one.
    """

    value: Numbers
    low: Numbers
    high: Numbers
    method: str = ""
    why_none: str = ""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """What a network said of labelled images; arrays of shape (n,), int64.

    Attributes:
        truth: Positions of the classes.
        predicted: Positions of what was predicted.
        groups: Number of the group of each image, from 0; groups are resampled.
        classes: How many classes there are.
    """

    truth: Counts
    predicted: Counts
    groups: Counts
    classes: int

    def confusion(self) -> Counts:
        """Images by truth (rows) and prediction, shape (C, C)."""
        cells = self.truth * self.classes + self.predicted
        counts = np.bincount(cells, minlength=self.classes**2).reshape(self.classes, self.classes)
        return counts.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Corrected:
    """Shares that are corrected for the confusions of a network.

    Attributes:
        by_group: Shape (G, C).
        overall: Shape (C,).
        condition: How many times errors are magnified at most: the condition number of the confusion matrix.
        groups: How many groups of labelled images the confusions are known from.
    """

    by_group: Shares
    overall: Shares
    condition: float
    groups: int


class NotCorrected(ValueError):
    """Why shares cannot be corrected.

    Attributes:
        classes: Positions of the classes that are to blame; none if all are.
    """

    def __init__(self, classes: tuple[int, ...]) -> None:
        super().__init__("the confusion matrix cannot be inverted")
        self.classes = classes


def shares_by_group(counts: Counts) -> Shares:
    """The shares of the classes in each group, each with the interval of Wilson (1927).

    Args:
        counts: Images of each class in each group, shape (G, C).
    """
    sizes = counts.sum(axis=1, keepdims=True).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(sizes > 0, counts / sizes, np.nan)
        low, high = wilson_ends(value, sizes, normal_quantile())
    return Shares(value, low, high, "Wilson")


def overall_shares(counts: Counts, *, seed: int = 0) -> Shares:
    """The shares of the classes in all groups together, shape (C,), with intervals of how much groups differ.

    Groups are drawn with replacement, 1,000 times. The interval is that of Wilson for as many independent images as
    would vary as much as these shares do, with the quantile of Student's t for the number of groups: it covers the
    truth more often than percentiles of the draws, which are too narrow for 20 groups. A class that no group has, or
    every image is of, varies in no draw: how far other groups may differ is then known as from one image of each
    group. Of fewer than six groups there is none; of a single one, that within it.

    Args:
        counts: As for `shares_by_group`; groups without images are passed over.
        seed: Of the draws.
    """
    counts = counts[counts.sum(axis=1) > 0]
    groups, classes = counts.shape
    none = np.full(classes, np.nan)
    if not groups:
        return Shares(none, none, none, why_none="no images")
    value = counts.sum(axis=0) / counts.sum()
    if groups == 1:
        alone = shares_by_group(counts)
        return Shares(value, alone.low[0], alone.high[0], "Wilson within the only group")
    if groups < LEAST_WITH_INTERVAL:
        return Shares(value, none, none, why_none=f"too few: {groups} groups")
    sums = _resampled_sums(counts, _RESAMPLES, np.random.default_rng(seed))
    drawn = sums / sums.sum(axis=1, keepdims=True)
    variance = groups / (groups - 1) * drawn.var(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        images = np.where(variance > 0, value * (1 - value) / variance, math.inf)
    images = np.where((value > 0) & (value < 1), images, groups)
    images = np.clip(images, 1.0, float(counts.sum()))  # never more than there are
    low, high = wilson_ends(value, images, t_quantile(groups - 1))
    return Shares(value, low, high, f"bootstrap over {groups} groups")


def corrected_shares(counts: Counts, evaluated: Evaluated, *, seed: int = 0) -> Corrected:
    """The shares that the classes would have without confusions.

    The shares of predictions are multiplied by the inverse of the confusion matrix (each row divided by its sum), and
    where that leaves 0 to 1, the nearest shares are taken. Intervals are percentiles of up to 1,000 resamples of the
    labelled images, by group, together with the images of each group and, overall, of the groups: then those
    percentiles that are as far apart as Student's t asks for (Hesterberg, "What teachers should know about the
    bootstrap", 2015, section 3.4).

    Args:
        counts: Predictions of each class in each group, shape (G, C).
        evaluated: The labelled images, with the same C classes.
        seed: Of the resamples.

    Raises:
        NotCorrected: If a predicted class has no labelled image, or the matrix is singular.
    """
    confusion = evaluated.confusion()
    known = np.flatnonzero(confusion.sum(axis=1))
    absent = np.flatnonzero((confusion.sum(axis=1) == 0) & (counts.sum(axis=0) > 0))
    if len(absent) or not len(known):
        raise NotCorrected(tuple(absent.tolist()))
    rates = confusion[known] / confusion[known].sum(axis=1, keepdims=True)
    condition = float(np.linalg.cond(rates))
    if not condition < _SINGULAR:
        raise NotCorrected(())
    rng = np.random.default_rng(seed)
    correction = _Correction(counts, np.linalg.pinv(rates), known)
    inverses, why_none = None, ""
    if len(known) > _MOST_CLASSES:
        why_none = f"too many classes: {len(known):,}"
    elif counts.any():
        inverses = _resampled_inverses(evaluated, confusion, known, correction.resamples, rng)
    groups = len(np.unique(evaluated.groups))
    method = "" if why_none else f"bootstrap over images and {groups} groups of labelled images"
    by_group = Shares(*correction.by_group(inverses, rng), method, why_none)
    filled = np.flatnonzero(counts.sum(axis=1))
    if len(filled) == 1:
        only = filled[0]
        overall = Shares(by_group.value[only], by_group.low[only], by_group.high[only], method, why_none)
    else:
        overall = Shares(*correction.overall(inverses, rng), *_said_of_groups(len(filled), why_none))
    return Corrected(by_group, overall, condition, groups)


def _said_of_groups(groups: int, why_none: str) -> tuple[str, str]:
    """Method and reason of the corrected shares of all groups."""
    if why_none or groups < LEAST_WITH_INTERVAL:
        return "", why_none or f"too few: {groups} groups"
    return f"bootstrap over {groups} groups and labelled images", ""


class _Correction:
    """The corrected shares of groups; those with equal counts are computed once.

    Args:
        counts: Shape (G, C).
        inverse: Of the matrix of rates, shape (C, K) for K known classes.
        known: Positions of these, shape (K,).
    """

    def __init__(self, counts: Counts, inverse: Numbers, known: NDArray[np.intp]) -> None:
        self._counts, self._inverse, self._known = counts, inverse, known
        rows, place = np.unique(counts, axis=0, return_inverse=True)
        self._rows, self._place = rows, place.reshape(-1)
        draws = max(1, len(rows) * counts.shape[1])
        self.resamples = min(_RESAMPLES, max(_FEWEST_RESAMPLES, _MOST_DRAWS // draws))

    def by_group(
        self, inverses: Numbers | None, rng: np.random.Generator
    ) -> tuple[Numbers, Numbers, Numbers]:
        """Value, low and high, each of shape (G, C)."""
        sizes = self._rows.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = self._whole(nearest_shares((self._rows / sizes) @ self._inverse))
        value[sizes[:, 0] == 0] = np.nan
        low, high = np.full_like(value, np.nan), np.full_like(value, np.nan)
        filled = np.flatnonzero(sizes[:, 0])
        at_once = max(1, _DRAWS_AT_ONCE // (self.resamples * self._rows.shape[1]))
        for start in range(0, len(filled) if inverses is not None else 0, at_once):
            some = filled[start : start + at_once]
            low[some], high[some] = self._group_ends(some, value[some], inverses, rng)
        return value[self._place], low[self._place], high[self._place]

    def _group_ends(
        self, some: NDArray[np.intp], value: Numbers, inverses: Numbers | None, rng: np.random.Generator
    ) -> tuple[Numbers, Numbers]:
        assert inverses is not None
        rows = self._rows[some]
        sizes = rows.sum(axis=1)
        classes = rows.shape[1]
        likely = (rows + 1 / classes) / (sizes[:, None] + 1)  # a class that was not seen may be there
        drawn = rng.multinomial(sizes, likely, (len(inverses), len(some))) / sizes[:, None]
        return _ends(self._whole(nearest_shares(drawn @ inverses)), value)

    def overall(self, inverses: Numbers | None, rng: np.random.Generator) -> tuple[Numbers, Numbers, Numbers]:
        """Value, low and high, each of shape (C,)."""
        counts = self._counts[self._counts.sum(axis=1) > 0]
        none = np.full(counts.shape[1], np.nan)
        if not len(counts):
            return none, none, none
        value = self._whole(nearest_shares((counts.sum(axis=0) / counts.sum())[None] @ self._inverse))[0]
        if inverses is None or len(counts) < LEAST_WITH_INTERVAL:
            return value, none, none
        sums = _resampled_sums(counts, len(inverses), rng)
        drawn = (sums / sums.sum(axis=1, keepdims=True))[:, None, :] @ inverses
        wider = math.sqrt(len(counts) / (len(counts) - 1)) * t_quantile(len(counts) - 1)
        return value, *_ends(self._whole(nearest_shares(drawn))[:, 0], value, wider)

    def _whole(self, shares: Numbers) -> Numbers:
        """Shares of all classes, NaN where one has no labelled image; the last axis has the known ones."""
        whole = np.full((*shares.shape[:-1], self._counts.shape[1]), np.nan)
        whole[..., self._known] = shares
        return whole


def nearest_shares(values: Numbers) -> Numbers:
    """The shares (at least 0, sum 1, along the last axis) that are nearest to any numbers (Duchi et al. 2008)."""
    falling = -np.sort(-values, axis=-1)
    excess = (np.cumsum(falling, axis=-1) - 1) / np.arange(1, values.shape[-1] + 1)
    last = np.maximum(np.count_nonzero(falling > excess, axis=-1, keepdims=True) - 1, 0)
    shares: Numbers = np.maximum(values - np.take_along_axis(excess, last, axis=-1), 0)
    return shares


def _resampled_sums(counts: Counts, resamples: int, rng: np.random.Generator) -> Numbers:
    """Images of each class in groups that are drawn with replacement, as many as there are; (resamples, C)."""
    rows, often = np.unique(counts, axis=0, return_counts=True)
    sums = np.empty((resamples, counts.shape[1]))
    at_once = max(1, _DRAWS_AT_ONCE // len(rows))
    for start in range(0, resamples, at_once):
        some = min(at_once, resamples - start)
        sums[start : start + some] = rng.multinomial(len(counts), often / len(counts), some) @ rows
    return sums


def _resampled_inverses(
    evaluated: Evaluated,
    confusion: Counts,
    known: NDArray[np.intp],
    resamples: int,
    rng: np.random.Generator,
) -> Numbers:
    """Inverses of the rates in resamples of the labelled images by group, shape (resamples, C, K).

    A class that is in none of the drawn groups keeps its rates.
    """
    classes = evaluated.classes
    groups = np.unique(evaluated.groups, return_inverse=True)[1].reshape(-1)
    cell = evaluated.truth * classes + evaluated.predicted
    pairs, images = np.unique(groups * classes**2 + cell, return_counts=True)
    group, cell = np.divmod(pairs, classes**2)
    count = int(groups.max()) + 1
    rates = np.empty((resamples, len(known), classes))
    for place in range(resamples):
        weights = np.bincount(rng.integers(0, count, count), minlength=count)
        drawn = np.bincount(cell, images * weights[group], classes**2).reshape(classes, classes)[known]
        sums = drawn.sum(axis=1, keepdims=True)
        filled = np.where(sums > 0, drawn, confusion[known])
        rates[place] = filled / filled.sum(axis=1, keepdims=True)
    return np.asarray(np.linalg.pinv(rates), np.float64)


def _ends(drawn: Numbers, value: Numbers, critical: float | None = None) -> tuple[Numbers, Numbers]:
    """Percentiles along the first axis, with the value between them.

    Args:
        drawn: Resamples.
        value: What was seen.
        critical: How many standard deviations of a normal distribution lie between its middle and the percentiles;
            None for those of `LEVEL`.
    """
    tail = 100 * ((1 - LEVEL) / 2 if critical is None else NormalDist().cdf(-critical))
    low, high = np.percentile(drawn, (tail, 100 - tail), axis=0)
    return np.minimum(low, value), np.maximum(high, value)
