"""What `mia-tui labels import` reads: a CSV file, the dataset's folders, or MIA's label folders."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mia_tui.errors import ConfigError
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.cli.report import Report
    from mia_tui.dataset.interchange.labelfile import LabelFile
    from mia_tui.dataset.scan.scanner import Scan

Format = Literal["csv", "folders", "mia"]

_FINGERPRINTS_S = 60.0


def choose_format(file: Path | None, file_format: Format | None, classes: str | None) -> Format:
    """The format that is meant, after checking that the options fit it.

    Raises:
        ConfigError: If they do not.
    """
    chosen = file_format or ("csv" if file is not None else None)
    if chosen is None:
        raise ConfigError("Which labels?", "Name a CSV file, or pass --format folders or --format mia.")
    if chosen == "csv" and file is None:
        raise ConfigError("--format csv needs a file.", "`mia-tui labels import DATASET FILE.csv`.")
    if chosen != "csv" and file is not None:
        raise ConfigError(
            f"--format {chosen} reads what lies in the dataset, not {printable(file)}.", "Leave the file out."
        )
    if classes is not None and chosen != "mia":
        raise ConfigError("--classes names the numbers of --format mia.", "Leave it out.")
    return chosen


def read_labels_of(
    dataset: Path, found: "Scan", chosen: Format, file: Path | None, classes: str | None
) -> "LabelFile":
    """The labels of a format; nothing is written yet.

    Raises:
        DataError: If there are none, or they cannot be read.
    """
    if chosen == "folders":
        from mia_tui.dataset.interchange.folders import folder_labels

        return folder_labels(found.keys, name=printable(dataset))
    if chosen == "mia":
        from mia_tui.dataset.interchange.mia import read_mia

        return read_mia(dataset, found, None if classes is None else _names_of(classes))
    from mia_tui.dataset.interchange.csv import read_labels

    assert file is not None
    return read_labels(file, found, dataset=dataset)


def take_fingerprints_of(report: "Report", dataset: Path, labels_db: Path, annotator: str | None) -> None:
    """Take the fingerprints of all labelled files that have none, for a minute at most: labels are safe already.

    Raises:
        StoreError: If they cannot be kept.
    """
    from mia_tui.dataset.fingerprints import take_fingerprints
    from mia_tui.dataset.store.label_store import LabelStore
    from mia_tui.text import counted

    with (
        LabelStore(labels_db, annotator=annotator) as store,
        report.counting("Reading what is labelled") as bar,
    ):
        left = take_fingerprints(
            store, dataset, most_s=_FINGERPRINTS_S, progress=lambda done: bar.update(done)
        )
    if left:
        report.warn(
            f"{counted(left, 'labelled image')} were not read yet, and lose their labels if they are renamed now.",
            "The next `mia-tui train` reads the rest, and so does the app while no key is pressed; "
            "the same import again goes on, too.",
        )


def _names_of(classes: str) -> list[str]:
    """The names given by --classes: each number has one of its own, or classes would be merged in silence."""
    names = [name.strip() for name in classes.split(",")]
    twice = next((name for name in names if names.count(name) > 1), None)
    if "" in names:
        raise ConfigError("--classes leaves a number without a name.", "Write A,B,C; the first is number 0.")
    if twice is not None:
        raise ConfigError(
            f"--classes names {printable(twice)} twice.", "Give each of MIA's numbers its own name."
        )
    return names
