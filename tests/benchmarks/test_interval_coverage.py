"""How often the intervals of all metrics contain the truth, on 1,000 simulated sets each; takes minutes.

A smaller version, with wider limits, is in tests/unit/test_interval_coverage.py.
"""

import pytest
from simulated_predictions import Simulation, coverage

pytestmark = pytest.mark.benchmark

SETS = 1000
FOUR, TEN = (0.95, 0.9, 0.85, 0.75), tuple(0.75 + 0.02 * place for place in range(10))
SIMULATIONS = {
    "20 groups, 4 classes": Simulation(20, 75, FOUR),
    "20 alike groups, 4 classes": Simulation(20, 75, FOUR, deviation=0.1),
    "20 groups that differ much, 4 classes": Simulation(20, 75, FOUR, deviation=1.0),
    "40 groups, 2 classes": Simulation(40, 150, (0.9, 0.8)),
    "30 groups, 10 classes": Simulation(30, 90, TEN),
    "50 independent images of 4 classes": Simulation(None, 50, FOUR),
    "200 independent images of 2 classes": Simulation(None, 200, (0.97, 0.9)),
    "50 independent images of 10 classes": Simulation(None, 50, TEN),
}


@pytest.mark.parametrize("name", SIMULATIONS)
def test_intervals_contain_the_truth_in_93_to_97_of_100_sets(name: str) -> None:
    found = coverage(SIMULATIONS[name], SETS)
    print(f"\n{name}, {SETS:,} sets:")
    for metric, counted in found.items():
        print(
            f"  {metric:20} {counted.share:6.1%} of {counted.intervals:,} intervals, {counted.too_few:,} too few"
        )
    outside = {
        metric: counted.share for metric, counted in found.items() if not 0.93 <= counted.share <= 0.97
    }
    assert not outside
