"""Everything that leaves the command line: stdout, stderr and exit codes.

What a command answers goes to stdout. With --json that is one object a line
and nothing else, and all prose goes to stderr. Warnings, errors and moving
bars always go to stderr. On a terminal, prose is broken at words to its width.

rich is imported only where a bar moves.
"""

import errno
import io
import json
import math
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO, cast

import click

from mia_tui.cli.options import unknown_option
from mia_tui.cli.output import tables
from mia_tui.cli.output.safe_stream import STDERR, STDOUT, SafeStream
from mia_tui.cli.output.wrap import wrap
from mia_tui.errors import ConfigError, MiaError
from mia_tui.files import create
from mia_tui.paths import user_state
from mia_tui.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress

    from mia_tui.runs.record.state import RunState

INTERRUPTED = 130

_WARNING = "Warning: "

# What a disk says about a name or a right; anything else from the system is a fault of this program.
_REFUSALS = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.ENAMETOOLONG,
        errno.ELOOP,
        errno.EIO,
        errno.ESTALE,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
    }
)


class _Shown:
    """The content of a file on a terminal, which names in it must not steer."""

    def write(self, text: str) -> int:
        return STDOUT.write("\n".join(map(printable, text.split("\n"))))


class Bar(Protocol):
    """Something that counts up in front of the user."""

    def update(self, done: int, total: int | None = None) -> None:
        """So many are done."""


class Report:
    """What one command tells its user.

    Args:
        as_json: Whether --json was given.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._moving: Progress | None = None

    def say(self, text: str = "", *, hang: int = 2) -> None:
        """Prose: on stdout, or on stderr with --json; `hang` indents what a terminal needs more lines for."""
        self._prose(self._answers, text, hang)

    def row(self, text: str) -> None:
        """A line that has its layout already, as those of a table; goes where `say` goes, never broken."""
        self._line(self._answers, printable(text))

    def warn(self, message: str, hint: str | None = None) -> None:
        """A warning on stderr; the command goes on."""
        self._prose(STDERR, f"{_WARNING}{message}" + (f" {hint}" if hint else ""), len(_WARNING))

    def note(self, text: str) -> None:
        """A line on stderr that is no part of the answer."""
        self._prose(STDERR, text)

    def record(self, record: object) -> None:
        """One JSON object (a mapping or a msgspec Struct) as a line on stdout; without --json nothing.

        Numbers that are not finite become the strings nan, inf and -inf, as in events.jsonl.
        """
        if self.as_json:
            self._line(STDOUT, json.dumps(_plain(record), allow_nan=False))

    def data(self) -> TextIO:
        """stdout for the content of a file: UTF-8 as it is; on a terminal its lines are made inert."""
        if STDOUT.isatty():
            return cast(TextIO, _Shown())
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        return cast(TextIO, STDOUT)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """A table with a line of headings; numbers stand to the right."""
        for line in tables.table(columns, rows):
            self.row(line)

    def per_class(self, rows: Sequence[Mapping[str, object]]) -> None:
        """The figures of each class ({class, support, precision, recall, f1}), as in `evaluate --json`."""
        for line in tables.per_class(rows):
            self.row(line)

    def figures(self, values: Mapping[str, float]) -> None:
        """The figures of a whole confusion matrix (`runs.evaluation.figures`), those that `evaluate` tells."""
        self.table(("figure", "value"), [(name.replace("_", " "), values[name]) for name in tables.FIGURES])

    def confusion(self, counts: Sequence[Sequence[int]], classes: Sequence[str]) -> None:
        """A confusion matrix, rows truth; with many classes the commonest mix-ups instead."""
        for line in tables.confusion(counts, classes):
            self.row(line)

    def epochs(self, state: "RunState") -> None:
        """The table of a run's epochs, the best one marked."""
        from mia_tui.cli.output.progress import epoch_table

        total = state.started.total_epochs if state.started else len(state.epochs)
        for line in epoch_table(state.epochs, state.metric, total=total, best=state.best):
            self.row(line)

    @property
    def deaf(self) -> bool:
        """Whether nobody reads the answer any more, so that going on to tell it is of no use."""
        return STDOUT.gone

    @property
    def moves(self) -> bool:
        """Whether bars may move: stderr is a terminal that can take lines back."""
        return STDERR.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    @contextmanager
    def counting(self, title: str, *, unit: str = "images", total: int | None = None) -> Iterator[Bar]:
        """A bar on a terminal, a plain line now and then elsewhere; both on stderr."""
        from mia_tui.cli.output.progress import MovingBar, PlainBar

        if not self.moves:
            yield PlainBar(self, title, unit, total)
            return
        with self.moving() as progress:
            yield MovingBar(progress, title, unit, total)

    @contextmanager
    def moving(self) -> "Iterator[Progress]":
        """A rich Progress on stderr; what is said meanwhile appears above it."""
        from mia_tui.cli.output.progress import open_progress

        with open_progress(STDERR) as progress:
            self._moving = progress
            try:
                yield progress
            finally:
                self._moving = None

    @property
    def _answers(self) -> SafeStream:
        return STDERR if self.as_json else STDOUT

    def _prose(self, outlet: SafeStream, text: str, hang: int = 2) -> None:
        """Inert whatever names are in it: those of another's run or file must not steer this terminal."""
        self._line(outlet, _fitted(outlet, printable(text), hang))

    def _line(self, outlet: SafeStream, text: str) -> None:
        if self._moving is not None and outlet.isatty():
            self._moving.console.out(text, highlight=False)
            return
        outlet.write(text + "\n")
        outlet.flush()


