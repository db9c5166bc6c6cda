"""The confusion matrix as a heat map that fills its room."""

from collections.abc import Iterator
from typing import Literal

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mia_tui.runs.evaluation.confusion import ConfusionReport
from mia_tui.text import percent
from mia_tui.tui.runs.figures.matrix_layout import MatrixLayout, lay_out, scrolled
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.shades import density, level_of, shade

CellWords = Literal["both", "counts", "shares"]
"""What is written in a cell: how many images there are, their share of the class, or both where there is room."""

_SCALE = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
_WHEEL = 3
_FRAME, _FRAME_ASCII = ("┏", "━", "┓", "┃", "┗", "┛"), ("+", "-", "+", "|", "+", "+")


class ConfusionMatrix(Widget, can_focus=False):
    """The confusion matrix: rows are the truth, columns the predictions; the colour is the share of the row.

    Args:
        ink: Characters and styles.
    """

    class CellClicked(Message):
        """A cell was clicked; `opens` if it was clicked twice."""

        def __init__(self, *, opens: bool) -> None:
            super().__init__()
            self.opens = opens

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ink = ink
        self._report: ConfusionReport | None = None
        self._longest = self._digits = 1
        self._order: tuple[int, ...] = ()
        self._said: CellWords = "both"
        self._top = self._left = 0  # the first row and column in view
        self._row = self._column = 0  # the cursor, by place in the order
        self._made: list[Strip] = []

    # What is shown

    def show_matrix(self, report: ConfusionReport, order: tuple[int, ...], said: CellWords = "both") -> None:
        """Paint this matrix.

        Args:
            report: Its counts and metrics.
            order: Positions of the classes, in the order to show them in.
            said: What is written in its cells.
        """
        if report is self._report and (order, said) == (self._order, self._said):
            return
        chosen = self.chosen if self._order else None
        self._report, self._order, self._said = report, order, said
        self._longest = max(self._ink.width(self._ink.shown(name)) for name in report.matrix.classes)
        self._digits = len(f"{int(report.matrix.counts.max()):,}")
        if chosen is not None and max(chosen) < len(order):
            self._row, self._column = map(order.index, chosen)
        self.move(0, 0)

    @property
    def chosen(self) -> tuple[int, int]:
        """The truth and the prediction under the cursor, as positions of their classes."""
        return self._order[self._row], self._order[self._column]

    def choose(self, truth: int, predicted: int) -> None:
        """Put the cursor on a cell, by the positions of its classes."""
        if max(truth, predicted) < len(self._order):
            self._row, self._column = self._order.index(truth), self._order.index(predicted)
            self.move(0, 0)

    @property
    def rows_shown(self) -> int:
        """Number of rows that fit."""
        return self._layout.rows_shown

    def move(self, down: int, right: int) -> None:
        """Move the cursor."""
        count = len(self._order)
        self._row = max(0, min(self._row + down, count - 1))
        self._column = max(0, min(self._column + right, count - 1))
        self._made = []
        self.refresh()

    def _scroll_to_cursor(self) -> MatrixLayout:
        """Have the cursor in view in the present layout, which is returned."""
        count, layout = len(self._order), self._layout
        self._top = scrolled(self._top, self._row, layout.rows_shown, count)
        self._left = scrolled(self._left, self._column, layout.columns_shown, count)
        return layout

    @property
    def _layout(self) -> MatrixLayout:
        width, height = self.size
        return lay_out(width, height, max(1, len(self._order)), longest=self._longest, digits=self._digits)

    # Mouse

    def on_resize(self) -> None:
        self.move(0, 0)

    def on_click(self, event: events.Click) -> None:
        cell = self._layout.cell_at(event.x, event.y) if self._order else None
        if cell is not None:
            self.move(self._top + cell[0] - self._row, self._left + cell[1] - self._column)
            self.post_message(self.CellClicked(opens=event.chain > 1))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._scroll(event, _WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._scroll(event, -_WHEEL)

    def _scroll(self, event: events.MouseEvent, by: int) -> None:
        """Move through a matrix that does not fit: down, and with Shift to the right."""
        event.stop()
        self.move(*((0, by) if event.shift else (by, 0)))
        self.post_message(self.CellClicked(opens=False))

    # Painting

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._made = []  # another theme has other colours

    def render_lines(self, crop: Region) -> list[Strip]:
        width = self.size.width
        if self._report is None or not self._order:
            return [Strip.blank(crop.width, self.rich_style)] * crop.height
        if not self._made:
            layout = self._scroll_to_cursor()  # its size may have changed, and the news be on its way
            drawing = _Drawing(self._report, self._order, layout, self._ink, self._ground(), self._said)
            lines = drawing.lines(
                first=(self._top, self._left), cursor=(self._row, self._column), width=width
            )
            self._made = [
                Strip(line).adjust_cell_length(width).apply_style(self.rich_style) for line in lines
            ]
            self._made += [Strip.blank(width, self.rich_style)] * (self.size.height - len(self._made))
        return [line.crop(crop.x, crop.right) for line in self._made[crop.y : crop.bottom]]

    def _ground(self) -> str | None:
        """The background as `#rrggbb`; None where the terminal chooses it, or has too few colours for shades."""
        colour = self.rich_style.bgcolor
        is_known = self._ink.colours and colour is not None and colour.triplet is not None
        return colour.triplet.hex if is_known and colour is not None and colour.triplet is not None else None


class _Drawing:
    """Draws the lines of a matrix.

    Args:
        report: The counts and metrics.
        order: Positions of the classes, in the order to show them in.
        layout: Where the parts lie.
        ink: Characters and styles.
        ground: The background that shades begin with; None for characters of growing density.
        said: What is written in the cells.
    """

    def __init__(
        self,
        report: ConfusionReport,
        order: tuple[int, ...],
        layout: MatrixLayout,
        ink: Ink,
        ground: str | None,
        said: CellWords,
    ) -> None:
        self._said = said
        self._report, self._order, self._layout, self._ink = report, order, layout, ink
        accent = ink.accent().color
        self._ground = ground
        self._colour = accent.triplet.hex if accent is not None and accent.triplet is not None else None
        self._counts = report.matrix.counts
        self._digits = len(f"{int(self._counts.max()):,}")
        self._images = self._counts.sum(axis=1)

    def lines(
        self, *, first: tuple[int, int], cursor: tuple[int, int], width: int
    ) -> Iterator[list[Segment]]:
        """All lines, from the top; `first` is the cell in the upper left corner, `cursor` the one of the cursor."""
        layout = self._layout
        self._columns = range(first[1], first[1] + layout.columns_shown)
        self._cursor = cursor
        yield self._title_line(width)
        yield from self._name_lines()
        for place in range(layout.rows_shown):
            yield from self._row_lines(first[0] + place, layout.tops[place + 1] - layout.tops[place])
        yield from [self._precision_line(), self._predicted_line(), self._scale_line(width)][: layout.foot]

    # Above

    def _title_line(self, width: int) -> list[Segment]:
        layout, count = self._layout, len(self._order)
        more = count - layout.columns_shown
        words = "predicted as" + (f" ({more:,} more to the sides)" if more else "")
        room = layout.lefts[-1] - layout.names
        return [
            Segment(self._ink.pad(" truth", layout.names), self._ink.dim()),
            Segment(self._ink.fit(words, max(room, width - layout.names)).center(room), self._ink.dim()),
        ]

    def _name_lines(self) -> Iterator[list[Segment]]:
        names = {place: self._ink.shown(self._name(place)) for place in self._columns}
        rows = self._layout.head - 1
        margin = [
            Segment(f"{title:>{columns}}", self._ink.dim())
            for title, columns in (("recall", self._layout.recall), ("images", self._layout.images))
            if columns
        ]
        for row in range(rows):
            line = [Segment(" " * self._layout.names, Style())]
            for place, columns in self._widths():
                text = self._upright(names[place], row, rows) if self._layout.upright else names[place]
                shown = self._cut(text, columns - 1).center(columns - 1) + " "
                is_current = place == self._cursor[1]
                line.append(Segment(shown, Style(bold=True) if is_current else self._ink.dim()))
            yield line + (margin if row == rows - 1 else [])

    def _upright(self, name: str, row: int, rows: int) -> str:
        """The character of a name that is written from top to bottom, ending above the cells."""
        return self._cut(name, rows).rjust(rows)[row]

    def _cut(self, name: str, columns: int) -> str:
        """A name that fits; of numbered names (`class 017`) the end says more than the beginning."""
        return self._ink.fit_left(name, columns) if name[-1:].isdigit() else self._ink.fit(name, columns)

    # Rows

    def _row_lines(self, place: int, height: int) -> Iterator[list[Segment]]:
        truth = self._order[place]
        middle = (height - 1) // 2
        cells = [self._cell(place, column, columns, height) for column, columns in self._widths()]
        is_current = place == self._cursor[0]
        pointer = self._ink.pointer if is_current else " "
        name = self._cut(self._name(place), self._layout.names - 2)
        named = f"{pointer}{self._ink.pad(name, self._layout.names - 2)} "
        figures = self._report.by_class[truth]
        for line in range(height):
            head = named if line == middle else " " * self._layout.names
            ends = self._margin(percent(figures.recall), f"{figures.support:,}", figures.support > 0)
            yield [
                Segment(head, Style(bold=is_current)),
                *(segment for cell in cells for segment in cell[line]),
                *(ends if line == middle else []),
            ]

    def _margin(self, recall: str, images: str, has_images: bool) -> list[Segment]:
        layout = self._layout
        recall = recall if has_images else "-"
        return [
            *([Segment(f"{recall:>{layout.recall}}", Style(bold=True))] if layout.recall else []),
            *([Segment(f"{images:>{layout.images}}", self._ink.dim())] if layout.images else []),
        ]

    def _cell(self, place: int, column: int, columns: int, height: int) -> list[list[Segment]]:
        """The lines of a cell."""
        truth, predicted = self._order[place], self._order[column]
        count = int(self._counts[truth, predicted])
        share = count / int(self._images[truth]) if count else 0.0
        level, is_current = level_of(share), (place, column) == self._cursor
        cell_style = self._style(level) if count else Style()
        words = self._words(count, share)
        filling = " " if self._shades or not count else density(level, self._ink)
        lines = [""] * height
        start = max(0, (height - len(words)) // 2)
        lines[start : start + len(words)] = words
        texts = [self._filled(text, columns, filling) for text in lines]
        if is_current and columns >= max(map(len, words)) + 4 and height >= len(words) + 2:
            return [[Segment(text, cell_style + Style(bold=True))] for text in self._framed(texts, columns)]
        if is_current:
            cell_style = Style(reverse=True, bold=True)
        elif not count:
            cell_style = self._ink.dim()
        elif truth == predicted:
            cell_style += Style(bold=True)
        return [[Segment(text, cell_style)] for text in texts]

    @staticmethod
    def _filled(text: str, columns: int, filling: str) -> str:
        """A text in the middle of a line of a cell, with a space on each side where the cell is not plain."""
        if text and filling != " " and len(text) + 2 <= columns:
            text = f" {text} "
        left = (columns - len(text) + 1) // 2
        return filling * left + text + filling * (columns - len(text) - left)

    def _framed(self, texts: list[str], columns: int) -> list[str]:
        upper_left, line, upper_right, side, lower_left, lower_right = (
            _FRAME if self._ink.unicode else _FRAME_ASCII
        )
        inside = [f"{side}{text[1:-1]}{side}" for text in texts[1:-1]]
        flat = line * (columns - 2)
        return [f"{upper_left}{flat}{upper_right}", *inside, f"{lower_left}{flat}{lower_right}"]

    def _words(self, count: int, share: float) -> list[str]:
        """What is written in a cell: its share above its count, both in one line, or only the count."""
        if not count:
            return [self._ink.dot]
        number, columns = f"{count:,}", self._layout.least_columns
        if self._said != "both":
            return [number if self._said == "counts" else percent(share)]
        if (
            self._layout.least_rows in (1, 3) and columns >= self._digits + 6
        ):  # two lines are not the middle of three
            return [f"{percent(share)} {number}"]
        if self._layout.least_rows >= 2:
            return [percent(share), number]
        return [number]

    # Below

    def _precision_line(self) -> list[Segment]:
        values = [self._report.by_class[self._order[place]].precision for place in self._columns]
        seen = self._counts.sum(axis=0) > 0
        texts = [
            percent(value) if seen[self._order[place]] else "-"
            for place, value in zip(self._columns, values, strict=True)
        ]
        accuracy = percent(self._report.figures["accuracy"])
        return self._below("precision", texts, Style(bold=True), self._margin(accuracy, "accuracy", True))

    def _predicted_line(self) -> list[Segment]:
        predicted = self._counts.sum(axis=0)
        texts = [f"{int(predicted[self._order[place]]):,}" for place in self._columns]
        total = f"{int(predicted.sum()):,}"
        return self._below("predicted", texts, self._ink.dim(), self._margin("", total, True))

    def _below(self, title: str, texts: list[str], text_style: Style, end: list[Segment]) -> list[Segment]:
        cells = [
            Segment(self._ink.fit(text, columns - 1).center(columns), text_style)
            for text, (_, columns) in zip(texts, self._widths(), strict=True)
        ]
        return [Segment(self._ink.pad(f" {title}", self._layout.names), self._ink.dim()), *cells, *end]

    def _scale_line(self, width: int) -> list[Segment]:
        """What the shades stand for."""
        words = "of the class's images"
        segments = [Segment(self._ink.pad(" share", self._layout.names), self._ink.dim())]
        for share in _SCALE:
            level = level_of(share)
            text = percent(share)
            sample = f" {text} " if self._shades else f" {density(level, self._ink) * 2} {text}"
            segments.append(Segment(sample, self._style(level) if self._shades else Style()))
        used = sum(self._ink.width(segment.text) for segment in segments)
        return [*segments, Segment(f" {words}" if used + len(words) < width else "", self._ink.dim())]

    # All parts

    @property
    def _shades(self) -> bool:
        return self._ground is not None and self._colour is not None

    def _style(self, level: int) -> Style:
        if self._ground is None or self._colour is None:
            return Style()
        return shade(level, self._ground, self._colour)

    def _name(self, place: int) -> str:
        return self._report.matrix.classes[self._order[place]]

    def _widths(self) -> Iterator[tuple[int, int]]:
        """The columns in view, with their width."""
        lefts = self._layout.lefts
        for number, place in enumerate(self._columns):
            yield place, lefts[number + 1] - lefts[number]
