"""`mia-tui train`: start or resume a run, in the foreground or detached."""

import shlex
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.images import read_labelled
from mia_tui.cli.shared.jobs import (
    after_option,
    exit_code,
    join_others,
    run_to_wait_for,
    start_detached,
    start_waiting,
    work_in_front,
)
from mia_tui.cli.shared.options import (
    WATCH_HELP,
    Command,
    Option,
    check_watch,
    given_fields,
    given_settings,
    json_option,
    path_argument,
    read_settings,
    settings_options,
    state_options,
    typed_fields,
)
from mia_tui.errors import ConfigError, MiaError
from mia_tui.text import counted, join_names, printable

if TYPE_CHECKING:
    from mia_tui.config.train import TrainConfig
    from mia_tui.runs.preflight.prepare import Prepared
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.runs.record.state import RunState


@click.command("train", cls=Command)
@path_argument("dataset", required=False)
@settings_options
@click.option("--resume", cls=Option, metavar="RUN", help="Resume a run: a folder, a name, best or last.")
@click.option(
    "--rerun",
    cls=Option,
    metavar="RUN",
    help="Repeat a run exactly: its settings, images, labels and parts; on DATASET, if the images are there now.",
)
@click.option(
    "--detach", cls=Option, is_flag=True, help="Train in the background; the terminal may be closed."
)
@click.option("--watch", cls=Option, is_flag=True, help=WATCH_HELP)
@after_option
@click.option(
    "--show-config",
    cls=Option,
    is_flag=True,
    help="Only print the settings that recipe, file and options result in, as a file for --config.",
)
@json_option
@state_options
def command(
    dataset: Path | None,
    resume: str | None,
    rerun: str | None,
    detach: bool,
    watch: bool,
    after: str | None,
    show_config: bool,
    as_json: bool,
    state: Path | None,
    annotator: str | None,
    **settings: Any,
) -> int:
    """Train a network on the labelled images of DATASET.

    Ctrl-C, `mia-tui runs stop` and `kill` stop a run after the current step, with a checkpoint; --resume continues
    from exactly there. --threads and --devices are the only settings that can be given with it.

    --rerun repeats a run, also one whose folder was copied from elsewhere. It says first which files differ from
    those of then, and at the end whether the weights are the same to the bit: they are where processor, torch and
    --threads are the same.
    """
    report = Report(as_json=as_json)
    check_watch(watch, as_json=as_json)
    if watch and detach:
        raise ConfigError(
            "--watch shows a training in this terminal, and --detach takes it out of it.",
            "Leave one of them out; `mia-tui runs follow last --watch` shows a detached one.",
        )
    if resume is not None and rerun is not None:
        raise ConfigError(
            "--resume continues a run, and --rerun repeats one from its beginning.", "Leave one of them out."
        )
    if show_config:
        return _show_config(report, resume or rerun, settings)
    code = join_others(detach=detach)
    if code is not None:
        return code
    if rerun is not None:
        run = _create_rerun(report, rerun, dataset, state, settings, after=after)
        return start_detached(report, run) if detach else run_in_front(report, run, watch=watch)
    if resume is not None:
        threads, devices = settings.pop("threads"), settings.pop("devices")
        runs = _find(resume, dataset, state, given_settings(settings))
        ahead = run_to_wait_for(report, after, dataset, state)
        for run in runs:
            if devices is not None:
                _change_devices(run, devices)
            warning = None if threads is None else _change_threads(run, threads)
            if warning is not None and detach:  # in the foreground the run warns itself
                report.warn(*warning)
            _queue_again(run, ahead)
            ahead = run
    elif dataset is None:
        raise ConfigError("Train on which images?", "Name a folder: `mia-tui train DATASET`.")
    else:
        runs = _create(report, dataset, state, annotator, settings, after=after)
    return _detach(report, runs) if detach else _run_all(report, runs, watch=watch)


def _show_config(report: Report, resume: str | None, settings: dict[str, Any]) -> int:
    from mia_tui.config.settings_file import save_config

    if resume is not None:
        raise ConfigError(
            "--show-config is for a new run, and one that is resumed or repeated keeps its settings.",
            f"They are in `mia-tui runs show {shlex.quote(resume)} --json`.",
        )
    config = read_settings(settings)
    report.record(config)
    if not report.as_json:
        report.data().write(save_config(config))
    return 0


