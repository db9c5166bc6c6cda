"""An axis of a plot: where its numbers stand, and how they are written."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_STEPS = (1.0, 2.0, 5.0, 10.0)
_MOST_DECIMALS, _MOST_DIGITS = 4, 12
_DECADES = 2.0  # of more than so many, only powers of ten are named


@dataclass(frozen=True)
class Axis:
    """From the lowest value to the highest; on a logarithmic scale both are logarithms.

    Attributes:
        low: Value at one end.
        high: Value at the other, above it.
        shares: Where numbers stand, 0 for the low end to 1.
        labels: The numbers.
    """

    low: float
    high: float
    shares: tuple[float, ...]
    labels: tuple[str, ...]

    def share(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """How far along the axis values lie, 0 to 1."""
        return np.clip((values - self.low) / (self.high - self.low), 0, 1)


def axis(low: float, high: float, numbers: int, *, log: bool = False, whole: bool = False) -> Axis:
    """An axis for values from `low` to `high`.

    Args:
        low: The lowest; finite.
        high: The highest; finite.
        numbers: About how many numbers there is room for.
        log: Whether low and high are logarithms (to base 10).
        whole: Whether only whole numbers make sense.
    """
    if high - low <= 1e-9 * max(1.0, abs(low), abs(high)):  # a single value stands in the middle
        margin = 0.5 if whole or low == 0 else 0.1 if log else abs(low) * 0.05
        margin = max(margin, 1e-6 * abs(low), 1e-100)  # less would be lost to rounding
        low, high = low - margin, high + margin
    ticks = _decades(low, high) if log else []
    if len(ticks) < 2:
        ticks = _ticks(low, high, max(2, numbers), log=log, whole=whole)
    shares = tuple((place - low) / (high - low) for place, _ in ticks)
    return Axis(low, high, shares, tuple(label for _, label in ticks))


def shorten(value: float) -> str:
    """A value as it is named beside a curve: four digits that count."""
    if not math.isfinite(value):
        return str(value)
    if value and not 1e-4 <= abs(value) < 1e5:
        return _powered(value, 2)
    return f"{value:.4g}"


def _ticks(low: float, high: float, numbers: int, *, log: bool, whole: bool) -> list[tuple[float, str]]:
    """Round numbers between two values; on a logarithmic scale they are even in themselves, not on the paper."""
    first, last = (10**low, 10**high) if log else (low, high)
    rough = (last - first) / numbers
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * 0.999)
    if whole:
        step = max(1.0, round(step))
    whole_numbers = range(math.ceil(first / step - 1e-9), math.floor(last / step + 1e-9) + 1)
    values = [number * step for number in whole_numbers if number > 0 or not log]
    labels = _labels(values, max(0, -math.floor(math.log10(step) + 1e-9)))
    return [(math.log10(value) if log else value, label) for value, label in zip(values, labels, strict=True)]


def _decades(low: float, high: float) -> list[tuple[float, str]]:
    """Powers of ten between two logarithms, with 2 and 5 times those where there are few."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    factors = (1,) if high - low > _DECADES else (1, 2, 5)
    places = [(power + math.log10(factor), factor * 10.0**power) for power in powers for factor in factors]
    return [(place, shorten(value)) for place, value in places if low - 1e-9 <= place <= high + 1e-9]


def _labels(values: list[float], decimals: int) -> list[str]:
    """Numbers as short as they can be told apart."""
    digits = 1
    labels = [_label(value, decimals, digits) for value in values]
    while len(set(labels)) < len(labels) and digits < _MOST_DIGITS:
        digits += 1
        labels = [_label(value, decimals, digits) for value in values]
    return labels


def _label(value: float, decimals: int, digits: int) -> str:
    if abs(value) >= 1e4:
        for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= size:
                return f"{value / size:g}{letter}"
    if decimals > _MOST_DECIMALS:
        return _powered(value, digits) if value else "0"
    return f"{value:.{decimals}f}"


def _powered(value: float, digits: int) -> str:
    """1e-5, not 1e-05."""
    number, _, power = f"{value:.{digits - 1}e}".partition("e")
    return f"{number}e{int(power)}"
