"""Which groups (wells, slides, patients) have more or fewer images of a class than groups have by chance.

Groups differ by more than the chance of counting. So the shares of the classes in a group are taken as drawn from a
Dirichlet distribution, and the counts of the group as drawn by these shares: the counts of one class are then
beta-binomial. The distribution is fitted to all groups, or to the controls only.

The fit and the score are those of CellProfiler Analyst (Jones et al., "Scoring diverse cellular morphologies in
image-based screens with iterative feedback and machine learning", PNAS 2009), on the same counts to 1e-6: the score
is the log10 odds that the share of a class in a group is above that of a group drawn at random. The p-value asks how
often a group drawn at random would have a count as extreme.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]
_Function = Callable[[Numbers], Numbers]

SMALLEST_P = 1e-300
"""p-values below it are given as this."""

_TOLERANCE = 1e-6  # of the parameters; that of CellProfiler Analyst, as are the next three
_MOST_ROUNDS = 1000
_MOST_MEAN_STEPS = 20
_MOST_TOTAL_STEPS = 10
_EPSILON = float(np.finfo(np.float64).eps)
_SMALLEST_TOTAL = 1e-8
_TAIL = 1e-4  # probabilities below it are computed by a series without differences
_SERIES_AT_ONCE = 1024
_LONGEST_SERIES = 1 << 20


@dataclass(frozen=True, eq=False)
class GroupModel:
    """How much the shares of C classes differ between groups.

    Attributes:
        shares: Mean share of each class, shape (C,), sum 1; 0 for a class without images.
        total: Sum of the parameters of the Dirichlet distribution: the smaller, the more groups differ. Infinite
            where they differ no more than by the chance of counting.
        groups: How many groups it was fitted to.
    """

    shares: Numbers
    total: float
    groups: int

    @property
    def is_chance(self) -> bool:
        """Whether the groups differ no more than by the chance of counting."""
        return math.isinf(self.total)


@dataclass(frozen=True, eq=False)
class Enrichment:
    """How unusual the counts of G groups are; arrays have shape (G, C) and NaN where there is no value.

    Attributes:
        score: log10 of the odds that the group's share of the class is above that of a group drawn at random.
        p: Two-sided p-value of the count by the beta-binomial distribution.
        q: The same after Benjamini and Hochberg (1995) over all groups and classes: the share of false ones among all
            that are called unusual down to this one.
    """

    score: Numbers
    p: Numbers
    q: Numbers


class NotFitted(ValueError):
    """Why no distribution can be fitted, as the end of a sentence about enrichment."""


def fit_groups(counts: Counts) -> GroupModel:
    """Fit a Dirichlet-multinomial distribution to the counts of groups.

    Two steps in turn until no parameter changes by 1e-6: the mean by its fixed point, and the total by Newton's
    method with the approximations that suit it (Minka, "Estimating a Dirichlet distribution", 2003: equation 118 and
    section 4.2), from the moments of the shares.

    Args:
        counts: Images of each class in each group, shape (G, C); groups without images are passed over.

    Raises:
        NotFitted: With fewer than two groups, or if each of them holds images of one class only.
    """
    counts = counts[counts.sum(axis=1) > 0]
    seen = np.flatnonzero(counts.sum(axis=0))
    if len(counts) < 2:
        only = "only one of them has images" if len(counts) else "none of them has images"
        raise NotFitted(f"it compares groups, and {only}")
    if len(seen) == 1:
        raise NotFitted("all images are of one class")
    if np.all(np.count_nonzero(counts, axis=1) == 1):
        raise NotFitted("each group holds images of one class only, so how much groups differ cannot be told")
    means, total = _PolyaFit(counts[:, seen].astype(np.float64)).run()
    shares = np.zeros(counts.shape[1])
    shares[seen] = means
    return GroupModel(shares, total, len(counts))


class _PolyaFit:
    """The fit; the logarithm of the likelihood depends on each class by the different counts of it only."""

    def __init__(self, counts: Numbers) -> None:
        self.counts, self.sizes = counts, counts.sum(axis=1)
        classes = counts.shape[1]
        found = [np.unique(counts[:, place], return_counts=True) for place in range(classes)]
        self._values = np.concatenate([values[values > 0] for values, _ in found])
        self._weights = np.concatenate([often[values > 0] for values, often in found]).astype(np.float64)
        self._class = np.repeat(np.arange(classes), [np.count_nonzero(values) for values, _ in found])
        self._totals, often = np.unique(self.sizes, return_counts=True)
        self._total_weights = often.astype(np.float64)

    def run(self) -> tuple[Numbers, float]:
        """The mean of each class and the total."""
        means, total = self._start()
        for _ in range(_MOST_ROUNDS):
            if math.isinf(total):
                break
            before = total * means
            means = self._mean_steps(means, total)
            total = self._total_steps(means, total)
            if total < _SMALLEST_TOTAL or float(np.max(np.abs(total * means - before))) <= _TOLERANCE:
                break
        return means, total

    def _start(self) -> tuple[Numbers, float]:
        """From the first two moments of the shares, weighted by the sizes of the groups."""
        shares = self.counts / self.sizes[:, None]
        first = np.average(shares, axis=0, weights=self.sizes)
        second = np.average(shares * shares, axis=0, weights=self.sizes)
        spread = second - first * first
        if np.all(spread <= _EPSILON):  # all groups have the same shares
            return first, math.inf
        known = spread > 0
        totals = np.full(len(first), np.inf)
        totals[known] = (first - second)[known] / spread[known]
        total = float(np.median(totals))
        return first, 1.0 if math.isinf(total) else max(total, _SMALLEST_TOTAL)

    def _mean_steps(self, means: Numbers, total: float) -> Numbers:
        for _ in range(_MOST_MEAN_STEPS):
            before, alpha = means, total * means
            means = alpha * self._by_class(digamma, alpha)
            means = means / means.sum()
            if float(np.max(np.abs(means - before))) < _TOLERANCE:
                break
        return means

    def _total_steps(self, means: Numbers, total: float) -> float:
        for _ in range(_MOST_TOTAL_STEPS):
            before = total
            total = self._next_total(means, total)
            if math.isinf(total) or abs(total - before) * float(means.max()) < _TOLERANCE:
                break
        return total

    def _next_total(self, means: Numbers, total: float) -> float:
        """A Newton step for the total; the equations are those of Minka's section 4.2."""
        alpha = total * means
        slope = float(means @ self._by_class(digamma, alpha)) - self._over_groups(digamma, total)
        curve = float(means**2 @ self._by_class(trigamma, alpha)) - self._over_groups(trigamma, total)
        if slope > _EPSILON:
            if slope + total * curve >= 0:  # 86, 87
                return math.inf
            return total / (1 + slope / (curve * total))
        if slope < -_EPSILON:
            pole = float(np.count_nonzero(self.counts) - np.count_nonzero(self.sizes))  # 94
            root = _larger_root(
                total**3 * (2 * slope + curve * total),  # 97
                2 * total**2 * (total * curve + slope),  # 98
                total**2 * curve + pole,  # 99
            )
            return 1 / (1 / total - slope / pole * ((total + root) / root) ** 2)  # 100
        return total

    def _by_class(self, function: _Function, alpha: Numbers) -> Numbers:
        """The sum over groups of function(alpha + count) - function(alpha), of each class."""
        rise = function(alpha[self._class] + self._values) - function(alpha)[self._class]
        return np.asarray(np.bincount(self._class, self._weights * rise, len(alpha)), np.float64)

    def _over_groups(self, function: _Function, total: float) -> float:
        rise = function(total + self._totals) - function(np.array([total]))
        return float(self._total_weights @ rise)


