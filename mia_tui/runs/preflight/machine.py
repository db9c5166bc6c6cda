"""What on this machine would hurt a training: a full disk, a busy GPU, a login whose end would end the run.

/dev/shm is not checked: images are decoded in threads and never pass through it.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from mia_tui.catalog.backbones import BACKBONES
from mia_tui.config.devices import least_devices, parse_devices
from mia_tui.config.train import TrainConfig
from mia_tui.config.weights_cache import IMAGENET_WEIGHTS, weights_here
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.machine.gpus import Gpu, list_gpus
from mia_tui.runs.preflight.finding import CheckFinding
from mia_tui.runs.preflight.prepare import Prepared
from mia_tui.runs.worker.detach_risk import detach_risk
from mia_tui.text import counted, name_some, printable

BUSY_PERCENT = 30
"""Load of a GPU from which it is called busy."""

BUSY_SHARE = 0.5
"""Share of its memory that must be free for a GPU not to be called busy."""

# Copies of the weights that an optimizer keeps in a checkpoint.
_STATES = {"sgd": 1, "adagrad": 1}
_BYTES = 4


def checkpoint_bytes(config: TrainConfig) -> int | None:
    """About what the files of a run take on the disk; None where the network's size is not known here.

    The checkpoint holds the weights and what the optimizer keeps for each, the running mean if there is one; it is
    written beside the old one. The best weights are beside it, written the same way.
    """
    backbone = BACKBONES.get(config.backbone)
    if backbone is None:
        return None
    copies = 1 + _STATES.get(config.optimizer, 2) + (config.ema_decay > 0) + (config.average_epochs > 0)
    return backbone.params * _BYTES * (2 * copies + 2)


def is_busy(gpu: Gpu) -> bool:
    """Whether somebody else works on a GPU, as far as its figures tell."""
    is_full = gpu.free_bytes < BUSY_SHARE * gpu.total_bytes
    return is_full or (gpu.load_percent is not None and gpu.load_percent >= BUSY_PERCENT)


def gpu_words(gpu: Gpu) -> str:
    """A GPU in words, such as `NVIDIA H100, 70.1 of 80.0 GB free, load 3 %`."""
    load = "" if gpu.load_percent is None else f", load {gpu.load_percent} %"
    return f"{printable(gpu.name)}, {gpu.free_bytes / 1e9:.1f} of {_gb(gpu.total_bytes)} free{load}"


def short_gpu_words(gpu: Gpu) -> str:
    """The same without its name, such as `70.1 GB free, 3 %`."""
    load = "" if gpu.load_percent is None else f", {gpu.load_percent} %"
    return f"{_gb(gpu.free_bytes)} free{load}"


def full_disk(prepared: Prepared) -> Iterator[CheckFinding]:
    need = checkpoint_bytes(prepared.job.config)
    free = _free_bytes(Path(prepared.job.state))
    if need is not None and free is not None and free < need:
        yield CheckFinding(
            f"{_gb(free)} are free where the run will be stored, and its checkpoints need about {_gb(need)}.",
            "Free some space, or put the run elsewhere with --state.",
        )


def missing_weights(config: TrainConfig) -> Iterator[CheckFinding]:
    if config.weights == IMAGENET_WEIGHTS and not weights_here(config.backbone):
        yield CheckFinding(
            f"The ImageNet weights of {printable(config.backbone)} are not on this disk.",
            "The run downloads them when it starts, and fails without access to the internet; those of "
            "efficientnetlite0 are always here.",
        )


def busy_gpus(config: TrainConfig) -> Iterator[CheckFinding]:
    here = list_gpus() if config.device.startswith(("auto", "cuda")) else []
    busy = [gpu for gpu in here if is_busy(gpu)]
    if busy and config.devices != "1" and len(busy) < len(here):
        yield from _busy_among(config.devices, busy, len(here))
    elif here and len(busy) == len(here):
        named = name_some(gpu_words(gpu) for gpu in busy)
        what = "The GPU is" if len(here) == 1 else "All GPUs are"
        yield CheckFinding(f"{what} busy: {named}.", "Wait, queue behind the other run, or train on the CPU.")
    elif busy and config.device.startswith("cuda:"):
        yield CheckFinding(
            f"Some GPUs are busy: {name_some(gpu_words(gpu) for gpu in busy)}.",
            "Set the device to auto, which takes the one with most free memory.",
        )


def _busy_among(devices: str, busy: Sequence[Gpu], count: int) -> Iterator[CheckFinding]:
    """Of a training on several GPUs, which all wait for the slowest of them."""
    idle = count - len(busy)
    wanted = parse_devices(devices)
    if wanted is None or not isinstance(wanted, int) or wanted > idle:
        yield CheckFinding(
            f"{len(busy)} of {count} GPUs {'is' if len(busy) == 1 else 'are'} busy: "
            f"{name_some(gpu_words(gpu) for gpu in busy)}. GPUs that train together wait for the slowest.",
            f"Set devices to {idle}, which takes those with most free memory, or wait.",
        )


def crowded_cores(config: TrainConfig) -> Iterator[CheckFinding]:
    """More processes on the processor than it has cores."""
    count, cores = least_devices(config.devices), usable_cores()
    if config.device == "cpu" and count > cores:
        yield CheckFinding(
            f"{count} processes share {counted(cores, 'core')}, and wait for each other at each step.",
            f"Set devices to {cores} or fewer; 1 is fastest on most machines.",
        )


def detaching() -> Iterator[CheckFinding]:
    risk = detach_risk()
    if risk is not None:
        yield CheckFinding(risk.message, risk.hint)


def _free_bytes(folder: Path) -> int | None:
    """The free space where a folder is or will be."""
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"
