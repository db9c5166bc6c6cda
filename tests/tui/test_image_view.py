"""A better picture of what is there is written over it, and what was there is seen until then."""

from dataclasses import replace

import numpy as np
import pyte
import pytest
from textual.app import App, ComposeResult
from tui_support import make_context, run, running

from mia_tui.terminal.model import Picture, Terminal
from mia_tui.terminal.pictures import draw_picture
from mia_tui.tui.pictures.image_view import ImageView

SIXEL = Terminal("sixel", "true", 10, 20, True)


def written(view: ImageView) -> str:
    """What its lines write, one below the other."""
    lines = view.render_lines(view.size.region)
    return "".join(f"\x1b[{y + 1};1H{line.render(view.app.console)}" for y, line in enumerate(lines))


def cells(text: str, columns: int, rows: int, before: str = "") -> list[str]:
    """The characters on a screen that ignores graphics."""
    screen = pyte.Screen(columns, rows)
    stream = pyte.Stream(screen)
    for part in (before, text):
        stream.feed("".join(piece.split("\x1b\\")[-1] for piece in part.split("\x1bP")))
    return list(screen.display)


@pytest.mark.parametrize("shape", [(60, 90), (90, 40), (37, 211)])
def test_a_better_picture_leaves_what_it_covers_and_wipes_the_rest(shape: tuple[int, int]) -> None:
    async def look() -> None:
        flow_control = make_context().flow_control

        class Shown(App[None]):
            def compose(self) -> ComposeResult:
                yield ImageView(SIXEL, flow_control, lambda _: None)

        async with running(Shown(), size=(30, 12)) as pilot:
            view = pilot.app.query_one(ImageView)
            pixels = np.random.default_rng(1).integers(0, 255, (*shape, 3), np.uint8)
            size = view.size
            full = "".join(f"\x1b[{y + 1};1H{'x' * size.width}" for y in range(size.height))
            picture = draw_picture(pixels, view.panel, SIXEL)
            assert picture.graphics

            view.show(picture)
            assert "x" not in "".join(cells(written(view), *size, before=full)), "nothing is there before"
            view.show(sharper(picture), is_refined=True)
            kept = cells(first := written(view), *size, before=full)
            assert first.count("\x1bP") == 1 and first.count("\x1b[6n") == 1
            for y, line in enumerate(kept):
                for x, character in enumerate(line):
                    covered = picture.y <= y < picture.y + picture.rows - 1
                    covered = covered and picture.x <= x < picture.x + picture.columns - 1
                    assert (character == "x") == covered, (x, y)
            assert "x" not in "".join(cells(written(view), *size, before=full)), "once only"

    run(look())


def sharper(picture: Picture) -> Picture:
    return replace(picture, is_coarse=False)
