"""Agreement of annotators, against scikit-learn and published examples."""

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from mia_tui.active.agreement import agreement, cohen_kappa, confusion, fleiss_kappa

# J. L. Fleiss, Measuring nominal scale agreement among many raters (1971), as reprinted widely: ten subjects,
# fourteen raters, five categories; kappa is 0.210.
TEN_SUBJECTS = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
)


@pytest.mark.parametrize("seed", range(20))
def test_cohens_kappa_is_that_of_scikit_learn(seed: int) -> None:
    chance = np.random.default_rng(seed)
    classes = int(chance.integers(2, 9))
    one = chance.integers(0, classes, 120).astype(np.int32)
    other = np.where(chance.random(120) < chance.random(), one, chance.integers(0, classes, 120)).astype(
        np.int32
    )
    ours = agreement(np.stack((one, other), axis=1), classes)
    assert ours.kappa.value == pytest.approx(cohen_kappa_score(one, other))
    assert ours.raw.value == pytest.approx(float((one == other).mean()))
    for number, of_class in enumerate(ours.classes):
        expected = cohen_kappa_score(one == number, other == number)
        assert of_class.value == pytest.approx(expected, nan_ok=True)


def test_fleiss_kappa_is_that_of_the_published_example() -> None:
    assert fleiss_kappa(TEN_SUBJECTS).value == pytest.approx(0.2099, abs=5e-5)


def test_fleiss_kappa_of_a_class_is_that_of_the_published_formula() -> None:
    """Fleiss 1971, formula 19: 1 - sum of n (r - n) / (N r (r - 1) p q)."""
    subjects, raters = len(TEN_SUBJECTS), 14
    for number in range(5):
        named = TEN_SUBJECTS[:, number]
        share = named.sum() / (subjects * raters)
        expected = 1 - (named * (raters - named)).sum() / (
            subjects * raters * (raters - 1) * share * (1 - share)
        )
        ours = fleiss_kappa(np.stack((named, raters - named), axis=1))
        assert ours.value == pytest.approx(expected)


def test_the_interval_of_fleiss_kappa_is_that_of_resampling() -> None:
    """Gwet's variance against a bootstrap over images, with ratings missing at random."""
    chance = np.random.default_rng(5)
    truth = chance.integers(0, 4, 300)
    ratings = np.where(chance.random((300, 4)) < 0.75, truth[:, None], chance.integers(0, 4, (300, 4)))
    ratings[chance.random((300, 4)) < 0.3] = -1
    counts = np.stack([(ratings == number).sum(axis=1) for number in range(4)], axis=1)
    ours = fleiss_kappa(counts)
    again = [fleiss_kappa(counts[chance.integers(0, 300, 300)]).value for _ in range(2000)]
    assert (ours.high - ours.low) / 2 / 1.96 == pytest.approx(float(np.std(again)), rel=0.1)


def test_images_with_a_single_rating_tell_only_how_common_classes_are() -> None:
    counts = np.array([[2, 0], [0, 2], [1, 1], [2, 0]])
    more = np.concatenate((counts, [[1, 0], [1, 0]]))
    shares = np.array([4.5, 1.5]) / 6
    by_chance = float(shares @ shares)
    assert fleiss_kappa(more).value == pytest.approx((0.75 - by_chance) / (1 - by_chance))


def test_where_all_agree_the_interval_is_no_single_point() -> None:
    ratings = np.array([[0, 0, 0], [1, 1, 1]] * 10, np.int32)
    for some in (ratings, ratings[:, :2]):
        kappa = agreement(some, 2).kappa
        assert (kappa.value, kappa.high) == (1, 1)
        assert kappa.low == pytest.approx((0.025 ** (1 / 20) - 0.5) / 0.5, abs=1e-9)


def test_kappa_is_not_defined_where_all_name_one_class() -> None:
    ratings = np.zeros((9, 2), np.int32)
    found = agreement(ratings, 2)
    assert found.raw.value == 1
    assert math.isnan(found.kappa.value)
    assert math.isnan(fleiss_kappa(np.array([[3, 0], [3, 0]])).value)


def test_two_raters_are_compared_on_the_images_that_both_judged() -> None:
    one, other = np.array([0, 1, 1, -1, 0], np.int32), np.array([0, 1, 0, 1, -1], np.int32)
    assert confusion(one, other, 2).tolist() == [[1, 0], [1, 1]]
    assert agreement(np.stack((one, other), axis=1), 2).images == 3
    with pytest.raises(ValueError, match="two ratings"):
        agreement(np.array([[0, -1]], np.int32), 2)


def test_cohens_kappa_of_no_ratings_is_not_defined() -> None:
    assert math.isnan(cohen_kappa(np.zeros((2, 2), np.int64)).value)


@pytest.mark.parametrize("images", [1, 2, 10])
def test_images_on_which_the_same_share_agrees_have_their_own_kappa_and_a_wide_interval(images: int) -> None:
    """One of three pairs agrees everywhere: no variance, and yet neither all agree nor none."""
    found = agreement(np.array([[0, 0, 1]] * images, np.int32), 2)
    assert found.kappa.value == pytest.approx(-0.5) and found.raw.value == pytest.approx(1 / 3)
    for figure in (found.kappa, found.raw):
        assert figure.low < figure.value - 0.1 and figure.value + 0.1 < figure.high


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [([[2, 1]], -0.5), ([[2, 1]] * 6, -0.5), ([[1, 1, 1]], -0.5), ([[3, 0], [0, 3]], 1.0)],
)
def test_raters_who_agree_equally_on_all_images_have_the_kappa_of_the_formula(
    counts: list[list[int]], kappa: float
) -> None:
    """No deviation between images says nothing about the other ones: the interval is not a point."""
    found = fleiss_kappa(np.array(counts))
    assert found.value == pytest.approx(kappa)
    assert -1 <= found.low <= kappa + 1e-9 and kappa <= found.high <= 1 and found.high - found.low > 0.1


def test_the_same_raw_agreement_everywhere_is_no_point() -> None:
    found = agreement(np.array([[0, 0, 1]] * 6, np.int32), 2).raw
    assert found.value == pytest.approx(1 / 3) and found.low < 0.2 and found.high > 0.6


def test_no_kappa_is_below_minus_one() -> None:
    """Of nearly one class: what chance gives is more than the lower end of the agreement."""
    assert cohen_kappa(np.array([[36, 2], [2, 0]])).low == -1


def test_two_people_who_judged_a_hundred_thousand_images_need_not_wait() -> None:
    one = np.arange(100_000, dtype=np.int32) % 10
    other = np.where(np.arange(100_000) % 7 == 0, (one + 1) % 10, one).astype(np.int32)
    found = agreement(np.stack((one, other), axis=1), 10)
    assert found.raw.value == pytest.approx(0.857, abs=0.001) and found.raw.high - found.raw.low < 0.005
