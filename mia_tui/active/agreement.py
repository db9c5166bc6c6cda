"""How well annotators agree: raw agreement, Cohen's and Fleiss' kappa, each with an interval of 95 %.

Kappa is the agreement beyond chance, (a - e) / (1 - e): 1 is perfect, 0 is what
chance gives, below 0 is worse than chance. The formulas:

Cohen's kappa, two raters: J. Cohen, A coefficient of agreement for nominal
scales, Educ. Psychol. Meas. 20 (1960). e is the product of both raters' shares,
summed over the classes. Interval: the exact one of the raw agreement (Clopper
and Pearson 1934), put through the formula with e as observed, as Cohen's own
standard error takes e. So it is not a single point where all images agree.

Fleiss' kappa, any number of raters: J. L. Fleiss, Measuring nominal scale
agreement among many raters, Psychol. Bull. 76 (1971), in the form of K. L.
Gwet, Handbook of Inter-Rater Reliability, 4th ed. (2014), chapter 2, for
images that not all raters judged: a is the mean over the images with two
ratings or more of the share of agreeing pairs of raters, and e the sum of the
squared class shares, each the mean over the images of the share of its ratings
that name the class. With the same number of ratings everywhere this is Fleiss'
formula. Interval: Gwet's linearised variance (chapter 5) and the normal
quantile; where that is zero, since all images are alike, the exact interval as
above, of the next whole numbers of images. No kappa is below -1.

Of one class: the same with all other classes taken as one.
"""

from dataclasses import dataclass
from math import ceil, floor, inf, nan

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.audit import clopper_pearson

Ratings = NDArray[np.int32]
"""Class of each image by each rater, from 0; -1 where a rater said nothing. Shape (images, raters)."""

_NORMAL_QUANTILE = 1.959964  # of 97.5 %


