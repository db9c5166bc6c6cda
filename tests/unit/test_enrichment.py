"""Enrichment against CellProfiler Analyst, SciPy and statsmodels, and on groups that differ by chance only."""

import math

import numpy as np
import pytest

from mia_tui.analysis.enrichment import (
    SMALLEST_P,
    GroupModel,
    NotFitted,
    benjamini_hochberg,
    digamma,
    enrichment,
    fit_groups,
    trigamma,
)

# Computed with the files cpa/polyafit.py, cpa/dirichletintegrate.py and cpa/hypergeom.py of CellProfiler Analyst at
# its commit f5e1b5e (July 2025): alpha is the first result of polyafit.fit_betabinom_minka_alternating(counts), each
# line that of dirichletintegrate.score(alpha, row), with SciPy 1.17. Two changes let them run there: `quadrature` and
# `romberg`, which SciPy no longer has and these functions do not use, are not imported; and `max` in hyper3F2aZ1 is
# Python's, since numpy's takes a second number for an axis.
CPA = {
    "three classes": (
        [[41, 7, 2], [35, 12, 3], [52, 4, 0], [28, 20, 6], [30, 9, 1], [44, 10, 5], [12, 33, 8], [39, 6, 2]],
        [6.672043326805579, 2.4394818119289003, 0.8567829892251603],
        [
            [0.783826126, 0.290115551, 0.405670279],
            [0.539734117, 0.528869796, 0.498745578],
            [0.947498714, 0.129500301, 0.144608472],
            [0.20774997, 0.778855922, 0.678048457],
            [0.637564414, 0.494722086, 0.333655086],
            [0.640519149, 0.356935206, 0.596958487],
            [0.01145854, 0.975984839, 0.77253191],
            [0.798010343, 0.263831146, 0.419525444],
        ],
    ),
    "two classes, one group empty": (
        [[18, 2], [25, 0], [30, 7], [22, 1], [9, 14], [40, 3], [0, 0], [27, 2], [33, 1], [16, 5]],
        [4.69681768765264, 0.8489527627169366],
        [
            [0.529749495, 0.470250505],
            [0.840784781, 0.15921522],
            [0.340099643, 0.659900357],
            [0.682890887, 0.317109114],
            [0.032686989, 0.967313011],
            [0.62041301, 0.37958699],
            [math.nan, math.nan],  # theirs says 0.5, ours nothing
            [0.615016969, 0.384983031],
            [0.749825985, 0.250174016],
            [0.283995914, 0.716004086],
        ],
    ),
    "one class without images": (
        [[5, 0, 1, 9], [2, 0, 3, 12], [7, 0, 0, 4], [1, 0, 6, 6], [30, 0, 2, 40], [3, 0, 3, 3]],
        [3.1793201843654777, 0.0, 1.472549659146233, 5.297632617578933],
        [  # theirs says 1.0 for that class, ours nothing
            [0.536164922, math.nan, 0.375698481, 0.584245688],
            [0.220423585, math.nan, 0.600430398, 0.72532737],
            [0.823839019, math.nan, 0.262009404, 0.31787722],
            [0.202306715, math.nan, 0.889237996, 0.412637904],
            [0.721710129, math.nan, 0.149276997, 0.543068341],
            [0.527595099, math.nan, 0.751116139, 0.309302489],
        ],
    ),
}


