"""Looking for images in front of the user."""

from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.cli.report import Report

if TYPE_CHECKING:
    from mia_tui.config.train import Frames
    from mia_tui.dataset.scan.scan import Scan


def scan_images(report: Report, folder: Path, frames: "Frames", *, label_file: Path | None = None) -> "Scan":
    """All images of a folder; what could not be looked into is warned of, and files of other kinds but `label_file`.

    Raises:
        DataError: If the folder is not there or holds no images.
    """
    from mia_tui.dataset.scan.scan import scan

    with report.counting("Looking for images") as bar:
        found = scan(folder, frames=frames, progress=lambda done: bar.update(done))
    if label_file is not None and label_file.is_file() and folder.resolve() in label_file.resolve().parents:
        found.other_kinds.forget(label_file.name)
    for note in found.notes:
        report.warn(note)
    return found
