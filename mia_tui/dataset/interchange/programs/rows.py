"""What is written for another program: a row for each image, of labels or of what a network predicts."""

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO, TextIO

from mia_tui.dataset.interchange.formats import ExportContent
from mia_tui.dataset.model import WHOLE_STACK, ImageKey
from mia_tui.text import counted, encode_class, encode_controls


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One image.

    Attributes:
        key: The image.
        place: Position of its class among the classes.
        probability: How probable that is, 0 to 1; None for a label, or where it is not known.
        unsure: Whether that is below the threshold of the network.
    """

    key: ImageKey
    place: int
    probability: float | None = None
    unsure: bool = False


@dataclass(frozen=True)
class ExportRows:
    """All rows, to be gone through once.

    Attributes:
        dataset: Name of the folder of images.
        classes: Names.
        rows: In the order of the images, so that frames of one file follow each other.
        model: What people call the network that predicted them; empty for labels.
    """

    dataset: str
    classes: tuple[str, ...]
    rows: Iterable[ExportRow]
    model: str = ""


@dataclass(frozen=True)
class RowsWritten:
    """How many rows were written, and sentences about what was left out."""

    count: int
    notes: tuple[str, ...] = ()


RowsWriter = Callable[[BinaryIO, ExportRows], RowsWritten]


def label_rows(content: ExportContent) -> ExportRows:
    """The labels of a dataset as rows."""
    rows = (ExportRow(key, place) for key, place in content.labels.items())
    return ExportRows(content.dataset.absolute().name, tuple(content.classes), rows)


class SingleImages:
    """The rows whose image is a file of its own: other programs show no frames of a stack.

    Args:
        rows: All rows.
        program: Whose file is written, for the sentence about frames that are left out.

    Attributes:
        count: Rows given out so far.
        left_out: Rows of frames passed over so far.
    """

    def __init__(self, rows: Iterable[ExportRow], program: str) -> None:
        self._rows, self._program = rows, program
        self.count = self.left_out = 0

    def __iter__(self) -> Iterator[ExportRow]:
        for _, frames in groupby(self._rows, key=lambda row: row.key.path):
            first, *more = frames
            if more or first.key.frame not in (0, WHOLE_STACK):
                self.left_out += 1 + len(more)
            else:
                self.count += 1
                yield first

    def written(self) -> RowsWritten:
        """What was written, once all rows were given out."""
        if not self.left_out:
            return RowsWritten(self.count)
        frames = counted(self.left_out, "frame of a stack is", "frames of stacks are")
        return RowsWritten(
            self.count,
            (f"{frames} left out, since {self._program} shows single images; class folders have them.",),
        )


@contextmanager
def as_text(file: BinaryIO) -> Iterator[TextIO]:
    """A UTF-8 text file that writes to a binary one, which stays open."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        yield text
    finally:
        text.flush()
        text.detach()


def plain_name(name: str) -> str:
    """A path or class as it is, but for bytes and characters that text cannot hold, which are written %XX."""
    return encode_controls(encode_class(name))
