"""Training in real processes: killed, resumed, hung up, stopped, out of space."""

import os
import pty
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from disc_support import draw_disc
from patience import LONGEST_S
from program_support import mia, program
from run_support import wait_for
from safetensors.torch import load_file
from training_support import assert_same_weights, make_run, train
from worker_nursery import Ended, Nursery

from mia_tui.engine.training import train as train_module
from mia_tui.engine.training.checkpoint import load_state, settle_best
from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.record.events import KnownEvent, RunStarted, StepEnded, UnknownEvent
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventReader
from mia_tui.runs.record.model_card import read_card
from mia_tui.runs.record.state import RunState, read_state
from mia_tui.runs.worker.liveness import run_status

pytestmark = pytest.mark.e2e

LONG_S = 120.0  # for a busy machine; nothing here needs it on a quiet one

WORK = """
import sys
import mia_tui.engine.training.train as train, mia_tui.worker as worker
train.SAVE_EVERY_S = train.EMIT_EVERY_S = 0.0
{setup}
sys.exit(worker.main())
"""

COMMAND = """
import sys
import mia_tui.engine.training.train as train
from mia_tui.cli.main import command
from mia_tui.cli.output.report import run
train.SAVE_EVERY_S = train.EMIT_EVERY_S = 0.0
words = sys.argv[1:]
sys.exit(run(lambda: command.main(words, prog_name="mia-tui", standalone_mode=False)))
"""

# With these, epochs get worse, the rate is lowered again and again, and the run stops early.
RESTLESS = {
    "metric": "loss",
    "lr": 0.03,
    "batch_size": 5,
    "epochs": 12,
    "early_stop": 3,
    "plateau_patience": 1,
}
# With these, every epoch is better than the one before.
STEADY = {"metric": "loss", "lr": 0.003, "seed": 1, "epochs": 3}


class Whole(NamedTuple):
    """A dataset and a run on it that nothing broke off."""

    dataset: Path
    run: RunDir


def whole_run(folder: Path, **settings: object) -> Whole:
    """Train in this process, from start to end."""
    dataset = folder / "discs"
    for index in range(36):
        red = index % 3 > 0
        draw_disc(dataset / ("red" if red else "blue"), f"{index}.png", size_px=40, red=red, seed=index)
    run = make_run(dataset, **settings)
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        patch.setattr(train_module, "SAVE_EVERY_S", 0.0)
        result, _ = train(run)
    torch.set_num_threads(threads)
    assert result.outcome == "finished"
    return Whole(dataset, run)


