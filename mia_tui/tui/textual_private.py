"""Everything that this program takes from inside Textual: names with an underscore, modules with one, module globals.

Textual may change any of it in a minor version. So it all stands here, each with the reason why no public way does;
`tests/tui/test_textual_private.py` has a test for each, and pyproject.toml leaves out versions in which it was not
tried. A test of the architecture finds private names that are used elsewhere.
"""

import asyncio
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from rich.console import Console
from rich.segment import Segment
from textual import constants, events
from textual._compositor import Compositor, CompositorUpdate
from textual._xterm_parser import XTermParser
from textual.app import App, ReturnType
from textual.await_complete import AwaitComplete
from textual.await_remove import AwaitRemove
from textual.dom import DOMNode
from textual.drivers.linux_driver import LinuxDriver
from textual.geometry import Region, Size
from textual.keys import _character_to_key
from textual.message import Message
from textual.notifications import Notification
from textual.screen import Screen, ScreenResultType
from textual.strip import Strip
from textual.widget import Widget
from textual.worker import WorkerFailed

__all__ = ["CompositorUpdate"]

SEEN_IN = "8.2.8"
"""The version of Textual in which all of this was seen last."""

LONGEST_FILL_S = 0.03
"""So long a screen that opens waits at most for what it shows, such as rows from labels.db, before it is painted."""

_LONGEST_WORK_S = 0.5
_FILL_POLL_S = 0.001


def use_colour_system(name: str) -> None:
    """Have Textual draw with so many colours; it reads the environment once, when it is imported."""
    vars(constants)["COLOR_SYSTEM"] = name


# Keys


def key_of_character(character: str) -> str:
    """Textual's name of the key of a character, such as equals_sign; it has a public function for the way back."""
    return _character_to_key(character)


class SequenceParser(XTermParser):
    """Textual's parser of what a terminal sends, which can be asked whether it waits for more of a sequence."""

    def give_up(self) -> list[Message]:
        """What it makes of a sequence that it waits for more of; nothing if it knew it."""
        if self._timeout_time is None:
            return []
        self._timeout_time = 0.0
        return list(self.tick())


# The terminal


class TextualDriver(LinuxDriver):
    """Textual's driver, which can be asked whether it has taken the terminal and reads keys."""

    def write_through(self, file: Any) -> None:
        """Have Textual's writer thread write to this; it needs a file even where nothing is written through it."""
        self._file = file

    def send_message(self, message: Message) -> None:
        """Post a message to the app, from any thread (Textual makes a task and a future for each)."""
        self._loop.call_soon_threadsafe(self._app.post_message, message)

    @property
    def has_begun(self) -> bool:
        """Whether it has begun to take the terminal."""
        return self._writer_thread is not None

    @property
    def has_read(self) -> bool:
        """Whether it has ever begun to read keys."""
        return self._key_thread is not None

    @property
    def reads(self) -> bool:
        """Whether keys are being read."""
        return self._key_thread is not None and self._key_thread.is_alive()

    def tell_resumed(self) -> None:
        """Have the app told that it continues, once the terminal is taken again."""
        self._must_signal_resume = True

    def was_continued(self) -> None:
        """Continue after a stop by a signal."""
        super()._sigcont_application()

    def _sigcont_application(self, *_: object) -> None:
        self.was_continued()

    def _run_input_thread(self) -> None:
        """A fault in it is one of the app, as in any other thread (Textual would print its traceback)."""
        self.run_input_thread()


# Screens


