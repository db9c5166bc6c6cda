"""The fingerprint of the images of a run: taken once, beside the first steps, and kept in its folder."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from functools import partial
from pathlib import Path

from mia_tui.engine.data.disk_watch import WorkStopped
from mia_tui.errors import RunError
from mia_tui.runs.record.fingerprint import (
    DataFingerprint,
    FileFingerprint,
    data_fingerprint,
    file_fingerprints,
    fingerprint_of,
    trained_on,
    write_fingerprint,
)
from mia_tui.runs.record.job import Sample, TrainJob
from mia_tui.runs.worker.attempt import Attempt

_LOOK_EVERY_S = 0.2


class RunFingerprint:
    """The fingerprint of a run's images: as it is kept, or taken in the background.

    It is taken of a new run; of a resumed one only if no file has changed since the run was made.

    Args:
        attempt: Writes it, and is asked to stop.
        job: What is trained.
        samples: The images for training and validation.
        is_resumed: Whether there is a checkpoint.
    """

    def __init__(
        self, attempt: Attempt, job: TrainJob, samples: Sequence[Sample], *, is_resumed: bool
    ) -> None:
        self._attempt, self._job, self._samples = attempt, job, samples
        self._root = Path(job.dataset)
        self._paths = list(dict.fromkeys(sample.path for sample in trained_on(samples)))
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="fingerprint")
        self._is_closed = False
        self._taken: Future[list[FileFingerprint]] | None = None
        self._digest = ""
        self._is_resumed = is_resumed

    def begin(self) -> None:
        """Begin to take it, unless there is one."""
        kept = self._kept()
        self._digest = "" if kept is None else kept.digest
        if kept is None:
            self._taken = self._pool.submit(self._take)

    def digest(self) -> str:
        """The fingerprint; waits for it, and writes it if it was taken. Empty where what was read is not known.

        Raises:
            RunError: If it cannot be written.
            WorkStopped: If a stop was requested before it was there.
        """
        while self._taken is not None:
            try:
                files = self._taken.result(_LOOK_EVERY_S)
            except NotYet:
                if self._attempt.should_stop():
                    raise WorkStopped from None
                continue
            self._taken = None
            if files:
                whole = fingerprint_of(files, self._samples, self._job.classes)
                self._attempt.write_when_back(partial(write_fingerprint, self._attempt.run, whole, files))
                self._digest = whole.digest
        return self._digest

    def close(self) -> None:
        """Stop the thread."""
        self._is_closed = True
        self._pool.shutdown(cancel_futures=True)

    def _kept(self) -> DataFingerprint | None:
        try:
            return data_fingerprint(self._attempt.run)
        except RunError:
            return None

    def _take(self) -> list[FileFingerprint]:
        """Of each file; empty if the files may have changed since they were read."""
        if self._is_resumed and any(self._has_changed(path) for path in self._paths):
            return []
        files = list(file_fingerprints(self._root, self._paths, give_up=lambda: self._is_closed))
        return [] if self._is_closed else files

    def _has_changed(self, path: str) -> bool:
        try:
            status = (self._root / path).stat()
        except OSError:
            return True
        return max(status.st_mtime, status.st_ctime) >= self._job.created_at
