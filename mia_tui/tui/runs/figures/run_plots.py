"""Which plots a run has: the metric that decides first, then accuracy, losses, other metrics, the learning rate."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import numpy as np

from mia_tui.catalog.metrics import MetricName, metric_words
from mia_tui.runs.record.events import EpochEnded, StepEnded
from mia_tui.runs.record.state import RunState
from mia_tui.tui.runs.figures.text_plots import Curve, Numbers, Plot, Stroke

_SMOOTHED_SHARE = 0.04  # of all steps; the line is the mean over so many
_ALWAYS: tuple[MetricName, ...] = ("accuracy", "loss", "macro_f1", "balanced_accuracy")


def plots_of(state: RunState, *, log: bool) -> list[Plot]:
    """The plots of a run, the most important first: at 80 columns two of them are seen.

    Args:
        state: Its state by its events.
        log: Whether losses are drawn on a logarithmic scale.
    """
    steps = state.steps.points
    places = _places(state, steps)
    losses = np.array([step.loss for step in steps])
    known = {name for row in state.epochs for name in row.figures} or {*_ALWAYS}
    names = [
        name for name in dict.fromkeys((state.metric, *_ALWAYS)) if name in known or name == state.metric
    ]
    first, others = names[:3], names[3:4]  # six plots in all, three beside three
    return [
        *(_metric_plot(state, name, log=log) for name in first),
        Plot(
            "loss per step",
            "step",
            (Curve("mean", places, _smoothed(losses), "line"), Curve("step", places, losses, "dots")),
            log=log,
        ),
        Plot(
            "learning rate", "step", (Curve("rate", places, np.array([step.lr for step in steps]), "line"),)
        ),
        *(_metric_plot(state, name, log=log) for name in others),
    ]


Part = Literal["validation", "training", "either"]


def points_of(rows: Sequence[EpochEnded], metric: MetricName, part: Part) -> tuple[Numbers, Numbers]:
    """Epochs and a metric there, each of shape (N,).

    Args:
        rows: The epochs.
        metric: Its name.
        part: The part of the images; either is the validation part, or the training part without one.
    """
    of_part: dict[Part, Callable[[EpochEnded], Mapping[str, float]]] = {
        "validation": lambda row: row.val or {},
        "training": lambda row: row.train,
        "either": lambda row: row.figures,
    }
    points = [(row.epoch, figures[metric]) for row in rows if metric in (figures := of_part[part](row))]
    x, y = np.array(points, np.float64).reshape(-1, 2).T
    return x, y


def _metric_plot(state: RunState, metric: MetricName, *, log: bool) -> Plot:
    parts: dict[Part, Stroke] = {"validation": "line", "training": "dashes"}
    curves = []
    for part, stroke in parts.items():
        x, y = points_of(state.epochs, metric, part)
        if len(x):
            curves.append(Curve(part, x, y, stroke))
    empty = Curve("validation", np.empty(0), np.empty(0), "line")
    return Plot(
        metric_words(metric),
        "epoch",
        tuple(curves) or (empty,),
        log=log and metric == "loss",
        mark=_mark(state, metric),
        note="decides" if metric == state.metric else "",
    )


def _mark(state: RunState, metric: MetricName) -> tuple[float, str] | None:
    """The best epoch, with the value of a metric in it."""
    best = state.best
    if best is None:
        return None
    value = best.figures.get(metric)
    words = "best" if value is None else f"best {value:.4f}"
    return float(best.epoch), f"{words}, epoch {best.epoch}"


def _places(state: RunState, steps: Sequence[StepEnded]) -> Numbers:
    """The numbers of steps, counted through all epochs."""
    each = state.started.steps_per_epoch if state.started is not None else 0
    return np.array([(step.epoch - 1) * each + step.step for step in steps], np.float64)


def _smoothed(values: Numbers) -> Numbers:
    """The mean over the values around each, fewer at the ends; without values that are not finite."""
    half = max(1, int(len(values) * _SMOOTHED_SHARE / 2))
    good = np.isfinite(values)
    sums = np.concatenate([[0.0], np.cumsum(np.where(good, values, 0.0))])
    counts = np.concatenate([[0], np.cumsum(good)])
    place = np.arange(len(values))
    first, last = np.maximum(place - half, 0), np.minimum(place + half + 1, len(values))
    count = counts[last] - counts[first]
    mean: Numbers = np.full(len(values), np.nan)
    np.divide(sums[last] - sums[first], count, out=mean, where=count > 0)
    return mean
