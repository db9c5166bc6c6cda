"""While the app is open in tmux, a terminal that was attached later gets the pictures anew, or none."""

from pathlib import Path

import numpy as np
import pytest
from terminal_models import FOOT, GHOSTTY, KITTY, XTERM, TerminalModel, Tmux
from terminal_support import a_terminal

from mia_tui.terminal.model import Panel
from mia_tui.terminal.pictures import draw_picture
from mia_tui.terminal.tmux import read_tmux
from mia_tui.tui.pictures.tmux_watch import TmuxWatch


class Session:
    """A tmux session whose terminals come and go."""

    def __init__(self, folder: Path, graphics: str, tmux: Tmux | None = None) -> None:
        self.tmux, self.around = tmux or Tmux(), [KITTY]
        self.socket = folder / "socket"
        self.socket.touch()
        terminal = a_terminal(graphics=graphics, multiplexer="tmux", around="kitty(0.48.2)")
        environment = {"TMUX": f"{self.socket},1,0", "TMUX_PANE": "%0"}
        self.watch = TmuxWatch(terminal, environment, lambda _: read_tmux(self._says()))

    def _says(self) -> str:
        first = self.tmux.facts(KITTY).splitlines()[0]
        return "\n".join([first, *(self.tmux.facts(model).splitlines()[1] for model in self.around)])

    def attach(self, *models: TerminalModel) -> None:
        self.around = list(models)
        self.socket.chmod(0o660 if self.socket.stat().st_mode & 0o100 else 0o770)

    def seconds(self, count: int) -> list[str | None]:
        """What was looked at within so many seconds."""
        return [self.watch.look() for _ in range(count) if self.watch.is_due()]


def test_while_nothing_changes_tmux_is_not_asked(tmp_path: Path) -> None:
    session = Session(tmp_path, "kitty")
    assert session.seconds(10) == []
    assert session.watch.draws


def test_a_terminal_that_comes_is_looked_at_once_and_until_then_gets_no_pictures(tmp_path: Path) -> None:
    session = Session(tmp_path, "kitty")
    session.attach(GHOSTTY)
    assert session.seconds(1) == [] and not session.watch.draws
    assert session.seconds(9) == ["ghostty 1.3.1"]
    assert session.watch.draws


@pytest.mark.parametrize(
    ("graphics", "models", "draws"),
    [
        ("kitty", (XTERM,), False),
        ("kitty", (GHOSTTY, XTERM), False),
        ("sixel", (FOOT,), True),
        ("sixel", (KITTY,), False),
    ],
)
def test_every_terminal_has_to_draw_them(
    tmp_path: Path, graphics: str, models: tuple[TerminalModel, ...], draws: bool
) -> None:
    session = Session(tmp_path, graphics)
    session.attach(*models)
    session.seconds(5)
    assert session.watch.draws == draws


def test_while_it_is_detached_no_pictures_are_sent(tmp_path: Path) -> None:
    session = Session(tmp_path, "kitty")
    session.attach()
    assert session.seconds(5) == [None]
    assert not session.watch.draws
    session.attach(KITTY)
    assert session.seconds(5) == ["kitty(0.48.2)"]


def test_a_tmux_that_cannot_be_asked_any_more_changes_nothing(tmp_path: Path) -> None:
    session = Session(tmp_path, "kitty")
    watch = TmuxWatch(a_terminal(graphics="kitty"), {"TMUX": f"{session.socket},1,0"}, lambda _: None)
    session.attach(XTERM)
    assert [watch.look() for _ in range(5) if watch.is_due()] == [None]
    assert watch.draws


@pytest.mark.parametrize("graphics", ["kitty", "sixel"])
def test_blanks_take_the_place_of_pictures_and_all_else_stays(tmp_path: Path, graphics: str) -> None:
    terminal = a_terminal(graphics=graphics, multiplexer="tmux")
    pixels = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    picture = draw_picture(pixels, Panel(20, 10, 10, 20), terminal, image_id=300)
    watch = Session(tmp_path, graphics).watch
    sent = f"before\x1b[31m{picture.ahead}{picture.graphics}{picture.lines[5]}after\x1b[0m"
    left = watch.without_pictures(sent)
    assert left.startswith("before\x1b[31m") and left.endswith("after\x1b[0m")
    assert "\x1bP" not in left and "\U0010eeee" not in left and "\u0305" not in left
    assert watch.without_pictures(picture.lines[5]).count(" ") == 20
    assert watch.without_pictures("Größe ✓ \x1b[48;2;1;2;3m▀\x1b[0m") == "Größe ✓ \x1b[48;2;1;2;3m▀\x1b[0m"
