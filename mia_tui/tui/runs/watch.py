"""Threads that read runs again and again: runs in progress, all runs of a dataset, runs that have just ended."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mia_tui.catalog.metrics import MetricName, metric_words
from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.features import FeaturesConfig
from mia_tui.config.predict import PredictConfig
from mia_tui.config.train import TrainConfig
from mia_tui.errors import RunError
from mia_tui.runs.list.find import list_runs, places_of_runs, recent_runs
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.list.summaries import RowStatus, RunSummaries, RunSummary, SummaryReader
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.liveness import lives
from mia_tui.text import counted, printable

_EVERY_S = 1.0
_SEARCH_EVERY = 10  # polls; after this many, runs that were started elsewhere are searched for
_IDLE_EVERY = 2  # polls; the hundreds of runs that have ended are read less often than those in progress
_MOST = 20  # newest runs of this user, and of each dataset, that are read
_NEWS_SEARCH_EVERY = 4  # polls
_NO_SUGGESTIONS = 0, 0
_VERBS = {
    TrainConfig.kind: "Training",
    PredictConfig.kind: "Predicting",
    EvaluateConfig.kind: "Evaluating",
    FeaturesConfig.kind: "Looking at the images",
}
_MOST_NEWS = 50  # newest runs of a dataset whose end is reported


@dataclass(frozen=True)
class LiveRun:
    """A run in progress.

    Attributes:
        name: Of its folder.
        dataset: Folder of its images.
        status: starting, waiting, running, or unknown (its worker is on another host and silent).
        phase: What its worker is doing, or waits for; empty before it reports that.
        epoch: Epochs that are done.
        total_epochs: None before it has begun.
        metric: The metric whose value `best` is.
        best: The best value so far; None before there is one.
        images: (done, total) of a run that is no training; None before that is known.
        left_s: About how many seconds such a run still takes; None while that is not known.
    """

    name: str
    dataset: Path
    status: RowStatus
    phase: str
    epoch: int
    total_epochs: int | None
    metric: MetricName
    best: float | None
    images: tuple[int, int] | None = None
    left_s: float | None = None


class PollingThread(ABC):
    """A thread that calls `poll` again and again until it is stopped.

    Args:
        name: Of the thread.
        every_s: Seconds between two polls.

    Attributes:
        stopped: Whether it was asked to end.
    """

    def __init__(self, name: str, *, every_s: float = _EVERY_S) -> None:
        self._name, self._every_s = name, every_s
        self._wake = threading.Event()
        self._wanted = threading.Event()
        self._wanted.set()
        self.stopped = False

    @abstractmethod
    def poll(self) -> None:
        """Read once, and report what is new unless the thread was stopped; called in the thread, and by tests."""

    def start(self) -> None:
        threading.Thread(target=self._work, name=self._name, daemon=True).start()

    def stop(self) -> None:
        """End soon; nothing is reported any more."""
        self.stopped = True
        self._wanted.set()
        self._wake.set()

    def poll_now(self) -> None:
        """Do not wait for the next poll."""
        self._wake.set()

    def pause(self) -> None:
        """Do nothing until `resume`, because nobody sees the result."""
        self._wanted.clear()

    def resume(self) -> None:
        self._wanted.set()
        self._wake.set()

    def _work(self) -> None:
        while not self.stopped:
            self.poll()
            self._wake.wait(self._every_s)
            self._wake.clear()
            self._wanted.wait()


class RunWatch(PollingThread):
    """Reads the runs of this user and of some datasets until it is stopped.

    Args:
        datasets: Whose runs are read besides those this user started: folder, and what was named with --state.
        on_runs: Called, in the thread, with the runs in progress when they differ from before.
    """

    def __init__(
        self, datasets: list[tuple[Path, Path | None]], on_runs: Callable[[tuple[LiveRun, ...]], None]
    ) -> None:
        super().__init__("runs")
        self._datasets, self._on_runs = datasets, on_runs
        self._followed: dict[Path, SummaryReader] = {}
        self._reported: tuple[LiveRun, ...] | None = None
        self._polls = 0

    def poll(self) -> None:
        if self._polls % _SEARCH_EVERY == 0:
            self._search()
        self._polls += 1
        rows = (followed.refresh() for followed in self._followed.values())
        runs = tuple(_live(row) for row in rows if row is not None and row.lives)
        if runs != self._reported and not self.stopped:
            self._reported = runs
            self._on_runs(runs)

    def _search(self) -> None:
        """Find the runs that are in progress now, the newest first."""
        found = recent_runs()[-_MOST:]
        for dataset, state in self._datasets:
            for place in places_of_runs(dataset, state):
                with suppress(RunError):
                    found += list_runs(place)[-_MOST:]
        live = {run.path.resolve(): run for run in found if lives(run)}
        newest = sorted(live, key=lambda path: path.name, reverse=True)
        self._followed = {path: self._followed.get(path) or SummaryReader(live[path]) for path in newest}


class RunTableWatch(PollingThread):
    """Reads all runs of a dataset until it is stopped.

    Args:
        summaries: The runs.
        on_rows: Called, in the thread, with all of them when anything is different from before.
        on_trouble: Called, in the thread, with why they cannot be read, once for each reason.
    """

    def __init__(
        self,
        summaries: RunSummaries,
        on_rows: Callable[[tuple[RunSummary, ...]], None],
        on_trouble: Callable[[RunError], None],
    ) -> None:
        super().__init__("run-table")
        self._summaries, self._on_rows, self._on_trouble = summaries, on_rows, on_trouble
        self._reported: tuple[RunSummary, ...] | None = None
        self._trouble = ""
        self._polls = 0

    def poll(self) -> None:
        try:
            self._polls += 1
            first = self._on_rows if self._reported is None else None
            rows = self._summaries.refresh(first, live_only=self._polls % _IDLE_EVERY != 0)
        except RunError as error:
            if str(error) != self._trouble and not self.stopped:
                self._reported, self._trouble = None, str(error)
                self._on_trouble(error)
            return
        self._trouble = ""
        if rows != self._reported and not self.stopped:
            self._reported = rows
            self._on_rows(rows)


@dataclass(frozen=True)
class RunNews:
    """What is new.

    Attributes:
        ended: Folders of runs that ended, with a sentence each.
        suggested: Whether there are other suggestions than before.
    """

    ended: tuple[tuple[Path, str], ...]
    suggested: bool


class RunNewsWatch(PollingThread):
    """Looks for runs that end and for new suggestions, each second, until it is stopped.

    Args:
        dataset: Folder of images.
        state: What was named with --state.
        on_news: Called in the thread.
        on_work: Called in the thread with how far the runs at work are, in words, when that is different from before;
            with nothing when none is at work any more.
    """

    def __init__(
        self,
        dataset: Path,
        state: Path | None,
        on_news: Callable[[RunNews], None],
        on_work: Callable[[str], None] = lambda _: None,
    ) -> None:
        super().__init__("run-news")
        self._places = places_of_runs(dataset, state)
        self._on_news, self._on_work = on_news, on_work
        self._work_words = ""
        self._followed: dict[Path, SummaryReader] = {}
        self._seen: frozenset[Path] | None = None  # at the last search
        self._stamp: tuple[int, int] | None = None
        self._polls = 0

    def poll(self) -> None:
        suggested = False
        if self._polls % _NEWS_SEARCH_EVERY == 0:
            suggested = self._search()
        self._polls += 1
        ended = tuple(self._ended())
        if (ended or suggested) and not self.stopped:
            self._on_news(RunNews(ended, suggested))
        rows = [row for reader in self._followed.values() if (row := reader.refresh()) is not None]
        words = work_words([row for row in rows if row.lives])
        if words != self._work_words and not self.stopped:
            self._work_words = words
            self._on_work(words)

    def _search(self) -> bool:
        """Follow runs in progress, and those that came and may have ended since the last search.

        Returns:
            Whether there are other suggestions than at that search; at the first one, whether there are any: they may
            have come since the dataset was opened.
        """
        runs: list[RunDir] = []
        for place in self._places:
            with suppress(RunError):
                runs += list_runs(place)[-_MOST_NEWS:]
        for run in runs:
            is_new = self._seen is not None and run.path not in self._seen
            if run.path not in self._followed and (is_new or lives(run)):
                self._followed[run.path] = SummaryReader(run)
        self._seen = frozenset(run.path for run in runs)
        before, self._stamp = self._stamp, _suggestions_stamp(runs)
        return (before or _NO_SUGGESTIONS) != self._stamp

    def _ended(self) -> Iterable[tuple[Path, str]]:
        for path, reader in list(self._followed.items()):
            if not lives(reader.run):
                del self._followed[path]
                row = reader.refresh()
                if row is None or row.lives or row.status == "created" or _is_expected(row):
                    continue
                yield reader.run.path, _ended_sentence(row)


def _dataset_of(row: RunSummary) -> Path:
    if row.job is None:
        return row.run.path
    dataset = Path(row.job.dataset)
    with suppress(RunError):
        return dataset if dataset.is_dir() else Path(current_job(row.run).dataset)  # it was moved
    return dataset


def _live(row: RunSummary) -> LiveRun:
    return LiveRun(
        row.title,
        _dataset_of(row),
        row.status,
        row.phase,
        row.epochs,
        row.total_epochs if row.has_begun and row.kind == TrainConfig.kind else None,
        row.metric,
        row.best,
        row.progress,
        row.left_s,
    )


def work_words(rows: Sequence[RunSummary]) -> str:
    """How far runs at work are, such as `Training: epoch 7 of 20, best macro F1 0.94`; empty if there is none."""
    if not rows:
        return ""
    newest = max(rows, key=_importance)
    more = f", and {counted(len(rows) - 1, 'more run')}" if len(rows) > 1 else ""
    return f"{_progress_words(newest)}{more}"


def _importance(row: RunSummary) -> tuple[bool, bool, float]:
    """What a line has room for: a run that a person started, at work, the newest."""
    return row.kind != FeaturesConfig.kind, row.status == "running", row.created_at


def _progress_words(row: RunSummary) -> str:
    is_training = row.kind == TrainConfig.kind
    verb = _VERBS.get(row.kind, "Working")
    if row.status != "running":
        return f"{verb}: {row.status}"
    if row.kind == FeaturesConfig.kind and row.progress:
        return f"{verb}: {row.progress[0]:,} of {row.progress[1]:,}"
    if not is_training:
        return f"{verb}: {row.progress[0]:,} of {counted(row.progress[1], 'image')}" if row.progress else verb
    if not row.epochs:
        return f"{verb}: {printable(row.phase)}" if row.phase else f"{verb}: epoch 1 of {row.total_epochs:,}"
    best = "" if row.best is None else f", best {metric_words(row.metric)} {row.best:.2f}"
    return f"{verb}: epoch {row.epochs:,} of {row.total_epochs:,}{best}"


def _is_expected(row: RunSummary) -> bool:
    """Whether nobody needs to be told of the end: features are made without a question, and stopped alike."""
    return row.kind == FeaturesConfig.kind and row.status == "stopped"


def _ended_sentence(row: RunSummary) -> str:
    """How a run ended, a sentence."""
    subject = f"run {printable(row.title)}"
    best = "" if row.best is None else f", best {metric_words(row.metric)} {row.best:.2f}"
    if row.job is not None and row.kind != TrainConfig.kind:
        name = row.notes.title or f"by {row.network}"
        subject, best = f"{row.job.config.noun} {printable(name)}", ""
    words = {"lost": "was lost: its worker died", "failed": "failed", "damaged": "is damaged"}
    what = words.get(row.status, f"has {row.status}" if row.status == "finished" else f"is {row.status}")
    note = f" {printable(row.note)}" if row.note and row.status != "lost" else ""
    if row.kind == FeaturesConfig.kind and row.status == "finished":
        return (
            "The network has looked at all images: suggestions that are learned while you label cover them."
        )
    if row.result and row.status == "finished":
        return f"The {subject} {what}: {printable(row.result)}"
    return f"The {subject} {what}{best}.{note}"


def _suggestions_stamp(runs: Iterable[RunDir]) -> tuple[int, int]:
    """When suggestions were written last, and in how many runs."""
    newest = count = 0
    for run in runs:
        with suppress(OSError):
            newest, count = max(newest, run.suggestions.stat().st_mtime_ns), count + 1
    return newest, count
