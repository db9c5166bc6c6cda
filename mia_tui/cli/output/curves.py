"""The curves of a training in the terminal, without the app: loss and the watched metric, redrawn as it learns."""

import numpy as np
from rich.text import Text

from mia_tui.catalog.metrics import MetricName, metric_words, shown_metric
from mia_tui.runs.record.state import RunState
from mia_tui.tui.runs.figures.run_plots import Part, points_of
from mia_tui.tui.runs.figures.text_plots import LEAST_COLUMNS, LEAST_ROWS, Curve, Plot, Stroke, draw

_ROWS = 14
_BELOW = 8  # lines of the window for the bars, and for rows of the table above the curves
_WIDEST = 72  # columns of a plot
_STYLES = {"validation": "bold cyan", "training": "yellow", "step": "dim"}


class LiveCurves:
    """Draws a run again where it has changed.

    Args:
        state: The run; read whenever something is drawn.
        unicode: Whether the terminal has more than ASCII.
    """

    def __init__(self, state: RunState, *, unicode: bool) -> None:
        self._state, self._unicode = state, unicode
        self._drawn: tuple[object, list[Text]] = (None, [])

    def lines(self, columns: int, rows: int) -> list[Text]:
        """The curves for a window of this size; none where they do not fit, or before the first step."""
        state = self._state
        height = min(_ROWS, rows - _BELOW)
        if height < LEAST_ROWS or columns < LEAST_COLUMNS or not (state.epochs or state.steps.points):
            return []
        drawn_for = (columns, rows, len(state.epochs), len(state.steps.points))
        if self._drawn[0] != drawn_for:
            self._drawn = drawn_for, self._draw(state, columns, height)
        return self._drawn[1]

    def _draw(self, state: RunState, columns: int, rows: int) -> list[Text]:
        plots = _plots(state)
        across = min(len(plots), max(1, columns // (LEAST_COLUMNS + 2)))
        width = min(_WIDEST, columns // across - 2)
        lines = [Text(no_wrap=True) for _ in range(rows)]
        for plot in plots[:across]:
            for line, pieces in zip(lines, draw(plot, width, rows, unicode=self._unicode), strict=True):
                for text, number in pieces:
                    line.append(text, "" if number is None else _STYLES[plot.curves[number].name])
                line.append("  ")
        return lines


def _plots(state: RunState) -> list[Plot]:
    """The loss, with that of single steps, and the metric that decides which epoch is best."""
    metric = shown_metric(state.metric)
    each = state.started.steps_per_epoch if state.started is not None else 0
    points = state.steps.points
    places = np.array([step.epoch - 1 + step.step / max(1, each) for step in points], np.float64)
    steps = Curve("step", places, np.array([step.loss for step in points], np.float64), "dots")
    mark = (float(state.best.epoch), "best") if state.best is not None else None
    plots = [Plot("loss", "epoch", (*_over_epochs(state, "loss"), steps))]
    if metric != "loss":
        plots.insert(0, Plot(metric_words(metric), "epoch", _over_epochs(state, metric), mark=mark))
    return plots


def _over_epochs(state: RunState, metric: MetricName) -> tuple[Curve, ...]:
    strokes: dict[Part, Stroke] = {"validation": "line", "training": "dashes"}
    curves = [Curve(part, *points_of(state.epochs, metric, part), stroke) for part, stroke in strokes.items()]
    return tuple(curve for curve in curves if len(curve.x) or curve.stroke == "line")
