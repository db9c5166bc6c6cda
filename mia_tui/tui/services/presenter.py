"""Decides which picture is painted when.

Never a second picture while one is on its way; the newest wish wins. On a slow
line a coarse picture goes first, the fine one when the person rests on the
image. With kitty the next image is sent ahead while nothing else is to do.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.pixels.looking import Look
from mia_tui.terminal.model import Panel, Picture, Terminal
from mia_tui.tui.services.link import ASK, Link
from mia_tui.tui.services.prefetch import Prefetch, Ready, Wish
from mia_tui.tui.services.stock import Stock

COARSE_S = 0.1  # what a coarse picture may take on its way
FINE_S = 0.3  # what its refinement may take
PART_S = 0.025  # what one part of it may take, where it has parts: a key's answer waits behind that
HURRY_S = 0.15  # images that follow each other so soon are passed over: a held key
REST_S = 0.25  # resting on an image so long, its refinement is sent
QUICK_BYTES = 48_000  # a coarse picture that is made at once, while sixel takes a tenth of a second
PAINTED_S = 0.015  # after so long a picture is painted, and the next ones may be made
AHEAD_S = 0.05
AHEAD_SLOW_S = 0.6
UNKNOWN_S = 0.12  # after so long the old picture gives way to a card that says what is being loaded

_PIECE_BYTES = 1 << 18
_STEP_BYTES = 1024  # budgets are rounded, so that a cached picture fits the next budget


Stage = Literal["nothing", "resting", "refining", "fine"]
"""Of the present image: nothing painted; a coarse picture, while the line rests; its refinement due; all done."""


@dataclass(frozen=True)
class Scene:
    """What is to be seen: an image, a look, a panel; `ahead` are likely next ones."""

    key: ImageKey
    look: Look
    panel: Panel
    ahead: tuple[ImageKey, ...] = ()


class Presenter:
    """Brings scenes to the screen.

    Args:
        prefetch: Makes the pictures.
        link: The line to the terminal.
        terminal: What it can do.
        paint: Paints what is ready (or its problem); with a number of bytes, only so much of it.
        more: Paints the next part; whether there was one.
        card: Says that an image is being loaded.
        write: Sends bytes to the terminal without painting.
        later: Calls a function after so many seconds, returning what cancels that.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        prefetch: Prefetch,
        link: Link,
        terminal: Terminal,
        *,
        paint: Callable[[Ready, int | None], None],
        more: Callable[[], bool],
        card: Callable[[ImageKey], None],
        write: Callable[[str], None],
        later: Callable[[float, Callable[[], None]], Callable[[], None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefetch, self._link, self._terminal = prefetch, link, terminal
        self._paint, self._more, self._card = paint, more, card
        self._write, self._later, self._clock = write, later, clock
        self._scene: Scene | None = None
        self._shown_at = -HURRY_S
        self._hurried = False
        self._stage: Stage = "nothing"
        self._painted: Wish | None = None
        self._cancels: list[Callable[[], None]] = []
        self._stock = Stock(terminal, write)
        self._chunks: list[str] = []  # of a picture that is being sent ahead
        link.on_free = self._step

    def show(self, scene: Scene) -> None:
        """Bring an image to the screen as soon as that can be; nothing is painted where it is there already."""
        old, self._scene = self._scene, scene
        if old is not None and replace(old, ahead=scene.ahead) == scene:
            if old != scene:
                self._order()
            return
        now = self._clock()
        self._hurried, self._shown_at = now - self._shown_at < HURRY_S, now
        self._stage = "nothing"
        self._painted = None
        self._cancel()
        if not self._step():
            self._order()
            self._after(UNKNOWN_S, self._give_way)

    def ready(self) -> None:
        """A picture was made."""
        self._step()

    def renew(self, key: ImageKey) -> None:
        """The file of an image is another one now: what was painted or sent of it is out of date."""
        stale = [wish for wish in self._stock.wishes if wish.key == key]
        if stale:
            self._flush()
        for wish in stale:
            self._stock.forget(wish)
        if self._scene is not None and self._scene.key == key:
            self._begin_anew()
            self._order()

    @property
    def held(self) -> tuple[Wish, ...]:
        """Pictures that the terminal holds (kitty)."""
        return self._stock.wishes

    def hide(self) -> None:
        """Stop painting: another screen lies over the picture."""
        self._flush()
        self._scene = None
        self._cancel()

    def _flush(self) -> None:
        """A picture that is begun must be sent to its end before anything else is said of pictures."""
        if self._chunks:
            self._write("".join(self._chunks))
            self._chunks.clear()

    def _step(self) -> bool:
        """Paint what is due, if it is there and the line is free; whether that was done."""
        if self._scene is None or self._link.busy:
            return False
        if self._chunks:
            self._send_chunk()
            return False
        if self._stage != "nothing" and self._more():
            return True
        due = [] if self._stage in ("resting", "fine") else self._due(self._scene)
        ready = next((ready for wish in due if (ready := self._prefetch.get(wish)) is not None), None)
        if ready is None or ready.wish == self._painted:
            return False
        if ready.picture is not None and not self._has_data(ready.wish, ready.picture):
            self._send(ready.wish, ready.picture)
            if self._chunks:
                return False
        self._present(self._scene, ready)
        return True

    def _present(self, scene: Scene, ready: Ready) -> None:
        self._cancel()
        self._painted = ready.wish
        self._stock.seen(ready.wish)
        self._paint(ready, self._link.budget(PART_S))
        if _fineness(ready.wish) >= _fineness(self._fine(scene)):
            self._stage = "fine"
            self._after(PAINTED_S, self._order)
            if self._terminal.graphics == "kitty":
                self._after(AHEAD_SLOW_S if self._link.is_slow else AHEAD_S, self._send_ahead)
        elif self._link.is_slow and self._stage == "nothing":
            self._stage = "resting"
            self._after(PAINTED_S, self._order)
            self._after(REST_S, self._refine)
        else:
            self._stage = "refining"
            self._order()

    def _due(self, scene: Scene) -> list[Wish]:
        """The pictures to paint now, the best of them that is ready.

        What the terminal holds already costs nothing. A slow line takes a coarse picture at first. Sixel takes
        so long to make that a coarse picture fills the time.
        """
        fine = self._fine(scene)
        if self._stage == "refining":
            return [fine]
        best = replace(fine, max_bytes=None)
        held = sorted(
            (wish for wish in self._stock.wishes if replace(wish, max_bytes=None) == best),
            key=_fineness,
            reverse=True,
        )
        if self._link.is_slow:
            return [*held, self._coarse(scene)]
        return [fine, *held, *([self._coarse(scene)] if self._terminal.graphics == "sixel" else [])]

    def _fine(self, scene: Scene) -> Wish:
        return Wish(scene.key, scene.look, scene.panel, self._budget(FINE_S))

    def _coarse(self, scene: Scene) -> Wish:
        """A first picture. iTerm2's have no parts: while a key is held they are as small as a part."""
        whole = self._terminal.graphics == "iterm2" and self._hurried
        size = self._budget(PART_S if whole else COARSE_S)
        return Wish(scene.key, scene.look, scene.panel, size or QUICK_BYTES)

    def _budget(self, seconds: float) -> int | None:
        size = self._link.budget(seconds)
        return None if size is None else max(_STEP_BYTES, size // _STEP_BYTES * _STEP_BYTES)

    def _order(self) -> None:
        """Have made what is due, then its refinement, then the likely next ones.

        These wait for the paint: their making would hold it up. On a slow line there is time for both.
        """
        scene = self._scene
        if scene is None:
            return
        slow, kitty = self._link.is_slow, self._terminal.graphics == "kitty"
        wishes: list[Wish] = []
        if self._stage == "nothing":
            wishes += reversed(self._due(scene))  # the quickest to make first
        if self._stage != "fine":
            wishes.append(self._fine(scene))
        for key in scene.ahead if slow or self._stage == "fine" else ():
            following = replace(scene, key=key)
            wishes += [self._coarse(following)] if slow else []
            wishes += [self._fine(following)] if kitty or not slow else []
        self._prefetch.want(list(dict.fromkeys(wishes)), shown=self._painted)

    def _refine(self) -> None:
        self._stage = "refining"
        self._order()
        self._step()

    def _give_way(self) -> None:
        if self._scene is not None and self._painted is None and not self._chunks:
            self._card(self._scene.key)

    def terminal_forgot(self) -> None:
        """The terminal holds no pictures any more: the app was stopped and goes on."""
        self._stock.clear()
        self._chunks.clear()
        if self._scene is not None:
            self._begin_anew()
            if not self._step():
                self._order()

    def _begin_anew(self) -> None:
        """What is on the screen is not the image any more."""
        self._stage, self._painted = "nothing", None
        self._cancel()

    def _has_data(self, wish: Wish, picture: Picture) -> bool:
        """Whether the terminal has all it needs to show a picture; but for kitty it always has."""
        return not picture.ahead or wish in self._stock

    def _send(self, wish: Wish, picture: Picture) -> None:
        """kitty: the image itself; on a slow line in pieces, so that keys are answered between them."""
        self._stock.add(wish, picture)
        if self._link.is_slow:
            self._chunks = list(picture.ahead_chunks)
            self._send_chunk()
        else:
            self._write(picture.ahead)
            self._link.also(len(picture.ahead))

    def _send_ahead(self) -> None:
        """kitty: send the next image while nothing else is to do, piece by piece."""
        scene = self._scene
        if scene is None or not scene.ahead:
            return
        if self._link.busy:
            self._after(AHEAD_S, self._send_ahead)
            return
        wish = self._fine(replace(scene, key=scene.ahead[0]))
        ready = self._prefetch.get(wish)
        if ready is None:
            self._order()  # the speed may have become another one since, and with it what is wanted
            self._after(AHEAD_S, self._send_ahead)
        elif ready.picture is not None and not self._has_data(wish, ready.picture):
            if self._painted in self._stock.namesakes(wish, ready.picture):
                return  # what is seen would become the next image; that one is sent when it is due
            self._stock.add(wish, ready.picture)
            self._chunks = list(ready.picture.ahead_chunks)
            self._send_chunk()

    def _send_chunk(self) -> None:
        """A few pieces, and the question whether they have arrived: a key's answer waits for no more."""
        wanted = self._link.budget(PART_S) or _PIECE_BYTES
        taken, size = 0, 0
        while taken < len(self._chunks) and size < wanted:
            size += len(self._chunks[taken])
            taken += 1
        self._write("".join(self._chunks[:taken]) + ASK)
        del self._chunks[:taken]
        self._link.sent(size)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._cancels.append(self._later(seconds, action))

    def _cancel(self) -> None:
        for cancel in self._cancels:
            cancel()
        self._cancels.clear()


def _fineness(wish: Wish) -> float:
    return float("inf") if wish.max_bytes is None else wish.max_bytes
