"""`mia-tui runs predictions`: what a run predicted, for other programs or as sorted images."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.options import (
    Command,
    Option,
    check_new_file,
    dataset_option,
    json_option,
    path_argument,
    run_argument,
    state_option,
)
from mia_tui.errors import ConfigError
from mia_tui.text import counted, printable

if TYPE_CHECKING:
    from mia_tui.dataset.interchange.formats import Transfer

_TABLES = {"csv": ".csv", "jsonl": ".jsonl", "parquet": ".parquet"}
_FORMATS = (*_TABLES, "mia-csv", "label-studio", "cvat", "fiftyone", "folders")


@click.command("predictions", cls=Command, short_help="Write the predictions of a run for other programs.")
@run_argument
@path_argument("out")
@click.option(
    "--format",
    "file_format",
    cls=Option,
    type=click.Choice(_FORMATS, case_sensitive=False),
    help="csv, jsonl, parquet: with the probability of every class; by default as OUT ends. mia-csv: the columns of "
    "MIA's results. label-studio: tasks with predictions. cvat: tags. fiftyone: labels.json. folders: the images "
    "themselves, in a folder for each class.",
)
@click.option(
    "--threshold",
    cls=Option,
    type=click.FloatRange(0.0, 1.0),
    metavar="P",
    help="Images whose class is less probable are unsure; by default as the run was predicted.",
)
@click.option("--no-threshold", cls=Option, is_flag=True, help="No image is unsure.")
@click.option(
    "--transfer",
    cls=Option,
    type=click.Choice(["copy", "hardlink", "symlink"], case_sensitive=False),
    help="With --format folders: how the images get there; by default as copies.",
)
@click.option(
    "--unsure",
    cls=Option,
    type=click.Choice(["folder", "leave-out"], case_sensitive=False),
    help="With --format folders: unsure images go to a folder `unsure`, the default, or are left out.",
)
@click.option("--overwrite", cls=Option, is_flag=True, help="Replace OUT if it is a file that exists.")
@dataset_option
@json_option
@state_option
def predictions_command(
    run: str,
    out: Path,
    file_format: str | None,
    threshold: float | None,
    no_threshold: bool,
    transfer: "Transfer | None",
    unsure: str | None,
    overwrite: bool,
    dataset: Path | None,
    as_json: bool,
    state: Path | None,
) -> None:
    """Write what a run predicted to OUT, a file or a new folder.

    RUN is a finished prediction; or a training or an evaluation, whose predictions are those of the images that its
    network was evaluated on.
    """
    from mia_tui.runs.list.find import find_run
    from mia_tui.runs.prediction.exporting import read_predictions, sort_images, write_predictions

    report = Report(as_json=as_json)
    if no_threshold:
        if threshold is not None:
            raise ConfigError(
                "--threshold and --no-threshold contradict each other.", "Leave one of them out."
            )
        threshold = 0.0
    chosen = _format_of(out, file_format)
    _check(chosen, out, transfer, unsure, overwrite=overwrite)
    found = read_predictions(
        find_run(run, dataset=dataset, state=state, kind=None), dataset=dataset, threshold=threshold
    )
    if chosen == "folders":
        said, count = sort_images(found, out, transfer=transfer or "copy", unsure=unsure != "leave-out")
        report.say(f"{said} They are in {printable(out)}.")
    else:
        count = write_predictions(found, out, _TABLES.get(chosen, chosen))
        of_them = f", {count.unsure:,} of them unsure" if count.unsure else ""
        report.say(f"{counted(count.images, 'prediction')} written to {printable(out)}{of_them}.")
    for note in count.notes:
        report.warn(note)
    report.record(
        {"out": str(out), "predictions": count.images, "unsure": count.unsure, "notes": count.notes}
    )


def _format_of(out: Path, file_format: str | None) -> str:
    if file_format is not None:
        return file_format
    ending = out.suffix.lower().removeprefix(".")
    if ending in _TABLES:
        return ending
    raise ConfigError(
        f"{printable(out)} has no ending that says what to write.",
        f"Use .csv, .jsonl or .parquet, or pass --format {'|'.join(_FORMATS[3:])}.",
    )


def _check(
    chosen: str, out: Path, transfer: "Transfer | None", unsure: str | None, *, overwrite: bool
) -> None:
    """Refuse options that do not go with the format, and a file that is there."""
    if chosen == "folders":
        if overwrite:
            raise ConfigError("--overwrite replaces a file, never a folder.", "Name a new folder.")
        return
    for flag, value in (("--transfer", transfer), ("--unsure", unsure)):
        if value is not None:
            raise ConfigError(f"{flag} is for --format folders.", "Leave it out.")
    check_new_file(out, overwrite=overwrite)
