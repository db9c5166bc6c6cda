"""How far a run is and how long it will take."""

import math
from functools import partial

import msgspec
import pytest
from run_support import epoch_row, started, step

from mia_tui.config.train import TrainConfig
from mia_tui.config.train.epoch_work import epoch_size, training_work
from mia_tui.runs.record.events import (
    EpochEnded,
    EpochPlace,
    KnownEvent,
    Phase,
    ProgressMade,
    RunEnded,
    StepEnded,
)
from mia_tui.runs.record.state import RunState
from mia_tui.runs.record.time_left import image_progress, run_progress
from mia_tui.text import duration


def state_of(*events: KnownEvent) -> RunState:
    state = RunState()
    for event in events:
        state.apply(event)
    return state


def at(epoch: int, number: int, speed: float, t: float = 2.0) -> StepEnded:
    return StepEnded(t=t, epoch=epoch, step=number, loss=1.0, lr=0.1, images_per_s=speed, memory_bytes=1)


def ended(epoch: int, elapsed_s: float) -> EpochEnded:
    return EpochEnded(t=3.0, epoch=epoch, train={"loss": 1.0}, val=None, elapsed_s=elapsed_s)


def test_before_its_start_a_run_has_no_pace() -> None:
    assert run_progress(RunState(), 32) is None


def test_at_its_start_nothing_is_known_of_the_time_left() -> None:
    progress = run_progress(state_of(started()), 32)
    assert progress is not None
    assert (
        progress.epoch,
        progress.step,
        progress.run_share,
        progress.epoch_left_s,
        progress.run_left_s,
    ) == (
        1,
        0,
        0.0,
        None,
        None,
    )


def test_in_the_first_epoch_steps_tell_the_time_left_once_it_has_warmed_up() -> None:
    for told in range(1, 6):
        early = run_progress(state_of(started(), *(at(1, number, 64.0) for number in range(1, told + 1))), 32)
        assert early is not None and (early.epoch_left_s, early.run_left_s) == (None, None)
    progress = run_progress(state_of(started(), *(at(1, number, 64.0) for number in range(1, 7))), 32)
    assert progress is not None
    assert progress.epoch_left_s == pytest.approx(4 * 0.5)
    assert progress.run_left_s == pytest.approx(44 * 0.5)
    assert (progress.epoch_share, progress.run_share) == (0.6, 0.12)


def test_a_slow_start_is_no_measure_of_the_time_left() -> None:
    slow_start = [at(1, 1, 2.0), at(1, 2, 9.0), *(at(1, number, 64.0) for number in range(3, 8))]
    progress = run_progress(state_of(started(), *slow_start), 32)
    assert progress is not None and progress.run_left_s == pytest.approx(43 * 0.5)


def test_an_epoch_in_which_images_were_read_and_the_network_was_built_is_no_measure_either() -> None:
    """Ten steps of half a second; before the first ones a minute went by."""
    steps = [at(1, number, 64.0) for number in range(1, 11)]
    rows = [ended(1, 65.0), ended(2, 70.0), ended(3, 75.0)]
    said = [run_progress(state_of(started(), *steps, *rows[:count]), 32) for count in (1, 2, 3)]
    assert [progress.run_left_s for progress in said if progress] == pytest.approx(
        [4 * 5.0, 3 * 5.0, 2 * 5.0]
    )


def test_an_epoch_that_took_far_longer_than_the_others_changes_nothing() -> None:
    times = [65.0, 70.0, 75.0, 80.0, 480.0, 485.0]
    events = [started(total=100), *(ended(number, t) for number, t in enumerate(times, 1))]
    progress = run_progress(state_of(*events), 32)
    assert progress is not None and progress.run_left_s == pytest.approx(94 * 5.0)


def test_later_epochs_tell_it_with_their_validation() -> None:
    state = state_of(
        started(), epoch_row(1), epoch_row(2), *(at(3, number, 1000.0) for number in range(1, 6))
    )
    progress = run_progress(state, 32)
    assert progress is not None and progress.run_left_s == pytest.approx(2.5 * 10)


