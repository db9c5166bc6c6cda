"""One table of keys: no clashes in it, the user's keys on every screen, the palette with keys."""

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from textual.pilot import Pilot
from tui_support import (
    burst,
    labels_in,
    make_context,
    make_images,
    opened,
    press,
    run,
    screen_text,
    settle,
    shown,
    type_text,
    wait_until,
)

from mia_tui.config.user.settings import UserConfig, load_user_config
from mia_tui.tui.classes.screen import ClassesScreen
from mia_tui.tui.context import Context
from mia_tui.tui.grid.screen import GridScreen
from mia_tui.tui.help import HelpScreen
from mia_tui.tui.home.screen import HomeScreen
from mia_tui.tui.keys import tables
from mia_tui.tui.keys.action import make_scope
from mia_tui.tui.keys.bindings import key_hints, keys_of, palette_lines, said_key, shown_key
from mia_tui.tui.keys.command_queue import Command
from mia_tui.tui.keys.tables import SCOPES, Action
from mia_tui.tui.keys.tables.label import shared as shared_keys
from mia_tui.tui.label.words import first_hint
from mia_tui.tui.screen import KeyedScreen
from mia_tui.tui.widgets.key_line import KeyLine
from mia_tui.tui.widgets.text_field import TextField


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_images(tmp_path / "images", 12, classes=["round", "long"])


def with_keys(**keys: tuple[str, ...]) -> Context:
    """A user who set these keys; `grid__mark` is grid.mark."""
    return make_context(user=UserConfig(keys={name.replace("__", "."): keys[name] for name in keys}))


@pytest.mark.parametrize("name", SCOPES)
def test_one_key_starts_one_command_and_none_that_the_screen_needs_for_itself(name: str) -> None:
    scope = SCOPES[name]
    keys = [key for action in scope.actions for key in action.keys]
    assert len(keys) == len(set(keys))
    assert all(map(scope.can_have, keys))
    ids = [action.id for action in scope.actions]
    assert len(ids) == len(set(ids)) and set(scope.footer) <= set(ids)


@pytest.mark.parametrize("name", SCOPES)
def test_every_command_of_every_screen_can_have_a_key_of_the_users(name: str, tmp_path: Path) -> None:
    tables = list(SCOPES.values())
    file = tmp_path / "config.toml"
    lines = [f'{name}.{action.id} = "alt+f{n % 12 + 1}"' for n, action in enumerate(SCOPES[name].actions)]
    for line in lines:
        file.write_text(f"[keys]\n{line}\n", encoding="utf-8")
        assert len(load_user_config(file, screens=tables).keys) == 1


def test_every_command_of_the_table_is_one_of_its_screen(dataset: Path) -> None:
    async def test() -> None:
        for make, name in ((GridScreen, "grid"), (ClassesScreen, "classes")):
            async with shown(dataset, make) as pilot:
                known: Any = pilot.app.screen
                ids = {action.id for action in SCOPES[name].actions}
                assert ids - set(known.commands.by_name) == {"command_palette", "manual", "quit"}
        async with opened(None) as pilot:
            known = pilot.app.screen
            ids = {action.id for action in SCOPES["home"].actions}
            assert ids - set(known.at_once) == {"command_palette", "manual", "quit"}

    run(test())


def test_the_users_keys_count_in_the_grid(dataset: Path) -> None:
    async def test() -> None:
        context = with_keys(grid__mark=("insert",), grid__right=("tab",), undo=("f11",), clear=())
        async with shown(dataset, GridScreen, context=context) as pilot:
            session: Any = pilot.app.controller.session  # type: ignore[attr-defined]
            await press(pilot, "space")
            assert session.selected_count == 0, "its own key is the user's to give away"
            await press(pilot, "insert", "tab", "insert", "2")
            assert len(labels_in(dataset)) == 2
            assert "Insert" not in screen_text(pilot.app) and "Ins Mark" in screen_text(pilot.app)
            await press(pilot, "home", "delete")
            assert len(labels_in(dataset)) == 2, "a command without keys has none"
            await press(pilot, "ctrl+z")
            assert len(labels_in(dataset)) == 2
            await press(pilot, "f11")
            assert not labels_in(dataset)

    run(test())


def test_the_users_keys_count_in_the_list_of_classes(dataset: Path) -> None:
    async def test() -> None:
        context = with_keys(classes__add=("n",), undo=("f11",), archive=("f12",))
        async with shown(dataset, ClassesScreen, context=context) as pilot:
            assert "N add" in screen_text(pilot.app) and "F11 undo" in screen_text(pilot.app)
            await press(pilot, "n")
            await type_text(pilot, "odd")
            await press(pilot, "enter")
            assert "Added odd." in screen_text(pilot.app)
            await press(pilot, "ctrl+z")
            assert " odd " in screen_text(pilot.app)
            await press(pilot, "f11")
            assert " odd " not in screen_text(pilot.app)
            await press(pilot, "end", "f12")
            assert "F12 restores it." in screen_text(pilot.app)
            await press(pilot, "home", "enter")
            assert pilot.app.result == 1  # type: ignore[attr-defined]

    run(test())


