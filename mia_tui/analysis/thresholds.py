"""How many images a network answers, and how many of these answers are right, when it may also say "unsure"."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mia_tui.analysis.calibration import confidences

Numbers = npt.NDArray[np.float64]

_SAME = 1e-9  # probabilities that differ by less are the same but for rounding


@dataclass(frozen=True, eq=False)
class CoverageCurve:
    """One point for each threshold that changes something, from 0, with which every image is answered, upwards.

    Attributes:
        thresholds: An image is answered if the probability of its predicted class is at least this one, ascending,
            shape (k,). Each lies halfway between two probabilities that occur: rounding moves no image across.
        coverage: Share of the images that are answered, shape (k,).
        accuracy: Share of the answered images that are right, shape (k,).
    """

    thresholds: Numbers
    coverage: Numbers
    accuracy: Numbers


@dataclass(frozen=True)
class CoveragePoint:
    """A threshold with what it does to the images it was chosen on."""

    threshold: float
    coverage: float
    accuracy: float


def coverage_curve(
    log_probabilities: npt.NDArray[Any], truth: npt.NDArray[np.int64], *, temperature: float = 1.0
) -> CoverageCurve:
    """The accuracy of the answers against their share; without images one point with accuracy 0.

    Args:
        log_probabilities: Shape (n, C).
        truth: Positions of the classes, shape (n,).
        temperature: What the log probabilities are divided by.
    """
    images = len(truth)
    if not images:
        return CoverageCurve(np.zeros(1), np.zeros(1), np.zeros(1))
    confidence, predicted = confidences(log_probabilities, temperature=temperature)
    order = np.argsort(confidence, kind="stable")
    sure, right = confidence[order], (predicted == truth)[order]
    first = np.flatnonzero(np.diff(sure, prepend=-1.0) > _SAME)  # of images that are equally sure
    answered = images - first
    right_from = np.cumsum(right[::-1])[::-1]
    thresholds = np.concatenate([[0.0], (sure[first[1:]] + sure[first[1:] - 1]) / 2])
    return CoverageCurve(thresholds, answered / images, right_from[first] / answered)


def threshold_for(
    curve: CoverageCurve, *, accuracy: float | None = None, coverage: float | None = None
) -> CoveragePoint | None:
    """The threshold with which so many answers are right, or so many images are answered.

    Args:
        curve: Of the validation part.
        accuracy: The lowest threshold with at least this accuracy, so as many answers as there can be.
        coverage: The highest threshold with at least this coverage.

    Returns:
        None if no threshold reaches the accuracy.

    Raises:
        ValueError: If not exactly one of both is given.
    """
    if accuracy is not None and coverage is None:
        good = np.flatnonzero(curve.accuracy >= accuracy)
        if not len(good):
            return None
        place = int(good[0])
    elif coverage is not None and accuracy is None:
        place = max(0, int((curve.coverage >= coverage).sum()) - 1)
    else:
        raise ValueError("One of accuracy and coverage chooses a threshold.")
    return CoveragePoint(
        float(curve.thresholds[place]), float(curve.coverage[place]), float(curve.accuracy[place])
    )
