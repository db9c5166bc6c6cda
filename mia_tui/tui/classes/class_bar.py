"""The classes in lines: key, colour, name and number of images of each; the current one is marked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mia_tui.dataset.model import ImageClass
from mia_tui.tui.widgets.ink import Ink

_NAME_COLUMNS = 24


@dataclass(frozen=True)
class _Chip:
    """A class as it is drawn, and how many columns that takes."""

    image_class: ImageClass
    segments: tuple[Segment, ...]
    columns: int


class ClassBar(Widget, can_focus=False):
    """As many classes as fit into its lines, always with the current one.

    Args:
        ink: Characters and styles.
        adds: The key that adds classes, for a sentence.
        finds: The key that finds a class by its name.
    """

    class ClassClicked(Message):
        """A class was clicked."""

        def __init__(self, class_id: int) -> None:
            super().__init__()
            self.class_id = class_id

    def __init__(self, ink: Ink, *, adds: str, finds: str, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ink, self._adds, self._finds = ink, adds, finds
        self._shown: tuple[ImageClass, ...] = ()
        self._counts: Mapping[int, int] = {}
        self._current: int | None = None
        self._auto = False
        self._lines: list[list[_Chip]] = []
        self._strips: list[Strip] = []

    def show(
        self, classes: Sequence[ImageClass], counts: Mapping[int, int], current: int | None, *, auto: bool
    ) -> None:
        """Paint these classes.

        Args:
            classes: In their order.
            counts: Labels of each, by id.
            current: Id of the current class.
            auto: Whether a class key also moves on to the next image.
        """
        self._shown, self._counts = tuple(classes), dict(counts)
        self._current, self._auto = current, auto
        self._lay_out()

    def wanted_lines(self, columns: int, most: int) -> int:
        """Lines that all classes take, at most `most`."""
        return max(1, min(most, len(self._arranged(self._shown, columns))))

    def render_lines(self, crop: Region) -> list[Strip]:
        strips = [*self._strips, *[Strip.blank(self.size.width)] * self.size.height][: self.size.height]
        under = self._ink.beside_images
        strips = strips if under is None else [strip.apply_style(under) for strip in strips]
        return [strip.crop(crop.x, crop.right) for strip in strips[crop.y : crop.bottom]]

    def on_resize(self) -> None:
        self._lay_out()

    def on_click(self, event: events.Click) -> None:
        if event.y < len(self._lines):
            x = 0
            for chip in self._lines[event.y]:
                if x <= event.x < x + chip.columns:
                    self.post_message(self.ClassClicked(chip.image_class.id))
                x += chip.columns

    def _lay_out(self) -> None:
        """Draw the lines, and paint those that differ from the ones on the screen."""
        width, height = self.size
        if not width or not height:
            return
        self._lines, hidden = self._fitting(width, height)
        strips = [self._strip(line, width) for line in self._lines]
        if not self._shown:
            words = f" No classes yet: {self._adds} adds some."
            strips = [Strip([Segment(self._ink.pad(words, width))], width)]
        if hidden:
            more = f" {self._ink.more} {hidden:,} more, {self._finds} finds"
            strips[-1] = strips[-1].crop(0, width - len(more)).extend_cell_length(width - len(more))
            strips[-1] = Strip.join([strips[-1], Strip([Segment(more, self._ink.dim())], len(more))])
        old, self._strips = self._strips, strips
        for y in range(max(len(old), len(strips))):
            if y >= len(old) or y >= len(strips) or old[y] != strips[y]:
                self.refresh(Region(0, y, width, 1))

    def _fitting(self, width: int, height: int) -> tuple[list[list[_Chip]], int]:
        """The lines that fit, around the current class if not all do; and how many classes are hidden."""
        lines = self._arranged(self._shown, width)
        if len(lines) <= height:
            return lines, 0
        at = next((n for n, line in enumerate(lines) if any(self._is_current(chip) for chip in line)), 0)
        top = min(max(0, at - height // 2), len(lines) - height)
        shown = lines[top : top + height]
        return shown, len(self._shown) - sum(map(len, shown))

    def _arranged(self, classes: Sequence[ImageClass], width: int) -> list[list[_Chip]]:
        lines: list[list[_Chip]] = [[]]
        used = 0
        for image_class in classes:
            chip = self._chip(image_class)
            if used and used + chip.columns > width:
                lines.append([])
                used = 0
            lines[-1].append(chip)
            used += chip.columns
        return lines

    def _chip(self, image_class: ImageClass) -> _Chip:
        ink, current = self._ink, image_class.id == self._current
        key = image_class.key or " "
        name = ink.fit(image_class.name, _NAME_COLUMNS)
        count = f"{self._counts.get(image_class.id, 0):,}"
        pointer = (">>" if self._auto else ink.pointer) if current else ""
        lead = f"{pointer:<2}" if self._auto else f"{pointer:<1}"
        name_style = Style(bold=True, underline=True) if current else Style()
        segments = (
            Segment(lead, Style(bold=True)),
            Segment(f" {key} ", ink.chip(image_class.colour, current=current)),
            Segment(" "),
            Segment(name, name_style),
            Segment(f" {count}  ", ink.dim()),
        )
        return _Chip(image_class, segments, sum(ink.width(segment.text) for segment in segments))

    def _is_current(self, chip: _Chip) -> bool:
        return chip.image_class.id == self._current

    def _strip(self, line: Sequence[_Chip], width: int) -> Strip:
        segments = [segment for chip in line for segment in chip.segments]
        return Strip(segments, sum(chip.columns for chip in line)).adjust_cell_length(width)
