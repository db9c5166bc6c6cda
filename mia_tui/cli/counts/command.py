"""`mia-tui counts`: the command; what it does is in `counting`, whose numpy takes a while."""

from pathlib import Path
from typing import Any

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.options import (
    Command,
    Option,
    dataset_argument,
    field_option,
    json_option,
    path_option,
    state_options,
)


@click.command("counts", cls=Command)
@dataset_argument
@click.option(
    "--by",
    cls=Option,
    metavar="PATTERN",
    help="Regular expression, searched in each path. Images with the same capture groups are a group, and each "
    "capture group is a column, named if it is written (?P<plate>...). By default slides and the like that names "
    "tell, else folders.",
)
@click.option(
    "--run",
    "run_text",
    cls=Option,
    metavar="RUN",
    help="The prediction that is counted: its folder or name, or last. By default the newest of DATASET.",
)
@click.option(
    "--use",
    cls=Option,
    type=click.Choice(["labels", "predictions"], case_sensitive=False),
    help="What fractions over all groups and enrichment are of; by default predictions where there are some.",
)
@click.option(
    "--correct",
    cls=Option,
    is_flag=True,
    help="Correct fractions of predictions for the confusions that the network showed on labelled images.",
)
@click.option(
    "--confusions",
    cls=Option,
    metavar="RUN",
    help="The evaluation or training that --correct takes confusions from; by default the newest evaluation of the "
    "same weights, else their validation images.",
)
@click.option(
    "--against",
    cls=Option,
    metavar="GROUP",
    help="Compare groups with these controls, the name of one or a regular expression, instead of with all.",
)
@path_option("--csv", "Write all figures to a file, a row for each group and class; - writes them to stdout.")
@click.option("--overwrite", cls=Option, is_flag=True, help="Replace the file of --csv if it exists.")
@field_option("labels")
@field_option("frames")
@json_option
@state_options
def command(dataset: Path, as_json: bool, **how: Any) -> int:
    """Count the classes in groups of images of DATASET: wells, slides, patients, folders.

    Of each group and class: images, labels and predictions, their fraction with an interval of 95 %, and enrichment:
    the log10 odds that the group has a larger share of the class than groups have (as in CellProfiler Analyst), with
    p-values by a beta-binomial model, corrected for their number.

    \b
    mia-tui counts cells --by '(plate[0-9]+)/(well[A-H][0-9]+)' --csv counts.csv
    mia-tui counts cells --by 'slide[0-9]+' --correct
    mia-tui counts cells --by '(?P<plate>p[0-9])_([A-H][0-9]+)' --against '/A1$'
    """
    from mia_tui.cli.counts.counting import count

    return count(Report(as_json=as_json), dataset, **how)
