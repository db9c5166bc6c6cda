"""What the labelling screen, the grid and the list of classes have in common: dialogs, class keys, bottom lines."""

from collections.abc import Sequence
from functools import partial
from typing import TypeVar

from textual import events, on
from textual.notifications import Notification
from textual.screen import Screen

from mia_tui.text import counted
from mia_tui.tui.classes.class_bar import ClassBar
from mia_tui.tui.context import Context
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.label.commands import SessionCommands
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.textual_private import messages_shown
from mia_tui.tui.widgets.message_line import MessageLine
from mia_tui.tui.widgets.text_line import TextLine

Answer = TypeVar("Answer")
Result = TypeVar("Result")


def saving_words(waiting: int) -> str:
    """That something is being saved, and how many keys wait for that."""
    return "Saving" + (f", {counted(waiting, 'key')} waiting" if waiting else "")


class DatasetScreen(KeyedScreen[Result]):
    """A screen that changes labels or classes of an open dataset.

    Args:
        controller: The dataset.
        context: What screens share.
    """

    def __init__(self, controller: LabelController, context: Context) -> None:
        super().__init__(context)
        self.controller, self.session = controller, controller.session

    @property
    def is_saving(self) -> bool:
        """Whether labels.db is being read or written."""
        return self.controller.store_thread.busy_since is not None

    async def ask(self, screen: Screen[Answer]) -> Answer | None:
        """As every screen does; an answer to a dialog is about the labels.db that the person saw."""
        from mia_tui.tui.dialogs import Dialog

        answer = super().ask(screen)
        return await (self.controller.answered(answer) if isinstance(screen, Dialog) else answer)


class SessionScreen(DatasetScreen[Result]):
    """A screen that shows the images of a session.

    Args:
        controller: The dataset.
        context: What screens share.

    Attributes:
        commands: What its keys do; made by the screen itself.
    """

    BARE = True
    _message = ""
    commands: SessionCommands

    def __init__(self, controller: LabelController, context: Context) -> None:
        super().__init__(controller, context)
        ink = context.ink
        self._class_bar = ClassBar(ink, adds=self.key("classes"), finds=self.key("pick"), id="classes")
        self._facts, self._status = (TextLine(ink, id=name, bare=True) for name in ("facts", "status"))
        self._messages = MessageLine(ink, id="messages")

    def on_screen_resume(self) -> None:
        """Textual calls the method of a subclass, too."""
        self.messages_changed(messages_shown(self.app))

    def messages_changed(self, messages: Sequence[Notification]) -> None:
        self._messages.show_messages(messages)

    def unsay(self, message: str) -> None:
        """Show a sentence no longer that is not true any more, unless another one has taken its place."""
        if self._message == message:
            self.say("")
            self.show()

    # Keys and the mouse

    def other_key_at_once(self, event: events.Key) -> bool:
        """Letters and digits belong to classes."""
        character = event.character
        if character is None or len(character) != 1 or not character.isalnum():
            return False
        self.queue.do(partial(self.commands.use_key, character))
        return True

    @on(ClassBar.ClassClicked)
    def _class_clicked(self, event: ClassBar.ClassClicked) -> None:
        self.queue.do(partial(self.commands.use_class, event.class_id))
