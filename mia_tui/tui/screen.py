"""What every screen of the app does alike: keys become commands, obeyed one after the other; questions; messages.

A screen is a module with a `KeyedScreen` and a table of keys of the same name in `keys.tables`.
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol, TypeVar

from textual import events, on
from textual.message import Message
from textual.screen import Screen

from mia_tui.errors import MiaError
from mia_tui.text import counted
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import commands_by_key, keys_of, said_key
from mia_tui.tui.keys.command_queue import Command, CommandQueue
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.widgets.key_line import KeyLine

Answer = TypeVar("Answer")
Result = TypeVar("Result")


class _NamedCommands(Protocol):
    """The commands of a screen; this type is for the checker alone."""

    by_name: dict[str, Command]


class KeyedScreen(Screen[Result]):
    """A screen whose keys, palette and last line ask for commands.

    A screen has `commands`, and says in `say`, `show` and the methods named `command_…` what happens around one.

    Args:
        context: What screens share.

    Attributes:
        SCOPE: Its name in `SCOPES`.
        commands: What its keys do, by the id of the action in `by_name`.
        queue: Obeys them one after the other.
        keys: The keys in force, by command.
    """

    SCOPE: ClassVar[str]
    AUTO_FOCUS = ""
    commands: _NamedCommands

    def __init__(self, context: Context) -> None:
        super().__init__()
        self.context = context
        self._opening = SCOPES[self.SCOPE].opening
        self.keys: Mapping[str, tuple[str, ...]] = keys_of(self.SCOPE, context.user.keys)
        self._commands_by_key = commands_by_key(self.keys)
        self.queue = CommandQueue(
            begin=self.command_begins,
            done=self.command_ended,
            failed=self.command_failed,
            slow=self.command_is_slow,
        )

    def on_mount(self) -> None:
        """Besides what each of them does (Textual calls both)."""
        self.run_worker(self.obey_commands(), group="commands", name="commands")

    async def obey_commands(self) -> None:
        """Obey for as long as the screen is there."""
        await self.queue.run()

    # Keys

    def on_key(self, event: events.Key) -> None:
        if not self.obey_key(event):
            self.take_other_key(event)

    def obey_key(self, event: events.Key) -> bool:
        """Obey the command of a key at once; False if the key has none.

        Textual would look for a binding only when the key has come back to the app, and what was pressed behind it
        in the same burst is then done before it.
        """
        command = self._commands_by_key.get(event.key)
        if command is None:
            return False
        event.stop()
        self.obey(command)
        return True

    def take_other_key(self, event: events.Key) -> None:
        """A key without a command was pressed."""

    def obey(self, command: str) -> None:
        """A key, the palette or the last line asks for a command."""
        if command == "quit":
            self.call_later(self.app.action_quit)
        elif command == "command_palette":
            self.call_later(self.app.action_command_palette)
        else:
            self.do_command(command)

    def do_command(self, command: str) -> None:
        """Do one of the screen's own commands, when those before it are done."""
        self.queue.do(self.commands.by_name[command], opens=command in self._opening)

    @on(KeyLine.Pressed)
    def _press_key(self, event: KeyLine.Pressed) -> None:
        self.obey(event.command)

    def key(self, command: str) -> str:
        """The key of a command, as sentences name it."""
        return said_key(self.SCOPE, self.keys, command)

    # What happens around a command

    def command_begins(self) -> None:
        """What the last one said is over."""
        self.say("")

    def command_ended(self) -> None:
        """Paint what is different."""
        self.show()

    def command_failed(self, error: MiaError, dropped: int) -> None:
        """Say why, and that keys pressed behind it were dropped."""
        more = f" {counted(dropped, 'key')} pressed meanwhile had no effect." if dropped else ""
        self.say_failed(f"{error}{more}")

    def command_is_slow(self, waiting: int) -> None:
        """A command that was asked for some time ago is at work; so many others wait."""

    def say(self, message: str) -> None:
        """A sentence on the screen, until the next command."""

    def say_failed(self, message: str) -> None:
        """Why a command was not done."""
        self.say_error(message)

    def show(self) -> None:
        """Paint what is different now."""

    # Questions and messages

    async def ask(self, screen: Screen[Answer]) -> Answer | None:
        """Show another screen until the person leaves it; what came of it, None if they think better of it.

        What was pressed behind the key that opened it was not meant for this screen, and is forgotten.
        """
        self.queue.forget_waiting()
        return await self.app.push_screen_wait(screen)

    async def confirm(self, title: str, text: str, *, no: str, yes: str, letters: bool = True) -> bool:
        """Ask a question with two answers; without one, it is no.

        Args:
            title: The question.
            text: What to know before answering.
            no: The careful answer, which has the focus.
            yes: The other one.
            letters: Whether a first letter answers; not where the question comes unasked, while somebody types.
        """
        from mia_tui.tui.dialogs import Question

        return bool(await self.ask(Question(title, text, ((no, False), (yes, True)), letters=letters)))

    async def show_help(self) -> None:
        """Show the keys of this screen."""
        from mia_tui.tui.help import HelpScreen

        await self.ask(HelpScreen(self.context, self.SCOPE))

    def tell(self, message: str, *, warning: bool = False) -> None:
        """A message that lies over the screen for some seconds."""
        self.app.notify(self.context.ink.shown(message), severity="warning" if warning else "information")

    def warn(self, message: MiaError | str) -> None:
        """A warning, for twice as long."""
        self._tell_long(str(message), is_error=False)

    def say_error(self, error: MiaError | str) -> None:
        """What went wrong, for twice as long."""
        self._tell_long(str(error), is_error=True)

    def _tell_long(self, message: str, *, is_error: bool) -> None:
        self.app.notify(
            self.context.ink.shown(message),
            severity="error" if is_error else "warning",
            timeout=2 * self.context.user.toast_s,
        )

    # Beside commands

    def beside(self, work: Command) -> None:
        """Do something that need not be waited for; it goes on when the screen is left."""
        self.app.run_worker(work(), group="beside")

    def post_from_thread(self, message: Message) -> None:
        """For threads: post a message; after the screen has gone there is nobody to tell."""
        if self.is_running:
            self.post_message(message)
