"""Which classes a network confuses: metrics of each class, the matrix, and the largest confusions as a list."""

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mia_tui.runs.evaluation.confusion import ClassFigures, ConfusionReport
from mia_tui.tui.widgets.ink import Ink, style
from mia_tui.tui.widgets.line_list import LineList

_WRONG = "#e69f00"
_NAME = 16
_LEAST_CELL, _WIDEST_CELL = 5, 12
_NUMBERS = 11


class ClassFigureTable(LineList[ClassFigures]):
    """One line a class.

    Args:
        ink: Characters and styles.
    """

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._draw_figures, heading=self._titles, id=id)

    def show_classes(self, report: ConfusionReport) -> None:
        """Paint the metrics of these classes."""
        self.show(report.by_class, self.cursor or 0)

    def _titles(self, width: int) -> str:
        titles = "".join(f"{title:>{_NUMBERS}}" for title in ("images", "precision", "recall", "F1"))
        return f"  {'class':<{_name_width(width, 4)}}{titles}"

    def _draw_figures(self, row: ClassFigures, width: int, is_current: bool) -> list[Segment]:
        figures = "".join(f"{value:>{_NUMBERS}.3f}" for value in (row.precision, row.recall, row.f1))
        name = self._ink.pad(row.name, _name_width(width, 4))
        return _row(self._ink, f"{name}{row.support:>{_NUMBERS},}{figures}", is_current)


@dataclass(frozen=True)
class _Confusion:
    """How many images of a class were predicted as another, and their share of the class."""

    truth: str
    predicted: str
    count: int
    share: float


class ConfusionList(LineList[_Confusion]):
    """The largest confusions, one a line.

    Args:
        ink: Characters and styles.
    """

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._draw_confusion, heading=self._titles, id=id)
        self._report: ConfusionReport | None = None

    def show_confusions(self, report: ConfusionReport) -> None:
        """Paint the confusions of these classes."""
        if report is self._report:
            return
        self._report = report
        names, truths = report.matrix.classes, report.matrix.counts.sum(axis=1)
        lines = [
            _Confusion(names[cell.truth], names[cell.predicted], cell.count, cell.count / truths[cell.truth])
            for cell in report.confusions
        ]
        self.show(lines, self.cursor or 0)

    def _titles(self, width: int) -> str:
        room = _name_width(width, 2) // 2
        return f"  {'truth':<{room}}{'predicted as':<{room}}{'images':>{_NUMBERS}}{'of class':>{_NUMBERS}}"

    def _draw_confusion(self, line: _Confusion, width: int, is_current: bool) -> list[Segment]:
        room = _name_width(width, 2) // 2
        names = "".join(self._ink.pad(name, room - 1) + " " for name in (line.truth, line.predicted))
        return _row(
            self._ink, f"{names}{line.count:>{_NUMBERS},}{f'{line.share:.0%}':>{_NUMBERS}}", is_current
        )


