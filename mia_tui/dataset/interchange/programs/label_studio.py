"""Tasks of Label Studio in JSON, with labels as annotations, or with what a network says as predictions.

The image of a task is a file of Label Studio's local storage, by its path below the folder that holds the dataset:
`/data/local-files/?d=cells/a.png` with LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT at the folder above `cells`. The
project needs a labelling interface with an Image `image` of `$image` and Choices `class` to it, as on the page
`labels` of the manual. Source: "Import pre-annotated data" and "Export annotations", labelstud.io/guide.
"""

import re
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from urllib.parse import parse_qs, quote, unquote, urlsplit

import msgspec
from msgspec import Meta

from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.interchange.image_names import ImageNames
from mia_tui.dataset.interchange.label_rows import MOST_PROBABLE, LabelRow, LabelRows
from mia_tui.dataset.interchange.programs.reading import read_json
from mia_tui.dataset.interchange.programs.rows import (
    ExportRow,
    ExportRows,
    RowsWritten,
    SingleImages,
    plain_name,
)
from mia_tui.dataset.scan.scan import Scan
from mia_tui.errors import LabelFileError
from mia_tui.text import decode_name, printable

_LOCAL = "/data/local-files/"
_UPLOADED = re.compile(r"/data/upload/\d+/(?:[0-9a-f]{8}-)?(.+)")  # what it puts before the name of a file
_NAMES = ("file", "image", "img", "image_url", "url")


class _Result(msgspec.Struct):
    type: str = ""
    value: dict[str, Any] = {}


class _Said(msgspec.Struct):
    result: list[_Result] = []
    was_cancelled: bool | None = None
    score: Annotated[float, Meta(ge=0.0, le=MOST_PROBABLE)] | None = None


class _Task(msgspec.Struct):
    data: dict[str, Any]
    annotations: list[_Said] = []
    predictions: list[_Said] = []


def write_tasks(file: BinaryIO, content: ExportRows) -> RowsWritten:
    """Write a task for each image; a `RowsWriter`."""
    encoder = msgspec.json.Encoder()
    names = [plain_name(name) for name in content.classes]
    images = SingleImages(content.rows, "Label Studio")
    file.write(b"[")
    for row in images:
        file.write(b",\n" if images.count > 1 else b"\n")
        file.write(encoder.encode(_task(row, content, names)))
    file.write(b"\n]\n")
    return images.written()


def _task(row: ExportRow, content: ExportRows, names: list[str]) -> dict[str, Any]:
    path = f"{content.dataset}/{row.key.path}"
    data: dict[str, Any] = {
        "image": f"{_LOCAL}?d={quote(path, errors='surrogateescape')}",
        "file": plain_name(row.key.path),
    }
    choice = {
        "from_name": "class",
        "to_name": "image",
        "type": "choices",
        "value": {"choices": [names[row.place]]},
    }
    if not content.model:
        return {"data": data, "annotations": [{"result": [choice]}]}
    said: dict[str, Any] = {"model_version": plain_name(content.model), "result": [choice]}
    if row.probability is not None:
        said["score"] = round(min(1.0, row.probability), 6)
    return {"data": {**data, "unsure": row.unsure}, "predictions": [said]}


def read_tasks(path: Path, scan: Scan, *, dataset: Path, probabilities: bool = False) -> LabelFile:
    """Read tasks, as Label Studio exports them (JSON) or as `write_tasks` writes them.

    The last annotation of a task counts, unless it was cancelled.

    Args:
        path: The file.
        scan: The dataset's images.
        dataset: The dataset's folder.
        probabilities: Whether predictions are read, where there is no annotation, and how probable they are.

    Raises:
        LabelFileError: If it cannot be read, is no list of tasks, or gives an image several classes.
    """
    tasks = read_json(path, list[_Task], "tasks of Label Studio")
    images = ImageNames(scan, dataset, path)
    reading = LabelRows(printable(path.name), images, unit="task")
    for number, task in enumerate(tasks, 1):
        name = _image_of(task.data)
        said = next((each for each in reversed(task.annotations) if not each.was_cancelled), None)
        if said is None and probabilities:
            said = next(iter(task.predictions), None)
        choices = [] if said is None else _choices(said)
        if len(choices) > 1:
            raise LabelFileError(
                f"{printable(path.name)} gives {printable(name)} several classes: {printable(', '.join(choices))}.",
                "An image has one class; choose one of them in Label Studio.",
            )
        score = said.score if probabilities and said is not None else None
        label = LabelRow(number, name, None, decode_name(choices[0]) if choices else "", score)
        reading.add(label, images.find(name))
    return reading.label_file(scan, ())


def _choices(said: _Said) -> list[str]:
    """The classes that were chosen."""
    found: list[str] = []
    for result in said.result:
        values = result.value.get("choices")
        if result.type == "choices" and isinstance(values, list):
            found += [value for value in values if isinstance(value, str)]
    return list(dict.fromkeys(found))


def _image_of(data: dict[str, Any]) -> str:
    """The name of a task's image; empty if it has none."""
    texts = {name: value for name, value in data.items() if isinstance(value, str)}
    value = next((texts[name] for name in _NAMES if name in texts), next(iter(texts.values()), ""))
    if "file" in texts:
        return value
    if value.startswith(_LOCAL):
        return parse_qs(urlsplit(value).query).get("d", [""])[0]
    uploaded = _UPLOADED.fullmatch(value)
    return unquote(uploaded[1]) if uploaded else unquote(value)
