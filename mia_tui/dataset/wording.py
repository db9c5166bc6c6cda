"""Lists of names as they stand in sentences for the user."""

from collections.abc import Iterable

from mia_tui.paths import printable

NAMED = 5  # of many files, so many are named


def name_some(names: Iterable[object], limit: int = NAMED) -> str:
    """`a.png, b.png and 3 more`: the first names of many, made inert for a terminal."""
    shown = [printable(name) for name in names]
    rest = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {rest:,} more" if rest > 0 else "")


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """`1 image`, `2,000 images`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"
