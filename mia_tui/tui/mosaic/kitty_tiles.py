"""The pictures of tiles in a kitty terminal: each sent once, then placed, moved and hidden with short sequences.

There are at most `MOST` of them, of `MOST_BYTES`. With more, all that are not on the screen are deleted together: in
kitty before 0.38.1 deleting one frees every image that is not on the screen anyway, another screen's tiles, too.
"""

from collections.abc import Iterable
from itertools import count
from weakref import WeakSet

from mia_tui.terminal.kitty import TILES
from mia_tui.terminal.model import Picture, Terminal
from mia_tui.terminal.pictures import forget_picture, hide_picture, stored_number

MOST, MOST_BYTES = 600, 96 << 20
"""What the terminal keeps, decoded; kitty itself keeps 320 MB."""

TILE_IDS = count(TILES)
"""Numbers for the pictures of all screens that show tiles, one over the other."""

_BYTES_PER_PX = 4

_all: "WeakSet[KittyTiles]" = WeakSet()  # of one terminal


class KittyTiles:
    """What the terminal holds, by its numbers.

    Args:
        terminal: Where they are.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._held: dict[int, Picture] = {}
        self._visible: dict[int, Picture] = {}
        self._bytes = 0
        _all.add(self)

    @property
    def is_used(self) -> bool:
        """Whether pictures are of this protocol."""
        return self._terminal.graphics == "kitty"

    def holds(self, picture: Picture) -> bool:
        """Whether placing it takes no more than its short sequence; always so where the protocol is another one."""
        return not picture.ahead or self._held.get(self._number(picture)) is picture

    def sending(self, picture: Picture) -> str:
        """What stores a picture in the terminal; empty if it is there."""
        if self.holds(picture):
            return ""
        room = self._make_room(picture)
        self._held[self._number(picture)] = picture
        self._bytes += _memory_bytes(picture)
        return room + picture.ahead

    def placed(self, picture: Picture) -> None:
        """It is on the screen now, where it stays when others are deleted."""
        if picture.ahead:
            self._visible[self._number(picture)] = picture

    def hiding_others(self, pictures: Iterable[Picture] = ()) -> str:
        """What takes all but these from the screen, and keeps them in the terminal."""
        staying = {self._number(picture) for picture in pictures}
        gone = [picture for number, picture in self._visible.items() if number not in staying]
        self._visible = {number: each for number, each in self._visible.items() if number in staying}
        return "".join(hide_picture(picture.image_id, self._terminal) for picture in gone)

    def refused(self, number: int) -> bool:
        """The terminal does not have this picture; returns whether it is one of these."""
        picture = self._held.pop(number, None)
        if picture is None:
            return False
        self._bytes -= _memory_bytes(picture)
        self._visible.pop(number, None)
        return True

    def forget(self) -> None:
        """The terminal holds nothing any more."""
        self._held.clear()
        self._visible.clear()
        self._bytes = 0

    def deleting_all(self) -> str:
        """What removes everything from the terminal."""
        deleting = "".join(map(self._deleting, self._held.values()))
        for each in _all if deleting else ():
            each.forget()
        return deleting

    def _make_room(self, picture: Picture) -> str:
        """What deletes all that is not on the screen, if there would be too many with this one."""
        if len(self._held) < MOST and self._bytes + _memory_bytes(picture) <= MOST_BYTES:
            return ""
        gone = [each for number, each in self._held.items() if number not in self._visible]
        self._held = dict(self._visible)
        self._bytes = sum(map(_memory_bytes, self._held.values()))
        for other in _all - {self} if gone else ():
            other.forget()
        return "".join(map(self._deleting, gone))

    def _deleting(self, picture: Picture) -> str:
        return forget_picture(picture.image_id, self._terminal)

    def _number(self, picture: Picture) -> int:
        return stored_number(picture.image_id, self._terminal)


def _memory_bytes(picture: Picture) -> int:
    """At most what the terminal keeps of a picture: pixels are never more than the cells have."""
    panel = picture.panel
    return picture.columns * panel.cell_width_px * picture.rows * panel.cell_height_px * _BYTES_PER_PX
