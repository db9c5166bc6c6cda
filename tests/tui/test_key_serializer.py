"""Keys of one burst, each handled by the screen that the one before it opened."""

from pathlib import Path

import pytest
from textual.events import Key
from textual.pilot import Pilot
from tui_support import labels_in, make_images, opened, press, run, screen_text, settle, told, wait_until

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.tui.grid.screen import GridScreen
from mia_tui.tui.keys import serializer
from mia_tui.tui.keys.bindings import key_name
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.label.screen import LabelScreen

FIRST = "image-000.png"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_images(tmp_path / "images", 12, classes=["round", "long", "red"])


async def at_once(pilot: Pilot[int], *keys: str) -> None:
    """Without waiting for anything between them or behind."""
    for key in keys:
        name = key_name(key)
        pilot.app.post_message(
            Key(name, key if len(key) == 1 else {"enter": "\r", "escape": "\x1b"}.get(name))
        )


def note_of(dataset: Path) -> str:
    with LabelStore(dataset / "mia" / "labels.db") as store:
        return store.marks()[ImageKey(FIRST)].note


def test_a_note_is_typed_behind_the_key_that_opens_it_and_nothing_of_it_becomes_a_label(
    dataset: Path,
) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            await at_once(pilot, "ctrl+n", *"n1o2 te", "enter", "2", "f1")
            await wait_until(pilot, lambda: FIRST in labels_in(dataset))
            assert labels_in(dataset)[FIRST].class_id == 2
            assert note_of(dataset) == "n1o2 te"

    run(test())
    assert list(labels_in(dataset)) == [FIRST]


def test_images_are_marked_behind_the_key_that_opens_the_grid(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            await at_once(pilot, "f7", "space", "right", "space")
            await wait_until(pilot, lambda: "2 images marked" in screen_text(pilot.app))
            assert isinstance(pilot.app.screen, GridScreen)
            await at_once(pilot, "escape", "escape", "end")
            await wait_until(pilot, lambda: "12/12  image-011.png" in screen_text(pilot.app))
            assert isinstance(pilot.app.screen, LabelScreen)

    run(test())
    assert labels_in(dataset) == {}


def test_a_class_is_picked_and_assigned_in_one_burst(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            await at_once(pilot, "/", "r", "enter", "down", "f1", "/", *"lo", "enter", "f2")
            await wait_until(pilot, lambda: len(labels_in(dataset)) == 1)
            await wait_until(pilot, lambda: "3/12  image-002.png" in screen_text(pilot.app))

    run(test())
    assert {path: label.class_id for path, label in labels_in(dataset).items()} == {"image-001.png": 2}


def test_the_first_class_is_typed_behind_the_key_that_asks_for_it(tmp_path: Path) -> None:
    dataset = make_images(tmp_path / "new", 3)

    async def test() -> None:
        async with opened(dataset) as pilot:
            await at_once(pilot, "f2", *"cell 2", "enter")
            await wait_until(pilot, lambda: list(labels_in(dataset)) == [FIRST])
            await wait_until(pilot, lambda: "2/3  image-001.png" in screen_text(pilot.app))

    run(test())
    with LabelStore(dataset / "mia" / "labels.db") as store:
        assert [image_class.name for image_class in store.classes()] == ["cell 2"]


def test_numbers_in_the_form_go_to_the_fields_they_are_typed_for(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=(120, 40)) as pilot:
            await press(pilot, "ctrl+t")
            # On the first page other fields stand behind the epochs.
            while "─ Run ─" not in screen_text(pilot.app):
                await press(pilot, "pagedown")
            await at_once(pilot, "3", "enter", "1", "6", "enter")
            await wait_until(
                pilot, lambda: "--epochs 3 --batch-size 16" in " ".join(screen_text(pilot.app).split())
            )

    run(test())


def test_every_command_that_opens_another_screen_is_known_as_one(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            screen = pilot.app.screen
            assert isinstance(screen, LabelScreen)
            opens = set()
            for name in screen.commands.by_name:
                if name == "home":
                    continue  # it ends the screen
                screen.run_command(name)
                await pilot.pause()
                await wait_until(pilot, lambda: pilot.app.screen is not screen or screen.queue.idle)
                if pilot.app.screen is not screen:
                    opens.add(name)
                    while pilot.app.screen is not screen:
                        await press(pilot, "escape")
            # `leave` ends the screen where nothing is to be undone. The others open one only after files were moved,
            # where several networks suggest, where there are stacks, where others labelled, or where images have
            # suggestions or features.
            elsewhere = {"unlink", "suggestions", "stacks", "second_pass", "look_alikes", "find_like"}
            assert opens | elsewhere | {"home", "leave", "manual"} == SCOPES["label"].opening

    run(test())


def test_keys_beyond_all_measure_are_left_out_and_it_says_so_once(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serializer, "MOST_WAITING", 3)

    async def test() -> None:
        async with opened(dataset) as pilot:
            for _ in range(100):
                pilot.app.post_message(Key("right", None))
            pilot.app.post_message(Key("end", None))
            await settle(pilot)
            assert told(pilot.app).count("those after the first 3 were ignored") == 1
            await press(pilot, "home", "right", "f1")
            assert list(labels_in(dataset)) == ["image-001.png"]

    run(test())
