"""The fingerprint of the images of a run: taken once, when they have been read, and kept in its folder."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mia_tui.engine.data.disk_watch import WorkStopped
from mia_tui.errors import RunError
from mia_tui.runs.record.fingerprint import (
    data_fingerprint,
    file_fingerprints,
    fingerprint_of,
    trained_on,
    write_fingerprint,
)
from mia_tui.runs.record.job import Sample, TrainJob
from mia_tui.runs.worker.attempt import Attempt


def settle_fingerprint(
    attempt: Attempt, job: TrainJob, samples: Sequence[Sample], *, is_resumed: bool
) -> str:
    """The fingerprint of a run's images: as it is kept, or taken now; empty where what was read before is not known.

    Args:
        attempt: Takes the reports.
        job: What is trained.
        samples: The images for training and validation.
        is_resumed: Whether there is a checkpoint: then none is taken, since files may have changed meanwhile.

    Raises:
        RunError: If it cannot be written.
        WorkStopped: If a stop was requested.
    """
    try:
        kept = data_fingerprint(attempt.run)
    except RunError:
        kept = None
    if kept is not None or is_resumed:
        return "" if kept is None else kept.digest
    paths = list(dict.fromkeys(sample.path for sample in trained_on(samples)))
    attempt.phase("loading", "taking the fingerprint of the images")
    files = list(
        file_fingerprints(
            Path(job.dataset),
            paths,
            give_up=attempt.should_stop,
            progress=lambda done: attempt.progress(done, len(paths)),
        )
    )
    if attempt.should_stop():
        raise WorkStopped
    whole = fingerprint_of(files, samples, job.classes)
    attempt.write_when_back(partial(write_fingerprint, attempt.run, whole, files))
    return whole.digest
