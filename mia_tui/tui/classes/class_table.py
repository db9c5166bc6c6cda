"""The classes as a table: key, colour, name, images."""

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style

from mia_tui.dataset.model import ImageClass
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

_KEY, _COLOUR, _IMAGES, _STATE = 3, 7, 11, 8
_FIXED = 1 + _KEY + 2 + _COLOUR + 2 + _IMAGES + 2 + _STATE


@dataclass(frozen=True)
class ClassLine:
    """A class and how many images it has."""

    image_class: ImageClass
    images: int


class ClassTable(LineList[ClassLine], can_focus=True):
    """One line a class."""

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._look_of, id=id)

    def heading(self, columns: int) -> str:
        """The line above the table."""
        name = max(4, columns - _FIXED)
        return f" {'key':<{_KEY}}  {'colour':<{_COLOUR}}  {'name':<{name}}{'images':>{_IMAGES}}"

    def _look_of(self, entry: ClassLine, width: int, *, is_current: bool) -> list[Segment]:
        ink, image_class = self._ink, entry.image_class
        look = Style(reverse=is_current, dim=image_class.archived)
        state = "archived" if image_class.archived else ""
        return [
            Segment(ink.pointer if is_current else " ", Style(bold=True)),
            Segment(f" {image_class.key or ' '} ", ink.chip(image_class.colour)),
            Segment("  "),
            self._swatch(image_class.colour),
            Segment("  "),
            Segment(ink.pad(image_class.name, max(4, width - _FIXED)), look),
            Segment(f"{entry.images:>{_IMAGES},}  {state:<{_STATE}}", look),
        ]

    def _swatch(self, colour: str) -> Segment:
        """Seven cells of the colour; its number where there are no colours."""
        return Segment(" " * _COLOUR, self._ink.chip(colour)) if self._ink.colours else Segment(colour)
