"""`mia-tui doctor --terminal` on a pty: a person looks at the card, presses digits, and what fits is written."""

from pathlib import Path

import pytest
from terminal_driver import TerminalApp, python_app

pytestmark = pytest.mark.e2e

QUESTIONS = ("drawn by", "in half blocks. What", "Two bars", "Signs of the app")


def asked(home: Path, *options: str, kind: str = "kitty") -> TerminalApp:
    return TerminalApp(
        python_app("doctor", "--terminal", *options),
        home=home,
        kind=kind,
        rows=70,
        environment={"LANG": "C.UTF-8"},
    )


def answer(app: TerminalApp, digits: str, questions: tuple[str, ...] = QUESTIONS) -> None:
    for digit, question in zip(digits, questions, strict=True):
        app.wait_for(question)
        app.quiet(0.3)
        app.press(digit)


def config(home: Path) -> Path:
    return home / "xdg_config_home" / "mia-tui" / "config.toml"


def test_where_all_is_well_nothing_has_to_be_set(tmp_path: Path) -> None:
    with asked(tmp_path) as app:
        answer(app, "1111")
        assert "kitty(0.42.1) answers: kitty's protocol" in app.wait_for("Nothing has to be set.")
        assert app.said().kitty["p"] == 1, "one picture by kitty's protocol"
        assert app.wait() == 0
    assert not config(tmp_path).exists()


def test_a_picture_that_never_comes_leads_to_half_blocks_in_the_file_if_the_person_agrees(
    tmp_path: Path,
) -> None:
    path = config(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text('# mine\ncolours = "256"\n\n[keys]\nundo = ["f11"]\n')
    with asked(tmp_path, kind="xterm-sixel") as app:
        answer(app, "3111")
        assert 'graphics = "half" and colours = "auto"' in app.wait_for("y/n")
        app.press("y")
        app.wait_for("It is written there")
        assert app.wait() == 0
    assert path.read_text() == '# mine\ncolours = "auto"\ngraphics = "half"\n\n[keys]\nundo = ["f11"]\n'


@pytest.mark.parametrize("key", ["n", "escape"])
def test_without_a_yes_the_file_stays(tmp_path: Path, key: str) -> None:
    with asked(tmp_path) as app:
        answer(app, "4121")
        app.wait_for("y/n")
        app.quiet(0.3)
        app.press(key)
        assert app.wait() == 0
    assert not config(tmp_path).exists()


def test_other_keys_are_no_answers_and_q_stops(tmp_path: Path) -> None:
    with asked(tmp_path) as app:
        app.wait_for("Press 1 to 4")
        app.quiet(0.3)
        app.press("f1", "x", "5", "up", "0")
        app.quiet(0.3)
        assert "half blocks. What" not in app.screen()
        app.press("q")
        app.wait_for("Stopped; nothing was changed.")
        assert app.wait() == 0


def test_a_terminal_without_pictures_is_asked_about_half_blocks_and_told_what_would_help(
    tmp_path: Path,
) -> None:
    with asked(tmp_path, kind="plain") as app:
        answer(app, "112", QUESTIONS[1:])
        screen = app.wait_for("Nothing has to be set.")
        assert "xterm -ti vt340" in screen and "UTF-8 locale" in screen
        assert app.said().pictures == 0
        assert app.wait() == 0
