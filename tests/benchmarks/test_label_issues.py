"""How many of flipped labels the queue of label issues has at its beginning, and how honest the intervals are.

Prints, asserts none. The features are a file of numpy with `x`, float (N, dims), and `y`, names of N classes, named
by MIA_TUI_FEATURES (of microscope images of blood cells when the figures in the docstrings were measured); without
it points around random centres.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mia_tui.active.audit import estimate
from mia_tui.active.directions import directions
from mia_tui.active.duplicates import different_duplicates
from mia_tui.active.head import RidgeHead, softmax
from mia_tui.active.label_issues import label_issues
from mia_tui.active.outlook import learning_curve, outlook
from mia_tui.active.reduction import Reduction
from mia_tui.active.unfamiliar import unfamiliarity

pytestmark = pytest.mark.benchmark

SEEDS = range(10)
FLIPPED = 0.05

Points = NDArray[np.float32]
Labels = NDArray[np.int32]


def measured() -> tuple[Points, Labels]:
    name = os.environ.get("MIA_TUI_FEATURES")
    if name is not None:
        with np.load(Path(name)) as file:
            features, names = file["x"].astype(np.float16), file["y"]
    else:
        rng = np.random.default_rng(0)
        names = rng.integers(3, size=1200)
        features = (rng.normal(size=(3, 300))[names] + 3 * rng.normal(size=(1200, 300))).astype(np.float16)
    return Reduction(features).apply(features), np.unique(names, return_inverse=True)[1].astype(np.int32)


def flipped(labels: Labels, seed: int) -> tuple[Labels, NDArray[np.bool_]]:
    """Labels of which some are another class at random, and which."""
    rng, classes = np.random.default_rng(seed), int(labels.max()) + 1
    wrong = np.zeros(len(labels), np.bool_)
    wrong[rng.choice(len(labels), round(FLIPPED * len(labels)), replace=False)] = True
    others = (labels + rng.integers(1, classes, len(labels))) % classes
    return np.where(wrong, others, labels).astype(np.int32), wrong


def held_out(points: Points, labels: Labels) -> NDArray[np.float32]:
    """Scores of each image by heads that did not learn from it."""
    head = RidgeHead.fit(points, labels, int(labels.max()) + 1)
    return head.held_out(points, labels, None, np.arange(len(points), dtype=np.int32))


def ours(points: Points, labels: Labels) -> NDArray[np.intp]:
    return label_issues(points, np.arange(len(points), dtype=np.int32), labels).rows.astype(np.intp)


def by_confidence(points: Points, labels: Labels) -> NDArray[np.intp]:
    """Plain self-confidence: the held-out probability of the label."""
    shares = softmax(held_out(points, labels) / np.float32(0.1))
    return np.argsort(shares[np.arange(len(labels)), labels], kind="stable")


def confident_learning(points: Points, labels: Labels) -> NDArray[np.intp]:
    """Northcutt 2021: probabilities against the mean of those of their class, then the margin."""
    shares = softmax(held_out(points, labels) / np.float32(0.1))
    usual = np.array([shares[labels == each, each].mean() for each in range(shares.shape[1])])
    shares, rows = shares / usual, np.arange(len(labels))
    own = shares[rows, labels].copy()
    shares[rows, labels] = -np.inf
    return np.argsort(own - shares.max(axis=1), kind="stable")


def by_neighbours(points: Points, labels: Labels) -> NDArray[np.intp]:
    """How many of the 10 nearest neighbours have the same label."""
    squares = np.square(points).sum(axis=1)
    distances = squares[:, None] + squares - 2 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    nearest = np.argpartition(distances, 10, axis=1)[:, :10]
    return np.argsort((labels[nearest] == labels[:, None]).sum(axis=1), kind="stable")


def at_random(points: Points, labels: Labels) -> NDArray[np.intp]:
    return np.random.default_rng(int(labels.sum())).permutation(len(points))


ORDERS: dict[str, Callable[[Points, Labels], NDArray[np.intp]]] = {
    "label issues": ours,
    "self-confidence": by_confidence,
    "confident learning": confident_learning,
    "10 neighbours": by_neighbours,
    "random order": at_random,
}


def test_flipped_labels_at_the_beginning_of_the_queue() -> None:
    points, labels = measured()
    print(
        f"\n{len(points):,} images, {FLIPPED:.0%} of the labels flipped, {len(SEEDS)} seeds; least in brackets"
    )
    for name, order in ORDERS.items():
        tenth, twentieth, seconds = [], [], []
        for seed in SEEDS:
            said, wrong = flipped(labels, seed)
            start = time.perf_counter()
            queue = order(points, said)
            seconds.append(time.perf_counter() - start)
            found = wrong[queue].cumsum() / wrong.sum()
            tenth.append(found[int(np.ceil(0.1 * len(points))) - 1])
            twentieth.append(found[int(np.ceil(0.055 * len(points))) - 1])
        print(
            f"{name:20} first tenth {np.mean(tenth):5.1%} ({min(tenth):5.1%})   "
            f"first 5.5 % {np.mean(twentieth):5.1%} ({min(twentieth):5.1%})   {1000 * np.median(seconds):.0f} ms"
        )


def right(
    points: Points, labels: Labels, learned: NDArray[np.intp], tried: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Which of some images a head says right that learned from others."""
    head = RidgeHead.fit(points[learned], labels[learned], int(labels.max()) + 1)
    return np.asarray(head.scores(points[tried]).argmax(axis=1) == labels[tried])


