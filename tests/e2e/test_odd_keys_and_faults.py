"""Any bytes on the keyboard leave the app open, and a fault ends it with a sentence and the terminal given back."""

import random
import re
import signal
import termios
from pathlib import Path

import pytest
from run_support import wait_for
from screen_support import Open, current_image, labels_in, opened, wrapped
from terminal_driver import TerminalApp
from terminal_stream import take_apart

pytestmark = pytest.mark.e2e

BREAK = """
    import asyncio, threading
    from mia_tui.tui.app import MiaApp
    from mia_tui.tui.driver import TerminalDriver
    from mia_tui.tui.keys.keyboard import Keyboard
    from mia_tui.tui.quick_paint import QuickCompositor
    from mia_tui.tui.label.screen import LabelScreen
    from mia_tui.tui.label.dataset_sync import ScanThread
    from mia_tui.tui.controller.store_thread import StoreThread
    from mia_tui.tui.pictures.cache import PictureCache
    from mia_tui.tui.pictures.flow_control import FlowControl
    from mia_tui.tui.controller.store_thread import StoreThread
    from mia_tui.tui.pictures.flow_control import FlowControl
    from mia_tui.tui.label.dataset_sync import ScanThread
    from mia_tui.tui.pictures.cache import PictureCache
    from mia_tui.tui.controller.store_thread import StoreThread
    from mia_tui.tui.pictures.flow_control import FlowControl
    from mia_tui.tui.label.dataset_sync import ScanThread
    from mia_tui.tui.pictures.cache import PictureCache
    def fail(*_, **__):
        raise ZeroDivisionError("on purpose")
    async def fail_later(*_):
        fail()
    def in_app(do):
        def on_event(self, event):
            do(self)
            return real(self, event)
        real, MiaApp.on_event = MiaApp.on_event, on_event
    {}
"""
PLACES = {
    "a command": "LabelScreen.run_command = fail",
    "compose": "LabelScreen.compose = fail",
    "the start of the app": "MiaApp.on_mount = fail",
    "a worker": "in_app(lambda app: app.run_worker(fail_later()))",
    "a thread": "in_app(lambda app: threading.Thread(target=fail).start())",
    "a task": "in_app(lambda app: asyncio.get_running_loop().call_soon(fail))",
    "a timer": "FlowControl.expire = fail",
    "the input": "Keyboard.feed = fail",
    "the input when nothing comes": "Keyboard.rest = fail",
    "what the input hands on": "TerminalDriver.process_message = fail",
    "the driver's start": "TerminalDriver._enable_bracketed_paste = fail",
    "the driver's first write": "TerminalDriver.write = fail",
    "painting": "QuickCompositor.render_partial_update = fail",
    "the thread of the labels": "StoreThread._load = fail",
    "the thread of the pictures": "PictureCache._make = fail",
    "the thread of the scan": "ScanThread._work = fail",
    "closing": "LabelScreen.remember = fail",
    "an end that nobody asked for": "LabelScreen.run_command = lambda self, _: self.app.exit()",
}


PRESSED = {"a command": "f8", "an end that nobody asked for": "f8", "closing": "ctrl+q"}
WHY = {"an end that nobody asked for": "nobody had closed it"}


@pytest.mark.parametrize("place", PLACES)
def test_a_fault_is_told_in_a_sentence_with_its_log_and_gives_the_terminal_back(
    start: Open, images: Path, tmp_path: Path, place: str
) -> None:
    app = start(command=wrapped(BREAK.format(PLACES[place]), images, "--graphics", "half"))
    if place in PRESSED:
        opened(app)
        app.press(PRESSED[place])
    assert app.wait() == 1
    app.quiet()
    [log] = tmp_path.rglob("error-*.log")
    assert WHY.get(place, "on purpose") in log.read_text()
    shown = re.sub(r"\s+", "", app.screen())
    assert "Thisisabuginmia-tui" in shown
    assert log.name in shown
    assert "Traceback" not in app.screen()
    assert settings_of(app) == app.settings_before, "the terminal was left as the app needs it"
    for taken, given in ((b"\x1b[?1049h", b"\x1b[?1049l"), (b"\x1b[?25l", b"\x1b[?25h")):
        assert app.raw().rfind(given) >= app.raw().rfind(taken), "the screen was left to the app"


def settings_of(app: TerminalApp) -> list[object]:
    return termios.tcgetattr(app._master)


