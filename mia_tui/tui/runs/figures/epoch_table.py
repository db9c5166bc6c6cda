"""The epochs of a run as a table: losses, the metrics that fit, the best epoch marked."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style

from mia_tui.catalog.metrics import METRICS, MetricName, shown_metric
from mia_tui.runs.list.words import evaluated_images
from mia_tui.runs.record.events import EpochEnded
from mia_tui.text import duration, shorten
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.line_list import LineList

_EPOCH, _FIGURE, _TIME, _MARK = 7, 11, 10, 7


@dataclass(frozen=True)
class _EpochLine:
    """An epoch, and whether it is the best one."""

    row: EpochEnded
    is_best: bool


class EpochTable(LineList[_EpochLine]):
    """One line an epoch; scrolled, and at the end unless somebody scrolled up.

    Args:
        ink: Characters and styles.
    """

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._draw_epoch, heading=self._titles, follows_end=True, id=id)
        self._version: object = None
        self._metric: MetricName = "loss"
        self._words_width = 0  # columns that the longest words behind an epoch take

    def show_epochs(self, rows: Sequence[EpochEnded], metric: MetricName, best: EpochEnded | None) -> None:
        """Paint these epochs if they are not the same as before."""
        version = (len(rows), rows[-1] if rows else None, best.epoch if best is not None else None)
        if version == self._version:
            return
        self._version = version
        columns = metric, max((len(evaluated_images(row)) for row in rows), default=0)
        if columns != (self._metric, self._words_width):
            self._metric, self._words_width = columns
            self.refresh()
        self.show([_EpochLine(row, best is not None and row.epoch == best.epoch) for row in rows], None)

    def _shown_figures(self, width: int) -> list[MetricName]:
        return _figures(self._metric, width - self._words_width)

    def _titles(self, width: int) -> str:
        names = ["train loss", "val loss", *map(_titled, self._shown_figures(width))]
        cells = "".join(f"{name:>{_width(name)}}" for name in names)
        return f"{'epoch':>{_EPOCH}}{cells}{'time':>{_TIME}}"

    def _draw_epoch(self, line: _EpochLine, width: int, _: bool) -> list[Segment]:
        row, is_best = line.row, line.is_best
        val = row.val if row.val is not None else {}
        cells = [_cell(row.train.get("loss"), "train loss"), _cell(val.get("loss"), "val loss")]
        cells += [_cell(row.figures.get(name), _titled(name)) for name in self._shown_figures(width)]
        mark = "  best" if is_best else ""
        text = f"{row.epoch:>{_EPOCH},}{''.join(cells)}{duration(row.elapsed_s):>{_TIME}}{mark:<{_MARK}}"
        text += f"{evaluated_images(row):<{self._words_width}}"
        if not self._ink.colours:
            return [Segment(text, Style(bold=is_best, reverse=is_best))]
        return [Segment(text, self._ink.good() if is_best else Style())]


def _figures(metric: MetricName, width: int) -> list[MetricName]:
    """The metric that decides which epoch is best, then as many others as fit."""
    left = width - _EPOCH - 2 * _FIGURE - _TIME - _MARK
    chosen: list[MetricName] = []
    for name in dict.fromkeys((shown_metric(metric), *METRICS)):
        left -= _width(_titled(name))
        if name != "loss" and left >= 0:
            chosen.append(name)
    return chosen


def _titled(name: str) -> str:
    return name.replace("balanced_accuracy", "bal_accuracy")


def _width(title: str) -> int:
    return max(_FIGURE, len(title) + 2)


def _cell(value: float | None, title: str) -> str:
    return f"{'-' if value is None else shorten(value):>{_width(title)}}"
