"""What becomes of runs while somebody labels, and predicting the rest of a dataset from the screens of runs."""

import os
import shutil
import time
from pathlib import Path

import pytest
from run_support import epoch_row, make_run, started, wait_for
from tui_support import make_images, opened, press, run, screen_text, told, type_text, wait_until

from mia_tui.errors import RunError
from mia_tui.runs.prediction import process
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow
from mia_tui.runs.prediction.process import PredictionProcess
from mia_tui.runs.prediction.suggestions import write_suggestions
from mia_tui.runs.record.events import RunEnded
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker.liveness import WorkerLock
from mia_tui.tui.label import background_tasks
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
    assert news == [RunNews((f"The run {trained.name} has finished, best macro f1 0.93.",), False)]


def test_a_run_whose_worker_dies_is_told_to_be_lost(cells: Path, trained: RunDir) -> None:
    news: list[RunNews] = []
    watch = RunNewsWatch(cells, None, news.append)
    with WorkerLock(trained), EventLog(trained.events) as log:
        log.append(started())
        watch.poll()
    watch.poll()
    assert [each.ended for each in news] == [(f"The run {trained.name} was lost: its worker died.",)]


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


PREDICTS = """
import sys, time
from pathlib import Path
print(sys.argv[1:])
folder = Path(sys.argv[sys.argv.index("--run") + 1]) / "predictions"
(folder / "suggestions.jsonl.partial.jsonl").write_text("heading\\none\\ntwo\\n")
while not (folder / "go").exists() or not (folder / "go").read_text():
    time.sleep(0.02)
sys.exit(int((folder / "go").read_text()))
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instead of `mia-tui predict`: waits for a file that tells its exit code."""
    program = tmp_path / "predicts.py"
    program.write_text(PREDICTS)
    start = process.start_program
    monkeypatch.setattr(
        process, "start_program", lambda words, log: start([words[0], str(program), *words[4:]], log)
    )


def test_a_prediction_counts_what_is_done_and_is_never_started_twice(
    cells: Path, trained: RunDir, stand_in: None
) -> None:
    work = PredictionProcess(trained, cells, cells / "mia")
    wait_for(lambda: work.done() == 2)
    assert not work.has_ended()
    with pytest.raises(RunError, match="is already predicting"):
        PredictionProcess(trained, cells, None)
    (trained.predictions / "go").write_text("0")
    wait_for(work.has_ended)
    words = work.log.read_text()
    assert str(trained.path) in words and "'predict'" in words and str(cells / "mia") in words
    again = PredictionProcess(trained, cells, None)
    wait_for(again.has_ended)


def test_a_prediction_that_fails_says_why(cells: Path, trained: RunDir, stand_in: None) -> None:
    trained.predictions.mkdir()
    (trained.predictions / "go").write_text("3")
    work = PredictionProcess(trained, cells, None)
    with pytest.raises(RunError, match=r"The prediction failed: .*--json"):
        wait_for(work.has_ended)


@pytest.mark.parametrize("keys", [("ctrl+u", "p"), ("ctrl+u", "enter", "p")], ids=["room", "run"])
def test_p_predicts_from_the_room_and_from_the_run(
    cells: Path, trained: RunDir, stand_in: None, keys: tuple[str, ...]
) -> None:
    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await press(pilot, *keys)
            await wait_until(pilot, lambda: "2 are done" in screen_text(pilot.app))
            (trained.predictions / "go").write_text("0")
            await wait_until(pilot, lambda: "All images are predicted" in screen_text(pilot.app))

    run(test())


def test_without_weights_p_says_so(cells: Path, trained: RunDir) -> None:
    trained.best_weights.unlink()
    (trained.checkpoints / "other").touch()

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await press(pilot, "ctrl+u", "p")
            assert "has saved no weights yet" in screen_text(pilot.app)

    run(test())
