"""A job that `torchrun` or `srun` started several times at once: one process leads, the others join it.

The first process makes the run, keeps its lock and its log, and does its job as a single one would. The others learn
from it which run that is, and do the same job with other parts of the images.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TypeVar

import torch.distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]
from torch.distributed.distributed_c10d import Store

from mia_tui.engine.parallel.ranks import WORKER_ADDRESS, is_lost_peer, process_name
from mia_tui.errors import MiaError, RunError
from mia_tui.runs.list.moved_dataset import current_job
from mia_tui.runs.machine.given_rank import GivenRank, given_rank
from mia_tui.runs.machine.system import host_name, process_runs, start_time
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.runs.worker.control import STOP_SIGNALS
from mia_tui.runs.worker.fault_log import faults_written, write_to_log
from mia_tui.text import first_line, printable

Result = TypeVar("Result")

_MEET_S = 600.0
"""How long a process waits until the first one is there: importing torch from a slow disk takes a minute and more."""

_WAIT_S = 30 * 24 * 3600.0
"""How long the others wait for the run to begin: it may have been told to wait for another one."""

_REASON_S = 3.0  # after a process was lost, until it has said why it failed
_RUN, _FAILURE, _PROCESS = "mia-tui/run", "mia-tui/failure", "mia-tui/process/"
_AGENT_STORE = "TORCHELASTIC_USE_AGENT_STORE"


@cache
def given_store() -> Store:
    """Where the processes that were started together meet; the first of them keeps it, unless torchrun does.

    Raises:
        RunError: If the first process is not there.
    """
    given = _given()
    is_kept_here = given.rank == 0 and os.environ.get(_AGENT_STORE) != "True"
    try:
        store: Store = TCPStore(
            given.address,
            given.port,
            given.count,
            is_master=is_kept_here,
            timeout=timedelta(seconds=_MEET_S),
            wait_for_workers=False,
        )
    except dist.DistError as error:
        where = f"{printable(given.address)}, port {given.port}"
        raise RunError(
            f"{_name(given)} does not find the first one on {where}: {first_line(error)}.",
            "MASTER_ADDR and MASTER_PORT name another host and port.",
        ) from error
    store.set(f"{_PROCESS}{given.rank}", json.dumps([host_name(), os.getpid(), start_time(os.getpid())]))
    return store


def is_joining() -> bool:
    """Whether this process was started with others by the user, rather than by the worker of a run."""
    return WORKER_ADDRESS not in os.environ


def announce(attempt: Attempt) -> None:
    """In the first process: tell the others which run it is."""
    given_store().set(_RUN, json.dumps([str(attempt.run.path.resolve()), attempt.number]))


def naming_lost(work: Callable[[], Result]) -> Result:
    """Do some work, and say which process was lost if that ends it.

    Raises:
        RunError: If another process has ended.
    """
    try:
        return work()
    except RuntimeError as error:
        if not is_lost_peer(error):
            raise
        raise _lost() from error


def join_run() -> int:
    """In a process that is not the first: do its part of the job; returns an exit code."""
    given, signals = _given(), _StopSignals()
    try:
        store = given_store()
        store.set_timeout(timedelta(seconds=_WAIT_S))
        path, number = json.loads(store.get(_RUN))
    except (MiaError, dist.DistError):  # the first one says why
        return 1
    run = RunDir.open(Path(path))
    attempt = Attempt(run, number, lambda event: None, lambda: signals.is_asked_to_stop)
    try:
        with faults_written(lambda text: write_to_log(run, text, who=_name(given))):
            job = current_job(run)
            import_module(f"mia_tui.engine.jobs.{job.kind}").work(attempt, job)
    except Exception as error:  # noqa: BLE001  # top level: the first process must learn why
        write_to_log(run, traceback.format_exc(), who=_name(given))
        if not is_lost_peer(error.__cause__ or error):
            store.set(_FAILURE, json.dumps([given.rank, _sentence(error)]))
            sys.stderr.write(f"{_name(given)}: {_sentence(error)}\n")
        return 1
    return 0


class _StopSignals:
    """Takes the signals that ask to stop; all processes then stop after the same step."""

    def __init__(self) -> None:
        self.is_asked_to_stop = False
        for number in STOP_SIGNALS:
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self.is_asked_to_stop = True


def _given() -> GivenRank:
    given = given_rank()
    assert given is not None
    return given


def _name(given: GivenRank) -> str:
    name = process_name(given.rank, given.count)
    return f"{name[0].upper()}{name[1:]}"


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, MiaError) else f"{type(error).__name__}: {first_line(error)}."


def _lost() -> RunError:
    """Which process has ended, as far as that can be found out, and why."""
    given, store = _given(), given_store()
    hint = "worker.log in the folder of the run may say more; --resume goes on from the last checkpoint."
    deadline = time.monotonic() + _REASON_S
    try:
        while time.monotonic() < deadline and not store.check([_FAILURE]):
            time.sleep(0.1)
        if store.check([_FAILURE]):
            rank, sentence = json.loads(store.get(_FAILURE))
            name = process_name(rank, given.count)
            return RunError(f"{name[0].upper()}{name[1:]} failed: {sentence}", hint)
        dead = [rank for rank in range(given.count) if _has_ended(store, rank)]
    except dist.DistError:
        dead = []
    if not dead:
        return RunError(f"One of the {given.count} processes, on another host, has ended.", hint)
    name = process_name(dead[0], given.count)
    return RunError(f"{name[0].upper()}{name[1:]} was killed or has ended, so the run cannot go on.", hint)


def _has_ended(store: Store, rank: int) -> bool:
    """Whether a process of this host has ended."""
    host, pid, started = json.loads(store.get(f"{_PROCESS}{rank}"))
    return host == host_name() and not process_runs(pid, started)
