"""Reading and writing labels as CSV: `file,class`, optionally `frame`.

File names are in the form of `text.encode_name`: bytes that are not UTF-8 as
%XX, % as %25. Characters that could control a terminal or a spreadsheet are
written in the same way, also in class names (`text.encode_cell`). A file
written by hand need not do this: a name that is an image's is found as it is.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TextIO

from mia_tui.dataset.interchange.csv_table import CsvRow, CsvTable, open_table
from mia_tui.dataset.interchange.export_file import replace_file
from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.interchange.image_names import ImageNames
from mia_tui.dataset.interchange.label_rows import MOST_PROBABLE, LabelRow, LabelRows
from mia_tui.dataset.interchange.programs.mia_results import read_mia_rows, separator_of_mia
from mia_tui.dataset.model import WHOLE_STACK, ImageKey
from mia_tui.dataset.scan.scan import Scan
from mia_tui.errors import LabelFileError
from mia_tui.text import counted, decode_name, encode_cell, encode_class, encode_name, name_some, printable

Column = Literal["file", "class", "frame", "probability"]
ColumnNames = tuple[tuple[str, ...], tuple[str, ...]]
Headers = dict[Column, ColumnNames]

HEADERS: Headers = {
    "file": (
        ("file", "filename", "filepath", "path", "image", "imagename", "imagefile", "imagepath", "imagefilename",
         "img", "imgname", "imgfile", "imgpath", "fname", "files", "filenames", "filepaths", "paths", "images",
         "relativepath"),
        ("name", "imageid", "fileid", "id"),
    ),
    "class": (
        ("class", "classname", "classlabel", "label", "labels", "labelname", "category", "categoryname",
         "classes"),
        ("target", "groundtruth", "truth", "annotation", "tag", "y", "choice", "truelabel", "classid", "labelid"),
    ),
    "frame": (("frame", "frameindex", "framenumber", "frameno"), ()),
}  # fmt: skip
"""What the columns may be called, in lower case without spaces, dots, hyphens and underscores. If several columns
have such a name, the first name of the list has priority; names of the second list are used if there is none of the
first."""

PREDICTION_HEADERS: Headers = HEADERS | {
    "probability": (("probability", "prob", "confidence", "score"), ()),
}
"""The same of a file of predictions."""

_HEADER_HINT = (
    "Write a first line with the columns file and class (frame is optional): file,class. "
    "`mia-tui labels import --help` lists the other names they may have."
)
_NO_VALUE = frozenset({"nan", "<na>"})  # what pandas writes for an empty cell after a conversion to text
_EVERY_FRAME = _NO_VALUE | {"", "na", "n/a", "none", "null"}
# 3.0: pandas makes a column with empty cells one of floats
_FRAME = re.compile(r"([0-9]{1,9}(?:\.[0-9]*)?(?:e\+?[0-9]{1,2})?)(,0)?", re.IGNORECASE)
_MOST_FRAMES = 10**9


def read_labels(
    path: Path, scan: Scan, *, dataset: Path | None = None, probabilities: bool = False
) -> LabelFile:
    """Read a CSV file of labels.

    The first line names the columns (`HEADERS`), in any order; other columns are ignored. Cells are separated by
    comma, semicolon, tab or bar, or as a line `sep=` before the header says; the text is UTF-8 (with or without byte
    order mark) or UTF-16. A row without `frame` is for every frame; a row with it overrides that. For the names of
    images see `ImageNames`. The results of MIA are read by its own rules, since its frames count from 1.

    Args:
        path: The CSV file.
        scan: The dataset's images.
        dataset: The dataset's folder; if given, absolute paths below it are understood.
        probabilities: Whether to read the probability of each class, too, if there is such a column.

    Raises:
        LabelFileError: If the file cannot be read, has no such header, a row is malformed, or two rows give the
            same image different classes.
    """
    images = ImageNames(scan, dataset, path)
    with open_table(path) as table:
        separator = separator_of_mia(table)
        if separator is not None:
            return read_mia_rows(table, separator, images, scan)
        delimiter, columns, notes = _columns(table, PREDICTION_HEADERS if probabilities else HEADERS)
        reading = LabelRows(table.name, images)
        long_cells: list[int] = []
        for row in table.rows(delimiter):
            long_cells += [line for place, line in row.opened.items() if delimiter in row.cells[place]]
            label = _label(row, columns, len(table.headers[delimiter].cells), table)
            found = images.find(label.name)
            if found.path is None and label.class_name and columns["file"] in row.opened:
                raise table.lines.refusal(
                    row.opened[columns["file"]],
                    "opens a quote around a name of several lines, which no image has",
                    "Is it closed where it should be?",
                )
            reading.add(label, found)
    if long_cells:
        what = "A cell spans" if len(long_cells) == 1 else f"{len(long_cells):,} cells span"
        notes.append(
            f"{what} several lines with separators in them, starting in line {name_some(long_cells)}: rows inside "
            "it were not read. Is the quote closed where it should be?"
        )
    return reading.label_file(scan, notes)


def write_labels(target: Path | TextIO, labels: Mapping[ImageKey, int], classes: Sequence[str]) -> int:
    """Write labels as `file,frame,class`, in the given order; frames count from 0.

    Columns are separated by tabs in a file that ends in .tsv, by commas in any other. The frame is always written,
    unless it is a whole stack: without it a row means every frame.

    Args:
        target: A path, replaced once everything is written, or an open text stream.
        labels: Position in `classes` of each image.
        classes: Names.

    Returns:
        Number of rows.

    Raises:
        DataError: If the file cannot be written.
    """
    text = io.StringIO()
    names = [_class_cell(name) for name in classes]
    rows = [
        (encode_cell(encode_name(key.path)), "" if key.frame == WHOLE_STACK else key.frame, names[index])
        for key, index in labels.items()
    ]
    tabs = isinstance(target, Path) and target.suffix.lower() == ".tsv"
    writer = csv.writer(text, delimiter="\t" if tabs else ",", lineterminator="\n")
    writer.writerow(("file", "frame", "class"))
    writer.writerows(rows)
    if isinstance(target, Path):
        replace_file(target, text.getvalue().encode())
    else:
        target.write(text.getvalue())
    return len(rows)


def _columns(table: CsvTable, headers: Headers) -> tuple[str, dict[Column, int], list[str]]:
    """The delimiter, the position of each column, and sentences about columns that might have been meant.

    Raises:
        LabelFileError: If a column is missing or ambiguous.
    """
    missing = "columns file and class"
    for delimiter, row in table.headers.items():
        names = [_plain(cell) for cell in row.cells]
        places: dict[Column, int] = {}
        notes = []
        for column in headers:
            candidates = [
                place for place, name in enumerate(names) if _rank(headers[column], name) is not None
            ]
            if candidates:
                places[column] = _chosen(column, headers[column], candidates, row, table.name)
                notes += _not_read(column, places[column], candidates, row)
        if "file" in places and "class" in places:
            return delimiter, places, notes
        if "file" in places or "class" in places:
            missing = "column class" if "file" in places else "column file"
    cells = next(iter(table.headers.values())).cells
    first = next(iter(table.headers)).join(cells)
    what = f"its first line is {printable(first[:60])!r}" if first.strip() else "it is empty"
    raise LabelFileError(f"{table.name} has no {missing}: {what}.", _HEADER_HINT)


def _plain(cell: str) -> str:
    return re.sub(r"[\s_.-]+", "", cell).casefold()


def _rank(column_names: ColumnNames, name: str) -> int | None:
    """0 for the column's own name, 1 for its usual other names, 2 for unlikely ones, None for any other name."""
    usual, seldom = column_names
    if name == usual[0]:
        return 0
    return 1 if name in usual else 2 if name in seldom else None


