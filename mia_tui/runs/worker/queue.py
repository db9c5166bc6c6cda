"""Queued runs: one starts after the other, with no program but their own workers.

A queued run is a worker that has locked its run and waits, before it imports
torch, until the run named in `job.after` is not worked on any more, however that
ended. It also waits for everything which that one waits for, so that deleting or
stopping a run in the middle of a queue starts nothing early; and for runs that
were queued earlier behind the same run, so that two never start at once.
"""

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from mia_tui.config.features import FeaturesConfig
from mia_tui.errors import RunError
from mia_tui.paths import StateFolder, real_path
from mia_tui.runs.disk import stopped_within
from mia_tui.runs.list.find import kind_of, list_runs
from mia_tui.runs.record.events import Event, Phase
from mia_tui.runs.record.job import AnyJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.liveness import lives, read_record, run_status
from mia_tui.text import printable

_LOOK_EVERY_S = 1.0


def wait_for_turn(
    run: RunDir, job: AnyJob, emit: Callable[[Event], None], should_stop: Callable[[], bool]
) -> bool:
    """Wait until it is the run's turn; True when it is, False when it was asked to stop first."""
    ahead = _ahead(run, job)
    reported = ""
    while True:
        first = next((other for other in ahead if lives(other) and not _fell_behind(other, run)), None)
        if first is None:
            return True
        words = _words(first)
        if words != reported:
            emit(Phase(t=time.time(), name="waiting", message=words))
            reported = words
        if stopped_within(_LOOK_EVERY_S, should_stop):
            return False


def last_in_line(runs: Iterable[RunDir]) -> RunDir | None:
    """The run to queue behind: of those at work or waiting, the one that begins last; None if there are none.

    Jobs that make features are none: nobody started them, and they give way.

    Args:
        runs: Those of a dataset, oldest first.
    """
    live = [run for run in runs if lives(run) and kind_of(run) != FeaturesConfig.kind]
    waited_for = {_after(run) for run in live}
    ends = [run for run in live if str(run.path.resolve()) not in waited_for]
    return ends[-1] if ends else None


def last_behind(run: RunDir, runs: Iterable[RunDir]) -> RunDir | None:
    """The last of a run and of those that wait for it; None if none of them is at work.

    Args:
        run: The run that the user named.
        runs: Those of a dataset, oldest first.
    """
    line = {str(run.path.resolve())}
    last = run if lives(run) else None
    for other in runs:
        if lives(other) and _after(other) in line:
            line.add(str(other.path.resolve()))
            last = other
    return last


def _ahead(run: RunDir, job: AnyJob) -> list[RunDir]:
    """All runs that must have ended first; found when the wait begins, since a deleted run has no job any more."""
    ahead: dict[str, RunDir] = {}
    after = run.run_ahead(job)
    here = None if after is None else str(real_path(after.path))
    while here is not None and here not in ahead and here != str(run.path.resolve()):
        ahead[here] = RunDir(Path(here))
        here = _after(ahead[here])
    return [*ahead.values(), *_queued_earlier(run, set(ahead))]


def _queued_earlier(run: RunDir, ahead: set[str]) -> list[RunDir]:
    """Those that were queued before this one behind any of the runs ahead."""
    earlier: list[RunDir] = []
    if not ahead:
        return earlier
    with suppress(RunError):
        for other in list_runs(StateFolder(run.path.resolve().parent.parent)):
            path = str(other.path.resolve())
            if path == str(run.path.resolve()):
                break
            if path not in ahead and _after(other) in ahead:
                ahead.add(path)
                earlier.append(other)
    return earlier


def _after(run: RunDir) -> str | None:
    try:
        after = run.run_ahead(run.job())
    except RunError:  # deleted, or damaged
        return None
    return None if after is None else str(real_path(after.path))


def _fell_behind(other: RunDir, run: RunDir) -> bool:
    """Whether a run that was ahead was stopped and queued again behind this one: each would wait for the other."""
    own = str(run.path.resolve())
    seen: set[str] = set()
    here = _after(other)
    while here is not None and here != own and here not in seen:
        seen.add(here)
        here = _after(RunDir(Path(here)))
    if here != own:
        return False
    theirs, ours = read_record(other), read_record(run)
    return theirs is not None and ours is not None and theirs.started_at > ours.started_at


def _words(run: RunDir) -> str:
    words = f"waiting for the run {printable(run.name)} to end"
    with suppress(OSError):
        if run_status(run) == "unknown":
            return f"{words}; its worker is on another host and silent"
    return words
