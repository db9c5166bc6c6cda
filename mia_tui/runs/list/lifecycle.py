"""Starting, resuming and deleting runs; their settings for a new run; dropping a run that never trained."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mia_tui import errors
from mia_tui.config.train import TrainConfig
from mia_tui.disk_errors import disk_error
from mia_tui.errors import MiaError, RunError
from mia_tui.files import remove, remove_leftovers
from mia_tui.runs.list.find import remember_run
from mia_tui.runs.list.moved_dataset import current_train_job, update_dataset_path
from mia_tui.runs.machine.gpus import computes_on_cpu
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import RunState, read_state
from mia_tui.runs.worker.control import kill_worker, request_stop
from mia_tui.runs.worker.launch import spawn, wait_until_taken
from mia_tui.runs.worker.liveness import IN_PROGRESS, STARTING_S, run_status
from mia_tui.text import name_some, printable

if TYPE_CHECKING:
    from mia_tui.runs.preflight.prepare import Prepared

_SAVING_S = 10.0
_DYING_S = 5.0
_LOOK_EVERY_S = 0.1
_NAMED = 3


def start_run(prepared: "Prepared", *, annotator: str | None = None, after: RunDir | None = None) -> RunDir:
    """Store the split, write a run's folder and start its worker; returns when that has locked it, before it trains.

    Where the settings ask for repetitions, their workers wait for each other; it returns the first run.

    Args:
        prepared: The job.
        annotator: Who trains.
        after: The run whose end it waits for; see `runs.worker.queue.last_in_line`.

    Raises:
        MiaError: If the split cannot be stored, the folder not be written, or no worker comes up.
    """
    from mia_tui.runs.preflight.prepare import keep_split  # imports numpy, which `runs list` does without

    prepared = keep_split(prepared, annotator)
    runs = prepared.create_all(after=after)
    for run in reversed(runs):
        remember_run(run)
    gives_way = computes_on_cpu(prepared.job.config.device)
    for place, run in enumerate(runs):
        try:
            wait_until_taken(run, spawn(run, gives_way=gives_way))
        except MiaError as error:
            for left in runs[place:]:
                drop_untrained_run(left, error)
            raise
    return runs[0]


def resume_run(run: RunDir, *, after: RunDir | None = None, dataset: Path | None = None) -> None:
    """Start a worker that continues from the run's last checkpoint; returns when it has locked the run.

    Args:
        run: One that has ended, or was lost; it keeps its settings.
        after: The run whose end it waits for; None starts at once, even if it waited for another before.
        dataset: The dataset that is open; needed where the state folder is not in or beside its dataset.

    Raises:
        DataError: If its images are gone.
        RunError: If the run is being worked on, or the worker cannot be started.
    """
    config = run.job().config
    if run_status(run) != "running":
        update_dataset_path(run, dataset)
        run.put_after(after)
    remember_run(run)
    wait_until_taken(run, spawn(run, gives_way=computes_on_cpu(config.device)))


def again_config(run: RunDir) -> TrainConfig:
    """The settings of a run, to train again with them on the labels of today.

    Raises:
        RunError: If the run cannot be read.
    """
    return current_train_job(run).config


def changed_config(run: RunDir) -> TrainConfig:
    """The settings of a new run that starts from the best weights of another; to be changed before it starts.

    Raises:
        RunError: If the run cannot be read.
    """
    config = current_train_job(run).config
    return msgspec.structs.replace(config, weights=str(run.best_weights.resolve()))


def delete_run(run: RunDir) -> None:
    """Remove a run with its checkpoints; one that is being worked on is stopped first, which takes seconds.

    A worker that does not stop within ten seconds is killed if it is proved to be a process of this user: what it
    would save is deleted anyway. Only what a run writes is removed: files that a person put into its folder stay, and
    so does the folder then.

    Raises:
        RunError: If its worker does not end, or files cannot be removed, or others stay.
    """
    if run.path.is_symlink():
        raise RunError(
            f"The run {printable(run.name)} is a link to another folder, so it is not deleted.",
            f"Remove the link {printable(run.path)} or the folder that it leads to by hand.",
        )
    if run_status(run) in IN_PROGRESS:
        _end_worker(run)
    _remove(run)


def drop_untrained_run(run: RunDir, error: MiaError) -> None:
    """Remove a run that a mistake in settings or data ended before it trained, so that `last` never means it."""
    state = read_state(run)
    has_done_nothing = not (state.epochs or run.last_checkpoint.exists() or run.rows.exists())
    untouched = state.attempt <= 1 and has_done_nothing
    if untouched and isinstance(error, errors.ConfigError | errors.DataError):
        run.drop()


def wait_until_started(run: RunDir, before: RunState | None = None) -> None:
    """Wait until the worker has begun, waits for another run or has ended; importing torch takes it seconds.

    Args:
        run: The run.
        before: Its state before the worker was started, whose end is not that of this worker; None for a new run.

    Raises:
        MiaError: What made the worker fail; the run is then removed if settings or data were at fault.
    """
    before = before or RunState()
    deadline = time.monotonic() + STARTING_S
    while time.monotonic() < deadline:
        state = read_state(run)
        if state.updated_at != before.updated_at:
            if state.error is not None:
                error = _kind(state.error.kind)(state.error.message, state.error.hint)
                drop_untrained_run(run, error)
                raise error
            if state.attempt > before.attempt or state.phase == "waiting" or state.outcome is not None:
                return
        time.sleep(_LOOK_EVERY_S)


def _kind(name: str) -> type[MiaError]:
    """The class of an error by the name in a log, which may be any text."""
    kind = getattr(errors, name, None)
    return kind if isinstance(kind, type) and issubclass(kind, MiaError) else RunError


def _end_worker(run: RunDir) -> None:
    name = printable(run.name)
    if _wait_for(lambda: run_status(run) != "starting", STARTING_S) and run_status(run) not in IN_PROGRESS:
        return
    asked = request_stop(run)
    if _wait_for(lambda: run_status(run) not in IN_PROGRESS, _SAVING_S):
        return
    if asked.doubt is not None:
        raise RunError(
            f"The run {name} may still be worked on, so it is not deleted: it was asked to stop by its file `stop` "
            f"only, since {asked.doubt}.",
            "Delete it when it has ended; if its worker is gone for good, remove its folder by hand.",
        )
    with suppress(RunError):  # it ended at the last moment
        kill_worker(run)
    if not _wait_for(lambda: run_status(run) not in IN_PROGRESS, _DYING_S):
        raise RunError(f"The worker of the run {name} does not end, so the run is not deleted.")


def _wait_for(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY_S)
    return True


def _remove(run: RunDir) -> None:
    """job.json is removed first: if this is interrupted, what is left is not a run any more."""
    try:
        for path in run.own_files():
            remove(path, root=run.root)
        remove_leftovers(run.path, root=run.root)
        others = sorted(path.name for path in run.path.iterdir())
        if not others:
            run.path.rmdir()
    except FileNotFoundError:  # somebody else deletes it at the same time
        return
    except OSError as error:
        raise disk_error(error, Path(error.filename or run.path)) from error
    if others:
        raise RunError(
            f"The run {printable(run.name)} is deleted; its folder {printable(run.path)} stays, since it holds "
            f"other files: {name_some(others[:_NAMED])}."
        )
