"""Suggestions learned from features, the next images, pages."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mia_tui.active.choice import next_images
from mia_tui.active.pages import next_page
from mia_tui.active.suggester import Suggester

DIMS, IMAGES = 32, 300


def clusters() -> tuple[NDArray[np.float16], NDArray[np.int32]]:
    """Three groups of points, and which image is in which."""
    random = np.random.default_rng(1)
    of = random.integers(0, 3, IMAGES).astype(np.int32)
    features = random.normal(0, 1, (3, DIMS))[of] * 3 + random.normal(0, 1, (IMAGES, DIMS))
    return features.astype(np.float16), of


def suggester() -> tuple[Suggester, NDArray[np.int32]]:
    features, of = clusters()
    made = Suggester(DIMS)
    made.add(features[:200])
    made.add(features[200:])
    return made, of


def test_a_few_labels_give_the_class_of_all_images_and_how_sure_that_is() -> None:
    made, of = suggester()
    rows = np.arange(30, dtype=np.int32)
    learned = made.learn(rows, of[rows] * 10 + 5)
    assert learned.classes.tolist() == [5, 15, 25]
    assert (learned.best == of).mean() > 0.95
    shares = learned.probabilities(rows)
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert np.allclose(shares.max(axis=1), learned.confidences[rows])


@pytest.mark.parametrize(
    ("shares", "spread", "wrong", "labels"),
    [
        (np.full(50, 1 / 50), 1.5, 0, 100),
        (0.6 ** np.arange(10) / (0.6 ** np.arange(10)).sum(), 2, 0, 40),
        (np.array([0.6, 0.3, 0.09, 0.01]), 2.5, 0, 20),
        (np.full(5, 1 / 5), 2.5, 0.2, 60),
    ],
    ids=["many classes", "a long tail", "a rare class", "wrong labels"],
)
def test_what_images_without_a_label_teach_does_more_good_than_harm(
    shares: NDArray[np.float64], spread: float, wrong: float, labels: int
) -> None:
    found = np.array([right_by_class(shares, spread, wrong, labels, seed) for seed in range(4)])
    by_labels, by_all = found.mean(axis=0)
    assert by_all >= by_labels


def right_by_class(
    shares: NDArray[np.float64], spread: float, wrong: float, labels: int, seed: int
) -> tuple[float, float]:
    """The share of right suggestions, mean of all classes: by a head that learned from labels alone, and by both."""
    random = np.random.default_rng(seed)
    of = random.choice(len(shares), 800, p=shares).astype(np.int32)
    features = random.normal(0, 1, (len(shares), 60))[of] + spread * random.normal(0, 1, (800, 60))
    made = Suggester(60)
    made.add(features.astype(np.float16))
    firsts = np.unique(of, return_index=True)[1]
    rows = np.concatenate([firsts, np.setdiff1d(np.arange(800), firsts)[:labels]]).astype(np.int32)
    said = np.where(random.random(len(rows)) < wrong, random.integers(0, len(shares), len(rows)), of[rows])
    learned = made.learn(rows, said.astype(np.int32))
    left = np.setdiff1d(np.arange(800), rows)

    def mean_of_classes(best: NDArray[np.intp]) -> float:
        right = learned.classes[best] == of[left]
        return float(np.mean([right[of[left] == each].mean() for each in np.unique(of[left])]))

    by_labels = learned.labels_head.scores(made.points[left]).argmax(axis=1)
    return mean_of_classes(by_labels), mean_of_classes(learned.best[left].astype(np.intp))


def test_frames_of_a_labelled_stack_are_not_learned_from_as_if_they_were_others() -> None:
    made, of = suggester()
    rows = np.arange(0, IMAGES, 10, dtype=np.int32)
    made.set_groups((np.arange(IMAGES) // 10).astype(np.int32))
    learned = made.learn(rows, of[rows])
    assert learned.head is learned.labels_head


def test_labels_of_one_class_teach_nothing() -> None:
    made, _ = suggester()
    with pytest.raises(ValueError):
        made.learn(np.array([0, 1], np.int32), np.array([4, 4], np.int32))


def test_the_start_has_images_of_all_kinds() -> None:
    made, of = suggester()
    first = next_images(made, None, np.ones(IMAGES, np.bool_), 6)
    assert len(set(first.tolist())) == 6
    assert set(of[first]) == {0, 1, 2}


def test_a_page_has_images_of_one_class_that_may_be_chosen_the_surest_first() -> None:
    made, of = suggester()
    rows = np.arange(30, dtype=np.int32)
    learned = made.learn(rows, of[rows])
    among = np.ones(IMAGES, np.bool_)
    among[:30] = False
    page = next_page(learned, among, 24)
    assert page is not None
    assert len(page.rows) == 24 and page.rows.min() >= 30
    assert (of[page.rows] == page.class_id).mean() > 0.9
    assert np.all(np.diff(learned.confidences[page.rows]) <= 0)
    assert next_page(learned, np.zeros(IMAGES, np.bool_), 24) is None


def test_neighbours_are_of_the_same_kind() -> None:
    made, of = suggester()
    found = made.neighbours(7, np.ones(IMAGES, np.bool_), 12)
    assert 7 not in found and (of[found] == of[7]).all()


ALL = np.ones(IMAGES, np.bool_)


def test_points_are_the_same_whether_images_came_at_once_or_in_parts() -> None:
    features, _ = clusters()
    at_once, in_parts = Suggester(DIMS), Suggester(DIMS)
    at_once.add(features)
    for start in range(0, IMAGES, 7):
        in_parts.add(features[start : start + 7])
    assert len(in_parts) == IMAGES
    both = (at_once.neighbours(7, ALL, 20), in_parts.neighbours(7, ALL, 20))
    assert len(set(both[0].tolist()) & set(both[1].tolist())) > 10


def test_axes_are_of_all_images_even_if_the_first_were_all_alike() -> None:
    features, of = clusters()
    features = features[np.argsort(of, kind="stable")]
    of = np.sort(of)
    made = Suggester(DIMS)
    made.add(features[:1])
    for start in range(1, IMAGES, 11):
        made.add(features[start : start + 11])
    rows = np.arange(0, IMAGES, 10, dtype=np.int32)
    assert (made.learn(rows, of[rows]).best == of).mean() > 0.95


def test_what_was_learned_stays_as_it_was_while_images_are_added() -> None:
    features, of = clusters()
    made = Suggester(DIMS)
    made.add(features[:150])
    rows = np.arange(30, dtype=np.int32)
    learned = made.learn(rows, of[rows])
    before = learned.probabilities(np.arange(150, dtype=np.int32))
    made.add(features[150:160])
    made.add(features[160:])
    assert np.array_equal(learned.probabilities(np.arange(150, dtype=np.int32)), before)
    assert len(learned.best) == 150 and len(made.learn(rows, of[rows]).best) == IMAGES
    assert next_images(made, learned, np.ones(IMAGES, np.bool_), 3).max() < 150
    assert next_page(learned, np.ones(IMAGES, np.bool_), 300).rows.max() < 150  # type: ignore[union-attr]


def test_features_of_another_network_are_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        Suggester(DIMS).add(np.zeros((3, DIMS + 1), np.float16))


@pytest.mark.parametrize("broken", [0.0, np.nan, np.inf])
def test_numbers_that_are_constant_or_broken_hurt_no_suggestion(broken: float) -> None:
    features, of = clusters()
    features[:, 3] = broken
    features[11] = broken
    made = Suggester(DIMS)
    made.add(features)
    rows = np.arange(40, dtype=np.int32)
    learned = made.learn(rows, of[rows])
    assert np.isfinite(made.points).all() and np.isfinite(learned.confidences).all()
    assert (learned.best == of).mean() > 0.95


def test_images_that_are_all_the_same_have_suggestions_without_meaning() -> None:
    made = Suggester(DIMS)
    made.add(np.ones((5, DIMS), np.float16))
    learned = made.learn(np.array([0, 1], np.int32), np.array([1, 2], np.int32))
    assert np.allclose(learned.confidences, 0.5, atol=0.01)
    assert len(next_images(made, learned, np.ones(5, np.bool_), 9)) == 5
    assert len(set(next_images(made, None, np.ones(5, np.bool_), 9).tolist())) == 5


def test_a_label_that_is_taken_back_or_changed_is_forgotten() -> None:
    made, of = suggester()
    rows = np.arange(40, dtype=np.int32)
    changed = of[rows].copy()
    changed[:5] = 7
    made.learn(rows, changed)
    again = made.learn(rows[5:], of[rows[5:]])
    fresh, _ = suggester()
    assert again.classes.tolist() == [0, 1, 2]
    assert np.array_equal(again.confidences, fresh.learn(rows[5:], of[rows[5:]]).confidences)


def test_a_thousand_classes_with_one_or_two_labels_each() -> None:
    random = np.random.default_rng(4)
    of = np.repeat(np.arange(1000, dtype=np.int32), 2)
    middles = random.normal(0, 3, (1000, 64))
    made = Suggester(64)
    made.add((middles[of] + random.normal(0, 0.3, (2000, 64))).astype(np.float16))
    rows = np.concatenate([np.arange(0, 2000, 2), [1]]).astype(np.int32)
    learned = made.learn(rows, of[rows])
    assert (learned.best == of).mean() > 0.95
    assert (learned.best != learned.second).all()


def test_the_next_images_are_those_in_doubt() -> None:
    made, of = suggester()
    rows = np.flatnonzero(of < 2)[:30].astype(np.int32)
    learned = made.learn(rows, of[rows])
    free = ALL.copy()
    free[rows] = False
    assert (of[next_images(made, learned, free, 8)] == 2).mean() > 0.5  # the class that has no label yet


def test_choices_never_repeat_and_only_come_from_those_allowed() -> None:
    made, of = suggester()
    rows = np.arange(30, dtype=np.int32)
    among = np.zeros(IMAGES, np.bool_)
    among[200:260] = True
    for learned in (None, made.learn(rows, of[rows])):
        found = next_images(made, learned, among, 100)
        assert sorted(found.tolist()) == list(range(200, 260))
        assert not len(next_images(made, learned, np.zeros(IMAGES, np.bool_), 4))


def test_frames_of_one_stack_do_not_come_one_after_the_other() -> None:
    random = np.random.default_rng(5)
    features = random.normal(0, 1, (IMAGES, DIMS))
    features[:60] = random.normal(0, 1, (6, DIMS)).repeat(10, axis=0) + random.normal(0, 0.4, (60, DIMS))
    made = Suggester(DIMS)
    made.add(features.astype(np.float16))
    groups = np.arange(IMAGES, dtype=np.int32)
    groups[:60] = -1 - np.arange(6, dtype=np.int32).repeat(10)
    made.set_groups(groups)
    rows = np.arange(100, 140, dtype=np.int32)
    learned = made.learn(rows, (features[rows, 0] > 0).astype(np.int32))
    frames = np.zeros(IMAGES, np.bool_)
    frames[:60] = True
    assert len(set(groups[next_images(made, learned, frames, 6)])) == 6


def test_classes_that_are_groups_do_not_make_all_suggestions_unsure() -> None:
    """As plates of one treatment each: held out with its group, each label would be a mistake."""
    made, of = suggester()
    rows = np.arange(60, dtype=np.int32)
    plain = made.learn(rows, of[rows]).temperature
    made.set_groups(of.astype(np.int32))
    assert made.learn(rows, of[rows]).temperature < 1.5 * plain


def test_of_very_many_labels_a_sample_is_learned_from_which_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mia_tui.active.suggester.MOST_LEARNED", 60)
    made, of = suggester()
    rows = np.concatenate(
        [np.flatnonzero(of == 0)[:70], np.flatnonzero(of == 1)[:70], np.flatnonzero(of == 2)[:4]]
    )
    learned = made.learn(rows.astype(np.int32), of[rows])
    assert learned.sampled and learned.labels == len(rows) and len(learned.rows) == 60
    assert np.bincount(learned.positions).tolist() == [28, 28, 4]
    assert (learned.best == of).mean() > 0.9


def test_an_audit_alone_says_how_sure_suggestions_are() -> None:
    made, of = suggester()
    random = np.random.default_rng(6)
    rows = np.arange(120, dtype=np.int32)
    said = of[rows].copy()
    audit = rows[60:]
    said[audit] = random.integers(0, 3, 60)  # at random the suggestions are right by chance only
    assert made.learn(rows, said, audit).temperature > made.learn(rows, said, rows[:60]).temperature


def test_the_page_with_the_fewest_expected_presses_comes_first() -> None:
    made, of = suggester()
    rows = np.arange(30, dtype=np.int32)
    learned = made.learn(rows, of[rows])
    among = np.zeros(IMAGES, np.bool_)
    among[np.flatnonzero(of == 0)[-3:]] = True
    among[np.flatnonzero(of == 1)[-20:]] = True
    page = next_page(learned, among, 24)
    assert page is not None and page.class_id == 1
    assert page.presses == pytest.approx((1 + len(page.rows) - page.right) / len(page.rows))
    other = next_page(learned, among, 24, class_id=0)
    assert other is not None and other.class_id == 0 and len(other.rows) == 3
    assert next_page(learned, among, 24, class_id=99) is None
