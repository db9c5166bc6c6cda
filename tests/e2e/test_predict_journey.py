"""A prediction in tmux as a person goes through it: train on a folder, predict another, leave, come back, accept."""

import shutil
from pathlib import Path

import pytest
from demo_support import labelled_demo
from run_support import wait_for
from screen_support import labels_in
from terminal_driver import python_app
from tmux_support import TmuxApp

from mia_tui.dataset.demo import render_demo
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.worker.liveness import run_status

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux"),
]

COUNT, SIZE_PX = 40, 48
SLOW_S = 180.0


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    return labelled_demo(tmp_path / "demo", count=COUNT, size_px=SIZE_PX, unlabelled=0)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A folder with one class of its own, and no label."""
    render_demo(tmp_path / "other", count=COUNT, size_px=SIZE_PX)
    (tmp_path / "other" / "labels.csv").unlink()
    with LabelStore(tmp_path / "other" / "mia" / "labels.db") as store:
        store.add_class("debris")
    return tmp_path / "other"


def open_app(folder: Path) -> TmuxApp:
    return TmuxApp(python_app(folder, "--graphics", "half"), folder=folder.parent, columns=120, rows=40)


def close(app: TmuxApp) -> None:
    app.press("C-q")
    app.wait_until_ended()


def train(app: TmuxApp) -> None:
    """One epoch with images of 32 pixels."""
    app.press("C-t")
    app.wait_for("Train on demo", "to train")
    app.press("PageDown", "PageDown")  # to Input
    app.press("C-u")
    app.type("32")
    app.press("PageDown", "PageDown", "PageDown")  # to Run
    app.press("C-u")
    app.type("1")
    app.wait_for("--size 32 --epochs 1")
    app.press("F5")
    app.wait_for("Enter starts")
    app.press("Enter")
    app.wait_for("Finished after 1 epoch", timeout_s=SLOW_S)


def test_train_on_one_folder_predict_another_leave_come_back_and_accept(demo: Path, other: Path) -> None:
    with open_app(demo) as app:
        app.wait_for(f"{COUNT} labelled")
        train(app)
        close(app)

    with open_app(other) as app:
        app.wait_for("0 labelled", f"{COUNT} left")
        app.press("C-e")
        app.wait_for("Predict with which network?", "resnet18", "of demo")
        app.press("Enter")
        app.wait_for(f"Predict {COUNT} images?", "none of them in this dataset", "only you make labels")
        app.press("Enter")
        app.wait_for("prediction by", "Loading the libraries")
        app.press("Escape")
        app.wait_for("You can go on labelling")
        close(app)
    [made] = list_runs(StateFolder(other / "mia"))
    wait_for(lambda: run_status(made) == "finished", timeout_s=SLOW_S)  # without any app

    with open_app(other) as app:
        app.wait_for("Enter adds this class")
        app.press("C-u")
        app.wait_for("finished", "prediction", f"{COUNT}/{COUNT}", f"{COUNT} suggestions.")
        app.press("Enter")
        app.wait_for(f"Finished: {COUNT} suggestions.", "[0 Result]", "100%")
        app.press("Escape")
        app.wait_for("Runs of other")
        app.press("Escape")
        app.wait_for("Enter adds this class")
        app.press("Enter")
        app.wait_for("changes nothing")  # it asks before it adds the class
        app.press("Right", "Enter")
        app.wait_for("1 labelled")
        close(app)
    labels = labels_in(other)
    assert [label.source for label in labels.values()] == ["accepted"]
