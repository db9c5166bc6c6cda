"""Features of files whose content is known: renamed and moved files, and copies of a dataset, need no new ones."""

import zlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mia_tui.features.layout import RECORD, TableDescription, TableFolder, all_tables, is_same_input
from mia_tui.features.writer import FeatureRow

_UNKNOWN = bytes(RECORD["digest"].itemsize)


class KnownContent:
    """The rows of all tables of one network, by the content of their files.

    Args:
        description: Of the table that rows are wanted for; other inputs give other features.
    """

    def __init__(self, description: TableDescription) -> None:
        self._tables = list(_tables_like(description))

    def __bool__(self) -> bool:
        return bool(self._tables)

    def of_size(self, sizes: Collection[int]) -> NDArray[np.int64]:
        """Those of some sizes in bytes that a known file has: only such files are worth reading for their digest."""
        wanted = np.unique(np.fromiter(sizes, np.int64, len(sizes)))
        found = [np.intersect1d(wanted, records["size"]) for *_, records in self._tables]
        return np.unique(np.concatenate([np.empty(0, np.int64), *found]))

    def rows(self, images: Sequence[FeatureRow]) -> Iterator[tuple[list[FeatureRow], NDArray[np.float16]]]:
        """Those of some images that have features already, with these, table by table.

        Args:
            images: With the digests of their files.
        """
        places: dict[tuple[bytes, int], list[int]] = defaultdict(list)
        for place, image in enumerate(images):
            places[bytes.fromhex(image.digest), image.key.frame].append(place)
        sizes = {image.size for image in images}
        for folder, here, records in self._tables:
            found = _found(records, sizes, places)
            if not found:
                continue
            try:
                rows = folder.map_rows(here, len(records))
            except (OSError, ValueError):  # written anew or removed since
                continue
            found = {key: row for key, row in found.items() if _is_whole(rows[row], records[row])}
            chosen = [images[place] for key in found for place in places[key]]
            at = [row for key, row in found.items() for _ in places[key]]
            if chosen:
                yield chosen, rows[at]
            for key in found:
                del places[key]


def _tables_like(
    description: TableDescription,
) -> Iterator[tuple[TableFolder, TableDescription, NDArray[Any]]]:
    """The tables as they are now, with the records of that generation."""
    for folder in all_tables():
        if folder.path.name != description.id:
            continue
        here = folder.description()
        if here is None or here.dims != description.dims or not _is_same(here, description):
            continue
        try:
            records = folder.read_records(here)
        except OSError:
            continue
        if len(records):
            yield folder, here, records


def _is_same(here: TableDescription, wanted: TableDescription) -> bool:
    one, two = here.input_map, wanted.input_map
    return is_same_input(one, two) or is_same_input(two, one)


def _is_whole(row: NDArray[np.float16], record: Any) -> bool:
    """Whether features reached the disk before its power failed."""
    return zlib.crc32(row.tobytes()) == int(record["checksum"])


def _found(
    records: NDArray[Any], sizes: Collection[int], wanted: Collection[tuple[bytes, int]]
) -> dict[tuple[bytes, int], int]:
    """The row of each wanted content that is among some records."""
    rows = np.flatnonzero(np.isin(records["size"], list(sizes)))
    found: dict[tuple[bytes, int], int] = {}
    for row in rows.tolist():
        key = records["digest"][row].tobytes(), int(records["frame"][row])
        if key in wanted and key[0] != _UNKNOWN:
            found[key] = row
    return found
