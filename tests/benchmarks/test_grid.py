"""The grid through a real pty: a page of tiles, a line of them, and the same over a slow connection.

    pytest -m benchmark tests/benchmarks/test_grid.py -s

Beside each figure stands the floor: a program that only writes the same bytes when the key comes. With
GRID_BEFORE=FOLDER, a checkout of another commit, its grid is measured in the same run.
"""

import os
import re
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyte
import pytest
from screen_timing import GRAPHICS, linked
from terminal_driver import TerminalApp, python_app
from terminal_stream import KINDS, Answer, take_apart, whole_sequences

from mia_tui.tui.mosaic.layout import TileLayout, lay_out
from mia_tui.tui.pictures.flow_control import ASK

pytestmark = pytest.mark.benchmark

COLUMNS, ROWS = 122, 47
TILES = 48
SLOW = 2e6  # bit/s
_BELOW = 5  # rows below the tiles
_GRAPHIC = re.compile(rb"\x1b\[(\d+);(\d+)H(?:\x1bP0;1;0q|\x1b\]1337;File=|\x1b_Ga=p)")
_FLOOR = """
import os, sys, termios, tty
tty.setraw(0)
data = open(sys.argv[1], "rb").read()
os.write(1, b"labelled")
while key := os.read(0, 1):
    rest = memoryview(data if key == b"x" else b"")
    while rest:
        rest = rest[os.write(1, rest[:65536]):]
"""


@pytest.fixture
def dataset(tmp_path: Path, photos: list[Path]) -> Path:
    return linked(tmp_path / "images", photos, 2000)


def layout_of(graphics: str) -> TileLayout:
    layout = lay_out(COLUMNS - 1, ROWS - _BELOW, 5, (10, 20), 4 / 3)
    assert layout.lines * layout.per_line == TILES, f"{layout} is not a page of {TILES}"
    return layout


def open_grid(dataset: Path, home: Path, graphics: str, **terminal: object) -> TerminalApp:
    """The app with a page of tiles that are painted, the pages beside them ready."""
    app = TerminalApp(
        python_app(dataset, "--graphics", graphics),
        home=home,
        kind=GRAPHICS[graphics],
        columns=COLUMNS,
        rows=ROWS,
        **terminal,  # type: ignore[arg-type]
    )
    app.wait_for("labelled")
    app.quiet(1.0)
    app.press("f7")
    app.quiet(1.0)
    app.press("-")
    app.rest(2.0)
    return app


@pytest.mark.parametrize("graphics", GRAPHICS)
def test_a_page_and_a_line(dataset: Path, tmp_path: Path, say: list[str], graphics: str) -> None:
    with open_grid(dataset, tmp_path / "home", graphics) as app:
        app.press("pagedown", "pagedown")
        app.rest(1.0)
        app.press("pageup", "pageup")
        app.rest(1.0)
        pages = []
        for key in ("pagedown", "pageup") * 5:
            app.rest(0.3)
            pages.append(app.measure(key, quiet_s=0.3))
        for _ in range(2):
            app.press("escape")
            app.rest(0.5)
            reopened = app.measure("f7", quiet_s=0.5)
        app.press("home", "-", "+")
        app.rest(1.0)
        app.press(*["down"] * (layout_of(graphics).lines - 1))
        app.rest(1.0)
        line = app.measure("down", quiet_s=0.6)
        cold = cold_page(app)
    floor = floor_of(pages[-1].data, tmp_path, graphics)
    times = [1000 * page.painted_s for page in pages]
    kib = statistics.median(len(page.data) for page in pages) / 1024
    say.append(
        f"{graphics:>6}: page of {TILES} ready tiles median {statistics.median(times):.1f} ms (largest "
        f"{max(times):.1f}) to the last byte, {kib:.0f} KiB, {1024 * kib / TILES:,.0f} bytes a tile; the same bytes "
        f"alone {floor:.1f} ms ({statistics.median(times) / floor:.1f} x); F7 again {1000 * reopened.painted_s:.0f} "
        f"ms; a line further {1000 * line.painted_s:.0f} ms, {len(line.data) / 1024:.0f} KiB; cold page "
        f"{1000 * cold.painted_s:.0f} ms"
    )
    if before := os.environ.get("GRID_BEFORE"):
        say.append(f"        {measure_before(dataset, tmp_path / 'before', before)}")


