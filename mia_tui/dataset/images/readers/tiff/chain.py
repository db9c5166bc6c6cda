"""The chain of pages of a TIFF file, followed without reading the pages."""

import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import tifffile

from mia_tui.errors import DecodeError

MOST_PAGES = 1_000_000
_MOST_TAGS = 4096
_USUAL_TAGS = 24
_MOST_VALUE = 1 << 20
_NEW_SUBFILE_TYPE, _SUBFILE_TYPE, _DESCRIPTION = 254, 255, 270
_OLD_KINDS = {2: 1, 3: 2}  # of SubfileType, as NewSubfileType has them
_REDUCED, _MASK = 1, 4


@dataclass(frozen=True, eq=False)
class Walk:
    """How far a chain was followed: the places and kinds of its pages, the next place, and what finds a loop."""

    offsets: "array[int]"
    kinds: bytes
    following: int
    tortoise: tuple[int, int, int]


class PageChain:
    """Where the pages of a file begin. It is followed once, and only as far as somebody asks.

    tifffile takes a hundred times as long, and notices only some chains that lead back.

    Args:
        tiff: The file.
        name: Of the file, for messages.
        walk: How far it was followed earlier.
    """

    def __init__(self, tiff: tifffile.TiffFile, name: str, walk: "Walk | None" = None) -> None:
        self._layout, self._file, self._name = tiff.tiff, tiff.filehandle, name
        walk = walk or Walk(array("Q"), b"", int(tiff.pages[0].offset), (0, 0, 1))
        self._offsets, self._kinds, self._next = walk.offsets[:], bytearray(walk.kinds), walk.following
        self._tortoise, self._steps, self._until = walk.tortoise
        self._lost = 0  # where a page would be that lies behind the end of the file

    def walk(self) -> "Walk":
        """How far the chain was followed."""
        tortoise = (self._tortoise, self._steps, self._until)
        return Walk(self._offsets[:], bytes(self._kinds), self._next, tortoise)

    def __len__(self) -> int:
        while self._follow():
            pass
        return len(self._offsets)

    def offset(self, number: int) -> int:
        """Where a page begins.

        Raises:
            IndexError: If there is none of that number.
            DecodeError: If the chain leads back to an earlier page, or is too long.
        """
        if not self.has(number):
            raise IndexError(f"no page {number}")
        return self._offsets[number]

    def offsets(self) -> Sequence[int]:
        """Where all pages begin."""
        len(self)
        return self._offsets

    def has(self, number: int) -> bool:
        """Whether there is a page of this number."""
        while number >= len(self._offsets):
            if not self._follow():
                return False
        return number >= 0

    def is_reduced(self, number: int) -> bool:
        """Whether a page says it is a smaller copy of another."""
        self.offset(number)
        return bool(self._kinds[number] & _REDUCED)

    def is_image(self, number: int) -> bool:
        """Whether a page is neither a smaller copy nor a mask of another."""
        self.offset(number)
        return not self._kinds[number] & (_REDUCED | _MASK)

    def value(self, number: int, tag: int) -> bytes:
        """The value of a tag of a page, of which each item is a byte or character; nothing if there is none."""
        layout = self._layout
        entries, _ = self._entries(self.offset(number))
        inline = layout.offsetsize if layout.tagsize == 20 else 4
        for start in range(0, len(entries or b"") - layout.tagsize + 1, layout.tagsize):
            code, kind = struct.unpack_from(layout.byteorder + "HH", entries or b"", start)
            if code == tag and kind in (1, 2, 7):
                form = layout.byteorder + ("QQ" if inline == 8 else "II")
                size, place = struct.unpack_from(form, entries or b"", start + 4)
                if size <= inline:
                    return (entries or b"")[start + layout.tagsize - inline :][:size]
                self._file.seek(place)
                return self._file.read(min(size, _MOST_VALUE))
        return b""

    def check_end(self) -> None:
        """Refuse a file of one page whose next page and description both lie behind its end.

        Raises:
            DecodeError: If it is one: its page would pass for a grey image.
        """
        if len(self) == 1 and self._lost >= self._file.size and self._lacks_description():
            raise DecodeError(
                f"{self._name} is cut short: its further pages and what it says of them are missing.",
                "Copy it again.",
            )

    def _lacks_description(self) -> bool:
        layout = self._layout
        entries = self._entries(self.offset(0))[0] or b""
        for start in range(0, len(entries) - layout.tagsize + 1, layout.tagsize):
            if struct.unpack_from(layout.byteorder + "H", entries, start)[0] == _DESCRIPTION:
                form = layout.byteorder + ("QQ" if layout.tagsize == 20 else "II")
                size, place = struct.unpack_from(form, entries, start + 4)
                return bool(size > layout.offsetsize and place + size > self._file.size)
        return False

    def _follow(self) -> bool:
        """Look at the next page; False behind the last one."""
        offset, layout = self._next, self._layout
        if not 0 < offset < self._file.size:
            self._lost = max(self._lost, offset)
            return False
        self._next = 0
        entries, following = self._entries(offset)
        if entries is None:
            return False
        self._check_loop(offset)
        self._offsets.append(offset)
        self._kinds.append(self._kind(entries))
        if len(following) == layout.offsetsize:
            self._next = struct.unpack(layout.offsetformat, following)[0]
        return True

    def _entries(self, offset: int) -> tuple[bytes | None, bytes]:
        """The tags of a page, and where the next one is; None and nothing if there is no page."""
        layout, file = self._layout, self._file
        size, tag, end = layout.tagnosize, layout.tagsize, layout.offsetsize
        file.seek(offset)
        data = file.read(size + _USUAL_TAGS * tag + end)
        if len(data) < size:
            return None, b""
        tags = struct.unpack(layout.tagnoformat, data[:size])[0]
        if tags > _MOST_TAGS:
            return None, b""
        more = size + tags * tag + end - len(data)
        if more > 0:
            data += file.read(more)
        return data[size : size + tags * tag], data[size + tags * tag : size + tags * tag + end]

    def _kind(self, entries: bytes) -> int:
        order = self._layout.byteorder
        for start in range(0, min(len(entries), 2 * self._layout.tagsize), self._layout.tagsize):
            code, kind = struct.unpack_from(order + "HH", entries, start)
            if code not in (_NEW_SUBFILE_TYPE, _SUBFILE_TYPE) or kind not in (3, 4):
                continue
            place = start + (8 if self._layout.tagsize == 12 else 12)
            value = struct.unpack_from(order + ("H" if kind == 3 else "I"), entries, place)[0]
            value = value if code == _NEW_SUBFILE_TYPE else _OLD_KINDS.get(value, 0)
            if value:
                return int(value) & 0xFF
        return 0

    def _check_loop(self, offset: int) -> None:
        """Brent: the tortoise jumps to the page after 1, 2, 4, … steps."""
        if offset == self._tortoise:
            raise DecodeError(f"{self._name} is damaged: its pages lead back to an earlier one.")
        if len(self._offsets) >= MOST_PAGES:
            raise DecodeError(f"{self._name} has more than {MOST_PAGES:,} pages.")
        self._steps += 1
        if self._steps == self._until:
            self._tortoise, self._steps, self._until = offset, 0, self._until * 2
