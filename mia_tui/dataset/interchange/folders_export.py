"""Writing a dataset as class folders, for programs that read each folder as a class.

The folders may be copied to Windows and macOS, so names must be valid there, too. Source: "Naming Files, Paths,
and Namespaces", learn.microsoft.com/windows/win32/fileio.
"""

import os
import re
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mia_tui.dataset.images.reading import frame_of, open_source
from mia_tui.dataset.images.tiff_file import tiff_file
from mia_tui.dataset.interchange.export_file import FILE_MODE, FOLDER_MODE, cannot_write
from mia_tui.dataset.interchange.folders import PART_FOLDERS
from mia_tui.dataset.interchange.formats import Transfer
from mia_tui.dataset.model import ImageKey, Part
from mia_tui.dataset.scan.folder_images import files_in, is_image_folder
from mia_tui.dataset.scan.other_kinds import is_system_folder
from mia_tui.errors import DataError, DecodeError
from mia_tui.files import (
    add_folder,
    add_new_folder,
    create,
    open_to_read,
    remove,
    remove_leftovers,
    rename,
    temporary_beside,
)
from mia_tui.paths import real_path
from mia_tui.text import counted, name_some, printable

_BYTES_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class FoldersExport:
    """What `write_class_folders` did.

    Attributes:
        files: Number of files written.
        skipped: Images that could not be copied, each with the reason.
        frames: How many of the files are single frames taken out of a stack.
        renamed: Files whose names are not valid on every system, each with its new name.
        copied: Files that are copies although hard links were wanted.
    """

    files: int
    skipped: tuple[str, ...]
    frames: int
    renamed: tuple[str, ...] = ()
    copied: int = 0

    def __str__(self) -> str:
        text = f"{counted(self.files, 'file')} written"
        if self.frames:
            text += f", including {counted(self.frames, 'frame')} of stacks"
        if self.copied:
            are_copies = counted(self.copied, "file is a copy", "files are copies")
            text += f"; {are_copies}, since no hard link is possible there"
        if self.renamed:
            text += (
                f"; {counted(len(self.renamed), 'name')} not allowed on Windows changed: "
                f"{name_some(self.renamed)}"
            )
        if self.skipped:
            text += f"; {counted(len(self.skipped), 'image')} left out: {name_some(self.skipped)}"
        return text + "."


def write_class_folders(
    out: Path,
    dataset: Path,
    labels: Mapping[ImageKey, int],
    classes: Sequence[str],
    *,
    keys: Iterable[ImageKey],
    parts: Mapping[ImageKey, Part] | None = None,
    transfer: Transfer = "copy",
) -> FoldersExport:
    """Write one folder per class with its images; the dataset is not changed.

    A stack whose frames all have the same class and part stays one file; other labelled frames become TIFF files
    of their own with the same pixels. Names that occur more than once in a class get -2, -3, and characters that
    Windows does not allow in a file name become underscores.

    Args:
        out: A folder that does not exist yet or is empty; it appears once it is complete.
        dataset: Folder of images.
        labels: Position in `classes` of each image.
        classes: Names.
        keys: All images of the dataset, labelled or not.
        parts: If given, folders train, val and test are made above the classes; images without a part go to
            train.
        transfer: Copies, hard links (copies if the disk does not support them), or symbolic links.

    Raises:
        DataError: If `out` is inside the dataset, is not empty, cannot be written, or a class name is no valid
            folder name.
    """
    _check_target(out, dataset)
    _check_names([classes[index] for index in sorted(set(labels.values()))], with_parts=parts is not None)
    partial = temporary_beside(out)
    try:
        add_folder(out.parent, root=out.parent, parents=True, mode=FOLDER_MODE)
        remove_leftovers(out.parent, of=out.name.__eq__)
        add_new_folder(partial, mode=FOLDER_MODE)
        try:
            result = _write_all(partial, dataset, _plan(labels, classes, keys, parts), transfer)
            rename(partial, out.name)  # replaces an empty folder
        except BaseException:
            with suppress(OSError):
                remove(partial)
            raise
    except OSError as error:
        raise cannot_write(out, error) from error
    return result


