"""The palette finds commands by their titles, by what people call them, and the pages of the manual."""

from pathlib import Path
from typing import Any

import pytest
from textual.command import DiscoveryHit
from tui_support import make_images, opened, press, run, screen_text, type_text, wait_until

from mia_tui.tui.keys.palette import CommandProvider
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.keys.tables.other_words import OTHER_WORDS, OTHER_WORDS_OF_TITLES
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


async def found(app: Any, query: str) -> list[str]:
    """The titles that are found, the best first."""
    hits = [hit async for hit in CommandProvider(app.screen).search(query)]
    hits.sort(key=lambda hit: -hit.score)
    return [str(hit.text) for hit in hits]


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
            titles = await found(pilot.app, query)
            assert any(name.startswith(title) for name in titles[:4]), titles

    run(test())


def test_what_is_found_by_its_title_comes_first_and_nonsense_finds_nothing(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            assert (await found(pilot.app, "classes"))[0].startswith("Classes")
            assert await found(pilot.app, "qqqq") == []
            listed = [hit async for hit in CommandProvider(pilot.app.screen).discover()]
            assert all(isinstance(hit, DiscoveryHit) for hit in listed)
            assert not any("Manual: " in str(hit.text) for hit in listed), "pages are found by typing"

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
            await wait_until(pilot, lambda: "No matches found" in screen_text(pilot.app))

    run(test())
