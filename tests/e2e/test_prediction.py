"""Predictions in real processes: killed, resumed, hung up, stopped, out of space, in parts, behind a training."""

import os
import pty
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from disc_support import make_discs
from live_worker import start_worker
from patience import LONGEST_S
from program_support import mia, program
from run_support import make_run as make_untrained_run
from run_support import wait_for
from training_support import make_run, train
from worker_nursery import Ended, Nursery

from mia_tui.paths import StateFolder, user_jobs
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.prediction.create import create_prediction
from mia_tui.runs.prediction.shards import shard_file
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventReader
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.liveness import run_status

pytestmark = pytest.mark.e2e

LONG_S = 120.0  # for a busy machine; nothing here needs it on a quiet one
COUNT = 600
SETTINGS = {"batch_size": 8, "precision": "fp32", "threads": 1}
OPTIONS = ("--batch-size", 8, "--precision", "fp32", "--threads", 1)

WORK = """
import os, sys
import mia_tui.engine.jobs.predict as predict, mia_tui.runs.prediction.result as result, mia_tui.worker as worker
die = lambda: os.kill(os.getpid(), 9)
{setup}
sys.exit(worker.main())
"""

COMMAND = """
import os, sys
import mia_tui.engine.jobs.predict as predict
from mia_tui.cli.main import command
from mia_tui.cli.output.report import run
words = sys.argv[1:]
{setup}
sys.exit(run(lambda: command.main(words, prog_name="mia-tui", standalone_mode=False)))
"""


class Whole(NamedTuple):
    """Images, a trained network, and the file of its predictions that nothing interrupted."""

    images: Path
    network: RunDir
    out: bytes


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Whole:
    folder = tmp_path_factory.mktemp("whole")
    discs = make_discs(folder / "discs")
    network = make_run(discs, epochs=1, lr=0.003)
    threads = torch.get_num_threads()
    assert train(network)[0].outcome == "finished"
    torch.set_num_threads(threads)
    images = link_images(discs, folder / "images", COUNT)
    run = create_prediction(images, network.best_weights, out=str(folder / "whole.csv"), **SETTINGS)
    assert work(nursery, run).code == 0
    return Whole(images, network, (folder / "whole.csv").read_bytes())


def link_images(discs: Path, folder: Path, count: int) -> Path:
    """A folder with so many images, in three folders, all of them links to a few."""
    few = sorted(discs.rglob("*.png"))
    for index in range(count):
        place = folder / f"plate {index % 3}" / f"cell-{index}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.hardlink_to(few[index % len(few)])
    (folder / "plate 1" / "cell-1.png").unlink()
    (folder / "plate 1" / "cell-1.png").write_bytes(b"torn")
    return folder


def begin(whole: Whole, out: Path, **settings: object) -> RunDir:
    """A prediction that nobody has worked on yet."""
    given = {**SETTINGS, **settings}
    return create_prediction(whole.images, whole.network.best_weights, out=str(out), **given)


def work(nursery: Nursery, run: RunDir, setup: str = "") -> Ended:
    return nursery.run(WORK.format(setup=setup), run.path)


def words_of(whole: Whole, out: Path, *more: object) -> list[object]:
    """The command that predicts the images."""
    return ["predict", whole.images, "--run", whole.network.path, "--out", out, *OPTIONS, *more]


def rows_in(run: RunDir) -> int:
    """How many rows a prediction has written; its file has a heading."""
    with suppress(FileNotFoundError):
        return max(0, run.rows.read_bytes().count(b"\n") - 1)
    return 0


def sentences_of(run: RunDir) -> str:
    """All that a run has said it does."""
    return "\n".join(getattr(event, "message", "") for event in EventReader(run.events).read_new())


def assert_as_if_unbroken(run: RunDir, out: Path, whole: Whole) -> None:
    """The file of one process to the byte, and nothing that only a growing prediction needs."""
    assert run_status(run) == "finished"
    assert out.read_bytes() == whole.out
    assert not run.rows.exists() and not run.listing.exists()
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []
    result = read_state(run).result
    assert result is not None
    assert (sum(result.counts.values()), result.problem_count) == (COUNT - 1, 1)
    assert list(result.problems) == ["plate 1/cell-1.png"]


# Killed

