"""The peer: textual-image's widgets beside a list of 60,000 rows, in a frame. F1 gives a class, F2 also goes on.

    python peer_app.py half|sixel|tgp FOLDER COLUMNS ROWS

The list draws only the rows that are seen, as ours does; Textual's own lists would cost the peer a minute.
"""

import sys
from pathlib import Path

from rich.segment import Segment
from rich.style import Style
from textual.app import App, ComposeResult
from textual.containers import Container, Horizontal
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widgets import Footer, Static
from textual_image.widget import HalfcellImage, SixelImage, TGPImage

ROWS = 60_000
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442")
WIDGETS = {"half": HalfcellImage, "sixel": SixelImage, "tgp": TGPImage}


class Rows(ScrollView):
    """Names of images, one a row."""

    DEFAULT_CSS = "Rows { width: 36; height: 1fr; }"
    cursor = 0

    def on_mount(self) -> None:
        self.virtual_size = Size(36, ROWS)

    def render_line(self, y: int) -> Strip:
        row = y + int(self.scroll_offset.y)
        return Strip([Segment(f" image-{row:05}.jpg".ljust(36), Style(reverse=row == self.cursor))], 36)

    def move(self) -> None:
        for row in (self.cursor, self.cursor + 1):
            self.refresh(Region(0, row - int(self.scroll_offset.y), 36, 1))
        self.cursor += 1
        if self.cursor >= self.scroll_offset.y + self.size.height:
            self.scroll_to(y=self.cursor - self.size.height // 2, animate=False, immediate=True)


class Peer(App[None]):
    """One image, its frame and the list."""

    BINDINGS = [("f1", "assign", "Assign"), ("f2", "go_on", "Assign, next"), ("ctrl+q", "quit", "Quit")]  # noqa: RUF012

    def __init__(self, widget: str, folder: Path, columns: int, rows: int) -> None:
        super().__init__()
        self._files = sorted(folder.glob("*.jpg"))
        self._place = 0
        self._image = WIDGETS[widget]()
        self._image.styles.width, self._image.styles.height = columns, rows
        self._frame = Container(self._image)
        self._frame.styles.width, self._frame.styles.height = columns + 2, rows + 2
        self._frame.styles.border = ("solid", "grey")

    def compose(self) -> ComposeResult:
        self._file_name = Static("nothing yet", markup=False)
        yield self._file_name
        with Horizontal():
            yield Rows()
            yield self._frame
        yield Footer()

    def on_mount(self) -> None:
        self._show()

    def action_assign(self) -> None:
        self._frame.styles.border = ("solid", COLOURS[self._place % len(COLOURS)])
        self._place += 1

    def action_go_on(self) -> None:
        self._place += 1
        self._frame.styles.border = ("solid", COLOURS[self._place % len(COLOURS)])
        self.query_one(Rows).move()
        self._show()

    def _show(self) -> None:
        path = self._files[self._place % len(self._files)]
        self._file_name.update(path.name)
        self._image.image = path


if __name__ == "__main__":
    Peer(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])).run()
