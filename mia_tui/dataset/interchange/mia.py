"""Reading and writing the label folders of MIA.

Beside the images there is a folder `Classification_labels` with one file for
each image, `<stem>.npz`: its first array is the number 1234554321, its second
the class number from 0 (for two classes MIA's predictions store it as a 1x1
float array), further arrays are outlines of a background region. For an image
with several frames it contains a folder named after the stem with
`<stem>_<frame, three digits, from 0>.npz`, or `<stem>_<frames>u.npz`, one label
for all frames.

The format identifies an image by its stem: `cell.tif` and `cell.png` would
share a label. Reading reports that as ambiguous, writing refuses it.
"""

import os
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np

from mia_tui.arrays import BROKEN, read_array
from mia_tui.dataset.interchange.export_file import FOLDER_MODE, cannot_write, replace_file
from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.other_kinds import LABEL_FOLDER
from mia_tui.dataset.scan.scan import Scan
from mia_tui.dataset.scan.walk import natural_key
from mia_tui.errors import DataError, LabelFileError
from mia_tui.files import add_folder, open_to_read
from mia_tui.paths import is_file, is_folder
from mia_tui.text import counted, name_some, printable

MAGIC = 1234554321

_MOST_CLASSES = 10_000  # a larger number means a damaged file; a class is created for each number below it
_LARGEST_NUMBER = 1 << 20  # bytes: the first two arrays contain one number each
_LARGEST_OUTLINE = 1 << 26


def read_mia(dataset: Path, scan: Scan, class_names: Sequence[str] | None = None) -> LabelFile:
    """Read MIA's label folders, one beside the images in each folder of the dataset.

    A file for one frame overrides one for the whole stack.

    Args:
        dataset: Folder of images.
        scan: Its images.
        class_names: Names of MIA's numbers, from 0. Without them classes are called `class 0`, `class 1`.

    Raises:
        LabelFileError: If there is no label folder, or a number has no name.
    """
    reading = _MiaReading()
    folders = by_folder_and_stem(scan)
    label_folders = [folder for folder in folders if (dataset / folder / LABEL_FOLDER).is_dir()]
    if not label_folders:
        raise LabelFileError(
            f"There is no folder {LABEL_FOLDER} beside the images of {printable(dataset)}.",
            "Name the folder with the images that were labelled with MIA.",
        )
    for folder in label_folders:
        _read_folder(dataset, folder, folders[folder], reading)
    numbers = reading.numbers()
    names = _class_names(numbers.values(), class_names)
    labels = {key: names[numbers[key]] for key in scan.keys if key in numbers}
    return LabelFile(
        name=f"MIA's {LABEL_FOLDER}",
        labels=labels,
        classes=tuple(names),
        unmatched=reading.unmatched,
        ambiguous=reading.ambiguous,
        unreadable=reading.unreadable,
        left_out=reading.outlines,
        notes=_notes(reading, names, class_names),
    )


@dataclass
class _MiaReading:
    """What was read so far; labels of whole stacks are separate, since those of frames override them."""

    stacks: dict[ImageKey, int] = field(default_factory=dict)
    frames: dict[ImageKey, int] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)
    ambiguous: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    outlines: int = 0
    other_length: list[str] = field(default_factory=list)

    def numbers(self) -> dict[ImageKey, int]:
        return {**self.stacks, **self.frames}


def _read_folder(
    dataset: Path, folder: str, stems: Mapping[str, list[list[ImageKey]]], reading: _MiaReading
) -> None:
    """Read the label folder beside the images of one folder."""
    root = dataset / folder / LABEL_FOLDER
    for path in _npz_files(root, reading):
        relative = path.relative_to(dataset).as_posix()
        images, frame, length = _image_of(path, root, stems)
        if len(images) != 1:
            (reading.ambiguous if images else reading.unmatched).append(relative)
            continue
        keys = [key for key in images[0] if frame is None or key.frame == frame]
        if not keys:
            reading.unmatched.append(relative)
            continue
        try:
            number, outlines = read_number(path)
        except LabelFileError as error:
            reading.unreadable.append(f"{relative} ({error.message})")
            continue
        if length is not None and length != len(images[0]):
            reading.other_length.append(relative)
        reading.outlines += outlines
        (reading.stacks if frame is None else reading.frames).update((key, number) for key in keys)


