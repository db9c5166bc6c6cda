"""What the labelling screen and the grid have in common: keys become commands, dialogs, the lines at the bottom."""

from functools import partial
from typing import TypeVar

from textual import events, on
from textual.screen import Screen

from mia_tui.tui.classes.class_bar import ClassBar
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import key_hints
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.label.session_commands import SessionCommands
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.key_line import KeyLine
from mia_tui.tui.widgets.text_line import TextLine

Answer = TypeVar("Answer")
Result = TypeVar("Result")


class SessionScreen(KeyedScreen[Result]):
    """A screen that shows the images of a session.

    Args:
        desk: The dataset.
        context: What screens share.

    Attributes:
        commands: What its keys do; made by the screen itself.
    """

    commands: SessionCommands

    def __init__(self, desk: LabelController, context: Context) -> None:
        super().__init__(context)
        self.desk, self.session = desk, desk.session
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

    async def ask(self, screen: Screen[Answer]) -> Answer | None:
        """As every screen does; an answer to a dialog is about the labels.db that the person saw."""
        from mia_tui.tui.overlay import Overlay

        answer = super().ask(screen)
        return await (self.desk.answered(answer) if isinstance(screen, Overlay) else answer)

    # Keys and the mouse

    def do(self, command: Command) -> None:
        """Obey a command when those before it are done."""
        self.queue.do(command)

    def take_other_key(self, event: events.Key) -> None:
        """Letters and digits belong to classes."""
        character = event.character
        if character is not None and len(character) == 1 and character.isalnum():
            event.stop()
            self.do(partial(self.commands.use_key, character))

    @on(ClassBar.Picked)
    def _pick_class(self, event: ClassBar.Picked) -> None:
        self.do(partial(self.commands.use_class, event.class_id))
