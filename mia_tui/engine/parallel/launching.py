"""The worker of a run starts a process for each of its devices, by torch's elastic agent, and waits for their end.

The worker keeps the run's lock, its log and its signals; the processes are its children and end with it. Their first
reports events, which the worker writes; a request to stop goes to all of them, and they end at the same step. When
one of them dies or fails, the worker ends the others at once and says which one it was and why.

The agent runs in a thread, so that it leaves the signals of the worker alone.
"""

import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from queue import Empty
from threading import Thread

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from mia_tui.engine.parallel.channel import (
    RankBegan,
    RankChannels,
    RankEnded,
    RankEvent,
    RankFailed,
    RankMessage,
    RankWaits,
)
from mia_tui.engine.parallel.ranks import (
    RANK_DEVICES,
    RANK_MICRO_BATCH,
    RANK_START,
    WORKER_ADDRESS,
    process_name,
)
from mia_tui.errors import MiaError, RunError
from mia_tui.runs.record.events import Outcome, Phase
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.runs.worker.launch import program_environment
from mia_tui.text import first_line, printable, typed

RANK_MODULE = "mia_tui.engine.parallel.rank"

_LISTEN_S = 0.1
_GRACE_S = 2.0
"""How long the worker listens for better reasons once a process has failed: others may only have lost it."""

_LOCALHOST = "127.0.0.1"


class OutOfDeviceMemory(RunError):
    """Memory ran out on a device; smaller pieces of a batch may fit."""


def run_ranks(attempt: Attempt, devices: Sequence[str], *, micro_batch: int | None = None) -> Outcome:
    """Do a run's job in one process for each device.

    Args:
        attempt: Takes the events, and is asked to stop.
        devices: What torch calls them, such as cuda:0; cpu for a processor.
        micro_batch: Images that a process of a training computes at a time; None for all of its part.

    Returns:
        Whether the run finished or was stopped.

    Raises:
        OutOfDeviceMemory: If memory ran out on one of the devices.
        MiaError: If one of the processes failed or died.
    """
    with RankChannels(len(devices)) as channels:
        watch = _RankWatch(attempt, channels, devices)
        agent = _Agent(attempt, channels, devices, micro_batch)
        agent.start()
        while agent.is_alive() or not channels.messages.empty():
            watch.listen()
        return watch.outcome(agent.error)


class _Agent(Thread):
    """torch's elastic agent, in a thread; `error` is what it raised."""

    def __init__(
        self, attempt: Attempt, channels: RankChannels, devices: Sequence[str], micro_batch: int | None
    ) -> None:
        super().__init__(name="agent", daemon=True)
        self.error: Exception | None = None
        self._config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=len(devices),
            run_id=channels.folder.name,
            rdzv_backend="c10d",
            rdzv_endpoint=f"{_LOCALHOST}:0",  # the system chooses a free port
            rdzv_configs={"is_host": True},
            local_addr=_LOCALHOST,
            max_restarts=0,
            monitor_interval=_LISTEN_S,
            logs_specs=DefaultLogsSpecs(log_dir=str(channels.folder)),
        )
        environment = program_environment()
        changed = {name: value for name, value in environment.items() if os.environ.get(name) != value}
        changed |= {
            RANK_DEVICES: ",".join(devices),
            RANK_MICRO_BATCH: str(micro_batch or 0),
            RANK_START: attempt.start.hand_over(),
            WORKER_ADDRESS: channels.address,
        }
        variables = [f"{name}={value}" for name, value in changed.items()]
        run = str(attempt.run.path.resolve())
        # The agent gives its processes this one's environment, which other threads read: `env` changes theirs alone.
        self._command = [*variables, sys.executable, "-P", "-m", RANK_MODULE, run, str(attempt.number)]

    def run(self) -> None:
        logger = logging.getLogger("torch.distributed.elastic")
        logger.addHandler(logging.NullHandler())  # what it says is for those who started it themselves
        logger.propagate = False
        try:
            elastic_launch(self._config, "env")(*self._command)
        except Exception as error:  # noqa: BLE001  # the worker raises it
            self.error = error


