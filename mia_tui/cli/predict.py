"""`mia-tui predict`: the classes of images, by a trained network."""

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from mia_tui.cli.output.report import Report
from mia_tui.cli.shared.jobs import (
    after_option,
    exit_code,
    join_others,
    run_to_wait_for,
    start_detached,
    work_in_front,
)
from mia_tui.cli.shared.network import find_networks, network_options, warn_of_unreadable
from mia_tui.cli.shared.options import (
    Command,
    Option,
    dataset_option,
    json_option,
    path_argument,
    path_option,
    state_option,
)
from mia_tui.errors import AwayError, ConfigError, DataError
from mia_tui.paths import find_state, real_path, typed_dataset
from mia_tui.runs.prediction.formats import PREDICTION_FORMATS
from mia_tui.text import counted, decode_name, join_names, printable

if TYPE_CHECKING:
    from mia_tui.dataset.model import ImageKey
    from mia_tui.runs.prediction.predictions import PredictionSummary
    from mia_tui.runs.record.events import ResultSaved
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.runs.record.state import RunState


def _parse_shard(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """`3/8`: the third of eight parts."""
    if value is None:
        return None
    match = re.fullmatch("([0-9]{1,6})/([0-9]{1,6})", value, re.ASCII)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise click.BadParameter(f"{printable(value)} is not a part such as 3/8, the third of eight.")
    return int(match[1]), int(match[2])


@click.command("predict", cls=Command)
@path_argument("images", required=False)
@network_options
@path_option(
    "--out",
    lambda: (
        f"File for the predictions; its ending chooses the format: {join_names(PREDICTION_FORMATS, 'or')}. Without "
        "it the app shows them as suggestions."
    ),
)
@click.option(
    "--shard",
    cls=Option,
    callback=_parse_shard,
    metavar="I/N",
    help="Predict only the I-th of N parts, by several processes or machines; --join makes one file of them.",
)
@path_option("--join", lambda: "Join the parts of this file, when all are there; takes no other options.")
@click.option(
    "--threshold",
    cls=Option,
    type=click.FloatRange(0.0, 1.0),
    metavar="P",
    help="Least probability of an answer, here in place of that of the network; images below it are unsure.",
)
@click.option(
    "--no-threshold", cls=Option, is_flag=True, help="Answer always, whatever threshold the network has."
)
@click.option(
    "--frames",
    cls=Option,
    type=click.Choice(["first", "all"], case_sensitive=False),
    help="Frames of animated files; by default as in training.",
)
@dataset_option
@after_option
@json_option
@state_option
def command(
    images: Path | None,
    run_texts: tuple[str, ...],
    out: Path | None,
    shard: tuple[int, int] | None,
    join: Path | None,
    threshold: float | None,
    no_threshold: bool,
    threads: int | None,
    detach: bool,
    after: str | None,
    dataset: Path | None,
    as_json: bool,
    state: Path | None,
    **settings: Any,
) -> int:
    """Predict the classes of IMAGES, which is a file or a folder with its subfolders.

    The output has one row per image, with the probability of every class. Several networks with the same classes
    (--run A --run B, or the name of repeated runs) answer together. A prediction is a run, listed with the trainings
    of IMAGES; if it is interrupted, the same command continues where it stopped. Without --out, the app
    shows the predictions as suggestions when IMAGES is opened.
    """
    from mia_tui.config.devices import check_devices
    from mia_tui.runs.prediction.create import create_prediction
    from mia_tui.runs.prediction.predictions import check_format

    report = Report(as_json=as_json)
    if join is not None:
        _refuse_others()
        return _join(report, join)
    if images is None:
        raise ConfigError("Predict which images?", "Name them: `mia-tui predict IMAGES --run RUN`.")
    if out is not None:
        check_format(out)
    elif shard is not None:
        raise ConfigError("Parts are of a file.", "Name it with --out.")
    if no_threshold:
        if threshold is not None:
            raise ConfigError(
                "--threshold and --no-threshold contradict each other.", "Leave one of them out."
            )
        threshold = 0.0
    settings["threshold"] = threshold
    check_devices(settings["devices"], settings["device"])
    code = join_others(detach=detach)
    if code is not None:
        return code
    _check_images(images)
    if out is None and not _is_dataset(images):
        what = "a file" if images.is_file() else "one image"
        raise ConfigError(
            f"Suggestions are for a folder, and {printable(images)} is {what}.", "Name a file with --out."
        )
    place = dataset or (images if _is_dataset(images) else None)
    weights, *others = [file for _, file in find_networks(run_texts, place, state)]
    settings["others"] = others
    folder, keys = _listed(images, weights, settings["frames"], state)
    if shard is not None and out is not None and _is_there(report, folder, weights, out, shard, settings):
        return 0
    ahead = run_to_wait_for(report, after, place, state, anywhere=True)
    run = create_prediction(
        folder,
        weights,
        state=state,
        keys=keys,
        threads=threads,
        after=ahead,
        command=shlex.join(["mia-tui", *sys.argv[1:]]),
        out=None if out is None else str(out.absolute()),
        shard=shard,
        scope="all images" if keys is None else printable(images.name),
        **settings,
    )
    return start_detached(report, run) if detach else _predict(report, run, images, state)


def _refuse_others() -> None:
    """Refuse options that --join would ignore."""
    ctx = click.get_current_context()
    given = (name for name in ctx.params if ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE)
    others = [name for name in given if name not in ("join", "as_json")]
    if others:
        raise ConfigError(
            "--join takes nothing but the name of a file.", "Leave IMAGES and the other options out."
        )


def _join(report: Report, out: Path) -> int:
    from mia_tui.runs.prediction.predictions import check_format
    from mia_tui.runs.prediction.shards import join_shards

    check_format(out)
    summary = join_shards(out.absolute())
    _print_counts(report, "prediction", out, dict(summary.by_class.most_common()), summary.unsure)
    if summary.problem_count:
        report.warn(f"{counted(summary.problem_count, 'image')} could not be read: {summary.sentence}.")
    _record_file(report, out, summary)
    return 0


def _is_there(
    report: Report, folder: Path, weights: Path, out: Path, shard: tuple[int, int], settings: dict[str, Any]
) -> bool:
    """Whether a part has been made by the same command already; says so."""
    from mia_tui.config.predict import DecisionRule
    from mia_tui.runs.prediction.create import prediction_config
    from mia_tui.runs.prediction.predictions import make_header
    from mia_tui.runs.prediction.shards import finished_shard, shard_file, shard_settings
    from mia_tui.runs.record.model_card import read_card, weights_digest

    config, card = prediction_config(weights, shard=shard, **settings), read_card(weights)
    rule = config.rule or DecisionRule()
    digest = config.digest or weights_digest(weights)
    header = make_header(str(real_path(folder)), config, card, digest, rule=rule)
    summary, part = finished_shard(out, shard, shard_settings(header, config, card)), shard_file(out, shard)
    if summary is None:
        return False
    report.say(f"Part {shard[0]} of {shard[1]} is complete: {printable(part)}.")
    _record_file(report, part, summary)
    return True


def _record_file(report: Report, file: Path, summary: "PredictionSummary") -> None:
    """With --json, say what is in a file of predictions that no run has just made."""
    report.record(
        {
            "out": str(file),
            "predicted": summary.predicted,
            "unsure": summary.unsure,
            "skipped": summary.problem_count,
            "classes": dict(summary.by_class.most_common()),
        }
    )


def _check_images(images: Path) -> None:
    """Refuse what is neither a file nor a folder, before anything is made."""
    from mia_tui.dataset.scan.scan import check_root

    if not images.exists():
        raise DataError(f"There is no file or folder {printable(images)}.", "Check how it is spelt.")
    if not images.is_file():
        check_root(images)


def _is_dataset(images: Path) -> bool:
    from mia_tui.dataset.images.formats import is_folder_image_name

    return images.is_dir() and not is_folder_image_name(images.name)


def _listed(
    images: Path, weights: Path, frames: str | None, state: Path | None
) -> "tuple[Path, list[ImageKey] | None]":
    """The folder, and its images if not all of them are meant."""
    from mia_tui.dataset.images.reading import count_frames
    from mia_tui.dataset.scan.scan import keys_of
    from mia_tui.runs.prediction.create import stacks_for
    from mia_tui.runs.record.model_card import read_card

    if _is_dataset(images):
        return images, None
    folder, card = images.absolute().parent, read_card(weights)
    count = count_frames(images, animated=frames or card.frames)  # type: ignore[arg-type]
    return folder, keys_of(images.name, count, stacks_for(folder, card, state))


def _predict(report: Report, run: "RunDir", images: Path, state: Path | None) -> int:
    """Make the prediction in this terminal and print a summary."""
    from mia_tui.cli.output.progress import EpochProgress
    from mia_tui.runs.record.state import read_state

    job = run.predict_job()
    networks = f"{'networks' if job.config.ensemble else 'network'} {printable(job.config.network)}"
    report.say(f"Run {printable(run.name)}: {networks}, {len(job.classes)} classes.")
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


def _unshown(run: "RunDir", images: Path, state: Path | None) -> str:
    """A sentence about suggestions of whole stacks, where their frames are labelled; empty if there are none."""
    from mia_tui.dataset.model import WHOLE_STACK
    from mia_tui.dataset.stacks import unshown_words
    from mia_tui.dataset.store.label_store import LabelStore
    from mia_tui.runs.prediction.suggestions import SuggestionSet, read_suggestions

    if run.predict_job().config.stacks != "whole":
        return ""
    store = LabelStore.open_existing(find_state(images, state).labels_db)
    if store is not None:
        with store:
            if store.stack_mode() == "whole":
                return ""
    keys = read_suggestions(SuggestionSet(run, run.name, 0.0, 0)).keys
    return unshown_words(sum(key.frame == WHOLE_STACK for key in keys), "frames")


def _summarise(
    report: Report, run: "RunDir", state: "RunState", images: Path, state_folder: Path | None
) -> None:
    result, config = state.result, run.predict_job().config
    out = config.out
    assert result is not None
    warn_of_unreadable(report, result)
    what = "suggestion" if out is None else "prediction"
    predicted = _print_counts(report, what, _place_of(run, result), result.counts, result.unsure)
    if config.shard is not None:
        report.say(result.sentence)
    if out is None:
        typed = typed_dataset(images, state_folder)
        if unshown := _unshown(run, images, state_folder):
            report.warn(unshown, f"`mia-tui labels stacks {typed} whole` changes that.")
        report.say(f"`mia-tui {typed}` shows them.")
    report.record(
        {
            "run": str(run.path),
            "out": str(_place_of(run, result)),
            "predicted": predicted,
            "unsure": result.unsure,
            "skipped": result.problem_count,
            "other_kinds": result.other_kinds,
            "remark": result.remark or None,
            "classes": result.counts,
        }
    )


def _place_of(run: "RunDir", result: "ResultSaved") -> Path:
    """The file with the result; one in the run is named relative to it."""
    return run.path / decode_name(result.file)


def _print_counts(report: Report, what: str, place: Path, counts: Mapping[str, int], unsure: int) -> int:
    """Print how many images were predicted as each class; returns how many in all."""
    predicted = sum(counts.values()) + unsure
    report.say(f"{counted(predicted, what)} in {printable(place)}:")
    rows = [
        (printable(decode_name(name)), count, f"{count / predicted:.1%}") for name, count in counts.items()
    ]
    if unsure:
        rows.append(("(unsure)", unsure, f"{unsure / predicted:.1%}"))
    report.table(("class", "images", "share"), rows)
    return predicted
