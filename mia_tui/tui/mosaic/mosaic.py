"""The widget that shows tiles: a picture each, with a frame around it. Only tiles in view are made.

Cursor, marks and classes are in the frames, so that changing them writes a few cells and no picture. Which pictures
are painted when is in `painter`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol, cast

from rich.console import Console
from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mia_tui.dataset.model import ImageKey
from mia_tui.terminal.cells import CellSize
from mia_tui.terminal.model import Picture
from mia_tui.tui.mosaic.frame import TileFace, bottom, caption, side
from mia_tui.tui.mosaic.layout import TileLayout, lay_out
from mia_tui.tui.mosaic.painter import TilePainter
from mia_tui.tui.mosaic.tile_pictures import TilePictures, TilesWanted
from mia_tui.tui.pictures.cache import PictureResult
from mia_tui.tui.pictures.flow_control import FlowControl
from mia_tui.tui.pictures.image_view import plain_cells
from mia_tui.tui.pictures.strips import JoinedStrip, RawStrip
from mia_tui.tui.textual_private import messages_shown
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.mouse import RIGHT_BUTTON

_HALF_ROWS, _PIXEL_ROWS = (3, 5, 8, 12, 18, 27), (3, 5, 8, 13, 21, 34)
"""Heights of a picture to choose from, in cells: of half blocks, and of pixels."""

# The usual size as an index of these, that in a low terminal, and the rows from which one is not low.
_USUAL, _USUAL_LOW, _LOW_ROWS = 2, 1, 27
_LARGEST_UNASKED = 4
_GATHER_S = 0.03  # pictures that are made within this time are painted together


class Tiles(Protocol):
    """What a mosaic shows."""

    def __len__(self) -> int: ...

    @property
    def generation(self) -> object:
        """Another one where other images are at the positions."""

    @property
    def position(self) -> int | None:
        """Of the cursor."""

    def key(self, position: int) -> ImageKey:
        """The image at a position."""

    def face(self, position: int) -> TileFace:
        """The frame around it."""


class Mosaic(ScrollView, can_focus=False):
    """Shows tiles.

    Args:
        tiles: What they are; `update` paints what has changed.
        pictures: Makes their pictures.
        flow_control: Told about all that goes out.
        ink: Characters and styles.
    """

    class TileClicked(Message):
        """A tile was clicked; by the right button it `asks` what to do."""

        def __init__(self, position: int, *, mark: bool, through: bool, opened: bool, asks: bool) -> None:
            super().__init__()
            self.position = position
            self.mark, self.through, self.opened, self.asks = mark, through, opened, asks

    class PictureMade(Message):
        """A picture is ready."""

        def __init__(self, ready: PictureResult) -> None:
            super().__init__()
            self.ready = ready

    def __init__(
        self,
        tiles: Tiles,
        pictures: TilePictures,
        flow_control: FlowControl,
        ink: Ink,
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._tiles, self._pictures, self._flow_control, self._ink = tiles, pictures, flow_control, ink
        self._cells = CellSize(pictures.terminal)
        self._painter = TilePainter(self, pictures, flow_control)
        self._shown: object = None  # count, generation and layout that were laid out
        self._position: int | None = None  # that was scrolled to last
        self._positions: dict[ImageKey, int] = {}  # of what is in view
        self._faces: dict[int, TileFace] = {}  # as they are painted, by position
        self._rows: dict[ImageKey, tuple[Picture, tuple[Strip, ...]]] = {}  # of the pictures in view
        self._is_gathering = False

    # What others ask and tell

    @property
    def tile_layout(self) -> TileLayout:
        """The present layout."""
        return self._layout_of(self._step)

    def _layout_of(self, step: int) -> TileLayout:
        heights = _PIXEL_ROWS if self._painter.has_pixels else _HALF_ROWS
        width, height = max(1, self.size.width - 1), max(1, self.size.height)  # beside the scrollbar
        return lay_out(width, height, heights[step], self._cells.size_px, self._pictures.shape)

    @property
    def _step(self) -> int:
        """The size of tiles: as chosen, else the usual one, and larger where all of them fit."""
        if self._pictures.size_step is not None:
            return self._pictures.size_step
        step = _USUAL if self.size.height >= _LOW_ROWS else _USUAL_LOW
        while step < _LARGEST_UNASKED and len(self._tiles) <= self._layout_of(step + 1).count:
            step += 1
        return step

    @property
    def per_page(self) -> int:
        """Tiles on a page."""
        return self.tile_layout.count

    @property
    def seen(self) -> range:
        """The positions in view."""
        layout, count = self.tile_layout, len(self._tiles)
        first = int(self.scroll_offset.y) // layout.line_rows * layout.per_line
        return range(min(count, first), min(count, first + self.per_page))

    @property
    def is_complete(self) -> bool:
        """Whether all that is in view is painted as finely as possible."""
        return self._painter.is_complete

    def update(self) -> None:
        """Paint what has changed."""
        if not self.size.width:
            return
        if self._shown != self._what():
            self._lay_out()
        if self._tiles.position != self._position:
            self._position = self._tiles.position
            self._scroll_into_view()
        self._refresh_faces()

    def resize_tiles(self, by: int) -> bool:
        """Make the tiles larger or smaller; False at the last size."""
        before, present, step = self.tile_layout, self._pictures.size_step, self._step + by
        while 0 <= step < len(_HALF_ROWS):
            self._pictures.size_step = step
            if self.tile_layout != before:  # two sizes may fill a small window alike
                self._lay_out()
                return True
            step += by
        self._pictures.size_step = present
        return False

    def terminal_forgot(self) -> None:
        """The terminal holds no pictures any more: the app was suspended and resumed."""
        self._painter.forget()

    def withdraw(self) -> None:
        """Another screen lies over it."""
        self._painter.withdraw()

    def come_back(self) -> None:
        """No other screen lies over it any more."""
        self._pictures.on_ready = self._made
        self._painter.come_back()
        if self.size.width and self._shown is not None:
            self._want()
            self.refresh()

    # For the painter

    @property
    def keys_seen(self) -> Sequence[ImageKey]:
        """The images in view."""
        return tuple(self._positions)

    @property
    def is_seen(self) -> bool:
        """Whether it is on the screen, and may be painted."""
        return self.is_running and self.screen.is_current and bool(self.size.width)

    @property
    def keys_painted(self) -> Sequence[ImageKey]:
        """The images in view whose pictures are painted, coarse or fine."""
        chosen = self._painter.chosen
        return [key for key in self._positions if key in chosen and chosen[key].picture is not None]

    def region_of(self, key: ImageKey) -> Region:
        """Where the picture of an image lies, in its cells; nowhere if it is not in view."""
        position = self._positions.get(key)
        if position is None:
            return Region()
        x, y = self._corner(position)
        panel = self.tile_layout.panel
        return Region(x + 1, y + 1, panel.columns, panel.rows)

    def messages(self) -> Sequence[Region]:
        """Where messages lie over it, in its cells."""
        if not messages_shown(self.app):
            return ()
        x, y = self.content_region.offset
        return tuple(toast.region.translate((-x, -y)) for toast in self.screen.query("Toast"))

    def write(self, data: str) -> bool:
        """Send bytes to the terminal without painting; returns whether there is one."""
        write = getattr(self.app, "write_terminal", None)
        if data and write is not None:
            cast("Callable[[str], None]", write)(data)
        return write is not None

    # What happens

    def on_mount(self) -> None:
        self.come_back()

    def on_unmount(self) -> None:
        self._painter.withdraw()

    def _made(self, ready: PictureResult) -> None:  # in a thread
        if self.is_running:
            self.post_message(self.PictureMade(ready))

    def on_mosaic_picture_made(self) -> None:
        if not self._is_gathering:
            self._is_gathering = True
            self.set_timer(_GATHER_S, self._gathered)

    def _gathered(self) -> None:
        self._is_gathering = False
        self._painter.advance()

    def on_resize(self) -> None:
        self._cells.measure_again()
        self._lay_out()

    def window_changed(self) -> None:
        """Lay out again if the size of a cell changed, even with as many cells as before."""
        if self._cells.measure_again():
            self._lay_out()

    def validate_scroll_y(self, value: float) -> float:
        """Whole lines of tiles, also where the scrollbar is drawn."""
        rows = self.tile_layout.line_rows
        return round(super().validate_scroll_y(value) / rows) * rows

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._moved()

    def on_click(self, event: events.Click) -> None:
        position = self.tile_layout.at(event.x, event.y + int(self.scroll_offset.y))
        if position is not None and 0 <= position < len(self._tiles):
            asks = event.button == RIGHT_BUTTON
            opened = event.chain == 2 and not asks
            self.post_message(
                self.TileClicked(position, mark=event.ctrl, through=event.shift, opened=opened, asks=asks)
            )

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseEvent, by: int) -> None:
        """Scroll by a line of tiles; by a page where the connection is slow and all of them would be sent again."""
        event.stop()
        event.prevent_default()
        layout = self.tile_layout
        lines = layout.lines if self._flow_control.is_slow and not self._painter.stays else 1
        self._scroll_to_line(int(self.scroll_offset.y) // layout.line_rows + by * lines)

    # Layout

    def _what(self) -> object:
        return len(self._tiles), self._tiles.generation, self.tile_layout

    def _lay_out(self) -> None:
        """Lay all tiles out again."""
        self._shown = self._what()
        layout = self.tile_layout
        rows = layout.all_lines(len(self._tiles)) * layout.line_rows
        spare = max(0, self.size.height - layout.lines * layout.line_rows)
        self.virtual_size = Size(max(1, self.size.width - 1), rows + spare)
        self._position = self._tiles.position
        self._scroll_into_view()
        self._moved(anew=True)
        self.refresh()

    def _scroll_into_view(self) -> None:
        """Scroll to the cursor: by a page, so that pictures are painted once in many moves; by as little as possible
        where those that stay are not sent again."""
        if self._position is None:
            return
        layout = self.tile_layout
        line, first = self._position // layout.per_line, int(self.scroll_offset.y) // layout.line_rows
        if first <= line < first + layout.lines:
            return
        to_top = (line > first) != self._painter.stays
        self._scroll_to_line(line if to_top else line - layout.lines + 1)

    def _scroll_to_line(self, line: int) -> None:
        row = max(0, line) * self.tile_layout.line_rows
        self.scroll_to(y=row, animate=False, immediate=True, force=True)

    def _moved(self, *, anew: bool = False) -> None:
        """Other tiles are in view; `anew`: of another size, or others altogether."""
        self._faces.clear()
        self._want()
        self._painter.moved(anew=anew)
        for key in [key for key in self._rows if key not in self._painter.chosen]:
            del self._rows[key]

    def _want(self) -> None:
        """Request the pictures in view, then those that are likely seen next."""
        self._positions = {self._tiles.key(position): position for position in self.seen}
        self._pictures.want(TilesWanted(tuple(self._positions), self.keys_beside(), self.tile_layout.panel))
        if self._pictures.are_ready:  # the thread would hold up the paint
            self.call_after_refresh(self._pictures.request)
        else:
            self._pictures.request()

    def keys_beside(self) -> tuple[ImageKey, ...]:
        """The images that are likely seen next: those of the next page, then of the page before."""
        seen, page = self.seen, self.per_page
        after = range(seen.stop, min(len(self._tiles), seen.stop + page))
        return tuple(map(self._tiles.key, (*after, *range(max(0, seen.start - page), seen.start))))

    def _corner(self, position: int) -> tuple[int, int]:
        layout = self.tile_layout
        line, place = divmod(position, layout.per_line)
        return layout.x(place), line * layout.line_rows - int(self.scroll_offset.y)

    # Painting

    def render_lines(self, crop: Region) -> list[Strip]:
        lines = [self._line(y) for y in range(crop.y, crop.bottom)]
        if crop.x == 0 and crop.width == self.size.width:
            return lines
        return [line.crop(crop.x, crop.right) for line in lines]

    def _refresh_faces(self) -> None:
        """Paint the frames that have changed."""
        layout, due = self.tile_layout, []
        for position in self.seen:
            face = self._tiles.face(position)
            if face != self._faces.get(position):
                self._faces[position] = face
                (x, y), rows = self._corner(position), layout.panel.rows
                due += [Region(x, y, layout.columns, 1), Region(x, y + 1 + rows, layout.columns, 1)]
                due += [Region(x, y + 1, 1, rows), Region(x + layout.columns - 1, y + 1, 1, rows)]
        if due:
            self.refresh(*due)

    def _line(self, y: int) -> Strip:
        layout, width = self.tile_layout, self.size.width
        line, row = divmod(y + int(self.scroll_offset.y), layout.line_rows)
        first = line * layout.per_line
        places = range(first, max(first, min(first + layout.per_line, len(self._tiles))))
        if y // layout.line_rows >= layout.lines or not places:
            return Strip.blank(width)
        parts: list[Strip] = []
        x = 0
        for position in places:
            left = layout.x(position - first)
            if left > x:
                parts.append(Strip.blank(left - x))
            parts += self._tile_row(position, row - 1, layout)
            x = left + layout.columns
        return JoinedStrip([*parts, Strip.blank(width - x)] if x < width else parts)

    def _tile_row(self, position: int, row: int, layout: TileLayout) -> Sequence[Strip]:
        face = self._faces.get(position)
        if face is None:
            face = self._faces[position] = self._tiles.face(position)
        if row < 0:
            return (caption(face, layout.columns, self._ink),)
        if row > layout.panel.rows:
            return (Strip.blank(layout.columns),)
        if row == layout.panel.rows:
            return (bottom(face, layout.columns, self._ink),)
        return (
            side(face, self._ink, is_left=True, row=row),
            self._picture_rows(self._tiles.key(position), layout)[row],
            side(face, self._ink, is_left=False, row=row),
        )

    def _picture_rows(self, key: ImageKey, layout: TileLayout) -> tuple[Strip, ...]:
        result = self._painter.chosen.get(key)
        picture = None if result is None else result.picture
        if picture is None or picture.panel != layout.panel:
            return self._words(key, result, layout)
        known = self._rows.get(key)
        if known is None or known[0] is not picture:
            rows = range(layout.panel.rows)
            known = picture, tuple(_PictureRow(self._painter, key, picture, row) for row in rows)
            self._rows[key] = known
        return known[1]

    def _words(self, key: ImageKey, ready: PictureResult | None, layout: TileLayout) -> tuple[Strip, ...]:
        """The text in place of a picture: the name, and the problem if the image cannot be read."""
        columns, rows = layout.panel.columns, layout.panel.rows
        texts = [self._ink.fit_left(key.path, columns)]
        if ready is not None and ready.problem:
            texts.append("gone" if ready.missing else "unreadable")  # its sign is above
        top = max(0, (rows - len(texts)) // 2)
        lines = [""] * top + texts
        return tuple(
            Strip([Segment(self._ink.pad(lines[row] if row < len(lines) else "", columns), self._ink.dim())])
            for row in range(rows)
        )


class _PictureRow(RawStrip):
    """A row of a picture, which tells the painter when it is written, whole or in part."""

    def __init__(self, painter: TilePainter, key: ImageKey, picture: Picture, row: int) -> None:
        super().__init__(picture.lines[row], picture.panel.columns, partial(plain_cells, picture, row))
        self._painter, self._key, self._picture, self._row = painter, key, picture, row

    def make_segments(self) -> list[Segment]:
        self._painter.row_is_cut(self._key)
        return super().make_segments()

    def render(self, console: Console) -> str:
        return self._painter.row_is_written(self._key, self._picture, self._row)
