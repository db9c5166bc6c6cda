"""The file formats of predictions, known by their endings.

A new format is one `PredictionFormat` in `PREDICTION_FORMATS`; `--help` and messages follow from it.
"""

import csv
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from mia_tui.dataset.interchange.programs.rows import as_text
from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.errors import ConfigError
from mia_tui.text import decode_name, encode_cell, encode_class, encode_controls

if TYPE_CHECKING:
    from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow

Writer = Callable[[BinaryIO, "PredictionHeader", "Iterable[PredictionRow]"], None]

_ROWS_AT_ONCE = 10_000


@dataclass(frozen=True)
class PredictionFormat:
    """One file format.

    Attributes:
        write: Writes the rows that have probabilities.
        check: Raises ConfigError if the format needs a package that is not installed.
    """

    write: Writer
    check: Callable[[], None] = lambda: None


def best_class(row: "PredictionRow") -> int:
    """The class with the highest probability, the first of equal ones; the row has probabilities."""
    if row.best is not None:
        return row.best
    assert row.probabilities is not None
    return max(range(len(row.probabilities)), key=row.probabilities.__getitem__)


def _columns(header: "PredictionHeader") -> list[str]:
    classes = (f"p_{_class_name(name)}" for name in header.classes)
    unsure = ["unsure"] if header.rule.may_be_unsure else []
    unfamiliar = ["unfamiliar"] if header.unfamiliar else []
    return ["file", "frame", "class", "probability", *unsure, *classes, *unfamiliar, "run"]


def _class_name(name: str) -> str:
    """A class of a header, where all names are in another form."""
    return encode_controls(encode_class(decode_name(name)))


def _values(row: "PredictionRow", header: "PredictionHeader") -> list[Any]:
    assert row.probabilities is not None
    best = best_class(row)
    return [
        encode_controls(row.file),
        None if row.frame == WHOLE_STACK else row.frame,  # as in a file of labels
        _class_name(header.classes[best]),
        row.probabilities[best],
        *([header.is_unsure(row)] if header.rule.may_be_unsure else []),
        *row.probabilities,
        *([row.unfamiliar] if header.unfamiliar else []),
        encode_controls(header.run),
    ]


def _write_csv(file: BinaryIO, header: "PredictionHeader", rows: "Iterable[PredictionRow]") -> None:
    with as_text(file) as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(map(_cell, _columns(header)))
        writer.writerows(map(_cell, _values(row, header)) for row in rows)


def _cell(value: Any) -> Any:
    """Probabilities with six significant digits; names that no spreadsheet reads as a formula."""
    if isinstance(value, bool):
        return "true" if value else "false"  # as pandas, R and spreadsheets read them
    if isinstance(value, float):
        return f"{value:.6g}"
    return encode_cell(value) if isinstance(value, str) else value


def _write_jsonl(file: BinaryIO, header: "PredictionHeader", rows: "Iterable[PredictionRow]") -> None:
    columns = _columns(header)
    for row in rows:
        record = dict(zip(columns, _values(row, header), strict=True))
        file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def _write_parquet(file: BinaryIO, header: "PredictionHeader", rows: "Iterable[PredictionRow]") -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = _columns(header)
    unsure = [pa.bool_()] if header.rule.may_be_unsure else []
    numbers = [pa.float32()] * (len(header.classes) + header.unfamiliar)
    kinds = [pa.string(), pa.int64(), pa.string(), pa.float32(), *unsure, *numbers, pa.string()]
    schema = pa.schema(list(zip(columns, kinds, strict=True)))
    source = iter(rows)
    with pq.ParquetWriter(file, schema) as writer:
        while chunk := [_values(row, header) for row in islice(source, _ROWS_AT_ONCE)]:
            arrays = [
                pa.array(column, kind) for column, kind in zip(zip(*chunk, strict=True), kinds, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _check_parquet() -> None:
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise ConfigError(
            "Parquet files need the package pyarrow.",
            "Install it with `pip install 'mia-tui[parquet]'`, or use .csv.",
        ) from None


PREDICTION_FORMATS = {
    ".csv": PredictionFormat(_write_csv),
    ".jsonl": PredictionFormat(_write_jsonl),
    ".parquet": PredictionFormat(_write_parquet, _check_parquet),
}
"""By the ending of the file, in small letters."""
