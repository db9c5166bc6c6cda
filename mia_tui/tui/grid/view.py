"""The widget of the grid: pictures in lines, a caption above each. Only tiles in view are made.

Cursor and marks are part of the captions, so that moving the cursor writes two
lines of text and no picture. Pictures are written a whole line of tiles at a
time: for a part of a line, Textual would go through segments, which is slow, and
write it from the left edge each time.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import LabelSession, RowState
from mia_tui.terminal.cells import CellSize
from mia_tui.terminal.model import Panel, Picture, Terminal
from mia_tui.tui.classes.class_mark import MARK_COLUMNS, class_mark
from mia_tui.tui.pictures.cache import PictureResult
from mia_tui.tui.pictures.flow_control import ASK, FlowControl
from mia_tui.tui.pictures.strips import JoinedStrip, RawStrip
from mia_tui.tui.widgets.ink import Ink, style

_TILE_ROWS = (3, 5, 8, 12, 18, 27)
"""Heights of a picture to choose from, in cells."""

_GAP = 1  # columns between two tiles
_NARROWEST = 8  # columns; a caption needs that many
_SHAPE = 4 / 3  # width to height of most photographs; others leave a margin

# The usual size as an index into _TILE_ROWS, that in a low terminal, and the rows from which one is not low.
_USUAL, _USUAL_LOW, _LOW_ROWS = 2, 1, 27
_KEPT = 600  # pictures, kept as lines; 10 KiB each
_BLANK = Strip([Segment(" " * _GAP)], _GAP)


@dataclass(frozen=True)
class TileLayout:
    """Tiles in lines; each is a caption above a picture.

    Attributes:
        panel: The cells of one picture.
        per_line: Tiles side by side.
    """

    panel: Panel
    per_line: int

    @property
    def line_rows(self) -> int:
        """Rows of the screen that a line of tiles takes."""
        return 1 + self.panel.rows

    @property
    def pitch(self) -> int:
        """Columns from one tile to the next."""
        return self.panel.columns + _GAP

    def lines(self, count: int) -> int:
        """Lines of tiles for so many images."""
        return -(-count // self.per_line)

    def at(self, x: int, y: int) -> int | None:
        """The position of the image at a cell of the whole grid, from 0; None right of all tiles."""
        column = x // self.pitch
        return None if column >= self.per_line else y // self.line_rows * self.per_line + column


class GridView(ScrollView, can_focus=False):
    """The images of the session's view as tiles.

    Args:
        session: Its images; `update` paints what has changed.
        picture: Returns the picture of an image for a tile, None if it is not made yet.
        terminal: For the shape of its cells.
        flow_control: Told about every line of pictures that goes out.
        ink: Characters and styles.
    """

    class TileClicked(Message):
        """A tile was clicked; `position` is its place in the view."""

        def __init__(self, position: int, *, mark: bool, through: bool, opened: bool) -> None:
            super().__init__()
            self.position = position
            self.mark, self.through, self.opened = mark, through, opened

    class Moved(Message):
        """Other tiles are in view, or tiles of another size."""

    def __init__(
        self,
        session: LabelSession,
        picture: Callable[[ImageKey], PictureResult | None],
        terminal: Terminal,
        flow_control: FlowControl,
        ink: Ink,
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._session, self._picture = session, picture
        self._cells, self._flow_control, self._ink = CellSize(terminal), flow_control, ink
        self._size_step: int | None = None  # None: by the height of the terminal
        self._shown = (-1, -1)  # images and generation of the view
        self._position: int | None = None  # that the grid was last scrolled to
        self._captions: dict[int, Strip] = {}  # by line of tiles, of those in view
        self._strips: OrderedDict[ImageKey, tuple[Picture, tuple[Strip, ...]]] = OrderedDict()

    @property
    def tile_layout(self) -> TileLayout:
        """The present layout."""
        return _tile_layout(max(1, self._columns), max(1, self.size.height), self._step, self._cells.size_px)

    @property
    def _step(self) -> int:
        if self._size_step is not None:
            return self._size_step
        return _USUAL if self.size.height >= _LOW_ROWS else _USUAL_LOW

    @property
    def per_page(self) -> int:
        """Tiles on a page."""
        tiles = self.tile_layout
        return max(1, self.size.height // tiles.line_rows) * tiles.per_line

    @property
    def seen(self) -> range:
        """The positions that are at least partly in view."""
        tiles, top = self.tile_layout, int(self.scroll_offset.y)
        first, last = top // tiles.line_rows, (top + max(0, self.size.height - 1)) // tiles.line_rows
        count = len(self._session.view)
        return range(min(count, first * tiles.per_line), min(count, (last + 1) * tiles.per_line))

    def update(self) -> None:
        """Paint what has changed."""
        if self._shown != (len(self._session.view), self._session.view_generation):
            self._lay_out()
        if self._session.position != self._position:
            self._position = self._session.position
            self._scroll_into_view()
        self._refresh_captions()

    def resize_tiles(self, by: int) -> bool:
        """Make the tiles larger or smaller; False at the last size."""
        step = self._step + by
        if not 0 <= step < len(_TILE_ROWS):
            return False
        self._size_step = step
        self._lay_out()
        return True

    def paint_line_of(self, position: int) -> None:
        """Paint the line of tiles with this position: a picture in it is ready."""
        rows = self.tile_layout.line_rows
        top = position // self.tile_layout.per_line * rows - int(self.scroll_offset.y)
        self.refresh(Region(0, top + 1, self.size.width, rows - 1))

    def render_lines(self, crop: Region) -> list[Strip]:
        top = int(self.scroll_offset.y)
        return [self._line(y + top).crop(crop.x, crop.right) for y in range(crop.y, crop.bottom)]

    def on_resize(self) -> None:
        self._cells.measure_again()
        self._lay_out()

    def window_changed(self) -> None:
        """Lay out again if the size of a cell changed, even with as many cells as before."""
        if self._cells.measure_again():
            self._lay_out()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self._captions.clear()
            self.post_message(self.Moved())

    def on_click(self, event: events.Click) -> None:
        position = self.tile_layout.at(event.x, event.y + int(self.scroll_offset.y))
        if position is not None and 0 <= position < len(self._session.view):
            self.post_message(
                self.TileClicked(position, mark=event.ctrl, through=event.shift, opened=event.chain == 2)
            )

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, 1)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, -1)

    def _wheel(self, event: events.MouseEvent, by: int) -> None:
        """Scroll by a line of tiles."""
        event.stop()
        event.prevent_default()
        rows = self.tile_layout.line_rows
        self._scroll_to_row((int(self.scroll_offset.y) // rows + by) * rows)

    @property
    def _columns(self) -> int:
        """Columns left of the scrollbar, which is always given its space."""
        return self.size.width - 1

    def _lay_out(self) -> None:
        """Lay all tiles out again."""
        self._shown = len(self._session.view), self._session.view_generation
        tiles = self.tile_layout
        rows = tiles.lines(len(self._session.view)) * tiles.line_rows
        self.virtual_size = Size(max(1, self._columns), rows)
        self._captions.clear()
        self._position = self._session.position
        self._scroll_into_view()
        self.refresh()
        self.post_message(self.Moved())

    def _scroll_into_view(self) -> None:
        """Scroll by a page, so that pictures are painted only once in many moves."""
        if self._position is None:
            return
        tiles, top, height = self.tile_layout, int(self.scroll_offset.y), self.size.height
        line = self._position // tiles.per_line
        first = line * tiles.line_rows
        if first >= top and first + tiles.line_rows <= top + height:
            return
        lines = max(1, height // tiles.line_rows)
        self._scroll_to_row((line if first > top else line - lines + 1) * tiles.line_rows)

    def _scroll_to_row(self, row: int) -> None:
        self.scroll_to(y=max(0, row), animate=False, immediate=True, force=True)

    def _refresh_captions(self) -> None:
        tiles, top = self.tile_layout, int(self.scroll_offset.y)
        seen = self.seen
        for line in {position // tiles.per_line for position in seen}:
            strip = self._caption_line(line, tiles)
            if self._captions.get(line) != strip:
                self._captions[line] = strip
                self.refresh(Region(0, line * tiles.line_rows - top, self.size.width, 1))

    def _line(self, y: int) -> Strip:
        tiles = self.tile_layout
        line, row = divmod(y, tiles.line_rows)
        if row == 0:
            return self._caption_line(line, tiles)
        parts: list[Strip] = []
        size = 0
        for position in self._places(line, tiles):
            key = self._session.listing.key(int(self._session.view[position]))
            ready = self._picture(key)
            parts += [self._tile(key, ready, tiles)[row - 1], _BLANK]
            size += ready.picture.size_bytes if ready is not None and ready.picture is not None else 0
        if row == tiles.line_rows - 1 and size:
            parts.append(self._question(size))
        return self._filled(parts)

    def _caption_line(self, line: int, tiles: TileLayout) -> Strip:
        session, parts = self._session, []
        for position in self._places(line, tiles):
            row = int(session.view[position])
            parts.append(
                _caption(
                    session.state_of(row),
                    tiles.panel.columns,
                    self._ink,
                    current=position == session.position,
                    marked=session.is_selected(row),
                )
            )
            parts.append(_BLANK)
        return Strip.join([self._filled(parts)])

    def _places(self, line: int, tiles: TileLayout) -> range:
        first = line * tiles.per_line
        return range(first, max(first, min(first + tiles.per_line, len(self._session.view))))

    def _filled(self, parts: list[Strip]) -> JoinedStrip:
        rest = self.size.width - sum(part.cell_length for part in parts)
        return JoinedStrip([*parts, Strip.blank(rest)] if rest > 0 else parts)

    def _tile(self, key: ImageKey, ready: PictureResult | None, tiles: TileLayout) -> tuple[Strip, ...]:
        if ready is None or ready.picture is None or ready.picture.panel != tiles.panel:
            return self._words(key, ready, tiles)
        known = self._strips.get(key)
        if known is None or known[0] is not ready.picture:
            known = self._strips[key] = ready.picture, self._ready_lines(ready.picture)
            self._strips.move_to_end(key)
            while len(self._strips) > _KEPT:
                self._strips.popitem(last=False)
        return known[1]

    def _ready_lines(self, picture: Picture) -> tuple[Strip, ...]:
        def plain(text: str) -> Callable[[], list[Segment]]:
            return lambda: list(Text.from_ansi(text, end="").render(self.app.console))

        return tuple(RawStrip(text, picture.panel.columns, plain(text)) for text in picture.lines)

    def _words(self, key: ImageKey, ready: PictureResult | None, tiles: TileLayout) -> tuple[Strip, ...]:
        """The text in place of a picture: the name, and the problem if the image cannot be read."""
        columns, rows = tiles.panel.columns, tiles.panel.rows
        name = self._ink.fit_left(key.path, columns)
        texts = [name]
        if ready is not None and ready.problem:
            texts += [f"{self._ink.gone} gone" if ready.missing else f"{self._ink.broken} unreadable"]
        top = max(0, (rows - len(texts)) // 2)
        lines = [""] * top + texts
        return tuple(
            Strip([Segment(self._ink.pad(lines[row] if row < len(lines) else "", columns), self._ink.dim())])
            for row in range(rows)
        )

    def _question(self, size_bytes: int) -> Strip:
        """A strip of no cells that asks the terminal whether the pictures before it have arrived."""
        return RawStrip(ASK, 0, list, lambda: self._flow_control.sent(size_bytes))


def _tile_layout(width: int, height: int, size: int, cell_px: tuple[int, int]) -> TileLayout:
    """The layout for a grid of this size.

    Args:
        width: Columns of the grid.
        height: Its rows.
        size: Index into `_TILE_ROWS`.
        cell_px: Width and height of a cell.
    """
    rows = max(1, min(_TILE_ROWS[size], height - 1))
    wanted = round(rows * _SHAPE * cell_px[1] / cell_px[0])
    columns = max(1, min(max(wanted, _NARROWEST), width - _GAP))
    panel = Panel(columns, rows, *cell_px)
    return TileLayout(panel, max(1, width // (columns + _GAP)))


def _caption(state: RowState, columns: int, ink: Ink, *, current: bool, marked: bool) -> Strip:
    """The line above a picture: cursor, mark, key of the class, its name.

    It has the colour of the class for a person's label, dashes for a suggestion, dots without a class.
    """
    lead = (ink.pointer if current else " ") + (_mark(ink) if marked else " ")
    chip, chip_style = _chip(state, ink)
    kind, name, colour = _class_words(state)
    fixed = 2 + MARK_COLUMNS
    room = max(0, columns - fixed)
    text = ink.fit(name, room)
    pattern = " " if kind == "label" else ink.pattern(kind)
    if text and kind != "label" and ink.width(text) < room:
        text += " "
    rest = room - ink.width(text)
    line = text + (pattern * (rest + 1))[:rest]
    text_style = Style(reverse=True, bold=True) if current else _text_style(kind, colour, ink)
    lead_style = Style(bold=True, reverse=marked)
    return Strip(
        [Segment(lead, lead_style), Segment(chip, chip_style), Segment(line, text_style)], fixed + room
    ).crop(0, columns)


def _mark(ink: Ink) -> str:
    return "✓" if ink.unicode else "*"


def _class_words(state: RowState) -> tuple[str, str, str | None]:
    if state.image_class is not None:
        return "label", state.image_class.name, state.image_class.colour
    if state.suggestion is not None:
        return "suggestion", f"{state.suggestion.name}?", state.suggestion.colour
    return "none", "", None


def _text_style(kind: str, colour: str | None, ink: Ink) -> Style:
    if kind == "none":
        return ink.dim()
    if kind == "label" and not ink.colours:
        return Style(reverse=True)
    return ink.words(kind, colour) if kind == "label" else ink.frame(kind, colour)


def _chip(state: RowState, ink: Ink) -> tuple[str, Style]:
    """The mark of the class; without one, a flag or the sign of a skipped image."""
    is_plain = state.problem is None and state.image_class is None and state.suggestion is None
    if is_plain and (state.flagged or state.skipped):
        return f" {ink.flag if state.flagged else ink.skipped} ", style(bold=True)
    return class_mark(state, ink)
