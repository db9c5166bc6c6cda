"""The palette finds commands by their titles, by what people call them, and the pages of the manual."""

from pathlib import Path
from typing import Any

import pytest
from tui_support import make_images, opened, press, run, screen_text, type_text, wait_until

from mia_tui.tui.grid.screen import GridScreen
from mia_tui.tui.keys.other_words import OTHER_WORDS, OTHER_WORDS_OF_TITLES
from mia_tui.tui.keys.palette import NOTHING_FOUND, found_by
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.manual.screen import ManualScreen
from mia_tui.tui.manual.text import TOPICS


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 3, classes=["round", "flat"])


def test_other_words_are_for_commands_and_pages_that_there_are() -> None:
    for scope, words in OTHER_WORDS.items():
        assert set(words) <= {action.id for action in SCOPES[scope].actions}, scope
    pages = {f"Manual: {title}" for title in TOPICS.values()}
    assert set(OTHER_WORDS_OF_TITLES) <= pages | {"Theme"}


def found(app: Any, query: str) -> list[str]:
    """The titles that are found, the best first."""
    return [command.title for command in found_by(query, list(app.palette_commands(app.screen)))]


@pytest.mark.parametrize(
    ("keys", "query", "title"),
    [
        ([], "rename", "Classes"),
        ([], "delete class", "Classes"),
        ([], "theme", "Theme"),
        ([], "dark", "Theme"),
        ([], "import", "Import labels"),
        ([], "export", "Export labels"),
        ([], "csv", "Manual: Labels in and out"),
        ([], "thumbnails", "Grid"),
        ([], "search", "Find files"),
        ([], "exit", "Quit"),
        ([], "open folder", "Home"),
        ([], "shortcuts", "Keys"),
        ([], "unlabelled", "Unlabelled"),
        (["f8"], "delete", "Archive"),
        (["f8"], "remove class", "Archive"),
        (["f8"], "new", "Add"),
        (["ctrl+u"], "rename", "Title"),
        (["ctrl+u"], "cancel", "Stop"),
        (["ctrl+t"], "preset", "Recipe"),
        (["f7"], "select all", "Mark all"),
    ],
)
def test_what_people_call_a_command_finds_it(cells: Path, keys: list[str], query: str, title: str) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, *keys)
            titles = found(pilot.app, query)
            assert any(name.startswith(title) for name in titles[:4]), titles

    run(test())


def test_what_is_found_by_its_title_comes_first_and_nonsense_finds_nothing(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            assert found(pilot.app, "classes")[0].startswith("Classes")
            assert found(pilot.app, "qqqq") == []
            assert not any("Manual: " in title for title in found(pilot.app, "")), "pages are found by typing"

    run(test())


def test_a_page_of_the_manual_is_opened_and_a_search_in_vain_is_said(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "ctrl+p")
            await type_text(pilot, "several people")
            await wait_until(pilot, lambda: "Several people" in screen_text(pilot.app).split("people", 1)[1])
            await press(pilot, "enter")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, ManualScreen))
            assert "Several people, several places" in screen_text(pilot.app)
            await press(pilot, "escape", "ctrl+p")
            await type_text(pilot, "qqqq")
            await wait_until(pilot, lambda: NOTHING_FOUND in screen_text(pilot.app))

    run(test())


def test_the_palette_says_what_the_command_under_the_cursor_does_and_runs_it(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "ctrl+p")
            await wait_until(pilot, lambda: "Give this image the current class." in screen_text(pilot.app))
            await press(pilot, "down", "down", "down", "up", "pagedown", "pageup")
            await type_text(pilot, "grid")
            await wait_until(pilot, lambda: "See many images at once" in screen_text(pilot.app))
            await press(pilot, "enter")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, GridScreen))
            await press(pilot, "ctrl+p", "q", "q", "q", "enter")
            await wait_until(pilot, lambda: "closes this" in screen_text(pilot.app))
            await press(pilot, "escape")
            assert isinstance(pilot.app.screen, GridScreen)

    run(test())


def test_a_click_runs_a_command(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "ctrl+p")
            await type_text(pilot, "grid")
            await wait_until(pilot, lambda: "See many images at once" in screen_text(pilot.app))
            await pilot.click("#palette-lines", offset=(4, 0))
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, GridScreen))

    run(test())
