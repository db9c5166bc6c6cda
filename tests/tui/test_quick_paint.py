"""What is painted when a part of the screen changed: the same cells as Textual's own compositor paints."""

import random
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest
from rich.color import ColorSystem
from terminal_stream import take_apart
from textual._compositor import Compositor, CompositorUpdate
from textual.app import App
from textual.geometry import Region
from tui_support import make_context, make_images, opened, run, running, settle, wait_until

from mia_tui.tui.app import MiaApp
from mia_tui.tui.quick_paint import QuickCompositor

SIZE = 110, 34


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 60, classes=("round", "long"))


def drawn(app: App[int], update: CompositorUpdate | None) -> list[list[pyte.screens.Char]]:
    """A screen full of question marks after an update."""
    screen = pyte.Screen(*app.size)
    stream = pyte.ByteStream(screen)
    for line in range(app.size.height):
        stream.feed(f"\x1b[{line + 1};1H{'?' * app.size.width}".encode())
    assert update is not None
    stream.feed(take_apart(update.render_segments(app.console).encode())[0])
    return [[screen.buffer[y][x] for x in range(app.size.width)] for y in range(app.size.height)]


def cells_of(region: Region) -> Iterator[tuple[int, int]]:
    return ((x, y) for y in region.line_range for x in region.column_range)


def seen(char: pyte.screens.Char) -> object:
    """What a cell looks like: the same two colours can be written in several ways."""
    fg, bg = (char.bg, char.fg) if char.reverse else (char.fg, char.bg)
    halves = {" ": (bg, bg), "▀": (fg, bg), "▄": (bg, fg), "█": (fg, fg)}
    return halves.get(char.data, char)


@pytest.mark.parametrize("covered", [False, True], ids=["alone", "below a message"])
def test_it_paints_what_textual_would_paint(cells: Path, covered: bool) -> None:
    async def test() -> None:
        app, chance = MiaApp(make_context(), cells), random.Random(5)
        async with running(app, size=SIZE, notifications=True) as pilot:
            await settle(pilot)
            app.console._color_system = ColorSystem.TRUECOLOR  # a cut line of an image is made anew
            compositor = app.screen._compositor
            assert isinstance(compositor, QuickCompositor)
            if covered:
                app.notify("This message lies over a part of the image.")
                await wait_until(pilot, lambda: bool(app.screen.query("ToastHolder")))
                app.screen.query("ToastHolder").set(display=True)  # as over other screens
                await wait_until(
                    pilot, lambda: all(toast.region.height for toast in app.screen.query("Toast"))
                )
            width, height = app.size
            for _ in range(25):
                regions = set()
                for _ in range(chance.randint(1, 6)):
                    x, y = chance.randrange(width), chance.randrange(height)
                    size = chance.randint(1, width - x), chance.choice((1, 1, chance.randint(1, height - y)))
                    regions.add(Region(x, y, *size))
                compositor._dirty_regions = set(regions)
                theirs = drawn(app, Compositor.render_partial_update(compositor))
                compositor._dirty_regions = set(regions)
                ours = drawn(app, compositor.render_partial_update())
                for x, y in {cell for region in regions for cell in cells_of(region)}:
                    assert seen(ours[y][x]) == seen(theirs[y][x]), f"column {x}, line {y} of {regions}"
                assert compositor.render_partial_update() is None, "it would be painted again"

    run(test())


def test_what_did_not_change_is_not_written(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=SIZE) as pilot:
            compositor = pilot.app.screen._compositor
            compositor._dirty_regions = {Region(3, 2, 4, 1), Region(60, 9, 2, 2)}
            update = compositor.render_partial_update()
            assert update is not None
            screen = drawn(pilot.app, update)
            changed = {
                (x, y) for y, line in enumerate(screen) for x, char in enumerate(line) if char.data != "?"
            }
            assert changed == {(x, 2) for x in range(3, 7)} | {(x, y) for x in (60, 61) for y in (9, 10)}

    run(test())
