"""`mia-tui evaluate`: metrics of a trained network on labelled images."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mia_tui.cli.images import read_labelled
from mia_tui.cli.jobs import after_option, exit_code, run_to_wait_for, start_detached, work_in_front
from mia_tui.cli.network import find_network, network_options, warn_of_unreadable
from mia_tui.cli.options import Command, Option, dataset_argument, json_option, state_options
from mia_tui.cli.output import tables
from mia_tui.cli.report import Report

if TYPE_CHECKING:
    import numpy as np

    from mia_tui.runs.evaluation.confusion import SavedConfusion
    from mia_tui.runs.record.layout import RunDir


@click.command("evaluate", cls=Command)
@dataset_argument
@network_options
@click.option(
    "--split",
    cls=Option,
    type=click.Choice(["val", "test", "all"], case_sensitive=False),
    help="Part of the images. By default test if there is one, otherwise val; for a dataset that the run was not "
    "trained on, all.",
)
@click.option(
    "--labels",
    cls=Option,
    type=click.Choice(["auto", "folders", "store"], case_sensitive=False),
    default="auto",
    show_default=True,
    help="Where labels come from.",
)
@click.option(
    "--dataset",
    "trained",
    cls=Option,
    type=click.Path(path_type=Path),
    help="Dataset in which RUN is looked up; by default DATASET, then your newest runs.",
)
@after_option
@json_option
@state_options
def command(
    dataset: Path,
    trained: Path | None,
    run_text: str | None,
    threads: int | None,
    detach: bool,
    after: str | None,
    split: str | None,
    labels: str,
    as_json: bool,
    state: Path | None,
    annotator: str | None,
    **settings: Any,
) -> int:
    """Evaluate a trained network on the labelled images of DATASET.

    Classes are matched by name. Images that the run was trained on are never counted as unseen. An evaluation is a
    run, listed with the trainings of DATASET, and shown in the app.
    """
    from mia_tui.runs.evaluation.create import create_evaluation
    from mia_tui.runs.evaluation.evaluation_set import choose_evaluation_set
    from mia_tui.runs.record.model_card import read_card

    report = Report(as_json=as_json)
    run, weights = find_network(run_text, trained or dataset, None if trained else state)
    card = read_card(weights)
    found = read_labelled(report, dataset, state, frames=card.frames, source=labels, annotator=annotator)
    evaluated = choose_evaluation_set(found, card, run, split)  # type: ignore[arg-type]
    for note in (*found.notes, *evaluated.notes):
        report.warn(note)
    command_line = shlex.join(["mia-tui", *sys.argv[1:]])
    made = create_evaluation(
        dataset,
        weights,
        evaluated,
        state=state,
        threads=threads,
        after=run_to_wait_for(report, after, trained or dataset, state, anywhere=True),
        command=command_line,
        **settings,
    )
    return start_detached(report, made) if detach else _evaluate(report, made)


def _evaluate(report: Report, run: "RunDir") -> int:
    """Do the evaluation in this terminal and print its figures."""
    from mia_tui.cli.output.progress import EpochProgress
    from mia_tui.runs.evaluation.confusion import load_confusion
    from mia_tui.runs.record.state import read_state

    before = read_state(run)
    with EpochProgress(report, metric=before.metric, state=before) as progress:
        result = work_in_front(report, run, progress, record_events=False)
    code = exit_code(result)
    if result.outcome == "finished":
        assert progress.state.result is not None
        warn_of_unreadable(report, progress.state.result)
        matrix = load_confusion(run.confusion("evaluation"))
        _warn_of_absent_classes(report, matrix.counts, list(matrix.classes))
        _show_figures(report, run, matrix)
    elif result.error is None:
        report.note("Stopped; the same command evaluates again from the start.")
    return code


def _warn_of_absent_classes(report: Report, confusion: "np.ndarray", classes: list[str]) -> None:
    """Warn of classes that were predicted but have no image, since they count as 0 in the macro averages."""
    from mia_tui.text import name_some

    predicted, truth = confusion.sum(axis=0), confusion.sum(axis=1)
    absent = [name for name, p, t in zip(classes, predicted, truth, strict=True) if p and not t]
    if absent:
        report.warn(
            f"No image is of class {name_some(absent)}, but some were predicted as it: "
            "it counts as 0 in the macro averages, and is left out of balanced accuracy."
        )


def _show_figures(report: Report, run: "RunDir", matrix: "SavedConfusion") -> None:
    import msgspec

    from mia_tui.runs.evaluation.confusion import figures, per_class
    from mia_tui.text import counted, encode_name

    config = run.evaluate_job().config
    confusion, classes = matrix.counts, list(matrix.classes)
    values = figures(confusion)
    rows = [msgspec.to_builtins(row) for row in per_class(confusion, classes)]
    samples = int(confusion.sum())
    of_part = "" if matrix.split == "all" else f" of the part {matrix.split}"
    report.say(f"{counted(samples, 'image')}{of_part}:")
    report.confusion(confusion.tolist(), classes)
    report.say()
    report.per_class(rows)
    report.say()
    report.figures(values)
    report.record(
        {
            "run": run.name,
            "path": encode_name(str(run.path.resolve())),
            "network": config.network,
            "split": matrix.split,
            "samples": samples,
            "trained_on": config.trained_on,
            **{name: values[name] for name in tables.FIGURES},
            "classes": classes,
            "per_class": rows,
            "confusion": confusion.tolist(),
        }
    )