@dataclass(frozen=True)
class Figure:
    """A figure and its interval of 95 %; NaN where it is not defined, as kappa is if all ratings are of one class."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Agreement:
    """How well raters agree.

    Attributes:
        images: How many images at least two of them judged.
        raw: Share of agreeing pairs of ratings, averaged over the images.
        kappa: Cohen's of two raters, else Fleiss'.
        classes: Kappa of each class.
        counts: How often each class was named, shape (classes,).
    """

    images: int
    raw: Figure
    kappa: Figure
    classes: tuple[Figure, ...]
    counts: NDArray[np.int64]


def agreement(ratings: Ratings, classes: int) -> Agreement:
    """The agreement of all raters; Cohen's kappa where there are two, else Fleiss'.

    Args:
        ratings: Of the images, shape (N, R).
        classes: Their number.

    Raises:
        ValueError: If no image has two ratings.
    """
    judged = ratings[(ratings >= 0).sum(axis=1) >= 2]
    if not len(judged):
        raise ValueError("no image has two ratings")
    if ratings.shape[1] == 2:
        table = confusion(judged[:, 0], judged[:, 1], classes)
        kappa = cohen_kappa(table)
        raw = _share(int(np.trace(table)), len(judged))
        of_classes = tuple(cohen_kappa(_one_against_all(table, number)) for number in range(classes))
    else:
        counts = rating_counts(judged, classes)
        kappa, raw = fleiss_kappa(counts), _raw_agreement(counts)
        of_classes = tuple(
            fleiss_kappa(np.stack((counts[:, number], counts.sum(axis=1) - counts[:, number]), axis=1))
            for number in range(classes)
        )
    return Agreement(len(judged), raw, kappa, of_classes, np.bincount(judged[judged >= 0], minlength=classes))


def confusion(one: NDArray[np.int32], other: NDArray[np.int32], classes: int) -> NDArray[np.int64]:
    """How often one rater named a class where the other named another, shape (C, C); -1 does not count."""
    both = (one >= 0) & (other >= 0)
    return np.bincount(one[both] * classes + other[both], minlength=classes * classes).reshape(
        classes, classes
    )


def rating_counts(ratings: Ratings, classes: int) -> NDArray[np.int64]:
    """How many raters named each class, shape (N, classes)."""
    return np.stack([(ratings == number).sum(axis=1) for number in range(classes)], axis=1).astype(np.int64)


def cohen_kappa(table: NDArray[np.int64]) -> Figure:
    """Cohen's kappa of two raters.

    Args:
        table: How often one named the class of the row and the other that of the column, shape (C, C).
    """
    total = int(table.sum())
    if not total:
        return Figure(nan, nan, nan)
    agreed = int(np.trace(table))
    by_chance = float((table.sum(axis=0) / total) @ (table.sum(axis=1) / total))
    return _beyond_chance(_share(agreed, total), by_chance)


def fleiss_kappa(counts: NDArray[np.int64]) -> Figure:
    """Fleiss' kappa of any number of raters, who need not have judged all images.

    Args:
        counts: How many raters named each class, shape (N, C); images with one rating tell only how common classes
            are.
    """
    some: NDArray[np.float64] = counts[counts.sum(axis=1) > 0].astype(np.float64)
    raters = some.sum(axis=1)
    pairs = raters >= 2
    images, judged = len(some), int(pairs.sum())
    if not judged:
        return Figure(nan, nan, nan)
    shares = (some / raters[:, None]).mean(axis=0)
    agreeing = _agreeing_pairs(some)
    observed, by_chance = float(agreeing[pairs].mean()), float(shares @ shares)
    if by_chance >= 1:
        return Figure(nan, nan, nan)
    kappa = (observed - by_chance) / (1 - by_chance)
    chance_of = (some * shares).sum(axis=1) / raters
    of_image = np.where(pairs, (images / judged) * (agreeing - by_chance) / (1 - by_chance), 0.0)
    of_image -= 2 * (1 - kappa) * (chance_of - by_chance) / (1 - by_chance)
    variance = float(((of_image - kappa) ** 2).sum()) / images / max(1, images - 1)
    if variance < 1e-15:
        return _beyond_chance(_mean_share(observed, judged), by_chance)
    half = _NORMAL_QUANTILE * variance**0.5
    return Figure(kappa, max(-1.0, kappa - half), min(1.0, kappa + half))


def _beyond_chance(raw: Figure, by_chance: float) -> Figure:
    if by_chance >= 1 - 1e-12:
        return Figure(nan, nan, nan)
    return Figure(
        *(max(-1.0, (share - by_chance) / (1 - by_chance)) for share in (raw.value, raw.low, raw.high))
    )


def _share(successes: int, trials: int) -> Figure:
    return Figure(successes / trials, *clopper_pearson(successes, trials))


def _mean_share(value: float, images: int) -> Figure:
    """A mean of shares of which nothing but the mean is known: its interval reaches from that of the whole number
    of images below to that of the one above."""
    successes = round(value * images, 6)
    low, high = clopper_pearson(floor(successes), images)[0], clopper_pearson(ceil(successes), images)[1]
    return Figure(value, low, high)


def _raw_agreement(counts: NDArray[np.int64]) -> Figure:
    """The mean share of agreeing pairs; exact where images agree as a whole or not at all, else normal."""
    agreeing = _agreeing_pairs(counts.astype(np.float64))
    value = float(agreeing.mean())
    if np.isin(agreeing, (0.0, 1.0)).all() or np.ptp(agreeing) < 1e-12:
        return _mean_share(value, len(agreeing))
    half = _NORMAL_QUANTILE * float(agreeing.std(ddof=1)) / len(agreeing) ** 0.5 if len(agreeing) > 1 else inf
    return Figure(value, max(0.0, value - half), min(1.0, value + half))


def _agreeing_pairs(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the pairs of raters that agree, for each image; 0 where there is no pair."""
    raters = counts.sum(axis=1)
    share: NDArray[np.float64] = (counts * (counts - 1)).sum(axis=1) / np.maximum(1, raters * (raters - 1))
    return share


def _one_against_all(table: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    both, one, other = table[number, number], table[number].sum(), table[:, number].sum()
    return np.array([[both, one - both], [other - both, table.sum() - one - other + both]])
