"""The table of runs: what it shows of each run, what its keys do, what it asks before it deletes."""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from run_support import (
    epoch_row,
    finished,
    make_evaluate_job,
    make_predict_job,
    make_run,
    started,
    step,
)
from textual.app import App
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen
from tui_support import (
    OneScreen,
    labels_in,
    make_context,
    make_images,
    opened,
    press,
    run,
    running,
    screen_text,
    settle,
    wait_until,
)

from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import RunError
from mia_tui.paths import StateFolder
from mia_tui.runs.actions import ending, starting
from mia_tui.runs.list.comparison import Difference
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.list.summaries import RunSummaries, RunSummary
from mia_tui.runs.record.events import Phase, ProgressMade, ResultSaved
from mia_tui.runs.record.job import RunNotes, Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker.control import StopResult
from mia_tui.runs.worker.liveness import WorkerLock, WorkerRecord
from mia_tui.tui.context import Context
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.open_dataset import OpenDataset, OpenImages
from mia_tui.tui.runs.compare_tables import differences_text
from mia_tui.tui.runs.run_screen import RunScreen
from mia_tui.tui.runs.run_table import RunTable
from mia_tui.tui.runs.table_screen import RunsScreen


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "cells"
    (folder / "mia").mkdir(parents=True)
    return folder


def ended(dataset: Path, *values: float, name: str, created_at: float = 1.7e9, **config: Any) -> RunDir:
    run = make_run(dataset / "mia", name=name, created_at=created_at, **{"backbone": name, **config})
    os.utime(run.path / "job.json", (1e9, 1e9))
    with EventLog(run.events) as log:
        log.append(started(t=1.0))
        for number, value in enumerate(values, 1):
            log.append(msgspec.structs.replace(epoch_row(number, macro_f1=value), t=1.0 + 10 * number))
        log.append(finished(t=1.0 + 10 * len(values)))
    return run


def three(dataset: Path) -> list[RunDir]:
    """A good run, a better one that is newer, and the newest, which is the worst."""
    return [
        ended(dataset, 0.5, name="vgg16", created_at=1.7e9),
        ended(dataset, 0.4, 0.9, name="vgg19", created_at=1.71e9, batch_size=7),
        ended(dataset, 0.1, name="densenet121", created_at=1.72e9),
    ]


@asynccontextmanager
async def table(
    dataset: Path,
    *,
    size: tuple[int, int] = (80, 24),
    context: Context | None = None,
    started: RunDir | None = None,
) -> AsyncIterator[Pilot[None]]:
    shared = context or make_context()

    def make(_: LabelController, context: Context) -> RunsScreen:
        return RunsScreen(OpenDataset(dataset, None, "ann"), context, started=started)

    app = OneScreen(shared, LabelController(dataset, state=None, annotator="ann"), make)
    async with running(app, size=size) as pilot:
        await settle(pilot)
        yield pilot


def line_of(app: App[Any], words: str) -> list[str]:
    [line] = [line for line in screen_text(app).splitlines()[2:-6] if words in line]
    return line.strip("│ ").split()


def said(app: App[Any]) -> str:
    """What is on the screen as one text, without the lines around panels and dialogs."""
    return " ".join(screen_text(app).replace("│", " ").split())


def order_of(app: App[Any]) -> list[str]:
    names = ("vgg16", "vgg19", "densenet121")
    lines = takewhile(lambda line: not line.startswith("╰"), screen_text(app).splitlines()[2:-6])
    return [name for line in lines for name in names if name in line]


def test_it_shows_state_network_epochs_figure_time_and_start_of_each_run(dataset: Path) -> None:
    three(dataset)

    async def test() -> None:
        async with table(dataset) as pilot:
            words = line_of(pilot.app, "vgg19")
            assert words == ["finished", "training", "vgg19", "2/20", "0.9000", "macro", "F1"]
            await press(pilot, "down")
            assert time.strftime("started %Y-%m-%d", time.localtime(1.71e9)) in screen_text(pilot.app)
            assert "best epoch 2 by macro F1, 0.9000" in screen_text(pilot.app)
            assert order_of(pilot.app) == ["densenet121", "vgg19", "vgg16"]
            assert "Runs of cells: 3" in screen_text(pilot.app)

    run(test())