def _drawn(alpha, groups, size, seed):
    rng = np.random.default_rng(seed)
    shares, sizes = rng.dirichlet(alpha, groups), rng.integers(size // 2, 2 * size, groups)
    return np.array([rng.multinomial(n, share) for n, share in zip(sizes, shares, strict=True)])


@pytest.mark.parametrize("name", CPA)
def test_model_and_score_equal_those_of_cellprofiler_analyst(name):
    counts, alpha, enriched = CPA[name]
    model = fit_groups(np.array(counts))
    np.testing.assert_allclose(model.total * model.shares, alpha, atol=1e-6)

    found = enrichment(model, np.array(counts)).score
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(1 / (1 + 10.0**-found), enriched, atol=1e-6)
        known = np.array(enriched)
        np.testing.assert_allclose(found, np.log10(known) - np.log10(1 - known), atol=1e-6)


def test_score_is_the_odds_that_a_share_is_above_another_by_numerical_integration():
    from scipy.integrate import quad
    from scipy.stats import beta

    counts = _drawn([4.0, 1.5, 0.3], 12, 40, 1)
    model = fit_groups(counts)
    score = enrichment(model, counts).score
    for group, row in enumerate(counts[:6]):
        for place, hits in enumerate(row):
            a = model.total * model.shares[place]
            usual, own = beta(a, model.total - a), beta(a + hits, model.total - a + row.sum() - hits)

            def density(x, usual=usual, own=own):
                return usual.cdf(x) * own.pdf(x)

            cuts = sorted({1e-6, *own.ppf([0.001, 0.1, 0.5, 0.9, 0.999]).tolist()})
            above = sum(
                quad(density, low, high, epsabs=1e-12, limit=200)[0]
                for low, high in zip([0, *cuts], [*cuts, 1], strict=True)
            )
            assert 1 / (1 + 10 ** -score[group, place]) == pytest.approx(above, abs=1e-7)


def test_scores_of_extreme_groups_are_finite_and_opposite_for_two_classes():
    model = GroupModel(np.array([0.5, 0.5]), 400.0, 10)
    counts = np.array([[0, 5000], [5000, 0], [100_000, 3]])
    found = enrichment(model, counts)
    assert np.isfinite(found.score).all() and (np.abs(found.score) > 20).all()
    np.testing.assert_allclose(found.score[:, 0], -found.score[:, 1], rtol=1e-9)
    assert (found.p >= SMALLEST_P).all()


def test_small_tails_are_exact():
    from mpmath import mp, mpf, quad

    mp.dps = 40
    a, b, c, d = mpf(20), mpf(10), mpf(22), mpf(108)  # 2 hits of 100

    def density(x):
        return mp.betainc(a, b, 0, x, regularized=True) * x ** (c - 1) * (1 - x) ** (d - 1) / mp.beta(c, d)

    above = quad(density, [0, 0.1, 0.15, 0.2, 0.3, 0.5, 1])
    model = GroupModel(np.array([20 / 30, 10 / 30]), 30.0, 10)
    score = enrichment(model, np.array([[2, 98]])).score[0, 0]
    assert score == pytest.approx(float(mp.log10(above / (1 - above))), rel=1e-9)


def test_p_values_are_those_of_the_beta_binomial_distribution():
    from scipy.stats import betabinom

    counts = _drawn([6.0, 2.0, 0.5], 30, 60, 2)
    model = fit_groups(counts)
    found = enrichment(model, counts)
    sizes = counts.sum(axis=1, keepdims=True)
    alpha = model.total * model.shares
    null = betabinom(sizes, alpha, model.total - alpha)
    expected = np.minimum(1, 2 * np.minimum(null.cdf(counts), null.sf(counts - 1)))
    np.testing.assert_allclose(found.p, expected, rtol=1e-7)


def test_q_values_are_those_of_benjamini_and_hochberg_and_pass_over_empty_groups():
    from statsmodels.stats.multitest import multipletests

    p = np.random.default_rng(0).random((40, 3)) ** 3
    p[3] = np.nan
    q = benjamini_hochberg(p)
    known = ~np.isnan(p)
    np.testing.assert_allclose(q[known], multipletests(p[known], method="fdr_bh")[1], rtol=1e-12)
    assert np.isnan(q[3]).all()


def test_few_groups_that_differ_as_all_do_are_called_enriched():
    called = []
    for seed in range(20):
        found = enrichment(
            fit_groups(_drawn([8.0, 3.0, 1.0], 96, 100, seed)), _drawn([8, 3, 1], 96, 100, seed)
        )
        called.append(bool((found.q < 0.05).any()))
    assert sum(called) <= 3


def test_a_well_with_another_composition_is_found():
    counts = _drawn([40.0, 8.0, 2.0], 96, 200, 5)
    counts[7] = [30, 150, 20]
    found = enrichment(fit_groups(np.delete(counts, 7, axis=0)), counts)
    assert found.q[7, 1] < 0.001 and found.score[7, 1] > 3 and found.score[7, 0] < -3
    assert np.count_nonzero(found.q < 0.001) <= 4


def test_groups_that_differ_by_chance_only_have_binomial_p_values_and_no_score():
    from scipy.stats import binom

    counts = np.array([[50, 50], [51, 49], [49, 51], [50, 50]])
    model = fit_groups(counts)
    assert model.is_chance
    found = enrichment(model, counts)
    assert np.isnan(found.score).all()
    null = binom(100, 0.5)
    expected = np.minimum(1, 2 * np.minimum(null.cdf(counts), null.sf(counts - 1)))
    np.testing.assert_allclose(found.p, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("counts", "says"),
    [
        ([[4, 5]], "only one of them has images"),
        ([[0, 0], [0, 0]], "none of them has images"),
        ([[4, 0], [0, 5], [0, 7]], "one class only"),
        ([[4, 0], [5, 0]], "all images are of one class"),
    ],
)
def test_groups_that_tell_nothing_are_refused_with_a_sentence(counts, says):
    with pytest.raises(NotFitted, match=says):
        fit_groups(np.array(counts))


def test_nearly_pure_groups_give_numbers():
    counts = np.array([[90, 0, 0], [0, 80, 0], [0, 1, 70], [60, 0, 0], [0, 0, 50]])
    found = enrichment(fit_groups(counts), counts)
    assert np.isfinite(found.score).all() and ((found.p > 0) & (found.p <= 1)).all()


def test_derivatives_of_the_gamma_function_equal_scipys():
    from scipy import special

    x = np.concatenate([np.logspace(-8, 8, 300), np.arange(1.0, 30)])
    np.testing.assert_allclose(digamma(x), special.digamma(x), rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(trigamma(x), special.polygamma(1, x), rtol=1e-11)
