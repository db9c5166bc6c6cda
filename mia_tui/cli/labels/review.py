"""`mia-tui labels issues` and `mia-tui labels audit`; what they do is in `cli.live`, whose numpy takes a while."""

from pathlib import Path
from typing import Any

import click

from mia_tui.cli.live.options import live_options
from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.options import Command, Option, dataset_argument, json_option, path_option


@click.command("issues", cls=Command, short_help="List labels that look wrong.")
@dataset_argument
@click.option(
    "--most",
    cls=Option,
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many of each kind are shown; --json always prints all.",
)
@click.option(
    "--all",
    "everything",
    cls=Option,
    is_flag=True,
    help="With --json: all labels in order, not only doubtful ones.",
)
@path_option(
    "--keep",
    "A CSV file with the columns file and class: these labels are right, and not listed again until changed.",
)
@live_options
@json_option
def issues_command(
    dataset: Path,
    most: int,
    everything: bool,
    keep: Path | None,
    state: Path | None,
    annotator: str | None,
    as_json: bool,
    **how: Any,
) -> int:
    """List labels of DATASET that look wrong, the most suspicious first: what was said, and what the model says.

    A linear classifier says what each image is without having learned from its label, nor from those of its copies
    and of other frames of its file. With one label in twenty wrong, nearly all of these are in the first tenth of the
    list. Images that look nearly the same and have different labels, and labelled images unlike all others, are
    listed, too. In the app you change or keep each with one key.

    Features of a network that was trained on these labels (--network) only judge those that it was not trained on.
    """
    from mia_tui.cli.live.issues import list_issues

    return list_issues(
        Report(as_json=as_json), dataset, state, annotator, most=most, everything=everything, keep=keep, **how
    )


@click.command("audit", cls=Command, short_help="Estimate how many labels and suggestions are right.")
@dataset_argument
@click.option(
    "--draw",
    cls=Option,
    metavar="N",
    type=click.IntRange(min=1, max=1_000_000),
    help="Draw N images at random, to be answered.",
)
@click.option(
    "--of",
    "kind",
    cls=Option,
    type=click.Choice(["suggestions", "labels"], case_sensitive=False),
    help="What --draw audits: suggestions for images without a label, or labels. [default suggestions, as long as "
    "there are any]",
)
@path_option("--out", "Write the images to be answered to a CSV file with an empty column class.")
@path_option("--answers", "Take the answers: a CSV file with the columns file and class. They become labels.")
@click.option("--discard", cls=Option, is_flag=True, help="Forget the images that are not answered yet.")
@live_options
@json_option
def audit_command(
    dataset: Path,
    draw: int | None,
    kind: str | None,
    out: Path | None,
    answers: Path | None,
    discard: bool,
    state: Path | None,
    annotator: str | None,
    as_json: bool,
    **how: Any,
) -> int:
    """Estimate how many labels and suggestions of DATASET are right, with an exact interval.

    Images that were chosen to be labelled say nothing about the others, so --draw takes some at random. Answer
    without looking at what was said, in the app or in the file that --out writes; each answer is also a label. The
    estimate is of the moment of drawing; draws count together until a quarter of the images has come or gone.

    \b
    mia-tui labels audit cells --draw 40 --out audit.csv
    mia-tui labels audit cells --answers audit.csv
    """
    from mia_tui.cli.live.audit import audit

    return audit(
        Report(as_json=as_json),
        dataset,
        state,
        annotator,
        draw=draw,
        kind=kind,
        out=out,
        answers=answers,
        discard=discard,
        **how,
    )
