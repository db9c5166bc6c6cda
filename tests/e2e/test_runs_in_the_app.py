"""The table of runs as a person sees it, over real workers: hung up, killed, frozen, deleted, out of space."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from live_worker import start_worker
from patience import LONGEST_S
from run_support import make_run, on_small_disk, wait_for
from screen_support import Open
from terminal_driver import TerminalApp

from mia_tui.config.train import TrainConfig
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.liveness import read_record, run_status

pytestmark = pytest.mark.e2e

LOST_WITHIN_S = 4 * 5.0  # promised are five seconds; the machine may be busy
LONG_S = 180.0
SMALL = {"columns": 80, "rows": 24}


@pytest.fixture
def run(images: Path) -> RunDir:
    """A run of a dataset, made long ago."""
    run = make_run(images / "mia", created_at=time.time() - 1000, backbone="resnet18")
    os.utime(run.path / "job.json", (1e9, 1e9))
    return run


@pytest.fixture
def worker(run: RunDir) -> Iterator["subprocess.Popen[str]"]:
    process = start_worker(run)
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def real_run(discs: Path) -> Iterator[RunDir]:
    """A run of a real training that takes minutes, not yet begun."""
    state = discs.with_name("state")
    config = TrainConfig(
        backbone="timm:test_resnet",
        width=32,
        height=32,
        batch_size=8,
        epochs=5000,
        threads=1,
        precision="fp32",
    )
    run = prepare_training(read_dataset(discs, state), config).create()
    os.utime(run.path / "job.json", (1e9, 1e9))
    yield run
    record = read_record(run)
    if record is not None and not record.released:
        with suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGKILL)


def run_table(start: Open, *arguments: object) -> TerminalApp:
    """The app with the table of runs."""
    return to_run_table(start(*arguments, **SMALL))


def to_run_table(app: TerminalApp) -> TerminalApp:
    app.wait_for("Assign")
    app.press("ctrl+u")
    app.wait_for("Runs of ")
    return app


def line_of(app: TerminalApp, name: str) -> str:
    return next((line for line in app.screen().splitlines()[2:16] if name in line), "")


def state_of(app: TerminalApp, name: str) -> str:
    """The word in the column of states; empty where there is no such line."""
    return line_of(app, name)[3:12].strip()


def epochs_of(app: TerminalApp, name: str) -> int:
    done = line_of(app, name).partition("/")[0].split()
    return int(done[-1]) if done else 0


def test_a_killed_worker_is_shown_as_lost_within_five_seconds(
    start: Open, images: Path, run: RunDir, worker: "subprocess.Popen[str]"
) -> None:
    app = run_table(start, images)
    wait_for(lambda: state_of(app, "resnet18") == "running")
    worker.kill()
    wait_for(lambda: state_of(app, "resnet18") == "lost", LOST_WITHIN_S)
    app.wait_for("Its worker died.")


def test_a_frozen_worker_is_not_lost_hears_a_stop_when_it_thaws_and_saves(
    start: Open, images: Path, run: RunDir, worker: "subprocess.Popen[str]"
) -> None:
    app = run_table(start, images)
    wait_for(lambda: epochs_of(app, "resnet18") >= 1)
    os.kill(worker.pid, signal.SIGSTOP)
    done = len(read_state(run).epochs)
    wait_for(lambda: epochs_of(app, "resnet18") == done)
    time.sleep(3.0)
    assert (state_of(app, "resnet18"), epochs_of(app, "resnet18")) == ("running", done)
    os.kill(worker.pid, signal.SIGCONT)
    wait_for(lambda: epochs_of(app, "resnet18") > done)
    os.kill(worker.pid, signal.SIGSTOP)
    app.press("s")
    app.wait_for("is asked to stop")
    app.rest()
    assert state_of(app, "resnet18") == "running"
    os.kill(worker.pid, signal.SIGCONT)
    wait_for(lambda: state_of(app, "resnet18") == "stopped")


def test_a_run_whose_folder_is_deleted_by_hand_goes_from_the_table(
    start: Open, images: Path, run: RunDir, worker: "subprocess.Popen[str]"
) -> None:
    app = run_table(start, images)
    wait_for(lambda: state_of(app, "resnet18") == "running")
    shutil.rmtree(run.path, ignore_errors=True)  # a heartbeat may come in between
    shutil.rmtree(run.path, ignore_errors=True)
    wait_for(lambda: not line_of(app, "resnet18"), LOST_WITHIN_S)
    app.wait_for("There are no runs yet")
    assert not run.path.exists(), "the worker made its folder anew"


def test_two_tables_and_a_follower_see_the_same_run_and_a_killed_app_changes_nothing(
    start: Open, images: Path, run: RunDir, worker: "subprocess.Popen[str]"
) -> None:
    first, second = run_table(start, images), run_table(start, images)
    for app in (first, second):
        wait_for(lambda app=app: epochs_of(app, "resnet18") >= 1)  # type: ignore[misc]
    first.kill()
    done = epochs_of(second, "resnet18")
    wait_for(lambda: epochs_of(second, "resnet18") > done)
    second.press("x")
    second.wait_for("will be stopped first")
    second.press("d")
    wait_for(lambda: not run.path.exists())
    assert worker.wait(LONGEST_S) == 0, "it was not asked to stop, but killed"
    second.wait_for("is deleted.")


def test_a_training_outlives_terminal_and_app_and_is_resumed_after_its_death(
    start: Open, discs: Path, real_run: RunDir
) -> None:
    def open_run_table() -> TerminalApp:
        app = start(discs, "--state", real_run.path.parent.parent, **SMALL)
        app.wait_for("Are these folders classes?")
        app.press("escape")
        return to_run_table(app)

    app = open_run_table()
    app.wait_for("created")
    app.press("r")
    wait_for(lambda: epochs_of(app, "test_resnet") >= 2, LONG_S)
    pid = read_record(real_run).pid
    assert os.getpriority(os.PRIO_PROCESS, pid) - os.getpriority(os.PRIO_PROCESS, 0) in (0, 5)
    app.press("enter")  # the run itself, not only the list
    time.sleep(1.0)
    app.hang_up()  # SIGHUP to everything on this terminal
    assert app.wait() != 0
    done = len(read_state(real_run).epochs)
    wait_for(lambda: len(read_state(real_run).epochs) > done, LONG_S)
    assert read_record(real_run).pid == pid and run_status(real_run) == "running"

    again = open_run_table()
    wait_for(lambda: epochs_of(again, "test_resnet") >= done)
    again.kill()
    done = len(read_state(real_run).epochs)
    wait_for(lambda: len(read_state(real_run).epochs) > done, LONG_S)

    last = open_run_table()
    wait_for(lambda: state_of(last, "test_resnet") == "running")
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: state_of(last, "test_resnet") == "lost", LOST_WITHIN_S)
    last.press("r")
    wait_for(lambda: read_state(real_run).attempt == 2, LONG_S)
    wait_for(lambda: state_of(last, "test_resnet") == "running")
    last.press("s")
    wait_for(lambda: state_of(last, "test_resnet") == "stopped", LONG_S)
    epochs = [row.epoch for row in read_state(real_run).epochs]
    assert epochs == list(range(1, len(epochs) + 1)), "an epoch is missing or twice there"


def test_on_a_full_disk_a_run_at_work_is_seen_stopped_and_deleted(tmp_path: Path) -> None:
    code = """
        import os, time
        from pathlib import Path
        from live_worker import start_worker
        from patience import LONGEST_S
        from run_support import make_run, wait_for
        from mia_tui.runs.worker.control import request_stop
        from mia_tui.runs.list.lifecycle import delete_run
        from mia_tui.runs.list.summaries import RunSummaries
        from mia_tui.runs.list.lifecycle import delete_run
        from mia_tui.runs.list.summaries import RunSummaries
        disk = Path(sys.argv[1])
        run = make_run(disk / "mia", created_at=1e9)
        os.utime(run.path / "job.json", (1e9, 1e9))
        worker, table = start_worker(run), RunSummaries([disk / "mia"])
        with (disk / "ballast").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        time.sleep(1.0)
        [row] = table.refresh()
        assert row.status == "running", row
        assert request_stop(run).signalled
        # The signal may come when it has seen the file and hears no signals any more.
        assert worker.wait(LONGEST_S) in (0, -15)
        [row] = table.refresh()
        said_so = row.status
        delete_run(run)
        assert table.refresh() == () and not run.path.exists()
        print(said_so)
    """
    # Its last word found no room: all that can be seen is that no worker has it any more.
    assert on_small_disk(tmp_path / "disk", code, tmp_path / "disk") in ("stopped", "lost")


def test_on_the_screen_of_a_run_a_full_disk_is_said_and_with_space_again_it_goes_on(
    discs: Path, tmp_path: Path
) -> None:
    code = """
        import os, signal
        from contextlib import suppress
        from pathlib import Path
        from run_support import wait_for
        from terminal_driver import TerminalApp, python_app
        from mia_tui.config.train import TrainConfig
        from mia_tui.runs.worker.liveness import read_record, run_status
        from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
        from mia_tui.runs.record.state import read_state
        disk, discs, home = map(Path, sys.argv[1:])
        config = TrainConfig(
            backbone="timm:test_resnet", width=32, height=32, batch_size=8, epochs=5000, threads=1,
            precision="fp32",
        )
        run = prepare_training(read_dataset(discs, disk / "state"), config).create()
        os.utime(run.path / "job.json", (1e9, 1e9))
        ballast = disk / "ballast"

        def said(app):
            # State and figures of a run, above its pages: what a message says that lies below does not count.
            return " ".join(app.screen().partition("1 Curves")[0].split())

        def shows(app, *words):
            wait_for(lambda: all(word in said(app) for word in words), 180.0)

        def epochs():
            return [row.epoch for row in read_state(run).epochs]

        def watch_it_die_on_a_full_disk(app):
            shows(app, "running", "Training on")
            wait_for(lambda: read_state(run).checkpoint is not None, 180.0)
            with ballast.open("wb", buffering=0) as file:
                with suppress(OSError):
                    while True:
                        file.write(bytes(4096))
            # Whether there was room for its last word is chance; that the disk is full is said either way.
            wait_for(lambda: run_status(run) in ("failed", "lost"), 180.0)
            shows(app, run_status(run), "The disk that holds", "is full", "ree some space")
            assert "step " not in said(app) and "images/s" not in said(app), app.screen()

        with TerminalApp(
            python_app(discs, "--state", disk / "state"), home=home, columns=80, rows=24
        ) as app:
            try:
                app.wait_for("Are these folders classes?")
                app.press("escape")
                app.wait_for("Assign")
                app.press("ctrl+u")
                app.wait_for("created")
                app.press("enter")
                app.wait_for("R starts it")
                app.press("r")
                watch_it_die_on_a_full_disk(app)
                seen = len(epochs())

                app.press("escape")
                app.wait_for("Runs of discs")
                app.press("enter")
                app.wait_for("1 Curves")
                before = app.screen().count("is full")
                app.press("r")  # in vain: a worker cannot even say that it is there
                wait_for(lambda: app.screen().count("is full") > before, 60.0)
                assert "log is empty" not in app.screen(), app.screen()
                wait_for(lambda: run_status(run) in ("failed", "lost"), 60.0)
                shows(app, run_status(run), "is full")

                ballast.unlink()
                app.press("escape")
                app.wait_for("Runs of discs")
                app.press("r")
                wait_for(lambda: len(epochs()) > seen and run_status(run) == "running", 180.0)
                app.press("enter")
                shows(app, "running", "Training on")
                assert "is full" not in said(app), app.screen()
                app.press("s")
                shows(app, "stopped", "R resumes it from its checkpoint")
            finally:
                record = read_record(run)
                if record is not None and not record.released:
                    with suppress(ProcessLookupError):
                        os.kill(record.pid, signal.SIGKILL)
        assert epochs() == list(range(1, len(epochs()) + 1)), "an epoch is missing or twice there"
        print(run_status(run))
    """
    disk = tmp_path / "disk"
    assert on_small_disk(disk, code, disk, discs, tmp_path / "home", options="size=24m") == "stopped"
