"""Whether probabilities come true: reliability diagram, calibration error, and the temperature that mends them.

Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017: 15 bins of equal width of
the probability of the predicted class, and one temperature for all classes with the least cross-entropy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
_Positions = npt.NDArray[np.int64]

LEAST_TEMPERATURE, MOST_TEMPERATURE = 0.05, 20.0
"""The temperature stays between them: without a mistake the best one would be 0, by chance alone infinite."""

_BLOCK = 1 << 17  # of images times classes at a time, which stay in the cache of a processor
_SAMPLE = 1 << 21  # of images times classes by which the search for a temperature begins
_MOST_STEPS = 50
_PRECISE = 1e-5  # of the temperature


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability diagram; arrays have one value for each of B bins.

    Attributes:
        edges: Of the bins, from 0 to 1, shape (B + 1,).
        confidence: Mean probability of the predicted class, shape (B,); 0 in an empty bin.
        accuracy: Share of the images that are right, shape (B,); 0 in an empty bin.
        counts: Images, shape (B,), int64.
        ece: Expected calibration error: the mean distance of confidence and accuracy, bins weighted by their images;
            0 without images.
    """

    edges: Numbers
    confidence: Numbers
    accuracy: Numbers
    counts: npt.NDArray[np.int64]
    ece: float


def reliability(
    log_probabilities: npt.NDArray[Any], truth: _Positions, *, temperature: float = 1.0, bins: int = 15
) -> Reliability:
    """The reliability diagram of the predicted classes.

    Args:
        log_probabilities: Shape (n, C).
        truth: Positions of the classes, shape (n,).
        temperature: What the log probabilities are divided by.
        bins: How many.
    """
    confidence, predicted = confidences(log_probabilities, temperature=temperature)
    right = predicted == truth
    edges = np.linspace(0.0, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    full = np.maximum(counts, 1)
    mean_confidence = np.bincount(place, confidence, bins) / full
    accuracy = np.bincount(place, right, bins) / full
    ece = float((counts * np.abs(mean_confidence - accuracy)).sum() / max(1, len(truth)))
    return Reliability(edges, mean_confidence, accuracy, counts, ece)


def confidences(
    log_probabilities: npt.NDArray[Any], *, temperature: float = 1.0
) -> tuple[Numbers, _Positions]:
    """The probability of the predicted class and its position, each of shape (n,).

    Args:
        log_probabilities: Shape (n, C).
        temperature: What the log probabilities are divided by.
    """
    confidence = np.zeros(len(log_probabilities))
    predicted = np.zeros(len(log_probabilities), np.int64)
    for rows, block in _blocks(log_probabilities):
        predicted[rows] = block.argmax(axis=1)
        block -= block.max(axis=1, keepdims=True)
        block /= block.dtype.type(temperature)
        confidence[rows] = 1.0 / np.exp(block, out=block).sum(axis=1, dtype=np.float64)
    return confidence, predicted


def fit_temperature(log_probabilities: npt.NDArray[Any], truth: _Positions) -> float:
    """The temperature with the least cross-entropy, between `LEAST_TEMPERATURE` and `MOST_TEMPERATURE`.

    The cross-entropy is convex in the inverse of the temperature, so Newton's method finds its least value; a step
    that would leave the interval in which it must be halves that instead.

    Args:
        log_probabilities: Shape (n, C).
        truth: Positions of the classes, shape (n,).

    Returns:
        The temperature; 1 without images or with one class.
    """
    if not len(truth) or log_probabilities.shape[1] < 2:
        return 1.0
    most = max(1, _SAMPLE // log_probabilities.shape[1])
    inverse = 1.0
    if len(truth) > 2 * most:  # some images tell where to begin
        some = slice(None, None, len(truth) // most)
        inverse = _best_inverse(log_probabilities[some], truth[some], inverse)
    inverse = _best_inverse(log_probabilities, truth, inverse)
    return float(np.clip(1 / inverse, LEAST_TEMPERATURE, MOST_TEMPERATURE))


def _best_inverse(log_probabilities: npt.NDArray[Any], truth: _Positions, inverse: float) -> float:
    """The inverse temperature with the least cross-entropy, searched from one that is given."""
    low, high = 1 / MOST_TEMPERATURE, 1 / LEAST_TEMPERATURE
    for _ in range(_MOST_STEPS):
        slope, curvature = _slope(log_probabilities, truth, inverse)
        low, high = (low, inverse) if slope > 0 else (inverse, high)
        new = inverse - (slope / curvature if curvature > 0 else np.inf)
        if not low < new < high:
            new = (low + high) / 2
        is_near = abs(new - inverse) < _PRECISE * inverse
        inverse = new
        if is_near:
            break
    return inverse


def _slope(log_probabilities: npt.NDArray[Any], truth: _Positions, inverse: float) -> tuple[float, float]:
    """First and second derivative of the mean cross-entropy by the inverse temperature."""
    first = second = 0.0
    for rows, block in _blocks(log_probabilities):
        block -= block.max(axis=1, keepdims=True)
        weights = np.exp(block * block.dtype.type(inverse))
        total = weights.sum(axis=1)
        weights *= block
        mean = weights.sum(axis=1) / total
        first += float((mean - block[np.arange(len(block)), truth[rows]]).sum(dtype=np.float64))
        second += float((np.einsum("ij,ij->i", weights, block) / total - mean**2).sum(dtype=np.float64))
    return first / len(truth), second / len(truth)


def _blocks(log_probabilities: npt.NDArray[Any]) -> Iterator[tuple[slice, npt.NDArray[np.floating]]]:
    """Copies of some images at a time, as float32 at least: all of them may be gigabytes."""
    images, classes = log_probabilities.shape
    size = max(1, _BLOCK // max(1, classes))
    dtype = np.result_type(log_probabilities.dtype, np.float32)
    for start in range(0, images, size):
        rows = slice(start, min(start + size, images))
        yield rows, log_probabilities[rows].astype(dtype)
