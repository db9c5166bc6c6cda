"""The classes of a dataset: add, rename, recolour, reorder, merge, archive; each a step that undo reverses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from mia_tui.dataset.model import ImageClass
from mia_tui.text import counted
from mia_tui.tui.classes.commands import ClassCommands
from mia_tui.tui.context import Context
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.bindings import said_key
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.label.session_screen import DatasetScreen
from mia_tui.tui.screen import ScreenOver
from mia_tui.tui.widgets.bars import bar
from mia_tui.tui.widgets.ink import Ink, style
from mia_tui.tui.widgets.line_list import LineList
from mia_tui.tui.widgets.text_block import TextBlock

_NEWS_S = 1.0
_LISTED = (
    "add", "rename", "recolour", "set_key", "move_up", "move_down", "merge", "archive", "undo", "redo", "use",
    "close", "help",
)  # fmt: skip
"""Commands that are listed with their keys below the classes."""

_KEY, _COLOUR, _IMAGES, _STATE = 3, 7, 11, 8
_LEAST_NAME, _WIDEST_BAR = 40, 30
_LEAST_LINES, _BESIDE = 8, 9  # classes that there is room for, and what else stands in the panel
_MOST_SHARE = 0.9  # of the window
_FIXED = 1 + _KEY + 2 + _COLOUR + 2 + _IMAGES + 2 + _STATE


@dataclass(frozen=True)
class ClassLine:
    """A class, how many images have it, and how many that are beside the class with the most."""

    image_class: ImageClass
    images: int
    share: float


class ClassTable(LineList[ClassLine], can_focus=True):
    """One line a class: key, colour, name, images."""

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._draw_class, heading=self._titles, id=id)

    def _titles(self, columns: int) -> str:
        name = max(4, columns - _FIXED - self._bar_columns(columns))
        return f" {'key':<{_KEY}}  {'colour':<{_COLOUR}}  {'name':<{name}}{'images':>{_IMAGES}}"

    def _draw_class(self, entry: ClassLine, width: int, is_current: bool) -> list[Segment]:
        ink, image_class = self._ink, entry.image_class
        text_style = (ink.cursor() if is_current else Style()) + Style(dim=image_class.archived)
        bar_columns = self._bar_columns(width)
        bar_style = (ink.cursor() if is_current else Style()) + (
            style(fg=image_class.colour) if ink.colours else Style()
        )
        state = "archived" if image_class.archived else ""
        return [
            Segment(ink.pointer if is_current else " ", ink.accent()),
            Segment(f" {image_class.key or ' '} ", ink.chip(image_class.colour)),
            Segment("  "),
            self._swatch(image_class.colour),
            Segment("  "),
            Segment(ink.pad(image_class.name, max(4, width - _FIXED - bar_columns)), text_style),
            Segment(f"{entry.images:>{_IMAGES},}  ", text_style),
            Segment(bar(entry.share, bar_columns, unicode=ink.unicode, empty=" "), bar_style),
            Segment(f"{state:<{_STATE}}", text_style),
        ]

    @staticmethod
    def _bar_columns(columns: int) -> int:
        """Room for a bar, where there is enough for names."""
        return max(0, min(_WIDEST_BAR, columns - _FIXED - _LEAST_NAME))

    def _swatch(self, colour: str) -> Segment:
        """Seven cells of the colour; its #rrggbb on terminals without colours."""
        return Segment(" " * _COLOUR, self._ink.chip(colour)) if self._ink.colours else Segment(colour)


