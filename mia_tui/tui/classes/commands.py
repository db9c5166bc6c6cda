"""What the keys of the list of classes do. Every change is one step, and says how many labels it touches.

No widget is touched here: a command asks, writes through the desk and says
what came of it. What is refused (a name that is taken) is asked again, with the
reason and what was typed.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

from textual.screen import ModalScreen

from mia_tui.dataset.model import ImageClass
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError, StoreError
from mia_tui.text import counted, name_some, printable
from mia_tui.tui.classes import choosing
from mia_tui.tui.classes.adding import add_classes
from mia_tui.tui.dialogs import Question, TextDialog
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.label.commands import AskingScreen, step_back
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.widgets.ink import Ink


class ClassFace(AskingScreen, Protocol):
    """What these commands need of the screen."""

    @property
    def known(self) -> Sequence[ImageClass]:
        """The classes as they are shown, archived ones last."""

    @property
    def chosen(self) -> ImageClass | None:
        """The class under the cursor."""

    @property
    def counts(self) -> Mapping[int, int]:
        """Labels of each class."""

    def go_to(self, class_id: int) -> None:
        """Put the cursor on a class."""

    def move(self, by: int) -> None:
        """Move the cursor by so many lines, to the end at most."""

    @property
    def page(self) -> int:
        """Lines that are seen at once."""

    async def show_help(self) -> None:
        """Show the keys until they are closed."""

    def close(self, class_id: int | None) -> None:
        """Leave, with a class to be the current one."""


class ClassCommands:
    """The commands of the list of classes.

    Args:
        controller: The dataset.
        screen: The screen.
        ink: Characters and styles, for dialogs.

    Attributes:
        by_name: Every command, by the id of its action.
    """

    def __init__(self, controller: LabelController, screen: ClassFace, ink: Ink) -> None:
        self._controller, self._screen, self._ink = controller, screen, ink
        self.by_name: dict[str, Command] = {
            "add": self._add,
            "rename": self._with_class(self._rename),
            "recolour": self._with_class(self._recolour),
            "set_key": self._with_class(self._set_key),
            "move_up": self._with_class(partial(self._move, -1)),
            "move_down": self._with_class(partial(self._move, 1)),
            "merge": self._with_class(self._merge),
            "archive": self._with_class(self._archive_or_restore),
            "undo": partial(step_back, controller, screen, redo=False),
            "redo": partial(step_back, controller, screen, redo=True),
            "use": self._with_class(self._use),
            "close": self._close,
            "help": screen.show_help,
            "up": partial(self._go, lambda: -1),
            "down": partial(self._go, lambda: 1),
            "page_previous": partial(self._go, lambda: -screen.page),
            "page_next": partial(self._go, lambda: screen.page),
            "first": partial(self._go, lambda: -len(screen.known)),
            "last": partial(self._go, lambda: len(screen.known)),
        }

    def _with_class(self, command: Callable[[ImageClass], Awaitable[None]]) -> Command:
        """A command for the class under the cursor, as it is when its turn comes."""

        async def obey() -> None:
            chosen = self._screen.chosen
            if chosen is None:
                self._screen.say(f"There is no class yet: {self._screen.key('add')} adds some.")
            elif (known := self._controller.session.class_of(chosen.id)) is None or known.name != chosen.name:
                self._screen.say(
                    "Somebody changed the classes just now: look again."
                )  # or another labels.db is there
            else:
                await command(replace(chosen, name=printable(chosen.name)))

        return obey

    async def _add(self) -> None:
        hint = "One name, or many with commas between them. {ok} adds them, {cancel} does nothing."
        added = await add_classes(self._controller, self._screen, "Which classes are there?", hint)
        if not added:
            return
        if self._controller.session.current_class is None:
            self._controller.session.choose_class(added[0].id)
        self._screen.go_to(added[0].id)
        self._screen.say(f"Added {name_some((new.name for new in added), 3)}.")

    async def _rename(self, chosen: ImageClass) -> None:
        def dialog(text: str, error: str) -> ModalScreen[str | None]:
            return TextDialog(f"Another name for {chosen.name}", value=text, error=error)

        def write(name: str) -> Callable[[LabelStore], ImageClass]:
            return lambda store: store.rename_class(chosen.id, name)

        after = await self._edit(chosen, chosen.name, dialog, write)
        if after is not None and after.name != chosen.name:
            self._screen.say(f"{chosen.name} is {after.name} now; {self._has(chosen)}.")

    async def _recolour(self, chosen: ImageClass) -> None:
        def dialog(_: str, error: str) -> ModalScreen[str | None]:
            return choosing.colours(f"Another colour for {chosen.name}", self._screen.known, self._ink, error)

        def write(colour: str) -> Callable[[LabelStore], ImageClass]:
            return lambda store: store.recolour_class(chosen.id, colour)

        after = await self._edit(chosen, chosen.colour, dialog, write)
        if after is not None and after.colour != chosen.colour:
            self._screen.say(f"{chosen.name} has the colour {after.colour} now; {self._has(chosen)}.")

    async def _set_key(self, chosen: ImageClass) -> None:
        if chosen.archived:
            self._screen.say(
                f"{chosen.name} is archived, so it needs no key. {self._screen.key('archive')} brings it back."
            )
            return

        def dialog(text: str, error: str) -> ModalScreen[str | None]:
            hint = "A letter or a digit; empty for none. {ok} takes it, {cancel} does nothing."
            now = f" It is {chosen.key} now." if chosen.key else ""
            title = f"Which key picks {chosen.name}?{now}"
            return TextDialog(title, value=text if error else "", hint=hint, error=error)

        def write(key: str) -> Callable[[LabelStore], ImageClass]:
            if key and not (len(key) == 1 and key.isalnum()):
                raise DataError("The key of a class is one letter or digit.", "Others belong to commands.")
            return lambda store: store.set_class_key(chosen.id, key or None)

        after = await self._edit(chosen, chosen.key or "", dialog, write)
        if after is not None and after.key != chosen.key:
            self._screen.say(
                f"{after.key} picks {chosen.name} now." if after.key else f"No key picks {chosen.name}."
            )

    async def _edit(
        self,
        chosen: ImageClass,
        text: str,
        dialog: Callable[[str, str], ModalScreen[str | None]],
        write: Callable[[str], Callable[[LabelStore], ImageClass]],
    ) -> ImageClass | None:
        """Ask for a value until it is taken or the person thinks better of it; the class as it is then."""
        error = ""
        while True:
            answer = await self._screen.ask(dialog(text, error))
            if answer is None:
                return None
            text = answer
            try:
                return await self._controller.write(write(answer.strip()), f"class {chosen.name}")
            except StoreError:
                raise
            except DataError as refusal:
                error = str(refusal)

    async def _move(self, by: int, chosen: ImageClass) -> None:
        if chosen.archived:
            self._screen.say(
                f"Archived classes stand at the end. {self._screen.key('archive')} brings it back."
            )
            return
        order = [other.id for other in self._screen.known if not other.archived]
        place = order.index(chosen.id) + by
        if 0 <= place < len(order):
            await self._controller.write(
                lambda store: store.move_class(chosen.id, place), f"place of class {chosen.name}"
            )
            self._screen.go_to(chosen.id)

    async def _merge(self, chosen: ImageClass) -> None:
        title = f"Move the labels of {chosen.name} to which class?"
        dialog = choosing.classes(self._controller.session, self._ink, title=title, leave_out=chosen.id)
        wanted: int | None = await self._screen.ask(dialog)
        into = None if wanted is None else self._controller.session.class_of(wanted)
        if into is None:
            return
        count = self._screen.counts.get(chosen.id, 0)
        text = (
            f"{_labels_move(count)} from {chosen.name} to {into.name}, and {chosen.name} is archived. "
            "Undo takes it back."
        )
        if not await self._agreed(f"Merge {chosen.name} into {into.name}?", text, "Merge"):
            return
        moved = await self._controller.write(
            lambda store: store.merge_class(chosen.id, into.id), f"class {chosen.name} into {into.name}"
        )
        self._screen.go_to(into.id)
        self._screen.say(
            f"{_labels_move(moved)} from {chosen.name} to {into.name}; {chosen.name} is archived."
        )

    async def _archive_or_restore(self, chosen: ImageClass) -> None:
        count = self._screen.counts.get(chosen.id, 0)
        if chosen.archived:
            after = await self._controller.write(
                lambda store: store.restore_class(chosen.id), f"class {chosen.name} back"
            )
            self._screen.go_to(after.id)
            self._screen.say(f"{chosen.name} is back with {counted(count, 'label')}.")
            return
        text = (
            f"{counted(count, 'image')} {'has' if count == 1 else 'have'} this label. "
            "It stays with them, but counts nowhere until the class is brought back."
        )
        if count and not await self._agreed(f"Archive {chosen.name}?", text, "Archive"):
            return
        await self._controller.write(
            lambda store: store.archive_class(chosen.id), f"class {chosen.name} archived"
        )
        self._screen.say(
            f"{chosen.name} is archived with {counted(count, 'label')}. {self._screen.key('archive')} brings it back."
        )

    async def _agreed(self, title: str, text: str, word: str) -> bool:
        answers = [("Cancel", False), (word, True)]
        return bool(await self._screen.ask(Question(self._ink.shown(title), self._ink.shown(text), answers)))

    async def _use(self, chosen: ImageClass) -> None:
        if chosen.archived:
            self._screen.say(f"{chosen.name} is archived. {self._screen.key('archive')} brings it back.")
        else:
            self._screen.close(chosen.id)

    async def _go(self, by: Callable[[], int]) -> None:
        self._screen.move(by())

    async def _close(self) -> None:
        self._screen.close(None)

    def _has(self, chosen: ImageClass) -> str:
        count = self._screen.counts.get(chosen.id, 0)
        return f"{counted(count, 'image')} {'has' if count == 1 else 'have'} it"


def _labels_move(count: int) -> str:
    return f"{counted(count, 'label')} {'moves' if count == 1 else 'move'}"
