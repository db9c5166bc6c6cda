"""What kitty keeps: pictures that were sent once and are shown with a short sequence.

Few of them, and no two under one number: inside tmux there are 255 numbers, so
a picture made long ago may have that of a new one, and would turn into it.
"""

from collections import OrderedDict
from collections.abc import Callable

from mia_tui.terminal.model import Picture, Terminal
from mia_tui.terminal.pictures import forget_picture, stored_number
from mia_tui.tui.services.prefetch import Wish

_KEPT = 8


class Stock:
    """The pictures in the terminal, by the wish that each fulfils.

    Args:
        terminal: Where they are.
        write: Sends bytes to it.
    """

    def __init__(self, terminal: Terminal, write: Callable[[str], None]) -> None:
        self._terminal, self._write = terminal, write
        self._held: OrderedDict[Wish, Picture] = OrderedDict()

    @property
    def wishes(self) -> tuple[Wish, ...]:
        return tuple(self._held)

    def __contains__(self, wish: Wish) -> bool:
        return wish in self._held

    def add(self, wish: Wish, picture: Picture) -> None:
        """A picture is being sent; what has its number, or is too much, is forgotten."""
        for namesake in self.namesakes(wish, picture):
            self.forget(namesake)
        self._held[wish] = picture
        while len(self._held) > _KEPT:
            self.forget(next(iter(self._held)))

    def seen(self, wish: Wish) -> None:
        """What is on the screen is the last to be forgotten."""
        if wish in self._held:
            self._held.move_to_end(wish)

    def forget(self, wish: Wish) -> None:
        """Take a picture out of the terminal."""
        self._write(forget_picture(self._held.pop(wish).image_id, self._terminal))

    def namesakes(self, wish: Wish, picture: Picture) -> list[Wish]:
        """Other pictures under the number of this one, which it would replace."""
        number = stored_number(picture.image_id, self._terminal)
        return [
            other
            for other, held in self._held.items()
            if other != wish and stored_number(held.image_id, self._terminal) == number
        ]

    def clear(self) -> None:
        """The terminal has forgotten all by itself."""
        self._held.clear()