def _larger_root(square: float, linear: float, constant: float) -> float:
    """The larger root of a quadratic equation."""
    if square == 0:
        return -constant / linear
    width = math.sqrt(max(linear * linear - 4 * square * constant, 0.0))
    return max((-linear + width) / (2 * square), (-linear - width) / (2 * square))


def enrichment(model: GroupModel, counts: Counts) -> Enrichment:
    """How unusual the counts of groups are.

    A group without images and a class without any have no values; where groups differ no more than by the chance of
    counting there is no score, and the p-value is that of the binomial distribution.

    Args:
        model: What groups are like, of C classes.
        counts: Images of each class in each group, shape (G, C).
    """
    sizes = counts.sum(axis=1)
    score = np.full(counts.shape, np.nan)
    p = np.full(counts.shape, np.nan)
    for place in np.flatnonzero((model.shares > 0) & (model.shares < 1)).tolist():
        hits = counts[:, place]
        if not model.is_chance:
            score[:, place] = _scores(model, place, hits, sizes)
        p[:, place] = _p_values(model, place, hits, sizes)
    score[sizes == 0] = p[sizes == 0] = np.nan
    return Enrichment(score, p, benjamini_hochberg(p))


def benjamini_hochberg(p: Numbers) -> Numbers:
    """p-values corrected for their number (Benjamini and Hochberg 1995); NaN stays, and does not count."""
    known = ~np.isnan(p)
    values = p[known]
    order = np.argsort(-values, kind="stable")
    ranks = np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum.accumulate(np.minimum(values[order] * len(values) / ranks, 1.0))
    q = np.full(p.shape, np.nan)
    q[known] = corrected
    return q


