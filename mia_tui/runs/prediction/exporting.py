"""What a run predicted, written for other programs, or as class folders with its images.

The predictions are those of a prediction, from its folder or from the file that it wrote, or those of the images that
a training or an evaluation has evaluated its network on.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from mia_tui.config.predict import DecisionRule, PredictConfig
from mia_tui.config.train import Frames
from mia_tui.dataset.interchange.export_file import writing_file
from mia_tui.dataset.interchange.folders_export import write_class_folders
from mia_tui.dataset.interchange.formats import Transfer
from mia_tui.dataset.interchange.programs.cvat import write_tags
from mia_tui.dataset.interchange.programs.fiftyone import write_classifications
from mia_tui.dataset.interchange.programs.label_studio import write_tasks
from mia_tui.dataset.interchange.programs.mia_results import write_mia_results
from mia_tui.dataset.interchange.programs.rows import ExportRow, ExportRows, RowsWriter
from mia_tui.dataset.model import FRAME_NUMBERING, WHOLE_STACK, ImageKey, StackMode
from mia_tui.dataset.scan.scan import iter_images
from mia_tui.errors import ConfigError, DataError, RunError
from mia_tui.runs.evaluation.results import Results, load_results
from mia_tui.runs.evaluation.threshold import evaluated_weights
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.prediction.formats import PREDICTION_FORMATS
from mia_tui.runs.prediction.prediction_file import read_prediction_file
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow
from mia_tui.runs.prediction.probabilities import MOST_CLASSES, ProbabilityLine, probability_lines
from mia_tui.runs.prediction.suggestions import SuggestionSet, read_suggestions
from mia_tui.runs.record.decision import calibrated, read_decision, rule_of
from mia_tui.runs.record.events import ResultSaved
from mia_tui.runs.record.job import AnyJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.text import counted, encode_name, printable

UNSURE_FOLDER = "unsure"

PROGRAM_FORMATS: dict[str, RowsWriter] = {
    "mia-csv": write_mia_results,
    "label-studio": write_tasks,
    "cvat": write_tags,
    "fiftyone": write_classifications,
}
"""Beside the endings of `PREDICTION_FORMATS`, by name."""

_VALUES = 1 << 21  # probabilities that are Python numbers at a time, 64 MiB


@dataclass(frozen=True, slots=True)
class PredictedImage:
    """One image.

    Attributes:
        row: Its class.
        probabilities: Of all classes; None if they are not known.
        unfamiliar: How far it is from all classes; None if that is not known.
    """

    row: ExportRow
    probabilities: list[float] | None = None
    unfamiliar: float | None = None


@dataclass(frozen=True)
class RunPredictions:
    """The predictions of a run.

    Attributes:
        run: The run.
        dataset: Folder of the images, as it is now.
        classes: Names, in the order of the network.
        model: What people call the network.
        rule: How probabilities became answers.
        images: To be gone through once.
    """

    run: RunDir
    dataset: Path
    classes: tuple[str, ...]
    model: str
    rule: DecisionRule
    images: Iterable[PredictedImage]


def read_predictions(
    run: RunDir, *, dataset: Path | None = None, threshold: float | None = None
) -> RunPredictions:
    """The predictions of a run.

    Args:
        run: A finished prediction, or a training or evaluation with results.
        dataset: As for `current_job`.
        threshold: In place of the one that it was predicted by; 0 always answers.

    Raises:
        RunError: If there are none, or they cannot be read; those that are read later may also raise it.
        DataError: If the file that it wrote is damaged or gone.
    """
    job = current_job(run, dataset)
    if isinstance(job.config, PredictConfig):
        found = _of_prediction(run, job, job.config)
    else:
        found = _of_results(load_results(run, dataset=dataset))
    if threshold is None:
        return found
    rule = DecisionRule(found.rule.temperature, threshold)
    return replace(
        found, rule=rule, images=(_decided_by(rule, image, found.classes) for image in found.images)
    )


def _decided_by(rule: DecisionRule, image: PredictedImage, classes: Sequence[str]) -> PredictedImage:
    row = image.row
    least = rule.threshold_of(classes[row.place])
    return replace(image, row=replace(row, unsure=row.probability is not None and row.probability < least))


def _of_prediction(run: RunDir, job: AnyJob, config: PredictConfig) -> RunPredictions:
    classes = tuple(item.name for item in job.classes)
    rule = config.rule or DecisionRule()
    images: Iterable[PredictedImage]
    result = read_state(run).result
    if result is None:
        raise RunError(
            f"The run {printable(run.name)} has no predictions yet.", "They come at its end; resume it."
        )
    if config.out is None:
        images = _of_suggestions(run, job, classes)
    elif config.shard is not None:
        raise RunError(
            f"The run {printable(run.name)} made a part of {printable(config.out)}.",
            "Join the parts with `mia-tui predict --join`.",
        )
    else:
        out = Path(config.out)
        images = _as_made(map(_of_row, read_prediction_file(out, classes)), result, classes, out)
    return RunPredictions(run, Path(job.dataset), classes, config.network, rule, images)


def _as_made(
    images: Iterable[PredictedImage], result: ResultSaved, classes: Sequence[str], out: Path
) -> Iterator[PredictedImage]:
    """The same images; refused at their end if there are other numbers of them than the run has made."""
    counts, unsure = Counter[str](), 0
    for image in images:
        unsure += image.row.unsure
        counts[encode_name(classes[image.row.place])] += not image.row.unsure
        yield image
    if (+counts, unsure) != (+Counter(result.counts), result.unsure):
        raise DataError(
            f"{printable(out)} holds other predictions than this run has made.",
            "Export those of the run that has made them, or predict again.",
        )


def _of_row(row: PredictionRow) -> PredictedImage:
    assert row.best is not None and row.probabilities is not None
    answer = ExportRow(row.key, row.best, row.probabilities[row.best], bool(row.unsure))
    return PredictedImage(answer, row.probabilities, row.unfamiliar)


def _of_suggestions(run: RunDir, job: AnyJob, classes: Sequence[str]) -> Iterator[PredictedImage]:
    """The suggestions in a run's folder, with the probabilities of all classes where those are known."""
    found = read_suggestions(SuggestionSet(run, run.name, 0.0, 0))
    unsure = np.zeros(len(found.keys), np.bool_) if found.unsure is None else found.unsure
    has_all = (
        job.numbering == FRAME_NUMBERING and run.probabilities.is_file() and len(classes) <= MOST_CLASSES
    )
    lines = probability_lines(run) if has_all else None
    for place, key in enumerate(found.keys):
        sure = float(found.confidences[place])
        row = ExportRow(
            key, int(found.best[place]), None if np.isnan(sure) else round(sure, 5), bool(unsure[place])
        )
        shares = None if lines is None else _shares(next(lines, None), key, len(classes), run)
        far = None if found.unfamiliar is None else float(found.unfamiliar[place])
        yield PredictedImage(row, shares, None if far is None or np.isnan(far) else round(far, 4))


