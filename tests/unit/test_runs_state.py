import itertools
import math
from pathlib import Path

import pytest
from run_support import epoch_row, finished, make_run, settings_chosen, started, step, trial_ended

from mia_tui.errors import RunError
from mia_tui.runs.record.events import (
    CheckpointSaved,
    ConfusionSaved,
    EpochPlace,
    Event,
    Failure,
    KnownEvent,
    Phase,
    ProgressMade,
    ResultSaved,
    RunEnded,
    StartTimed,
    TimeUsed,
    UnknownEvent,
    Warned,
)
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.record.state import MOST_POINTS, MOST_WARNINGS, RunState, read_state


def state_of(*events: KnownEvent | UnknownEvent, **fields: object) -> RunState:
    state = RunState(**fields)
    for event in events:
        state.apply(event)
    return state


def saved(epoch: int, *, is_best: bool) -> CheckpointSaved:
    return CheckpointSaved(t=4.0, path="checkpoints/last.pt", epoch=epoch, is_best=is_best)


def time_used(**seconds: float) -> TimeUsed:
    return TimeUsed(t=4.0, seconds=seconds, sentence="")


def test_the_time_of_a_run_is_that_of_all_attempts_and_its_start_that_of_the_newest() -> None:
    timed, used = StartTimed(t=1.0, total_s=4.0, parts={"libraries": 2.5}), time_used(computing=1.0)
    state = state_of(started(), timed, used)
    assert (state.start, state.time_used) == (timed, used)
    state.apply(started(2, EpochPlace(1, 3)))
    assert (state.start, state.time_used) == (None, used)
    state.apply(started(3, None))
    assert state.time_used is None, "from the beginning"


def test_a_run_is_told_from_its_events() -> None:
    state = state_of(
        started(),
        Phase(t=1.5, name="training", message="on the CPU"),
        step(1, 1),
        epoch_row(1, macro_f1=0.5),
        saved(2, is_best=False),
        saved(1, is_best=True),
        ConfusionSaved(t=4.0, epoch=1, split="val", file="confusion/best.json"),
    )
    assert (state.attempt, state.phase, state.phase_message) == (1, "training", "on the CPU")
    assert state.last_step == step(1, 1)
    assert state.epochs == [epoch_row(1, macro_f1=0.5)]
    assert state.checkpoint == saved(2, is_best=False), "the best weights are nothing to go on from"
    assert state.confusions["confusion/best.json"].epoch == 1
    assert (state.outcome, state.elapsed_s, state.updated_at) == (None, 10.0, 4.0)


@pytest.mark.parametrize("kind", KnownEvent.__args__)
def test_every_event_changes_the_state(kind: type[Event]) -> None:
    examples: list[KnownEvent] = [
        started(),
        Phase(t=1.0, name="waiting"),
        StartTimed(t=1.0, total_s=4.0, parts={}),
        trial_ended(),
        settings_chosen(),
        step(1, 1),
        epoch_row(1),
        time_used(computing=1.0),
        ConfusionSaved(t=1.0, epoch=1, split="val", file="x"),
        ProgressMade(t=1.0, done=1, total=2),
        saved(1, is_best=False),
        ResultSaved(t=1.0, sentence="3 predictions", file="x.csv"),
        Warned(t=1.0, message="x"),
        RunEnded(t=1.0, outcome="failed", error=Failure("RunError", "x")),
    ]
    event = next(event for event in examples if type(event) is kind)
    told, fresh = vars(state_of(event)), vars(RunState())
    changed = {name for name in fresh if name != "steps" and told[name] != fresh[name]} - {"updated_at"}
    assert changed


