"""Tables as lines of text: for terminals, pipes and logs."""

import re
from collections.abc import Iterator, Mapping, Sequence

from mia_tui.text import percent, printable

# A confusion matrix of more classes does not fit a terminal; its largest confusions are listed instead.
_WIDEST_MATRIX = 12
_MOST_LISTED = 10
_LONGEST_HEADING = 12
# The figures of runs/evaluation/confusion.py that are printed; --json has all of them.
FIGURES = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "weighted_f1",
    "mcc",
)
_NARROW = re.compile("[ -\u02ff\u2010-\u2027]*")  # Latin letters, dashes and dots: one column each
_NUMBER = re.compile(r"[-+<]?[0-9][0-9,.]*%?|nan|–")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Lines of a table: headings, then rows; columns of numbers are aligned to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    right = [
        bool(cells) and all(_NUMBER.fullmatch(row[place]) for row in cells) for place in range(len(columns))
    ]
    widths = [
        max(width(name), *(width(row[place]) for row in cells), 0) for place, name in enumerate(columns)
    ]
    for line in [list(columns), *cells]:
        padded = [_pad(text, *spec) for text, spec in zip(line, zip(widths, right, strict=True), strict=True)]
        yield "  ".join(padded).rstrip()


def class_table(rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """Lines with the metrics of each class ({class, support, precision, recall, f1})."""
    columns = ("class", "images", "precision", "recall", "F1")
    keys = ("class", "support", "precision", "recall", "f1")
    yield from table(columns, [[row[key] for key in keys] for row in rows])


def confusion(
    counts: Sequence[Sequence[int]],
    classes: Sequence[str],
    *,
    shares: bool = False,
    by_similarity: bool = False,
) -> Iterator[str]:
    """Lines of a confusion matrix, rows truth, columns predicted.

    Args:
        counts: Shape (C, C); a numpy array will do.
        classes: Names, length C.
        shares: Whether cells have shares of the images of their row in place of counts.
        by_similarity: Whether classes that are confused are neighbours; otherwise they are in their order.
    """
    if len(classes) > _WIDEST_MATRIX:
        yield from _largest_confusions(counts, classes)
        return
    order = _likeness_order(counts) if by_similarity else tuple(range(len(classes)))
    headings = [_shortened(printable(classes[place])) for place in order]
    named, rows = list(zip(classes, counts, strict=True)), []
    for name, cells in (named[place] for place in order):
        row = [int(cells[place]) for place in order]
        images = max(1, sum(row))
        rows.append([printable(name), *((percent(count / images) for count in row) if shares else row)])
    yield from table(("truth \\ predicted", *headings), rows)


def _likeness_order(counts: Sequence[Sequence[int]]) -> tuple[int, ...]:
    import numpy as np

    from mia_tui.runs.evaluation.class_order import likeness_order

    return likeness_order(np.array(counts, np.int64))


def _largest_confusions(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Iterator[str]:
    wrong = [
        (int(count), truth, predicted)
        for truth, row in enumerate(counts)
        for predicted, count in enumerate(row)
        if truth != predicted and count > 0
    ]
    if not wrong:
        yield "No image was predicted as another class than its own."
        return
    wrong.sort(key=lambda item: (-item[0], item[1], item[2]))
    yield f"The most frequent of {len(wrong)} kinds of confusion:"
    rows = [
        [classes[truth], classes[predicted], count, percent(count / sum(map(int, counts[truth])))]
        for count, truth, predicted in wrong[:_MOST_LISTED]
    ]
    yield from table(("truth", "predicted", "images", "share"), rows)


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    if _NARROW.fullmatch(text):  # most text; rich, which takes 15 ms, is not imported for it
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else printable(value)


def _pad(text: str, columns: int, to_the_right: bool) -> str:
    space = " " * (columns - width(text))
    return space + text if to_the_right else text + space


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_HEADING else name[: _LONGEST_HEADING - 1] + "…"
