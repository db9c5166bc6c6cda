"""Measuring the app on a pty: rows of times, pictures among paints, the largest stall of its event loop."""

import json
import re
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from run_support import python
from terminal_driver import TerminalApp, python_app
from terminal_stream import PAINT_END, Answer, take_apart

from mia_tui.dataset.store.label_store import LabelStore

PANEL = 120, 40
SCREEN = 157, 46  # has a panel of 120x40 for the image beside list and frame
PEERS = {"half": "half", "sixel": "sixel", "kitty": "tgp"}  # textual-image's widgets
GRAPHICS = {"half": "plain", "iterm2": "iterm2", "kitty": "kitty", "sixel": "xterm-sixel"}

_CELLS = 20  # half blocks in a paint (a part of a coarse picture has no more), or
_COLOURS = 30  # different colours: list, frame and class bar have fewer
_COLOUR = re.compile(rb"8;2;[0-9;]+m")
_CURRENT = re.compile(
    rb"\xe2\x96\xb8[^0-9\x1b]*([0-9]+)\.jpg"
)  # the pointer in the list, and the image's number

# Runs the app and notes when its event loop came late. CLOCK_MONOTONIC is the same for all processes.
WATCHED = """
    import asyncio, json, os, time
    from pathlib import Path
    from mia_tui.__main__ import main
    sys.argv[0] = "mia-tui"
    run, stalls = asyncio.run, []
    async def watch():
        due = time.perf_counter() + 0.002
        while True:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            now = time.perf_counter()
            if now - due > 0.01:
                stalls.append((now, now - due))
            due = now + 0.002
    def watched_run(work, **options):
        async def both():
            watcher = asyncio.create_task(watch())
            try:
                return await work
            finally:
                watcher.cancel()
                Path(os.environ["STALLS"]).write_text(json.dumps(stalls))
        return run(both(), **options)
    asyncio.run = watched_run
    {before}
    main()
"""


@dataclass(frozen=True)
class Times:
    """Times in ms and sizes in KiB of the same thing done many times."""

    ms: list[float]
    kib: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.ms)

    def __str__(self) -> str:
        ordered = sorted(self.ms)
        p99 = ordered[min(len(ordered) - 1, round(0.99 * (len(ordered) - 1)))]
        return (
            f"median {self.median:6.1f} ms, p99 {p99:6.1f} ms, {statistics.median(self.kib):7.1f} KiB "
            f"(of {len(ordered)})"
        )


def times_of(answers: Iterable[Answer]) -> Times:
    """From the keys to the last bytes that are seen; what is sent ahead for the next image comes later."""
    kept = list(answers)
    return Times(
        [1000 * answer.painted_s for answer in kept], [answer.painted_bytes / 1024 for answer in kept]
    )


def watched(*arguments: object, before: str = "pass") -> list[str]:
    """The command that opens the app and writes its stalls to the file that STALLS names."""
    return python(WATCHED.replace("{before}", before.strip()), *arguments)


def largest_stall_ms(file: Path, since: float, until: float) -> float:
    """The longest that the event loop of a watched app, which has ended, was late between two moments."""
    stalls = json.loads(file.read_text())
    return 1000 * max((late for at, late in stalls if since <= at <= until), default=0.0)


def add_classes(dataset: Path, count: int = 4) -> Path:
    """The dataset, with classes."""
    with LabelStore(dataset / "mia" / "labels.db") as store:
        for number in range(len(store.classes()), count):
            store.add_class(f"class {number + 1}")
    return dataset


def linked(folder: Path, photos: Sequence[Path], count: int) -> Path:
    """A dataset of many images: a few photos under many names."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"photo-{number:05}.jpg").hardlink_to(photos[number % len(photos)])
    return add_classes(folder)


def open_app(
    dataset: Path, home: Path, graphics: str, *, command: list[str] | None = None, **terminal: object
) -> TerminalApp:
    """The app at rest on its first image."""
    app = TerminalApp(
        command or python_app(dataset, "--graphics", graphics),
        home=home,
        kind=GRAPHICS[graphics],
        columns=SCREEN[0],
        rows=SCREEN[1],
        environment={"STALLS": str(home / "stalls")},
        **terminal,  # type: ignore[arg-type]
    )
    first_picture_s(app)
    app.quiet(1.0)
    return app


def first_picture_s(app: TerminalApp, *, timeout_s: float = 30.0) -> float:
    """From the start of the process to the end of its first picture."""
    deadline = time.perf_counter() + timeout_s
    while time.perf_counter() < deadline:
        app.quiet(0.3)
        if found := pictures_at(app.chunks()):
            return found[0] - app.started_at
    raise AssertionError(f"no picture, the screen shows:\n{app.screen()}")


def pictures_at(chunks: Sequence[tuple[float, bytes]]) -> list[float]:
    """When each paint with a picture in it had arrived."""
    clock = _Clock(chunks)
    found, begin = [], 0
    for match in re.finditer(re.escape(PAINT_END), clock.data):
        paint = clock.data[begin : match.end()]
        begin = match.end()
        if _shows_cells(paint) or take_apart(paint)[1].pictures:
            found.append(clock.at(match.end()))
    return found


def time_of(chunks: Sequence[tuple[float, bytes]], text: str) -> float:
    """When a text had arrived."""
    clock = _Clock(chunks)
    return clock.at(clock.data.index(text.encode()) + len(text.encode()))


def _shows_cells(paint: bytes) -> bool:
    return paint.count("▀".encode()) >= _CELLS or len(set(_COLOUR.findall(paint))) >= _COLOURS


def arrivals(chunks: Sequence[tuple[float, bytes]]) -> list[tuple[float, int]]:
    """When the list showed which image as the current one, by the number in its name."""
    clock = _Clock(chunks)
    return [(clock.at(match.end()), int(match[1])) for match in _CURRENT.finditer(clock.data)]


class _Clock:
    """Knows when each byte was read."""

    def __init__(self, chunks: Sequence[tuple[float, bytes]]) -> None:
        self.data = b"".join(piece for _, piece in chunks)
        self._ends = []
        end = 0
        for at, piece in chunks:
            end += len(piece)
            self._ends.append((end, at))

    def at(self, place: int) -> float:
        return next(at for end, at in self._ends if end >= place)


def measure_peer(widget: str, folder: Path, home: Path, kind: str, *, before: Sequence[str] = ()) -> Times:
    """F2 in the peer; `before` begins its command."""
    app = TerminalApp(
        [*before, *peer(widget, folder)], home=home, kind=kind, columns=SCREEN[0] + 3, rows=SCREEN[1]
    )
    with app:
        app.wait_for("photo-0000")
        app.quiet(0.7)
        answers = [app.measure("f2", quiet_s=0.3) for _ in range(12)]
    return Times(
        [1000 * answer.last_s for answer in answers], [len(answer.data) / 1024 for answer in answers]
    )


def peer(widget: str, folder: Path) -> list[str]:
    """The command that shows the same images with textual-image's widget."""
    program = Path(__file__).parent / "benchmarks" / "peer_app.py"
    return [sys.executable, str(program), widget, str(folder), *map(str, PANEL)]
