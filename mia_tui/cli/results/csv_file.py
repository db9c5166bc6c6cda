"""The figures of results as a table in long form: one row for each figure, for R and spreadsheets."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mia_tui.analysis.metrics import Estimate
from mia_tui.cli.results.figures import ResultFigures
from mia_tui.runs.disk import replacing
from mia_tui.runs.evaluation.pairs import CommonResults
from mia_tui.text import encode_cell, encode_class

COLUMNS = ("run", "split", "figure", "class", "predicted", "value", "low", "high", "interval")

_MOST_DENSE_CLASSES = 50  # of more, only the cells of the matrix that are not 0
_Row = tuple[Any, ...]


def write_csv(file: Path, runs: Sequence[ResultFigures], common: CommonResults | None = None) -> int:
    """Write all figures, all or nothing; returns the number of rows.

    Args:
        file: What is replaced.
        runs: One run, or two.
        common: How these compare.

    Raises:
        RunError: If the disk does not take it.
    """
    rows = [row for figures in runs for row in _rows(figures)]
    rows += [] if common is None else _comparison_rows(common)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in row] for row in rows)
    with replacing(file) as raw:
        raw.write(text.getvalue().encode())
    return len(rows)


def _rows(figures: ResultFigures) -> Iterator[_Row]:
    results, table, areas = figures.results, figures.table, figures.areas
    head = results.run.name, results.split
    yield *head, "images", None, None, figures.image_count, None, None, None
    yield *head, "groups", None, None, figures.group_count, None, None, None
    for name, estimate in table.overall.items():
        yield *head, name, None, None, *_values(estimate)
    if areas is not None:
        for name, value in (
            ("roc_area", areas.macro_roc),
            ("average_precision", areas.macro_precision_recall),
        ):
            yield *head, name, None, None, value, None, None, "mean of the classes"
    if figures.calibration is not None:
        known = figures.calibration
        yield *head, "calibration_error", None, None, known.error, None, None, None
        yield *head, "temperature", None, None, known.temperature, None, None, known.source
        yield *head, "calibration_error_after", None, None, known.error_after, None, None, None
    for place, row in enumerate(table.by_class):
        yield *head, "images", row.name, None, row.support, None, None, None
        for name in ("precision", "recall", "f1", "mcc"):
            yield *head, name, row.name, None, *_values(getattr(row, name))
        if areas is not None:
            yield *head, "roc_area", row.name, None, float(areas.roc[place]), None, None, None
            value = float(areas.precision_recall[place])
            yield *head, "average_precision", row.name, None, value, None, None, None
    is_dense = len(results.classes) <= _MOST_DENSE_CLASSES
    cells = np.ndindex(figures.counts.shape) if is_dense else zip(*np.nonzero(figures.counts), strict=True)
    for truth, predicted in cells:
        names = results.classes[truth], results.classes[predicted]
        yield *head, "confusion", *names, int(figures.counts[truth, predicted]), None, None, None


def _comparison_rows(common: CommonResults) -> Iterator[_Row]:
    test = common.test
    head = f"{common.one.run.name} against {common.other.run.name}", common.one.split
    for name, value in (
        ("both_right", test.both),
        ("only_first_right", test.only_one),
        ("only_second_right", test.only_other),
        ("both_wrong", test.neither),
    ):
        yield *head, name, None, None, value, None, None, None
    yield *head, "mcnemar_p", None, None, test.p, None, None, test.method
    yield *head, "accuracy_difference", None, None, *_values(common.difference)


def _values(estimate: Estimate) -> tuple[float, float | None, float | None, str]:
    interval = estimate.interval
    if interval is None:
        return estimate.value, None, None, estimate.why_none
    return estimate.value, interval.low, interval.high, interval.method


def _cell(value: Any) -> Any:
    """Names that no spreadsheet reads as a formula, numbers with six digits, and nothing where there is no value."""
    if isinstance(value, str):
        return encode_cell(encode_class(value))
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else None
    return value
