"""What a training costs the person who labels meanwhile, and what watching it costs: a real worker on all cores.

    pytest -m benchmark tests/benchmarks/test_training_in_the_app.py -s

Takes five minutes. F2 is measured on the labelling screen without and with a training, a key after the other on the
same images; the share of a core is that of the app alone, with its screens of runs open on the live run and on the
run that has ended.
"""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from demo_support import labelled_demo
from run_support import wait_for
from screen_timing import SCREEN, Times, first_picture_s, times_of
from terminal_driver import TerminalApp, python_app

from mia_tui.config.train import TrainConfig
from mia_tui.runs.list.lifecycle import start_run
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.control import request_stop
from mia_tui.runs.worker.liveness import run_status

pytestmark = pytest.mark.benchmark

COUNT, SIZE_PX = 400, 256
PRESSES, WATCHED_S = 60, 6.0
SIZES = (SCREEN, (120, 40), (80, 24))


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    return labelled_demo(tmp_path / "demo", count=COUNT, size_px=SIZE_PX, unlabelled=80)


@contextmanager
def training(demo: Path) -> Iterator[RunDir]:
    """A run that trains on all cores for as long as the block lasts, started as the app starts it."""
    config = TrainConfig(width=96, height=96, epochs=9999, batch_size=16, device="cpu")
    run = start_run(prepare_training(read_dataset(demo), config, keep=False))
    try:
        wait_for(lambda: len(read_state(run).epochs) > 1, timeout_s=180.0)
        yield run
    finally:
        request_stop(run)
        wait_for(lambda: run_status(run) != "running", timeout_s=60.0)


@contextmanager
def opened(demo: Path, home: Path, size: tuple[int, int] = SCREEN) -> Iterator[TerminalApp]:
    command = python_app(demo, "--graphics", "half")
    with TerminalApp(command, home=home, kind="plain", columns=size[0], rows=size[1]) as app:
        first_picture_s(app)
        app.quiet(1.0)
        yield app


def f2_times(app: TerminalApp) -> Times:
    """From F2 to the last byte of the next image, which is ready."""
    app.press("home", "f2")
    answers = []
    for _ in range(PRESSES):
        app.quiet(0.15, timeout_s=60.0)
        answers.append(app.measure("f2"))
    return times_of(answers)


def cpu_share(app: TerminalApp) -> float:
    """Of a core, over some seconds."""
    before, begun = app.cpu_s(), time.perf_counter()
    time.sleep(WATCHED_S)
    return (app.cpu_s() - before) / (time.perf_counter() - begun)


def test_f2_while_a_run_trains(demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(demo, tmp_path) as app:
        alone = f2_times(app)
        with training(demo) as run:
            beside, speed = f2_times(app), images_per_s(run)
            share = cpu_share(app)
    with capsys.disabled():
        print(f"\nF2 alone:               {alone}")
        print(f"F2 while a run trains:  {beside}; it trains {speed:.0f} images/s meanwhile")
        print(f"labelling screen at rest while a run trains: {share:.2%} of a core")
    assert beside.median < 50


def test_watching_a_run(demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = []
    with training(demo) as run:
        for size in SIZES:
            with opened(demo, tmp_path / f"{size[0]}", size) as app:
                app.press("ctrl+u")
                app.wait_for(run.name[:13])
                time.sleep(1.0)
                room = cpu_share(app)
                app.press("enter")
                app.wait_for("Training")
                time.sleep(1.0)
                curves = cpu_share(app)
                lines.append((f"{size[0]}x{size[1]}", room, curves))
    with opened(demo, tmp_path / "ended") as app:
        idle = {"labelling": cpu_share(app)}
        app.press("ctrl+u")
        app.wait_for("stopped")
        time.sleep(1.0)
        idle["table of runs"] = cpu_share(app)
        app.press("enter")
        app.wait_for("Curves")
        time.sleep(1.0)
        idle["run"] = cpu_share(app)
    with capsys.disabled():
        print()
        for size_words, room, curves in lines:
            print(
                f"{size_words:>7}: table of runs on a live run {room:.1%}, curves that move {curves:.1%} of a core"
            )
        print("  ended: " + ", ".join(f"{name} {share:.2%}" for name, share in idle.items()))
    assert max(curves for _, _, curves in lines) < 0.08
    assert max(idle.values()) < 0.01


def images_per_s(run: RunDir) -> float:
    speeds = [step.images_per_s for step in read_state(run).steps.points[-20:]]
    return statistics.median(speeds)
