"""Decides which picture is painted when.

There is never a second picture while one is on its way; the newest target wins.
On a slow connection a coarse picture is sent first, finer ones the longer the
person stays on the image, and the finest last. With kitty the next image is sent
ahead while there is nothing else to do.

Whatever happens (a picture was made or has arrived, the measured speed changed,
time passed) ends in `_update`, which decides from the state what to paint, to
request and to send now. Plans are never stored: at another speed another picture
is the right one.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from mia_tui.dataset.images.rendering import DisplaySettings
from mia_tui.dataset.model import ImageKey
from mia_tui.terminal.model import Panel, Picture, Terminal
from mia_tui.terminal.pictures import stored_number
from mia_tui.tui.pictures.cache import PictureCache, PictureRequest, PictureResult
from mia_tui.tui.pictures.flow_control import ASK, FlowControl
from mia_tui.tui.pictures.kitty_cache import KittyImageCache

COARSE_S = 0.1  # the time that sending a coarse picture may take
FINE_S = 0.3  # the time that sending its refinement may take
REST_S = 0.25  # after so long on an image its refinement is sent
LONG_REST_S = (
    1.0  # and after so long a finer one, which may take longer; after twice as long a still finer one
)
PART_S = 0.025  # the time that one part may take, if it has parts: the answer to a key waits for that
HURRY_S = 0.15  # images that follow each other faster than this are skipped: a key is held
QUICK_BYTES = 48_000  # a coarse picture that is made at once, while sixel takes a tenth of a second
PAINTED_S = 0.015  # after so long a picture is painted, and the next ones may be made
AHEAD_S = 0.05
AHEAD_SLOW_S = 0.6
UNKNOWN_S = 0.12  # after so long the old picture is replaced by a card that says what is being loaded
MOST_REFUSALS = 3  # so often a picture is sent again that the terminal does not keep

_PIECE_BYTES = 1 << 18
_STEP_BYTES = 1024  # budgets are rounded, so that a cached picture can be used with the next budget


@dataclass(frozen=True)
class DisplayTarget:
    """What to show: an image, its view settings, the panel; `ahead` are images that are likely next."""

    key: ImageKey
    display: DisplaySettings
    panel: Panel
    ahead: tuple[ImageKey, ...] = ()

    def of(self, key: ImageKey) -> "DisplayTarget":
        """Another image in the same way; a heat map is of one image."""
        return replace(self, key=key, display=replace(self.display, heat=None))


class PictureScheduler:
    """Shows one target after the other.

    Args:
        picture_cache: Makes the pictures.
        flow_control: Knows what is on its way to the terminal.
        terminal: What it can do.
        paint: Paints a result (or its problem). With a number of bytes, paints only so much of it; the last
            argument is whether a coarser picture of the same image is there already.
        paint_next_part: Paints the next part; returns whether there was one.
        card: Says that an image is being loaded.
        refused: Says that the terminal does not keep an image.
        write: Sends bytes to the terminal without painting.
        later: Calls a function after so many seconds, returning what cancels that.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        picture_cache: PictureCache,
        flow_control: FlowControl,
        terminal: Terminal,
        *,
        paint: Callable[[PictureResult, int | None, bool], None],
        paint_next_part: Callable[[], bool],
        card: Callable[[ImageKey], None],
        refused: Callable[[ImageKey], None],
        write: Callable[[str], None],
        later: Callable[[float, Callable[[], None]], Callable[[], None]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._picture_cache, self._flow_control, self._terminal = picture_cache, flow_control, terminal
        self._paint, self._paint_next_part = paint, paint_next_part
        self._card, self._say_refused = card, refused
        self._write, self._later, self._clock = write, later, clock
        self._target: DisplayTarget | None = None
        self._is_over = False
        self._shown_at = -HURRY_S
        self._hurried = False
        self._painted: PictureResult | None = None
        self._rests = 0  # how often the person stayed on it for another while, each time longer
        self._settled = True  # the last paint is over: other pictures may be made
        self._may_send_ahead = False
        self._refusals = 0  # of the present image, one after the other
        self._requested: tuple[list[PictureRequest], PictureRequest | None] | None = None
        self._cancels: dict[Callable[[], None], Callable[[], None]] = {}  # of timers, by what they do
        self._kitty_cache = KittyImageCache(terminal, write)
        self._chunks: list[str] = []  # of a picture that is being sent
        flow_control.on_free = self._arrived
        flow_control.on_refused = self._refused

    def show(self, target: DisplayTarget) -> None:
        """Show an image as soon as possible; nothing is painted if it is there already."""
        if self._is_over:
            return
        old, self._target = self._target, target
        is_new = old is None or replace(old, ahead=target.ahead) != target
        if is_new:
            now = self._clock()
            self._hurried, self._shown_at = now - self._shown_at < HURRY_S, now
            self._refusals = 0
            self._start_over()
        if not self._update() and is_new:
            self._after(UNKNOWN_S, self._give_way)

    def ready(self) -> None:
        """A picture was made."""
        self._update()

    def renew(self, key: ImageKey) -> None:
        """The file of an image changed: what was painted or sent of it is out of date."""
        for request in self._kitty_cache.requests:
            if request.key == key:
                self._kitty_cache.forget(request)
        if self._target is not None and self._target.key == key:
            self._start_over()
            self._update()

    def hide(self) -> None:
        """Stop painting: another screen covers the picture."""
        self._flush()
        self.stop()

    def stop(self) -> None:
        """As `hide`, but nothing is written any more."""
        self._target = None
        self._requested = None
        self._cancel()

    def terminal_forgot(self) -> None:
        """The terminal holds no pictures any more: the app was suspended and resumed."""
        self._flush()
        self._kitty_cache.clear()
        if self._target is not None:
            self._start_over()
            self._update()

    def put_away(self) -> None:
        """Stop painting for good, and delete all pictures from the terminal."""
        self.hide()
        self._kitty_cache.close()
        self._is_over = True

    # What happens

    def _arrived(self) -> None:
        """Nothing is on its way any more."""
        if self._painted is not None:
            self._refusals = 0
        self._update()

    def _refused(self, number: int) -> None:
        """kitty has no picture of this number, though it was sent; others may be gone as well."""
        self._kitty_cache.clear()
        painted = self._painted
        if painted is None or painted.picture is None:
            return
        if stored_number(painted.picture.image_id, self._terminal) != number:
            return
        self._refusals += 1
        if self._refusals >= MOST_REFUSALS:
            self._cancel()
            self._say_refused(painted.request.key)
            return
        self._start_over()
        self._update()

    def _settle(self) -> None:
        self._settled = True
        self._update()

    def _rest_on(self) -> None:
        """The person stays on a coarse picture: a finer one may take longer."""
        self._rests += 1
        self._after(LONG_REST_S * 2 ** (self._rests - 1), self._rest_on)
        self._update()

    def _look_ahead(self) -> None:
        self._may_send_ahead = True
        self._update()

    def _give_way(self) -> None:
        if self._target is not None and self._painted is None and not self._chunks:
            self._card(self._target.key)

    # What to do next

    def _start_over(self) -> None:
        """The target is not on the screen yet."""
        self._painted, self._requested = None, None
        self._rests, self._settled, self._may_send_ahead = 0, True, False
        self._cancel()

    def _update(self) -> bool:
        """Do what is due in the present state; returns whether something was painted."""
        if self._target is None:
            return False
        painted = not self._flow_control.busy and self._advance(self._target)
        self._request(self._target)
        return painted

    def _advance(self, target: DisplayTarget) -> bool:
        """Use the free connection for one thing; returns whether that was a picture."""
        if self._chunks:
            self._send_chunk()
            return False
        if self._painted is not None and self._paint_next_part():
            return True
        result = next(
            (
                result
                for request in self._due(target)
                if (result := self._picture_cache.get(request)) is not None
            ),
            None,
        )
        if result is None:
            self._send_ahead(target)
            return False
        if result.picture is not None and not self._has_data(result.request, result.picture):
            self._send(result.request, result.picture)
            if self._chunks:
                return False
        self._present(result)
        return True

    def _present(self, result: PictureResult) -> None:
        self._stop(self._give_way)
        first, self._painted = self._painted is None, result
        self._settled = self._may_send_ahead = False
        self._kitty_cache.painted(result.request)
        self._paint(result, self._flow_control.budget(PART_S), not first)
        self._after(PAINTED_S, self._settle)
        if self._terminal.graphics == "kitty":
            self._after(AHEAD_SLOW_S if self._flow_control.is_slow else AHEAD_S, self._look_ahead)
        if not _is_coarse(result):
            self._stop(self._rest_on)
        elif first:
            self._after(REST_S, self._rest_on)

    def _due(self, target: DisplayTarget) -> list[PictureRequest]:
        """The pictures to paint now, if they are finer than what is there; the finest first.

        What the terminal holds already costs nothing. On a slow connection a coarse picture comes first. Sixel
        takes so long to encode that a coarse picture is shown meanwhile.
        """
        if self._is_fine(target):
            return []
        best = PictureRequest(target.key, target.display, target.panel)
        held = sorted(
            (request for request in self._kitty_cache.requests if replace(request, max_bytes=None) == best),
            key=_fineness,
            reverse=True,
        )
        if self._flow_control.is_slow and not self._rests:
            due = [*held, self._coarse(target)]
        else:
            due = [
                self._fine(target),
                *held,
                *([self._coarse(target)] if self._terminal.graphics == "sixel" else []),
            ]
        painted = -1.0 if self._painted is None else _fineness(self._painted.request)
        return [request for request in due if _fineness(request) > painted]

    def _is_fine(self, target: DisplayTarget) -> bool:
        """Whether what is painted is as fine as it may be by now."""
        painted = self._painted
        return painted is not None and (
            not _is_coarse(painted) or _fineness(painted.request) >= _fineness(self._fine(target))
        )

    def _fine(self, target: DisplayTarget) -> PictureRequest:
        """The finest picture for the time that the person has stayed on the image.

        After a while that is the finest possible one if pictures have parts: keys are answered between them. Others
        may take about as long as the person has stayed already: a person who labels an image a second never waits,
        and one who stays longer gets the finest. The size grows so fast because the speed may be measured wrong:
        xterm on a busy machine takes half blocks at 15 kB/s, and sixel much faster.
        """
        longer = max(0, self._rests - 1)
        in_parts = self._terminal.graphics in ("half", "kitty")
        size = (
            None if longer and in_parts else self._budget(FINE_S * (2 * 3 ** (longer - 1) if longer else 1))
        )
        return PictureRequest(target.key, target.display, target.panel, size)

    def _coarse(self, target: DisplayTarget) -> PictureRequest:
        """A first picture. iTerm2's have no parts: while a key is held, they are as small as a part."""
        whole = self._terminal.graphics == "iterm2" and self._hurried
        size = self._budget(PART_S if whole else COARSE_S)
        return PictureRequest(target.key, target.display, target.panel, size or QUICK_BYTES)

    def _ahead(self, target: DisplayTarget, key: ImageKey) -> PictureRequest:
        """The picture of an image that is likely next: only as much as is sent of it at first."""
        return PictureRequest(key, target.of(key).display, target.panel, self._budget(FINE_S))

    def _budget(self, seconds: float) -> int | None:
        size = self._flow_control.budget(seconds)
        return None if size is None else max(_STEP_BYTES, size // _STEP_BYTES * _STEP_BYTES)

    def _request(self, target: DisplayTarget) -> None:
        """Request what is due, then its refinement, then the images that are likely next.

        These wait for the paint, since making them would delay it. On a slow connection there is time for both.
        """
        slow, kitty, fine = (
            self._flow_control.is_slow,
            self._terminal.graphics == "kitty",
            self._is_fine(target),
        )
        if not self._settled and (slow or fine):
            return
        requests = list(reversed(self._due(target)))  # the quickest to make first
        if not fine:
            requests.append(self._fine(target))
        for key in target.ahead if slow or fine else ():
            requests += [self._coarse(target.of(key))] if slow else []
            requests += [self._ahead(target, key)] if kitty or not slow else []
        order = list(dict.fromkeys(requests)), None if self._painted is None else self._painted.request
        if order != self._requested:
            self._requested = order
            self._picture_cache.want(order[0], shown=order[1])

    def _has_data(self, request: PictureRequest, picture: Picture) -> bool:
        """Whether the terminal has all it needs to show a picture; only kitty may not."""
        return not picture.ahead or request in self._kitty_cache

    def _send(self, request: PictureRequest, picture: Picture) -> None:
        """kitty: send the image itself; on a slow connection in pieces, so that keys are answered between them."""
        self._kitty_cache.add(request, picture)
        if self._flow_control.is_slow:
            self._chunks = list(picture.ahead_chunks)
            self._send_chunk()
        else:
            self._write(picture.ahead)
            self._flow_control.sent_before(len(picture.ahead))

    def _send_ahead(self, target: DisplayTarget) -> None:
        """kitty: send the next image piece by piece while there is nothing else to do."""
        if not (self._may_send_ahead and target.ahead and self._is_fine(target)):
            return
        result = self._picture_cache.get(self._ahead(target, target.ahead[0]))
        if result is None or result.picture is None or self._has_data(result.request, result.picture):
            return
        if not self._kitty_cache.would_change(result.picture):  # else it is sent when it is due
            self._kitty_cache.add(result.request, result.picture)
            self._chunks = list(result.picture.ahead_chunks)
            self._send_chunk()

    def _send_chunk(self) -> None:
        """Send a few pieces, and the question whether they have arrived: the answer to a key waits for no more."""
        wanted = self._flow_control.budget(PART_S) or _PIECE_BYTES
        taken, size = 0, 0
        while taken < len(self._chunks) and size < wanted:
            size += len(self._chunks[taken])
            taken += 1
        self._write("".join(self._chunks[:taken]) + ASK)
        del self._chunks[:taken]
        self._flow_control.sent(size)

    def _flush(self) -> None:
        """Finish a picture that is partly sent: nothing else about pictures may be written before that."""
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


def _fineness(request: PictureRequest) -> float:
    return float("inf") if request.max_bytes is None else request.max_bytes


def _is_coarse(result: PictureResult) -> bool:
    """Whether a finer picture of the image is possible."""
    return result.picture is not None and result.picture.is_coarse and result.request.max_bytes is not None
