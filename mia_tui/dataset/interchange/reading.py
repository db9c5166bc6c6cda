"""Reading labels in any format, for the command line and for the app; nothing is written."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.dataset.interchange.formats import ImportSource, LabelFile, LabelFormat
from mia_tui.errors import ConfigError
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.config.train import Frames
    from mia_tui.dataset.scan.scan import Scan


def read_labels_of(
    dataset: Path,
    found: "Scan",
    chosen: LabelFormat,
    file: Path | None,
    classes: str | None,
    *,
    probabilities: bool = False,
    pages: "Frames | None" = None,
) -> LabelFile:
    """The labels in a format, with their probabilities if those are wanted; nothing is written yet.

    Args:
        dataset: The folder of images.
        found: Its images.
        chosen: The format.
        file: What to read.
        classes: Names of the numbers in the format, as `number_names` takes them; None for none.
        probabilities: Whether to read those, too.
        pages: Frames of animated files that count, if the frames in FILE are pages, as versions up to 0.1.0 had them.

    Raises:
        DataError: If there are none, or they cannot be read.
        ConfigError: If the names are not usable.
    """
    from mia_tui.dataset.interchange.old_frames import doubtful_frames, of_present_frames
    from mia_tui.dataset.scan.scan import scan

    assert chosen.read is not None
    names = None if classes is None else number_names(classes)
    if pages is not None and found.mode == "frames":
        before = scan(dataset, frames=pages, numbering=1)
        return of_present_frames(
            chosen.read(ImportSource(dataset, before, file, names, probabilities)), dataset
        )
    read = chosen.read(ImportSource(dataset, found, file, names, probabilities))
    doubt = doubtful_frames(read, found, dataset)
    return replace(read, notes=(*read.notes, doubt)) if doubt else read


def number_names(classes: str) -> list[str]:
    """The names given by --classes; they must differ, or classes would be merged without notice.

    Raises:
        ConfigError: If one is empty, or named twice.
    """
    names = [name.strip() for name in classes.split(",")]
    twice = next((name for name in names if names.count(name) > 1), None)
    if "" in names:
        raise ConfigError("--classes leaves a number without a name.", "Write A,B,C; the first is number 0.")
    if twice is not None:
        raise ConfigError(
            f"--classes names {printable(twice)} twice.", "Give each of MIA's numbers its own name."
        )
    return names
