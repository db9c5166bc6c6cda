"""`mia-tui suggest`: the command; what it does is in `suggest`, whose numpy takes a while."""

from pathlib import Path
from typing import Any

import click

from mia_tui.cli.live.options import live_options
from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.options import Command, Option, dataset_argument, json_option, path_option
from mia_tui.runs.prediction.formats import PREDICTION_FORMATS


@click.command("suggest", cls=Command)
@dataset_argument
@path_option("--out", lambda: f"Write all suggestions to a file: {', '.join(PREDICTION_FORMATS)}.")
@click.option(
    "--next",
    "next_count",
    cls=Option,
    metavar="N",
    type=click.IntRange(min=1, max=1_000_000),
    help="Only list the N most useful images: those whose labels help the suggestions most.",
)
@click.option(
    "--unfamiliar",
    cls=Option,
    is_flag=True,
    help="Only list unfamiliar images: those that look like none of the labelled ones.",
)
@live_options
@json_option
def command(
    dataset: Path,
    out: Path | None,
    next_count: int | None,
    unfamiliar: bool,
    state: Path | None,
    annotator: str | None,
    as_json: bool,
    **how: Any,
) -> int:
    """Suggest a class for each image of DATASET that has no label, from the labels of now.

    A linear classifier learns from the labels in a second, on features of a network that is left as it is; missing
    features are made first. Probabilities are calibrated on labels that were held out. A suggestion is never a label:
    the app shows them, or `mia-tui labels import DATASET FILE.csv --as suggestions`.

    The column unfamiliar says how far an image is from the labelled ones: above 1, farther than 99 in 100 of these
    are from the others, so it may be none of the classes. --next works before anything is labelled, too.
    """
    from mia_tui.cli.live.suggest import suggest

    return suggest(
        Report(as_json=as_json),
        dataset,
        state,
        annotator,
        out=out,
        next_count=next_count,
        unfamiliar=unfamiliar,
        **how,
    )
