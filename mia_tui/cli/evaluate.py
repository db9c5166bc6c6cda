"""`mia-tui evaluate`: figures of a trained network on labelled images."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mia_tui.cli.options import Command, Option, dataset_argument, json_option, state_options
from mia_tui.cli.output import tables
from mia_tui.cli.report import Report
from mia_tui.cli.using import find_network, load_network, network_options, tell_waiting
from mia_tui.errors import DataError
from mia_tui.text import printable

if TYPE_CHECKING:
    import numpy as np

    from mia_tui.config.train import Frames
    from mia_tui.engine.inference.predict import Predictor
    from mia_tui.runs.evaluation.evaluation_set import EvaluationSet
    from mia_tui.runs.preflight.prepare import Dataset


@click.command("evaluate", cls=Command)
@dataset_argument
@network_options
@click.option(
    "--split",
    cls=Option,
    type=click.Choice(["val", "test", "all"], case_sensitive=False),
    help="Part of the images; left out: test if there is one, else val, and all of a dataset the run does not know.",
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
    help="Dataset whose runs RUN is looked for in; left out: DATASET, then your newest runs.",
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
    """Judge a trained network on the labelled images of DATASET.

    Classes are matched by name. What the run was trained on is never taken for unseen.
    """
    from mia_tui.runs.evaluation.evaluation_set import choose_evaluation_set
    from mia_tui.runs.preflight.prepare import read_dataset

    report = Report(as_json=as_json)
    run, weights = find_network(run_text, trained or dataset, None if trained else state)

    def read(frames: "Frames") -> "Dataset":
        with report.counting("Looking for images") as bar:
            return read_dataset(
                dataset,
                state,
                frames=frames,
                source=labels,  # type: ignore[arg-type]
                annotator=annotator,
                progress=lambda done: bar.update(done),
            )

    found = read("first")  # a fault of the labels is said before anybody waits for torch
    network = load_network(report, weights, device, precision, max_megapixels)
    if network.card.frames != "first":
        found = read(network.card.frames)
    judged = choose_evaluation_set(found, network.card, run, split)  # type: ignore[arg-type]
    for note in (*found.notes, *judged.notes):
        report.warn(note)
    confusion = _judge(report, network, dataset, judged, batch_size, tta)
    classes = [item.name for item in network.card.classes]
    _warn_of_absent_classes(report, confusion, classes)
    _tell(report, confusion, judged, classes)


def _judge(
    report: Report, network: "Predictor", root: Path, judged: "EvaluationSet", batch_size: int, tta: bool
) -> "np.ndarray":
    """The confusion matrix (C, C), rows truth; unreadable images are named and left out."""
    import numpy as np

    from mia_tui.text import NAMED, counted, fault_of, name_faults

    classes = len(network.card.classes)
    confusion = np.zeros((classes, classes), np.int64)
    problems = []
    with report.counting("Judging", total=len(judged.truth)) as bar:
        predictions = network.predict(
            root, judged.truth, batch_size=batch_size, tta=tta, on_wait=tell_waiting(report)
        )
        for done, prediction in enumerate(predictions, start=1):
            if prediction.probabilities is None:
                problems.append(fault_of(prediction.key.path, prediction.problem or ""))
            else:
                confusion[judged.truth[prediction.key], prediction.probabilities.argmax()] += 1
            bar.update(done, len(judged.truth))
    if problems:
        are = "is" if len(problems) == 1 else "are"
        report.warn(
            f"{counted(len(problems), 'image')} could not be read and {are} left out: "
            f"{name_faults(problems[:NAMED], len(problems))}."
        )
    if not confusion.any():
        raise DataError(f"None of the labelled images of {printable(root)} can be read.", "Check the files.")
    return confusion


def _warn_of_absent_classes(report: Report, confusion: "np.ndarray", classes: list[str]) -> None:
    """A class that is predicted without having an image counts as 0 in the macro means: say so."""
    from mia_tui.text import name_some

    predicted, truth = confusion.sum(axis=0), confusion.sum(axis=1)
    absent = [name for name, p, t in zip(classes, predicted, truth, strict=True) if p and not t]
    if absent:
        report.warn(
            f"No image is of class {name_some(absent)}, and some were taken for it: "
            "it counts as 0 in the macro figures, not in balanced accuracy."
        )


def _tell(report: Report, confusion: "np.ndarray", judged: "EvaluationSet", classes: list[str]) -> None:
    import msgspec

    from mia_tui.runs.evaluation.confusion import figures, per_class

    values = figures(confusion)
    rows = [msgspec.to_builtins(row) for row in per_class(confusion, classes)]
    samples = int(confusion.sum())
    report.say(f"{samples:,} images of the part {judged.split}:")
    report.confusion(confusion.tolist(), classes)
    report.say()
    report.per_class(rows)
    report.say()
    report.figures(values)
    report.record(
        {
            "split": judged.split,
            "samples": samples,
            "trained_on": judged.trained_on,
            **{name: values[name] for name in tables.FIGURES},
            "classes": classes,
            "per_class": rows,
            "confusion": confusion.tolist(),
        }
    )
