"""A confusion matrix as a heat map in colours, for a terminal that has them."""

import os
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from rich.color import ColorSystem
from rich.style import Style

from mia_tui.cli.output.tables import width
from mia_tui.runs.evaluation.class_order import likeness_order
from mia_tui.runs.evaluation.confusion import figures, per_class
from mia_tui.terminal.choose import background_told
from mia_tui.text import percent, printable
from mia_tui.tui.widgets.ink import DARK_GROUND, LIGHT_GROUND, ON_DARK, ON_LIGHT
from mia_tui.tui.widgets.shades import level_of, shade

_LONGEST_NAME = 20
_LEAST_CELL, _WIDEST_CELL = 5, 14
_MARGIN = 18  # recall and images
_MOST = 60  # classes; those of more are no picture any more


def colours_of(environment: Mapping[str, str]) -> ColorSystem | None:
    """How many colours a terminal has by its environment; None for too few."""
    term = environment.get("TERM", "dumb")
    if "NO_COLOR" in environment or term == "dumb":
        return None
    if environment.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return ColorSystem.TRUECOLOR
    return ColorSystem.EIGHT_BIT if "256" in term or "kitty" in term else None


def heat_map(
    counts: Sequence[Sequence[int]],
    classes: Sequence[str],
    columns: int,
    colours: ColorSystem,
    *,
    shares: bool = False,
    by_similarity: bool = True,
) -> list[str] | None:
    """Lines of a matrix; None if it does not fit into so many columns.

    Args:
        counts: Shape (C, C); rows are the truth, columns the predictions.
        classes: Names, length C.
        columns: Of the terminal.
        colours: How many it has.
        shares: Whether cells have only the share of the images of their row; otherwise they have counts, and shares
            where there is room.
        by_similarity: Whether classes that are confused are neighbours; otherwise they are in their order.
    """
    matrix = np.array(counts, np.int64)
    names = [printable(name) for name in classes]
    left = min(_LONGEST_NAME, max(map(width, names))) + 1
    digits = len("100%") if shares else len(f"{int(matrix.max()):,}")
    cell = min(_WIDEST_CELL, (columns - left - _MARGIN) // len(names))
    if cell < max(_LEAST_CELL, digits + 2) or len(names) > _MOST:
        return None
    order = likeness_order(matrix) if by_similarity else tuple(range(len(names)))
    return list(_lines(matrix, names, order, left, cell, colours, shares=shares))


def _lines(
    matrix: np.ndarray,
    names: list[str],
    order: tuple[int, ...],
    left: int,
    cell: int,
    colours: ColorSystem,
    *,
    shares: bool,
) -> Iterator[str]:
    by_class = per_class(matrix, names)
    is_light = background_told(os.environ) == "light"
    accent, ground = (ON_LIGHT["accent"], LIGHT_GROUND) if is_light else (ON_DARK["accent"], DARK_GROUND)
    both = cell >= len(f"{int(matrix.max()):,}") + 6
    heads = "".join(f"{_cut(names[place], cell - 1):^{cell}}" for place in order)
    yield f"{'truth':<{left}}{'predicted as':^{cell * len(order)}}"
    yield f"{'':<{left}}{heads}{'recall':>8}{'images':>10}"
    for truth in order:
        images = int(matrix[truth].sum())
        cells = []
        for predicted in order:
            count = int(matrix[truth, predicted])
            if not count:
                cells.append(f"{'·':^{cell}}")
                continue
            share = count / images
            text = percent(share) if shares else f"{percent(share)} {count:,}" if both else f"{count:,}"
            painted = shade(level_of(share), ground, accent)
            cells.append(_painted(f"{text:^{cell}}", painted, colours, bold=truth == predicted))
        row = by_class[truth]
        recall = percent(row.recall) if images else "-"
        yield f"{_padded(_cut(names[truth], left - 1), left)}{''.join(cells)}{recall:>8}{images:>10,}"
    below = "".join(f"{percent(by_class[place].precision):^{cell}}" for place in order)
    accuracy = percent(figures(matrix)["accuracy"])
    yield f"{'precision':<{left}}{below}{accuracy:>8}  accuracy"


def _painted(text: str, painted: Style, colours: ColorSystem, *, bold: bool) -> str:
    front, behind = (
        None if colour is None else colour.downgrade(colours) for colour in (painted.color, painted.bgcolor)
    )
    return Style(color=front, bgcolor=behind, bold=bold).render(text, color_system=colours)


def _cut(name: str, columns: int) -> str:
    if width(name) <= columns:
        return name
    while width(name) >= columns:
        name = name[:-1]
    return f"{name}…"


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))
