"""The keys on the screen: all of them, the user's own among them, at 80 columns and at 160."""

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from tui_support import make_context, make_images, press, run, screen_text, shown, type_text

from mia_tui.config.user.settings import UserConfig
from mia_tui.tui.context import Context
from mia_tui.tui.help import HelpScreen
from mia_tui.tui.keys.bindings import shown_key
from mia_tui.tui.keys.tables import SCOPES


def make(_: Any, context: Context) -> HelpScreen:
    return HelpScreen(context)


async def read(pilot: Pilot[Any]) -> str:
    """Everything, page by page."""
    pages = [screen_text(pilot.app)]
    for _ in range(60):
        await press(pilot, "pagedown")
        pages.append(screen_text(pilot.app))
        if pages[-1] == pages[-2]:
            break
    return "\n".join(pages)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
def test_every_command_stands_there_with_its_keys(tmp_path: Path, size: tuple[int, int]) -> None:
    async def test() -> None:
        async with shown(make_images(tmp_path / "images", 1), make, size=size) as pilot:
            await press(pilot, "tab")
            assert "Keys of all screens" in screen_text(pilot.app)
            text = await read(pilot)
            for name in SCOPES:
                for action in SCOPES[name].actions:
                    assert shown_key(action.keys[0]) in text if action.keys else "in the palette" in text, (
                        action
                    )
                    assert action.help.split()[0] in text
            assert "a person's label" in text and "a model's suggestion" in text
            assert "half blocks" in text and "hold Fn" in text
            await press(pilot, "escape")
            assert pilot.app.ended

    run(test())


def test_the_users_own_keys_are_shown(tmp_path: Path) -> None:
    async def test() -> None:
        context = make_context(user=UserConfig(keys={"undo": ("f11",), "flag": ()}))
        async with shown(make_images(tmp_path / "images", 1), make, context=context) as pilot:
            text = await read(pilot)
            assert "F11" in text
            assert "in the palette" in text

    run(test())


def test_why_pictures_are_not_shown_as_asked_for_is_said(tmp_path: Path) -> None:
    async def test() -> None:
        context = make_context(note="This terminal has no sixels.", brand="foot(1.2)", multiplexer="tmux")
        async with shown(make_images(tmp_path / "images", 1), make, context=context) as pilot:
            text = await read(pilot)
            assert "This terminal has no sixels." in text
            assert "foot(1.2), in tmux" in text

    run(test())


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("name", [name for name in SCOPES if name != "help"])
def test_help_on_a_screen_shows_all_keys_of_that_screen_and_of_dialogs(
    tmp_path: Path, name: str, size: tuple[int, int]
) -> None:
    async def test() -> None:
        def of_screen(_: Any, context: Context) -> HelpScreen:
            return HelpScreen(context, name)

        context = make_context(user=UserConfig(keys={"ok": ("f11",), "command_palette": ("f19",)}))
        async with shown(make_images(tmp_path / "images", 1), of_screen, size=size, context=context) as pilot:
            assert f"Keys {SCOPES[name].where}" in screen_text(pilot.app)
            text = await read(pilot)
            for action in (*SCOPES[name].actions, *SCOPES["dialog"].actions):
                assert action.help.split(".")[0][:20] in text, action
            assert "F11" in text and ("F19" in text or name == "dialog")
            if name != "label":
                assert "Show the image brighter" not in text
            if name == "classes":
                assert "Go to the first line." in text and "first image" not in text
            await press(pilot, "f1" if name in ("home", "train", "dialog") else "question_mark")
            assert pilot.app.ended, "what opens it closes it"

    run(test())


def test_keys_are_found_by_typing_what_they_do_and_what_people_call_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with shown(make_images(tmp_path / "images", 1), make) as pilot:
            await press(pilot, "/")
            await type_text(pilot, "thumbnails")
            assert "F7" in screen_text(pilot.app)
            assert "F3" not in screen_text(pilot.app)
            await press(pilot, "escape", "/")
            await type_text(pilot, "qqq")
            assert "Nothing matches 'qqq'." in screen_text(pilot.app)
            await press(pilot, "escape")
            assert "F1" in screen_text(pilot.app) and not pilot.app.ended
            await press(pilot, "escape")
            assert pilot.app.ended

    run(test())
