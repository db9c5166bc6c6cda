"""Fields one below the other: title, value, unit; what is wrong stands below its field. Painted line by line."""

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message

from mia_tui.tui.training.form_view import EditedLine, FormLine
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

_LEAST_VALUE = 10
_PLAIN = Style()


class ConfigForm(LineList[FormLine]):
    """The fields of a section. A click says which field, and whether its value was meant."""

    class Pressed(Message):
        """A field was clicked; `on_value` if what stands in it was."""

        def __init__(self, line: int, *, on_value: bool) -> None:
            super().__init__()
            self.line, self.on_value = line, on_value

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._look_of, id=id)

    def can_pick(self, entry: FormLine) -> bool:
        return entry.kind != "fault"

    def on_click(self, event: events.Click) -> None:
        event.prevent_default()  # else the list says so in its own way, too
        line = event.y + int(self.scroll_offset.y)
        if 0 <= line < len(self._entries) and self.can_pick(self._entries[line]):
            on_value = event.x > self._entries[line].title_width + 2
            self.post_message(self.Pressed(line, on_value=on_value))

    def _look_of(self, entry: FormLine, width: int, *, is_current: bool) -> list[Segment]:
        ink = self._ink
        if entry.kind == "fault":
            text = f"  {ink.broken} {entry.title}"
            return [Segment(ink.pad(text, width), ink.fault())]
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
        look = Style(reverse=is_current)
        if entry.kind == "switch":
            return [Segment(f"[{'x' if entry.value == 'yes' else ' '}] {entry.value}", look)]
        if entry.kind in ("choice", "pick") and entry.value:
            left, right = ("‹ ", " ›") if ink.unicode else ("< ", " >")
            return [
                Segment(left, ink.dim()),
                Segment(ink.fit_left(entry.value, room - 4), look),
                Segment(right, ink.dim()),
            ]
        if not entry.value:
            return [Segment(ink.fit(entry.instead, room) or " ", ink.dim() + look)]
        return [Segment(ink.fit_left(entry.value, room), look)]

    def _typed(self, line: EditedLine, instead: str, room: int) -> list[Segment]:
        """The part of a text around its caret."""
        ink = self._ink
        text = ink.shown(line.text) if line.text.isprintable() else line.text
        if line.is_fresh:
            if not text:
                return [Segment(" ", Style(reverse=True)), Segment(ink.fit(instead, room - 1), ink.dim())]
            return [Segment(ink.fit_left(text, room), Style(reverse=True))]
        start = max(0, line.caret - room + 1)
        before, at, after = (
            text[start : line.caret],
            text[line.caret : line.caret + 1],
            text[line.caret + 1 :],
        )
        after = ink.fit(after, max(0, room - ink.width(before) - 1))
        field = Style(underline=True)
        return [Segment(before, field), Segment(at or " ", Style(reverse=True)), Segment(after, field)]
