"""Tiles in pixels: each sent once, refined when there is time, whole again after whatever lay over them."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from tui_support import make_context, make_images, opened, press, record_paints, run, screen_text, wait_until

from mia_tui.dataset.model import ImageKey
from mia_tui.tui.grid.screen import GridScreen
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.mosaic.tile_pictures import TilePictures
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.runs.gallery import GalleryImage, GalleryScreen

WIDE = 120, 40
PICTURE = {"sixel": "\x1bP0;1;0q", "iterm2": "\x1b]1337;File=", "kitty": "\x1b_Ga=p,"}
SENT = "\x1b_Ga=t,"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_images(tmp_path / "images", 90, classes=["round", "long"])


async def open_grid(pilot: Pilot[Any]) -> Any:
    """The grid, once all that is in view is painted; what is painted from now on is kept."""
    painted = record_paints(pilot.app)
    await press(pilot, "f7")
    screen: Any = pilot.app.screen
    assert isinstance(screen, GridScreen)
    await complete(pilot)
    return screen, painted


async def complete(pilot: Pilot[Any]) -> None:
    screen: Any = pilot.app.screen
    await wait_until(pilot, lambda: bool(screen.tiles.is_complete) and not pilot.app.flow_control.busy)
    await pilot.pause(0.1)


def count(painted: list[str], what: str) -> int:
    return sum(text.count(what) for text in painted)


def test_a_picture_that_is_made_while_a_dialog_closes_waits_until_the_grid_is_back(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            screen, _ = await open_grid(pilot)
            screen.tiles.withdraw()  # the dialog is gone, but the grid has not been told yet
            screen.tiles._gathered()
            screen.tiles.come_back()
            await complete(pilot)

    run(test())


@pytest.mark.parametrize("graphics", PICTURE)
def test_every_tile_is_a_picture_and_a_move_of_the_cursor_sends_none(dataset: Path, graphics: str) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE, context=make_context(graphics=graphics)) as pilot:
            screen, painted = await open_grid(pilot)
            assert count(painted, PICTURE[graphics]) >= len(screen.tiles.seen) > 8
            painted.clear()
            await press(pilot, "right", "space", "1", "f4")
            await complete(pilot)
            assert not count(painted, PICTURE[graphics]) and not count(painted, SENT)
            assert "1 labelled" in screen_text(pilot.app)

    run(test())


@pytest.mark.parametrize("graphics", PICTURE)
@pytest.mark.parametrize(("opens", "leaves"), [("ctrl+n", "escape"), ("ctrl+p", "escape"), ("f8", "escape")])
def test_after_a_dialog_every_tile_is_painted_again(
    dataset: Path, graphics: str, opens: str, leaves: str
) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE, context=make_context(graphics=graphics)) as pilot:
            screen, painted = await open_grid(pilot)
            await press(pilot, opens)
            await wait_until(pilot, lambda: pilot.app.screen is not screen)
            painted.clear()
            await pilot.pause(0.2)
            assert not count(painted, PICTURE[graphics]), "it would lie over the dialog"
            await pilot.press(leaves)
            await wait_until(pilot, lambda: pilot.app.screen is screen)
            await wait_until(pilot, lambda: count(painted, PICTURE[graphics]) >= len(screen.tiles.seen))
            assert not count(painted, SENT), "the terminal has them still"

    run(test())


def test_a_tile_under_a_message_is_painted_when_the_message_is_gone(dataset: Path) -> None:
    async def test() -> None:
        context = make_context(graphics="sixel")
        async with opened(dataset, size=WIDE, context=context, notifications=True) as pilot:
            painted, place = record_paints(pilot.app), OpenDataset(dataset, None, "ann")
            images = [GalleryImage(ImageKey(f"image-{n:03}.png"), "round", "long") for n in range(60)]
            screen: Any = GalleryScreen("of a run", images, place, context)
            pilot.app.push_screen(screen)
            await wait_until(pilot, lambda: pilot.app.screen is screen and bool(screen.tiles.size))
            await complete(pilot)
            painted.clear()
            pilot.app.notify("Somebody else has labelled images. " * 4)
            await wait_until(pilot, lambda: any("Somebody" in text for text in painted))
            await pilot.pause(0.3)
            covered = len([key for key in screen.tiles.keys_seen if under_message(screen, key)])
            assert covered and not count(painted, PICTURE["sixel"]), "it would lie over the message"
            painted.clear()
            pilot.app.clear_notifications()
            await wait_until(pilot, lambda: count(painted, PICTURE["sixel"]) >= covered)
            await pilot.pause(0.3)
            assert count(painted, PICTURE["sixel"]) < len(screen.tiles.seen), "the others are untouched"

    run(test())


def under_message(screen: Any, key: Any) -> bool:
    return any(screen.tiles.region_of(key).overlaps(each) for each in screen.tiles.messages())


def test_in_kitty_a_line_further_sends_a_line_of_pictures_and_the_way_back_none(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE, context=make_context(graphics="kitty")) as pilot:
            screen, painted = await open_grid(pilot)
            layout = screen.tiles.tile_layout
            await press(pilot, *["down"] * (layout.lines - 1))
            await complete(pilot)
            for way, sent in (("down", layout.per_line), ("down", layout.per_line)):
                painted.clear()
                await press(pilot, way)
                await complete(pilot)
                assert count(painted, SENT) <= sent, "a line is likely next, and sent ahead"
                assert count(painted, PICTURE["kitty"]) == len(screen.tiles.seen), "the others are moved"
            painted.clear()
            await press(pilot, *["up"] * layout.lines)
            await complete(pilot)
            assert screen.tiles.seen.start == layout.per_line and not count(painted, SENT)

    run(test())


def test_leaving_the_grid_hides_its_pictures_and_coming_back_sends_none(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE, context=make_context(graphics="kitty")) as pilot:
            screen, painted = await open_grid(pilot)
            shown = len(screen.tiles.seen)
            painted.clear()
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, LabelScreen)
            assert count(painted, "\x1b_Ga=d,d=i,i=") >= shown
            painted.clear()
            await press(pilot, "f7")
            await complete(pilot)
            assert count(painted, PICTURE["kitty"]) >= shown and not count(painted, SENT)

    run(test())


def test_a_picture_that_kitty_has_lost_is_sent_again(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE, context=make_context(graphics="kitty")) as pilot:
            _, painted = await open_grid(pilot)
            number = max(
                int(each.split(",")[0]) for text in painted for each in text.split("\x1b_Ga=p,i=")[1:]
            )
            painted.clear()
            pilot.app.flow_control.on_refused(number)
            await wait_until(pilot, lambda: any(f"{SENT}t=d,f=100,i={number}," in text for text in painted))
            assert count(painted, SENT) == 1

    run(test())


@pytest.mark.parametrize("graphics", PICTURE)
def test_on_a_slow_line_a_page_is_coarse_first_and_then_as_fine_as_any(dataset: Path, graphics: str) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE, context=make_context(graphics=graphics)) as pilot:
            screen, painted = await open_grid(pilot)
            flow = pilot.app.flow_control
            flow.bytes_per_s = flow._step = 131_072.0
            flow._measure = lambda *_: None  # here, answers come at once
            painted.clear()
            await press(pilot, "end")
            seen = screen.tiles.seen
            await complete(pilot)
            sizes = [len(text.encode()) for text in painted]
            assert max(sizes) < 40_000, "a key is answered between the parts"
            assert count(painted, PICTURE[graphics]) >= len(seen)
            chosen = [screen.tiles._painter.chosen[key].picture for key in screen.tiles.keys_seen]
            assert not any(picture.is_coarse for picture in chosen)

    run(test())


def test_the_size_of_tiles_is_kept_while_the_dataset_is_open(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE) as pilot:
            screen, _ = await open_grid(pilot)
            await press(pilot, "minus")
            before = screen.tiles.tile_layout
            await press(pilot, "escape", "f7")
            again: Any = pilot.app.screen
            assert again is not screen and again.tiles.tile_layout == before

    run(test())


def test_a_few_images_take_the_room_there_is(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "images", 3)

    async def test() -> None:
        async with opened(folder, size=WIDE) as pilot:
            screen, _ = await open_grid(pilot)
            layout = screen.tiles.tile_layout
            assert layout.count >= 3 and layout.line_rows * layout.lines > 30 and layout.per_line <= 3

    run(test())


def test_signs_of_an_image_are_in_its_frame(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=WIDE, context=make_context(graphics="sixel")) as pilot:
            screen, _ = await open_grid(pilot)
            await press(pilot, "1", "!", "f4", "right")
            bottom = screen_text(pilot.app).splitlines()[screen.tiles.tile_layout.line_rows - 1]
            assert "⚑ ↷" in bottom

    run(test())


def test_where_nothing_is_in_view_any_more_there_is_no_picture(dataset: Path) -> None:
    # A timer from before runs out while a sentence stands in place of the grid.
    context = make_context()
    pictures = TilePictures(dataset, context.terminal, context.flow_control)
    pictures.rest()
    assert pictures.best(ImageKey("image-000.png"), refined=True) is None
    pictures.close()
