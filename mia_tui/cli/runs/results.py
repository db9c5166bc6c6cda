"""`mia-tui runs results`: the results of a finished run, without evaluating anew."""

from pathlib import Path

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.results.options import group_by_option, result_options, shown_results
from mia_tui.cli.shared.options import (
    Command,
    Option,
    dataset_option,
    json_option,
    run_argument,
    state_option,
)


@click.command(
    "results", cls=Command, short_help="Show the metrics of a run with intervals, curves and losses."
)
@run_argument
@click.option(
    "--against",
    cls=Option,
    metavar="RUN2",
    help="Compare with this run, on the images that both were evaluated on.",
)
@group_by_option
@result_options
@dataset_option
@json_option
@state_option
def results_command(
    run: str,
    against: str | None,
    group_by: str | None,
    shares: bool,
    by_similarity: bool,
    top: int,
    csv: Path | None,
    overwrite: bool,
    dataset: Path | None,
    as_json: bool,
    state: Path | None,
) -> None:
    """Show the results of a run: of a training on its validation part, or of an evaluation.

    The same as `mia-tui evaluate` prints, from what the run has recorded: nothing is computed by the network again.
    """
    from mia_tui.cli.results.showing import show_both, show_results
    from mia_tui.runs.evaluation.results import load_results
    from mia_tui.runs.list.find import find_run

    report = Report(as_json=as_json)
    shown = shown_results(shares, by_similarity, top, csv, overwrite)
    names = [run] if against is None else [run, against]
    results = []
    for name in names:
        found = find_run(name, dataset=dataset, state=state, kind=None)
        results.append(load_results(found, dataset=dataset, group_by=group_by))
    if len(results) == 1:
        show_results(report, results[0], shown)
    else:
        show_both(report, results[0], results[1], shown)