class _RankWatch:
    """Passes on what the processes report, and remembers how each of them ended."""

    def __init__(self, attempt: Attempt, channels: RankChannels, devices: Sequence[str]) -> None:
        self._attempt, self._channels, self._devices = attempt, channels, devices
        self._outcomes: dict[int, Outcome] = {}
        self._failures: dict[int, RankFailed] = {}
        self._lost: list[int] = []
        self._first_waits = False
        self._told: int | None = None  # which of the others was said to wait
        self._phase: Phase | None = None
        self._has_asked = False
        self._end_at: float | None = None

    def listen(self) -> None:
        """Take one message, if there is one; pass on a request to stop."""
        if not self._has_asked and self._attempt.should_stop():
            self._has_asked = True
            self._channels.stop()
        if self._end_at is not None and time.monotonic() >= self._end_at:
            self._end_at = float("inf")
            self._channels.end()
        try:
            rank, message = self._channels.messages.get(timeout=_LISTEN_S)
        except Empty:
            return
        self._take(rank, message)

    def _take(self, rank: int, message: RankMessage | None) -> None:
        match message:
            case RankEvent():
                self._pass_on(message)
            case RankWaits():
                self._take_wait(rank, message.reason)
            case RankEnded(outcome):
                self._outcomes[rank] = outcome
                if len(self._outcomes) == len(self._devices):
                    self._channels.end()
            case RankFailed():
                self._failures[rank] = message
                self._begin_to_end(0.0 if not message.is_lost_peer else _GRACE_S)
            case None if rank >= 0 and rank not in self._outcomes and rank not in self._failures:
                self._lost.append(rank)
                self._begin_to_end(_GRACE_S / 2)
            case RankBegan() | None:
                pass

    def _begin_to_end(self, after_s: float) -> None:
        end_at = time.monotonic() + after_s
        self._end_at = end_at if self._end_at is None else min(self._end_at, end_at)

    def _pass_on(self, message: RankEvent) -> None:
        event = message.event()
        if event is None:
            return
        if isinstance(event, Phase):
            self._first_waits = event.name == "waiting"
            self._phase = self._phase if self._first_waits else event
        self._attempt.emit(event)

    def _take_wait(self, rank: int, reason: str | None) -> None:
        """Tell that a process waits which is not the first, unless another one does already."""
        if reason is not None and self._told is None and not self._first_waits:
            self._told = rank
            self._attempt.waiting_for_disk(reason)
        elif reason is None and self._told == rank:
            self._told = None
            self._attempt.waiting_for_disk(None)
            if self._phase is not None:
                self._attempt.emit(self._phase)

    def outcome(self, error: Exception | None) -> Outcome:
        """How the job ended, once the agent has.

        Args:
            error: What the agent raised.

        Raises:
            MiaError: If one of the processes failed or died, or none could be started.
        """
        if len(self._outcomes) == len(self._devices):
            return self._outcomes[0]
        raise self._reason(error) from error

    def _reason(self, error: Exception | None) -> MiaError:
        own = [rank for rank, failure in self._failures.items() if not failure.is_lost_peer]
        if own:
            return self._failure(own[0])
        exits = (
            {rank: failure.exitcode for rank, failure in error.failures.items()}
            if isinstance(error, ChildFailedError)
            else {}
        )
        dead = [*self._lost, *exits]
        if dead:
            return self._death(dead[0], exits.get(dead[0]))
        if self._failures:
            return self._failure(next(iter(self._failures)))
        why = first_line(error or "")
        return RunError(
            f"The {len(self._devices)} processes of the run cannot be started: {why}.",
            "--devices 1 needs none.",
        )

    def _failure(self, rank: int) -> MiaError:
        failure = self._failures[rank]
        error = failure.as_error()
        if failure.is_out_of_memory:
            return OutOfDeviceMemory(error.message, error.hint)
        return error

    def _death(self, rank: int, exit_code: int | None) -> RunError:
        run = self._attempt.run
        how = f"ended with code {exit_code}" if exit_code else "ended before its time"
        if exit_code is not None and exit_code < 0:
            how = f"was killed by {_signal_name(-exit_code)}"
        return RunError(
            f"{self._named(rank)} {how}, so the run cannot go on.",
            "The system kills programs when memory runs out. "
            f"{printable(run.worker_log)} may say more; `mia-tui runs resume {typed(run.path)}` goes on from the "
            "last checkpoint.",
        )

    def _named(self, rank: int) -> str:
        where = "the CPU" if self._devices[rank] == "cpu" else self._devices[rank]
        name = process_name(rank, len(self._devices))
        return f"{name[0].upper()}{name[1:]}, on {where},"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