def read_number(path: Path) -> tuple[int, int]:
    """The class number in a label file, and how many outlines follow it.

    Raises:
        LabelFileError: If the file is not a label file of MIA; the message is only the reason.
    """
    try:
        with open_to_read(path, follow=True) as file, zipfile.ZipFile(file) as archive:
            names = [info.filename for info in archive.infolist()]
            magic, number = (_number(archive, name) for name in names[:2])
    except BROKEN as error:
        raise LabelFileError("cannot be read as a label file") from error
    if magic != MAGIC:
        raise LabelFileError("does not start with MIA's number")
    if not 0 <= number <= _MOST_CLASSES or number != int(number):
        raise LabelFileError(f"its class is {number:g}, not a number from 0 to {_MOST_CLASSES:,}")
    return int(number), len(names) - 2


def _number(archive: zipfile.ZipFile, name: str) -> float:
    """The single number in an array of the archive.

    Raises:
        ValueError: If it contains none, several, or something else.
    """
    array = read_array(archive, name, _LARGEST_NUMBER)
    if array.size != 1 or array.dtype.kind not in "iufb":
        raise ValueError("not one number")
    value = float(array.reshape(-1)[0])
    if not np.isfinite(value):
        raise ValueError("not finite")
    return value


def outlines(path: Path) -> list[np.ndarray]:
    """The arrays after the class number in a label file.

    Raises:
        One of `BROKEN`.
    """
    with open_to_read(path, follow=True) as file, zipfile.ZipFile(file) as archive:
        return [read_array(archive, info.filename, _LARGEST_OUTLINE) for info in archive.infolist()[2:]]


def _npz_files(root: Path, reading: _MiaReading) -> Iterator[Path]:
    """Label files in a folder and in its folders for stacks, in natural order."""
    for entry in _entries(root, reading):
        if is_folder(entry):
            yield from (Path(inner.path) for inner in _entries(Path(entry.path), reading) if _is_npz(inner))
        elif _is_npz(entry):
            yield Path(entry.path)


def _entries(folder: Path, reading: _MiaReading) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: natural_key(entry.name))
    except OSError as error:
        reading.unreadable.append(f"{folder.name} ({error.strerror})")
        return []


