"""The manual in the app: its pages, the way there and back, and finding a word."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.text import Text
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
from mia_tui.tui.manual.drawing import draw_page
from mia_tui.tui.manual.drawn_page import DrawnPage
from mia_tui.tui.manual.screen import ManualScreen
from mia_tui.tui.manual.text import TOPICS, page
from mia_tui.tui.widgets.text_lines import TextLines


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
            spans = [(line.plain, span) for line in screen._page._items for span in line.spans]
            marked = [text[span.start : span.end] for text, span in spans if span.style == cursor]
            assert {text.lower() for text in marked} >= {"label", "smoothing"}
            await press(pilot, "escape")
            await wait_until(pilot, lambda: "Manual · Labelling · page 2" in screen_text(pilot.app))
            assert "hits of" not in screen_text(pilot.app) and not pilot.app.ended
            await press(pilot, "escape")
            assert pilot.app.ended

    run(test())


def test_the_last_line_of_a_long_page_is_there_at_once(tmp_path: Path) -> None:
    async def test() -> None:
        async with shown(make_images(tmp_path / "a", 1), lambda _, c: ManualScreen(c, "keys")) as pilot:
            await press(pilot, "end")
            lines = [line.plain.split() for line in draw_page(page("keys", {}), 100)]
            assert list(filter(None, lines))[-1][-1] in screen_text(pilot.app)

    run(test())


def test_a_page_is_drawn_up_to_the_end_of_the_window_and_then_the_rest() -> None:
    def parts() -> Iterator[list[Text]]:
        for number in range(6):
            yield [Text(str(number))] * 10

    drawn = DrawnPage(parts())
    drawn.draw(15)
    assert len(drawn.lines) == 20 and not drawn.is_complete
    drawn.draw_all()
    assert len(drawn.lines) == 60 and drawn.is_complete


def test_text_of_a_page_is_marked_with_the_mouse_and_copied(tmp_path: Path) -> None:
    async def test() -> None:
        async with shown(make_images(tmp_path / "a", 1), lambda _, c: ManualScreen(c)) as pilot:
            lines = pilot.app.screen.query_one(TextLines)
            await pilot.mouse_down(lines, offset=(4, 1))
            await pilot.hover(lines, offset=(30, 3))
            await pilot.mouse_up(lines, offset=(30, 3))
            first = lines._items[0].plain
            selected = pilot.app.screen.get_selected_text()
            assert selected is not None and len(selected.splitlines()) == 3
            assert selected.splitlines()[0] and selected.splitlines()[0] in first

    run(test())
