"""Labels that look wrong: what the person said, beside what a head says that did not learn from that label.

The queue is by the margin: the score of the best other class less that of the label. On microscope images with 5 % of
the labels flipped it found as many of them as the probability of the label, a joint distribution of both (confident
learning, Northcutt 2021), fits without the most doubtful labels, and sums with nearest neighbours or kernels; nearest
neighbours alone and logistic regression found fewer (tests/benchmarks/test_label_issues.py).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.calibration import best_temperature
from mia_tui.active.head import RidgeHead, softmax
from mia_tui.active.suggester import Rows


@dataclass(frozen=True, eq=False)
class LabelIssues:
    """All labels, the most suspicious first: "you said A, the model says B, 0.97".

    Attributes:
        rows: Of the labelled images, int32, shape (M,).
        said: Class ids of their labels, int32, shape (M,).
        suggested: Class id of the most probable other class, int32, shape (M,).
        probabilities: Of `suggested`, float32, shape (M,).
        said_probabilities: Of the label, float32, shape (M,).
    """

    rows: Rows
    said: Rows
    suggested: Rows
    probabilities: NDArray[np.float32]
    said_probabilities: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def doubtful(self) -> int:
        """How many labels the model contradicts: the first so many."""
        return int((self.probabilities > self.said_probabilities).sum())

    def without(self, left_out: NDArray[np.bool_]) -> "LabelIssues":
        """The same without some images.

        Args:
            left_out: For each image that has features, whether it is not wanted, as those that were kept.
        """
        stays = ~left_out[self.rows]
        return LabelIssues(
            self.rows[stays],
            self.said[stays],
            self.suggested[stays],
            self.probabilities[stays],
            self.said_probabilities[stays],
        )


def label_issues(
    points: NDArray[np.float32], rows: Rows, class_ids: Rows, groups: Rows | None = None
) -> LabelIssues:
    """Rank labels by how wrong they look; a second for 100,000 labels.

    Args:
        points: Of all images, `Suggester.points`; only those of `rows` are read. The network behind them must not
            have been trained on these labels: it would have learned the wrong ones by heart.
        rows: Of the labelled images, each once.
        class_ids: Their classes.
        groups: As for `Suggester.set_groups`, of all images: no image speaks for another of its group.

    Raises:
        ValueError: If there are fewer than two classes.
    """
    classes, found = np.unique(class_ids, return_inverse=True)
    if len(classes) < 2:
        raise ValueError("labels of two classes are needed")
    own, positions = points[rows], found.astype(np.int32)
    everyone = np.arange(len(rows), dtype=np.int32)
    head = RidgeHead.fit(own, positions, len(classes))
    scores = head.held_out(own, positions, None if groups is None else groups[rows], everyone)
    temperature = best_temperature(scores, positions, np.ones(len(rows), np.float32))
    shares = softmax(scores / np.float32(temperature))
    said, others = scores[everyone, positions], scores.copy()
    others[everyone, positions] = -np.inf
    second = others.argmax(axis=1)
    order = np.argsort(said - others[everyone, second], kind="stable")
    return LabelIssues(
        rows[order].astype(np.int32),
        class_ids[order].astype(np.int32),
        classes[second[order]].astype(np.int32),
        shares[everyone, second][order].astype(np.float32),
        shares[everyone, positions][order].astype(np.float32),
    )
