"""`mia-tui predict`: the classes of images, by a trained network."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mia_tui.cli.jobs import exit_code, start_detached, work_in_front
from mia_tui.cli.network import find_network, network_options, warn_of_unreadable
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
from mia_tui.errors import AwayError, ConfigError, DataError
from mia_tui.paths import typed_dataset
from mia_tui.runs.prediction.formats import PREDICTION_FORMATS
from mia_tui.text import counted, decode_name, join_names, printable

if TYPE_CHECKING:
    from mia_tui.dataset.model import ImageKey
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.runs.record.state import RunState


@click.command("predict", cls=Command)
@path_argument("images")
@network_options
@path_option(
    "--out",
    lambda: (
        f"File for the predictions; its ending chooses the format: {join_names(PREDICTION_FORMATS, 'or')}. Without "
        "it the app shows them as suggestions."
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
    threads: int | None,
    detach: bool,
    dataset: Path | None,
    as_json: bool,
    state: Path | None,
    **settings: Any,
) -> int:
    """Predict the classes of IMAGES, which is a file or a folder with its subfolders.

    The output has one row per image, with the probability of every class. A prediction is a run, listed with the
    trainings of IMAGES; if it is interrupted, the same command continues where it stopped. Without --out, the app
    shows the predictions as suggestions when IMAGES is opened.
    """
    from mia_tui.runs.prediction.create import create_prediction
    from mia_tui.runs.prediction.predictions import check_format

    report = Report(as_json=as_json)
    if out is not None:
        check_format(out)
    _check_images(images)
    if out is None and images.is_file():
        raise ConfigError(
            f"Suggestions are for a folder, and {printable(images)} is a file.", "Name a file with --out."
        )
    _, weights = find_network(run_text, dataset or (images if images.is_dir() else None), state)
    folder, keys = _listed(images, weights, settings["frames"])
    run = create_prediction(
        folder,
        weights,
        state=state,
        keys=keys,
        threads=threads,
        command=shlex.join(["mia-tui", *sys.argv[1:]]),
        out=None if out is None else str(out.absolute()),
        scope="all images" if keys is None else printable(images.name),
        **settings,
    )
    return start_detached(report, run) if detach else _predict(report, run, images, state)


def _check_images(images: Path) -> None:
    """Refuse what is neither a file nor a folder, before anything is made."""
    from mia_tui.dataset.scan.scan import check_root

    if not images.exists():
        raise DataError(f"There is no file or folder {printable(images)}.", "Check how it is spelt.")
    if not images.is_file():
        check_root(images)


def _listed(images: Path, weights: Path, frames: str | None) -> "tuple[Path, list[ImageKey] | None]":
    """The folder, and its images if not all of them are meant."""
    from mia_tui.dataset.images.decode import count_frames
    from mia_tui.dataset.model import ImageKey
    from mia_tui.runs.record.model_card import read_card

    if images.is_dir():
        return images, None
    pages = count_frames(images, animated=frames or read_card(weights).frames)  # type: ignore[arg-type]
    return images.absolute().parent, [ImageKey(images.name, page) for page in range(pages)]


def _predict(report: Report, run: "RunDir", images: Path, state: Path | None) -> int:
    """Make the prediction in this terminal and print a summary."""
    from mia_tui.cli.output.progress import EpochProgress
    from mia_tui.runs.record.state import read_state

    job = run.predict_job()
    report.say(
        f"Run {printable(run.name)}: network {printable(job.config.network)}, {len(job.classes)} classes."
    )
    before = read_state(run)
    with EpochProgress(report, metric=before.metric, state=before) as progress:
        result = work_in_front(report, run, progress, record_events=False)
    if isinstance(result.error, AwayError):
        raise AwayError(result.error.message, "When it is back, the same command continues where it stopped.")
    if result.error is None and result.outcome == "stopped":
        report.note("Stopped; the same command continues where it stopped.")
    code = exit_code(result)
    if result.outcome == "finished":
        _summarise(report, run, progress.state, images, state)
    return code


def _summarise(
    report: Report, run: "RunDir", state: "RunState", images: Path, state_folder: Path | None
) -> None:
    result, out = state.result, run.predict_job().config.out
    assert result is not None
    warn_of_unreadable(report, result)
    predicted = sum(result.counts.values())
    what = "suggestion" if out is None else "prediction"
    report.say(f"{counted(predicted, what)} in {printable(run.suggestions if out is None else out)}:")
    rows = [
        (printable(decode_name(name)), count, f"{count / predicted:.1%}")
        for name, count in result.counts.items()
    ]
    report.table(("class", "images", "share"), rows)
    if out is None:
        report.say(f"`mia-tui {typed_dataset(images, state_folder)}` shows them.")
    report.record(
        {
            "run": str(run.path),
            "out": str(run.suggestions) if out is None else out,
            "predicted": predicted,
            "skipped": result.problem_count,
            "other_kinds": result.other_kinds,
            "classes": result.counts,
        }
    )
