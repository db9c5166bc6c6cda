"""Trials before a training: chosen settings, stop and resume, and what the run is afterwards."""

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from run_support import started
from training_support import make_run, train

from mia_tui.config.check import make_config
from mia_tui.config.train import TrainConfig
from mia_tui.engine.training.trials.judge import make_folds
from mia_tui.engine.training.trials.plan import (
    TrialPlan,
    choose,
    gain_over,
    next_settings,
    plan_trials,
)
from mia_tui.errors import ConfigError
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
from mia_tui.runs.record.events import EpochEnded, Event, SettingsChosen, TrialEnded
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.record.state import read_state
from mia_tui.runs.record.trials import TRIALS, DoneTrial, Trial, TrialsChoice, read_trials, write_trials
from mia_tui.runs.rerun.preparing import prepare_rerun

SHORT = {"trials": 3, "epochs": 2, "schedule": "cosine", "ema_decay": 0.0}


def score(settings: dict[str, float]) -> float:
    """Best at a learning rate of 0.009 and 80 epochs."""
    return abs(math.log(settings["lr"] / 0.009)) + abs(math.log(settings["epochs"] / 80)) / 9


def searched(plan: TrialPlan) -> list[dict[str, float]]:
    found: list[dict[str, float]] = []
    while (settings := next_settings(plan, [score(each) for each in found])) is not None:
        found.append(settings)
    return found


def test_the_search_goes_on_where_it_gets_better() -> None:
    plan = plan_trials(make_config(recipe="auto"), train=80, val=20)
    found = searched(plan)
    assert found[0] == {"lr": 0.001, "weight_decay": 0.01, "epochs": 20}
    best = min(found, key=score)
    assert best["lr"] == pytest.approx(0.009)
    assert best["epochs"] == 80
    assert len(found) <= 12
    assert len({tuple(each.values()) for each in found}) == len(found)


def test_settings_that_were_given_stay_as_they_are(discs: Path) -> None:
    config = make_config(recipe="auto", flags={"lr": 0.002})
    prepared = prepare_training(read_dataset(discs), config, given=("lr",), keep=False)
    plan = plan_trials(prepared.job.config, train=100, val=20)
    assert {each["lr"] for each in searched(plan)} == {0.002}
    everything = make_config(recipe="auto", flags={"lr": 0.002, "weight_decay": 0.1, "epochs": 3})
    given = ("lr", "weight_decay", "epochs")
    assert prepare_training(read_dataset(discs), everything, given=given, keep=False).job.config.trials == 0


def test_trials_of_a_large_dataset_are_as_long_as_the_run_at_most() -> None:
    plan = plan_trials(make_config(recipe="auto"), train=80_000, val=20_000)
    assert plan.folds == 1
    assert "epochs" not in plan.names
    assert sum(plan.epochs_of(settings) for settings in searched(plan)) <= 24


def test_an_unknown_setting_to_tune_is_refused() -> None:
    with pytest.raises(ConfigError, match="--tune names 'momentum'"):
        make_config(flags={"tune": "lr, momentum"})


def test_images_of_one_group_are_in_one_fold() -> None:
    samples = [
        Sample(f"slide{row % 10}/cell{row}.png", row % 2, "val" if row % 5 == 0 else "train")
        for row in range(100)
    ]
    folds = make_folds(samples, r"slide\d", 3, seed=0)
    assert len(folds) == 3
    judged = [{samples[row].path.split("/")[0] for row in fold.judged.tolist()} for fold in folds]
    assert sum(map(len, judged)) == len(set.union(*judged)) == 10
    for fold in folds:
        assert fold.train == sum(sample.split == "train" for sample in fold.samples)
        assert {sample.class_index for sample in fold.samples if sample.split == "val"} == {0, 1}


def done(number: int, losses: np.ndarray, base: np.ndarray, **settings: float) -> DoneTrial:
    gain, error = gain_over(base, losses, np.arange(len(base)), np.ones(len(base)))
    trial = Trial(
        number=number,
        settings=settings,
        epochs=2,
        score=float(losses.mean()),
        gain=gain,
        error=error,
        accuracy=0.5,
        images=len(losses),
        seconds=1.0,
    )
    return DoneTrial(trial=trial, losses=losses.tolist())


def test_only_a_clear_gain_changes_the_settings_and_a_longer_training_must_pay() -> None:
    random = np.random.default_rng(0)
    base = random.gamma(2.0, 0.3, 200)
    plan = TrialPlan(("lr", "epochs"), {"lr": 0.001, "epochs": 20}, 12, 1.0, 3)
    usual = done(1, base, base, lr=0.001, epochs=20)
    noise = random.normal(0.0, 0.1, 200)
    noise -= noise.mean() + 0.5 * noise.std() / np.sqrt(200)  # half a standard error better
    by_chance = done(2, np.clip(base + noise, 0, None), base, lr=0.003, epochs=20)
    groups, weights = np.arange(200), np.ones(200)
    assert choose(plan, [usual, by_chance], groups, weights).settings == {"lr": 0.001, "epochs": 20}
    better = base * 0.8
    clear = done(2, better, base, lr=0.003, epochs=20)
    longer = done(3, np.clip(better + noise, 0, None), base, lr=0.003, epochs=40)
    chosen = choose(plan, [usual, clear, longer], groups, weights)
    assert chosen.number == 2
    assert "20% lower" in chosen.why