def test_figures_of_zero_nan_and_none_keep_their_rows() -> None:
    rows = [
        epoch_row(1, macro_f1=0.0),
        epoch_row(2),
        epoch_row(3, macro_f1=math.nan),
        epoch_row(4, macro_f1=0.1),
    ]
    state = state_of(started(), *rows)
    assert [row.epoch for row in state.epochs] == [1, 2, 3, 4]
    assert state.epochs[0].val == {"macro_f1": 0.0}
    assert state.epochs[1].val is None
    assert state.best == rows[3]


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        (EpochPlace(3, 4), [1, 2]),
        (EpochPlace(3, 0), [1, 2]),
        (EpochPlace(3, 10), [1, 2, 3]),
        (EpochPlace(4, 0), [1, 2, 3]),
        (None, []),
    ],
)
def test_a_new_attempt_drops_what_came_later_than_its_place(
    place: EpochPlace | None, kept: list[int]
) -> None:
    rows = [epoch_row(epoch, macro_f1=0.1 * epoch) for epoch in (1, 2, 3, 4)]
    bests = [saved(epoch, is_best=True) for epoch in (1, 2, 3, 4)]
    matrix = ConfusionSaved(t=4.0, epoch=4, split="val", file="confusion/last.json")
    state = state_of(started(), *(event for pair in zip(rows, bests, strict=True) for event in pair), matrix)
    state.apply(saved(4, is_best=False))
    state.apply(started(2, place))
    assert [row.epoch for row in state.epochs] == kept
    assert state.checkpoint == (None if place is None else saved(place.epoch, is_best=False))
    assert state.confusions == {}


def test_after_resuming_every_epoch_has_one_row() -> None:
    state = state_of(started(), step(1, 10), epoch_row(1, macro_f1=0.1), step(2, 5), step(2, 9))
    state.apply(epoch_row(2, macro_f1=0.2))
    state.apply(started(2, EpochPlace(2, 5)))
    assert [(point.epoch, point.step) for point in state.steps.points] == [(1, 10), (2, 5)]
    assert state.last_step == step(2, 5)
    state.apply(epoch_row(2, macro_f1=0.3))
    state.apply(epoch_row(3, macro_f1=0.4))
    assert [(row.epoch, row.val) for row in state.epochs] == [
        (1, {"macro_f1": 0.1}),
        (2, {"macro_f1": 0.3}),
        (3, {"macro_f1": 0.4}),
    ]


def test_a_stop_between_training_and_validation_gives_one_row() -> None:
    state = state_of(
        started(), epoch_row(1, macro_f1=0.1), started(2, EpochPlace(1, 10)), epoch_row(1, macro_f1=0.1)
    )
    assert [row.epoch for row in state.epochs] == [1]


def test_the_best_epoch_is_the_first_of_equal_ones() -> None:
    rows = [epoch_row(1, macro_f1=0.5, loss=0.3), epoch_row(2, macro_f1=0.9, loss=0.4)]
    rows += [epoch_row(3, macro_f1=0.9, loss=0.2), epoch_row(4, macro_f1=0.1, loss=math.nan)]
    assert state_of(*rows).best == rows[1]
    by_loss = state_of(*rows, metric="loss")
    assert (by_loss.best, by_loss.best_value) == (rows[2], 0.9)  # chosen by the loss, shown by macro F1


def test_without_figures_of_validation_no_epoch_is_best() -> None:
    state = state_of(epoch_row(1), epoch_row(2, macro_f1=math.nan))
    assert state.best is None and state.best_value is None


@pytest.mark.parametrize("size", [1, 7, 999, 5000])
def test_events_in_batches_give_the_state_that_they_give_one_by_one(size: int) -> None:
    events: list[KnownEvent] = [started(steps=2000)]
    for number in range(1, 7):
        events += [step(number, place, loss=1 / place) for place in range(1, 1500)]
        events.append(epoch_row(number, macro_f1=0.1 * number))
        if number == 4:
            events += [RunEnded(t=4.0, outcome="stopped"), started(2, EpochPlace(4, 700), steps=2000)]
    batched = RunState()
    for start in range(0, len(events), size):
        batched.apply_all(events[start : start + size])
    one_by_one = state_of(*events)
    assert vars(batched.steps) == vars(one_by_one.steps)
    assert {**vars(batched), "steps": None} == {**vars(one_by_one), "steps": None}


def test_a_copy_of_a_state_stays_as_it_is_while_events_go_on() -> None:
    state = state_of(started(), step(1, 1), epoch_row(1, macro_f1=0.5), saved(1, is_best=False))
    copied = state.copy()
    state.apply_all([step(2, 1), step(2, 2), epoch_row(2, macro_f1=0.6), saved(2, is_best=False)])
    state.apply_all(
        [Warned(t=1.0, message="x"), ConfusionSaved(t=1.0, epoch=2, split="val", file="x"), finished()]
    )
    assert (len(copied.epochs), len(copied.steps.points), copied.warnings, copied.confusions) == (
        1,
        1,
        [],
        {},
    )
    assert copied.checkpoint == saved(1, is_best=False) and copied.outcome is None


