"""The frame around an image: its class in colour, in a pattern and in words.

Solid is a person's label, dashed a model's suggestion, dotted and grey no label:
colour is never the only sign. The four sides are widgets of their own, so that
another class sends 2.5 KB to the terminal and the image is not painted again.
"""

from dataclasses import dataclass, replace
from typing import Literal

from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from mia_tui.tui.widgets.ink import Ink

FrameKind = Literal["label", "suggestion", "none"]
Side = Literal["top", "bottom", "left", "right"]


@dataclass(frozen=True)
class Framing:
    """What a frame shows.

    Attributes:
        text: On the left of the upper side: the class, and where the label comes from.
        kind: Whether it is a person's label, a model's suggestion or neither.
        colour: #rrggbb of the class; None without one.
        note: On the right of the upper side: flagged, skipped.
        below: On the right of the lower side: a scale bar.
    """

    text: str
    kind: FrameKind
    colour: str | None = None
    note: str = ""
    below: str = ""


class _Row(Horizontal):
    BLANK = True  # it paints nothing itself, so Textual makes no lines for it


class ClassFrame(Vertical):
    """A frame around one widget.

    Args:
        inner: The widget inside the frame.
        ink: Characters and styles that this terminal has.
    """

    BLANK = True

    def __init__(self, inner: Widget, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._inner = inner
        self._sides = {side: _Side(side, ink) for side in ("top", "left", "right", "bottom")}

    def compose(self) -> ComposeResult:
        yield self._sides["top"]
        with _Row():
            yield self._sides["left"]
            yield self._inner
            yield self._sides["right"]
        yield self._sides["bottom"]

    def show(self, framing: Framing) -> None:
        """Paint the sides that change."""
        for side in self._sides.values():
            side.show(framing)


class _Side(Widget, can_focus=False):
    def __init__(self, side: Side, ink: Ink) -> None:
        super().__init__(classes="level" if side in ("top", "bottom") else "upright")
        self._side = side
        self._ink = ink
        self._framing = Framing("", "none")
        self._lines: list[Strip] = []

    def show(self, framing: Framing) -> None:
        if framing != self._framing:
            old, self._framing = self._framing, framing
            if self._side != "bottom" and framing == replace(old, below=framing.below):
                return  # the scale bar is none of its business
            self._lines = []
            self.refresh()

    def on_resize(self) -> None:
        self._lines = []

    def notify_style_update(self) -> None:
        """The theme is another one."""
        super().notify_style_update()
        self._lines = []

    def render_lines(self, crop: Region) -> list[Strip]:
        """All lines, kept: Textual asks for them whenever a widget beside this one is painted."""
        if not self._lines:
            width, height = self.size
            under = self._ink.beside_images
            even, odd = (self._line(width, y) for y in (0, 1))
            if under is not None:
                even, odd = even.apply_style(under), odd.apply_style(under)
            self._lines = [odd if y % 2 else even for y in range(height)]
        lines = self._lines[crop.y : crop.bottom]
        return lines if crop.width == self.size.width else [line.crop(crop.x, crop.right) for line in lines]

    def _line(self, width: int, y: int) -> Strip:
        framing, ink = self._framing, self._ink
        style = ink.frame(framing.kind, framing.colour)
        pattern = ink.pattern(framing.kind)
        if self._side in ("left", "right"):
            gap = framing.kind == "suggestion" and y == 1
            return Strip([Segment((" " if gap else pattern[0]) * width, None if gap else style)], width)
        line = (pattern * width)[:width]
        if self._side == "bottom":
            return _with_bar(line, framing, style, ink)
        return _with_words(line, framing, style, ink)


def _with_bar(line: str, framing: Framing, style: Style, ink: Ink) -> Strip:
    """The lower side: the scale bar on the right."""
    width, text = len(line), f" {framing.below} " if framing.below else ""
    if not text or ink.width(text) + 4 > width:
        return Strip([Segment(line, style)], width)
    left = line[: width - ink.width(text) - 2]
    segments = [Segment(left, style), Segment(text, ink.words(framing.kind, framing.colour))]
    return Strip([*segments, Segment(line[:2], style)], width)


def _with_words(line: str, framing: Framing, style: Style, ink: Ink) -> Strip:
    """The upper side: the text on the left, the note on the right."""
    width = len(line)
    words = ink.words(framing.kind, framing.colour)
    text = ink.fit(f" {framing.text} ", max(0, width - 2)) if framing.text else ""
    note = ink.fit(f" {framing.note} ", max(0, width - 4 - ink.width(text))) if framing.note else ""
    used = ink.width(text) + ink.width(note)
    if used + 4 > width:
        note, used = "", ink.width(text)
    left, middle = line[:2][: max(0, width - used)], max(0, width - used - 4)
    right = line[: max(0, width - used - len(left) - middle)]
    segments = [Segment(left, style), Segment(text, words), Segment(line[:middle], style)]
    segments += [Segment(note, words), Segment(right, style)]
    return Strip([segment for segment in segments if segment.text], width)