def test_a_run_with_trials_ends_as_a_training_with_the_chosen_settings(discs: Path) -> None:
    run = make_run(discs, **SHORT)
    result, events = train(run)
    assert result.outcome == "finished"
    trials = [event.trial for event in events if isinstance(event, TrialEnded)]
    assert [trial.number for trial in trials] == [1, 2, 3]
    config = run.train_job().config
    assert config.trials == 0
    written = run.written_job().config
    assert isinstance(written, TrainConfig)
    assert written.trials == 3
    choice = read_state(run).choice
    assert choice is not None
    assert choice.settings["lr"] == config.lr
    again = prepare_rerun(run, None, None).create()
    assert train(again)[0].outcome == "finished"
    assert not (again.path / TRIALS).exists()
    digests = [epochs_of(each) for each in (run, again)]
    assert digests[0] == digests[1]


def epochs_of(run: RunDir) -> list[dict[str, float]]:
    return [row.train for row in read_state(run).epochs]


def test_trials_that_were_stopped_go_on_with_the_next_one(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mia_tui.runs.worker.control._LOOK_EVERY_S", 0.0)
    whole, halves = make_run(discs, **SHORT), make_run(discs, **SHORT)
    train(whole)
    stops = iter([True])

    def stop_after_two(event: Event) -> None:
        if isinstance(event, TrialEnded) and event.trial.number == 2 and next(stops, False):
            halves.stop.touch()

    assert train(halves, on_event=stop_after_two)[0].outcome == "stopped"
    assert len(read_trials(halves.path, root=halves.root)[0]) == 2
    halves.stop.unlink(missing_ok=True)
    result, events = train(halves)
    assert result.outcome == "finished"
    assert [event.trial.number for event in events if isinstance(event, TrialEnded)] == [3]
    assert epochs_of(halves) == epochs_of(whole)
    scores = [[trial.score for trial in read_state(run).trials] for run in (whole, halves)]
    assert scores[0] == scores[1]


def test_damaged_lines_of_trials_are_done_again(discs: Path) -> None:
    run = make_run(discs, **SHORT)
    base = np.full(4, 0.5)
    usual = {"weight_decay": 0.1, "epochs": 2}
    written = [done(1, base, base, lr=0.1, **usual), done(2, base, base, lr=0.3, **usual)]
    write_trials(run.path, written, root=run.root)
    file = run.path / TRIALS
    assert len(read_trials(run.path, root=run.root)[0]) == 2
    file.write_bytes(file.read_bytes()[:-40])
    assert len(read_trials(run.path, root=run.root)[0]) == 1
    file.write_bytes(b"\xff{")
    assert read_trials(run.path, root=run.root) == ([], None)
    assert run.train_job().config.trials == 3


@pytest.mark.parametrize("odd", [{"lr": 0.0}, {"epochs": 0.0}])
def test_settings_that_no_training_can_have_are_not_read_as_chosen(
    discs: Path, odd: dict[str, float]
) -> None:
    run = make_run(discs, **SHORT)
    base, usual = np.full(4, 0.5), {"lr": 0.1, "weight_decay": 0.1, "epochs": 2.0}
    trials = [done(1, base, base, **usual), done(2, base, base, **{**usual, **odd})]
    choice = TrialsChoice(number=1, settings={**usual, **odd}, trials=2, seconds=1.0, why="")
    write_trials(run.path, trials, choice, root=run.root)
    assert [len(read_trials(run.path, root=run.root)[0]), run.train_job().config.trials] == [1, 3]
    write_trials(run.path, trials[:1], choice, root=run.root)
    assert read_trials(run.path, root=run.root) == (trials[:1], None)
    write_trials(run.path, [done(1, base, base, lr=0.1)], root=run.root)
    assert read_trials(run.path, root=run.root) == ([], None)


def test_a_run_whose_trials_were_lost_goes_on_with_what_it_has_chosen(discs: Path) -> None:
    run = make_run(discs, **SHORT)
    choice = TrialsChoice(number=2, settings={"lr": 0.02, "epochs": 1.0}, trials=2, seconds=1.0, why="")
    with EventLog(run.events, root=run.root) as log:
        log.append(started())
        log.append(SettingsChosen(t=2.0, choice=choice, total_epochs=1))
    result, events = train(run)
    assert result.outcome == "finished"
    assert not any(isinstance(event, TrialEnded) for event in events)
    config = run.train_job().config
    assert (config.lr, config.epochs, config.trials) == (0.02, 1, 0)


def test_chosen_epochs_are_those_of_the_run(discs: Path) -> None:
    run = make_run(discs, **{**SHORT, "tune": "epochs", "trials": 2})
    _, events = train(run)
    chosen = next(event for event in events if isinstance(event, SettingsChosen))
    assert sum(isinstance(event, EpochEnded) for event in events) == chosen.total_epochs
    assert msgspec.structs.replace(run.train_job().config, trials=2, epochs=2) == TrainConfig(
        **{name: getattr(run.written_job().config, name) for name in TrainConfig.__struct_fields__}
    )
