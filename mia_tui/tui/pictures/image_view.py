"""The widget that shows a picture: lines of text in a panel of fixed size, graphics on top.

A new picture never changes the layout and is written once. The whole panel is
written each time, with blanks around the picture, which erases what was there.
Graphics (sixel, iTerm2, kitty's placement) follow the last line. They are sent
again after a message that covered a part of them has disappeared.
"""

from collections import deque
from collections.abc import Callable, Container, Sequence
from functools import partial

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mia_tui.terminal.cells import CellSize
from mia_tui.terminal.layout import RESET
from mia_tui.terminal.model import Panel, Picture, Terminal
from mia_tui.terminal.pictures import hide_picture
from mia_tui.text import printable
from mia_tui.tui.pictures.flow_control import ASK, FlowControl
from mia_tui.tui.pictures.strips import RawStrip

NO_IMAGES = 'Images are not shown: graphics is set to "none"'
"""The only reason why the app would not show them."""


class ImageView(Widget, can_focus=False):
    """Shows one `Picture`, or a card of text where there is none.

    Args:
        terminal: What the terminal can do.
        flow_control: Gets the size of every picture that is written.
        write: Sends bytes to the terminal without painting.
    """

    class Resized(Message):
        """The panel has another size, in cells or in pixels; pictures for the old one do not fit."""

    def __init__(
        self,
        terminal: Terminal,
        flow_control: FlowControl,
        write: Callable[[str], None],
        *,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._write = write
        self._terminal = terminal
        self._cells = CellSize(terminal)
        self._flow_control = flow_control
        self._picture: Picture | None = None
        self._lines: list[Strip] = []
        self._replaced = ""  # kitty: removes the previous picture from the screen
        self._parts: deque[Region] = deque()  # still to be painted
        self._is_erased = False  # graphics were overwritten by blank lines and not written again yet

    @property
    def panel(self) -> Panel:
        """The cells there are for a picture."""
        return Panel(max(1, self.size.width), max(1, self.size.height), *self._cells.size_px)

    @property
    def picture(self) -> Picture | None:
        return self._picture

    def show(self, picture: Picture, *, part_bytes: int | None = None, is_refined: bool = False) -> None:
        """Paint a picture made for this panel.

        Args:
            picture: The picture.
            part_bytes: Paint only about so many bytes of it now, and more with each call of `paint_next_part`: on a
                slow connection the answer to a key then waits for no more than that. Graphics are painted whole.
            is_refined: It is a finer picture of the same image: the coarse one stays until the last byte has come.
        """
        keeps = is_refined and self._picture is not None and not self._parts and bool(picture.graphics)
        self._replaced = self._hiding() if picture is not self._picture else ""
        self._picture = picture
        rows = picture.panel.rows
        if part_bytes is not None and not picture.graphics:
            rows = max(1, rows * part_bytes // max(1, picture.size_bytes))
        ends = {min(start + rows, picture.panel.rows) for start in range(0, picture.panel.rows, rows)}
        self._parts = deque(Region(0, end - rows, self.size.width, rows) for end in sorted(ends))
        self._lines = self._strips(picture, ends, picture.size_bytes // len(ends), keeps=keeps)
        self.paint_next_part()

    def paint_next_part(self) -> bool:
        """Paint the next part of a picture, if there is one."""
        if not self._parts:
            return False
        self.refresh(self._parts.popleft())
        return True

    def show_card(self, *lines: str) -> None:
        """Paint text in the middle instead of a picture."""
        self.withdraw()
        self._picture = None
        self._parts.clear()
        self._lines = self._card(lines)
        self.refresh()

    def withdraw(self) -> None:
        """Another screen covers it: kitty's pictures have to be removed explicitly."""
        hiding = self._hiding()
        if hiding:
            self._write(hiding)

    def _hiding(self) -> str:
        picture = self._picture
        return "" if picture is None else hide_picture(picture.image_id, self._terminal)

    def render_lines(self, crop: Region) -> list[Strip]:
        if len(self._lines) != self.size.height:
            return [Strip.blank(crop.width)] * crop.height
        lines = self._lines[crop.y : crop.bottom]
        if crop.width == self.size.width:
            return lines
        return [line.crop(crop.x, crop.right) for line in lines]

    def on_resize(self) -> None:
        self._cells.measure_again()
        self._lines = []
        self._parts.clear()
        self.post_message(self.Resized())

    def window_changed(self) -> None:
        """The terminal's window was resized, though this panel may have as many cells as before."""
        if self._cells.measure_again():
            self.post_message(self.Resized())

    def _strips(
        self, picture: Picture, ends: Container[int], part_bytes: int, *, keeps: bool = False
    ) -> list[Strip]:
        """The lines; each part ends with the question whether it has arrived.

        If `keeps`, these lines leave the cells under the picture as they are, and are written only once. After that
        they are replaced by lines that erase them, needed after something covered the picture.
        """
        columns, last = picture.panel.columns, picture.panel.rows - 1
        strips: list[Strip] = []
        for row, text in enumerate(picture.lines):
            on_written = self._on_line if picture.graphics else None
            if keeps:
                text = around(picture, row) or text
            if row + 1 in ends:
                text += (self._overlay(picture) if row == last else "") + ASK
                on_written = self._on_end(picture, part_bytes, keeps=keeps)
            strips.append(RawStrip(text, columns, partial(plain_cells, picture, row), on_written))
        return strips

    def _overlay(self, picture: Picture) -> str:
        if not picture.graphics:
            return ""
        region = self.content_region
        place = f"\x1b[{region.y + picture.y + 1};{region.x + picture.x + 1}H"
        return f"\x1b7{self._replaced}{place}{picture.graphics}\x1b8"

    def _on_line(self) -> None:
        """A blank line was written, which erased the graphics there."""
        if not self._is_erased:
            self._is_erased = True
            self.call_after_refresh(self._mend)

    def _on_end(self, picture: Picture, size_bytes: int, *, keeps: bool) -> Callable[[], None]:
        def written() -> None:
            self._is_erased = False
            self._flow_control.sent(size_bytes)
            if keeps and picture is self._picture:
                self._lines = self._strips(picture, {picture.panel.rows}, size_bytes)

        return written

    def _mend(self) -> None:
        """Paint all again if lines were written without the last one, which has the graphics."""
        if self._is_erased and self._terminal.graphics != "kitty":
            self.refresh()
        self._is_erased = False

    def _card(self, lines: Sequence[str]) -> list[Strip]:
        width, height = self.size
        top = max(0, (height - len(lines)) // 2)
        strips = [Strip.blank(width)] * height
        for row, text in enumerate(lines[:height]):
            shown = Text(printable(text), no_wrap=True, overflow="ellipsis", end="")
            shown.truncate(width, overflow="ellipsis")
            shown.align("center", width)
            strips[top + row] = Strip(shown.render(self.app.console), width)
        return strips


def around(picture: Picture, row: int) -> str:
    """A blank line that skips the cells a picture covers, except the last one, which it may cover in part."""
    kept = picture.columns - 1
    if kept < 1 or not picture.y <= row < picture.y + picture.rows - 1:
        return ""
    right = picture.panel.columns - picture.x - kept
    return f"{' ' * picture.x}\x1b[{kept}C{' ' * right}{RESET}"


def plain_cells(picture: Picture, row: int) -> list[Segment]:
    """The segments of a line, used where something covers a part of it."""
    columns, covered = picture.panel.columns, row - picture.y
    if picture.cells is None or not 0 <= covered < picture.rows:
        return [Segment(" " * columns)]
    blocks = [
        Segment("▀", Style.from_color(_colour(top), _colour(bottom)))
        for top, bottom in picture.cells[covered].tolist()
    ]
    right = columns - picture.x - picture.columns
    return [Segment(" " * picture.x), *blocks, Segment(" " * right)]


def _colour(rgb: list[int]) -> Color:
    return Color.from_rgb(*rgb)
