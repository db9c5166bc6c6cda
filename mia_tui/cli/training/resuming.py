"""Runs that are resumed, and runs that repeat an earlier one."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.jobs import run_to_wait_for
from mia_tui.cli.shared.options import given_settings
from mia_tui.cli.training.creating import warn_before_start
from mia_tui.errors import ConfigError
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.runs.record.layout import RunDir


def runs_to_resume(
    report: Report,
    text: str,
    dataset: Path | None,
    state: Path | None,
    settings: dict[str, Any],
    *,
    after: str | None,
    detach: bool,
) -> "list[RunDir]":
    """The runs to resume, one behind the other, with the threads and devices that are asked for."""
    threads, devices = settings.pop("threads"), settings.pop("devices")
    runs = _find(text, dataset, state, given_settings(settings))
    ahead = run_to_wait_for(report, after, dataset, state)
    for run in runs:
        if devices is not None:
            _change_devices(run, devices)
        warning = None if threads is None else _change_threads(run, threads)
        if warning is not None and detach:  # in the foreground the run warns itself
            report.warn(*warning)
        _queue_again(run, ahead)
        ahead = run
    return runs


def _find(text: str, dataset: Path | None, state: Path | None, given: list[str]) -> "list[RunDir]":
    """The run to resume; of a group of repetitions those that have not finished."""
    from mia_tui.runs.actions.starting import nothing_to_resume
    from mia_tui.runs.list.find import remember_run
    from mia_tui.runs.list.moved_dataset import update_dataset_path
    from mia_tui.runs.list.repeats import find_runs
    from mia_tui.runs.worker.liveness import run_status

    if given:
        raise ConfigError(
            f"A resumed run keeps its settings, so {', '.join(given)} cannot be given.",
            "Only --threads and --devices can; leave the others out, or start a new run from its weights: --weights "
            "RUN/checkpoints/best.safetensors.",
        )
    runs = find_runs(text, dataset=dataset, state=state)
    left = [run for run in runs if run_status(run) != "finished"]
    if not left:
        raise nothing_to_resume(runs[-1])
    for run in left:
        update_dataset_path(run, dataset)
        remember_run(run)
    return left


def _queue_again(run: "RunDir", after: "RunDir | None") -> None:
    """Make a resumed run wait for another one, or for none; one that a worker has keeps its place in the queue."""
    from mia_tui.runs.worker.liveness import run_status

    if run_status(run) != "running":
        run.put_after(after)


def _change_threads(run: "RunDir", threads: int) -> tuple[str, str] | None:
    """Change the number of threads of a run that is not running; returns a warning and a hint, or None."""
    from mia_tui.runs.machine.cores import other_threads
    from mia_tui.runs.worker.liveness import run_status

    before = run.job().threads
    if run_status(run) == "running" or before == threads:
        return None
    run.put_threads(threads)
    return other_threads(before, threads) if before is not None and run.last_checkpoint.exists() else None


def _change_devices(run: "RunDir", devices: str) -> None:
    """Change the devices of a run that is not running.

    Raises:
        ConfigError: If they contradict the device of the run, or its batches are too small for them.
    """
    import msgspec

    from mia_tui.config.check import find_faults
    from mia_tui.runs.worker.liveness import run_status

    fault = find_faults(msgspec.structs.replace(run.train_job().config, devices=devices)).get("devices")
    if fault is not None:
        raise fault
    if run_status(run) != "running":
        run.put_devices(devices)


def create_rerun(
    report: Report,
    text: str,
    dataset: Path | None,
    state: Path | None,
    settings: dict[str, Any],
    *,
    after: str | None,
) -> "RunDir":
    """Make the run that repeats another one, and say what differs."""
    from mia_tui.runs.list.find import remember_run
    from mia_tui.runs.rerun.preparing import prepare_rerun

    threads, devices = settings.pop("threads"), settings.pop("devices")
    given = given_settings(settings)
    if given:
        raise ConfigError(
            f"A repetition keeps the settings of its run, so {', '.join(given)} cannot be given.",
            "Only --threads and --devices can; leave the others out.",
        )
    original = _find_original(text, dataset, state)
    with report.counting("Comparing images") as bar:
        prepared = prepare_rerun(
            original,
            dataset,
            state,
            threads=threads,
            command=shlex.join(["mia-tui", *sys.argv[1:]]),
            progress=lambda done, total: bar.update(done, total),
        )
    report.say(f"Repeating {printable(original.name)} on {printable(prepared.job.dataset)}.")
    is_same = prepared.data.are_none
    for sentence in prepared.sentences:
        if is_same and sentence.startswith("All "):
            report.say(sentence)
        else:
            warn_before_start(report, sentence)
    run = prepared.create(after=run_to_wait_for(report, after, dataset, state))
    if devices is not None:
        _change_devices(run, devices)
    remember_run(run)
    return run


def _find_original(text: str, dataset: Path | None, state: Path | None) -> "RunDir":
    """The run to repeat: of the dataset, else of another one, on whose images it was trained."""
    from mia_tui.runs.list.find import find_run

    if Path(text).is_dir():
        return find_run(text)
    try:
        return find_run(text, dataset=dataset, state=state)
    except ConfigError:
        if dataset is None or text in ("last", "best"):
            raise
        return find_run(text)
