"""The device of a network: which one, which arithmetic, how much memory, and why a GPU is not used."""

import os
import re
import resource
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from mia_tui.config.train import Precision
from mia_tui.errors import DeviceError
from mia_tui.runs.machine.gpus import MANY_DEVICES, list_gpus, nvidia_device_present
from mia_tui.text import counted

Arithmetic = Literal["fp32", "bf16", "fp16"]

_FLOAT32_IN_TRAINING = ("efficientnet", "nasnet")
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class DeviceChoice:
    """The device of a run; `warning` says why an existing GPU is not used."""

    device: torch.device
    warning: str | None = None


def pick_device(name: str) -> DeviceChoice:
    """The device for `auto`, `cpu`, `mps`, `cuda` or `cuda:N`.

    `auto` and `cuda` take the visible GPU with the most free memory.

    Raises:
        DeviceError: If the named device cannot be used.
    """
    kind, _, index = name.partition(":")
    if kind == "cpu":
        return DeviceChoice(torch.device("cpu"))
    if kind == "mps":
        if not torch.backends.mps.is_available():
            raise DeviceError("torch finds no Apple GPU here.", "Use --device cpu.")
        return DeviceChoice(torch.device("mps"))
    if torch.cuda.is_available():
        chosen = _cuda_index(index)
        reason = why_no_kernels(chosen)
        if reason is None:
            return DeviceChoice(torch.device("cuda", chosen))
    else:
        reason = why_no_gpu()
    if kind == "cuda":
        raise DeviceError(
            f"--device {name} cannot be used: {reason or 'there is no NVIDIA GPU here.'}", "Use --device cpu."
        )
    return DeviceChoice(torch.device("cpu"), reason)


def why_no_gpu() -> str | None:
    """Why torch cannot use the NVIDIA GPU of this machine; None if it has none, or torch can use it."""
    if torch.cuda.is_available() or not (nvidia_device_present() or list_gpus()):
        return None
    if torch.version.cuda is None:
        return (
            f"this machine has an NVIDIA GPU, but torch {torch.__version__} was built without CUDA; "
            "install a CUDA build of torch."
        )
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return "this machine has an NVIDIA GPU, but CUDA_VISIBLE_DEVICES hides it; unset it."
    gpus = list_gpus()
    if not gpus:
        return (
            "this machine has an NVIDIA device, but its driver does not answer; `nvidia-smi` should say why."
        )
    return (
        f"the driver {gpus[0].driver} cannot run CUDA {torch.version.cuda}, which torch {torch.__version__} "
        "was built for; install a torch built for an older CUDA, or a newer driver."
    )


def describe(device: torch.device) -> str:
    """The device in words, such as `NVIDIA H200` or `CPU, 2 threads`."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "mps":
        return "Apple GPU"
    return f"CPU, {counted(torch.get_num_threads(), 'thread')}"


def describe_all(device: torch.device, count: int) -> str:
    """The devices of so many processes, such as `4 × NVIDIA H200`."""
    if count == 1:
        return describe(device)
    if device.type == "cpu":
        return f"CPU, {count} processes of {counted(torch.get_num_threads(), 'thread')}"
    return f"{count}{MANY_DEVICES}{describe(device)}"


def gpu_uuids() -> list[str]:
    """UUIDs of the GPUs, in torch's order; empty if torch can use none."""
    if not torch.cuda.is_available():
        return []
    return [
        str(torch.cuda.get_device_properties(index).uuid).removeprefix("GPU-")
        for index in range(torch.cuda.device_count())
    ]


def resolve_precision(precision: Precision, device: torch.device) -> Arithmetic:
    """The arithmetic of a precision; `auto` is bf16 if the device has instructions for it, otherwise fp32.

    Two cores with AVX-512 BF16 trained resnet18 at 96 pixels 1.6 times faster with it.

    Raises:
        DeviceError: If fp16 is requested on a CPU.
    """
    if precision == "fp16" and device.type != "cuda":
        raise DeviceError("--precision fp16 needs an NVIDIA GPU.", "Use bf16 or fp32.")
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.get_device_capability(device) >= (8, 0) else "fp16"
    if device.type == "cpu" and _cpu_has_bf16():
        return "bf16"
    return "fp32"


