"""A summary of each run of a dataset, cheap to refresh every second.

A run that has ended is not read again until one of its files has changed, which takes six `stat`s to find out. Of a
run at work only the new lines of its log are read. Steps, which are nearly all of a log, are not decoded,
and of many reports of progress only the newest.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mia_tui.catalog.metrics import MetricName, shown_metric
from mia_tui.config.train import TrainConfig
from mia_tui.errors import RunError
from mia_tui.paths import StateFolder, is_folder
from mia_tui.runs.list.find import places_of_runs
from mia_tui.runs.list.words import STATUS_WORDS, shown_status
from mia_tui.runs.record.events import KnownEvent, StepEnded, UnknownEvent
from mia_tui.runs.record.job import AnyJob, RunNotes
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventReader, decode_event
from mia_tui.runs.record.state import RunState
from mia_tui.runs.record.time_left import image_progress
from mia_tui.runs.worker.liveness import (
    IN_PROGRESS,
    ShownStatus,
    StatusTracker,
    is_on_this_host,
    read_record,
    run_status,
)
from mia_tui.text import counted, printable

RowStatus = Literal[ShownStatus, "damaged"]

_Signature = tuple[tuple[int, int, int] | None, ...]
_STEP = b'{"type":"step_ended"'
_MANY = re.compile(
    rb'^\{"type":"(?:step_ended".*\n?|progress".*\n(?=\{"type":"progress"))', re.MULTILINE
)  # of many reports of progress in a row the last is enough
_TRACES = ("events.jsonl", "checkpoints", "worker.json")  # only a run leaves these
_REPORT_EVERY_S = 0.3


@dataclass(frozen=True)
class RunSummary:
    """A run as a line of a table.

    Attributes:
        run: Its folder.
        status: What it is doing; damaged if it cannot be read.
        created_at: Unix seconds; 0 where unknown.
        job: What it is asked to do; None where that cannot be read.
        phase: What its worker is doing; empty before it reports that, and after its end.
        has_begun: Whether a worker ever started to train it.
        epochs: Epochs that are done.
        total_epochs: As the job asks for.
        metric: The metric in `best`.
        best: Its value in the best epoch, or of an evaluation; None before there is one.
        best_epoch: Its number.
        decides: The metric by which that epoch is the best; that of `best`, unless it is the loss.
        figures: Metrics of the best epoch, or of an evaluation, by name; empty before there are any.
        curve: The metric that decides, epoch by epoch.
        images: Images that it trains on and validates, or that it is about; None where that is not known.
        elapsed_s: Seconds of work.
        host: Where its worker is, if that is not here.
        note: What else the user should know, a sentence or empty.
        progress: Images (done, total) of a job other than a training; None before that is known.
        left_s: About how many seconds such a job still takes; None while that is not known.
        result: What such a job has made, a sentence; empty before its end.
        notes: What a person said of it.
    """

    run: RunDir
    status: RowStatus
    created_at: float
    job: AnyJob | None = None
    phase: str = ""
    has_begun: bool = False
    epochs: int = 0
    total_epochs: int = 0
    metric: MetricName = "macro_f1"
    best: float | None = None
    best_epoch: int | None = None
    decides: MetricName = "macro_f1"
    figures: Mapping[str, float] = field(default_factory=dict)
    curve: tuple[float, ...] = ()
    images: int | None = None
    elapsed_s: float = 0.0
    host: str = ""
    note: str = ""
    progress: tuple[int, int] | None = None
    left_s: float | None = None
    result: str = ""
    notes: RunNotes = field(default_factory=RunNotes)

    @property
    def title(self) -> str:
        """What people call it."""
        return self.notes.title or self.run.name

    @property
    def kind(self) -> str:
        """Of its job; empty where that cannot be read."""
        return self.job.kind if self.job is not None else ""

    @property
    def network(self) -> str:
        """What its network is called; empty where the job cannot be read."""
        return self.job.config.network if self.job is not None else ""

    @property
    def lives(self) -> bool:
        """Whether a worker has it, or is being started, or may have it."""
        return self.status in IN_PROGRESS


class RunSummaries:
    """The runs of some state folders.

    Args:
        places: State folders whose runs are listed.
    """

    def __init__(self, places: Iterable[Path]) -> None:
        self._places = tuple(places)
        self._readers: dict[str, SummaryReader] = {}

    @classmethod
    def of_dataset(cls, dataset: Path, state: Path | None) -> "RunSummaries":
        """The runs of a dataset; `state` is the folder given with --state."""
        return cls(place.root for place in places_of_runs(dataset, state))

    def refresh(
        self, on_partial: Callable[[tuple[RunSummary, ...]], None] | None = None, *, live_only: bool = False
    ) -> tuple[RunSummary, ...]:
        """Every run as it is now, the newest first.

        Args:
            on_partial: Called now and then with what is known so far: reading many runs the first time takes a while.
            live_only: Whether runs that had ended at the last call are assumed to be unchanged.

        Raises:
            RunError: If the folder of runs cannot be read.
        """
        folders = [folder for place in self._places for folder in _folders(StateFolder(place).runs)]
        before = self._readers
        self._readers = {
            folder: before.get(folder) or SummaryReader(RunDir(Path(folder))) for folder in folders
        }
        rows: list[RunSummary] = []
        reported_at = time.monotonic()
        for folder in sorted(folders, key=lambda folder: folder.rpartition(os.sep)[2], reverse=True):
            known = self._readers[folder]
            row = known.row if live_only and known.row and not known.row.lives else known.refresh()
            if row is not None:
                rows.append(row)
            if on_partial is not None and time.monotonic() - reported_at > _REPORT_EVERY_S:
                on_partial(_newest_first(rows))
                reported_at = time.monotonic()
        return _newest_first(rows)


@dataclass
class SummaryReader:
    """Summarises one run again and again, reading only what is new; `row` is the newest summary."""

    run: RunDir
    _job: AnyJob | None = None
    _reader: "_BriefReader | None" = None
    _state: RunState = field(default_factory=RunState)
    _tracker: StatusTracker = field(default_factory=StatusTracker)
    _taken_up_at: float = 0.0  # when the first event came after an end
    _signature: _Signature = ()
    _images: int | None = None  # of its list, which does not change
    row: RunSummary | None = None

    def __post_init__(self) -> None:
        run = self.run
        # Whatever happens to a run changes one of these files.
        self._watched_files = tuple(
            map(str, (*run.description_files(), run.events, run.worker_json, run.worker_log))
        )

    def refresh(self) -> RunSummary | None:
        """The run as it is now; None if the folder holds no run, or was deleted."""
        signature = tuple(map(_stamp, self._watched_files))
        if self._signature == signature and not (self.row is not None and self.row.lives):
            return self.row
        try:
            self.row = self._read() if signature[0] is not None else self._without_job()
        except (RunError, OSError) as error:
            self._forget()
            self.row = self._damaged(error)
        self._signature = signature
        if self.row is not None and not self.row.lives:
            self._forget()
        return self.row

    def _read(self) -> RunSummary:
        if self._job is None or self._reader is None:
            self._job = self.run.job()
            self._state, self._reader = RunState.of(self._job), _BriefReader(self.run.events)
        status = self._tracker.status(self.run)  # first: then what a worker wrote last is read as well
        if self._reader.was_replaced():
            self._forget()
            return self._read()
        for event in self._reader.iter_new():
            if self._state.outcome is not None:
                self._taken_up_at = event.t if not isinstance(event, UnknownEvent) else 0.0
            self._state.apply(event)
        return self._as_row(self._job, shown_status(status, self._state))

    def _as_row(self, job: AnyJob, status: ShownStatus) -> RunSummary:
        state = self._state
        training = job.config if isinstance(job.config, TrainConfig) else None
        record = read_record(self.run) if status in IN_PROGRESS else None
        at_work = status in ("running", "waiting") and state.outcome is None
        images = image_progress(state)
        result = state.result
        metric: MetricName = shown_metric(state.metric)
        if self._images is None:
            with suppress(OSError):  # the run can be shown without it
                self._images = self.run.sample_count()
        return RunSummary(
            self.run,
            status,
            job.created_at,
            job,
            phase=(state.phase_message or state.phase or "") if at_work else "",
            has_begun=state.started is not None,
            epochs=state.epochs[-1].epoch if state.epochs else 0,
            total_epochs=_total_epochs(state, training),
            metric=metric,
            best=state.best_value if result is None else result.figures.get(metric),
            best_epoch=state.best.epoch if state.best else None,
            decides=state.metric,
            figures=state.best_figures if result is None else result.figures,
            curve=tuple(row.figures[state.metric] for row in state.epochs if state.metric in row.figures),
            images=self._images or (images.total if images is not None else 0) or None,
            elapsed_s=self._elapsed_s(),
            host=record.host if record is not None and not is_on_this_host(record) else "",
            note=self._note(status),
            progress=(images.done, images.total) if images is not None else None,
            left_s=images.left_s if images is not None and at_work else None,
            result=result.sentence if result is not None else "",
            notes=self.run.notes(),
        )

    def _elapsed_s(self) -> float:
        """Seconds of work: up to the last epoch, and since then by the times of events, whose clock may jump."""
        state = self._state
        latest = max(state.updated_at or 0.0, self._reader.last_step_t() if self._reader else 0.0)
        begun = max(state.started.t if state.started else latest, self._taken_up_at)
        if state.epochs and state.epochs[-1].t >= begun:
            begun = state.epochs[-1].t
        return state.elapsed_s + max(0.0, latest - begun)

    def _note(self, status: ShownStatus) -> str:
        state = self._state
        if status == "failed" and state.error is not None:
            return f"{state.error.message} {state.error.hint or ''}".rstrip()
        if status in ("lost", "unknown"):
            return _sentence(STATUS_WORDS[status].partition(": ")[2])
        if status == "waiting":
            return _sentence(state.phase_message)
        bad = self._reader.bad_lines if self._reader else 0
        return f"{counted(bad, 'line')} of its log cannot be read." if bad else ""

    def _damaged(self, error: RunError | OSError) -> RunSummary | None:
        if not self.run.path.is_dir():
            return None
        words = str(error) if isinstance(error, RunError) else f"It cannot be read: {error.strerror}."
        status: RowStatus = "damaged"
        try:
            lives = run_status(self.run) in IN_PROGRESS
        except OSError:
            lives = False
        note = f"{words} A worker is still working on it." if lives else words
        return RunSummary(self.run, status, _folder_time(self.run.path), note=note)

    def _without_job(self) -> RunSummary | None:
        """A folder without job.json: being made, being deleted, not a run, or the remains of one."""
        self._forget()
        if not any((self.run.path / name).exists() for name in _TRACES):
            return None
        return self._damaged(RunError("Its job.json is missing."))

    def _forget(self) -> None:
        """Keep only the row: most runs have ended, and will not change any more."""
        self._job, self._reader, self._state = None, None, RunState()


class _BriefReader(EventReader):
    """Reads what a summary needs; of the steps, only when the last one ended."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._events = path
        self._last_step = b""

    def was_replaced(self) -> bool:
        """Whether the log is shorter than what was read of it, so another file."""
        try:
            return self._events.stat().st_size < self.offset
        except FileNotFoundError:
            return self.offset > 0

    def last_step_t(self) -> float:
        """When the last step ended; 0 before the first."""
        event = decode_event(self._last_step)
        return event.t if isinstance(event, StepEnded) else 0.0

    def _decode_lines(self, lines: bytes) -> list[KnownEvent | UnknownEvent]:
        last = lines.rfind(_STEP)
        if last >= 0:
            self._last_step = lines[last:].partition(b"\n")[0]
        return super()._decode_lines(_MANY.sub(b"", lines))


def _total_epochs(state: RunState, training: TrainConfig | None) -> int:
    """Of a training; its trials may have chosen more than it was asked for."""
    if training is None:
        return 0
    return (
        state.choice is not None and state.started is not None and state.started.total_epochs
    ) or training.epochs


def _newest_first(rows: Sequence[RunSummary]) -> tuple[RunSummary, ...]:
    return tuple(sorted(rows, key=lambda row: (row.created_at, row.run.name), reverse=True))


def _folders(runs: Path) -> list[str]:
    try:
        with os.scandir(runs) as entries:
            return [entry.path for entry in entries if is_folder(entry)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"{printable(runs)} cannot be read: {error.strerror}.") from error


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}." if words else ""


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        stat = os.stat(path)  # noqa: PTH116  # a Path costs more than asking the disk, and there are thousands
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _folder_time(folder: Path) -> float:
    try:
        return folder.stat().st_mtime
    except OSError:
        return 0.0
