"""Dialogs and the help obey the user's keys, and their hints name them."""

from pathlib import Path
from typing import Any

import pytest
from tui_support import (
    burst,
    labels_in,
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

from mia_tui.config.train import TrainConfig
from mia_tui.config.user.settings import UserConfig, load_user_config
from mia_tui.errors import ConfigError
from mia_tui.runs.preflight.prepare import TrainingPreparer
from mia_tui.tui.context import Context
from mia_tui.tui.dialogs import Choice, PickDialog, Question, TextDialog
from mia_tui.tui.help import HelpScreen
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.training.check_screen import CheckScreen
from mia_tui.tui.widgets.text_field import TextField

FRUIT = tuple(Choice(name, name) for name in ("apple", "banana", "cherry", "date"))


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 3, classes=["round", "flat"])


def with_keys(**keys: tuple[str, ...]) -> Context:
    """A user who set these keys of dialogs."""
    return make_context(user=UserConfig(keys={name.replace("__", "."): keys[name] for name in keys}))


OWN = with_keys(
    dialog__ok=("f6",),
    dialog__cancel=("f7",),
    dialog__down=("ctrl+j",),
    dialog__up=("ctrl+k",),
    dialog__right=("f9",),
    dialog__page_next=("f8",),
    dialog__last=("f10",),
)


@pytest.mark.parametrize(("key", "result"), [("f6", "cells"), ("f7", None)])
def test_a_text_is_taken_and_given_up_by_the_users_keys_alone(
    cells: Path, key: str, result: str | None
) -> None:
    async def test() -> None:
        async with shown(cells, lambda *_: TextDialog("What?"), context=OWN) as pilot:
            app: Any = pilot.app
            assert "F6 confirms, F7 changes nothing." in screen_text(app)
            await type_text(pilot, "cells")
            await press(pilot, "enter", "escape", "tab")
            assert not app.ended
            await press(pilot, key)
            assert app.ended and app.result == result

    run(test())


@pytest.mark.parametrize(
    ("keys", "result"),
    [
        (["f6"], "apple"),
        (["down", "f6"], "apple"),
        (["ctrl+j", "ctrl+j", "ctrl+k", "f6"], "banana"),
        (["f8", "f6"], "date"),
        (["c", "f6"], "cherry"),
        (["f7"], None),
    ],
)
def test_a_list_is_gone_through_by_the_users_keys(cells: Path, keys: list[str], result: str | None) -> None:
    async def test() -> None:
        def make(_: Any, context: Context) -> PickDialog[str]:
            return PickDialog("Which?", FRUIT, context.ink)

        async with shown(cells, make, context=OWN) as pilot:
            app: Any = pilot.app
            assert "F6 confirms, F7 changes nothing." in screen_text(app)
            await press(pilot, "enter", "escape")
            assert not app.ended
            await press(pilot, *keys)
            assert app.ended and app.result == result

    run(test())


@pytest.mark.parametrize(
    ("context", "keys", "result"),
    [(OWN, ["f10", "f6"], "date"), (make_context(), ["end", "up", "enter"], "cherry")],
)
def test_a_list_without_a_line_to_type_into_has_its_keys_too(
    cells: Path, context: Context, keys: list[str], result: str
) -> None:
    async def test() -> None:
        def make(_: Any, context: Context) -> PickDialog[str]:
            return PickDialog("Which?", FRUIT, context.ink, searchable=False)

        async with shown(cells, make, context=context) as pilot:
            app: Any = pilot.app
            await press(pilot, *keys)
            assert app.ended and app.result == result

    run(test())


