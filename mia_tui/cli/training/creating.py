"""The runs of a new training, made after it was printed what they are trained on."""

import shlex
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.images import read_labelled
from mia_tui.cli.shared.jobs import run_to_wait_for
from mia_tui.cli.shared.options import given_fields, read_settings, typed_fields
from mia_tui.text import join_names, printable

if TYPE_CHECKING:
    from mia_tui.config.train import TrainConfig
    from mia_tui.runs.preflight.prepare import Prepared
    from mia_tui.runs.record.layout import RunDir


def create_by_options(
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
        warn_before_start(report, finding.message, finding.hint)
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
        warn_before_start(report, note)


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
        warn_before_start(report, told.warning)
    for sentence in filter(None, (told.time, told.advice(f"`{told.options}`"))):
        report.say(sentence)


def _warn_without_effect(report: Report, names: Collection[str], config: "TrainConfig") -> None:
    """Name the options that change nothing beside the others, as --mono beside --channels."""
    from mia_tui.config.fields import fields

    idle = [field.option for field in fields() if field.name in names and not field.has_effect(config)]
    if idle:
        have = "has" if len(idle) == 1 else "have"
        warn_before_start(report, f"{join_names(idle, 'and')} {have} no effect with these settings.")


def warn_before_start(report: Report, message: str, hint: str | None = None) -> None:
    """Give a warning before the run; with --json as an event, like the warnings of the run itself."""
    from mia_tui.runs.record.events import Warned

    report.warn(message, hint)
    report.record(Warned(t=time.time(), message=message, hint=hint))
