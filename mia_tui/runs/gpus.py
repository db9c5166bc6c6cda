"""The NVIDIA GPUs of this machine, asked of the driver; no torch.

Silent where there is no driver: `list_gpus` is then empty. NVML numbers GPUs
otherwise than CUDA does, so they are matched by UUID.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; memory in bytes, load in percent (None where the driver does not tell)."""

    uuid: str
    name: str
    total_bytes: int
    free_bytes: int
    load_percent: int | None
    driver: str


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
        load = None  # slices of a shared GPU do not tell
    return Gpu(
        uuid=_text(pynvml.nvmlDeviceGetUUID(handle)),
        name=_text(pynvml.nvmlDeviceGetName(handle)),
        total_bytes=int(memory.total),
        free_bytes=int(memory.free),
        load_percent=load,
        driver=_text(pynvml.nvmlSystemGetDriverVersion()),
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
