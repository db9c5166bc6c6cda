"""What `mia-tui labels import` checks and reads; the formats are those of `dataset.interchange.formats`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.dataset.interchange.formats import (
    ImportSource,
    LabelFile,
    LabelFormat,
    format_named,
    format_of_file,
    formats_with,
    import_formats,
)
from mia_tui.errors import ConfigError
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.cli.report import Report
    from mia_tui.dataset.scan.scan import Scan

_FINGERPRINTS_S = 60.0


def choose_format(file: Path | None, file_format: str | None, classes: str | None) -> LabelFormat:
    """The format to import, after checking that options and FILE go with it.

    Raises:
        ConfigError: If they do not.
    """
    if file_format is not None:
        chosen = format_named(file_format)
    elif file is not None:
        chosen = format_of_file(file, import_formats())
    else:
        others = " or ".join(
            f"--format {known.name}" for known in import_formats() if known.reads == "dataset"
        )
        raise ConfigError("Which labels?", f"Name a CSV file, or pass {others}.")
    if chosen.reads == "file" and file is None:
        suffix = chosen.suffixes[0] if chosen.suffixes else ""
        raise ConfigError(
            f"--format {chosen.name} needs a file.", f"`mia-tui labels import DATASET FILE{suffix}`."
        )
    if chosen.reads == "dataset" and file is not None:
        raise ConfigError(
            f"--format {chosen.name} reads what is in the dataset, not {printable(file)}.",
            "Leave the file out.",
        )
    if classes is not None and "--classes" not in chosen.options:
        names = " or ".join(formats_with("--classes"))
        raise ConfigError(f"--classes names the numbers of --format {names}.", "Leave it out.")
    return chosen


def read_labels_of(
    dataset: Path, found: "Scan", chosen: LabelFormat, file: Path | None, classes: str | None
) -> LabelFile:
    """The labels in a format; nothing is written yet.

    Raises:
        DataError: If there are none, or they cannot be read.
    """
    assert chosen.read is not None
    names = None if classes is None else _names_of(classes)
    return chosen.read(ImportSource(dataset, found, file, names))


def take_fingerprints_of(report: "Report", dataset: Path, labels_db: Path, annotator: str | None) -> None:
    """Take the fingerprints of labelled files that have none, for a minute at most: the labels are saved already.

    Raises:
        StoreError: If they cannot be kept.
    """
    from mia_tui.dataset.fingerprints import take_all_fingerprints
    from mia_tui.dataset.store.label_store import LabelStore
    from mia_tui.text import counted

    with (
        LabelStore(labels_db, annotator=annotator) as store,
        report.counting("Reading what is labelled") as bar,
    ):
        left = take_all_fingerprints(
            store, dataset, most_s=_FINGERPRINTS_S, progress=lambda done: bar.update(done)
        )
    if left:
        report.warn(
            f"{counted(left, 'labelled image')} were not read yet, and lose their labels if they are renamed now.",
            "The next `mia-tui train` reads the others, and so does the app while no key is pressed, or the same "
            "import again.",
        )


def _names_of(classes: str) -> list[str]:
    """The names given by --classes; they must differ, or classes would be merged without notice."""
    names = [name.strip() for name in classes.split(",")]
    twice = next((name for name in names if names.count(name) > 1), None)
    if "" in names:
        raise ConfigError("--classes leaves a number without a name.", "Write A,B,C; the first is number 0.")
    if twice is not None:
        raise ConfigError(
            f"--classes names {printable(twice)} twice.", "Give each of MIA's numbers its own name."
        )
    return names
