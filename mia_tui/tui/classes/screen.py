"""The classes of a dataset: add, rename, recolour, reorder, merge, archive; each a step that undo takes back."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen

from mia_tui.dataset.model import ImageClass
from mia_tui.tui.classes.class_table import ClassLine, ClassTable
from mia_tui.tui.classes.commands import ClassCommands
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import said_key
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.overlay import Overlay
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.text_block import TextBlock

Answer = TypeVar("Answer")

_NEWS_S = 1.0
_TOLD = (
    "add", "rename", "recolour", "set_key", "move_up", "move_down", "merge", "archive", "undo", "redo", "use",
    "close", "help",
)  # fmt: skip
"""Commands that are named below the list."""


class ClassesScreen(KeyedScreen[int | None], ModalScreen[int | None]):
    """The list of classes; ends with the class that is to be the current one, or None.

    Args:
        desk: The dataset.
        context: What screens share.
    """

    SCOPE = "classes"
    commands: ClassCommands

    def __init__(self, desk: LabelController, context: Context) -> None:
        super().__init__(context)
        self._desk, self._ink = desk, context.ink
        self.commands = ClassCommands(desk, self, context.ink)
        self._table = ClassTable(context.ink, id="class-table")
        self._heading = TextBlock(id="class-heading")
        self._message = TextBlock(id="class-message")
        self._keys_shown = TextBlock(classes="hint")
        self._known: tuple[ImageClass, ...] = tuple(desk.session.classes)
        self._counts: Mapping[int, int] = {}
        self._wanted: int | None = desk.session.current_class  # the class the cursor is on
        self._line = 0
        self._seen: object = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="classes-dialog"):
            yield TextBlock("Classes", classes="title")
            yield self._heading
            yield self._table
            yield self._message
            yield self._keys_shown

    def on_mount(self) -> None:
        self.queue.do(self._reload)
        self.set_interval(_NEWS_S, self._look_for_news)

    def on_resize(self) -> None:
        self.call_after_refresh(self.show)

    # For the commands

    def say(self, message: str) -> None:
        self._message.update(self._ink.shown(message))

    def say_failed(self, message: str) -> None:
        self.say(message)

    async def ask(self, screen: Screen[Answer]) -> Answer | None:
        """As every screen does; an answer to a dialog is about the labels.db that the person saw."""
        answer = super().ask(screen)
        return await (self._desk.answered(answer) if isinstance(screen, Overlay) else answer)

    @property
    def known(self) -> Sequence[ImageClass]:
        return self._known

    @property
    def chosen(self) -> ImageClass | None:
        return self._known[self._line] if self._line < len(self._known) else None

    @property
    def counts(self) -> Mapping[int, int]:
        return self._counts

    def go_to(self, class_id: int) -> None:
        self._wanted = class_id

    def close(self, class_id: int | None) -> None:
        if class_id is not None:
            self._desk.session.choose_class(class_id)
        self.dismiss(class_id)

    def move(self, by: int) -> None:
        self._put(self._line + by)

    @property
    def page(self) -> int:
        return self._table.page

    @on(ClassTable.Picked)
    def _pick(self, event: ClassTable.Picked) -> None:
        self._put(event.line)

    def _put(self, line: int) -> None:
        self._line = max(0, min(line, len(self._known) - 1))
        self._wanted = None
        self.show()

    # What is known

    async def _reload(self) -> None:
        """Take over what labels.db says; the cursor stays on its class."""
        chosen = self.chosen
        wanted = self._wanted if self._wanted is not None else chosen.id if chosen else None
        self._seen = self._signature()
        self._known = await self._desk.all_classes()
        self._counts = await self._desk.label_counts()
        places = [line for line, image_class in enumerate(self._known) if image_class.id == wanted]
        self._line = places[0] if places else max(0, min(self._line, len(self._known) - 1))
        self._wanted = None
        if not self._known:
            self.say(f"There is no class yet: {self.key('add')} adds some.")

    def command_ended(self) -> None:
        """Look what is different; a command that changed nothing costs nothing."""
        if self.is_running and self._signature() != self._seen:
            self.queue.do(self._reload)
        elif self.is_running:
            self.show()

    def _look_for_news(self) -> None:
        """Others may have changed the classes, too."""
        if self.queue.idle and self._signature() != self._seen:
            self.queue.do(self._reload)

    def _signature(self) -> object:
        session = self._desk.session
        return session.classes, session.tally.by_class

    def show(self) -> None:
        if self.is_attached and self._table.size.width:
            self._keys_shown.update(_keys(self._table.size.width, self.keys))
            self._heading.update(self._table.heading(self._table.size.width))
            lines = [ClassLine(known, self._counts.get(known.id, 0)) for known in self._known]
            self._table.show(lines, self._line)

    def command_begins(self) -> None:
        """What was said stays until something else is said: reloading is a command, too."""

    def command_is_slow(self, waiting: int) -> None:
        if self._desk.keeper.busy_since is not None:
            self.say("Saving")


def _keys(columns: int, in_force: Mapping[str, Sequence[str]]) -> str:
    """The keys of this list in lines; a key never stands in another line than what it does."""
    lines = [""]
    titles = {action.id: action.title for action in SCOPES["classes"].actions}
    for name in _TOLD:
        if not in_force[name]:
            continue
        phrase = f"{said_key('classes', in_force, name)} {titles[name].lower()}"
        if lines[-1] and len(lines[-1]) + 2 + len(phrase) > columns:
            lines.append("")
        lines[-1] += f"  {phrase}" if lines[-1] else phrase
    return "\n".join(lines)
