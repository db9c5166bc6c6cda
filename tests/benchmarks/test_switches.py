"""Opening a screen and going back from it, through a real pty: from the key to the complete text and the last byte.

    MIA_TUI_EARLIER=FOLDER pytest -m benchmark tests/benchmarks/test_switches.py -s

The earlier version, whose source is in FOLDER, is measured in turn with this one, and so is a bare Textual app whose
screens show the same text in one widget. Takes about five minutes with it. A text is complete when it has come to
the screen up to a few signs, such as an estimate that is worked out behind it; pictures do not count. The way back
is measured with the key as kitty's keyboard protocol says it, which nobody has to wait for, and as a lone Esc.
"""

import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyte
import pytest
from demo_support import labelled_demo
from run_support import SOURCES, epoch_row, finished, make_run, started
from screen_timing import GRAPHICS, first_picture_s
from terminal_driver import TerminalApp, python_app
from terminal_stream import PAINT_END, take_apart

from mia_tui.runs.record.log import EventLog

pytestmark = pytest.mark.benchmark

EARLIER = os.environ.get("MIA_TUI_EARLIER")
SCREENS = {
    "grid": "f7",
    "classes": "f8",
    "help": "?",
    "form": "ctrl+t",
    "run table": "ctrl+u",
    "manual": "f12",
    "palette": "ctrl+p",
}
SIZE = 157, 46
ROUNDS, REPEATS = int(os.environ.get("SWITCHES_ROUNDS", "3")), 3
IMAGES, RUNS, EPOCHS = 120, 8, 12
LATE_SHARE = 0.03
_REST_S, _IDLE_S = 0.35, 2.5
_ESCAPES = {"protocol": "\x1b[27u", "lone": "\x1b"}
_HALF_BLOCKS = dict.fromkeys(map(ord, "▀▄█"), " ")

BARE = """
import sys
from pathlib import Path
from textual.app import App
from textual.screen import Screen
from textual.widgets import Static
TEXTS = [path.read_text() for path in sorted(Path(sys.argv[1]).iterdir())]
class Shown(Screen):
    def __init__(self, text):
        super().__init__()
        self.text = text
    def compose(self):
        yield Static(self.text, markup=False)
    def key_escape(self):
        self.dismiss()
class Bare(App):
    def compose(self):
        yield Static(TEXTS[0], markup=False)
    def on_key(self, event):
        if event.key.isdigit() and len(self.screen_stack) == 1:
            self.push_screen(Shown(TEXTS[int(event.key)]))
Bare().run()
"""


@dataclass(frozen=True)
class SwitchTime:
    """From a key to the first paint, to the complete text and to the last byte, in ms."""

    first: float
    text: float
    last: float


Measured = dict[tuple[str, str], list[SwitchTime]]
"""By screen, and what was done: `first`, `again`, and the ways back."""


def test_opening_a_screen_and_going_back(tmp_path: Path, say: list[str]) -> None:
    dataset = make_set(tmp_path / "images")
    versions = {"now": str(SOURCES)} | ({"earlier": EARLIER} if EARLIER else {})
    graphics = os.environ.get("SWITCHES_GRAPHICS", "half")
    found: dict[str, Measured] = {name: {} for name in (*versions, "bare")}
    texts = tmp_path / "texts"
    texts.mkdir()
    for number in range(ROUNDS):
        for name, source in versions.items():
            with opened(dataset, tmp_path / f"home-{name}", source, graphics) as app:
                measure(app, found[name], SCREENS, texts if name == "now" and number == 0 else None)
        with bare(texts, tmp_path / "home-bare") as app:
            measure(app, found["bare"], {name: str(n) for n, name in enumerate(SCREENS, 1)})
    say += lines_of(found, graphics)


def make_set(folder: Path) -> Path:
    """Labelled images, and trainings that have ended."""
    labelled_demo(folder, count=IMAGES, size_px=96, unlabelled=20)
    for number in range(RUNS):
        run = make_run(folder / "mia", name=f"resnet-{number}")
        with EventLog(run.events) as log:
            log.append(msgspec.structs.replace(started(), total_epochs=EPOCHS))
            for epoch in range(1, EPOCHS + 1):
                share = epoch / (EPOCHS + number)
                log.append(epoch_row(epoch, loss=1 - share, accuracy=share, macro_f1=share))
            log.append(finished())
    return folder