def test_the_users_keys_count_on_the_first_screen(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def test() -> None:
        context = with_keys(home__down=("ctrl+j",), home__open=("f6",), help=("f12", "?"))
        async with opened(None, context=context) as pilot:
            await press(pilot, "f12")
            assert "On the first screen" in screen_text(pilot.app)
            await press(pilot, "f12")
            await type_text(pilot, "?")
            assert isinstance(pilot.app.screen, HomeScreen), "a sign is typed"
            await press(pilot, "escape", "ctrl+j", "enter")
            assert isinstance(pilot.app.screen, HomeScreen)
            await pilot.press("f6")
            await wait_until(pilot, lambda: not isinstance(pilot.app.screen, HomeScreen))
            await settle(pilot)
            assert "image-000.png" in screen_text(pilot.app)

    run(test())


def test_the_palette_has_the_key_that_the_user_gave_it_and_no_other(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, context=with_keys(command_palette=("f11",))) as pilot:
            await press(pilot, "ctrl+p")
            assert "Type what you want to do" not in screen_text(pilot.app)
            await open_palette(pilot, "f11")

    run(test())


def test_the_palette_shows_keys_and_obeys(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, context=with_keys(undo=("f11",))) as pilot:
            await open_palette(pilot)
            await type_text(pilot, "flag")
            await wait_until(pilot, lambda: re.search(r"Flag +!", screen_text(pilot.app)))
            await press(pilot, "enter")
            await settle(pilot)
            await wait_until(pilot, lambda: "flagged" in screen_text(pilot.app))
        assert ("undo", "Undo", "F11") in [line[:3] for line in palette_lines("label", {"undo": ("f11",)})]

    run(test())


def test_the_palette_of_the_grid_has_the_commands_of_the_grid(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "f7")
            await open_palette(pilot)
            await type_text(pilot, "mark all")
            await wait_until(pilot, lambda: re.search(r"Mark all +Ctrl\+A", screen_text(pilot.app)))
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "12 images marked" in screen_text(pilot.app))

    run(test())


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "F1 Assign F2 Assign, next ? Keys Ctrl+Q Quit Ctrl+Z Undo F8 Classes Ctrl+T Train"),
        ("f7", "Space Mark F1 Assign Enter Open Esc Back ? Keys Ctrl+Z Undo F4 Skip Ctrl+T Train"),
    ],
)
def test_the_footer_at_80_columns_shows_what_matters_and_no_half_words(
    dataset: Path, key: str, words: str
) -> None:
    """Training is what labels are for, so it is one of them."""

    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, *filter(None, [key]))
            await wait_until(pilot, lambda: screen_text(pilot.app).splitlines()[-1].strip() == words)

    run(test())


async def open_palette(pilot: Pilot[Any], key: str = "ctrl+p") -> None:
    await pilot.press(key)
    await wait_until(pilot, lambda: "Type what you want to do" in screen_text(pilot.app))


def test_sentences_name_the_keys_that_the_user_gave(dataset: Path, tmp_path: Path) -> None:
    own = with_keys(
        filter=("f12",), next_unlabelled=("f14",), assign=("f15",), assign_next=("f16",), classes=("f17",)
    )

    async def test() -> None:
        async with opened(dataset, context=own) as pilot:
            await press(pilot, "end", "f16")
            await wait_until(pilot, lambda: "F14 goes there" in screen_text(pilot.app))  # once it is saved
            await press(pilot, "ctrl+f")
            await type_text(pilot, "nowhere")
            await press(pilot, "enter")
            assert "F12 shows others" in screen_text(pilot.app) and "F5" not in screen_text(pilot.app)
        (tmp_path / "plain").mkdir()
        (tmp_path / "plain" / "broken.png").write_bytes(b"no image")
        async with opened(tmp_path / "plain", context=own) as pilot:
            await wait_until(pilot, lambda: "F15 and F16 label it" in screen_text(pilot.app))
            assert "No classes yet: F17 adds some." in screen_text(pilot.app)

    run(test())


def test_a_command_without_a_key_is_named_as_the_palette_has_it() -> None:
    keys = keys_of("label", {"filter": (), "command_palette": ("f12",)})
    assert said_key("label", keys, "filter") == "F12, Filter"
    assert said_key("label", keys_of("label", {"filter": (), "command_palette": ()}), "filter") == "Filter"
    assert said_key("classes", keys_of("classes", {}), "add") == "A"


