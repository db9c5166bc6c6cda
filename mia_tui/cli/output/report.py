"""All output of the command line: stdout, stderr and exit codes.

The answer of a command goes to stdout. With --json that is one object per line and nothing else, and all text goes to
stderr. Warnings, errors and progress bars always go to stderr. On a terminal, text is wrapped to its width.

rich is imported only for a moving bar.
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

from mia_tui.catalog.metrics import metric_words
from mia_tui.cli.output import tables
from mia_tui.cli.output.safe_stream import STDERR, STDOUT, SafeStream
from mia_tui.cli.output.wrap import wrap
from mia_tui.cli.shared.options import unknown_option
from mia_tui.errors import ConfigError, MiaError
from mia_tui.files import create
from mia_tui.paths import user_state
from mia_tui.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress

    from mia_tui.runs.record.state import RunState

INTERRUPTED = 130

_WARNING = "Warning: "

# A name or a permission that the disk refuses; any other error of the system is a bug of this program.
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


class _TerminalText:
    """Prints the content of a file on a terminal, with control characters made visible."""

    def write(self, text: str) -> int:
        return STDOUT.write("\n".join(map(printable, text.split("\n"))))


class Bar(Protocol):
    """A progress bar."""

    def update(self, done: int, total: int | None = None) -> None:
        """Set how many are done."""


class Report:
    """The output of one command.

    Args:
        as_json: Whether --json was given.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._moving: Progress | None = None

    def say(self, text: str = "", *, hang: int = 2) -> None:
        """Print text on stdout, or on stderr with --json; `hang` indents the further lines of wrapped text."""
        self._prose(self._answers, text, hang)

    def row(self, text: str) -> None:
        """Print a line as it is, such as a row of a table; goes where `say` goes, and is never wrapped."""
        self._line(self._answers, printable(text))

    def warn(self, message: str, hint: str | None = None) -> None:
        """Print a warning on stderr; the command continues."""
        self._prose(STDERR, f"{_WARNING}{message}" + (f" {hint}" if hint else ""), len(_WARNING))

    def note(self, text: str) -> None:
        """Print a line on stderr that is not part of the answer."""
        self._prose(STDERR, text)

    def confirm(self, title: str, text: str) -> bool:
        """Ask a question on the terminal; the answer is no unless it is y or yes.

        Args:
            title: The question.
            text: What to know before answering.

        Raises:
            ConfigError: If there is no terminal to ask at.
        """
        if sys.stdin is None or not (sys.stdin.isatty() and STDERR.isatty()):
            raise ConfigError(f"{text} {title}", "There is no terminal to ask at: --yes means yes.")
        self.note(text)
        STDERR.write(f"{printable(title)} [y/N] ")
        STDERR.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def record(self, record: object) -> None:
        """Print a mapping or a msgspec Struct as one line of JSON on stdout; does nothing without --json.

        Numbers that are not finite become the strings nan, inf and -inf, as in events.jsonl.
        """
        if self.as_json:
            self._line(STDOUT, json.dumps(_plain(record), allow_nan=False))

    def data(self) -> TextIO:
        """stdout for the content of a file: unchanged UTF-8; on a terminal, control characters are made visible."""
        if STDOUT.isatty():
            return cast(TextIO, _TerminalText())
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        return cast(TextIO, STDOUT)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Print a table with headings; numbers are aligned to the right."""
        for line in tables.table(columns, rows):
            self.row(line)

    def per_class(self, rows: Sequence[Mapping[str, object]]) -> None:
        """The metrics of each class ({class, support, precision, recall, f1}), as in `evaluate --json`."""
        for line in tables.class_table(rows):
            self.row(line)

    def figures(self, values: Mapping[str, float]) -> None:
        """Print the metrics of a whole confusion matrix (`runs.evaluation.confusion.figures`)."""
        self.table(("metric", "value"), [(metric_words(name), values[name]) for name in tables.FIGURES])

    def confusion(
        self,
        counts: Sequence[Sequence[int]],
        classes: Sequence[str],
        *,
        shares: bool = False,
        by_similarity: bool | None = None,
    ) -> None:
        """Print a confusion matrix, rows truth: a heat map on a terminal with colours where it fits, else a table.

        With many classes it is a table of the most frequent confusions.

        Args:
            counts: Shape (C, C).
            classes: Names, length C.
            shares: Whether the cells have shares of the images of their row in place of counts.
            by_similarity: Whether classes that are confused are neighbours; None means in a heat map only.
        """
        painted = self._heat_map(counts, classes, shares=shares, by_similarity=by_similarity is not False)
        for line in painted:
            self._line(self._answers, line)
        if painted:
            return
        for line in tables.confusion(counts, classes, shares=shares, by_similarity=by_similarity is True):
            self.row(line)

    def _heat_map(
        self,
        counts: Sequence[Sequence[int]],
        classes: Sequence[str],
        *,
        shares: bool,
        by_similarity: bool,
    ) -> list[str]:
        """Lines with colours; none where they cannot be shown, or there are too many classes."""
        columns = self._answers.columns() if self._answers.isatty() else None
        if columns is None:
            return []
        from mia_tui.cli.output.heat_map import colours_of, heat_map

        colours = colours_of(os.environ)
        if colours is None:
            return []
        return heat_map(counts, classes, columns, colours, shares=shares, by_similarity=by_similarity) or []

    def epochs(self, state: "RunState") -> None:
        """Print the table of a run's epochs, with the best one marked."""
        from mia_tui.cli.output.progress import epoch_table

        total = state.started.total_epochs if state.started else len(state.epochs)
        for line in epoch_table(state.epochs, state.metric, total=total, best=state.best):
            self.row(line)

    @property
    def is_unread(self) -> bool:
        """Whether nobody reads the answer any more (its pipe is closed), so that more output is useless."""
        return STDOUT.gone

    @property
    def shows_bars(self) -> bool:
        """Whether there are moving bars: stderr is a terminal that can overwrite lines."""
        return STDERR.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    @contextmanager
    def counting(self, title: str, *, unit: str = "images", total: int | None = None) -> Iterator[Bar]:
        """Counts images or the like: a bar on a terminal, otherwise a line from time to time; both on stderr."""
        from mia_tui.cli.output.progress import MovingBar, PlainBar

        if not self.shows_bars:
            yield PlainBar(self, title, unit, total=total)
            return
        with self.moving() as progress:
            yield MovingBar(progress, title, unit, total=total)

    @contextmanager
    def moving(
        self, above: "Callable[[int, int], Sequence[RenderableType]] | None" = None
    ) -> "Iterator[Progress]":
        """A rich Progress on stderr; text printed meanwhile appears above it.

        Args:
            above: What moves above the bars, from the columns and rows of the terminal; its last state stays.
        """
        from mia_tui.cli.output.progress import open_progress

        with open_progress(STDERR, above) as progress:
            self._moving = progress
            try:
                yield progress
            finally:
                self._moving = None
                for line in above(*progress.console.size) if above is not None else ():
                    progress.console.print(line)

    @property
    def _answers(self) -> SafeStream:
        return STDERR if self.as_json else STDOUT

    def _prose(self, stream: SafeStream, text: str, hang: int = 2) -> None:
        """Control characters are made visible: names of another user's run or file must not control this terminal."""
        self._line(stream, _fitted(stream, printable(text), hang))

    def _line(self, stream: SafeStream, text: str) -> None:
        if self._moving is not None and stream.isatty():
            self._moving.console.out(text, highlight=False)
            return
        stream.write(text + "\n")
        stream.flush()


