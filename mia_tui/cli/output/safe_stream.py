"""stdout and stderr.

If nobody reads a stream any more (the terminal is gone, the pipe is closed), nothing more is written to it and no
error is raised: a training in the foreground continues without it.
"""

import errno
import os
import sys
from typing import Literal

_COLUMNS = 80  # of a terminal that does not report its width


class SafeStream:
    """stdout or stderr; after a failed write all further output is dropped."""

    encoding = "utf-8"

    def __init__(self, name: Literal["stdout", "stderr"]) -> None:
        self._name = name
        self.gone = False
        self.error: OSError | None = None  # why output was dropped, if that needs an exit code

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
        """Whether the stream is a terminal."""
        stream = getattr(sys, self._name)
        try:
            return not self.gone and stream is not None and stream.isatty()
        except ValueError:
            return False

    def fileno(self) -> int:
        """The descriptor, for rich, which asks for the terminal's size."""
        return int(getattr(sys, self._name).fileno())

    def columns(self) -> int | None:
        """Width of the terminal; None if the stream is none, and lines may have any length."""
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
        self._redirect_to_null()

    def _redirect_to_null(self) -> None:
        """Send what is still in Python's buffer to /dev/null, or it would raise again at exit."""
        try:
            number = self.fileno()
            if number in (1, 2):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, number)
                os.close(null)
        except (OSError, ValueError):
            pass  # no file behind the stream, so nothing to flush at exit


STDOUT = SafeStream("stdout")
STDERR = SafeStream("stderr")