class SwitchingApp(App[ReturnType], inherit_bindings=False):
    """An app that does not paint more than it must when it shows another screen.

    Attributes:
        pictures_are_text: Whether a picture is made of characters, which stay on the terminal beside a dialog, and
            which a dialog covers as it covers text.
    """

    pictures_are_text = False
    _has_css = False  # parsed with the variables of the theme

    def notice(self, screen: "QuickScreen[Any]") -> str:
        """A sentence that is shown in place of a screen, as in a window that is too small for it; usually none."""
        return ""

    def show_notice(self, words: str) -> None:
        """Paint that sentence."""
        self.show_sentence(words, *self.size)

    def show_sentence(self, words: str, columns: int, rows: int) -> None:
        """Paint a sentence in the middle of a window that is empty otherwise."""
        update = NoticeUpdate(words, columns, rows)
        self._display(self.screen, update)  # type: ignore[arg-type]  # it takes its own updates as well

    def refresh_css(self, animate: bool = True) -> None:
        """Use the variables of another theme; at its start Textual would parse all again, with those that it has."""
        is_first, self._has_css = not self._has_css, True
        if not is_first or self.stylesheet._variables != self.get_css_variables():
            super().refresh_css(animate)

    def push_screen(self, screen: Screen[Any] | str, *arguments: Any, **options: Any) -> Any:
        """Show another screen; Textual would paint the one below it anew, too, as it is seen around a dialog."""
        below = self.screen if self._screen_stack else None
        is_due = below is not None and below._repaint_required
        opened = super().push_screen(screen, *arguments, **options)
        if below is not None:
            below._repaint_required = is_due
        return opened

    def pop_screen(self) -> AwaitComplete:
        """Show the screen below again; of what a dialog has hidden of it, only that is painted."""
        closed = self.screen
        popped = super().pop_screen()
        back = self.screen
        if isinstance(closed, QuickScreen) and isinstance(back, QuickScreen):
            back.closed_above(closed)
        return popped

    def _prune(self, *nodes: Widget, parent: DOMNode | None = None) -> AwaitRemove:
        """Remove widgets; no screen is laid out anew because the one above it was removed."""
        return super()._prune(*nodes, parent=None if parent is self else parent)


class NoticeUpdate(CompositorUpdate):
    """A sentence in an empty window.

    Args:
        words: The sentence.
        columns: Of the window.
        rows: Of the window.
    """

    def __init__(self, words: str, columns: int, rows: int) -> None:
        self._lines = textwrap.wrap(words, columns)[:rows]
        self._top = (rows - len(self._lines)) // 2
        self._columns = columns

    def render_segments(self, console: Console) -> str:
        lines = (
            f"\x1b[{self._top + number + 1};{(self._columns - len(line)) // 2 + 1}H{line}"
            for number, line in enumerate(self._lines)
        )
        return f"\x1b[0m\x1b[2J{''.join(lines)}"


