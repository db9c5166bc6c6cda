"""What lies in a dataset's folder and is no image of it: files of other kinds, and what no person put there."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from mia_tui.paths import LABELS_DB
from mia_tui.text import NAMED, counted, name_some, printable

LABEL_FOLDER = "Classification_labels"
"""The folder of MIA's label files, one for each image beside it."""

# Storage boxes, desktops and file systems leave these: thumbnails, waste, copies of earlier days. A class folder
# beside them is one all the same. Those that begin with a dot are hidden anyway.
_SYSTEM_FOLDERS = frozenset(
    {
        "@eadir", "@tmp", "@recycle", "@recently-snapshot", "@sharebin", "#recycle", "#snapshot", "~snapshot",
        "__macosx", "network trash folder", "temporary items", "thevolumesettingsfolder",
        "lost+found", "$recycle.bin", "system volume information", "__pycache__",
    }
)  # fmt: skip
_CHECKED_DISK = re.compile(r"found\.[0-9]{3}")  # where Windows puts what it could not mend

_SYSTEM_FILES = frozenset(
    {
        "thumbs.db",
        "ehthumbs.db",
        "ehthumbs_vista.db",
        "desktop.ini",
        "icon\r",
        LABELS_DB,
        f"{LABELS_DB}-journal",
        "labels.csv",  # what README calls our own tables, which often lie beside the images
        "predictions.csv",
        "predictions.jsonl",
        "predictions.parquet",
    }
)
_DOWNLOAD_MARK = ":zone.identifier"  # Windows, copied to a disk that cannot hold it beside the file
_OPEN_OFFICE_FILE = "~$"

_PACKED = frozenset({".gz", ".bz2", ".xz", ".zst", ".zip"})  # the ending before it tells more
_LONGEST_ENDING = 12  # with the dot; what is longer is rather the rest of a name with a dot in it

# Named first: a person may take these for images of the dataset.
_PICTURES = frozenset(
    {
        ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".j2c", ".jpf", ".jpx", ".jpm", ".jxr",
        ".wdp", ".mpo", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga", ".pcx", ".psd",
        ".xcf", ".svg", ".eps", ".ico", ".icns", ".exr", ".hdr", ".sgi", ".xbm", ".xpm", ".emf", ".wmf",
        ".pdf", ".djvu",
        ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw",
        ".raw", ".3fr", ".x3f",
        ".czi", ".zvi", ".nd2", ".lif", ".lof", ".xlef", ".lsm", ".oib", ".oif", ".oir", ".vsi", ".ets",
        ".svs", ".ndpi", ".ndpis", ".scn", ".mrxs", ".bif", ".vms", ".vmu", ".qptiff",
        ".ims", ".stk", ".dv", ".btf", ".tf2", ".tf8", ".zarr", ".h5", ".hdf5", ".npy",
        ".dcm", ".dicom", ".ima", ".nii", ".nii.gz", ".nrrd", ".mha", ".mhd", ".fits", ".fit", ".fts",
        ".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v",
    }
)  # fmt: skip


def is_system_folder(name: str) -> bool:
    """Whether a storage box, a desktop or a file system made this folder: nothing in it is the person's."""
    name = name.casefold()
    return name in _SYSTEM_FOLDERS or _CHECKED_DISK.fullmatch(name) is not None


def is_system_file(name: str) -> bool:
    """Whether a program made this file for itself, so that nobody misses it."""
    name = name.casefold()
    return name in _SYSTEM_FILES or name.endswith(_DOWNLOAD_MARK) or name.startswith(_OPEN_OFFICE_FILE)


def ending(name: str) -> str:
    """The ending of a file's name in small letters, `.czi` or `.nii.gz`; empty where it has none that says a kind."""
    stem, dot, suffix = name.lower().rpartition(".")
    found = dot + suffix
    if found in _PACKED and "." in stem:
        found = ending(stem) + found
    is_kind = bool(stem) and suffix.isalnum() and not suffix.isdecimal() and len(found) <= _LONGEST_ENDING
    return found if is_kind else ""


@dataclass
class OtherKinds:
    """What a scan passed over.

    Attributes:
        kinds: How many files there are of each ending.
        folders: Folders in which they are all there is, if some may be taken for pictures: perhaps a lost class.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    folders: list[str] = field(default_factory=list)

    def add(self, folder: str, names: Iterable[str], *, alone: bool) -> None:
        """Count the files of a folder that are no images; `alone` if there is nothing else in it."""
        if LABEL_FOLDER in folder.split("/"):
            return
        kinds = Counter(ending(name) for name in names if not is_system_file(name))
        self.kinds.update(kinds)
        if alone and folder and not _PICTURES.isdisjoint(kinds):
            self.folders.append(folder)

    def forget(self, name: str) -> None:
        """A file that was counted is in use: it is the label file that is being read."""
        if not is_system_file(name) and self.kinds[ending(name)]:
            self.kinds -= Counter([ending(name)])

    @property
    def notes(self) -> list[str]:
        """`4 files of other kinds left out: 2 .czi, 2 .heic.`, pictures and the commonest first; none for none."""
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
