"""Labels that look wrong, near-duplicates with different labels, outliers and unfamiliar images, on points alone."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mia_tui.active.directions import directions
from mia_tui.active.duplicates import different_duplicates
from mia_tui.active.label_issues import label_issues
from mia_tui.active.unfamiliar import outliers, unfamiliarity

Rows = NDArray[np.int32]


def clouds(count: int, classes: int = 3, seed: int = 0, dims: int = 12) -> tuple[NDArray[np.float32], Rows]:
    """Points of classes that lie apart, centred, with a mean square length of 1; class ids are 10, 20, …"""
    rng = np.random.default_rng(seed)
    positions = rng.integers(classes, size=count)
    points = rng.normal(size=(classes, dims))[positions] * 2 + rng.normal(size=(count, dims))
    points -= points.mean(axis=0)
    points /= np.sqrt(np.square(points).sum(axis=1).mean())
    return points.astype(np.float32), (10 * (positions + 1)).astype(np.int32)


def all_of(points: NDArray[np.float32]) -> Rows:
    return np.arange(len(points), dtype=np.int32)


def test_flipped_labels_come_first_with_what_they_were() -> None:
    points, class_ids = clouds(300)
    wrong = np.array([5, 77, 200])
    said = class_ids.copy()
    said[wrong] = class_ids[wrong] % 30 + 10
    issues = label_issues(points, all_of(points), said)
    assert set(issues.rows[:3]) == set(wrong.tolist())
    first = int(issues.rows[0])
    assert (issues.said[0], issues.suggested[0]) == (said[first], class_ids[first])
    assert issues.probabilities[0] > 0.9 > issues.said_probabilities[0]
    assert 3 <= issues.doubtful < 30 and len(issues) == 300


def test_only_the_labelled_images_are_ranked_by_their_own_rows() -> None:
    points, class_ids = clouds(200)
    rows = np.array([150, 3, 40, 90, 77, 180, 21, 66, 12, 9], np.int32)
    issues = label_issues(points, rows, class_ids[rows])
    assert sorted(issues.rows) == sorted(rows)
    assert dict(zip(issues.rows.tolist(), issues.said.tolist(), strict=True)) == {
        int(row): int(class_ids[row]) for row in rows
    }


def test_copies_do_not_speak_for_each_other() -> None:
    points, class_ids = clouds(120)
    said = class_ids.copy()
    points[100:120], said[100:120] = (
        points[0],
        class_ids[0] % 30 + 10,
    )  # one image, twenty times, wrong each time
    groups = all_of(points).copy()
    groups[100:120] = 100
    alone = label_issues(points, all_of(points), said)
    together = label_issues(points, all_of(points), said, groups)
    assert set(together.rows[:20]) == set(range(100, 120))
    assert set(alone.rows[:20]) != set(range(100, 120))


def test_what_was_kept_is_left_out() -> None:
    points, class_ids = clouds(60)
    issues = label_issues(points, all_of(points), class_ids)
    kept = np.zeros(60, np.bool_)
    kept[issues.rows[:2]] = True
    left = issues.without(kept)
    assert left.rows.tolist() == issues.rows[2:].tolist()
    assert left.probabilities.tolist() == issues.probabilities[2:].tolist()


def test_labels_of_one_class_are_refused() -> None:
    points, _ = clouds(10)
    with pytest.raises(ValueError, match="two classes"):
        label_issues(points, all_of(points), np.full(10, 7, np.int32))


def test_a_near_duplicate_with_another_label_is_found_and_one_with_the_same_is_not() -> None:
    points, class_ids = clouds(400, dims=40)
    points = np.concatenate([points, points[:2] + np.float32(0.003)])
    class_ids = np.append(class_ids, [class_ids[0] % 30 + 10, class_ids[1]]).astype(np.int32)
    pairs = different_duplicates(directions(points), all_of(points), class_ids)
    assert {*zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)} <= {(0, 400), (400, 0)}
    assert len(pairs) == 1 and pairs.distances[0] < 0.01 and not pairs.exact[0]


def test_exact_copies_come_first_and_once() -> None:
    points, class_ids = clouds(100, dims=40)
    points[[50, 51, 52]] = points[10]
    class_ids[[10, 50, 51, 52]] = [10, 20, 20, 30]
    contents = np.full(100, -1, np.int32)
    contents[[10, 50, 51, 52]] = 4
    pairs = different_duplicates(directions(points), all_of(points), class_ids, contents)
    found = list(zip(pairs.first.tolist(), pairs.second.tolist(), pairs.exact.tolist(), strict=True))
    assert found == [(10, 50, True), (10, 52, True)]
    assert pairs.distances.tolist() == [0, 0]


def test_many_duplicates_are_the_nearest_of_them() -> None:
    rng = np.random.default_rng(0)
    points, _ = clouds(300, dims=40)
    points = np.repeat(points, 4, axis=0) + rng.normal(0, 0.004, (1200, 40)).astype(np.float32)
    class_ids = np.tile([1, 2, 3, 4], 300).astype(np.int32)
    vectors = directions(points)
    few = different_duplicates(vectors, all_of(points), class_ids, most=50)
    many = different_duplicates(vectors, all_of(points), class_ids)
    assert len(few) == 50 and len(many) > 1000 and few.distances.tolist() == many.distances[:50].tolist()
    assert np.all(np.diff(many.distances) >= 0) and np.all(many.first // 4 == many.second // 4)


def test_classes_that_are_tight_are_not_all_duplicates() -> None:
    """Two clouds far apart: all within one are near to each other, compared with the others."""
    rng = np.random.default_rng(0)
    points = np.concatenate([np.full((150, 40), side) for side in (-1.0, 1.0)])
    points = (points + rng.normal(0, 0.05, points.shape)).astype(np.float32)
    pairs = different_duplicates(
        directions(points), all_of(points), (np.arange(300) % 2 + 1).astype(np.int32)
    )
    assert len(pairs) < 10


def test_a_pair_stays_until_both_of_its_images_were_kept() -> None:
    points, class_ids = clouds(50, dims=40)
    points[49], class_ids[49] = points[0], class_ids[0] % 30 + 10
    pairs = different_duplicates(directions(points), all_of(points), class_ids)
    kept = np.zeros(50, np.bool_)
    kept[0] = True
    assert len(pairs.without(kept)) == len(pairs) == 1
    kept[49] = True
    assert len(pairs.without(kept)) == 0


def test_no_labels_have_no_duplicates() -> None:
    points, _ = clouds(5)
    none = np.empty(0, np.int32)
    assert len(different_duplicates(directions(points), none, none)) == 0


def test_a_class_without_labels_is_unfamiliar() -> None:
    points, class_ids = clouds(900, classes=4, dims=20)
    unknown = class_ids == 40
    labelled = np.flatnonzero(~unknown)[::4].astype(np.int32)
    found = unfamiliarity(directions(points), labelled)
    assert found is not None and found.labels == len(labelled)
    assert (found.scores[unknown] > 1).mean() > 0.9
    assert (found.scores[~unknown] > 1).mean() < 0.05
    rows = found.rows(np.ones(900, np.bool_))
    assert np.all(np.diff(found.scores[rows]) <= 0) and not np.any(found.scores[rows] <= 1)


def test_about_one_labelled_image_in_a_hundred_is_beyond_the_limit() -> None:
    points, _ = clouds(800)
    found = unfamiliarity(directions(points), all_of(points))
    assert found is not None and (found.scores > 1).sum() == 8


def test_nothing_is_unfamiliar_while_there_are_few_labels() -> None:
    points, _ = clouds(50)
    assert unfamiliarity(directions(points), all_of(points)[:9]) is None
    assert len(outliers(directions(points), all_of(points)[:9])[0]) == 0


def test_a_copy_in_its_own_group_makes_no_image_familiar() -> None:
    points, _ = clouds(300, dims=20)
    odd = -3 * points[:6].mean(axis=0)
    points[290:] = odd + np.random.default_rng(2).normal(0, 0.01, (10, 20)).astype(np.float32)
    groups = all_of(points).copy()
    groups[290:] = 290
    vectors = directions(points)
    alone, together = unfamiliarity(vectors, all_of(points)), unfamiliarity(vectors, all_of(points), groups)
    assert alone is not None and together is not None
    assert together.scores[295] > alone.scores[295]


def test_one_group_of_all_images_is_no_group() -> None:
    points, _ = clouds(100)
    vectors, one = directions(points), np.zeros(100, np.int32)
    without, within = unfamiliarity(vectors, all_of(points)), unfamiliarity(vectors, all_of(points), one)
    assert without is not None and within is not None
    assert within.scores.tolist() == without.scores.tolist()


def test_an_image_of_something_else_is_an_outlier_and_ordinary_ones_are_none() -> None:
    points, _ = clouds(400, classes=2, dims=20)
    assert len(outliers(directions(points), all_of(points))[0]) < 3
    points[123] = 0
    points[123, 19] = 5
    rows, distances = outliers(directions(points), all_of(points))
    assert rows[0] == 123 and len(rows) < 4 and distances[0] > 1.1


def test_images_that_are_all_the_same_are_neither_unfamiliar_nor_outliers() -> None:
    vectors = directions(np.zeros((40, 8), np.float32))
    found = unfamiliarity(vectors, np.arange(20, dtype=np.int32))
    assert found is not None and np.all(np.isfinite(found.scores))
