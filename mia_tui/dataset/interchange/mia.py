"""Label folders of MIA, in and out.

Beside the images lies a folder `Classification_labels` with one file for each
image, `<stem>.npz`: its first array is the number 1234554321, its second the
class number from 0 (for two classes MIA's predictions store it as a 1x1 float
array), further arrays are outlines of a background region. For an image of
several frames it holds a folder of the stem's name with
`<stem>_<frame, three digits, from 0>.npz`, or `<stem>_<frames>u.npz`, one label
for all frames.

The format knows an image by its stem: `cell.tif` and `cell.png` would share a
label. Reading calls that ambiguous, writing refuses it.
"""

import math
import os
import re
import struct
import tokenize
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np

from mia_tui.dataset.interchange.labelfile import LabelFile
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.other_kinds import LABEL_FOLDER
from mia_tui.dataset.scan.scanner import Scan, natural_key
from mia_tui.errors import LabelFileError
from mia_tui.files import open_to_read
from mia_tui.paths import is_file, is_folder
from mia_tui.text import counted, name_some, printable

MAGIC = 1234554321

_MOST_CLASSES = 10_000  # a number beyond is a damaged file; a class is made for each number below it
_LARGEST_NUMBER = 1 << 20  # bytes: the first two arrays hold one number each, more is no label
_LARGEST_OUTLINE = 1 << 26
# Of an archive, of its members, and of the line of Python that describes an array.
BROKEN = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    SyntaxError,
    MemoryError,
    RuntimeError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_mia(dataset: Path, scan: Scan, class_names: Sequence[str] | None = None) -> LabelFile:
    """Read MIA's label folders, one beside the images of each folder of the dataset.

    A file for one frame wins over one for the whole stack.

    Args:
        dataset: Folder of images.
        scan: Its images.
        class_names: Names of MIA's numbers, from 0. Without them classes are called `class 0`, `class 1`.

    Raises:
        LabelFileError: If there is no label folder, or a number has no name.
    """
    found = _Found()
    folders = by_folder_and_stem(scan)
    label_folders = [folder for folder in folders if (dataset / folder / LABEL_FOLDER).is_dir()]
    if not label_folders:
        raise LabelFileError(
            f"No folder {LABEL_FOLDER} lies beside the images of {printable(dataset)}.",
            "Name the folder that holds the images labelled with MIA.",
        )
    for folder in label_folders:
        _read_folder(dataset, folder, folders[folder], found)
    numbers = found.numbers()
    names = _class_names(numbers.values(), class_names)
    labels = {key: names[numbers[key]] for key in scan.keys if key in numbers}
    return LabelFile(
        name=f"MIA's {LABEL_FOLDER}",
        labels=labels,
        classes=tuple(names),
        unmatched=found.unmatched,
        ambiguous=found.ambiguous,
        unreadable=found.unreadable,
        left_out=found.outlines,
        notes=_notes(found, names, class_names),
    )


@dataclass
class _Found:
    """What was read so far; labels of whole stacks apart, since those of frames win."""

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
    dataset: Path, folder: str, stems: Mapping[str, list[list[ImageKey]]], found: _Found
) -> None:
    """Read the label folder beside the images of one folder."""
    root = dataset / folder / LABEL_FOLDER
    for path in _npz_files(root, found):
        relative = path.relative_to(dataset).as_posix()
        images, frame, length = _image_of(path, root, stems)
        if len(images) != 1:
            (found.ambiguous if images else found.unmatched).append(relative)
            continue
        keys = [key for key in images[0] if frame is None or key.frame == frame]
        if not keys:
            found.unmatched.append(relative)
            continue
        try:
            number, outlines = read_number(path)
        except LabelFileError as error:
            found.unreadable.append(f"{relative} ({error.message})")
            continue
        if length is not None and length != len(images[0]):
            found.other_length.append(relative)
        found.outlines += outlines
        (found.stacks if frame is None else found.frames).update((key, number) for key in keys)


