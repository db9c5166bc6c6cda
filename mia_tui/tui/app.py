"""The app: which screen is shown, keys, and how it ends."""

import asyncio
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.screen import Screen
from textual.theme import Theme

from mia_tui.config.user.kept import keep, kept_settings
from mia_tui.dataset.listing.cache import load_listing
from mia_tui.terminal.model import Terminal
from mia_tui.text import printable
from mia_tui.tui.context import Context
from mia_tui.tui.controller.idle_imports import import_screens
from mia_tui.tui.controller.idle_tasks import finish_fingerprints
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.driver import TerminalDriver, leave_at_once
from mia_tui.tui.keys.bindings import key_name, keys_of, other_words, palette_lines
from mia_tui.tui.keys.serializer import KeySerializer
from mia_tui.tui.label.left_column import LOW_ROWS, NARROW_COLUMNS
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.pictures.preload import Preload
from mia_tui.tui.read_messages import ReadMessages
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.textual_private import FaultKeepingApp, QuickScreen, messages_shown
from mia_tui.tui.theme import default_theme, own_themes, readable_variables, theme_names

if TYPE_CHECKING:
    from mia_tui.tui.home.screen import HomeScreen
    from mia_tui.tui.keys.palette import PaletteCommand
    from mia_tui.tui.pictures.tmux_watch import TmuxWatch

HUNG_UP = 129
"""Exit code where the terminal has gone: 128 and SIGHUP."""

_LEAST_COLUMNS, _LEAST_ROWS = 20, 5
"""The screens are laid out for at least this, though a sentence is shown instead. Textual fails at no column."""

_IDLE_S = 0.5
_WRITING_S = 5.0
_ANSWER_S = 0.25
_LONG_S = 60.0  # of a message about what is missing from the screen


