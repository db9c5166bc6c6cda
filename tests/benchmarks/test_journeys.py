"""How many modules and functions of ours three journeys pass: a key to its paint, a form to its first epoch, a
prediction to the dashed frame.

    pytest -m benchmark tests/benchmarks/test_journeys.py -s

Takes four minutes. The app runs on a pty, and every call of a function of mia_tui is written down, in all its threads
and in the workers that it starts. Each function is counted once; comprehensions and the bodies of modules and classes
are not counted. Those `on the way` lead to one of the ends of the journey (the commit, the move to the next image,
the picture, the bytes) or to a hand-over; the others help one of them. With JOURNEYS=FOLDER the functions are written
to files in it.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from demo_support import labelled_demo
from run_support import SOURCES
from screen_timing import GRAPHICS, SCREEN, first_picture_s, linked
from terminal_driver import TerminalApp, python_app

pytestmark = pytest.mark.benchmark

COUNT, SIZE_PX = 60, 48
SLOW_S = 240.0
F2_ENDS = (
    "TerminalDriver.process_message",  # hand-overs to another task or thread are ends, too
    "CommandQueue.do",
    "StoreThread._ask",
    "StoreWriter.transaction",
    "ShownRows.move_to",
    "PictureCache.get",
    "ImageView.show",
    "QuickUpdate.render_segments",
    "TerminalWriter.write",
    "TerminalWriter._write_all",
)
EPOCH_ENDS = ("RunDir.create", "spawn", "train", "EventLog.append", "RunState.apply")
FRAME_ENDS = (
    "create_prediction",
    "spawn",
    "write_suggestions",
    "LabelSession.set_suggestions",
    "ClassFrame.show",
)


@dataclass(frozen=True)
class Call:
    """One call of a function of mia_tui; `by` is the nearest one of ours that it was called by."""

    at: float
    function: str
    by: str | None

    @property
    def module(self) -> str:
        return self.function.partition(":")[0]


@pytest.fixture
def recorded(tmp_path: Path) -> dict[str, str]:
    """The environment in which calls are written down."""
    start, calls = tmp_path / "start", tmp_path / "calls"
    for folder in (start, calls):
        folder.mkdir()
    recorder = Path(__file__).with_name("call_recorder.py")
    (start / "sitecustomize.py").write_text(f"import runpy\nrunpy.run_path({str(recorder)!r})['install']()\n")
    return {"PYTHONPATH": f"{start}{os.pathsep}{SOURCES}", "CALLS": str(calls)}


@contextmanager
def opened(dataset: Path, home: Path, environment: dict[str, str]) -> Iterator[TerminalApp]:
    """The app on its first image; it is closed by its key, so that it writes its calls."""
    app = TerminalApp(
        python_app(dataset, "--graphics", "half"),
        home=home,
        kind=GRAPHICS["half"],
        columns=SCREEN[0],
        rows=SCREEN[1],
        environment=environment,
    )
    with app:
        first_picture_s(app)
        app.quiet(1.0)
        yield app
        app.press("ctrl+q")
        app.wait()


def calls_between(environment: dict[str, str], begin: float, end: float) -> list[Call]:
    calls = [
        Call(*json.loads(line))
        for file in Path(environment["CALLS"]).iterdir()
        for line in file.read_text().splitlines()
    ]
    return sorted((call for call in calls if begin <= call.at <= end), key=lambda call: call.at)


def on_the_way(calls: list[Call], ends: Sequence[str]) -> list[str]:
    """Functions through which the calls reach `ends` (qualified names), those included, in order."""
    callers: dict[str, set[str]] = {}
    for call in calls:
        callers.setdefault(call.function, set()).update({call.by} if call.by else ())
    waiting = [function for function in callers if function.partition(":")[2] in ends]
    missing = set(ends) - {function.partition(":")[2] for function in waiting}
    assert not missing, f"not called: {missing}"
    found = set(waiting)
    while waiting:
        new = {caller for caller in callers[waiting.pop()] if caller in callers} - found
        found |= new
        waiting += new
    return [function for function in callers if function in found]


def tell(name: str, calls: list[Call], ends: Sequence[str]) -> list[str]:
    """A line of the table; with JOURNEYS, the functions go to a file: `>` marks those on the way."""
    functions = Counter(call.function for call in calls)
    way = on_the_way(calls, ends)
    folder = os.environ.get("JOURNEYS")
    if folder is not None:
        lines = [f"{'>' if name in way else ' '} {count:>6} {name}" for name, count in functions.items()]
        Path(folder, f"{name.replace(' ', '-')}.txt").write_text("\n".join(lines))
    return [
        f"{name:<28} on the way {len(_modules(way)):>3} modules {len(way):>4} functions, in all "
        f"{len(_modules(functions)):>4} modules {len(functions):>5} functions {len(calls):>8} calls"
    ]


def _modules(functions: Iterable[str]) -> set[str]:
    return {function.partition(":")[0] for function in functions}


def test_f2_to_its_paint(
    tmp_path: Path, photos: list[Path], say: list[str], recorded: dict[str, str]
) -> None:
    dataset = linked(tmp_path / "images", photos, 200)
    windows = []
    with opened(dataset, tmp_path, recorded) as app:
        for _ in range(6):
            app.quiet(0.5)
            pressed_at = time.perf_counter()
            answer = app.measure("f2")
            windows.append((pressed_at, pressed_at + answer.painted_s))
    ways = [calls_between(recorded, *window) for window in windows[2:]]
    each = set.intersection(
        *({call.function for call in way} for way in ways)
    )  # not what happened to come between
    say += tell("F2 to its paint", [call for call in ways[-1] if call.function in each], F2_ENDS)


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """Small images, of which all but the first few are labelled."""
    return labelled_demo(tmp_path / "demo", count=COUNT, size_px=SIZE_PX, unlabelled=4)


def test_a_form_to_its_first_epoch_and_a_prediction_to_the_dashed_frame(
    demo: Path, tmp_path: Path, say: list[str], recorded: dict[str, str]
) -> None:
    with opened(demo, tmp_path, recorded) as app:
        app.press("ctrl+t")
        app.wait_for("to train", timeout_s=SLOW_S)
        fill_in(app)
        form_at = time.perf_counter()
        app.press("f5")
        app.wait_for("Enter starts", timeout_s=SLOW_S)
        app.press("enter")
        app.wait_for("epoch 1/2", timeout_s=SLOW_S)
        epoch_at = time.perf_counter()
        app.wait_for("Finished", timeout_s=SLOW_S)
        app.quiet(1.0)
        predict_at = time.perf_counter()
        for words in ("Predict with which network?", "Predict which images?", "They are kept in"):
            app.press("p" if "network" in words else "enter")
            app.wait_for(words, timeout_s=SLOW_S)
        app.press("enter")
        app.wait_for("suggestions.", timeout_s=SLOW_S)
        for _ in range(3):
            app.press("escape")
            app.quiet(0.5)
        app.wait_for("accepts", timeout_s=SLOW_S)
        frame_at = time.perf_counter()
    say += tell("form to first epoch", calls_between(recorded, form_at, epoch_at), EPOCH_ENDS)
    say += tell("predict to dashed frame", calls_between(recorded, predict_at, frame_at), FRAME_ENDS)


def fill_in(app: TerminalApp) -> None:
    """Images of 32 pixels, two epochs."""
    app.press("down", "down", "3", "2", "down", "2")  # on the first page: image size, rounds
    app.wait_for("--size 32 --epochs 2")
