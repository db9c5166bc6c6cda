"""Decides which picture is painted when.

Never a second picture while one is on its way; the newest wish wins. On a slow
line a coarse picture goes first, finer ones the longer the person rests on the
image, the best at last. With kitty the next image is sent ahead while nothing
else is to do.

Whatever happens (a picture is made or has arrived, the line turns out to be
another one, time passes) ends in `_update`, which works out from the state
what to paint, to order and to send now. Nothing is remembered of what was
meant to be painted: at another speed another picture is wanted.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from mia_tui.dataset.images.rendering import DisplaySettings
from mia_tui.dataset.model import ImageKey
from mia_tui.terminal.model import Panel, Picture, Terminal
from mia_tui.terminal.pictures import stored_number
from mia_tui.tui.pictures.cache import PictureCache, Ready, Wish
from mia_tui.tui.pictures.kitty_cache import KittyImageCache
from mia_tui.tui.pictures.link import ASK, Link

COARSE_S = 0.1  # what a coarse picture may take on its way
FINE_S = 0.3  # what its refinement may take
REST_S = 0.25  # resting on an image so long, its refinement is sent
LONG_REST_S = 1.0  # and so long, a better one, which may take longer; twice as long, a still better one
PART_S = 0.025  # what one part of it may take, where it has parts: a key's answer waits behind that
HURRY_S = 0.15  # images that follow each other so soon are passed over: a held key
QUICK_BYTES = 48_000  # a coarse picture that is made at once, while sixel takes a tenth of a second
PAINTED_S = 0.015  # after so long a picture is painted, and the next ones may be made
AHEAD_S = 0.05
AHEAD_SLOW_S = 0.6
UNKNOWN_S = 0.12  # after so long the old picture gives way to a card that says what is being loaded
MOST_REFUSALS = 3  # so often a picture is sent that the terminal does not keep

_PIECE_BYTES = 1 << 18
_STEP_BYTES = 1024  # budgets are rounded, so that a cached picture fits the next budget


@dataclass(frozen=True)
class Scene:
    """What is to be seen: an image, a look, a panel; `ahead` are likely next ones."""

    key: ImageKey
    look: DisplaySettings
    panel: Panel
    ahead: tuple[ImageKey, ...] = ()


class PictureScheduler:
    """Brings scenes to the screen.

    Args:
        prefetch: Makes the pictures.
        link: The line to the terminal.
        terminal: What it can do.
        paint: Paints what is ready (or its problem); with a number of bytes, only so much of it; whether a
            coarser picture of the same is there already.
        more: Paints the next part; whether there was one.
        card: Says that an image is being loaded.
        refused: Says that the terminal does not take an image.
        write: Sends bytes to the terminal without painting.
        later: Calls a function after so many seconds, returning what cancels that.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        prefetch: PictureCache,
        link: Link,
        terminal: Terminal,
        *,
        paint: Callable[[Ready, int | None, bool], None],
        more: Callable[[], bool],
        card: Callable[[ImageKey], None],
        refused: Callable[[ImageKey], None],
        write: Callable[[str], None],
        later: Callable[[float, Callable[[], None]], Callable[[], None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefetch, self._link, self._terminal = prefetch, link, terminal
        self._paint, self._more, self._card, self._say_refused = paint, more, card, refused
        self._write, self._later, self._clock = write, later, clock
        self._scene: Scene | None = None
        self._is_over = False
        self._shown_at = -HURRY_S
        self._hurried = False
        self._painted: Ready | None = None
        self._rests = 0  # how often the person has rested on it, each time for longer
        self._settled = True  # what was painted last is on its way: others may be made
        self._may_send_ahead = False
        self._refusals = 0  # of the present image, one after the other
        self._ordered: tuple[list[Wish], Wish | None] | None = None
        self._cancels: dict[Callable[[], None], Callable[[], None]] = {}  # of timers, by what they do
        self._stock = KittyImageCache(terminal, write)
        self._chunks: list[str] = []  # of a picture that is being sent
        link.on_free = self._arrived
        link.on_refused = self._refused

    def show(self, scene: Scene) -> None:
        """Bring an image to the screen as soon as that can be; nothing is painted where it is there already."""
        if self._is_over:
            return
        old, self._scene = self._scene, scene
        is_new = old is None or replace(old, ahead=scene.ahead) != scene
        if is_new:
            now = self._clock()
            self._hurried, self._shown_at = now - self._shown_at < HURRY_S, now
            self._refusals = 0
            self._begin_anew()
        if not self._update() and is_new:
            self._after(UNKNOWN_S, self._give_way)

    def ready(self) -> None:
        """A picture was made."""
        self._update()

    def renew(self, key: ImageKey) -> None:
        """The file of an image is another one now: what was painted or sent of it is out of date."""
        for wish in self._stock.wishes:
            if wish.key == key:
                self._stock.forget(wish)
        if self._scene is not None and self._scene.key == key:
            self._begin_anew()
            self._update()

    @property
    def held(self) -> tuple[Wish, ...]:
        """Pictures that the terminal holds (kitty)."""
        return self._stock.wishes

    def hide(self) -> None:
        """Stop painting: another screen lies over the picture."""
        self._flush()
        self.stop()

    def stop(self) -> None:
        """As `hide`, where nothing may be written any more."""
        self._scene = None
        self._ordered = None
        self._cancel()

    def terminal_forgot(self) -> None:
        """The terminal holds no pictures any more: the app was stopped and goes on."""
        self._flush()
        self._stock.clear()
        if self._scene is not None:
            self._begin_anew()
            self._update()

    def put_away(self) -> None:
        """Stop painting for good, and leave nothing in the terminal."""
        self.hide()
        self._stock.close()
        self._is_over = True

    # What happens

    def _arrived(self) -> None:
        """Nothing is on its way any more."""
        if self._painted is not None:
            self._refusals = 0
        self._update()

    def _refused(self, number: int) -> None:
        """kitty has no picture of this number, though it was sent; then others may be gone, too."""
        self._stock.clear()
        painted = self._painted
        if painted is None or painted.picture is None:
            return
        if stored_number(painted.picture.image_id, self._terminal) != number:
            return
        self._refusals += 1
        if self._refusals >= MOST_REFUSALS:
            self._cancel()
            self._say_refused(painted.wish.key)
            return
        self._begin_anew()
        self._update()

    def _settle(self) -> None:
        self._settled = True
        self._update()

    def _rest_on(self) -> None:
        """The person rests on a coarse picture: a finer one may take longer."""
        self._rests += 1
        self._after(LONG_REST_S * 2 ** (self._rests - 1), self._rest_on)
        self._update()

    def _look_ahead(self) -> None:
        self._may_send_ahead = True
        self._update()

    def _give_way(self) -> None:
        if self._scene is not None and self._painted is None and not self._chunks:
            self._card(self._scene.key)

    # What follows

    def _begin_anew(self) -> None:
        """What is on the screen is not the image."""
        self._painted, self._ordered = None, None
        self._rests, self._settled, self._may_send_ahead = 0, True, False
        self._cancel()

    def _update(self) -> bool:
        """Do what is due in the present state; whether something was painted."""
        if self._scene is None:
            return False
        painted = not self._link.busy and self._advance(self._scene)
        self._order(self._scene)
        return painted

    def _advance(self, scene: Scene) -> bool:
        """Use the free line for one thing; whether that was a picture."""
        if self._chunks:
            self._send_chunk()
            return False
        if self._painted is not None and self._more():
            return True
        ready = next(
            (ready for wish in self._due(scene) if (ready := self._prefetch.get(wish)) is not None), None
        )
        if ready is None:
            self._send_ahead(scene)
            return False
        if ready.picture is not None and not self._has_data(ready.wish, ready.picture):
            self._send(ready.wish, ready.picture)
            if self._chunks:
                return False
        self._present(ready)
        return True

    def _present(self, ready: Ready) -> None:
        self._stop(self._give_way)
        first, self._painted = self._painted is None, ready
        self._settled = self._may_send_ahead = False
        self._stock.seen(ready.wish)
        self._paint(ready, self._link.budget(PART_S), not first)
        self._after(PAINTED_S, self._settle)
        if self._terminal.graphics == "kitty":
            self._after(AHEAD_SLOW_S if self._link.is_slow else AHEAD_S, self._look_ahead)
        if not _is_coarse(ready):
            self._stop(self._rest_on)
        elif first:
            self._after(REST_S, self._rest_on)

    def _due(self, scene: Scene) -> list[Wish]:
        """The pictures to paint now, if they are better than what is there; the best first.

        What the terminal holds already costs nothing. A slow line takes a coarse picture at first. Sixel takes
        so long to make that a coarse picture fills the time.
        """
        if self._is_fine(scene):
            return []
        best = Wish(scene.key, scene.look, scene.panel)
        held = sorted(
            (wish for wish in self._stock.wishes if replace(wish, max_bytes=None) == best),
            key=_fineness,
            reverse=True,
        )
        if self._link.is_slow and not self._rests:
            due = [*held, self._coarse(scene)]
        else:
            due = [
                self._fine(scene),
                *held,
                *([self._coarse(scene)] if self._terminal.graphics == "sixel" else []),
            ]
        painted = -1.0 if self._painted is None else _fineness(self._painted.wish)
        return [wish for wish in due if _fineness(wish) > painted]

    def _is_fine(self, scene: Scene) -> bool:
        """Whether what is painted is as good as may be by now."""
        painted = self._painted
        return painted is not None and (
            not _is_coarse(painted) or _fineness(painted.wish) >= _fineness(self._fine(scene))
        )

    def _fine(self, scene: Scene) -> Wish:
        """The best picture for as long as the person has rested on it.

        After a long rest, that is all there is to see where pictures have parts: keys are answered between them.
        Others may take about as long as was rested already: who labels an image a second never waits, and who looks
        for long sees all. It grows so fast since the speed may be measured wrong: xterm on a busy machine takes
        half blocks at 15 kB/s, and sixel much faster.
        """
        longer = max(0, self._rests - 1)
        in_parts = self._terminal.graphics in ("half", "kitty")
        size = (
            None if longer and in_parts else self._budget(FINE_S * (2 * 3 ** (longer - 1) if longer else 1))
        )
        return Wish(scene.key, scene.look, scene.panel, size)

    def _coarse(self, scene: Scene) -> Wish:
        """A first picture. iTerm2's have no parts: while a key is held they are as small as a part."""
        whole = self._terminal.graphics == "iterm2" and self._hurried
        size = self._budget(PART_S if whole else COARSE_S)
        return Wish(scene.key, scene.look, scene.panel, size or QUICK_BYTES)

    def _ahead(self, scene: Scene, key: ImageKey) -> Wish:
        """The picture of an image that is likely to be the next: no more than is sent of it at first."""
        return Wish(key, scene.look, scene.panel, self._budget(FINE_S))

    def _budget(self, seconds: float) -> int | None:
        size = self._link.budget(seconds)
        return None if size is None else max(_STEP_BYTES, size // _STEP_BYTES * _STEP_BYTES)

    def _order(self, scene: Scene) -> None:
        """Have made what is due, then its refinement, then the likely next ones.

        These wait for the paint: their making would hold it up. On a slow line there is time for both.
        """
        slow, kitty, fine = self._link.is_slow, self._terminal.graphics == "kitty", self._is_fine(scene)
        if not self._settled and (slow or fine):
            return
        wishes = list(reversed(self._due(scene)))  # the quickest to make first
        if not fine:
            wishes.append(self._fine(scene))
        for key in scene.ahead if slow or fine else ():
            wishes += [self._coarse(replace(scene, key=key))] if slow else []
            wishes += [self._ahead(scene, key)] if kitty or not slow else []
        order = list(dict.fromkeys(wishes)), None if self._painted is None else self._painted.wish
        if order != self._ordered:
            self._ordered = order
            self._prefetch.want(order[0], shown=order[1])

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

    def _send_ahead(self, scene: Scene) -> None:
        """kitty: send the next image while nothing else is to do, piece by piece."""
        if not (self._may_send_ahead and scene.ahead and self._is_fine(scene)):
            return
        ready = self._prefetch.get(self._ahead(scene, scene.ahead[0]))
        if ready is None or ready.picture is None or self._has_data(ready.wish, ready.picture):
            return
        if not self._stock.would_change(ready.picture):  # else it is sent when it is due
            self._stock.add(ready.wish, ready.picture)
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

    def _flush(self) -> None:
        """A picture that is begun must be sent to its end before anything else is said of pictures."""
        if self._chunks:
            self._write("".join(self._chunks))
            self._chunks.clear()

    # Timers: one for each thing to do

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._stop(action)
        self._cancels[action] = self._later(seconds, action)

    def _stop(self, action: Callable[[], None]) -> None:
        if action in self._cancels:
            self._cancels.pop(action)()

    def _cancel(self) -> None:
        for cancel in self._cancels.values():
            cancel()
        self._cancels.clear()


def _fineness(wish: Wish) -> float:
    return float("inf") if wish.max_bytes is None else wish.max_bytes


def _is_coarse(ready: Ready) -> bool:
    """Whether less is painted of an image than can be."""
    return ready.picture is not None and ready.picture.is_coarse and ready.wish.max_bytes is not None
