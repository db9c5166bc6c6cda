"""Lists of names as they stand in sentences for the user."""

from collections.abc import Iterable

from mia_tui.paths import printable

NAMED = 5  # of many files, so many are named


def name_some(names: Iterable[object], limit: int = NAMED) -> str:
    """`a.png, b.png and 3 more`: the first names of many, made inert for a terminal."""
    shown = [printable(name) for name in names]
    rest = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {rest:,} more" if rest > 0 else "")


def fault_of(path: str, reason: str) -> str:
    """`a/b.tif is cut short`: why a file cannot be used, its path said once and no full stop behind.

    Args:
        path: Its path in the dataset.
        reason: A sentence, which mostly begins with the file's name, as those of `decode` do.
    """
    path, reason = printable(path), printable(reason).removesuffix(".")
    name = path.rpartition("/")[2]
    return path + reason.removeprefix(name) if reason.startswith(f"{name} ") else f"{path} ({reason})"


def name_faults(faults: Iterable[str], total: int) -> str:
    """`a.tif is cut short; b.tif is empty; and 3 more`: the first of `fault_of`, of so many in total."""
    said = list(faults)
    more = total - len(said)
    return "; ".join([*said, *([f"and {more:,} more"] if more > 0 else [])])


def counted(count: int, singular: str, plural: str | None = None) -> str:
    """`1 image`, `2,000 images`."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"
