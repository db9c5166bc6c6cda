"""The whole choice, queries and all, on models of the terminals of 2026: pixels where they are drawn, no garbage."""

import fcntl
import os
import pty
import select
import struct
import termios
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import terminal_models as models
from terminal_models import MODELS, TerminalModel, Tmux, in_screen, printed, through_mosh, through_ssh
from textual.events import Key

from mia_tui.terminal.ask import ask_terminal
from mia_tui.terminal.model import Panel, Terminal
from mia_tui.terminal.pictures import draw_picture
from mia_tui.tui.keys.keyboard import Keyboard
from mia_tui.tui.manual.text import page

NEW, OLD = Tmux(), Tmux("3.3a", sixel=False)
CLOSED = Tmux(sixel=False, passthrough=False)
AS_INSTALLED = Tmux(passthrough=False)  # where it was built with sixel
ANCIENT = Tmux("3.2a", sixel=False)  # Ubuntu 22.04; it has no option, and passes everything through


@dataclass(frozen=True)
class Situation:
    """What is between a terminal and the program.

    Attributes:
        meets: The terminal as the program meets it.
        facts: What tmux can be asked; empty where it runs elsewhere, or nowhere.
    """

    meets: TerminalModel
    facts: str = ""


def _in_tmux(tmux: Tmux) -> Callable[[TerminalModel], Situation]:
    return lambda terminal: Situation(tmux.around(terminal), tmux.facts(terminal))


SITUATIONS: Mapping[str, Callable[[TerminalModel], Situation]] = {
    "bare": Situation,
    "ssh": lambda terminal: Situation(through_ssh(terminal)),
    "tmux": _in_tmux(NEW),
    "tmux without sixel": _in_tmux(OLD),
    "tmux without passthrough": _in_tmux(AS_INSTALLED),
    "tmux without both": _in_tmux(CLOSED),
    "tmux 3.2": _in_tmux(ANCIENT),
    "tmux in ssh": lambda terminal: _in_tmux(NEW)(through_ssh(terminal)),
    "ssh in tmux": lambda terminal: Situation(through_ssh(NEW.around(terminal))),
    "screen": lambda terminal: Situation(in_screen(terminal)),
    "screen in tmux": lambda terminal: Situation(in_screen(NEW.around(terminal)), NEW.facts(terminal)),
    "mosh": lambda terminal: Situation(through_mosh(terminal)),
}

_KITTY = dict.fromkeys(("bare", "ssh"), "kitty")
_PLACEHOLDERS = dict.fromkeys(("tmux", "tmux without sixel", "tmux 3.2", "tmux in ssh"), "kitty")
_TMUX_SIXEL = dict.fromkeys(("tmux", "tmux in ssh", "tmux without passthrough"), "sixel")
_ITERM2 = dict.fromkeys(("bare", "ssh"), "iterm2")
_SIXEL = dict.fromkeys(("bare", "ssh"), "sixel")

EXPECTED: Mapping[TerminalModel, Mapping[str, str]] = {
    models.KITTY_OLD: _KITTY,
    models.KITTY_032: _KITTY | _PLACEHOLDERS,
    models.KITTY: _KITTY | _PLACEHOLDERS,
    models.GHOSTTY: _KITTY | _PLACEHOLDERS,
    models.WEZTERM: _ITERM2 | _TMUX_SIXEL,
    models.ITERM2: _ITERM2 | _TMUX_SIXEL | _PLACEHOLDERS,
    models.ITERM2_OLD: _ITERM2 | _TMUX_SIXEL,
    models.VSCODE: _KITTY | _TMUX_SIXEL,
    models.VSCODE_2025: {"bare": "iterm2", "ssh": "sixel"} | _TMUX_SIXEL,
    models.VSCODE_DEFAULT: {},
    models.WINDOWS_TERMINAL: _SIXEL | _TMUX_SIXEL,
    models.WINDOWS_TERMINAL_OLD: {},
    models.FOOT: _SIXEL | _TMUX_SIXEL,
    models.KONSOLE: _KITTY | _TMUX_SIXEL,
    models.XTERM_VT340: _SIXEL | _TMUX_SIXEL,
    models.XTERM: {},
    models.ALACRITTY: {},
    models.GNOME: {},
    models.APPLE: {},
    models.LINUX_CONSOLE: {},
}
"""How images are shown by situation; where nothing stands, in half blocks."""

