"""The head of the live suggestions, and how sure it is."""

from typing import Any

import numpy as np
import pytest

from mia_tui.active import head as head_module
from mia_tui.active.calibration import best_temperature, stands_for
from mia_tui.active.head import RIDGE, RidgeHead, held_out_by_parts, margins_of, softmax

Array = Any

IMAGES, DIMS, CLASSES = 60, 20, 3


def labelled(seed: int = 0) -> tuple[Array, Array, Array]:
    """Points, positions of their classes (one of them rare), and groups of four."""
    random = np.random.default_rng(seed)
    positions = random.choice(CLASSES, IMAGES, p=[0.6, 0.3, 0.1]).astype(np.int32)
    middles = random.normal(0, 1, (CLASSES, DIMS))
    points = (middles[positions] + random.normal(0, 2, (IMAGES, DIMS))).astype(np.float32) / 10
    return points, positions, (np.arange(IMAGES) // 4).astype(np.int32)


def fitted_to(keep: Array, points: Array, positions: Array) -> Array:
    """Scores of all images by a head that was solved from some of them, with the weights that all labels had."""
    z = np.hstack([points, np.ones((len(points), 1))])
    weights = (len(positions) / CLASSES / np.bincount(positions))[positions]
    gram = z[keep].T @ (z[keep] * weights[keep, None]) + RIDGE * np.eye(z.shape[1])
    return z @ np.linalg.solve(gram, z[keep].T @ (weights[keep, None] * np.eye(CLASSES)[positions[keep]]))


def test_the_head_is_ridge_regression_with_classes_that_weigh_the_same() -> None:
    points, positions, _ = labelled()
    head = RidgeHead.fit(points, positions, CLASSES)
    wanted = fitted_to(np.ones(IMAGES, np.bool_), points, positions)
    assert np.allclose(head.scores(points), wanted, atol=1e-5)


def test_held_out_scores_are_those_of_a_head_that_never_saw_the_image() -> None:
    points, positions, _ = labelled()
    chosen = np.array([3, 17, 40], np.int32)
    found = RidgeHead.fit(points, positions, CLASSES).held_out(points, positions, None, chosen)
    for row, scores in zip(chosen, found, strict=True):
        assert np.allclose(scores, fitted_to(np.arange(IMAGES) != row, points, positions)[row], atol=1e-4)


@pytest.mark.parametrize("most_at_once", [256, 2])
def test_an_image_is_held_out_with_its_group(most_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_module, "_MOST_AT_ONCE", most_at_once)
    points, positions, groups = labelled()
    groups[-3:] = [90, 91, 92]  # of these each is alone
    chosen = np.array([59, 8, 9, 21], np.int32)
    found = RidgeHead.fit(points, positions, CLASSES).held_out(points, positions, groups, chosen)
    for row, scores in zip(chosen, found, strict=True):
        wanted = fitted_to(groups != groups[row], points, positions)[row]
        assert np.allclose(scores, wanted, atol=1e-4)


def test_images_without_a_label_that_lie_together_tell_where_a_class_ends() -> None:
    random = np.random.default_rng(4)
    of = np.arange(400, dtype=np.int32) % 2
    points = random.normal(0, 0.15, (400, 8)).astype(np.float32)
    points[:, 0] += of * 2 - 1
    points[:4, 1] += of[:4] * 2 - 1  # those with a label differ in something else, too, the others do not
    head = RidgeHead.fit(points[:4], of[:4], 2)
    taught = head.self_trained(4, points[4:])
    asked = np.array([[0.4, -0.8, 0, 0, 0, 0, 0, 0], [-0.4, 0.8, 0, 0, 0, 0, 0, 0]], np.float32)
    assert head.scores(asked).argmax(axis=1).tolist() == [0, 1]
    assert taught.scores(asked).argmax(axis=1).tolist() == [1, 0]


def test_a_head_stays_as_it_is_without_others_that_are_sure_or_with_very_many_labels() -> None:
    points, positions, _ = labelled()
    head = RidgeHead.fit(points, positions, CLASSES)
    assert head.self_trained(IMAGES, points[:0]) is head
    middle = -head.weights[-1:] @ np.linalg.pinv(head.weights[:-1])  # where all scores are alike
    assert head.self_trained(IMAGES, middle.astype(np.float32)) is head
    assert head.self_trained(10_000, points) is head


def test_what_a_label_taught_by_other_images_is_held_out_with_it() -> None:
    """Labels at random, each with copies that have none: a head that learned from these knows it by them."""
    random = np.random.default_rng(7)
    points = random.normal(0, 0.2, (40, 30)).astype(np.float32)
    positions = random.permutation(np.arange(40, dtype=np.int32) % 2)
    others = np.repeat(points, 10, axis=0)
    head = RidgeHead.fit(points, positions, 2).self_trained(40, others)
    everyone = np.arange(40, dtype=np.int32)
    known = head.held_out(points, positions, None, everyone).argmax(axis=1) == positions
    apart = held_out_by_parts(points, positions, 2, None, others).argmax(axis=1) == positions
    assert known.mean() > 0.75
    assert apart.mean() < 0.65


def test_groups_are_held_out_as_a_whole_by_parts_as_well() -> None:
    random = np.random.default_rng(8)
    points = np.repeat(random.normal(0, 0.2, (20, 30)), 4, axis=0).astype(np.float32)
    positions = np.repeat(random.permutation(np.arange(20, dtype=np.int32) % 2), 4)
    groups = np.repeat(np.arange(20, dtype=np.int32), 4)
    others = points[:0]
    one_by_one = held_out_by_parts(points, positions, 2, None, others).argmax(axis=1) == positions
    together = held_out_by_parts(points, positions, 2, groups, others).argmax(axis=1) == positions
    assert one_by_one.mean() > 0.9
    assert together.mean() < 0.7


def test_nothing_is_unknown_of_a_direction_with_many_labels_and_much_of_one_without() -> None:
    points = np.zeros((400, 2), np.float32)
    points[:, 0] = np.random.default_rng(2).normal(0, 1, 400)
    head = RidgeHead.fit(points, (points[:, 0] > 0).astype(np.int32), 2)
    axes = np.eye(2, dtype=np.float32)
    unknown = head.unknown(axes, axes)
    assert unknown[0, 0] < 0.01 and unknown[1, 1] > 0.9


def drawn(temperature: float, count: int, seed: int = 3) -> tuple[Array, Array]:
    """Scores, and classes that come true with the probabilities at this temperature."""
    random = np.random.default_rng(seed)
    scores = random.normal(0, 0.5, (count, CLASSES)).astype(np.float32)
    shares = softmax(scores / np.float32(temperature)).cumsum(axis=1)
    return scores, (random.random((count, 1)) > shares).sum(axis=1).clip(0, CLASSES - 1).astype(np.int32)


def test_the_temperature_makes_probabilities_come_true() -> None:
    scores, positions = drawn(0.4, 20_000)
    assert best_temperature(scores, positions, np.ones(20_000, np.float32)) == pytest.approx(0.4, rel=0.1)


def test_few_labels_move_the_temperature_little() -> None:
    few = best_temperature(*drawn(1.5, 6), np.ones(6, np.float32))
    assert 0.12 < few < 0.3


def test_one_sure_mistake_that_stands_for_many_images_leaves_the_temperature_as_it_was() -> None:
    scores, positions = drawn(0.15, 150)
    counts = np.ones(150, np.float32)
    before = best_temperature(scores, positions, counts)
    surest = int(margins_of(scores).argmax())
    counts[surest] = 10
    positions[surest] = (positions[surest] + 1) % CLASSES
    assert best_temperature(scores, positions, counts) < 1.4 * before


def test_the_few_labels_with_a_large_margin_stand_for_the_many_images_that_have_one() -> None:
    of_all = np.linspace(0, 1, 1000, dtype=np.float32)
    chosen = np.concatenate([np.linspace(0, 0.19, 90), np.linspace(0.2, 1, 10)]).astype(np.float32)
    counts = stands_for(chosen, of_all)
    assert counts[:90].sum() / counts.sum() == pytest.approx(0.2, abs=0.05)
    assert margins_of(np.array([[0.1, 0.9, 0.6]], np.float32)) == pytest.approx(0.3)
