"""Writes down when each function of mia_tui was called, in all threads of a process, until the process ends.

A process does so if a `sitecustomize` in a folder on PYTHONPATH runs this file and calls `install`, and CALLS names a
folder; so the workers that the app starts do it, too. Each process writes one file. Times are those of
`time.perf_counter`, which on Linux is the same clock in all processes.
"""

import atexit
import json
import os
import sys
import threading
import time
from pathlib import Path
from types import CodeType, FrameType

_OPTIMIZED = 0x1  # functions have this flag, bodies of modules and classes do not
_NEAR_FRAMES = 60


def install() -> None:
    """Record from now on; the calls are written when the process ends."""
    folder = os.environ.get("CALLS")
    if folder is None:
        return
    calls: list[tuple[float, CodeType, CodeType | None]] = []
    is_ours: dict[CodeType, bool] = {}

    def ours(code: CodeType) -> bool:
        known = is_ours.get(code)
        if known is None:
            known = is_ours[code] = (
                "/mia_tui/" in code.co_filename
                and bool(code.co_flags & _OPTIMIZED)
                and (not code.co_name.startswith("<") or code.co_name == "<lambda>")
            )
        return known

    def caller(frame: FrameType) -> CodeType | None:
        above = frame.f_back
        for _ in range(_NEAR_FRAMES):
            if above is None:
                return None
            if ours(above.f_code):
                return above.f_code
            above = above.f_back
        return None

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and ours(frame.f_code):
            calls.append((time.perf_counter(), frame.f_code, caller(frame)))

    def write() -> None:
        sys.setprofile(None)
        lines = [
            json.dumps([at, _name(code), None if by is None else _name(by)]) for at, code, by in list(calls)
        ]
        Path(folder, f"{os.getpid()}.jsonl").write_text("\n".join(lines))

    atexit.register(write)
    threading.setprofile(profile)
    sys.setprofile(profile)


def _name(code: CodeType) -> str:
    """Module and function, such as `tui.label.screen:LabelScreen.show`."""
    module = code.co_filename.rpartition("/mia_tui/")[2].removesuffix(".py").replace("/", ".")
    return f"{module}:{code.co_qualname}"