@pytest.mark.parametrize(
    ("context", "keys", "result"),
    [
        (OWN, ["f6"], 1),
        (OWN, ["f9", "f6"], 2),
        (OWN, ["enter", "right", "f9", "f9", "f6"], 3),
        (OWN, ["f"], 3),
        (OWN, ["f7"], None),
        (make_context(), ["right", "down", "left", "enter"], 2),
        (make_context(), ["tab", "tab", "shift+tab", "enter"], 2),
        (make_context(), ["escape"], None),
    ],
)
def test_a_question_is_answered_by_the_users_keys(
    cells: Path, context: Context, keys: list[str], result: int | None
) -> None:
    async def test() -> None:
        def make(*_: Any) -> Question[int]:
            return Question("How many?", "", (("One", 1), ("Two or so", 2), ("Five", 3)))

        async with shown(cells, make, context=context) as pilot:
            app: Any = pilot.app
            words = (
                "Left and F9 choose, F6 confirms"
                if context is OWN
                else "Left and Right choose, Enter confirms"
            )
            assert words in screen_text(app)
            await press(pilot, *keys)
            assert app.ended and app.result == result

    run(test())


def test_arrows_and_enter_of_one_burst_answer_in_order(cells: Path) -> None:
    async def test() -> None:
        def make(*_: Any) -> Question[int]:
            return Question("How many?", "", (("One", 1), ("Two", 2), ("Four", 4)))

        async with shown(cells, make) as pilot:
            await burst(pilot, "right", "right", "enter")
            app: Any = pilot.app
            assert app.result == 4

    run(test())


def test_the_check_before_a_training_has_the_keys_of_dialogs(cells: Path) -> None:
    async def test() -> None:
        def make(_: Any, context: Context) -> CheckScreen:
            return CheckScreen(TrainingPreparer(cells, None, "ann"), context, TrainConfig(), frozenset(), "")

        async with shown(cells, make, context=OWN) as pilot:
            app: Any = pilot.app
            await wait_until(pilot, lambda: "F7 goes back to the form" in screen_text(app))
            await press(pilot, "escape")
            assert not app.ended
            await press(pilot, "f7")
            assert app.ended and app.result is None

    run(test())


def test_the_help_has_keys_of_the_user_too(cells: Path) -> None:
    async def test() -> None:
        context = with_keys(help__close=("x",), help__page_next=("n",))
        async with shown(cells, lambda _, context: HelpScreen(context), context=context) as pilot:
            app: Any = pilot.app
            assert "X closes" in screen_text(app) or "x closes" in screen_text(app)
            first = screen_text(app)
            await press(pilot, "escape", "q", "pagedown")
            assert not app.ended and screen_text(app) == first
            await press(pilot, "n")
            assert screen_text(app) != first
            await press(pilot, "x")
            assert app.ended

    run(test())


def test_a_key_that_counts_everywhere_counts_in_dialogs(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, context=with_keys(down=("ctrl+j",))) as pilot:
            await press(pilot, "/", "ctrl+j", "enter", "f1")
            assert labels_in(cells)["image-000.png"].class_id == 2

    run(test())


def test_a_command_of_a_dialog_without_a_key_is_said_to_have_none(cells: Path) -> None:
    async def test() -> None:
        context = with_keys(dialog__cancel=())
        async with shown(cells, lambda *_: TextDialog("What?"), context=context) as pilot:
            assert "Enter confirms, no key changes nothing." in screen_text(pilot.app)

    run(test())


def test_what_is_typed_can_be_no_key_of_a_dialog(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    for key in ("a", "space", "backspace"):
        file.write_text(f'[keys]\n"dialog.ok" = "{key}"\n', encoding="utf-8")
        with pytest.raises(ConfigError, match="which is typed there"):
            load_user_config(file, screens=SCOPES.values())


def test_a_second_esc_of_a_burst_does_not_close_what_lies_below(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "ctrl+f")
            await burst(pilot, "a", "escape", "escape", "escape")
            assert isinstance(pilot.app.screen, LabelScreen)
            await press(pilot, "?")
            await burst(pilot, "?", "escape", "q")
            assert isinstance(pilot.app.screen, LabelScreen)

    run(test())


def test_what_is_pressed_behind_the_key_that_closed_a_dialog_is_for_the_screen_below(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "/")
            await burst(pilot, "f", "l", "enter", "f1")
            assert labels_in(cells)["image-000.png"].class_id == 2

    run(test())


def test_tab_does_not_leave_the_line_that_is_typed_into(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "/", "tab")
            await type_text(pilot, "fla")
            assert pilot.app.screen.query_one(TextField).value == "fla"

    run(test())
