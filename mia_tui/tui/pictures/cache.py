"""Pictures made ahead of time, in a thread or two, the newest wish first.

A wish says image, look, panel and how many bytes it may have; what is made
lies in a cache. Decoded pixels are kept apart from encoded pictures: a coarse
picture, its refinement and another size of the same image decode it once.

A file may become another one while the app is open. So what is wished for
again is looked at again, and made anew where size or time are others now; the
file of the image on the screen is looked at each second.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from mia_tui.dataset.images.rendering import (
    DisplaySettings,
    LoadedImage,
    RenderedImage,
    load_image,
    render_image,
)
from mia_tui.dataset.model import ImageKey
from mia_tui.errors import DecodeError
from mia_tui.terminal.model import Panel, Picture, Terminal
from mia_tui.terminal.pictures import draw_picture, useful_px
from mia_tui.tui.pictures.preload import Preload

_PICTURE_BYTES = 64 << 20
_SHOWN_S = 1.0  # the file of what is on the screen is looked at so often
_VIEWS = 24  # of at most a panel's pixels each, 3 MB


@dataclass(frozen=True)
class Wish:
    """A picture that is wanted; `max_bytes` None is the best there is."""

    key: ImageKey
    look: DisplaySettings
    panel: Panel
    max_bytes: int | None = None


Stamp = tuple[int, int] | None
"""Time and size of a file; None where it cannot be looked at."""


@dataclass(frozen=True)
class Ready:
    """A wish come true, or why it cannot.

    Attributes:
        view: What the picture shows of the image; None where it cannot be read.
        problem: Why there is no picture, as a sentence.
        missing: Whether that is because the file is gone.
        stamp: Of the file that it was made from.
    """

    wish: Wish
    picture: Picture | None
    view: RenderedImage | None
    problem: str | None = None
    missing: bool = False
    stamp: Stamp = None


class PictureCache:
    """Makes pictures.

    Args:
        root: Folder of the dataset.
        terminal: What pictures are for.
        threads: One leaves a core of two to the app; encoders release the interpreter's lock.
        on_ready: Called in a thread of the prefetch for each picture made.
        max_megapixels: Larger images are not read.
        on_changed: Called in a thread when the file of an image is found to be another one than its pictures
            were made from; they are not kept.
        head_start: What was read already.
    """

    def __init__(
        self,
        root: Path,
        terminal: Terminal,
        *,
        threads: int,
        on_ready: Callable[[Ready], None],
        max_megapixels: float,
        on_changed: Callable[[ImageKey], None] = lambda _: None,
        head_start: Preload | None = None,
    ) -> None:
        self._root = root
        self._terminal = terminal
        self._on_ready, self._on_changed = on_ready, on_changed
        self._max_megapixels = max_megapixels
        self._head_start = head_start
        self._ids = count(1)
        self._changed = threading.Condition()
        self._wishes: list[Wish] = []
        self._doubts: list[Wish] = []  # made already; their files are to be looked at again
        self._shown: Wish | None = None  # on the screen
        self._look_at = math.inf  # when its file is looked at next
        self._making: set[Wish] = set()
        self._cache: OrderedDict[Wish, Ready] = OrderedDict()
        self._bytes = 0
        self._views: OrderedDict[tuple[Wish, Stamp], RenderedImage] = OrderedDict()
        self._pixels: tuple[tuple[ImageKey, Stamp], LoadedImage] | None = None
        self._ended = False
        for number in range(threads):
            threading.Thread(target=self._work, name=f"pictures-{number}", daemon=True).start()

    def get(self, wish: Wish) -> Ready | None:
        """The picture, if it is made."""
        with self._changed:
            ready = self._cache.get(wish)
            if ready is not None:
                self._cache.move_to_end(wish)
            return ready

    def want(self, wishes: Sequence[Wish], *, shown: Wish | None = None) -> None:
        """What to make now, the most urgent first; earlier wishes that are not begun are dropped.

        Args:
            wishes: Where one is made already, its file is looked at again.
            shown: What is on the screen: its file is looked at, too, and each second from now on.
        """
        with self._changed:
            self._wishes = list(wishes)
            self._shown = shown
            self._look_at = math.inf if shown is None else time.monotonic() + _SHOWN_S
            asked = wishes if shown is None else (shown, *wishes)
            self._doubts = [wish for wish in dict.fromkeys(asked) if wish in self._cache]
            self._changed.notify_all()

    def close(self) -> None:
        """End the threads; what is being made is dropped."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            wish, is_made = task
            if is_made:
                self._look_again(wish)
                continue
            ready = self._make(wish)
            with self._changed:
                self._making.discard(wish)
                if ready is not None:
                    self._keep(ready)
            if ready is not None:
                self._on_ready(ready)

    def _next(self) -> tuple[Wish, bool] | None:
        """A wish, and whether it is made already and only to be looked at again."""
        with self._changed:
            while not self._ended:
                if self._doubts:
                    return self._doubts.pop(0), True
                for wish in self._wishes:
                    if wish not in self._cache and wish not in self._making:
                        self._making.add(wish)
                        return wish, False
                wait_s = self._look_at - time.monotonic()
                if wait_s <= 0 and self._shown is not None:
                    self._look_at = time.monotonic() + _SHOWN_S
                    return self._shown, True
                self._changed.wait(None if self._shown is None else wait_s)
            return None

    def _look_again(self, wish: Wish) -> None:
        """Drop every picture of an image whose file is another one now."""
        stamp = self._stamp(wish.key)
        with self._changed:
            ready = self._cache.get(wish)
            if ready is None or ready.stamp == stamp:
                return
            for other in [other for other in self._cache if other.key == wish.key]:
                self._drop(other)
        self._on_changed(wish.key)

    def _stamp(self, key: ImageKey) -> Stamp:
        try:
            status = (self._root / key.path).stat()
        except (OSError, ValueError):
            return None
        return status.st_mtime_ns, status.st_size

    def _make(self, wish: Wish) -> Ready | None:
        """None where it is not wanted any more: the person has gone on, and drawing would hold up what is wanted."""
        stamp = self._stamp(wish.key)  # before: a file that changes meanwhile is made anew at the next look
        try:
            view = self._view(wish, stamp)
        except DecodeError as error:
            gone = isinstance(error.__cause__, FileNotFoundError)
            return Ready(wish, None, None, str(error), gone, stamp)
        with self._changed:
            if wish not in self._wishes:
                return None
        picture = draw_picture(
            view.pixels, wish.panel, self._terminal, max_bytes=wish.max_bytes, image_id=next(self._ids)
        )
        return Ready(wish, picture, view, stamp=stamp)

    def _view(self, wish: Wish, stamp: Stamp) -> RenderedImage:
        decoded = replace(wish, max_bytes=None), stamp
        with self._changed:
            view = self._views.get(decoded)
        if view is None:
            view = render_image(
                self._source(wish, stamp),
                wish.key.frame,
                useful_px(wish.panel, self._terminal),
                wish.look,
                max_megapixels=self._max_megapixels,
            )
            with self._changed:
                self._views[decoded] = view
                while len(self._views) > _VIEWS:
                    self._views.popitem(last=False)
        return view

    def _source(self, wish: Wish, stamp: Stamp) -> Path | LoadedImage:
        """The file, or pixels: of the first image, which was read early; of an enlarged one, which are kept so
        that moving over it does not decode it again."""
        path = self._root / wish.key.path
        if wish.look.zoom <= 1:
            return self._read_early(wish) or path
        kept = self._pixels
        if kept is None or kept[0] != (wish.key, stamp):
            pixels = load_image(path, wish.key.frame, max_megapixels=self._max_megapixels)
            kept = self._pixels = ((wish.key, stamp), pixels)
        return kept[1]

    def _read_early(self, wish: Wish) -> LoadedImage | None:
        head_start, self._head_start = self._head_start, None
        return (
            None if head_start is None else head_start.take(wish.key, useful_px(wish.panel, self._terminal))
        )

    def _keep(self, ready: Ready) -> None:
        self._cache[ready.wish] = ready
        self._bytes += _size(ready)
        while self._bytes > _PICTURE_BYTES and len(self._cache) > 1:
            self._drop(next(iter(self._cache)))

    def _drop(self, wish: Wish) -> None:
        self._bytes -= _size(self._cache.pop(wish))


def _size(ready: Ready) -> int:
    """About what a picture takes in memory: text of half blocks has two bytes a character."""
    picture = ready.picture
    if picture is None:
        return 1000
    return (
        2 * picture.size_bytes
        + len(picture.ahead)
        + (picture.cells.nbytes if picture.cells is not None else 0)
    )
