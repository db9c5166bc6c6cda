"""How far a run is and how long it will take."""

import math

import pytest
from run_support import epoch_row, started, step

from mia_tui.runs.events import KnownEvent, Place, StepEnded
from mia_tui.runs.pace import clock, pace_of
from mia_tui.runs.state import RunState


def state_of(*events: KnownEvent) -> RunState:
    state = RunState()
    for event in events:
        state.apply(event)
    return state


def at(epoch: int, number: int, speed: float, t: float = 2.0) -> StepEnded:
    return StepEnded(t=t, epoch=epoch, step=number, loss=1.0, lr=0.1, images_per_s=speed, memory_bytes=1)


def test_before_its_start_a_run_has_no_pace() -> None:
    assert pace_of(RunState(), 32) is None


def test_at_its_start_nothing_is_known_of_the_time_left() -> None:
    pace = pace_of(state_of(started()), 32)
    assert pace is not None
    assert (pace.epoch, pace.step, pace.run_share, pace.epoch_left_s, pace.run_left_s) == (
        1,
        0,
        0.0,
        None,
        None,
    )


def test_in_the_first_epoch_steps_tell_the_time_left() -> None:
    pace = pace_of(state_of(started(), at(1, 4, 64.0)), 32)
    assert pace is not None
    assert pace.epoch_left_s == pytest.approx(6 * 0.5)
    assert pace.run_left_s == pytest.approx(46 * 0.5)
    assert (pace.epoch_share, pace.run_share) == (0.4, 0.08)


def test_later_epochs_tell_it_with_their_validation() -> None:
    state = state_of(started(), epoch_row(1), epoch_row(2), at(3, 5, 1000.0))
    pace = pace_of(state, 32)
    assert pace is not None and pace.run_left_s == pytest.approx(2.5 * 10)


def test_clocks_that_jump_make_no_negative_or_vast_times() -> None:
    state = state_of(started(t=1e9), at(1, 1, 64.0, t=5.0), at(1, 2, 64.0, t=9e9), at(1, 3, 64.0, t=-5.0))
    pace = pace_of(state, 32)
    assert pace is not None and pace.epoch_left_s == pytest.approx(3.5)


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan, math.inf])
def test_a_speed_that_is_none_is_not_used(speed: float) -> None:
    pace = pace_of(state_of(started(), at(1, 4, speed)), 32)
    assert pace is not None and pace.images_per_s is None and pace.run_left_s is None


def test_after_resuming_it_stands_where_the_attempt_began() -> None:
    pace = pace_of(state_of(started(), epoch_row(1), step(2, 9), started(2, Place(2, 5))), 32)
    assert pace is not None and (pace.epoch, pace.step) == (2, 5)


def test_a_finished_run_is_whole_and_has_no_time_left() -> None:
    pace = pace_of(state_of(started(), *(epoch_row(number) for number in range(1, 6))), 32)
    assert pace is not None
    assert (pace.epoch, pace.epoch_share, pace.run_share, pace.run_left_s) == (5, 1.0, 1.0, 0.0)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (75.4, "1:15"), (3723, "1:02:03"), (-5, "0:00")])
def test_seconds_read_as_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
