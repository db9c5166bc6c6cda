"""The NVIDIA GPUs of this machine, asked of the driver; no torch.

Without a driver, `list_gpus` is empty. NVML numbers GPUs differently from CUDA,
so they are matched by UUID.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANY_DEVICES = " × "
"""Between the number of GPUs that a run computes on and their name."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; memory in bytes, load in percent (None if the driver does not show it).

    `pids` are the processes that compute on it, as far as the driver shows them.
    """

    uuid: str
    name: str
    total_bytes: int
    free_bytes: int
    load_percent: int | None
    driver: str
    pids: frozenset[int] = frozenset()


def computes_on_cpu(device: str) -> bool:
    """Whether a network computes on the cores that the app also runs on, rather than on a GPU.

    Args:
        device: The setting of that name.
    """
    if device == "cpu":
        return True
    if sys.platform == "darwin":
        return False
    return os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not list_gpus()


def list_gpus() -> list[Gpu]:
    """Every GPU the driver shows, whether or not this process may use it."""
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return [_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []
    finally:
        pynvml.nvmlShutdown()


def gpus_of_process(gpus: Sequence[Gpu], pid: int, name: str) -> tuple[Gpu, ...]:
    """The GPUs that a process computes on; none if that is not known.

    In a container the driver may show other process numbers, or none: then it is the only GPU of that name.

    Args:
        gpus: Those of this machine.
        pid: The process.
        name: What the process says its GPU is called; of several, the first one is meant.
    """
    name = name.rpartition(MANY_DEVICES)[2]
    used = tuple(gpu for gpu in gpus if pid in gpu.pids and gpu.name == name)
    alike = tuple(gpu for gpu in gpus if gpu.name == name)
    return used or (alike if len(alike) == 1 else ())


def nvidia_device_present() -> bool:
    """Whether the kernel shows an NVIDIA device, even if no driver library answers."""
    return Path("/proc/driver/nvidia/version").exists() or any(Path("/dev").glob("nvidia[0-9]*"))


def _gpu(index: int) -> Gpu:
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    try:
        load: int | None = int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    except pynvml.NVMLError:
        load = None  # slices of a shared GPU have none
    return Gpu(
        uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
        name=_text(pynvml.nvmlDeviceGetName(handle)),
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
        load_percent=load,
        driver=_text(pynvml.nvmlSystemGetDriverVersion()),
        pids=frozenset(_pids(handle)),
    )


def _pids(handle: Any) -> list[int]:
    import pynvml

    try:
        return [int(process.pid) for process in pynvml.nvmlDeviceGetComputeRunningProcesses(handle)]
    except pynvml.NVMLError:
        return []


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
