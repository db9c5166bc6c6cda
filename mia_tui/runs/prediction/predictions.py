"""Predictions on disk: streamed to OUT.partial.jsonl, converted at the end, continued after a kill.

The partial file begins with a line that says which network predicts which images; only a file with the same line is
continued. Its lines are in the dataset's order: from where that order has changed since, images are predicted again.
Images that could not be read are tried again.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta

from mia_tui.dataset.model import ImageKey
from mia_tui.decoding import BadRecord, Frame, JsonReader, Text, decode_json
from mia_tui.disk_errors import disk_error
from mia_tui.errors import ConfigError, DataError, MiaError
from mia_tui.files import open_in_place, open_to_read, remove, remove_leftovers
from mia_tui.runs.disk import replacing
from mia_tui.runs.prediction.formats import PREDICTION_FORMATS, Writer, best_class
from mia_tui.runs.record.model_card import ModelCard
from mia_tui.text import (
    decode_name,
    encode_name,
    fault_of,
    printable,
)

_NAMED = 5
_LONGEST_LINE_BYTES = 1 << 24


class PredictionRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """One image: probabilities of the classes, or why there are none. `file` is as `text.encode_name` gives it."""

    file: Text
    frame: Frame
    probabilities: list[Annotated[float, Meta(ge=0.0, le=1.001)]] | None = None
    problem: str | None = None

    @property
    def key(self) -> ImageKey:
        return ImageKey(decode_name(self.file), self.frame)


_ROW = JsonReader(PredictionRow)


class PredictionHeader(msgspec.Struct, frozen=True):
    """What a partial file holds; with equal headers the predictions are the same."""

    images: str
    weights: str
    classes: list[str]
    run: str
    tta: bool
    max_megapixels: float


def make_header(images: Path, weights: Path, card: ModelCard, *, tta: bool) -> PredictionHeader:
    """The header for predicting `images` with the network in `weights`, which is known by its content."""
    digest = blake2b(digest_size=16)
    with open_to_read(weights, follow=True) as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return PredictionHeader(
        images=encode_name(str(images.resolve())),
        weights=digest.hexdigest(),
        classes=[encode_name(item.name) for item in card.classes],
        run=encode_name(card.run),
        tta=tta,
        max_megapixels=card.max_megapixels,
    )


def check_format(out: Path) -> None:
    """Refuse an unknown file extension before anything is predicted.

    Raises:
        ConfigError: If the ending is unknown, the folder is missing, or the format needs a missing package.
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
    wanted.check()


def partial_path(out: Path) -> Path:
    """Where predictions are collected until they are complete."""
    return out.with_name(out.name + ".partial.jsonl")


class PartialFile:
    """The growing file; a context manager.

    Args:
        out: The file wanted in the end.
        header: What is predicted.
        keys: The images, in order.
        root: As for `files.open_in_place`.

    Attributes:
        done: Rows of an earlier attempt that are still valid.
        faults: Images among them that could not be read then.

    Raises:
        DataError: If the disk does not take it.
    """

    def __init__(
        self, out: Path, header: PredictionHeader, keys: Sequence[ImageKey], *, root: Path | None = None
    ) -> None:
        self.path, self._root = partial_path(out), root
        remove_leftovers(out.parent, root=root, of=out.name.__eq__)
        self.done, size, self.faults = _usable(self.path, header, keys)
        try:
            self._file: BinaryIO = os.fdopen(open_in_place(self.path, root=root), "r+b")
            self._file.truncate(size)
            self._file.seek(size)
        except OSError as error:
            raise _cannot_write(out, error) from error
        self._out = out
        if not size:
            self._write(msgspec.json.encode(header) + b"\n")

    def append(self, rows: Iterable[PredictionRow]) -> None:
        """Add rows, in the order of the keys."""
        self._write(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))

    def mend(self, rows: Iterable[PredictionRow]) -> None:
        """Replace rows of images that could not be read by rows of those that can be read now.

        Raises:
            RunError: If the disk does not take it.
        """
        better = {row.key: msgspec.json.encode(row) + b"\n" for row in rows}
        self._file.close()
        with replacing(self.path, root=self._root) as new, open_to_read(self.path, root=self._root) as old:
            new.write(next(old))  # the header
            for line in islice(old, self.done):
                new.write(better.get(_ROW.decode(line).key, line))
        self._file = os.fdopen(open_in_place(self.path, root=self._root), "r+b")
        self._file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Close the file and keep it, to be continued later."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise _cannot_write(self._out, error) from error


