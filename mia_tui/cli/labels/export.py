"""What `mia-tui labels export` writes: a CSV or TSV file, class folders, or MIA's label folders."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mia_tui.cli.labels.import_file import Format
from mia_tui.cli.report import Report
from mia_tui.errors import ConfigError, DataError
from mia_tui.text import printable

if TYPE_CHECKING:
    from mia_tui.dataset.model import ImageKey, Part
    from mia_tui.runs.preflight.prepare import Dataset

Transfer = Literal["copy", "hardlink", "symlink"]


def check_options(
    chosen: Format,
    file: Path | None,
    *,
    transfer: Transfer | None,
    parts: bool,
    overwrite: bool,
    include_missing: bool,
) -> None:
    """Refuse options that the format has no use for, a missing folder, and a file that is there already.

    Raises:
        ConfigError: If there are options without a use, or no folder is named.
        DataError: If a file would be replaced and nobody said that it may be.
    """
    needed: tuple[tuple[str, bool, tuple[Format, ...]], ...] = (
        ("--transfer", transfer is not None, ("folders",)),
        ("--parts", parts, ("folders",)),
        ("--overwrite", overwrite, ("csv", "mia")),
        ("--include-missing", include_missing, ("csv",)),
    )
    for option, given, wanted in needed:
        if given and chosen not in wanted:
            raise ConfigError(f"{option} is for --format {' or '.join(wanted)}.", "Leave it out.")
    if chosen == "csv" and file is not None and file.is_file() and not overwrite:
        raise DataError(
            f"{printable(file)} is there already, and nothing was written.",
            "Pass --overwrite to replace it, or name another file.",
        )
    if chosen == "folders" and file is None:
        raise ConfigError(
            "--format folders needs a folder to write to.", "`mia-tui labels export DATASET FOLDER`."
        )


def export_csv(
    report: Report, found: "Dataset", names: list[str], file: Path | None, *, include_missing: bool
) -> None:
    """Labels as file,frame,class: to a file (with tabs if it ends in .tsv), or to stdout.

    Those of images that are not there come last, where they are wanted.
    """
    from mia_tui.dataset.interchange.csv import write_labels
    from mia_tui.text import counted

    labels = dict(found.labelled.labels)
    if include_missing:
        missing = found.labelled.missing_labels
        names = [*names, *sorted(set(missing.values()).difference(names))]
        labels |= {key: names.index(missing[key]) for key in sorted(missing)}
    elif found.labelled.missing_labels:
        report.note("--include-missing exports the labels of images that are not there, too.")
    count = write_labels(file if file is not None else report.data(), labels, names)
    if file is not None:
        report.say(f"{counted(count, 'label')} written to {printable(file)}.")


def export_folders(
    report: Report,
    found: "Dataset",
    names: list[str],
    out: Path,
    transfer: Transfer,
    parts: "dict[ImageKey, Part] | None",
) -> None:
    """A folder per class, below a folder per part if parts are given."""
    from mia_tui.dataset.interchange.folders_export import write_class_folders

    done = write_class_folders(
        out, found.root, found.labelled.labels, names, keys=found.scan.keys, parts=parts, transfer=transfer
    )
    report.say(str(done))


def export_mia(report: Report, found: "Dataset", names: list[str], out: Path | None, overwrite: bool) -> None:
    """A label file per image, as MIA reads them."""
    from mia_tui.dataset.interchange.mia_export import write_mia

    done = write_mia(found.root, found.scan, found.labelled.labels, names, out=out, overwrite=overwrite)
    numbers = ", ".join(f"{number} {printable(name)}" for name, number in done.numbers.items())
    report.say(f"{done.files:,} label files written; MIA's class numbers: {numbers}.")
    for note in done.notes:
        report.warn(note)
