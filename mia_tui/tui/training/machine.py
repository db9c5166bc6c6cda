"""The GPUs of this machine and whether torch can use them, found out in a thread and remembered."""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.machine.gpus import Gpu, list_gpus, nvidia_device_present
from mia_tui.runs.machine.torch_probe import TorchFacts, probe_torch
from mia_tui.runs.preflight.machine import gpu_words, is_busy, short_gpu_words
from mia_tui.text import printable


@dataclass(frozen=True)
class Machine:
    """What training could run on.

    Attributes:
        gpus: What the driver shows.
        has_nvidia: Whether there is an NVIDIA device, even if its driver does not answer.
        torch: What torch can use; None where it was not asked, or has not answered yet.
    """

    gpus: tuple[Gpu, ...] = ()
    has_nvidia: bool = False
    torch: TorchFacts | None = None

    @property
    def why_not(self) -> str:
        """Why training cannot run on a GPU, a sentence; "" if it can, as far as is known."""
        if self.torch is not None and self.torch.error:
            return f"torch cannot be used: {printable(self.torch.error)}"
        if self.torch is not None and self.torch.warning:
            return f"The GPU is not used: {printable(self.torch.warning)}"
        if self.gpus or sys.platform == "darwin":
            return ""
        if self.has_nvidia:
            return "There is an NVIDIA device, but its driver does not answer; nvidia-smi should say why."
        return "There is no NVIDIA GPU on this machine, so training runs on the CPU."

    def named(self, *, short: bool = False) -> list[tuple[str, str]]:
        """The devices to choose from, each with words about it; `short` leaves out what GPUs are called."""
        rows = [("auto", "the GPU with most free memory, else the CPU"), ("cpu", "the processor")]
        if sys.platform == "darwin":
            rows.append(("mps", "the Apple GPU"))
        by_uuid = {gpu.uuid.removeprefix("GPU-"): gpu for gpu in self.gpus}
        order = self.torch.gpus if self.torch is not None and not self.torch.error else tuple(by_uuid)
        words_of = short_gpu_words if short else gpu_words
        for number, uuid in enumerate(order):
            gpu = by_uuid.get(uuid)
            busy = "BUSY: " if gpu is not None and is_busy(gpu) else ""
            rows.append((f"cuda:{number}", "a part of a GPU" if gpu is None else f"{busy}{words_of(gpu)}"))
        return rows


@cache
def cores_here() -> int:
    """Cores this process may use; asked once, since a form needs it at every key."""
    return usable_cores()


def probe_machine(on_ready: Callable[[Machine], None]) -> None:
    """Ask in a thread; `on_ready` is called in it, twice where torch is asked, which takes seconds."""
    threading.Thread(target=_probe, args=(on_ready,), name="machine", daemon=True).start()


def _probe(on_ready: Callable[[Machine], None]) -> None:
    gpus = tuple(list_gpus())
    has_nvidia = bool(gpus) or nvidia_device_present()
    on_ready(Machine(gpus, has_nvidia, None))
    if has_nvidia:
        on_ready(Machine(gpus, has_nvidia, _torch()))


@cache
def _torch() -> TorchFacts:
    return probe_torch()
