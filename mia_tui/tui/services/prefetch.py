"""Pictures made ahead of time, in a thread or two, the newest wish first.

A wish says image, look, panel and how many bytes it may have; what is made
lies in a cache. Decoded pixels are kept apart from encoded pictures: a coarse
picture, its refinement and another size of the same image decode it once.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.pixels.looking import Look, Pixels, View, load_pixels, load_view
from mia_tui.errors import DecodeError
from mia_tui.terminal.model import Panel, Picture, Terminal
from mia_tui.terminal.pictures import draw_picture, useful_px

_PICTURE_BYTES = 64 << 20
_VIEWS = 24  # of at most a panel's pixels each, 3 MB


@dataclass(frozen=True)
class Wish:
    """A picture that is wanted; `max_bytes` None is the best there is."""

    key: ImageKey
    look: Look
    panel: Panel
    max_bytes: int | None = None


@dataclass(frozen=True)
class Ready:
    """A wish come true, or why it cannot.

    Attributes:
        view: What the picture shows of the image; None where it cannot be read.
        problem: Why there is no picture, as a sentence.
    """

    wish: Wish
    picture: Picture | None
    view: View | None
    problem: str | None = None


class Prefetch:
    """Makes pictures.

    Args:
        root: Folder of the dataset.
        terminal: What pictures are for.
        threads: One leaves a core of two to the app; encoders release the interpreter's lock.
        on_ready: Called in a thread of the prefetch for each picture made.
        max_megapixels: Larger images are not read.
    """

    def __init__(
        self,
        root: Path,
        terminal: Terminal,
        *,
        threads: int,
        on_ready: Callable[[Ready], None],
        max_megapixels: float,
    ) -> None:
        self._root = root
        self._terminal = terminal
        self._on_ready = on_ready
        self._max_megapixels = max_megapixels
        self._ids = count(1)
        self._changed = threading.Condition()
        self._wishes: list[Wish] = []
        self._making: set[Wish] = set()
        self._cache: OrderedDict[Wish, Ready] = OrderedDict()
        self._bytes = 0
        self._views: OrderedDict[Wish, View] = OrderedDict()
        self._pixels: tuple[ImageKey, Pixels] | None = None
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

    def want(self, wishes: Sequence[Wish]) -> None:
        """What to make now, the most urgent first; earlier wishes that are not begun are dropped."""
        with self._changed:
            self._wishes = list(wishes)
            self._changed.notify_all()

    def close(self) -> None:
        """End the threads; what is being made is dropped."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _work(self) -> None:
        while (wish := self._next()) is not None:
            ready = self._make(wish)
            with self._changed:
                self._making.discard(wish)
                self._keep(ready)
            self._on_ready(ready)

    def _next(self) -> Wish | None:
        with self._changed:
            while not self._ended:
                for wish in self._wishes:
                    if wish not in self._cache and wish not in self._making:
                        self._making.add(wish)
                        return wish
                self._changed.wait()
            return None

    def _make(self, wish: Wish) -> Ready:
        try:
            view = self._view(wish)
        except DecodeError as error:
            return Ready(wish, None, None, str(error))
        picture = draw_picture(
            view.pixels, wish.panel, self._terminal, max_bytes=wish.max_bytes, image_id=next(self._ids)
        )
        return Ready(wish, picture, view)

    def _view(self, wish: Wish) -> View:
        decoded = replace(wish, max_bytes=None)
        with self._changed:
            view = self._views.get(decoded)
        if view is None:
            view = load_view(
                self._source(wish),
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

    def _source(self, wish: Wish) -> Path | Pixels:
        """The file; for an enlarged image its pixels, kept so that moving over it does not decode it again."""
        path = self._root / wish.key.path
        if wish.look.zoom <= 1:
            return path
        kept = self._pixels
        if kept is None or kept[0] != wish.key:
            pixels = load_pixels(path, wish.key.frame, max_megapixels=self._max_megapixels)
            kept = self._pixels = (wish.key, pixels)
        return kept[1]

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
