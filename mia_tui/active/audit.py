"""How many labels or suggestions are right, from images that were drawn at random, with an exact interval.

Images that a person chose, or that were chosen because they are hard, say nothing about the others; so the program
draws some at random, asks what they are without showing what was said, and compares. The estimate is of the moment
of drawing: of the images that it was drawn from, and of what was said of them then.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.suggester import Rows

LEVEL = 0.95
"""Of all intervals here."""

MOST_CHANGED = 0.25
"""The share of the images drawn from that may have come or gone before a draw is out of date."""


_LARGEST = (
    10**9
)  # images; of more, the logarithms of factorials are not exact enough, and the interval is no other


@dataclass(frozen=True)
class AuditEstimate:
    """How many of some images are right.

    Attributes:
        right: Of those audited.
        audited: How many images were drawn and answered.
        population: How many images they were drawn from.
        low: Lower end of the interval of the share that is right, 0 to 1.
        high: Its upper end.
    """

    right: int
    audited: int
    population: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """The share of the audited images that are right; 0 before there is one."""
        return self.right / self.audited if self.audited else 0.0


def estimate(right: int, audited: int, population: int, level: float = LEVEL) -> AuditEstimate:
    """The exact interval for a simple random sample without replacement.

    Its ends are the numbers of right images in the population with which as many right ones as were seen, or more
    (fewer for the upper end), come with probability (1 - level) / 2 (Buonaccorsi 1987). For a large population it is
    the interval of Clopper and Pearson (1934), for a small one it is narrower; if all were audited it is a point.

    Args:
        right: How many of the audited images are right.
        audited: How many there are.
        population: How many images they were drawn from.
        level: Of confidence.

    Raises:
        ValueError: If there are more right than audited, or more audited than drawn from.
    """
    if not 0 <= right <= audited <= population:
        raise ValueError(f"{right} right of {audited} audited of {population}")
    if not audited:
        return AuditEstimate(0, 0, population, 0.0, 1.0)
    if population > _LARGEST:
        return AuditEstimate(right, audited, population, *clopper_pearson(right, audited, level))
    tail = (1 - level) / 2
    least, most = right, population - (audited - right)
    low = _first(least, most, lambda good: _at_least(right, audited, good, population) > tail)
    wrong = _first(
        audited - right,
        population - right,
        lambda bad: _at_least(audited - right, audited, bad, population) > tail,
    )
    return AuditEstimate(right, audited, population, low / population, 1 - wrong / population)


def clopper_pearson(right: int, of: int, level: float = LEVEL) -> tuple[float, float]:
    """The exact interval for a share, from independent trials (Clopper and Pearson 1934).

    Each end is found by bisection of a tail of the binomial distribution, to 1e-12.
    """
    if not 0 <= right <= of:
        raise ValueError(f"{right} right of {of}")
    tail = (1 - level) / 2
    low = 0.0 if right == 0 else _bisect(lambda share: _binomial_at_least(right, of, share) - tail)
    high = 1.0 if right == of else 1 - _bisect(lambda share: _binomial_at_least(of - right, of, share) - tail)
    return low, high


def draw_sample(among: NDArray[np.bool_], count: int, rng: np.random.Generator) -> Rows:
    """Rows drawn at random, each with the same chance, in random order; fewer where there are fewer.

    Not stratified: classes and confidences change with the next label, and a simple sample has an exact interval.
    """
    rows = np.flatnonzero(among)
    drawn = rng.choice(rows, min(count, len(rows)), replace=False)
    return drawn.astype(np.int32)


def is_current(drawn_from: int, now: int) -> bool:
    """Whether a draw still says something of the images of now.

    Args:
        drawn_from: How many images there were to be drawn.
        now: How many there are of the same kind, those counted that got a label by the audit itself.
    """
    return abs(now - drawn_from) <= MOST_CHANGED * drawn_from


def percent(share: float) -> str:
    """A share as whole percents; 100 only where it is all, 0 only where it is none."""
    rounded = round(100 * share)
    if rounded == 100 and share < 1:
        return "99"
    return "1" if rounded == 0 and share > 0 else str(rounded)


def percents(share: float, low: float, high: float) -> str:
    """An estimate with its interval, as `95 % (84-99`; the caller closes the bracket."""
    return f"{percent(share)} % ({percent(low)}-{percent(high)}"


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The smallest whole number from low to high with which a condition holds; `high` if it holds first there."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _at_least(seen: int, drawn: int, marked: int, population: int) -> float:
    """The probability of `seen` or more marked ones among those drawn (hypergeometric)."""
    rest, most = population - marked, min(drawn, marked)
    total = _log_choose(population, drawn)
    terms = [
        _log_choose(marked, hits) + _log_choose(rest, drawn - hits) - total
        for hits in range(max(seen, drawn - rest), most + 1)
    ]
    return min(1.0, math.fsum(math.exp(term) for term in terms))


def _binomial_at_least(seen: int, of: int, share: float) -> float:
    if share <= 0 or share >= 1:
        return float(share >= 1 or seen == 0)
    ways, hits = _log_ways(of)[seen:], np.arange(seen, of + 1)
    terms = np.exp(ways + hits * math.log(share) + (of - hits) * math.log1p(-share))
    return min(1.0, float(terms.sum()))


@lru_cache(maxsize=4)
def _log_ways(of: int) -> NDArray[np.float64]:
    """The logarithm of how many ways there are to choose 0, 1, 2, … of some."""
    factorials = np.array([math.lgamma(number) for number in range(1, of + 2)])
    ways: NDArray[np.float64] = factorials[-1] - factorials - factorials[::-1]
    return ways


def _log_choose(of: int, chosen: int) -> float:
    return math.lgamma(of + 1) - math.lgamma(chosen + 1) - math.lgamma(of - chosen + 1)


def _bisect(rising: Callable[[float], float]) -> float:
    """Where a rising function on 0 to 1 is zero."""
    low, high = 0.0, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
