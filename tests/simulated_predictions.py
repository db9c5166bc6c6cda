"""Predictions of which the true figures are known: what intervals are tried on.

Each group (a slide, say) is stained better or worse, which makes all its images easier or harder: the logit of the
chance that an image of class c is right is that of the class plus a normal deviation of the group. Images of a group
are therefore not independent; the true figures are those of infinitely many groups.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mia_tui.analysis.formulas import class_metrics, overall_metrics
from mia_tui.analysis.metrics import Estimate, MetricTable, metric_table


@dataclass(frozen=True)
class Simulation:
    """What is drawn.

    Attributes:
        groups: How many groups; None makes each image one.
        images: Of each class, in the mean.
        right: Of each class the chance that an image of a common group is right.
        deviation: Standard deviation of the groups, as a logit.
    """

    groups: int | None
    images: int
    right: tuple[float, ...]
    deviation: float = 0.6

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(f"class {place}" for place in range(len(self.right)))

    @property
    def taken_for(self) -> np.ndarray:
        """As which class a wrong image is predicted, by its own: the next ones more often; shape (C, C)."""
        size = len(self.right)
        distance = (np.arange(size)[None] - np.arange(size)[:, None]) % size
        chances = np.where(distance > 0, 0.5**distance, 0.0)
        return chances / chances.sum(axis=1, keepdims=True)

    def truth(self) -> dict[str, float]:
        """The true figures: those over all classes, and `recall of class 0` and the like."""
        nodes, weights = np.polynomial.hermite_e.hermegauss(60)
        logits = np.log(np.array(self.right) / (1 - np.array(self.right)))
        deviations = nodes * (self.deviation if self.groups else 0.0)
        right = (weights / weights.sum()) @ (1 / (1 + np.exp(-logits - deviations[:, None])))
        predicted = right + (1 - right) @ self.taken_for
        counts = right / len(right), np.full(len(right), 1 / len(right)), predicted / len(right)
        found = {name: float(value) for name, value in overall_metrics(*counts).items()}
        for name, values in class_metrics(*counts).items():
            found |= {
                f"{name} of {own}": float(value) for own, value in zip(self.classes, values, strict=True)
            }
        return found

    def draw(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Truth, predictions and group of each image; groups differ in size and in the classes they have."""
        size = len(self.right)
        if self.groups is None:
            counts = random.multinomial(self.images * size, np.full(size, 1 / size))[None]
            deviations = np.zeros((1, 1))
        else:
            sizes = random.poisson(self.images * size / self.groups * random.gamma(5, 1 / 5, self.groups))
            counts = random.multinomial(
                np.maximum(1, sizes), random.dirichlet(np.full(size, 3.0), self.groups)
            )
            deviations = random.normal(0, self.deviation, (self.groups, 1))
        chances = 1 / (1 + np.exp(-np.log(np.array(self.right) / (1 - np.array(self.right))) - deviations))
        right = random.binomial(counts, chances)
        cells = random.multinomial(counts - right, self.taken_for)  # groups, truth, predicted
        cells[:, np.arange(size), np.arange(size)] += right
        group, truth, predicted = (
            np.repeat(places.reshape(-1), cells.reshape(-1)) for places in np.indices(cells.shape)
        )
        return truth, predicted, group if self.groups else np.arange(len(truth))


@dataclass
class Coverage:
    """Of how many intervals how many contain the truth."""

    intervals: int = 0
    hits: int = 0
    too_few: int = 0

    @property
    def share(self) -> float:
        return self.hits / max(1, self.intervals)


def coverage(simulation: Simulation, sets: int, seed: int = 0) -> dict[str, Coverage]:
    """By figure, those of all classes together: how often the interval contains the truth."""
    random, true = np.random.default_rng(seed), simulation.truth()
    found: dict[str, Coverage] = {}
    for number in range(sets):
        table = metric_table(*_with_classes(simulation, random), seed=number)
        for name, estimate in estimates(table):
            counted = found.setdefault(name.partition(" of ")[0], Coverage())
            if estimate.interval is None:
                counted.too_few += 1
                continue
            counted.intervals += 1
            counted.hits += estimate.interval.low <= true[name] <= estimate.interval.high
    return found


def estimates(table: MetricTable) -> Iterator[tuple[str, Estimate]]:
    """All figures of a table, by the names of `Simulation.truth`."""
    yield from table.overall.items()
    for row in table.by_class:
        for name in ("precision", "recall", "f1", "mcc"):
            yield f"{name} of {row.name}", getattr(row, name)


def _with_classes(
    simulation: Simulation, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], np.ndarray]:
    truth, predicted, groups = simulation.draw(random)
    return truth, predicted, simulation.classes, groups
