"""Predictions on disk: rows are added to the run's rows.jsonl, and become the file wanted at the end.

The file of rows begins with a line that says which network predicts which images; only a file with the same line is
continued. Its lines are in the dataset's order: from where that order has changed since, images are predicted again.
Images that could not be read are tried again.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from mia_tui.config.predict import DecisionRule, PredictConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.decoding import BadRecord, Frame, Index, JsonReader, Text, decode_json
from mia_tui.disk_errors import UNREACHABLE, disk_error
from mia_tui.errors import ConfigError, DataError
from mia_tui.files import open_in_place, open_to_read, remove, remove_leftovers
from mia_tui.runs.disk import make_folder, replacing
from mia_tui.runs.prediction.formats import PREDICTION_FORMATS, Writer, best_class
from mia_tui.runs.record.events import MOST_NAMED
from mia_tui.runs.record.model_card import ModelCard
from mia_tui.text import (
    NAMED,
    decode_name,
    encode_name,
    fault_of,
    name_faults,
    printable,
)

LONGEST_LINE_BYTES = 1 << 24

MOST_UNFAMILIAR = 1e6
"""A score is never larger."""

Unfamiliar = Annotated[float, Meta(ge=0.0, le=MOST_UNFAMILIAR)]


class PredictionRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One image: probabilities of the classes, or why there are none. `file` is as `text.encode_name` gives it.

    `unfamiliar` is how far it is from the images that are known, as a multiple of what is usual, where that is known.
    `best` and `unsure` are what was decided, where the probabilities have been rounded since.
    """

    file: Text
    frame: Frame
    probabilities: list[Annotated[float, Meta(ge=0.0, le=1.001)]] | None = None
    problem: str | None = None
    unfamiliar: Unfamiliar | None = None
    best: Index | None = None
    unsure: bool | None = None

    @property
    def key(self) -> ImageKey:
        return ImageKey(decode_name(self.file), self.frame)


_ROW = JsonReader(PredictionRow)


class PredictionHeader(msgspec.Struct, frozen=True):
    """What a file of rows holds; with equal headers predictions are the same, up to rounding on another device.

    Probabilities are at the temperature of `rule`, the names of whose classes are as in `classes`. `unfamiliar` says
    whether rows have that score; those of an earlier version have none, but are of the same prediction, see
    `without_score`.
    """

    images: str
    weights: str
    classes: list[str]
    run: str
    tta: bool
    max_megapixels: float
    unfamiliar: bool = False
    rule: DecisionRule = DecisionRule()

    def without_score(self) -> "PredictionHeader":
        """The same, whatever score the rows have."""
        return msgspec.structs.replace(self, unfamiliar=False)

    def is_unsure(self, row: PredictionRow) -> bool:
        """Whether the most probable class of a row that has probabilities is below its threshold."""
        if row.unsure is not None:
            return row.unsure
        assert row.probabilities is not None
        best = best_class(row)
        return row.probabilities[best] < self.rule.threshold_of(self.classes[best])


def make_header(
    images: str,
    config: PredictConfig,
    card: ModelCard,
    digest: str,
    *,
    rule: DecisionRule,
    unfamiliar: bool = False,
) -> PredictionHeader:
    """The header of predictions.

    Args:
        images: The folder of the images, as the job names it.
        config: The settings.
        card: Of the network.
        digest: Of its weights, as in `NetworkConfig`.
        rule: How probabilities become answers.
        unfamiliar: Whether the network says how far images are from those it knows.
    """
    return PredictionHeader(
        images=encode_name(images),
        weights=digest,
        classes=[encode_name(item.name) for item in card.classes],
        run=encode_name(config.network if config.ensemble else card.run),
        tta=config.tta,
        max_megapixels=config.max_megapixels or card.max_megapixels,
        unfamiliar=unfamiliar,
        rule=msgspec.structs.replace(
            rule, by_class={encode_name(name): least for name, least in rule.by_class.items()}
        ),
    )


