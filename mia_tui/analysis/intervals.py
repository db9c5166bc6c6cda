"""Intervals of 95 %, from how much a figure varies between samples, or from a share of independent images."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

LEVEL = 0.95
"""Of all intervals here."""

_MOST = 50.0  # of a logit; beyond, a share is 0 or 1


@dataclass(frozen=True)
class Interval:
    """Where a figure lies for all images of the kind, in 95 of 100 cases.

    Attributes:
        low: Lower end.
        high: Upper end.
        method: In words that fit into a sentence, such as `bootstrap over 24 groups`.
    """

    low: float
    high: float
    method: str


def wilson(share: float, images: float, method: str, *, critical: float | None = None) -> Interval:
    """The interval of a share of independent images (Wilson 1927).

    Args:
        share: What was seen, 0 to 1.
        images: Of how many images; where these are not independent, how many independent ones say as much.
        method: As in `Interval`.
        critical: Quantile of the distribution that stands in for the normal one; None takes the normal one.
    """
    critical = normal_quantile() if critical is None else critical
    low, high = wilson_ends(np.float64(share), np.float64(images), critical)
    return Interval(float(low), float(high), method)


def wilson_ends(
    shares: Numbers | np.float64, images: Numbers | np.float64, critical: float
) -> tuple[Numbers, Numbers]:
    """The ends of such intervals, of one share or of many; NaN where a share or its number of images is NaN."""
    bound = critical**2 / images
    middle = (shares + bound / 2) / (1 + bound)
    half = (
        critical / (1 + bound) * np.sqrt(np.maximum(0.0, shares * (1 - shares)) / images + bound / images / 4)
    )
    low, high = np.minimum(shares, middle - half), np.maximum(shares, middle + half)
    return np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)


def by_logit(value: float, error: float, critical: float, method: str) -> Interval:
    """The interval of a figure between 0 and 1, neither of them, from its standard error, by its logit."""
    middle = math.log(value / (1 - value))
    half = min(_MOST, critical * error / (value * (1 - value)))
    low, high = 1 / (1 + math.exp(half - middle)), 1 / (1 + math.exp(-half - middle))
    return Interval(min(value, low), max(value, high), method)


def by_fisher(value: float, error: float, critical: float, method: str) -> Interval:
    """The interval of a correlation, neither -1 nor 1, from its standard error, by Fisher's transformation."""
    middle, half = math.atanh(value), min(_MOST, critical * error / (1 - value**2))
    return Interval(min(value, math.tanh(middle - half)), max(value, math.tanh(middle + half)), method)


def normal_quantile(level: float = LEVEL) -> float:
    """Between minus and plus this number lies such a share of the normal distribution."""
    return NormalDist().inv_cdf((1 + level) / 2)


def t_quantile(degrees: float, level: float = LEVEL) -> float:
    """The same of Student's t; exact with 1 and 2 degrees of freedom, right to 1e-3 with 4, to 1e-6 from 19 on.

    Source: expansion 26.7.5 of Abramowitz and Stegun, "Handbook of mathematical functions", 1964.
    """
    if degrees == 1:
        return math.tan(math.pi * level / 2)
    if degrees == 2:
        return level * math.sqrt(2 / (1 - level**2))
    z = normal_quantile(level)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + math.fsum(term / degrees ** (power + 1) for power, term in enumerate(terms))
