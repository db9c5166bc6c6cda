"""A prediction in parts, made by several processes or machines, and joined to one file.

Whole batches go to a part: batch b of the images goes to part b % n + 1, and the last batch, which may be smaller,
like any other. So the parts hold exactly the rows that one process would have written, with the same rounding. A part
is a file beside the one wanted:

    {"prediction":{...},"shard":3,"of":8,"batch_size":64,"total":40000}
    {"file":"a/cell-1.png","frame":0,"probabilities":[0.1,0.9]}
    {"rows":5000}

The last line tells a complete file from one that was cut off.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from mia_tui.decoding import BadRecord, Count, JsonReader
from mia_tui.errors import ConfigError, DataError
from mia_tui.files import open_to_read, remove
from mia_tui.runs.disk import replacing
from mia_tui.runs.prediction.formats import PREDICTION_FORMATS
from mia_tui.runs.prediction.predictions import (
    LONGEST_LINE_BYTES,
    PredictionHeader,
    PredictionRow,
    PredictionSummary,
    count_rows,
    read_rows,
)
from mia_tui.text import join_names, name_some, printable

Item = TypeVar("Item")

Shard = tuple[int, int]
"""(i, n): the i-th of n parts, from 1."""


class ShardHeader(msgspec.Struct, frozen=True):
    """The first line of a part.

    Attributes:
        prediction: What is predicted.
        shard: Number of the part, from 1.
        of: How many parts there are.
        batch_size: Images per batch.
        total: Images of all parts.
    """

    prediction: PredictionHeader
    shard: Count
    of: Count
    batch_size: Count
    total: Count


class _ShardEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rows: Count


_HEADER, _ROW, _END = JsonReader(ShardHeader), JsonReader(PredictionRow), JsonReader(_ShardEnd)


def shard_file(out: Path, shard: Shard) -> Path:
    """Where a part of a file of predictions is."""
    return out.with_name(f"{out.name}.shard-{shard[0]}-of-{shard[1]}.jsonl")


def of_shard(items: Iterable[Item], batch_size: int, shard: Shard) -> Iterator[Item]:
    """Those of some items that belong to a part."""
    source = iter(items)
    for number, batch in enumerate(iter(lambda: list(islice(source, batch_size)), [])):
        if number % shard[1] == shard[0] - 1:
            yield from batch


def write_shard(rows: Path, out: Path, header: ShardHeader) -> PredictionSummary:
    """Turn a complete file of rows into a part.

    Args:
        rows: The file of rows.
        out: The file that is wanted in the end.
        header: Of the part.

    Raises:
        RunError: If the disk does not take it.
    """
    summary, rows_written = PredictionSummary(), 0
    with replacing(shard_file(out, (header.shard, header.of))) as file:
        file.write(msgspec.json.encode(header) + b"\n")
        for row in read_rows(rows):
            summary.add(row, header.prediction)
            file.write(msgspec.json.encode(row) + b"\n")
            rows_written += 1
        file.write(msgspec.json.encode(_ShardEnd(rows_written)) + b"\n")
    return summary


def is_complete(out: Path, shard: Shard, prediction: PredictionHeader, batch_size: int) -> bool:
    """Whether a part of the same prediction is there already."""
    try:
        with _OpenShard(shard_file(out, shard)) as found:
            header = found.header
            return header.prediction == prediction and header.batch_size == batch_size
    except (FileNotFoundError, DataError):
        return False


def join_shards(out: Path) -> PredictionSummary:
    """Join all parts of a file of predictions, and remove them; in bounded memory.

    Raises:
        ConfigError: If parts are missing.
        DataError: If parts are damaged or of different predictions, or no image could be read; nothing is written.
        RunError: If the disk does not take it; the parts stay.
    """
    files = _all_parts(out)
    summary = PredictionSummary()
    with ExitStack() as stack:
        parts = [stack.enter_context(_OpenShard(file)) for file in files]
        _check_same(parts)
        header = parts[0].header.prediction
        with replacing(out) as file:
            PREDICTION_FORMATS[out.suffix.lower()].write(
                file, header, count_rows(_in_order(parts), header, summary)
            )
            if not summary.by_class:
                raise DataError(f"None of the images can be read: {summary.sentence}.", "Check the files.")
    for part in files:
        remove(part)
    return summary


class _OpenShard:
    """A part that is read row by row; a context manager.

    Raises:
        DataError: If it is cut off or damaged.
        FileNotFoundError: If it does not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = open_to_read(path)
        try:
            self.header = _HEADER.decode(self._file.readline(LONGEST_LINE_BYTES))
            begin = self._file.tell()
            self.rows = self._read_end()
            self._file.seek(begin)
        except (BadRecord, OSError) as error:
            self._file.close()
            raise self._damaged() from error

    def __enter__(self) -> "_OpenShard":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def take(self, count: int) -> list[PredictionRow]:
        """The next rows; fewer at the end."""
        try:
            lines = [self._file.readline(LONGEST_LINE_BYTES) for _ in range(min(count, self.rows))]
            self.rows -= len(lines)
            return [_ROW.decode(line) for line in lines]
        except BadRecord as error:
            raise self._damaged() from error

    def _read_end(self) -> int:
        self._file.seek(-min(64, self._file.seek(0, 2)), 2)
        return _END.decode(self._file.read().rpartition(b"\n{")[2].join((b"{", b""))).rows

    def _damaged(self) -> DataError:
        return DataError(
            f"{printable(self.path)} is cut off or damaged.", "Delete it and predict that part again."
        )


