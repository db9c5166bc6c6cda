"""Dialogs: what has no effect says why; names are typed over; what destroys is never the answer at first."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from run_support import finished, make_run, started
from textual.widgets import Button
from tui_support import burst, make_images, opened, press, run, screen_text, shown, type_text, wait_until

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.runs.record.log import EventLog
from mia_tui.text import has_words
from mia_tui.tui.context import Context
from mia_tui.tui.dialogs import Choice, PickDialog, Question, TextDialog
from mia_tui.tui.help import HelpScreen

FRUIT = tuple(Choice(name, name) for name in ("red apple", "banana", "green apple"))
ANSWERS = (("One", 1), ("Two", 2))


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    folder = make_images(tmp_path / "cells", 3, classes=["round", "flat"])
    with LabelStore(folder / "mia" / "labels.db", annotator="ann") as store:
        store.set_labels([(ImageKey("image-000.png"), 1)], source="person")
    done = make_run(folder / "mia", created_at=1e9)
    with EventLog(done.events) as log:
        for event in (started(), finished(t=1e10)):
            log.append(event)
    return folder


def dialogs(context: Context) -> dict[str, Any]:
    return {
        "text": TextDialog("What?", value="cells"),
        "list": PickDialog("Which?", FRUIT, context.ink),
        "question": Question("How many?", "", ANSWERS),
    }


def of_kind(kind: str) -> Callable[[Any, Context], Any]:
    return lambda _, context: dialogs(context)[kind]


KINDS = pytest.mark.parametrize("kind", ["text", "list", "question"])


@KINDS
def test_a_click_beside_a_dialog_changes_nothing_and_says_how_to_close_it(cells: Path, kind: str) -> None:
    async def test() -> None:
        async with shown(cells, of_kind(kind)) as pilot:
            app: Any = pilot.app
            await pilot.click(offset=(1, 1))
            await wait_until(pilot, lambda: "Esc closes this, and changes nothing." in screen_text(app))
            assert not app.ended
            await press(pilot, "escape")
            assert app.ended and app.result is None

    run(test())


@KINDS
def test_a_key_that_does_nothing_in_a_dialog_says_so_until_the_next_one(cells: Path, kind: str) -> None:
    async def test() -> None:
        async with shown(cells, of_kind(kind)) as pilot:
            await press(pilot, "f7")
            assert "F7 does nothing here. Enter confirms, Esc changes nothing." in screen_text(pilot.app)
            await press(pilot, "down" if kind == "question" else "x")
            assert "F7 does nothing" not in screen_text(pilot.app)

    run(test())


@KINDS
def test_the_keys_of_a_dialog_are_shown_from_it(cells: Path, kind: str) -> None:
    async def test() -> None:
        async with shown(cells, of_kind(kind)) as pilot:
            app: Any = pilot.app
            await press(pilot, "f1")
            assert isinstance(app.screen, HelpScreen) and "Keys in dialogs" in screen_text(app)
            await press(pilot, "f1")
            assert not isinstance(app.screen, HelpScreen) and not app.ended

    run(test())


def test_a_letter_that_begins_no_answer_says_so(cells: Path) -> None:
    async def test() -> None:
        async with shown(cells, of_kind("question")) as pilot:
            app: Any = pilot.app
            await press(pilot, "z")
            assert "No answer begins with z." in screen_text(app) and not app.ended
            await press(pilot, "t")
            assert app.result == 2

    run(test())


def test_where_letters_do_not_answer_a_letter_says_what_does(cells: Path) -> None:
    async def test() -> None:
        def make(*_: Any) -> Question[int]:
            return Question("How many?", "", ANSWERS, letters=False)

        async with shown(cells, make) as pilot:
            app: Any = pilot.app
            await press(pilot, "t")
            assert "choose an answer, Enter confirms it." in screen_text(app) and not app.ended

    run(test())


def test_an_empty_answer_where_one_is_needed_says_so_and_the_dialog_stays(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            for keys in (["f8", "a"], ["escape", "r", "backspace"]):
                await press(pilot, *keys, "enter")
                assert "A class needs a name. Esc closes this" in screen_text(pilot.app)
            await press(pilot, "escape", "escape", "ctrl+t", "ctrl+s", "backspace", "enter")
            assert "A file needs a name. Esc closes this" in screen_text(pilot.app)

    run(test())


def test_a_list_in_which_nothing_matches_says_so_and_enter_says_why_it_chooses_nothing(cells: Path) -> None:
    async def test() -> None:
        async with shown(cells, of_kind("list")) as pilot:
            app: Any = pilot.app
            await type_text(pilot, "zz")
            await wait_until(pilot, lambda: "Nothing matches 'zz'." in screen_text(app))
            await press(pilot, "enter")
            assert "There is nothing to choose. Esc closes this" in screen_text(app) and not app.ended

    run(test())


def test_a_list_is_narrowed_by_words_in_any_order_and_counts_what_is_left(cells: Path) -> None:
    assert has_words("delete a class", "class del") and not has_words("delete a class", "class x")

    async def test() -> None:
        async with shown(cells, of_kind("list")) as pilot:
            app: Any = pilot.app
            await type_text(pilot, "apple gr")
            await wait_until(pilot, lambda: "1 of 3" in screen_text(app))
            await press(pilot, "enter")
            assert app.result == "green apple"

    run(test())


@pytest.mark.parametrize("text", ["new", "n"])
def test_a_name_that_is_to_be_replaced_is_typed_over_also_in_a_burst(cells: Path, text: str) -> None:
    async def test() -> None:
        def make(*_: Any) -> TextDialog:
            return TextDialog("What?", value="cells", replaced=True)

        async with shown(cells, make) as pilot:
            app: Any = pilot.app
            await burst(pilot, *text, "enter")
            assert app.result == text

    run(test())


def test_a_name_can_be_mended_instead_and_after_a_refusal_it_is_not_selected(cells: Path) -> None:
    async def test() -> None:
        for error, keys, result in (("", ["end", "x"], "cellsx"), ("No.", ["x"], "cellsx")):

            def make(*_: Any, error: str = error) -> TextDialog:
                return TextDialog("What?", value="cells", replaced=True, error=error)

            async with shown(cells, make) as pilot:
                app: Any = pilot.app
                await press(pilot, *keys, "enter")
                assert app.result == result

    run(test())


@pytest.mark.parametrize(
    ("keys", "typed"),
    [
        (["f8", "r"], "round"),
        (["ctrl+u", "e"], ""),
        (["ctrl+t", "ctrl+s"], "mia-train.toml"),
        (["ctrl+f", "b", "enter", "ctrl+f"], "b"),
    ],
    ids=["the name of a class", "the title of a run", "a file of settings", "a search"],
)
def test_names_of_the_app_are_selected_for_typing_over(cells: Path, keys: list[str], typed: str) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, *keys)
            field: Any = pilot.app.screen.query_one("#text")
            assert field.selected_text == field.value
            assert not typed or typed in field.value or field.value
            await press(pilot, "z")
            assert field.value == "z"

    run(test())


DESTROYING = [
    (["f8", "m", "enter"], "Merge"),
    (["f8", "x"], "Archive"),
    (["ctrl+u", "x"], "Delete"),
]


@pytest.mark.parametrize(("keys", "answer"), DESTROYING, ids=[answer for _, answer in DESTROYING])
def test_an_answer_that_destroys_is_never_the_one_at_first(cells: Path, keys: list[str], answer: str) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, *keys)
            question = pilot.app.screen
            assert isinstance(question, Question) and isinstance(question.focused, Button)
            assert str(question.focused.label) not in (answer, "Yes")
            assert answer in screen_text(pilot.app)
            await press(pilot, "enter")
            assert not isinstance(pilot.app.screen, Question)
        assert (cells / "mia" / "runs").is_dir() and len(list((cells / "mia" / "runs").iterdir())) == 1

    run(test())
