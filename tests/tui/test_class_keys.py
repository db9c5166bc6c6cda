"""What the key of a class does is to be seen, and auto mode is as it was left."""

from pathlib import Path

import pytest
from tui_support import make_context, make_images, opened, press, run, screen_text, wait_until

from mia_tui.config.user.kept import keep, kept_settings
from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.model import ImageClass
from mia_tui.tui.label.words import class_keys


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 3, classes=("round", "long", "flat"))


def test_what_the_key_of_a_class_does_is_said_and_changes_with_auto_mode(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            assert "1-3 choose the class of F1 and F2; F9: label at once" in screen_text(pilot.app)
            await press(pilot, "f9")
            assert " AUTO  1-3 label the image and go on; F9: only choose the class" in screen_text(pilot.app)

    run(test())


def test_in_the_grid_it_is_said_what_the_key_of_a_class_labels(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "f7")
            await wait_until(pilot, lambda: "1-3 label the image under the cursor" in screen_text(pilot.app))
            await press(pilot, "ctrl+a")
            await wait_until(pilot, lambda: "1-3 label the 3 marked images" in screen_text(pilot.app))

    run(test())


@pytest.mark.parametrize("columns", [40, 45, 60, 80])
def test_in_a_narrow_window_the_short_words_are_whole(cells: Path, columns: int) -> None:
    async def test() -> None:
        async with opened(cells, size=(columns, 24)) as pilot:
            assert "1-3 choose the class" in screen_text(pilot.app)
            await press(pilot, "f9")
            assert " AUTO  1-3 label" in screen_text(pilot.app)
            assert "…" not in next(line for line in screen_text(pilot.app).splitlines() if "AUTO" in line)

    run(test())


def test_auto_mode_is_kept_for_the_next_start(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "f9")
        async with opened(cells) as pilot:
            assert "AUTO" in screen_text(pilot.app)
            await press(pilot, "f9")
        async with opened(cells) as pilot:
            assert "AUTO" not in screen_text(pilot.app)

    run(test())


def test_what_the_user_wrote_in_the_settings_comes_first(cells: Path) -> None:
    keep(auto_advance=True)

    async def test() -> None:
        async with opened(cells, context=make_context(user=UserConfig(auto_advance=False))) as pilot:
            assert "AUTO" not in screen_text(pilot.app)
            await press(pilot, "f9", "f9")
        assert kept_settings().auto_advance is True

    run(test())


@pytest.mark.parametrize(
    ("keys", "words"),
    [("123", "1-3"), ("12", "1, 2"), ("1", "1"), ("1234x", "1-4, x"), ("12abcz", "1, 2, a-c, z"), ("", "")],
)
def test_keys_of_classes_in_words(keys: str, words: str) -> None:
    classes = [ImageClass(number, key, "#ffffff", key, number) for number, key in enumerate(keys)]
    assert class_keys([*classes, ImageClass(99, "without", "#ffffff", None, 99)]) == words
