"""Tracebacks in the worker.log of a run: of what failed, and of what readers of images said of damaged files.

The person gets one sentence; whoever wants to know why a file cannot be read finds it here.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mia_tui.files import open_in_place
from mia_tui.runs.record.layout import RunDir

_FAULTS = logging.getLogger(
    "mia_tui.images"
)  # that of dataset.images.reading, which a waiting run need not import
_MOST_FILES = 100  # of one attempt: a disk that goes away is no reason to write for hours


class _FaultHandler(logging.Handler):
    """Passes on the first fault of each file."""

    def __init__(self, write: Callable[[str], object]) -> None:
        super().__init__(logging.INFO)
        self._write = write
        self._seen: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message in self._seen or len(self._seen) >= _MOST_FILES:
            return
        self._seen.add(message)
        self._write(self.format(record))


def write_to_log(run: RunDir, what: str, *, who: str = "") -> bool:
    """Write a traceback to worker.log; False if that fails, as on a full disk.

    Args:
        run: The run.
        what: The traceback.
        who: The process that it is of, where a run has several.
    """
    head = f"{time.strftime('%Y-%m-%d %H:%M:%S')}{who and ', '}{who}"
    text = f"{head}\n{what}\n"
    try:
        descriptor = open_in_place(run.worker_log, root=run.root, append=True)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return False
    return True


@contextmanager
def faults_written(write: Callable[[str], object]) -> Iterator[None]:
    """Write why images cannot be read, as long as this is open.

    Args:
        write: Called with each text; must not raise.
    """
    handler, level, propagates = _FaultHandler(write), _FAULTS.level, _FAULTS.propagate
    _FAULTS.addHandler(handler)
    _FAULTS.setLevel(logging.INFO)
    _FAULTS.propagate = False
    try:
        yield
    finally:
        _FAULTS.removeHandler(handler)
        _FAULTS.setLevel(level)
        _FAULTS.propagate = propagates
