"""Suggestions for all images, learned anew after each label from the features of a network that is left as it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.calibration import best_temperature, stands_for
from mia_tui.active.head import RidgeHead, groups_held_out, held_out_by_parts, margins_of, softmax
from mia_tui.active.reduction import BLOCK, Reduction

Rows = NDArray[np.int32]

MOST_LEARNED = 16_384
"""Labels that are learned from at once: with twice as many a refit takes longer than 250 ms at 100,000 images."""

_MOST_FITTED = 4096  # images that axes are fitted to; more change them hardly
_MOST_CALIBRATED = 1024  # labels that the temperature is chosen by
_MOST_OTHERS = 1024  # images without a label that are learned from
_MOST_BY_PARTS = (
    200  # labels; with more, what others taught hardly comes from a single one, and parts take longer
)
_LEAST_AUDITED = 20


@dataclass(frozen=True, eq=False)
class Learned:
    """What was learned from some labels. Nothing in it changes, so any thread may read it.

    Attributes:
        classes: Ids of the classes, ascending, shape (C,).
        best: Position in `classes` of the most probable class of each image, int32, shape (N,).
        second: Position of the second, likewise.
        confidences: Probability of the best, float32, shape (N,).
        margins: Score of the best less that of the second: 0 is undecided, 1 is sure; float32, shape (N,).
        labels: How many labels there were.
        sampled: Whether it was learned from a sample of them.
        temperature: By which scores are divided.
        rows: The images it was learned from, shape (M,).
        positions: Positions of their classes.
        groups: Which images belong together, shape (N,); None if each is one of its own.
        head: On points.
        labels_head: What it was before it learned from images without a label, too.
        points: Of all images, shape (N, dims).
    """

    classes: Rows
    best: Rows
    second: Rows
    confidences: NDArray[np.float32]
    margins: NDArray[np.float32]
    labels: int
    sampled: bool
    temperature: float
    rows: Rows
    positions: Rows
    groups: Rows | None
    head: RidgeHead
    labels_head: RidgeHead
    points: NDArray[np.float32]

    def probabilities(self, rows: Rows) -> NDArray[np.float32]:
        """Of all classes, shape (len(rows), C)."""
        return softmax(self.head.scores(self.points[rows]) / np.float32(self.temperature))


class Suggester:
    """Learns from labels. Belongs to one thread.

    Features are kept by reference and read again when axes are fitted anew, which is when there are twice as many
    images as before, and above 4,096 four times as many; so give memory-mapped ones if there are many.

    Args:
        dims: Numbers of an image's features.

    Attributes:
        points: Of all images, float32, shape (N, fewer dims). Points before and after an `add` can differ.
        groups: Which images belong together, shape (N,); None if each is one of its own.
        by_heart: Which images the network of the features was trained on, shape (N,); None if on none. Their labels
            are learned from, but do not say how sure suggestions are.
    """

    def __init__(self, dims: int) -> None:
        self._dims = dims
        self._parts: list[NDArray[np.float16]] = []
        self._reduction: Reduction | None = None
        self._fitted = 0  # images that there were when axes were fitted
        self._room: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self.points: NDArray[np.float32] = self._room
        self.groups: Rows | None = None
        self.by_heart: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.points)

    def add(self, features: NDArray[np.float16]) -> None:
        """Add images at the end.

        Args:
            features: Shape (n, dims).

        Raises:
            ValueError: If they have another number of dims.
        """
        if features.ndim != 2 or features.shape[1] != self._dims:
            raise ValueError(f"features of {self._dims} numbers are needed, not of shape {features.shape}")
        if not len(features):
            return
        self._parts.append(features)
        count = len(self) + len(features)
        if self._reduction is None or count >= self._fitted * (2 if self._fitted < _MOST_FITTED else 4):
            self._fit_axes(count)
        else:
            self._append([features], self._reduction)

    def _fit_axes(self, count: int) -> None:
        """Fit axes to a sample of all images, and give all of them new points."""
        sample = np.linspace(0, count - 1, min(count, _MOST_FITTED)).astype(np.int64)
        ends = np.cumsum([len(part) for part in self._parts])
        starts = ends - [len(part) for part in self._parts]
        cuts = np.split(sample, np.searchsorted(sample, ends[:-1]))
        rows = [part[cut - start] for part, cut, start in zip(self._parts, cuts, starts, strict=True)]
        self._reduction, self._fitted = Reduction(np.concatenate(rows)), count
        self._room = np.empty((count, self._reduction.dims), np.float32)
        self.points = self._room[:0]
        self._append(self._parts, self._reduction)

    def _append(self, parts: list[NDArray[np.float16]], reduction: Reduction) -> None:
        """Add points. Those of before stay where they are, or are copied: who has them may go on reading."""
        start = len(self.points)
        stop = start + sum(len(part) for part in parts)
        if stop > len(self._room):
            self._room = np.empty((max(stop, start + start // 4), self.points.shape[1]), np.float32)
            self._room[:start] = self.points
        for part in parts:
            self._room[start : start + len(part)] = reduction.apply(part)
            start += len(part)
        self.points = self._room[:stop]

    def reduce(self, features: NDArray[np.float16]) -> NDArray[np.float32]:
        """Points of images that are not among those learned from, shape (n, fewer dims).

        Raises:
            ValueError: If no image was added yet.
        """
        if self._reduction is None:
            raise ValueError("there are no images yet")
        return self._reduction.apply(features)

    def set_groups(self, groups: Rows | None) -> None:
        """Say which images belong together, as frames, copies or a slide: equal numbers, shape (N,)."""
        self.groups = groups

    def learn(self, rows: Rows, class_ids: Rows, audit: Rows | None = None) -> Learned:
        """Learn from all labels that there are.

        Args:
            rows: Of the labelled images, each once.
            class_ids: Their classes.
            audit: Those of `rows` that were drawn at random from all images, not chosen: from 20 on they alone say
                how sure the suggestions are.

        Raises:
            ValueError: If there are fewer than two classes.
        """
        classes, found = np.unique(class_ids, return_inverse=True)
        if len(classes) < 2:
            raise ValueError("labels of two classes are needed")
        count = len(rows)
        learned: Rows = np.asarray(rows, np.int32)
        positions: Rows = found.astype(np.int32)
        if count > MOST_LEARNED:
            kept = sample_of_labels(positions, MOST_LEARNED)
            learned, positions = learned[kept], positions[kept]
        points = self.points
        labels_head = RidgeHead.fit(points[learned], positions, len(classes))
        others = points[self._others(rows)]
        head = labels_head.self_trained(len(learned), others)
        temperature = self._temperature(head, learned, positions, audit, others)
        best, second, confidences, margins = _rescore(head, points, temperature)
        return Learned(
            classes=classes.astype(np.int32),
            best=best,
            second=second,
            confidences=confidences,
            margins=margins,
            labels=count,
            sampled=count > len(learned),
            temperature=temperature,
            rows=learned,
            positions=positions,
            groups=self._groups(),
            head=head,
            labels_head=labels_head,
            points=points,
        )

    def _others(self, rows: Rows) -> Rows:
        """Some images without a label, of groups without one: a label that is held out is not known by its group."""
        groups = self._groups()
        free = np.ones(len(self), np.bool_)
        if groups is not None:
            free = ~np.isin(groups, groups[rows])
        free[rows] = False
        others = np.flatnonzero(free).astype(np.int32)
        return others[:: max(1, -(-len(others) // _MOST_OTHERS))]

    def _temperature(
        self,
        head: RidgeHead,
        rows: Rows,
        positions: Rows,
        audit: Rows | None,
        others: NDArray[np.float32],
    ) -> float:
        """From labels whose class others have, too, and if enough of them were audited from these alone; not from
        those that the network of the features was trained on, unless there are no others."""
        asked = np.flatnonzero(np.bincount(positions)[positions] > 1)
        if self.by_heart is not None and not self.by_heart[rows[asked]].all():
            asked = asked[~self.by_heart[rows[asked]]]
        audited = np.zeros(0, np.intp) if audit is None else asked[np.isin(rows[asked], audit)]
        drawn = len(audited) >= _LEAST_AUDITED
        asked = audited if drawn else asked
        asked = asked[:: max(1, -(-len(asked) // _MOST_CALIBRATED))]
        groups = self._groups()
        groups = groups_held_out(positions, None if groups is None else groups[rows])
        points = self.points[rows]
        if len(rows) < _MOST_BY_PARTS:
            scores = held_out_by_parts(points, positions, head.weights.shape[1], groups, others)[asked]
        else:
            scores = head.held_out(points, positions, groups, asked.astype(np.int32))
        counts = np.ones(len(asked), np.float32)
        if not drawn and len(asked):
            some = self.points[:: -(-len(self) // _MOST_CALIBRATED)]
            counts = stands_for(margins_of(scores), margins_of(head.scores(some)))
        return best_temperature(scores, positions[asked], counts)

    def _groups(self) -> Rows | None:
        """Of all images: one that was added since `set_groups` is in a group of its own."""
        if self.groups is None:
            return None
        added = len(self) - len(self.groups)
        first = int(self.groups.max(initial=0)) + 1
        own = np.arange(first, first + max(0, added), dtype=np.int32)
        return np.concatenate([self.groups[: len(self)], own])

    def neighbours(self, row: int, among: NDArray[np.bool_], count: int) -> Rows:
        """The images most alike, nearest first, without the image itself."""
        candidates = np.flatnonzero(among).astype(np.int32)
        candidates = candidates[candidates != row]
        squares = np.einsum("ij,ij->i", self.points, self.points)
        distances = (squares - 2 * (self.points @ self.points[row]))[candidates]
        if count < len(candidates):
            nearest = np.argpartition(distances, count)[:count]
            candidates, distances = candidates[nearest], distances[nearest]
        found: Rows = candidates[np.argsort(distances, kind="stable")]
        return found


def sample_of_labels(positions: Rows, most: int) -> NDArray[np.intp]:
    """Some labels at random, of each class as many as of any other, as far as it has as many; ascending."""
    order = np.random.default_rng(0).permutation(len(positions))
    order = order[np.argsort(positions[order], kind="stable")]
    counts = np.bincount(positions)
    ranks = np.empty(len(positions), np.int64)
    ranks[order] = np.arange(len(positions)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(np.argsort(ranks, kind="stable")[:most])


def _rescore(
    head: RidgeHead, points: NDArray[np.float32], temperature: float
) -> tuple[Rows, Rows, NDArray[np.float32], NDArray[np.float32]]:
    """Best and second class, probability of the best, and the margin of their scores, of all images."""
    count = len(points)
    best, second = np.empty(count, np.int32), np.empty(count, np.int32)
    confidences, margins = np.empty(count, np.float32), np.empty(count, np.float32)
    for start in range(0, count, BLOCK):
        block = slice(start, start + BLOCK)
        scores = head.scores(points[block])
        places = np.arange(len(scores))
        first = scores.argmax(axis=1)
        highest = scores[places, first]
        powers = np.exp((scores - highest[:, None]) / np.float32(temperature))
        scores[places, first] = -np.inf
        next_one = scores.argmax(axis=1)
        best[block], second[block] = first, next_one
        margins[block] = highest - scores[places, next_one]
        confidences[block] = 1 / powers.sum(axis=1)
    return best, second, confidences, margins