class MiaApp(FaultKeepingApp[int], inherit_bindings=False):
    """The whole app.

    Args:
        context: What screens share.
        dataset: Folder to open; None opens the home screen.
        preload: What has been read of it already.
    """

    BINDINGS: ClassVar[list[BindingType]] = []  # each screen handles its keys, with the user's settings
    TITLE = "mia-tui"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = False  # Textual's
    # Where messages find room depends on them: app.tcss.
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (NARROW_COLUMNS, "-wide")]  # noqa: RUF012  # as Textual has it
    VERTICAL_BREAKPOINTS = [(0, "-low"), (LOW_ROWS, "-high")]  # noqa: RUF012

    def __init__(self, context: Context, dataset: Path | None, preload: Preload | None = None) -> None:
        self.context = context  # before Textual asks for the variables of the CSS
        super().__init__(driver_class=TerminalDriver, watch_css=False)
        self._use_theme()
        self.flow_control = context.flow_control
        self.tmux_watch = _tmux_watch(context.terminal)
        self._had_no_focus = False
        self.pictures_are_text = context.terminal.graphics in ("half", "none")
        self._dataset, self._preload = dataset, preload
        self._controller: LabelController | None = None
        self._last_opened: tuple[Path, Path | None] | None = None  # to go back to from the first screen
        self._read_messages = ReadMessages(self)
        self._key_serializer = KeySerializer(self, super().on_event)
        type(self).NOTIFICATION_TIMEOUT = context.user.toast_s
        self._pressed_at = time.monotonic()
        self._window = self.size
        self._is_covered = False  # by a sentence: the window is too small
        self._suspended: Screen[Any] | None = None  # the screen that was told so
        self._quit_keys = {key_name(key) for key in keys_of("label", context.user.keys)["quit"]}

    def _use_theme(self) -> None:
        """Register our themes, and begin with the one that was chosen, or that matches the terminal."""
        for theme in own_themes(self.context.terminal.background_rgb):
            self.register_theme(theme)
        wanted = self.context.user.theme
        if wanted == "auto":
            wanted = kept_settings().theme or ""
        self._unknown_theme = "" if wanted in self.available_themes else wanted
        terminal = self.context.terminal
        is_usable = wanted in self.available_themes and not terminal.colourless  # its greys have a hue
        self.theme = wanted if is_usable else default_theme(terminal)
        self.stylesheet.set_variables(self.get_css_variables())
        self.set_class(not self.context.ink.unicode, "-ascii", update=False)

    def action_change_theme(self) -> None:
        """Textual's own list has no order that says which theme is in use, and which are ours."""
        self.run_worker(self._choose_theme())

    async def _choose_theme(self) -> None:
        from mia_tui.tui.dialogs import Choice, PickDialog

        names = sorted(
            theme_names(), key=lambda name: name != self.theme
        )  # a sort keeps the order of the others
        choices = [Choice(f"{name} (in use)" if name == self.theme else name, name) for name in names]
        chosen = await self.push_screen_wait(PickDialog("Which colours?", choices, self.context.ink))
        if chosen is not None:
            self.theme = chosen

    def get_css_variables(self) -> dict[str, str]:
        variables = super().get_css_variables()
        variables |= readable_variables(variables)
        self.context.ink.follow(variables, is_dark=self.current_theme.dark)
        return variables

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, self._theme_chosen)
        asyncio.get_running_loop().set_exception_handler(self._task_failed)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, partial(self._end, 128 + number))
        self.set_interval(1.0, self.flow_control.expire)
        if self.tmux_watch is not None:
            self.set_interval(1.0, self._watch_tmux)
        if self._dataset is None:
            self._go_home()
        else:
            self.open_dataset(self._dataset, self.context.state)
        self.run_worker(import_screens(is_idle=self._is_idle), name="imports")
        if self._unknown_theme:
            known = ", ".join(theme_names())
            self.notify(
                f"There is no theme {self._unknown_theme}; these are known: {known}.", severity="warning"
            )
        if self.context.terminal.note:
            self.notify(self.context.terminal.note, severity="warning", markup=False)

    def on_app_blur(self) -> None:
        self._had_no_focus = True

    def on_app_focus(self) -> None:
        """Send the pictures again: tmux keeps 20 of sixel, and passes none through while its window is hidden."""
        if self.tmux_watch is not None and self.tmux_watch.draws and self._had_no_focus:
            self.app_resume_signal.publish(self)
        self._had_no_focus = False

    async def _watch_tmux(self) -> None:
        """Send the pictures again, or none, if another terminal shows the tmux session."""
        if self.tmux_watch is None or not self.tmux_watch.is_due():
            return
        around = await asyncio.to_thread(self.tmux_watch.look)
        if around is None:
            return
        if not self.tmux_watch.draws:
            self.notify(
                f"{around} does not draw the images of this session. Start mia-tui in it again to see them.",
                severity="warning",
                timeout=_LONG_S,
                markup=False,
            )
        self.app_resume_signal.publish(self)
        self.screen.refresh(layout=True)

    def _theme_chosen(self, theme: Theme) -> None:
        """Paint everything in other colours, and keep the choice."""
        for screen in self.screen_stack:
            if isinstance(screen, KeyedScreen):
                screen.theme_changed()
        if self.context.user.theme == "auto":
            keep(theme=theme.name)
        else:
            self.notify(f"At the next start it is {self.context.user.theme} again: config.toml says so.")

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Resize):
            self._window = event.size
            width, height = event.size
            event.size = Size(max(width, _LEAST_COLUMNS), max(height, _LEAST_ROWS))
            event.virtual_size = event.container_size = event.size
            await super().on_event(event)
            self._window_changed()
            return
        if isinstance(event, events.InputEvent | events.Paste) and self._is_covered:
            if isinstance(event, events.Key) and event.key in self._quit_keys:
                await self.action_quit()
            return  # what is not seen is neither labelled nor closed
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        if isinstance(event, events.Key):
            self._pressed_at = time.monotonic()
            self._read_messages.pressed(event.key)
        await self._key_serializer.take(event)

    # A window that is too small

    def notice(self, screen: QuickScreen[Any]) -> str:
        """That the window is too small for a screen, and what it needs; empty if it is not."""
        (columns, rows), (least_columns, least_rows) = self._window, screen.LEAST
        if columns >= least_columns and rows >= least_rows:
            return ""
        self._is_covered = True
        return f"The window has {columns}x{rows} cells; mia-tui needs at least {least_columns}x{least_rows} here."

    def show_notice(self, words: str) -> None:
        self.show_sentence(words, *self._window)

    def _window_changed(self) -> None:
        """Show the sentence in place of the screen, or the screen again."""
        screen = self.screen if self.screen_stack else None
        was_covered, self._is_covered = self._is_covered, False
        words = self.notice(screen) if isinstance(screen, QuickScreen) else ""
        if screen is not None and words:
            if self._suspended is not screen:  # also where the sentence was painted before this was called
                self._suspended = screen
                screen.post_message(events.ScreenSuspend())  # its pictures have to go
            self.show_notice(words)
        elif screen is not None and was_covered:
            self._suspended = None
            screen.post_message(events.ScreenResume())

    def _is_idle(self) -> bool:
        """Whether nobody pressed a key for a moment, in which there was something to be seen."""
        stack = self.screen_stack  # none while the app ends
        if not (stack and isinstance(stack[-1], QuickScreen) and stack[-1].is_shown):
            self._pressed_at = time.monotonic()
        return time.monotonic() - self._pressed_at > _IDLE_S

    def on_home_screen_opened(self, event: "HomeScreen.Opened") -> None:
        self.open_dataset(event.dataset, event.state)

    def open_dataset(self, dataset: Path, state: Path | None) -> None:
        """Label a folder of images; the screen of the last one closes that."""
        context = replace(self.context, state=state)
        preload, self._preload = self._preload, None
        listing = load_listing(dataset) if preload is None else preload.listing()
        controller = LabelController(dataset, state=state, annotator=context.annotator, listing=listing)
        self._controller, self._last_opened = controller, (dataset, state)
        self.push_screen(LabelScreen(controller, context, preload), lambda _: self._go_home())

    def _go_home(self) -> None:
        from mia_tui.tui.home.screen import HomeScreen

        if not isinstance(self.screen, HomeScreen):
            self.push_screen(HomeScreen(self.context, came_from=self._last_opened))
        else:
            self.screen.go_back_to(self._last_opened)

    def notify(self, message: str, **options: Any) -> None:
        """Show a message; control characters in names have no effect."""
        super().notify(printable(message), **{"markup": False, **options})

    def messages_changed(self) -> None:
        if self.screen_stack and isinstance(self.screen, KeyedScreen):
            self.screen.messages_changed(messages_shown(self))

    def palette_commands(self, screen: Screen[Any]) -> "Iterator[PaletteCommand]":
        """What the palette finds on a screen."""
        from mia_tui.tui.keys.palette import PaletteCommand
        from mia_tui.tui.manual.text import TOPICS

        user_keys = self.context.user.keys
        scope = screen.SCOPE_NAME if isinstance(screen, KeyedScreen) else ""
        others = other_words(scope)
        if isinstance(screen, KeyedScreen):
            for name, title, keys, help in palette_lines(scope, user_keys):
                run = partial(screen.run_command, name)
                yield PaletteCommand(title, help, run, keys, others.get(name, ""))
            for topic, page in TOPICS.items():
                run = partial(screen.queue.do, partial(screen.show_manual, topic), opens=True)
                title = f"Manual: {page}"
                words = others.get(title, "")
                yield PaletteCommand(title, "A page of the manual.", run, "", words, is_listed=False)
        if self.context.tour is not None:
            yield PaletteCommand("Tour", "Take up the tour of the demo again.", self.context.tour.take_up)
        help = "Other colours: dark, light and many more."
        yield PaletteCommand("Theme", help, self.action_change_theme, "", others.get("Theme", ""))

    def action_command_palette(self) -> None:
        from mia_tui.tui.keys.palette import Palette

        if not self.screen.is_modal:
            palette = Palette(list(self.palette_commands(self.screen)), self.context.ink)
            self.push_screen(palette, lambda run: None if run is None else self.call_later(run))

    async def action_quit(self) -> None:
        """Close when all commands that were asked for are done."""
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
                if screen.controller.fingerprints.has_more:
                    screen.say("Closing as soon as the last labelled images are read.")
                    screen.show()
                await finish_fingerprints(screen.controller)
        if self.flow_control.busy:  # an answer that comes after the end would be typed into the shell
            await asyncio.sleep(_ANSWER_S)
        self.exit(code)

    def _task_failed(self, _: asyncio.AbstractEventLoop, failure: dict[str, Any]) -> None:
        """A fault in a callback of the event loop, such as one that a thread scheduled."""
        error = failure.get("exception")
        if isinstance(error, Exception):
            self.end_by(error)

    def terminal_is_gone(self) -> None:
        """Called in a thread: wait for the label that is being written, then end at once."""
        self.finish_writing()
        leave_at_once(HUNG_UP)

    def finish_writing(self) -> None:
        """Wait until everything is written and leases are given up: a thread ends with the process, done or not."""
        if self._controller is not None:
            self._controller.store_thread.drain(_WRITING_S)


def _tmux_watch(terminal: Terminal) -> "TmuxWatch | None":
    """Where pictures of pixels go through a tmux that can be asked for the terminals around it."""
    if terminal.multiplexer != "tmux" or terminal.graphics in ("half", "none") or "TMUX" not in os.environ:
        return None
    from mia_tui.tui.pictures.tmux_watch import TmuxWatch

    return TmuxWatch(terminal)
