"""A network that was just trained is asked about the image on screen, through a real terminal and with real torch."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from patience import LONGEST_S
from run_support import wait_for
from screen_support import Open
from terminal_driver import TerminalApp, clean_environment

from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.runs.machine.system import process_runs, start_time
from mia_tui.runs.prediction.one_image import IMAGE_PREDICTOR_MODULE

pytestmark = pytest.mark.e2e

TRAIN = (
    "--backbone",
    "timm:test_resnet",
    "--size",
    "32",
    "--batch-size",
    "8",
    "--epochs",
    "2",
    "--threads",
    "1",
)


@pytest.fixture
def state(discs: Path, tmp_path: Path) -> Path:
    """Where a training of the discs is; its classes are in labels.db."""
    state = tmp_path / "state"
    for words in (
        ["train", str(discs), *TRAIN, "--state", str(state)],
        ["labels", "import", str(discs), "--format", "folders", "--state", str(state)],
    ):
        subprocess.run(
            [sys.executable, "-m", "mia_tui", *words],
            env=clean_environment(tmp_path / "home"),
            check=True,
            capture_output=True,
            timeout=LONGEST_S,
        )
    return state


def helper_of(app: TerminalApp) -> int:
    """The process that the app started."""
    for process in Path("/proc").glob("[0-9]*"):
        words = (process / "cmdline").read_bytes()
        parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        if IMAGE_PREDICTOR_MODULE.encode() in words and parent == app.process.pid:
            return int(process.name)
    raise AssertionError("there is none")


def test_the_network_s_answer_is_shown_and_accepted_and_its_process_ends_with_a_killed_app(
    start: Open, discs: Path, state: Path
) -> None:
    app = start(discs, "--state", state, columns=80, rows=24)
    app.wait_for("Assign")
    app.press("delete", "ctrl+k")
    app.wait_for("test_resnet: ", timeout_s=LONGEST_S)
    screen = app.wait_for("Enter accepts")
    assert "%  Enter accepts" in screen
    app.press("right")
    app.wait_for("2/36")
    app.press("delete")
    app.wait_for("Enter accepts")
    pid = helper_of(app)
    began = start_time(pid)
    app.press("enter")
    app.wait_for("3/36")
    app.kill()
    wait_for(lambda: not process_runs(pid, began))
    store = LabelStore.open_existing(state / "labels.db")
    assert store is not None
    with store:
        [accepted] = [key for key, label in store.labels().items() if label.source == "accepted"]
    assert os.fspath(accepted.path) == "blue/cell-1.png"
