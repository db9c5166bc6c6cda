"""A prediction: the probabilities of the classes for each image, one row after the other into the run's folder.

What is there after a stop or a kill is continued. At the end the rows become the file that was asked for, or
suggestions for the app.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path

from mia_tui.config.predict import DecisionRule, PredictConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.other_kinds import OtherKinds
from mia_tui.dataset.scan.scan import iter_images, problem_notes
from mia_tui.dataset.scan.walk import ScanProblem
from mia_tui.engine.data.disk_watch import WorkStopped, is_folder_away, wait_for_folder
from mia_tui.engine.inference.ensemble import AnyPredictor
from mia_tui.engine.jobs.network import load_network, warn_of_other_stacks, warn_of_other_types
from mia_tui.engine.parallel.devices import work_on_devices
from mia_tui.engine.parallel.prediction import gather_other_types, predict_together
from mia_tui.engine.parallel.ranks import Ranks
from mia_tui.errors import DataError
from mia_tui.files import remove
from mia_tui.runs.prediction.create import earlier_rows
from mia_tui.runs.prediction.listing import PredictionListing, write_listing
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow, PredictionRows, make_header
from mia_tui.runs.prediction.result import write_result
from mia_tui.runs.prediction.shards import shard_settings
from mia_tui.runs.record.decision import (
    calibrated,
    decision_file,
    is_of_other_weights,
    read_decision,
    rule_of,
)
from mia_tui.runs.record.events import Outcome
from mia_tui.runs.record.job import PredictJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import counted, encode_name, printable

_LEAST_ROWS = 64  # written at once
_BATCHES_TOGETHER = 256  # their images are known by name at a time, and decoded ahead


def work(attempt: Attempt, job: PredictJob) -> Outcome:
    """Predict the images of a job that have no prediction yet; on several devices in a process for each.

    Raises:
        AwayError: If a disk was away for too long; what was predicted stays.
        MiaError: If the prediction cannot be made.
    """
    if (
        read_state(attempt.run).result is not None
    ):  # the attempt that saved it was killed before it could say so
        _clear(attempt.run)
        return "finished"
    return work_on_devices(attempt, job, _predict_all)


def _predict_all(attempt: Attempt, job: PredictJob, ranks: Ranks) -> Outcome:
    run, config = attempt.run, job.config
    network, digest = load_network(attempt, config, job.threads, ranks)
    header = make_header(
        run.predict_job().dataset,
        config,
        network.card,
        digest,
        rule=_rule(attempt, config, digest),
        unfamiliar=network.familiar is not None,
    )
    try:
        listing, other_kinds = ranks.from_first(partial(_find_images, attempt, job, network))
        _predict(attempt, job, network, header, listing, ranks)
    except WorkStopped:
        gather_other_types(ranks, network)
        warn_of_other_types(attempt, network)  # the next attempt does not see these images again
        return "stopped"
    gather_other_types(ranks, network)
    if not ranks.is_first:
        return "finished"
    attempt.phase("working", "writing the result")
    shard = None if config.shard is None else shard_settings(header, config, network.card)
    remark = warn_of_other_types(attempt, network)
    write = partial(write_result, run, header, listing, shard=shard, other_kinds=other_kinds, remark=remark)
    # A file outside of the run is not waited for: its folder may have been removed for good, and the rows stay.
    attempt.emit(attempt.write_when_back(write) if config.out is None else write())
    _clear(run)
    return "finished"


def _rule(attempt: Attempt, config: PredictConfig, digest: str) -> DecisionRule:
    """How probabilities become answers; warns of a threshold that was chosen for other weights."""
    weights = Path(config.weights)
    if config.ensemble:
        return config.rule or DecisionRule()
    if config.rule_by == "network" and is_of_other_weights(weights, digest=digest):
        attempt.warn(
            f"{printable(decision_file(weights))} was chosen for other weights and is not used.",
            "`mia-tui runs threshold` chooses one for these.",
        )
    return rule_of(read_decision(weights, digest=digest)) if config.rule is None else config.rule


def _clear(run: RunDir) -> None:
    """Remove what a prediction needs only while it grows."""
    for path in (run.rows, run.listing):
        with suppress(OSError):
            remove(path, root=run.root)


def _find_images(
    attempt: Attempt, job: PredictJob, network: AnyPredictor
) -> tuple[PredictionListing, dict[str, int]]:
    """List the images, again if their disk went away meanwhile; also counts files of other kinds, by ending."""
    root = Path(job.dataset)
    attempt.phase("loading", "looking for images")
    while True:
        frames: Counter[int] = Counter()
        wait_for_folder(root, attempt.should_stop, attempt.waiting_for_disk)
        try:
            listing, problems, other_kinds = attempt.write_when_back(
                partial(_list_once, attempt, job, network, frames)
            )
        except DataError:
            if not is_folder_away(root):
                raise
            continue
        if not is_folder_away(root):
            break
    for note in (*problem_notes(problems), *other_kinds.notes):
        attempt.warn(note)
    warn_of_other_stacks(attempt, network, frames.elements())
    return listing, dict(other_kinds.kinds)


def _list_once(
    attempt: Attempt, job: PredictJob, network: AnyPredictor, frames_of: Counter[int]
) -> tuple[PredictionListing, list[ScanProblem], OtherKinds]:
    """The images, the folders that cannot be read, and the files of other kinds; counts the frames' numbers."""
    run, config = attempt.run, job.config
    problems: list[ScanProblem] = []
    other_kinds = OtherKinds()
    images: Iterable[ImageKey] | None = run.images()
    if images is None:
        frames = config.frames or network.card.frames
        images = iter_images(
            Path(job.dataset),
            frames=frames,
            stacks=config.stacks,
            numbering=job.numbering,
            problems=problems,
            other_kinds=other_kinds,
        )
    listing = write_listing(
        run.listing,
        _counted(attempt, images, frames_of),
        batch_size=config.batch_size,
        shard=config.shard,
        root=run.root,
    )
    return listing, problems, other_kinds


