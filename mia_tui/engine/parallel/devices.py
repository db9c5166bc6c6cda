"""Which devices a job uses, and the processes for them: started here, or given by `torchrun` or `srun`."""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import torch

from mia_tui.config.check import check_config
from mia_tui.config.devices import LEAST_IMAGES, check_devices, parse_devices
from mia_tui.config.train import TrainConfig
from mia_tui.engine.device import gpu_uuids, why_no_gpu, why_no_kernels
from mia_tui.engine.parallel.joining import announce, given_store, is_joining, naming_lost
from mia_tui.engine.parallel.ranks import (
    ALONE,
    RANK_DEVICES,
    RANK_MICRO_BATCH,
    Ranks,
    join_ranks,
    leave_ranks,
)
from mia_tui.errors import ConfigError, DeviceError, RunError
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.machine.given_rank import GivenRank, given_rank
from mia_tui.runs.machine.gpus import list_gpus
from mia_tui.runs.record.events import Outcome
from mia_tui.runs.record.job import Job
from mia_tui.runs.worker.attempt import Attempt
from mia_tui.runs.worker.start_clock import StartClock
from mia_tui.text import counted

WorkInRanks = Callable[[Attempt, Any, Ranks], Outcome]
"""The work of a job in one of the processes that do it together."""


def work_on_devices(attempt: Attempt, job: Job[Any], work: WorkInRanks) -> Outcome:
    """Do the work of a job on its devices: here, or in several processes.

    Args:
        attempt: Of the run.
        job: What is done.
        work: Does it in a process, whose device and threads are those of the job that it is given.

    Raises:
        MiaError: If the devices are not there, or what the work raises.
    """
    given = given_rank()
    if given is not None:
        return naming_lost(partial(_work_with_given, given, attempt, job, work))
    devices = chosen_devices(job.devices or job.config.devices, job.config.device)
    if len(devices) == 1:
        return work(attempt, _for_device(job, devices[0], 1, 1), ALONE)
    _check_count(job.config, len(devices), devices[0])
    return _work_in_processes(attempt, job, devices)


def _work_with_given(given: GivenRank, attempt: Attempt, job: Job[Any], work: WorkInRanks) -> Outcome:
    """In one of several processes that were started together."""
    if is_joining():
        _check_given(given, job)
        if given.rank == 0:
            announce(attempt)
    device = _given_device(given, job.config.device)
    _check_count(job.config, given.count, device)
    ranks = join_ranks(
        given_store(),
        given.rank,
        given.count,
        local_count=given.local_count,
        on_gpus=device.startswith("cuda"),
    )
    outcome = work(attempt, _for_device(job, device, given.count, given.local_count), ranks)
    if is_joining():
        leave_ranks(ranks)
    return outcome


def _check_given(given: GivenRank, job: Job[Any]) -> None:
    devices = job.devices or job.config.devices
    if parse_devices(devices) not in (1, given.count, None):
        raise ConfigError(
            f"--devices {devices} contradicts {given.by}, which started {given.count} processes.",
            "Leave --devices out.",
        )


def chosen_devices(devices: str, device: str) -> list[str]:
    """The devices of a job, as `pick_device` takes them; of GPUs, those with the most free memory.

    Args:
        devices: As in `config.devices`.
        device: auto, cpu, cuda, cuda:N or mps.

    Raises:
        ConfigError: If these do not fit each other.
        DeviceError: If they are not there.
    """
    check_devices(devices, device)
    wanted = parse_devices(devices)
    if wanted == 1:
        return [device]
    if device == "cpu":
        assert isinstance(wanted, int)
        return ["cpu"] * wanted
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    usable = [index for index in range(count) if why_no_kernels(index) is None]
    if wanted is None:
        return [f"cuda:{index}" for index in usable] or [device]
    if isinstance(wanted, int):
        _check_there(devices, wanted <= len(usable), len(usable))
        return [f"cuda:{index}" for index in sorted(_by_free_memory(usable)[:wanted])]
    _check_there(devices, all(index in usable for index in wanted), len(usable))
    return [f"cuda:{index}" for index in wanted]


def _check_there(devices: str, are_there: bool, count: int) -> None:
    if are_there:
        return
    here = f"torch can use {counted(count, 'GPU')} here"
    reason = why_no_gpu()
    raise DeviceError(
        f"--devices {devices} cannot be used: {reason or here + '.'}",
        "Name fewer, or all; with --device cpu it is the number of processes on the processor.",
    )


def _by_free_memory(indices: list[int]) -> list[int]:
    free = {gpu.uuid.removeprefix("GPU-"): gpu.free_bytes for gpu in list_gpus()}
    uuids = gpu_uuids()
    return sorted(indices, key=lambda index: -free.get(uuids[index], 0))


def _given_device(given: GivenRank, device: str) -> str:
    """The device of a process: that which the worker chose for it, else the GPU of its number on this machine."""
    chosen = os.environ.get(RANK_DEVICES)
    if chosen:
        return chosen.split(",")[given.local_rank]
    if device == "cpu" or not torch.cuda.is_available():
        if device.startswith("cuda"):
            raise DeviceError(f"--device {device} cannot be used: {why_no_gpu() or 'there is no GPU here.'}")
        return "cpu"
    count = torch.cuda.device_count()  # of a task with a GPU of its own it is one
    if count > 1 and given.local_rank >= count:
        raise DeviceError(
            f"{given.by} started {given.local_count} processes on a machine with {counted(count, 'GPU')}.",
            "Start one for each GPU.",
        )
    return f"cuda:{given.local_rank % count}"


def _for_device(job: Job[Any], device: str, count: int, local_count: int) -> Job[Any]:
    """The job of one of the processes on this machine: they share the cores."""
    threads = max(1, (job.threads or usable_cores()) // local_count)
    config = msgspec.structs.replace(job.config, device=device, devices=str(count))
    return msgspec.structs.replace(job, config=config, threads=threads)


def _check_count(config: Any, count: int, device: str) -> None:
    """Refuse what a training cannot do on so many devices, which only now are known."""
    if isinstance(config, TrainConfig):
        kind = "cpu" if device == "cpu" else "auto"
        check_config(msgspec.structs.replace(config, devices=str(count), device=kind))


def _work_in_processes(attempt: Attempt, job: Job[Any], devices: list[str]) -> Outcome:
    """In a process for each device; a training whose memory runs out begins again with smaller pieces."""
    from mia_tui.engine.parallel.launching import OutOfDeviceMemory, run_ranks

    attempt.phase("loading", f"starting {len(devices)} processes on {devices_in_words(devices)}")
    at_once = -(-job.config.batch_size // len(devices))
    pieces: int | None = None
    while True:
        try:
            return run_ranks(attempt, devices, micro_batch=pieces)
        except OutOfDeviceMemory as error:
            if job.kind != TrainConfig.kind or at_once < 2 * LEAST_IMAGES:
                raise RunError(error.message, error.hint) from error
            at_once = pieces = -(-at_once // 2)
            attempt.start = StartClock()
            attempt.warn(
                f"{error.message} The run begins again from its last checkpoint, and each device computes "
                f"{pieces} images at a time, with the gradients added up."
            )


def devices_in_words(devices: list[str]) -> str:
    """Such as `cuda:0 and cuda:2`, or `the CPU`."""
    return "the CPU" if devices[0] == "cpu" else ", ".join(devices)


def most_images_at_once(batch_size: int) -> int:
    """Images that this process computes at a time, after memory ran out in an earlier try."""
    return int(os.environ.get(RANK_MICRO_BATCH) or 0) or batch_size