@pytest.fixture(scope="module")
def restless(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    whole = whole_run(tmp_path_factory.mktemp("restless"), **RESTLESS)
    schedule = torch.load(whole.run.last_checkpoint, weights_only=True)["learner"]["schedule"]
    assert schedule["reductions"] > 0
    assert 3 < len(read_state(whole.run).epochs) < 12
    return whole


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    whole = whole_run(tmp_path_factory.mktemp("steady"), **STEADY)
    saved = [event.epoch for event in events(whole.run) if getattr(event, "is_best", False)]
    assert saved == [1, 2, 3]
    return whole


def events(run: RunDir) -> list[KnownEvent | UnknownEvent]:
    return EventReader(run.events).read_new()


def work(nursery: Nursery, run: RunDir, setup: str = "") -> Ended:
    return nursery.run(WORK.format(setup=setup), run.path)


def assert_as_if_unbroken(run: RunDir, whole: RunDir) -> None:
    """Same weights, last and best, and one row an epoch with the same figures."""
    assert run_status(run) == "finished"
    assert_same_weights(run, whole)
    best, other = load_file(run.best_weights), load_file(whole.best_weights)
    assert best.keys() == other.keys()
    assert all(torch.equal(best[name], other[name]) for name in best)
    assert read_card(run.best_weights).epoch == read_card(whole.best_weights).epoch
    rows, wanted = read_state(run).epochs, read_state(whole).epochs
    assert [(row.epoch, row.train, row.val) for row in rows] == [
        (row.epoch, row.train, row.val) for row in wanted
    ]


# Killed

DIE = "import os\ndie = lambda: os.kill(os.getpid(), 9)\n"

MOMENTS = {
    "before the first step": """
def run_epochs(self):
    die()
train._Training.run_epochs = run_epochs
""",
    "between gradients and weights in mid-epoch": """
real = train.Learner._gradients
def gradients(self, batch):
    result = real(self, batch)
    if self.steps_done == 15:
        die()
    return result
train.Learner._gradients = gradients
""",
    "in the first epoch": """
real = train.Learner.step
def step(self, batch):
    if self.steps_done == 3:
        die()
    return real(self, batch)
train.Learner.step = step
""",
    "while validating": """
real = train._Training._validate
def validate(self, *kept):
    if self.progress.epoch == 3:
        die()
    return real(self, *kept)
train._Training._validate = validate
""",
    "after an epoch's row, before its checkpoint": """
real = train._Training._emit_epoch
def tell(self, *arguments):
    real(self, *arguments)
    if self.progress.epoch == 2:
        die()
train._Training._emit_epoch = tell
""",
    "with epochs that were told and never saved": """
train.SAVE_EVERY_S = 60.0
real = train.Learner.step
def step(self, batch):
    if self.steps_done == 21:
        die()
    return real(self, batch)
train.Learner.step = step
""",
    "in the middle of a line of events": """
real = worker.EventLog.append
def append(self, event):
    if getattr(event, "epoch", 0) == 2 and getattr(event, "step", 0) == 4:
        os.write(self._descriptor, b'{"type":"step_ended","t":17')
        die()
    real(self, event)
worker.EventLog.append = append
""",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_and_resumed_run_has_the_weights_of_an_unbroken_one(
    nursery: Nursery, restless: Whole, moment: str
) -> None:
    run = make_run(restless.dataset, **RESTLESS)
    assert work(nursery, run, DIE + MOMENTS[moment]).code == -signal.SIGKILL
    assert run_status(run) == "lost"
    assert work(nursery, run).code == 0
    assert_as_if_unbroken(run, restless.run)


# Whoever is to kill it may be late.
WAIT_TO_BE_KILLED = """
import time
real = train.Learner.step
def step(self, batch):
    if self.steps_done == {step}:
        time.sleep(300)
    return real(self, batch)
train.Learner.step = step
"""


def test_a_worker_killed_from_outside_again_and_again_ends_alike(nursery: Nursery, restless: Whole) -> None:
    run = make_run(restless.dataset, cache="none", **RESTLESS)
    for attempt, steps in enumerate((8, 4), start=1):
        process = nursery.start(WORK.format(setup=WAIT_TO_BE_KILLED.format(step=10 * attempt)), run.path)
        wait_for(lambda: steps_of(run, attempt) >= steps, LONG_S)  # noqa: B023
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert run_status(run) == "lost"
    assert work(nursery, run).code == 0
    assert_as_if_unbroken(run, restless.run)
    assert read_state(run).attempt == 3


def steps_of(run: RunDir, attempt: int) -> int:
    """Steps that an attempt has told."""
    found, steps = 0, 0
    for event in events(run):
        if isinstance(event, RunStarted):
            found, steps = event.attempt, 0
        steps += isinstance(event, StepEnded)
    return steps if found == attempt else 0


# Dies before the n-th file of a save is synced or renamed, or after the last; one that was to be synced is cut in
# half, as a kill in the middle of writing leaves it.
DIE_SAVING = """
left = [{point}]
saving = [False]
def count(cut=None):
    if saving[0]:
        left[0] -= 1
        if left[0] < 0:
            if cut is not None:
                os.truncate(f"/proc/self/fd/{{cut}}", os.fstat(cut).st_size // 2)
            die()
real_fsync, real_replace, real_save = os.fsync, os.replace, train.save_checkpoint
def fsync(number):
    if not os.path.isdir(f"/proc/self/fd/{{number}}"):
        count(cut=number)
    real_fsync(number)
def replace(*names, **where):
    count()
    return real_replace(*names, **where)
def save(run, state, best):
    saving[0] = best is not None and best.card.epoch == {epoch}
    real_save(run, state, best)
    if saving[0]:
        die()
os.fsync, os.replace, train.save_checkpoint = fsync, replace, save
"""
POINTS = 8  # three files are synced and renamed, one is renamed a second time; and the end


@pytest.mark.parametrize("point", range(POINTS))
def test_a_run_killed_while_it_saves_goes_on_as_if_nothing_had_happened(
    nursery: Nursery, steady: Whole, tmp_path: Path, point: int
) -> None:
    run = make_run(steady.dataset, **STEADY)
    assert work(nursery, run, DIE + DIE_SAVING.format(point=point, epoch=2)).code == -signal.SIGKILL
    state = load_state(run)
    assert state is not None
    saved = 2 if point >= 4 else 1  # best.next.safetensors and last.pt are in their places
    assert state["progress"]["epoch"] == saved + 1

    settled = RunDir(Path(shutil.copytree(run.path, tmp_path / run.name)))
    settle_best(settled, state["best_epoch"])
    assert read_card(settled.best_weights).epoch == state["best_epoch"] == saved
    assert settled.model_json.exists()

    assert work(nursery, run).code == 0
    assert_as_if_unbroken(run, steady.run)
    assert sorted(path.name for path in run.checkpoints.iterdir()) == [
        "best.safetensors",
        "last.pt",
        "model.json",
    ]


def test_there_are_no_more_points_in_a_save_than_are_tried(nursery: Nursery, steady: Whole) -> None:
    run = make_run(steady.dataset, **STEADY)
    tell = "die = lambda: print(1000 - left[0])"
    said = work(nursery, run, DIE + DIE_SAVING.format(point=1000, epoch=2) + tell)
    assert int(said.out.split()[0]) == POINTS - 1, said


@pytest.mark.parametrize("point", [3, 4])
def test_a_run_killed_in_its_very_first_save_goes_on(nursery: Nursery, steady: Whole, point: int) -> None:
    run = make_run(steady.dataset, **STEADY)
    assert work(nursery, run, DIE + DIE_SAVING.format(point=point, epoch=1)).code == -signal.SIGKILL
    assert work(nursery, run).code == 0
    assert_as_if_unbroken(run, steady.run)


# Hung up, followed, stopped


def small(dataset: Path, *more: object) -> list[object]:
    """The command that trains on a dataset, with little to compute."""
    settings = ["--backbone", "timm:test_resnet", "--size", 32, "--batch-size", 8, "--threads", 1]
    return ["train", dataset, *settings, "--precision", "fp32", "--drop-rate", 0.2, *more]


def only_run(dataset: Path) -> RunDir:
    (run,) = list_runs(StateFolder(dataset.with_name(f"{dataset.name}.mia")))
    return run


def rows_of(run: RunDir) -> list[int]:
    return [row.epoch for row in read_state(run).epochs]


def has_epochs(run: RunDir, count: int) -> bool:
    return len(rows_of(run)) >= count


# The third epoch begins when there is a file that says so.
WAIT_IN_THE_THIRD = """
import os, time
import mia_tui.engine.training.train as train
real = train._Training._train_epoch
def train_epoch(self):
    while self.progress.epoch == 3 and not os.path.exists({go!r}):
        time.sleep(0.01)
    return real(self)
train._Training._train_epoch = train_epoch
"""


def test_a_run_in_front_goes_on_when_its_terminal_vanishes(discs: Path, tmp_path: Path) -> None:
    go = tmp_path / "go"
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        before = WAIT_IN_THE_THIRD.format(go=str(go))
        os.execv(sys.executable, program(*small(discs, "--epochs", 15), before=before))
    state = StateFolder(discs.with_name("discs.mia"))
    os.set_blocking(terminal, False)

    def has_begun() -> bool:
        with suppress(BlockingIOError):
            os.read(terminal, 1 << 16)  # or the run would wait for somebody to read
        return any(has_epochs(run, 1) for run in list_runs(state))

    try:
        wait_for(has_begun, LONG_S)
        os.close(terminal)
        go.touch()
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    assert rows_of(only_run(discs)) == list(range(1, 16))
    assert run_status(only_run(discs)) == "finished"


def test_a_detached_run_outlives_a_hangup_is_followed_stopped_and_resumed(
    nursery: Nursery, discs: Path
) -> None:
    begun = mia(*small(discs, "--epochs", 100_000, "--detach", "--json"))
    assert begun.returncode == 0, begun.stderr
    run = only_run(discs)
    pid = int(begun.stdout.split('"pid": ')[1].split("}")[0])
    try:
        os.kill(pid, signal.SIGHUP)
        follower = subprocess.Popen(
            program("runs", "follow", run.path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_for(lambda: has_epochs(run, 2), LONG_S)
        os.kill(pid, signal.SIGHUP)
        done = len(rows_of(run))
        wait_for(lambda: has_epochs(run, done + 2), LONG_S)
        assert run_status(run) == "running"
        again = mia("train", "--resume", run.path)
        assert again.returncode == 1 and "already being worked on" in again.stderr
        stopped = mia("runs", "stop", "last", "--dataset", discs)
        assert stopped.returncode == 0 and "is asked to stop" in stopped.stdout
        out, err = follower.communicate(timeout=LONGEST_S)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    assert follower.returncode == 0, err
    assert f"{run.name} is stopped" in out and "1/100000" in out
    assert run_status(run) == "stopped"
    assert run.worker_log.read_text() == ""

    epochs = len(rows_of(run))
    resumed = nursery.start(COMMAND, "train", discs, "--resume", "last")
    wait_for(lambda: read_state(run).attempt == 2 and has_epochs(run, epochs + 1), LONG_S)
    os.kill(resumed.pid, signal.SIGTERM)
    ended = resumed.wait()
    assert ended.code == 143
    assert "Resuming epoch" in ended.out
    assert rows_of(run) == list(range(1, len(rows_of(run)) + 1))


SIGNALLED = """
import os
from mia_tui.engine.training.learner import Learner
real = Learner.step
def step(self, batch):
    if self.steps_done == 6:  # in the middle of the second epoch
        os.kill(os.getpid(), {number})
    return real(self, batch)
Learner.step = step
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_in_front_with_its_checkpoint_named(
    nursery: Nursery, steady: Whole, number: signal.Signals, code: int
) -> None:
    run = make_run(steady.dataset, **STEADY)
    ended = nursery.run(SIGNALLED.format(number=number.value) + COMMAND, "train", "--resume", run.path)
    assert ended.code == code
    assert str(run.last_checkpoint) in ended.err
    assert f"mia-tui train --resume {run.path}" in ended.err
    assert "Traceback" not in ended.err
    assert run_status(run) == "stopped"

    with run.events.open("r+b") as file:  # as a full disk or a kill leaves it
        file.truncate(file.seek(0, os.SEEK_END) - 20)
    assert run_status(run) == "lost"
    reader, state = EventReader(run.events), RunState(metric="loss")
    for event in reader.read_new():
        state.apply(event)
    assert [row.epoch for row in state.epochs] == [1]
    assert work(nursery, run).code == 0
    reader.read_new()
    assert reader.bad_lines == 1
    assert_as_if_unbroken(run, steady.run)


def test_a_disk_that_fills_up_is_said_and_nothing_is_lost(
    nursery: Nursery, steady: Whole, tmp_path: Path
) -> None:
    said = nursery.on_small_disk(
        tmp_path / "disk",
        """
        import io, os, shutil
        from contextlib import redirect_stderr, redirect_stdout
        from pathlib import Path
        from training_support import assert_same_weights
        import mia_tui.engine.training.train as train
        from mia_tui.cli.main import command
        from mia_tui.cli.output.report import run as run_command
        from mia_tui.runs.record.layout import RunDir
        from mia_tui.runs.worker.liveness import run_status
        from mia_tui.runs.record.state import read_state
        train.SAVE_EVERY_S = 0.0
        disk, given, whole = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
        run = RunDir(Path(shutil.copytree(given, disk / given.name)))
        ballast = disk / "ballast"

        real = train._Training._train_epoch
        def fill_in_the_second_epoch(self):
            if self.progress.epoch == 2 and not ballast.exists():
                with ballast.open("wb", buffering=0) as file:
                    while True:
                        try:
                            file.write(bytes(4096))
                        except OSError:
                            break
            return real(self)
        train._Training._train_epoch = fill_in_the_second_epoch

        def resume():
            out, err = io.StringIO(), io.StringIO()
            with redirect_stdout(out), redirect_stderr(err):
                words = ["train", "--resume", str(run.path)]
                code = run_command(lambda: command.main(words, prog_name="mia-tui", standalone_mode=False))
            return code, err.getvalue()

        code, err = resume()
        assert code == 1, err
        assert err.startswith("The disk that holds ") and err.count("\\n") == 1, err
        assert "is full. Free some space" in err, err
        assert run_status(run) in ("failed", "lost")
        code, err = resume()
        assert code == 1 and err.startswith("The disk that holds "), err
        ballast.unlink()
        ballast = Path("/dev/null")
        code, err = resume()
        assert (code, err) == (0, ""), err
        assert_same_weights(run, RunDir(whole))
        print([row.epoch for row in read_state(run).epochs], run_status(run))
        """,
        tmp_path / "disk",
        make_run(steady.dataset, **STEADY).path,
        steady.run.path,
        options="size=24m",
    )
    assert said.splitlines()[-1] == "[1, 2, 3] finished"
