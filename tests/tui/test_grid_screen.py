"""The grid: tiles, cursor, marks, and one class for many images in one step."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listing_support import listing_of_files
from textual.pilot import Pilot
from tui_support import (
    TERMINAL,
    label,
    labels_in,
    make_context,
    make_images,
    opened,
    press,
    record_paints,
    run,
    screen_text,
    settle,
    shown,
    type_text,
    wait_until,
)

from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageFile, ImageKey
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.terminal.cells import CellSize
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.grid.screen import GridScreen
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.mosaic.mosaic import Mosaic
from mia_tui.tui.open_dataset import OpenImages
from mia_tui.tui.runs.table_screen import RunsScreen
from mia_tui.tui.training.screen import TrainScreen

WIDE = 120, 40


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = make_images(tmp_path / "images", 60, classes=["round", "long"])
    label(folder, "round", ["image-001.png", "image-003.png"])
    return folder


def captions(pilot: Pilot[Any]) -> list[str]:
    """The lines above the tiles."""
    grid = pilot.app.screen.query_one(Mosaic)
    lines = screen_text(pilot.app).splitlines()
    layout = grid.tile_layout
    return [lines[line * layout.line_rows] for line in range(layout.lines)]


async def wait_for_pictures(pilot: Pilot[Any]) -> None:
    screen: Any = pilot.app.screen
    await wait_until(pilot, lambda: bool(screen.tiles.is_complete))
    await pilot.pause()


def test_tiles_say_their_class_in_words_and_in_a_pattern(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            session = pilot.app.controller.session
            rows = np.array([session.listing.key(2)])
            session.set_suggestions(
                ModelSuggestions(
                    "resnet18",
                    ("round", "long"),
                    list(rows),
                    np.array([1], np.int32),
                    np.array([0.9], np.float32),
                )
            )
            await press(pilot, "right", "left")
            first = captions(pilot)[0]
            assert first.startswith("▸ · ···")
            assert " 1 round  " in first
            assert "(2)long 90%" in first
            assert "1/60  image-000.png" in screen_text(pilot.app)
            await press(pilot, "right", "right")
            assert "long? 90%" in screen_text(pilot.app)
            assert "accepts" not in screen_text(pilot.app), "Enter opens the image here"

    run(test())


def test_pictures_come_in_and_a_move_of_the_cursor_is_cheap(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen, size=WIDE) as pilot:
            await wait_for_pictures(pilot)
            painted = record_paints(pilot.app)
            pilot.app.refresh()
            await wait_until(pilot, lambda: bool(painted))
            # Textual keeps what became due before a layout painted everything; the first key paints that again.
            await press(pilot, "right", "left")
            await pilot.pause(0.3)
            assert any("48;2;" in text and len(text) > 10_000 for text in painted)
            for key in ("right", "down", "left", "up", "space", "shift+right"):
                painted.clear()
                await press(pilot, key)
                await wait_until(pilot, lambda: bool(painted))
                assert sum(len(text.encode()) for text in painted) < 4096, key

    run(test())


def test_the_arrows_move_by_tiles_and_lines(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            session, line = pilot.app.controller.session, pilot.app.screen.tiles.tile_layout.per_line
            await press(pilot, "down")
            assert session.position == line
            await press(pilot, "up", "up")
            assert session.position == 0
            assert "This is the first line." in screen_text(pilot.app)
            await press(pilot, "pagedown")
            assert session.position == pilot.app.screen.tiles.per_page
            await press(pilot, "end", "right")
            assert session.position == 59
            assert "This is the last image." in screen_text(pilot.app)
            await press(pilot, "home")
            assert session.position == 0

    run(test())


def test_a_class_key_labels_the_image_under_the_cursor(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            await press(pilot, "2")
            assert labels_in(dataset)["image-000.png"].class_id == 2
            await press(pilot, "right", "right", "equals_sign")
            assert labels_in(dataset)["image-002.png"].class_id == 2
            await press(pilot, "delete")
            assert "image-002.png" not in labels_in(dataset)

    run(test())


def test_marked_images_get_their_class_in_one_step(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            await press(pilot, "space", "right", "right", "space")
            assert "2 images marked" in screen_text(pilot.app)
            await press(pilot, "2")
            assert "2 images labelled as long." in screen_text(pilot.app)
            assert {path for path, entry in labels_in(dataset).items() if entry.class_id == 2} == {
                "image-000.png",
                "image-002.png",
            }
            assert pilot.app.controller.session.selected_count == 0
            await press(pilot, "ctrl+z")
            assert set(labels_in(dataset)) == {"image-001.png", "image-003.png"}
            assert pilot.app.controller.session.selected_count == 2  # to be labelled otherwise
            await press(pilot, "escape", "ctrl+y")
            assert len(labels_in(dataset)) == 4

    run(test())


def test_more_than_twenty_images_are_labelled_only_after_a_question_with_their_number(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            await press(pilot, "ctrl+a", "2")
            assert "Label 60 images as long?" in screen_text(pilot.app)
            await press(pilot, "enter")  # the careful answer has the focus
            assert len(labels_in(dataset)) == 2
            await press(pilot, "2", "l")
            assert "60 images labelled as long." in screen_text(pilot.app)
            assert len(labels_in(dataset)) == 60
            await press(pilot, "ctrl+z")
            assert 'Undid: 60 images to "long".' in screen_text(pilot.app)
            assert len(labels_in(dataset)) == 2

    run(test())


def test_shift_and_arrows_mark_a_range_and_give_it_back(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            session, line = pilot.app.controller.session, pilot.app.screen.tiles.tile_layout.per_line
            await press(pilot, "shift+right", "shift+right")
            assert session.selected.tolist() == [0, 1, 2]
            await press(pilot, "shift+left")
            assert session.selected.tolist() == [0, 1]
            await press(pilot, "shift+down")
            assert session.selected.tolist() == list(range(line + 2))
            await press(pilot, "right", "right", "right", "shift+left")
            assert session.selected.tolist() == [*range(line + 2), line + 3, line + 4]
            await press(pilot, "escape")
            assert session.selected_count == 0

    run(test())


def test_going_back_over_marks_of_before_leaves_them(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            session = pilot.app.controller.session
            await press(
                pilot, "right", "space", "left", "shift+right", "shift+right", "shift+left", "shift+left"
            )
            assert session.selected.tolist() == [0, 1]

    run(test())


def test_escape_clears_marks_then_goes_back_to_the_image_one_came_from(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            await press(pilot, "right", "right", "space", "escape")
            assert not pilot.app.ended
            await press(pilot, "escape")
            assert pilot.app.ended and pilot.app.result is False
            assert pilot.app.controller.session.position == 0

    run(test())


def test_marks_are_kept_while_an_image_is_looked_at_closely(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            for back in ("enter", "f7"):
                await press(pilot, "f7", "space", "right", back)
                assert isinstance(pilot.app.screen, LabelScreen)
                await press(pilot, "f7")
                assert " still marked: a class key labels them, Esc removes the marks." in screen_text(
                    pilot.app
                )
                await press(pilot, "right", "left")
                marked = pilot.app.screen.session.selected_count
                assert f"{marked} image{'s' if marked > 1 else ''} marked" in screen_text(pilot.app)
                await press(pilot, "escape", "escape", "f7")
                assert "marked" not in screen_text(pilot.app)
                await press(pilot, "escape")

    run(test())


def test_what_is_shown_is_said_beside_a_long_name(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "images", 3, classes=["round"])
    for path in folder.glob("*.png"):
        path.rename(path.with_name(f"{path.stem}-{'of-a-long-series-' * 6}end.png"))

    async def test() -> None:
        async with opened(folder) as pilot:
            session = pilot.app.screen.session
            words = "of the run 20261123-1432-resnet50v2, truth round, predicted long"
            session.set_filter(Filter(among=tuple(map(session.listing.key, range(2))), among_words=words))
            for keys in (("right",), ("f7", "right")):
                await press(pilot, *keys)
                [line] = [line for line in screen_text(pilot.app).splitlines() if line.startswith("2/2")]
                assert "end.png" in line and "[of the run 20261123-1432-resnet50v2" in line and "…]" in line

    run(test())


def test_all_images_lets_go_of_those_of_a_run(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            session = pilot.app.controller.session
            keys = tuple(map(session.listing.key, range(3)))
            session.set_filter(Filter(among=keys, among_words="truth round"))
            await press(pilot, "f5", "down", "enter")
            assert "[without a label, truth round]" in screen_text(pilot.app)
            await press(pilot, "f5", "enter")
            assert session.filter == Filter() and "1/60" in screen_text(pilot.app)
            session.set_filter(Filter(among=keys, among_words="truth round", text="image"))
            await press(pilot, "f5")
            assert 'all images, "image"' in screen_text(pilot.app)
            await press(pilot, "enter")
            assert session.filter == Filter(text="image")
            await press(pilot, "f5", "down", "enter")
            assert session.filter == Filter()

    run(test())


def test_enter_opens_the_image_under_the_cursor(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            await press(pilot, "right", "right", "enter")
            assert pilot.app.result is True
            assert pilot.app.controller.session.position == 2

    run(test())


def test_plus_and_minus_change_the_size_of_tiles(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen, size=WIDE) as pilot:
            screen = pilot.app.screen
            before = screen.tiles.tile_layout.per_line
            await press(pilot, "minus")
            assert screen.tiles.tile_layout.per_line > before
            await press(pilot, *["minus"] * 5)
            assert "These are the smallest tiles." in screen_text(pilot.app)
            await press(pilot, *["plus"] * 9)
            assert "These are the largest tiles." in screen_text(pilot.app)
            await press(pilot, "right")
            assert captions(pilot)[0].lstrip().startswith("▸")

    run(test())


def test_a_filter_leaves_no_mark_on_what_it_hides(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            await press(pilot, "ctrl+a", "f5", "down", "enter")  # those without a label
            assert "[without a label]" in screen_text(pilot.app)
            assert "58 images marked" in screen_text(pilot.app)
            await press(pilot, "f6")
            assert "by time, newest first" in screen_text(pilot.app)
            await press(pilot, "down", "enter")
            assert pilot.app.controller.session.reverse

    run(test())


def test_the_mouse_moves_and_marks(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            session, grid = pilot.app.controller.session, pilot.app.screen.query_one(Mosaic)
            pitch = grid.tile_layout.x(1)
            await pilot.click(Mosaic, offset=(pitch + 2, 2))
            await settle(pilot)
            assert session.position == 1
            await pilot.click(Mosaic, offset=(2, 2), control=True)
            await settle(pilot)
            assert session.selected.tolist() == [0]
            await pilot.click(Mosaic, offset=(2 * pitch + 2, 2), shift=True)
            await settle(pilot)
            assert session.selected.tolist() == [0, 1, 2]

    run(test())


def test_an_image_that_cannot_be_read_says_so_in_its_tile(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "images", 3, classes=["round"])
    (folder / "image-001.png").write_bytes(b"no image")

    async def test() -> None:
        async with shown(folder, GridScreen) as pilot:
            await wait_for_pictures(pilot)
            await wait_until(pilot, lambda: " unreadable" in screen_text(pilot.app))
            assert " ✗ " in captions(pilot)[0]

    run(test())


def test_without_colours_tiles_show_names_marks_and_patterns(dataset: Path) -> None:
    async def test() -> None:
        context = make_context(colours="none", graphics="none", unicode=False)
        async with shown(dataset, GridScreen, context=context) as pilot:
            await press(pilot, "space")
            text = screen_text(pilot.app)
            assert captions(pilot)[0].startswith("* . ....")
            assert text.isascii() or all(ord(c) < 128 or c in "▁▂▃▄▅▆▇█" for c in text)  # the scrollbar

    run(test())


def test_a_hundred_thousand_images_open_scroll_and_are_marked(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "images", 1, classes=["round"])

    def make(controller: LabelController, context: Any) -> GridScreen:
        files = [ImageFile(f"{number // 1000:04}/{number:07}.png") for number in range(100_000)]
        controller.session.replace_listing(listing_of_files(files))
        return GridScreen(controller, context)

    async def test() -> None:
        async with shown(folder, make) as pilot:
            await press(pilot, "end")
            assert "100,000/100,000  0099/0099999.png" in screen_text(pilot.app)
            await press(pilot, "ctrl+a")
            assert "100,000 images marked" in screen_text(pilot.app)
            await press(pilot, "home", "1")
            assert "Label 100,000 images as round?" in screen_text(pilot.app)
            await press(pilot, "escape", "escape")

    run(test())


def test_a_hostile_file_name_reaches_no_terminal(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "images", 2, classes=["round"])
    (folder / "image-000.png").rename(folder / "a\x1b[2J\u202e[b].png")

    async def test() -> None:
        async with shown(folder, GridScreen) as pilot:
            painted = record_paints(pilot.app)
            pilot.app.refresh()
            await press(pilot, "space", "1")
            await wait_for_pictures(pilot)
            assert "a\\x1b[2J\\u202e[b].png" in screen_text(pilot.app)
            assert not any("\x1b[2J" in text or "\u202e" in text for text in painted)

    run(test())


def test_marked_images_are_skipped_in_one_step(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            session = pilot.app.controller.session
            left = session.counts.left
            await press(pilot, "space", "right", "right", "space", "f4")
            assert "2 images skipped." in screen_text(pilot.app)
            assert (session.counts.skipped, session.counts.left) == (2, left - 2)
            await press(pilot, "f4")
            assert "1 image no longer skipped." in screen_text(pilot.app)
            await press(pilot, "ctrl+z", "ctrl+z")
            assert (session.counts.skipped, session.counts.left) == (0, left)

    run(test())


def test_marked_images_get_one_note_in_one_step(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            session = pilot.app.controller.session
            await press(pilot, "space", "right", "space", "ctrl+n")
            assert "Note on 2 images" in screen_text(pilot.app)
            await type_text(pilot, "torn")
            await press(pilot, "enter")
            assert "2 images have a note now." in screen_text(pilot.app)
            assert [session.state_of(row).note for row in range(3)] == ["torn", "torn", None]
            await press(pilot, "ctrl+z")
            assert session.state_of(0).note is None and session.state_of(1).note is None

    run(test())


def test_skips_and_notes_of_many_images_are_asked_about_with_their_number(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            await press(pilot, "ctrl+a", "f4")
            assert "Skip 60 images?" in screen_text(pilot.app)
            await press(pilot, "escape", "ctrl+n", "x", "enter")
            assert "Write a note on 60 images?" in screen_text(pilot.app)
            await press(pilot, "enter")  # the careful answer has the focus
            assert pilot.app.controller.session.counts.skipped == 0
            assert pilot.app.controller.session.state_of(0).note is None

    run(test())


@pytest.mark.parametrize(("key", "question"), [("!", "Flag 60 images?"), ("f4", "Skip 60 images?")])
def test_marks_of_many_images_are_known_without_looking_them_up_one_by_one(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, key: str, question: str
) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            monkeypatch.setattr(Listing, "rows", lambda *_: pytest.fail("a million take seconds"))
            await press(pilot, "ctrl+a", key)
            assert question in screen_text(pilot.app)
            await press(pilot, "escape")

    run(test())


def test_a_range_ends_where_the_order_changes_meanwhile(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            session = pilot.app.controller.session
            await press(pilot, "right", "shift+right", "shift+right")
            assert session.selected.tolist() == [1, 2, 3]
            session.set_order("name", reverse=True)
            await press(pilot, "shift+right")  # from image 3 to image 2, which is marked already
            await press(pilot, "shift+left")
            assert session.selected.tolist() == [1, 2, 3], "marks of another order are not taken back"

    run(test())


def test_a_range_and_the_way_back_hold_where_images_come_in_meanwhile(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen) as pilot:
            session = pilot.app.controller.session
            await press(pilot, "right", "shift+right")
            assert session.selected.tolist() == [1, 2]
            paths = ["a.png", "b.png", *(f"image-{number:03}.png" for number in range(60))]
            session.replace_listing(listing_of_files([ImageFile(path) for path in paths]))
            assert session.selected.tolist() == [3, 4]
            await press(pilot, "shift+left")
            assert session.selected.tolist() == [3, 4]
            await press(pilot, "escape", "escape")
            assert session.current.path == "image-000.png", "the image one came from"

    run(test())


def test_tiles_keep_their_shape_when_the_font_is_zoomed(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen, size=WIDE) as pilot:
            grid: Any = pilot.app.screen.query_one(Mosaic)
            now = [(10, 20)]
            grid._cells = CellSize(TERMINAL, measure=lambda: now[0])
            before = grid.tile_layout.panel
            now[0] = (20, 20)
            pilot.app.screen.on_resize()  # type: ignore[attr-defined]
            await settle(pilot)
            after = grid.tile_layout.panel
            assert after.cell_width_px == 20 and abs(after.columns - before.columns / 2) <= 2

    run(test())


def test_training_and_the_runs_are_reached_from_the_grid_and_lead_back_to_it(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "f7", "right")
            for key, there in (("ctrl+t", TrainScreen), ("ctrl+u", RunsScreen)):
                await pilot.press(key)
                await wait_until(pilot, lambda there=there: isinstance(pilot.app.screen, there))
                await pilot.press("escape")
                await wait_until(pilot, lambda: isinstance(pilot.app.screen, GridScreen))
                assert "2/60  image-001.png" in screen_text(pilot.app)
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, LabelScreen)

    run(test())


def test_images_of_a_run_that_were_asked_for_in_the_grid_are_shown_in_the_grid(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "f7")
            await pilot.press("ctrl+u")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
            wrong = tuple(ImageKey(f"image-00{number}.png") for number in (1, 3))
            pilot.app.screen.dismiss(OpenImages("truth round, predicted long", wrong))
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, GridScreen))
            await press(pilot)
            text = screen_text(pilot.app)
            assert "1/2  image-001.png" in text and "2 images: truth round, predicted long." in text

    run(test())
