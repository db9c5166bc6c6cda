"""A job that makes features: of the images of a dataset that have none yet, into the user's cache folder.

Files of known content, as those that were renamed and those of a copied dataset, get the features that there are.
What is there after a stop or a kill is kept.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from mia_tui.dataset.hashes import file_hash
from mia_tui.dataset.images.intensity import InputMap
from mia_tui.dataset.images.network.measuring import measure_input
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageFile, ImageKey
from mia_tui.dataset.scan.file_cache import FileCache
from mia_tui.dataset.scan.folder_images import stat_image
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.engine.data.disk_watch import WorkStopped, is_folder_away, wait_for_folder
from mia_tui.engine.device import describe, pick_device, set_up
from mia_tui.engine.inference.features import (
    FeatureBatch,
    FeatureMaker,
    shipped_maker,
    shipped_settings,
    trained_maker,
)
from mia_tui.errors import CheckpointError, ConfigError, DataError, DecodeError, MiaError
from mia_tui.features.known_content import KnownContent
from mia_tui.features.layout import TableDescription, UnreadImage
from mia_tui.features.room import make_room
from mia_tui.features.table import FeatureTable
from mia_tui.features.writer import FeatureRow, FeatureWriter
from mia_tui.paths import is_same_folder
from mia_tui.runs.features.create import network_id
from mia_tui.runs.list.moved_dataset import current_train_job, present_samples
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.record.events import MOST_NAMED, Outcome, ResultSaved
from mia_tui.runs.record.job import FeaturesJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.text import counted, encode_name, printable

_SPREAD = 1024  # images from all over the dataset that come first, so that what is there soon shows all of it
_BLOCK = 16_384  # images that are known by name at a time, and decoded ahead
_KNOWN_AT_ONCE = 4096  # images that are compared with known ones before a stop is obeyed
_FLUSH_ROWS, _FLUSH_S = 1024, 0.5
_MOST_HASHED = 1 << 28  # bytes; larger files are told by their path, size and time alone
_GARBAGE = 1000  # rows of images that are gone, which are kept in case they come back


def work(attempt: Attempt, job: FeaturesJob) -> Outcome:
    """Make the features that are missing.

    Raises:
        AwayError: If the disk with the images was away for too long; what was made stays.
        MiaError: If they cannot be made.
    """
    config, root = job.config, Path(job.dataset)
    choice = pick_device(config.device)
    threads = job.threads or usable_cores()
    set_up(choice.device, threads=threads, deterministic=False)
    attempt.started(device=describe(choice.device))
    if choice.warning:
        attempt.warn(f"Computing on the CPU: {choice.warning}")
    with FeatureWriter(root, config.network_id) as writer, ThreadPoolExecutor(threads, "digest") as pool:
        try:
            making = _Making(attempt, job, writer, _listed(attempt, job), choice.device, pool)
            making.copy_known()
            making.compute()
        except WorkStopped:
            return "stopped"
        attempt.emit(making.finish())
    return "finished"


def _listed(attempt: Attempt, job: FeaturesJob) -> Listing:
    """The images of the dataset, listed again if their disk went away meanwhile."""
    root = Path(job.dataset)
    attempt.phase("loading", "looking for images")
    while True:
        wait_for_folder(root, attempt.should_stop, attempt.waiting_for_disk)
        try:
            found = list_images(root, stacks=job.config.stacks, stop=attempt.should_stop)
        except DataError:
            if not is_folder_away(root):
                raise
            continue
        if found is None:
            raise WorkStopped
        if not is_folder_away(root):
            return found.listing


class _Making:
    """The features of one dataset while they are made.

    Args:
        attempt: Takes the reports.
        job: What is made.
        writer: Takes the rows.
        listing: The images.
        device: Of the network.
        pool: Reads files for their digests.
    """

    def __init__(
        self,
        attempt: Attempt,
        job: FeaturesJob,
        writer: FeatureWriter,
        listing: Listing,
        device: torch.device,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._attempt, self._job, self._writer, self._listing = attempt, job, writer, listing
        self._root = Path(job.dataset)
        self._index = FileCache(self._root)
        self._digests: dict[str, str] = {}
        self._parts = _parts(job)
        self._unread: list[UnreadImage] = []
        self._threads = job.threads or usable_cores()
        self._pool = pool
        self._maker = self._load(device)
        self._make_room()
        missing = np.flatnonzero(self._table().places(listing) < 0)
        self._missing: NDArray[np.int32] = missing.astype(np.int32)
        self._sizes, self._times = listing.sizes, listing.mtimes_ns

    def copy_known(self) -> None:
        """Take the features of files whose content has some."""
        assert self._writer.description is not None
        known = KnownContent(self._writer.description)
        sizes = known.of_size(set(self._sizes[self._missing].tolist())) if known else np.empty(0, np.int64)
        rows = self._missing[np.isin(self._sizes[self._missing], sizes)]
        if not len(rows):
            return
        self._attempt.phase(
            "loading", f"comparing {counted(len(rows), 'image')} with those that have features"
        )
        copied: set[ImageKey] = set()
        for start in range(0, len(rows), _KNOWN_AT_ONCE):
            if self._attempt.should_stop():
                self._index.save()
                raise WorkStopped
            images = [
                image for image in self._image_rows(rows[start : start + _KNOWN_AT_ONCE]) if image.digest
            ]
            for chosen, features in known.rows(images):
                self._writer.append(chosen, features)
                copied.update(image.key for image in chosen)
            self._attempt.progress(min(start + _KNOWN_AT_ONCE, len(rows)), len(rows))
        is_copied = [key in copied for key in self._listing.keys(self._missing)]
        self._missing = self._missing[~np.array(is_copied, np.bool_)]

    def compute(self) -> None:
        """Make the features of all others; what was made stays, however this ends."""
        total, config = len(self._listing), self._job.config
        if not len(self._missing):
            self._index.save()
            self._writer.put_unread([])
            return
        done = total - len(self._missing)
        already = f"; {counted(done, 'image has', 'images have')} some already" if done else ""
        self._attempt.phase("working", f"features of {counted(len(self._missing), 'image')}{already}")
        self._attempt.progress(done, total)
        waiting: list[tuple[list[FeatureRow], np.ndarray]] = []
        flushed_at = float("-inf")
        try:
            for rows in _in_blocks(_spread_first(self._missing), _BLOCK):
                for batch in self._maker.make(
                    self._root,
                    self._listing.keys(rows),
                    batch_size=config.batch_size,
                    should_stop=self._attempt.should_stop,
                    on_wait=self._attempt.waiting_for_disk,
                ):
                    waiting.append(self._finished(batch))
                    done += len(batch.keys) + len(batch.problems)
                    is_much = sum(len(images) for images, _ in waiting) >= _FLUSH_ROWS
                    if is_much or time.monotonic() - flushed_at >= _FLUSH_S:
                        self._flush(waiting)
                        flushed_at = time.monotonic()
                    self._attempt.progress(done, total)
        finally:
            self._flush(waiting)
            self._index.save()
            self._writer.put_unread(self._unread)

    def finish(self) -> ResultSaved:
        """Remove what nobody needs any more; returns what there is now."""
        table = self._table()
        places = table.places(self._listing)
        used = np.unique(places[places >= 0])
        if len(table) > 2 * len(used) + _GARBAGE:
            self._writer.keep_only(used.astype(np.int32))
        network = table.network
        have = counted(int((places >= 0).sum()), "image has", "images have")
        problems = {_named(bad): bad.problem for bad in self._unread[:MOST_NAMED]}
        return ResultSaved(
            t=time.time(),
            sentence=f"{have} {network.dims:,} features by {printable(network.name)}.",
            file=encode_name(str(self._writer.folder.path)),
            problem_count=len(self._unread),
            problems=problems,
        )

    def _load(self, device: torch.device) -> FeatureMaker:
        """Load the network, and go on with its rows."""
        config = self._job.config
        self._attempt.phase("loading", f"the network {config.network}")
        load = partial(trained_maker, device=device, precision=config.precision, threads=self._threads)
        if config.weights is not None:
            weights = Path(config.weights)
            if network_id(weights) != config.network_id:
                raise CheckpointError(
                    f"{printable(weights)} holds other weights than when this job was started.",
                    "Start it again with the weights of now.",
                )
            maker, input_map = load(weights)
        else:
            input_map = self._measured()
            maker = shipped_maker(input_map, device=device, precision=config.precision, threads=self._threads)
        trained = None if config.weights is None else RunDir(Path(config.weights).parent.parent)
        run = str(trained.path) if trained is not None and trained.exists() else ""
        self._writer.begin(
            TableDescription(
                id=config.network_id, name=config.network, dims=maker.dims, run=run, input_map=input_map
            )
        )
        return maker

    def _measured(self) -> InputMap:
        """How values of files become brightness: as a training measures it.

        Types of numbers that are known from the rows that are there keep their limits. If most images have other
        channels now, all rows are made anew.
        """
        rows = np.linspace(0, len(self._listing) - 1, min(len(self._listing), _SPREAD)).astype(np.int32)
        try:
            measured = measure_input(
                self._root,
                self._listing.keys(rows),
                shipped_settings(),
                threads=self._threads,
                should_stop=self._attempt.should_stop,
            )
        except DecodeError as error:
            raise DataError(f"No image can be used. The first fault: {error.message}", error.hint) from error
        if self._attempt.should_stop():  # then it is of a part of the sample
            raise WorkStopped
        before = None if self._writer.description is None else self._writer.description.input_map
        if before is None or (before.mode, before.channels) != (measured.mode, measured.channels):
            return measured
        known = {limits.dtype for limits in before.limits}
        new = [limits for limits in measured.limits if limits.dtype not in known]
        bits: Literal[8, 16] = 16 if 16 in (before.bits, measured.bits) else 8
        return msgspec.structs.replace(measured, limits=[*before.limits, *new], bits=bits)

    def _make_room(self) -> None:
        description = self._writer.description
        assert description is not None
        most, need = self._job.config.most_bytes, len(self._listing) * description.row_bytes
        if need > most:
            raise ConfigError(
                f"The features of {counted(len(self._listing), 'image')} take {need / 1e9:.1f} GB, and those of all "
                f"datasets may take {most / 1e9:.1f} GB.",
                "features_gb in config.toml sets how much.",
            )
        more = max(0, len(self._listing) - len(self._writer)) * description.row_bytes
        make_room(most, keep=self._writer.folder, wanted_bytes=more)

    def _table(self) -> FeatureTable:
        assert self._writer.description is not None
        table = FeatureTable(self._writer.folder, self._writer.description)
        table.refresh()
        return table

    def _finished(self, batch: FeatureBatch) -> tuple[list[FeatureRow], np.ndarray]:
        """The rows of a batch, without files that changed since they were listed."""
        rows = self._listing.rows(batch.keys)
        images = self._image_rows(rows)
        kept = [place for place, image in enumerate(images) if image.size >= 0]
        for key, problem in batch.problems.items():
            row = self._listing.row(key)
            assert row is not None
            size, time_ns = int(self._sizes[row]), int(self._times[row])
            self._unread.append(UnreadImage(encode_name(key.path), key.frame, size, time_ns, problem))
        return [images[place] for place in kept], batch.features[kept]

    def _flush(self, waiting: list[tuple[list[FeatureRow], np.ndarray]]) -> None:
        images = [image for some, _ in waiting for image in some]
        if images:
            self._writer.append(images, np.concatenate([features for _, features in waiting]))
        waiting.clear()

    def _image_rows(self, rows: NDArray[np.int32]) -> list[FeatureRow]:
        """Images with the digests of their files; the size is -1 where a file changed since it was listed."""
        keys = self._listing.keys(rows)
        facts = zip(keys, self._sizes[rows].tolist(), self._times[rows].tolist(), strict=True)
        files = [ImageFile(key.path, size, time_ns) for key, size, time_ns in facts]
        self._hash(list({file.path: file for file in files if file.path not in self._digests}.values()))
        return [
            FeatureRow(
                key,
                file.size if file.path in self._digests and file.size is not None else -1,
                file.mtime_ns or 0,
                self._digests.get(file.path, ""),
                self._parts.get(key, ""),
            )
            for key, file in zip(keys, files, strict=True)
        ]

    def _hash(self, files: list[ImageFile]) -> None:
        for file, digest in zip(files, self._pool.map(self._digest, files), strict=True):
            if digest is not None:
                self._digests[file.path] = digest
                if digest:
                    self._index.remember(file, hash=digest)

    def _digest(self, file: ImageFile) -> str | None:
        """The digest of a file, empty for a large one; None if it changed since it was listed."""
        path = self._root / file.path
        try:
            status = stat_image(path)
            if (status.st_size, status.st_mtime_ns) != (file.size, file.mtime_ns):
                return None
            if status.st_size > _MOST_HASHED:
                return ""
            return self._index.hash(file) or file_hash(path)
        except OSError:
            return None


def _parts(job: FeaturesJob) -> dict[ImageKey, str]:
    """The part of each image of the dataset in the training of the network."""
    if job.config.weights is None:
        return {}
    run = RunDir(Path(job.config.weights).parent.parent)
    try:
        trained = current_train_job(run)
        if not is_same_folder(Path(trained.dataset), Path(job.dataset)):
            return {}
        return {ImageKey(sample.path, sample.frame): sample.split for sample in present_samples(run, trained)}
    except MiaError:  # a weights file by itself
        return {}


def _spread_first(rows: NDArray[np.int32]) -> NDArray[np.int32]:
    """Some from all over the dataset, then the others in its order, in which a disk reads them fastest."""
    if len(rows) <= 2 * _SPREAD:
        return rows
    places = np.linspace(0, len(rows) - 1, _SPREAD).astype(np.int64)
    return np.concatenate([rows[places], np.delete(rows, places)])


def _in_blocks(rows: NDArray[np.int32], size: int) -> Iterator[NDArray[np.int32]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _named(bad: UnreadImage) -> str:
    return f"{bad.path} frame {bad.frame}" if bad.frame > 0 else bad.path