def _shares(line: ProbabilityLine | None, key: ImageKey, classes: int, run: RunDir) -> list[float]:
    """The probabilities in a line, which must be that of the image."""
    is_its = line is not None and (line.file, line.frame) == (encode_name(key.path), key.frame)
    if line is None or not is_its or any(place >= classes for place in line.classes):
        raise RunError(f"{printable(run.probabilities)} is damaged.", "Predict again.")
    shares = [0.0] * classes
    for place, share in zip(line.classes, line.probabilities, strict=False):
        shares[place] = share
    return shares


def _of_results(results: Results) -> RunPredictions:
    """What a network said of the images that it was evaluated on, by the rule that is kept with it."""
    run = results.run
    rule = rule_of(read_decision(evaluated_weights(run)))
    return RunPredictions(run, results.dataset, results.classes, run.name, rule, _evaluated(results, rule))


def _evaluated(results: Results, rule: DecisionRule) -> Iterator[PredictedImage]:
    logs = results.log_probabilities
    if logs is None:
        raise RunError(
            f"The run {printable(results.run.name)} does not record the probabilities of its images.",
            "`mia-tui evaluate` with its network does.",
        )
    block = max(1, _VALUES // max(1, len(results.classes)))
    for start in range(0, len(results.keys), block):
        shares = calibrated(np.exp(logs[start : start + block].astype(np.float32)), rule.temperature)
        for key, said in zip(results.keys[start : start + block], shares.tolist(), strict=False):
            best = max(range(len(said)), key=said.__getitem__)
            unsure = said[best] < rule.threshold_of(results.classes[best])
            yield PredictedImage(ExportRow(key, best, said[best], unsure), said)


@dataclass
class ExportCount:
    """How many images were written, and what else there is to say."""

    images: int = 0
    unsure: int = 0
    notes: tuple[str, ...] = ()


def write_predictions(found: RunPredictions, out: Path, file_format: str) -> ExportCount:
    """Write the predictions of a run to a file, completely or not at all.

    Args:
        found: The predictions.
        out: The file.
        file_format: An ending of `PREDICTION_FORMATS` or a name of `PROGRAM_FORMATS`.

    Raises:
        ConfigError: If a format needs a package that is missing.
        DataError: If the disk does not take it.
        RunError: If the predictions cannot be read, or their probabilities are not known and the format has those.
    """
    count = ExportCount()
    images = _counted(found.images, count)
    if file_format in PROGRAM_FORMATS:
        rows = ExportRows(
            found.dataset.name, found.classes, (image.row for image in images), found.model or found.run.name
        )
        with writing_file(out) as file:
            done = PROGRAM_FORMATS[file_format](file, rows)
        count.images, count.notes = done.count, done.notes
        return count
    wanted = PREDICTION_FORMATS[file_format]
    wanted.check()
    with writing_file(out) as file:
        first = next(images, None)
        header = _header(found, unfamiliar=first is not None and first.unfamiliar is not None)
        every = () if first is None else _first_and(first, images)
        wanted.write(file, header, (_table_row(image, found) for image in every))
    return count


def _first_and(first: PredictedImage, others: Iterator[PredictedImage]) -> Iterator[PredictedImage]:
    yield first
    yield from others


def _counted(images: Iterable[PredictedImage], count: ExportCount) -> Iterator[PredictedImage]:
    for image in images:
        count.images += 1
        count.unsure += image.row.unsure
        yield image


def _header(found: RunPredictions, *, unfamiliar: bool) -> PredictionHeader:
    return PredictionHeader(
        images=encode_name(str(found.dataset)),
        weights="",
        classes=[encode_name(name) for name in found.classes],
        run=encode_name(found.model or found.run.name),
        tta=False,
        max_megapixels=0.0,
        unfamiliar=unfamiliar,
        rule=msgspec.structs.replace(
            found.rule, by_class={encode_name(name): least for name, least in found.rule.by_class.items()}
        ),
    )


def _table_row(image: PredictedImage, found: RunPredictions) -> PredictionRow:
    row, shares = image.row, image.probabilities
    if shares is None:
        raise RunError(
            f"The run {printable(found.run.name)} does not keep the probabilities of all classes.",
            "Write another format, as mia-csv, or predict again with --out.",
        )
    if row.probability is not None:
        shares = [*shares]
        shares[row.place] = row.probability
    return PredictionRow(
        encode_name(row.key.path),
        row.key.frame,
        shares,
        None,
        image.unfamiliar,
        best=row.place,
        unsure=row.unsure,
    )


def sort_images(
    found: RunPredictions, out: Path, *, transfer: Transfer = "copy", unsure: bool = True
) -> tuple[str, ExportCount]:
    """Sort the images of a run into a new folder for each class, and say what was done.

    Args:
        found: The predictions.
        out: A folder that does not exist yet or is empty; it appears once it is complete.
        transfer: As for `write_class_folders`.
        unsure: Whether images without an answer go to a folder `UNSURE_FOLDER`; else they are left out.

    Raises:
        ConfigError: If a class is called like that folder.
        DataError: As `write_class_folders`.
    """
    count = ExportCount()
    classes = list(found.classes)
    if unsure and found.rule.may_be_unsure:
        if UNSURE_FOLDER in (name.casefold() for name in classes):
            raise ConfigError(
                f"A class is called {UNSURE_FOLDER}, as the folder of the images that the network is unsure of.",
                "Leave these out with --unsure leave-out.",
            )
        classes.append(UNSURE_FOLDER)
    places: dict[ImageKey, int] = {}
    for image in _counted(found.images, count):
        if not image.row.unsure:
            places[image.row.key] = image.row.place
        elif unsure:
            places[image.row.key] = len(classes) - 1
    mode: StackMode = "whole" if any(key.frame == WHOLE_STACK for key in places) else "frames"
    frames: Frames = "all" if any(key.frame > 0 for key in places) else "first"  # of animated files
    there = iter_images(found.dataset, frames=frames, stacks=mode)
    keys = dict.fromkeys([*there, *places])
    done = write_class_folders(out, found.dataset, places, classes, keys=keys, transfer=transfer)
    left_out = (
        ""
        if unsure or not count.unsure
        else f" {counted(count.unsure, 'unsure image is', 'unsure images are')} left out."
    )
    return f"{done}{left_out}", count