def test_the_first_start_names_the_keys_in_force() -> None:
    assert first_hint(keys_of("label", {})) == (
        "F1 or = assigns; F2 or Space assigns and moves on; ? shows all keys."
    )
    assert first_hint(keys_of("label", {"assign": ("f15",)})).startswith("F15 assigns; ")


def test_a_burst_of_typing_is_obeyed_in_order(dataset: Path) -> None:
    async def look() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "/")
            await burst(pilot, "x", "backspace", "l", "o", "z", "backspace", "n")
            assert pilot.app.screen.query_one(TextField).value == "lon"

    run(look())


def test_the_last_line_shows_whole_hints_and_a_click_does_what_the_key_does(dataset: Path) -> None:
    async def look() -> None:
        async with opened(dataset, size=(80, 24)) as pilot:
            app = pilot.app
            line = screen_text(app).splitlines()[-1].rstrip()
            hints = [f"{hint.key} {hint.title}" for hint in key_hints("label", {})]
            assert line == " ".join(hints)[: len(line)] and line.endswith(tuple(hints))
            await pilot.click(KeyLine, offset=(line.index("? Keys"), 0))
            await settle(pilot)
            assert isinstance(app.screen, HelpScreen)

    run(look())


def test_a_list_is_narrowed_by_what_was_typed_before_an_arrow_of_the_same_burst(tmp_path: Path) -> None:
    folder = make_images(tmp_path / "many", 3, classes=["round", "long", "red", "rare"])

    async def test() -> None:
        async with opened(folder) as pilot:
            await press(pilot, "/")
            await burst(pilot, "r", "a", "down", "up", "enter")
            await burst(pilot, "f1")
            assert labels_in(folder)["image-000.png"].class_id == 4
            await press(pilot, "/")
            await burst(pilot, "r", "down", "enter")
            await burst(pilot, "f1")
            assert labels_in(folder)["image-000.png"].class_id == 3

    run(test())


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({}, "Space marks"),
        ({"grid__mark": ("insert",)}, "Ins marks"),
        ({"grid__mark": ()}, "Ctrl+P, Mark marks"),
    ],
)
def test_a_sentence_of_the_grid_names_the_key_in_force(
    dataset: Path, keys: dict[str, tuple[str, ...]], sentence: str
) -> None:
    async def test() -> None:
        async with shown(dataset, GridScreen, context=with_keys(**keys)) as pilot:
            assert sentence in screen_text(pilot.app)

    run(test())


def test_the_first_screen_says_which_key_opens_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def test() -> None:
        async with opened(None) as pilot:
            assert "Enter opens it." in " ".join(screen_text(pilot.app).split())
        async with opened(None, context=with_keys(home__open=("f6",))) as pilot:
            assert "F6 opens it." in " ".join(screen_text(pilot.app).split())

    run(test())


class _Lamp(KeyedScreen[None]):
    """A new screen: this class, and the table of its keys."""

    SCOPE_NAME = "lamp"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.lit = 0
        self.commands = self
        self.by_name: dict[str, Command] = {"light": self._light, "help": self.show_help}

    async def _light(self) -> None:
        self.lit += 1


@pytest.fixture
def lamp(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of a new screen."""
    table = ModuleType("lamp")
    light = Action("light", ("l",), "Light", "Light the lamp.", "At the lamp")
    vars(table)["SCOPE"] = make_scope(
        "lamp", "at the lamp", (light, *shared_keys("help", "quit", "command_palette"))
    )
    monkeypatch.setitem(sys.modules, f"{tables.__name__}.lamp", table)
    monkeypatch.setattr(tables, "_NAMES", (*tables._NAMES, "lamp"))


@pytest.mark.parametrize(("keys", "key", "said"), [({}, "l", "L"), ({"lamp__light": ("f9",)}, "f9", "F9")])
def test_a_new_key_is_a_line_of_its_table_and_is_then_known_to_all(
    lamp: None, dataset: Path, keys: dict[str, tuple[str, ...]], key: str, said: str
) -> None:
    async def test() -> None:
        context = with_keys(**keys)
        async with shown(dataset, lambda _, context: _Lamp(context), context=context) as pilot:
            screen = pilot.app.screen
            assert isinstance(screen, _Lamp)
            await press(pilot, key)
            assert screen.lit == 1 and screen.key("light") == said
            await press(pilot, "?")
            assert isinstance(pilot.app.screen, HelpScreen)
            line = next(line for line in screen_text(pilot.app).splitlines() if "Light the lamp." in line)
            assert line.split()[2] == shown_key(key)
        in_palette = ("light", "Light", shown_key(key), "Light the lamp.")
        assert in_palette in palette_lines("lamp", context.user.keys)

    run(test())


def test_the_user_can_give_a_new_command_another_key(lamp: None, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[keys]\n"lamp.light" = "f9"\n')
    user = load_user_config(file, screens=SCOPES.values())
    assert keys_of("lamp", user.keys)["light"] == ("f9",)
