"""A prediction: the probabilities of the classes for each image, one row after the other into the run's folder.

What is there after a stop or a kill is continued. At the end the rows become the file that was asked for, or
suggestions for the app.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import scan
from mia_tui.engine.data.disk_watch import LoadingStopped
from mia_tui.engine.inference.predict import Predictor
from mia_tui.engine.jobs.network import load_network
from mia_tui.runs.prediction.create import earlier_rows
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow, PredictionRows, make_header
from mia_tui.runs.prediction.result import write_result
from mia_tui.runs.record.events import Outcome
from mia_tui.runs.record.job import PredictJob
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import counted, encode_name

_LEAST_ROWS = 64  # written at once


def work(attempt: Attempt, job: PredictJob) -> Outcome:
    """Predict the images of a job that have no prediction yet.

    Raises:
        AwayError: If a disk was away for too long; what was predicted stays.
        MiaError: If the prediction cannot be made.
    """
    network = load_network(attempt, job.config, job.threads)
    header = make_header(attempt.run, network.card)
    try:
        keys, other_kinds = _images(attempt, job, network)
        _predict(attempt, job, network, header, keys)
    except LoadingStopped:
        return "stopped"
    attempt.phase("working", "writing the result")
    attempt.emit(write_result(attempt.run, header, other_kinds))
    return "finished"


def _images(
    attempt: Attempt, job: PredictJob, network: Predictor
) -> tuple[Sequence[ImageKey], dict[str, int]]:
    """The images, and how many files of other kinds are among them."""
    listed = attempt.run.images()
    if listed is not None:
        return listed, {}
    attempt.phase("loading", "looking for images")
    found = scan(
        Path(job.dataset),
        frames=job.config.frames or network.card.frames,
        progress=lambda done: attempt.progress(done, 0),
    )
    for note in found.notes:
        attempt.warn(note)
    return found.keys, dict(found.other_kinds.kinds)


def _predict(
    attempt: Attempt,
    job: PredictJob,
    network: Predictor,
    header: PredictionHeader,
    keys: Sequence[ImageKey],
) -> None:
    """Add the rows that are missing; images that could not be read are tried again."""
    run = attempt.run
    rows = PredictionRows(run.rows, header, keys, root=run.root, before=earlier_rows(job))
    before = f"; {counted(rows.done, 'image is', 'images are')} already predicted" if rows.done else ""
    attempt.phase("working", f"predicting {job.config.scope}{before}")
    attempt.progress(rows.done, len(keys))
    if rows.faults:
        again = _rows(attempt, job, network, iter(rows.faults))
        rows.mend(row for row in again if row.probabilities is not None)
    new = _rows(attempt, job, network, islice(keys, rows.done, None))
    done = rows.done
    while chunk := list(islice(new, max(_LEAST_ROWS, job.config.batch_size))):
        attempt.write_when_back(partial(rows.append, chunk))
        done += len(chunk)
        attempt.progress(done, len(keys))
        if attempt.should_stop():
            raise LoadingStopped


def _rows(
    attempt: Attempt, job: PredictJob, network: Predictor, keys: Iterator[ImageKey]
) -> Iterator[PredictionRow]:
    for prediction in network.predict(
        Path(job.dataset),
        keys,
        batch_size=job.config.batch_size,
        tta=job.config.tta,
        should_stop=attempt.should_stop,
        on_wait=attempt.waiting_for_disk,
    ):
        probabilities = None if prediction.probabilities is None else prediction.probabilities.tolist()
        yield PredictionRow(
            encode_name(prediction.key.path), prediction.key.frame, probabilities, prediction.problem
        )
