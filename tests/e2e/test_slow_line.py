"""Behind a line of 190 kB/s every picture ends as fine as on a fast one."""

from collections.abc import Callable
from pathlib import Path

import pytest
from photo_support import make_photos
from run_support import wait_for
from screen_support import Open, wrapped
from terminal_driver import TerminalApp

pytestmark = pytest.mark.e2e

BITS_PER_S = 8 * 190_000
FINE_WITHIN_S = 120.0
FAST = """
    from mia_tui.tui.pictures.flow_control import FlowControl
    FlowControl.is_slow = False
"""


def half_blocks(app: TerminalApp) -> list[tuple[str, str, str]]:
    """Those on the screen, with their colours."""
    screen = app.picture()
    cells = (screen.buffer[y][x] for y in range(screen.lines) for x in range(screen.columns))
    return [(cell.data, cell.fg, cell.bg) for cell in cells if cell.data == "▀"]


def last_sixel(app: TerminalApp) -> bytes:
    """The stream of the picture that came last."""
    raw = app.raw()
    begin = raw.rfind(b"\x1bP0;1;0q")
    end = raw.find(b"\x1b\\", begin)
    return raw[begin:end] if 0 <= begin < end else b""


@pytest.mark.parametrize("presses", [0, 2])
@pytest.mark.parametrize(("kind", "shown"), [("plain", half_blocks), ("xterm-sixel", last_sixel)])
def test_every_picture_ends_fine(
    start: Open, tmp_path: Path, kind: str, shown: Callable[[TerminalApp], object], presses: int
) -> None:
    make_photos(tmp_path / "photos", 4)
    command = wrapped(FAST, tmp_path / "photos")
    fast = start(command=command, home=tmp_path / "fast", kind=kind, columns=100, rows=30)
    slow = start(
        tmp_path / "photos",
        home=tmp_path / "slow",
        kind=kind,
        columns=100,
        rows=30,
        bits_per_s=BITS_PER_S,
    )
    for app in (fast, slow):
        app.wait_for("photo-0000.jpg")
        app.press(*["right"] * presses)
        app.wait_for(f"{presses + 1}/4  photo")
    fast.rest(1.0)
    fine = shown(fast)
    assert fine
    wait_for(lambda: shown(slow) == fine, FINE_WITHIN_S)