def test_while_an_epoch_is_judged_nothing_of_its_steps_is_left() -> None:
    state = state_of(started(), epoch_row(1), epoch_row(2), *(at(3, number, 64.0) for number in range(1, 11)))
    progress = run_progress(state, 32)
    assert progress is not None and progress.epoch_left_s == 0.0
    assert progress.run_left_s == pytest.approx(2 * 10)


def test_what_an_attempt_begins_with_is_left_out_again_after_resuming() -> None:
    """It was at 64 images a second, read images for a minute again, and goes on at 32 now."""
    before = [started(), *(at(1, number, 64.0) for number in range(1, 11)), ended(1, 6.0), ended(2, 12.0)]
    state = state_of(*before, at(3, 1, 64.0), started(2, EpochPlace(3, 4)), at(3, 5, 1.0), at(3, 6, 2.0))
    progress = run_progress(state, 32)
    assert progress is not None and (progress.epoch_left_s, progress.run_left_s) == (None, None)
    for event in [*(at(3, number, 32.0) for number in range(7, 11)), ended(3, 80.0)]:
        state.apply(event)
    progress = run_progress(state, 32)
    assert progress is not None and progress.run_left_s == pytest.approx(2 * 10.0)
    state.apply(ended(4, 91.0))
    progress = run_progress(state, 32)
    assert progress is not None and progress.run_left_s == pytest.approx(11.0)


def test_clocks_that_jump_make_no_negative_or_vast_times() -> None:
    times = [5.0, 9e9, -5.0, 5.0, 9e9, -5.0]
    state = state_of(started(t=1e9), *(at(1, number, 64.0, t) for number, t in enumerate(times, 1)))
    progress = run_progress(state, 32)
    assert progress is not None and progress.epoch_left_s == pytest.approx(4 * 0.5)


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan, math.inf])
def test_a_speed_that_is_none_is_not_used(speed: float) -> None:
    progress = run_progress(state_of(started(), *(at(1, number, speed) for number in range(1, 9))), 32)
    assert progress is not None and progress.epoch_left_s is None and progress.run_left_s is None


def test_after_resuming_it_stands_where_the_attempt_began() -> None:
    progress = run_progress(state_of(started(), epoch_row(1), step(2, 9), started(2, EpochPlace(2, 5))), 32)
    assert progress is not None and (progress.epoch, progress.step) == (2, 5)


