"""The figures of a report, for the page and for print: drawn by matplotlib, without pyplot and without a display.

Text stays text: in SVG as such, in PDF as TrueType fonts, so that a journal can edit it. Widths are those of a column
(89 mm) and of two (183 mm).
"""

import io
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from mia_tui.analysis.calibration import Reliability
from mia_tui.analysis.curves import ClassCurve, thinned
from mia_tui.analysis.metrics import Estimate
from mia_tui.catalog.metrics import MetricName, metric_words
from mia_tui.dataset.model import PARTS
from mia_tui.report.numbers import ResultNumbers
from mia_tui.report.palette import SAFE, class_colours, line_style
from mia_tui.runs.evaluation.class_order import likeness_order
from mia_tui.runs.record.events import EpochEnded
from mia_tui.text import printable, shorten

FigureFormat = Literal["svg", "pdf", "png"]
FORMATS: tuple[FigureFormat, ...] = ("svg", "pdf", "png")

COLUMN, TWO_COLUMNS = 3.5, 7.2  # inches
MOST_CELLS_WITH_TEXT = 20
"""Classes of a confusion matrix whose cells have numbers."""

MOST_NAMED = 60
"""Classes of a confusion matrix that are named at its sides."""

MOST_BARS = 30
"""Classes in the figure of metrics and in that of images."""

_MOST_POINTS = 400  # of a curve: more are not seen
_LONGEST_NAME = 24
_BLUE, _ORANGE, _GREEN = SAFE[0], SAFE[1], SAFE[2]
_GREY = "#767676"

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": [
        *("Arial", "Helvetica", "Liberation Sans", "DejaVu Sans"),
        *("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Noto Sans"),
    ],
    "font.size": 7,
    "axes.titlesize": 8,
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.fontsize": 6.5,
    "legend.frameon": False,
    "lines.linewidth": 1.2,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "text.parse_math": False,  # a class may be called $x$
    "svg.fonttype": "none",
    "svg.hashsalt": "mia-tui",  # the same figure is the same file
    "pdf.fonttype": 42,
    "savefig.dpi": 300,
}


@dataclass(frozen=True, eq=False)
class ReportFigure:
    """A figure.

    Attributes:
        name: Of its file, without an ending.
        title: Above it.
        caption: What it shows, below it.
        alt: What it shows, for people who do not see it.
        figure: What to draw.
        is_wide: Whether it is as wide as two columns.
    """

    name: str
    title: str
    caption: str
    alt: str
    figure: Figure
    is_wide: bool = False


@contextmanager
def figure_style() -> Iterator[None]:
    """The settings in which figures are made and saved, whatever the user's own of matplotlib are."""
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)  # not every font of the list is installed
    try:
        with mpl.rc_context(), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of signs that no font has
            mpl.rcdefaults()
            mpl.rcParams.update(_STYLE)
            yield
    finally:
        logger.setLevel(level)


def save_figure(figure: Figure, kind: FigureFormat) -> bytes:
    """A figure as the content of a file; within `figure_style`."""
    file = io.BytesIO()
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": None}[kind]
    figure.savefig(file, format=kind, metadata=metadata, bbox_inches="tight", pad_inches=0.03)
    content = file.getvalue()
    return _without_doctype(content) if kind == "svg" else content


def _without_doctype(content: bytes) -> bytes:
    """A viewer need not ask for the definition of SVG."""
    start = content.find(b"<!DOCTYPE")
    return content if start < 0 else content[:start] + content[content.find(b">", start) + 1 :].lstrip()


