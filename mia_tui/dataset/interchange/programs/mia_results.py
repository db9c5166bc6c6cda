"""The results of MIA: a CSV file with the name, the frame, the class number and the class of each image.

Columns are separated by semicolons, frames count from 1 and classes from 0, as in `saveClasses` of MIA's
ui_ClassResults.py. MIA writes the bare name of a file, so that equal names in different folders cannot be told apart;
here it is the path below the folder of images.
"""

import csv
from pathlib import Path
from typing import BinaryIO

from mia_tui.dataset.interchange.csv_table import CsvTable, open_table
from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.interchange.image_names import ImageNames
from mia_tui.dataset.interchange.label_rows import LabelRow, LabelRows
from mia_tui.dataset.interchange.programs.rows import ExportRows, RowsWritten, as_text
from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.dataset.scan.scan import Scan
from mia_tui.errors import LabelFileError
from mia_tui.text import decode_name, encode_cell, encode_class, encode_name, printable

HEADER = ("image name", "frame number", "class", "classname")


def write_mia_results(file: BinaryIO, content: ExportRows) -> RowsWritten:
    """Write a row for each image; a `RowsWriter`. Images that a network is unsure of have no class."""
    names = [encode_cell(encode_class(name)) for name in content.classes]
    count = 0
    with as_text(file) as text:
        writer = csv.writer(text, delimiter=";", lineterminator="\n")
        writer.writerow(HEADER)
        for row in content.rows:
            frame = 1 if row.key.frame == WHOLE_STACK else row.key.frame + 1
            said = ("", "") if row.unsure else (row.place, names[row.place])
            writer.writerow((encode_cell(encode_name(row.key.path)), frame, *said))
            count += 1
    return RowsWritten(count)


def separator_of_mia(table: CsvTable) -> str | None:
    """The separator of MIA's results; None if the first line of a table is another one."""
    for sign, row in table.headers.items():
        if tuple(cell.strip().casefold() for cell in row.cells) == HEADER:
            return sign
    return None


def read_mia_results(path: Path, scan: Scan, *, dataset: Path) -> LabelFile:
    """Read the results of MIA.

    Args:
        path: The file.
        scan: The dataset's images.
        dataset: The dataset's folder.

    Raises:
        LabelFileError: If it cannot be read, has another first line, or two rows give an image different classes.
    """
    with open_table(path) as table:
        separator = separator_of_mia(table)
        if separator is None:
            raise LabelFileError(
                f"{table.name} is not from MIA: its first line is not {';'.join(HEADER)}.",
                "Leave --format out for other CSV files.",
            )
        return read_mia_rows(table, separator, ImageNames(scan, dataset, path), scan)


def read_mia_rows(table: CsvTable, separator: str, images: ImageNames, scan: Scan) -> LabelFile:
    """Read the rows of an open table of MIA's results; a row of an image that is no stack has frame 1.

    Raises:
        LabelFileError: If a row is malformed, or two give an image different classes.
    """
    reading = LabelRows(table.name, images)
    for row in table.rows(separator):
        if len(row.cells) != len(HEADER):
            raise table.lines.refusal(row.line, f"has {len(row.cells)} columns, not {len(HEADER)}")
        name, frame, _, label = (cell.strip() for cell in row.cells)
        if not frame.isdecimal() or not 1 <= int(frame) < 10**9:
            raise table.lines.refusal(
                row.line, f"has the frame {printable(frame)[:60]}", "MIA counts from 1."
            )
        found = images.find(name)
        is_stack = found.path is not None and len(images.frames[found.path]) > 1
        number = int(frame) - 1 if is_stack else None
        reading.add(LabelRow(row.line, name, number, decode_name(label)), found)
    return reading.label_file(scan, ())
