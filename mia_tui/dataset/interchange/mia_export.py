"""Writing MIA's label folders (the format is described in `mia`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np

from mia_tui.dataset.interchange.mia import BROKEN, MAGIC, by_folder_and_stem, frames_of, outlines
from mia_tui.dataset.interchange.output import FOLDER_MODE, cannot_write, replace_file
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.other_kinds import LABEL_FOLDER
from mia_tui.dataset.scan.scanner import Scan
from mia_tui.errors import DataError
from mia_tui.files import add_folder
from mia_tui.text import counted, name_some, printable


@dataclass(frozen=True)
class MiaExport:
    """What `write_mia` did.

    Attributes:
        files: Number of label files written.
        numbers: MIA's number of each class.
        notes: Sentences about what MIA will not read.
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
    """Write MIA's label folders; outlines in files that are replaced are kept.

    Args:
        dataset: Folder of images.
        scan: Its images.
        labels: Position in `classes`, which becomes MIA's number, of each image.
        classes: Names.
        out: Folder to write below, with the dataset's folders in it; the dataset itself when None.
        overwrite: Whether label files that are there may be replaced.

    Raises:
        DataError: If two images would share a label file, label files are there already, or writing fails.
    """
    folders = by_folder_and_stem(scan)
    _refuse_shared_stems(folders, labels)
    stacks = {path for path, frames in frames_of(scan).items() if len(frames) > 1}
    root = dataset if out is None else out
    targets = {key: root / _label_path(key, key.path in stacks) for key in labels}
    there = [target.relative_to(root) for target in targets.values() if target.exists()]
    if there and not overwrite:
        raise DataError(
            f"{counted(len(there), 'label file')} of MIA would be replaced: {name_some(there)}.",
            "Pass --overwrite, or name another folder to write to.",
        )
    for key, target in targets.items():
        _write_number(target, labels[key], (dataset / key.path).parent if out is None else out)
    late = sum(key.frame > 999 for key in labels)
    notes = (f"{counted(late, 'frame')} after 999: MIA reads the last three digits only.",) if late else ()
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
    """Write a label file; the user's own folders may be links, what lies below `root` may not."""
    arrays = [np.array(MAGIC), np.array(number), *_outlines(path)]
    content = BytesIO()
    np.savez(content, *arrays)
    try:
        add_folder(path.parent, root=root, parents=True, mode=FOLDER_MODE)
    except OSError as error:
        raise cannot_write(path.parent, error) from error
    replace_file(path, content.getvalue(), root=root, sync=False)


def _outlines(path: Path) -> list[np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
    """Arrays behind the class number of a label file that is there already."""
    if not path.exists():
        return []
    try:
        return outlines(path)
    except BROKEN:
        return []  # broken: nothing of it can be kept