def run(body: Callable[[], object]) -> int:
    """Run a command and turn its result or error into an exit code, with at most one sentence on stderr.

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
    except Exception as error:  # noqa: BLE001  # top level: no traceback may reach the user
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


def _fitted(stream: SafeStream, text: str, hang: int = 2) -> str:
    columns = stream.columns()
    return text if columns is None else wrap(text, columns, hang=hang)


def _usage(error: click.ClickException) -> str:
    message = printable(
        unknown_option(error) if isinstance(error, click.NoSuchOption) else error.format_message()
    )
    sentence = message if message.endswith((".", "?")) else f"{message}."
    context = getattr(error, "ctx", None)
    return f"{sentence} See `{context.command_path} --help`." if context is not None else sentence


def _refused(error: Exception) -> str | None:
    """The sentence for a name that the disk refuses, or a folder without permission; None for a bug of ours."""
    if not isinstance(error, OSError) or error.errno not in _REFUSALS or error.filename is None:
        return None
    return f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}."


def _unexpected(error: Exception) -> str:
    """A bug of this program: the traceback goes to a file, and the user gets its name."""
    text = "".join(traceback.format_exception(error))
    what = f"This is a bug in mia-tui: {type(error).__name__}: {printable(error)}."
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
    """A record as values that JSON can hold."""
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
