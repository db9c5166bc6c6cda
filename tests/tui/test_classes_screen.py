"""The list of classes: what it shows, what its keys do, that nothing is lost where something is refused."""

import re
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.events import Paste
from textual.pilot import Pilot
from tui_support import (
    label,
    labels_in,
    make_context,
    make_images,
    press,
    run,
    screen_text,
    shown,
    type_text,
)

from mia_tui.dataset.model import ImageClass
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.tui.classes.screen import ClassesScreen


def classes_in(dataset: Path) -> list[ImageClass]:
    store = LabelStore.open_existing(dataset / "mia" / "labels.db")
    if store is None:
        return []
    with store:
        return store.classes()


def names_in(dataset: Path) -> list[str]:
    return [image_class.name for image_class in classes_in(dataset)]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Six images; two of them round, one long, none odd."""
    folder = make_images(tmp_path / "images", 6, classes=["round", "long", "odd"])
    label(folder, "round", ["image-000.png", "image-001.png"])
    label(folder, "long", ["image-002.png"])
    return folder


def row(app: App[Any], name: str) -> str:
    [line] = [line for line in screen_text(app).splitlines() if re.search(rf" {name} +\d", line)]
    return line


def test_it_shows_key_name_and_images_of_each_class(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, ClassesScreen) as pilot:
            assert row(pilot.app, "round").split() == ["│", "▸", "1", "round", "2", "│"]
            assert row(pilot.app, "long").split() == ["│", "2", "long", "1", "│"]
            assert row(pilot.app, "odd").split() == ["│", "3", "odd", "0", "│"]
            for words in ("A add", "R rename", "M merge", "X archive", "Ctrl+Z undo"):
                assert words in screen_text(pilot.app)

    run(test())


def test_several_classes_are_added_at_once_and_taken_back_at_once(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, ClassesScreen) as pilot:
            await press(pilot, "a")
            await type_text(pilot, "flat, tall")
            await press(pilot, "enter")
            assert "Added flat, tall." in screen_text(pilot.app)
            assert names_in(dataset) == ["round", "long", "odd", "flat", "tall"]
            await press(pilot, "ctrl+z")
            assert names_in(dataset) == ["round", "long", "odd"]
            await press(pilot, "ctrl+y")
            assert names_in(dataset) == ["round", "long", "odd", "flat", "tall"]

    run(test())


def test_pasted_lines_become_classes(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, ClassesScreen) as pilot:
            await press(pilot, "a")
            pilot.app.screen.query_one("#text").post_message(Paste("flat\ntall\n\nthin\n"))
            await pilot.pause()
            await press(pilot, "enter")
            assert names_in(dataset)[3:] == ["flat", "tall", "thin"]

    run(test())


def test_a_name_that_is_taken_is_asked_again_with_the_reason(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, ClassesScreen) as pilot:
            await press(pilot, "a")
            await type_text(pilot, "flat, long")
            await press(pilot, "enter")
            assert "There is a class long already." in screen_text(pilot.app)
            assert "flat, long" in screen_text(pilot.app)
            assert names_in(dataset) == ["round", "long", "odd"]
            await press(pilot, "backspace", "backspace", "enter")
            assert names_in(dataset)[3:] == ["flat", "lo"]

    run(test())


def test_a_class_is_renamed_by_typing_over_its_name_and_its_images_are_counted(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, ClassesScreen) as pilot:
            await press(pilot, "r", "x", "enter")
            assert "round is now called x; 2 images have this label." in screen_text(pilot.app)
            assert names_in(dataset)[0] == "x"

    run(test())


def test_a_colour_is_picked_from_the_palette_or_typed(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, ClassesScreen) as pilot:
            await press(pilot, "c")
            assert "sky blue #56b4e9, of long" in screen_text(pilot.app)
            await type_text(pilot, "teal")
            await press(pilot, "enter")
            assert classes_in(dataset)[0].colour == "#44aa99"
            await press(pilot, "c")
            await type_text(pilot, "#12345")
            await press(pilot, "enter")
            assert "The colour #12345 of class round is invalid." in screen_text(pilot.app)
            await type_text(pilot, "#123456")
            await press(pilot, "enter")
            assert classes_in(dataset)[0].colour == "#123456"

    run(test())


def test_keys_of_classes_are_letters_and_digits(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, ClassesScreen) as pilot:
            await press(pilot, "k", "backspace", "equals_sign", "enter")
            assert "one letter or digit" in screen_text(pilot.app)
            await press(pilot, "backspace", "2", "enter")
            assert "The key 2 belongs to class long." in screen_text(pilot.app)
            await press(pilot, "backspace", "q", "enter")
            assert classes_in(dataset)[0].key == "q"
            await press(pilot, "k", "backspace", "enter")
            assert classes_in(dataset)[0].key is None

    run(test())


def test_a_class_moves_among_the_others_and_the_cursor_with_it(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, ClassesScreen) as pilot:
            await press(pilot, "shift+down", "ctrl+down", "ctrl+down")
            assert names_in(dataset) == ["long", "odd", "round"]
            assert "▸" in row(pilot.app, "round")
            await press(pilot, "shift+up")
            assert names_in(dataset) == ["long", "round", "odd"]

    run(test())


def test_merging_asks_with_the_number_of_labels_and_can_be_undone(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, ClassesScreen) as pilot:
            await press(pilot, "m")
            assert "Move the labels of round to which class?" in screen_text(pilot.app)
            await press(pilot, "enter")
            assert "2 labels move from round to long" in screen_text(pilot.app)
            await press(pilot, "escape")
            assert names_in(dataset) == ["round", "long", "odd"]
            await press(pilot, "m", "enter", "right", "enter")
            assert names_in(dataset) == ["long", "odd"]
            assert row(pilot.app, "long").split()[-2] == "3"
            before = {path: entry.class_id for path, entry in labels_in(dataset).items()}
            assert set(before.values()) == {2}
            await press(pilot, "ctrl+z")
            assert names_in(dataset) == ["round", "long", "odd"]
            assert row(pilot.app, "round").split()[-2] == "2"

    run(test())


def test_archiving_asks_only_where_labels_are_touched_and_is_turned_back(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, ClassesScreen) as pilot:
            await press(pilot, "x")
            assert "2 images have this label." in screen_text(pilot.app)
            await press(pilot, "a")
            assert names_in(dataset) == ["long", "odd"]
            assert row(pilot.app, "round").split()[-3:] == ["2", "archived", "│"]
            await press(pilot, "end", "x")
            assert "round is restored with 2 labels." in screen_text(pilot.app)
            assert "round" in names_in(dataset)
            await press(pilot, "end", "x")
            assert "odd is archived with 0 labels" in screen_text(pilot.app)

    run(test())


def test_enter_makes_a_class_the_current_one(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, ClassesScreen) as pilot:
            await press(pilot, "down", "enter")
            assert pilot.app.result == 2
            assert pilot.app.controller.session.current_class == 2

    run(test())


def test_changes_by_others_appear(dataset: Path) -> None:
    async def test() -> None:
        async with shown(dataset, ClassesScreen) as pilot:
            with LabelStore(dataset / "mia" / "labels.db", annotator="bob") as store:
                store.add_class("flat")
            await pilot.app.controller.news()
            await wait_for_text(pilot, "flat")

    run(test())


@pytest.mark.parametrize("count", [0, 10, 1000])
def test_it_works_with_no_class_and_with_a_thousand(tmp_path: Path, count: int) -> None:
    folder = make_images(tmp_path / "images", 2, classes=[f"class {number}" for number in range(count)])

    async def test() -> None:
        async with shown(folder, ClassesScreen) as pilot:
            if not count:
                assert "There is no class yet: A adds some." in screen_text(pilot.app)
                await press(pilot, "r")
                assert "There is no class yet" in screen_text(pilot.app)
                return
            await press(pilot, "end")
            assert "▸" in row(pilot.app, f"class {count - 1}")
            await press(pilot, "pageup", "home")
            assert "▸" in row(pilot.app, "class 0")

    run(test())


def test_without_colour_the_colours_stand_there_in_words(dataset: Path) -> None:
    async def test() -> None:
        context = make_context(colours="none", graphics="none", unicode=False)
        async with shown(dataset, ClassesScreen, context=context) as pilot:
            assert row(pilot.app, "round").split()[1:5] == [">", "1", "#e69f00", "round"]

    run(test())


def test_a_hostile_name_reaches_no_terminal(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "images", 1)
    with LabelStore(folder / "mia" / "labels.db") as store:
        store.add_class("a\x1b[2J\u202eb [/bold]")
        store._db.execute("UPDATE class SET name = ?", ("a\x1b[2J\u202eb [/bold]",))
        store._db.commit()

    async def test() -> None:
        async with shown(folder, ClassesScreen) as pilot:
            for keys in (["r"], ["escape", "c"], ["escape", "k"], ["escape", "m"], ["escape", "x"]):
                await press(pilot, *keys)
                assert not has_steering(screen_text(pilot.app))
            assert "a\\x1b[2J\\u202eb [/bold]" in screen_text(pilot.app)

    run(test())


def has_steering(text: str) -> bool:
    return any(character in text for character in ("\x1b", "\u202e"))


async def wait_for_text(pilot: Pilot[Any], *texts: str) -> None:
    from tui_support import wait_until

    await wait_until(pilot, lambda: all(text in screen_text(pilot.app) for text in texts))
