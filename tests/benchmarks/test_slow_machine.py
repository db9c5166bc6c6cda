"""F2 on slow machines, beside a floor program and textual-image's widget in the same run: ratios hold elsewhere, too.

    pytest -m benchmark tests/benchmarks/test_slow_machine.py -s

Takes eight minutes. The machine is made slow for the programs, not for the terminal: by one core for all threads, and
by a quota of half a core (a control group, for which one has to be root). With a quota in long periods a key is
answered at full speed, unless other work has used the period up; in short ones everything takes twice as long.
"""

import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import pytest
from screen_timing import GRAPHICS, PEERS, SCREEN, Times, linked, measure_peer, open_app, times_of
from terminal_driver import TerminalApp, python_app
from terminal_stream import Answer

pytestmark = pytest.mark.benchmark

ROUNDS, PRESSES, IMAGES = 2, 12, 300
REST_S = 0.4  # between two keys: time to make the next picture
CGROUPS = Path("/sys/fs/cgroup")
ONE_CORE = ("taskset", "-c", "0")


@contextmanager
def half_a_core(period_us: int) -> Iterator[Sequence[str]]:
    """The beginning of a command that gets the processor for half of each period.

    Raises:
        OSError: If no quota can be set here.
    """
    old = CGROUPS / "cpu"
    group = (old if old.is_dir() else CGROUPS) / f"mia-tui-{os.getpid()}"
    group.mkdir()
    try:
        if old.is_dir():
            (group / "cpu.cfs_period_us").write_text(str(period_us))
            (group / "cpu.cfs_quota_us").write_text(str(period_us // 2))
        else:
            (group / "cpu.max").write_text(f"{period_us // 2} {period_us}")
        yield "sh", "-c", f'echo $$ > {group}/cgroup.procs; exec "$@"', "sh"
    finally:
        group.rmdir()


MACHINES: dict[str, partial[AbstractContextManager[Sequence[str]]]] = {
    "as it is": partial(nullcontext, ()),
    "one core": partial(nullcontext, ONE_CORE),
    "half a core, 50 of 100 ms": partial(half_a_core, 100_000),
    "half a core, 5 of 10 ms": partial(half_a_core, 10_000),
}


@pytest.mark.parametrize("graphics", ["half", "sixel"])
@pytest.mark.parametrize("machine", MACHINES)
def test_f2_beside_a_floor_and_a_peer(
    machine: str, graphics: str, tmp_path: Path, photos: list[Path], say: list[str]
) -> None:
    floor, ours, theirs = Times([], []), Times([], []), Times([], [])
    with ExitStack() as stack:
        try:
            before = stack.enter_context(MACHINES[machine]())
        except OSError as error:
            say.append(f"{machine}: not measured, since no quota can be set here: {error}")
            return
        for number in range(ROUNDS):
            home = tmp_path / str(number)
            paint = measure_ours(graphics, photos, home, before, into=ours)
            measure_floor(paint, home, before, into=floor)
            folder, kind = photos[0].parent, GRAPHICS[graphics]
            add(theirs, measure_peer(PEERS[graphics], folder, home, kind, before=before))
    say.append(
        f"{machine:<26}{graphics:>5}: floor {floor.median:5.1f} ms, ours {ours}, {ours.median / floor.median:4.1f} "
        f"times the floor; textual-image {theirs.median:5.0f} ms, {theirs.median / ours.median:4.1f} times as long"
    )


def measure_ours(
    graphics: str, photos: Sequence[Path], home: Path, before: Sequence[str], *, into: Times
) -> bytes:
    """F2 to an image that is ready; returns what was written for one of them."""
    dataset = linked(home / "images", photos, IMAGES)
    command = [*before, *python_app(dataset, "--graphics", graphics)]
    with open_app(dataset, home, graphics, command=command) as app:
        app.press("f2")
        answers = press_again_and_again(app)
    add(into, times_of(answers))
    size = statistics.median_low([answer.painted_bytes for answer in answers])
    return next(answer.data[:size] for answer in answers if answer.painted_bytes == size)


def measure_floor(paint: bytes, home: Path, before: Sequence[str], *, into: Times) -> None:
    (home / "paint").write_bytes(paint)
    program = Path(__file__).with_name("floor_app.py")
    command = [*before, sys.executable, str(program), str(home / "floor.db"), str(home / "paint")]
    with TerminalApp(command, home=home, columns=SCREEN[0], rows=SCREEN[1]) as app:
        app.wait_for("ready")
        add(into, times_of(press_again_and_again(app)))


def press_again_and_again(app: TerminalApp) -> list[Answer]:
    answers = []
    for _ in range(PRESSES):
        app.quiet(REST_S)
        answers.append(app.measure("f2", quiet_s=0.2))
    return answers


def add(to: Times, times: Times) -> None:
    to.ms.extend(times.ms)
    to.kib.extend(times.kib)
