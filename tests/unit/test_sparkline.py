"""Curves in one line: from the lowest value to the highest, in as many columns as there are."""

import math

import pytest

from mia_tui.tui.runs.figures.sparkline import sparkline


def test_the_lowest_value_is_the_lowest_block_and_the_highest_the_highest() -> None:
    assert sparkline([0.1, 0.9, 0.5], 10, unicode=True) == "▁█▅"
    assert sparkline([3.0, 2.0, 1.0, 0.0], 10, unicode=False) == "%*-_"


def test_more_values_than_columns_share_them() -> None:
    assert sparkline([float(value) for value in range(1000)], 8, unicode=True) == "▁▂▃▄▅▆▇█"


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf]])
def test_without_a_number_there_is_nothing(values: list[float]) -> None:
    assert sparkline(values, 10, unicode=True) == ""


def test_values_that_are_all_the_same_lie_in_the_middle_and_those_that_are_no_numbers_are_left_out() -> None:
    assert sparkline([0.5, math.nan, 0.5], 10, unicode=True) == "▅▅"
