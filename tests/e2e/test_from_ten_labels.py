"""From a folder without labels to a network that was trained twice, in tmux: labels, pages, audit, issues.

    FROM_TEN_LABELS=FOLDER pytest tests/e2e/test_from_ten_labels.py -s

prints the keys and the macro F1 on test/ for another set: FOLDER holds train/ and test/, each with images and a
labels.csv (file,class).
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from run_support import wait_for
from simulated_person import SimulatedPerson
from terminal_driver import clean_environment, python_app
from tmux_support import TmuxApp

from mia_tui.dataset.demo import render_demo
from mia_tui.features.table import FeatureTable
from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.worker.liveness import run_status

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux"),
]

COUNT, TESTED, SIZE_PX = 110, 40, 48
LABELLED, AUDITED = 30, 40
SLOW_S = 240.0


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """A folder with train/ and test/, and the classes of their images beside them."""
    given = os.environ.get("FROM_TEN_LABELS")
    if given:
        shutil.copytree(given, tmp_path / "cells")
    else:
        for part, count, seed in (("train", COUNT, 0), ("test", TESTED, 1)):
            render_demo(tmp_path / "cells" / part, count=count, size_px=SIZE_PX, seed=seed)
    for part in ("train", "test"):
        (tmp_path / "cells" / part / "labels.csv").rename(tmp_path / "cells" / f"{part}.csv")
    return tmp_path / "cells"


def has_features(folder: Path, images: int) -> bool:
    """Whether all images were looked at."""
    table = FeatureTable.open(folder)
    if table is not None:
        table.refresh()
    return table is not None and len(table) >= images


def right_classes(file: Path) -> dict[str, str]:
    with file.open(newline="", encoding="utf-8") as rows:
        return {row["file"]: row["class"] for row in csv.DictReader(rows)}


def mia(home: Path, *arguments: object) -> str:
    environment = clean_environment(home) | {"PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "mia_tui", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def train(app: TmuxApp, folder: Path, number: int) -> None:
    """From the labelling screen through the form to the end of a short training, and back."""
    size, epochs = ("96", "15") if "FROM_TEN_LABELS" in os.environ else ("48", "10")
    app.press("C-t")
    app.wait_for("Train on train", "to train")
    app.press("PageDown", "PageDown")  # to Input
    app.press("C-u")
    app.type(size)
    app.press("PageDown", "PageDown", "PageDown")  # to Run
    app.press("C-u")
    app.type(epochs)
    wait_for(lambda: f"--size {size} --epochs {epochs}" in " ".join(app.screen().split()), timeout_s=SLOW_S)
    app.press("F5")
    app.wait_for("Enter starts")
    app.press("Enter")
    app.wait_for("Finished after", timeout_s=1200.0)
    wait_for(lambda: len(trainings(folder)) == number, timeout_s=SLOW_S)
    app.press("Escape")
    app.wait_for("labelled")


def trainings(folder: Path) -> list[Path]:
    """The trainings that have finished, the newest last."""
    runs = [run for run in list_runs(StateFolder(folder / "mia")) if "resnet" in run.path.name]
    return sorted(run.path for run in runs if run_status(run) == "finished")


def test_from_thirty_labels_to_a_second_training(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, home = cells / "train", tmp_path / "home"
    monkeypatch.setenv("XDG_CACHE_HOME", clean_environment(home)["XDG_CACHE_HOME"])
    right = right_classes(cells / "train.csv")
    classes = sorted(set(right.values()))
    mia(home, "labels", "import", cells / "test", cells / "test.csv")
    command = python_app(folder, "--graphics", "none", "--annotator", "anna")
    with TmuxApp(command, folder=tmp_path, columns=120, rows=40) as app:
        app.wait_for(f"{len(right):,} left")
        person = SimulatedPerson(app, right, classes)
        person.add_classes()
        app.press("F9", "BTab")  # auto mode; the most useful image after each label
        person.label(LABELLED)
        app.wait_for(f"{LABELLED} labelled", f"live, from {LABELLED} labels", timeout_s=SLOW_S)
        wait_for(lambda: has_features(folder, len(right)), timeout_s=SLOW_S)
        wait_for(lambda: "Looking at the images" not in app.screen(), timeout_s=SLOW_S)

        app.press("C-d")
        app.wait_for("Review what?")
        app.type("audit")
        app.press("Enter")
        app.wait_for(f"{AUDITED} of {len(right) - LABELLED:,} suggestions")
        app.press("Enter")
        app.wait_for(f"Audit, 0 of {AUDITED} done")
        person.label(AUDITED)
        app.wait_for("How far are we?", f"from {AUDITED} audited", "suggestions right")
        app.press("Escape")
        app.wait_for("live, from", f"{LABELLED + AUDITED} labelled")

        app.press('"')
        labelled = LABELLED + AUDITED
        while labelled < len(right):
            app.wait_for("look-alike", f"{labelled:,} of {len(right):,} labelled")
            labelled += person.take_page()
        app.wait_for(f"{len(right):,} of {len(right):,} labelled")
        app.press("Escape")
        app.wait_for("live, from")
        say(f"{person.presses} keys for {len(right)} images, {AUDITED} of them an audit")

        scores = []
        train(app, folder, 1)
        scores.append(evaluate(home, cells, trainings(folder)[-1]))
        issues = mia(home, "labels", "issues", folder, "--json").splitlines()
        train(app, folder, 2)
        scores.append(evaluate(home, cells, trainings(folder)[-1]))
        app.press("C-q")
        app.wait_until_ended()
    say(
        f"{len(issues)} label issues; macro F1 on test/ {scores[0]:.3f}, after the second training {scores[1]:.3f}"
    )


def evaluate(home: Path, cells: Path, run: Path) -> float:
    """Macro F1 of a network on test/."""
    score: float = json.loads(mia(home, "evaluate", cells / "test", "--run", run, "--json"))["macro_f1"]
    return score


def say(words: str) -> None:
    """Seen with -s."""
    sys.stdout.write(f"\n{words}\n")
