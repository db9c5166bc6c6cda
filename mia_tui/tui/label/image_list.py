"""The list of files: one line an image. Only lines that are seen are made, however many images there are."""

from collections.abc import Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.dataset.session.session import LabelSession, RowState
from mia_tui.tui.classes.class_mark import MARK_COLUMNS, class_mark
from mia_tui.tui.widgets.ink import Ink
from mia_tui.tui.widgets.mouse import RIGHT_BUTTON

_KEPT = 500  # lines made before: half of a page is seen again on the next one
_MANY = 200  # changed rows; to find out which of them are seen costs more than painting all lines


class ImageList(ScrollView, can_focus=False):
    """The images of the session's view, with the class mark of each.

    Args:
        session: What it shows; painted again where `update` says so.
        ink: Characters and styles.
    """

    class ImageClicked(Message):
        """A line was clicked; `position` counts within the view. By the right button or twice: `asks` what to do."""

        def __init__(self, position: int, *, asks: bool) -> None:
            super().__init__()
            self.position, self.asks = position, asks

    def __init__(self, session: LabelSession, ink: Ink, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._session = session
        self._ink = ink
        self._painted: int | None = None  # the line that is marked as current
        self._shown = (-1, -1)  # images and generation of the view
        self._made: dict[int, Strip] = {}  # lines by position
        self._made_for = 0  # width

    def update(self, changed: Sequence[int]) -> None:
        """Paint what is different now: images of the view, marks of changed rows, the current line."""
        images, position = len(self._session.view), self._session.position
        if (images, self._session.view_generation) != self._shown:
            self._shown = images, self._session.view_generation
            self._made = {}
            self.virtual_size = Size(max(1, self.size.width), images)
            self.refresh()
        if changed:
            self._refresh_rows(changed)
        if position != self._painted:
            for line in (self._painted, position):
                self._refresh_line(line)
            self._painted = position
        self._scroll_into_view(position)

    def forget(self) -> None:
        """Paint all lines again: suggestions or classes changed."""
        self._made = {}
        self.refresh()

    def _refresh_rows(self, changed: Sequence[int]) -> None:
        if len(changed) > _MANY:
            self._made = {}
            self.refresh()
            return
        top = int(self.scroll_offset.y)
        seen = self._session.view[top : top + self.size.height].tolist()
        wanted = set(changed)
        if not wanted.issubset(seen):  # lines out of sight may show them, too
            self._made = {at: line for at, line in self._made.items() if 0 <= at - top < len(seen)}
        for line, row in enumerate(seen):
            if row in wanted:
                self._refresh_line(top + line)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Only lines that changed are made again: Textual calls this whenever anything is painted."""
        top, width = int(self.scroll_offset.y), self.size.width
        if self._made_for != width or len(self._made) > _KEPT:
            self._made, self._made_for = {}, width
        lines = []
        for position in range(top + crop.y, top + crop.bottom):
            line = self._made.get(position)
            if line is None:
                line, under = self._line(position, width), self._ink.beside_images
                self._made[position] = line = line if under is None else line.apply_style(under)
            lines.append(line)
        return [line.crop_extend(crop.x, crop.right, None) for line in lines]

    def _line(self, position: int, width: int) -> Strip:
        view = self._session.view
        if not 0 <= position < len(view):
            return Strip.blank(width)
        row = int(view[position])
        state = self._session.state_of(row)
        current = position == self._session.position
        mark, style = class_mark(state, self._ink)
        signs = self._signs(state)
        name = self._ink.fit_left(
            self._shown_name(row, position), max(0, width - MARK_COLUMNS - 1 - len(signs))
        )
        filled = width - MARK_COLUMNS - 1 - len(signs) - self._ink.width(name)
        line = self._ink.cursor() if current else None
        lead = self._ink.pointer if current else " "
        return Strip(
            [
                Segment(mark, style),
                Segment(lead + name + " " * max(0, filled), line),
                Segment(signs, Style()),
            ],
            width,
        )

    def on_click(self, event: events.Click) -> None:
        position = event.y + int(self.scroll_offset.y)
        if 0 <= position < len(self._session.view):
            asks = event.button == RIGHT_BUTTON or event.chain == 2
            self.post_message(self.ImageClicked(position, asks=asks))

    def notify_style_update(self) -> None:
        """The theme is another one."""
        super().notify_style_update()
        self._made = {}

    def on_resize(self) -> None:
        self.virtual_size = Size(max(1, self.size.width), len(self._session.view))
        self._scroll_into_view(self._session.position)

    def _signs(self, state: RowState) -> str:
        signs = self._ink.flag if state.flagged else ""
        signs += self._ink.skipped if state.skipped else ""
        signs += self._ink.noted if state.note else ""
        return signs

    def _shown_name(self, row: int, position: int) -> str:
        if self._session.is_blind:
            return self._session.name_of(row, position)
        key = self._session.listing.key(row)
        is_frame = key.frame != WHOLE_STACK and self._session.listing.is_stack(row)
        return f"{key.path} [{key.frame}]" if is_frame else key.path

    def _refresh_line(self, position: int | None) -> None:
        if position is None:
            return
        self._made.pop(position, None)
        y = position - int(self.scroll_offset.y)
        if 0 <= y < self.size.height:
            self.refresh(Region(0, y, self.size.width, 1))

    def _scroll_into_view(self, position: int | None) -> None:
        """Scroll by half a page: the whole list is then painted only once in so many moves."""
        if position is None:
            return
        top, height = int(self.scroll_offset.y), self.size.height
        if height and not top <= position < top + height:
            self.scroll_to(y=max(0, position - height // 2), animate=False, immediate=True, force=True)
