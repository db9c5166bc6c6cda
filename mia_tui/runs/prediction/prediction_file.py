"""Reading a file that a prediction wrote with --out: CSV, JSON lines or Parquet."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.disk_errors import disk_error
from mia_tui.errors import DataError
from mia_tui.files import open_to_read
from mia_tui.runs.prediction.predictions import LONGEST_LINE_BYTES, PredictionRow
from mia_tui.text import decode_name, encode_name, printable

_ROWS_AT_ONCE = 10_000


def read_prediction_file(path: Path, classes: Sequence[str]) -> Iterator[PredictionRow]:
    """The rows of a file, in its order.

    Args:
        path: The file.
        classes: Names, in the order of the network.

    Raises:
        DataError: If it is not there, was not written by a prediction with these classes, or is damaged.
    """
    try:
        for number, row in enumerate(_records(path), 1):
            yield _row(row, classes, path, number)
    except FileNotFoundError:
        raise DataError(
            f"The file of the predictions, {printable(path)}, does not exist any more.", "Predict again."
        ) from None
    except OSError as error:
        raise disk_error(error, path, DataError) from error


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    """The rows as they are, by the names of the columns."""
    ending = path.suffix.lower()
    if ending == ".parquet":
        import pyarrow.parquet as pq

        with open_to_read(path, follow=True) as file:
            for batch in pq.ParquetFile(file).iter_batches(_ROWS_AT_ONCE):
                yield from batch.to_pylist()
    elif ending == ".jsonl":
        with open_to_read(path, follow=True) as file:
            while line := file.readline(LONGEST_LINE_BYTES):
                try:
                    yield json.loads(line)
                except ValueError as error:
                    raise _damaged(path) from error
    else:
        with open_to_read(path, follow=True) as raw:
            lines = (line.decode(errors="surrogateescape") for line in raw)
            yield from csv.DictReader(lines, strict=True)


def _row(record: Mapping[str, Any], classes: Sequence[str], path: Path, number: int) -> PredictionRow:
    try:
        columns = [name for name in record if name.startswith("p_")]
        if [decode_name(name[2:]) for name in columns] != list(classes):
            raise ValueError("its classes are others")
        frame, unsure, far = record["frame"], record.get("unsure"), record.get("unfamiliar")
        return PredictionRow(
            encode_name(decode_name(record["file"])),
            WHOLE_STACK if frame in (None, "") else int(frame),
            [_share(record[name]) for name in columns],
            None,
            None if far in (None, "") else float(far),
            best=list(classes).index(decode_name(record["class"])),
            unsure=unsure in (True, "true"),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, number) from error


def _share(value: Any) -> float:
    share = float(value)
    if not 0.0 <= share <= 1.001:
        raise ValueError("not a probability")
    return share


def _damaged(path: Path, number: int = 0) -> DataError:
    where = f", row {number:,}," if number else ""
    return DataError(
        f"{printable(path)}{where} is not as this prediction wrote it.",
        "Predict again, or undo what changed it.",
    )
