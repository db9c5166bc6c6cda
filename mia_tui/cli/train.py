"""`mia-tui train`: start or resume a run, in front or detached."""

import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mia_tui.cli.options import (
    Command,
    Option,
    given_fields,
    given_settings,
    json_option,
    path_argument,
    read_settings,
    settings_options,
    state_options,
)
from mia_tui.cli.report import INTERRUPTED, Report
from mia_tui.errors import ConfigError
from mia_tui.paths import printable

if TYPE_CHECKING:
    from mia_tui.config.train import TrainConfig
    from mia_tui.runs.layout import RunDir
    from mia_tui.runs.prepare import Prepared
    from mia_tui.worker import Result

TERMINATED = 143


@click.command("train", cls=Command)
@path_argument("dataset", required=False)
@settings_options
@click.option("--resume", cls=Option, metavar="RUN", help="Go on with a run: a folder, a name, best or last.")
@click.option(
    "--detach", cls=Option, is_flag=True, help="Train in the background; the terminal may be closed."
)
@json_option
@state_options
def command(
    dataset: Path | None,
    resume: str | None,
    detach: bool,
    as_json: bool,
    state: Path | None,
    annotator: str | None,
    **settings: Any,
) -> int:
    """Train a network on the labelled images of DATASET.

    Ctrl-C, `mia-tui runs stop` and `kill` end a run at its next step with a checkpoint; --resume goes on exactly
    there.
    """
    report = Report(as_json=as_json)
    if resume is not None:
        run = _find(resume, dataset, state, given_settings(settings))
    elif dataset is None:
        raise ConfigError("Train on which images?", "Name a folder: `mia-tui train DATASET`.")
    else:
        run = _create(report, dataset, state, annotator, settings)
    if detach:
        return start_detached(report, run)
    return run_in_front(report, run)


def _find(text: str, dataset: Path | None, state: Path | None, given: list[str]) -> "RunDir":
    from mia_tui.runs.index import find_run

    if given:
        raise ConfigError(
            f"A resumed run keeps its settings, so {', '.join(given)} cannot be given.",
            "Leave them out, or start a new run.",
        )
    return find_run(text, dataset=dataset, state=state)


def _create(
    report: Report, dataset: Path, state: Path | None, annotator: str | None, settings: dict[str, Any]
) -> "RunDir":
    from mia_tui.runs.index import remember_run
    from mia_tui.runs.prepare import prepare_training, read_dataset

    config = with_absolute_paths(read_settings(settings))
    with report.counting("Looking for images") as bar:
        found = read_dataset(
            dataset,
            state,
            frames=config.frames,
            source=config.labels,
            annotator=annotator,
            follow=True,
            progress=lambda done: bar.update(done),
        )
    command_line = shlex.join(["mia-tui", *sys.argv[1:]])
    prepared = prepare_training(
        found, config, given=given_fields(settings), command=command_line, annotator=annotator
    )
    tell_prepared(report, prepared, found.labelled.source)
    run = prepared.create()
    remember_run(run)
    return run


def with_absolute_paths(config: "TrainConfig") -> "TrainConfig":
    """The settings with whole paths: a detached worker stands in another folder.

    Raises:
        WeightsError: If there is no file of weights where one is named.
    """
    import msgspec

    from mia_tui.config.weights_cache import given_weights

    weights, val = config.weights, config.val
    if weights not in ("none", "imagenet"):
        weights = str(given_weights(config.backbone, weights).resolve())
    return msgspec.structs.replace(
        config, weights=weights, val=None if val is None else str(Path(val).resolve())
    )


def tell_prepared(report: Report, prepared: "Prepared", source: str) -> None:
    """Say what a run is about to train on: classes, parts, weights, and what was noticed."""
    where = "the names of folders" if source == "folders" else "the dataset's labels"
    report.say(f"{len(prepared.counts)} classes from {where}:")
    columns = ["class", "train", "val", "test"]
    rows: list[list[object]] = [
        [printable(name), of["train"], of["val"], of["test"]] for name, of in prepared.counts.items()
    ]
    if prepared.class_weights is not None:
        columns.append("weight")
        for row, weight in zip(rows, prepared.class_weights, strict=True):
            row.append(weight)
    report.table(columns, rows)
    for note in prepared.notes:
        report.warn(note)


def start_detached(report: Report, run: "RunDir") -> int:
    """Start a worker of its own and say how to watch it."""
    from mia_tui.runs.launch import spawn, wait_until_taken
    from mia_tui.runs.outlive import detach_risk

    risk = detach_risk()
    if risk is not None:
        report.warn(risk.message, risk.hint)
    pid = spawn(run)
    wait_until_taken(run, pid)
    report.say(f"The run {run.name} goes on in the background (process {pid}).")
    report.say(f"Watch it: mia-tui runs follow {shlex.quote(str(run.path))}")
    report.say(f"Stop it:  mia-tui runs stop {shlex.quote(str(run.path))}")
    report.record({"type": "run", "name": run.name, "path": str(run.path), "pid": pid})
    return 0


def run_in_front(report: Report, run: "RunDir") -> int:
    """Work on a run in this process, show it, and return the exit code."""
    from mia_tui.cli.progress import EpochProgress
    from mia_tui.runs.control import clear_stop
    from mia_tui.runs.events import Event
    from mia_tui.runs.state import read_state
    from mia_tui.worker import work

    report.say(f"Run {run.name} in {printable(run.path)}")
    clear_stop(run)
    with EpochProgress(report, metric=run.job().config.metric, state=read_state(run)) as progress:

        def observe(event: Event) -> None:
            report.record(event)
            progress(event)

        result = work(run, foreground=True, observe=observe)
    if result.outcome == "finished":
        tell_best(report, run)
    return _exit_code(report, run, result)


def tell_best(report: Report, run: "RunDir") -> None:
    """The best epoch of a run: its confusion matrix and the figures of each class."""
    import msgspec

    from mia_tui.runs.figures import load_confusion, per_class

    path = run.confusion("best")
    if not path.exists():
        return
    best = load_confusion(path)
    part = "validation part" if best.split == "val" else "training part"
    report.say()
    report.say(f"Best epoch: {best.epoch}, judged on the {part}.")
    report.confusion(best.counts.tolist(), best.classes)
    report.say()
    report.per_class([msgspec.to_builtins(row) for row in per_class(best.counts, best.classes)])
    report.say()
    report.say(f"Weights: {printable(run.best_weights)}")


def _exit_code(report: Report, run: "RunDir", result: "Result") -> int:
    if result.error is not None:
        raise result.error
    if result.outcome == "stopped":
        saved = (
            f"; its checkpoint is {printable(run.last_checkpoint)}" if run.last_checkpoint.exists() else ""
        )
        report.note(f"The run was stopped{saved}.")
        report.note(f"Go on: mia-tui train --resume {shlex.quote(str(run.path))}")
    if result.signal is None:
        return 0
    return INTERRUPTED if result.signal == signal.SIGINT else TERMINATED
