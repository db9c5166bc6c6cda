"""`mia-tui doctor --terminal` without a keyboard, and what follows from the answers."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from cli_support import Mia, make_terminal, on_terminal

from mia_tui.cli.terminal_check.card import COLUMNS, ROWS, card_pixels
from mia_tui.cli.terminal_check.outcome import conclude
from mia_tui.cli.terminal_check.questions import Topic
from mia_tui.config.toml_file import set_in_toml
from mia_tui.errors import ConfigError
from mia_tui.paths import user_config_file


def test_answers_in_a_row_ask_nobody_and_write_what_fits(mia: Mia, monkeypatch: pytest.MonkeyPatch) -> None:
    on_terminal(monkeypatch, make_terminal("kitty", brand="kitty(0.48.2)"))
    answer = mia("doctor", "--terminal", "--answers", "4211", "--write", "--json")
    assert answer.code == 0
    first, *asked, last = (json.loads(line) for line in answer.out.splitlines())
    assert (first["terminal"]["graphics"], first["terminal"]["brand"]) == ("kitty", "kitty(0.48.2)")
    assert [(one["question"], one["answer"]) for one in asked] == [
        *(("picture", 4), ("half", 2), ("colours", 1), ("signs", 1))
    ]
    assert (last["graphics"], last["colours"], last["set"]) == ("none", "auto", {"graphics": "none"})
    assert last["written"] is True and last["file"] == str(user_config_file())
    assert user_config_file().read_text() == 'graphics = "none"\n'


def test_what_is_set_and_does_not_fit_is_set_back(mia: Mia, monkeypatch: pytest.MonkeyPatch) -> None:
    user_config_file().parent.mkdir(parents=True, exist_ok=True)
    user_config_file().write_text('graphics = "half"\n')
    on_terminal(monkeypatch, make_terminal("kitty"))
    mia("doctor", "--terminal", "--answers", "1111", "--write")
    assert user_config_file().read_text() == 'graphics = "auto"\n'


def test_without_a_keyboard_the_card_is_drawn_and_how_to_answer_is_said(
    mia: Mia, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_terminal(monkeypatch, make_terminal("sixel"))
    monkeypatch.setattr("sys.stdin", None)
    answer = mia("doctor", "--terminal")
    assert answer.code == 0
    assert "\x1bP" in answer.out, "the picture"
    assert "run it again with --answers and 4 digits" in " ".join(answer.out.split())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--answers", "11"), "there are 4 questions here"),
        (("--answers", "1a11"), "there are 4 questions here"),
        (("--answers", "1119"), "Answer 4 of --answers is 9; this question has 2 answers"),
        (("--dataset", "."), "checks nothing but the terminal"),
    ],
)
def test_options_that_do_not_fit_are_refused_with_a_sentence(
    mia: Mia, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], says: str
) -> None:
    on_terminal(monkeypatch, make_terminal("kitty"))
    answer = mia("doctor", "--terminal", *options)
    assert answer.code != 0 and says in " ".join(answer.err.split())


@pytest.mark.parametrize("option", [("--graphics", "half"), ("--answers", "1"), ("--write",)])
def test_options_of_the_test_card_alone_are_refused(mia: Mia, option: tuple[str, ...]) -> None:
    answer = mia("doctor", *option)
    assert answer.code != 0 and "Add --terminal." in answer.err


@pytest.mark.parametrize(
    ("terminal", "wanted", "answers", "graphics", "colours", "says"),
    [
        (make_terminal("kitty"), "auto", {"picture": 1}, "auto", "auto", ""),
        (make_terminal("kitty"), "kitty", {"picture": 1}, "kitty", "auto", ""),
        (make_terminal("sixel"), "auto", {"picture": 2}, "half", "auto", "10x20 pixels"),
        (make_terminal("sixel"), "sixel", {"picture": 3}, "half", "auto", "by sixel do not arrive"),
        (make_terminal("half", hint="Do this."), "auto", {"half": 1}, "auto", "auto", "Do this."),
        (make_terminal("half"), "half", {"half": 1}, "half", "auto", ""),
        (make_terminal("half"), "auto", {"half": 2}, "none", "auto", "cannot be shown"),
        (make_terminal("half"), "auto", {"colours": 1}, "auto", "auto", ""),
        (make_terminal("half"), "auto", {"colours": 2}, "auto", "256", "256 colours fit"),
        (make_terminal("half", "256"), "auto", {"colours": 1}, "auto", "true", "16 million colours fit"),
        (make_terminal("half", "256"), "auto", {"colours": 2}, "auto", "auto", ""),
        (make_terminal("half", "16"), "auto", {"colours": 3}, "auto", "auto", ""),
        (make_terminal("half"), "auto", {"signs": 2}, "auto", "auto", "UTF-8"),
    ],
)
def test_what_is_seen_decides_what_to_set(
    terminal: object, wanted: str, answers: Mapping[Topic, int], graphics: str, colours: str, says: str
) -> None:
    outcome = conclude(terminal, wanted, answers)  # type: ignore[arg-type]
    assert (outcome.graphics, outcome.colours) == (graphics, colours)
    assert says in " ".join(outcome.sentences) if says else not outcome.sentences


def test_the_card_has_a_pixel_for_each_of_its_cells_pixels() -> None:
    pixels = card_pixels(make_terminal("kitty"))
    assert pixels.shape == (ROWS * 20, COLUMNS * 10, 3)
    assert len(np.unique(pixels[10], axis=0)) == 8, "bars"
    assert (np.diff(pixels[60, :, 0].astype(int)) >= 0).all(), "a gradient"
    assert set(pixels[100, :100, 0]) == {0, 255}, "a pattern of single pixels"
    assert pixels[-1, 5].tolist() == [255, 255, 255] != pixels[-1, 15].tolist()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, 'graphics = "half"\n'),
        ("", 'graphics = "half"\n'),
        ("# mine\ntoast_s = 2.0", '# mine\ntoast_s = 2.0\ngraphics = "half"\n'),
        ("  'graphics'  = \"kitty\" # why\ntoast_s = 2.0\n", 'graphics = "half"\ntoast_s = 2.0\n'),
        ("[keys]\nundo = []\n", 'graphics = "half"\n[keys]\nundo = []\n'),
        ("\ufefftoast_s = 2.0\n\n[keys]\n", 'toast_s = 2.0\ngraphics = "half"\n\n[keys]\n'),
    ],
)
def test_a_value_is_set_and_the_rest_of_the_file_stays(
    tmp_path: Path, before: str | None, after: str
) -> None:
    path = tmp_path / "folder" / "config.toml"
    if before is not None:
        path.parent.mkdir()
        path.write_text(before)
    set_in_toml(path, {"graphics": "half"})
    assert path.read_text() == after


def test_a_file_behind_a_link_is_changed_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").write_text("toast_s = 2.0\n")
    link = tmp_path / "config.toml"
    link.symlink_to("dotfiles")
    set_in_toml(link, {"graphics": "half"})
    assert link.is_symlink() and (tmp_path / "dotfiles").read_text() == 'toast_s = 2.0\ngraphics = "half"\n'


@pytest.mark.parametrize("before", ["x = [\n[1],\n]\n", 'x = """\ngraphics = 1\n"""\n', "graphics = ["])
def test_a_file_that_cannot_be_changed_line_by_line_stays_and_the_sentence_says_what_to_put(
    tmp_path: Path, before: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(before)
    with pytest.raises(ConfigError) as refused:
        set_in_toml(path, {"graphics": "half"})
    assert 'graphics = "half"' in str(refused.value)
    assert path.read_text() == before
