"""`mia-tui evaluate`: metrics of a trained network on labelled images."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mia_tui.cli.images import read_labelled
from mia_tui.cli.network import (
    find_network,
    load_network,
    network_options,
    report_waiting,
    warn_of_unreadable,
)
from mia_tui.cli.options import Command, Option, dataset_argument, json_option, state_options
from mia_tui.cli.output import tables
from mia_tui.cli.report import Report
from mia_tui.errors import DataError
from mia_tui.text import printable

if TYPE_CHECKING:
    import numpy as np

    from mia_tui.config.train import Frames
    from mia_tui.dataset.dataset import Dataset
    from mia_tui.engine.inference.predict import Predictor
    from mia_tui.runs.evaluation.evaluation_set import EvaluationSet


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
@json_option
@state_options
def command(
    dataset: Path,
    trained: Path | None,
    run_text: str,
    device: str,
    precision: str,
    batch_size: int,
    tta: bool,
    max_megapixels: float | None,
    split: str | None,
    labels: str,
    as_json: bool,
    state: Path | None,
    annotator: str | None,
) -> None:
    """Evaluate a trained network on the labelled images of DATASET.

    Classes are matched by name. Images that the run was trained on are never counted as unseen.
    """
    from mia_tui.runs.evaluation.evaluation_set import choose_evaluation_set

    report = Report(as_json=as_json)
    run, weights = find_network(run_text, trained or dataset, None if trained else state)

    def read(frames: "Frames") -> "Dataset":
        return read_labelled(report, dataset, state, frames=frames, source=labels, annotator=annotator)

    found = read("first")  # wrong labels are reported before anybody waits for torch
    network = load_network(report, weights, device, precision, max_megapixels)
    if network.card.frames != "first":
        found = read(network.card.frames)
    evaluated = choose_evaluation_set(found, network.card, run, split)  # type: ignore[arg-type]
    for note in (*found.notes, *evaluated.notes):
        report.warn(note)
    confusion = _count_confusion(report, network, dataset, evaluated, batch_size, tta)
    classes = [item.name for item in network.card.classes]
    _warn_of_absent_classes(report, confusion, classes)
    _show_figures(report, confusion, evaluated, classes)


def _count_confusion(
    report: Report, network: "Predictor", root: Path, evaluated: "EvaluationSet", batch_size: int, tta: bool
) -> "np.ndarray":
    """The confusion matrix (C, C), rows truth; unreadable images are left out, with a warning."""
    import numpy as np

    from mia_tui.text import fault_of

    classes = len(network.card.classes)
    confusion = np.zeros((classes, classes), np.int64)
    problems = []
    with report.counting("Evaluating", total=len(evaluated.truth)) as bar:
        predictions = network.predict(
            root, evaluated.truth, batch_size=batch_size, tta=tta, on_wait=report_waiting(report)
        )
        for done, prediction in enumerate(predictions, start=1):
            if prediction.probabilities is None:
                problems.append(fault_of(prediction.key.path, prediction.problem or ""))
            else:
                confusion[evaluated.truth[prediction.key], prediction.probabilities.argmax()] += 1
            bar.update(done, len(evaluated.truth))
    warn_of_unreadable(report, problems, len(problems))
    if not confusion.any():
        raise DataError(f"None of the labelled images of {printable(root)} can be read.", "Check the files.")
    return confusion


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


def _show_figures(
    report: Report, confusion: "np.ndarray", evaluated: "EvaluationSet", classes: list[str]
) -> None:
    import msgspec

    from mia_tui.runs.evaluation.confusion import figures, per_class

    values = figures(confusion)
    rows = [msgspec.to_builtins(row) for row in per_class(confusion, classes)]
    samples = int(confusion.sum())
    report.say(f"{samples:,} images of the part {evaluated.split}:")
    report.confusion(confusion.tolist(), classes)
    report.say()
    report.per_class(rows)
    report.say()
    report.figures(values)
    report.record(
        {
            "split": evaluated.split,
            "samples": samples,
            "trained_on": evaluated.trained_on,
            **{name: values[name] for name in tables.FIGURES},
            "classes": classes,
            "per_class": rows,
            "confusion": confusion.tolist(),
        }
    )
