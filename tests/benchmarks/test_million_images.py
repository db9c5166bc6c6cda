"""A million images through a real pty: opened, scrolled, filtered, labelled; how long what waits, in what memory.

pytest -m benchmark tests/benchmarks/test_million_images.py -s

Takes under six minutes, 1.4 GB of memory and 1 GB of disk on two cores; times are worth something only on a machine
that does nothing else.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from screen_timing import SCREEN, add_classes, first_picture_s, largest_stall_ms, linked, time_of, watched
from terminal_driver import TerminalApp

pytestmark = pytest.mark.benchmark

ROUNDS = 5
WRITE_S = 300.0  # no write may take longer
REAL_FOLDERS, REAL_FILES = 200, 1000

# The names are made up, their folders are links to one with images: so the app can open any of them.
MADE_UP = """
    from mia_tui.dataset.scan import incremental
    def made_up(root, **options):
        for folder in range(1000):
            for number in range(1000):
                yield f"plate-{folder:03}/cell-{number:03}.jpg"
    incremental.scan_files = made_up
"""


@dataclass
class Watched:
    """An app whose event loop is watched, and when what was done to it. It has 157 columns and 46 rows."""

    app: TerminalApp
    stalls: Path
    shown_at: float
    done: list[tuple[str, float, float, str]] = field(default_factory=list)

    def press(self, what: str, *keys: str, then: str = "", times: int = 1) -> None:
        """Press keys, the last of which is measured; with `then`, until the screen says so."""
        begun = time.perf_counter()
        answers, said = [], ""
        for _ in range(times):
            for key in keys[:-1]:
                self.app.press(key)
                self.app.quiet(0.2)
            pressed_at = time.perf_counter()
            answers.append(self.app.measure(keys[-1], quiet_s=0.25))
            if then:
                self.app.wait_for(then, timeout_s=WRITE_S)
                said = f", done after {time.perf_counter() - pressed_at:.1f} s"
                self.app.quiet(0.3)
        first = [1000 * answer.first_s for answer in answers]
        last = [1000 * answer.painted_s for answer in answers]
        words = (
            f"answered after {statistics.median(first):4.0f} ms (largest {max(first):4.0f}), "
            f"painted after {statistics.median(last):4.0f} ms (largest {max(last):4.0f}){said}"
        )
        self.done.append((what, begun, time.perf_counter(), words))

    def type(self, what: str, text: str, then: str) -> None:
        """Type into a dialog that is open, and wait for what it brings."""
        begun = time.perf_counter()
        self.app.type(text.encode())
        self.app.quiet(0.3)
        pressed_at, mark = time.perf_counter(), self.app.mark()
        self.app.press("enter")
        self.app.wait_for(then, timeout_s=60)
        self.app.quiet(0.5)
        taken = 1000 * (time_of(self.app.chunks(mark), then) - pressed_at)
        self.done.append((what, begun, time.perf_counter(), f"{taken:4.0f} ms from Enter to the rows"))

    def note(self, what: str, begun: float) -> None:
        self.done.append((what, begun, time.perf_counter(), ""))

    def lines(self) -> Iterator[str]:
        """What was done and the largest stall in it; the app has to have ended."""
        for what, begun, ended, words in self.done:
            stall = largest_stall_ms(self.stalls, begun, ended)
            yield f"   {what:<34}largest stall {stall:4.0f} ms   {words}"


def visit(command: list[str], home: Path, act: Callable[[Watched], None]) -> tuple[float, float, list[str]]:
    """First picture in ms, memory at most in MiB, and what was done."""
    environment = {"STALLS": str(home / "stalls")}
    with TerminalApp(
        command, home=home, kind="plain", columns=SCREEN[0], rows=SCREEN[1], environment=environment
    ) as app:
        first = first_picture_s(app)
        done = Watched(app, home / "stalls", app.started_at + first)
        act(done)
        memory = app.memory_bytes(peak=True) / 2**20
        app.press("ctrl+q")
        app.wait()
    return 1000 * first, memory, list(done.lines())


def to_the_end(done: Watched) -> None:
    """Wait until the scan has come to its end, and what it found is kept."""
    used = -1.0
    while used < 0 or done.app.cpu_s() - used > 0.15:
        used = done.app.cpu_s()
        time.sleep(1.0)
    done.note("until the scan's end", done.shown_at)


def at_work(done: Watched) -> None:
    """Keys pressed while the scan is at work behind, then all that has to do with every image."""
    done.press("F2, scanning", "f2", times=10)
    done.press("page, scanning", "pagedown", times=10)
    done.press("end, scanning", "end")
    done.press("home, scanning", "home")
    to_the_end(done)
    done.press("F2", "f2", times=20)
    done.press("next", "right", times=20)
    done.press("page", "pagedown", times=20)
    done.press("end", "end")
    done.press("home", "home")
    done.press("next unlabelled", "f3", times=3)
    done.press("filter: unlabelled", "f5", "down", "enter")
    done.press("sort: the other way round", "f6", "down", "enter")
    done.press("sort: by time", "f6", "down", "down", "enter")
    done.press("sort: by name", "f6", "enter")
    done.app.press("ctrl+f")
    done.app.quiet(0.3)
    done.type("find: 100,000 of them", "plate-7", '"plate-7"')
    done.press("grid", "f7")
    done.press("mark 100,000", "ctrl+a")
    done.press("ask whether to label them", "=", then="in one step")
    done.press("label 100,000", "down", "enter", then="labelled as class 1")
    done.press("undo that", "ctrl+z", then="Undid")
    done.press("leave the grid", "escape", "escape")


def all_at_once(done: Watched) -> None:
    """Mark all images in the grid, and do something to all of them."""
    to_the_end(done)
    done.press("grid", "f7")
    for what, key, said in (
        ("flag", "!", "1,000,000 images flagged"),
        ("take flags away", "!", "1,000,000 images no longer flagged"),
        ("skip", "f4", "1,000,000 images skipped"),
        ("label", "=", "1,000,000 images labelled"),
    ):
        done.press("mark all", "ctrl+a")
        done.press(f"ask whether to {what}", key, then="in one step")
        done.press(what, "down", "enter", then=said)
    for what, key, said in (
        ("undo labels", "ctrl+z", "Undid: 1,000,000 images to"),
        ("undo skips", "ctrl+z", "Undid: 1,000,000 images skipped"),
        ("redo skips", "ctrl+y", "Redid: 1,000,000 images skipped"),
    ):
        done.press(what, key, then=said)


def test_a_million_images(tmp_path: Path, photos: list[Path], say: list[str]) -> None:
    few = linked(tmp_path / "few", photos, 100)
    dataset = make_plates(tmp_path / "images", photos)
    command = watched(dataset, "--graphics", "half", before=MADE_UP)
    small = [visit(watched(few, "--graphics", "half"), tmp_path, to_the_end)[0] for _ in range(ROUNDS)]
    first, memory, lines = visit(command, tmp_path, to_the_end)
    say.append(
        f"1,000,000 images, first opening: first picture {first:.0f} ms, memory at most {memory:.0f} MiB"
    )
    say.extend(lines)
    again = [visit(command, tmp_path, lambda done: done.app.quiet(0.5))[0] for _ in range(ROUNDS)]
    _, memory, lines = visit(command, tmp_path, at_work)
    say.append(
        f"Second opening: first picture median {statistics.median(again):.0f} ms (least {min(again):.0f}); of 100 "
        f"images {statistics.median(small):.0f} ms (least {min(small):.0f}); memory at most {memory:.0f} MiB"
    )
    say.extend(lines)


def test_a_million_marks(tmp_path: Path, photos: list[Path], say: list[str]) -> None:
    command = watched(make_plates(tmp_path / "images", photos), "--graphics", "half", before=MADE_UP)
    visit(command, tmp_path, to_the_end)
    _, memory, lines = visit(command, tmp_path, all_at_once)
    say.append(f"Something done to 1,000,000 images as one step; memory at most {memory:.0f} MiB")
    say.extend(lines)


def test_200_000_files(tmp_path: Path, photos: list[Path], say: list[str]) -> None:
    dataset = tmp_path / "images"
    for folder in range(REAL_FOLDERS):
        (dataset / f"plate-{folder:03}").mkdir(parents=True)
        for number in range(REAL_FILES):
            file = dataset / f"plate-{folder:03}" / f"cell-{number:03}.jpg"
            file.hardlink_to(photos[number % len(photos)])
    add_classes(dataset)
    for opening in ("first", "second"):
        command = watched(dataset, "--graphics", "half")
        first, memory, lines = visit(command, tmp_path, to_the_end)
        say.append(
            f"200,000 files on the disk, {opening} opening: first picture {first:.0f} ms, memory at most "
            f"{memory:.0f} MiB"
        )
        say.extend(lines)


def make_plates(folder: Path, photos: list[Path]) -> Path:
    """A million paths that lead to images: 1,000 links to one folder of 1,000."""
    plate = folder.parent / "plate"
    plate.mkdir()
    for number in range(1000):
        (plate / f"cell-{number:03}.jpg").hardlink_to(photos[number % len(photos)])
    folder.mkdir()
    for number in range(1000):
        (folder / f"plate-{number:03}").symlink_to(plate)
    return add_classes(folder)
