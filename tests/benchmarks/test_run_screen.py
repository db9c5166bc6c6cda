"""What the screen of a long run costs: opening, painting, resting, following a worker with five steps a second."""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from run_support import make_run, python, started
from textual.app import App
from textual.pilot import Pilot

import mia_tui.tui
from mia_tui.catalog.metrics import METRICS
from mia_tui.paths import StateFolder
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.record.events import ConfusionSaved, EpochEnded, Event, RunEnded, StepEnded
from mia_tui.runs.record.job import JobClass
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import encode_event
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.runs.run_screen import RunScreen

sys.path.insert(0, str(Path(__file__).parent.parent / "tui"))

from tui_support import make_context, record_paints, running

pytestmark = pytest.mark.benchmark

EPOCHS, STEPS = 1_000, 200
OPENINGS, PAINTS, WATCHED_S = 5, 40, 8.0

WORKER = """
    import time
    from pathlib import Path
    import msgspec
    from run_support import epoch_row, step
    from mia_tui.runs.record.log import EventLog
    from mia_tui.runs.record.events import EpochEnded, Phase
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.runs.worker.liveness import WorkerLock
    run = RunDir(Path(sys.argv[1]))
    with WorkerLock(run), EventLog(run.events) as log:
        log.append(Phase(t=time.time(), name="training", message="on the CPU"))
        print("ready", flush=True)
        for number in range(10_000):
            log.append(step(1001 + number // 10, number % 10 + 1, loss=1 / (number + 1)))
            if number % 10 == 9:
                figures = {"loss": 1 / number, "macro_f1": 1 - 1 / number}
                ended = EpochEnded(
                    t=1.0, epoch=1001 + number // 10, train=figures, val=figures, elapsed_s=number * 0.2
                )
                log.append(ended)
            time.sleep(0.2)
"""