MOMENTS = {
    "while it looks for images": """
real = predict._counted
def counted(attempt, images, frames_of):
    for number, image in enumerate(real(attempt, images, frames_of)):
        if number == 100:
            die()
        yield image
predict._counted = counted
""",
    "before the first row": """
predict.PredictionRows.append = lambda self, rows: die()
""",
    "in the middle of a row": """
real = predict.PredictionRows.append
def append(self, rows):
    real(self, rows)
    if self._size > 20_000:
        with self.path.open("ab") as file:
            file.write(b'{"file":"plate 1/ce')
        die()
predict.PredictionRows.append = append
""",
    "in the middle of a batch": """
predict._LEAST_ROWS = 1
real = predict.PredictionRows.append
def append(self, rows):
    rows = list(rows)
    if self._size > 20_000:
        real(self, rows[:3])
        die()
    real(self, rows)
predict.PredictionRows.append = append
""",
    "while it writes the result": """
real = os.replace
def replace(*names, **where):
    if "p.csv" in str(names[1]):
        die()
    return real(*names, **where)
os.replace = replace
""",
    "between the result and its event": """
predict.write_result = lambda *given, **more: (result.write_result(*given, **more), die())
""",
    "before it says that it has finished": """
predict._clear = lambda run: die()
""",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_and_resumed_prediction_is_that_of_an_unbroken_one(
    nursery: Nursery, whole: Whole, tmp_path: Path, moment: str
) -> None:
    out = tmp_path / "p.csv"
    run = begin(whole, out)
    assert work(nursery, run, MOMENTS[moment]).code == -signal.SIGKILL
    assert run_status(run) == "lost"
    done = rows_in(run)
    ended = work(nursery, run)
    assert ended.code == 0, ended.err
    assert_as_if_unbroken(run, out, whole)
    if done and moment != "before it says that it has finished":
        assert f"; {done - done % 8} images are already predicted" in sentences_of(run)


WAIT_TO_BE_KILLED = """
import time
real = predict.PredictionRows.append
def append(self, rows):
    if self.path.read_bytes().count(b"\\n") > {rows}:
        time.sleep(300)
    real(self, rows)
predict.PredictionRows.append = append
"""


def test_a_prediction_that_is_killed_again_and_again_is_continued_by_the_same_command(
    nursery: Nursery, whole: Whole, tmp_path: Path
) -> None:
    out, runs = tmp_path / "p.csv", list_runs(user_jobs(whole.images))
    words = words_of(whole, out)
    run: RunDir | None = None
    for rows in (100, 300):
        process = nursery.start(COMMAND.format(setup=WAIT_TO_BE_KILLED.format(rows=rows)), *words)
        wait_for(lambda: any(rows_in(one) >= rows for one in new_runs(whole, runs)), LONG_S)  # noqa: B023
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        [run] = new_runs(whole, runs)
        assert run_status(run) == "lost"
    assert run is not None
    ended = nursery.run(COMMAND.format(setup=""), *words)
    assert ended.code == 0, ended.err
    assert "images are already predicted" in ended.out
    assert new_runs(whole, runs) == [run] and read_state(run).attempt == 3
    assert_as_if_unbroken(run, out, whole)


def new_runs(whole: Whole, before: list[RunDir]) -> list[RunDir]:
    """Predictions of the images, which are no dataset, besides those before."""
    return [run for run in list_runs(user_jobs(whole.images)) if run not in before]


# Stopped, hung up, watched

SIGNALLED = """
real = predict.PredictionRows.append
def append(self, rows):
    real(self, rows)
    if self.path.read_bytes().count(b"\\n") > 200:
        {action}
predict.PredictionRows.append = append
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_prediction_in_front_and_the_same_command_continues_it(
    nursery: Nursery, whole: Whole, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out, runs = tmp_path / "p.csv", list_runs(user_jobs(whole.images))
    setup = SIGNALLED.format(action=f"os.kill(os.getpid(), {number.value})")
    ended = nursery.run(COMMAND.format(setup=setup), *words_of(whole, out))
    assert ended.code == code
    assert "the same command continues where it stopped" in ended.err.replace("\n", " ")
    assert "Traceback" not in ended.err
    [run] = new_runs(whole, runs)
    assert run_status(run) == "stopped" and 200 <= rows_in(run) < COUNT and not out.exists()
    ended = nursery.run(COMMAND.format(setup=""), *words_of(whole, out))
    assert ended.code == 0, ended.err
    assert_as_if_unbroken(run, out, whole)


def test_a_stop_file_stops_a_prediction_and_any_other_worker_continues_it(
    nursery: Nursery, whole: Whole, tmp_path: Path
) -> None:
    out = tmp_path / "p.csv"
    run = begin(whole, out)
    setup = SIGNALLED.format(action="open(os.path.join(sys.argv[1], 'stop'), 'w').close()")
    setup += "\nimport mia_tui.runs.worker.control as control\ncontrol._LOOK_EVERY_S = 0.0\n"
    assert work(nursery, run, setup).code == 0
    assert run_status(run) == "stopped" and not run.stop.exists() and rows_in(run) >= 200
    assert work(nursery, run).code == 0
    assert_as_if_unbroken(run, out, whole)


WAIT_FOR_GO = """
import os, time
import mia_tui.engine.jobs.predict as predict
real = predict.PredictionRows.append
def append(self, rows):
    real(self, rows)
    while not os.path.exists({go!r}):
        time.sleep(0.01)
predict.PredictionRows.append = append
"""


def test_a_prediction_in_front_goes_on_when_its_terminal_vanishes(whole: Whole, tmp_path: Path) -> None:
    go, out, runs = tmp_path / "go", tmp_path / "p.csv", list_runs(user_jobs(whole.images))
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        before = WAIT_FOR_GO.format(go=str(go))
        os.execv(sys.executable, program(*words_of(whole, out), before=before))
    os.set_blocking(terminal, False)

    def has_begun() -> bool:
        with suppress(BlockingIOError):
            os.read(terminal, 1 << 16)  # or it would wait for somebody to read
        return any(rows_in(run) for run in new_runs(whole, runs))

    try:
        wait_for(has_begun, LONG_S)
        os.close(terminal)
        go.touch()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    [run] = new_runs(whole, runs)
    assert_as_if_unbroken(run, out, whole)


def test_a_detached_prediction_outlives_a_hangup_is_watched_by_two_stopped_and_resumed(
    nursery: Nursery, whole: Whole, tmp_path: Path
) -> None:
    out, runs = tmp_path / "p.csv", list_runs(user_jobs(whole.images))
    slow = [*words_of(whole, out), "--tta"]
    begun = mia(*slow, "--detach", "--json")
    assert begun.returncode == 0, begun.stderr
    [run] = new_runs(whole, runs)
    pid = int(begun.stdout.split('"pid": ')[1].split("}")[0])
    try:
        os.kill(pid, signal.SIGHUP)
        watchers = [
            subprocess.Popen(
                program("runs", "follow", run.path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        wait_for(lambda: rows_in(run) >= 64, LONG_S)
        # Or it would be done before a busy machine has started the next commands.
        os.kill(pid, signal.SIGSTOP)
        again = nursery.run(COMMAND.format(setup=""), *slow)
        assert again.code == 1 and "is making the same prediction" in again.err
        stopping = subprocess.Popen(program("runs", "stop", run.path), stderr=subprocess.PIPE, text=True)
        wait_for(run.stop.exists, LONG_S)
        os.kill(pid, signal.SIGCONT)
        assert stopping.communicate(timeout=LONGEST_S)[1] == "" and stopping.returncode == 0
        said = [watcher.communicate(timeout=LONGEST_S) for watcher in watchers]
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    assert [watcher.returncode for watcher in watchers] == [0, 0], said
    assert all("is stopped" in out for out, _ in said), said
    assert run_status(run) == "stopped" and 64 <= rows_in(run) < COUNT
    assert run.worker_log.read_text() == ""
    ended = nursery.run(COMMAND.format(setup=""), *slow)
    assert ended.code == 0 and "already predicted" in ended.out
    assert run_status(run) == "finished" and len(out.read_text().splitlines()) == COUNT


# Disks

FILL_UP = """
import io, os
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
import mia_tui.engine.jobs.predict as predict
from mia_tui.cli.main import command
from mia_tui.cli.output.report import run as run_command
disk, ballast = Path(sys.argv[1]), Path(sys.argv[1]) / "ballast"
full = [True]

def fill():
    with ballast.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(512))
            except OSError:
                return