def _detach(report: Report, runs: "Sequence[RunDir]") -> int:
    """Start the workers of all runs, which wait for each other."""
    first, *others = runs
    code = start_detached(report, first)
    for run in others:
        start_waiting(run)
        report.record({"type": "run", "name": run.name, "path": str(run.path), "pid": None})
    repeat = first.job().repeat
    if others and repeat is not None:
        wait = "waits for its turn" if len(others) == 1 else "wait for their turns"
        report.say(f"{counted(len(others), 'more run')} of {printable(repeat.group)} {wait}.")
        report.say(f"Stop all:  mia-tui runs stop {shlex.quote(repeat.group)}")
    return code


def _run_all(report: Report, runs: "Sequence[RunDir]", *, watch: bool) -> int:
    """Do the runs in this process, one after the other; one that is stopped or fails ends that."""
    from mia_tui.runs.list.lifecycle import drop_untrained_run

    repeat = runs[0].job().repeat
    for place, run in enumerate(runs):
        try:
            code = run_in_front(report, run, watch=watch)
        except MiaError as error:
            for other in runs[place + 1 :]:
                drop_untrained_run(other, error)
            raise
        if code:
            if repeat is not None and place + 1 < len(runs):
                group = shlex.quote(repeat.group)
                report.note(f"Resume it and the runs behind it: mia-tui train --resume {group}")
            return code
    if repeat is not None:
        _show_group(report, runs[-1], repeat.group)
    return 0


def _show_group(report: Report, run: "RunDir", name: str) -> None:
    """Print what the runs of a group have in common, when the last one has ended."""
    from mia_tui.cli.runs.groups import print_group
    from mia_tui.runs.list.repeats import group_members, read_group

    print_group(report, read_group(group_members(name, state=run.path.resolve().parent.parent)))


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


