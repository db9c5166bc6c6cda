"""What the labelling screen and the grid have in common: keys become commands, dialogs, the lines at the bottom."""

from functools import partial
from typing import ClassVar, TypeVar

from textual import events, on
from textual.screen import Screen

from mia_tui.errors import MiaError
from mia_tui.tui.classes.class_bar import ClassBar
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import bind_keys, key_hints, keys_of, obey_key, said_key
from mia_tui.tui.keys.command_queue import Command, CommandQueue
from mia_tui.tui.label.session_commands import SessionCommands
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.widgets.key_line import KeyLine
from mia_tui.tui.widgets.text_line import TextLine

Answer = TypeVar("Answer")
Result = TypeVar("Result")


OPENING = frozenset(
    {"classes", "filter", "find", "folders", "grid", "help", "home", "note", "order"}
    | {"pick", "runs", "train", "unlink"}
    | {"leave", "open"}  # of the grid
)
"""Commands that open another screen or a dialog, or lead back: the next key is meant for what is there then."""


class SessionScreen(Screen[Result]):
    """A screen that shows the images of a session.

    Args:
        desk: The dataset.
        context: What screens share.

    Attributes:
        SCOPE: Its name in `SCOPES`.
        commands: What its keys do; made by the screen itself, as the queue is.
        queue: Obeys them one after the other.
    """

    SCOPE: ClassVar[str]
    AUTO_FOCUS = ""
    commands: SessionCommands
    queue: CommandQueue

    def __init__(self, desk: LabelController, context: Context) -> None:
        super().__init__()
        bind_keys(self, self.SCOPE, context.user.keys)
        self._keys = keys_of(self.SCOPE, context.user.keys)
        self.desk, self.session, self.context = desk, desk.session, context
        ink = context.ink
        self._key_line = KeyLine(ink, key_hints(self.SCOPE, context.user.keys), bare=True)
        self._class_bar = ClassBar(ink, adds=self.key("classes"), finds=self.key("pick"), id="classes")
        self._facts, self._status = (TextLine(ink, id=name, bare=True) for name in ("facts", "status"))

    def _compositor_refresh(self) -> None:
        """Below a whole screen nothing of this one is seen; Textual would paint all of that one at each change.

        Found images change the list 20 times a second. A private part of Textual's: it paints this one when it is
        back, as it does any screen.
        """
        top = self.app.screen
        if top is self or top.is_modal:
            super()._compositor_refresh()

    # For the commands

    async def ask(self, dialog: Screen[Answer]) -> Answer | None:
        """Show another screen until the person leaves it; what came of it."""
        from mia_tui.tui.overlay import Overlay

        self.queue.forget_waiting()
        answer = self.app.push_screen_wait(dialog)
        return await (self.desk.answered(answer) if isinstance(dialog, Overlay) else answer)

    def key(self, command: str) -> str:
        """The key of a command, as people read it."""
        return said_key(self.SCOPE, self._keys, command)

    def tell(self, message: str, *, warning: bool = False) -> None:
        """A message that stays for some seconds."""
        self.notify(message, severity="warning" if warning else "information", markup=False)

    def say_error(self, error: MiaError, more: str = "") -> None:
        """The same for what went wrong, and what there is to say of it besides."""
        self.notify(f"{error}{more}", severity="error", timeout=2 * self.context.user.toast_s, markup=False)

    # Keys and the mouse

    def action_obey(self, name: str) -> None:
        """A key, the palette or the footer asks for a command."""
        self.queue.do(self.commands.by_name[name], opens=name in OPENING)

    def do(self, command: Command) -> None:
        """Obey a command when those before it are done."""
        self.queue.do(command)

    def on_key(self, event: events.Key) -> None:
        """Letters and digits belong to classes."""
        if obey_key(self, event):
            return
        character = event.character
        if character is not None and len(character) == 1 and character.isalnum():
            event.stop()
            self.do(partial(self.commands.use_key, character))

    @on(ClassBar.ClassClicked)
    def _pick_class(self, event: ClassBar.ClassClicked) -> None:
        self.do(partial(self.commands.use_class, event.class_id))
