"""Whether a worker gives way to the app for the app that started it."""

import pytest

from mia_tui.runs.machine import gpus
from mia_tui.runs.machine.gpus import computes_on_cpu

GPU = gpus.Gpu("GPU-1", "A100", 1, 1, None, "535")


@pytest.mark.parametrize(
    ("device", "found", "visible", "expected"),
    [
        ("auto", [], None, True),
        ("auto", [GPU], None, False),
        ("auto", [GPU], "", True),
        ("auto", [GPU], "0", False),
        ("cuda:0", [GPU], None, False),
        ("cpu", [GPU], None, True),
    ],
)
def test_a_worker_gives_way_only_where_it_trains_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, device: str, found: list[gpus.Gpu], visible: str | None, expected: bool
) -> None:
    monkeypatch.setattr(gpus, "list_gpus", lambda: found)
    monkeypatch.setattr(gpus.sys, "platform", "linux")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert computes_on_cpu(device) == expected


def test_where_there_is_no_driver_nothing_is_asked_but_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus.sys, "platform", "darwin")
    assert not computes_on_cpu("auto")
    assert computes_on_cpu("cpu")
