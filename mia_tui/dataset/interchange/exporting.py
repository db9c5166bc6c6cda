"""Writing the labels of a dataset in any format, for the command line and for the app."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from mia_tui.dataset.interchange.formats import ExportContent, ExportResult, LabelFormat, Transfer
from mia_tui.errors import DataError
from mia_tui.paths import LABELS_DB, exists, real_path
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.dataset.dataset import Dataset
    from mia_tui.dataset.model import ImageKey, Part


def write_labels_of(
    found: "Dataset",
    chosen: LabelFormat,
    target: Path | TextIO | None,
    *,
    transfer: Transfer = "copy",
    parts: "Mapping[ImageKey, Part] | None" = None,
    overwrite: bool = False,
    include_missing: bool = False,
) -> ExportResult:
    """Write labels; those of missing images come last, if they are wanted.

    Args:
        found: The dataset and its labels.
        chosen: The format.
        target: As in `ExportContent`.
        transfer: How images are brought into an exported folder.
        parts: Part of each image, if folders for the parts are wanted.
        overwrite: Whether existing files may be replaced.
        include_missing: Whether labels of images that are gone are written, too.

    Raises:
        DataError: If it cannot be written, or would replace files that may not be replaced.
    """
    if isinstance(target, Path):
        _refuse_own_files(found, target)
    labels = dict(found.labelled.labels)
    names = [item.name for item in found.labelled.classes]
    if include_missing:
        missing = found.labelled.missing_labels
        names += sorted(set(missing.values()).difference(names))
        labels |= {key: names.index(missing[key]) for key in sorted(missing)}
    assert chosen.write is not None
    return chosen.write(
        ExportContent(
            found.root, found.scan, labels, names, target, parts=parts, transfer=transfer, overwrite=overwrite
        )
    )


def _refuse_own_files(found: "Dataset", target: Path) -> None:
    """Whoever agrees that a file is replaced means an old export, not the labels themselves or an image."""
    there, root, state = real_path(target), real_path(found.root), real_path(found.state.root)
    if not exists(there):
        return
    inside = there.relative_to(state).parts if there.is_relative_to(state) else ()
    if len(inside) > 1 or (inside and inside[0].startswith(LABELS_DB)):
        raise DataError(f"{printable(target)} is where mia-tui keeps labels and runs.", "Name another file.")
    if there.is_relative_to(root):
        path = there.relative_to(root).as_posix()
        if any(file.path == path for file in found.scan.files):
            raise DataError(f"{printable(target)} is an image.", "Name another file.")
