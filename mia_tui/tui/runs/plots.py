"""The curves of a run: losses and the watched figure over epochs, loss and learning rate over steps."""

from collections.abc import Mapping, Sequence

import numpy as np

from mia_tui.catalog.metrics import shown_metric
from mia_tui.runs.record.events import EpochEnded, StepEnded
from mia_tui.runs.record.state import RunState
from mia_tui.tui.runs.text_plots import Curve, Numbers, Plot, Stroke

_SMOOTHED_SHARE = 0.04  # of all steps, the mean over so many is drawn as a line


def plots_of(state: RunState, *, log: bool) -> list[Plot]:
    """What there is to draw of a run, the most wanted first.

    Args:
        state: What its events tell.
        log: Whether losses are drawn on a logarithmic scale.
    """
    metric, rows = shown_metric(state.metric), state.epochs
    mark = (float(state.best.epoch), "best") if state.best is not None else None
    steps = state.steps.points
    places = _places(state, steps)
    losses = np.array([step.loss for step in steps])
    return [
        Plot("loss", "epoch", _over_epochs(rows, "loss"), log=log, mark=mark),
        Plot(metric, "epoch", _over_epochs(rows, metric), mark=mark),
        Plot(
            "loss per step",
            "step",
            (Curve("mean", places, _smoothed(losses), "line"), Curve("step", places, losses, "dots")),
            log=log,
        ),
        Plot(
            "learning rate", "step", (Curve("rate", places, np.array([step.lr for step in steps]), "line"),)
        ),
    ]


def _over_epochs(rows: Sequence[EpochEnded], name: str) -> tuple[Curve, ...]:
    """The curves of the validation part and of the training part, as far as they have that figure."""
    parts: dict[str, tuple[Stroke, list[Mapping[str, float]]]] = {
        "validation": ("line", [row.val or {} for row in rows]),
        "training": ("dashes", [row.train for row in rows]),
    }
    curves = []
    for part, (stroke, figures) in parts.items():
        told = [
            (row.epoch, values[name]) for row, values in zip(rows, figures, strict=True) if name in values
        ]
        if told or not rows:
            x, y = np.array(told, np.float64).reshape(-1, 2).T
            curves.append(Curve(part, x, y, stroke))
    return tuple(curves) or (Curve("validation", np.empty(0), np.empty(0), "line"),)


def _places(state: RunState, steps: Sequence[StepEnded]) -> Numbers:
    """Steps counted through all epochs."""
    each = state.started.steps_per_epoch if state.started is not None else 0
    return np.array([(step.epoch - 1) * each + step.step for step in steps], np.float64)


def _smoothed(values: Numbers) -> Numbers:
    """Mean over the values around each, fewer at the ends; not over what is no number."""
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