def _in_order(parts: Sequence[_OpenShard]) -> Iterator[PredictionRow]:
    """The rows of all parts in the order of the images: a batch of each in turn."""
    size = parts[0].header.batch_size
    while any(part.rows for part in parts):
        for part in parts:
            yield from part.take(size)


def _all_parts(out: Path) -> list[Path]:
    """The files of all parts, in order."""
    pattern = re.compile(re.escape(out.name) + r"\.shard-([1-9][0-9]*)-of-([1-9][0-9]*)\.jsonl")
    folder = out.absolute().parent
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    found = [(int(match[1]), int(match[2])) for name in names if (match := pattern.fullmatch(name))]
    if not found:
        raise ConfigError(
            f"There are no parts of {printable(out)}.",
            f"Make them with `mia-tui predict IMAGES --run RUN --out {printable(out)} --shard 1/2` and so on.",
        )
    sizes = sorted({of for _, of in found})
    if len(sizes) > 1:
        kinds = join_names(f"{size}" for size in sizes)
        raise ConfigError(
            f"There are parts of {printable(out)} from divisions into {kinds}.",
            "Delete the wrong ones.",
        )
    missing = [f"{shard}" for shard in range(1, sizes[0] + 1) if (shard, sizes[0]) not in found]
    if missing:
        raise ConfigError(
            f"Of the {sizes[0]} parts of {printable(out)} these are missing: {name_some(missing, 20)}.",
            f"The same command with `--shard {missing[0]}/{sizes[0]}` makes one.",
        )
    return [shard_file(out, (shard, sizes[0])) for shard in range(1, sizes[0] + 1)]


def _check_same(parts: Sequence[_OpenShard]) -> None:
    first = parts[0]
    wanted = msgspec.structs.replace(first.header, shard=0)
    for part in parts:
        if msgspec.structs.replace(part.header, shard=0) != wanted:
            raise DataError(
                f"{printable(part.path)} and {printable(first.path)} are parts of different predictions.",
                "Delete one of them and predict that part again with the same network, images and --batch-size.",
            )
    if sum(part.rows for part in parts) != wanted.total:
        raise DataError(
            f"The parts hold {sum(part.rows for part in parts):,} of {wanted.total:,} images.",
            "The folder of images was changed between them; predict all parts again.",
        )
