"""The progress of a run on the terminal."""

import re
from pathlib import Path

import pytest
from run_support import epoch_row, finished, started, step

from mia_tui.cli.output import report
from mia_tui.cli.output.curves import LiveCurves
from mia_tui.cli.output.progress import EpochProgress
from mia_tui.cli.output.report import Report
from mia_tui.runs.record.events import EpochPlace, Event, Phase, ProgressMade, UnknownEvent, Warned
from mia_tui.runs.record.state import RunState
from mia_tui.text import duration

RUN: list[Event] = [
    Phase(t=0.0, name="importing"),
    started(),
    Phase(t=1.0, name="loading", message="reading images."),
    ProgressMade(t=1.0, done=10, total=20),
    Phase(t=1.0, name="training"),
    step(1, 10),
    epoch_row(1, loss=0.9, macro_f1=0.5),
    Warned(t=3.0, message="2 images were skipped.", hint="Look at them."),
    step(2, 10),
    epoch_row(2, loss=0.8, macro_f1=0.75),
    Warned(t=3.0, message="2 images were skipped.", hint="Look at them."),
    epoch_row(3, loss=0.8, macro_f1=0.7),
    finished(),
]


def test_without_a_terminal_every_epoch_is_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    with EpochProgress(Report(), metric="macro_f1") as show:
        for event in RUN:
            show(event)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "Starting.",
        "Training on cpu: 5 epochs of 10 steps.",
        "Reading images.",
        "    epoch   train loss   val loss            macro_f1   elapsed",
        "      1/5       1.0000     0.9000              0.5000      0:10  best",
        "      2/5       1.0000     0.8000              0.7500      0:20  best",
        "      3/5       1.0000     0.8000              0.7000      0:30",
    ]
    assert err == "Warning: 2 images were skipped. Look at them.\n"
    assert "\x1b" not in out + err


def test_with_json_nothing_of_it_is_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    with EpochProgress(Report(as_json=True), metric="macro_f1") as show:
        for event in RUN:
            show(event)
    assert capsys.readouterr().out == ""


def test_on_a_terminal_the_same_lines_stand_above_the_bars(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    for outlet in (report.STDOUT, report.STDERR):
        monkeypatch.setattr(outlet, "isatty", lambda: True)
    with EpochProgress(Report(), metric="macro_f1") as show:
        for event in RUN:
            show(event)
    out, err = capsys.readouterr()
    assert out == ""
    for text in (
        "2/5       1.0000     0.8000              0.7500      0:20  best",
        "Warning: 2 images",
        "run",
    ):
        assert text in err


def test_on_a_terminal_that_cannot_take_lines_back_there_are_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(report.STDERR, "isatty", lambda: True)
    with EpochProgress(Report(), metric="macro_f1") as show:
        show(epoch_row(1, loss=0.9, macro_f1=0.5))
    assert "1/1" in capsys.readouterr().out


def test_after_resuming_it_says_where_it_resumes_and_the_earlier_epochs_are_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = RunState(metric="macro_f1")
    for event in RUN:
        state.apply(event)  # type: ignore[arg-type]
    with EpochProgress(Report(), metric="macro_f1", state=state) as show:
        show(started(2, EpochPlace(3, 4)))
        show(epoch_row(3, loss=0.1, macro_f1=0.8))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if "/" in line] == ["1/5", "2/5", "3/5", "3/5"]
    assert "Resuming epoch 3 after step 4, on cpu." in lines
    assert [row.epoch for row in show.state.epochs] == [1, 2, 3]


