"""What the keys of the list of classes do. Every change is one step for undo, and says how many labels it concerns.

A command asks, writes through the label controller and says what it did. If an
answer is refused (such as a name that another class has), the question is
asked again with the reason and the text that was typed.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from textual.screen import ModalScreen

from mia_tui.dataset.model import ImageClass
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError, StoreError
from mia_tui.text import counted, name_some, printable
from mia_tui.tui.classes import pickers
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.dialogs import TextDialog
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.label.commands import step_back
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.ink import Ink

if TYPE_CHECKING:
    from mia_tui.tui.classes.screen import ClassesScreen

Value = TypeVar("Value")

_NEEDED = "A class needs a name."


async def add_classes(
    controller: LabelController, screen: KeyedScreen[Any], title: str, hint: str
) -> list[ImageClass]:
    """Ask for names with commas between them, until they are accepted or the person cancels.

    Args:
        controller: The dataset.
        screen: The screen.
        title: The question.
        hint: What the answer does, as for `TextDialog`.

    Returns:
        The new classes; none if the person cancels.

    Raises:
        StoreError: If they cannot be written.
    """

    def dialog(text: str, error: str) -> TextDialog:
        return TextDialog(title, value=text, hint=hint, error=error, several=True, needed=_NEEDED)

    async def add(text: str) -> list[ImageClass]:
        names = _names_in(text)
        return await controller.write(lambda store: store.add_classes(names), _of(names)) if names else []

    return await _ask_until_accepted(screen, "", dialog, add) or []


async def _ask_until_accepted(
    screen: KeyedScreen[Any],
    text: str,
    dialog: Callable[[str, str], ModalScreen[str | None]],
    write: Callable[[str], Awaitable[Value]],
) -> Value | None:
    """Ask for a value until it can be written; returns what was written, None if the person cancels.

    Args:
        screen: The screen.
        text: The text at first.
        dialog: Makes the dialog from the text, and why that was refused, a sentence.
        write: Writes an answer, or refuses it with a `DataError`.
    """
    error = ""
    while (answer := await screen.ask(dialog(text, error))) is not None:
        text = answer
        try:
            return await write(answer)
        except StoreError:
            raise
        except DataError as refusal:
            error = str(refusal)
    return None


class ClassCommands:
    """The commands of the list of classes.

    Args:
        controller: The dataset.
        screen: The screen.
        ink: Characters and styles, for dialogs.

    Attributes:
        by_name: Every command, by the id of its action.
    """

    def __init__(self, controller: LabelController, screen: "ClassesScreen", ink: Ink) -> None:
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
        """A command for the class under the cursor at the time it is run."""

        async def run() -> None:
            chosen = self._screen.chosen
            if chosen is None:
                self._screen.say(f"There is no class yet: {self._screen.key('add')} adds some.")
            elif (known := self._controller.session.class_of(chosen.id)) is None or known.name != chosen.name:
                # or labels.db was replaced
                self._screen.say("Someone changed the classes just now. Check them and try again.")
            else:
                await command(replace(chosen, name=printable(chosen.name)))

        return run

    async def _add(self) -> None:
        hint = "One name, or several with commas between them. {ok} adds them, {cancel} changes nothing."
        added = await add_classes(self._controller, self._screen, "New classes", hint)
        if not added:
            return
        if self._controller.session.current_class is None:
            self._controller.session.choose_class(added[0].id)
        self._screen.go_to(added[0].id)
        self._screen.say(f"Added {name_some((new.name for new in added), 3)}.")

    async def _rename(self, chosen: ImageClass) -> None:
        def dialog(text: str, error: str) -> ModalScreen[str | None]:
            title = f"New name for {chosen.name}"
            return TextDialog(title, value=text, error=error, replaced=True, needed=_NEEDED)

        def write(name: str) -> Callable[[LabelStore], ImageClass]:
            return lambda store: store.rename_class(chosen.id, name)

        after = await self._edit(chosen, chosen.name, dialog, write)
        if after is not None and after.name == chosen.name:
            self._screen.say(f"{chosen.name} keeps its name.")
        elif after is not None:
            self._screen.say(f"{chosen.name} is now called {after.name}; {self._has(chosen)}.")

    async def _recolour(self, chosen: ImageClass) -> None:
        def dialog(_: str, error: str) -> ModalScreen[str | None]:
            return pickers.colours(f"New colour for {chosen.name}", self._screen.known, self._ink, error)

        def write(colour: str) -> Callable[[LabelStore], ImageClass]:
            return lambda store: store.recolour_class(chosen.id, colour)

        after = await self._edit(chosen, chosen.colour, dialog, write)
        if after is not None and after.colour == chosen.colour:
            self._screen.say(f"{chosen.name} keeps its colour.")
        elif after is not None:
            self._screen.say(f"{chosen.name} now has the colour {after.colour}; {self._has(chosen)}.")

    async def _set_key(self, chosen: ImageClass) -> None:
        if chosen.archived:
            self._screen.say(
                f"{chosen.name} is archived, so it needs no key. {self._screen.key('archive')} restores it."
            )
            return

        def dialog(text: str, error: str) -> ModalScreen[str | None]:
            hint = "A letter or a digit; empty for none. {ok} saves it, {cancel} changes nothing."
            now = f" It is {chosen.key} now." if chosen.key else ""
            title = f"Which key for {chosen.name}?{now}"
            return TextDialog(title, value=text if error else "", hint=hint, error=error)

        def write(key: str) -> Callable[[LabelStore], ImageClass]:
            if key and not (len(key) == 1 and key.isalnum()):
                raise DataError("The key of a class is one letter or digit.", "Others belong to commands.")
            return lambda store: store.set_class_key(chosen.id, key or None)

        after = await self._edit(chosen, chosen.key or "", dialog, write)
        if after is not None:
            now = "still" if after.key == chosen.key else "now"
            self._screen.say(
                f"{after.key} is {now} the key of {chosen.name}."
                if after.key
                else f"{chosen.name} {'still has' if now == 'still' else 'has'} no key."
            )

    async def _edit(
        self,
        chosen: ImageClass,
        text: str,
        dialog: Callable[[str, str], ModalScreen[str | None]],
        write: Callable[[str], Callable[[LabelStore], ImageClass]],
    ) -> ImageClass | None:
        """Ask for a value until it is accepted or the person cancels; the changed class, None if cancelled."""

        async def change(answer: str) -> ImageClass:
            return await self._controller.write(write(answer.strip()), f"class {chosen.name}")

        return await _ask_until_accepted(self._screen, text, dialog, change)

    async def _move(self, by: int, chosen: ImageClass) -> None:
        if chosen.archived:
            self._screen.say(f"Archived classes stay at the end. {self._screen.key('archive')} restores it.")
            return
        order = [other.id for other in self._screen.known if not other.archived]
        place = order.index(chosen.id) + by
        if 0 <= place < len(order):
            await self._controller.write(
                lambda store: store.move_class(chosen.id, place), f"place of class {chosen.name}"
            )
            self._screen.go_to(chosen.id)
        else:
            self._screen.say(f"{chosen.name} is the {'first' if by < 0 else 'last'} class already.")

    async def _merge(self, chosen: ImageClass) -> None:
        title = f"Move the labels of {chosen.name} to which class?"
        dialog = pickers.classes(self._controller.session, self._ink, title=title, leave_out=chosen.id)
        wanted: int | None = await self._screen.ask(dialog)
        into = None if wanted is None else self._controller.session.class_of(wanted)
        if into is None:
            return
        count = self._screen.counts.get(chosen.id, 0)
        text = (
            f"{_labels_move(count)} from {chosen.name} to {into.name}, and {chosen.name} is archived. "
            "Undo reverses it."
        )
        title = f"Merge {chosen.name} into {into.name}?"
        if not await self._screen.confirm(title, text, no="Cancel", yes="Merge"):
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
                lambda store: store.restore_class(chosen.id), f"class {chosen.name} restored"
            )
            self._screen.go_to(after.id)
            self._screen.say(f"{chosen.name} is restored with {counted(count, 'label')}.")
            return
        text = (
            f"{counted(count, 'image')} {'has' if count == 1 else 'have'} this label. "
            "They keep it, but it is not counted until the class is restored."
        )
        title = f"Archive {chosen.name}?"
        if count and not await self._screen.confirm(title, text, no="Cancel", yes="Archive"):
            return
        await self._controller.write(
            lambda store: store.archive_class(chosen.id), f"class {chosen.name} archived"
        )
        self._screen.say(
            f"{chosen.name} is archived with {counted(count, 'label')}. {self._screen.key('archive')} restores it."
        )

    async def _use(self, chosen: ImageClass) -> None:
        if chosen.archived:
            self._screen.say(f"{chosen.name} is archived. {self._screen.key('archive')} restores it.")
        else:
            self._screen.close(chosen.id)

    async def _go(self, by: Callable[[], int]) -> None:
        self._screen.say("")  # it was about another class
        self._screen.move(by())

    async def _close(self) -> None:
        self._screen.close(None)

    def _has(self, chosen: ImageClass) -> str:
        count = self._screen.counts.get(chosen.id, 0)
        return f"{counted(count, 'image')} {'has' if count == 1 else 'have'} this label"


def _labels_move(count: int) -> str:
    return f"{counted(count, 'label')} {'moves' if count == 1 else 'move'}"


def _names_in(text: str) -> list[str]:
    """Names with commas between them, each once."""
    return list(dict.fromkeys(name for part in text.split(",") if (name := part.strip())))


def _of(names: Sequence[str]) -> str:
    return f"class {names[0]}" if len(names) == 1 else counted(len(names), "class", "classes")
