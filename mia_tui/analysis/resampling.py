"""How much metrics vary from sample to sample of groups: the bootstrap, on counts per group and class.

Images of one slide are not independent, so whole groups are drawn with replacement, as often as there are groups, and
the metrics are computed of each such sample (Davison and Hinkley, "Bootstrap methods and their application", 1997,
section 3.8). Of very many groups, some at a time are put together at random and drawn as one, which varies as much
and needs no more memory for a hundred thousand images than for a thousand.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mia_tui.analysis.formulas import Numbers, class_metrics, overall_metrics

SAMPLES = 2000
"""How often all groups are drawn: the standard errors are right to 2 %."""

MOST_UNITS = 1000
"""Of more groups some at a time are drawn as one."""

_BLOCK = 1 << 21  # counts of samples, in float64, at a time: 16 MB
_Positions = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class GroupCounts:
    """What there is of each class in each group, or in each of `MOST_UNITS` random sets of groups.

    Attributes:
        counts: Right, truth and predicted images, shape (U, 3, C), float32.
        groups: How many groups there are.
    """

    counts: npt.NDArray[np.float32]
    groups: int

    @property
    def totals(self) -> tuple[Numbers, Numbers, Numbers]:
        """Right, truth and predicted images of each class, shape (C,) each."""
        right, truth, predicted = self.counts.sum(axis=0, dtype=np.float64)
        return right, truth, predicted


@dataclass(frozen=True, eq=False)
class StandardErrors:
    """Standard errors of metrics.

    Attributes:
        overall: By metric.
        by_class: By metric, shape (C,).
    """

    overall: dict[str, float]
    by_class: dict[str, Numbers]


def count_by_group(
    truth: _Positions, predicted: _Positions, group: _Positions, classes: int, rng: np.random.Generator
) -> GroupCounts:
    """Count the images of each class in each group.

    Args:
        truth: Positions of the classes, shape (n,).
        predicted: Positions of the predicted classes, shape (n,).
        group: From 0 without gaps, shape (n,).
        classes: C.
        rng: Puts very many groups together.
    """
    groups = int(group.max(initial=-1)) + 1
    units = min(groups, MOST_UNITS)
    unit = group if groups == units else (rng.permutation(groups) % units)[group]
    hits = truth == predicted
    found = np.zeros((3, units * classes), np.float32)
    for place, (units_of, classes_of) in enumerate(
        ((unit[hits], truth[hits]), (unit, truth), (unit, predicted))
    ):
        found[place] = np.bincount(units_of * classes + classes_of, minlength=units * classes)
    counts = found.reshape(3, units, classes).transpose(1, 0, 2)
    return GroupCounts(np.ascontiguousarray(counts), groups)


def bootstrap_errors(
    counted: GroupCounts, rng: np.random.Generator, samples: int = SAMPLES
) -> StandardErrors:
    """The standard errors of all metrics between samples of groups; of at least two groups.

    The mean square is multiplied by groups / (groups - 1), since a sample of groups varies less around what it was
    drawn from than that does around the truth.

    Args:
        counted: Of at least two groups.
        rng: Draws the samples.
        samples: How many.
    """
    units, _, classes = counted.counts.shape
    totals = counted.totals
    overall, by_class = overall_metrics(*totals), class_metrics(*totals)
    overall_squares = dict.fromkeys(overall, 0.0)
    class_squares = {name: np.zeros(classes) for name in by_class}
    flat = counted.counts.reshape(units, -1)
    size = max(1, _BLOCK // max(1, 3 * classes))
    for start in range(0, samples, size):
        weights = _draw(units, min(size, samples - start), rng)
        drawn = (weights @ flat).reshape(len(weights), 3, classes).astype(np.float64)
        right, truth, predicted = drawn[:, 0], drawn[:, 1], drawn[:, 2]
        for name, values in overall_metrics(right, truth, predicted).items():
            overall_squares[name] += float(((values - overall[name]) ** 2).sum())
        for name, values in class_metrics(right, truth, predicted).items():
            class_squares[name] += ((values - by_class[name]) ** 2).sum(axis=0)
    factor = units / (units - 1) / samples
    return StandardErrors(
        {name: float(np.sqrt(square * factor)) for name, square in overall_squares.items()},
        {name: np.sqrt(square * factor) for name, square in class_squares.items()},
    )


def _draw(units: int, samples: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """How often each unit is drawn, in samples of as many as there are, shape (samples, units)."""
    drawn = rng.integers(0, units, (samples, units))
    drawn += np.arange(samples)[:, None] * units
    return (
        np.bincount(drawn.reshape(-1), minlength=samples * units).reshape(samples, units).astype(np.float32)
    )
