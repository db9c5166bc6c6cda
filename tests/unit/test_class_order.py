"""The order of classes in a confusion matrix: those that are confused are neighbours."""

import itertools

import numpy as np

from mia_tui.runs.evaluation.class_order import MOST_ORDERED, likeness_order


def counts_of(groups: list[int], *, seed: int = 0) -> np.ndarray:
    """A matrix in which only classes of one group are confused."""
    rng = np.random.default_rng(seed)
    same = np.equal.outer(groups, groups)
    counts = np.where(same, rng.integers(1, 9, same.shape), 0)
    np.fill_diagonal(counts, rng.integers(50, 90, len(groups)))
    return counts


def test_without_a_confusion_classes_stay_in_their_order() -> None:
    assert likeness_order(np.diag([3, 0, 5, 1])) == (0, 1, 2, 3)
    assert likeness_order(np.zeros((3, 3), np.int64)) == (0, 1, 2)


def test_two_that_are_confused_become_neighbours_whichever_of_them_is_the_truth() -> None:
    counts = np.diag([10, 10, 10, 10])
    counts[3, 0] = 4
    assert likeness_order(counts) == likeness_order(counts.T) == (0, 3, 1, 2)


def test_every_group_of_classes_that_are_confused_stands_together() -> None:
    for seed in range(5):
        groups = np.random.default_rng(seed).integers(0, 12, 60).tolist()
        order = likeness_order(counts_of(groups, seed=seed))
        assert sorted(order) == list(range(60))
        seen = [groups[place] for place in order]
        changes = sum(before != after for before, after in itertools.pairwise(seen))
        assert changes == len(set(groups)) - 1


def test_a_small_class_that_is_confused_often_counts_as_much_as_a_large_one() -> None:
    counts = np.diag([1000, 1000, 4])
    counts[0, 1], counts[2, 1] = 20, 4  # half of the small class, a fiftieth of the large one
    order = likeness_order(counts)
    assert abs(order.index(2) - order.index(1)) == 1


def test_of_very_many_classes_the_order_stays_as_it_is() -> None:
    size = MOST_ORDERED + 1
    counts = np.zeros((size, size), np.int64)
    counts[5, 0] = 3
    assert likeness_order(counts) == tuple(range(size))
