"""Curves drawn in characters: Braille dots where the terminal has Unicode, plain characters elsewhere.

`draw` turns arrays into lines of text. Curves can be told apart without colours:
validation is a line, training a dashed one, and single steps are dots; the
heading shows a sample of each. Where lines lie on each other they take turns.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

import numpy as np
import numpy.typing as npt

from mia_tui.text import scientific, shorten

Stroke = Literal["line", "dashes", "dots"]
Numbers = npt.NDArray[np.float64]
PlotPiece = tuple[str, int | None]
"""Text, and the curve that it belongs to."""

LEAST_COLUMNS, LEAST_ROWS = 36, 8

_SIGNS: dict[Stroke, tuple[str, str]] = {"line": ("━━", "**"), "dashes": ("╍╍", "oo"), "dots": ("··", "..")}
_BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # bit of each dot of a cell
_DASH = 3  # columns of dots on, and as many off
_TURN = 2  # columns of each of the lines that lie on each other
_SHORT_NAME = 5
_STEPS = (1.0, 2.0, 5.0, 10.0)
_MOST_DECIMALS, _MOST_DIGITS = 4, 12
_DECADES = 2.0  # with more powers of ten than this, only those are labelled
_LARGEST = 1e100  # no metric of a training reaches it; differences of larger numbers would overflow


@dataclass(frozen=True)
class Axis:
    """An axis of a plot; on a logarithmic scale, low and high are logarithms.

    Attributes:
        low: Value at the one end.
        high: Value at the other, larger than low.
        shares: Positions of the numbers along the axis, 0 to 1.
        labels: The numbers.
    """

    low: float
    high: float
    shares: tuple[float, ...]
    labels: tuple[str, ...]

    def share(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """How far along the axis values lie, 0 to 1."""
        return np.clip((values - self.low) / (self.high - self.low), 0, 1)


@dataclass(frozen=True)
class Curve:
    """Values over epochs or steps: x ascending, both of shape (N,); values not finite or absurdly large are left out.

    `colour` and `sign` (one character, for terminals without Unicode) tell curves of the same stroke apart. `value`
    is said behind its name; None says its newest value.
    """

    name: str
    x: Numbers
    y: Numbers
    stroke: Stroke
    colour: str = ""
    sign: str = ""
    value: str | None = None


@dataclass(frozen=True)
class Plot:
    """Curves in one plot.

    Attributes:
        title: What the values are.
        x_name: What x counts.
        curves: The first one lies on top.
        log: Whether y is drawn on a logarithmic scale.
        mark: An x to mark, on the first curve and on the axis, with words beside it; what stands behind their comma
            is left out where there is little room.
        note: What is said behind the title where there is room.
        x_range: Ends of the x axis, which then need not be whole numbers; None for those of the curves.
        y_range: Ends of the y axis; None for those of the curves.
    """

    title: str
    x_name: str
    curves: tuple[Curve, ...]
    log: bool = False
    mark: tuple[float, str] | None = None
    note: str = ""
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None


def draw(plot: Plot, columns: int, rows: int, *, unicode: bool) -> list[list[PlotPiece]]:
    """A plot as lines of exactly so many columns.

    Args:
        plot: What to draw.
        columns: At least `LEAST_COLUMNS`.
        rows: At least `LEAST_ROWS`.
        unicode: Whether there are characters beyond ASCII.
    """
    curves = [_clean(curve, log=plot.log) for curve in plot.curves]
    points = np.concatenate([np.stack([curve.x, curve.y]) for curve in curves], axis=1)
    heading = _heading(plot, curves, columns, unicode=unicode)
    if not points.size:
        lines: list[list[PlotPiece]] = [heading, [(_centred("nothing to draw yet", columns), None)]]
        return [*lines, *[_fitted([], columns) for _ in range(rows - len(lines))]]
    height = rows - 3
    low, high = plot.y_range or (float(points[1].min()), float(points[1].max()))
    y_axis = axis(low, high, height // 2, log=plot.log)
    margin = max(map(len, y_axis.labels)) + 1
    width = columns - margin - 1
    low, high = plot.x_range or (float(points[0].min()), float(points[0].max()))
    x_axis = axis(low, high, width // 12, whole=plot.x_range is None)
    cells = _paint(curves, x_axis, y_axis, width, height, unicode=unicode)
    if plot.mark is not None and curves:
        _point_out(cells, curves[0], plot.mark[0], x_axis, y_axis, unicode=unicode)
    return [
        heading,
        *_framed(cells, y_axis, margin, unicode=unicode),
        *_foot(plot, x_axis, margin, width, unicode=unicode),
    ]


def plain(lines: Sequence[Sequence[PlotPiece]]) -> str:
    """The drawing as text."""
    return "\n".join("".join(text for text, _ in line) for line in lines)


def axis(low: float, high: float, numbers: int, *, log: bool = False, whole: bool = False) -> Axis:
    """An axis for values from `low` to `high`.

    Args:
        low: The smallest; finite.
        high: The largest; finite.
        numbers: About how many numbers to write along it.
        log: Whether low and high are logarithms (to base 10).
        whole: Whether to write whole numbers only.
    """
    if high - low <= 1e-9 * max(1.0, abs(low), abs(high)):  # a single value lies in the middle
        margin = 0.5 if whole or low == 0 else 0.1 if log else abs(low) * 0.5
        margin = max(margin, 1e-6 * abs(low), 1e-100)  # less would be lost to rounding
        low, high = low - margin, high + margin
    ticks = _decades(low, high) if log else []
    if len(ticks) < 2:
        ticks = _ticks(low, high, max(2, numbers), log=log, whole=whole)
    shares = tuple((place - low) / (high - low) for place, _ in ticks)
    return Axis(low, high, shares, tuple(label for _, label in ticks))


def _clean(curve: Curve, *, log: bool) -> Curve:
    kept = (np.abs(curve.y) < _LARGEST) & (np.abs(curve.x) < _LARGEST)  # what is not finite is neither
    if log:
        kept &= curve.y > 1 / _LARGEST
    return replace(curve, x=curve.x[kept], y=np.log10(curve.y[kept]) if log else curve.y[kept])


# The plot area


def _paint(
    curves: Sequence[Curve], x_axis: Axis, y_axis: Axis, width: int, height: int, *, unicode: bool
) -> list[list[PlotPiece]]:
    """The cells of all curves, neighbours of one curve joined."""
    across, down = (2, 4) if unicode else (1, 1)
    dots = np.zeros((len(curves), height, width), np.int64)
    for number, curve in enumerate(curves):
        raster = _raster(curve, x_axis, y_axis, width * across, height * down, dashed=unicode)
        cells = raster.reshape(height, down, width, across)
        dots[number] = (cells * _BRAILLE[None, :down, None, :across]).sum(axis=(1, 3))
    owner = _owners([curve.stroke == "dots" for curve in curves], dots > 0)
    dots = np.take_along_axis(dots, np.maximum(owner, 0)[None], axis=0)[0]
    signs = [curve.sign or _SIGNS[curve.stroke][1][0] for curve in curves]
    lines: list[list[PlotPiece]] = []
    for row_owner, row_dots in zip(owner.tolist(), dots.tolist(), strict=True):
        text = [
            (" " if who < 0 else chr(0x2800 + bits) if unicode else signs[who], None if who < 0 else who)
            for who, bits in zip(row_owner, row_dots, strict=True)
        ]
        lines.append(
            [("".join(sign for sign, _ in group), who) for who, group in groupby(text, lambda cell: cell[1])]
        )
    return lines


def _owners(are_dots: Sequence[bool], touched: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Which curve is seen in each cell, -1 for none: of several lines each in its turn, and dots below lines.

    Args:
        are_dots: Of each curve, whether it is dots rather than a line.
        touched: Which cells each curve touches, shape (curves, height, width).
    """
    lines = touched & ~np.array(are_dots)[:, None, None]
    seen = np.where(lines.any(axis=0), lines, touched)
    count = seen.sum(axis=0)
    turn = np.arange(touched.shape[2]) // _TURN % np.maximum(count, 1)
    places = np.cumsum(seen, axis=0) - 1
    mine = seen & (places == turn)
    owner: npt.NDArray[np.int64] = np.where(count > 0, mine.argmax(axis=0), -1)
    return owner


