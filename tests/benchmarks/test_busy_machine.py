"""What a run does beside busy programs: with a thread for each core, and with as many as are free when it begins.

    pytest -m benchmark tests/benchmarks/test_busy_machine.py -s

Takes ten minutes on two cores. Each figure is the median of rounds of a real worker, started as the app starts it,
beside busy loops in sessions of their own. The fair share of a run is what its threads would do if each of them and
each busy loop got the same share of the cores and no time were lost: t threads beside k loops on n cores get
n t / (t + k) cores, at most t.
"""

import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from run_support import wait_for

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.demo import render_demo
from mia_tui.runs.list.lifecycle import start_run
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import RunState, read_state
from mia_tui.runs.worker.control import request_stop
from mia_tui.runs.worker.liveness import run_status

pytestmark = pytest.mark.benchmark

ROUNDS, LOOPS = 3, (0, 2, 8)
LOOKED_S, LONGEST_S = 8.0, 60.0
WARM_STEPS, LEAST_STEPS = 2, 3  # told ones
CHOSEN = None


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    classes = tmp_path / "classes"
    for name, class_name in render_demo(folder, count=200, size_px=96):
        target = classes / class_name / Path(name).name
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / name).rename(target)
    return classes


@contextmanager
def busy_loops(count: int) -> Iterator[None]:
    code = "import os; home = os.getppid()\nwhile os.getppid() == home: pass"  # nobody must outlive a broken test
    command = [sys.executable, "-ISc", code]
    loops = [subprocess.Popen(command, start_new_session=True) for _ in range(count)]
    try:
        time.sleep(0.5)
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def speed(demo: Path, threads: int | None) -> tuple[float, int]:
    """Images a second of a run, and the threads it had."""
    config = TrainConfig(width=96, height=96, epochs=9999, batch_size=32, device="cpu", threads=threads)
    run = start_run(prepare_training(read_dataset(demo), config, keep=False))
    try:
        wait_for(lambda: len(told(run)) >= WARM_STEPS, timeout_s=300.0)
        begun = time.monotonic()
        while len(told(run)) < WARM_STEPS + LEAST_STEPS or time.monotonic() - begun < LOOKED_S:
            if time.monotonic() - begun > LONGEST_S:
                break
            time.sleep(0.5)
        speeds = told(run)[WARM_STEPS:] or told(run)
        return statistics.median(speeds), run.job().threads or 0
    finally:
        request_stop(run)
        wait_for(lambda: run_status(run) != "running", timeout_s=300.0)


def told(run: RunDir) -> list[float]:
    state: RunState = read_state(run)
    return [step.images_per_s for step in state.steps.points]


def test_a_run_beside_busy_programs(demo: Path, say: list[str]) -> None:
    cores = usable_cores()
    found: defaultdict[tuple[int, int | None], list[float]] = defaultdict(list)
    chosen: dict[int, set[int]] = {count: set() for count in LOOPS}
    for _ in range(ROUNDS):
        for count in LOOPS:
            for threads in {cores, 1, CHOSEN} if count == 0 else {cores, CHOSEN}:
                with busy_loops(count):
                    images_per_s, had = speed(demo, threads)
                found[count, threads].append(images_per_s)
                if threads is CHOSEN:
                    chosen[count].add(had)
    say.append(
        f"resnet18 at 96 pixels on {cores} cores, images a second; load {os.getloadavg()[0]:.1f} at the end"
    )
    alone = {threads: statistics.median(found[0, threads]) for threads in (1, cores)}
    for count in LOOPS:
        every, free = (statistics.median(found[count, threads]) for threads in (cores, CHOSEN))
        say.append(
            f"beside {count} busy loops: {every:6.1f} with a thread for each core, {free:6.1f} with what is free "
            f"({', '.join(str(number) for number in sorted(chosen[count]))}): {free / every:.1f} times"
        )
        for number in sorted(chosen[count] & alone.keys()):
            share = min(1.0, cores / (number + count))
            fair = alone[number] * share
            say.append(f"    fair share of {number}: {fair:6.1f}; it does {free / fair:.2f} of that")
