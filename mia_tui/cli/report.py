"""`mia-tui report`: the report of a run for a paper."""

from pathlib import Path

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.options import (
    Command,
    Option,
    check_new_file,
    dataset_option,
    json_option,
    run_argument,
    state_option,
)
from mia_tui.errors import ConfigError

_MOST_EXAMPLES = 1000


@click.command("report", cls=Command)
@run_argument
@dataset_option
@click.option(
    "--out",
    cls=Option,
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="The file; by default report-RUN.html in this folder, unless another option says what to write.",
)
@click.option(
    "--zip",
    "archive",
    cls=Option,
    type=click.Path(path_type=Path),
    metavar="FILE.zip",
    help="An archive with all that a checklist asks for: report, figures, settings, the split, predictions with "
    "probabilities, the network.",
)
@click.option(
    "--figures",
    cls=Option,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write each figure as SVG, PDF and PNG into a folder, which is made where it is missing.",
)
@click.option(
    "--examples",
    cls=Option,
    type=click.IntRange(min=0, max=_MOST_EXAMPLES),
    default=0,
    show_default=True,
    metavar="N",
    help="Image files of each class that the archive holds; they may be confidential, so none by default.",
)
@click.option(
    "--why",
    cls=Option,
    is_flag=True,
    help="Show in the galleries where the network looks (Grad-CAM); loads the network, which takes some seconds.",
)
@click.option("--overwrite", cls=Option, is_flag=True, help="Replace files of --out and --zip that exist.")
@json_option
@state_option
def command(
    run: str,
    dataset: Path | None,
    out: Path | None,
    archive: Path | None,
    figures: Path | None,
    examples: int,
    why: bool,
    overwrite: bool,
    as_json: bool,
    state: Path | None,
) -> None:
    """Make a report of RUN, a training or an evaluation: one HTML file, to read, print and send.

    It has a methods paragraph to copy, the data and their split, learning curves, metrics with intervals, confusion
    matrix, ROC and precision-recall curves, calibration, the worst errors as pictures, all settings and versions, the
    limits of the results, and what of the checklist of journals is answered. The report of a training includes the
    evaluations of its weights. With --json alone the numbers are printed and nothing is written.
    """
    from mia_tui.report.making import ReportWishes, check_place, make_report
    from mia_tui.runs.list.find import find_run

    report = Report(as_json=as_json)
    if examples and archive is None:
        raise ConfigError("--examples are put into the archive.", "Name it with --zip.")
    for path, ending, option in ((out, ".html", "--out"), (archive, ".zip", "--zip")):
        if path is not None:
            check_place(path, ending, option)
    kind = (
        "train" if run in ("last", "best") else None
    )  # the newest run is often an evaluation or a prediction
    found = find_run(run, dataset=dataset, state=state, kind=kind)
    if out is None and archive is None and figures is None and not as_json:
        out = Path(f"report-{found.name}.html")
    if why and out is None and archive is None:
        raise ConfigError("--why is for the galleries of the report.", "Name its file with --out or --zip.")
    for path in (out, archive):
        if path is not None:
            check_new_file(path, overwrite=overwrite)
    wishes = ReportWishes(page=out, archive=archive, figures=figures, examples=examples, why=why)
    made = make_report(found, wishes, dataset=dataset, say=report.note if report.shows_bars else _nothing)
    for note in made.notes:
        report.warn(note)
    for sentence in made.written:
        report.say(sentence)
    report.record(made.record)


def _nothing(_: str) -> None:
    """In a pipe, what is done next is not said."""
