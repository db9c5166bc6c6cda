"""What keys do on every screen that shows the session's images: classes, undo, the next without a label, lists.

No widget is touched here: a command changes the desk or the session, says a
word about it, or asks through a dialog.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial

from mia_tui.dataset.session.session import Applied
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.label.list_commands import Face, list_commands
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.widgets.ink import Ink


class SessionCommands(ABC):
    """The commands that such screens share; each screen adds its own.

    Args:
        desk: The dataset.
        face: The screen.
        ink: Characters and styles, for dialogs.

    Attributes:
        by_name: Every command, by the id of its action.
    """

    def __init__(self, desk: LabelController, face: Face, ink: Ink) -> None:
        self._desk, self._session, self._face, self._ink = desk, desk.session, face, ink
        self.by_name: dict[str, Command] = {
            "undo": partial(self._step_back, redo=False),
            "redo": partial(self._step_back, redo=True),
            "pick": self._pick,
            "next_unlabelled": partial(self._unlabelled, backwards=False),
            "previous_unlabelled": partial(self._unlabelled, backwards=True),
        }
        self.by_name |= list_commands(desk.session, face, ink)

    async def use_key(self, character: str) -> None:
        """The key of a class was pressed."""
        image_class = self._session.class_of_key(character)
        if image_class is None:
            self._face.say(f"No class has the key {character}.")
        else:
            await self.use_class(image_class.id)

    @abstractmethod
    async def use_class(self, class_id: int) -> None:
        """A class was chosen."""

    @abstractmethod
    def reveal(self, applied: Applied) -> str:
        """Go where something changed; what to say about it."""

    async def _pick(self) -> None:
        from mia_tui.tui.classes import choosing

        chosen = await self._face.ask(choosing.classes(self._session, self._ink))
        if chosen is not None:
            await self.use_class(chosen)

    async def _unlabelled(self, *, backwards: bool) -> None:
        if self._session.next_unlabelled(backwards=backwards):
            return
        if self._session.next_unlabelled(backwards=backwards, wrap=True):
            self._face.say(f"Went on from the {'end' if backwards else 'beginning'} of the list.")
        else:
            self._face.say("No image that is shown is without a label, but for skipped ones.")

    async def _step_back(self, *, redo: bool) -> None:
        await step_back(self._desk, self._face, self.reveal, redo=redo)


async def step_back(
    desk: LabelController, face: Face, reveal: Callable[[Applied], str] = lambda _: "", *, redo: bool
) -> None:
    """Undo or redo my last step, and say what it was.

    Args:
        desk: The dataset.
        face: The screen.
        reveal: Goes where something changed; what to say about it besides.
        redo: Whether to bring back what undo took away.
    """
    step = await desk.step_back(redo=redo)
    if step is None:
        face.say("There is nothing to bring back." if redo else "There is nothing of yours to undo.")
    else:
        words, applied = step
        face.say(words + reveal(applied))