class QuickScreen(Screen[ScreenResultType]):
    """A screen that is painted once when it opens or is back: when it is laid out, and its widgets are filled.

    Textual paints a new screen as soon as it is laid out; again when the screen hears of the size that it was laid
    out for, and when a class for that size changes its styles; and again when its widgets have heard of theirs. Each
    is a paint of the whole screen, and between them it waits for a timer that ticks 60 times a second. It paints a
    screen that is back twice, the second time because the other one was removed. A dialog, and what was below it, is
    painted here without the cells around it.

    Attributes:
        LEAST: Columns and rows that it needs.
    """

    LEAST: ClassVar[tuple[int, int]] = (40, 10)
    _waits = False  # for its widgets, with the paint
    _waits_since = 0.0
    _shown_in = ""  # the theme in which it is on the terminal, except for what a dialog hides of it
    _hidden: Sequence[Region] | None = None  # what the dialog that was closed has hidden; None: all

    @property
    def is_shown(self) -> bool:
        """Whether it was painted, since it was opened or is back."""
        return bool(self._shown_in)

    def fills(self) -> bool:
        """Whether something that the screen will show is on its way, and should be painted with the rest."""
        return False

    def closed_above(self, other: "QuickScreen[Any]") -> None:
        """The screen above this one was closed. Lines are painted as a whole: a picture is quicker uncut."""
        self._hidden = None
        if other.is_modal and self._is_below(other):
            self._hidden = [Region(0, part.y, self.size.width, part.height) for part in other._parts()]

    def _parts(self) -> list[Region]:
        """What its widgets cover."""
        placed = self._compositor.visible_widgets.items()
        return [region.intersection(clip) for widget, (region, clip) in placed if widget is not self]

    def _is_below(self, other: Screen[Any]) -> bool:
        """Whether this screen is on the terminal around a dialog."""
        app = self.app
        is_text = isinstance(app, SwitchingApp) and app.pictures_are_text
        is_shown = self._shown_in == app.theme and self._compositor.size == other._compositor.size
        return is_text and is_shown

    async def _on_compose(self, event: events.Compose) -> None:
        """Give the screen its classes for the size of the window, before Textual makes widgets that they style."""
        size = self.app.size
        names = self._get_breakpoint_classes(size.width, self.app.HORIZONTAL_BREAKPOINTS or [])
        names |= self._get_breakpoint_classes(size.height, self.app.VERTICAL_BREAKPOINTS or [])
        self.update_classes(dict.fromkeys(names, True), animate=False)

    def _on_screen_resume(self, event: events.ScreenResume) -> None:
        """Textual's own method, which lays the screen out, is called after this one."""
        event.refresh_styles = False  # a new screen has them, and a new theme reaches those below
        self._waits, self._waits_since = True, time.monotonic()
        asyncio.get_running_loop().call_soon(self._paint_when_filled)

    def _on_screen_suspend(self) -> None:
        if self._waits or not self.app.screen.is_modal:
            self._shown_in = ""
        self._waits, self._hidden = False, None

    def _paint_when_filled(self) -> None:
        loop, waited_s = asyncio.get_running_loop(), time.monotonic() - self._waits_since
        if not self._waits or not self.is_running:
            return
        self._repaint_required = False  # Textual asks for it at each return
        if self._is_at_work() and waited_s < _LONGEST_WORK_S:
            loop.call_soon(self._paint_when_filled)
        elif self._layout_required and waited_s < _LONGEST_WORK_S:
            self._on_timer_update()  # lays it out now; its widgets may have something to do then
            loop.call_soon(self._paint_when_filled)
        elif waited_s < LONGEST_FILL_S and self.fills():
            loop.call_later(_FILL_POLL_S, self._paint_when_filled)
        else:
            self._paint_open()

    def _is_at_work(self) -> bool:
        """Whether the screen or one of its widgets is not mounted yet, or has messages that it has not handled."""
        return self.app._batch_count > 0 or any(
            not widget._is_mounted or not widget._message_queue.empty()
            for widget in self.walk_children(Widget, with_self=True)
        )

    def _paint_open(self) -> None:
        """Paint the screen, or what a dialog has hidden of it, or, if it is one, the dialog."""
        if self._layout_required:
            self._refresh_layout()
        self._update_timer.pause()
        due, self._hidden = self._hidden, None
        if due is None and self.is_modal:
            below = self.app.screen_stack[-2] if self.is_active else self
            due = self._parts() if isinstance(below, QuickScreen) and below._is_below(self) else None
            self._compositor._dirty_regions.clear()
        self._compositor._dirty_regions.update([self._compositor.size.region] if due is None else due)
        self._compositor.update_widgets(
            self._dirty_widgets
        )  # that changed meanwhile: Textual forgets them now
        self._layout_required = self._repaint_required = self._waits = False
        self._shown_in = self.app.theme
        self._compositor_refresh()
        self.check_idle()

    def _screen_resized(self, size: Size) -> None:
        if size != self._compositor.size or self._layout_required:
            super()._screen_resized(size)

    def _compositor_refresh(self) -> None:
        if self._waits:
            return
        app = self.app
        if isinstance(app, SwitchingApp) and self.is_active and (words := app.notice(self)):
            self._compositor._dirty_regions.clear()
            self._dirty_widgets.clear()
            app.show_notice(words)
        else:
            super()._compositor_refresh()


# Faults


class FaultKeepingApp(SwitchingApp[ReturnType], inherit_bindings=False):
    """An app whose first fault ends it and is kept for whoever started it (Textual prints the traceback)."""

    @property
    def fault(self) -> Exception | None:
        """What ended the app, or would have, if it was a fault of this program."""
        return self._exception

    def end_by(self, error: Exception) -> None:
        """End the app because of a fault."""
        self.keep_fault(error)
        self.exit(return_code=1)
        self._exception_event.set()  # for Textual's pilot, which raises it in a test

    def keep_fault(self, error: Exception) -> None:
        """The first one counts, others follow from it. One in a worker is wrapped, and has its traceback inside."""
        if self._exception is None:
            inner = error.error if isinstance(error, WorkerFailed) else error
            self._exception = inner if isinstance(inner, Exception) else error

    def _handle_exception(self, error: Exception) -> None:
        self.end_by(error)

    @contextmanager
    def watching_threads(self) -> Iterator[None]:
        """Have a fault in a thread end the app as one on a screen does, rather than leave half of it working."""
        before, threading.excepthook = threading.excepthook, self._thread_failed
        try:
            yield
        finally:
            threading.excepthook = before

    def _thread_failed(self, failure: threading.ExceptHookArgs) -> None:
        if isinstance(failure.exc_value, Exception):
            self.keep_fault(failure.exc_value)  # at once: the app may be closing
            if self.is_running:
                self.call_later(self.end_by, failure.exc_value)

    def _refresh_notifications(self) -> None:
        """Called when a message comes, is taken away, or another screen is shown."""
        super()._refresh_notifications()
        self.messages_changed()

    def messages_changed(self) -> None:
        """There are other messages than before, or another screen shows them."""

    def write_terminal(self, data: str) -> None:
        """Send something to the terminal that is no part of a screen; an app has no public way to its driver."""
        if self._driver is not None:
            self._driver.write(data)