def learning_curves(
    rows: Sequence[EpochEnded], best: EpochEnded | None, metric: MetricName
) -> ReportFigure | None:
    """Loss and metrics of each epoch; None before the first."""
    if not rows:
        return None
    shown: list[MetricName] = list(
        dict.fromkeys(["accuracy", "macro_f1", *([metric] if metric != "loss" else [])])
    )
    figure = Figure(figsize=(TWO_COLUMNS, 2.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    epochs = [row.epoch for row in rows]
    _line(left, epochs, [row.train.get("loss") for row in rows], "training", _BLUE, "o")
    if any(row.val is not None for row in rows):
        _line(left, epochs, [(row.val or {}).get("loss") for row in rows], "validation", _ORANGE, "s")
    left.set_ylabel("loss")
    part = "validation" if any(row.val is not None for row in rows) else "training"
    for name, colour, marker in zip(shown, SAFE, "os^", strict=False):
        _line(right, epochs, [row.figures.get(name) for row in rows], metric_words(name), colour, marker)
    right.set_ylabel(f"{part} part")
    right.set_ylim(top=1.0)
    for axes in (left, right):
        axes.set(xlabel="epoch", xlim=(epochs[0] - 0.5, epochs[-1] + 0.5))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if best is not None:
            axes.axvline(best.epoch, color=_GREY, linewidth=0.8, linestyle=(0, (2, 2)))
        axes.legend()
    chosen = "" if best is None else f" The dashed line marks epoch {best.epoch}, whose weights were kept."
    last = rows[-1]
    return ReportFigure(
        "learning-curves",
        "Learning curves",
        f"Loss and metrics of each epoch.{chosen}",
        f"Two line charts over {len(rows)} epochs. The training loss ends at {shorten(last.train.get('loss', 0.0))}; "
        f"the {part} accuracy ends at {last.figures.get('accuracy', 0.0):.3f}.",
        figure,
        is_wide=True,
    )


def class_counts(
    counts: Sequence[tuple[str, Mapping[str, int]]],
) -> ReportFigure | None:
    """Images of each class and part; of many classes the largest."""
    total = {name: sum(of.values()) for name, of in counts}
    if not sum(total.values()):
        return None
    shown = (
        list(counts)
        if len(counts) <= MOST_BARS
        else sorted(counts, key=lambda row: -total[row[0]])[:MOST_BARS]
    )
    figure = Figure(figsize=(COLUMN, 0.8 + 0.19 * len(shown)), layout="constrained")
    axes = figure.subplots()
    left = np.zeros(len(shown))
    colours = {"train": _BLUE, "val": _ORANGE, "test": _GREEN}
    words = {"train": "training", "val": "validation", "test": "test"}
    for part in PARTS:
        widths = np.array([of.get(part, 0) for _, of in shown])
        if widths.any():
            axes.barh(
                range(len(shown)), widths, left=left, color=colours[part], height=0.7, label=words[part]
            )
            left += widths
    _name_rows(axes, [name for name, _ in shown])
    axes.set_xlabel("images")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    few = "" if len(shown) == len(counts) else f" The {len(shown)} largest of {len(counts):,} classes."
    smallest, largest = min(total.values()), max(total.values())
    return ReportFigure(
        "images-per-class",
        "Images of each class",
        f"Labelled images of each class and part.{few}",
        f"Bar chart of {len(shown)} classes, with {smallest:,} to {largest:,} images each.",
        figure,
    )


def confusion_matrix(numbers: ResultNumbers) -> ReportFigure:
    """The confusion matrix, coloured by the share of each true class; with counts and shares where they fit."""
    names, counts = list(numbers.classes), numbers.confusion
    size, note = len(names), ""
    if size > MOST_CELLS_WITH_TEXT:
        order = list(likeness_order(counts))
        names, counts = [names[index] for index in order], counts[np.ix_(order, order)]
        note = " Classes that are confused stand beside each other; colours are on a square-root scale."
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.zeros(counts.shape), where=support > 0)
    inches = min(TWO_COLUMNS, max(COLUMN, 1.2 + 0.42 * size))
    figure = Figure(figsize=(inches, inches * 0.92), layout="constrained")
    axes = figure.subplots()
    scale = PowerNorm(0.5 if size > MOST_CELLS_WITH_TEXT else 1.0, vmin=0.0, vmax=1.0)
    shown = axes.imshow(shares, cmap="Blues", norm=scale, interpolation="nearest")
    bar = figure.colorbar(shown, ax=axes, shrink=0.6, format=PercentFormatter(1.0, decimals=0), pad=0.02)
    bar.set_label("share of the true class")
    bar.outline.set_linewidth(0.6)
    if size <= MOST_CELLS_WITH_TEXT:
        _write_cells(axes, counts, shares)
    _name_sides(axes, names)
    for spine in axes.spines.values():
        spine.set_visible(True)
    right = int(np.trace(counts))
    return ReportFigure(
        "confusion-matrix",
        "Confusion matrix",
        f"Rows are the true classes, columns the predictions; colours and percentages are shares of a row.{note}",
        f"Heat map of {size} by {size} classes: {right:,} of {int(counts.sum()):,} images are on the diagonal.",
        figure,
        is_wide=size > 8,
    )


def _write_cells(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    size = len(counts)
    small = 6.5 if size <= 8 else 5.5 if size <= 14 else 4.5
    for row in range(size):
        for column in range(size):
            count, share = int(counts[row, column]), float(shares[row, column])
            if not count and size > 8:
                continue
            words = f"{count:,}\n{share:.0%}" if size <= 14 else f"{count:,}"
            colour = "white" if share > 0.55 else "black"
            axes.text(column, row, words, ha="center", va="center", color=colour, fontsize=small)


def _name_sides(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    if len(names) > MOST_NAMED:
        axes.set_xticks([])
        axes.set_yticks([])
        return
    small = 6.5 if len(names) <= 20 else 4.5
    shown = [_short(name) for name in names]
    is_narrow = len(names) <= 5 and max(map(len, shown)) <= 12
    axes.set_xticks(range(len(names)), shown, rotation=0 if is_narrow else 90, fontsize=small)
    axes.set_yticks(range(len(names)), shown, fontsize=small)
    axes.tick_params(length=0)


def metrics_of_classes(numbers: ResultNumbers) -> ReportFigure:
    """Precision, recall and F1 of each class, with their intervals; of many classes the weakest."""
    rows = numbers.metrics.by_class
    shown = [rows[index] for index in numbers.shown_classes(MOST_BARS)]
    figure = Figure(figsize=(COLUMN, 0.8 + 0.3 * len(shown)), layout="constrained")
    axes = figure.subplots()
    for offset, (name, colour, marker) in enumerate(
        (("precision", _BLUE, "o"), ("recall", _ORANGE, "s"), ("f1", _GREEN, "D"))
    ):
        estimates: list[Estimate] = [getattr(row, name) for row in shown]
        places = np.arange(len(shown)) + (offset - 1) * 0.24
        axes.plot(
            [estimate.value for estimate in estimates],
            places,
            marker=marker,
            markersize=3,
            linestyle="none",
            color=colour,
            label=metric_words(name),
        )
        for place, estimate in zip(places, estimates, strict=True):
            if estimate.interval is not None:
                ends = [estimate.interval.low, estimate.interval.high]
                axes.plot(ends, [place, place], color=colour, linewidth=0.9)
    _name_rows(axes, [row.name for row in shown])
    axes.set_xlim(right=1.005)
    axes.grid(axis="x", color="#dddddd", linewidth=0.5)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    few = "" if len(shown) == len(rows) else f" The {len(shown)} of {len(rows):,} classes with the lowest F1."
    lowest = min(shown, key=lambda row: row.f1.value, default=None)
    worst = "" if lowest is None else f" The lowest F1 is {lowest.f1.value:.3f}, of {printable(lowest.name)}."
    return ReportFigure(
        "metrics-per-class",
        "Precision, recall and F1",
        f"Of each class, with intervals of 95 % where there are enough images.{few}",
        f"Dot plot of {len(shown)} classes.{worst}",
        figure,
    )


def roc_curves(numbers: ResultNumbers, colours: Mapping[str, str]) -> ReportFigure | None:
    """ROC curves, each class against all others; None without any."""
    found = [(row.index, row.name, row.roc) for row in numbers.curves if row.roc is not None]
    area = None if numbers.areas is None else numbers.areas.macro_roc
    figure = _curves(found, colours, "false positive rate", "true positive rate", diagonal=True)
    if figure is None:
        return None
    mean = "" if area is None else f" The mean area of all classes is {area:.3f}."
    return ReportFigure(
        "roc",
        "ROC curves",
        f"{_against(numbers, len(found))}{mean}",
        f"ROC curves of {len(found)} classes.{mean}",
        figure,
    )


def precision_recall_curves(numbers: ResultNumbers, colours: Mapping[str, str]) -> ReportFigure | None:
    """Precision-recall curves, each class against all others; None without any."""
    found = [
        (row.index, row.name, row.precision_recall)
        for row in numbers.curves
        if row.precision_recall is not None
    ]
    area = None if numbers.areas is None else numbers.areas.macro_precision_recall
    figure = _curves(found, colours, "recall", "precision", diagonal=False)
    if figure is None:
        return None
    mean = "" if area is None else f" The mean average precision of all classes is {area:.3f}."
    return ReportFigure(
        "precision-recall",
        "Precision-recall curves",
        f"{_against(numbers, len(found))}{mean}",
        f"Precision-recall curves of {len(found)} classes.{mean}",
        figure,
    )


def _against(numbers: ResultNumbers, shown: int) -> str:
    of = len(numbers.classes)
    few = "" if len(numbers.curves) == of else f" The {shown} of {of:,} classes with the lowest F1."
    return f"Each class against all others; the number is the area.{few}"


def _curves(
    found: Sequence[tuple[int, str, ClassCurve]],
    colours: Mapping[str, str],
    x: str,
    y: str,
    *,
    diagonal: bool,
) -> Figure | None:
    if not found:
        return None
    figure = Figure(figsize=(COLUMN, COLUMN), layout="constrained")
    axes = figure.subplots()
    if diagonal:
        axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.6, linestyle=(0, (2, 2)))
    of_class = class_colours([name for _, name, _ in found], colours)
    words = []
    for place, ((_, name, curve), colour) in enumerate(zip(found, of_class, strict=True)):
        points = thinned(curve.x, curve.y, _MOST_POINTS)
        axes.plot(curve.x[points], curve.y[points], color=colour, linestyle=line_style(place))
        words.append(f"{_short(name)} {curve.area:.3f}")
    lines = axes.get_lines()[-len(found) :]
    legend = axes.legend(lines, ["-"] * len(found), loc="lower right" if diagonal else "lower left")
    for text, word in zip(legend.get_texts(), words, strict=True):
        text.set_text(word)  # a label that begins with _ would be left out
    axes.set(xlabel=x, ylabel=y, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_aspect("equal")
    return figure


def reliability_diagram(numbers: ResultNumbers) -> ReportFigure | None:
    """Accuracy against confidence, before and after the temperature; None without probabilities."""
    before, after = numbers.reliability, numbers.calibrated
    if before is None:
        return None
    figure = Figure(figsize=(COLUMN, COLUMN), layout="constrained")
    axes, below = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.6, linestyle=(0, (2, 2)))
    _reliability_line(axes, before, "as the network gives them", _BLUE, "o")
    if after is not None:
        _reliability_line(axes, after, f"temperature {numbers.rule.temperature:.3g}", _ORANGE, "s")
    axes.set(ylabel="accuracy", ylim=(-0.02, 1.02), xlim=(-0.02, 1.02))
    axes.legend(loc="upper left")
    widths = np.diff(before.edges)
    below.bar(before.edges[:-1], before.counts, width=widths, align="edge", color=_BLUE, alpha=0.6)
    below.set(xlabel="probability of the predicted class", ylabel="images")
    error = f"The expected calibration error is {before.ece:.3f}"
    if after is not None:
        error += f", and {after.ece:.3f} with the temperature {numbers.rule.temperature:.3g}"
    return ReportFigure(
        "reliability",
        "Reliability diagram",
        f"How often the network is right when it is so sure; the larger a dot, the more images. On the dashed line "
        f"probabilities come true. {error}.",
        f"Line chart of accuracy against the probability of the predicted class. {error}.",
        figure,
    )


def _reliability_line(axes: Axes, found: Reliability, words: str, colour: str, marker: str) -> None:
    full = found.counts > 0
    across, up = found.confidence[full], found.accuracy[full]
    axes.plot(across, up, color=colour, linewidth=0.6)
    areas = 6 + 60 * found.counts[full] / found.counts.max()
    axes.scatter(across, up, s=areas, marker=marker, color=colour, label=words, zorder=3)


def coverage_figure(numbers: ResultNumbers) -> ReportFigure | None:
    """Accuracy of the answers against their share; the threshold that was chosen is marked."""
    curve = numbers.coverage
    if curve is None:
        return None
    figure = Figure(figsize=(COLUMN, 2.6), layout="constrained")
    axes = figure.subplots()
    points = thinned(curve.coverage, curve.accuracy, _MOST_POINTS)
    axes.plot(curve.coverage[points], curve.accuracy[points], color=_BLUE)
    chosen = ""
    found = numbers.answered
    if found is not None and found.accuracy is not None:
        axes.plot(
            [found.coverage], [found.accuracy], marker="o", markersize=5, color=_ORANGE, linestyle="none"
        )
        chosen = f" The dot is the threshold that was chosen: {found.coverage:.1%} are answered, "
        chosen += f"{found.accuracy:.1%} of these right."
    axes.set(xlabel="share of the images that are answered (coverage)", ylabel="accuracy", xlim=(-0.01, 1.01))
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    everything = float(curve.accuracy[0])
    return ReportFigure(
        "coverage",
        "Accuracy against coverage",
        f"Accuracy where the least sure images are left to a person.{chosen}",
        f"Line chart; with all images answered the accuracy is {everything:.3f}.{chosen}",
        figure,
    )


def _line(
    axes: Axes, epochs: Sequence[int], values: Sequence[float | None], label: str, colour: str, marker: str
) -> None:
    numbers = [np.nan if value is None else value for value in values]
    every = max(1, len(epochs) // 15)
    axes.plot(epochs, numbers, color=colour, label=label, marker=marker, markersize=3, markevery=every)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [_short(name) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)


def _short(name: str) -> str:
    shown = printable(name)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"
