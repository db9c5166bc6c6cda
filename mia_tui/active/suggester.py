"""Suggestions for all images, learned anew after each label from the features of a network that is left as it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.head import RidgeHead
from mia_tui.active.reduction import Reduction

Rows = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Learned:
    """What was learned from some labels. Nothing in it changes, so any thread may read it.

    Attributes:
        classes: Ids of the classes, ascending, shape (C,).
        best: Position in `classes` of the most probable class of each image, int32, shape (N,).
        confidences: Its probability, float32, shape (N,).
        labels: From how many labels.
        sampled: Whether these were a sample of all labels.
    """

    classes: Rows
    best: Rows
    confidences: NDArray[np.float32]
    labels: int
    sampled: bool
    _head: RidgeHead
    _points: NDArray[np.float32]

    def probabilities(self, rows: Rows) -> NDArray[np.float32]:
        """Of all classes, shape (len(rows), C)."""
        return self._head.probabilities(self._points[rows])


class Suggester:
    """Learns from labels. Belongs to one thread.

    Args:
        dims: Numbers of an image's features.

    Attributes:
        points: Of all images, shape (N, fewer dims).
    """

    def __init__(self, dims: int) -> None:
        self._dims = dims
        self._reduction: Reduction | None = None
        self.points: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self.groups: Rows | None = None

    def __len__(self) -> int:
        return len(self.points)

    def add(self, features: NDArray[np.float16]) -> None:
        """Add images at the end.

        Args:
            features: Shape (n, dims).
        """
        if self._reduction is None:
            self._reduction = Reduction(features)
            self.points = np.empty((0, self._reduction.dims), np.float32)
        self.points = np.concatenate([self.points, self._reduction.apply(features)])

    def set_groups(self, groups: Rows) -> None:
        """Say which images belong together, as frames, copies or a slide: equal numbers, shape (N,)."""
        self.groups = groups

    def learn(self, rows: Rows, class_ids: Rows) -> Learned:
        """Learn from all labels that there are.

        Args:
            rows: Of the labelled images, each once.
            class_ids: Their classes.

        Raises:
            ValueError: If there are fewer than two classes.
        """
        classes, positions = np.unique(class_ids, return_inverse=True)
        if len(classes) < 2:
            raise ValueError("labels of two classes are needed")
        head = RidgeHead(self.points.shape[1])
        head.fit(self.points[rows], positions.astype(np.int32), len(classes))
        shares = head.probabilities(self.points)
        best = shares.argmax(axis=1).astype(np.int32)
        confidences = shares[np.arange(len(best)), best]
        return Learned(classes.astype(np.int32), best, confidences, len(rows), False, head, self.points)

    def neighbours(self, row: int, among: NDArray[np.bool_], count: int) -> Rows:
        """The images most alike, nearest first, without the image itself."""
        candidates = np.flatnonzero(among).astype(np.int32)
        candidates = candidates[candidates != row]
        distances = np.square(self.points[candidates] - self.points[row]).sum(axis=1)
        nearest: Rows = candidates[np.argsort(distances, kind="stable")[:count]]
        return nearest
