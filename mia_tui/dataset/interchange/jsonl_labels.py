"""Reading labels and predictions as JSON, one object a line: file, class, optionally frame and probability."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.interchange.image_names import ImageNames
from mia_tui.dataset.interchange.label_rows import MOST_PROBABLE, LabelRow, LabelRows
from mia_tui.dataset.scan.scan import Scan
from mia_tui.decoding import BadRecord, Frame, JsonReader, Text
from mia_tui.errors import LabelFileError
from mia_tui.files import open_to_read
from mia_tui.text import decode_name, printable

_LONGEST_LINE_BYTES = 1 << 24  # probabilities of 100,000 classes


class _Label(msgspec.Struct, frozen=True, rename={"class_name": "class"}):
    file: Text
    class_name: Text | None = None
    frame: Frame | None = None


class _Prediction(_Label, frozen=True, rename={"class_name": "class"}):
    probability: Annotated[float, Meta(ge=0.0, le=MOST_PROBABLE)] | None = None


def read_jsonl(path: Path, scan: Scan, *, dataset: Path, probabilities: bool = False) -> LabelFile:
    """Read labels; names and frames are as in CSV files, other fields are ignored.

    Args:
        path: The file.
        scan: The dataset's images.
        dataset: The dataset's folder.
        probabilities: Whether to read the probability of each class, too.

    Raises:
        LabelFileError: If the file cannot be read, a line is no such object, or two lines give the same image
            different classes.
    """
    images = ImageNames(scan, dataset, path)
    reading = LabelRows(printable(path.name), images)
    decoder: JsonReader[_Label] = JsonReader(_Prediction if probabilities else _Label)
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = decoder.decode(line)
        except BadRecord as error:
            raise LabelFileError(
                f"{reading.file}, line {number} is not a JSON object with file and class: {printable(error)}.",
                "Correct that line.",
            ) from error
        probability = row.probability if isinstance(row, _Prediction) else None
        label = LabelRow(number, row.file, row.frame, decode_name(row.class_name or ""), probability)
        reading.add(label, images.find(label.name))
    return reading.label_file(scan, ())


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with open_to_read(path, follow=True) as file:
            while line := file.readline(_LONGEST_LINE_BYTES):
                yield line
    except FileNotFoundError:
        raise LabelFileError(f"There is no file {printable(path)}.", "Check the path.") from None
    except OSError as error:
        raise LabelFileError(f"{printable(path)} cannot be read: {error.strerror}.") from error
