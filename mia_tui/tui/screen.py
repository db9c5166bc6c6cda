"""What the screens of the app have in common: keys run commands, one after the other; questions; messages.

A new screen is a module with a `KeyedScreen`, and a table of its keys in `keys.tables`, whose name is added there.
Dialogs and the help are `KeyedModal`s.

What makes a screen quick, so that its text is there 60 ms after the key:

    It is painted once, when its widgets are filled (`QuickScreen`). What it reads from a disk comes with that paint
    if it is there within `LONGEST_FILL_S`: `fills` says whether something is on its way.
    It has few widgets: each costs about a millisecond. Lists and tables are one `LineList`, lines are `TextLine`s.
    What depends on the size is drawn in `on_resize`, not before; a long text is `TextLines`, which draws only the
    lines in view. Tables and panels of rich take too long.
    `LEAST` says what room it needs; in a smaller window a sentence stands in its place.
    Its module is in `PIECES` of controller/idle_imports.py, so that nobody waits for its import.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.notifications import Notification, SeverityLevel
from textual.screen import ModalScreen, Screen
from textual.strip import Strip

from mia_tui.errors import MiaError
from mia_tui.text import counted
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import (
    UserKeys,
    command_elsewhere,
    commands_by_key,
    key_hints,
    keys_of,
    pressed_key,
    said_key,
    shown_key,
)
from mia_tui.tui.keys.command_queue import Command, CommandQueue
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.pictures.strips import JoinedStrip
from mia_tui.tui.quick_paint import paint_quickly
from mia_tui.tui.textual_private import CoveredScreen, QuickScreen, SwitchingApp, lines_of
from mia_tui.tui.widgets.key_line import KeyLine
from mia_tui.tui.widgets.scroll_bar import choose_scroll_bars

Answer = TypeVar("Answer")
Result = TypeVar("Result")

COPYING = ("ctrl+c", "super+c")
"""The terminal's or Textual's keys to copy what the mouse has marked."""


class _NamedCommands(Protocol):
    """The commands of a screen, as the type checker sees them."""

    by_name: dict[str, Command]


class _NoCommands:
    """Of a screen all of whose commands are in `at_once`."""

    def __init__(self) -> None:
        self.by_name: dict[str, Command] = {}


class KeyedScreen(CoveredScreen[Result]):
    """A screen whose keys, palette and last line run commands.

    A subclass sets `commands`, and overrides `say`, `show` and the methods named `command_…` as it needs.

    Args:
        context: What screens share.

    Attributes:
        SCOPE_NAME: Its name in `SCOPES`.
        MANUAL_PAGE: The page of the manual about it.
        BARE: Whether its lines keep the terminal's background, as beside images, instead of the app's.
        commands: What its keys do; `by_name` has them by the id of the action.
        at_once: Commands that do not wait for those before them, by the id of the action.
        key_line: The last line, with its most used keys.
        queue: Runs them one after the other.
        keys: The keys in force, by command.
    """

    SCOPE_NAME: ClassVar[str]
    MANUAL_PAGE: ClassVar[str] = "start"
    BARE: ClassVar[bool] = False
    AUTO_FOCUS = ""
    commands: _NamedCommands = _NoCommands()

    def __init__(self, context: Context) -> None:
        super().__init__()
        paint_quickly(self)
        choose_scroll_bars(unicode=context.ink.unicode)
        self.context = context
        self.at_once: dict[str, Callable[[], object]] = {}
        self._has_loaded = False
        self._opening = SCOPES[self.SCOPE_NAME].opening
        self.keys: Mapping[str, tuple[str, ...]] = keys_of(self.SCOPE_NAME, context.user.keys)
        self._commands_by_key = commands_by_key(self.keys)
        self.key_line = KeyLine(context.ink, key_hints(self.SCOPE_NAME, context.user.keys), bare=self.BARE)
        self.queue = CommandQueue(
            begin=self.command_begins,
            done=self.command_ended,
            failed=self.command_failed,
            slow=self.command_is_slow,
        )

    def on_mount(self) -> None:
        """Start running commands; Textual calls the method of a subclass, too."""
        self.run_worker(self.queue.run(self._load), group="commands", name="commands")
        self._show_tour()

    async def _load(self) -> None:
        await self.load()
        self._has_loaded = True

    def fills(self) -> bool:
        return not self._has_loaded or not self.queue.idle

    async def load(self) -> None:
        """Read what the screen shows, before the first command."""

    # Keys

    def on_key(self, event: events.Key) -> None:
        if self.run_at_once(event):
            event.stop()
        elif not self.run_key(event):
            self.other_key_pressed(event)

    def run_key(self, event: events.Key) -> bool:
        """Run the command of a key at once; False if the key has none.

        Textual looks for a binding only when the key has come back to the app; of a burst of keys, later ones would
        then take effect first.
        """
        command = self._commands_by_key.get(event.key)
        if command is None:
            return False
        event.stop()
        self.run_command(command)
        return True

    def run_at_once(self, event: events.Key) -> bool:
        """Do what a key does, before Textual passes it on; False if it does nothing, or if the next key may be meant
        for another screen then."""
        command = self._commands_by_key.get(event.key)
        if command is None:
            return self.other_key_at_once(event)
        if command not in self.commands.by_name or self.opens(command):
            return False
        self.queue.do(self.commands.by_name[command])
        return True

    def opens(self, command: str) -> bool:
        """Whether another screen or a dialog may be there after a command, for which the next key is meant."""
        return command in self._opening

    def other_key_at_once(self, event: events.Key) -> bool:
        """Do what a key without a command does, if it never opens anything; returns whether it does something."""
        return False

    def other_key_pressed(self, event: events.Key) -> None:
        """A key without a command was pressed: no key is passed over in silence."""
        if event.key not in COPYING:
            self.queue.do(partial(self._say_other_key, event.key))

    async def _say_other_key(self, key: str) -> None:
        scope, keys = SCOPES[self.SCOPE_NAME], self.context.user.keys
        words = f"{pressed_key(key)} does nothing {scope.where}"
        found = command_elsewhere(key, keys) if len(pressed_key(key)) > 1 else None  # no letters
        if found is not None:
            where, title = SCOPES[found[0]].where, found[1]
            self.say(f"{words}; {where}, it is {title}.")
        else:
            self.say(f"{words}; {self.key('help')} shows the keys.")

    def run_command(self, command: str) -> None:
        """Run a command because of a key, the palette or the last line."""
        if command == "quit":
            self.call_later(self.app.action_quit)
        elif command == "command_palette":
            self.call_later(self.app.action_command_palette)
        elif command == "manual":
            self.queue.do(self.show_manual, opens=True)
        else:
            self.do_command(command)

    def do_command(self, command: str) -> None:
        """Run one of the screen's own commands: at once, or when those before it are done."""
        if command in self.at_once:
            self.at_once[command]()
        else:
            self.queue.do(self.commands.by_name[command], opens=self.opens(command))

    @on(KeyLine.KeyClicked)
    def _key_clicked(self, event: KeyLine.KeyClicked) -> None:
        self.run_command(event.command)

    def key(self, command: str) -> str:
        """The key of a command for a sentence."""
        return said_key(self.SCOPE_NAME, self.keys, command)

    # What happens around a command

    def command_begins(self) -> None:
        """Clear what the last command said."""
        self.say("")

    def command_ended(self) -> None:
        """Paint what has changed."""
        self.show()

    def command_failed(self, error: MiaError, dropped: int) -> None:
        """Say why, and how many keys behind it had no effect; what it said while it was at work is not true now."""
        self.say("")
        more = f" {counted(dropped, 'key')} pressed meanwhile had no effect." if dropped else ""
        self.say_failed(f"{error}{more}")

    def command_is_slow(self, waiting: int) -> None:
        """A command takes longer than `SLOW_S`; so many others wait."""

    def say(self, message: str) -> None:
        """Show a sentence on the screen until the next command."""

    def say_failed(self, message: str) -> None:
        """Show why a command failed."""
        self.show_error(message)

    def show(self) -> None:
        """Paint what has changed."""

    def theme_changed(self) -> None:
        """Paint everything in the colours of another theme."""
        self.key_line.forget()
        self.show()
        for widget in self.walk_children():
            widget.refresh()

    # Questions and messages

    async def ask(self, screen: Screen[Answer]) -> Answer | None:
        """Show another screen until the person leaves it; returns its result, None if it was cancelled.

        Commands that wait are dropped: keys behind the one that opened the screen were not meant for this one.
        """
        self.queue.drop_waiting()
        return await self.app.push_screen_wait(screen)

    async def confirm(self, title: str, text: str, *, no: str, yes: str, letters: bool = True) -> bool:
        """Ask a question with two answers; cancelling it means no.

        Args:
            title: The question.
            text: What to know before answering.
            no: The text of the safe answer, which has the focus.
            yes: The text of the other one.
            letters: Whether a first letter answers; not if the question may come up while somebody types.
        """
        from mia_tui.tui.dialogs import Question

        title, text = self.context.ink.shown(title), self.context.ink.shown_lines(text)
        return bool(await self.ask(Question(title, text, ((no, False), (yes, True)), letters=letters)))

    async def show_help(self) -> None:
        """Show the keys of this screen."""
        from mia_tui.tui.help import HelpScreen

        await self.ask(HelpScreen(self.context, self.SCOPE_NAME))

    async def show_manual(self, topic: str = "") -> None:
        """Show a page of the manual, by default the one about this screen."""
        from mia_tui.tui.manual.screen import ManualScreen

        await self.ask(ManualScreen(self.context, topic or self.MANUAL_PAGE))

    def show_message(self, message: str, *, warning: bool = False, long: bool = False) -> None:
        """Show a message over the screen for some seconds; `long` for twice as many."""
        severity: SeverityLevel = "warning" if warning else "information"
        self._notify(message, severity, long=long)

    def messages_changed(self, messages: Sequence[Notification]) -> None:
        """These messages are to be seen now; unless a screen has a place for them, they lie over it."""

    def show_error(self, error: MiaError | str) -> None:
        """Show an error over the screen, for twice as long as other messages."""
        self._notify(str(error), "error", long=True)

    def _notify(self, message: str, severity: SeverityLevel, *, long: bool) -> None:
        self.app.notify(
            self.context.ink.shown(message),
            severity=severity,
            timeout=(2 if long else 1) * self.context.user.toast_s,
        )

    def tells_of(self, run: Path) -> bool:
        """Whether this screen itself says how a run ends, in a folder."""
        return False

    # The tour of the demo

    def did(self, what: str) -> None:
        """Tell the tour, if there is one, that something was really done."""
        if self.context.tour is not None:
            self.context.tour.did(what)

    def _show_tour(self) -> None:
        if self.context.tour is None:
            return
        from mia_tui.tui.tour.panel import TourPanel
        from mia_tui.tui.tour.tour import is_shown_on

        if is_shown_on(self.SCOPE_NAME):
            self.mount(TourPanel(self.context.tour, self.SCOPE_NAME, self.context), before=0)

    # In the background

    def run_in_background(self, work: Command) -> None:
        """Do something in the background; it continues when the screen is left."""
        self.app.run_worker(work(), group="background")

    def post_from_thread(self, message: Message) -> None:
        """Post a message from a thread, unless the screen was closed meanwhile."""
        if self.is_running:
            self.post_message(message)


