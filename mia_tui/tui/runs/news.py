"""What becomes of a dataset's runs while somebody labels: that one has ended, that there are new suggestions."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mia_tui.errors import RunError
from mia_tui.paths import StateFolder, state_places
from mia_tui.runs.list.index import list_runs
from mia_tui.runs.list.table import RunLook, RunSummary
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.queue import lives
from mia_tui.text import printable
from mia_tui.tui.runs.watch import RepeatedLook

_SEARCH_EVERY = 4  # looks
_MOST = 50  # newest runs that are looked at


@dataclass(frozen=True)
class RunNews:
    """Something to tell: runs that ended, in sentences; whether suggestions are others than before."""

    ended: tuple[str, ...]
    suggested: bool


class RunNewsWatch:
    """Looks each second until it is stopped, in a thread; what has ended before is no news.

    Args:
        dataset: Folder of images.
        state: What was named with --state.
        on_news: Called in the thread.
    """

    def __init__(self, dataset: Path, state: Path | None, on_news: Callable[[RunNews], None]) -> None:
        self._places = tuple(state_places(dataset)) if state is None else (state,)
        self._on_news = on_news
        self._followed: dict[Path, RunLook] = {}
        self._stamp: tuple[int, int] | None = None
        self._looks = 0
        self._thread = RepeatedLook(self.look, name="run-news")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End soon; nothing is told any more."""
        self._thread.stop()

    def look(self) -> None:
        """One look; for the thread, and for tests."""
        suggested = False
        if self._looks % _SEARCH_EVERY == 0:
            suggested = self._search()
        self._looks += 1
        ended = tuple(self._ended())
        if (ended or suggested) and not self._thread.stopped:
            self._on_news(RunNews(ended, suggested))

    def _search(self) -> bool:
        """Follow the runs at work; whether suggestions are others than at the last search."""
        runs: list[RunDir] = []
        for place in self._places:
            with suppress(RunError):
                runs += list_runs(StateFolder(place))[-_MOST:]
        for run in runs:
            if run.path not in self._followed and lives(run):
                self._followed[run.path] = RunLook(run)
        before, self._stamp = self._stamp, _stamp(runs)
        return before is not None and before != self._stamp

    def _ended(self) -> Iterable[str]:
        for path, known in list(self._followed.items()):
            row = known.look()
            if row is None:
                del self._followed[path]
            elif not row.lives:
                del self._followed[path]
                yield _words(row)


def _words(row: RunSummary) -> str:
    """What became of a run, a sentence."""
    best = "" if row.best is None else f", best {row.metric.replace('_', ' ')} {row.best:.2f}"
    words = {"lost": "was lost: its worker died", "failed": "failed", "damaged": "is damaged"}
    what = words.get(row.status, f"has {row.status}" if row.status == "finished" else f"is {row.status}")
    note = f" {printable(row.note)}" if row.note and row.status != "lost" else ""
    return f"The run {printable(row.run.name)} {what}{best}.{note}"


def _stamp(runs: Iterable[RunDir]) -> tuple[int, int]:
    """When suggestions came last, and in how many runs."""
    newest = count = 0
    for run in runs:
        with suppress(OSError):
            newest, count = max(newest, run.suggestions.stat().st_mtime_ns), count + 1
    return newest, count
