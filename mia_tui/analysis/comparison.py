"""Two networks on the same images: whether one is right more often than chance would have it."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mia_tui.analysis.intervals import Interval, normal_quantile, t_quantile
from mia_tui.analysis.metrics import LEAST_GROUPS, Estimate
from mia_tui.text import counted

_MOST_EXACT = 1000  # images on which one network is right and the other wrong; of more both ways agree
_LEAST_DIFFERING = 6  # such images: of five all for one network still have p = 0.06 by McNemar's test


@dataclass(frozen=True)
class McNemar:
    """McNemar's test.

    Attributes:
        both: Images that both are right on.
        only_one: That only the first is right on.
        only_other: That only the second is right on.
        neither: That both are wrong on.
        p: Two-sided probability of a difference as large as this, or larger, if both are right equally often.
        method: `exact` by the binomial distribution; `chi2` with continuity correction where they differ on more than
            1,000 images.
    """

    both: int
    only_one: int
    only_other: int
    neither: int
    p: float
    method: Literal["exact", "chi2"]


def mcnemar(right_one: npt.NDArray[np.bool_], right_other: npt.NDArray[np.bool_]) -> McNemar:
    """Compare two networks on the same images, which are taken to be independent.

    Args:
        right_one: On which images the first network is right, shape (n,), bool.
        right_other: The same of the second.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions", 1947; equal to
        statsmodels.stats.contingency_tables.mcnemar.
    """
    only_one = int((right_one & ~right_other).sum())
    only_other = int((right_other & ~right_one).sum())
    both = int((right_one & right_other).sum())
    neither = len(right_one) - both - only_one - only_other
    differing = only_one + only_other
    if differing <= _MOST_EXACT:
        return McNemar(
            both, only_one, only_other, neither, _binomial_p(min(only_one, only_other), differing), "exact"
        )
    chi2 = (abs(only_one - only_other) - 1) ** 2 / differing if only_one != only_other else 0.0
    return McNemar(both, only_one, only_other, neither, math.erfc(math.sqrt(chi2 / 2)), "chi2")


def accuracy_difference(
    right_one: npt.NDArray[np.bool_], right_other: npt.NDArray[np.bool_], groups: npt.NDArray[np.int64]
) -> Estimate:
    """How much more accurate the first network is, with an interval from how much groups differ.

    Args:
        right_one: On which images the first network is right, shape (n,), bool.
        right_other: The same of the second.
        groups: As for `metric_table`.

    Source: the ratio estimator of a mean over clusters, Cochran, "Sampling techniques", 1977, section 9A.1.
    """
    images = len(right_one)
    if not images:
        return Estimate(0.0, None, "no images")
    differences = right_one.astype(np.float64) - right_other
    value = float(differences.mean())
    group = np.unique(groups, return_inverse=True)[1].reshape(-1)
    count = int(group.max()) + 1
    is_grouped = count < images
    noun = counted(count, "group") if is_grouped else counted(images, "image")
    if count < LEAST_GROUPS:
        return Estimate(value, None, f"too few: {noun}")
    if not differences.any():
        return Estimate(value, None, "both are right on the same images")
    differing = int(np.count_nonzero(differences))
    if differing < _LEAST_DIFFERING:
        return Estimate(value, None, f"too few: {counted(differing, 'image')} on which only one is right")
    changes = np.bincount(group, differences - value) / images
    error = math.sqrt(count / (count - 1) * float(changes @ changes))
    half = error * (t_quantile(count - 1) if is_grouped else normal_quantile())
    return Estimate(value, Interval(max(-1.0, value - half), min(1.0, value + half), f"mean over {noun}"))


def _binomial_p(fewer: int, of: int) -> float:
    """Two-sided: twice the probability of so few, or fewer, heads of so many fair coins."""
    ways = sum(math.comb(of, count) for count in range(fewer + 1))
    return float(min(1.0, 2 * ways / 2**of))
