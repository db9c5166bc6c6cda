"""Runs as a table: state, network, epochs, best metric, times; painted line by line, cheap for hundreds of runs."""

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style

from mia_tui.runs.list.summaries import RowStatus, RunSummary
from mia_tui.text import duration, when
from mia_tui.tui.widgets.ink import Ink, style
from mia_tui.tui.widgets.line_list import LineList

_STATE, _EPOCHS, _BEST, _TIME, _STARTED = 9, 9, 7, 8, 12
_FIXED = 3 + _STATE + _EPOCHS + _BEST + _TIME + _STARTED + 6
_METRIC_SHARE, _LEAST_METRIC, _MOST_METRIC = 0.35, 8, 18
_LEAST_NETWORK = 10

_COLOURS: dict[RowStatus, str] = {
    "running": "#009e73",
    "starting": "#009e73",
    "waiting": "#56b4e9",
    "unknown": "#e69f00",
    "lost": "#d55e00",
    "failed": "#d55e00",
    "damaged": "#d55e00",
}


@dataclass(frozen=True)
class _Columns:
    """Widths of the two columns that depend on the width of the screen."""

    network: int
    metric: int


@dataclass(frozen=True)
class RunLine:
    """A run, and whether it is marked."""

    row: RunSummary
    is_marked: bool


class RunTable(LineList[RunLine]):
    """One line a run, one of them under the cursor, some of them marked."""

    def __init__(self, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(ink, self._draw_run, id=id)

    def heading(self, columns: int) -> str:
        """The line above the table."""
        at = _columns(columns)
        network, metric = self._ink.pad("network", at.network), self._ink.pad("metric", at.metric)
        return (
            f"   {'state':<{_STATE}} {network} {'epochs':>{_EPOCHS}} {'best':>{_BEST}} {metric} "
            f"{'time':>{_TIME}} {'started':<{_STARTED}}"
        )[:columns]

    def _draw_run(self, entry: RunLine, width: int, is_current: bool) -> list[Segment]:
        row, text_style = entry.row, Style(reverse=is_current)
        return [
            Segment(self._ink.pointer if is_current else " ", Style(bold=True)),
            Segment("* " if entry.is_marked else "  ", Style(bold=True)),
            Segment(f"{row.status:<{_STATE}}", text_style + self._state_style(row.status)),
            Segment(self._words(row, width), text_style + Style(bold=entry.is_marked)),
        ]

    def _words(self, row: RunSummary, width: int) -> str:
        at, ink = _columns(width), self._ink
        epochs = f"{row.epochs}/{row.total_epochs}" if row.job is not None else ""
        best = "" if row.best is None else f"{row.best:.4f}"
        metric = row.metric if row.job is not None else ""
        network = _network_words(row)
        elapsed = duration(row.elapsed_s) if row.elapsed_s else ""
        return (
            f" {ink.pad(network, at.network)} {epochs:>{_EPOCHS}} {best:>{_BEST}} {ink.pad(metric, at.metric)} "
            f"{elapsed:>{_TIME}} {when(row.created_at):<{_STARTED}}"
        )

    def _state_style(self, status: RowStatus) -> Style:
        colour = _COLOURS.get(status)
        return style(fg=colour, bold=True) if colour and self._ink.colours else Style()


def _network_words(row: RunSummary) -> str:
    """The title, if it has one, the network, and the tags, as far as there is room."""
    title = [row.notes.title] if row.notes.title else []
    return " ".join([*title, row.network or row.run.name, *(f"#{tag}" for tag in row.notes.tags)])


def _columns(width: int) -> _Columns:
    room = max(0, width - _FIXED)
    metric = max(_LEAST_METRIC, min(_MOST_METRIC, int(room * _METRIC_SHARE)))
    return _Columns(max(_LEAST_NETWORK, room - metric), metric)