def check_format(out: Path) -> None:
    """Refuse an unknown file extension before anything is predicted.

    Raises:
        ConfigError: If the ending is unknown, the folder is missing or cannot be written, or the format needs a
            package that is missing.
    """
    wanted = PREDICTION_FORMATS.get(out.suffix.lower())
    if wanted is None:
        raise ConfigError(
            f"--out {printable(out)} has no known ending.", f"Use one of {', '.join(PREDICTION_FORMATS)}."
        )
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"The folder of --out {printable(out)} does not exist.", "Make it first.")
    if out.is_dir():
        raise ConfigError(f"--out {printable(out)} is a folder.", "Name a file.")
    if not os.access(out.absolute().parent, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise ConfigError(
            f"You may not write into the folder of --out {printable(out)}.", "Name another place."
        )
    wanted.check()


def partial_path(out: Path) -> Path:
    """Where earlier versions collected predictions until they were complete."""
    return out.with_name(out.name + ".partial.jsonl")


class PredictionRows:
    """The growing file of rows.

    Args:
        path: The file.
        header: What is predicted.
        keys: The images, in order; read as far as there are rows, and again for `before`.
        batch_size: Images per batch: rows of a batch that is incomplete are predicted again, so that the result does
            not depend on where an attempt was interrupted.
        root: As for `files.open_in_place`.
        before: A file of rows of an earlier version, which is taken over if it is of the same prediction.

    Attributes:
        done: Rows of an earlier attempt that are still valid.
        faults: Images among them that could not be read then.

    Raises:
        RunError: If the disk does not take it, or does not answer: rows that cannot be read now are not lost.
    """

    def __init__(
        self,
        path: Path,
        header: PredictionHeader,
        keys: Iterable[ImageKey],
        *,
        batch_size: int = 1,
        root: Path | None = None,
        before: Path | None = None,
    ) -> None:
        self.path, self._root = path, root
        make_folder(path.parent, root=root)
        remove_leftovers(path.parent, root=root, of=path.name.__eq__)
        self.done, self._size, self.faults = _usable(path, header, keys, batch_size)
        if not self._size and before is not None:
            self.done, self._size, self.faults = _usable(before, header, keys, batch_size)
            if self._size:
                self._take_over(before)
        if not self._size:
            self._write(msgspec.json.encode(header) + b"\n")

    def append(self, rows: Iterable[PredictionRow]) -> None:
        """Add rows, in the order of the keys; after an error, the same may be added again."""
        self._write(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))

    def mend(self, rows: Iterable[PredictionRow]) -> None:
        """Replace rows of images that could not be read by rows of those that can be read now.

        Raises:
            RunError: If the disk does not take it.
        """
        better = {row.key: msgspec.json.encode(row) + b"\n" for row in rows}
        with replacing(self.path, root=self._root) as new, open_to_read(self.path, root=self._root) as old:
            new.write(next(old))  # the header
            for line in islice(old, self.done):
                new.write(better.get(_ROW.decode(line).key, line))
            self._size = new.tell()

    def _take_over(self, before: Path) -> None:
        with replacing(self.path, root=self._root) as new, open_to_read(before) as old:
            shutil.copyfileobj(old, new)
        with suppress(OSError):  # in a folder that this user may not change
            remove(before)

    def _write(self, data: bytes) -> None:
        """Write behind what is known to be complete."""
        try:
            with os.fdopen(open_in_place(self.path, root=self._root), "r+b") as file:
                file.truncate(self._size)
                file.seek(self._size)
                file.write(data)
        except OSError as error:
            raise disk_error(error, self.path) from error
        self._size += len(data)


@dataclass
class PredictionSummary:
    """How many images were predicted as which class, and which could not be read.

    Attributes:
        by_class: Images predicted as each class, but for those that it is unsure of.
        unsure: Images whose most probable class is below its threshold.
        problems: The first images that could not be read, as `text.encode_name` gives them, with the reason.
        problem_count: How many there were.
    """

    by_class: Counter[str] = field(default_factory=Counter)
    problems: dict[str, str] = field(default_factory=dict)
    problem_count: int = 0
    unsure: int = 0

    @property
    def predicted(self) -> int:
        """Images that have probabilities."""
        return self.by_class.total() + self.unsure

    def add(self, row: PredictionRow, header: PredictionHeader) -> None:
        """Count a row."""
        if row.probabilities is not None:
            if header.is_unsure(row):
                self.unsure += 1
            else:
                self.by_class[header.classes[best_class(row)]] += 1
            return
        self.problem_count += 1
        if len(self.problems) < MOST_NAMED:
            self.problems[row.file] = row.problem or ""

    @property
    def sentence(self) -> str:
        """The problems, for people."""
        faults = (fault_of(decode_name(name), reason) for name, reason in self.problems.items())
        return name_faults(islice(faults, NAMED), self.problem_count)


