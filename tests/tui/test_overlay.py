"""Dialogs over a picture of half blocks: what is around them stays as it is, at every size of the window."""

from pathlib import Path
from typing import Any

import pytest
from tui_support import make_context, make_images, opened, press, run, wait_until

from mia_tui.tui.dialogs import Dialog

SIZES = (130, 42), (80, 24), (110, 30)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 6, classes=("round", "flat"))


def around(screen: Any) -> tuple[list[str], list[str]]:
    """The lines above and below the dialog: what is seen, and what the screen below would show.

    None while a change of the window has not reached both screens.
    """
    box = screen.query_one(".dialog").region
    seen = [strip.text for strip in screen._compositor.render_strips()]
    below = [strip.text for strip in screen.app.screen_stack[-2]._compositor.render_strips()]
    if not len(seen) == len(below) == screen.size.height:
        return [], []
    lines = [y for y in range(len(seen)) if not box.y <= y < box.bottom]
    return [seen[y] for y in lines], [below[y] for y in lines]


def is_settled(screen: Any, height: int, graphics: str) -> bool:
    """Whether the screen below is seen around the dialog, line by line where pictures are half blocks."""
    seen, below = around(screen)
    is_same = seen == below or graphics != "half"
    return (
        screen.size.height == height and len(seen) > height // 2 and is_same and "image-000.png" in str(seen)
    )


@pytest.mark.parametrize("graphics", ["half", "sixel"])
def test_what_is_around_a_dialog_is_the_screen_below_also_after_a_change_of_the_window(
    cells: Path, graphics: str
) -> None:
    async def test() -> None:
        context = make_context(graphics=graphics)
        async with opened(cells, size=SIZES[0], context=context) as pilot:
            await press(pilot, "ctrl+f")
            for size in SIZES:
                await pilot.resize_terminal(*size)
                screen = pilot.app.screen
                assert isinstance(screen, Dialog)
                await wait_until(pilot, lambda: is_settled(screen, size[1], graphics))  # noqa: B023

    run(test())


def test_the_screen_below_is_not_painted_cell_by_cell(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with opened(cells, size=SIZES[0]) as pilot:
            from textual.screen import ModalScreen

            def forbidden(*_: object) -> object:
                raise AssertionError("Textual's own way takes 100 ms over a picture of half blocks")

            monkeypatch.setattr(ModalScreen, "render_lines", forbidden)
            await press(pilot, "ctrl+f")
            assert isinstance(pilot.app.screen, Dialog)

    run(test())
