"""The plot of losses while the learning rate rises."""

import numpy as np

from mia_tui.analysis.rate_curve import RateCurve
from mia_tui.tui.runs.figures.text_plots import Curve, Plot


def rate_plot(curve: RateCurve) -> Plot:
    """Losses of steps and their running mean over the power of ten of the rate; the suggested rate is marked."""
    places, smoothed, rate = np.log10(curve.rates), curve.smoothed, curve.suggestion
    finite = smoothed[np.isfinite(smoothed)]
    highest = 1.1 * float(finite.max()) if len(finite) else 1.0
    losses = curve.losses[np.isfinite(curve.losses)]
    lowest = min(float(finite.min()), float(losses.min())) if len(finite) else 0.0
    return Plot(
        "loss",
        "power of ten of the learning rate",
        (Curve("smoothed", places, smoothed, "line"), Curve("step", places, curve.losses, "dots")),
        mark=None if rate is None else (float(np.log10(rate)), "suggested"),
        x_range=(float(places[0]), float(places[-1])),
        y_range=(lowest, highest),
    )