def convert(
    rows: Path,
    out: Path,
    header: PredictionHeader,
    write: Writer | None = None,
    *,
    count: int | None = None,
    root: Path | None = None,
) -> PredictionSummary:
    """Turn a complete file of rows into the file wanted.

    Args:
        rows: The file of rows.
        out: The file wanted; it appears complete or not at all.
        header: That of the rows.
        write: Writes the rows that have probabilities; None chooses by the extension of `out`.
        count: How many rows there must be; None if that is not known.
        root: As for `files.new_content`.

    Raises:
        DataError: If no image could be read, or the rows are damaged; nothing is written.
        RunError: If the disk does not take it.
    """
    summary = PredictionSummary()
    write = write or PREDICTION_FORMATS[out.suffix.lower()].write
    with replacing(out, root=root) as file:
        write(file, header, count_rows(read_rows(rows, header, count), header, summary))
        if not summary.predicted:
            raise DataError(f"None of the images can be read: {summary.sentence}.", "Check the files.")
    return summary


def count_rows(
    rows: Iterable[PredictionRow], header: PredictionHeader, summary: PredictionSummary
) -> Iterator[PredictionRow]:
    """The rows that have probabilities; all are counted on the way."""
    for row in rows:
        summary.add(row, header)
        if row.probabilities is not None:
            yield row


def read_rows(path: Path, header: PredictionHeader, count: int | None = None) -> Iterator[PredictionRow]:
    """The rows of a file of rows; an incomplete last line is ignored.

    Args:
        path: The file.
        header: What its rows are predictions of.
        count: How many there must be; None if that is not known.

    Raises:
        DataError: If a line is damaged, or there are more or fewer.
    """
    found = 0
    with open_to_read(path) as file:
        file.readline(LONGEST_LINE_BYTES)  # the header
        while line := file.readline(LONGEST_LINE_BYTES):
            if line.endswith(b"\n"):
                try:
                    row = _ROW.decode(line)
                except BadRecord as error:
                    raise _damaged(path) from error
                if not fits(row, header):
                    raise _damaged(path)
                found += 1
                yield row
    if count is not None and found != count:
        raise _damaged(path)


def fits(row: PredictionRow, header: PredictionHeader) -> bool:
    """Whether a row has a probability for each class, or else says why not."""
    if row.probabilities is None:
        return row.problem is not None
    is_known = row.best is None or row.best < len(header.classes)
    return len(row.probabilities) == len(header.classes) and is_known


def _damaged(path: Path) -> DataError:
    return DataError(f"{printable(path)} is damaged.", "Resume the run: what is damaged is predicted again.")


def _usable(
    path: Path, header: PredictionHeader, keys: Iterable[ImageKey], batch_size: int
) -> tuple[int, int, list[ImageKey]]:
    """Rows of an earlier attempt that are still right, the bytes they take with their header, and the faults.

    Raises:
        RunError: If the disk does not answer, as `disk_error` says it.
    """
    rows = size = 0
    faults: list[ImageKey] = []
    whole: tuple[int, int, list[ImageKey]] = (0, 0, [])
    try:
        with open_to_read(path) as file:
            first = file.readline(LONGEST_LINE_BYTES)
            if decode_json(first, PredictionHeader).without_score() != header.without_score():
                return whole
            size = len(first)
            whole = (0, size, [])
            for key in keys:
                line = file.readline(LONGEST_LINE_BYTES)
                if not line.endswith(b"\n") or (row := _ROW.decode(line)).key != key:
                    return whole
                if not fits(row, header):
                    return whole
                rows, size = rows + 1, size + len(line)
                if row.probabilities is None:
                    faults.append(key)
                if rows % batch_size == 0:
                    whole = (rows, size, list(faults))
    except OSError as error:
        if error.errno in UNREACHABLE:
            raise disk_error(error, path) from error
        return whole  # no file; or something else, which is refused when it is to be written
    except BadRecord:
        return whole
    return rows, size, faults
