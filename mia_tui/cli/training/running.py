"""Runs that are done: in the background, or in this process with all that is printed of them."""

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.jobs import exit_code, start_detached, start_waiting, work_in_front
from mia_tui.errors import MiaError
from mia_tui.text import counted, printable

if TYPE_CHECKING:
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.runs.record.state import RunState


def detach_all(report: Report, runs: "Sequence[RunDir]") -> int:
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


def run_all(report: Report, runs: "Sequence[RunDir]", *, watch: bool) -> int:
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
