"""Looking for new images while a person labels: what came, what is gone, and everything else as it was."""

import asyncio
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot
from tui_support import (
    labels_in,
    make_context,
    make_images,
    opened,
    press,
    run,
    screen_text,
    settle,
    told,
    type_text,
    wait_until,
    without_fingerprint,
)

from mia_tui.dataset.scan.incremental import list_images
from mia_tui.dataset.session.filters import Filter
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.label import dataset_sync


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 4, classes=["round", "flat"])


def bring(dataset: Path, *names: str) -> None:
    """Put more images into a dataset."""
    for name in names:
        make_images(dataset.parent / "more", 1)
        (dataset.parent / "more" / "image-000.png").rename(dataset / name)


def session_of(pilot: Pilot[int]) -> Any:
    screen: Any = pilot.app.screen
    return screen.session


async def rescan(pilot: Pilot[int]) -> None:
    """Look for new images, until what came of it is said."""
    await press(pilot, "ctrl+g")
    await settle(pilot)


def hold_looking(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Looking for images waits until the event is set."""
    go_on = threading.Event()

    def slowly(*args: Any, **options: Any) -> Any:
        assert go_on.wait(60.0)
        return list_images(*args, **options)

    monkeypatch.setattr(dataset_sync, "list_images", slowly)
    return go_on


def test_images_that_came_are_shown_in_their_place_and_counted(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "right")
            bring(cells, "a.png", "b.png", "z.png")
            (cells / "image-003.png").unlink()
            await rescan(pilot)
            session = session_of(pilot)
            shown = [session.listing.path(int(row)) for row in session.view]
            assert shown == ["a.png", "b.png", "image-000.png", "image-001.png", "image-002.png", "z.png"]
            assert session.current.path == "image-001.png", "it stays at its image"
            assert "4/6" in screen_text(pilot.app)
            assert "3 new images, 1 is gone." in told(pilot.app)

    run(test())


def test_an_image_that_was_renamed_is_said_to_be_moved_and_neither_new_nor_gone(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "f1")
            await wait_until(pilot, lambda: not without_fingerprint(cells))
            (cells / "image-000.png").rename(cells / "renamed.png")
            await rescan(pilot)
            assert "1 file was moved" in told(pilot.app)
            assert "new image" not in told(pilot.app) and "gone" not in told(pilot.app)
            (cells / "renamed.png").rename(cells / "again.png")
            bring(cells, "a.png")
            await rescan(pilot)
            assert "1 new image." in told(pilot.app)

    run(test())


def test_that_nothing_is_new_is_said(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await rescan(pilot)
            assert told(pilot.app).endswith("No new images.")
            (cells / "image-002.png").unlink()
            (cells / "image-003.png").unlink()
            await rescan(pilot)
            assert told(pilot.app).endswith("No new images, 2 are gone.")
            bring(cells, "image-003.png")
            await rescan(pilot)
            assert told(pilot.app).endswith("1 new image.")

    run(test())


def test_undo_takes_back_what_was_labelled_before_and_between(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "1", "f2", "f2")
            bring(cells, "a.png", "z.png")
            await rescan(pilot)
            await press(pilot, "home", "2", "f1", "end", "f1")
            assert sorted(labels_in(cells)) == ["a.png", "image-000.png", "image-001.png", "z.png"]
            await press(pilot, "ctrl+z", "ctrl+z", "ctrl+z")
            assert list(labels_in(cells)) == ["image-000.png"]
            session = session_of(pilot)
            assert session.current.path == "image-001.png", "undo leads to where it undid something"
            assert session.counts.labelled == 1 and session.counts.left == 5
            await press(pilot, "ctrl+y")
            assert sorted(labels_in(cells)) == ["image-000.png", "image-001.png"]

    run(test())


def test_undo_takes_back_the_label_of_an_image_that_is_gone(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "1", "f2")
            (cells / "image-000.png").unlink()
            await rescan(pilot)
            assert "1 is gone." in told(pilot.app) and "its label is kept" in told(pilot.app)
            assert "1 missing" in screen_text(pilot.app)
            await press(pilot, "ctrl+z")
            assert labels_in(cells) == {} and "missing" not in screen_text(pilot.app)

    run(test())


def test_the_filter_stays_and_shows_what_it_would_show(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "ctrl+f")
            await type_text(pilot, "image-00")
            await press(pilot, "enter", "end")
            bring(cells, "a.png", "image-009.png")
            await rescan(pilot)
            session = session_of(pilot)
            assert session.filter == Filter(text="image-00")
            assert len(session.view) == 5 and session.current.path == "image-003.png"

    run(test())


def test_keys_are_obeyed_while_it_looks_and_a_second_look_waits(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            go_on = hold_looking(monkeypatch)
            bring(cells, "a.png")
            screen: Any = pilot.app.screen
            await pilot.press("ctrl+g")
            await wait_until(pilot, lambda: "looking for more" in screen_text(pilot.app))
            await pilot.press("1", "f2", "f2", "ctrl+g")
            await wait_until(pilot, lambda: len(labels_in(cells)) == 2 and screen.queue.idle)
            await wait_until(
                pilot, lambda: "A search for images was running already" in screen_text(pilot.app)
            )
            go_on.set()
            await settle(pilot)
            assert session_of(pilot).current.path == "image-002.png"
            assert told(pilot.app).count("1 new image.") == 1
            assert "looking for more" not in screen_text(pilot.app)

    run(test())


def test_the_grid_goes_on_where_it_is(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            go_on = hold_looking(monkeypatch)
            bring(cells, "a.png")
            screen: Any = pilot.app.screen
            await pilot.press("ctrl+g")
            await wait_until(pilot, lambda: screen.queue.idle)
            await pilot.press("f7")
            await wait_until(pilot, lambda: pilot.app.screen is not screen)
            await press(pilot, "right", "space")
            go_on.set()
            await wait_until(pilot, lambda: screen.idle)
            await press(pilot, "2")
            assert list(labels_in(cells)) == ["image-001.png"], "the mark stays with its image"

    run(test())


def test_images_that_come_into_an_empty_folder_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "cells"
    folder.mkdir()

    async def test() -> None:
        async with opened(folder) as pilot:
            bring(folder, "a.png", "b.png")
            await rescan(pilot)
            assert "2 new images." in told(pilot.app) and "1/2" in screen_text(pilot.app)

    run(test())


def test_where_the_folder_cannot_be_looked_into_the_images_stay(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            cells.rename(cells.with_name("elsewhere"))
            await rescan(pilot)
            assert "cells" in told(pilot.app) and len(session_of(pilot).listing) == 4
            cells.with_name("elsewhere").rename(cells)
            await rescan(pilot)
            assert told(pilot.app).endswith("No new images.")

    run(test())


def test_the_command_stands_in_the_palette_and_can_have_another_key(cells: Path) -> None:
    from mia_tui.config.user.settings import UserConfig

    async def test() -> None:
        context = make_context(user=UserConfig(keys={"rescan": ("f12",)}, toast_s=60.0))
        async with opened(cells, context=context) as pilot:
            await press(pilot, "f12")
            await settle(pilot)
            assert "No new images." in told(pilot.app)
            await pilot.press("ctrl+p")
            await type_text(pilot, "look for new")
            await wait_until(pilot, lambda: re.search(r"Look for new images +F12", screen_text(pilot.app)))

    run(test())


def test_other_images_never_come_between_two_steps_of_a_change(cells: Path) -> None:
    async def test() -> None:
        controller = LabelController(cells, state=None, annotator="ann")
        found = list_images(cells)
        assert found is not None
        async with controller._updating:  # as a change of 100,000 labels has it between its steps
            coming = asyncio.create_task(controller.replace_listing(found.listing, np.empty(0, np.int32)))
            await asyncio.sleep(0.01)
            assert len(controller.session.listing) == 0
        await coming
        assert len(controller.session.listing) == 4

    run(test())
