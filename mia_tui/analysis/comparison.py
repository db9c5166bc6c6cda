"""Two networks on the same images: whether one is right more often than chance would have it."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

_MOST_EXACT = 1000  # images on which one network is right and the other wrong; of more both ways agree


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


def _binomial_p(fewer: int, of: int) -> float:
    """Two-sided: twice the probability of so few, or fewer, heads of so many fair coins."""
    ways = sum(math.comb(of, count) for count in range(fewer + 1))
    return float(min(1.0, 2 * ways / 2**of))
