"""A prediction in parts, made by several processes or machines, and joined to one file.

Whole batches go to a part: batch b of the images goes to part b % n + 1, and the last batch, which may be smaller,
like any other. So the parts hold exactly the rows that one process would have written, with the same rounding. A part
is a file beside the one wanted:

    {"prediction":{...},"shard":3,"of":8,"batch_size":64,"precision":"auto","frames":"first","total":40000,"images":"..."}
    {"file":"a/cell-1.png","frame":0,"probabilities":[0.1,0.9]}
    {"rows":5000}

The last line tells a complete file from one that was cut off.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta

from mia_tui.config.predict import PredictConfig
from mia_tui.decoding import BadRecord, Count, JsonReader, Text
from mia_tui.errors import ConfigError, DataError
from mia_tui.files import open_to_read, remove, remove_leftovers
from mia_tui.runs.disk import replacing
from mia_tui.runs.prediction.formats import PREDICTION_FORMATS
from mia_tui.runs.prediction.predictions import (
    LONGEST_LINE_BYTES,
    PredictionHeader,
    PredictionRow,
    PredictionSummary,
    count_rows,
    fits,
    read_rows,
)
from mia_tui.runs.record.model_card import ModelCard
from mia_tui.text import join_names, name_some, printable, typed

Shard = tuple[int, int]
"""(i, n): the i-th of n parts, from 1."""

MOST_SHARDS = 999_999
_ROWS_AT_ONCE = 1024

_Number = Annotated[int, Meta(ge=1, le=MOST_SHARDS)]


class ShardSettings(msgspec.Struct, frozen=True):
    """What is equal in all parts of a file of predictions, whatever images there are.

    Attributes:
        prediction: What is predicted.
        of: How many parts there are.
        batch_size: Images per batch.
        precision: Numeric precision of the network.
        frames: Frames of animated files.
    """

    prediction: PredictionHeader
    of: _Number
    batch_size: Annotated[int, Meta(ge=1, le=1_000_000)]
    precision: Text
    frames: Text


class ShardHeader(ShardSettings, frozen=True):
    """The first line of a part.

    Attributes:
        shard: Number of the part, from 1.
        total: Images of all parts.
        images: Digest of these, see `runs.prediction.listing`.
    """

    shard: _Number
    total: Count
    images: Text


class _ShardEnd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rows: Count


_HEADER, _ROW, _END = JsonReader(ShardHeader), JsonReader(PredictionRow), JsonReader(_ShardEnd)


def shard_file(out: Path, shard: Shard) -> Path:
    """Where a part of a file of predictions is."""
    return out.with_name(f"{out.name}.shard-{shard[0]}-of-{shard[1]}.jsonl")


def result_file(config: PredictConfig) -> Path | None:
    """The file that a prediction makes: that of --out or a part of it; None if it makes suggestions in its run."""
    if config.out is None:
        return None
    out = Path(config.out)
    return out if config.shard is None else shard_file(out, config.shard)


def is_in_shard(place: int, batch_size: int, shard: Shard) -> bool:
    """Whether the image at a place in the order of all of them belongs to a part."""
    return place // batch_size % shard[1] == shard[0] - 1


def shard_size(total: int, batch_size: int, shard: Shard) -> int:
    """How many of all images belong to a part."""
    number, of = shard
    batches = -(-total // batch_size)
    own = max(0, -(-(batches - number + 1) // of))
    has_last = own > 0 and (batches - 1) % of == number - 1
    return own * batch_size - (batches * batch_size - total if has_last else 0)


def shard_settings(prediction: PredictionHeader, config: PredictConfig, card: ModelCard) -> ShardSettings:
    """What the parts of a prediction have in common; `config` is that of one of them."""
    assert config.shard is not None
    return ShardSettings(
        prediction=prediction,
        of=config.shard[1],
        batch_size=config.batch_size,
        precision=config.precision,
        frames=config.frames or card.frames,
    )


def write_shard(rows: Path, out: Path, header: ShardHeader) -> PredictionSummary:
    """Turn a complete file of rows into a part.

    Args:
        rows: The file of rows.
        out: The file that is wanted in the end.
        header: Of the part.

    Raises:
        DataError: If the rows are damaged; nothing is written.
        RunError: If the disk does not take it.
    """
    summary, rows_written = PredictionSummary(), 0
    shard = (header.shard, header.of)
    with replacing(shard_file(out, shard)) as file:
        file.write(msgspec.json.encode(header) + b"\n")
        count = shard_size(header.total, header.batch_size, shard)
        for row in read_rows(rows, header.prediction, count):
            summary.add(row, header.prediction)
            file.write(msgspec.json.encode(row) + b"\n")
            rows_written += 1
        file.write(msgspec.json.encode(_ShardEnd(rows_written)) + b"\n")
    return summary


def finished_shard(out: Path, shard: Shard, settings: ShardSettings) -> PredictionSummary | None:
    """What is in a part of the same prediction; None if it is not there, or not complete."""
    summary = PredictionSummary()
    try:
        part = _ShardRows(shard_file(out, shard), shard)
        if _settings_of(part.header) != _settings_of(settings):
            return None
        while rows := part.take(_ROWS_AT_ONCE):
            for row in rows:
                summary.add(row, settings.prediction)
    except (FileNotFoundError, DataError):
        return None
    return summary


def join_shards(out: Path) -> PredictionSummary:
    """Join all parts of a file of predictions, and remove them; in bounded memory.

    Raises:
        ConfigError: If parts are missing.
        DataError: If parts are damaged or of different predictions, or no image could be read; nothing is written.
        RunError: If the disk does not take it; the parts stay.
    """
    shards = _all_shards(out)
    summary = PredictionSummary()
    parts = [_ShardRows(shard_file(out, shard), shard) for shard in shards]
    _check_same(parts)
    has_score = any(part.header.prediction.unfamiliar for part in parts)
    header = msgspec.structs.replace(parts[0].header.prediction, unfamiliar=has_score)
    remove_leftovers(out.parent, of=out.name.__eq__)  # of a join that was killed
    with replacing(out) as file:
        rows = count_rows(_in_order(parts), header, summary)
        PREDICTION_FORMATS[out.suffix.lower()].write(file, header, rows)
        if not summary.predicted:
            raise DataError(f"None of the images can be read: {summary.sentence}.", "Check the files.")
    for part in parts:
        remove(part.path)
    return summary


class _ShardRows:
    """The rows of a part, read some at a time; in between its file is closed, as there may be more than can be open.

    Raises:
        DataError: If it is cut off or damaged, or cannot be read.
        FileNotFoundError: If it does not exist.
    """

    def __init__(self, path: Path, shard: Shard) -> None:
        self.path = path
        try:
            with open_to_read(path) as file:
                self.header = _HEADER.decode(file.readline(LONGEST_LINE_BYTES))
                self._place = file.tell()
                self.rows = self._read_end(file)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise self._unreadable(error) from error
        except BadRecord as error:
            raise self._damaged() from error
        header = self.header
        if shard != (header.shard, header.of) or self.rows != shard_size(
            header.total, header.batch_size, shard
        ):
            raise self._damaged()

    def take(self, count: int) -> list[PredictionRow]:
        """The next rows; fewer at the end."""
        if not self.rows:
            return []
        try:
            with open_to_read(self.path) as file:
                file.seek(self._place)
                lines = [file.readline(LONGEST_LINE_BYTES) for _ in range(min(count, self.rows))]
                self._place = file.tell()
            self.rows -= len(lines)
            rows = [_ROW.decode(line) for line in lines]
        except OSError as error:
            raise self._unreadable(error) from error
        except BadRecord as error:
            raise self._damaged() from error
        if not all(fits(row, self.header.prediction) for row in rows):
            raise self._damaged()
        return rows

    @staticmethod
    def _read_end(file: BinaryIO) -> int:
        file.seek(-min(64, file.seek(0, 2)), 2)
        return _END.decode(file.read().rpartition(b"\n{")[2].join((b"{", b""))).rows

    def _damaged(self) -> DataError:
        return DataError(
            f"{printable(self.path)} is cut off or damaged.", "Delete it and predict that part again."
        )

    def _unreadable(self, error: OSError) -> DataError:
        return DataError(f"{printable(self.path)} cannot be read: {error.strerror}.", "Check the file.")


def _in_order(parts: Sequence[_ShardRows]) -> Iterator[PredictionRow]:
    """The rows of all parts in the order of the images: a batch of each in turn."""
    size = parts[0].header.batch_size
    while any(part.rows for part in parts):
        for part in parts:
            yield from part.take(size)


def _all_shards(out: Path) -> list[Shard]:
    """All parts, in order, if their files are there."""
    pattern = re.compile(re.escape(out.name) + r"\.shard-([1-9][0-9]{0,5})-of-([1-9][0-9]{0,5})\.jsonl")
    names = [path.name for path in out.absolute().parent.iterdir()]
    found = {(int(match[1]), int(match[2])) for name in names if (match := pattern.fullmatch(name))}
    if not found:
        there = " That file itself is there." if out.is_file() else ""
        raise ConfigError(
            f"There are no parts of {printable(out)}.{there}",
            f"Make them with `mia-tui predict IMAGES --run RUN --out {typed(out)} --shard 1/2` and so on.",
        )
    sizes = sorted({of for _, of in found})
    if len(sizes) > 1:
        kinds = join_names(f"{size}" for size in sizes)
        raise ConfigError(
            f"There are parts of {printable(out)} from divisions into {kinds}.",
            "Delete the wrong ones.",
        )
    wanted = [(number, sizes[0]) for number in range(1, sizes[0] + 1)]
    missing = [f"{shard[0]}" for shard in wanted if shard not in found]
    if missing:
        raise ConfigError(
            f"Of the {sizes[0]} parts of {printable(out)} these are missing: {name_some(missing, 20)}.",
            f"The command that made the others makes part {missing[0]} with `--shard {missing[0]}/{sizes[0]}`.",
        )
    return wanted


def _settings_of(header: ShardSettings) -> ShardSettings:
    """What two parts of one prediction have in common; the rows of an earlier version have no score."""
    fields = ShardSettings.__struct_fields__
    settings = ShardSettings(**{name: getattr(header, name) for name in fields})
    return msgspec.structs.replace(settings, prediction=header.prediction.without_score())


def _check_same(parts: Sequence[_ShardRows]) -> None:
    first = parts[0]
    for part in parts:
        if _settings_of(part.header) != _settings_of(first.header):
            raise DataError(
                f"{printable(part.path)} and {printable(first.path)} are parts of different predictions.",
                "Delete one of them and predict that part again with the same network, images and options.",
            )
        if part.header.images != first.header.images:
            raise DataError(
                f"The folder of images was changed between {printable(first.path)} and {printable(part.path)}.",
                "Delete the parts and predict all of them again.",
            )
