"""Which learning rate a rising one suggests."""

import numpy as np
import pytest

from mia_tui.analysis.rate_curve import RateCurve, rates_of


def curve(losses: "np.ndarray") -> RateCurve:
    return RateCurve(rates_of(1e-6, 1.0, len(losses)), losses.astype(np.float64))


def test_rates_rise_by_the_same_factor() -> None:
    rates = rates_of(1e-6, 1.0, 7)
    assert rates == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0])


def test_losses_are_smoothed_with_weights_that_fall_and_add_up_to_one() -> None:
    assert curve(np.full(30, 0.7)).smoothed == pytest.approx(np.full(30, 0.7))
    two = curve(np.array([1.0, 0.0])).smoothed
    assert two == pytest.approx([1.0, 0.98 / 1.98])


def test_the_rate_is_in_the_middle_of_the_longest_fall() -> None:
    flat, fall, rise = np.full(40, 1.0), np.linspace(1.0, 0.2, 60), np.full(20, 0.9)
    found = curve(np.concatenate([flat, fall, rise]))
    assert not found.has_diverged
    rate = found.suggestion
    assert rate is not None
    assert found.rates[60] < rate < found.rates[80]


def test_a_loss_that_is_lost_has_diverged_and_its_end_counts_for_nothing() -> None:
    found = curve(np.concatenate([np.linspace(1.0, 0.5, 80), [2.0, 9.0, 60.0, 300.0, np.nan]]))
    assert found.has_diverged
    assert found.suggestion is not None and found.suggestion < found.rates[70]
    assert not curve(np.linspace(1.0, 0.5, 80)).has_diverged


def test_a_loss_that_falls_nowhere_suggests_nothing() -> None:
    assert curve(np.linspace(0.5, 1.0, 50)).suggestion is None
    assert curve(np.full(30, np.nan)).suggestion is None
