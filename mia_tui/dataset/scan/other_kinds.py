"""What is in a dataset's folder besides its images: files of other kinds, and what programs put there."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from mia_tui.paths import LABELS_DB
from mia_tui.text import NAMED, counted, name_some, printable

LABEL_FOLDER = "Classification_labels"
"""The folder of MIA's label files, one for each image beside it."""

# Created by NAS devices, desktops and file systems: thumbnails, trash, snapshots. They are ignored, so that class
# folders beside them are still recognised. Names that begin with a dot are hidden anyway.
_SYSTEM_FOLDERS = frozenset(
    {
        "@eadir", "@tmp", "@recycle", "@recently-snapshot", "@sharebin", "#recycle", "#snapshot", "~snapshot",
        "__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder",
        "lost+found", "$recycle.bin", "system volume information", "__pycache__",
    }
)  # fmt: skip
_CHECKED_DISK = re.compile(r"found\.[0-9]{3}")  # where Windows puts what it could not repair

_SYSTEM_FILES = frozenset(
    {
        "thumbs.db",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "desktop.ini",
        "icon\r",
        LABELS_DB,
        f"{LABELS_DB}-journal",
        "labels.csv",  # the names that README uses for our own tables, which are often beside the images
        "predictions.csv",
        "predictions.jsonl",
        "predictions.parquet",
    }
)
_DOWNLOAD_MARK = ":zone.identifier"  # written by Windows; a disk without streams gets it as a file
_OPEN_OFFICE_FILE = "~$"

_PACKED = frozenset({".gz", ".bz2", ".xz", ".zst", ".zip"})  # the ending before it says more
_LONGEST_ENDING = 12  # with the dot; anything longer is rather a part of a name with a dot in it

# Listed first, since a person may think that these are images of the dataset.
_PICTURES = frozenset(
    {
        ".heic", ".heif", ".hif", ".jxl", ".jpm", ".jxr", ".wdp", ".mpo", ".tga", ".pcx", ".psd",
        ".xcf", ".svg", ".eps", ".ico", ".icns", ".exr", ".hdr", ".sgi", ".xbm", ".xpm", ".emf", ".wmf",
        ".pdf", ".djvu",
        ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw",
        ".raw", ".3fr", ".x3f",
        ".zvi", ".xlef", ".oir", ".vsi", ".ets", ".ndpis",
        ".ims", ".dv", ".h5", ".hdf5", ".npy",
        ".ima", ".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".fits", ".fit", ".fts",
        ".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v",
    }
)  # fmt: skip


def is_system_folder(name: str) -> bool:
    """Whether a NAS device, a desktop or a file system made this folder: it contains nothing of the user's."""
    name = name.casefold()
    return name in _SYSTEM_FOLDERS or _CHECKED_DISK.fullmatch(name) is not None


def is_system_file(name: str) -> bool:
    """Whether a program made this file for itself, so that it need not be mentioned."""
    name = name.casefold()
    return name in _SYSTEM_FILES or name.endswith(_DOWNLOAD_MARK) or name.startswith(_OPEN_OFFICE_FILE)


def ending(name: str) -> str:
    """The ending of a file name in lower case, `.heic` or `.nii.gz`; empty if it has none that names a kind."""
    stem, dot, suffix = name.lower().rpartition(".")
    found = dot + suffix
    if found in _PACKED and "." in stem:
        found = ending(stem) + found
    is_kind = bool(stem) and suffix.isalnum() and not suffix.isdecimal() and len(found) <= _LONGEST_ENDING
    return found if is_kind else ""


@dataclass
class OtherKinds:
    """The files that a scan ignored.

    Attributes:
        kinds: Number of files with each ending.
        folders: Folders that contain nothing else, if some of it may be images: perhaps a class that is lost.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    folders: list[str] = field(default_factory=list)

    def add(self, folder: str, names: Iterable[str], *, alone: bool) -> None:
        """Count the files of a folder that are not images; `alone` if there is nothing else in it."""
        if LABEL_FOLDER in folder.split("/"):
            return
        kinds = Counter(ending(name) for name in names if not is_system_file(name))
        self.kinds.update(kinds)
        if alone and folder and not _PICTURES.isdisjoint(kinds):
            self.folders.append(folder)

    def forget(self, name: str) -> None:
        """Do not count a file that was counted: it is the label file that is being read."""
        if not is_system_file(name) and self.kinds[ending(name)]:
            self.kinds -= Counter([ending(name)])

    @property
    def notes(self) -> list[str]:
        """`4 files of other kinds left out: 2 .cr2, 2 .heic.`, images and common ones first; empty if none."""
        if not self.kinds:
            return []
        kinds = sorted(self.kinds, key=lambda kind: (kind not in _PICTURES, -self.kinds[kind], kind))
        named = [f"{self.kinds[kind]:,} {printable(kind) or 'without an ending'}" for kind in kinds[:NAMED]]
        more = len(kinds) - NAMED
        rest = f" and {counted(more, 'more kind')}" if more > 0 else ""
        what = counted(self.kinds.total(), "file of another kind", "files of other kinds")
        said = f"{what} left out: {', '.join(named)}{rest}."
        if self.folders:
            holding = "The folder {} holds" if len(self.folders) == 1 else "The folders {} hold"
            said += f" {holding.format(name_some(self.folders))} nothing else."
        return [said]
