"""The panel with how probable each class is: its key on its colour, its name, a bar, a percentage."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from mia_tui.dataset.model import ImageClass
from mia_tui.text import percent
from mia_tui.tui.classes.class_mark import MARK_COLUMNS
from mia_tui.tui.label.suggestions.probabilities import ShownProbabilities
from mia_tui.tui.widgets.bars import bar
from mia_tui.tui.widgets.ink import Ink, style

_PERCENT = len(" 100%")
_LEAST_BAR, _MOST_BAR = 6, 24
_NAME_SHARE = 0.5  # of what the bar and the name have together
_UNKNOWN = "?"

ShownLine = tuple[ImageClass, float | None]


class ProbabilityPanel(Widget, can_focus=False):
    """A line for each class; only lines that changed are painted.

    Args:
        ink: Characters and styles.
    """

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ink = ink
        self._shown: ShownProbabilities | None = None
        self._by_class: Sequence[ImageClass] | None = None
        self._strips: list[Strip] = []

    def show(self, shown: ShownProbabilities, by_class: Sequence[ImageClass] | None) -> None:
        """Paint what is different now.

        Args:
            shown: Of the image on screen.
            by_class: The classes, if they give the order of the lines; None for the most probable first.
        """
        if (shown, by_class) != (self._shown, self._by_class):
            self._shown, self._by_class = shown, by_class
            self._lay_out()

    def on_resize(self) -> None:
        self._lay_out()

    def render_lines(self, crop: Region) -> list[Strip]:
        blank = Strip.blank(self.size.width)
        strips = [*self._strips, *[blank] * self.size.height][: self.size.height]
        under = self._ink.beside_images
        strips = strips if under is None else [strip.apply_style(under) for strip in strips]
        return [strip.crop(crop.x, crop.right) for strip in strips[crop.y : crop.bottom]]

    def _lay_out(self) -> None:
        width, height = self.size
        if not width or not height or self._shown is None:
            return
        old, self._strips = self._strips, self._made(self._shown, width, height)
        for y in range(max(len(old), len(self._strips))):
            if old[y : y + 1] != self._strips[y : y + 1]:
                self.refresh(Region(0, y, width, 1))

    def _made(self, shown: ShownProbabilities, width: int, height: int) -> list[Strip]:
        ink = self._ink
        strips: list[Strip] = []
        lines, room = self._ordered(shown.lines), height - bool(shown.note)
        hidden = len(lines) - room if len(lines) > room else 0
        for image_class, probability in lines[: room - bool(hidden)]:
            strips.append(self._line(image_class, probability, lines, width))
        if hidden:
            rest = sum(probability or 0.0 for _, probability in lines[room - 1 :])
            strips.append(
                _strip([Segment(f"{ink.more} {hidden + 1:,} more: {percent(rest)}", ink.dim())], width)
            )
        if shown.note:
            strips.append(_strip([Segment(ink.fit(shown.note, width), ink.dim())], width))
        return strips[:height]

    def _ordered(self, lines: Sequence[ShownLine]) -> list[ShownLine]:
        """By class if that is wanted: the classes in their order, then those that the dataset does not have."""
        if self._by_class is None:
            return list(lines)
        places = {image_class.id: place for place, image_class in enumerate(self._by_class)}
        return sorted(lines, key=lambda line: places.get(line[0].id, len(places)))

    def _line(
        self, image_class: ImageClass, probability: float | None, lines: Sequence[ShownLine], width: int
    ) -> Strip:
        ink, is_best = self._ink, image_class is lines[0][0]
        if self._by_class is not None:
            is_best = probability == max(p for _, p in lines if p is not None) if probability else False
        room = max(0, width - MARK_COLUMNS - 1 - _PERCENT - 1)
        longest = max(ink.width(ink.shown(each.name)) for each, _ in lines)
        names = max(min(longest, room - _LEAST_BAR - 1), int(room * _NAME_SHARE) if longest > room else 0)
        names = max(0, min(names, room))
        columns = max(0, min(_MOST_BAR, room - names - 1))
        key = f" {ink.shown(image_class.key) if image_class.key else ' '} "
        name = ink.pad(ink.fit(image_class.name, names), names)
        figure = _UNKNOWN if probability is None else percent(probability)
        filled = bar(probability or 0.0, columns, unicode=ink.unicode, empty=" ")
        colour = style(fg=image_class.colour) if ink.colours else Style()
        segments = [
            Segment(key, ink.chip(image_class.colour)),
            Segment(f" {name} ", Style(bold=is_best)),
            Segment(filled, colour),
            Segment(f"{figure:>{_PERCENT}}", Style(bold=is_best)),
        ]
        return _strip(segments, width)


def _strip(segments: list[Segment], width: int) -> Strip:
    return Strip(segments).adjust_cell_length(width)
