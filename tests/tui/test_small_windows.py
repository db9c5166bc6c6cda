"""Windows of nearly no size: nothing can be read there, and nothing fails."""

from pathlib import Path

import pytest
from tui_support import make_images, opened, press, run


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 60), (5, 2), (10, 3), (200, 1)])
def test_the_palette_outlives_a_window_of_nearly_no_size(tmp_path: Path, size: tuple[int, int]) -> None:
    dataset = make_images(tmp_path / "images", 3, classes=["round"])

    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "ctrl+p", "o")
            await pilot.resize_terminal(*size)
            await pilot.pause(0.2)
            await press(pilot, "pagedown", "q", "pageup", "down", "backspace", "pageup")
            await pilot.resize_terminal(80, 24)
            await press(pilot, "escape")

    run(test())


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 60), (5, 2), (10, 3), (200, 1)])
def test_the_palette_may_be_asked_for_in_such_a_window(tmp_path: Path, size: tuple[int, int]) -> None:
    dataset = make_images(tmp_path / "images", 3, classes=["round"])

    async def test() -> None:
        async with opened(dataset, size=size) as pilot:
            await press(pilot, "ctrl+p", "o", "pagedown", "q", "pageup", "backspace")
            await pilot.resize_terminal(80, 24)
            await press(pilot, "escape")

    run(test())
