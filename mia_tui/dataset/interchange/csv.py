"""Labels as CSV: `file,class`, optionally `frame`, in and out.

Names of files are in the form of `paths.encode_name`: bytes that are not UTF-8
as %XX, % as %25. A file written by hand need not know that: what names an
image as it stands is taken, too.
"""

import codecs
import csv
import io
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TextIO

from mia_tui.dataset.interchange.labelfile import LabelFile
from mia_tui.dataset.interchange.output import replace_file
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan import Scan
from mia_tui.errors import LabelFileError
from mia_tui.paths import decode_name, encode_name, printable

Miss = Literal["unmatched", "outside", "ambiguous"]

_DELIMITERS = (",", ";", "\t")
_HEADER_HINT = "Write a first line with the columns file and class (frame is optional): file,class"


def read_labels(path: Path, scan: Scan, *, dataset: Path | None = None) -> LabelFile:
    """Read a CSV file of labels.

    A first line names the columns, `file` and `class`, in any order, others are ignored. Separated by comma,
    semicolon or tab, UTF-8 (with or without byte order mark) or UTF-16. A row without `frame` is meant for
    every frame; one with it wins over that. A bare file name is enough where it is unique.

    Args:
        path: The CSV file.
        scan: The dataset's images.
        dataset: The dataset's folder; with it, absolute paths below it are understood.

    Raises:
        LabelFileError: If the file cannot be read, has no such header, a row is malformed, or two rows give
            one image different classes.
    """
    finder = _ImageFinder(scan, dataset)
    name = printable(path.name)
    every_frame: dict[ImageKey, tuple[str, int]] = {}
    one_frame: dict[ImageKey, tuple[str, int]] = {}
    misses: dict[Miss, list[str]] = {"unmatched": [], "outside": [], "ambiguous": []}
    blank = 0
    for line, cell, frame, class_name in _rows(path):
        if not class_name:
            blank += 1
            continue
        found, miss = finder.find(cell)
        if found is None:
            misses[miss].append(cell)
            continue
        keys = [key for key in finder.frames[found] if frame is None or key.frame == frame]
        if not keys:
            misses["unmatched"].append(f"{cell} (frame {frame})")
        for key in keys:
            _put(every_frame if frame is None else one_frame, key, class_name, line, name)
    labels = {**every_frame, **one_frame}
    return LabelFile(
        name=name,
        labels={key: labels[key][0] for key in scan.keys if key in labels},
        unmatched=misses["unmatched"],
        outside=misses["outside"],
        ambiguous=misses["ambiguous"],
        blank=blank,
    )


def write_labels(target: Path | TextIO, labels: Mapping[ImageKey, int], classes: Sequence[str]) -> int:
    """Write labels as `file,frame,class`, sorted as given; frames count from 0.

    Tabs stand between the columns of a file that ends in .tsv, commas in any other.

    The frame always stands in the file: without it a row would mean every frame of a stack.

    Args:
        target: A path, replaced at once when all is written, or an open text stream.
        labels: Position in `classes` of each image.
        classes: Names.

    Returns:
        Number of rows.

    Raises:
        DataError: If the file cannot be written.
    """
    text = io.StringIO()
    rows = [(encode_name(key.path), key.frame, classes[index]) for key, index in labels.items()]
    # Before Python 3.13 csv does not quote a lone carriage return, and reads it as the end of the row.
    odd = any("\r" in file or "\r" in class_name for file, _, class_name in rows)
    tabs = isinstance(target, Path) and target.suffix.lower() == ".tsv"
    writer = csv.writer(
        text,
        delimiter="\t" if tabs else ",",
        lineterminator="\n",
        quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL,
    )
    writer.writerow(("file", "frame", "class"))
    writer.writerows(rows)
    if isinstance(target, Path):
        replace_file(target, text.getvalue().encode())
    else:
        target.write(text.getvalue())
    return len(rows)


def _put(
    target: dict[ImageKey, tuple[str, int]], key: ImageKey, class_name: str, line: int, name: str
) -> None:
    known = target.setdefault(key, (class_name, line))
    if known[0] != class_name:
        raise LabelFileError(
            f"{name} gives {printable(key.path)} two classes: {printable(known[0])} in line {known[1]}, "
            f"{printable(class_name)} in line {line}.",
            "Keep one of the two rows.",
        )