real = predict.{when}
def fill_first(*given, **more):
    if full[0] and {condition}:
        fill()
    return real(*given, **more)
predict.{when} = fill_first

def predict_all():
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run_command(lambda: command.main(sys.argv[2:], prog_name="mia-tui", standalone_mode=False))
    return code, out.getvalue(), err.getvalue()

for _ in range(2):
    code, out, err = predict_all()
    assert code == 1, (out, err)
    assert "The disk that holds " in err and "is full. Free some space" in err, err
full[0] = False
ballast.unlink()
code, out, err = predict_all()
assert code == 0, err
print("already predicted" in out)
"""


def test_a_disk_with_the_run_that_fills_up_is_said_and_no_row_is_lost(
    nursery: Nursery, whole: Whole, tmp_path: Path
) -> None:
    disk, out = tmp_path / "disk", tmp_path / "p.csv"
    code = FILL_UP.format(when="PredictionRows.append", condition="given[0]._size > 20_000")
    words = words_of(whole, out, "--state", disk / "state")
    assert nursery.on_small_disk(disk, code, disk, *words) == "True"
    assert out.read_bytes() == whole.out


def test_a_disk_for_the_result_that_is_full_at_the_end_costs_no_prediction(
    nursery: Nursery, whole: Whole, tmp_path: Path
) -> None:
    disk, kept = tmp_path / "disk", tmp_path / "kept.csv"
    code = FILL_UP.format(when="write_result", condition="True")
    code += f"\nimport shutil; shutil.copy(disk / 'p.csv', {str(kept)!r})"
    assert nursery.on_small_disk(disk, code, disk, *words_of(whole, disk / "p.csv")) == "True"
    assert kept.read_bytes() == whole.out


# Renamed first: a file that the worker writes meanwhile would keep the folder in place.
DELETE = """
import shutil
def delete(folder):
    os.rename(folder, folder + ".gone")
    shutil.rmtree(folder + ".gone")
