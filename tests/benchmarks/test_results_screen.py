"""The results of a run of 100,000 predictions through a real pty: pages, and from figures to their images and back.

    pytest -m benchmark tests/benchmarks/test_results_screen.py -s

Takes two minutes; times are worth something only on a machine that does nothing else.
"""

import os
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from run_support import epoch_row, finished, make_job, started
from screen_timing import GRAPHICS, SCREEN, first_picture_s, largest_stall_ms, linked, time_of, watched
from terminal_driver import TerminalApp

from mia_tui.paths import StateFolder
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.evaluation.saved_scores import EvaluatedScores, save_scores, scores_file
from mia_tui.runs.record.events import CheckpointSaved, ConfusionSaved
from mia_tui.runs.record.job import JobClass, Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog

pytestmark = pytest.mark.benchmark

IMAGES = int(os.environ.get("RESULTS_IMAGES", "100000"))
CLASSES = int(os.environ.get("RESULTS_CLASSES", "10"))


PAGES = ("metrics", "per class", "matrix", "curves", "reliability", "losses", "threshold")


class TimedApp:
    """Presses keys and keeps how long each took.

    Args:
        app: At rest on its first image.
    """

    def __init__(self, app: TerminalApp) -> None:
        self.app = app
        self.done: list[tuple[str, float, float, float]] = []

    def press(self, what: str, key: str, until: str = "") -> None:
        """Press a key; what counts is the first paint, or the one that has a text."""
        self.app.quiet(0.6)
        mark, pressed_at = self.app.mark(), time.perf_counter()
        answer = self.app.measure(key, quiet_s=0.3)
        taken = answer.first_s
        if until:
            self.app.wait_for(until)
            self.app.quiet(0.3)
            taken = time_of(self.app.chunks(mark), until) - pressed_at
        self.done.append((what, pressed_at, time.perf_counter(), 1000 * taken))


def test_results_of_a_hundred_thousand_predictions(
    tmp_path: Path, photos: list[Path], say: list[str]
) -> None:
    dataset = linked(tmp_path / "images", photos, IMAGES)
    long_results(dataset)
    command, environment = watched(dataset, "--graphics", "half"), {"STALLS": str(tmp_path / "stalls")}
    with TerminalApp(
        command,
        home=tmp_path,
        kind=GRAPHICS["half"],
        columns=SCREEN[0],
        rows=SCREEN[1],
        environment=environment,
    ) as app:
        first_picture_s(app)
        app.quiet(6.0)  # the scan ends, and the modules of other screens are imported
        timed = TimedApp(app)
        visit(timed)
        app.press("ctrl+q")
        app.wait()
    say.append(f"{IMAGES:,} predictions of {CLASSES:,} classes")
    for what, begun, ended, taken in timed.done:
        stall = largest_stall_ms(tmp_path / "stalls", begun, ended)
        say.append(f"  {what:<34} {taken:5.0f} ms, largest stall {stall:3.0f} ms")


def visit(timed: TimedApp) -> None:
    """Every page for the first time and again, and from each to its images and back."""
    app = timed.app
    app.press("ctrl+u")
    app.quiet(1.0)
    app.press("enter")
    app.quiet(1.5)
    timed.press("results, first paint", "f")
    app.wait_for("intervals (")
    timed.press("Esc", "escape")
    timed.press("results, again", "f", until="intervals (")
    for number, page in enumerate(PAGES[1:], 2):
        timed.press(f"{page}, first time", str(number))
        app.quiet(2.0)
    for number, page in enumerate(PAGES, 1):
        timed.press(f"{page}, known", str(number))
    for _ in range(3):
        timed.press("threshold, one step", "right")
    for number, page in enumerate(PAGES[:-1], 1):  # a threshold that leaves no image unsure has none to show
        app.press(str(number))
        timed.press(f"{page}: images", "i", until="goes back to the results")
        timed.press(f"{page}: back", "escape", until="1 Metrics")
        timed.press(f"{page}: tiles", "g", until="Larger")
        app.press("escape")


def long_results(dataset: Path) -> RunDir:
    """A finished run that was validated on all images, 9 in 10 of them predicted correctly."""
    random = np.random.default_rng(0)
    truth = random.integers(0, CLASSES, IMAGES)
    logits = random.normal(0, 1, (IMAGES, CLASSES)).astype(np.float32)
    logits[np.arange(IMAGES), truth] += 3.2
    scores = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    names = tuple(f"class {number:03}" for number in range(CLASSES))
    samples = [Sample(f"photo-{number:05}.jpg", int(each), "val") for number, each in enumerate(truth)]
    classes = [JobClass(number, name) for number, name in enumerate(names, 1)]
    state = dataset / "mia"
    job = msgspec.structs.replace(make_job(state, created_at=time.time()), classes=classes)
    run = RunDir.create(StateFolder(state), job, samples, name="seen")
    predicted = scores.argmax(axis=1)
    counts = np.zeros((CLASSES, CLASSES), np.int64)
    np.add.at(counts, (truth, predicted), 1)
    save_confusion(run.confusion("best"), SavedConfusion(1, "val", names, counts))
    save_epoch_predictions(
        epoch_predictions_file(run, "best"), EpochPredictions(1, "val", predicted.astype(np.int64))
    )
    save_scores(scores_file(run, "best"), EvaluatedScores(1, "val", np.arange(IMAGES), scores))
    with EventLog(run.events) as log:
        for event in (
            started(),
            epoch_row(1, macro_f1=0.9, loss=0.5),
            ConfusionSaved(t=4.0, epoch=1, split="val", file="confusion/best.json"),
            CheckpointSaved(t=4.0, path="checkpoints/last.pt", epoch=1, is_best=True),
            finished(t=1e10),
        ):
            log.append(event)
    return run
