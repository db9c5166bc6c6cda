"""The loss while the learning rate rises, and the rate that it suggests."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

RULE = "in the middle of the longest stretch over which the smoothed loss falls"
"""How a rate is chosen, to follow `the rate`: fastai's `valley`."""

DIVERGED = 4.0
"""Times the smallest smoothed loss: beyond it the loss is lost, and no larger rate is tried (fastai, Lightning)."""

_BETA = 0.98  # of the smoothing, as in fastai
_AT_THE_START = 10  # a tenth of the steps, in which nothing is learned yet
_AT_THE_END = 5  # steps, in which the loss is lost


@dataclass(frozen=True)
class RateCurve:
    """Losses of steps, each with a larger learning rate than the one before.

    Attributes:
        rates: Of n steps, shape (n,), ascending.
        losses: Of the batches, shape (n,).
    """

    rates: Numbers
    losses: Numbers

    @property
    def smoothed(self) -> Numbers:
        """The losses as a running mean, shape (n,), whose weights fall by 0.98 a step."""
        mean, found = 0.0, []
        for place, loss in enumerate(self.losses.tolist()):
            mean = _BETA * mean + (1 - _BETA) * loss
            found.append(mean / (1 - _BETA ** (place + 1)))
        return np.array(found, np.float64)

    @property
    def has_diverged(self) -> bool:
        """Whether the loss is lost by now: it is no number, or many times the smallest one."""
        smoothed = self.smoothed
        return bool(len(smoothed)) and not smoothed[-1] <= DIVERGED * smoothed.min()

    @property
    def suggestion(self) -> float | None:
        """The rate that `RULE` chooses; None where the loss falls nowhere."""
        begin = len(self.rates) // _AT_THE_START
        end = max(begin, len(self.rates) - (_AT_THE_END if self.has_diverged else 0))
        rates, losses = self.rates[begin:end], self.smoothed[begin:end]
        finite = np.isfinite(losses)
        rates, losses = rates[finite], losses[finite]
        first, last = _longest_fall(losses)
        if last - first < 2:
            return None
        return float(rates[(first + last) // 2])


def rates_of(first: float, last: float, steps: int) -> Numbers:
    """Learning rates from the first to the last, each by the same factor larger than the one before."""
    return np.geomspace(first, last, steps)


def _longest_fall(losses: Numbers) -> tuple[int, int]:
    """Ends of the longest falling subsequence; its beginning is told from its length, as fastai does it."""
    lengths = np.ones(len(losses), np.int64)
    for place in range(1, len(losses)):
        before = lengths[:place][losses[:place] > losses[place]]
        if len(before):
            lengths[place] = before.max() + 1
    if not len(losses):
        return 0, 0
    last = int(lengths.argmax())
    return max(0, last - int(lengths[last])), last