def _scores(model: GroupModel, place: int, hits: Counts, sizes: Counts) -> Numbers:
    """log10 odds, shape (G,), of one class."""
    a = model.total * float(model.shares[place])
    b = model.total - a
    pairs, group = np.unique(np.stack([hits, sizes - hits]), axis=1, return_inverse=True)
    above = _above(a, b, pairs[0], pairs[1])
    logs = np.log10(np.clip(above, _TAIL, 1.0)) - np.log10(np.clip(1 - above, _TAIL, 1.0))
    for at in np.flatnonzero((above < _TAIL) | (above > 1 - _TAIL)).tolist():
        c, d = a + int(pairs[0, at]), b + int(pairs[1, at])
        low = above[at] < 0.5
        tail = _log_tail(a, b, c, d) if low else _log_tail(b, a, d, c)
        odds = tail - math.log1p(-math.exp(tail))
        logs[at] = (odds if low else -odds) / math.log(10)
    scores: Numbers = logs[group.reshape(-1)]
    return scores


def _above(a: float, b: float, hits: Counts, others: Counts) -> Numbers:
    """P(X < Y) of X ~ Beta(a, b) and Y ~ Beta(a + hits, b + others), to about 1e-12; shapes (n,).

    It is 1/2 without hits and others, and one more of either adds a term in closed form (Cook, "Exact calculation of
    beta inequalities", 2005).
    """
    start = 2 * a, 2 * b
    first = _log_beta(*start) - 2 * _log_beta(a, b)
    log_terms = _log_steps(a, b, a, b, int(hits.max(initial=0)))
    c = a + np.arange(len(log_terms))
    ups = np.concatenate([[0.5], 0.5 + np.cumsum(np.exp(first + log_terms[:-1]) / c[:-1])])
    above = np.empty(len(hits))
    for count in np.unique(hits).tolist():
        own = np.flatnonzero(hits == count)
        most = int(others[own].max())
        downs = first + log_terms[count] + _log_steps(b, a, b, a + count, most)[:-1]
        sums = np.concatenate([[0.0], np.cumsum(np.exp(downs) / (b + np.arange(most)))])
        above[own] = ups[count] - sums[others[own]]
    return np.clip(above, 0.0, 1.0)