def _point_out(
    cells: list[list[PlotPiece]], curve: Curve, x: float, x_axis: Axis, y_axis: Axis, *, unicode: bool
) -> None:
    """Put a sign where the first curve is at x."""
    at = np.flatnonzero(curve.x == x)
    if not len(at):
        return
    width = sum(len(text) for text, _ in cells[0])
    column = round(float(x_axis.share(curve.x[at[:1]])[0]) * (width - 1))
    row = round((1 - float(y_axis.share(curve.y[at[:1]])[0])) * (len(cells) - 1))
    signs = [(sign, who) for text, who in cells[row] for sign in text]
    signs[column] = ("◆" if unicode else "@", 0)
    cells[row] = [
        ("".join(sign for sign, _ in group), who) for who, group in groupby(signs, lambda cell: cell[1])
    ]


def _raster(
    curve: Curve, x_axis: Axis, y_axis: Axis, width: int, height: int, *, dashed: bool
) -> npt.NDArray[np.bool_]:
    """Which dots a curve touches, shape (height, width)."""
    raster = np.zeros((height, width), np.bool_)
    if not len(curve.x):
        return raster
    x = np.rint(x_axis.share(curve.x) * (width - 1)).astype(np.int64)
    y = (1 - y_axis.share(curve.y)) * (height - 1)
    raster[np.rint(y).astype(np.int64), x] = True
    if curve.stroke == "dots":
        return raster
    span = np.arange(x[0], x[-1] + 1)
    line = np.interp(span, x, y)
    before, after = np.concatenate([line[:1], line[:-1]]), np.concatenate([line[1:], line[-1:]])
    top = np.rint(np.minimum(line, np.minimum(line + before, line + after) / 2))
    bottom = np.rint(np.maximum(line, np.maximum(line + before, line + after) / 2))
    rows = np.arange(height)[:, None]
    joined = (rows >= top) & (rows <= bottom)
    if curve.stroke == "dashes" and dashed:
        joined &= (span // _DASH) % 2 == 0
        if len(x) * 2 * _DASH > width:  # the points themselves would make a line of it
            raster[:, span[(span // _DASH) % 2 == 1]] = False
    raster[:, span] |= joined
    return raster


# Heading and axes


def _heading(plot: Plot, curves: Sequence[Curve], columns: int, *, unicode: bool) -> list[PlotPiece]:
    """The title, and a sample of each curve with its newest value; shorter where there is little room."""
    left_out = sum(len(whole.x) - len(curve.x) for whole, curve in zip(plot.curves, curves, strict=True))
    title = plot.title + (", log scale" if plot.log else "") + (f", {left_out} left out" if left_out else "")
    signs = [
        2 * curve.sign if curve.sign and not unicode else _SIGNS[curve.stroke][not unicode]
        for curve in curves
    ]
    names = [curve.name for curve in curves]
    values = [_said_value(curve) for curve in plot.curves]
    longest = [f"{name}{value}" for name, value in zip(names, values, strict=True)]
    short = [name[:_SHORT_NAME] for name in names]
    note = f" ({plot.note})" if plot.note else ""
    for said, words in (
        (title + note, longest),
        (title + note, names),
        (title + note, short),
        (title, short),
    ):
        pieces: list[PlotPiece] = [(said, None)]
        for number, (sign, word) in enumerate(zip(signs, words, strict=True)):
            pieces += [("  ", None), (f"{sign} {word}", number)]
        if sum(len(text) for text, _ in pieces) <= columns:
            break
    return _fitted(pieces, columns)


def _said_value(curve: Curve) -> str:
    if curve.value is not None:
        return f" {curve.value}" if curve.value else ""
    return f" {shorten(float(curve.y[-1]))}" if len(curve.y) else ""


def _framed(
    cells: list[list[PlotPiece]], y_axis: Axis, margin: int, *, unicode: bool
) -> list[list[PlotPiece]]:
    """The plot area with the numbers of the y axis on its left."""
    tick, wall = ("┤", "│") if unicode else ("+", "|")
    rows = {
        round((1 - share) * (len(cells) - 1)): label
        for share, label in zip(y_axis.shares, y_axis.labels, strict=True)
    }
    return [
        [(f"{rows.get(row, ''):>{margin}}{tick if row in rows else wall}", None), *line]
        for row, line in enumerate(cells)
    ]


def _foot(plot: Plot, x_axis: Axis, margin: int, width: int, *, unicode: bool) -> list[list[PlotPiece]]:
    """The x axis with its numbers and the mark."""
    corner, floor, tick, pointer = ("└", "─", "┬", "▲") if unicode else ("+", "-", "+", "^")
    line, numbers = [floor] * width, [" "] * width
    for share, label in zip(x_axis.shares, x_axis.labels, strict=True):
        place = round(share * (width - 1))
        line[place] = tick
        _write(numbers, label, place - len(label) // 2)
    if plot.mark is not None:
        place = round(float(x_axis.share(np.array(plot.mark[0]))) * (width - 1))
        line[place] = pointer
        word = plot.mark[1] if len(plot.mark[1]) < width // 2 else plot.mark[1].partition(",")[0]
        _write(line, word, place + 2 if place + 2 + len(word) <= width else place - 1 - len(word))
    name = plot.x_name if len(plot.x_name) <= margin else ""
    if not name:
        _write(numbers, plot.x_name, width)
    return [
        [(" " * margin + corner + "".join(line), None)],
        [(f"{name:>{margin}} " + "".join(numbers), None)],
    ]


def _write(line: list[str], text: str, place: int) -> None:
    """Write a text on a line, moved so that it fits; left out if it would touch another one."""
    place = max(0, min(place, len(line) - len(text)))
    around = line[max(0, place - 1) : place + len(text) + 1]
    if place + len(text) <= len(line) and not any(sign.isalnum() for sign in around):
        line[place : place + len(text)] = text


def _fitted(pieces: list[PlotPiece], columns: int) -> list[PlotPiece]:
    """Pieces cut or filled up to so many columns."""
    fitted: list[PlotPiece] = []
    for text, number in pieces:
        fitted.append((text[:columns], number))
        columns -= len(fitted[-1][0])
    return [*fitted, (" " * columns, None)]


def _centred(text: str, columns: int) -> str:
    return text[:columns].center(columns)


# Axes


def _ticks(low: float, high: float, numbers: int, *, log: bool, whole: bool) -> list[tuple[float, str]]:
    """Round numbers between two values; on a logarithmic scale the values are evenly spaced, not their positions."""
    first, last = (10**low, 10**high) if log else (low, high)
    rough = (last - first) / numbers
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * 0.999)
    if whole:
        step = max(1.0, round(step))
    whole_numbers = range(math.ceil(first / step - 1e-9), math.floor(last / step + 1e-9) + 1)
    values = [number * step for number in whole_numbers if number > 0 or not log]
    labels = _labels(values, max(0, -math.floor(math.log10(step) + 1e-9)))
    return [(math.log10(value) if log else value, label) for value, label in zip(values, labels, strict=True)]


def _decades(low: float, high: float) -> list[tuple[float, str]]:
    """Powers of ten between two logarithms; if there are few, 2 and 5 times those as well."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    factors = (1,) if high - low > _DECADES else (1, 2, 5)
    places = [(power + math.log10(factor), factor * 10.0**power) for power in powers for factor in factors]
    return [(place, shorten(value)) for place, value in places if low - 1e-9 <= place <= high + 1e-9]


def _labels(values: list[float], decimals: int) -> list[str]:
    """Numbers, as short as they stay different."""
    digits = 1
    labels = [_label(value, decimals, digits) for value in values]
    while len(set(labels)) < len(labels) and digits < _MOST_DIGITS:
        digits += 1
        labels = [_label(value, decimals, digits) for value in values]
    return labels


def _label(value: float, decimals: int, digits: int) -> str:
    if abs(value) >= 1e4:
        for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
            if abs(value) >= size:
                return f"{value / size:g}{letter}"
    if decimals > _MOST_DECIMALS:
        return scientific(value, digits) if value else "0"
    return f"{value:.{decimals}f}"