class ConfusionMatrix(Widget, can_focus=False):
    """The confusion matrix: rows are the truth, columns the predictions; scrolled to the cursor where it is large.

    Args:
        ink: Characters and styles.
    """

    class CellClicked(Message):
        """A cell was clicked."""

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ink = ink
        self._report: ConfusionReport | None = None
        self._widest = self._digits = 0  # columns of a name, and of a count
        self._top = self._left = 0
        self.row = self.column = 0

    def show_matrix(self, report: ConfusionReport) -> None:
        """Paint this matrix."""
        if report is self._report:
            return
        self._report = report
        counts = report.matrix.counts
        self._widest = max(
            (self._ink.width(self._ink.shown(name)) for name in report.matrix.classes), default=0
        )
        self._digits = len(f"{int(counts.max()) if counts.size else 0:,}")
        self.move(0, 0)

    def move(self, down: int, right: int) -> None:
        """Move the cursor."""
        last = len(self._report.matrix.classes) - 1 if self._report is not None else 0
        self.row = max(0, min(self.row + down, last))
        self.column = max(0, min(self.column + right, last))
        self._top = _scrolled(self._top, self.row, self.rows_shown, last + 1)
        self._left = _scrolled(self._left, self.column, self.columns_shown, last + 1)
        self.refresh()

    @property
    def _cell(self) -> int:
        """Columns of a cell: names are cut where all classes can be seen so."""
        count = len(self._report.matrix.classes) if self._report is not None else 1
        room = (self.size.width - _NAME - 2) // max(1, count)
        return max(_LEAST_CELL, self._digits + 2, min(self._widest + 1, room, _WIDEST_CELL))

    @property
    def rows_shown(self) -> int:
        """Number of rows that fit."""
        return max(1, self.size.height - 2)

    @property
    def columns_shown(self) -> int:
        """Number of columns that fit."""
        return max(1, (self.size.width - _NAME - 2) // self._cell)

    def on_resize(self) -> None:
        self.move(0, 0)

    def on_click(self, event: events.Click) -> None:
        if self._report is None or event.y < 2 or event.x < _NAME + 2:
            return
        size = len(self._report.matrix.classes)
        row, column = self._top + event.y - 2, self._left + (event.x - _NAME - 2) // self._cell
        if row < size and column < size:
            self.move(row - self.row, column - self.column)
            self.post_message(self.CellClicked())

    def render_lines(self, crop: Region) -> list[Strip]:
        width = self.size.width
        lines = [self._line(y).adjust_cell_length(width) for y in range(crop.y, crop.bottom)]
        ground = self.rich_style
        return [line.crop(crop.x, crop.right).apply_style(ground) for line in lines]

    def _line(self, y: int) -> Strip:
        if self._report is None:
            return Strip.blank(self.size.width)
        if y < 2:
            return self._above(self._report, y)
        row = self._top + y - 2
        classes = self._report.matrix.classes
        if row >= len(classes):
            return Strip.blank(self.size.width)
        pointer = self._ink.pointer if row == self.row else " "
        name = Segment(f"{pointer}{self._ink.pad(classes[row], _NAME)} ", Style(bold=row == self.row))
        return Strip([name, *(self._count(self._report, row, column) for column in self._columns(classes))])

    def _above(self, report: ConfusionReport, y: int) -> Strip:
        classes = report.matrix.classes
        if y == 0:
            more = len(classes) - len(self._columns(classes))
            hidden = f" ({more} more to the sides)" if more else ""
            return Strip(
                [Segment(f"{'truth below,':<{_NAME + 2}}predicted to the right{hidden}", self._ink.dim())]
            )
        heads = [
            Segment(
                " " * (self._cell - self._ink.width(text)) + text,
                Style(bold=column == self.column, dim=column != self.column),
            )
            for column in self._columns(classes)
            for text in [self._ink.fit(classes[column], self._cell - 1)]
        ]
        return Strip([Segment(" " * (_NAME + 2)), *heads])

    def _columns(self, classes: tuple[str, ...]) -> range:
        return range(self._left, min(len(classes), self._left + self.columns_shown))

    def _count(self, report: ConfusionReport, row: int, column: int) -> Segment:
        count = int(report.matrix.counts[row, column])
        text = f"{count:,}" if count else self._ink.dot
        text = (
            f" {text:>{self._cell - 1}}"
            if row == self.row and column == self.column
            else f"{text:>{self._cell}}"
        )
        return Segment(text, self._cell_style(count, row, column))

    def _cell_style(self, count: int, row: int, column: int) -> Style:
        if row == self.row and column == self.column:
            return Style(reverse=True, bold=True)
        if not count:
            return self._ink.dim()
        if row == column:
            return Style(bold=True)
        return style(fg=_WRONG) if self._ink.colours else Style()


def _name_width(width: int, numbers: int) -> int:
    return max(12, min(60, width - 2 - numbers * _NUMBERS - 1))


def _row(ink: Ink, text: str, is_current: bool) -> list[Segment]:
    pointer = ink.pointer if is_current else " "
    return [Segment(f"{pointer} ", Style(bold=True)), Segment(text, Style(reverse=is_current))]


def _scrolled(first: int, cursor: int, room: int, count: int) -> int:
    """The first row or column in view, moved as little as necessary to show the cursor."""
    first = min(max(first, cursor - room + 1), cursor)
    return max(0, min(first, count - room))
