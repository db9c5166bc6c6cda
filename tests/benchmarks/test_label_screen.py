"""The labelling screen through a real pty: from a key to the last byte of what it paints, and what that costs.

    pytest -m benchmark tests/benchmarks/test_label_screen.py -s

Takes under four minutes; times are worth something only on a machine that does nothing else. The photos are made
up; their sizes in each encoding are near the medians of ImageNet's.
"""

import statistics
import time
from pathlib import Path

import pytest
from photo_support import make_huge_photo, make_large_photos
from screen_timing import (
    GRAPHICS,
    PEERS,
    Times,
    add_classes,
    arrivals,
    largest_stall_ms,
    linked,
    measure_peer,
    open_app,
    pictures_at,
    times_of,
    watched,
)
from terminal_driver import TerminalApp

from mia_tui.dataset.store.label_store import LabelStore

pytestmark = pytest.mark.benchmark

PRESSES = 100
PEER_ROWS = 2000  # both lists have the same to do
SLOW = 2e6  # bit/s


@pytest.fixture
def dataset(tmp_path: Path, photos: list[Path]) -> Path:
    return linked(tmp_path / "images", photos, PEER_ROWS)


def test_f2_and_f1_on_a_photo(tmp_path: Path, photos: list[Path], say: list[str]) -> None:
    """The whole table in one run: F2 to an image that is ready ahead, F1, and the peer on the same photos.

    textual-image has no widget for iTerm2; that one is compared with the fastest it has.
    """
    theirs = {
        graphics: measure_peer(PEERS[graphics], photos[0].parent, tmp_path / "peer", GRAPHICS[graphics])
        for graphics in PEERS
    }
    fastest = min(theirs.values(), key=lambda times: times.median)
    say.append(f"{'':>6}  {'F2 to the next image':<57}  {'F1':<57}  textual-image")
    for graphics in GRAPHICS:
        home = tmp_path / graphics
        with open_app(linked(home / "images", photos, PEER_ROWS), home, graphics) as app:
            f2, paints = measure_f2(app)
            f1 = measure_f1(app)
        peer_times = theirs.get(graphics, fastest)
        say.append(
            f"{graphics:>6}  {f2!s:<57}  {f1!s:<57}  median {peer_times.median:.0f} ms, "
            f"{peer_times.median / f2.median:.1f} times as long; {paints:.2f} paints a key"
        )


def measure_f2(app: TerminalApp) -> tuple[Times, float]:
    """F2 again and again, and how many paints each caused."""
    app.press("f2")
    answers = []
    for _ in range(PRESSES):
        app.quiet(0.12)
        answers.append(app.measure("f2"))
    return times_of(answers), statistics.mean(answer.said.paints for answer in answers)


def measure_f1(app: TerminalApp) -> Times:
    """F1 with another class each time."""
    answers = []
    for number in range(40):
        app.press(str(number % 4 + 1))
        app.quiet()
        answers.append(app.measure("f1"))
    return times_of(answers)


@pytest.mark.parametrize("graphics", GRAPHICS)
def test_f2_over_2_mbit_s(dataset: Path, tmp_path: Path, say: list[str], graphics: str) -> None:
    command = watched(dataset, "--graphics", graphics)
    with open_app(dataset, tmp_path, graphics, command=command, bits_per_s=SLOW) as app:
        begun = time.perf_counter()
        first, last = [], []
        for _ in range(4):
            app.quiet(0.8)
            mark, pressed_at = app.mark(), time.perf_counter()
            app.press("f2")
            app.quiet(1.0)
            seen = pictures_at(app.chunks(mark))
            first.append(1000 * (seen[0] - pressed_at))
            last.append(1000 * (seen[-1] - pressed_at))
        say.append(
            f"2 Mbit/s, F2 {graphics:>6}: first picture after median {statistics.median(first):.0f} ms, largest "
            f"{max(first):.0f} ms; at its best after {statistics.median(last):.0f} ms"
        )
        say.append(f"   {hold_f2(app, dataset)}")
        ended = time.perf_counter()
        app.press("ctrl+q")
        app.wait()
    stall = largest_stall_ms(tmp_path / "stalls", begun, ended)
    say.append(f"   largest stall of the event loop: {stall:.0f} ms")


def hold_f2(app: TerminalApp, dataset: Path) -> str:
    """F2 held for a second: how fast keys are answered, and how soon it is quiet."""
    app.quiet(1.5)
    before, mark = count_labels(dataset), app.mark()
    pressed = app.hold("f2")
    app.quiet(2.0)
    chunks = app.chunks(mark)
    shown = arrivals(chunks)
    first = shown[0][1] if shown else 0
    waits = [
        min((at for at, number in shown if number >= first + place), default=float("inf")) - at_press
        for place, at_press in enumerate(pressed)
    ]
    picture = pictures_at(chunks)[-1] - pressed[-1]
    return (
        f"held for 1 s: keys answered after median {1000 * statistics.median(waits):.0f} ms, largest "
        f"{1000 * max(waits):.0f} ms; the last list row {1000 * (shown[-1][0] - pressed[-1]):.0f} ms, the last "
        f"picture {1000 * picture:.0f} ms, the last byte {1000 * (chunks[-1][0] - pressed[-1]):.0f} ms after the "
        f"last key; labels {count_labels(dataset) - before} of {len(pressed)}"
    )


def count_labels(dataset: Path) -> int:
    store = LabelStore.open_existing(dataset / "mia" / "labels.db")
    assert store is not None
    with store:
        return len(store.labels())


@pytest.mark.parametrize("graphics", GRAPHICS)
def test_photos_of_12_megapixels(large: list[Path], tmp_path: Path, say: list[str], graphics: str) -> None:
    dataset = linked(tmp_path / "images", large, 1200)
    with open_app(dataset, tmp_path, graphics) as app:
        ready, jumps = [], []
        for _ in range(8):
            app.quiet(0.5)
            ready.append(app.measure("f2"))
        for _ in range(6):
            app.quiet(0.4)
            jumps.append(app.measure("pagedown", quiet_s=0.3))
    say.append(f"12 MP {graphics:>6}: ready ahead {times_of(ready)}")
    say.append(f"12 MP {graphics:>6}: jump        {times_of(jumps)}")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_large_photos(tmp_path_factory.mktemp("large"), 6)


def test_a_photo_of_100_megapixels(tmp_path: Path, photos: list[Path], say: list[str]) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for number, photo in enumerate(photos[:12]):
        (folder / f"photo-{number:05}.jpg").hardlink_to(photo)
    make_huge_photo(folder / "photo-99999.jpg")
    add_classes(folder)
    for graphics in GRAPHICS:
        with open_app(folder, tmp_path / graphics, graphics) as app:  # each a first visit
            before = app.memory_bytes()
            answer = app.measure("end", quiet_s=1.0)
            more = app.memory_bytes(peak=True) - before
        say.append(
            f"100 MP {graphics:>6}: {1000 * answer.painted_s:.0f} ms, {more / 2**20:.0f} MiB more than before"
        )


def test_f2_held_on_a_fast_line(dataset: Path, tmp_path: Path, say: list[str]) -> None:
    with open_app(dataset, tmp_path, "half") as app:
        say.append(f"half, fast line, {hold_f2(app, dataset)}")
