"""What becomes of runs while somebody labels: those that end, and new suggestions."""

import os
import shutil
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from run_support import epoch_row, finished, make_predict_job, make_run, started
from tui_support import make_images, opened, press, run, screen_text, told, type_text, wait_until

from mia_tui.paths import StateFolder
from mia_tui.runs.features.create import create_features
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow
from mia_tui.runs.prediction.suggestions import write_suggestions
from mia_tui.runs.record.events import Failure, Outcome, Phase, ProgressMade, ResultSaved, RunEnded
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker.liveness import WorkerLock
from mia_tui.tui.label import background_tasks
from mia_tui.tui.runs import watch as watch_module
from mia_tui.tui.runs.watch import RunNews, RunNewsWatch


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 3, classes=("round", "flat"))


@pytest.fixture
def trained(cells: Path) -> RunDir:
    made = make_run(cells / "mia")
    os.utime(made.path / "job.json", (1e9, 1e9))
    made.checkpoints.mkdir()
    made.best_weights.write_bytes(b"weights")
    return made


def suggest(made: RunDir, dataset: Path) -> None:
    """As `mia-tui predict` leaves it: all images are round."""
    made.predictions.mkdir(exist_ok=True)
    header = PredictionHeader(str(dataset.resolve()), "w", ["round", "flat"], made.name, False, 100.0)
    rows = [PredictionRow(path.name, 0, [0.9, 0.1]) for path in sorted(dataset.glob("*.png"))]
    with made.suggestions.open("wb") as file:
        write_suggestions(file, header, rows)


def test_a_run_that_ends_is_news_and_one_that_had_ended_is_none(cells: Path, trained: RunDir) -> None:
    news: list[RunNews] = []
    watch = RunNewsWatch(cells, None, news.append)
    watch.poll()
    assert news == []
    watch = RunNewsWatch(cells, None, news.append)
    with WorkerLock(trained), EventLog(trained.events) as log:
        for event in (started(), epoch_row(1, macro_f1=0.931)):
            log.append(event)
        watch.poll()
        assert news == []
        log.append(RunEnded(t=time.time(), outcome="finished"))
    watch.poll()
    watch.poll()
    assert news == [
        RunNews(((trained.path, f"The run {trained.name} has finished, best macro F1 0.93."),), False)
    ]


def test_how_far_a_run_at_work_is_is_said_as_long_as_it_works(cells: Path, trained: RunDir) -> None:
    said: list[str] = []
    watch = RunNewsWatch(cells, None, lambda _: None, said.append)
    with WorkerLock(trained), EventLog(trained.events) as log:
        log.append(started())
        watch.poll()
        for epoch, macro_f1 in ((1, 0.5), (2, 0.94), (3, 0.9)):
            log.append(epoch_row(epoch, macro_f1=macro_f1))
        watch.poll()
        watch.poll()
        total = trained.train_job().config.epochs
        assert said[-1] == f"Training: epoch 3 of {total}, best macro F1 0.94" and len(said) == 2
        log.append(RunEnded(t=time.time(), outcome="finished"))
    watch.poll()
    assert said[-1] == "" and len(said) == 3


def test_features_that_are_made_step_back_behind_a_training_and_only_a_stop_needs_no_word(
    cells: Path, trained: RunDir
) -> None:
    news: list[RunNews] = []
    said: list[str] = []
    watch = RunNewsWatch(cells, None, news.append, said.append)
    ends: tuple[tuple[Outcome, int], ...] = (("finished", 1), ("stopped", 0), ("failed", 1))
    for outcome, count in ends:
        made = create_features(cells)
        news.clear()
        with WorkerLock(made), EventLog(made.events) as log:
            for event in (started(), Phase(t=1.0, name="working"), ProgressMade(t=1.0, done=1, total=3)):
                log.append(event)
            watch._polls = 0
            watch.poll()
            assert said[-1] == "Looking at the images: 1 of 3"
            with WorkerLock(trained), EventLog(trained.events) as training:
                training.append(started())
                watch._polls = 0
                watch.poll()
                assert said[-1].startswith("Training") and said[-1].endswith(", and 1 more run")
                training.append(RunEnded(t=time.time(), outcome="stopped"))
            log.append(RunEnded(t=time.time(), outcome=outcome))
        watch.poll()
        assert len([path for item in news for path, _ in item.ended if path == made.path]) == count


def test_the_labelling_screen_says_how_far_a_training_is(
    cells: Path, trained: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_tasks, "_RUNS_AFTER_S", 0.0)

    async def test() -> None:
        with ExitStack() as worker:
            worker.enter_context(WorkerLock(trained))
            log = worker.enter_context(EventLog(trained.events))
            log.append(started())
            log.append(epoch_row(1, macro_f1=0.94))
            async with opened(cells) as pilot:
                await wait_until(pilot, lambda: "Training: epoch 1 of" in screen_text(pilot.app))
                line = next(line for line in screen_text(pilot.app).splitlines() if "Training:" in line)
                assert line.startswith("1, 2 choose the class") and line.endswith("best macro F1 0.94")
                log.append(RunEnded(t=time.time(), outcome="finished"))
                worker.close()
                await wait_until(pilot, lambda: "Training:" not in screen_text(pilot.app))

    run(test())


