"""A prediction: the probabilities of the classes for each image, one row after the other into the run's folder.

What is there after a stop or a kill is continued. At the end the rows become the file that was asked for, or
suggestions for the app.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.other_kinds import OtherKinds
from mia_tui.dataset.scan.scan import iter_images, problem_notes
from mia_tui.dataset.scan.walk import ScanProblem
from mia_tui.engine.data.disk_watch import LoadingStopped
from mia_tui.engine.inference.predict import Predictor
from mia_tui.engine.jobs.network import load_network
from mia_tui.runs.prediction.create import earlier_rows
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow, PredictionRows, make_header
from mia_tui.runs.prediction.result import write_result
from mia_tui.runs.prediction.shards import of_shard
from mia_tui.runs.record.events import Outcome
from mia_tui.runs.record.job import PredictJob
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import counted, encode_name

_LEAST_ROWS = 64  # written at once
_BATCHES_TOGETHER = 256  # their images are known by name at a time, and decoded ahead


@dataclass(frozen=True)
class _Images:
    """What is predicted.

    Attributes:
        keys: The images in order, anew at each call; there may be millions.
        count: How many those are.
        total: How many there are with those of other parts.
        other_kinds: Files of other kinds, by ending.
    """

    keys: Callable[[], Iterable[ImageKey]]
    count: int
    total: int
    other_kinds: dict[str, int]


def work(attempt: Attempt, job: PredictJob) -> Outcome:
    """Predict the images of a job that have no prediction yet.

    Raises:
        AwayError: If a disk was away for too long; what was predicted stays.
        MiaError: If the prediction cannot be made.
    """
    network = load_network(attempt, job.config, job.threads)
    header = make_header(attempt.run.predict_job().dataset, job.config, network.card)
    try:
        images = _find_images(attempt, job, network)
        _predict(attempt, job, network, header, images)
    except LoadingStopped:
        return "stopped"
    attempt.phase("working", "writing the result")
    result = write_result(attempt.run, header, total=images.total, other_kinds=images.other_kinds)
    attempt.emit(result)
    return "finished"


def _find_images(attempt: Attempt, job: PredictJob, network: Predictor) -> _Images:
    config, listed = job.config, attempt.run.images()
    problems: list[ScanProblem] = []
    other_kinds = OtherKinds()
    root, frames = Path(job.dataset), config.frames or network.card.frames

    def every(**found: object) -> Iterable[ImageKey]:
        return iter_images(root, frames=frames, **found) if listed is None else listed  # type: ignore[arg-type]

    def own() -> Iterable[ImageKey]:
        return every() if config.shard is None else of_shard(every(), config.batch_size, config.shard)

    attempt.phase("loading", "looking for images")
    total = 0
    for total, _ in enumerate(every(problems=problems, other_kinds=other_kinds), start=1):
        attempt.progress(total, 0)
        if total % _LEAST_ROWS == 0 and attempt.should_stop():
            raise LoadingStopped
    for note in (*problem_notes(problems), *other_kinds.notes):
        attempt.warn(note)
    count = total
    if config.shard is not None:
        count = sum(1 for _ in of_shard(range(total), config.batch_size, config.shard))
    return _Images(own, count, total, dict(other_kinds.kinds))


def _predict(
    attempt: Attempt, job: PredictJob, network: Predictor, header: PredictionHeader, images: _Images
) -> None:
    """Add the rows that are missing; images that could not be read are tried again."""
    run, size = attempt.run, job.config.batch_size
    rows = PredictionRows(
        run.rows, header, images.keys(), batch_size=size, root=run.root, before=earlier_rows(job)
    )
    before = f"; {counted(rows.done, 'image is', 'images are')} already predicted" if rows.done else ""
    attempt.phase("working", f"predicting {job.config.scope}{before}")
    attempt.progress(rows.done, images.count)
    if rows.faults:
        again = _rows(attempt, job, network, rows.faults)
        rows.mend(row for row in again if row.probabilities is not None)
    new = _rows(attempt, job, network, islice(images.keys(), rows.done, None))
    done = rows.done
    while chunk := list(islice(new, size * -(-_LEAST_ROWS // size))):
        attempt.write_when_back(partial(rows.append, chunk))
        done += len(chunk)
        attempt.progress(done, images.count)
        if attempt.should_stop():
            raise LoadingStopped


def _rows(
    attempt: Attempt, job: PredictJob, network: Predictor, keys: Iterable[ImageKey]
) -> Iterator[PredictionRow]:
    source, size = iter(keys), job.config.batch_size
    while some := list(islice(source, _BATCHES_TOGETHER * size)):
        for prediction in network.predict(
            Path(job.dataset),
            some,
            batch_size=size,
            tta=job.config.tta,
            should_stop=attempt.should_stop,
            on_wait=attempt.waiting_for_disk,
        ):
            probabilities = None if prediction.probabilities is None else prediction.probabilities.tolist()
            yield PredictionRow(
                encode_name(prediction.key.path), prediction.key.frame, probabilities, prediction.problem
            )
