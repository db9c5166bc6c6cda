"""No key is passed over in silence: it says that it does nothing here, or what it is elsewhere."""

from pathlib import Path

import pytest
from run_support import finished, make_run, started
from tui_support import labels_in, make_context, make_images, opened, press, run, screen_text

from mia_tui.config.user.settings import UserConfig
from mia_tui.runs.record.log import EventLog
from mia_tui.tui.keys.bindings import key_name


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    folder = make_images(tmp_path / "cells", 3, classes=["round", "flat"])
    done = make_run(folder / "mia", created_at=1e9)
    with EventLog(done.events) as log:
        for event in (started(), finished(t=1e10)):
            log.append(event)
    return folder


@pytest.mark.parametrize(
    ("way", "key", "words"),
    [
        ([], "f19", "F19 does nothing on the labelling screen; ? shows the keys."),
        ([], "^", "^ does nothing on the labelling screen; ? shows the keys."),
        ([], "9", "No class has the key 9."),
        (
            ["f7"],
            "ctrl+k",
            "Ctrl+K does nothing in the grid; on the labelling screen, it is Ask the network.",
        ),
        (["f7"], "f9", "F9 does nothing in the grid; on the labelling screen, it is Auto mode."),
        (["f8"], "f7", "F7 does nothing in the list of classes; on the labelling screen, it is Grid."),
        (["ctrl+u"], "z", "z does nothing in the list of runs; ? shows the keys."),
        (["ctrl+u"], "f7", "F7 does nothing in the list of runs; on the labelling screen, it is Grid."),
        (["ctrl+u", "enter"], "f9", "F9 does nothing on the screen of a run;"),
        (["ctrl+t"], "f9", "F9 does nothing on the form of a training;"),
        (["f10"], "f7", "F7 does nothing on the first screen;"),
    ],
)
def test_a_key_without_a_command_says_so(cells: Path, way: list[str], key: str, words: str) -> None:
    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await press(pilot, *way, key)
            assert words in " ".join(screen_text(pilot.app).split())
            await press(pilot, "down")
            assert words not in " ".join(screen_text(pilot.app).split())
        assert labels_in(cells) == {}

    run(test())


def test_a_capital_letter_is_the_key_that_sentences_name(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await press(pilot, "ctrl+u", "enter", "R")
            assert "R does nothing" not in screen_text(pilot.app)
            await press(pilot, "escape", "escape", "f8", "A")
            assert "New classes" in screen_text(pilot.app)

    run(test())


def test_the_users_keys_are_named(cells: Path) -> None:
    async def test() -> None:
        context = make_context(
            user=UserConfig(keys={"ask": ("f11",), "label.help": ("f1",), "assign": ("f2",)})
        )
        async with opened(cells, size=(120, 40), context=context) as pilot:
            await press(pilot, "f19")
            assert "F1 shows the keys." in screen_text(pilot.app)
            await press(pilot, "f7", "f11")
            assert (
                "F11 does nothing in the grid; on the labelling screen, it is Ask the network."
                in screen_text(pilot.app)
            )

    run(test())


def test_signs_that_are_no_keys_leave_the_app_open(cells: Path) -> None:
    # Textual takes an attribute `_key_at` of the app for what the key @ does.
    async def test() -> None:
        async with opened(cells) as pilot:
            for sign in (chr(code) for code in range(0x20, 0x7F)):
                names = (f"{private}key_{key_name(sign)}" for private in ("", "_"))
                assert not any(hasattr(pilot.app, name) for name in names), sign
            await press(pilot, "@", "f8", "@")
            assert pilot.app.is_running

    run(test())