@contextmanager
def opened(dataset: Path, home: Path, source: str, graphics: str) -> Iterator[TerminalApp]:
    """The app of some source on its first image, after the idle time that a person gives it at the start."""
    app = TerminalApp(
        python_app(dataset, "--graphics", graphics),
        home=home,
        kind=GRAPHICS[graphics],
        columns=SIZE[0],
        rows=SIZE[1],
        environment={"PYTHONPATH": source, "PYTHONSAFEPATH": "1"},  # else the folder of the tests comes first
    )
    with app:
        first_picture_s(app)
        app.quiet(_IDLE_S)
        yield app


@contextmanager
def bare(texts: Path, home: Path) -> Iterator[TerminalApp]:
    with TerminalApp(
        [sys.executable, "-c", BARE, str(texts)], home=home, columns=SIZE[0], rows=SIZE[1]
    ) as app:
        app.quiet(1.0)
        yield app


def measure(app: TerminalApp, found: Measured, keys: dict[str, str], texts: Path | None = None) -> None:
    """Open each screen and go back, for the first time and again; keep the texts of the screens if asked to."""
    if texts is not None:
        (texts / "0").write_text(app.screen())
    for repeat in range(REPEATS + 1):
        for number, (name, key) in enumerate(keys.items(), 1):
            found.setdefault((name, "again" if repeat else "first"), []).append(switch(app, key))
            if texts is not None and not repeat:
                (texts / str(number)).write_text(app.screen())
            back = "lone" if repeat % 2 else "protocol"
            found.setdefault((name, back), []).append(switch(app, _ESCAPES[back]))


def switch(app: TerminalApp, key: str) -> SwitchTime:
    """Press a key, and wait until all that it leads to has come."""
    before = app.screen()
    start = app.mark()
    answer = app.measure(key, quiet_s=_REST_S, at_rest=True)
    assert app.screen() != before, f"{key!r} did nothing:\n{before}"
    chunks = app.chunks(start)
    begun = chunks[-1][0] - answer.last_s
    complete = complete_at(before, chunks)
    return SwitchTime(1000 * answer.first_paint_s, 1000 * (complete - begun), 1000 * answer.last_s)


def complete_at(before: str, chunks: Sequence[tuple[float, bytes]]) -> float:
    """When the text on the screen had come, up to a few signs."""
    screen = pyte.Screen(*SIZE)
    stream = pyte.ByteStream(screen)
    screen.reset_mode(pyte.modes.LNM)
    stream.feed("\r\n".join(before.splitlines()).encode())
    shown: list[tuple[float, str]] = []
    rest = b""
    for at, data in chunks:
        *paints, rest = (rest + data).split(PAINT_END)
        for paint in paints:
            stream.feed(take_apart(paint + PAINT_END)[0])
            shown.append((at, "".join(screen.display).translate(_HALF_BLOCKS)))
    final = shown[-1][1]
    most = LATE_SHARE * sum(sign != " " for sign in final)
    complete = shown[-1][0]
    for at, text in reversed(shown):
        if sum(map(str.__ne__, text, final)) > most:
            break
        complete = at
    return complete


def lines_of(found: dict[str, Measured], graphics: str) -> list[str]:
    """A line for each screen and what was done."""
    lines = [f"{SIZE[0]}x{SIZE[1]}, {graphics}; medians in ms: first paint, complete text, last byte"]
    for (name, done), times in found["now"].items():
        line = f"{name:>10} {done:>9}: {shown(times)}"
        for other in (other for other in ("earlier", "bare") if found.get(other)):
            theirs = found[other][name, done]
            ratio = median(times).text / median(theirs).text
            line += f"   {other} {shown(theirs)} (x{ratio:.2f})"
        lines.append(line)
    return lines


def median(times: Sequence[SwitchTime]) -> SwitchTime:
    return SwitchTime(
        *(statistics.median(getattr(time, name) for time in times) for name in ("first", "text", "last"))
    )


def shown(times: Sequence[SwitchTime]) -> str:
    middle = median(times)
    return f"{middle.first:4.0f} {middle.text:4.0f} {middle.last:4.0f}"
