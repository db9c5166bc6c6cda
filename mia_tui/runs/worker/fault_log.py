"""What readers of images said of damaged files, with tracebacks, in the worker.log of a run.

The person gets one sentence; whoever wants to know why a file cannot be read finds it here.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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
