"""The runs that are at work, looked at each second in a thread."""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mia_tui.catalog.metrics import MetricName, shown_metric
from mia_tui.errors import RunError
from mia_tui.paths import StateFolder, state_places
from mia_tui.runs.eventlog import EventReader
from mia_tui.runs.index import list_runs, recent_runs
from mia_tui.runs.layout import RunDir
from mia_tui.runs.liveness import Status, run_status
from mia_tui.runs.state import RunState

LIVE: frozenset[Status] = frozenset({"starting", "running", "unknown"})

_EVERY_S = 1.0
_SEARCH_EVERY = 10  # looks; a run that was started elsewhere appears after so many
_MOST = 20  # runs of this user, and of each dataset, that are looked at


@dataclass(frozen=True)
class LiveRun:
    """A run at work.

    Attributes:
        name: Of its folder.
        dataset: Folder of its images.
        status: starting, running, or unknown (its worker is elsewhere and silent).
        phase: What its worker is busy with; empty before it says so.
        epoch: Epochs that are done.
        total_epochs: None before it said how many there will be.
        metric: The figure in `best`.
        best: The best value so far; None before there is one.
    """

    name: str
    dataset: Path
    status: Status
    phase: str
    epoch: int
    total_epochs: int | None
    metric: MetricName
    best: float | None


class RunWatch:
    """Looks at the runs of this user and of some datasets until it is stopped.

    Args:
        datasets: Whose runs are looked at besides those this user started: folder, and what was named with --state.
        on_runs: Called, in the thread, with the runs at work where they are different from before.
    """

    def __init__(
        self, datasets: list[tuple[Path, Path | None]], on_runs: Callable[[tuple[LiveRun, ...]], None]
    ) -> None:
        self._datasets, self._on_runs = datasets, on_runs
        self._stopped = threading.Event()
        self._followed: dict[Path, _Followed] = {}

    def start(self) -> None:
        threading.Thread(target=self._work, name="runs", daemon=True).start()

    def stop(self) -> None:
        """End soon; nothing is told any more."""
        self._stopped.set()

    def _work(self) -> None:
        told: tuple[LiveRun, ...] | None = None
        look = 0
        while not self._stopped.is_set():
            if look % _SEARCH_EVERY == 0:
                self._search()
            runs = tuple(run for followed in self._followed.values() if (run := followed.look()) is not None)
            if runs != told and not self._stopped.is_set():
                told = runs
                self._on_runs(runs)
            look += 1
            self._stopped.wait(_EVERY_S)

    def _search(self) -> None:
        """The runs that are at work now, the newest first."""
        found = recent_runs()[-_MOST:]
        for dataset, state in self._datasets:
            for place in state_places(dataset) if state is None else (state,):
                with suppress(RunError):
                    found += list_runs(StateFolder(place))[-_MOST:]
        live = {run.path.resolve(): run for run in found if _status(run) in LIVE}
        newest = sorted(live, key=lambda path: path.name, reverse=True)
        self._followed = {path: self._followed.get(path) or _Followed(live[path]) for path in newest}


@dataclass
class _Followed:
    """A run that was at work when it was looked for."""

    run: RunDir
    reader: EventReader | None = None
    state: RunState = field(default_factory=RunState)
    dataset: Path = Path()

    def look(self) -> LiveRun | None:
        """What it is at; None once it is not at work any more, or cannot be read."""
        status = _status(self.run)
        if status not in LIVE:
            return None
        try:
            reader = self.reader or self._begin()
            for event in reader.iter_new():
                self.state.apply(event)
        except (RunError, OSError):
            return None
        state = self.state
        return LiveRun(
            self.run.name,
            self.dataset,
            status,
            state.phase or "",
            state.epochs[-1].epoch if state.epochs else 0,
            state.started.total_epochs if state.started else None,
            shown_metric(state.metric),
            state.best_value,
        )

    def _begin(self) -> EventReader:
        job = self.run.job()
        self.dataset, self.state = Path(job.dataset), RunState(metric=job.config.metric)
        self.reader = EventReader(self.run.events)
        return self.reader


def _status(run: RunDir) -> Status:
    try:
        return run_status(run)
    except OSError:  # the folder went away, or may not be read
        return "lost"