def _chosen(
    column: Column, column_names: ColumnNames, candidates: Sequence[int], row: CsvRow, file: str
) -> int:
    """The position of a column among those with a matching name.

    Raises:
        LabelFileError: If several match equally well.
    """
    ranks = {place: _rank(column_names, _plain(row.cells[place])) or 0 for place in candidates}
    best = [place for place in candidates if ranks[place] == min(ranks.values())]
    if len(best) > 1:
        names = [row.cells[place].strip() for place in best]
        same = len({_plain(name) for name in names}) == 1
        what = f"named {printable(names[0])}" if same else f"that may be the {column}: {name_some(names)}"
        raise LabelFileError(
            f"{file} has two columns {what}."
            if len(best) == 2
            else f"{file} has {len(best)} columns {what}.",
            f"Rename the one that is meant to {column}, and the others to something else.",
        )
    return best[0]


def _not_read(column: Column, chosen: int, candidates: Sequence[int], row: CsvRow) -> list[str]:
    names = [row.cells[place].strip() for place in candidates if place != chosen]
    if not names:
        return []
    others = f"{name_some(names)} {'is' if len(names) == 1 else 'are'} not read"
    return [f"The {column} is taken from the column {printable(row.cells[chosen].strip())}; {others}."]


def _label(row: CsvRow, columns: Mapping[Column, int], width: int, table: CsvTable) -> LabelRow:
    """The content of a row; refuses one with fewer or more cells than the first line."""
    too_short = len(row.cells) <= max(columns["file"], columns["class"])
    if too_short or any(cell.strip() for cell in row.cells[width:]):
        raise table.lines.refusal(
            row.line,
            f"has {counted(len(row.cells), 'column')}, the first line has {width}",
            "Correct that line." if too_short else "A name that contains the separator must be in quotes.",
        )
    return LabelRow(
        row.line,
        row.cells[columns["file"]],
        _frame(row, columns, table),
        _class(row, columns["class"], table),
        _probability(row, columns, table),
    )