def read_number(path: Path) -> tuple[int, int]:
    """The class number in one label file, and how many outlines follow it.

    Raises:
        LabelFileError: If the file is not a label file of MIA; the message is the reason only.
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
    """The one number an array of the archive holds.

    Raises:
        ValueError: If it holds more, or none, or not a number.
    """
    array = _array(archive, name, _LARGEST_NUMBER)
    if array.size != 1 or array.dtype.kind not in "iufb":
        raise ValueError("not one number")
    value = float(array.reshape(-1)[0])
    if not np.isfinite(value):
        raise ValueError("not finite")
    return value


def outlines(path: Path) -> list[np.ndarray]:
    """The arrays behind the class number of a label file.

    Raises:
        One of `BROKEN`.
    """
    with open_to_read(path, follow=True) as file, zipfile.ZipFile(file) as archive:
        return [_array(archive, info.filename, _LARGEST_OUTLINE) for info in archive.infolist()[2:]]


def _array(archive: zipfile.ZipFile, name: str, most_bytes: int) -> np.ndarray:
    """An array of an archive.

    Raises:
        ValueError: If it is larger, or its heading declares more than there is: numpy makes room first, then reads.
    """
    if archive.getinfo(name).file_size > most_bytes:
        raise ValueError("too large")
    content = BytesIO(archive.read(name))
    version = np.lib.format.read_magic(content)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(content)
    if math.prod(shape) * dtype.itemsize != len(content.getbuffer()) - content.tell():
        raise ValueError("not as large as it says")
    content.seek(0)
    return np.asarray(np.load(content, allow_pickle=False))


def _npz_files(root: Path, found: _Found) -> Iterator[Path]:
    """Label files of a folder and of the folders of stacks in it, in natural order."""
    for entry in _entries(root, found):
        if is_folder(entry):
            yield from (Path(inner.path) for inner in _entries(Path(entry.path), found) if _is_npz(inner))
        elif _is_npz(entry):
            yield Path(entry.path)


def _entries(folder: Path, found: _Found) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: natural_key(entry.name))
    except OSError as error:
        found.unreadable.append(f"{folder.name} ({error.strerror})")
        return []


def _is_npz(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(".npz") and is_file(entry)


def _image_of(
    path: Path, root: Path, stems: Mapping[str, list[list[ImageKey]]]
) -> tuple[list[list[ImageKey]], int | None, int | None]:
    """The images a label file fits (each as its frames), its frame, and the stack's length by its name."""
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
    """For each folder, for each stem in it, the images of that stem, each as its frames."""
    folders: dict[str, dict[str, list[list[ImageKey]]]] = defaultdict(lambda: defaultdict(list))
    for path, frames in frames_of(scan).items():
        folder, _, name = path.rpartition("/")
        folders[folder][PurePosixPath(name).stem].append(frames)
    return folders


def _class_names(numbers: Iterable[int], class_names: Sequence[str] | None) -> list[str]:
    """The name of each number, from 0."""
    highest = max(numbers, default=-1)
    if class_names is None:
        return [f"class {number}" for number in range(highest + 1)]
    if highest >= len(class_names):
        raise LabelFileError(
            f"MIA's labels go up to number {highest}, but only {counted(len(class_names), 'name')} "
            f"came with --classes: {name_some(class_names)}.",
            f"Name {highest + 1} classes, the first is number 0.",
        )
    return list(class_names)


def _notes(found: _Found, names: Sequence[str], class_names: Sequence[str] | None) -> tuple[str, ...]:
    notes = []
    if class_names is None and names:
        notes.append("MIA stores numbers only; pass --classes NAME,NAME to name them, the first is number 0.")
    if found.other_length:
        notes.append(
            f"{counted(len(found.other_length), 'label file')} for a whole stack of another length, used "
            f"all the same: {name_some(found.other_length)}."
        )
    return tuple(notes)
