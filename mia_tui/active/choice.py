"""Which images are the most useful to label: a representative start, then those that settle the most doubt.

At first the image in the middle of each of ten clusters (k-means), those first of which least is labelled. Then, of
the images with the smallest margins, the one that is most in doubt itself and whose label would tell most about all
others in doubt: u_i times the sum over a sample of images j of u_j cov(i, j)² / (var(i) + λ), where u is how
undecided an image is, and cov what the head does not know of the two (the reduction of variance of Cohn, Ghahramani
and Jordan 1996, weighed by doubt). Look-alikes of labelled images, and outliers that are like nothing else, tell
little, so they come late; after each choice the covariance is what it would be with that label, which spreads the
choices. Those made at once come from different groups as long as there are any.

Measured on blood cells, drawn cells and digits with and without a long tail: the smallest margin alone, margin times
distance to neighbours, and the reduction of variance without the doubt of the image itself were as good or worse.
"""

import numpy as np
from numpy.typing import NDArray

from mia_tui.active.head import RIDGE
from mia_tui.active.suggester import Learned, Rows, Suggester

_CLUSTERS = 10  # as many labels are representative ones, the other choices need some that are
_MOST_CLUSTERED = 1024
_MAIN_AXES = 64  # that clusters are found on
_ROUNDS = 8

_CANDIDATES = 64  # least sure images that are compared, and as many for each image that is asked for
_MOST_CANDIDATES = 1024
_SAMPLE = 512  # of all images
_UNDECIDED = 0.1  # margin at which an image counts for a third of one that is wholly undecided


def next_images(suggester: Suggester, learned: Learned | None, among: NDArray[np.bool_], count: int) -> Rows:
    """The most useful images to label, the best first.

    Args:
        suggester: With the points of all images.
        learned: From the labels that there are; None before there are labels of two classes.
        among: Which images may be chosen, shape (N,): those without a label.
        count: How many, at most.
    """
    if learned is not None:
        among = among[: len(learned.best)]  # those added since know of no label
    candidates = np.flatnonzero(among).astype(np.int32)
    if not len(candidates) or count < 1:
        return candidates[:0]
    if learned is None or learned.labels < _CLUSTERS:
        return _representative(suggester, among, candidates, count)
    most = min(_MOST_CANDIDATES, max(_CANDIDATES, count * 8))
    if len(candidates) > most:
        margins = learned.margins[candidates]
        candidates = candidates[np.argpartition(margins, most)[:most]]
    return _telling(learned, candidates, count)


def _telling(learned: Learned, candidates: Rows, count: int) -> Rows:
    """Those that would tell most about all images, one after the other."""
    points = learned.points
    sample = _evenly(len(points), _SAMPLE)
    doubts = np.exp(-learned.margins[sample] / _UNDECIDED)
    own_doubts = np.exp(-learned.margins[candidates] / _UNDECIDED)
    one, others = points[candidates], points[sample]
    about_all = learned.labels_head.unknown(one, others)
    about_each = learned.labels_head.unknown(one, one)
    often = _often_asked(learned, candidates)
    groups = None if learned.groups is None else learned.groups[candidates]
    chosen: list[int] = []
    left = np.ones(len(candidates), np.bool_)
    taken = np.zeros(len(candidates), np.int32)  # of the group of each
    while len(chosen) < min(count, len(candidates)):
        variances = np.maximum(np.diagonal(about_each), 0) + RIDGE
        gains = own_doubts * (np.square(about_all) @ doubts) / variances / often
        fewest = left & (taken == taken[left].min())
        pick = int(np.where(fewest, gains, -1).argmax())
        chosen.append(pick)
        left[pick] = False
        if groups is not None:
            taken += groups == groups[pick]
        toward = about_each[:, pick] / variances[pick]
        about_all = about_all - np.outer(toward, about_all[pick])
        about_each = about_each - np.outer(toward, about_each[pick])
    return candidates[chosen]


def _often_asked(learned: Learned, candidates: Rows) -> NDArray[np.float32]:
    """How many times more labels the group of an image has than images at random would have given it; at least 1."""
    if learned.groups is None:
        return np.ones(len(candidates), np.float32)
    _, numbers = np.unique(learned.groups, return_inverse=True)
    images = np.bincount(numbers)
    labels = np.bincount(numbers[learned.rows], minlength=len(images))
    ratios = (1 + labels) / (1 + images * (len(learned.rows) / len(numbers)))
    found: NDArray[np.float32] = np.maximum(ratios, 1)[numbers[candidates]].astype(np.float32)
    return found


