"""Reading the rows of a CSV file, with the line in which each begins.

The file is read line by line, so that a damaged one needs little memory, and
strictly: if a quote is not closed, everything after it would be one cell. The
csv module reports neither that nor where the quote was opened.
"""

import codecs
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from mia_tui.errors import LabelFileError
from mia_tui.text import printable

_LONGEST_LINE = 1_000_000  # characters: 50,000 columns of probabilities
_LONGEST_CELL = 100_000  # characters: no path or class name is longer than a few thousand bytes

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, since it begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WORKBOOKS = (
    b"PK\x03\x04",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
)  # .xlsx and .ods, .xls
_PARQUET = b"PAR1"
_LOOKED_AT = 8  # bytes: of the column names, where every second byte is zero in UTF-16 without a mark

_DELIMITERS = (",", ";", "\t", "|")
_SEPARATOR_LINE = re.compile(r'"?sep=(\\t|[^\w"\r\n])"?[,;\s]*', re.IGNORECASE)  # Excel's own first line
_OPENING = re.compile(' *"')
_SPACES = re.compile(" *")
_BAD_BYTE = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row.

    Attributes:
        line: Where it begins, from 1.
        cells: Its cells, without their quotes.
        opened: Line of the opening quote of each cell that spans several lines, by the cell's position.
        stray: Positions of cells that contain a quote without being quoted.
    """

    line: int
    cells: list[str]
    opened: dict[int, int]
    stray: set[int]


@dataclass(frozen=True)
class CsvTable:
    """The first non-empty row, split by each possible delimiter, and the rows after it.

    Attributes:
        name: Of the file, for messages.
        headers: The first row, by delimiter: the one that a line `sep=` names, or else every common one.
    """

    name: str
    headers: dict[str, CsvRow]
    lines: "_Lines"

    def rows(self, delimiter: str) -> Iterator[CsvRow]:
        """The rows after the first one that are not blank; can be called once.

        Raises:
            LabelFileError: If a quote is not closed or closes within a cell, or the text cannot be read.
        """
        for line in self.lines:
            row = _row(line, delimiter, self.lines, self.lines)
            if any(cell.strip() for cell in row.cells):
                yield row


@contextmanager
def open_table(path: Path) -> Iterator[CsvTable]:
    """Open a CSV file: UTF-8, with or without byte order mark, or UTF-16.

    Raises:
        LabelFileError: If it cannot be read or is not text, also if that is only found while rows are read.
    """
    try:
        with path.open("rb") as raw:
            head = raw.peek(_LOOKED_AT)[:_LOOKED_AT]
            if head.startswith(_WORKBOOKS):
                raise LabelFileError(f"{printable(path.name)} is a workbook.", "Save its table as CSV UTF-8.")
            if head.startswith(_PARQUET):
                raise LabelFileError(
                    f"{printable(path.name)} is a Parquet file.", "Write the same as .csv or .jsonl."
                )
            text = io.TextIOWrapper(raw, _encoding(head), newline="")
            lines = _Lines(text, path)
            yield CsvTable(lines.name, _headers(lines), lines)
    except FileNotFoundError:
        raise LabelFileError(f"There is no file {printable(path)}.", "Check the path.") from None
    except OSError as error:
        raise LabelFileError(f"{printable(path)} cannot be read: {error.strerror}.") from error


class _Lines(Iterator[str]):
    """The lines of a text with their line ends, of any of the three kinds.

    Attributes:
        name: The file's, for messages.
        number: Of the last line, from 1.
    """

    def __init__(self, text: TextIO, path: Path) -> None:
        self._text, self._path = text, path
        self.name, self.number = printable(path.name), 0

    def __next__(self) -> str:
        try:
            line = self._text.readline(_LONGEST_LINE)
        except UnicodeError as error:
            raise self._not_text(error) from error
        if not line:
            raise StopIteration
        self.number += 1
        if len(line) == _LONGEST_LINE and line[-1] not in "\r\n":
            raise self.refusal(self.number, f"has more than {_LONGEST_LINE:,} characters")
        if "\0" in line:
            raise self.refusal(self.number, "contains a zero byte, so the file is damaged or not text")
        return line

    def refusal(self, line: int, what: str, hint: str = "Correct that line.") -> LabelFileError:
        """The error for a line of the file."""
        return LabelFileError(f"{self.name}, line {line} {what}.", hint)

    def _not_text(self, error: UnicodeError) -> LabelFileError:
        if not isinstance(error, UnicodeDecodeError) or not error.encoding.startswith("utf-8"):
            return LabelFileError(
                f"{self.name} begins like UTF-16 text and is cut short or damaged.", "Save it as CSV UTF-8."
            )
        line = _line_of_bad_byte(self._path)
        return LabelFileError(
            f"{self.name} is not UTF-8 text{'' if line is None else f', as line {line} shows'}.",
            "Save it as CSV UTF-8, or convert it: iconv -f WINDOWS-1252 -t UTF-8 OLD.csv > NEW.csv",
        )


def _encoding(head: bytes) -> str:
    """The encoding of a file, by its first bytes."""
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    if marked is None and len(head) >= 4:
        low, high = any(head[::2]), any(head[1::2])
        marked = "utf-16-le" if low and not high else "utf-16-be" if high and not low else None
    return marked or "utf-8"


def _line_of_bad_byte(path: Path) -> int | None:
    """The first line with a byte that is not UTF-8; None if the file can only be read once."""
    if not path.is_file():
        return None
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as text:
        lines = enumerate(iter(lambda: text.readline(_LONGEST_LINE), ""), start=1)
        return next((number for number, line in lines if _BAD_BYTE.search(line)), None)


def _headers(lines: _Lines) -> dict[str, CsvRow]:
    first = next((line for line in lines if line.strip()), "").lstrip("\ufeff")  # a second mark
    said = _SEPARATOR_LINE.fullmatch(first)
    if said is not None:
        first = next((line for line in lines if line.strip()), "")
    headers, faults = {}, []
    for delimiter in _DELIMITERS if said is None else (said.group(1).replace("\\t", "\t"),):
        try:
            headers[delimiter] = _row(first, delimiter, lines, iter(()))
        except LabelFileError as error:  # with commas, "a";"b" is not a row
            faults.append(error)
    if not headers:
        raise faults[0]
    return headers


def _row(line: str, delimiter: str, lines: _Lines, further: Iterator[str]) -> CsvRow:
    """The row that begins with a line; `further` are the lines that its quotes may span."""
    row = CsvRow(lines.number, [], {}, set())
    if '"' not in line:
        row.cells.extend(line.rstrip("\r\n").split(delimiter))
        return row
    at = 0
    while True:
        place, opening = len(row.cells), _OPENING.match(line, at)
        if opening is not None:
            opened = lines.number
            cell, line, at = _quoted(line, opening.end(), lines, further)
            at = _closed(line, at, delimiter)
            if at < 0:
                raise lines.refusal(
                    opened,
                    "has a quote that opens a cell and is closed in the middle of one",
                    'Close it at the end of its cell; a quote that is part of a name is written "".',
                )
            if lines.number > opened:
                row.opened[place] = opened
        else:
            end = line.find(delimiter, at)
            cell = line[at:end] if end >= 0 else line[at:].rstrip("\r\n")
            at += len(cell)
            if '"' in cell:
                row.stray.add(place)
        row.cells.append(cell)
        if not line.startswith(delimiter, at):
            return row
        at += len(delimiter)


def _quoted(line: str, at: int, lines: _Lines, further: Iterator[str]) -> tuple[str, str, int]:
    """A cell from after its opening quote: its text, the line it ends in, the position after its closing quote."""
    opened, pieces, length = lines.number, [], 0
    hint = "Close it, or remove it; nothing was imported."
    while True:
        end = line.find('"', at)
        is_doubled = line.startswith('""', end) if end >= 0 else False
        pieces.append(line[at:] if end < 0 else line[at : end + is_doubled])
        length += len(pieces[-1])
        if length > _LONGEST_CELL:
            raise lines.refusal(
                opened, f"has a quote that is not closed within {_LONGEST_CELL:,} characters", hint
            )
        if is_doubled:
            at = end + 2
        elif end >= 0:
            return "".join(pieces), line, end + 1
        else:
            line, at = next(further, ""), 0
            if not line:
                raise lines.refusal(opened, "has a quote that is never closed", hint)


def _closed(line: str, at: int, delimiter: str) -> int:
    """Where the delimiter or the line end is after a closing quote; -1 if something else follows."""
    spaces = _SPACES.match(line, at)
    at = spaces.end() if spaces is not None else at
    return at if line.startswith(delimiter, at) or not line[at:].strip("\r\n") else -1
