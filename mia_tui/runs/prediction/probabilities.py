"""The probabilities of all classes behind the suggestions in a run's folder, to look at one image at a time.

    {"protocol":1,"classes":["round","long"]}
    ["a/cell-1.png",0,[1,0],[0.9731,0.0269]]      file, frame, positions in `classes`, their probabilities, falling

A million images have a hundred megabytes of them, so they are never read as a whole: an image is looked for around
the place where it should be, and what lies around it is kept, since the next image is most often the next line.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta

from mia_tui.dataset.model import ImageKey
from mia_tui.decoding import BadRecord, Frame, Index, JsonReader, Text
from mia_tui.errors import RunError
from mia_tui.files import open_to_read
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow
from mia_tui.runs.record.layout import RunDir, unreadable
from mia_tui.text import decode_name, encode_name, printable

MOST_CLASSES = 50
"""Of each image; the least probable ones of very many classes are left out."""

_PROTOCOL = 1
_DIGITS = 4
_LONGEST_HEAD_BYTES = 1 << 24  # 100,000 classes
_PIECE_BYTES = 1 << 18


class _ProbabilitiesHead(msgspec.Struct, frozen=True):
    protocol: int
    classes: list[Text]


class ProbabilityLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The probabilities of an image: positions of classes, and how probable each is, falling."""

    file: Text
    frame: Frame
    classes: list[Index]
    probabilities: list[Annotated[float, Meta(ge=0.0, le=1.001)]]


_HEAD, _LINE = JsonReader(_ProbabilitiesHead), JsonReader(ProbabilityLine)


@dataclass(frozen=True)
class ClassProbabilities:
    """What a network says of one image: names of classes and how probable each is, falling."""

    classes: tuple[str, ...]
    probabilities: tuple[float, ...]


def keep_probabilities(
    file: BinaryIO, header: PredictionHeader, rows: Iterable[PredictionRow]
) -> Iterator[PredictionRow]:
    """The same rows, whose probabilities are written to a new file on the way."""
    encoder = msgspec.json.Encoder()
    file.write(encoder.encode(_ProbabilitiesHead(_PROTOCOL, header.classes)) + b"\n")
    for row in rows:
        if row.probabilities is not None:
            file.write(encoder.encode(_line_of(row, row.probabilities)) + b"\n")
        yield row


def _line_of(row: PredictionRow, probabilities: list[float]) -> ProbabilityLine:
    order = sorted(range(len(probabilities)), key=lambda at: -probabilities[at])[:MOST_CLASSES]
    return ProbabilityLine(
        row.file, row.frame, order, [round(min(1.0, probabilities[at]), _DIGITS) for at in order]
    )


def probability_lines(run: RunDir) -> Iterator[ProbabilityLine]:
    """All lines of the probabilities in a run's folder, one after the other.

    Raises:
        RunError: If they are damaged or cannot be read.
        FileNotFoundError: If the run has none.
    """
    try:
        with open_to_read(run.probabilities, root=run.root) as file:
            if _HEAD.decode(file.readline(_LONGEST_HEAD_BYTES)).protocol != _PROTOCOL:
                raise BadRecord("it is of another version")
            while line := file.readline(_LONGEST_HEAD_BYTES):
                yield _LINE.decode(line)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise unreadable(run.probabilities, error) from error
    except BadRecord as error:
        raise RunError(f"{printable(run.probabilities)} is damaged: {error}.", "Predict again.") from error


class ProbabilityFile:
    """The probabilities in a run's folder.

    Args:
        run: Its folder; not every prediction has such a file.
    """

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self._classes: tuple[str, ...] = ()
        self._piece = b""  # whole lines around the image found last

    def known(self, key: ImageKey) -> ClassProbabilities | None:
        """Of an image that lies near the one found last; None if another must be looked for. Reads nothing."""
        return self._in_piece(key, self._piece)

    def find(self, key: ImageKey, near: float) -> ClassProbabilities | None:
        """Of an image; None if it has none, or the file is missing or damaged.

        Args:
            key: The image.
            near: Where it should be: 0 for the beginning of the file, 1 for its end.
        """
        with suppress(OSError, BadRecord), open_to_read(self.run.probabilities, root=self.run.root) as file:
            head = _HEAD.decode(file.readline(_LONGEST_HEAD_BYTES))
            if head.protocol != _PROTOCOL:
                return None
            self._classes = tuple(map(decode_name, head.classes))
            begin, end = file.tell(), file.seek(0, 2)
            for at in _outwards(begin, end, near):
                piece = _lines_from(file, at)
                found = self._in_piece(key, piece)
                if found is not None:
                    self._piece = piece
                    return found
        return None

    def _in_piece(self, key: ImageKey, piece: bytes) -> ClassProbabilities | None:
        at = piece.find(b"\n" + msgspec.json.encode([encode_name(key.path), key.frame])[:-1] + b",")
        if at < 0:
            return None
        try:
            line = _LINE.decode(piece[at + 1 : piece.index(b"\n", at + 1)])
            names = tuple(self._classes[number] for number in line.classes)
        except (ValueError, IndexError):  # damaged
            return None
        is_whole = len(names) == len(line.probabilities)
        return ClassProbabilities(names, tuple(line.probabilities)) if is_whole else None


def _outwards(begin: int, end: int, near: float) -> Iterator[int]:
    """Where to read pieces of a file: first where something should be, then farther and farther away."""
    pieces = max(1, -(-(end - begin) // _PIECE_BYTES))
    middle = min(pieces - 1, max(0, int(near * pieces)))
    for number in sorted(range(pieces), key=lambda number: abs(number - middle)):
        yield begin + number * _PIECE_BYTES


def _lines_from(file: BinaryIO, at: int) -> bytes:
    """The lines that begin in a piece of a file, behind a line feed."""
    file.seek(at - 1)  # the line feed before, if a line begins just here
    piece = file.read(_PIECE_BYTES + 1)
    first = piece.find(b"\n")
    if first < 0:
        return b""
    piece = piece[first:]
    return piece if piece.endswith(b"\n") else piece + file.readline(_LONGEST_HEAD_BYTES)
