"""Runs as a table, painted line by line, cheap for hundreds; a click on a heading sorts by its column."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message

from mia_tui.runs.list.summaries import RowStatus, RunSummary
from mia_tui.tui.runs.table_columns import Apart, ShownColumn, cell_words, choose_columns
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

_MARGIN = 3  # the pointer, the mark, and a space


@dataclass(frozen=True)
class RunLine:
    """A run, whether it is marked, and what tells it from others with the same network."""

    row: RunSummary
    is_marked: bool
    apart: str


class RunTable(LineList[RunLine]):
    """One line a run, one of them under the cursor, some of them marked."""

    class HeadingClicked(Message):
        """The heading of a column was clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._draw_run, heading=self._titles, id=id)
        self._columns: list[ShownColumn] = []
        self._known: Sequence[RunSummary] = ()
        self._width = 0
        self._apart: Apart = {}
        self._sorted_by: tuple[str, bool] = ("", False)

    def show_runs(
        self,
        known: Sequence[RunSummary],
        lines: Sequence[RunLine],
        cursor: int | None,
        *,
        apart: Apart,
        sorted_by: tuple[str, bool],
    ) -> None:
        """Paint these runs.

        Args:
            known: All runs: a column is as wide as their words, whatever is filtered out.
            lines: Those that are shown.
            cursor: The line of the cursor.
            apart: What tells runs apart.
            sorted_by: The column by which they are sorted, and whether the smallest comes first.
        """
        if not (known is self._known and apart is self._apart and self.size.width == self._width):
            self._known, self._apart, self._width = known, apart, self.size.width
            columns = choose_columns(known, max(0, self.size.width - _MARGIN), self._ink, apart)
            if columns != self._columns:
                self._columns = columns
                self.refresh()
        if sorted_by != self._sorted_by:
            self._sorted_by = sorted_by
            self.refresh()
        self.show(lines, cursor)

    def on_click(self, event: events.Click) -> None:
        if event.y:
            super().on_click(event)
            return
        at = event.x - _MARGIN
        clicked = next(
            (shown for shown in self._columns if shown.left <= at < shown.left + shown.width), None
        )
        if clicked is not None:
            self.post_message(self.HeadingClicked(clicked.column.name))

    def _titles(self, _: int) -> str:
        name, upwards = self._sorted_by
        arrow = ("▴" if upwards else "▾") if self._ink.unicode else ("^" if upwards else "v")
        titles = [
            self._aligned(shown, shown.column.title + (arrow if shown.column.name == name else ""))
            for shown in self._columns
        ]
        return " " * _MARGIN + " ".join(titles)

    def _draw_run(self, line: RunLine, width: int, is_current: bool) -> list[Segment]:
        row, ink = line.row, self._ink
        under = ink.cursor() if is_current else Style()
        segments = [
            Segment(ink.pointer if is_current else " ", Style(bold=True)),
            Segment("* " if line.is_marked else "  ", ink.accent()),
        ]
        for number, shown in enumerate(self._columns):
            words = cell_words(row, shown.column.name, shown.width, ink, self._apart)
            text_style = under if is_current else self._style(shown, row.status)
            if line.is_marked:
                text_style += Style(bold=True)
            gap = "" if number == len(self._columns) - 1 else " "
            segments.append(Segment(self._aligned(shown, words) + gap, text_style))
        return segments

    def _aligned(self, shown: ShownColumn, words: str) -> str:
        text = self._ink.fit(words, shown.width)
        space = " " * (shown.width - self._ink.width(text))
        return space + text if shown.column.to_right else text + space

    def _style(self, shown: ShownColumn, status: RowStatus) -> Style:
        if shown.column.name == "state":
            return self._state_style(status)
        if shown.column.name == "curve":
            return self._ink.bar()
        return self._ink.dim() if shown.column.is_dim else Style()

    def _state_style(self, status: RowStatus) -> Style:
        if status in ("running", "starting"):
            return self._ink.good()
        if status in ("waiting", "unknown"):
            return self._ink.warning()
        return self._ink.fault() if status in ("lost", "failed", "damaged") else Style()
