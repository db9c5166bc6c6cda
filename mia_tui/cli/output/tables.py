"""Tables as lines of text: for a terminal, a pipe and a log alike."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from mia_tui.text import printable

# A confusion matrix of more classes does not fit a terminal; its largest mix-ups are listed instead.
_WIDEST_MATRIX = 12
_MIX_UPS = 10
_LONGEST_HEADING = 12
# Those of runs/evaluation/confusion.py that are told of a confusion matrix; --json has all of them.
FIGURES = (
    "accuracy",
    "balanced_accuracy",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "weighted_f1",
    "mcc",
)
_NUMBER = re.compile(r"[-+]?[0-9][0-9,.]*|nan|–")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """Lines of a table: headings, then rows; columns of numbers stand to the right."""
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


def per_class(rows: Sequence[Mapping[str, object]]) -> Iterator[str]:
    """Lines with the figures of each class ({class, support, precision, recall, f1})."""
    columns = ("class", "images", "precision", "recall", "F1")
    keys = ("class", "support", "precision", "recall", "f1")
    yield from table(columns, [[row[key] for key in keys] for row in rows])


def confusion(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Iterator[str]:
    """Lines of a confusion matrix, rows truth, columns predicted.

    Args:
        counts: Shape (C, C); a numpy array will do.
        classes: Names, length C.
    """
    if len(classes) > _WIDEST_MATRIX:
        yield from _mix_ups(counts, classes)
        return
    headings = [_shortened(printable(name)) for name in classes]
    rows = [
        [name, *(int(count) for count in row)]
        for name, row in zip(map(printable, classes), counts, strict=True)
    ]
    yield from table(("truth \\ predicted", *headings), rows)


def _mix_ups(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Iterator[str]:
    wrong = [
        (int(count), truth, predicted)
        for truth, row in enumerate(counts)
        for predicted, count in enumerate(row)
        if truth != predicted and count > 0
    ]
    if not wrong:
        yield "No image was taken for one of another class."
        return
    wrong.sort(key=lambda item: (-item[0], item[1], item[2]))
    yield f"The commonest of {len(wrong)} kinds of mix-up:"
    rows = [[classes[truth], classes[predicted], count] for count, truth, predicted in wrong[:_MIX_UPS]]
    yield from table(("truth", "predicted", "images"), rows)


def width(text: str) -> int:
    """Columns a text takes on a terminal."""
    return sum(_column_count(character) for character in text)


def _column_count(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


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
