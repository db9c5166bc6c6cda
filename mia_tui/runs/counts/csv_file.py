"""The table of counts in long form: a row for each group and class, for R and spreadsheets; records for --json."""

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from mia_tui.analysis.counts import Shares
from mia_tui.runs.counts.images import COLUMNS
from mia_tui.runs.counts.table import CountTable
from mia_tui.runs.disk import replacing
from mia_tui.text import encode_cell, encode_class, encode_controls

_DIGITS = 6


def write_csv(table: CountTable, file: Path) -> int:
    """Write the table, all of it or nothing; returns the number of rows.

    Raises:
        RunError: If the disk does not take it.
    """
    with replacing(file) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8", newline="", write_through=True)
        try:
            return write_rows(table, text)
        finally:
            text.flush()
            text.detach()


def write_rows(table: CountTable, file: TextIO) -> int:
    """Write the heading and all rows; returns the number of rows."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(_cell, (*map(_name, table.groups.columns), *COLUMNS)))
    rows = 0
    for names, values in _rows(table):
        writer.writerow(map(_cell, (*map(_name, names), *values.values())))
        rows += 1
    return rows


def records(table: CountTable) -> Iterator[dict[str, Any]]:
    """The same as records; the values that tell a group apart are in `group`."""
    columns = [_name(column) for column in table.groups.columns]
    for names, values in _rows(table):
        yield {"group": dict(zip(columns, map(_name, names), strict=True)), **values}


def summary(table: CountTable) -> dict[str, Any]:
    """What is said of all groups together, as a record; its interval, if any, is over groups."""
    corrected = table.corrected
    return {
        "groups": len(table.groups.names),
        "by": table.groups.how,
        "images": int(table.images.sum()),
        "labels": int(table.labels.sum()),
        "predictions": None if table.predictions is None else int(table.predictions.sum()),
        "outside": table.groups.outside,
        "model": table.model or None,
        "counted": table.use,
        "overall": _overall(table, table.overall),
        "interval": table.overall.method or table.overall.why_none,
        "corrected": None if corrected is None else _overall(table, corrected.overall),
        "corrected_interval": None
        if corrected is None
        else corrected.overall.method or corrected.overall.why_none,
        "corrected_by": table.source or None,
        "condition": None if corrected is None else _number(corrected.condition),
        "controls": int(np.count_nonzero(table.controls)),
        "alpha": None
        if table.fitted is None or table.fitted.is_chance
        else [_number(value) for value in table.fitted.total * table.fitted.shares],
        "unusual": len(table.unusual()),
        "notes": list(table.notes),
    }


def _overall(table: CountTable, shares: Shares) -> list[dict[str, Any]]:
    return [
        {
            "class": _name(name),
            "fraction": _number(shares.value[place]),
            "low": _number(shares.low[place]),
            "high": _number(shares.high[place]),
        }
        for place, name in enumerate(table.classes)
    ]


def _rows(table: CountTable) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """The names of each group, with the values of `COLUMNS` for each class."""
    labels = _columns(table.label_shares)
    predictions = _columns(table.prediction_shares)
    corrected = _columns(None if table.corrected is None else table.corrected.by_group)
    found, has_controls = table.enrichment, not table.controls.all()  # else compared with all groups
    for group, names in enumerate(table.groups.names):
        for place, name in enumerate(table.classes):
            at = group, place
            values = (
                _name(name),
                int(table.images[group]),
                int(table.labels[at]),
                *(_number(column[at]) for column in labels),
                None if table.predictions is None else int(table.predictions[at]),
                *(None if column is None else _number(column[at]) for column in predictions),
                *(None if column is None else _number(column[at]) for column in corrected),
                bool(table.controls[group]) and has_controls,
                table.use,
                *(
                    (None, None, None)
                    if found is None
                    else (_number(found.score[at]), _number(found.p[at]), _number(found.q[at]))
                ),
            )
            yield names, dict(zip(COLUMNS, values, strict=True))


def _columns(shares: Shares | None) -> tuple[Any, Any, Any]:
    return (None, None, None) if shares is None else (shares.value, shares.low, shares.high)


def _number(value: float) -> float | None:
    """A number with six significant digits; None where there is none."""
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None


def _name(name: str) -> str:
    """The name of a group or class without control characters, in the form of `text.decode_name`."""
    return encode_controls(encode_class(name))


def _cell(value: Any) -> Any:
    """Names that no spreadsheet reads as a formula; TRUE and FALSE, which R reads; nothing for None."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return encode_cell(value) if isinstance(value, str) else value
