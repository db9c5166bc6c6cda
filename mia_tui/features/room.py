"""Room for features in the user's cache folder: those that were not used for longest are removed."""

from mia_tui.dataset import cache_room
from mia_tui.features.layout import TableFolder, all_tables


def make_room(most_bytes: int, *, keep: TableFolder, wanted_bytes: int = 0) -> list[TableFolder]:
    """Remove tables until all others and what is wanted have room; errors are ignored.

    Args:
        most_bytes: That all tables may take.
        keep: The table that is about to be used.
        wanted_bytes: That will be added to it.

    Returns:
        The tables that were removed; those that a job writes to stay.
    """
    try:
        tables = all_tables()
    except OSError:
        return []
    return cache_room.make_room(tables, most_bytes, keep=keep, wanted_bytes=wanted_bytes)
