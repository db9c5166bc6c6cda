"""The fields of a section, one a line, each fault below its field; and the names of the sections in one line."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.containers import Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mia_tui.tui.training.form_cursor import EditedLine, FormLine
from mia_tui.tui.training.words import network_words
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList
from mia_tui.tui.widgets.text_block import TextBlock

_LEAST_VALUE = 10
_WORDS = {
    **{"fault": "", "more": "    ", "heading": ""},
    **dict.fromkeys(("fact", "told", "note", "advice", "key"), "  "),
}
"""Kinds of lines that are no fields, with what stands before them."""

_PLAIN = Style()


class ConfigForm(LineList[FormLine]):
    """The fields of a section. A click says which field, and whether its value was meant."""

    class SettingClicked(Message):
        """A field was clicked; `on_value` if what stands in it was."""

        def __init__(self, name: str, *, on_value: bool) -> None:
            super().__init__()
            self.name, self.on_value = name, on_value

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._draw_field, id=id)

    def can_pick(self, item: FormLine) -> bool:
        return item.kind not in _WORDS

    def on_click(self, event: events.Click) -> None:
        event.prevent_default()  # else the list posts its own message, too
        line = self._line_at(event.y)
        if line is not None and self.can_pick(self._items[line]):
            item = self._items[line]
            self.post_message(self.SettingClicked(item.name, on_value=event.x > item.title_width + 2))

    def _draw_field(self, entry: FormLine, width: int, is_current: bool) -> list[Segment]:
        ink = self._ink
        if entry.kind in _WORDS:
            sign = f"  {ink.broken} " if entry.kind == "fault" else _WORDS[entry.kind]
            styles = {"heading": ink.title(), "told": ink.title(), "fact": _PLAIN, "note": ink.dim()}
            styles |= {"advice": ink.warning(), "key": ink.accent()}
            return [Segment(ink.pad(f"{sign}{entry.title}", width), styles.get(entry.kind, ink.fault()))]
        title = ink.pad(entry.title, entry.title_width)
        head = [
            Segment(ink.pointer if is_current else " ", Style(bold=True)),
            Segment("*" if entry.is_changed else " ", _PLAIN),
            Segment(title, ink.fault() if entry.is_faulty else Style(bold=is_current)),
            Segment(" ", _PLAIN),
        ]
        room = max(_LEAST_VALUE, width - entry.title_width - 3)
        value = self._value(entry, room, is_current=is_current)
        used = sum(segment.cell_length for segment in value)
        right = entry.right if used + ink.width(entry.right) + 2 <= room else ""
        if right:
            value += [Segment("  ", _PLAIN), Segment(ink.shown(right), ink.dim())]
        # Textual without colours takes no segment without a style, so what is left is filled up here.
        used = sum(segment.cell_length for segment in head + value)
        return [*head, *value, Segment(" " * max(0, width - used), _PLAIN)]

    def _value(self, entry: FormLine, room: int, *, is_current: bool) -> list[Segment]:
        ink = self._ink
        if entry.line is not None and is_current:
            return self._typed(entry.line, entry.instead, room)
        text_style = ink.cursor() if is_current else _PLAIN
        if entry.kind == "switch":
            return [Segment(f"[{'x' if entry.value == 'yes' else ' '}] {entry.value}", text_style)]
        if entry.kind in ("choice", "pick", "size") and entry.value:
            left, right = ("‹ ", " ›") if ink.unicode else ("< ", " >")
            value = network_words(entry.value) if entry.kind == "size" else entry.value
            return [
                Segment(left, ink.dim()),
                Segment(ink.fit_left(value, room - 4), text_style),
                Segment(right, ink.dim()),
            ]
        if not entry.value:
            return [Segment(ink.fit(entry.instead, room) or " ", ink.dim() + text_style)]
        return [Segment(ink.fit_left(entry.value, room), text_style)]

    def _typed(self, line: EditedLine, instead: str, room: int) -> list[Segment]:
        """The part of a text around its caret."""
        ink = self._ink
        text = ink.shown(line.text) if line.text.isprintable() else line.text
        if line.is_fresh:
            if not text:
                return [Segment(" ", ink.cursor()), Segment(ink.fit(instead, room - 1), ink.dim())]
            return [Segment(ink.fit_left(text, room), ink.cursor())]
        start = max(0, line.caret - room + 1)
        before, at, after = (
            text[start : line.caret],
            text[line.caret : line.caret + 1],
            text[line.caret + 1 :],
        )
        after = ink.fit(after, max(0, room - ink.width(before) - 1))
        field = Style(underline=True)
        return [Segment(before, field), Segment(at or " ", ink.cursor()), Segment(after, field)]


class RoomChanged(Message):
    """A part of the form has another size than before, or is seen again: what is hidden has no size."""


class FormPanel(Vertical):
    """A part of the form, whose text is made for its size."""

    def on_resize(self) -> None:
        self.post_message(RoomChanged())


class SideText(TextBlock):
    """What stands beside the fields, made for the room there is."""

    def on_resize(self) -> None:
        self.post_message(RoomChanged())

    def on_show(self) -> None:
        self.post_message(RoomChanged())


class SectionTabs(Widget, can_focus=False):
    """Names side by side; those that do not fit on the left make room for the current one.

    Args:
        ink: Characters and styles.
    """

    class SectionClicked(Message):
        """A name was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ink = ink
        self._names: tuple[str, ...] = ()
        self._current = 0

    def show(self, names: Sequence[str], current: int) -> None:
        """Paint these names."""
        if (tuple(names), current) != (self._names, self._current):
            self._names, self._current = tuple(names), current
            self.refresh()

    def render_line(self, y: int) -> Strip:
        segments = [
            Segment(f" {name} ", self._ink.cursor() if number == self._current else _PLAIN)
            for number, name in enumerate(self._names)
        ]
        first = self._first(segments)
        return (
            Strip(segments[first:]).adjust_cell_length(self.size.width, Style()).apply_style(self.rich_style)
        )

    def on_click(self, event: events.Click) -> None:
        first = self._first([Segment(f" {name} ") for name in self._names])
        right = 0
        for number, name in enumerate(self._names[first:], first):
            right += self._ink.width(name) + 2
            if event.x < right:
                self.post_message(self.SectionClicked(number))
                return

    def _first(self, segments: Sequence[Segment]) -> int:
        """The first name that is shown."""
        for first in range(self._current + 1):
            if sum(segment.cell_length for segment in segments[first : self._current + 1]) <= self.size.width:
                return first
        return self._current