@dataclass
class PredictionSummary:
    """How many images were predicted as which class, and which could not be read.

    Attributes:
        by_class: Images predicted as each class.
        problems: The first images that could not be read, each with the reason.
        problem_count: How many there were.
    """

    by_class: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0

    def add_problem(self, row: PredictionRow) -> None:
        self.problem_count += 1
        if len(self.problems) < _NAMED:
            self.problems.append(fault_of(decode_name(row.file), row.problem or ""))


def convert(
    out: Path, header: PredictionHeader, write: Writer | None = None, *, root: Path | None = None
) -> PredictionSummary:
    """Turn the partial file into the file wanted, and remove it.

    Args:
        out: The file wanted; it appears complete or not at all.
        header: That of the partial file.
        write: Writes the rows that have probabilities; None chooses by the extension of `out`.
        root: As for `files.new_content`.

    Raises:
        DataError: If no image could be read; nothing is written.
        RunError: If the disk does not take it.
    """
    partial, summary = partial_path(out), PredictionSummary()
    write = write or PREDICTION_FORMATS[out.suffix.lower()].write
    with replacing(out, root=root) as file:
        write(file, header, _predicted(partial, header, summary))
        if not summary.by_class:
            raise DataError(
                f"None of the images can be read: {'; '.join(summary.problems)}.", "Check the files."
            )
    remove(partial, root=root)
    return summary


def _predicted(
    partial: Path, header: PredictionHeader, summary: PredictionSummary
) -> Iterator[PredictionRow]:
    """The rows that have probabilities; all are counted on the way."""
    for row in read_rows(partial):
        if row.probabilities is None:
            summary.add_problem(row)
        else:
            summary.by_class[header.classes[best_class(row)]] += 1
            yield row


def _cannot_write(out: Path, error: OSError) -> MiaError:
    return disk_error(error, out, DataError, elsewhere="name a file elsewhere with --out.")


def read_rows(partial: Path) -> Iterator[PredictionRow]:
    """The rows of a partial file; an incomplete last line is ignored.

    Raises:
        DataError: If a line is damaged.
    """
    with open_to_read(partial) as file:
        file.readline(_LONGEST_LINE_BYTES)  # the header
        while line := file.readline(_LONGEST_LINE_BYTES):
            if line.endswith(b"\n"):
                try:
                    yield _ROW.decode(line)
                except BadRecord as error:
                    raise DataError(
                        f"{printable(partial)} is damaged.", "Delete it and predict again."
                    ) from error


def _usable(
    partial: Path, header: PredictionHeader, keys: Sequence[ImageKey]
) -> tuple[int, int, list[ImageKey]]:
    """Rows of an earlier attempt that are still right, the bytes they take with their header, and the faults."""
    rows = size = 0
    faults: list[ImageKey] = []
    try:
        with open_to_read(partial) as file:
            first = file.readline(_LONGEST_LINE_BYTES)
            if decode_json(first, PredictionHeader) != header:
                return 0, 0, []
            size = len(first)
            for key in keys:
                line = file.readline(_LONGEST_LINE_BYTES)
                if not line.endswith(b"\n") or not _is_of(row := _ROW.decode(line), key, header):
                    break
                rows, size = rows + 1, size + len(line)
                if row.probabilities is None:
                    faults.append(key)
    except (OSError, BadRecord):  # no file; or something else, which is refused when it is to be written
        pass
    return rows, size, faults


def _is_of(row: PredictionRow, key: ImageKey, header: PredictionHeader) -> bool:
    """Whether a row is the prediction of an image by this network."""
    if row.key != key:
        return False
    return (
        row.problem is not None
        if row.probabilities is None
        else len(row.probabilities) == len(header.classes)
    )
