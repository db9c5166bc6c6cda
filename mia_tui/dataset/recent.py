"""The datasets that this user opened last, and the image they were at: one file in the user's state folder.

Each visit appends a line; the last line of a dataset counts. If the folder
cannot be written or the file is damaged, nothing fails: less is remembered.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.user_cache import write_cache
from mia_tui.decoding import BadRecord, Count, Frame, JsonReader, Text, Time
from mia_tui.files import open_in_place, read
from mia_tui.paths import real_path, user_state
from mia_tui.text import decode_name, encode_name

MOST = 50
"""Number of datasets that are remembered."""

_FILE = "recent-datasets"
_PRIVATE = 0o600
_MOST_BYTES = 1 << 24
_LONGEST_BYTES = 64 << 10  # with lines of usual length, four times what MOST datasets need


@dataclass(frozen=True, kw_only=True)
class Recent:
    """A dataset that was opened.

    Attributes:
        path: Absolute.
        state: The folder given with --state; None if none.
        position: The current image when it was left; None if none.
        images: Number of images; None if unknown.
        labels: Number of labels; None if unknown.
        at: When it was left, Unix seconds.
    """

    path: Path
    state: Path | None = None
    position: ImageKey | None = None
    images: int | None = None
    labels: int | None = None
    at: float = 0.0


class _Visit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A visit as it is written; names in the form of `text.encode_name`."""

    path: Text
    at: Time
    state: Text | None = None
    image: Text | None = None
    frame: Frame = 0
    images: Count | None = None
    labels: Count | None = None


_VISIT = JsonReader(_Visit)


def remember_dataset(
    path: Path,
    state: Path | None,
    position: ImageKey | None,
    *,
    images: int | None = None,
    labels: int | None = None,
) -> None:
    """Store a dataset as the one opened last; errors are ignored.

    Args:
        path: Its folder.
        state: The folder given with --state.
        position: The image to return to; None keeps the stored one.
        images: Number of images; None keeps the stored one.
        labels: Number of labels; None keeps the stored one.
    """
    with suppress(OSError):
        known = _find(path)
        if known is not None:
            position = known.position if position is None else position
            images = known.images if images is None else images
            labels = known.labels if labels is None else labels
        line = _Visit(
            encode_name(str(real_path(path))),
            time.time(),
            None if state is None else encode_name(str(real_path(state))),
            None if position is None else encode_name(position.path),
            0 if position is None else position.frame,
            images,
            labels,
        )
        file = user_state() / _FILE
        with os.fdopen(open_in_place(file, append=True, mode=_PRIVATE), "wb") as lines:
            lines.write(msgspec.json.encode(line) + b"\n")
        if file.stat().st_size > _LONGEST_BYTES:
            _shorten(file)


def recent_datasets() -> list[Recent]:
    """The datasets of this user, the newest first, whether they still exist or not."""
    with suppress(OSError):
        return [_to_recent(line) for line in _newest(read(user_state() / _FILE, most_bytes=_MOST_BYTES))]
    return []


def last_position(path: Path) -> ImageKey | None:
    """The image at which a dataset was left; None if unknown."""
    with suppress(OSError):
        known = _find(path)
        return None if known is None else known.position
    return None


def _find(path: Path) -> Recent | None:
    resolved = real_path(path)
    return next((known for known in recent_datasets() if known.path == resolved), None)


def _newest(content: bytes) -> list[_Visit]:
    """The last line of each dataset, the newest first; incomplete lines (a full disk) are skipped."""
    lines: dict[str, _Visit] = {}
    for line in _decoded(reversed(content.splitlines())):
        lines.setdefault(line.path, line)
        if len(lines) == MOST:
            break
    return list(lines.values())


def _decoded(lines: Iterator[bytes]) -> Iterator[_Visit]:
    for line in lines:
        with suppress(BadRecord):
            yield _VISIT.decode(line)


def _shorten(file: Path) -> None:
    kept = reversed(_newest(read(file, most_bytes=_MOST_BYTES)))
    write_cache(file, b"".join(msgspec.json.encode(line) + b"\n" for line in kept))


def _to_recent(line: _Visit) -> Recent:
    return Recent(
        path=Path(decode_name(line.path)),
        state=None if line.state is None else Path(decode_name(line.state)),
        position=None if line.image is None else ImageKey(decode_name(line.image), line.frame),
        images=line.images,
        labels=line.labels,
        at=line.at,
    )