def test_without_runs_it_says_which_key_trains_one(dataset: Path) -> None:
    async def test() -> None:
        async with table(dataset) as pilot:
            assert "There are no runs yet. N trains one." in screen_text(pilot.app)
            await press(pilot, "enter", "s", "r", "x", "v", "space", "u", "a", "c")
            assert not pilot.app.ended
        own = make_context(user=UserConfig(keys={"runs.new": ("f9",)}))
        async with table(dataset, context=own) as pilot:
            assert "There are no runs yet. F9 trains one." in screen_text(pilot.app)

    run(test())


@pytest.mark.parametrize("unicode", [True, False])
def test_states_are_told_apart_in_words_also_without_colour(dataset: Path, unicode: bool) -> None:
    ended(dataset, 0.5, name="vgg16")
    make_run(dataset / "mia", name="new", created_at=time.time())
    waiting = make_run(dataset / "mia", name="queued")
    elsewhere = make_run(dataset / "mia", name="there")
    record = WorkerRecord(
        pid=1, host="gpu3", boot_id="x", start_time=1, started_at=1.0, heartbeat=1.0, locked=True
    )
    elsewhere.worker_json.write_bytes(msgspec.json.encode(record))
    lost = make_run(dataset / "mia", name="dead")
    with WorkerLock(lost), EventLog(lost.events) as log:
        log.append(started())
    damaged = make_run(dataset / "mia", name="bad")
    (damaged.path / "job.json").write_text("{")

    async def test() -> None:
        context = make_context(colours="none", unicode=unicode, graphics="none")
        with WorkerLock(waiting), EventLog(waiting.events) as log:
            log.append(Phase(t=1.0, name="waiting", message="waiting for the run A to end"))
            async with table(dataset, context=context) as pilot:
                text = screen_text(pilot.app)
                for state in ("finished", "starting", "waiting", "unknown", "lost", "damaged"):
                    assert sum(line[3:].startswith(state) for line in text.splitlines()) == 1, state
                if not unicode:
                    assert text.isascii()

    run(test())


def test_a_run_at_work_moves_without_a_key(dataset: Path) -> None:
    live = make_run(dataset / "mia", name="vgg16", created_at=1.7e9, epochs=9)

    async def test() -> None:
        with WorkerLock(live), EventLog(live.events) as log:
            log.append(started(t=1.0))
            async with table(dataset) as pilot:
                assert "0/9" in line_of(pilot.app, "running")
                log.append(epoch_row(1, macro_f1=0.5))
                log.append(msgspec.structs.replace(step(2, 1), t=65.0))
                await wait_until(pilot, lambda: "1/9" in line_of(pilot.app, "running"))
                log.append(finished(t=70.0))

    run(test())


def test_a_run_whose_worker_dies_is_shown_as_lost(dataset: Path) -> None:
    live = make_run(dataset / "mia", name="vgg16", created_at=1.7e9)

    async def test() -> None:
        lock = WorkerLock(live)
        with lock, EventLog(live.events) as log:
            log.append(started(t=1.0))
            async with table(dataset) as pilot:
                assert line_of(pilot.app, "resnet")[1] == "running"
                lock.__exit__(None, None, None)
                await wait_until(pilot, lambda: line_of(pilot.app, "resnet")[1] == "lost")
                assert "Its worker died." in screen_text(pilot.app)
                lock._descriptor = os.open(os.devnull, os.O_RDONLY)  # closed once more at the end

    run(test())


def test_rows_are_sorted_by_what_is_chosen_and_the_cursor_stays_on_its_run(dataset: Path) -> None:
    three(dataset)

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "down", "down", "o", *["down"] * 7, "enter")
            assert order_of(pilot.app) == ["vgg19", "vgg16", "densenet121"]
            assert "sorted by macro F1" in screen_text(pilot.app) and "macro F1▾" in screen_text(pilot.app)
            assert line_of(pilot.app, "vgg16")[0] == "▸"
            await press(pilot, "o", *["down"] * 7, "enter")
            assert order_of(pilot.app) == ["densenet121", "vgg16", "vgg19"]
            assert "sorted by macro F1, turned round" in screen_text(pilot.app)

    run(test())


def test_a_high_window_has_the_curve_of_the_run_under_the_cursor_and_a_low_one_more_runs(
    dataset: Path,
) -> None:
    three(dataset)

    async def test() -> None:
        async with table(dataset, size=(120, 40)) as pilot:
            curve = pilot.app.screen.query_one("#runs-curve")
            await wait_until(pilot, lambda: not curve.visible)  # one epoch is no curve
            await press(pilot, "down")
            await wait_until(pilot, lambda: "macro F1 ━━ each epoch 0.9" in said(pilot.app))
            assert "best, epoch 2" in said(pilot.app)
        async with table(dataset) as pilot:
            await press(pilot, "down")
            assert "each epoch" not in said(pilot.app)

    run(test())


