"""The pictures that a kitty terminal stores: sent once, then shown with a short sequence.

There are few of them, and all are deleted together when there are too many. In
kitty before 0.38.1 there is no other way: deleting one image also frees every
image that is not on the screen. Nor is anything sent under a number that is in
use: kitty 0.26 then counts both images against its quota (320 MB), and frees
all images when that is used up.

A terminal may also drop a picture by itself. `forget` is called when it says
that it has no such picture.
"""

from collections import OrderedDict
from collections.abc import Callable

from mia_tui.terminal.model import Picture, Terminal
from mia_tui.terminal.pictures import forget_picture, stored_number
from mia_tui.tui.pictures.cache import PictureRequest

KEPT = 16
KEPT_BYTES = 128 << 20
"""Decoded, as the terminal stores them: three pictures of 4K panels."""

_BYTES_PER_PX = 4


class KittyImageCache:
    """The pictures in the terminal, by request.

    Args:
        terminal: Where they are.
        write: Sends bytes to it.
    """

    def __init__(self, terminal: Terminal, write: Callable[[str], None]) -> None:
        self._terminal, self._write = terminal, write
        self._held: OrderedDict[PictureRequest, Picture] = OrderedDict()  # as far as is known
        self._sent: dict[int, Picture] = {}  # by number, all that were not deleted yet
        self._visible: int | None = None  # number of what is on the screen

    @property
    def requests(self) -> tuple[PictureRequest, ...]:
        return tuple(self._held)

    def __contains__(self, request: PictureRequest) -> bool:
        return request in self._held

    def add(self, request: PictureRequest, picture: Picture) -> None:
        """A picture is about to be sent; if there are too many then, or its number is in use, delete all first."""
        number = self._number(picture)
        if number in self._sent or self._is_full(picture):
            self._delete_all(keeping=None if number == self._visible else self._visible)
        self._held[request] = picture
        self._sent[number] = picture

    def painted(self, request: PictureRequest) -> None:
        """This is on the screen now, if it is one of them: it stays when the others are deleted."""
        if request in self._held:
            self._visible = self._number(self._held[request])

    def would_change(self, picture: Picture) -> bool:
        """Whether what is on the screen has the number of this picture, and would be replaced by it."""
        return self._number(picture) == self._visible

    def forget(self, request: PictureRequest) -> None:
        """Do not show a picture again; it is deleted with the next ones."""
        self._held.pop(request, None)

    def clear(self) -> None:
        """The terminal may have forgotten all of them."""
        self._held.clear()

    def close(self) -> None:
        """Delete everything from the terminal."""
        self._delete_all(keeping=None)

    def _is_full(self, picture: Picture) -> bool:
        pictures = (*self._sent.values(), picture)
        return len(pictures) > KEPT or sum(map(_memory_bytes, pictures)) > KEPT_BYTES

    def _delete_all(self, *, keeping: int | None) -> None:
        """Delete all but one number. Even that is not used again: it may not have been painted yet."""
        self._held.clear()
        for number in [number for number in self._sent if number != keeping]:
            self._write(forget_picture(self._sent.pop(number).image_id, self._terminal))

    def _number(self, picture: Picture) -> int:
        return stored_number(picture.image_id, self._terminal)


def _memory_bytes(picture: Picture) -> int:
    """At most what the terminal keeps of a picture: pixels are never more than the cells have."""
    panel = picture.panel
    return picture.columns * panel.cell_width_px * picture.rows * panel.cell_height_px * _BYTES_PER_PX