def _counted(attempt: Attempt, images: Iterable[ImageKey], frames_of: Counter[int]) -> Iterator[ImageKey]:
    """Report how many images were found so far."""
    for count, image in enumerate(images, start=1):
        attempt.progress(count, 0)
        if count % _LEAST_ROWS == 0 and attempt.should_stop():
            raise WorkStopped
        frames_of[image.frame] += 1
        yield image


def _predict(
    attempt: Attempt,
    job: PredictJob,
    network: AnyPredictor,
    header: PredictionHeader,
    listing: PredictionListing,
    ranks: Ranks,
) -> None:
    """Add the rows that are missing; images that could not be read are tried again. The first process writes."""
    run, size, before = attempt.run, job.config.batch_size, earlier_rows(job)
    open_rows = partial(
        PredictionRows, run.rows, header, listing, batch_size=size, root=run.root, before=before
    )
    opened = ranks.together(lambda: attempt.write_when_back(open_rows) if ranks.is_first else None)
    done, faults = ranks.from_first(lambda: (opened.done, opened.faults) if opened else (0, []))
    if opened and before is not None and not done and os.path.isfile(before):  # noqa: PTH113  # Path's raises
        attempt.warn(
            f"{printable(before)} holds other predictions, which an earlier version began; it is not continued.",
            "Delete it if they are not needed.",
        )
    already = f"; {counted(done, 'image is', 'images are')} already predicted" if done else ""
    attempt.phase("working", f"predicting {job.config.scope} ({network.arithmetic}){already}")
    attempt.progress(done, listing.count)
    if faults:
        again = _rows(attempt, job, network, header.rule, _cut(faults, _BATCHES_TOGETHER * size), ranks)
        better = [row for row in again if row.probabilities is not None]
        if opened:
            attempt.write_when_back(partial(opened.mend, better))
    blocks = _blocks(attempt, listing, done, _BATCHES_TOGETHER * size)
    new = _rows(attempt, job, network, header.rule, blocks, ranks)
    while chunk := list(islice(new, size * -(-_LEAST_ROWS // size))):
        if opened:
            attempt.write_when_back(partial(opened.append, chunk))
        done += len(chunk)
        attempt.progress(done, listing.count)


def _cut(keys: Sequence[ImageKey], size: int) -> Iterator[Sequence[ImageKey]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _blocks(
    attempt: Attempt, listing: PredictionListing, done: int, size: int
) -> Iterator[Sequence[ImageKey]]:
    """The images behind those that are done, some at a time."""
    place = attempt.write_when_back(partial(listing.skip, done))
    while True:
        keys, place = attempt.write_when_back(partial(listing.read, place, size))
        if not keys:
            return
        yield keys


def _rows(
    attempt: Attempt,
    job: PredictJob,
    network: AnyPredictor,
    rule: DecisionRule,
    blocks: Iterable[Sequence[ImageKey]],
    ranks: Ranks,
) -> Iterator[PredictionRow]:
    """What the network says of images, at the temperature of a rule."""
    for keys in blocks:
        for prediction in predict_together(
            ranks,
            network,
            Path(job.dataset),
            keys,
            batch_size=job.config.batch_size,
            tta=job.config.tta,
            should_stop=attempt.should_stop,
            on_wait=attempt.waiting_for_disk,
            numbering=job.numbering,
        ):
            said = prediction.probabilities
            probabilities = None if said is None else calibrated(said[None], rule.temperature)[0].tolist()
            yield PredictionRow(
                encode_name(prediction.key.path),
                prediction.key.frame,
                probabilities,
                prediction.problem,
                prediction.unfamiliar,
            )