class ScreenOver(ModalScreen[Answer], QuickScreen[Answer], inherit_bindings=False):
    """A screen over another one, which stays visible around it.

    Textual would paint the screen below segment by segment, to dim it: over a picture of half blocks that alone takes
    100-200 ms. Here its lines are taken as they are, and only what is cut becomes segments. Where pictures are
    graphics, which would cover the upper screen, blank cells take their place.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        paint_quickly(self)

    def render_lines(self, crop: Region) -> list[Strip]:
        stack = self.app.screen_stack
        place = stack.index(self) if self in stack else 0
        if not place:
            return super().render_lines(crop)
        is_text = isinstance(self.app, SwitchingApp) and self.app.pictures_are_text
        lines = lines_of(stack[place - 1], self.size, crop, JoinedStrip if is_text else Strip.join)
        return super().render_lines(crop) if lines is None else lines


class KeyedModal(ScreenOver[Answer], inherit_bindings=False):
    """A dialog or the like over a screen, with the user's keys in force.

    Attributes:
        SCOPE_NAME: Its name in `SCOPES`.
        by_name: What its keys do, by the id of the action; other keys of the table do nothing here.
    """

    SCOPE_NAME: ClassVar[str] = "dialog"
    # Textual's own, without Tab: nobody should leave the line they type in by mistake.
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c,super+c", "screen.copy_text", show=False)]

    def __init__(self) -> None:
        super().__init__()
        self.by_name: dict[str, Callable[[], object]] = {}
        self._commands_by_key: dict[str, str] = {}

    def on_mount(self) -> None:
        """Textual calls the method of a subclass, too."""
        self._commands_by_key = commands_by_key(keys_of(self.SCOPE_NAME, self._user_keys), only=self.by_name)

    def on_key(self, event: events.Key) -> None:
        if not self.run_key(event):
            self.other_key_pressed(event)

    def other_key_pressed(self, event: events.Key) -> None:
        """A key without a command was pressed."""

    def run_key(self, event: events.Key) -> bool:
        """Run the command of a key at once; False if the key has none.

        A key of the same burst as the one that closed this goes to the screen that is shown now.
        """
        if not self.is_current:
            return True
        command = self.command_of(event.key)
        if command is None:
            return False
        event.stop()
        self.by_name[command]()
        return True

    def command_of(self, key: str) -> str | None:
        """The id of the command of a key, as Textual names it; None if it has none."""
        return self._commands_by_key.get(key)

    def with_keys(self, words: str) -> str:
        """Replace ids of commands in braces by their keys, as in `{ok} confirms`."""
        for name, keys in keys_of(self.SCOPE_NAME, self._user_keys).items():
            words = words.replace(f"{{{name}}}", shown_key(keys[0]) if keys else "no key")
        return words[:1].upper() + words[1:]

    @property
    def _user_keys(self) -> UserKeys:
        context = getattr(self.app, "context", None)
        return context.user.keys if isinstance(context, Context) else {}