def _check_target(out: Path, dataset: Path) -> None:
    resolved, inside = real_path(out), real_path(dataset)
    if resolved == inside or inside in resolved.parents:
        raise DataError(
            f"{printable(out)} is inside the dataset.", "Its images would count twice; name another folder."
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{printable(out)} exists and is not an empty folder.", "Name a new folder.")


def _check_names(names: Sequence[str], *, with_parts: bool) -> None:
    for name in names:
        reason = _no_class_folder(name, with_parts)
        if reason is not None:
            raise DataError(
                f"The class {printable(name)} cannot be a folder: its name {reason}.",
                "Rename the class, or export to CSV.",
            )
    _refuse_same_folder(names)


def _no_class_folder(name: str, with_parts: bool) -> str | None:
    """Why a folder of this name would not be read as a class, as "starts with a dot"; None if it would be."""
    if name.startswith("."):
        return "starts with a dot"
    if name.casefold() in PART_FOLDERS and not with_parts:
        return "would be read as a part of the split"
    if is_system_folder(name):
        return "is that of a system folder"
    return unportable(name)


def _refuse_same_folder(names: Sequence[str]) -> None:
    """Refuse two classes that differ only in case: on Windows and macOS they would be one folder."""
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name:
            raise DataError(
                f"The classes {printable(other)} and {printable(name)} would be one folder on Windows and macOS.",
                "Rename one of them, or export to CSV.",
            )


@dataclass(frozen=True)
class _Item:
    """One file to write: `frame` None means the file as it is."""

    source: str
    frame: int | None
    folder: str


def _plan(
    labels: Mapping[ImageKey, int],
    classes: Sequence[str],
    keys: Iterable[ImageKey],
    parts: Mapping[ImageKey, Part] | None,
) -> list[_Item]:
    frames: dict[str, list[ImageKey]] = defaultdict(list)
    for key in keys:
        frames[key.path].append(key)
    items = []
    for path, stack in frames.items():
        folders = {
            key: classes[labels[key]]
            if parts is None
            else f"{parts.get(key, 'train')}/{classes[labels[key]]}"
            for key in stack
            if key in labels
        }
        if len(folders) == len(stack) and len(set(folders.values())) == 1:
            items.append(_Item(path, None, folders[stack[0]]))
        else:
            items += [_Item(path, key.frame, folder) for key, folder in folders.items()]
    return items


def _write_all(root: Path, dataset: Path, items: Sequence[_Item], transfer: Transfer) -> FoldersExport:
    names = _unique_names(items)
    skipped, renamed, written, frames, copied = [], [], 0, 0, 0
    for item, name in zip(items, names, strict=True):
        source, target = dataset / item.source, root / item.folder / name
        add_folder(target.parent, root=root, parents=True, mode=FOLDER_MODE)
        fault = _transfer(source, target, item.frame, transfer, root)
        if fault:
            skipped.append(f"{printable(item.source)}: {fault}")
            continue
        if item.frame is None and unportable(source.name):
            renamed.append(f"{printable(item.source)} is {item.folder}/{name}")
        written += 1
        frames += item.frame is not None
        copied += transfer == "hardlink" and item.frame is None and not _is_same_file(source, target)
    return FoldersExport(written, tuple(skipped), frames, tuple(renamed), copied)


def _is_same_file(source: Path, target: Path) -> bool:
    try:
        return source.samefile(target)
    except OSError:
        return False


def _transfer(source: Path, target: Path, frame: int | None, transfer: Transfer, root: Path) -> str | None:
    """Write one file; returns the reason if the source is no readable image.

    A file named like an image may be a link to something else that was never meant to be exported. What is copied is
    what was looked at, outside of `open_source`, which would take a full disk for a damaged image.

    Raises:
        OSError: If the target cannot be written.
    """
    opened: BinaryIO | None = None
    try:
        with open_source(source) as image:
            single = None if frame is None else tiff_file(frame_of(image, frame, source).planes())
            if single is None and not image.is_whole:
                return "it is one of several files of an image, which is not exported"
            if single is None and transfer == "copy" and image.file is not None:
                opened = os.fdopen(os.dup(image.file.fileno()), "rb")
    except DecodeError as error:
        return error.message.replace(printable(source.name), "it", 1).removesuffix(".")
    if opened is not None:
        with opened:
            return _copy(opened, target, root)
    if single is not None:
        with os.fdopen(create(target, root=root, mode=FILE_MODE), "wb") as new:
            new.write(single)
    elif transfer == "symlink":
        target.symlink_to(source.resolve())
    elif is_image_folder(source):
        return _copy_folder(source, target, root)
    elif transfer == "hardlink" and not _hard_linked(source, target):
        return _transfer(source, target, frame, "copy", root)
    return None


def _copy(file: BinaryIO, target: Path, root: Path) -> str | None:
    """Copy an open file with its mode and times; returns why it cannot be read, and then there is no copy.

    Raises:
        OSError: If the target cannot be written.
    """
    status = os.fstat(file.fileno())
    file.seek(0)
    with os.fdopen(create(target, root=root, mode=FILE_MODE), "wb") as new:
        while True:
            try:
                chunk = file.read(_BYTES_AT_ONCE)
            except OSError as error:
                remove(target, root=root)
                return f"it cannot be read: {error.strerror}"
            if not chunk:
                break
            new.write(chunk)
        new.flush()
        os.fchmod(new.fileno(), stat.S_IMODE(status.st_mode) & 0o777)
        os.utime(new.fileno(), ns=(status.st_atime_ns, status.st_mtime_ns))
    return None


def _copy_folder(source: Path, target: Path, root: Path) -> str | None:
    """Copy an image that is a folder, whole or not at all; as `_copy`."""
    for part in files_in(source):
        copy = target / part.relative_to(source)
        add_folder(copy.parent, root=root, parents=True, mode=FOLDER_MODE)
        with open_to_read(part, root=source) as file:
            fault = _copy(file, copy, root)
        if fault:
            remove(target, root=root)
            return fault
    return None


def _hard_linked(source: Path, target: Path) -> bool:
    try:
        target.hardlink_to(source.resolve())
    except OSError:  # another disk, or one without hard links
        return False
    return True


def _unique_names(items: Sequence[_Item]) -> list[str]:
    """A name for each file: its own if it is the only one with that name in its folder."""
    wanted = [_wanted_name(item) for item in items]
    # Compared without case: the folders may be copied to a Windows or macOS disk.
    taken = {(item.folder, name.casefold()) for item, name in zip(items, wanted, strict=True)}
    seen: set[tuple[str, str]] = set()
    names = []
    for item, name in zip(items, wanted, strict=True):
        place = (item.folder, name.casefold())
        stem, dot, suffix = name.rpartition(".")
        number = 1
        while place in seen or (number > 1 and place in taken):
            number += 1
            place = (item.folder, f"{stem}-{number}{dot}{suffix}".casefold())
        seen.add(place)
        names.append(name if number == 1 else f"{stem}-{number}{dot}{suffix}")
    return names


def _wanted_name(item: _Item) -> str:
    name = item.source.rpartition("/")[2]
    return portable(name if item.frame is None else f"{Path(name).stem}_{item.frame:03d}.tif")


_LONGEST_BYTES = 255  # of a name, on every common file system
_SIGNS = re.compile('[<>:"/\\\\|?*\x00-\x1f\x7f]')
_DEVICE = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])\s*(\..*)?", re.IGNORECASE | re.DOTALL
)


def unportable(name: str) -> str | None:
    """Why a name is not valid on every system, as "contains a slash"; None if it is."""
    sign = _SIGNS.search(name)
    if "/" in name:
        return "contains a slash"
    if sign is not None:
        shown = sign.group() if sign.group().isprintable() else "a control character"
        return f"contains {shown}, which Windows does not allow"
    if _DEVICE.fullmatch(name):
        return "means a device on Windows"
    if name.endswith((".", " ")):
        return "ends with a dot or space, which Windows drops"
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return "is not UTF-8"
    if len(os.fsencode(name)) > _LONGEST_BYTES:
        return "is too long"
    return None


def portable(name: str) -> str:
    """A file name that is valid on every system: characters that one of them does not allow become underscores."""
    name = _SIGNS.sub("_", "".join("_" if "\ud800" <= letter <= "\udfff" else letter for letter in name))
    if name.endswith((".", " ")):
        name = f"{name[:-1]}_"
    return f"_{name}" if _DEVICE.fullmatch(name) else name
