"""What `mia-tui labels export` checks and writes; the formats are those of `dataset.interchange.formats`."""

from pathlib import Path
from typing import TYPE_CHECKING

from mia_tui.cli.output.report import Report
from mia_tui.dataset.interchange.exporting import write_labels_of
from mia_tui.dataset.interchange.formats import (
    LabelFormat,
    LabelOption,
    Transfer,
    export_formats,
    format_named,
    format_of_file,
    formats_with,
)
from mia_tui.errors import ConfigError, DataError
from mia_tui.text import join_names, printable

if TYPE_CHECKING:
    from mia_tui.dataset.dataset import Dataset
    from mia_tui.dataset.model import ImageKey, Part


def choose_export(
    file_format: str | None,
    file: Path | None,
    *,
    transfer: Transfer | None,
    parts: bool,
    overwrite: bool,
    include_missing: bool,
) -> LabelFormat:
    """The format to export to, after checking that options and FILE go with it.

    Raises:
        ConfigError: If an option does not go with the format, or no folder is named.
        DataError: If a file would be replaced without --overwrite.
    """
    if file_format is not None:
        chosen = format_named(file_format)
    else:
        chosen = format_named("csv") if file is None else format_of_file(file, export_formats())
    given: dict[LabelOption, bool] = {
        "--transfer": transfer is not None,
        "--parts": parts,
        "--overwrite": overwrite,
        "--include-missing": include_missing,
    }
    for option, is_given in given.items():
        if is_given and option not in chosen.options:
            raise ConfigError(
                f"{option} is for --format {join_names(formats_with(option), 'or')}.", "Leave it out."
            )
    if chosen.writes == "file" and file is not None and file.is_file() and not overwrite:
        raise DataError(
            f"{printable(file)} already exists, and nothing was written.",
            "Pass --overwrite to replace it, or name another file.",
        )
    if chosen.writes == "folder" and file is None:
        raise ConfigError(
            f"--format {chosen.name} needs a folder to write to.", "`mia-tui labels export DATASET FOLDER`."
        )
    return chosen


def export_labels(
    report: Report,
    found: "Dataset",
    chosen: LabelFormat,
    file: Path | None,
    *,
    transfer: Transfer = "copy",
    parts: "dict[ImageKey, Part] | None" = None,
    overwrite: bool = False,
    include_missing: bool = False,
) -> None:
    """Write labels; those of missing images come last, if they are wanted."""
    if found.labelled.missing_labels and not include_missing and "--include-missing" in chosen.options:
        report.note("--include-missing also exports the labels of missing images.")
    done = write_labels_of(
        found,
        chosen,
        report.data() if chosen.writes == "file" and file is None else file,
        transfer=transfer,
        parts=parts,
        overwrite=overwrite,
        include_missing=include_missing,
    )
    if done.summary:
        report.say(done.summary)
    for warning in done.warnings:
        report.warn(warning)