def _create_rerun(
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
            _warn_before_start(report, sentence)
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
        ConfigError: If they contradict the device of the run.
    """
    from mia_tui.config.devices import check_devices
    from mia_tui.runs.worker.liveness import run_status

    check_devices(devices, run.job().config.device)
    if run_status(run) != "running":
        run.put_devices(devices)


def _create(
    report: Report,
    dataset: Path,
    state: Path | None,
    annotator: str | None,
    settings: dict[str, Any],
    *,
    after: str | None,
) -> "list[RunDir]":
    from mia_tui.runs.preflight.prepare import with_absolute_paths

    config = with_absolute_paths(read_settings(settings))
    _warn_without_effect(report, typed_fields(settings), config)
    return create_runs(
        report,
        dataset,
        state,
        annotator,
        config,
        given=given_fields(settings),
        command_line=shlex.join(["mia-tui", *sys.argv[1:]]),
        after=run_to_wait_for(report, after, dataset, state),
    )


def create_runs(
    report: Report,
    dataset: Path,
    state: Path | None,
    annotator: str | None,
    config: "TrainConfig",
    *,
    given: Sequence[str],
    command_line: str,
    after: "RunDir | None",
) -> "list[RunDir]":
    """Prepare a training on the labels of today, print what it is trained on, and make its runs, mostly one.

    Args:
        report: Prints.
        dataset: Folder of images.
        state: The folder given with --state.
        annotator: Who trains.
        config: Settings, with whole paths.
        given: Fields that the user named.
        command_line: Does the same again.
        after: The run whose end it waits for.

    Raises:
        MiaError: As `read_dataset` and `prepare_training`.
    """
    from mia_tui.runs.list.find import remember_run
    from mia_tui.runs.preflight.content import without_content
    from mia_tui.runs.preflight.groups import torn_groups
    from mia_tui.runs.preflight.kinds import unequal_kinds
    from mia_tui.runs.preflight.prepare import prepare_training

    found = read_labelled(
        report, dataset, state, frames=config.frames, source=config.labels, annotator=annotator, follow=True
    )
    prepared = prepare_training(found, config, given=given, command=command_line, annotator=annotator)
    show_prepared(report, prepared, found.labelled.source)
    names = [item.name for item in prepared.job.classes]
    root, samples, config = Path(prepared.job.dataset), prepared.samples, prepared.job.config
    findings = *without_content(root, samples, names, config), *unequal_kinds(root, samples, config)
    for finding in (*findings, *torn_groups(prepared, is_stored=True)):
        _warn_before_start(report, finding.message, finding.hint)
    _show_recommendation(report, prepared)
    runs = prepared.create_all(after=after)
    for run in runs:
        remember_run(run)
    return runs


def show_prepared(report: Report, prepared: "Prepared", source: str) -> None:
    """Print what a run will be trained on: classes, parts, weights, and the warnings."""
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
        _warn_before_start(report, note)


def _show_recommendation(report: Report, prepared: "Prepared") -> None:
    """Print how long the training takes, and which recipe suits better, if one does."""
    from mia_tui.config.weights_cache import weights_here
    from mia_tui.runs.machine.cores import usable_cores
    from mia_tui.runs.machine.gpus import list_gpus
    from mia_tui.runs.machine.step_times import StepTimes
    from mia_tui.runs.preflight.recommendation import TrainingPlace, recommend

    place = TrainingPlace(bool(list_gpus()), usable_cores(), StepTimes())
    config = prepared.job.config
    told = recommend(config, prepared.totals, place, here=weights_here, given=prepared.given)
    if told.warning:
        _warn_before_start(report, told.warning)
    for sentence in filter(None, (told.time, told.advice(f"`{told.options}`"))):
        report.say(sentence)


def _warn_without_effect(report: Report, names: Collection[str], config: "TrainConfig") -> None:
    """Name the options that change nothing beside the others, as --mono beside --channels."""
    from mia_tui.config.fields import fields

    idle = [field.option for field in fields() if field.name in names and not field.has_effect(config)]
    if idle:
        have = "has" if len(idle) == 1 else "have"
        _warn_before_start(report, f"{join_names(idle, 'and')} {have} no effect with these settings.")


def _warn_before_start(report: Report, message: str, hint: str | None = None) -> None:
    """Give a warning before the run; with --json as an event, like the warnings of the run itself."""
    from mia_tui.runs.record.events import Warned

    report.warn(message, hint)
    report.record(Warned(t=time.time(), message=message, hint=hint))


def run_in_front(report: Report, run: "RunDir", *, watch: bool = False) -> int:
    """Do a run in this process, show its progress (with `watch` its curves, too), and return the exit code."""
    from mia_tui.cli.output.progress import EpochProgress
    from mia_tui.runs.list.words import left_out_sentences
    from mia_tui.runs.record.state import read_state

    report.say(f"Run {run.name} in {printable(run.path)}")
    metric = run.train_job().config.metric
    with EpochProgress(report, metric=metric, state=read_state(run), curves=watch) as progress:
        result = work_in_front(report, run, progress, record_events=True)
    for sentence in left_out_sentences(progress.state):
        report.warn(sentence)
    if result.outcome == "finished":
        show_best(report, run, progress.state)
        if progress.state.time_used is not None:
            report.say(progress.state.time_used.sentence)
        _show_rerun(report, run)
        _show_next(report, run)
    if result.error is None and result.outcome == "stopped":
        saved = (
            f"; its checkpoint is {printable(run.last_checkpoint)}" if run.last_checkpoint.exists() else ""
        )
        report.note(f"The run was stopped{saved}.")
        report.note(f"Resume: mia-tui train --resume {shlex.quote(str(run.path))}")
    return exit_code(result)


def show_best(report: Report, run: "RunDir", state: "RunState") -> None:
    """Print the best epoch of a run: its confusion matrix and the metrics of each class."""
    import msgspec

    from mia_tui.catalog.metrics import MetricName, metric_words
    from mia_tui.runs.evaluation.confusion import figures, load_confusion, per_class
    from mia_tui.runs.list.words import evaluated_in_epoch

    path = run.confusion("best")
    if not path.exists():
        return
    best = load_confusion(path)
    part = "validation part" if best.split == "val" else "training part"
    report.say()
    by = (
        f" by {metric_words(state.metric)}"
        if state.best is not None and state.best.epoch == best.epoch
        else ""
    )
    report.say(
        f"Best epoch{by}: {best.epoch}, evaluated on the {part}{evaluated_in_epoch(state, best.epoch)}."
    )
    report.confusion(best.counts.tolist(), best.classes)
    report.say()
    report.per_class([msgspec.to_builtins(row) for row in per_class(best.counts, best.classes)])
    report.say()
    values = figures(best.counts)
    shown: tuple[MetricName, ...] = ("accuracy", "balanced_accuracy", "macro_f1", "mcc")
    report.say(", ".join(f"{metric_words(name)} {values[name]:.4f}" for name in shown))
    report.say(f"Weights: {printable(run.best_weights)}")


def _show_rerun(report: Report, run: "RunDir") -> None:
    """Say whether a repetition has the weights of the run that it repeats."""
    from mia_tui.runs.rerun.outcome import rerun_outcome, rerun_record

    outcome = rerun_outcome(run)
    if outcome is None:
        return
    report.say(outcome.sentence)
    report.record({"type": "rerun", **rerun_record(outcome)})


def _show_next(report: Report, run: "RunDir") -> None:
    report.say(f"Evaluate it on other images: mia-tui evaluate FOLDER --run {shlex.quote(str(run.path))}")
    report.say(f"Predict:  mia-tui predict FOLDER --run {shlex.quote(str(run.path))} --out predictions.csv")
