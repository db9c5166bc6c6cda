"""How much a worker steps back for the app that started it."""

import pytest

from mia_tui.runs import gpus, launch
from mia_tui.runs.launch import niceness

GPU = gpus.Gpu("GPU-1", "A100", 1, 1, None, "535")


@pytest.mark.parametrize(
    ("device", "found", "visible", "expected"),
    [
        ("auto", [], None, 5),
        ("auto", [GPU], None, 0),
        ("auto", [GPU], "", 5),
        ("auto", [GPU], "0", 0),
        ("cuda:0", [GPU], None, 0),
        ("cpu", [GPU], None, 5),
    ],
)
def test_a_worker_steps_back_only_where_it_trains_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, device: str, found: list[gpus.Gpu], visible: str | None, expected: int
) -> None:
    monkeypatch.setattr(gpus, "list_gpus", lambda: found)
    monkeypatch.setattr(launch.sys, "platform", "linux")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert niceness(device) == expected


def test_where_there_is_no_driver_nothing_is_asked_but_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch.sys, "platform", "darwin")
    assert niceness("auto") == 0
    assert niceness("cpu") == 5
