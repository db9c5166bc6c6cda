"""The list of images of the last visit, shown at once while a scan finds out what has changed.

There is one file for each dataset in the user's cache folder. It can be
recreated at any time, so if the folder cannot be written or a file is damaged,
the first picture only has to wait for the scan.
"""

import zlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from mia_tui.dataset.listing.arrays import ListingArrays
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.user_cache import MOST_CACHE_BYTES, cache_file, write_cache
from mia_tui.decoding import Count, decode_json
from mia_tui.files import read

_FIRST = b"mia-tui listing 2 %08x\n"  # the number is the checksum of everything after it
_KINDS = {
    "names": np.uint8,
    "ends": np.int64,
    "first_rows": np.int32,
    "sizes": np.int64,
    "mtimes_ns": np.int64,
    "folder_starts": np.int32,
    "stack_frames": np.int32,
}
_ALIGNED = 8  # bytes; arrays that are not aligned are slow


class _ListingHeader(msgspec.Struct):
    """The second line: the number of images, and the lengths of the arrays that follow."""

    images: Count
    lengths: dict[str, Count]


def load_listing(root: Path) -> Listing | None:
    """The images that a dataset had at the last visit; None if unknown."""
    file = cache_file(root, "listing", "bin")
    if file is None:
        return None
    try:
        content = read(file, most_bytes=MOST_CACHE_BYTES)
    except OSError:
        return None
    arrays = _read(content)
    return None if arrays is None else Listing(arrays)


def save_listing(root: Path, listing: Listing) -> None:
    """Save the images of a dataset for the next visit; errors are ignored."""
    file = cache_file(root, "listing", "bin")
    if file is None:
        return
    parts = listing.arrays
    arrays: list[NDArray[Any]] = [
        getattr(parts, name).astype(kind, copy=False) for name, kind in _KINDS.items()
    ]
    head = _ListingHeader(parts.images, dict(zip(_KINDS, map(len, arrays), strict=True)))
    content: list[bytes | memoryview] = [_padded(msgspec.json.encode(head) + b"\n", _FIRST % 0)]
    for array in arrays:  # not copied: that would take as much memory again
        content += [array.data, bytes(-array.nbytes % _ALIGNED)]
    checksum = 0
    for part in content:
        checksum = zlib.crc32(part, checksum)
    write_cache(file, _FIRST % checksum, *content)


def _padded(content: bytes, before: bytes) -> bytes:
    return content + bytes(-len(before + content) % _ALIGNED)


def _read(content: bytes) -> ListingArrays | None:
    start = len(_FIRST % 0)
    end = content.find(b"\n", start) + 1
    if not end or content[:start] != _FIRST % zlib.crc32(memoryview(content)[start:]):
        return None
    try:
        head = decode_json(content[start:end], _ListingHeader)
        start = end + -end % _ALIGNED
        arrays = {}
        for name, kind in _KINDS.items():
            arrays[name] = np.frombuffer(content, kind, head.lengths[name], start)
            start += arrays[name].nbytes + -arrays[name].nbytes % _ALIGNED
    except (KeyError, ValueError):  # complete, but of another version
        return None
    return ListingArrays(**arrays, images=head.images)
