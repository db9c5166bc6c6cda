"""Reading a file that a prediction wrote with --out: CSV, JSON lines or Parquet."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
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
    number = 1
    try:
        for row in _records(path):
            yield _row(row, classes)
            number += 1
    except FileNotFoundError:
        raise DataError(
            f"The file of the predictions, {printable(path)}, does not exist any more.", "Predict again."
        ) from None
    except OSError as error:
        raise disk_error(error, path, DataError) from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, csv.Error) as error:
        raise DataError(
            f"{printable(path)}, row {number:,}, is not as this prediction wrote it.",
            "Predict again, or undo what changed it.",
        ) from error


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
                yield json.loads(line)
    else:
        with open_to_read(path, follow=True) as raw:
            lines = (line.decode(errors="surrogateescape") for line in raw)
            yield from csv.DictReader(lines, strict=True)


def _row(record: Mapping[str, Any], classes: Sequence[str]) -> PredictionRow:
    """A row.

    Raises:
        ValueError: If it is damaged, and LookupError, TypeError or AttributeError.
    """
    columns = [name for name in record if name.startswith("p_")]
    if [decode_name(name[2:]) for name in columns] != list(classes):
        raise ValueError("its classes are others")
    frame, unsure, far = record["frame"], record.get("unsure"), record.get("unfamiliar")
    return PredictionRow(
        encode_name(_inside(decode_name(record["file"]))),
        WHOLE_STACK if frame in (None, "") else int(frame),
        [_share(record[name]) for name in columns],
        None,
        None if far in (None, "") else float(far),
        best=list(classes).index(decode_name(record["class"])),
        unsure=unsure in (True, "true"),
    )


def _inside(path: str) -> str:
    """A path that leads nowhere else than into the dataset, from which images are copied."""
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in path:
        raise ValueError("outside of the dataset")
    return path


def _share(value: Any) -> float:
    share = float(value)
    if not 0.0 <= share <= 1.001:
        raise ValueError("not a probability")
    return share
