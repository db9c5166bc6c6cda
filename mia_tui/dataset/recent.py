"""The datasets this user opened last, and the image they were at: one file in the user's state folder.

A line a visit, appended; the last mention of a dataset counts. Nothing fails
where the folder cannot be written, or the file is damaged: less is remembered.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.index import write_cache
from mia_tui.files import open_in_place, read
from mia_tui.paths import real_path, user_state
from mia_tui.records import BadRecord, Count, Frame, JsonReader, Text, Time
from mia_tui.text import decode_name, encode_name

MOST = 50
"""Datasets that are remembered."""

_FILE = "recent-datasets"
_PRIVATE = 0o600
_MOST_BYTES = 1 << 24
_LONGEST_BYTES = 64 << 10  # with lines of usual length, four times what MOST datasets take


@dataclass(frozen=True, kw_only=True)
class Recent:
    """A dataset that was opened.

    Attributes:
        path: Absolute.
        state: What was named with --state then; None if nothing.
        position: The image that was looked at last; None if none.
        images: How many there were; None where that was not known.
        labels: As `images`.
        at: When it was left, Unix seconds.
    """

    path: Path
    state: Path | None = None
    position: ImageKey | None = None
    images: int | None = None
    labels: int | None = None
    at: float = 0.0


class _Visit(msgspec.Struct, frozen=True, omit_defaults=True):
    """A visit as it is written; names in the form of `paths.encode_name`."""

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
    """Note a dataset as the one opened last. Silent where the user's folder cannot be written.

    Args:
        path: Its folder.
        state: What was named with --state.
        position: The image to come back to; None keeps what was noted before.
        images: How many it has; None keeps what was noted before.
        labels: As `images`.
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
    """The datasets of this user, the newest first, whether they are still there or not."""
    with suppress(OSError):
        return [_to_recent(line) for line in _newest(read(user_state() / _FILE, most_bytes=_MOST_BYTES))]
    return []


def last_position(path: Path) -> ImageKey | None:
    """The image at which a dataset was left; None where that is not known."""
    with suppress(OSError):
        known = _find(path)
        return None if known is None else known.position
    return None


def _find(path: Path) -> Recent | None:
    resolved = real_path(path)
    return next((known for known in recent_datasets() if known.path == resolved), None)


def _newest(content: bytes) -> list[_Visit]:
    """The last line of each dataset, the newest first; lines that were cut (a full disk) are passed over."""
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
