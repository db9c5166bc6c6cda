"""The app: its screens, its keys, its end."""

import asyncio
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.command import CommandList, CommandPalette
from textual.geometry import Size
from textual.screen import Screen
from textual.worker import WorkerFailed

from mia_tui.dataset.listing.cache import load_listing
from mia_tui.text import printable
from mia_tui.tui.context import Context
from mia_tui.tui.driver import TerminalDriver, leave_at_once
from mia_tui.tui.keys.bindings import palette_lines
from mia_tui.tui.keys.serializer import KeySerializer
from mia_tui.tui.label.screen import LOW_ROWS, NARROW_COLUMNS, LabelScreen
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.labelling.fingerprints import finish_fingerprints
from mia_tui.tui.pictures.preload import Preload
from mia_tui.tui.read_messages import ReadMessages
from mia_tui.tui.screen import KeyedScreen

if TYPE_CHECKING:
    from mia_tui.tui.home.screen import HomeScreen

HUNG_UP = 129
"""Exit code where the terminal has gone: 128 and SIGHUP."""

_LEAST_COLUMNS, _LEAST_ROWS = 20, 5
"""What the screens are laid out for at least: of a smaller window more is cut off. Textual ends with a fault where a
text is left no column."""

_WRITING_S = 5.0
_ANSWER_S = 0.25


class _Palette(CommandPalette):
    """Textual's, which fails at PgUp and PgDn while its lines are not laid out, as in a window of two rows.

    This leans on the names of Textual's action and of its table of lines.
    """

    def _action_command_list(self, action: str) -> None:
        if self.query_one(CommandList)._index_to_line:
            super()._action_command_list(action)