class ClassesScreen(DatasetScreen[int | None], ScreenOver[int | None]):
    """The list of classes; ends with the class to make the current one, or None.

    Args:
        controller: The dataset.
        context: What screens share.

    Attributes:
        known: The classes, archived ones last.
        counts: Labels of each class, by id.
    """

    LEAST = 50, 15
    SCOPE_NAME = "classes"
    MANUAL_PAGE = "labelling"
    commands: ClassCommands

    def __init__(self, controller: LabelController, context: Context) -> None:
        super().__init__(controller, context)
        self._ink = context.ink
        self.commands = ClassCommands(controller, self, context.ink)
        self._table = ClassTable(context.ink, id="class-table")
        self._message = TextBlock(id="class-message")
        self._keys_shown = TextBlock(classes="hint")
        self.known: tuple[ImageClass, ...] = tuple(controller.session.classes)
        self.counts: Mapping[int, int] = {}
        self._wanted: int | None = controller.session.current_class  # the class the cursor is on
        self._line = 0
        self._is_said_saving = False  # until the command that saves has ended
        self._seen: object = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide", id="classes-dialog"):
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
        self._is_said_saving = False
        self._message.update(self._ink.shown(message))

    def say_failed(self, message: str) -> None:
        self.say(message)

    @property
    def chosen(self) -> ImageClass | None:
        return self.known[self._line] if self._line < len(self.known) else None

    def go_to(self, class_id: int) -> None:
        self._wanted = class_id

    def close(self, class_id: int | None) -> None:
        if class_id is not None:
            self.session.choose_class(class_id)
        self.dismiss(class_id)

    def move(self, by: int) -> None:
        self._put(self._line + by)

    @property
    def page(self) -> int:
        return self._table.page

    @on(ClassTable.LineClicked)
    def _line_clicked(self, event: ClassTable.LineClicked) -> None:
        self._put(event.line)

    def _put(self, line: int) -> None:
        self._line = max(0, min(line, len(self.known) - 1))
        self._wanted = None
        self.show()

    # Reading the classes

    async def _reload(self) -> None:
        """Read the classes from labels.db; the cursor stays on its class."""
        chosen = self.chosen
        wanted = self._wanted if self._wanted is not None else chosen.id if chosen else None
        self._seen = self._signature()
        self.known = await self.controller.all_classes()
        self.counts = await self.controller.label_counts()
        places = [line for line, image_class in enumerate(self.known) if image_class.id == wanted]
        self._line = places[0] if places else max(0, min(self._line, len(self.known) - 1))
        self._wanted = None
        if not self.known:
            self.say(f"There is no class yet: {self.key('add')} adds some.")

    def command_ended(self) -> None:
        """Paint after each command; the classes are read again only if they have changed."""
        if self._is_said_saving:
            self.say("")
        if self.is_running and self._signature() != self._seen:
            self.queue.do(self._reload)
        elif self.is_running:
            self.show()

    def _look_for_news(self) -> None:
        """Other people may have changed the classes."""
        if self.queue.idle and self._signature() != self._seen:
            self.queue.do(self._reload)

    def _signature(self) -> object:
        session = self.session
        return session.classes, session.counts.by_class

    def show(self) -> None:
        if not (self.is_attached and self._table.size.width):
            return
        dialog, labels = self.query_one("#classes-dialog"), sum(self.counts.values())
        dialog.border_title = "Classes"
        dialog.border_subtitle = f"{counted(len(self.known), 'class', 'classes')}, {counted(labels, 'label')}"
        dialog.styles.height = min(
            int(_MOST_SHARE * self.size.height), max(len(self.known), _LEAST_LINES) + _BESIDE
        )
        self._keys_shown.update(_keys(self._table.size.width, self.keys))
        most = max(self.counts.values(), default=0)
        images = [self.counts.get(known.id, 0) for known in self.known]
        lines = [
            ClassLine(known, count, count / most if most else 0.0)
            for known, count in zip(self.known, images, strict=True)
        ]
        self._table.show(lines, self._line)

    def command_begins(self) -> None:
        """The last message stays until the next one: reading the classes is a command, too."""

    def command_is_slow(self, waiting: int) -> None:
        if self.is_saving:
            self.say("Saving")
            self._is_said_saving = True


def _keys(columns: int, in_force: Mapping[str, Sequence[str]]) -> str:
    """The keys of this list in lines; a key is never on another line than its command."""
    lines = [""]
    titles = {action.id: action.title for action in SCOPES["classes"].actions}
    for name in _LISTED:
        if not in_force[name]:
            continue
        phrase = f"{said_key('classes', in_force, name)} {titles[name].lower()}"
        if lines[-1] and len(lines[-1]) + 2 + len(phrase) > columns:
            lines.append("")
        lines[-1] += f"  {phrase}" if lines[-1] else phrase
    return "\n".join(lines)
