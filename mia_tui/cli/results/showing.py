"""Showing the results of one run, or of two on the same images."""

from mia_tui.catalog.metrics import metric_words
from mia_tui.cli.output import tables
from mia_tui.cli.output.report import Report
from mia_tui.cli.results.csv_file import write_csv
from mia_tui.cli.results.figures import ResultFigures, compute_figures
from mia_tui.cli.results.options import ShownResults
from mia_tui.cli.results.printing import cell, file_words, print_figures
from mia_tui.cli.results.records import comparison_record, results_record
from mia_tui.runs.evaluation.pairs import CommonResults, common_results
from mia_tui.runs.evaluation.results import Results
from mia_tui.text import counted, printable, scientific

_LEAST_PLAIN = 0.001


def show_results(report: Report, results: Results, shown: ShownResults) -> None:
    """Print the results of one run, and write them to the file that was asked for."""
    figures = compute_figures(results, shown.top)
    print_figures(report, figures, shown)
    _write(report, shown, [figures])
    report.record(results_record(figures))


def show_both(report: Report, one: Results, other: Results, shown: ShownResults) -> None:
    """Print the results of two runs on the images that both were evaluated on, and how they compare.

    Raises:
        RunError: If there are no such images.
    """
    common = common_results(one, other)
    left_out = len(one.truth) + len(other.truth) - 2 * len(common.one.truth)
    if left_out:
        report.warn(f"{counted(left_out, 'image')} that only one of the runs was evaluated on are left out.")
    if common.relabelled:
        report.warn(f"{counted(common.relabelled, 'image')} had another label for the second run.")
    if common.views_remark:
        report.warn(common.views_remark)
    both = [compute_figures(results, shown.top) for results in (common.one, common.other)]
    for figures in both:
        report.say(f"{printable(figures.results.run.name)}, {_network(figures.results)}")
        print_figures(report, figures, shown)
        report.say()
    _print_comparison(report, common, both, shown.top)
    _write(report, shown, both, common)
    report.record(
        {
            **results_record(both[0]),
            "against": results_record(both[1]),
            "comparison": comparison_record(common),
        }
    )


def _network(results: Results) -> str:
    if results.which != "evaluation":
        return f"epoch {results.epoch}"
    config = results.run.evaluate_job().config
    return f"the {'networks' if config.ensemble else 'network'} {printable(config.network)}"


def _print_comparison(
    report: Report, common: CommonResults, both: list[ResultFigures], most_images: int
) -> None:
    test, difference = common.test, common.difference
    report.say(f"Both on the same {counted(len(common.one.truth), 'image')}:")
    rows = [
        (metric_words(name), *(cell(figures.table.overall[name]) for figures in both))
        for name in tables.FIGURES
    ]
    report.table(("metric", "first", "second"), rows)
    report.say()
    report.say(
        f"Both are right on {test.both:,}, only the first on {test.only_one:,}, only the second on "
        f"{test.only_other:,}, neither on {test.neither:,}: p = {_p_words(test.p)} (McNemar, {test.method})."
    )
    if difference.interval is None:
        how = difference.why_none
    else:
        low, high = difference.interval.low, difference.interval.high
        how = f"{low:+.4f} to {high:+.4f}, {difference.interval.method}"
    report.say(f"Accuracy of the first less that of the second: {difference.value:+.4f} ({how}).")
    if len(set(common.one.groups.tolist())) < len(common.one.groups):
        report.say(
            "Images of a group are alike, so p may be too small; the interval of the difference is over groups."
        )
    _print_differing(report, common, most_images)


def _p_words(p: float) -> str:
    return f"{p:.3f}" if p >= _LEAST_PLAIN else scientific(p, 2)


def _print_differing(report: Report, common: CommonResults, most: int) -> None:
    one, other, rows = common.one, common.other, common.differing.tolist()
    if not rows:
        report.say("They give the same class to every image.")
        return
    if not most:
        return
    report.say()
    first = f", the first {most:,} of them" if len(rows) > most else ""
    report.say(f"{counted(len(rows), 'image')} to which they give different classes{first}:")
    report.table(
        ("file", "truth", "first", "second"),
        [
            (
                file_words(one, row),
                one.classes[one.truth[row]],
                one.classes[one.predicted[row]],
                other.classes[other.predicted[row]],
            )
            for row in rows[:most]
        ],
    )


def _write(
    report: Report, shown: ShownResults, runs: list[ResultFigures], common: CommonResults | None = None
) -> None:
    if shown.csv is not None:
        rows = write_csv(shown.csv, runs, common)
        report.say(f"Wrote {counted(rows, 'row')} to {printable(shown.csv)}.")
