"""What stands in a cell of the counts, and what is said of it."""

from typing import Literal

import numpy as np

from mia_tui.analysis.counts import Shares
from mia_tui.runs.counts.table import USUAL_Q, CountTable
from mia_tui.text import counted, printable

Figure = Literal["fraction", "images", "corrected", "enrichment"]

FIGURES: tuple[Figure, ...] = ("fraction", "images", "corrected", "enrichment")

FIGURE_WORDS: dict[Figure, str] = {
    "fraction": "fraction in %",
    "images": "images",
    "corrected": "corrected fraction in %",
    "enrichment": "enrichment score",
}

ALL: int | None = None
"""In place of a group: all of them."""


def figures_of(table: CountTable) -> list[Figure]:
    """The figures that a table has."""
    has = {
        "corrected": table.corrected is not None,
        "enrichment": table.enrichment is not None and bool(np.isfinite(table.enrichment.score).any()),
    }
    return [name for name in FIGURES if has.get(name, True)]


def value_of(table: CountTable, figure: Figure, group: int | None, place: int) -> float:
    """The figure of a cell; NaN where it has none."""
    if figure == "images":
        counts = table.counts[:, place]
        return float(counts.sum() if group is None else counts[group])
    if figure == "enrichment":
        return (
            float("nan")
            if group is None or table.enrichment is None
            else table.enrichment.score[group, place]
        )
    shares = _shares(table, figure, group)
    return float("nan") if shares is None else float(shares.value[place if group is None else (group, place)])


def _shares(table: CountTable, figure: Figure, group: int | None) -> Shares | None:
    if figure == "corrected":
        corrected = table.corrected
        return None if corrected is None else corrected.overall if group is None else corrected.by_group
    return table.overall if group is None else table.shares


def cell_words(table: CountTable, figure: Figure, group: int | None, place: int) -> str:
    """A figure in few characters; empty where there is none."""
    value = value_of(table, figure, group, place)
    if np.isnan(value):
        return ""
    if figure == "images":
        return f"{round(value):,}"
    return f"{value:+.2f}" if figure == "enrichment" else f"{100 * value:.1f}"


def is_unusual(table: CountTable, group: int | None, place: int) -> int:
    """1 for a group with unusually many images of a class, -1 for unusually few, else 0."""
    found = table.enrichment
    if group is None or found is None or not found.q[group, place] < USUAL_Q or table.fitted is None:
        return 0
    return 1 if table.shares.value[group, place] > table.fitted.shares[place] else -1


def group_words(table: CountTable, group: int | None) -> str:
    """The name of a group."""
    return f"all {counted(len(table.groups.names), 'group')}" if group is None else table.groups.name(group)


def cell_lines(table: CountTable, group: int | None, place: int) -> list[str]:
    """What is said of the cell under the cursor."""
    counts = table.counts if group is None else table.counts[group : group + 1]
    hits, total = int(counts[:, place].sum()), int(counts.sum())
    images = int(table.images.sum() if group is None else table.images[group])
    what = "label" if table.use == "labels" else "prediction"
    name = printable(table.classes[place])
    lines = [f"{name}: {hits:,} of {counted(total, what)}; {counted(images, 'image')}."]
    shares = _shares(table, "fraction", group)
    index = place if group is None else (group, place)
    assert shares is not None
    if total:
        lines.append(f"Fraction {_with_interval(shares, index)}.")
    corrected = _shares(table, "corrected", group)
    if corrected is not None and np.isfinite(corrected.value[index]):
        lines[-1] += f" Corrected {_with_interval(corrected, index)}."
    found = table.enrichment
    if group is not None and found is not None and np.isfinite(found.p[group, place]):
        score = float(found.score[group, place])
        words = "" if np.isnan(score) else f"Enrichment score {score:+.2f}, "
        lines.append(f"{words}p {found.p[group, place]:.2g}, q {found.q[group, place]:.2g}{_against(table)}.")
    return lines


def _against(table: CountTable) -> str:
    controls = int(table.controls.sum())
    return "" if controls == len(table.controls) else f" against {counted(controls, 'control')}"


def _with_interval(shares: Shares, index: int | tuple[int, int]) -> str:
    value, low, high = (float(each[index]) for each in (shares.value, shares.low, shares.high))
    if np.isnan(low):
        return f"{100 * value:.1f} % ({shares.why_none or 'no interval'})"
    return f"{100 * value:.1f} % ({100 * low:.1f}–{100 * high:.1f}, {shares.method})"
