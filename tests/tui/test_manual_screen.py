"""The manual in the app: its pages, the way there and back, and finding a word."""

from pathlib import Path

import pytest
from tui_support import (
    make_context,
    make_images,
    opened,
    press,
    run,
    screen_text,
    shown,
    type_text,
    wait_until,
)

from mia_tui.config.user import UserConfig
from mia_tui.tui.keys.bindings import keys_of
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.manual.screen import ManualScreen
from mia_tui.tui.manual.text import TOPICS


@pytest.mark.parametrize("scope", [name for name in SCOPES if name not in ("dialog", "help", "manual")])
def test_every_screen_has_a_key_for_the_manual(scope: str) -> None:
    assert keys_of(scope, {})["manual"]


def test_a_key_opens_the_page_about_the_screen_and_escape_goes_back(tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(make_images(tmp_path / "images", 2)) as pilot:
            await press(pilot, "f12")
            await wait_until(pilot, lambda: "Manual · Labelling" in screen_text(pilot.app))
            await press(pilot, "escape")
            await wait_until(pilot, lambda: "1/2" in screen_text(pilot.app))

    run(test())


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
def test_all_pages_can_be_turned_to(tmp_path: Path, size: tuple[int, int]) -> None:
    async def test() -> None:
        async with shown(make_images(tmp_path / "a", 1), lambda _, c: ManualScreen(c), size=size) as pilot:
            for number, title in enumerate(TOPICS.values(), start=1):
                assert f"{title} · page {number} of {len(TOPICS)}" in screen_text(pilot.app)
                await press(pilot, "right")
            assert "page 1 of" in screen_text(pilot.app)
            await press(pilot, "left", "end")
            assert "Close" in screen_text(pilot.app) or "Back" in screen_text(pilot.app)

    run(test())


def test_a_word_is_found_by_typing_and_its_line_is_shown(tmp_path: Path) -> None:
    async def test() -> None:
        async with shown(make_images(tmp_path / "a", 1), lambda _, c: ManualScreen(c)) as pilot:
            await press(pilot, "/")
            await type_text(pilot, "stochastic depth")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "Settings of a training" in screen_text(pilot.app))
            await wait_until(pilot, lambda: "Stochastic depth" in screen_text(pilot.app))

    run(test())


def test_the_keys_of_the_user_stand_in_the_manual(tmp_path: Path) -> None:
    async def test() -> None:
        context = make_context(user=UserConfig(keys={"classes": ("f11",)}))
        async with shown(
            make_images(tmp_path / "a", 1), lambda _, c: ManualScreen(c), context=context
        ) as pilot:
            await wait_until(pilot, lambda: "F11 makes classes" in screen_text(pilot.app))

    run(test())