@pytest.mark.parametrize("classes", [8, 1_000])
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=lambda size: "x".join(map(str, size)))
def test_the_screen_of_a_long_run(
    classes: int, size: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = long_run(tmp_path, classes)
    lines = asyncio.run(measured(run, size))
    with capsys.disabled():
        print(f"\n{EPOCHS * STEPS:,} steps, {EPOCHS:,} epochs, {classes:,} classes, {size[0]} x {size[1]}")
        print("\n".join(f"  {line}" for line in lines))


async def measured(run: RunDir, size: tuple[int, int]) -> list[str]:
    opened = [await opening_s(run, size) for _ in range(OPENINGS)]
    lines = [f"opened with all curves: {_ms(opened)}"]
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    async with running(_app(run), size=size) as pilot:
        screen = await _until_shown(pilot)
        for key, page in (("1", "curves"), ("2", "epochs"), ("3", "classes"), ("4", "confusions")):
            await pilot.press(key)
            await _wait(pilot, lambda key=key: key in "12" or screen.snapshot.report is not None)
            lines.append(f"painted anew, {page}: {_ms(await paints_s(pilot, screen))}")
        await pilot.press("1")
        await asyncio.sleep(1.0)
        share, _ = await _cpu_share(WATCHED_S)
        lines.append(f"at rest: {share:.2%} of a core")
        with worker(run):
            await asyncio.sleep(1.0)
            painted = record_paints(pilot.app)
            for key, page in (("1", "curves"), ("4", "confusions")):
                await pilot.press(key)
                await asyncio.sleep(0.5)
                before, sent = len(painted), sum(map(len, painted))
                share, taken = await _cpu_share(WATCHED_S)
                paints, sent = len(painted) - before, sum(map(len, painted)) - sent
                lines.append(
                    f"events arrive, {page}: {share:.1%} of a core, {paints / taken:.1f} paints and "
                    f"{sent / taken / 1e3:.1f} kB a second"
                )
    after_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return [
        *lines,
        f"memory: {before_mb:.0f} MB after opening {OPENINGS} times, {after_mb:.0f} MB at the end",
    ]


async def opening_s(run: RunDir, size: tuple[int, int]) -> float:
    """From the key that opens the screen to the curves on it."""
    async with running(_app(run, wait=True), size=size) as pilot:
        begun = time.perf_counter()
        pilot.app.open_run()
        await _until_shown(pilot)
        return time.perf_counter() - begun


async def paints_s(pilot: Pilot[None], screen: RunScreen) -> list[float]:
    """Handing over a snapshot with another step and another epoch, until the terminal has what is different."""
    painted, taken = record_paints(pilot.app), []
    for number in range(PAINTS):
        snapshot = screen.snapshot
        state = snapshot.state.copy()
        state.apply(step(EPOCHS, number + 1))
        state.apply(epoch(EPOCHS + number + 1))
        told = len(painted)
        begun = time.perf_counter()
        screen.post_message(RunScreen.RunChanged(screen.run, replace(snapshot, state=state)))
        await _wait(pilot, lambda told=told: len(painted) > told)
        taken.append(time.perf_counter() - begun)
    return taken


async def _cpu_share(seconds: float) -> tuple[float, float]:
    begun, cpu = time.perf_counter(), time.process_time()
    await asyncio.sleep(seconds)
    taken = time.perf_counter() - begun
    return (time.process_time() - cpu) / taken, taken


async def _until_shown(pilot: Pilot[None]) -> RunScreen:
    await _wait(pilot, lambda: isinstance(pilot.app.screen, RunScreen) and pilot.app.screen.idle)
    screen = pilot.app.screen
    assert isinstance(screen, RunScreen)
    await _wait(pilot, lambda: any("best" in strip.text for strip in screen._compositor.render_strips()))
    return screen


async def _wait(pilot: Pilot[None], is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.001)


def _ms(taken: list[float]) -> str:
    return f"median {statistics.median(taken) * 1e3:.1f} ms, min {min(taken) * 1e3:.1f}, max {max(taken) * 1e3:.1f}"


class _OneRun(App[None]):
    CSS_PATH = Path(mia_tui.tui.__file__).with_name("app.tcss")

    def __init__(self, run: RunDir, *, wait: bool) -> None:
        super().__init__()
        self.context = make_context()
        self.flow_control = self.context.flow_control
        self._run_dir, self._wait_for_it = run, wait

    def on_mount(self) -> None:
        if not self._wait_for_it:
            self.open_run()

    def open_run(self) -> None:
        dataset = Path(self._run_dir.job().dataset)
        self.push_screen(RunScreen(self._run_dir, OpenDataset(dataset, None, "ann"), self.context))


def _app(run: RunDir, *, wait: bool = False) -> _OneRun:
    return _OneRun(run, wait=wait)


@contextmanager
def worker(run: RunDir) -> Iterator[None]:
    """A process that has the run and tells five steps a second."""
    process = subprocess.Popen(python(WORKER, run.path), stdout=subprocess.PIPE, env={**os.environ})
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield
    finally:
        process.kill()
        process.wait()


def long_run(folder: Path, classes: int) -> RunDir:
    names = [f"class {number:04}" for number in range(classes)]
    made = make_run(folder / "mia")
    job = msgspec.structs.replace(made.job(), classes=[JobClass(n, name) for n, name in enumerate(names, 1)])
    run = RunDir.create(StateFolder(folder / "mia"), job, [], name="long")
    counts = np.random.default_rng(0).poisson(0.05 if classes > 50 else 4, (classes, classes))
    for which in ("last", "best"):
        save_confusion(run.confusion(which), SavedConfusion(EPOCHS, "val", tuple(names), counts))
    events: list[Event] = [msgspec.structs.replace(started(), total_epochs=EPOCHS, steps_per_epoch=STEPS)]
    for number in range(1, EPOCHS + 1):
        events += [step(number, place) for place in range(1, STEPS + 1)]
        events.append(epoch(number))
    events += [
        ConfusionSaved(t=1.0, epoch=EPOCHS, split="val", file=f"confusion/{which}.json")
        for which in ("last", "best")
    ]
    events.append(RunEnded(t=1.0, outcome="stopped"))
    with run.events.open("wb") as file:
        file.writelines(map(encode_event, events))
    return run


def step(number: int, place: int) -> StepEnded:
    share = (number + place / STEPS) / EPOCHS
    return StepEnded(
        t=1.6e9 + number, epoch=number, step=place, loss=2.0 ** (-5 * share) + (place * 37 % 100) / 1e3,
        lr=1e-3 * max(0.0, 1 - share), images_per_s=512.25, memory_bytes=8_123_456_789,
    )  # fmt: skip


def epoch(number: int) -> EpochEnded:
    train, val = (
        dict.fromkeys(METRICS, 1 - (offset + number * 7919 % 13 / 50) / (number + 1)) for offset in (0.4, 0.6)
    )
    return EpochEnded(t=1.6e9 + number, epoch=number, train=train, val=val, elapsed_s=number * 40.0)
