"""Choosing a device, with GPUs that are made up."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from mia_tui.engine import device as device_module
from mia_tui.engine.device import (
    is_out_of_memory,
    pick_device,
    resolve_precision,
    set_up,
    training_arithmetic,
)
from mia_tui.errors import DeviceError
from mia_tui.runs.machine.gpus import Gpu

UUIDS = ["6a1f", "b2c3", "d4e5"]
Pretend = Callable[..., None]


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Make torch and the driver see GPUs: of these capabilities, with this much free memory."""

    def pretend(
        *capabilities: tuple[int, int],
        free: tuple[int, ...] = (),
        archs: tuple[str, ...] = ("sm_80", "sm_90"),
    ) -> None:
        # The driver numbers them the other way round, and puts a prefix before the UUIDs.
        listed = [Gpu(f"GPU-{UUIDS[i]}", "", 100, free[i], None, "550") for i in range(len(free))][::-1]
        monkeypatch.setattr(device_module, "list_gpus", lambda: listed)
        for name, answer in {
            "is_available": lambda: bool(capabilities),
            "device_count": lambda: len(capabilities),
            "get_device_capability": lambda device: capabilities[getattr(device, "index", device)],
            "get_device_properties": lambda index: SimpleNamespace(uuid=UUIDS[index]),
            "get_device_name": lambda index: f"GPU {index}",
            "get_arch_list": lambda: list(archs),
        }.items():
            monkeypatch.setattr(torch.cuda, name, answer)

    return pretend


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_the_gpu_with_the_most_free_memory_is_taken_by_its_uuid(gpus: Pretend, name: str) -> None:
    gpus((8, 0), (8, 0), (9, 0), free=(10, 30, 20))
    assert pick_device(name).device == torch.device("cuda", 1)


def test_a_gpu_can_be_named_by_number(gpus: Pretend) -> None:
    gpus((8, 0), (8, 0), free=(10, 30))
    assert pick_device("cuda:0").device == torch.device("cuda", 0)
    with pytest.raises(DeviceError, match="cuda:0 to cuda:1"):
        pick_device("cuda:2")


def test_without_a_driver_library_the_first_gpu_is_taken(gpus: Pretend) -> None:
    gpus((8, 0), (8, 0))
    assert pick_device("auto").device == torch.device("cuda", 0)


@pytest.mark.parametrize(
    ("capability", "archs", "runs"),
    [
        ((8, 6), ("sm_80", "sm_90"), True),
        ((9, 0), ("sm_80", "sm_90"), True),
        ((10, 0), ("sm_80", "sm_90"), False),
        ((10, 0), ("sm_80", "compute_90"), True),
        ((7, 5), ("sm_80", "compute_90"), False),
        ((8, 0), ("sm_86",), False),
        ((12, 0), ("sm_90a", "sm_120"), True),
        ((9, 0), ("gfx90a",), True),  # AMD names its own; torch knows best
    ],
)
def test_a_gpu_that_torch_was_not_built_for_is_explained(
    gpus: Pretend, capability: tuple[int, int], archs: tuple[str, ...], runs: bool
) -> None:
    gpus(capability, archs=archs)
    choice = pick_device("auto")
    assert choice.device.type == ("cuda" if runs else "cpu")
    assert (choice.warning is None) == runs
    if not runs:
        with pytest.raises(DeviceError, match=r"compute capability .* was not built for"):
            pick_device("cuda")


def test_an_old_card_with_more_free_memory_is_passed_over(gpus: Pretend) -> None:
    gpus((3, 5), (9, 0), free=(30, 10))
    assert pick_device("auto").device == torch.device("cuda", 1)


def test_a_gpu_that_is_not_there_is_refused_and_auto_takes_the_cpu(
    gpus: Pretend, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpus()
    monkeypatch.setattr(device_module, "nvidia_device_present", lambda: False)
    choice = pick_device("auto")
    assert (choice.device.type, choice.warning) == ("cpu", None)
    with pytest.raises(DeviceError, match="there is no NVIDIA GPU here"):
        pick_device("cuda")


@pytest.mark.parametrize(
    ("cuda", "visible", "free", "words"),
    [
        (None, None, (10,), "built without CUDA"),
        ("13.0", "", (10,), "CUDA_VISIBLE_DEVICES hides it"),
        ("13.0", None, (), "does not answer"),
        ("13.0", None, (10,), "the driver 550 cannot run CUDA 13.0"),
    ],
)
def test_a_gpu_left_unused_is_reported_with_the_reason(
    gpus: Pretend,
    monkeypatch: pytest.MonkeyPatch,
    cuda: str | None,
    visible: str | None,
    free: tuple[int, ...],
    words: str,
) -> None:
    gpus(free=free)
    monkeypatch.setattr(device_module, "nvidia_device_present", lambda: True)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    choice = pick_device("auto")
    assert choice.device.type == "cpu" and words in str(choice.warning)
    with pytest.raises(DeviceError, match="--device cuda cannot be used"):
        pick_device("cuda")


def test_auto_precision_is_what_the_device_gains_from(gpus: Pretend, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus((7, 5), (8, 0))
    assert resolve_precision("auto", torch.device("cuda", 0)) == "fp16"
    assert resolve_precision("auto", torch.device("cuda", 1)) == "bf16"
    for has_bf16, wanted in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(device_module, "_cpu_has_bf16", lambda has_bf16=has_bf16: has_bf16)
        assert resolve_precision("auto", torch.device("cpu")) == wanted
        assert training_arithmetic("auto", torch.device("cpu"), "resnet18") == wanted
        assert training_arithmetic("auto", torch.device("cpu"), "efficientnetlite0") == "fp32"
    assert training_arithmetic("bf16", torch.device("cpu"), "efficientnetlite0") == "bf16"
    assert training_arithmetic("auto", torch.device("cuda", 1), "efficientnetlite0") == "bf16"
    assert resolve_precision("fp32", torch.device("cuda", 1)) == "fp32"
    with pytest.raises(DeviceError, match="fp16 needs an NVIDIA GPU"):
        resolve_precision("fp16", torch.device("cpu"))


def test_out_of_memory_is_distinguished_from_other_errors() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60)
    assert is_out_of_memory(caught.value)


def test_repeatable_arithmetic_of_one_run_is_not_forced_on_the_next() -> None:
    threads = torch.get_num_threads()
    set_up(torch.device("cpu"), threads=threads, deterministic=True)
    assert torch.are_deterministic_algorithms_enabled()
    set_up(torch.device("cpu"), threads=threads, deterministic=False)
    assert not torch.are_deterministic_algorithms_enabled()