def predicting(dataset: Path, done: int, total: int, *, ends: bool, **config: Any) -> RunDir:
    """A prediction with so many images done, one a second."""
    job = msgspec.structs.replace(make_predict_job(dataset / "mia", **config), created_at=1.73e9)
    run = RunDir.create(StateFolder(dataset / "mia"), job, name="predict")
    with EventLog(run.events) as log:
        log.append(started(t=1.0))
        log.append(Phase(t=2.0, name="working"))
        for number in range(6):
            log.append(ProgressMade(t=10.0 + number, done=done - 5 + number, total=total))
        if ends:
            log.append(ResultSaved(t=16.0, sentence="1,234 suggestions, 2 classes.", file="x"))
            log.append(finished(t=17.0))
    return run


def evaluated(dataset: Path) -> RunDir:
    job = msgspec.structs.replace(make_evaluate_job(dataset / "mia"), created_at=1.74e9)
    run = RunDir.create(StateFolder(dataset / "mia"), job, [], name="evaluate")
    with EventLog(run.events) as log:
        log.append(started(t=1.0))
        log.append(Phase(t=2.0, name="working"))
        log.append(ProgressMade(t=3.0, done=50, total=50))
        log.append(
            ResultSaved(t=4.0, sentence="Macro F1 0.625 on val.", file="x", figures={"macro_f1": 0.625})
        )
        log.append(finished(t=5.0))
    return run


def test_predictions_and_evaluations_are_rows_beside_trainings(dataset: Path) -> None:
    three(dataset)
    predicting(dataset, 1234, 2000, ends=True)
    evaluated(dataset)

    async def test() -> None:
        async with table(dataset) as pilot:
            assert line_of(pilot.app, "prediction")[:5] == [
                "finished",
                "prediction",
                "resnet18",
                "all",
                "images",
            ]
            assert "61%" in line_of(pilot.app, "prediction")
            evaluation = line_of(pilot.app, "evaluation")
            assert evaluation[:5] == ["▸", "finished", "evaluation", "resnet18", "val"]
            assert evaluation[5:] == ["50/50", "0.6250"]
            assert "Macro F1 0.625 on val." in screen_text(pilot.app)
            await press(pilot, "down")
            detail = screen_text(pilot.app).splitlines()[-6:]
            assert any("1,234 of 2,000 images, 61%" in line for line in detail)
            assert any("1,234 suggestions, 2 classes." in line for line in detail)
        async with table(dataset, size=(120, 40)) as pilot:
            words = line_of(pilot.app, "prediction")
            assert words[:6] == ["finished", "prediction", "resnet18", "all", "images", "1,234/2,000"]
            assert line_of(pilot.app, "vgg19")[3:7] == ["2/20", "0.9000", "macro", "F1"]

    run(test())


def test_a_prediction_at_work_says_how_long_it_takes(dataset: Path) -> None:
    live = predicting(dataset, 40, 100, ends=False)

    async def test() -> None:
        with WorkerLock(live), EventLog(live.events) as log:
            async with table(dataset) as pilot:
                for number in range(41, 46):
                    log.append(ProgressMade(t=number - 25.0, done=number, total=100))
                    await wait_until(pilot, lambda: f"{number} of 100 images" in screen_text(pilot.app))  # noqa: B023
                assert "45 of 100 images, 45%, about 0:55 left" in screen_text(pilot.app).replace("\n", " ")

    run(test())


def test_the_table_is_narrowed_down_to_a_kind(dataset: Path) -> None:
    three(dataset)
    predicting(dataset, 50, 50, ends=True)

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "f")
            text = screen_text(pilot.app)
            for words in ("trainings (3)", "predictions (1)", "evaluations (0)"):
                assert words in text, words
            await press(pilot, *["down"] * 6, "enter")
            assert order_of(pilot.app) == [] and "50/50" in screen_text(pilot.app)
            await press(pilot, "o", "down", "down", "enter")
            await press(pilot, "f", "up", "enter")
            assert line_of(pilot.app, "prediction")

    run(test())


def test_only_trainings_and_evaluations_are_compared(dataset: Path) -> None:
    three(dataset)
    predicting(dataset, 50, 50, ends=True)

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "space", "down", "space", "v")
            assert "Only trainings and evaluations can be compared." in screen_text(pilot.app)

    run(test())


