"""Finding the images of a folder or a dataset, with a progress bar."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mia_tui.cli.output.report import Report

if TYPE_CHECKING:
    from mia_tui.config.train import Frames
    from mia_tui.dataset.dataset import Dataset
    from mia_tui.dataset.scan.scan import Scan


def scan_images(report: Report, folder: Path, frames: "Frames", *, label_file: Path | None = None) -> "Scan":
    """All images of a folder; warns of folders that cannot be read and of files of other kinds.

    Args:
        report: Shows the progress and the warnings.
        folder: The folder.
        frames: Which frames of animated files count.
        label_file: A file of labels that may be in the folder; no warning is given of it.

    Raises:
        DataError: If the folder does not exist or holds no images.
    """
    from mia_tui.dataset.scan.scan import scan

    with report.counting("Looking for images") as bar:
        found = scan(folder, frames=frames, progress=lambda done: bar.update(done))
    if label_file is not None and label_file.is_file() and folder.resolve() in label_file.resolve().parents:
        found.other_kinds.forget(label_file.name)
    for note in found.notes:
        report.warn(note)
    return found


def read_labelled(report: Report, dataset: Path, state: Path | None, **options: Any) -> "Dataset":
    """`runs.preflight.prepare.read_dataset`, with a progress bar; `options` are its other arguments."""
    from mia_tui.runs.preflight.prepare import read_dataset

    with report.counting("Looking for images") as bar:
        return read_dataset(dataset, state, progress=lambda done: bar.update(done), **options)
