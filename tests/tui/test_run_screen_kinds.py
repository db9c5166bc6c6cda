"""The screen of a run that is no training: how far a prediction is and what it made, what an evaluation found."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from run_support import finished, make_evaluate_job, make_predict_job, started
from textual.pilot import Pilot
from tui_support import (
    SMALL,
    make_context,
    make_images,
    press,
    run,
    screen_lines,
    screen_text,
    settle,
    shown,
    told,
    wait_until,
)

from mia_tui.dataset.model import ImageKey
from mia_tui.paths import StateFolder
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.prediction.suggestions import SuggestionLine, write_lines
from mia_tui.runs.record.events import Phase, ProgressMade, ResultSaved, RunEnded
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker.liveness import WorkerLock
from mia_tui.tui.context import Context
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.runs.run_screen import RunScreen

WIDE = 120, 40
CELLS = [("a.png", 0, 0), ("b.png", 0, 1), ("c.png", 1, 1)]
"""Image, truth, prediction."""


def write(made: RunDir, *events: Any) -> None:
    with EventLog(made.events) as log:
        for event in events:
            log.append(event)


@asynccontextmanager
async def watched(
    made: RunDir, *, size: tuple[int, int] = SMALL, context: Context | None = None
) -> AsyncIterator[Pilot[None]]:
    dataset = made.path.parent.parent.parent
    make_images(dataset, 1)
    place = OpenDataset(dataset, None, "ann")
    async with shown(
        dataset, lambda _, seen: RunScreen(made, place, seen), size=size, context=context
    ) as pilot:
        yield pilot


async def see(pilot: Pilot[Any], text: str) -> None:
    await wait_until(pilot, lambda: text in " ".join(screen_text(pilot.app).split()))


def a_prediction(folder: Path) -> RunDir:
    job = make_predict_job(folder / "mia", scope="unlabelled images")
    return RunDir.create(StateFolder(folder / "mia"), job, name="predict-resnet18")


def working(*done: int, total: int = 2000, t: float = 10.0) -> Sequence[Any]:
    """A worker that has told its progress once a second."""
    head = [started(t=t), Phase(t=t, name="working", message="predicting unlabelled images")]
    return [*head, *(ProgressMade(t=t + n, done=count, total=total) for n, count in enumerate(done))]


def a_result(**changes: Any) -> ResultSaved:
    settings: dict[str, Any] = {
        "sentence": "1,990 suggestions.",
        "file": "predictions/suggestions.jsonl",
        "counts": {"dog": 1492, "c%25t": 498},
        "problem_count": 22,
        "problems": {f"bad-{n}.png": f"bad-{n}.png is cut short." for n in range(20)},
    }
    return ResultSaved(t=50.0, **{**settings, **changes})


def an_evaluation(folder: Path, *, is_over: bool = True, classes: tuple[str, ...] = ("cat", "dog")) -> RunDir:
    samples = [Sample(path, truth, "val") for path, truth, _ in CELLS]
    state = StateFolder(folder / "mia")
    made = RunDir.create(state, make_evaluate_job(state.root), samples, name="evaluate-resnet18")
    if not is_over:
        return made
    counts = np.zeros((2, 2), np.int64)
    for _, truth, predicted in CELLS:
        counts[truth, predicted] += 1
    save_confusion(made.confusion("evaluation"), SavedConfusion(7, "val", classes, counts))
    given = np.array([predicted for _, _, predicted in CELLS])
    save_epoch_predictions(epoch_predictions_file(made, "evaluation"), EpochPredictions(7, "val", given))
    figures = {"macro_f1": 0.6667, "accuracy": 0.6667, "mcc": float("nan")}
    result = a_result(
        sentence="3 images of the part val: macro F1 0.6667, accuracy 0.6667.",
        file="confusion/evaluation.json",
        counts={},
        problem_count=0,
        problems={},
        figures=figures,
    )
    write(made, *working(3, total=3), result, finished(t=60.0))
    return made


# Predictions


def test_a_prediction_at_work_shows_images_done_its_speed_and_the_time_left(tmp_path: Path) -> None:
    made = a_prediction(tmp_path)

    async def test() -> None:
        with WorkerLock(made):
            write(made, *working(64, 164, 264, 364, 464, 564))
            async with watched(made) as pilot:
                await see(pilot, "28% 564/2,000 about 0:14 left")
                text = screen_text(pilot.app)
                assert "Predicting unlabelled images (564 of 2,000)." in text
                assert "100 images/s" in text and "The result comes at the end." in text
                assert "[0 Result] 5 Settings  6 Messages" in text.replace("]  5", "] 5")
                assert "Curves" not in text
                write(made, ProgressMade(t=17.0, done=764, total=2000))
                await see(pilot, "38% 764/2,000")

    run(test())


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([Phase(t=1.0, name="importing", message="loading torch")], "Loading the libraries, a few seconds."),
        (
            [Phase(t=1.0, name="waiting", message="waiting for the run x to end")],
            "Waiting for the run x to end.",
        ),
        (
            [
                Phase(t=1.0, name="loading", message="looking for images"),
                ProgressMade(t=1.0, done=30, total=0),
            ],
            "Looking for images (30).",
        ),
        (
            [*working(5), Phase(t=20.0, name="waiting", message="a disk is away")],
            "A disk is away (5 of 2,000).",
        ),
        ([*working(2000), Phase(t=20.0, name="working", message="writing the result")], "100% 2,000/2,000"),
    ],
)
def test_what_a_prediction_is_busy_with_is_said(tmp_path: Path, events: list[Any], words: str) -> None:
    made = a_prediction(tmp_path)

    async def test() -> None:
        with WorkerLock(made):
            write(made, *events)
            async with watched(made) as pilot:
                await see(pilot, words)

    run(test())


@pytest.mark.parametrize("size", [SMALL, WIDE, (60, 20)])
def test_a_finished_prediction_shows_its_classes_as_bars_and_what_could_not_be_read(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    made = a_prediction(tmp_path)
    write(made, *working(2000), a_result(), finished(t=60.0))

    async def test() -> None:
        async with watched(made, size=size) as pilot:
            await see(pilot, "Finished: 1,990 suggestions.")
            text = screen_text(pilot.app)
            [dogs, cats] = [line for line in text.splitlines() if line.strip("│ ").startswith(("dog", "c%t"))]
            assert "1,492  75.0%" in dogs and "498  25.0%" in cats
            assert dogs.count("█") > 2 * cats.count("█") > 0
            assert "22 images could not be read and are left out:" in text
            await press(pilot, "end")
            assert "bad-19.png is cut short" in screen_text(pilot.app)
            assert "and 2 more." in screen_text(pilot.app)
            await press(pilot, "5")
            assert "mia-tui predict x" in screen_text(pilot.app)

    run(test())


def test_without_colours_and_unicode_bars_are_drawn_with_signs(tmp_path: Path) -> None:
    made = a_prediction(tmp_path)
    write(made, *working(2000), a_result(), finished(t=60.0))
    context = make_context(unicode=False, colours="none", graphics="none")

    async def test() -> None:
        async with watched(made, context=context) as pilot:
            await see(pilot, "dog 1,492 75.0% ######")
            assert all(len(line) == 80 for line in screen_lines(pilot.app))
            assert all(ord(sign) < 128 or sign in "▁▂▃▄▅▆▇█" for sign in screen_text(pilot.app))

    run(test())


@pytest.mark.parametrize(
    ("events", "words"),
    [
        ([], "This run was never started; R starts it."),
        (
            [*working(700), RunEnded(t=30.0, outcome="stopped")],
            "Stopped after 700 of 2,000 images; R resumes it where it stopped.",
        ),
        ([*working(700)], "Its worker died after 700 of 2,000 images; R resumes it where it stopped."),
    ],
)
def test_a_prediction_at_rest_says_where_it_goes_on(tmp_path: Path, events: list[Any], words: str) -> None:
    made = a_prediction(tmp_path)
    if events:
        with WorkerLock(made):
            write(made, *events)

    async def test() -> None:
        async with watched(made) as pilot:
            await wait_until(pilot, lambda: "starting" not in screen_lines(pilot.app)[0] or not events)
            if events:
                await see(pilot, words)

    run(test())


def test_keys_of_pages_that_a_prediction_has_not_say_so(tmp_path: Path) -> None:
    made = a_prediction(tmp_path)
    write(made, *working(2000), a_result(), finished(t=60.0))

    async def test() -> None:
        async with watched(made) as pilot:
            for key, title in zip(
                "1234lvbm",
                [
                    "Curves",
                    "Epochs",
                    "Per class",
                    "Confusion",
                    "Curves",
                    "Curves",
                    "Epochs",
                    "Confusion",
                ],
                strict=True,
            ):
                await press(pilot, key)
                assert f"A prediction has no page {title}." in screen_text(pilot.app), key
            await press(pilot, "tab", "enter")
            assert "Enter opens the images of a class under the cursor." in screen_text(pilot.app)
            assert "[5 Settings]" in screen_text(pilot.app)
            await press(pilot, "tab", "tab")
            assert "[0 Result]" in screen_text(pilot.app)

    run(test())


def a_prediction_with_suggestions(folder: Path, **changes: Any) -> RunDir:
    job = make_predict_job(folder / "mia", **changes)
    made = RunDir.create(StateFolder(folder / "mia"), job, name="predict")
    made.predictions.mkdir()
    rows = [("a.png", 0), ("b.png", 1), ("c.png", 1)]
    with made.suggestions.open("wb") as file:
        lines = [SuggestionLine(path, 0, best, 0.75) for path, best in rows]
        write_lines(file, job.dataset, ["cat", "d%2525g"], lines)
    result = a_result(counts={"d%2525g": 2, "cat": 1}, problem_count=0, problems={})
    write(made, *working(3, total=3), result, finished(t=60.0))
    return made


def test_enter_on_a_class_of_a_prediction_ends_with_its_images(tmp_path: Path) -> None:
    made = a_prediction_with_suggestions(tmp_path)

    async def test() -> None:
        async with watched(made) as pilot:
            await see(pilot, "d%25g 2 66.7%")
            await pilot.press("enter")
            await wait_until(pilot, lambda: pilot.app.ended)
            keys = (ImageKey("b.png"), ImageKey("c.png"))
            assert pilot.app.result == OpenImages("predicted as d%25g by resnet18", keys)

    run(test())


def test_images_that_were_predicted_into_a_file_are_not_opened(tmp_path: Path) -> None:
    made = a_prediction_with_suggestions(tmp_path, out="/tmp/predictions.csv")

    async def test() -> None:
        async with watched(made) as pilot:
            await see(pilot, "66.7%")
            await press(pilot, "down", "enter")
            assert "These predictions are in /tmp/predictions.csv" in told(pilot.app)
            assert not pilot.app.ended

    run(test())


# Evaluations


def test_an_evaluation_shows_its_metrics_its_matrix_and_its_classes(tmp_path: Path) -> None:
    made = an_evaluation(tmp_path)

    async def test() -> None:
        async with watched(made) as pilot:
            await see(pilot, "Finished: 3 images of the part val: macro F1 0.6667, accuracy 0.6667.")
            text = screen_text(pilot.app)
            assert "macro F1 0.6667" in text and "nan" not in text and "Curves" not in text
            await press(pilot, "4")
            await see(pilot, "On val: 3 images, 1 wrong, macro F1 0.667")
            await see(pilot, "cat predicted correctly: 1 image, 50% of the class")
            await press(pilot, "m")
            await see(pilot, "cat dog 1 50%")
            await press(pilot, "3")
            await see(pilot, "precision")
            await press(pilot, "b")
            assert "An evaluation has no page Epochs." in screen_text(pilot.app)

    run(test())


def test_enter_on_a_cell_of_an_evaluation_ends_with_its_images(tmp_path: Path) -> None:
    made = an_evaluation(tmp_path)

    async def test() -> None:
        async with watched(made) as pilot:
            await press(pilot, "4")
            await see(pilot, "of the class")
            await press(pilot, "right")
            await pilot.press("enter")
            await wait_until(pilot, lambda: pilot.app.ended)
            assert pilot.app.result == OpenImages("truth cat, predicted dog", (ImageKey("b.png"),))

    run(test())


def test_an_evaluation_at_work_has_no_matrix_yet(tmp_path: Path) -> None:
    made = an_evaluation(tmp_path, is_over=False)

    async def test() -> None:
        with WorkerLock(made):
            write(made, *working(1, 2, total=3))
            async with watched(made) as pilot:
                await press(pilot, "4")
                await see(pilot, "There is no confusion matrix yet.")
                await see(pilot, "2/3")
                await settle(pilot)

    run(test())