def _representative(suggester: Suggester, among: NDArray[np.bool_], candidates: Rows, count: int) -> Rows:
    """The middle of each of a few clusters, then of four times as many, and so on; see `_middles`."""
    points = suggester.points[:, :_MAIN_AXES]
    some = _evenly_of(candidates, _MOST_CLUSTERED)
    taken = _evenly_of(np.flatnonzero(~among), _MOST_CLUSTERED)
    sample = points[_evenly(len(points), _MOST_CLUSTERED)]
    chosen = np.empty(0, np.int32)
    clusters = _CLUSTERS
    while len(chosen) < min(count, len(some)):
        if clusters >= len(sample):
            return np.concatenate([chosen, np.setdiff1d(some, chosen)])[:count]
        left = np.setdiff1d(some, chosen)
        centres = _k_means(sample, clusters)
        found = _middles(points, centres, sample, left, np.concatenate([taken, chosen]))
        chosen = np.concatenate([chosen, found[: count - len(chosen)]])
        clusters *= 4
    return chosen


def _middles(
    points: NDArray[np.float32],
    centres: NDArray[np.float32],
    sample: NDArray[np.float32],
    rows: Rows,
    taken: Rows,
) -> Rows:
    """The image nearest to each centre, first of clusters of which least was taken, and of these of the largest."""
    sizes = np.bincount(_nearest(sample, centres), minlength=len(centres))
    used = np.bincount(_nearest(points[taken], centres), minlength=len(centres))
    mine = _nearest(points[rows], centres)
    found = []
    for cluster in _order(centres, sizes, used):
        members = rows[mine == cluster]
        if len(members):
            distances = np.square(points[members] - centres[cluster]).sum(axis=1)
            found.append(int(members[distances.argmin()]))
    return np.array(found, np.int32)


def _order(centres: NDArray[np.float32], sizes: NDArray[np.intp], used: NDArray[np.intp]) -> list[int]:
    """Clusters: those of which least was taken first; of these the largest, if it is the first of all, else the one
    farthest from all before."""
    found = np.flatnonzero(used > used.min()).tolist()
    before = len(found)
    if not found:
        found.append(int(sizes.argmax()))
    distances = np.square(centres[:, None] - centres[None]).sum(axis=2)
    while len(found) < len(centres):
        nearest = distances[found].min(axis=0)
        nearest[found] = -1
        found.append(int(nearest.argmax()))
    return found[before:] + found[:before]


def _k_means(points: NDArray[np.float32], clusters: int) -> NDArray[np.float32]:
    """Centres, shape (clusters, dims): k-means++ (Arthur and Vassilvitskii 2007), then Lloyd's rounds."""
    random = np.random.default_rng(0)
    centres: NDArray[np.float32] = points[random.integers(len(points))][None]
    distances = np.square(points - centres[0]).sum(axis=1).astype(np.float64)
    while len(centres) < min(clusters, len(points)) and distances.sum() > 0:
        found = points[random.choice(len(points), p=distances / distances.sum())]
        centres = np.concatenate([centres, found[None]])
        distances = np.minimum(distances, np.square(points - found).sum(axis=1))
    for _ in range(_ROUNDS):
        mine = _nearest(points, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, mine, points)
        sizes = np.bincount(mine, minlength=len(centres))[:, None]
        middles: NDArray[np.float32] = (sums / np.maximum(sizes, 1)).astype(np.float32)
        centres = np.where(sizes > 0, middles, centres)
    return centres


def _nearest(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.intp]:
    nearest: NDArray[np.intp] = np.argmin(np.square(centres).sum(axis=1) - 2 * (points @ centres.T), axis=1)
    return nearest


def _evenly(images: int, most: int) -> NDArray[np.intp]:
    return np.linspace(0, images - 1, min(images, most)).astype(np.intp)


def _evenly_of(rows: NDArray[np.int32] | NDArray[np.intp], most: int) -> Rows:
    found: Rows = rows[_evenly(len(rows), most)].astype(np.int32)
    return found