def test_a_run_whose_worker_dies_is_told_to_be_lost(cells: Path, trained: RunDir) -> None:
    news: list[RunNews] = []
    watch = RunNewsWatch(cells, None, news.append)
    with WorkerLock(trained), EventLog(trained.events) as log:
        log.append(started())
        watch.poll()
    watch.poll()
    assert [each.ended for each in news] == [
        ((trained.path, f"The run {trained.name} was lost: its worker died."),)
    ]


def test_no_key_is_named_for_what_is_shown_already(
    cells: Path, trained: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_tasks, "_RUNS_AFTER_S", 0.0)

    async def test() -> None:
        async with opened(cells) as pilot:
            with WorkerLock(trained), EventLog(trained.events) as log:
                log.append(started())
                tasks = pilot.app.screen._background_tasks  # type: ignore[attr-defined]
                await wait_until(pilot, lambda: tasks.runs is not None and bool(tasks.runs._followed))
                await press(pilot, "ctrl+u", "e")
                log.append(RunEnded(t=time.time(), outcome="finished"))
            await wait_until(pilot, lambda: "has finished." in told(pilot.app))
            assert "shows it" not in told(pilot.app)

    run(test())


def test_a_run_that_ends_while_it_is_shown_is_told_by_its_own_screen_only(
    cells: Path, trained: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_tasks, "_RUNS_AFTER_S", 0.0)

    async def test() -> None:
        async with opened(cells) as pilot:
            with WorkerLock(trained), EventLog(trained.events) as log:
                log.append(started())
                tasks = pilot.app.screen._background_tasks  # type: ignore[attr-defined]
                await wait_until(pilot, lambda: tasks.runs is not None and bool(tasks.runs._followed))
                await press(pilot, "ctrl+u", "enter")
                log.append(RunEnded(t=time.time(), outcome="finished"))
            await wait_until(pilot, lambda: not tasks.runs._followed)
            await pilot.pause(0.2)
            assert "has finished" not in told(pilot.app)

    run(test())


def a_prediction(cells: Path) -> RunDir:
    return RunDir.create(StateFolder(cells / "mia"), make_predict_job(cells / "mia"), name="predict")


def test_a_prediction_that_ends_is_told_with_what_it_made(cells: Path) -> None:
    news: list[RunNews] = []
    watch = RunNewsWatch(cells, None, news.append)
    made = a_prediction(cells)
    with WorkerLock(made), EventLog(made.events) as log:
        log.append(started())
        watch.poll()
        log.append(ResultSaved(t=time.time(), sentence="3 suggestions.", file="x"))
        log.append(finished())
    watch.poll()
    assert news == [RunNews(((made.path, "The prediction by resnet18 has finished: 3 suggestions."),), False)]


def test_a_prediction_that_began_and_failed_between_two_searches_is_told(cells: Path) -> None:
    news: list[RunNews] = []
    watch = RunNewsWatch(cells, None, news.append)
    watch.poll()
    made = a_prediction(cells)
    error = Failure("DataError", "None of the images can be read.", "Check the files.")
    with WorkerLock(made), EventLog(made.events) as log:
        log.append(started())
        log.append(RunEnded(t=time.time(), outcome="failed", error=error))
    for _ in range(2 * watch_module._NEWS_SEARCH_EVERY):
        watch.poll()
    failed = "The prediction by resnet18 failed. None of the images can be read. Check the files."
    assert news == [RunNews(((made.path, failed),), False)]


def test_suggestions_are_news_when_they_come_and_at_the_first_look_if_there_are_any(
    cells: Path, trained: RunDir
) -> None:
    """They may have come between the opening of the dataset and the first look."""
    news: list[RunNews] = []
    suggest(trained, cells)
    watch = RunNewsWatch(cells, None, news.append)
    for _ in range(8):
        watch.poll()
    assert news == [RunNews((), True)]
    shutil.rmtree(trained.path)
    for _ in range(8):
        watch.poll()
    assert news == [RunNews((), True)] * 2


def test_new_suggestions_appear_on_the_open_labelling_screen(
    cells: Path, trained: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_tasks, "_RUNS_AFTER_S", 0.0)

    async def test() -> None:
        async with opened(cells) as pilot:
            tasks = pilot.app.screen._background_tasks  # type: ignore[attr-defined]
            await wait_until(pilot, lambda: tasks.runs is not None and tasks.runs._stamp is not None)
            suggest(trained, cells)
            await wait_until(pilot, lambda: f"3 suggestions of {trained.name}." in told(pilot.app))
            assert "round" in screen_text(pilot.app).splitlines()[0]
            await press(pilot, "enter")
            assert "2/3" in screen_text(pilot.app)

    run(test())


def test_a_filter_for_suggestions_shows_those_that_come_after_it_was_chosen(
    cells: Path, trained: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_tasks, "_RUNS_AFTER_S", 0.0)

    async def test() -> None:
        async with opened(cells) as pilot:
            tasks = pilot.app.screen._background_tasks  # type: ignore[attr-defined]
            await wait_until(pilot, lambda: tasks.runs is not None and tasks.runs._stamp is not None)
            await press(pilot, "f5")
            await type_text(pilot, "suggestion only")
            await press(pilot, "enter")
            assert "No image matches" in screen_text(pilot.app)
            await press(pilot, "enter")
            assert "There is no image to accept a suggestion for." in screen_text(pilot.app)
            suggest(trained, cells)
            await wait_until(pilot, lambda: "1/3  image-000.png" in screen_text(pilot.app))
            assert "No image matches" not in screen_text(pilot.app)
            assert "round" in screen_text(pilot.app).splitlines()[0]

    run(test())
