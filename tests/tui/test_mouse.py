"""The mouse on the labelling screen, the scale bar and the centre mark."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deep_support import write_deep
from textual import events
from textual.pilot import Pilot
from textual.widgets import OptionList
from tui_support import (
    label,
    labels_in,
    make_context,
    make_images,
    opened,
    press,
    run,
    screen_text,
    settle,
    type_text,
    wait_until,
)

from mia_tui.config.user.kept import kept_settings
from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.images.rendering import DisplaySettings
from mia_tui.tui.dialogs import Dialog
from mia_tui.tui.grid.screen import GridScreen
from mia_tui.tui.label.picture.scale_bar import scale_bar

WIDE = 120, 40


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 4, classes=("round", "long"))


async def wheel(pilot: Pilot[Any], x: int, y: int, *, up: bool = False, ctrl: bool = False) -> None:
    kind = events.MouseScrollUp if up else events.MouseScrollDown
    app = pilot.app
    app.post_message(
        kind(
            widget=app.screen,
            x=x,
            y=y,
            delta_x=0,
            delta_y=0,
            button=0,
            shift=False,
            meta=False,
            ctrl=ctrl,
            screen_x=x,
            screen_y=y,
        )
    )
    await pilot.pause()
    await settle(pilot)


def display(pilot: Pilot[int]) -> DisplaySettings:
    return pilot.app.screen._view_settings.display  # type: ignore[attr-defined,no-any-return]


def middle(pilot: Pilot[int]) -> tuple[int, int]:
    region = pilot.app.screen.query_one("#image").region
    return region.x + region.width // 2, region.y + region.height // 2


async def seen(pilot: Pilot[int]) -> None:
    """The first picture is painted."""
    screen: Any = pilot.app.screen
    await wait_until(pilot, lambda: screen._view_settings.view is not None)


def position(pilot: Pilot[int]) -> str:
    return next(
        line for line in screen_text(pilot.app).splitlines() if re.match(r"\s*\d+/\d+", line)
    ).split()[0]


@pytest.mark.parametrize("setting", ["next", "zoom"])
def test_the_wheel_goes_on_or_zooms_as_set_and_with_ctrl_it_always_zooms(cells: Path, setting: str) -> None:
    async def test() -> None:
        user = UserConfig(wheel=setting)  # type: ignore[arg-type]
        async with opened(cells, size=WIDE, context=make_context(user=user)) as pilot:
            await seen(pilot)
            await wheel(pilot, *middle(pilot))
            assert position(pilot) == ("2/4" if setting == "next" else "1/4")
            await wheel(pilot, *middle(pilot), up=True, ctrl=True)
            assert display(pilot).zoom == pytest.approx(1.5)
            await wheel(pilot, *middle(pilot), up=True, ctrl=setting == "next")
            assert display(pilot).zoom == pytest.approx(2.25)
            await wheel(pilot, *middle(pilot), ctrl=True)
            await wheel(pilot, *middle(pilot), ctrl=True)
            assert display(pilot).zoom == 1.0

    run(test())


def test_what_lies_below_the_mouse_stays_there_when_the_wheel_zooms(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await seen(pilot)
            screen: Any = pilot.app.screen
            region, picture = screen._image.region, screen._image.picture
            x, y = region.x + picture.x + picture.columns // 4, region.y + picture.y + picture.rows // 4
            await wheel(pilot, x, y, up=True, ctrl=True)
            await wheel(pilot, x, y, up=True, ctrl=True)
            across, down = display(pilot).centre
            assert 0.3 < across < 0.5 and 0.3 < down < 0.5

    run(test())


def test_a_drag_moves_an_enlarged_image_and_nothing_else(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await seen(pilot)
            await pilot.mouse_down("#image", offset=(30, 10))
            await pilot.hover("#image", offset=(20, 10))
            await pilot.mouse_up("#image", offset=(20, 10))
            assert display(pilot).centre == (0.5, 0.5)
            await press(pilot, "+", "+", "+", "+")
            before = display(pilot).centre
            await pilot.mouse_down("#image", offset=(30, 10))
            await pilot.hover("#image", offset=(25, 10))
            await pilot.hover("#image", offset=(20, 12))
            await pilot.mouse_up("#image", offset=(20, 12))
            await settle(pilot)
            moved = display(pilot).centre
            assert moved[0] > before[0] and moved[1] < before[1]  # the image follows the mouse
            await pilot.hover("#image", offset=(10, 10))
            await settle(pilot)
            assert display(pilot).centre == moved and position(pilot) == "1/4"

    run(test())


def test_a_double_click_enlarges_a_place_and_another_shows_all_again(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await seen(pilot)
            await pilot.click("#image", offset=(20, 10), times=2)
            await settle(pilot)
            assert display(pilot).zoom > 3
            await pilot.click("#image", offset=(20, 10), times=2)
            await settle(pilot)
            assert display(pilot).zoom == 1.0

    run(test())


@pytest.mark.parametrize("how", ["right on the list", "double on the list", "right on the image"])
def test_a_menu_of_an_image_gives_it_a_class_without_leaving_it(cells: Path, how: str) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await seen(pilot)
            if "list" in how:
                right = how.startswith("right")
                await pilot.click("#list", offset=(5, 2), button=3 if right else 1, times=1 if right else 2)
            else:
                await pilot.click("#image", offset=(5, 5), button=3)
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, Dialog))
            name = "image-002.png" if "list" in how else "image-000.png"
            assert f"{name}: which class, or what else?" in screen_text(pilot.app)
            await press(pilot, "down", "enter")
            await wait_until(pilot, lambda: name in labels_in(cells))
            assert position(pilot) == ("3/4" if "list" in how else "1/4")

    run(test())


def test_the_menu_also_flags_skips_and_removes_a_label(cells: Path) -> None:
    label(cells, "round", ["image-000.png"])

    async def choose(pilot: Pilot[int], words: str) -> None:
        await pilot.click("#image", offset=(5, 5), button=3)
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, Dialog))
        await type_text(pilot, words)
        await wait_until(pilot, lambda: pilot.app.screen.query_one(OptionList).option_count == 1)
        await press(pilot, "enter")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, Dialog))
        await settle(pilot)

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await seen(pilot)
            await choose(pilot, "flag")
            assert "flagged" in screen_text(pilot.app).splitlines()[0]
            await choose(pilot, "remove the flag")
            assert "flagged" not in screen_text(pilot.app).splitlines()[0]
            await choose(pilot, "remove the label")
            assert labels_in(cells) == {}

    run(test())


def test_a_right_click_on_a_tile_asks_about_it_or_about_all_that_are_marked(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "f7")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, GridScreen))
            tiles = pilot.app.screen.tiles  # type: ignore[attr-defined]
            await wait_until(pilot, lambda: tiles.size.width > 0)
            beside = tiles.tile_layout.x(1) + 2
            await pilot.click("#grid", offset=(beside, 3), button=3)
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, Dialog))
            assert "image-001.png: which class, or what else?" in screen_text(pilot.app)
            await press(pilot, "enter")
            await wait_until(pilot, lambda: list(labels_in(cells)) == ["image-001.png"])
            await wait_until(pilot, lambda: not isinstance(pilot.app.screen, Dialog))
            await press(pilot, "ctrl+a")
            await pilot.click("#grid", offset=(beside, 3), button=3)
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, Dialog))
            assert "4 marked images: which class, or what else?" in screen_text(pilot.app)
            await press(pilot, "escape")

    run(test())


# Scale bar and centre mark


@pytest.mark.parametrize("um_per_cell", [1e-4, 0.0065, 0.13, 0.3, 1.0, 7.7, 130.0, 5e3])
def test_the_scale_bar_is_as_long_as_it_says(um_per_cell: float) -> None:
    text = scale_bar(um_per_cell, 80, make_context().ink)
    drawn, number, unit = text.split()
    um = float(number) * {"nm": 1e-3, "µm": 1.0, "mm": 1e3, "cm": 1e4}[unit]
    assert number.rstrip("0").rstrip(".") in ("1", "2", "5", "0.1", "0.2", "0.5", "0.01", "0.02", "0.05")
    eighths = sum(" ▏▎▍▌▋▊▉█".index(character) for character in drawn)
    assert eighths / 8 * um_per_cell == pytest.approx(um, rel=0.07)
    assert 8 <= len(drawn) <= 20


def test_without_room_or_size_there_is_no_bar() -> None:
    ink = make_context().ink
    assert scale_bar(1.0, 7, ink) == scale_bar(0.0, 80, ink) == scale_bar(float("nan"), 80, ink) == ""
    assert scale_bar(1.0, 80, make_context(unicode=False).ink) == "==================== 20 um"


def test_the_scale_bar_stands_below_images_of_known_size_follows_the_zoom_and_can_be_hidden(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "cells"
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(0, 60_000, (200, 300), np.uint16)
    write_deep(folder / "a.ome.tif", pixels, pixel_um=0.5)

    def bar(pilot: Pilot[int]) -> str:
        found = re.search(r"█[▏▎▍▌▋▊▉█]* \d+ (nm|µm)", screen_text(pilot.app))
        return found[0] if found else ""

    async def test() -> None:
        async with opened(folder, size=WIDE) as pilot:
            await wait_until(pilot, lambda: bar(pilot) != "")
            drawn, um, _ = bar(pilot).split()
            picture = pilot.app.screen._image.picture  # type: ignore[attr-defined]
            eighths = sum(" ▏▎▍▌▋▊▉█".index(character) for character in drawn)
            assert eighths / 8 * 150 / picture.columns == pytest.approx(float(um), rel=0.03)
            await press(pilot, "+", "+", "+", "+")
            await wait_until(pilot, lambda: float((bar(pilot) or "x 99").split()[1]) < float(um))
            await press(pilot, "_")
            assert bar(pilot) == "" and kept_settings().scale_bar is False
            await press(pilot, "_")
            assert bar(pilot) != ""

    run(test())


def test_a_file_without_a_size_says_so(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await seen(pilot)
            await press(pilot, "_")
            assert "does not say how large a pixel is" in screen_text(pilot.app)

    run(test())


def test_the_centre_mark_comes_by_a_key_and_stays_for_the_next_image_and_start(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await seen(pilot)
            await press(pilot, ".", "right", "*")
            assert display(pilot).centre_mark
        async with opened(cells, size=WIDE) as pilot:
            assert display(pilot).centre_mark
            await press(pilot, ".")
            assert not display(pilot).centre_mark and kept_settings().centre_mark is False

    run(test())
