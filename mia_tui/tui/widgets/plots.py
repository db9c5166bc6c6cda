"""Curves drawn in characters: Braille dots where the terminal has Unicode, plain characters elsewhere.

`draw` is the whole of it, from arrays to lines of text. What a curve is can be
seen without colours: validation is a line, training a dashed one, single steps
are a cloud of dots, and the heading says so with a piece of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

import numpy as np
import numpy.typing as npt

from mia_tui.tui.widgets.axes import Axis, axis, shorten

Stroke = Literal["line", "dashes", "dots"]
Numbers = npt.NDArray[np.float64]
Piece = tuple[str, int | None]
"""Text, and the curve that it belongs to."""

LEAST_COLUMNS, LEAST_ROWS = 36, 8

_SIGNS: dict[Stroke, tuple[str, str]] = {"line": ("━━", "**"), "dashes": ("╍╍", "oo"), "dots": ("··", "..")}
_BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # bit of each dot of a cell
_DASH = 3  # columns of dots on, and as many off
_SHORT_NAME = 5
_LARGEST = 1e100  # no figure of a training is; differences of larger numbers would overflow


@dataclass(frozen=True)
class Curve:
    """Values over epochs or steps: x ascending, both of shape (N,); what is not finite, or absurd, is left out.

    `colour` and `sign` (one character, where there is no Unicode) tell curves of one stroke apart.
    """

    name: str
    x: Numbers
    y: Numbers
    stroke: Stroke
    colour: str = ""
    sign: str = ""


@dataclass(frozen=True)
class Plot:
    """Some curves over one axis.

    Attributes:
        title: What the values are.
        x_name: What x counts.
        curves: The first one lies on top.
        log: Whether y is drawn on a logarithmic scale.
        mark: An x to point out, with the word for it.
    """

    title: str
    x_name: str
    curves: tuple[Curve, ...]
    log: bool = False
    mark: tuple[float, str] | None = None


def draw(plot: Plot, columns: int, rows: int, *, unicode: bool) -> list[list[Piece]]:
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
        lines: list[list[Piece]] = [heading, [(_centred("nothing to draw yet", columns), None)]]
        return [*lines, *[_fitted([], columns) for _ in range(rows - len(lines))]]
    height = rows - 3
    upright = axis(float(points[1].min()), float(points[1].max()), height // 2, log=plot.log)
    margin = max(map(len, upright.labels)) + 1
    width = columns - margin - 1
    level = axis(float(points[0].min()), float(points[0].max()), width // 12, whole=True)
    cells = _paint(curves, level, upright, width, height, unicode=unicode)
    return [
        heading,
        *_framed(cells, upright, margin, unicode=unicode),
        *_foot(plot, level, margin, width, unicode=unicode),
    ]


def plain(lines: Sequence[Sequence[Piece]]) -> str:
    """The text of a drawing."""
    return "\n".join("".join(text for text, _ in line) for line in lines)


def _clean(curve: Curve, *, log: bool) -> Curve:
    kept = (np.abs(curve.y) < _LARGEST) & (np.abs(curve.x) < _LARGEST)  # what is not finite is neither
    if log:
        kept &= curve.y > 1 / _LARGEST
    return replace(curve, x=curve.x[kept], y=np.log10(curve.y[kept]) if log else curve.y[kept])


# The field


def _paint(
    curves: Sequence[Curve], level: Axis, upright: Axis, width: int, height: int, *, unicode: bool
) -> list[list[Piece]]:
    """The cells of all curves, joined to pieces."""
    across, down = (2, 4) if unicode else (1, 1)
    owner = np.full((height, width), -1)
    dots = np.zeros((height, width), np.int64)
    for number in reversed(range(len(curves))):
        raster = _raster(curves[number], level, upright, width * across, height * down, dashed=unicode)
        cells = raster.reshape(height, down, width, across)
        touched = cells.any(axis=(1, 3))
        owner[touched] = number
        dots |= (cells * _BRAILLE[None, :down, None, :across]).sum(axis=(1, 3))
    signs = [curve.sign or _SIGNS[curve.stroke][1][0] for curve in curves]
    lines: list[list[Piece]] = []
    for row_owner, row_dots in zip(owner.tolist(), dots.tolist(), strict=True):
        text = [
            (" " if who < 0 else chr(0x2800 + bits) if unicode else signs[who], None if who < 0 else who)
            for who, bits in zip(row_owner, row_dots, strict=True)
        ]
        lines.append(
            [("".join(sign for sign, _ in group), who) for who, group in groupby(text, lambda cell: cell[1])]
        )
    return lines


def _raster(
    curve: Curve, level: Axis, upright: Axis, width: int, height: int, *, dashed: bool
) -> npt.NDArray[np.bool_]:
    """Which dots a curve touches, shape (height, width)."""
    raster = np.zeros((height, width), np.bool_)
    if not len(curve.x):
        return raster
    x = np.rint(level.share(curve.x) * (width - 1)).astype(np.int64)
    y = (1 - upright.share(curve.y)) * (height - 1)
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


# Around it


def _heading(plot: Plot, curves: Sequence[Curve], columns: int, *, unicode: bool) -> list[Piece]:
    """The title, and a sample of each curve with its newest value; shorter where there is little room."""
    left_out = sum(len(whole.x) - len(curve.x) for whole, curve in zip(plot.curves, curves, strict=True))
    title = plot.title + (", log scale" if plot.log else "") + (f", {left_out} left out" if left_out else "")
    signs = [
        2 * curve.sign if curve.sign and not unicode else _SIGNS[curve.stroke][not unicode]
        for curve in curves
    ]
    names = [curve.name for curve in curves]
    values = [f" {shorten(float(whole.y[-1]))}" if len(whole.y) else "" for whole in plot.curves]
    longest = [f"{name}{value}" for name, value in zip(names, values, strict=True)]
    for words in (longest, names, [name[:_SHORT_NAME] for name in names]):
        pieces: list[Piece] = [(title, None)]
        for number, (sign, word) in enumerate(zip(signs, words, strict=True)):
            pieces += [("  ", None), (f"{sign} {word}", number)]
        if sum(len(text) for text, _ in pieces) <= columns:
            break
    return _fitted(pieces, columns)


def _framed(cells: list[list[Piece]], upright: Axis, margin: int, *, unicode: bool) -> list[list[Piece]]:
    """The field with the numbers on its left."""
    tick, wall = ("┤", "│") if unicode else ("+", "|")
    rows = {
        round((1 - share) * (len(cells) - 1)): label
        for share, label in zip(upright.shares, upright.labels, strict=True)
    }
    return [
        [(f"{rows.get(row, ''):>{margin}}{tick if row in rows else wall}", None), *line]
        for row, line in enumerate(cells)
    ]


def _foot(plot: Plot, level: Axis, margin: int, width: int, *, unicode: bool) -> list[list[Piece]]:
    """The axis below, with its numbers, and the mark on it."""
    corner, floor, tick, pointer = ("└", "─", "┬", "▲") if unicode else ("+", "-", "+", "^")
    line, numbers = [floor] * width, [" "] * width
    for share, label in zip(level.shares, level.labels, strict=True):
        place = round(share * (width - 1))
        line[place] = tick
        _write(numbers, label, place - len(label) // 2)
    if plot.mark is not None:
        place = round(float(level.share(np.array(plot.mark[0]))) * (width - 1))
        line[place] = pointer
        word = plot.mark[1]
        _write(line, word, place + 2 if place + 2 + len(word) <= width else place - 1 - len(word))
    name = plot.x_name if len(plot.x_name) <= margin else ""
    if not name:
        _write(numbers, plot.x_name, width)
    return [
        [(" " * margin + corner + "".join(line), None)],
        [(f"{name:>{margin}} " + "".join(numbers), None)],
    ]


def _write(line: list[str], text: str, place: int) -> None:
    """Put a text on a line, moved to where all of it fits; not over another one."""
    place = max(0, min(place, len(line) - len(text)))
    around = line[max(0, place - 1) : place + len(text) + 1]
    if place + len(text) <= len(line) and not any(sign.isalnum() for sign in around):
        line[place : place + len(text)] = text


def _fitted(pieces: list[Piece], columns: int) -> list[Piece]:
    """Pieces cut or filled up to so many columns."""
    fitted: list[Piece] = []
    for text, number in pieces:
        fitted.append((text[:columns], number))
        columns -= len(fitted[-1][0])
    return [*fitted, (" " * columns, None)]


def _centred(text: str, columns: int) -> str:
    return text[:columns].center(columns)