def test_on_80_columns_a_prediction_that_goes_on_says_how_long_it_will_take(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(report.STDERR, "isatty", lambda: True)
    words = "predicting all images; 2,304 images are already predicted"
    with EpochProgress(Report(), metric="macro_f1") as show:
        show(Phase(t=1.0, name="working", message=words))
        show(ProgressMade(t=2.0, done=3008, total=4596))
    err = capsys.readouterr().err
    assert "2,304 images are already predicted." in err
    assert "3,008/4,596 images" in err and "-:--:--" in err
    state = RunState()
    state.apply(started())
    state.apply(Phase(t=1.0, name="working", message=words))
    with EpochProgress(Report(), metric="macro_f1", state=state) as show:
        show(ProgressMade(t=2.0, done=3008, total=4596))
    err = capsys.readouterr().err
    assert "3,008/4,596 images" in err and "-:--:--" in err


def test_a_run_that_is_under_way_can_be_joined_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(report.STDERR, "isatty", lambda: True)
    state = RunState(metric="macro_f1")
    for event in RUN[:6]:
        state.apply(event)  # type: ignore[arg-type]
    with EpochProgress(Report(), metric="macro_f1", state=state) as show:
        show(step(1, 10))
        show(epoch_row(1, loss=0.9, macro_f1=0.5))
        show(UnknownEvent({"type": "later"}))
    assert "epoch 1/5" in capsys.readouterr().err


def test_an_epoch_without_a_validation_part_has_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    with EpochProgress(Report(), metric="macro_f1") as show:
        show(epoch_row(1))
    assert capsys.readouterr().out.splitlines()[1].split() == ["1/1", "1.0000", "–", "–", "0:10"]


def test_zero_is_a_figure_and_not_a_missing_one(capsys: pytest.CaptureFixture[str]) -> None:
    with EpochProgress(Report(), metric="macro_f1") as show:
        show(epoch_row(1, loss=0.0, macro_f1=0.0))
        show(epoch_row(2, loss=float("nan"), macro_f1=float("nan")))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["1/1", "1.0000", "0.0000", "0.0000", "0:10", "best"]
    assert lines[2].split() == ["2/2", "1.0000", "nan", "nan", "0:20"]


def test_where_the_loss_is_watched_macro_f1_is_shown_beside_it(capsys: pytest.CaptureFixture[str]) -> None:
    with EpochProgress(Report(), metric="loss") as show:
        show(epoch_row(1, loss=0.5))
    assert capsys.readouterr().out.splitlines()[0].split() == [
        "epoch",
        "train",
        "loss",
        "val",
        "loss",
        "macro_f1",
        "elapsed",
    ]


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3723, "1:02:03")])
def test_a_clock_reads_minutes_and_seconds(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_the_table_of_epochs_marks_the_best(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    state = RunState(metric="macro_f1")
    for event in RUN:
        state.apply(event)  # type: ignore[arg-type]
    Report().epochs(state)
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith("best") for line in lines] == [False, False, True, False]
    Report().epochs(RunState())
    assert capsys.readouterr().out == ""


def on_terminal(monkeypatch: pytest.MonkeyPatch, *, columns: int, rows: int) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", str(rows))
    for outlet in (report.STDOUT, report.STDERR):
        monkeypatch.setattr(outlet, "isatty", lambda: True)


def test_curves_stand_above_the_bars_of_a_terminal_and_their_last_state_stays(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    on_terminal(monkeypatch, columns=100, rows=40)
    with EpochProgress(Report(), metric="macro_f1", curves=True) as show:
        for event in RUN:
            show(event)
    err = capsys.readouterr().err
    err = re.sub(r"\x1b\[[0-9;]*m", "", err)
    for text in ("macro F1", "validation 0.7", "training", "loss", "3/5"):
        assert text in err
    assert err.rindex("validation 0.7") > err.rindex("3/5"), "drawn last when the bars have gone"


def test_curves_that_were_asked_for_are_plain_lines_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    answers = []
    for curves in (False, True):
        with EpochProgress(Report(), metric="macro_f1", curves=curves) as show:
            for event in RUN:
                show(event)
        answers.append(capsys.readouterr())
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    ("columns", "rows", "lines"), [(200, 60, 14), (80, 24, 14), (60, 20, 12), (80, 12, 0), (30, 40, 0)]
)
def test_curves_fit_into_the_window_or_are_left_out(columns: int, rows: int, lines: int) -> None:
    state = RunState(metric="macro_f1")
    curves = LiveCurves(state, unicode=True)
    assert curves.lines(columns, rows) == []  # before the first step
    for event in RUN:
        state.apply(event)
    drawn = curves.lines(columns, rows)
    assert len(drawn) == lines
    assert all(line.cell_len <= columns for line in drawn)
    assert not lines or curves.lines(columns, rows) is drawn, "drawn once for each change"


def test_curves_on_a_terminal_without_unicode_are_ascii() -> None:
    state = RunState(metric="macro_f1")
    for event in RUN:
        state.apply(event)
    assert "".join(line.plain for line in LiveCurves(state, unicode=False).lines(100, 40)).isascii()
