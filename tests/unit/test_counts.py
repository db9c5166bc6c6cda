"""Shares of classes in groups: intervals that cover the truth, and the correction for confusions."""

import numpy as np
import pytest

from mia_tui.analysis.counts import (
    Evaluated,
    NotCorrected,
    corrected_shares,
    nearest_shares,
    overall_shares,
    shares_by_group,
)

RATES = np.array([[0.85, 0.1, 0.05], [0.1, 0.8, 0.1], [0.02, 0.18, 0.8]])


def _groups(rng, groups, alpha, size):
    return np.array([rng.multinomial(size, share) for share in rng.dirichlet(alpha, groups)])


def _evaluated(rng, images, groups=60, rates=RATES):
    truth = rng.integers(0, len(rates), images)
    predicted = np.array([rng.choice(len(rates), p=rates[each]) for each in truth])
    return Evaluated(truth, predicted, rng.integers(0, groups, images), len(rates))


def test_the_interval_within_a_group_is_that_of_wilson():
    from statsmodels.stats.proportion import proportion_confint

    counts = np.array([[3, 17], [0, 20], [200, 1], [0, 0]])
    shares = shares_by_group(counts)
    for row, values in enumerate(counts[:3]):
        for place, hits in enumerate(values):
            low, high = proportion_confint(hits, values.sum(), method="wilson")
            assert shares.low[row, place] == pytest.approx(low, abs=1e-12)
            assert shares.high[row, place] == pytest.approx(high, abs=1e-12)
    assert np.isnan(shares.value[3]).all() and np.isnan(shares.low[3]).all()


@pytest.mark.parametrize("groups", [8, 20])
def test_the_interval_over_groups_covers_the_truth_although_images_of_a_group_are_alike(groups):
    rng, alpha = np.random.default_rng(3), np.array([6.0, 3.0, 1.0])
    truth, covered, naive = alpha / alpha.sum(), [], []
    for seed in range(300):
        counts = _groups(rng, groups, alpha, 60)
        shares = overall_shares(counts, seed=seed)
        covered.append((shares.low <= truth) & (truth <= shares.high))
        alone = shares_by_group(counts.sum(axis=0, keepdims=True))
        naive.append((alone.low[0] <= truth) & (truth <= alone.high[0]))
    assert 0.925 <= np.mean(covered) <= 0.98
    assert np.mean(naive) < 0.7


def test_too_few_groups_have_a_share_without_an_interval_and_say_why():
    shares = overall_shares(np.array([[3, 1], [2, 2], [0, 0]]))
    assert shares.value.tolist() == [0.625, 0.375]
    assert np.isnan(shares.low).all() and shares.why_none == "too few: 2 groups"
    assert overall_shares(np.zeros((3, 2), np.int64)).why_none == "no images"


def test_the_correction_undoes_the_confusions_of_the_network():
    rng = np.random.default_rng(1)
    truth = np.array([[9000, 500, 500], [100, 100, 9800], [3000, 3000, 4000]])
    counts = np.array([rng.multinomial(10_000, row / row.sum() @ RATES) for row in truth])
    found = corrected_shares(counts, _evaluated(rng, 20_000))
    assert np.abs(counts / 10_000 - truth / 10_000).max() > 0.1
    np.testing.assert_allclose(found.by_group.value, truth / 10_000, atol=0.02)
    np.testing.assert_allclose(found.overall.value, truth.sum(axis=0) / 30_000, atol=0.02)
    assert found.condition == pytest.approx(np.linalg.cond(RATES), rel=0.1) and found.overall.why_none


def test_corrected_intervals_cover_the_truth_where_uncorrected_ones_do_not():
    rng, alpha = np.random.default_rng(2), np.array([5.0, 2.0, 3.0])
    within, before, overall = [], [], []
    for seed in range(40):
        truth = rng.dirichlet(alpha, 30)
        counts = np.array([rng.multinomial(80, row @ RATES) for row in truth])
        found = corrected_shares(counts, _evaluated(rng, 600), seed=seed)
        within.append((found.by_group.low <= truth) & (truth <= found.by_group.high))
        plain = overall_shares(counts)
        mean = alpha / alpha.sum()
        overall.append((found.overall.low <= mean) & (mean <= found.overall.high))
        before.append((plain.low <= mean) & (mean <= plain.high))
    assert 0.90 <= np.mean(within) <= 0.985
    assert 0.88 <= np.mean(overall) <= 1.0
    assert np.mean(before) < np.mean(overall)


def test_corrected_shares_are_shares_also_where_the_inverse_is_not():
    rng = np.random.default_rng(4)
    found = corrected_shares(np.array([[10, 0, 0], [0, 0, 7], [0, 0, 0]]), _evaluated(rng, 900))
    shares = found.by_group
    np.testing.assert_allclose(shares.value[:2].sum(axis=1), 1)
    assert (shares.low[:2] >= 0).all() and (shares.high[:2] <= 1).all()
    assert (shares.low[:2] <= shares.value[:2]).all() and (shares.value[:2] <= shares.high[:2]).all()
    assert np.isnan(shares.value[2]).all() and np.isnan(shares.low[2]).all()


def test_a_predicted_class_without_labelled_images_is_named():
    evaluated = Evaluated(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 2]), np.arange(4), 3)
    with pytest.raises(NotCorrected) as refused:
        corrected_shares(np.array([[4, 2, 1]]), evaluated)
    assert refused.value.classes == (2,)
    found = corrected_shares(np.array([[4, 2, 0]]), evaluated)
    assert np.isnan(found.by_group.value[0, 2]) and np.isfinite(found.by_group.value[0, :2]).all()


def test_classes_that_are_predicted_alike_cannot_be_corrected():
    evaluated = Evaluated(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), np.arange(4), 2)
    with pytest.raises(NotCorrected) as refused:
        corrected_shares(np.array([[4, 2]]), evaluated)
    assert refused.value.classes == ()


def test_equal_counts_have_equal_intervals_and_the_seed_decides_them():
    rng = np.random.default_rng(6)
    counts = np.array([[5, 3, 2], [1, 8, 1], [5, 3, 2]])
    evaluated = _evaluated(rng, 300)
    one, again = (corrected_shares(counts, evaluated, seed=4).by_group for _ in range(2))
    np.testing.assert_array_equal(one.low, again.low)
    np.testing.assert_array_equal(one.low[0], one.low[2])


def test_nearest_shares_are_nearest():
    rng = np.random.default_rng(7)
    values = rng.normal(0.3, 0.5, (200, 4))
    found = nearest_shares(values)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found >= 0).all()
    others = rng.dirichlet([1.0] * 4, 2000)
    distance = np.linalg.norm(values - found, axis=1)
    nearest = np.linalg.norm(values[:, None] - others[None], axis=2).min(axis=1)
    assert (distance <= nearest + 1e-12).all()
    np.testing.assert_allclose(nearest_shares(others), others, atol=1e-12)


def test_a_class_that_no_group_has_is_known_as_from_one_image_of_each_group() -> None:
    """Groups with none of it say little of others: of 6 such ones of 1,000 images it may well be 1 % in the mean."""
    few, many = (overall_shares(np.tile([1000, 0], (groups, 1))) for groups in (6, 200))
    assert few.low[1] == 0 and few.high[1] > 0.3 and few.low[0] < 0.7
    assert 0.01 < many.high[1] < 0.03
