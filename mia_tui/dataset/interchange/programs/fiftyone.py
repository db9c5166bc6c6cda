"""The labels.json of a FiftyOneImageClassificationDataset: a class for each image, named without its ending.

FiftyOne reads it with the folder of images where they are:

    fiftyone.Dataset.from_dir(
        dataset_type=fiftyone.types.FiftyOneImageClassificationDataset, data_path="cells", labels_path="labels.json"
    )

Source: "FiftyOneImageClassificationDataset", docs.voxel51.com/user_guide/import_datasets.html.
"""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, BinaryIO

import msgspec
from msgspec import Meta

from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.interchange.image_names import ImageNames, NameMatch
from mia_tui.dataset.interchange.label_rows import MOST_PROBABLE, LabelRow, LabelRows
from mia_tui.dataset.interchange.programs.reading import read_json
from mia_tui.dataset.interchange.programs.rows import ExportRows, RowsWritten, SingleImages, plain_name
from mia_tui.dataset.scan.scan import Scan
from mia_tui.errors import DataError, LabelFileError
from mia_tui.text import decode_name, printable


class _Classification(msgspec.Struct):
    label: str = ""
    confidence: Annotated[float, Meta(ge=0.0, le=MOST_PROBABLE)] | None = None


class _Labels(msgspec.Struct):
    labels: dict[str, int | str | _Classification | list[_Classification] | None]
    classes: list[str] | None = None


def write_classifications(file: BinaryIO, content: ExportRows) -> RowsWritten:
    """Write a class for each image, of predictions with its confidence; a `RowsWriter`.

    Raises:
        DataError: If two images have the same name but for its ending: FiftyOne does not tell them apart.
    """
    encoder = msgspec.json.Encoder()
    names = [plain_name(name) for name in content.classes]
    images, known = SingleImages(content.rows, "FiftyOne"), dict[str, str]()
    file.write(b'{"classes":' + encoder.encode(names) + b',"labels":{')
    for row in images:
        name = _without_ending(row.key.path)
        other = known.setdefault(name, row.key.path)
        if other != row.key.path:
            raise DataError(
                f"FiftyOne would take {printable(other)} and {printable(row.key.path)} for one image.",
                "Rename one of them, or export to CSV.",
            )
        said: Any = row.place
        if content.model:
            said = {"label": names[row.place], "attributes": {"unsure": row.unsure}}
            if row.probability is not None:
                said["confidence"] = round(min(1.0, row.probability), 6)
        file.write(b"," if images.count > 1 else b"")
        file.write(b"\n" + encoder.encode(plain_name(name)) + b":" + encoder.encode(said))
    file.write(b"\n}}\n")
    return images.written()


def read_classifications(path: Path, scan: Scan, *, dataset: Path, probabilities: bool = False) -> LabelFile:
    """Read classes, as FiftyOne exports them or as `write_classifications` writes them.

    Args:
        path: The file.
        scan: The dataset's images.
        dataset: The dataset's folder.
        probabilities: Whether to read how probable they are, too.

    Raises:
        LabelFileError: If it cannot be read, holds something else, or gives an image several classes.
    """
    read = read_json(path, _Labels, "classes of FiftyOne")
    images = ImageNames(scan, dataset, path)
    reading = LabelRows(printable(path.name), images, unit="entry")
    stems = _by_stem(images.frames)
    for number, (name, target) in enumerate(read.labels.items(), 1):
        label, confidence = _said(path, name, target, read.classes)
        found = images.find(name)
        if found.path is None:
            paths = stems.get(decode_name(name), [])
            found = (
                NameMatch(paths[0])
                if len(paths) == 1
                else NameMatch(None, miss="ambiguous" if paths else found.miss)
            )
        probability = confidence if probabilities else None
        reading.add(LabelRow(number, name, None, decode_name(label), probability), found)
    return reading.label_file(scan, ())


def _said(
    path: Path,
    name: str,
    target: int | str | _Classification | list[_Classification] | None,
    classes: list[str] | None,
) -> tuple[str, float | None]:
    """The class of an image, empty for none, and its confidence."""
    if isinstance(target, list):
        if len(target) > 1:
            raise LabelFileError(
                f"{printable(path.name)} gives {printable(name)} several classes.", "An image has one class."
            )
        target = target[0] if target else None
    if target is None:
        return "", None
    if isinstance(target, _Classification):
        return target.label, target.confidence
    if isinstance(target, str):
        return target, None
    if classes is None or not 0 <= target < len(classes):
        raise LabelFileError(
            f"{printable(path.name)} gives {printable(name)} the class {target}, which it does not name."
        )
    return classes[target], None


def _by_stem(paths: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        found[_without_ending(path)].append(path)
    return found


def _without_ending(path: str) -> str:
    return str(PurePosixPath(path).with_suffix(""))
