"""Intervals of an audit, and what more labels would bring."""

import numpy as np
import pytest
from numpy.typing import NDArray

from mia_tui.active.audit import (
    AuditEstimate,
    clopper_pearson,
    draw_sample,
    estimate,
    is_current,
    percent,
)
from mia_tui.active.outlook import LearningCurve, learning_curve, outlook, progress_sentence


@pytest.mark.parametrize(
    ("right", "of"), [(0, 1), (1, 1), (38, 40), (40, 40), (0, 40), (7, 1000), (999, 1000)]
)
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_the_interval_is_that_of_clopper_and_pearson(right: int, of: int, level: float) -> None:
    stats = pytest.importorskip("scipy.stats")
    tail = (1 - level) / 2
    low = 0 if right == 0 else stats.beta.ppf(tail, right, of - right + 1)
    high = 1 if right == of else stats.beta.ppf(1 - tail, right + 1, of - right)
    assert clopper_pearson(right, of, level) == pytest.approx((low, high), abs=1e-10)


@pytest.mark.parametrize(
    ("right", "audited", "population"), [(38, 40, 180), (5, 10, 30), (0, 7, 50), (60, 60, 61)]
)
def test_the_interval_of_a_small_population_is_exact(right: int, audited: int, population: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    found = estimate(right, audited, population)
    possible = [
        good
        for good in range(right, population - audited + right + 1)
        if stats.hypergeom.sf(right - 1, population, good, audited) > 0.025
        and stats.hypergeom.cdf(right, population, good, audited) > 0.025
    ]
    assert (found.low * population, found.high * population) == pytest.approx((possible[0], possible[-1]))


@pytest.mark.parametrize("right", [0, 20, 38, 40])
def test_of_many_images_it_is_that_of_clopper_and_pearson_and_of_few_it_is_narrower(right: int) -> None:
    many, few = estimate(right, 40, 10_000_000), estimate(right, 40, 90)
    low, high = clopper_pearson(right, 40)
    assert (many.low, many.high) == pytest.approx((low, high), abs=1e-5)
    assert low <= few.low and few.high <= high and few.high - few.low < high - low


def test_if_all_were_audited_nothing_is_left_to_guess() -> None:
    assert estimate(30, 40, 40) == AuditEstimate(30, 40, 40, 0.75, 0.75)


def test_before_an_answer_anything_is_possible() -> None:
    found = estimate(0, 0, 100)
    assert (found.low, found.high, found.share) == (0, 1, 0)


@pytest.mark.parametrize(("right", "audited", "population"), [(3, 2, 10), (-1, 2, 10), (2, 4, 3)])
def test_impossible_counts_are_refused(right: int, audited: int, population: int) -> None:
    with pytest.raises(ValueError, match="right of"):
        estimate(right, audited, population)


def test_the_interval_covers_what_is_true_at_least_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    for good in (100, 180, 197):
        seen = rng.hypergeometric(good, 200 - good, 30, size=2000)
        covered = {right: estimate(right, 30, 200) for right in np.unique(seen).tolist()}
        hits = [covered[right].low <= good / 200 <= covered[right].high for right in seen.tolist()]
        assert np.mean(hits) > 0.94


def test_every_image_has_the_same_chance_to_be_drawn() -> None:
    among = np.arange(40) % 2 == 0
    counts = np.zeros(40, np.int64)
    for seed in range(2000):
        counts[draw_sample(among, 5, np.random.default_rng(seed))] += 1
    assert counts[1::2].sum() == 0
    assert counts[::2].min() > 400 and counts[::2].max() < 600  # 500 expected, a deviation of 19
    assert sorted(draw_sample(among, 99, np.random.default_rng(0)).tolist()) == list(range(0, 40, 2))


def test_a_draw_is_out_of_date_when_a_quarter_of_its_images_came_or_went() -> None:
    assert is_current(1000, 1000) and is_current(1000, 750) and is_current(1000, 1250)
    assert not is_current(1000, 749) and not is_current(1000, 1251)


@pytest.mark.parametrize(
    ("share", "words"), [(1.0, "100"), (0.999, "99"), (0.954, "95"), (0.0, "0"), (0.001, "1"), (0.5, "50")]
)
def test_percents_never_say_all_or_none_where_it_is_not(share: float, words: str) -> None:
    assert percent(share) == words


def clouds(count: int, spread: float) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    rng = np.random.default_rng(3)
    positions = rng.integers(3, size=count)
    points = rng.normal(size=(3, 30))[positions] + spread * rng.normal(size=(count, 30))
    points -= points.mean(axis=0)
    points /= np.sqrt(np.square(points).sum(axis=1).mean())
    return points.astype(np.float32), positions.astype(np.int32)


def test_more_labels_are_better_on_the_learning_curve() -> None:
    curve = learning_curve(*clouds(200, 1.6))
    assert curve is not None
    assert curve.labels.tolist() == sorted(curve.labels.tolist()) and curve.labels[-1] == 200
    assert curve.errors[0] > curve.errors[-1]
    found = outlook(estimate(36, 40, 900), curve, 60, 200)
    assert found.share is not None and 0.9 < found.share < 1
    assert found.low < found.share < found.high
    audited = estimate(36, 40, 900)
    assert found.low >= audited.low and found.high >= audited.high  # more labels do not make it worse


def test_more_labels_would_not_help_where_classes_cannot_be_told_apart() -> None:
    points, class_ids = clouds(200, 1.6)
    curve = learning_curve(points, np.random.default_rng(1).permutation(class_ids))
    found = outlook(estimate(15, 40, 900), curve, 60, 200)
    assert found.share is None and "not surely worse" in found.why_not


def test_groups_are_never_on_both_sides_of_the_learning_curve() -> None:
    """Copies of ten images with random classes: only their own copies could tell the class."""
    rng = np.random.default_rng(0)
    points = np.repeat(rng.normal(size=(12, 30)) / 5, 20, axis=0).astype(np.float32)
    class_ids = np.repeat(np.arange(12) % 2, 20).astype(np.int32)
    apart = learning_curve(points, class_ids)
    together = learning_curve(points, class_ids, np.repeat(np.arange(12), 20).astype(np.int32))
    assert apart is not None and together is not None
    assert apart.errors[-1] < 0.05 and together.errors[-1] > 0.2


@pytest.mark.parametrize("count", [3, 23])
def test_few_labels_have_no_learning_curve(count: int) -> None:
    assert learning_curve(*clouds(count, 1.0)) is None


def test_one_class_has_no_learning_curve() -> None:
    points, _ = clouds(100, 1.0)
    assert learning_curve(points, np.zeros(100, np.int32)) is None


def test_it_is_said_why_nothing_can_be_told() -> None:
    curve = LearningCurve(np.array([10, 20], np.int32), np.array([0.4, 0.2]), np.full(200, 0.5))
    good = estimate(38, 40, 900)
    assert outlook(estimate(9, 10, 900), curve, 40, 180).why_not == "fewer than 20 suggestions are audited"
    assert "fewer than 24 labels" in outlook(good, None, 40, 180).why_not
    assert "too many more" in outlook(good, curve, 400, 180).why_not
    assert outlook(good, curve, 40, 180).why_not == ""


def test_how_far_a_dataset_is_in_one_sentence() -> None:
    curve = LearningCurve(np.array([10, 20], np.int32), np.array([0.4, 0.2]), np.full(200, 2.5))
    audited = estimate(38, 40, 900)
    more = outlook(audited, curve, 40, 180)
    assert progress_sentence(180, audited, None, more) == (
        "Labelled 180 · suggestions right: 95 % (83-99, from 40 audited) · 40 more labels: about 97 %"
    )
    assert progress_sentence(1180, None, estimate(50, 50, 50)) == (
        "Labelled 1,180 · labels right: 100 % (100-100, from 50 audited)"
    )
    assert progress_sentence(12) == "Labelled 12"
    unknown = outlook(estimate(9, 10, 900), curve, 40, 180)
    assert progress_sentence(180, None, None, unknown).endswith(
        "what more labels bring cannot be told: fewer than 20 suggestions are audited"
    )


@pytest.mark.parametrize("population", [10**12, 2**53, 2**62])
def test_a_population_that_no_file_has_is_no_error(population: int) -> None:
    found = estimate(38, 40, population)
    assert (found.low, found.high) == pytest.approx(clopper_pearson(38, 40), abs=1e-6)
