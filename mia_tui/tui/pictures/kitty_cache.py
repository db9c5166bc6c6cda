"""What kitty keeps: pictures that were sent once and are shown with a short sequence.

Few of them, and all are taken out together when there are too many. kitty
before 0.38.1 knows no other way: whatever deletes one image there also frees
every image that is not on the screen. Nothing is sent under a number that the
terminal still knows, either: kitty 0.26 then counts both images against its
quota (320 MB), and at the end of that frees all of them.

A terminal may forget a picture by itself, too. So what is held here is a
belief; `forget` ends it when the terminal says that it has no such picture.
"""

from collections import OrderedDict
from collections.abc import Callable

from mia_tui.terminal.model import Picture, Terminal
from mia_tui.terminal.pictures import forget_picture, stored_number
from mia_tui.tui.pictures.cache import Wish

KEPT = 16
KEPT_BYTES = 128 << 20
"""Decoded, as the terminal keeps them; of 4K panels, three."""

_BYTES_PER_PX = 4


class KittyImageCache:
    """The pictures in the terminal, by the wish that each fulfils.

    Args:
        terminal: Where they are.
        write: Sends bytes to it.
    """

    def __init__(self, terminal: Terminal, write: Callable[[str], None]) -> None:
        self._terminal, self._write = terminal, write
        self._held: OrderedDict[Wish, Picture] = OrderedDict()  # believed to be there
        self._sent: dict[int, Picture] = {}  # by number, all that were not taken out yet
        self._seen: int | None = None  # number of what is on the screen

    @property
    def wishes(self) -> tuple[Wish, ...]:
        return tuple(self._held)

    def __contains__(self, wish: Wish) -> bool:
        return wish in self._held

    def add(self, wish: Wish, picture: Picture) -> None:
        """A picture is about to be sent; what would be too much with it, or has its number, is taken out before."""
        number = self._number(picture)
        if number in self._sent or self._is_full(picture):
            self._take_out(keeping=None if number == self._seen else self._seen)
        self._held[wish] = picture
        self._sent[number] = picture

    def seen(self, wish: Wish) -> None:
        """This is on the screen now, if it is one of them: it stays when others are taken out."""
        if wish in self._held:
            self._seen = self._number(self._held[wish])

    def would_change(self, picture: Picture) -> bool:
        """Whether what is on the screen has the number of this picture, and would become it."""
        return self._number(picture) == self._seen

    def forget(self, wish: Wish) -> None:
        """A picture is not to be shown again; it is taken out with the next ones."""
        self._held.pop(wish, None)

    def clear(self) -> None:
        """The terminal may have forgotten all of them."""
        self._held.clear()

    def close(self) -> None:
        """Take everything out of the terminal."""
        self._take_out(keeping=None)

    def _is_full(self, picture: Picture) -> bool:
        pictures = (*self._sent.values(), picture)
        return len(pictures) > KEPT or sum(map(_memory_bytes, pictures)) > KEPT_BYTES

    def _take_out(self, *, keeping: int | None) -> None:
        """What is on the screen may stay; that it does is not believed: it may not have been painted yet."""
        self._held.clear()
        for number in [number for number in self._sent if number != keeping]:
            self._write(forget_picture(self._sent.pop(number).image_id, self._terminal))

    def _number(self, picture: Picture) -> int:
        return stored_number(picture.image_id, self._terminal)


def _memory_bytes(picture: Picture) -> int:
    """At most what the terminal keeps of a picture: pixels are never more than the cells have."""
    panel = picture.panel
    return picture.columns * panel.cell_width_px * picture.rows * panel.cell_height_px * _BYTES_PER_PX