def _is_npz(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(".npz") and is_file(entry)


def _image_of(
    path: Path, root: Path, stems: Mapping[str, list[list[ImageKey]]]
) -> tuple[list[list[ImageKey]], int | None, int | None]:
    """The images that a label file may mean (each as its frames), its frame, and the stack length in its name."""
    name = path.name.removesuffix(".npz")
    if path.parent == root:
        return stems.get(name, []), None, None
    stem = path.parent.name
    match = re.fullmatch(r"_([0-9]+)(u?)", name.removeprefix(stem)) if name.startswith(stem) else None
    if match is None:
        return [], None, None
    number = int(match[1])
    return (stems.get(stem, []), None, number) if match[2] else (stems.get(stem, []), number, None)


def frames_of(scan: Scan) -> dict[str, list[ImageKey]]:
    frames: dict[str, list[ImageKey]] = defaultdict(list)
    for key in scan.keys:
        frames[key.path].append(key)
    return frames


def by_folder_and_stem(scan: Scan) -> dict[str, dict[str, list[list[ImageKey]]]]:
    """For each folder and each stem in it the images with that stem, each as its frames."""
    folders: dict[str, dict[str, list[list[ImageKey]]]] = defaultdict(lambda: defaultdict(list))
    for path, frames in frames_of(scan).items():
        folder, _, name = path.rpartition("/")
        folders[folder][PurePosixPath(name).stem].append(frames)
    return folders


def _class_names(numbers: Iterable[int], class_names: Sequence[str] | None) -> list[str]:
    """The class name of each number, from 0."""
    highest = max(numbers, default=-1)
    if class_names is None:
        return [f"class {number}" for number in range(highest + 1)]
    if highest >= len(class_names):
        raise LabelFileError(
            f"MIA's labels go up to number {highest}, but --classes has only {counted(len(class_names), 'name')}: "
            f"{name_some(class_names)}.",
            f"Name {highest + 1} classes; the first is number 0.",
        )
    return list(class_names)


def _notes(reading: _MiaReading, names: Sequence[str], class_names: Sequence[str] | None) -> tuple[str, ...]:
    notes = []
    if class_names is None and names:
        notes.append("MIA stores only numbers; pass --classes NAME,NAME to name them, the first is number 0.")
    if reading.other_length:
        notes.append(
            f"{counted(len(reading.other_length), 'label file')} for a whole stack of a different length, used "
            f"anyway: {name_some(reading.other_length)}."
        )
    return tuple(notes)


@dataclass(frozen=True)
class MiaExport:
    """What `write_mia` did.

    Attributes:
        files: Number of label files written.
        numbers: MIA's number of each class.
        notes: Sentences about what MIA cannot read.
    """

    files: int
    numbers: dict[str, int]
    notes: tuple[str, ...]


def write_mia(
    dataset: Path,
    scan: Scan,
    labels: Mapping[ImageKey, int],
    classes: Sequence[str],
    *,
    out: Path | None = None,
    overwrite: bool = False,
) -> MiaExport:
    """Write MIA's label folders; outlines in existing files are kept.

    Args:
        dataset: Folder of images.
        scan: Its images.
        labels: Position in `classes`, used as MIA's number, of each image.
        classes: Names.
        out: Folder to write to, with the folders of the dataset in it; None for the dataset itself.
        overwrite: Whether existing label files may be replaced.

    Raises:
        DataError: If two images would share a label file, label files exist already, or writing fails.
    """
    folders = by_folder_and_stem(scan)
    _refuse_shared_stems(folders, labels)
    stacks = {path for path, frames in frames_of(scan).items() if len(frames) > 1}
    root = dataset if out is None else out
    targets = {key: root / _label_path(key, key.path in stacks) for key in labels}
    existing = [target.relative_to(root) for target in targets.values() if target.exists()]
    if existing and not overwrite:
        raise DataError(
            f"{counted(len(existing), 'label file')} of MIA would be replaced: {name_some(existing)}.",
            "Pass --overwrite, or name another folder to write to.",
        )
    for key, target in targets.items():
        _write_number(target, labels[key], (dataset / key.path).parent if out is None else out)
    late = sum(key.frame > 999 for key in labels)
    notes = (f"{counted(late, 'frame')} after 999: MIA reads only the last three digits.",) if late else ()
    return MiaExport(len(targets), {name: number for number, name in enumerate(classes)}, notes)


def _refuse_shared_stems(
    folders: Mapping[str, Mapping[str, list[list[ImageKey]]]], labels: Mapping[ImageKey, int]
) -> None:
    for stems in folders.values():
        for images in stems.values():
            if len(images) > 1 and any(key in labels for frames in images for key in frames):
                names = " and ".join(printable(frames[0].path) for frames in images)
                raise DataError(
                    f"{names} would share one label file in MIA's format.",
                    "Rename one of them, or export to CSV.",
                )


def _label_path(key: ImageKey, in_stack: bool) -> Path:
    folder, _, name = key.path.rpartition("/")
    stem = PurePosixPath(name).stem
    inside = f"{stem}/{stem}_{key.frame:03d}.npz" if in_stack else f"{stem}.npz"
    return Path(folder, LABEL_FOLDER, inside)


def _write_number(path: Path, number: int, root: Path) -> None:
    """Write a label file; the user's own folders may be links, those below `root` may not."""
    arrays = [np.array(MAGIC), np.array(number), *_outlines(path)]
    content = BytesIO()
    np.savez(content, *arrays)
    try:
        add_folder(path.parent, root=root, parents=True, mode=FOLDER_MODE)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    replace_file(path, content.getvalue(), root=root, sync=False)


def _outlines(path: Path) -> list[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """The outlines in an existing label file."""
    if not path.exists():
        return []
    try:
        return outlines(path)
    except BROKEN:
        return []  # broken: none can be kept