def cold_page(app: TerminalApp) -> Answer:
    """A page whose images are still to be read."""
    app.rest(0.5)
    return app.measure("end", quiet_s=1.0)


def floor_of(data: bytes, folder: Path, graphics: str) -> float:
    """The time in ms of a program that writes these bytes when a key comes."""
    without_answers = data.replace(ASK.encode(), b"").replace(b",q=1", b",q=2")
    (folder / "bytes").write_bytes(without_answers)
    command = [sys.executable, "-c", _FLOOR, str(folder / "bytes")]
    kind = replace(KINDS[GRAPHICS[graphics]])
    with TerminalApp(command, home=folder / "floor", kind=kind, columns=COLUMNS, rows=ROWS) as app:
        app.wait_for("labelled")
        return statistics.median(1000 * app.measure("x", quiet_s=0.2).last_s for _ in range(10))


def measure_before(dataset: Path, home: Path, checkout: str) -> str:
    """The grid of another commit, which has half blocks in every terminal."""
    program = [sys.executable, "-c", f"import sys; sys.path.insert(0, {checkout!r}); sys.argv[0] = 'mia-tui'\n"
               "from mia_tui.__main__ import main\nmain()"]  # fmt: skip
    arguments = [str(dataset), "--graphics", "half"]
    with TerminalApp([*program, *arguments], home=home, columns=COLUMNS, rows=ROWS) as app:
        app.wait_for("labelled")
        app.quiet(1.0)
        app.press("f7", "-")
        app.rest(2.0)
        pages = []
        for key in ("pagedown", "pageup") * 5:
            app.rest(0.5)
            pages.append(app.measure(key, quiet_s=0.4))
    times = [1000 * page.painted_s for page in pages[2:]]
    kib = statistics.median(len(page.data) for page in pages) / 1024
    return f"before: a page of half blocks median {statistics.median(times):.1f} ms, {kib:.0f} KiB"


@pytest.mark.parametrize("graphics", GRAPHICS)
def test_a_page_over_2_mbit_s(dataset: Path, tmp_path: Path, say: list[str], graphics: str) -> None:
    with open_grid(dataset, tmp_path / "home", graphics, bits_per_s=SLOW) as app:
        complete, best, kib = [], [], []
        for key in ("pagedown", "pageup", "pagedown"):
            app.rest(3.0)
            mark, pressed_at = app.mark(), time.perf_counter()
            app.press(key)
            app.rest(2.0)
            chunks = app.chunks(mark)
            complete.append(1000 * (complete_at(chunks, layout_of(graphics)) - pressed_at))
            best.append(1000 * (chunks[-1][0] - pressed_at))
            kib.append(sum(len(data) for _, data in chunks) / 1024)
    say.append(
        f"2 Mbit/s {graphics:>6}: every tile has a picture after {', '.join(f'{ms:.0f}' for ms in complete)} ms; the "
        f"last byte after {', '.join(f'{ms:.0f}' for ms in best)} ms, {', '.join(f'{size:.0f}' for size in kib)} KiB"
    )


def complete_at(chunks: Sequence[tuple[float, bytes]], layout: TileLayout) -> float:
    """When the last tile of a page had its first picture, coarse or not: pixels, or cells with a ground colour."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    missing, unfinished, before = set(range(TILES)), b"", b""
    for at, piece in chunks:
        whole, unfinished = whole_sequences(unfinished + piece)
        places = [(int(y) - 1, int(x) - 1) for y, x in _GRAPHIC.findall(before + whole)]
        before = whole[-20:]  # a place may be said in the piece before
        stream.feed(take_apart(whole)[0])
        missing -= {tile for place in places if (tile := tile_at(*place, layout)) is not None}
        missing = {tile for tile in missing if not has_colour(screen, tile, layout)}
        if not missing:
            return at
    raise AssertionError(f"tiles {sorted(missing)} have no picture")


def tile_at(y: int, x: int, layout: TileLayout) -> int | None:
    """The tile of a cell, counted on the page."""
    return layout.at(x, y) if y < layout.lines * layout.line_rows else None


def has_colour(screen: pyte.Screen, tile: int, layout: TileLayout) -> bool:
    """Whether the middle of a tile is a cell of a picture, on a terminal whose other cells there have no ground."""
    line, place = divmod(tile, layout.per_line)
    y, x = line * layout.line_rows + layout.line_rows // 2, layout.x(place) + layout.columns // 2
    return any(screen.buffer[y][column].bg != "default" for column in (x - 1, x, x + 1))
