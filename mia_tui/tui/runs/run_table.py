"""Runs as a table: state, kind, network, how far, best metric, times; painted line by line, cheap for hundreds."""

from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style

from mia_tui.config.train import TrainConfig
from mia_tui.runs.list.summaries import RowStatus, RunSummary
from mia_tui.text import duration, when
from mia_tui.tui.widgets.ink import Ink, style
from mia_tui.tui.widgets.line_list import LineList

_STATE, _KIND, _DONE, _BEST, _TIME, _STARTED = 9, 10, 8, 7, 8, 12
_FIXED = 3 + _STATE + _KIND + _DONE + _BEST + _TIME + _STARTED + 6
_LONG_DONE = 19  # 12,345/100,000 and a percentage
_LONG_FROM, _METRIC_FROM = 92, 104  # columns of the screen that have room for it
_METRIC = 17

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
    """Widths of the columns that depend on the width of the screen; a metric of 0 columns is left out."""

    network: int
    done: int
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
        at, ink = _columns(columns), self._ink
        metric = f"{ink.pad('metric', at.metric)} " if at.metric else ""
        return (
            f"   {'state':<{_STATE}} {'kind':<{_KIND}} {ink.pad('network', at.network)} {'done':>{at.done}} "
            f"{'best':>{_BEST}} {metric}{'time':>{_TIME}} {'started':<{_STARTED}}"
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
        kind = ink.pad(kind_word(row), _KIND)
        network = ink.pad(self._network_words(row, at.network), at.network)
        best = "" if row.best is None else f"{row.best:.4f}"
        has_metric = row.kind == TrainConfig.kind or row.best is not None
        metric = f"{ink.pad(row.metric if has_metric else '', at.metric)} " if at.metric else ""
        elapsed = duration(row.elapsed_s) if row.elapsed_s else ""
        return (
            f" {kind} {network} {_done_words(row, at.done):>{at.done}} {best:>{_BEST}} {metric}"
            f"{elapsed:>{_TIME}} {when(row.created_at):<{_STARTED}}"
        )

    def _network_words(self, row: RunSummary, columns: int) -> str:
        """Its title, if it has one, the network, and its tags, if there is room."""
        title, network = row.notes.title, row.network or row.run.name
        words = f"{title} {network}" if title else network
        tagged = " ".join([words, *(f"#{tag}" for tag in row.notes.tags)])
        if self._ink.width(self._ink.shown(tagged)) <= columns:
            return tagged
        # The name of a run says more at its end than at its beginning, the date.
        return words if title or row.kind == TrainConfig.kind else self._ink.fit_left(words, columns)

    def _state_style(self, status: RowStatus) -> Style:
        colour = _COLOURS.get(status)
        return style(fg=colour, bold=True) if colour and self._ink.colours else Style()


def kind_word(row: RunSummary) -> str:
    """What kind of run it is; empty where that cannot be read."""
    return "" if row.job is None else row.job.config.noun


def _done_words(row: RunSummary, columns: int) -> str:
    """Epochs of a training; images of other runs, as a percentage where there is no room for their numbers."""
    if row.kind == TrainConfig.kind:
        return f"{row.epochs}/{row.total_epochs}"
    if row.progress is None:
        return ""
    done, total = row.progress
    numbers, share = f"{done:,}/{total:,}", percent(done, total)
    return next((words for words in (f"{numbers} {share:>4}", numbers) if len(words) <= columns), share)


def percent(done: int, total: int) -> str:
    """How much is done; 100% only at the end."""
    return f"{100 * done // total}%" if total > 0 else ""


def _columns(width: int) -> _Columns:
    done = _LONG_DONE if width >= _LONG_FROM else _DONE
    metric = _METRIC if width >= _METRIC_FROM else 0
    used = _FIXED + done - _DONE + (metric + 1 if metric else 0)
    return _Columns(max(0, width - used), done, metric)
