"""The pages of the manual are whole and tell the same as the code."""

import re
from typing import get_args

import pytest
from command_options import options_of_all_commands

from mia_tui.catalog.backbones import BACKBONES
from mia_tui.catalog.losses import LossName
from mia_tui.cli.main import COMMANDS
from mia_tui.config.fields import fields
from mia_tui.config.user.settings import user_fields
from mia_tui.dataset.images.formats import IMAGE_SUFFIXES
from mia_tui.errors import ConfigError
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.manual.drawing import draw_page
from mia_tui.tui.manual.text import TOPICS, find_lines, page

MANUAL = {topic: page(topic, {}) for topic in TOPICS}
WHOLE = "\n".join(MANUAL.values())


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("columns", [30, 80, 200])
def test_a_page_is_drawn_within_its_columns(topic: str, columns: int) -> None:
    lines = draw_page(MANUAL[topic], columns)
    assert len(lines) > 8 and "{{" not in MANUAL[topic]
    assert max(line.cell_len for line in lines) <= columns


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_in_the_manual(name: str) -> None:
    assert f"mia-tui {name}" in WHOLE


def test_every_setting_stands_in_the_manual() -> None:
    assert not [field.name for field in fields() if f"`{field.option}`" not in MANUAL["settings"]]
    assert not [field.name for field in user_fields() if f"`{field.name}`" not in MANUAL["keys"]]


def test_every_backbone_loss_and_ending_stands_in_the_manual() -> None:
    assert not [name for name in BACKBONES if f"`{name}`" not in MANUAL["settings"]]
    assert not [name for name in get_args(LossName) if name not in MANUAL["settings"]]
    assert not [suffix for suffix in IMAGE_SUFFIXES if f"`{suffix}`" not in MANUAL["images"]]


def test_every_command_of_every_screen_stands_in_the_manual() -> None:
    for scope in SCOPES.values():
        for action in scope.actions:
            assert action.help.replace("|", "\\|") in MANUAL["keys"], action


def test_the_manual_names_no_option_that_no_command_has() -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", WHOLE))
    assert named <= options_of_all_commands()


def test_the_keys_in_force_are_named() -> None:
    assert "`F8` makes classes" in page("start", {})
    assert "`F11` makes classes" in page("start", {"classes": ("f11",)})


def test_the_beginning_of_a_name_is_enough_and_another_word_is_refused() -> None:
    assert page("trai", {}) == MANUAL["training"]
    with pytest.raises(ConfigError, match="no page 'hamster'"):
        page("hamster", {})
    with pytest.raises(ConfigError, match="no page 's'"):  # start, settings, sharing
        page("s", {})


def test_lines_are_found_by_all_their_words_in_any_order_and_case() -> None:
    found = list(find_lines("LAYERS skipped", {}))
    assert [(line.topic, line.heading) for line in found] == [("settings", "Network")]
    assert "*" not in found[0].line and "`" not in found[0].line
    assert not list(find_lines("hamster", {}))


def test_keys_that_are_marks_of_markdown_are_in_what_is_found() -> None:
    lines = [found.line for found in find_lines("channel alone", {})]
    assert "| Show the next channel alone" in " ".join(lines)
    assert "| shows one channel alone in grey, ; shows and hides" in " ".join(lines)
    assert any(
        line.startswith("* Show the image as it is")
        for line in (f.line for f in find_lines("image as it is", {}))
    )
