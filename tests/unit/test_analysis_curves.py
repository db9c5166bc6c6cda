"""ROC and precision-recall curves, calibration, thresholds, comparison and top losses against the libraries."""

import importlib
from types import ModuleType

import numpy as np
import pytest

from mia_tui.analysis.calibration import LEAST_TEMPERATURE, MOST_TEMPERATURE, fit_temperature, reliability
from mia_tui.analysis.comparison import accuracy_difference, mcnemar
from mia_tui.analysis.curves import areas, precision_recall, roc, thinned
from mia_tui.analysis.thresholds import coverage_curve, threshold_for
from mia_tui.analysis.top_losses import top_losses


@pytest.fixture(scope="module")
def metrics() -> ModuleType:
    """Those of scikit-learn, which takes a second to import; here, and not whenever tests are collected."""
    return importlib.import_module("sklearn.metrics")


def draw(seed: int, *, classes: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Log probabilities with ties, and a truth in which some classes may be absent."""
    random = np.random.default_rng(seed)
    classes = classes or int(random.integers(2, 6))
    images = int(random.integers(1, 80))
    truth = random.choice(random.permutation(classes)[: random.integers(1, classes + 1)], images)
    scores = np.round(random.normal(0, 1, (images, classes)) * 2) / 2
    scores[np.arange(images), truth] += random.choice([0, 0.5, 2])
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return scores.astype(np.float32), truth.astype(np.int64)


@pytest.mark.parametrize("seed", range(30))
def test_curves_and_their_areas_equal_scikit_learn(metrics: ModuleType, seed: int) -> None:
    said, truth = draw(seed)
    for place in range(said.shape[1]):
        of_class, scores = truth == place, said[:, place]
        curve = roc(of_class, scores)
        if of_class.all() or not of_class.any():
            assert curve is None
        else:
            assert curve is not None
            x, y, thresholds = metrics.roc_curve(of_class, scores, drop_intermediate=False)
            np.testing.assert_allclose((curve.x, curve.y), (x, y), atol=1e-12)
            np.testing.assert_allclose(curve.thresholds, thresholds)
            assert curve.area == pytest.approx(metrics.roc_auc_score(of_class, scores))
        curve = precision_recall(of_class, scores)
        if not of_class.any():
            assert curve is None
            continue
        assert curve is not None
        precision, recall, thresholds = metrics.precision_recall_curve(of_class, scores)
        np.testing.assert_allclose((curve.x, curve.y), (recall[::-1], precision[::-1]), atol=1e-12)
        np.testing.assert_allclose(curve.thresholds[1:], thresholds[::-1])
        assert curve.area == pytest.approx(metrics.average_precision_score(of_class, scores))


@pytest.mark.parametrize("seed", range(30))
def test_the_areas_of_all_classes_are_those_of_their_curves(seed: int) -> None:
    said, truth = draw(seed)
    found = areas(said, truth)
    curves = [(roc(truth == place, said[:, place]), place) for place in range(said.shape[1])]
    expected = [np.nan if curve is None else curve.area for curve, _ in curves]
    np.testing.assert_allclose(found.roc, expected)
    defined = [area for area in expected if np.isfinite(area)]
    assert found.macro_roc == (pytest.approx(np.mean(defined)) if defined else None)
    of_both = [precision_recall(truth == place, said[:, place]) for place in range(said.shape[1])]
    np.testing.assert_allclose(
        found.precision_recall, [np.nan if curve is None else curve.area for curve in of_both]
    )


def test_the_macro_area_equals_scikit_learn(metrics: ModuleType) -> None:
    random = np.random.default_rng(3)
    truth = random.integers(0, 4, 300)
    said = random.normal(0, 1, (300, 4)) + 1.5 * np.eye(4)[truth]
    said -= np.log(np.exp(said).sum(axis=1, keepdims=True))
    assert areas(said, truth).macro_roc == pytest.approx(
        metrics.roc_auc_score(truth, np.exp(said), multi_class="ovr", average="macro")
    )


def test_a_reliability_diagram_counts_each_image_in_the_bin_of_its_probability() -> None:
    said = np.log(np.array([[0.9, 0.1], [0.85, 0.15], [0.3, 0.7], [0.5, 0.5]]))
    found = reliability(said, np.array([0, 1, 1, 0]), bins=10)
    assert found.counts.tolist() == [0, 0, 0, 0, 1, 0, 1, 0, 2, 0]
    assert found.accuracy[[4, 6, 8]].tolist() == [1.0, 1.0, 0.5]
    assert found.confidence[8] == pytest.approx(0.875) and found.confidence[0] == 0
    assert found.ece == pytest.approx(0.25 * (0.5 + 0.3) + 0.5 * 0.375)


def test_the_calibration_error_is_that_of_its_definition() -> None:
    said, truth = draw(7, classes=3)
    shares = np.exp(said.astype(float))
    sure, right = shares.max(axis=1), said.argmax(axis=1) == truth
    error = 0.0
    for low in np.arange(15) / 15:
        inside = (sure > low) & (sure <= low + 1 / 15)
        if inside.any():
            error += inside.mean() * abs(sure[inside].mean() - right[inside].mean())
    assert reliability(said, truth).ece == pytest.approx(error, abs=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_the_temperature_has_the_least_cross_entropy_as_found_by_scipy(seed: int) -> None:
    from scipy.optimize import minimize_scalar

    random = np.random.default_rng(seed)
    truth = random.integers(0, 5, 200)
    said = random.normal(0, 1, (200, 5)) * random.uniform(0.5, 6) + 2 * np.eye(5)[truth]
    said -= np.log(np.exp(said).sum(axis=1, keepdims=True))

    def cross_entropy(temperature: float) -> float:
        scaled = said / temperature
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[np.arange(len(truth)), truth]).mean())

    best = minimize_scalar(cross_entropy, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-9}).x
    assert fit_temperature(said, truth) == pytest.approx(best, rel=1e-3)


def test_the_temperature_stays_within_its_limits() -> None:
    said = np.log(np.array([[0.9, 0.1], [0.2, 0.8]]))
    assert fit_temperature(said, np.array([0, 1])) == pytest.approx(LEAST_TEMPERATURE, rel=1e-4)
    assert fit_temperature(said, np.array([1, 0])) == pytest.approx(MOST_TEMPERATURE, rel=1e-4)
    assert fit_temperature(said[:0], np.zeros(0, np.int64)) == 1.0
    assert fit_temperature(np.zeros((3, 1)), np.zeros(3, np.int64)) == 1.0


@pytest.mark.parametrize("seed", range(10))
def test_a_threshold_answers_the_images_that_the_curve_says(seed: int) -> None:
    said, truth = draw(seed)
    curve = coverage_curve(said, truth, temperature=1.3)
    assert curve.thresholds[0] == 0 and curve.coverage[0] == 1
    shares = np.exp(said.astype(float) / 1.3)
    sure = (shares / shares.sum(axis=1, keepdims=True)).max(axis=1)
    right = said.argmax(axis=1) == truth
    for threshold, coverage, accuracy in zip(curve.thresholds, curve.coverage, curve.accuracy, strict=True):
        answered = sure >= threshold
        assert (coverage, accuracy) == (pytest.approx(answered.mean()), pytest.approx(right[answered].mean()))


def test_a_threshold_is_chosen_by_accuracy_or_by_coverage() -> None:
    said = np.log(np.array([[0.95, 0.05], [0.9, 0.1], [0.8, 0.2], [0.6, 0.4]]))
    curve = coverage_curve(said, np.array([0, 0, 1, 0]))
    found = threshold_for(curve, accuracy=0.99)
    assert found is not None and (found.coverage, found.accuracy) == (0.5, 1.0)
    assert 0.8 < found.threshold < 0.9
    found = threshold_for(curve, coverage=0.7)
    assert found is not None and (found.coverage, found.accuracy) == (0.75, pytest.approx(2 / 3))
    assert threshold_for(coverage_curve(said, np.array([1, 1, 1, 1])), accuracy=0.5) is None
    with pytest.raises(ValueError, match="One of"):
        threshold_for(curve)


@pytest.mark.parametrize("differing", [(0, 0), (3, 0), (5, 5), (2, 9), (40, 61), (700, 800), (600, 600)])
def test_mcnemar_equals_statsmodels(differing: tuple[int, int]) -> None:
    from statsmodels.stats.contingency_tables import mcnemar as reference

    one, other = differing
    right_one = np.array([True] * (10 + one) + [False] * (other + 4))
    right_other = np.array([True] * 10 + [False] * one + [True] * other + [False] * 4)
    found = mcnemar(right_one, right_other)
    assert (found.both, found.only_one, found.only_other, found.neither) == (10, one, other, 4)
    assert found.method == ("exact" if one + other <= 1000 else "chi2")
    expected = reference([[10, one], [other, 4]], exact=found.method == "exact", correction=True).pvalue
    if one != other:
        assert found.p == pytest.approx(expected)
    else:
        assert found.p == 1.0


def test_top_losses_begin_with_the_image_that_is_most_wrong() -> None:
    said = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.99, 0.01], [0.9, 0.1]]))
    found = top_losses(said, np.array([1, 1, 1, 1]), 3)
    assert [each.row for each in found] == [2, 0, 3]
    assert (found[0].truth, found[0].predicted) == (1, 0)
    assert found[0].probability == pytest.approx(0.99) and found[0].truth_probability == pytest.approx(0.01)
    assert found[0].loss == pytest.approx(-np.log(0.01))
    assert top_losses(said[:0], np.zeros(0, np.int64), 5) == []


def test_the_difference_of_two_accuracies_has_an_interval_that_holds() -> None:
    """Of 300 sets of 30 groups, within which images are alike, and of independent images."""
    random, hits = np.random.default_rng(0), {True: 0, False: 0}
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    true = (1 / (1 + np.exp(-1 - nodes)) - 1 / (1 + np.exp(-1 - 0.2 * nodes))) @ (weights / weights.sum())
    for _ in range(300):
        for grouped in (True, False):
            groups = np.repeat(np.arange(30), 10) if grouped else np.arange(300)
            quality = np.repeat(random.normal(0, 1, 30), 10) if grouped else np.zeros(300)
            one, other = (random.random(300) < 1 / (1 + np.exp(-1 - quality * by)) for by in (1, 0.2))
            found = accuracy_difference(one, other, groups)
            assert found.interval is not None and ("group" in found.interval.method) == grouped
            hits[grouped] += found.interval.low <= (true if grouped else 0.0) <= found.interval.high
    assert all(0.91 < count / 300 < 0.985 for count in hits.values()), hits


def test_a_difference_without_enough_groups_or_without_any_has_no_interval() -> None:
    right = np.arange(60) % 3 > 0
    few = accuracy_difference(right, ~right, np.arange(60) % 19)
    assert few.interval is None and few.why_none == "too few: 19 groups"
    assert few.value == pytest.approx(1 / 3)
    same = accuracy_difference(right, right, np.arange(60))
    assert (same.value, same.interval) == (0.0, None) and "same images" in same.why_none
    for differing in (5, 6):  # no interval that leaves out 0 where McNemar's p is above 0.05
        other = right.copy()
        other[np.flatnonzero(right)[:differing]] = False
        found = accuracy_difference(right, other, np.arange(60) // 2)
        assert (found.interval is not None) == (mcnemar(right, other).p < 0.05) == (differing == 6)
    none = accuracy_difference(right[:0], right[:0], np.arange(0))
    assert none.value == 0 and none.why_none == "no images"


def test_a_thinned_curve_keeps_its_shape_where_points_crowd() -> None:
    x = np.concatenate([np.linspace(0, 1, 120), np.ones(100_000)])
    y = np.concatenate([np.ones(120), np.linspace(1, 0, 100_000)])
    points = thinned(x, y, 400)
    assert len(points) <= 401 and points[0] == 0 and points[-1] == len(x) - 1
    assert (points < 120).sum() > 100
