"""`mia-tui predict`: the classes of images, by a trained network."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mia_tui.cli.images import scan_images
from mia_tui.cli.network import (
    find_network,
    load_network,
    network_options,
    report_waiting,
    warn_of_unreadable,
)
from mia_tui.cli.options import (
    Command,
    Option,
    dataset_option,
    json_option,
    path_argument,
    path_option,
    state_option,
)
from mia_tui.cli.report import Report
from mia_tui.errors import AwayError, ConfigError, DataError, RunError
from mia_tui.paths import typed_dataset
from mia_tui.runs.prediction.formats import PREDICTION_FORMATS
from mia_tui.text import join_names, printable

if TYPE_CHECKING:
    from mia_tui.dataset.model import ImageKey
    from mia_tui.engine.inference.predict import Predictor
    from mia_tui.runs.prediction.predictions import PartialFile, PredictionHeader, PredictionRow
    from mia_tui.runs.record.layout import RunDir

_ROWS_AT_ONCE = 256


@click.command("predict", cls=Command)
@path_argument("images")
@network_options
@path_option(
    "--out",
    lambda: (
        f"File for the predictions; its ending chooses the format: {join_names(PREDICTION_FORMATS, 'or')}. By "
        "default they are saved in the run's folder, as suggestions for the app."
    ),
)
@click.option(
    "--frames",
    cls=Option,
    type=click.Choice(["first", "all"], case_sensitive=False),
    help="Frames of animated files; by default as in training.",
)
@dataset_option
@json_option
@state_option
def command(
    images: Path,
    run_text: str,
    out: Path | None,
    device: str,
    precision: str,
    batch_size: int,
    tta: bool,
    max_megapixels: float | None,
    frames: str | None,
    dataset: Path | None,
    as_json: bool,
    state: Path | None,
) -> None:
    """Predict the classes of IMAGES, which is a file or a folder with its subfolders.

    The output has one row per image, with the probability of every class. If the command is interrupted, the same
    command continues where it stopped. Without --out, IMAGES must be the dataset of the run; the app then shows the
    predictions as suggestions.
    """
    from mia_tui.runs.prediction.predictions import PartialFile, check_format, make_header

    report = Report(as_json=as_json)
    if out is not None:
        check_format(out)
    _check_images(images)
    run, weights = find_network(run_text, dataset or (images if images.is_dir() else None), state)
    suggests = out is None
    out = out or _suggestions_file(run, images, state)
    network = load_network(report, weights, device, precision, max_megapixels)
    root, keys, other_kinds = _find_images(report, images, frames or network.card.frames)
    header = make_header(root, weights, network.card, tta=tta)
    root_of_run = run.root if suggests and run is not None else None
    partial = PartialFile(out, header, keys, root=root_of_run)
    try:
        _predict(report, network, root, keys, partial, batch_size, tta)
    finally:
        partial.close()
    _write_output(report, out, header, images if suggests else None, state, root_of_run, other_kinds)


def _suggestions_file(run: "RunDir | None", images: Path, state: Path | None) -> Path:
    """The file in the run's folder.

    Raises:
        ConfigError: If the images are not the dataset that the run belongs to.
        RunError: If the disk does not take a folder there.
    """
    from mia_tui.paths import is_same_folder
    from mia_tui.runs.disk import make_folder
    from mia_tui.runs.list.find import runs_of

    hint = "Name a file with --out."
    if run is None:
        raise ConfigError("A weights file outside of a run has no place for suggestions.", hint)
    if not images.is_dir():
        raise ConfigError(f"{printable(images)} is a file, and suggestions are for a whole dataset.", hint)
    if not any(is_same_folder(run.path, each.path) for each in runs_of(images, state)):
        raise ConfigError(
            f"The run {printable(run.name)} is not one of {printable(images)}, so the app would not find "
            "suggestions there.",
            hint,
        )
    try:
        make_folder(run.predictions, root=run.root)
    except RunError as error:  # such as a colleague's run; predictions need not be in it
        raise RunError(error.message, "Name a file elsewhere with --out.") from error
    return run.suggestions


def _check_images(images: Path) -> None:
    """Refuse what is neither a file nor a folder, before torch is imported."""
    from mia_tui.dataset.scan.scan import check_root

    if not images.exists():
        raise DataError(f"There is no file or folder {printable(images)}.", "Check how it is spelt.")
    if not images.is_file():
        check_root(images)


def _find_images(
    report: Report, images: Path, frames: str
) -> "tuple[Path, Sequence[ImageKey], Mapping[str, int]]":
    """The folder, its images, and how many files of other kinds are there, by ending."""
    from mia_tui.dataset.images.reading import count_frames
    from mia_tui.dataset.model import ImageKey

    if images.is_file():
        pages = range(count_frames(images, animated=frames))  # type: ignore[arg-type]
        return images.absolute().parent, [ImageKey(images.name, page) for page in pages], {}
    found = scan_images(report, images, frames)  # type: ignore[arg-type]
    return images, found.keys, found.other_kinds.kinds


def _predict(
    report: Report,
    network: "Predictor",
    root: Path,
    keys: "Sequence[ImageKey]",
    partial: "PartialFile",
    batch_size: int,
    tta: bool,
) -> None:
    if partial.done:
        report.say(f"{partial.done:,} images are already predicted; continuing with the others.")
    if partial.faults:
        again = _rows(report, network, root, iter(partial.faults), batch_size, tta)
        partial.mend(row for row in again if row.probabilities is not None)
    rows = _rows(report, network, root, islice(keys, partial.done, None), batch_size, tta)
    with report.counting("Predicting", total=len(keys)) as bar:
        done = partial.done
        while chunk := list(islice(rows, _ROWS_AT_ONCE)):
            partial.append(chunk)
            done += len(chunk)
            bar.update(done, len(keys))


def _rows(
    report: Report,
    network: "Predictor",
    root: Path,
    keys: "Iterator[ImageKey]",
    batch_size: int,
    tta: bool,
) -> "Iterator[PredictionRow]":
    from mia_tui.runs.prediction.predictions import PredictionRow
    from mia_tui.text import encode_name

    try:
        for prediction in network.predict(
            root, keys, batch_size=batch_size, tta=tta, on_wait=report_waiting(report)
        ):
            probabilities = None if prediction.probabilities is None else prediction.probabilities.tolist()
            yield PredictionRow(
                encode_name(prediction.key.path), prediction.key.frame, probabilities, prediction.problem
            )
    except AwayError as error:
        hint = "When they are back, the same command continues where it stopped."
        raise AwayError(error.message, hint) from error


def _write_output(
    report: Report,
    out: Path,
    header: "PredictionHeader",
    dataset: Path | None,
    state: Path | None,
    root: Path | None,
    other_kinds: Mapping[str, int],
) -> None:
    """Write the output file, or suggestions for the dataset, and print a summary."""
    from mia_tui.runs.prediction.predictions import convert
    from mia_tui.runs.prediction.suggestions import write_suggestions
    from mia_tui.text import counted

    summary = convert(out, header, write_suggestions if dataset is not None else None, root=root)
    warn_of_unreadable(report, summary.problems, summary.problem_count)
    predicted = summary.by_class.total()
    what = "prediction" if dataset is None else "suggestion"
    report.say(f"{counted(predicted, what)} in {printable(out)}:")
    rows = [
        (printable(name), count, f"{count / predicted:.1%}") for name, count in summary.by_class.most_common()
    ]
    report.table(("class", "images", "share"), rows)
    if dataset is not None:
        report.say(f"`mia-tui {typed_dataset(dataset, state)}` shows them.")
    report.record(
        {
            "out": str(out),
            "predicted": predicted,
            "skipped": summary.problem_count,
            "other_kinds": other_kinds,
            "classes": summary.by_class,
        }
    )