def test_a_filter_shows_the_runs_in_some_state(dataset: Path) -> None:
    three(dataset)
    lost = make_run(dataset / "mia", name="dead", backbone="resnet18")
    with WorkerLock(lost), EventLog(lost.events) as log:
        log.append(started())

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "f")
            assert "to resume (1)" in screen_text(pilot.app)
            await press(pilot, "down", "down", "down", "enter")
            assert order_of(pilot.app) == [] and "resnet18" in screen_text(pilot.app)
            await press(pilot, "f", "down", "enter")
            assert "There are no runs to show: F shows others." in screen_text(pilot.app)

    run(test())


def test_a_run_is_deleted_after_a_question_and_only_then(dataset: Path) -> None:
    runs = three(dataset)

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "x")
            assert f"Delete {runs[2].name}?" in screen_text(pilot.app)
            await press(pilot, "enter")  # the careful answer has the focus
            assert runs[2].exists()
            await press(pilot, "x", "d")
            await wait_until(pilot, lambda: not runs[2].path.exists())
            await wait_until(pilot, lambda: order_of(pilot.app) == ["vgg19", "vgg16"])
            assert f"{runs[2].name} is deleted." in screen_text(pilot.app)

    run(test())


def test_what_was_said_of_a_run_is_gone_on_the_next_one(dataset: Path) -> None:
    runs = three(dataset)

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "s")
            assert f"the run {runs[2].name} is finished" in " ".join(screen_text(pilot.app).split())
            await press(pilot, "down")
            assert "nothing to stop" not in screen_text(pilot.app)

    run(test())


def test_runs_that_cannot_be_read_for_a_while_come_back(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    three(dataset)
    is_away = [False]
    refresh = RunSummaries.refresh

    def refresh_or_fail(self: RunSummaries, *args: Any, **options: Any) -> tuple[RunSummary, ...]:
        if is_away[0]:
            raise RunError("The folder of runs cannot be read.")
        return refresh(self, *args, **options)

    monkeypatch.setattr(RunSummaries, "refresh", refresh_or_fail)

    async def test() -> None:
        async with table(dataset) as pilot:
            is_away[0] = True
            await wait_until(pilot, lambda: "The folder of runs cannot be read." in screen_text(pilot.app))
            assert "There are no runs" not in screen_text(pilot.app)
            is_away[0] = False
            await wait_until(pilot, lambda: len(order_of(pilot.app)) == 3)
            assert "cannot be read" not in screen_text(pilot.app)

    run(test())


def test_space_marks_a_run_and_stays_on_it_as_it_does_in_the_grid(dataset: Path) -> None:
    three(dataset)

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "space")
            assert "1 marked" in screen_text(pilot.app)
            await press(pilot, "space")
            assert "marked" not in screen_text(pilot.app).splitlines()[0]

    run(test())


def test_marked_runs_are_deleted_together_and_a_failure_is_said(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = three(dataset)

    def delete(run: RunDir) -> None:
        if run == runs[1]:
            raise RunError("It may be being worked on.")
        real(run)

    real = ending.delete_run
    monkeypatch.setattr(ending, "delete_run", delete)

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "space", "down", "space", "x")
            assert "Delete 2 runs?" in screen_text(pilot.app)
            await press(pilot, "d")
            await wait_until(pilot, lambda: order_of(pilot.app) == ["vgg19", "vgg16"])
            assert [note.message for note in pilot.app._notifications] == ["It may be being worked on."]

    run(test())


def test_what_is_pressed_behind_the_key_that_opens_the_table_labels_nothing_when_it_is_left(
    tmp_path: Path,
) -> None:
    images = make_images(tmp_path / "images", 3, classes=["round", "long"])

    async def test() -> None:
        async with opened(images) as pilot:
            for key in ("ctrl+u", "2", "f2"):  # all at once, as over a slow connection
                pilot.app.post_message(Key(key, key if len(key) == 1 else None))
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, RunsScreen))
            await press(pilot, "escape")
            await settle(pilot)
            assert not labels_in(images)

    run(test())


def test_what_is_pressed_behind_the_key_that_opens_a_run_is_not_obeyed_when_the_table_is_back(
    dataset: Path,
) -> None:
    ended(dataset, 0.5, name="vgg16")

    async def test() -> None:
        async with table(dataset) as pilot:
            for key in ("enter", "x"):  # all at once, as over a slow connection
                pilot.app.post_message(Key(key, None))
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
            await press(pilot, "escape")
            await pilot.pause(0.1)
            assert isinstance(pilot.app.screen, RunsScreen), screen_text(pilot.app)

    run(test())