def training_arithmetic(precision: Precision, device: torch.device, backbone: str) -> Arithmetic:
    """As `resolve_precision`, for a training: there `auto` is fp32 for some networks on a CPU.

    The gradients of layers that see one channel each take longer in bf16 there: a step of efficientnetlite0,
    efficientnetb0 and nasnetmobile took 1.4 to 1.6 times as long (96 pixels, torch 2.14, AVX-512 BF16), at 224 pixels
    1.1 times. mobilenet and xception are as fast or faster in bf16.

    Raises:
        DeviceError: If fp16 is requested on a CPU.
    """
    if precision == "auto" and device.type == "cpu" and backbone.startswith(_FLOAT32_IN_TRAINING):
        return "fp32"
    return resolve_precision(precision, device)


def autocast(device: torch.device, arithmetic: Arithmetic) -> AbstractContextManager[object]:
    """The context a forward pass runs in."""
    if arithmetic == "fp32":
        return nullcontext()
    return torch.autocast(device.type, dtype=_DTYPES[arithmetic])


def set_up(device: torch.device, *, threads: int, deterministic: bool) -> None:
    """Process-wide settings of torch; call once, before the first network is built."""
    torch.set_num_threads(threads)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # warn_only: the few operations without a deterministic version are named in the log instead of ending the run.
    if (
        deterministic != torch.are_deterministic_algorithms_enabled()
    ):  # the call imports torch's compiler, a second
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.backends.cudnn.benchmark = device.type == "cuda" and not deterministic
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = not deterministic
        torch.backends.cudnn.allow_tf32 = not deterministic


def peak_memory_bytes(device: torch.device) -> int:
    """Peak memory so far: on the GPU, or of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_reserved(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error of torch means that memory ran out, on a GPU or in the machine."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in text or "ALLOC_FAILED" in text)


def release_memory(device: torch.device) -> None:
    """Free cached blocks after memory ran out."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def _cuda_index(text: str) -> int:
    count = torch.cuda.device_count()
    if text:
        if int(text) >= count:
            raise DeviceError(
                f"--device cuda:{text} does not exist.", f"The GPUs here are cuda:0 to cuda:{count - 1}."
            )
        return int(text)
    free = {gpu.uuid.removeprefix("GPU-"): gpu.free_bytes for gpu in list_gpus()}
    uuids = gpu_uuids()
    # Prefer one that this torch was built for: an old card for the screen may have the most free memory.
    return max(range(count), key=lambda index: (why_no_kernels(index) is None, free.get(uuids[index], 0)))


def why_no_kernels(index: int) -> str | None:
    """Why torch cannot compute on a GPU that the driver lists; None if it can.

    Source: NVIDIA, "CUDA C++ Programming Guide": machine code (sm_86) runs on its own and later minor versions of
    the same major one, intermediate code (compute_90) on every later version.
    """
    here = torch.cuda.get_device_capability(index)
    built = [re.fullmatch(r"(sm|compute)_(\d+)(\d)", name) for name in torch.cuda.get_arch_list()]
    versions = [(found[1], (int(found[2]), int(found[3]))) for found in built if found]
    if not versions or any(
        version <= here and (kind == "compute" or version[0] == here[0]) for kind, version in versions
    ):
        return None
    return (
        f"the {torch.cuda.get_device_name(index)} has compute capability {here[0]}.{here[1]}, which torch "
        f"{torch.__version__} was not built for; install another build of torch."
    )


def _cpu_has_bf16() -> bool:
    # torch has no public function for this; get_cpu_capability() stops at AVX512.
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
