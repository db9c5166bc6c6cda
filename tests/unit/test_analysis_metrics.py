"""Metrics with their intervals."""

import importlib
import math
from types import ModuleType

import numpy as np
import pytest

from mia_tui.analysis.formulas import class_metrics, class_slopes, overall_metrics, overall_slopes
from mia_tui.analysis.intervals import t_quantile
from mia_tui.analysis.metrics import MetricTable, metric_table


@pytest.fixture(scope="module")
def metrics() -> ModuleType:
    """Those of scikit-learn, which takes a second to import; here, and not whenever tests are collected."""
    return importlib.import_module("sklearn.metrics")


def draw(seed: int, images: int | None = None) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Truth and predictions in which some classes are absent from one, the other or both."""
    random = np.random.default_rng(seed)
    classes = int(random.integers(1, 7))
    images = images or int(random.integers(1, 400))
    truth = random.choice(random.permutation(classes)[: random.integers(1, classes + 1)], images)
    predicted = random.choice(random.permutation(classes)[: random.integers(1, classes + 1)], images)
    predicted = np.where(random.random(images) < random.random(), truth, predicted)
    return truth, predicted, tuple("abcdefg"[:classes])


def assert_sound(table: MetricTable) -> None:
    """No NaN; each interval contains its figure, within the limits of the figure; without one there is a reason."""
    every = list(table.overall.values())
    for row in table.by_class:
        every += [row.precision, row.recall, row.f1, row.mcc]
    for estimate in every:
        assert math.isfinite(estimate.value)
        if estimate.interval is None:
            assert estimate.why_none
            continue
        interval = estimate.interval
        assert -1 <= interval.low <= estimate.value <= interval.high <= 1, estimate
        assert interval.method and not estimate.why_none


@pytest.mark.filterwarnings("ignore")  # scikit-learn's, about absent classes
@pytest.mark.parametrize("seed", range(40))
def test_the_figures_of_a_table_equal_scikit_learn(metrics: ModuleType, seed: int) -> None:
    truth, predicted, classes = draw(seed)
    table = metric_table(truth, predicted, classes, np.arange(len(truth)) // (1 + seed % 3))
    assert_sound(table)
    assert table.overall["accuracy"].value == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert table.overall["mcc"].value == pytest.approx(metrics.matthews_corrcoef(truth, predicted))
    assert table.overall["macro_f1"].value == pytest.approx(
        metrics.f1_score(truth, predicted, average="macro", zero_division=0)
    )
    for place, row in enumerate(table.by_class):
        of_class, said = truth == place, predicted == place
        expected = metrics.precision_recall_fscore_support(of_class, said, labels=[True], zero_division=0)
        assert (row.precision.value, row.recall.value, row.f1.value, row.support) == pytest.approx(
            [float(column[0]) for column in expected]
        )
        assert row.mcc.value == pytest.approx(metrics.matthews_corrcoef(of_class, said))


@pytest.mark.parametrize("images", [0, 1])
def test_no_image_and_one_image_have_no_intervals_and_no_nan(images: int) -> None:
    truth = np.zeros(images, np.int64)
    table = metric_table(truth, truth, ("a", "b"), truth)
    assert_sound(table)
    assert all(each.interval is None for each in table.overall.values())


@pytest.mark.parametrize("seed", range(6))
def test_the_slopes_are_how_the_metrics_change(seed: int) -> None:
    random = np.random.default_rng(seed)
    truth = random.integers(20, 60, 4).astype(float)
    right = np.floor(truth * random.uniform(0.5, 0.9, 4))
    predicted = right + random.integers(3, 20, 4)
    counts, step = (right, truth, predicted), 1e-5
    for name, slopes in overall_slopes(*counts).items():
        for which, by_class in enumerate((slopes.right, slopes.truth, slopes.predicted)):
            for place in range(4):
                change = np.zeros((3, 4))
                change[which, place] = step
                more = overall_metrics(*(np.array(counts) + change))[name]
                less = overall_metrics(*(np.array(counts) - change))[name]
                assert by_class[place] == pytest.approx((more - less) / step / 2, abs=1e-8), name
    for name, slopes in class_slopes(*counts).items():
        for which, by_class in enumerate((slopes.right, slopes.predicted)):
            change = np.zeros((3, 4))
            change[which * 2] = step
            more, less = (class_metrics(*(np.array(counts) + sign * change))[name] for sign in (1, -1))
            assert by_class == pytest.approx((more - less) / step / 2, abs=1e-8), name
        same = slopes.right * right + slopes.truth * truth + slopes.predicted * predicted
        assert same + slopes.total * truth.sum() == pytest.approx(np.zeros(4), abs=1e-12)


@pytest.mark.parametrize("degrees", [19, 50, 10_000])
def test_quantiles_equal_those_of_scipy(degrees: int) -> None:
    from scipy.stats import t

    assert t_quantile(degrees) == pytest.approx(t.ppf(0.975, degrees), abs=2e-6)