_START = {"kitty": "\x1b_G", "sixel": "\x1bP", "iterm2": "\x1b]1337", "placeholders": "\x1bPtmux;\x1b\x1b_G"}

CASES = [(terminal, name) for terminal in MODELS for name in SITUATIONS]


@dataclass
class Asked:
    """What came of it.

    Attributes:
        terminal: The choice.
        queries: What was written to the terminal.
        left: What was left to be read as keys.
    """

    terminal: Terminal
    queries: bytes
    left: bytes


def ask(situation: Situation, folder: Path) -> Asked:
    """Ask a model on a real pty; `tmux` is a program that prints the facts."""
    program = folder / "tmux"
    program.write_text(f"#!/bin/sh\ncat '{folder / 'facts'}'\n" if situation.facts else "#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    (folder / "facts").write_text(situation.facts)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 1080, 720))
    queries = bytearray()

    def play() -> None:
        while b"\x1b[c" not in queries:
            if not select.select([master], [], [], 60)[0]:
                return
            queries.extend(os.read(master, 4096))
        os.write(master, situation.meets.answer(bytes(queries)))

    player = threading.Thread(target=play, daemon=True)
    player.start()
    path = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    try:
        terminal = ask_terminal(
            terminal_fd=slave, environment={**situation.meets.environment, **path}, timeout_s=60.0
        )
        player.join(60)
        left = os.read(slave, 99) if select.select([slave], [], [], 0)[0] else b""
    finally:
        os.close(master)
        os.close(slave)
    return Asked(terminal, bytes(queries), left)


@pytest.mark.parametrize(
    ("model", "situation"), CASES, ids=[f"{model.name}, {name}" for model, name in CASES]
)
def test_each_terminal_gets_the_pictures_that_it_draws_and_no_garbage(
    model: TerminalModel, situation: str, tmp_path: Path
) -> None:
    meets = SITUATIONS[situation](model)
    asked = ask(meets, tmp_path)
    assert asked.terminal.graphics == EXPECTED[model].get(situation, "half")
    assert asked.terminal.answered and asked.left == b""
    assert printed(meets.meets, asked.queries) == b""
    for protocol in _sent(asked.terminal):
        assert protocol in meets.meets.draws, f"{protocol} is not drawn there"
    assert (asked.terminal.hint is None) == (asked.terminal.graphics != "half")


def _sent(terminal: Terminal) -> list[str]:
    """The protocols of a picture, as it is sent to this terminal."""
    pixels = np.full((60, 80, 3), 90, np.uint8)
    panel = Panel(20, 10, terminal.cell_width_px, terminal.cell_height_px)
    picture = draw_picture(pixels, panel, terminal, image_id=7)
    sent = picture.ahead + picture.graphics + "".join(picture.lines)
    found = [name for name, start in _START.items() if sent.startswith(start)]
    return ["placeholders"] if "placeholders" in found else found


@pytest.mark.parametrize(
    ("tmux", "most"), [("tmux", 12), ("tmux without passthrough", 10), ("tmux without sixel", 9)]
)
def test_true_pixels_are_there_in_nine_of_twelve(tmux: str, most: int) -> None:
    six = (
        *(models.KITTY, models.GHOSTTY, models.WEZTERM),
        *(models.VSCODE, models.WINDOWS_TERMINAL, models.ITERM2),
    )
    shown = [EXPECTED[model].get(name, "half") for model in six for name in ("bare", tmux)]
    assert len(shown) == 12
    assert len([graphics for graphics in shown if graphics != "half"]) == most >= 9


def test_every_model_names_its_source_and_is_expected_somewhere() -> None:
    assert set(EXPECTED) == set(MODELS)
    assert len({model.name for model in MODELS}) == len(MODELS)
    for model in MODELS:
        assert ("run" in model.source) if model.tried else model.source.startswith("https://"), model.name


def test_the_manual_says_what_each_terminal_shows_and_whether_it_was_tried() -> None:
    rows = dict[str, list[str]]()
    for line in page("terminals", {}).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4:
            rows[cells[0]] = cells[1:]
    for model in set(MODELS) - {models.VSCODE_2025, models.WINDOWS_TERMINAL_OLD}:
        alone, in_tmux, tried = rows.pop(model.name)
        shown = {EXPECTED[model].get(name, "half blocks") for name in ("bare", "ssh")}
        assert {alone} == shown
        assert in_tmux == EXPECTED[model].get("tmux", "half blocks")
        assert tried.startswith("yes") == model.tried, model.name
    assert len(rows) == 2, "the heading and its line"


@pytest.mark.parametrize("model", MODELS, ids=[model.name for model in MODELS])
def test_answers_that_come_late_are_no_keys(model: TerminalModel) -> None:
    every = b"".join(model.answers.values())
    for cut in range(0, len(every), 7):
        keyboard = Keyboard()
        events = [*keyboard.feed(every[:cut]), *keyboard.feed(every[cut:]), *keyboard.rest()]
        assert not [event for event in events if isinstance(event, Key)], (model.name, cut)


def test_a_shell_that_was_opened_from_tmux_is_asked_for_itself(tmp_path: Path) -> None:
    """A window that was opened from a shell in tmux has tmux's variables, and is not in tmux."""
    variables = {**models.FOOT.environment, "TMUX": "/tmp/x,1,0", "TMUX_PANE": "%0"}
    foot = TerminalModel("", models.FOOT.answers, models.FOOT.draws, "", variables)
    asked = ask(Situation(foot, NEW.facts(models.XTERM)), tmp_path)
    assert (asked.terminal.graphics, asked.terminal.multiplexer) == ("sixel", "")


def test_two_terminals_on_one_tmux_session_get_what_both_draw(tmp_path: Path) -> None:
    facts = NEW.facts(models.KITTY)
    with_foot = facts + NEW.facts(models.FOOT).splitlines()[1] + "\n"
    with_ghostty = facts + NEW.facts(models.GHOSTTY).splitlines()[1] + "\n"
    meets = NEW.around(models.KITTY)
    assert ask(Situation(meets, with_foot), tmp_path).terminal.graphics == "half"
    asked = ask(Situation(meets, with_ghostty), tmp_path)
    assert (asked.terminal.graphics, asked.terminal.around) == ("kitty", "kitty(0.48.2), ghostty 1.3.1")


@pytest.mark.parametrize("facts", ["", "no server running", "3.6\t1\n", "3.6\t1", "\n\n"])
def test_a_tmux_that_says_nothing_or_is_detached_gets_half_blocks(facts: str, tmp_path: Path) -> None:
    asked = ask(Situation(NEW.around(models.KITTY), facts), tmp_path)
    assert asked.terminal.graphics == "half" and asked.terminal.hint


@pytest.mark.parametrize(
    ("model", "situation", "says"),
    [
        (models.KITTY, "tmux without passthrough", "set -g allow-passthrough on"),
        (models.KITTY_OLD, "tmux", "no sixel"),
        (models.VSCODE_DEFAULT, "bare", "terminal.integrated.enableImages"),
        (models.VSCODE_DEFAULT, "ssh", "terminal.integrated.enableImages"),
        (models.VSCODE_DEFAULT, "tmux", "terminal.integrated.enableImages"),
        (models.WINDOWS_TERMINAL_OLD, "bare", "1.22"),
        (models.XTERM, "bare", "vt340"),
        (models.FOOT, "tmux without sixel", "built with sixel"),
        (models.GHOSTTY, "ssh in tmux", "set graphics to kitty"),
        (models.KITTY, "screen", "GNU screen"),
        (models.APPLE, "bare", "mia-tui help terminals"),
    ],
)
def test_where_images_are_coarse_a_sentence_says_how_they_would_be_full(
    model: TerminalModel, situation: str, says: str, tmp_path: Path
) -> None:
    assert says in str(ask(SITUATIONS[situation](model), tmp_path).terminal.hint)