import mia_tui.runs.disk as disk
disk.DELETED_S = 0.2  # found out in writing; whoever asks whether to stop would take longer
disk.LOOK_EVERY_S = 0.05
"""


def test_a_prediction_whose_folder_is_deleted_ends_and_leaves_nothing(
    nursery: Nursery, whole: Whole, tmp_path: Path
) -> None:
    out = tmp_path / "p.csv"
    run = begin(whole, out)
    action = "os.path.exists(sys.argv[1]) and delete(sys.argv[1])"
    ended = work(nursery, run, DELETE + SIGNALLED.format(action=action))
    assert ended.code != 0
    assert "Traceback" not in ended.err
    assert not run.path.exists() and not out.exists()


UNMOUNT = """
import os, shutil, subprocess, threading
from pathlib import Path
import mia_tui.engine.jobs.predict as predict
from mia_tui.runs import disk
from mia_tui.runs.prediction.create import create_prediction
from mia_tui.runs.record.events import Phase
from mia_tui.worker import work
store, drive, weights, out = map(Path, sys.argv[1:5])
drive.mkdir()
disk.LOOK_EVERY_S = 0.1
mount = lambda: subprocess.run(["mount", "--bind", store, drive], check=True)
unmount = lambda: subprocess.run(["umount", "-l", drive], check=True)
mount()
waited = []

def observe(event):
    if isinstance(event, Phase) and event.name == "waiting":
        waited.append(event.message)
        threading.Timer(0.2, mount).start()

settings = dict(batch_size=8, precision="fp32", threads=1)
run = create_prediction(drive / "images", weights, out=str(out), **settings)
gone = []
{vanish}
result = work(run, foreground=False, observe=observe)
print(result.outcome, len(waited))
"""

VANISH = {
    "while it predicts": """
real = predict.PredictionRows.append
def append(self, rows):
    if self._size > 20_000 and not gone:
        gone.append(unmount())
    real(self, rows)
predict.PredictionRows.append = append
""",
    "while it looks for images": """
real = predict._counted
def counted(attempt, images, frames_of):
    for number, image in enumerate(real(attempt, images, frames_of)):
        if number == 100 and not gone:
            gone.append(unmount())
        yield image
predict._counted = counted
""",
    "before it looks for images": """
real = predict.load_network
def load_network(*given):
    gone.append(unmount())
    return real(*given)