def test_a_finished_run_is_whole_and_has_no_time_left() -> None:
    progress = run_progress(state_of(started(), *(epoch_row(number) for number in range(1, 6))), 32)
    assert progress is not None
    assert (progress.epoch, progress.epoch_share, progress.run_share, progress.run_left_s) == (
        5,
        1.0,
        1.0,
        0.0,
    )


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (75.4, "1:15"), (3723, "1:02:03"), (-5, "0:00")])
def test_seconds_read_as_a_clock(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def counting(*reports: tuple[float, int], total: int = 10_000) -> RunState:
    """A job that told at these times how many images were done."""
    return state_of(
        started(),
        Phase(t=0.0, name="working"),
        *(ProgressMade(t=t, done=done, total=total) for t, done in reports),
    )


def left(state: RunState) -> float | None:
    progress = image_progress(state)
    assert progress is not None
    return progress.left_s


def test_a_job_that_has_counted_nothing_has_no_progress() -> None:
    assert image_progress(state_of(started(), Phase(t=0.0, name="working"))) is None


def test_a_job_that_ends_again_before_it_is_at_work_is_as_far_as_it_was() -> None:
    state = counting((1.0, 64), (2.0, 128))
    for event in (
        RunEnded(t=3.0, outcome="stopped"),
        Phase(t=4.0, name="importing"),
        started(attempt=2),
        Phase(t=5.0, name="loading"),
        ProgressMade(t=5.0, done=1, total=0),
        RunEnded(t=6.0, outcome="stopped"),
    ):
        state.apply(event)
        progress = image_progress(state)
        assert progress is not None
        assert (progress.done, progress.total, progress.left_s) == (128, 10_000, None)
    state.apply(Phase(t=7.0, name="working"))
    assert image_progress(state) is None


def test_the_time_left_of_images_is_known_some_seconds_after_the_warm_up() -> None:
    reports = [(20.0, 64), (21.0, 164), (22.0, 264), (23.0, 364), (24.0, 464)]
    assert [left(counting(*reports[:count])) for count in (1, 2, 3, 4)] == [None] * 4
    assert left(counting(*reports)) == pytest.approx((10_000 - 464) / 100.0)
    progress = image_progress(counting(*reports))
    assert progress is not None and (progress.share, progress.images_per_s) == (0.0464, pytest.approx(100.0))


def test_a_resumed_job_counts_only_what_it_does_itself() -> None:
    state = counting((0.0, 9000), *((5.0 + t, 9000 + 10 * t) for t in range(1, 11)))
    assert left(state) == pytest.approx(900 / 10)


def test_reports_in_a_burst_do_not_make_the_time_left_jump() -> None:
    """64 images every two seconds, told within a few hundredths of a second."""
    said = []
    reports = [
        (2.0 * batch + 0.01 * part, 64 * batch + 16 * part) for batch in range(1, 40) for part in range(4)
    ]
    for count in range(60, len(reports)):
        seconds, state = left(counting(*reports[:count])), counting(*reports[:count])
        assert seconds is not None and state.progress is not None
        said.append(seconds + state.progress[0] / 32)
    assert max(said) - min(said) < 0.1 * min(said)


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_clock_that_is_set_does_not_change_the_time_left(jump: float) -> None:
    reports = [(float(t) + (jump if t > 20 else 0.0), 10 * t) for t in range(40)]
    for count in range(10, 40):
        assert left(counting(*reports[:count])) in (None, pytest.approx(1000.0, abs=100)), count
    assert left(counting(*reports)) is not None


def test_a_job_that_became_slower_soon_says_so() -> None:
    fast = [(float(t), 100 * t) for t in range(30)]
    slow = [(30.0 + t, 3000 + 10 * t) for t in range(60)]
    assert left(counting(*fast, *slow)) == pytest.approx((10_000 - 3590) / 10, rel=0.05)


def test_a_million_reports_take_little_memory() -> None:
    state = counting(*((0.2 * number, number) for number in range(100_000)))
    assert len(state.recent_progress) < 50


def test_batches_that_take_a_minute_have_a_time_left_too() -> None:
    state = counting(*((60.0 * number, 64 * number) for number in range(6)))
    assert left(state) == pytest.approx((10_000 - 5 * 64) / 64 * 60)


def test_epochs_with_more_to_do_take_longer() -> None:
    config = TrainConfig(epochs=20, start_size=0.5, width=96, height=96, freeze_epochs=1.0)
    sizes = [epoch_size(config, epoch)[0] for epoch in range(1, 21)]
    assert [sizes.count(side) for side in (48, 64, 80, 96)] == [5] * 4
    work = [training_work(config, epoch, epoch) for epoch in range(1, 21)]
    assert work == pytest.approx([48**2 / 96**2 / 3, *(side**2 / 96**2 for side in sizes[1:])])
    assert training_work(config, 3, 20) == pytest.approx(sum(work[2:]))
    rows = [ended(epoch, 10.0 * sum(work[:epoch])) for epoch in (1, 2, 3)]
    begun = msgspec.structs.replace(started(), total_epochs=20)
    progress = run_progress(state_of(begun, *rows), 32, partial(training_work, config))
    assert progress is not None
    assert progress.run_left_s == pytest.approx(10 * training_work(config, 4, 20))


@pytest.mark.parametrize("epochs", [1, 2, 3, 5])
def test_a_short_run_ends_at_the_whole_size_too(epochs: int) -> None:
    config = TrainConfig(epochs=epochs, start_size=0.4, width=96, height=64)
    assert epoch_size(config, epochs) == (64, 96)
    total = sum(height * width for height, width in (epoch_size(config, e + 1) for e in range(epochs)))
    assert training_work(config, 1, epochs) == pytest.approx(total / (64 * 96))
