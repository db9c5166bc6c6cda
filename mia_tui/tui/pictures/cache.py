"""Pictures made ahead of time in one or two threads, the newest request first.

A request says which image, with which view settings, for which panel and of how
many bytes at most; the results are kept in a cache. Decoded pixels are kept
apart from encoded pictures: a coarse picture, its refinement and another size of
the same image decode it only once.

A file may be replaced while the app is open. So the file of a picture that is
requested again is checked, and the picture is made again if size or time of the
file changed; the file of the image on the screen is checked every second.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
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
from mia_tui.dataset.images.screen.pixels import KeptOverviews
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.folder_images import stat_image
from mia_tui.errors import DecodeError
from mia_tui.terminal.model import Panel, Picture, Terminal
from mia_tui.terminal.pictures import draw_picture, useful_px
from mia_tui.tui.pictures.preload import Preload

_PICTURE_BYTES = 64 << 20
_CHECK_S = 1.0  # between two checks of the file of what is on the screen
_VIEW_BYTES = 72 << 20  # a panel's pixels are 3 MB, a tile's 40 KB


@dataclass(frozen=True)
class PictureRequest:
    """Which picture to make; with `max_bytes` None the finest possible."""

    key: ImageKey
    display: DisplaySettings
    panel: Panel
    max_bytes: int | None = None


Stamp = tuple[int, int] | None
"""Time and size of a file; None if they cannot be read."""


@dataclass(frozen=True)
class PictureResult:
    """The picture that was requested, or why there is none.

    Attributes:
        view: What the picture shows of the image; None if it cannot be read.
        problem: Why there is no picture, as a sentence.
        missing: Whether that is because the file is gone.
        stamp: Of the file that it was made from.
    """

    request: PictureRequest
    picture: Picture | None
    view: RenderedImage | None
    problem: str | None = None
    missing: bool = False
    stamp: Stamp = None


class PictureCache:
    """Makes and keeps pictures.

    Args:
        root: Folder of the dataset.
        terminal: What pictures are made for.
        threads: With two cores, one thread leaves the other core to the app; encoders release the GIL.
        on_ready: Called in one of these threads for each picture made.
        max_megapixels: Larger images are not read.
        on_changed: Called in one of these threads when the file of an image changed since its pictures were made;
            they are dropped.
        preload: What was read already.
        ids: Numbers of its pictures, for kitty; no other cache of the app has them.
    """

    def __init__(
        self,
        root: Path,
        terminal: Terminal,
        *,
        threads: int,
        on_ready: Callable[[PictureResult], None],
        max_megapixels: float,
        on_changed: Callable[[ImageKey], None] = lambda _: None,
        preload: Preload | None = None,
        ids: Iterator[int] | None = None,
    ) -> None:
        self._root = root
        self._terminal = terminal
        self._on_ready, self._on_changed = on_ready, on_changed
        self._max_megapixels = max_megapixels
        self._preload = preload
        self._ids = count(1) if ids is None else ids
        self._changed = threading.Condition()
        self._requests: list[PictureRequest] = []
        self._to_check: list[PictureRequest] = []  # made already; their files are to be checked
        self._shown: PictureRequest | None = None  # on the screen
        self._check_at = math.inf  # when its file is checked next
        self._making: set[PictureRequest] = set()
        self._cache: OrderedDict[PictureRequest, PictureResult] = OrderedDict()
        self._bytes = 0
        self._views: OrderedDict[tuple[PictureRequest, Stamp], RenderedImage] = OrderedDict()
        self._view_bytes = 0
        self._pixels: tuple[tuple[ImageKey, Stamp], LoadedImage | None] | None = None
        self._overviews = KeptOverviews()
        self._ended = False
        for number in range(threads):
            threading.Thread(target=self._work, name=f"pictures-{number}", daemon=True).start()

    def get(self, request: PictureRequest) -> PictureResult | None:
        """The picture, if it is made."""
        with self._changed:
            result = self._cache.get(request)
            if result is not None:
                self._cache.move_to_end(request)
            return result

    def want(self, requests: Sequence[PictureRequest], *, shown: PictureRequest | None = None) -> None:
        """What to make now, the most urgent first; earlier requests that are not begun are dropped.

        Args:
            requests: If one is made already, its file is checked.
            shown: What is on the screen: its file is checked, too, and every second from now on.
        """
        with self._changed:
            self._requests = list(requests)
            self._shown = shown
            self._check_at = math.inf if shown is None else time.monotonic() + _CHECK_S
            asked = requests if shown is None else (shown, *requests)
            self._to_check = [request for request in dict.fromkeys(asked) if request in self._cache]
            self._changed.notify_all()

    def close(self) -> None:
        """End the threads; what is being made is dropped."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            request, is_made = task
            if is_made:
                self._check_file(request)
                continue
            result = self._make(request)
            with self._changed:
                self._making.discard(request)
                if result is not None:
                    self._keep(result)
            if result is not None:
                self._on_ready(result)

    def _next(self) -> tuple[PictureRequest, bool] | None:
        """A request, and whether its picture exists already and only its file is to be checked."""
        with self._changed:
            while not self._ended:
                if self._to_check:
                    return self._to_check.pop(0), True
                for request in self._requests:
                    if request not in self._cache and request not in self._making:
                        self._making.add(request)
                        return request, False
                wait_s = self._check_at - time.monotonic()
                if wait_s <= 0 and self._shown is not None:
                    self._check_at = time.monotonic() + _CHECK_S
                    return self._shown, True
                self._changed.wait(None if self._shown is None else wait_s)
            return None

    def _check_file(self, request: PictureRequest) -> None:
        """Drop every picture of an image whose file changed."""
        stamp = self._stamp(request.key)
        with self._changed:
            result = self._cache.get(request)
            if result is None or result.stamp == stamp:
                return
            for other in [other for other in self._cache if other.key == request.key]:
                self._drop(other)
        self._on_changed(request.key)

    def _stamp(self, key: ImageKey) -> Stamp:
        try:
            status = stat_image(self._root / key.path)
        except (OSError, ValueError):
            return None
        return status.st_mtime_ns, status.st_size

    def _make(self, request: PictureRequest) -> PictureResult | None:
        """Draw the picture; None if it is not requested any more, since drawing would delay what is."""
        stamp = self._stamp(request.key)  # before: if the file changes meanwhile, the next check finds it
        try:
            view = self._view(request, stamp)
        except DecodeError as error:
            gone = isinstance(error.__cause__, FileNotFoundError)
            return PictureResult(request, None, None, str(error), gone, stamp)
        with self._changed:
            if request not in self._requests:
                return None
        picture = draw_picture(
            view.pixels, request.panel, self._terminal, max_bytes=request.max_bytes, image_id=next(self._ids)
        )
        return PictureResult(request, picture, view, stamp=stamp)

    def _view(self, request: PictureRequest, stamp: Stamp) -> RenderedImage:
        decoded = replace(request, max_bytes=None), stamp
        with self._changed:
            view = self._views.get(decoded)
        if view is None:
            view = render_image(
                self._source(request, stamp),
                request.key.frame,
                useful_px(request.panel, self._terminal),
                request.display,
                max_megapixels=self._max_megapixels,
                kept=self._overviews,
            )
            with self._changed:
                self._keep_view(decoded, view)
        return view

    def _keep_view(self, decoded: tuple[PictureRequest, Stamp], view: RenderedImage) -> None:
        if decoded in self._views:  # another thread was quicker
            return
        self._views[decoded] = view
        self._view_bytes += view.pixels.nbytes
        while self._view_bytes > _VIEW_BYTES and len(self._views) > 1:
            self._view_bytes -= self._views.popitem(last=False)[1].pixels.nbytes

    def _source(self, request: PictureRequest, stamp: Stamp) -> Path | LoadedImage:
        """The file; or pixels, if it is the first image, which was preloaded, or an enlarged one, whose pixels are
        kept so that moving over it does not decode it again, unless parts of it are read as fast."""
        path = self._root / request.key.path
        if request.display.zoom <= 1:
            return self._preloaded(request) or path
        kept = self._pixels
        if kept is None or kept[0] != (request.key, stamp):
            pixels = load_image(path, request.key.frame, max_megapixels=self._max_megapixels)
            kept = self._pixels = ((request.key, stamp), pixels)
        return kept[1] or path

    def _preloaded(self, request: PictureRequest) -> LoadedImage | None:
        preload, self._preload = self._preload, None
        return (
            None if preload is None else preload.take(request.key, useful_px(request.panel, self._terminal))
        )

    def _keep(self, result: PictureResult) -> None:
        self._cache[result.request] = result
        self._bytes += _size(result)
        while self._bytes > _PICTURE_BYTES and len(self._cache) > 1:
            self._drop(next(iter(self._cache)))

    def _drop(self, request: PictureRequest) -> None:
        self._bytes -= _size(self._cache.pop(request))


def _size(result: PictureResult) -> int:
    """About the memory that a picture takes: text of half blocks has two bytes a character."""
    picture = result.picture
    if picture is None:
        return 1000
    return (
        2 * picture.size_bytes
        + len(picture.ahead)
        + (picture.cells.nbytes if picture.cells is not None else 0)
    )
