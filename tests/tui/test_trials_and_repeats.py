"""What screens say of trials and of repetitions."""

from dataclasses import replace
from pathlib import Path

import msgspec
from tui_support import make_context

from mia_tui.config.check import make_config
from mia_tui.runs.list.comparison import ComparedRun
from mia_tui.runs.list.summaries import SummaryReader
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
from mia_tui.runs.record.events import SettingsChosen, TrialEnded
from mia_tui.runs.record.state import RunState
from mia_tui.runs.record.trials import Trial, TrialsChoice
from mia_tui.tui.runs.compare_tables import best_text
from mia_tui.tui.runs.words import trials_text


def test_the_trials_of_a_run_are_listed_with_the_chosen_one_and_the_reason() -> None:
    state = RunState()
    assert trials_text(state) == ""
    first = Trial(
        number=1,
        settings={"lr": 0.001, "epochs": 20},
        epochs=4,
        score=0.5,
        gain=0.0,
        error=0.0,
        accuracy=0.8,
        images=100,
        seconds=3.0,
    )
    second = msgspec.structs.replace(
        first, number=2, settings={"lr": 0.003, "epochs": 20}, score=0.4, gain=0.1, error=0.03
    )
    for trial in (first, second, second):  # the last one again, after a kill
        state.apply(TrialEnded(t=1.0, trial=trial, of=12))
    choice = TrialsChoice(number=2, settings={"lr": 0.003}, trials=2, seconds=6.0, why="Chosen: so.")
    state.apply(SettingsChosen(t=2.0, choice=choice, total_epochs=20))
    lines = trials_text(state).splitlines()
    assert [line.split() for line in lines[2:4]] == [
        ["1", "0.001", "20", "0.5000", "80.0%"],
        ["*", "2", "0.003", "20", "0.4000", "80.0%", "+0.1000", "±", "0.0300"],
    ]
    assert "Chosen: so." in lines
    second_run = RunState()
    second_run.apply(SettingsChosen(t=1.0, choice=choice, total_epochs=20))
    assert trials_text(second_run).splitlines()[0] == "Chosen: so."


def test_runs_that_are_compared_have_mean_and_spread_where_they_are_repetitions(discs: Path) -> None:
    prepared = prepare_training(read_dataset(discs), make_config(flags={"repeats": 3}))
    runs = prepared.create_all()
    assert [run.job().after for run in runs] == [None, str(runs[0].path), str(runs[1].path)]
    compared = []
    for run, value in zip(runs, (0.9, 0.92, 0.97), strict=True):
        row = SummaryReader(run).refresh()
        assert row is not None
        done = replace(row, status="finished", figures={"accuracy": value, "macro_f1": value})
        compared.append(ComparedRun(done, RunState(), None, ""))
    text = best_text(compared, 100, make_context().ink).plain
    assert "mean of 3 repetitions" in text
    assert "0.9300" in text
    assert "standard deviation" in text
    assert "0.0361" in text
    alone = replace(compared[0].row, job=msgspec.structs.replace(runs[0].job(), repeat=None))
    assert "mean" not in best_text([replace(compared[0], row=alone)], 100, make_context().ink).plain
