"""Which classes a network confuses: metrics of each class, and the largest confusions as a list."""

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style

from mia_tui.runs.evaluation.confusion import ClassFigures, ConfusionReport
from mia_tui.text import percent
from mia_tui.tui.widgets.bars import bar
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

_NUMBERS = 11
_LEAST_BAR, _MOST_BAR = 8, 60


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
        return _row(self._ink, f"{name}{row.support:>{_NUMBERS},}{figures}", is_current, row.f1, width)


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
        text = f"{names}{line.count:>{_NUMBERS},}{percent(line.share):>{_NUMBERS}}"
        return _row(self._ink, text, is_current, line.share, width)


def _name_width(width: int, numbers: int) -> int:
    return max(12, min(44, width - 2 - numbers * _NUMBERS - 1))


def _row(ink: Ink, text: str, is_current: bool, share: float, width: int) -> list[Segment]:
    """A line with a bar behind its text, where there is room for one."""
    columns = min(_MOST_BAR, width - ink.width(text) - 5)
    pieces = [
        Segment(f"{ink.pointer if is_current else ' '} {text} ", ink.cursor() if is_current else Style())
    ]
    if columns >= _LEAST_BAR:
        filled = bar(share, columns, unicode=ink.unicode, empty=" ")
        pieces += [Segment(" ", Style()), Segment(filled, ink.bar())]
    return pieces