def test_a_live_run_is_said_to_be_stopped_before_it_is_deleted(dataset: Path) -> None:
    live = make_run(dataset / "mia", name="vgg16", created_at=1.7e9)

    async def test() -> None:
        with WorkerLock(live):
            async with table(dataset) as pilot:
                await press(pilot, "x")
                assert "It is in progress and will be stopped first." in " ".join(
                    screen_text(pilot.app).replace("│", " ").split()
                )
                await press(pilot, "escape")
        assert live.exists()

    run(test())


def test_a_damaged_run_is_explained_and_can_be_deleted(dataset: Path) -> None:
    bad = ended(dataset, 0.5, name="vgg16")
    (bad.path / "job.json").write_text("{")
    os.utime(bad.path / "job.json", (1e9, 1e9))

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "enter")
            assert f"{bad.name} is damaged." in screen_text(pilot.app)
            await press(pilot, "r")
            assert "cannot read job.json" in screen_text(pilot.app)
            await press(pilot, "x", "d")
            await wait_until(pilot, lambda: not bad.path.exists())

    run(test())


def test_runs_with_hostile_records_are_rows_and_the_others_go_on(dataset: Path) -> None:
    good = ended(dataset, 0.5, name="good")
    for name in ("deep", "folder"):
        ended(dataset, 0.5, name=name)
    by_name = {run.name.split("-")[-1]: run for run in list_runs(StateFolder(dataset / "mia"))}
    (by_name["deep"].path / "job.json").write_bytes(b"[" * 200_000)
    by_name["folder"].events.unlink()
    by_name["folder"].events.mkdir()

    async def test() -> None:
        async with table(dataset) as pilot:
            lines = screen_text(pilot.app).splitlines()
            assert sum("damaged" in line for line in lines) >= 2
            assert line_of(pilot.app, "finished")

    run(test())
    assert good.exists()


def test_two_marked_runs_are_compared_by_figures_and_differing_settings(dataset: Path) -> None:
    three(dataset)

    async def test() -> None:
        async with table(dataset, size=(80, 30)) as pilot:
            await press(pilot, "v")
            assert "Mark two of them or more with Space" in screen_text(pilot.app)
            await press(pilot, "down", "space", "down", "space", "v")
            text = screen_text(pilot.app)
            assert "macro F1" in text
            settings = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.strip()}
            assert settings["batch_size"] == ["7", "64"] or settings["batch_size"][0] == "7"
            assert settings["backbone"] == ["vgg19", "vgg16"]
            assert "epochs" not in settings
            await press(pilot, "escape")
            assert "2 marked" in screen_text(pilot.app)
            await press(pilot, "escape")
            assert "marked" not in screen_text(pilot.app)
            await press(pilot, "escape")
            assert pilot.app.ended and pilot.app.result is None

    run(test())


def test_stop_says_what_it_comes_to(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    three(dataset)

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "s")
            assert "There is nothing to stop" in screen_text(pilot.app)
            monkeypatch.setattr(ending, "request_stop", lambda run: StopResult("running", 1.0))
            await press(pilot, "s")
            assert "is asked to stop; it ends after the current step" in " ".join(
                screen_text(pilot.app).split()
            )
            killed: list[RunDir] = []
            monkeypatch.setattr(ending, "kill_worker", killed.append)
            doubt = "process 7 belongs to another user"
            monkeypatch.setattr(
                ending, "request_stop", lambda run: StopResult("running", 1.0, doubt, is_late=True)
            )
            await press(pilot, "s")
            assert f"it gets no signal, since {doubt}." in " ".join(screen_text(pilot.app).split())
            await press(pilot, "k")
            assert not killed
            monkeypatch.setattr(ending, "request_stop", lambda run: StopResult("running", 1.0, is_late=True))
            await press(pilot, "s", "escape")
            assert not killed
            await press(pilot, "s", "k")
            assert len(killed) == 1

    run(test())