@pytest.mark.parametrize(("count", "more"), [(60, 40), (100, 100), (180, 40), (300, 300)])
def test_how_often_intervals_hold_the_truth(count: int, more: int) -> None:
    points, labels = measured()
    audits, outlooks, errors = [], [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(labels))
        left = order[count:]
        audited = rng.choice(left, 40, replace=False)
        found = estimate(int(right(points, labels, order[:count], audited).sum()), 40, len(left))
        truth = right(points, labels, order[:count], left).mean()
        audits.append(found.low <= truth <= found.high)
        curve = learning_curve(points[order[:count]], labels[order[:count]])
        then = outlook(found, curve, more, count)
        if then.share is not None:
            truth = right(points, labels, order[: count + more], order[count + more :]).mean()
            outlooks.append(then.low <= truth <= then.high)
            errors.append(then.share - truth)
    told = f"{len(outlooks)} told, {np.mean(outlooks):.0%} hold the truth, error {np.mean(errors):+.3f} "
    told += f"± {np.std(errors):.3f}"
    print(
        f"\n{count} labels, 40 audited, 60 seeds: {np.mean(audits):.0%} of the intervals hold the truth; ",
        end="",
    )
    print(f"{more} more: {told if outlooks else 'never told'}")


def test_a_hundred_thousand_images() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3000, 256)) * np.geomspace(1, 0.02, 256)
    points = np.repeat(centres, 34, axis=0)[:100_000] + 0.1 * rng.normal(size=(100_000, 256))
    points = ((points - points.mean(axis=0)) / np.sqrt(np.square(points).sum(axis=1).mean())).astype(
        np.float32
    )
    rows = np.arange(100_000, dtype=np.int32)
    labels = (rows // 34 % 3).astype(np.int32)
    labels[::50] = (labels[::50] + 1) % 3
    start = time.perf_counter()
    vectors = directions(points)
    timed = [("directions", time.perf_counter() - start)]
    for name, do in (
        ("label issues of all", lambda: label_issues(points, rows, labels)),
        ("unfamiliar by 300 labels", lambda: unfamiliarity(vectors, rows[::333])),
        ("duplicates among all", lambda: different_duplicates(vectors, rows, labels)),
    ):
        start = time.perf_counter()
        do()
        timed.append((name, time.perf_counter() - start))
    print("\n100,000 images: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in timed))