class MiaApp(App[int], inherit_bindings=False):
    """The whole app.

    Args:
        context: What screens share.
        dataset: Folder to open; None opens the home screen.
        head_start: What was read of it already.
    """

    BINDINGS: ClassVar[list[BindingType]] = []  # each screen has its own, with the user's keys
    TITLE = "mia-tui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False  # by a fixed key, that is
    # Where messages find room depends on them: app.tcss.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW_COLUMNS, "-wide")]  # noqa: RUF012  # as Textual has it
    VERTICAL_BREAKPOINTS = [(0, "-low"), (LOW_ROWS, "-high")]  # noqa: RUF012

    def __init__(self, context: Context, dataset: Path | None, head_start: Preload | None = None) -> None:
        super().__init__(driver_class=TerminalDriver, watch_css=False)
        self.context = context
        self.link = context.link
        self._dataset, self._head_start = dataset, head_start
        self._desk: LabelController | None = None
        self._read_messages = ReadMessages(self)
        self._key_turns = KeySerializer(self, super().on_event)
        type(self).NOTIFICATION_TIMEOUT = context.user.toast_s
        self.use_command_palette = True

    def on_mount(self) -> None:
        asyncio.get_running_loop().set_exception_handler(self._task_failed)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, partial(self._end, 128 + number))
        self.set_interval(1.0, self.link.expire)
        if self._dataset is None:
            self._go_home()
        else:
            self.open_dataset(self._dataset, self.context.state)
        if self.context.terminal.note:
            self.notify(self.context.terminal.note, severity="warning", markup=False)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Resize):
            width, height = event.size
            event.size = Size(max(width, _LEAST_COLUMNS), max(height, _LEAST_ROWS))
            event.virtual_size = event.container_size = event.size
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        if isinstance(event, events.Key):
            self._read_messages.pressed(event.key)
        await self._key_turns.take(event)

    def on_home_screen_opened(self, event: "HomeScreen.Opened") -> None:
        self.open_dataset(event.dataset, event.state)

    def open_dataset(self, dataset: Path, state: Path | None) -> None:
        """Label a folder of images; what was open before is closed by its screen."""
        context = replace(self.context, state=state)
        head_start, self._head_start = self._head_start, None
        listing = load_listing(dataset) if head_start is None else head_start.listing()
        desk = LabelController(dataset, state=state, annotator=context.annotator, listing=listing)
        self._desk = desk
        self.push_screen(LabelScreen(desk, context, head_start), self._left)

    def _left(self, _: None) -> None:
        """A labelling screen was left."""
        self._go_home()

    def _go_home(self) -> None:
        from mia_tui.tui.home.screen import HomeScreen

        if not isinstance(self.screen, HomeScreen):
            self.push_screen(HomeScreen(self.context))

    def notify(self, message: str, **options: Any) -> None:
        """Show a message; names in it steer nothing."""
        super().notify(printable(message), **{"markup": False, **options})

    def write_terminal(self, data: str) -> None:
        """Send something to the terminal that is no part of a screen: a picture ahead of time."""
        if self._driver is not None:
            self._driver.write(data)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        if isinstance(screen, KeyedScreen):
            for name, title, help in palette_lines(screen.SCOPE, self.context.user.keys):
                yield SystemCommand(title, help, partial(screen.obey, name))
        yield SystemCommand(
            "Theme", "Other colours for this app, until it is closed.", self.action_change_theme
        )

    def action_command_palette(self) -> None:
        if not CommandPalette.is_open(self):  # type: ignore[arg-type]  # it takes apps without a result only
            self.push_screen(_Palette(id="--command-palette"))

    async def action_quit(self) -> None:
        """Close, once everything that was pressed before is done."""
        self._end(0)

    def _end(self, code: int) -> None:
        if isinstance(self.screen, KeyedScreen):
            self.screen.queue.do(partial(self._close, code), keep=True)
        else:
            self.run_worker(self._close(code))

    async def _close(self, code: int) -> None:
        for screen in self.screen_stack:
            if isinstance(screen, LabelScreen):
                screen.leave()
                if screen.desk.owes_fingerprints:
                    screen.say("Closing, once the last labelled images are read.")
                    screen.show()
                await finish_fingerprints(screen.desk)
        if self.link.busy:  # an answer that came after the end would stand in the shell
            await asyncio.sleep(_ANSWER_S)
        self.exit(code)

    @property
    def fault(self) -> Exception | None:
        """What ended the app, or would have, if it was a fault of this program."""
        return self._exception

    @contextmanager
    def watching_threads(self) -> Iterator[None]:
        """Have a fault in a thread end the app as one on a screen does, rather than leave half of it working."""
        before, threading.excepthook = threading.excepthook, self._thread_failed
        try:
            yield
        finally:
            threading.excepthook = before

    def _handle_exception(self, error: Exception) -> None:
        """End the app; who started it says what happened (Textual would print the traceback)."""
        self._keep_fault(error)
        self.exit(return_code=1)
        self._exception_event.set()  # for Textual's pilot, which raises it in a test

    def _keep_fault(self, error: Exception) -> None:
        """The first one counts, others follow from it. One in a worker is wrapped, and has its traceback inside."""
        if self._exception is None:
            inner = error.error if isinstance(error, WorkerFailed) else error
            self._exception = inner if isinstance(inner, Exception) else error

    def _thread_failed(self, failure: threading.ExceptHookArgs) -> None:
        if isinstance(failure.exc_value, Exception):
            self._keep_fault(failure.exc_value)  # at once: the app may be closing
            if self.is_running:
                self.call_later(self._handle_exception, failure.exc_value)

    def _task_failed(self, _: asyncio.AbstractEventLoop, failure: dict[str, Any]) -> None:
        """A fault in what the event loop does beside the screens, as handing on what a thread tells."""
        error = failure.get("exception")
        if isinstance(error, Exception):
            self._handle_exception(error)

    def terminal_is_gone(self) -> None:
        """Called in a thread: let what is being written end, then end at once; there is nothing left to draw on."""
        if self._desk is not None:
            self._desk.keeper.drain(_WRITING_S)
        leave_at_once(HUNG_UP)