NO_KEYS = [
    b"\xe9",
    b"\xe9\x80\xff\xfe\x00",
    b"\xc3",
    b"\x1b[<0;\xff;1M",
    b"\x1b[200~1\xe92\x1b[31m\x1b[201~",
    b"\x1b[97:65;2u\x1b[99999999u",
    b"\x1b]11;rgb:1111/2222/3333\x1b\\",
    b"\x1b[" + b"1" * 3_000 + b"z",
]


@pytest.mark.parametrize("data", NO_KEYS, ids=lambda data: repr(data[:20])[2:-1])
def test_bytes_that_are_no_keys_label_nothing_and_the_next_key_counts(
    start: Open, images: Path, data: bytes
) -> None:
    """Digits pick the class of what they are pressed on; in auto mode they label it."""
    app = opened(start(images, "--graphics", "half"))
    app.type(data)
    app.rest(0.3)
    assert labels_in(images) == {}
    app.press("f2")
    wait_for(lambda: len(labels_in(images)) == 1)
    assert labels_in(images)["image-000.png"].class_id == 1
    app.press("ctrl+q")
    assert app.wait() == 0


def test_a_key_behind_a_byte_that_is_none_counts(start: Open, images: Path) -> None:
    app = opened(start(images, "--graphics", "half"))
    app.type(b"\xe92")
    app.rest(0.3)
    app.type(b"\xe9\x1bOQ")
    wait_for(lambda: len(labels_in(images)) == 1)
    assert labels_in(images)["image-000.png"].class_id == 2
    wait_for(lambda: current_image(app) == "image-001.png")


@pytest.mark.parametrize("signals", [["SIGCONT"], ["SIGTSTP", "SIGCONT"], ["SIGSTOP", "SIGCONT", "SIGCONT"]])
def test_an_app_that_was_stopped_and_goes_on_is_painted_and_takes_each_key_once(
    start: Open, images: Path, signals: list[str]
) -> None:
    app = start(images, kind="kitty")
    opened(app)
    for name in 2 * signals:
        app.send(signal.Signals[name])
        is_running = name == "SIGCONT"
        wait_for(lambda is_running=is_running: (state_of(app) != "T") == is_running)
        if is_running:
            app.rest(0.3)
    painted = app.raw().rindex(b"\x1b[?1049h")
    assert b"image-000.png" in app.raw()[painted:]
    assert take_apart(app.raw()[painted:])[1].kitty["p"], (
        "leaving its screen, the terminal forgot the picture"
    )
    for _ in range(3):
        app.press("right")
    wait_for(lambda: current_image(app) == "image-003.png")
    app.press("ctrl+q")
    assert app.wait() == 0
    assert settings_of(app) == app.settings_before


SIZES = (161, 9), (100, 60), (5, 3), (200, 70), (1, 1), (60, 2), (2, 40), (150, 50)


@pytest.mark.parametrize("graphics", ["half", "sixel"])
@pytest.mark.parametrize(
    "key", ["", "ctrl+o", "f8", "ctrl+t", "?"], ids=["images", "dialog", "classes", "form", "help"]
)
def test_a_window_may_have_any_size(start: Open, images: Path, key: str, graphics: str) -> None:
    app = opened(start(images, "--graphics", graphics))
    if key:
        app.press(key)
        app.rest()
    for size in (*SIZES, SIZES[0]):
        app.zoom(*size, (10, 20))
        app.quiet(0.15)
    assert app.process.poll() is None, app.screen()
    app.press("escape", "ctrl+q")
    assert app.wait() == 0


def test_the_app_opens_in_a_window_of_one_cell(start: Open, images: Path) -> None:
    app = start(images, "--graphics", "half", columns=1, rows=1)
    wait_for(lambda: b"\x1b[?25l" in app.raw())
    app.rest(0.5)
    app.press("ctrl+q")
    assert app.wait() == 0


def state_of(app: TerminalApp) -> str:
    return Path(f"/proc/{app.process.pid}/stat").read_text().rpartition(")")[2].split()[0]


NOISE = bytes(byte for byte in range(256) if byte != 0x11)  # Ctrl+Q closes the app


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_does_not_end_the_app_and_is_over_soon(start: Open, images: Path, seed: int) -> None:
    app = opened(start(images, "--graphics", "half"))
    chance = random.Random(seed)
    for _ in range(32):
        app.type(bytes(chance.choices(NOISE, k=1024)))
        assert app.process.poll() is None, app.screen()
    app.rest(0.3)  # a cursor blinks
    assert app.process.poll() is None, app.screen()
    for _ in range(10):  # whatever dialogs it opened
        app.press("escape")
        app.rest(0.3)
    app.press("ctrl+q")
    assert app.wait() == 0
