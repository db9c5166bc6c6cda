"""stdout and stderr.

A stream that nobody reads any more (the terminal is gone, the pipe is closed)
is given up for good and in silence: a training run in front goes on without
it.
"""

import errno
import os
import sys
from typing import Literal

_COLUMNS = 80  # of a terminal that does not tell its width


class SafeStream:
    """stdout or stderr, given up for good once it cannot be written."""

    encoding = "utf-8"

    def __init__(self, name: Literal["stdout", "stderr"]) -> None:
        self._name = name
        self.gone = False
        self.error: OSError | None = None  # why it was given up, where that is worth an exit code

    def write(self, text: str) -> int:
        stream = getattr(sys, self._name)
        if self.gone or stream is None:
            return len(text)
        try:
            stream.write(text)
        except UnicodeEncodeError:
            self._write_escaped(text)
        except OSError as error:
            self._give_up(error)
        except ValueError:  # closed by somebody else
            self.gone = True
        return len(text)

    def flush(self) -> None:
        stream = getattr(sys, self._name)
        if self.gone or stream is None:
            return
        try:
            stream.flush()
        except OSError as error:
            self._give_up(error)
        except ValueError:
            self.gone = True

    def isatty(self) -> bool:
        """Whether a person's terminal is at the other end."""
        stream = getattr(sys, self._name)
        try:
            return not self.gone and stream is not None and stream.isatty()
        except ValueError:
            return False

    def fileno(self) -> int:
        """For rich, which asks the terminal's size."""
        return int(getattr(sys, self._name).fileno())

    def columns(self) -> int | None:
        """Width of the terminal at the other end; None where there is none, and lines may have any length."""
        if not self.isatty():
            return None
        named = os.environ.get("COLUMNS", "")
        if named.isascii() and named.isdigit() and int(named) > 0:
            return int(named)
        try:
            return os.get_terminal_size(self.fileno()).columns or _COLUMNS
        except (OSError, ValueError):
            return _COLUMNS

    def _write_escaped(self, text: str) -> None:
        encoding = getattr(sys, self._name).encoding or "ascii"
        self.write(text.encode(encoding, "backslashreplace").decode(encoding))

    def _give_up(self, error: OSError) -> None:
        self.gone = True
        if error.errno not in (errno.EPIPE, errno.EIO):
            self.error = error
        self._point_to_nowhere()

    def _point_to_nowhere(self) -> None:
        """What Python still holds in its buffer would raise again at exit; let it run into /dev/null."""
        try:
            number = self.fileno()
            if number in (1, 2):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, number)
                os.close(nowhere)
        except (OSError, ValueError):
            pass  # no file behind the stream, so nothing to empty at exit


STDOUT = SafeStream("stdout")
STDERR = SafeStream("stderr")
