"""Images that are folders, as OME-Zarr: size and time stand for them as for a file, and all they hold is hashed."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mia_tui.dataset.images.formats import is_folder_image_name

_DESCRIPTIONS = ("zarr.json", ".zattrs", ".zgroup")


def stat_image(path: str | Path) -> os.stat_result:
    """Size and time of an image: of a folder those of the file that describes it.

    Raises:
        OSError: If it cannot be asked for.
    """
    status = os.stat(path)  # noqa: PTH116  (100,000 of them)
    if stat.S_ISDIR(status.st_mode):
        for name in _DESCRIPTIONS:
            try:
                return os.stat(os.path.join(path, name), follow_symlinks=False)  # noqa: PTH116, PTH118
            except FileNotFoundError:
                continue
    return status


def is_image_folder(path: Path) -> bool:
    """Whether a path is a folder that is one image, by its name."""
    return is_folder_image_name(path.name) and path.is_dir()


def files_in(folder: Path) -> Iterator[Path]:
    """All regular files in a folder that is an image, always in the same order; links are left out, as readers do.

    Raises:
        OSError: If a folder cannot be read.
    """
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if entry.is_file(follow_symlinks=False):
            yield folder / entry.name
        elif entry.is_dir(follow_symlinks=False):
            yield from files_in(folder / entry.name)
