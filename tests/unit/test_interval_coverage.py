"""Intervals contain the truth as often as they say; with more sets: tests/benchmarks/test_interval_coverage.py."""

import pytest
from simulated_predictions import Simulation, coverage

SETS = 120


@pytest.mark.parametrize(
    "simulation",
    [
        Simulation(20, 75, (0.95, 0.85, 0.75)),
        Simulation(40, 100, (0.9, 0.8), deviation=1.0),
        Simulation(None, 50, (0.95, 0.85, 0.75)),
    ],
)
def test_intervals_contain_the_truth_in_most_sets(simulation: Simulation) -> None:
    """Of 120 sets 95 % are 114, with a standard deviation of 2.4; naive intervals of grouped images hold in 80 %."""
    found = coverage(simulation, SETS)
    for metric, counted in found.items():
        assert counted.intervals > SETS / 2, metric
        assert 0.88 <= counted.share <= 0.995, (metric, counted)


def test_images_of_a_group_say_less_than_independent_ones() -> None:
    from numpy import arange, random

    from mia_tui.analysis.metrics import metric_table

    drawn = Simulation(30, 200, (0.9, 0.8), deviation=1.2)
    truth, predicted, groups = drawn.draw(random.default_rng(1))
    grouped = metric_table(truth, predicted, drawn.classes, groups).overall
    independent = metric_table(truth, predicted, drawn.classes, arange(len(truth))).overall
    for name in ("accuracy", "macro_f1", "mcc"):
        wide, narrow = grouped[name].interval, independent[name].interval
        assert wide is not None and narrow is not None
        assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
        assert "30 groups" in wide.method and "images" in narrow.method