predict.load_network = load_network
""",
}


@pytest.mark.skipif(sys.platform != "linux", reason="on Linux a process can have mounts of its own")
@pytest.mark.parametrize("moment", VANISH)
def test_a_drive_with_the_images_that_is_unmounted_and_mounted_again_makes_no_difference(
    nursery: Nursery, whole: Whole, tmp_path: Path, moment: str
) -> None:
    out = tmp_path / "p.csv"
    code = UNMOUNT.replace("{vanish}", VANISH[moment])
    store, weights = whole.images.parent, whole.network.best_weights
    said = nursery.with_own_mounts(code, store, tmp_path / "drive", weights, out)
    assert said == "finished 1"
    assert out.read_bytes() == whole.out


# In parts

DIE_AFTER = """
real = predict.PredictionRows.append
written = [0]
def append(self, rows):
    written[0] += 1
    if written[0] > {writes}:
        die()
    real(self, rows)
predict.PredictionRows.append = append
"""


def test_parts_that_are_killed_at_random_and_repeated_are_joined_to_the_file_of_one_process(
    nursery: Nursery, whole: Whole, tmp_path: Path
) -> None:
    out, chance = tmp_path / "p.csv", random.Random(5)
    numbers = list(range(1, 9))
    chance.shuffle(numbers)
    for number in numbers:
        run = begin(whole, out, shard=(number, 8))
        setup = "predict._LEAST_ROWS = 1\n" + DIE_AFTER.format(writes=chance.randrange(8))
        assert work(nursery, run, setup).code == -signal.SIGKILL
        assert not shard_file(out, (number, 8)).exists()
        ended = nursery.run(COMMAND.format(setup=""), *words_of(whole, out, "--shard", f"{number}/8"))
        assert ended.code == 0, ended.err
        assert run_status(run) == "finished"
    joined = nursery.run(COMMAND.format(setup=""), "predict", "--join", out)
    assert joined.code == 0, joined.err
    assert out.read_bytes() == whole.out
    assert list(tmp_path.iterdir()) == [out]


# Behind a training


@pytest.fixture
def training(whole: Whole) -> Iterator[tuple[RunDir, "subprocess.Popen[str]"]]:
    """A training that is at work, with the weights of `whole`."""
    run = make_untrained_run(whole.network.path.parent.parent)
    shutil.copytree(whole.network.checkpoints, run.checkpoints)
    worker = start_worker(run)
    yield run, worker
    worker.kill()
    worker.wait()


def test_a_prediction_waits_for_a_training_and_takes_the_weights_that_it_ends_with(
    nursery: Nursery, whole: Whole, training: "tuple[RunDir, subprocess.Popen[str]]", tmp_path: Path
) -> None:
    run, worker = training
    out, runs = tmp_path / "p.csv", list_runs(user_jobs(whole.images))
    words = ["predict", whole.images, "--run", run.path, "--out", out, *OPTIONS, "--after", run.path]
    process = nursery.start(COMMAND.format(setup=""), *words)
    wait_for(lambda: any(read_state(made).phase == "waiting" for made in new_runs(whole, runs)), LONG_S)
    [made] = new_runs(whole, runs)
    assert read_state(made).phase_message == f"waiting for the run {run.name} to end"
    other = make_run(whole.network.path.parent.parent.with_name("discs"), epochs=1, seed=8)
    threads = torch.get_num_threads()
    assert train(other)[0].outcome == "finished"
    torch.set_num_threads(threads)
    other.best_weights.replace(run.best_weights)
    worker.kill()
    worker.wait()
    ended = process.wait()
    assert ended.code == 0, ended.err
    assert f"This run starts when the run {run.name} has ended." in ended.out
    assert run_status(made) == "finished"
    assert out.read_bytes() != whole.out and other.name in out.read_text()


def test_an_evaluation_waits_for_a_training_and_hears_a_stop(
    nursery: Nursery, whole: Whole, training: "tuple[RunDir, subprocess.Popen[str]]"
) -> None:
    run, worker = training
    discs = whole.network.path.parent.parent.with_name("discs")
    words = ["evaluate", discs, "--run", whole.network.path, "--split", "val", "--after", run.name]
    process = nursery.start(COMMAND.format(setup=""), *words)

    def waiting() -> list[RunDir]:
        found = list_runs(StateFolder(run.path.parent.parent))
        return [one for one in found if read_state(one).phase == "waiting"]

    wait_for(lambda: bool(waiting()), LONG_S)
    [made] = waiting()
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait().code == 143
    assert run_status(made) == "stopped"
    worker.kill()
    worker.wait()
    assert work(nursery, made).code == 0
    assert run_status(made) == "finished" and made.confusion("evaluation").exists()
