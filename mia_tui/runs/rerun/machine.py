"""What differs between the machines of two runs and decides whether their weights can be the same to the bit."""

from mia_tui.runs.machine.gpus import list_gpus
from mia_tui.runs.machine.system import cpu_name
from mia_tui.runs.record.events import RunStarted
from mia_tui.runs.worker.attempt import installed_versions
from mia_tui.text import printable

_DECIDING = ("torch", "torchvision", "timm", "numpy", "pillow")
"""Packages that compute weights or pixels."""


def differences_between(one: RunStarted, other: RunStarted) -> list[str]:
    """What differs between two runs that have begun, such as `torch 2.11 instead of 2.14`; empty for nothing."""
    found = _versions_differ(one.versions, other.versions)
    found += _differ("the processor", one.cpu, other.cpu)
    found += _differ("the device", one.device, other.device)
    return found + _differ("the arithmetic", one.arithmetic, other.arithmetic)


def differences_here(started: RunStarted, before: int | None, now: int | None) -> list[str]:
    """What is known before the start to differ on this machine.

    Args:
        started: The start of the run that is repeated.
        before: Its threads.
        now: Those of the repetition.
    """
    found = _versions_differ(started.versions, installed_versions())
    is_on_cpu = started.device.startswith("CPU")
    if is_on_cpu:
        found += _differ("the processor", started.cpu, cpu_name())
        found += _differ("threads:", str(before or ""), str(now or ""))
    elif started.device not in [gpu.name for gpu in list_gpus()]:
        found.append(f"no {printable(started.device)} here")
    return found


def _versions_differ(before: dict[str, str], now: dict[str, str]) -> list[str]:
    return [
        f"{name} {printable(now.get(name, 'missing'))} instead of {printable(before[name])}"
        for name in _DECIDING
        if name in before and now.get(name) != before[name]
    ]


def _differ(what: str, before: str, now: str) -> list[str]:
    """Nothing where one of them is not known, as in runs of earlier versions."""
    if not before or not now or before == now:
        return []
    return [f"{what} {printable(now)} instead of {printable(before)}"]