def _frame(row: CsvRow, columns: Mapping[Column, int], table: CsvTable) -> int | None:
    place = columns.get("frame")
    text = row.cells[place].strip() if place is not None and place < len(row.cells) else ""
    if text.casefold() in _EVERY_FRAME:
        return None
    number = _FRAME.fullmatch(text)
    value = -1.0 if number is None else float(number.group(1))
    if not 0 <= value < _MOST_FRAMES or not value.is_integer():
        raise table.lines.refusal(
            row.line,
            f"has the frame {printable(text)[:60]}, which is not a whole number",
            "Frames count from 0.",
        )
    return int(value)


def _probability(row: CsvRow, columns: Mapping[Column, int], table: CsvTable) -> float | None:
    place = columns.get("probability")
    text = row.cells[place].strip() if place is not None and place < len(row.cells) else ""
    if text.casefold() in _NO_VALUE | {""}:
        return None
    try:
        value = float(text.replace(",", "."))  # as a spreadsheet writes it in half of Europe
    except ValueError:
        value = -1.0
    if not 0 <= value <= MOST_PROBABLE:
        raise table.lines.refusal(
            row.line, f"has the probability {printable(text)[:60]}, which is not a number from 0 to 1"
        )
    return value


def _class(row: CsvRow, place: int, table: CsvTable) -> str:
    text = row.cells[place].strip()
    if place in row.opened:
        raise table.lines.refusal(
            row.opened[place],
            "opens a quote around a class of several lines",
            "Is it closed where it should be? A class is one line.",
        )
    if place in row.stray:
        raise table.lines.refusal(
            row.line,
            f"has a quote in the middle of the class {printable(text)}",
            'A name with quotes in it must be in quotes itself, and its own are doubled: "a ""b"" c".',
        )
    return "" if text.casefold() in _NO_VALUE else decode_name(text)


def _class_cell(name: str) -> str:
    """A class name as it must be written to be read correctly: a class called nan is not an empty cell."""
    text = encode_cell(encode_class(name))
    return f"%{ord(text[0]):02X}{text[1:]}" if text.casefold() in _NO_VALUE else text
