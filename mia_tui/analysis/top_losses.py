"""The images that a network is most wrong about."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class TopLoss:
    """An image with its loss.

    Attributes:
        row: Its position among the images.
        truth: Position of its class.
        predicted: Position of the predicted class.
        probability: Of the predicted class.
        truth_probability: Of its own class.
        loss: Cross-entropy: minus the natural logarithm of the probability of its own class.
    """

    row: int
    truth: int
    predicted: int
    probability: float
    truth_probability: float
    loss: float


def top_losses(
    log_probabilities: npt.NDArray[Any], truth: npt.NDArray[np.int64], count: int
) -> list[TopLoss]:
    """The images with the highest loss, highest first; of equal ones the earlier image.

    Args:
        log_probabilities: Shape (n, C).
        truth: Positions of the classes, shape (n,).
        count: How many at most.
    """
    losses = -log_probabilities[np.arange(len(truth)), truth].astype(np.float64)
    rows = np.argsort(-losses, kind="stable")[:count]
    worst = log_probabilities[rows].astype(np.float64)
    predicted = worst.argmax(axis=1) if len(rows) else rows
    return [
        TopLoss(
            int(row),
            int(truth[row]),
            int(said),
            float(np.exp(values[said])),
            float(np.exp(-losses[row])),
            max(0.0, float(losses[row])),
        )
        for row, said, values in zip(rows.tolist(), predicted.tolist(), worst, strict=True)
    ]
