"""How bright the images of a run are for its network: measured once, when it begins, and kept in its folder."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mia_tui.dataset.images.intensity import AS_BEFORE, InputMap
from mia_tui.dataset.images.network.measuring import measure_input
from mia_tui.engine.data.disk_watch import DiskWatch, WorkStopped
from mia_tui.errors import DataError, DecodeError, RunError
from mia_tui.runs.record.input_words import input_sentence
from mia_tui.runs.record.job import Sample, TrainJob
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import printable


def settle_input_map(
    attempt: Attempt, job: TrainJob, training: Sequence[Sample], is_resumed: bool
) -> InputMap:
    """The map of a run: as it was measured when the run began, or measured now; none for runs of earlier versions.

    Args:
        attempt: Takes the reports.
        job: What is trained.
        training: The images of the training part.
        is_resumed: Whether there is a checkpoint.

    Raises:
        AwayError: If the disk with the images stayed away.
        DataError: If no image can be read as the settings want it.
        RunError: If the run's map is damaged or lost, or cannot be written.
        WorkStopped: If a stop was requested.
    """
    kept = attempt.run.input_map()
    if kept is None and job.numbering == AS_BEFORE.numbering:
        kept = AS_BEFORE
    if kept is None and is_resumed:
        raise RunError(
            f"The run {printable(attempt.run.name)} has lost its input.json, which says how bright its images are.",
            "Start a new run; the best weights of this one are still valid.",
        )
    if kept is None:
        attempt.phase("loading", "measuring how bright the images are")
        kept = _measure(attempt, job, training)
        attempt.write_when_back(partial(attempt.run.put_input_map, kept))
        if kept.channels and job.config.stain_jitter:
            attempt.warn(
                "--stain-jitter has no effect: the channels of these images are measurements, no picture in colour."
            )
    config = job.config
    attempt.phase("loading", input_sentence(kept, color=config.color, pixel_size=config.pixel_size))
    return kept


def _measure(attempt: Attempt, job: TrainJob, training: Sequence[Sample]) -> InputMap:
    root, rows = Path(job.dataset), range(len(training))
    watch = DiskWatch(
        root,
        [sample.path for sample in training],
        should_stop=attempt.should_stop,
        on_wait=attempt.waiting_for_disk,
    )
    while True:
        watch.wait(rows)
        try:
            measured = measure_input(
                root,
                training,
                job.config,
                numbering=job.numbering,
                threads=job.config.threads,
                should_stop=attempt.should_stop,
            )
        except DecodeError as error:
            if not watch.is_away(rows):
                raise DataError(
                    f"No image of the training part can be used. The first fault: {error.message}", error.hint
                ) from error
            continue
        if attempt.should_stop():  # then it is of a part of the sample
            raise WorkStopped
        return measured
