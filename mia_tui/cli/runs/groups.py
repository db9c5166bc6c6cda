"""What is printed of trainings that repeat each other."""

from typing import Any

from mia_tui.catalog.metrics import metric_words
from mia_tui.cli.output.report import Report
from mia_tui.runs.list.repeats import RepeatedRuns, repeat_of, spread_words
from mia_tui.text import counted, printable, typed


def print_group(report: Report, group: RepeatedRuns) -> None:
    """Print a group of repetitions: each run, then mean and spread."""
    report.record(group_record(group))
    if report.as_json:
        return
    names = list(group.figures)
    report.say()
    report.say(f"{printable(group.name)}: {counted(group.of, 'run')}, {group.finished} of them finished.")
    rows = []
    for row in group.rows:
        repeat = repeat_of(row)
        assert repeat is not None
        figures = [f"{row.figures[name]:.4f}" if name in row.figures else "" for name in names]
        rows.append([repeat.number, row.run.name, row.status, *figures])
    if group.finished > 1:
        for words, attribute in (("mean", "mean"), ("sd", "sd")):
            rows.append(
                ["", words, "", *(f"{getattr(group.figures[name], attribute):.4f}" for name in names)]
            )
    report.table(["", "run", "status", *(metric_words(name) for name in names)], rows)
    if group.finished > 1 and "macro_f1" in group.figures:
        report.say(f"Macro F1 {spread_words(group.figures['macro_f1'])}.")
    if group.finished:
        report.say(f"Predict with all of them: mia-tui predict FOLDER --run {typed(group.name)}")


def group_line(group: RepeatedRuns) -> str:
    """A group as a line below a list of runs."""
    figure = group.figures.get("macro_f1")
    words = "" if figure is None else f": macro F1 {spread_words(figure)}"
    return f"{printable(group.name)}, {group.finished} of {counted(group.of, 'run')} finished{words}"


def group_record(group: RepeatedRuns) -> dict[str, Any]:
    """A group as an object of --json."""
    return {
        "type": "repeats",
        "group": group.name,
        "of": group.of,
        "finished": group.finished,
        "runs": [
            {"run": row.run.name, "path": str(row.run.path), "status": row.status, "figures": row.figures}
            for row in group.rows
        ],
        "figures": {
            name: {"mean": each.mean, "sd": each.sd, "low": each.low, "high": each.high, "runs": each.count}
            for name, each in group.figures.items()
        },
    }