def _rows(path: Path) -> Iterator[tuple[int, str, int | None, str]]:
    """Rows as (line number, file, frame, class)."""
    name = printable(path.name)
    text = _text(path)
    delimiter, columns = _header(text, name)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        next(reader)
        for row in reader:
            if any(cell.strip() for cell in row):
                yield (reader.line_num, *_cells(row, columns, reader.line_num, name))
    except csv.Error as error:
        raise LabelFileError(f"{name}, line {reader.line_num}: {error}.", "Mend that line.") from error


def _cells(row: list[str], columns: dict[str, int], line: int, name: str) -> tuple[str, int | None, str]:
    if len(row) <= max(columns.values()):
        raise LabelFileError(
            f"{name}, line {line} has {len(row)} columns, the first line has more.", "Mend that line."
        )
    frame = row[columns["frame"]].strip() if "frame" in columns else ""
    if frame and not (frame.isascii() and frame.isdecimal()):
        raise LabelFileError(
            f"{name}, line {line}: frame {printable(frame)} is not a whole number.", "Frames count from 0."
        )
    return row[columns["file"]], int(frame) if frame else None, row[columns["class"]].strip()


def _text(path: Path) -> str:
    name = printable(path.name)
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise LabelFileError(f"There is no file {printable(path)}.", "Check the path.") from None
    except OSError as error:
        raise LabelFileError(f"{printable(path)} cannot be read: {error.strerror}.") from error
    wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise LabelFileError(f"{name} is not UTF-8 text.", "Save it as CSV UTF-8.") from error


def _header(text: str, name: str) -> tuple[str, dict[str, int]]:
    """The delimiter and the place of each known column."""
    first = ""
    for delimiter in _DELIMITERS:
        try:
            row = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
        except csv.Error:
            continue
        first = first or delimiter.join(row)
        cells = [cell.strip().casefold() for cell in row]
        columns: dict[str, int] = {
            column: cells.index(column) for column in ("file", "frame", "class") if column in cells
        }
        twice = [column for column in columns if cells.count(column) > 1]
        if twice:
            raise LabelFileError(f"{name} has two columns named {twice[0]}.", "Rename one of them.")
        if "file" in columns and "class" in columns:
            return delimiter, columns
    what = f"its first line is {printable(first[:60])!r}" if first.strip() else "it is empty"
    raise LabelFileError(f"{name} has no columns file and class: {what}.", _HEADER_HINT)


class _ImageFinder:
    """Finds the image that a cell of a CSV file names."""

    def __init__(self, scan: Scan, dataset: Path | None) -> None:
        self.frames: dict[str, list[ImageKey]] = defaultdict(list)
        for key in scan.keys:
            self.frames[key.path].append(key)
        self._roots = [] if dataset is None else [str(dataset.absolute()), str(dataset.resolve())]
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._composed: dict[str, list[str]] = defaultdict(list)
        for path in self.frames:
            self._by_name[path.rpartition("/")[2]].append(path)
            self._composed[unicodedata.normalize("NFC", path)].append(path)

    def find(self, cell: str) -> tuple[str | None, Miss]:
        """The path of the image; where there is none, the second value says why."""
        texts = list(dict.fromkeys((decode_name(cell), cell, decode_name(cell.strip()), cell.strip())))
        exact = next((text for text in texts if text in self.frames), None)
        if exact is not None:
            return exact, "unmatched"
        outcomes = [self._look_further(text) for text in texts]
        return next((outcome for outcome in outcomes if outcome[0] is not None), outcomes[0])

    def _look_further(self, text: str) -> tuple[str | None, Miss]:
        candidates = [self._relative(text), self._relative(text.replace("\\", "/"))]  # Windows writes a\\b
        for candidate in candidates:
            if candidate is not None and candidate in self.frames:
                return candidate, "unmatched"
        relative = candidates[0]
        if relative is None:
            return None, "outside"
        # macOS writes é as e and an accent, a table as one character
        paths = self._composed.get(unicodedata.normalize("NFC", relative), [])
        if not paths and "/" not in relative:
            paths = self._by_name.get(relative, [])
        return (paths[0], "unmatched") if len(paths) == 1 else (None, "ambiguous" if paths else "unmatched")

    def _relative(self, text: str) -> str | None:
        """The path below the dataset with . and .. taken out, or None if it leads out of it."""
        if text.startswith("/"):
            flat = os.path.normpath(text)
            for root in self._roots:
                if flat.startswith(root.rstrip("/") + "/"):
                    return flat[len(root.rstrip("/")) + 1 :]
            return None
        flat = os.path.normpath(text)
        return None if flat == ".." or flat.startswith("../") else flat
