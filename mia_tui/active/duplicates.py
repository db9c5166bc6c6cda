"""Images that look nearly the same and have different labels: one of the two is wrong.

Exact copies are known by their content. Others are near-duplicates if their directions enclose a small angle: of 58
microscope images, saved again as JPEG of quality 75, made half as large, 5 % brighter or cut at two sides by 1 %, all
but one in twenty had a cosine distance of at most 0.033 from the original, cut by 6 % a median of 0.07; of the
nearest neighbours of 1,149 different cells 1 % were closer than 0.093. So the limit is 0.1, and less where images
look more alike than that.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.directions import Directions, cosines
from mia_tui.active.suggester import Rows

LIMIT = 0.1
"""The greatest cosine distance of near-duplicates."""

_MOST_PAIRS = 2000
_SAMPLE = 512  # images whose neighbours say how alike all are
_NEIGHBOUR = 5  # not the first: that may be a copy
_AT_ONCE = 2048  # images: what fits into a processor's memory is compared fastest
_PART = 1 / 3  # of the distance of that neighbour


@dataclass(frozen=True, eq=False)
class DuplicatePairs:
    """Pairs of labelled images that look nearly the same and have different labels, the nearest first.

    Attributes:
        first: Rows, int32, shape (P,).
        second: Rows, int32, shape (P,).
        distances: 1 - cosine, float32; 0 for exact copies.
        exact: Which are copies of the same content.
    """

    first: Rows
    second: Rows
    distances: NDArray[np.float32]
    exact: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.first)

    def without(self, left_out: NDArray[np.bool_]) -> "DuplicatePairs":
        """The same without pairs of which both images are left out, as those that were kept.

        Args:
            left_out: For each image that has features.
        """
        stays = ~(left_out[self.first] & left_out[self.second])
        return DuplicatePairs(self.first[stays], self.second[stays], self.distances[stays], self.exact[stays])


def different_duplicates(
    vectors: Directions,
    labelled: Rows,
    class_ids: Rows,
    contents: Rows | None = None,
    most: int = _MOST_PAIRS,
) -> DuplicatePairs:
    """Find near-duplicates with different labels, comparing some rows at a time: 100,000 take ten seconds of a core.

    Args:
        vectors: Of all images, shape (N, dims).
        labelled: Rows of the labelled images, each once.
        class_ids: Their classes.
        contents: Equal numbers for images of equal content, shape (N,); below 0 where that is not known.
        most: How many pairs, at most.
    """
    if not len(labelled):
        none = np.empty(0, np.int32)
        return DuplicatePairs(none, none, np.empty(0, np.float32), np.empty(0, np.bool_))
    order = np.argsort(class_ids, kind="stable")
    rows, classes = labelled[order], class_ids[order]
    own, least = vectors[rows], np.float32(1 - _limit(vectors))
    nearest = np.empty((0, 2), np.int32), np.empty(0, np.float32)
    ends = np.searchsorted(classes, np.unique(classes), side="right")
    for begin, end in zip((0, *ends[:-1].tolist()), ends.tolist(), strict=True):
        for beside in range(end, len(rows), _AT_ONCE):
            others = slice(beside, beside + _AT_ONCE)
            for start, found in cosines(own[begin:end], own[others]):
                here, there = np.divmod(np.flatnonzero(found.ravel() >= least), found.shape[1])
                pairs = np.stack([rows[begin + start + here], rows[beside + there]], axis=1)
                nearest = _nearest(nearest, pairs, 1 - found[here, there], most)
    same = _copies(labelled, class_ids, contents)
    pairs = np.concatenate([same, nearest[0]])
    distances = np.concatenate([np.zeros(len(same), np.float32), nearest[1]])
    once = np.ones(len(pairs), np.bool_)
    once[len(same) :] = ~_is_copy(nearest[0], contents)
    pairs, distances = pairs[once][:most], distances[once][:most]
    return DuplicatePairs(pairs[:, 0], pairs[:, 1], distances, _is_copy(pairs, contents))


_Found = tuple[NDArray[np.int32], NDArray[np.float32]]


def _nearest(known: _Found, pairs: NDArray[np.int32], distances: NDArray[np.float32], most: int) -> _Found:
    """The nearest of the pairs that are known and some more."""
    if not len(pairs):
        return known
    pairs, distances = np.concatenate([known[0], pairs]), np.concatenate([known[1], distances])
    order = np.argsort(distances, kind="stable")[:most]
    return pairs[order], distances[order]


def _limit(vectors: Directions) -> float:
    """`LIMIT`, or less where images look more alike: a third of the median distance of the fifth nearest."""
    sample = vectors[:: -(-len(vectors) // _SAMPLE)]
    beside = vectors[:: -(-len(vectors) // (8 * _SAMPLE))]
    if len(beside) <= _NEIGHBOUR:
        return LIMIT
    place = len(beside) - 1 - _NEIGHBOUR  # the nearest of all is the image itself
    fifth = [np.partition(found, place, axis=1)[:, place] for _, found in cosines(sample, beside)]
    return min(LIMIT, _PART * (1 - float(np.median(np.concatenate(fifth)))))


def _copies(labelled: Rows, class_ids: Rows, contents: Rows | None) -> NDArray[np.int32]:
    """Of each content with different labels, the first image of each class beside the first of all."""
    if contents is None:
        return np.empty((0, 2), np.int32)
    known = contents[labelled] >= 0
    rows, classes = labelled[known], class_ids[known]
    order = np.lexsort((rows, classes, contents[rows]))
    rows, classes = rows[order], classes[order]
    _, first, content = np.unique(contents[rows], return_index=True, return_inverse=True)
    begins = np.ones(len(rows), np.bool_)
    begins[1:] = (np.diff(content) != 0) | (np.diff(classes) != 0)
    begins[first] = False
    found = np.flatnonzero(begins)
    return np.stack([rows[first[content[found]]], rows[found]], axis=1).astype(np.int32)


def _is_copy(pairs: NDArray[np.int32], contents: Rows | None) -> NDArray[np.bool_]:
    if contents is None:
        return np.zeros(len(pairs), np.bool_)
    first, second = contents[pairs[:, 0]], contents[pairs[:, 1]]
    same: NDArray[np.bool_] = (first >= 0) & (first == second)
    return same
