"""The version of torch and what it can use, found out in another process: its import takes seconds and may crash."""

import subprocess
import sys
import time

import msgspec

from mia_tui.text import printable

_PROBE = """
import json, sys
import mia_tui.engine.network, timm, torch
from mia_tui.engine.device import describe, gpu_uuids, pick_device, resolve_precision
choice = pick_device("auto")
json.dump({
    "torch": torch.__version__,
    "timm": timm.__version__,
    "cuda": torch.version.cuda,
    "device": describe(choice.device),
    "precision": resolve_precision("auto", choice.device),
    "warning": choice.warning,
    "gpus": gpu_uuids(),
}, sys.stdout)
"""
_LONGEST_S = 180.0  # a first import from a slow network disk has taken a minute and more


class TorchFacts(msgspec.Struct, frozen=True):
    """What torch is and can use on this machine.

    Attributes:
        cuda: CUDA version torch was built for; None for a build without.
        device: What training would use, in words.
        precision: Arithmetic of predictions, and of trainings but for some networks (`training_arithmetic`).
        warning: Why a GPU that is there is not used.
        gpus: UUID of cuda:0, cuda:1, …, without the prefix GPU-; the driver may number them differently.
        seconds: Time to import torch and find this out.
        error: Why torch cannot be used at all; all else is empty then.
    """

    torch: str = ""
    timm: str = ""
    cuda: str | None = None
    device: str = ""
    precision: str = ""
    warning: str | None = None
    gpus: tuple[str, ...] = ()
    seconds: float = 0.0
    error: str | None = None


def probe_torch() -> TorchFacts:
    """Import torch in another process and find out what it can use."""
    start = time.monotonic()
    command = [sys.executable, "-c", _PROBE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_LONGEST_S)
    except subprocess.TimeoutExpired:
        return TorchFacts(error=f"its import did not end within {_LONGEST_S:.0f} s.")
    if done.returncode != 0:
        return TorchFacts(error=_last_line(done.stderr, done.returncode))
    facts = msgspec.json.decode(done.stdout.splitlines()[-1], type=TorchFacts)
    return msgspec.structs.replace(facts, seconds=time.monotonic() - start)


def _last_line(stderr: str, code: int) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    return printable(lines[-1]) if lines else f"its process ended with code {code}."
