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

from mia_tui.config.user.settings import UserConfig
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
            await type_text(pilot, "label smoothing")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "Settings of a training" in screen_text(pilot.app))
            await wait_until(pilot, lambda: "label-smoothing" in screen_text(pilot.app))

    run(test())


def test_the_keys_of_the_user_stand_in_the_manual(tmp_path: Path) -> None:
    async def test() -> None:
        context = make_context(user=UserConfig(keys={"classes": ("f11",)}))
        async with shown(
            make_images(tmp_path / "a", 1), lambda _, c: ManualScreen(c), context=context
        ) as pilot:
            await wait_until(pilot, lambda: "F11 makes classes" in screen_text(pilot.app))

    run(test())


@pytest.mark.parametrize(("size", "beside"), [((80, 24), False), ((120, 40), True), ((200, 60), True)])
def test_the_titles_of_all_pages_stand_beside_the_page_where_there_is_room(
    tmp_path: Path, size: tuple[int, int], beside: bool
) -> None:
    async def test() -> None:
        async with shown(make_images(tmp_path / "a", 1), lambda _, c: ManualScreen(c), size=size) as pilot:
            text = screen_text(pilot.app)
            assert all(title in text for title in TOPICS.values()) == beside
            if beside:
                await pilot.click("#manual-topics", offset=(6, 1 + list(TOPICS).index("troubles")))
                await wait_until(
                    pilot, lambda: f"Manual · {TOPICS['troubles']} · page" in screen_text(pilot.app)
                )

    run(test())


def test_what_was_searched_is_marked_counted_and_left_by_escape_for_the_page_before(tmp_path: Path) -> None:
    async def test() -> None:
        async with shown(
            make_images(tmp_path / "a", 1), lambda _, c: ManualScreen(c), size=(120, 40)
        ) as pilot:
            screen = pilot.app.screen
            assert isinstance(screen, ManualScreen)
            await press(pilot, "right", "/")
            await type_text(pilot, "label smoothing")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "hits of 'label smoothing'" in screen_text(pilot.app))
            cursor = screen.context.ink.cursor()
            spans = [(line.plain, span) for line in screen._lines for span in line.spans]
            marked = [text[span.start : span.end] for text, span in spans if span.style == cursor]
            assert {text.lower() for text in marked} >= {"label", "smoothing"}
            await press(pilot, "escape")
            await wait_until(pilot, lambda: "Manual · Labelling · page 2" in screen_text(pilot.app))
            assert "hits of" not in screen_text(pilot.app) and not pilot.app.ended
            await press(pilot, "escape")
            assert pilot.app.ended

    run(test())