def run(body: Callable[[], object]) -> int:
    """Run a command and turn whatever comes of it into an exit code, and at most one sentence on stderr.

    Args:
        body: What to do; an int it returns is the exit code.
    """
    try:
        result = body()
        code = result if isinstance(result, int) else 0
    except MiaError as error:
        code = _fail(str(error), error.exit_code)
    except click.ClickException as error:
        code = _fail(_usage(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        code = _fail("Stopped.", INTERRUPTED)
    except Exception as error:  # noqa: BLE001  # the surface: no traceback may reach the user
        refused = _refused(error)
        code = _fail(refused, ConfigError.exit_code) if refused else _fail(_unexpected(error), 1)
    STDOUT.flush()
    STDERR.flush()
    if STDOUT.error is not None and code == 0:
        code = _fail(f"The output could not be written: {STDOUT.error.strerror}.", 1)
    return code


def _fail(sentence: str, code: int) -> int:
    first, *more = map(printable, sentence.split("\n"))  # more is a traceback
    STDERR.write("\n".join([_fitted(STDERR, first), *more]) + "\n")
    return code


def _fitted(outlet: SafeStream, text: str, hang: int = 2) -> str:
    columns = outlet.columns()
    return text if columns is None else wrap(text, columns, hang=hang)


def _usage(error: click.ClickException) -> str:
    message = printable(
        unknown_option(error) if isinstance(error, click.NoSuchOption) else error.format_message()
    )
    sentence = message if message.endswith((".", "?")) else f"{message}."
    context = getattr(error, "ctx", None)
    return f"{sentence} See `{context.command_path} --help`." if context is not None else sentence


def _refused(error: Exception) -> str | None:
    """A name the disk does not take, or a place that may not be looked into; None for a fault of ours."""
    if not isinstance(error, OSError) or error.errno not in _REFUSALS or error.filename is None:
        return None
    return f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}."


def _unexpected(error: Exception) -> str:
    """A fault of this program: the traceback goes to a file, the user gets its name."""
    text = "".join(traceback.format_exception(error))
    what = f"This is a fault in mia-tui: {type(error).__name__}: {printable(error)}."
    try:
        path = _save(text)
    except OSError:
        return f"{what} Please report it with these lines:\n{text}"
    return f"{what} Please report it with the file {printable(path)}."


def _save(text: str) -> Path:
    path = user_state() / f"error-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    with os.fdopen(create(path, mode=0o600), "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"{' '.join(sys.argv)}\n\n{text}")
    return path


def _plain(value: object) -> object:
    """A record as what JSON has words for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "__struct_fields__"):
        import msgspec

        return _plain(msgspec.to_builtins(value))
    return value
