"""The processes that do one job together, as each of them sees the others."""

import os
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from threading import Event, Thread
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore, Store

from mia_tui.config.devices import LEAST_IMAGES
from mia_tui.engine.data.disk_watch import WorkStopped
from mia_tui.errors import MiaError
from mia_tui.runs.disk import OUTAGE_S

Result = TypeVar("Result")

LONGEST_S = 2 * OUTAGE_S + 600.0
"""How long a process waits for the others at most: one of them may wait for a disk."""

STILL_AT_IT_S = 60.0
"""How often the first process says that it is still at what the others wait for: its trials may take hours."""

RANK_DEVICES = "MIA_TUI_RANK_DEVICES"
RANK_MICRO_BATCH = "MIA_TUI_RANK_MICRO_BATCH"
RANK_START = "MIA_TUI_RANK_START"
WORKER_ADDRESS = "MIA_TUI_WORKER_ADDRESS"
"""Environment of a process that a worker started: the devices of all of them, with commas between; how many images
of a batch it computes at a time, 0 for all; the worker's clock of the start; the socket of the worker."""


class Ranks:
    """The processes of a job, which all do the same work. A single process is `ALONE`: nothing is sent then.

    Every process has to call the methods in the same order.

    Attributes:
        rank: Number of this process, from 0; the first one writes and reports.
        count: How many there are.
        local_count: How many of them are on this machine.
    """

    def __init__(self, rank: int = 0, count: int = 1, *, local_count: int = 1) -> None:
        self.rank, self.count, self.local_count = rank, count, local_count

    @property
    def is_first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    @property
    def name(self) -> str:
        """This process in words, such as `process 2 of 4`."""
        return process_name(self.rank, self.count)

    def part(self, rows: Tensor) -> Tensor:
        """This process's part of a batch: neighbours, at least two of them; none if there are too few for all.

        Args:
            rows: Of the whole batch, shape (N,).
        """
        if self.count == 1:
            return rows
        parts = rows.tensor_split(max(1, min(self.count, len(rows) // LEAST_IMAGES)))
        return parts[self.rank] if self.rank < len(parts) else rows[:0]

    def share(self, batches: Sequence[Result]) -> list[Result]:
        """This process's share of batches that do not depend on each other."""
        return list(batches[self.rank :: self.count])

    def sum_(self, tensor: Tensor) -> Tensor:
        """Add up a tensor over all processes, in place; on a GPU the CPU does not wait for it."""
        if self.count > 1:
            dist.all_reduce(tensor)
        return tensor

    def max_(self, tensor: Tensor) -> Tensor:
        """The largest values over all processes, in place."""
        if self.count > 1:
            dist.all_reduce(tensor, dist.ReduceOp.MAX)
        return tensor

    def sums(self, *values: int) -> list[int]:
        """Add up numbers over all processes."""
        if self.count == 1:
            return list(values)
        return self.sum_(torch.tensor(values, dtype=torch.int64)).tolist()

    def broadcast_(self, tensors: Sequence[Tensor]) -> None:
        """Take over the values of the first process, in place."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def gather(self, value: Result) -> list[Result]:
        """The values of all processes, in their order; they are pickled."""
        if self.count == 1:
            return [value]
        found: list[Result | None] = [None] * self.count
        dist.all_gather_object(found, value)
        return found  # type: ignore[return-value]  # it is full

    def together(self, action: Callable[[], Result]) -> Result:
        """Do something in every process; if one fails or is asked to stop, all raise the same error.

        Raises:
            MiaError: What the first process that failed raised; or WorkStopped.
        """
        if self.count == 1:
            return action()
        error: Exception | None = None
        try:
            result = action()
        except (MiaError, WorkStopped) as caught:
            error = caught
        self.raise_first(error)
        return result

    def from_first(self, action: Callable[[], Result]) -> Result:
        """Do something in the first process alone, however long it takes; all get the result, or raise the error."""
        if self.count == 1:
            return action()
        if not self.is_first:
            while self.sums(0)[0]:
                continue
        done = self.together(partial(self._saying_so, action) if self.is_first else lambda: None)
        return self.gather(done)[0]  # type: ignore[return-value]

    def _saying_so(self, action: Callable[[], Result]) -> Result:
        """Do something in the first process, and tell the others now and then that it is still at it."""
        is_over = Event()

        def tell() -> None:
            while not is_over.wait(STILL_AT_IT_S):
                self.sums(1)
            self.sums(0)

        teller = Thread(target=_until_lost, args=[tell], name="still-at-it", daemon=True)
        teller.start()
        try:
            return action()
        finally:
            is_over.set()
            teller.join()

    def raise_first(self, error: Exception | None) -> None:
        """Raise the error of the first process that has one, in all of them."""
        for rank, found in enumerate(self.gather(error)):
            if found is not None:
                raise error if error is not None and rank == self.rank else found


def _until_lost(tell: Callable[[], None]) -> None:
    try:
        tell()
    except RuntimeError as error:  # the process notices it itself once it needs the others
        if not is_lost_peer(error):
            raise


ALONE = Ranks()
"""The only process of a job."""


def process_name(rank: int, count: int) -> str:
    """A process in words, such as `process 2 of 4`."""
    return f"process {rank + 1} of {count}"


def join_ranks(store: Store, rank: int, count: int, *, local_count: int, on_gpus: bool) -> Ranks:
    """Meet the other processes.

    Args:
        store: Where they meet.
        rank: Number of this process.
        count: How many there are.
        local_count: How many of them are on this machine.
        on_gpus: Whether each has a GPU, which NCCL connects; gloo connects the processors.
    """
    if local_count == count:  # nothing leaves this machine, whatever its name leads to
        loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
        if loopback is not None:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpus else "gloo",
        store=PrefixStore("ranks", store),
        rank=rank,
        world_size=count,
        timeout=timedelta(seconds=LONGEST_S),
    )
    return Ranks(rank, count, local_count=local_count)


def leave_ranks(ranks: Ranks) -> None:
    """Part from the other processes, once all of them are done."""
    if ranks.count > 1:
        dist.barrier()
        dist.destroy_process_group()


def is_lost_peer(error: BaseException) -> bool:
    """Whether an error says no more than that another process has ended."""
    if not isinstance(error, RuntimeError):
        return False
    text = str(error).lower()
    is_by_kind = isinstance(error, dist.DistError) and not isinstance(error, torch.OutOfMemoryError)
    return is_by_kind or any(
        word in text for word in ("gloo", "nccl", "connection closed by peer", "connection reset")
    )