def _log_steps(a: float, b: float, c: float, d: float, steps: int) -> Numbers:
    """Logarithms of B(a+c+i, b+d) / B(c+i, d), relative to i = 0; shape (steps + 1,)."""
    i = np.arange(steps)
    ratios = np.log((a + c + i) / (a + b + c + d + i)) + np.log((c + d + i) / (c + i))
    return np.concatenate([[0.0], np.cumsum(ratios)])


def _log_tail(a: float, b: float, c: float, d: float) -> float:
    """The logarithm of P(X < Y) of X ~ Beta(a, b) and Y ~ Beta(c, d) where it is small, by a positive series."""
    first = _log_beta(a + c, b + d) - _log_beta(a, b) - _log_beta(c, d) - math.log(a)
    total, log_term = 1.0, 0.0
    for start in range(0, _LONGEST_SERIES, _SERIES_AT_ONCE):
        n = start + np.arange(_SERIES_AT_ONCE)
        ratios = np.log((a + b + n) / (a + 1 + n)) + np.log((a + c + n) / (a + b + c + d + n))
        logs = log_term + np.cumsum(ratios)
        log_term = float(logs[-1])
        total += float(np.exp(logs).sum())
        if math.exp(log_term) * float(n[-1] + 1) < 1e-13 * total * min(d, 1.0):
            break
    return first + math.log(total)


def _p_values(model: GroupModel, place: int, hits: Counts, sizes: Counts) -> Numbers:
    """Two-sided p-values, shape (G,), of one class."""
    p = np.full(len(hits), np.nan)
    for size in np.unique(sizes[sizes > 0]).tolist():
        own = np.flatnonzero(sizes == size)
        chances = _chances(model.total, float(model.shares[place]), size)
        fewer, more = np.cumsum(chances), np.cumsum(chances[::-1])[::-1]
        p[own] = 2 * np.minimum(fewer, more)[hits[own]]
    return np.asarray(np.clip(p, SMALLEST_P, 1.0), np.float64)


def _chances(total: float, share: float, size: int) -> Numbers:
    """The probability of 0, 1, … `size` images of a class in a group of that size; shape (size + 1,)."""
    k = np.arange(size, dtype=np.float64)
    ratios = np.log((size - k) / (k + 1))
    if math.isinf(total):
        ratios += math.log(share) - math.log1p(-share)
    else:
        a, b = total * share, total - total * share
        ratios += np.log((a + k) / (b + size - k - 1))
    logs = np.concatenate([[0.0], np.cumsum(ratios)])
    chances = np.exp(logs - logs.max())
    return np.asarray(chances / chances.sum(), np.float64)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def digamma(x: Numbers) -> Numbers:
    """The derivative of the logarithm of the gamma function, of positive numbers, to 1e-12.

    By its recurrence up to 8 and more, and its asymptotic series there (Abramowitz and Stegun 6.3.5, 6.3.18).
    """
    y = x + 8
    inverse = 1 / (y * y)
    series = inverse * (
        1 / 12
        - inverse
        * (1 / 120 - inverse * (1 / 252 - inverse * (1 / 240 - inverse * (1 / 132 - inverse * 691 / 32760))))
    )
    steps = sum((1 / (x + i) for i in range(7, -1, -1)), np.zeros_like(x))
    values: Numbers = np.log(y) - 0.5 / y - series - steps
    return values


def trigamma(x: Numbers) -> Numbers:
    """The derivative of `digamma` (Abramowitz and Stegun 6.4.6, 6.4.12)."""
    y = x + 8
    inverse = 1 / (y * y)
    series = inverse * (
        1 / 6
        - inverse
        * (1 / 30 - inverse * (1 / 42 - inverse * (1 / 30 - inverse * (5 / 66 - inverse * 691 / 2730))))
    )
    steps = sum((1 / (x + i) ** 2 for i in range(7, -1, -1)), np.zeros_like(x))
    values: Numbers = (1 + series) / y + 0.5 * inverse + steps
    return values
