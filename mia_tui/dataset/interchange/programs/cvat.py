"""Tags of CVAT, in the XML of "CVAT for images 1.1": a class for each image.

CVAT finds an image by its name in the task, which is the path below the folder that was uploaded or connected.
Source: "CVAT for image", docs.cvat.ai/docs/dataset_management/formats/format-cvat.
"""

import re
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.interchange.image_names import ImageNames
from mia_tui.dataset.interchange.label_rows import LabelRow, LabelRows
from mia_tui.dataset.interchange.programs.reading import read_bytes
from mia_tui.dataset.interchange.programs.rows import (
    ExportRow,
    ExportRows,
    RowsWritten,
    SingleImages,
    as_text,
    plain_name,
)
from mia_tui.dataset.scan.scan import Scan
from mia_tui.errors import LabelFileError
from mia_tui.text import decode_name, printable

_NO_XML = re.compile("[\ufffe\uffff]")  # beside control characters


def write_tags(file: BinaryIO, content: ExportRows) -> RowsWritten:
    """Write a tag for each image; a `RowsWriter`.

    A prediction says in attributes of its tag how probable it is and whether the network is unsure.
    """
    names = [_xml_name(name) for name in content.classes]
    images = SingleImages(content.rows, "CVAT")
    with as_text(file) as text:
        text.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
        text.write(f"  <meta><task><name>{escape(_xml_name(content.dataset))}</name><labels>\n")
        for name in names:
            text.write(
                f"    <label><name>{escape(name)}</name>{_ATTRIBUTES if content.model else _NONE}</label>\n"
            )
        text.write("  </labels></task></meta>\n")
        for row in images:
            tag = _tag(row, names[row.place], with_score=bool(content.model))
            name = quoteattr(_xml_name(row.key.path))
            text.write(f'  <image id="{images.count - 1}" name={name}>{tag}</image>\n')
        text.write("</annotations>\n")
    return images.written()


_NONE = "<attributes></attributes>"
_ATTRIBUTES = (
    "<attributes><attribute><name>probability</name><mutable>False</mutable><input_type>text</input_type>"
    "<default_value></default_value><values></values></attribute><attribute><name>unsure</name><mutable>False</mutable>"
    "<input_type>checkbox</input_type><default_value>false</default_value><values>false</values></attribute>"
    "</attributes>"
)


def _tag(row: ExportRow, name: str, *, with_score: bool) -> str:
    source = "auto" if with_score else "manual"
    if not with_score:
        return f'<tag label={quoteattr(name)} source="{source}"></tag>'
    probability = "" if row.probability is None else f"{min(1.0, row.probability):.6g}"
    unsure = "true" if row.unsure else "false"
    return (
        f'<tag label={quoteattr(name)} source="{source}"><attribute name="probability">{probability}</attribute>'
        f'<attribute name="unsure">{unsure}</attribute></tag>'
    )


def _xml_name(name: str) -> str:
    """As `plain_name`; XML has no room for two more characters."""
    return _NO_XML.sub(
        lambda match: "".join(f"%{byte:02X}" for byte in match.group().encode()), plain_name(name)
    )


def read_tags(path: Path, scan: Scan, *, dataset: Path) -> LabelFile:
    """Read the tags of images; boxes and other shapes are passed over.

    Args:
        path: The file.
        scan: The dataset's images.
        dataset: The dataset's folder.

    Raises:
        LabelFileError: If it cannot be read, is no such XML, or gives an image several classes.
    """
    images = ImageNames(scan, dataset, path)
    reading = LabelRows(printable(path.name), images)
    tags = _TagReader(printable(path.name))
    for line, name, label in tags.read(read_bytes(path)):
        reading.add(LabelRow(line, name, None, decode_name(label)), images.find(name))
    return reading.label_file(scan, ())


class _TagReader:
    """Collects the tags of images: the line, the name of the image, and the label, empty for none."""

    def __init__(self, name: str) -> None:
        self._name, self._tags = name, list[tuple[int, str, str]]()
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._depth = 0
        self._image: tuple[int, str] | None = None
        self._has_tag = False

    def read(self, content: bytes) -> list[tuple[int, str, str]]:
        """All tags of a file.

        Raises:
            LabelFileError: If it is no XML of CVAT.
        """
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as error:
            raise LabelFileError(
                f"{self._name} is not XML: {expat.ErrorString(error.code)} in line {error.lineno}."
            ) from error
        return self._tags

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if self._depth == 0 and tag != "annotations":
            raise LabelFileError(
                f"{self._name} is not from CVAT: it begins with {printable(tag)[:60]}, not with annotations.",
                'Export the task as "CVAT for images 1.1".',
            )
        self._depth += 1
        if tag == "image":
            self._image, self._has_tag = (self._parser.CurrentLineNumber, attributes.get("name", "")), False
        elif tag == "tag" and self._image is not None:
            self._tags.append((*self._image, attributes.get("label", "")))
            self._has_tag = True

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if tag == "image" and self._image is not None:
            if not self._has_tag:
                self._tags.append((*self._image, ""))
            self._image = None

    def _refuse(self, *_: object) -> None:
        """A document type can define entities that fill the memory, and CVAT writes none."""
        raise LabelFileError(f"{self._name} defines a document type, which no file of CVAT does.")
