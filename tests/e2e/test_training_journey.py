"""A training in tmux as a person goes through it: label, start, watch, leave, come back, stop, resume, finish."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from demo_support import labelled_demo
from patience import Patience
from run_support import wait_for
from terminal_driver import python_app
from tmux_support import TmuxApp

from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.control import request_stop
from mia_tui.runs.worker.liveness import run_status

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux"),
]

COUNT, SIZE_PX, LEFT = 60, 48, 4
EPOCHS = 400  # more than a test waits for: it is stopped, and then told by its own form to end sooner
SLOW_S = 180.0


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Path]:
    """A demo set of which all but the first few images are labelled; its workers are stopped in the end."""
    folder = labelled_demo(tmp_path / "demo", count=COUNT, size_px=SIZE_PX, unlabelled=LEFT)
    config = tmp_path / "home" / "xdg_config_home" / "mia-tui" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("live_suggestions = false\n")  # no run but the trainings
    yield folder
    for run in runs_of(folder):
        request_stop(run)
        wait_for(lambda run=run: run_status(run) not in ("starting", "running"), timeout_s=SLOW_S)


def runs_of(folder: Path) -> list[RunDir]:
    return list_runs(StateFolder(folder / "mia"))


def open_app(folder: Path, *, columns: int = 120, rows: int = 40) -> TmuxApp:
    return TmuxApp(python_app(folder, "--graphics", "half"), folder=folder.parent, columns=columns, rows=rows)


def epochs_of(run: RunDir) -> int:
    return len(read_state(run).epochs)


def leave_the_run(app: TmuxApp, *then: str, through_the_table: bool = False) -> None:
    """From a run's screen back to the labelling screen: the way that one came."""
    app.press("Escape")
    if through_the_table:
        app.wait_for("Runs of demo")
        app.press("Escape")
    app.wait_for(*then)


def shorten(run: RunDir, epochs: int) -> None:
    """Have a run that rests end after so many epochs: all that it began with would take minutes."""
    job = run.job()
    config = msgspec.structs.replace(job.config, epochs=epochs)
    (run.path / "job.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(job, config=config)))


def fill_in(app: TmuxApp, epochs: int) -> None:
    """Size 32, this many epochs, batches of 8: the fields as they stand in the form."""
    app.press("PageDown", "PageDown")  # to Input
    app.press("C-u")
    app.type("32")
    app.press("PageDown", "PageDown", "PageDown")  # to Run
    app.press("C-u")
    app.type(str(epochs))
    app.wait_for(f"--size 32 --epochs {epochs}")


def train_for_long(app: TmuxApp) -> None:
    """From the labelling screen through the form to the second epoch of a run."""
    app.press("C-t")
    app.wait_for("Train on demo", "to train")
    fill_in(app, EPOCHS)
    app.press("F5")
    app.wait_for("Enter starts")
    app.press("Enter")
    app.wait_for("epoch 2/", timeout_s=SLOW_S)


def test_label_train_leave_come_back_stop_resume_finish(demo: Path) -> None:
    with open_app(demo) as app:
        app.wait_for(f"{COUNT - LEFT} labelled")
        app.press("1", "F2", "2", "F2")
        app.wait_for(f"{COUNT - LEFT + 2} labelled")

        app.press("C-t")
        app.wait_for("Train on demo", "to train", "mia-tui train")
        fill_in(app, EPOCHS)
        app.press("F5")
        app.wait_for("Check before the start", "Enter starts")
        app.press("Enter")
        app.wait_for("resnet18", "Loading the libraries")
        app.wait_for("epoch 3/", "loss", timeout_s=SLOW_S)
        [run] = runs_of(demo)
        before = app.screen()
        wait_for(lambda: app.screen() != before, timeout_s=SLOW_S)  # curves move

        app.press("C-q")
        app.wait_until_ended()
    assert run_status(run) == "running"
    seen = epochs_of(run)
    wait_for(lambda: epochs_of(run) > seen, timeout_s=SLOW_S)  # without any app

    with open_app(demo) as app:
        app.wait_for(f"{COUNT - LEFT + 2} labelled")
        app.press("C-u")
        app.wait_for("running", "resnet18")
        app.press("Enter")
        app.wait_for("[1 Curves]", "best", "epoch ")
        app.press("s")
        app.wait_for("Stopped after", timeout_s=SLOW_S)
        stopped_at = epochs_of(run)
        wait_for(lambda: run_status(run) == "stopped")  # its process ends behind its last word

        app.press("r")
        app.wait_for("running")
        wait_for(lambda: epochs_of(run) > stopped_at + 1, timeout_s=SLOW_S)
        epochs = [row.epoch for row in read_state(run).epochs]
        assert epochs == list(range(1, len(epochs) + 1)), "an epoch is there twice, or missing"
        assert read_state(run).attempt == 2

        app.press("s")
        app.wait_for("Stopped after", timeout_s=SLOW_S)
        shorten(run, epochs_of(run) + 3)
        app.press("r")
        app.wait_for("Finished after", "100%", timeout_s=SLOW_S)
        assert run_status(run) == "finished"
        epochs = [row.epoch for row in read_state(run).epochs]
        assert epochs == list(range(1, run.job().config.epochs + 1))
        assert run.best_weights.exists()
        leave_the_run(app, f"{COUNT - LEFT + 2} labelled", through_the_table=True)
        app.press("C-q")
        app.wait_until_ended()


def test_a_short_run_finishes_under_an_app_at_80x24(demo: Path) -> None:
    with open_app(demo, columns=80, rows=24) as app:
        app.wait_for(f"{COUNT - LEFT} label")  # a first hint takes up most of the line
        app.press("C-t")
        app.wait_for("Train on demo", "to train")
        fill_in(app, 2)
        app.press("F5")
        app.wait_for("Enter starts")
        app.press("Enter")
        app.wait_for("Finished", timeout_s=SLOW_S)
        [run] = runs_of(demo)
        wait_for(lambda: run_status(run) == "finished")
        assert run.best_weights.exists()
        app.press("4")
        app.wait_for("predicted")
        leave_the_run(app, "labelled")


def test_kill_9_of_the_app_leaves_the_run_alone(demo: Path) -> None:

    with open_app(demo) as app:
        app.wait_for(f"{COUNT - LEFT} labelled")
        train_for_long(app)
        [run] = runs_of(demo)
        os.kill(app.pid, signal.SIGKILL)
        app.wait_until_ended()
    seen = epochs_of(run)
    wait_for(lambda: epochs_of(run) > seen, timeout_s=SLOW_S)
    assert run_status(run) == "running"


def test_labelling_goes_on_while_a_run_trains(demo: Path) -> None:
    with open_app(demo) as app:
        app.wait_for(f"{COUNT - LEFT} labelled")
        train_for_long(app)
        leave_the_run(app, f"{COUNT - LEFT} labelled")
        for n in range(LEFT):
            app.press("1", "F2")
            app.wait_for(f"{COUNT - LEFT + n + 1} labelled")
        [run] = runs_of(demo)
        assert run_status(run) == "running"
        seen, patience = epochs_of(run), Patience(SLOW_S)
        while epochs_of(run) <= seen:
            assert not patience.is_over()
            time.sleep(0.2)