def test_resume_and_queue_start_workers_and_errors_are_sentences(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = ended(dataset, 0.5, name="vgg16", created_at=1.7e9)
    lost = make_run(dataset / "mia", name="dead", created_at=1.71e9)
    with WorkerLock(lost), EventLog(lost.events) as log:
        log.append(started())
    live = make_run(dataset / "mia", name="live", created_at=1.72e9)
    calls: list[tuple[RunDir, RunDir | None]] = []
    monkeypatch.setattr(starting, "resume_run", lambda run, after, dataset: calls.append((run, after)))

    async def test() -> None:
        with WorkerLock(live):
            async with table(dataset) as pilot:
                await press(pilot, "u")
                assert "is running already." in screen_text(pilot.app)
                await press(pilot, "down", "r")
                assert f"{lost.name} continues with its settings." in screen_text(pilot.app)
                await press(pilot, "u")
                assert f"when {live.name}" in " ".join(screen_text(pilot.app).split())
                assert calls == [(lost, None), (lost, live)]
                monkeypatch.undo()
                await press(pilot, "down", "r")
                assert f"The run {done.name} is finished" in " ".join(screen_text(pilot.app).split())

    run(test())


def test_what_the_run_screen_wants_to_open_is_passed_on(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    three(dataset)
    wanted = OpenImages("truth cat, predicted dog", ())
    opened: list[RunDir] = []

    class Fake(Screen[OpenImages | None]):
        def __init__(self, run: RunDir, place: OpenDataset, context: Context) -> None:
            super().__init__()
            opened.append(run)

        def on_mount(self) -> None:
            self.dismiss(wanted)

    monkeypatch.setattr("mia_tui.tui.runs.run_screen.RunScreen", Fake)

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "down")
            await pilot.press("enter")
            await wait_until(pilot, lambda: pilot.app.ended)
            assert pilot.app.result == wanted
            assert [run.name[-5:] for run in opened] == ["vgg19"]

    run(test())


class Form(Screen[RunDir | None]):
    """A form that starts a run at once."""

    starts: RunDir

    def __init__(self, place: OpenDataset, context: Context) -> None:
        super().__init__()

    def on_mount(self) -> None:
        self.dismiss(self.starts)


def test_back_from_a_run_that_the_form_started_is_where_the_form_was_opened_and_labels_nothing(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_images(dataset, 3, classes=["cat"])
    three(dataset)
    Form.starts = ended(dataset, 0.2, name="resnet34", created_at=1.69e9)  # not at the top
    monkeypatch.setattr("mia_tui.tui.training.screen.TrainScreen", Form)

    async def test() -> None:
        async with opened(dataset) as pilot:
            await pilot.press("ctrl+t")
            await wait_until(pilot, lambda: "[1 Curves]" in screen_text(pilot.app))
            await press(pilot, "escape")
            await wait_until(pilot, lambda: "Ctrl+U shows the run again" in screen_text(pilot.app))
            assert "0 labelled" in screen_text(pilot.app)
            await press(pilot, "escape", "ctrl+u")
            await wait_until(pilot, lambda: "Runs of cells: 4" in screen_text(pilot.app))
        assert labels_in(dataset) == {}

    run(test())


def test_a_run_that_waits_for_another_is_shown_in_the_table(dataset: Path) -> None:
    ahead, waiting = three(dataset)[:2]
    job = msgspec.structs.replace(waiting.job(), after=str(ahead.path))
    (waiting.path / "job.json").write_bytes(msgspec.json.encode(job))

    async def test() -> None:
        async with table(dataset, started=waiting) as pilot:
            assert "Runs of cells: 3" in screen_text(pilot.app)
            assert waiting.name in screen_text(pilot.app).splitlines()[-5]

    run(test())


def test_at_80_columns_marks_are_seen_beside_a_long_name_and_metrics_are_named_whole(tmp_path: Path) -> None:
    dataset = tmp_path / ("cells-" * 15)
    ended(dataset, 0.5, name="vgg16")

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "space")
            assert screen_text(pilot.app).splitlines()[0].rstrip("─").endswith("1 marked")
            assert "best epoch 1 by macro F1, 0.5000" in screen_text(pilot.app)

    run(test())


def test_what_differs_between_many_runs_is_listed_whole_where_a_table_has_no_room() -> None:
    found = [
        Difference("data", "images", ("320",) * 7 + ("300",)),
        Difference("settings", "loss", ("cross_entropy", "focal") * 4),
        Difference("settings", "lr", ("0.001",) * 7 + ("0.1",)),
    ]
    shown = differences_text(found, 78, make_context().ink).plain.splitlines()
    assert shown == [
        "Data that differs",
        "images  ABCDEFG 320  H 300",
        "Settings that differ",
        "loss  ACEG cross_entropy  BDFH focal",
        "lr  ABCDEFG 0.001  H 0.1",
    ]
    assert "cross_entropy" in differences_text(found, 200, make_context().ink).plain.splitlines()[5]


@pytest.mark.parametrize("key", ["n", "a", "c"])
def test_the_form_gets_the_settings_of_the_run(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    [best, *_] = [ended(dataset, 0.5, name="vgg16", batch_size=7)]
    best.checkpoints.mkdir()
    best.best_weights.write_bytes(b"weights")
    asked: list[Any] = []

    class Fake(Screen[RunDir | None]):
        def __init__(
            self, place: OpenDataset, context: Context, *, base: Any = None, title: str = ""
        ) -> None:
            super().__init__()
            asked.append(base)

        def on_mount(self) -> None:
            self.dismiss(None)

    monkeypatch.setattr("mia_tui.tui.training.screen.TrainScreen", Fake)

    async def test() -> None:
        async with table(dataset) as pilot:
            await pilot.press(key)
            await wait_until(pilot, lambda: bool(asked))
            await settle(pilot)
        if key == "n":
            assert asked == [None]
        else:
            assert asked[0].batch_size == 7
            assert asked[0].weights == (str(best.best_weights.resolve()) if key == "c" else "none")

    run(test())


def test_control_characters_in_names_reach_no_terminal(dataset: Path) -> None:
    evil = ended(dataset, 0.5, name="vgg16")
    evil.path.rename(evil.path.with_name("\x1b]0;evil\x07\x9b31m"))

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "space", "x")
            text = screen_text(pilot.app)
            assert "\\x1b]0;evil" in text
            assert "\x1b" not in text and "\x07" not in text and "\x9b" not in text
            await press(pilot, "escape")

    run(test())


@pytest.mark.parametrize("unicode", [True, False])
def test_runs_are_compared_where_the_terminal_has_no_colours(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, unicode: bool
) -> None:
    three(dataset)
    monkeypatch.setenv("NO_COLOR", "1")
    context = make_context(colours="none", unicode=unicode, graphics="none")

    async def test() -> None:
        async with table(dataset, context=context) as pilot:
            await press(pilot, "space", "down", "space", "v")
            text = screen_text(pilot.app)
            assert "AA A" in text and "BB B" in text, "curves are not told apart by letters"
            assert "batch_size" in text
            if not unicode:
                assert text.isascii()

    run(test())


def test_twins_are_told_apart_by_what_differs_between_them(dataset: Path) -> None:
    for number, changes in enumerate(
        ({}, {"lr": 0.001, "width": 96, "height": 96}, {"lr": 0.01}, {"lr": 0.01})
    ):
        ended(dataset, 0.5, name="resnet18", created_at=1.7e9 + number, **changes)
    ended(dataset, 0.5, name="vgg16", created_at=1.6e9)

    async def test() -> None:
        async with table(dataset, size=(160, 40)) as pilot:
            lines = [line for line in screen_text(pilot.app).splitlines() if " resnet18 " in line]
            assert ["lr none" in line for line in lines] == [False, False, False, True]
            assert [line.count("lr 0.01 ") for line in lines] == [1, 1, 0, 0]
            assert "lr 0.001 · size 96" in lines[2] or "size 96 · lr 0.001" in lines[2]
            assert "lr" not in " ".join(line_of(pilot.app, "vgg16"))
        async with table(dataset) as pilot:
            assert "lr 0.01" in screen_text(pilot.app), "at 80 columns they are told apart as well"

    run(test())


def test_runs_of_which_most_are_alike_say_only_what_is_special(dataset: Path) -> None:
    for number, changes in enumerate(({}, {}, {}, {"batch_size": 7})):
        ended(dataset, 0.5, name="resnet18", created_at=1.7e9 + number, **changes)

    async def test() -> None:
        async with table(dataset, size=(160, 40)) as pilot:
            text = screen_text(pilot.app)
            assert text.count("like most") == 3 and text.count("batch size 7") == 1

    run(test())


def test_a_wide_table_has_images_accuracy_tags_notes_and_a_curve_of_the_metric_that_decides(
    dataset: Path,
) -> None:
    job = ended(dataset, 0.1, 0.9, 0.5, name="vgg16")
    samples = [Sample(f"{number}.png", 0, "train") for number in range(1234)]
    run_dir = RunDir.create(StateFolder(dataset / "mia"), job.job(), samples, name="vgg16")
    with EventLog(run_dir.events) as log:
        log.append(started())
        for number, value in enumerate((0.1, 0.9, 0.5), 1):
            log.append(epoch_row(number, macro_f1=value, accuracy=value + 0.05, mcc=0.3))
        log.append(finished())
    run_dir.put_notes(RunNotes(title="good one", tags=("paper",), note="after cleaning"))

    async def test() -> None:
        async with table(dataset, size=(200, 60)) as pilot:
            [line] = [line for line in screen_text(pilot.app).splitlines() if "good one vgg16" in line]
            for words in ("1,234", "0.9500", "0.9000", "#paper", "after cleaning", "▁█▅", "macro F1"):
                assert words in line, words
        async with table(dataset, context=make_context(unicode=False)) as pilot:
            assert screen_text(pilot.app).isascii()

    run(test())


def test_rows_are_found_by_words_and_sorted_by_a_click_on_a_heading(dataset: Path) -> None:
    three(dataset)

    async def test() -> None:
        async with table(dataset, size=(120, 40)) as pilot:
            await press(pilot, "slash", *"vgg", "enter")
            assert order_of(pilot.app) == ["vgg19", "vgg16"]
            assert "with vgg" in screen_text(pilot.app)
            heading = screen_text(pilot.app).splitlines()[1]
            await pilot.click(RunTable, offset=(heading.index("macro F1") - 2, 0))
            await settle(pilot)
            assert "sorted by macro F1" in screen_text(pilot.app)
            await pilot.click(RunTable, offset=(heading.index("macro F1") - 2, 0))
            await settle(pilot)
            assert order_of(pilot.app) == ["vgg16", "vgg19"]
            await press(pilot, "slash", *["backspace"] * 3, *"nothing", "enter")
            assert "No run has these words: / looks for others." in screen_text(pilot.app)
            await press(pilot, "slash", *["backspace"] * 7, "enter")
            assert len(order_of(pilot.app)) == 3

    run(test())


def test_before_marked_runs_are_deleted_it_is_said_that_the_one_under_the_cursor_is_not_among_them(
    dataset: Path,
) -> None:
    three(dataset)

    async def test() -> None:
        async with table(dataset) as pilot:
            await press(pilot, "space", "down", "x")
            text = said(pilot.app)
            assert "This is the run that is marked; the one under the cursor," in text and "stays." in text
            await press(pilot, "escape", "space", "x")
            text = said(pilot.app)
            assert "Delete 2 runs?" in text
            assert "These are the runs that are marked, the one under the cursor among them." in text
            await press(pilot, "escape", "escape", "x")
            assert "marked" not in screen_text(pilot.app).partition("Delete")[2]

    run(test())


def test_the_comparison_names_what_differs_in_data_versions_and_device(dataset: Path) -> None:
    make_images(dataset, 1, classes=("cat", "dog"))
    for number, (images, moved, device) in enumerate(((10, 0, "cpu"), (12, 3, "NVIDIA H200"))):
        samples = [
            Sample(f"{n}.png", 0 if n < moved else 1, "val" if n % 4 == 0 else "train") for n in range(images)
        ]
        job = make_run(dataset / "mia", created_at=1.7e9 + number).job()
        made = RunDir.create(StateFolder(dataset / "mia"), job, samples, name="seen")
        with EventLog(made.events) as log:
            log.append(msgspec.structs.replace(started(), device=device, versions={"torch": f"2.{number}"}))
            log.append(epoch_row(1, macro_f1=0.5, accuracy=0.5, loss=1.0))
            log.append(finished())
    with LabelStore(dataset / "mia" / "labels.db") as store:
        ids = {item.name: item.id for item in store.classes()}
        store.set_labels([(ImageKey(f"{n}.png"), ids["cat"]) for n in range(10)], source="person")

    async def test() -> None:
        async with table(dataset, size=(140, 50)) as pilot:
            await press(pilot, "slash", *"seen", "enter", "space", "down", "space", "v")
            await wait_until(pilot, lambda: "Machine that differs" in screen_text(pilot.app))
            lines = {}
            for line in screen_text(pilot.app).splitlines():
                parts = [part.strip() for part in line.strip("│ ").split("  ") if part.strip()]
                lines[parts[0] if parts else ""] = parts[1:]
            assert lines["images"] == ["12", "10"]
            assert lines["images to train on"] == ["9", "7"]
            assert lines["images and labels"] == ["2 fewer, 3 labelled otherwise"]
            assert lines["labels changed since"] == ["7 changed, 2 removed", "10 changed"]
            assert lines["device"] == ["NVIDIA H200", "cpu"]
            assert lines["torch"] == ["2.1", "2.0"]

    run(test())