def test_steps_of_a_long_run_stay_a_bounded_even_curve() -> None:
    state = state_of(*(step(1, number) for number in range(1, 100_001)))
    points = [point.step for point in state.steps.points]
    assert MOST_POINTS / 4 < len(points) < MOST_POINTS
    gaps = {after - before for before, after in itertools.pairwise(points)}
    assert len(gaps) == 1
    assert points[-1] > 99_000
    assert state.last_step == step(1, 100_000)


def test_a_cut_curve_stays_even() -> None:
    state = state_of(*(step(1, number) for number in range(MOST_POINTS * 3)))
    state.apply(started(2, EpochPlace(1, 3003)))
    for number in range(3004, MOST_POINTS * 3):
        state.apply(step(1, number))
    points = [point.step for point in state.steps.points]
    assert points == sorted(set(points))
    assert max(after - before for before, after in itertools.pairwise(points)) <= 8


def test_a_warning_said_again_after_resuming_counts_once() -> None:
    warning = Warned(t=1.0, message="x.png was skipped.")
    state = state_of(
        started(), warning, started(2, EpochPlace(1, 0)), Warned(t=9.0, message="x.png was skipped.")
    )
    assert (state.warnings, state.warning_count) == ([warning], 1)


def test_warnings_without_end_are_counted_and_the_first_kept() -> None:
    state = state_of(*(Warned(t=1.0, message=f"image {index}") for index in range(MOST_WARNINGS + 50)))
    assert (len(state.warnings), state.warning_count) == (MOST_WARNINGS, MOST_WARNINGS + 50)


def test_a_new_attempt_forgets_how_the_last_one_ended() -> None:
    failed = RunEnded(t=5.0, outcome="failed", error=Failure("RunError", "The disk is full."))
    state = state_of(started(t=1.0), epoch_row(1), failed)
    assert (state.outcome, state.ended_at) == ("failed", 5.0)
    assert state.error is not None and state.error.message == "The disk is full."
    state.apply(started(2, EpochPlace(2, 0), t=7.0))
    assert (state.outcome, state.error, state.ended_at) == (None, None, None)
    assert (state.attempt, state.first_started_at) == (2, 1.0)


def test_an_attempt_that_is_still_importing_has_not_ended() -> None:
    state = state_of(started(), RunEnded(t=5.0, outcome="stopped"), Phase(t=6.0, name="importing"))
    assert (state.outcome, state.ended_at, state.phase) == (None, None, "importing")


def test_progress_belongs_to_its_phase() -> None:
    state = state_of(Phase(t=1.0, name="loading"), ProgressMade(t=1.0, done=3, total=9))
    assert state.progress == (3, 9)
    state.apply(Phase(t=2.0, name="training"))
    assert state.progress is None


def test_waiting_for_a_disk_and_writing_the_result_are_parts_of_the_same_work() -> None:
    state = state_of(Phase(t=1.0, name="working"), ProgressMade(t=1.0, done=3, total=9))
    for name in ("waiting", "working", "working"):
        state.apply(Phase(t=2.0, name=name))
        assert state.progress == (3, 9)
    state.apply(Phase(t=3.0, name="importing"))
    assert state.progress is None


def test_a_state_is_read_from_the_log_past_its_bad_lines(tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia", metric="accuracy")
    assert read_state(run).attempt == 0
    with EventLog(run.events) as log:
        log.append(started())
    with run.events.open("ab") as file:
        file.write(b'{"type":"tea_made","t":1}\n{"type":"epoch_en')
    with EventLog(run.events) as log:
        log.append(epoch_row(1, accuracy=0.5, macro_f1=0.4))
        log.append(finished())
    state = read_state(run)
    assert (state.outcome, state.best_value) == ("finished", 0.5)
    assert (state.bad_lines, state.unknown_events) == (1, 1)


def test_the_state_of_no_run_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run"):
        read_state(RunDir(tmp_path))
