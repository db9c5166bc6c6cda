"""Starting the app, large datasets, and the app at rest, through a real pty.

pytest -m benchmark tests/benchmarks/test_label_screen_start.py -s
"""

import statistics
import sys
import time
from pathlib import Path

import pytest
from screen_timing import SCREEN, first_picture_s, linked
from terminal_driver import TerminalApp, python_app

pytestmark = pytest.mark.benchmark

ROUNDS = 5
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("first paint")
Bare().run()
"""


def screen_of(command: list[str], home: Path, kind: str = "plain") -> TerminalApp:
    environment = {"STALLS": str(home / "stalls")}
    return TerminalApp(
        command, home=home, kind=kind, columns=SCREEN[0], rows=SCREEN[1], environment=environment
    )


def bare_s(home: Path) -> float:
    """From the start of a bare Textual app to its first paint."""
    with screen_of([sys.executable, "-c", BARE], home) as app:
        app.quiet(0.5)
        return next(at for at, data in app.chunks() if b"first paint" in data) - app.started_at


def open_s(dataset: Path, home: Path, kind: str = "plain") -> float:
    """From the start of the app to its first picture; it is left by its own key, so that it keeps what it found."""
    with screen_of(python_app(dataset), home, kind) as app:
        taken = first_picture_s(app)
        app.quiet(0.5)
        app.press("ctrl+q")
        app.wait()
        return taken


def test_cold_start(tmp_path: Path, photos: list[Path], say: list[str]) -> None:
    dataset = linked(tmp_path / "images", photos, 100)
    bare, half, sixel = [], [], []
    for _ in range(ROUNDS + 1):  # the first one fills the caches of the disk
        bare.append(bare_s(tmp_path))
        half.append(open_s(dataset, tmp_path))
        sixel.append(open_s(dataset, tmp_path, "xterm-sixel"))
    floor, ours, theirs = (1000 * statistics.median(times[1:]) for times in (bare, half, sixel))
    say.append(
        f"Cold start: bare Textual app {floor:.0f} ms, first picture {ours:.0f} ms with half blocks, "
        f"{theirs:.0f} ms with sixel (allowed: {1.3 * floor + 150:.0f} ms)"
    )


def test_60_000_images_on_a_second_opening(tmp_path: Path, photos: list[Path], say: list[str]) -> None:
    dataset = linked(tmp_path / "images", photos, 60_000)
    first = open_s(dataset, tmp_path)
    with screen_of(python_app(dataset), tmp_path) as app:  # lets the scan come to its end
        app.wait_for("60,000")
        app.quiet(1.0)
        app.press("ctrl+q")
        app.wait()
    again = statistics.median(open_s(dataset, tmp_path) for _ in range(3))
    with screen_of(python_app(dataset), tmp_path) as app:
        app.wait_for("60,000")
        whole = time.perf_counter() - app.started_at
    say.append(
        f"60,000 images: first picture {1000 * first:.0f} ms at the first opening, {1000 * again:.0f} ms at the "
        f"second, all of them counted {1000 * whole:.0f} ms after the start"
    )


def test_at_rest(tmp_path: Path, photos: list[Path], say: list[str]) -> None:
    dataset = linked(tmp_path / "images", photos, 1000)
    with screen_of(python_app(dataset), tmp_path) as app:
        first_picture_s(app)
        app.press("f2")
        app.quiet(2.0)
        before, begun, mark = app.cpu_s(), time.perf_counter(), app.mark()
        time.sleep(10)
        share = (app.cpu_s() - before) / (time.perf_counter() - begun)
        written = len(app.raw(mark))
        memory = app.memory_bytes()
    say.append(
        f"At rest: {100 * share:.2f} % of a core, {written / 10:.0f} bytes/s written, {memory / 2**20:.0f} MiB"
    )