# Messages over a screen


def messages_shown(app: App[Any]) -> list[Notification]:
    """The messages that lie over the screen; Textual's public function takes all of them away at once."""
    notes = app._notifications
    return list(notes) if len(notes) else []


def take_messages_away(app: App[Any], notes: Iterable[Notification]) -> None:
    """Show some messages no longer."""
    for note in notes:
        app._unnotify(note, refresh=False)
    app._refresh_notifications()


# Painting


class CoveredScreen(QuickScreen[ScreenResultType]):
    """A screen that is not painted while another one hides it, and can be painted at once.

    Textual would paint all of the upper screen at each change of this one: found images change the list 20 times a
    second. It paints this one when it is back, as it does any screen.
    """

    def paint_now(self) -> None:
        """Paint the widgets that are due; all is left to Textual if the layout changes or the screen is covered.

        Textual would send two messages for each of them, and then wake a timer that paints.
        """
        shown = {self, *self._compositor.visible_widgets}
        if self._waits or not self.is_current or self.app._batch_count:
            return
        if any(widget._layout_required or widget._scroll_required for widget in shown):
            return
        due = {widget for widget in shown if widget._repaint_required}
        for widget in due:
            widget._repaint_required = False
        self._dirty_widgets |= due
        self._compositor.update_widgets(self._dirty_widgets)
        super()._compositor_refresh()

    def _compositor_refresh(self) -> None:
        top = self.app.screen
        if top is self or top.is_modal:
            super()._compositor_refresh()


class SpanCompositor(Compositor):
    """Textual's compositor, which can be asked for what is to be painted."""

    def take_spans(self) -> Iterable[tuple[int, int, int]]:
        """Line, first column and the one behind the last of what changed since the last time."""
        dirty = [region.intersection(self.size.region) for region in self._dirty_regions]
        self._dirty_regions.clear()
        return self._regions_to_spans(dirty)


def use_compositor(screen: Screen[Any], compositor: Compositor) -> None:
    """Have a new screen painted by another compositor."""
    screen._compositor = compositor


def lines_of(
    screen: Screen[Any], size: Size, crop: Region, join: Callable[[list[Strip]], Strip]
) -> list[Strip] | None:
    """The lines of a screen that lies below another; None while it is still laid out for another size.

    Args:
        screen: The lower one.
        size: Of the upper one, which hears of a new size first.
        crop: The part that is wanted.
        join: Makes a line of its pieces, from left to right.
    """
    below = screen._compositor
    if below.size != size:
        return None
    chops = below._render_chops(below.size.region, lambda y: crop.y <= y < crop.bottom)
    lines = [join([strip for strip in chop.values() if strip is not None]) for chop in chops]
    return [line.crop(crop.x, crop.right) for line in lines[crop.y : crop.bottom]]


class LazyStrip(Strip):
    """A line whose segments are made only where Textual asks for them; it has them in a slot that is read everywhere.

    Args:
        columns: Width.
    """

    def __init__(self, columns: int) -> None:
        super().__init__((), columns)

    def make_segments(self) -> list[Segment]:
        """The segments that stand for the line."""
        raise NotImplementedError

    @property
    def _segments(self) -> list[Segment]:
        return self.make_segments()

    @_segments.setter
    def _segments(self, segments: list[Segment]) -> None:
        """Set by Strip when it is made, to nothing."""


def find_height_anew(widget: Widget) -> None:
    """Have Textual work out again how high a widget is.

    It counts the layouts that a widget has asked for, and keeps the height that was found under a count. It counts
    one more only if it is not yet to make a layout: where one comes between two texts, and the widget was not idle
    in between, the second would have the height of the first for good.
    """
    widget._layout_updates += 1
