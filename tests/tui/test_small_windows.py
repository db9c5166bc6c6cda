"""Small windows: a sentence says what they need, no key has an effect that nobody sees, and nothing fails."""

import re
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pytest
from textual import events
from tui_support import labels_in, make_images, opened, press, record_paints, run, wait_until

from mia_tui.tui.app import MiaApp
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.pictures.image_view import ImageView
from mia_tui.tui.textual_private import FaultKeepingApp, QuickScreen


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 60), (5, 2), (10, 3), (200, 1)])
def test_the_palette_outlives_a_window_of_nearly_no_size(tmp_path: Path, size: tuple[int, int]) -> None:
    dataset = make_images(tmp_path / "images", 3, classes=["round"])

    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "ctrl+p", "o")
            await pilot.resize_terminal(*size)
            await pilot.pause(0.2)
            await press(pilot, "pagedown", "q", "pageup", "down", "backspace", "pageup")
            await pilot.resize_terminal(80, 24)
            await press(pilot, "escape")

    run(test())


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 60), (5, 2), (10, 3), (200, 1)])
def test_the_palette_may_be_asked_for_in_such_a_window(tmp_path: Path, size: tuple[int, int]) -> None:
    dataset = make_images(tmp_path / "images", 3, classes=["round"])

    async def test() -> None:
        async with opened(dataset, size=size) as pilot:
            await press(pilot, "ctrl+p", "o", "pagedown", "q", "pageup", "backspace")
            await pilot.resize_terminal(80, 24)
            await press(pilot, "escape")

    run(test())


def test_a_small_window_says_what_it_has_and_needs_and_shows_the_screen_when_it_grows(tmp_path: Path) -> None:
    dataset = make_images(tmp_path / "images", 3, classes=["round"])

    async def test() -> None:
        async with opened(dataset) as pilot:
            painted = record_paints(pilot.app)
            await pilot.resize_terminal(30, 8)
            words = "The window has 30x8 cells; mia-tui needs at least 40x10 here."
            await wait_until(pilot, lambda: words in shown_in(painted[-1:]))
            await pilot.resize_terminal(30, 7)
            await wait_until(pilot, lambda: "30x7" in shown_in(painted[-1:]))
            await pilot.resize_terminal(80, 24)
            await wait_until(pilot, lambda: "image-000" in "".join(painted[-2:]))

    run(test())


def test_pictures_are_taken_away_though_the_sentence_is_painted_before_the_screen_has_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = make_images(tmp_path / "images", 3, classes=["round"])
    real = FaultKeepingApp.on_event

    async def with_a_paint(app: MiaApp, event: events.Event) -> None:
        await real(app, event)
        if isinstance(event, events.Resize):
            app.notice(cast(QuickScreen[Any], app.screen))  # as a paint that comes meanwhile

    async def test() -> None:
        async with opened(dataset) as pilot:
            monkeypatch.setattr(FaultKeepingApp, "on_event", with_a_paint)
            view = pilot.app.screen.query_one(ImageView)
            with patch.object(view, "withdraw", wraps=view.withdraw) as withdraw:
                await pilot.resize_terminal(30, 8)
                await wait_until(pilot, lambda: bool(withdraw.call_count))
            await pilot.resize_terminal(80, 24)
            await press(pilot, "1", "f1")
            await wait_until(pilot, lambda: len(labels_in(dataset)) == 1)

    run(test())


def shown_in(paints: list[str]) -> str:
    """The words of a paint; each line of the sentence has its place said."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*[A-Za-z]", " ", "".join(paints)).split())


def test_keys_that_nobody_sees_the_effect_of_have_none_but_for_the_one_that_quits(tmp_path: Path) -> None:
    dataset = make_images(tmp_path / "images", 3, classes=["round"])

    async def test() -> None:
        async with opened(dataset) as pilot:
            await pilot.resize_terminal(30, 8)
            await pilot.pause(0.1)
            await pilot.press("f2", "1", "f1", "f7")
            await pilot.pause(0.3)
            await pilot.resize_terminal(80, 24)
            screen = pilot.app.screen
            assert isinstance(screen, LabelScreen)
            assert screen.session.counts.labelled == 0
            await press(pilot, "f1")
            assert screen.session.counts.labelled == 1
            await pilot.resize_terminal(30, 8)
            await pilot.pause(0.1)
            await pilot.press("ctrl+q")
            await wait_until(pilot, lambda: pilot.app.return_code == 0)

    run(test())


@pytest.mark.parametrize(
    ("key", "needs"), [("f7", "40x10"), ("f8", "50x15"), ("ctrl+t", "50x14"), ("ctrl+u", "40x12")]
)
def test_each_screen_says_what_it_needs(tmp_path: Path, key: str, needs: str) -> None:
    dataset = make_images(tmp_path / "images", 3, classes=["round"])

    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, key)
            painted = record_paints(pilot.app)
            await pilot.resize_terminal(39, 9)
            await wait_until(
                pilot, lambda: f"39x9 cells; mia-tui needs at least {needs}" in shown_in(painted[-1:])
            )
            await pilot.resize_terminal(80, 24)
            await press(pilot, "escape")
            await wait_until(pilot, lambda: len(pilot.app.screen_stack) == 2)

    run(test())
