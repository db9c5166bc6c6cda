"""Looking for new images among 60,000 that all have labels: how long keys wait at most.

pytest -m benchmark tests/benchmarks/test_rescan.py -s
"""

import time
from pathlib import Path

import pytest
from photo_support import make_photos
from screen_timing import SCREEN, largest_stall_ms, linked, watched
from terminal_driver import TerminalApp

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore

pytestmark = pytest.mark.benchmark

IMAGES = 60_000


def test_the_largest_stall_of_a_rescan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = make_photos(tmp_path / "photos", 4)
    dataset = linked(tmp_path / "images", photos, IMAGES)
    names = [f"photo-{number:05}.jpg" for number in range(IMAGES)]
    with LabelStore(dataset / "mia" / "labels.db") as store:
        store.set_labels([(ImageKey(name), 1) for name in names], source="person")
    steps: list[tuple[str, float, float]] = []
    stalls = tmp_path / "stalls"
    with TerminalApp(
        watched(dataset),
        home=tmp_path,
        columns=SCREEN[0],
        rows=SCREEN[1],
        environment={"STALLS": str(stalls)},
    ) as app:
        app.wait_for("60,000 labelled", timeout_s=60.0)
        app.quiet(3.0)

        def look(words: str) -> None:
            begun = time.perf_counter()
            app.press("ctrl+g")
            app.wait_for(words, timeout_s=60.0)
            app.quiet(0.3)
            steps.append((words, begun, time.perf_counter()))
            app.press("escape")

        look("No new images.")
        for number in range(1000):
            (dataset / f"a-{number:05}.jpg").hardlink_to(photos[0])
            (dataset / names[number]).unlink()
        look("1,000 new images, 1,000 are")
        for name in names[1000 : IMAGES // 2]:
            (dataset / name).unlink()
        look("No new images, 29,000 are")
        for name in names[: IMAGES // 2]:
            (dataset / name).hardlink_to(photos[0])
        look("30,000 new images.")
        app.press("ctrl+q")
        app.wait()
    with capsys.disabled():
        for words, begun, ended in steps:
            stall = largest_stall_ms(stalls, begun, ended)
            print(f"\n{words}: said after {ended - begun:.1f} s, largest stall {stall:.0f} ms", end="")
