"""The classes of a dataset: add, rename, recolour, reorder, merge, archive; each a step that undo takes back."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen, Screen

from mia_tui.dataset.model import ImageClass
from mia_tui.errors import MiaError
from mia_tui.tui.classes.class_table import ClassLine, ClassTable
from mia_tui.tui.classes.commands import ClassCommands
from mia_tui.tui.context import Context
from mia_tui.tui.keys.bindings import bind_keys, keys_of, said_key
from mia_tui.tui.keys.command_queue import CommandQueue
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.overlay import Overlay
from mia_tui.tui.widgets.text_block import TextBlock

Answer = TypeVar("Answer")

_NEWS_S = 1.0
_TOLD = (
    "add", "rename", "recolour", "set_key", "move_up", "move_down", "merge", "archive", "undo", "redo", "use",
    "close", "help",
)  # fmt: skip
"""Commands that are named below the list."""


class ClassesScreen(ModalScreen[int | None]):
    """The list of classes; ends with the class that is to be the current one, or None.

    Args:
        controller: The dataset.
        context: What screens share.
    """

    SCOPE = "classes"
    AUTO_FOCUS = ""

    def __init__(self, controller: LabelController, context: Context) -> None:
        super().__init__()
        bind_keys(self, self.SCOPE, context.user.keys)
        self._controller, self._ink, self._shared = controller, context.ink, context
        self.commands = ClassCommands(controller, self, context.ink)
        self.queue = CommandQueue(
            begin=self._begin, done=self._ask_anew, failed=self._fail, slow=self._say_slow
        )
        self._table = ClassTable(context.ink, id="class-table")
        self._heading = TextBlock(id="class-heading")
        self._message = TextBlock(id="class-message")
        self._keys = TextBlock(classes="hint")
        self._known: tuple[ImageClass, ...] = tuple(controller.session.classes)
        self._counts: Mapping[int, int] = {}
        self._wanted: int | None = controller.session.current_class  # the class the cursor is on
        self._line = 0
        self._seen: object = None
        self._in_force = keys_of(self.SCOPE, context.user.keys)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="classes-dialog"):
            yield TextBlock("Classes", classes="title")
            yield self._heading
            yield self._table
            yield self._message
            yield self._keys

    def on_mount(self) -> None:
        self.run_worker(self.queue.run(), group="commands", name="commands")
        self.queue.do(self._reload)
        self.set_interval(_NEWS_S, self._look_for_news)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    # For the commands

    def say(self, message: str) -> None:
        self._message.update(self._ink.shown(message))

    async def ask(self, dialog: Screen[Answer]) -> Answer | None:
        answer = self.app.push_screen_wait(dialog)
        return await (self._controller.answered(answer) if isinstance(dialog, Overlay) else answer)

    @property
    def known(self) -> Sequence[ImageClass]:
        return self._known

    @property
    def chosen(self) -> ImageClass | None:
        return self._known[self._line] if self._line < len(self._known) else None

    @property
    def counts(self) -> Mapping[int, int]:
        return self._counts

    def key(self, command: str) -> str:
        return said_key(self.SCOPE, self._in_force, command)

    def go_to(self, class_id: int) -> None:
        self._wanted = class_id

    def close(self, class_id: int | None) -> None:
        if class_id is not None:
            self._controller.session.choose_class(class_id)
        self.dismiss(class_id)

    # Keys

    def action_obey(self, name: str) -> None:
        self.queue.do(self.commands.by_name[name], opens=True)

    def move(self, by: int) -> None:
        self._put(self._line + by)

    @property
    def page(self) -> int:
        return self._table.page

    async def show_help(self) -> None:
        from mia_tui.tui.help import HelpScreen

        await self.ask(HelpScreen(self._shared, self.SCOPE))

    @on(ClassTable.Picked)
    def _pick(self, event: ClassTable.Picked) -> None:
        self._put(event.line)

    def _put(self, line: int) -> None:
        self._line = max(0, min(line, len(self._known) - 1))
        self._wanted = None
        self._show()

    # What is known

    async def _reload(self) -> None:
        """Take over what labels.db says; the cursor stays on its class."""
        chosen = self.chosen
        wanted = self._wanted if self._wanted is not None else chosen.id if chosen else None
        self._seen = self._signature()
        self._known = await self._controller.all_classes()
        self._counts = await self._controller.label_counts()
        places = [line for line, image_class in enumerate(self._known) if image_class.id == wanted]
        self._line = places[0] if places else max(0, min(self._line, len(self._known) - 1))
        self._wanted = None
        if not self._known:
            self.say(f"There is no class yet: {self.key('add')} adds some.")

    def _ask_anew(self) -> None:
        """After each command; one that changed nothing costs nothing."""
        if self.is_running and self._signature() != self._seen:
            self.queue.do(self._reload)
        elif self.is_running:
            self._show()

    def _look_for_news(self) -> None:
        """Others may have changed the classes, too."""
        if self.queue.idle and self._signature() != self._seen:
            self.queue.do(self._reload)

    def _signature(self) -> object:
        session = self._controller.session
        return session.classes, session.tally.by_class

    def _show(self) -> None:
        if self.is_attached and self._table.size.width:
            self._keys.update(_keys(self._table.size.width, self._in_force))
            self._heading.update(self._table.heading(self._table.size.width))
            lines = [ClassLine(known, self._counts.get(known.id, 0)) for known in self._known]
            self._table.show(lines, self._line)

    def _begin(self) -> None:
        """What was said stays until something else is said: reloading is a command, too."""

    def _fail(self, error: MiaError, dropped: int) -> None:
        self.say(str(error))

    def _say_slow(self, waiting: int) -> None:
        if self._controller.store_thread.busy_since is not None:
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
