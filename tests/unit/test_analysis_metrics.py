"""Metrics with their intervals."""

import importlib
import math
from types import ModuleType

import numpy as np
import pytest

from mia_tui.analysis.intervals import t_quantile, wilson
from mia_tui.analysis.metrics import MetricTable, metric_table
from mia_tui.analysis.resampling import count_by_group


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
def test_no_image_and_one_image_have_no_interval_of_a_mean_over_classes_and_no_nan(images: int) -> None:
    truth = np.zeros(images, np.int64)
    table = metric_table(truth, truth, ("a", "b"), truth)
    assert_sound(table)
    assert table.overall["macro_f1"].interval is None and table.overall["mcc"].interval is None
    assert (table.overall["accuracy"].interval is None) == (images == 0)


@pytest.mark.parametrize("degrees", [19, 50, 10_000])
def test_quantiles_equal_those_of_scipy(degrees: int) -> None:
    from scipy.stats import t

    assert t_quantile(degrees) == pytest.approx(t.ppf(0.975, degrees), abs=2e-6)


def estimate_reasons(table: MetricTable) -> set[str]:
    return {each.why_none for row in table.by_class for each in (row.precision, row.recall, row.f1, row.mcc)}


def test_below_twenty_groups_or_fifty_images_of_a_class_in_groups_there_is_no_interval() -> None:
    random = np.random.default_rng(0)
    truth = np.repeat([0, 1], [200, 40])
    predicted = np.where(random.random(240) < 0.8, truth, 1 - truth)
    few = metric_table(truth, predicted, ("a", "b"), np.arange(240) % 19)
    assert {each.why_none for each in few.overall.values()} == {"too few: 19 groups"}
    assert estimate_reasons(few) == {"too few: 19 groups", "too few: 40 images"}
    enough = metric_table(truth, predicted, ("a", "b"), np.arange(240) % 20)
    assert all(each.interval is not None for each in enough.overall.values())
    assert enough.by_class[0].recall.interval is not None
    assert enough.by_class[1].recall.why_none == "too few: 40 images"


def test_few_independent_images_have_wide_intervals_of_shares_and_none_of_means() -> None:
    truth, predicted = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 1, 1])
    table = metric_table(truth, predicted, ("a", "b"), np.arange(7))
    recall = table.by_class[0].recall
    assert recall.interval is not None and recall.interval.high - recall.interval.low > 0.5
    assert table.overall["macro_f1"].why_none == "too few: 3 images of a"
    assert table.by_class[0].mcc.why_none == "too few: 3 images"


@pytest.mark.parametrize("grouped", [False, True])
def test_where_all_is_right_the_interval_still_has_a_width(grouped: bool) -> None:
    truth = np.repeat(np.arange(3), 100)
    groups = np.arange(300) // 5 if grouped else np.arange(300)
    table = metric_table(truth, truth, ("a", "b", "c"), np.random.default_rng(0).permutation(groups))
    assert_sound(table)
    for estimate in (*table.overall.values(), table.by_class[0].recall, table.by_class[0].mcc):
        assert estimate.value == 1 and estimate.interval is not None
        assert 0.8 < estimate.interval.low < 0.995 and estimate.interval.high == 1


def test_one_class_only_has_an_accuracy_and_no_correlation() -> None:
    truth = np.zeros(60, np.int64)
    table = metric_table(truth, truth, ("a",), np.arange(60))
    assert_sound(table)
    assert table.overall["accuracy"].interval is not None
    assert table.overall["mcc"].value == 0 and "not defined" in table.overall["mcc"].why_none


def test_the_same_predictions_have_the_same_intervals_and_the_numbers_of_groups_do_not_matter() -> None:
    truth, predicted, classes = draw(3, 500)
    groups = np.arange(500) // 10
    one, other = (
        metric_table(truth, predicted, classes, numbers) for numbers in (groups, 10**12 - groups * 7)
    )
    assert one.overall["accuracy"].value == other.overall["accuracy"].value
    again = metric_table(truth, predicted, classes, groups)
    assert again.overall == one.overall and again.by_class == one.by_class


def test_the_interval_of_wilson_equals_statsmodels() -> None:
    from statsmodels.stats.proportion import proportion_confint

    for right, images in ((0, 10), (9, 10), (50, 50), (430, 500)):
        found = wilson(right / images, images, "")
        assert (found.low, found.high) == pytest.approx(
            proportion_confint(right, images, method="wilson"), abs=1e-12
        )


def test_a_thousand_classes_and_a_hundred_thousand_images_need_little_memory() -> None:
    random = np.random.default_rng(0)
    truth = random.integers(0, 1000, 100_000)
    predicted = np.where(random.random(100_000) < 0.9, truth, random.integers(0, 1000, 100_000))
    counted = count_by_group(truth, predicted, np.arange(100_000), 1000, random)
    assert counted.groups == 100_000 and counted.counts.nbytes <= 1000 * 3 * 1000 * 4
    table = metric_table(truth, predicted, tuple(map(str, range(1000))), np.arange(100_000))
    assert_sound(table)


def test_one_image_is_not_plural() -> None:
    one = np.zeros(1, np.int64)
    [of_class] = metric_table(one, one, ("a",), one).by_class
    accuracy = metric_table(one, one, ("a",), one).overall["accuracy"]
    for interval in (accuracy.interval, of_class.recall.interval):
        assert interval is not None and interval.method == "Wilson, 1 image"
    assert of_class.mcc.why_none == "too few: 1 image"
