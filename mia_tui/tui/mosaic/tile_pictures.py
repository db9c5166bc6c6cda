"""The pictures of tiles: made for what is in view, then for the pages beside it, and kept while a dataset is open.

On a slow connection a page is first shown in coarse pictures, of so many bytes that all of them arrive within
`PAGE_S`, and refined when nothing else is to be sent.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from mia_tui.dataset.images.limits import MAX_MEGAPIXELS
from mia_tui.dataset.images.rendering import DisplaySettings
from mia_tui.dataset.model import ImageKey
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.terminal.model import Panel, Picture, Terminal
from mia_tui.tui.mosaic.kitty_tiles import TILE_IDS, KittyTiles
from mia_tui.tui.pictures.cache import PictureCache, PictureRequest, PictureResult
from mia_tui.tui.pictures.flow_control import FlowControl

PAGE_S = 0.18
"""The time that the coarse pictures of a page may take over a slow connection; captions and keys take the rest."""

_USUAL_SHAPE, _SHAPES = 4 / 3, (0.7, 2.0)
_STEP_BYTES = 64  # budgets are rounded, so that what was made can be used again
_COLOURS = 32  # of a sixel tile: 64 would gain 1.6 dB, and take a third more bytes


@dataclass(frozen=True)
class TilesWanted:
    """Which pictures are wanted: those in view, then others.

    Attributes:
        seen: In view, the most urgent first.
        beside: On the pages beside it.
        panel: The cells of each.
    """

    seen: tuple[ImageKey, ...]
    beside: tuple[ImageKey, ...]
    panel: Panel


class TilePictures:
    """Makes and keeps the pictures of tiles.

    Args:
        root: Folder of the dataset.
        terminal: What they are made for.
        flow_control: Knows how fast the connection is.

    Attributes:
        terminal: What they are made for.
        held: What a kitty terminal holds of them.
        on_ready: Called in a thread for each picture made.
        size_step: The size of tiles that the person has chosen; None is the usual one.
        shape: Width to height of the images, as far as is known; others leave a margin.
    """

    def __init__(self, root: Path, terminal: Terminal, flow_control: FlowControl) -> None:
        self.terminal = _for_tiles(terminal)
        self.held = KittyTiles(self.terminal)
        self.on_ready: Callable[[PictureResult], None] = lambda _: None
        self.size_step: int | None = None
        self.shape = _USUAL_SHAPE
        self._flow_control = flow_control
        self._coarse_bytes: int | None = None  # of each on this page; None where the connection is fast
        self._wanted: TilesWanted | None = None
        self._cache = PictureCache(
            root,
            self.terminal,
            threads=2 if usable_cores() >= 4 else 1,
            on_ready=lambda result: self.on_ready(result),
            max_megapixels=MAX_MEGAPIXELS,
            ids=TILE_IDS,
        )

    def close(self) -> None:
        """Make no more."""
        self._cache.close()

    def expect(self, width: int, height: int) -> None:
        """Most images have about this size in pixels, as the one has that is looked at."""
        self.shape = min(max(width / max(1, height), _SHAPES[0]), _SHAPES[1])

    def rest(self) -> None:
        """Nothing is in view any more; what was made is kept."""
        self._wanted = None
        self._cache.want([])

    def want(self, wanted: TilesWanted) -> None:
        """These are in view now; `request` has them made."""
        if self._wanted is None or (wanted.seen, wanted.panel) != (self._wanted.seen, self._wanted.panel):
            self._coarse_bytes = self._coarse_size(len(wanted.seen))
        self._wanted = wanted

    @property
    def are_ready(self) -> bool:
        """Whether all that is in view is made, at least coarsely: requests can wait until it is painted."""
        return self._wanted is not None and all(
            self.best(key, refined=False) is not None for key in self._wanted.seen
        )

    def request(self) -> None:
        """Make what is wanted, the most urgent first; the files of what is made are checked."""
        wanted = self._wanted
        if wanted is None:
            return
        fine = [self._fine(key) for key in wanted.seen]
        if self._coarse_bytes is None:
            self._cache.want([*fine, *map(self._fine, wanted.beside)])
        else:
            coarse = [self._coarse(key) for key in wanted.seen]
            self._cache.want([*coarse, *fine, *map(self._coarse, wanted.beside)])

    def _coarse_size(self, count: int) -> int | None:
        """Bytes for each of so many pictures; as before while the speed is about the same: those are made already."""
        budget, before = self._flow_control.budget(PAGE_S), self._coarse_bytes
        if budget is None:
            return None
        size = max(_STEP_BYTES, _rounded(budget // max(1, count)))
        return before if before is not None and size / 2 <= before <= 1.4 * size else size

    def best(self, key: ImageKey, *, refined: bool) -> PictureResult | None:
        """The picture to show of an image; None if none is made yet, or nothing is in view.

        Args:
            key: The image, one of those that are wanted.
            refined: Whether the finest is meant, though it may take long; else a coarse one where the connection is
                slow, unless the terminal holds the finest already.
        """
        if self._wanted is None:  # nothing is in view, and a timer from before has run out
            return None
        fine = self._cache.get(self._fine(key))
        if self._coarse_bytes is None or refined:
            return fine
        if fine is not None and (
            fine.picture is None
            or (self.held.holds(fine.picture) and bool(fine.picture.ahead))
            or fine.picture.size_bytes + len(fine.picture.ahead) <= self._coarse_bytes
        ):
            return fine
        return self._cache.get(self._coarse(key))

    def ahead(self) -> Iterator[Picture]:
        """kitty: the pictures of the pages beside that are made and that the terminal does not hold yet."""
        if self._wanted is None or self.terminal.graphics != "kitty":
            return
        make = self._fine if self._coarse_bytes is None else self._coarse
        for key in self._wanted.beside:
            result = self._cache.get(make(key))
            if result is not None and result.picture is not None and not self.held.holds(result.picture):
                yield result.picture

    def _fine(self, key: ImageKey) -> PictureRequest:
        return PictureRequest(key, DisplaySettings(), self._panel)

    def _coarse(self, key: ImageKey) -> PictureRequest:
        return PictureRequest(key, DisplaySettings(), self._panel, self._coarse_bytes)

    @property
    def _panel(self) -> Panel:
        assert self._wanted is not None, "nothing is wanted yet"
        return self._wanted.panel


def _for_tiles(terminal: Terminal) -> Terminal:
    """The terminal as tiles use it.

    tmux 3.4 to 3.6 keeps 10 to 20 sixel pictures (image.c, `image_store`) and drops the first of more: half blocks
    there.
    """
    if terminal.graphics == "sixel" and terminal.multiplexer:
        return replace(terminal, graphics="half")
    return replace(terminal, sixel_colours=min(_COLOURS, terminal.sixel_colours))


def _rounded(size: int) -> int:
    return size // _STEP_BYTES * _STEP_BYTES


def cost_of(result: PictureResult, held: KittyTiles) -> int:
    """About the bytes that painting a picture sends."""
    picture = result.picture
    if picture is None:
        return 0
    return picture.size_bytes + (0 if held.holds(picture) else len(picture.ahead))
