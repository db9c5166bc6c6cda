"""Predicting from the app: which network, which images, what is said before it starts, and what comes of it."""

from pathlib import Path
from typing import Any

import pytest
from network_support import predict_without_torch, put_network, train
from run_support import started, wait_for
from textual.pilot import Pilot
from textual.screen import ModalScreen
from tui_support import (
    label,
    make_images,
    opened,
    press,
    run,
    screen_lines,
    screen_text,
    told,
    type_text,
    wait_until,
)

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.recent import remember_dataset
from mia_tui.paths import StateFolder, user_jobs
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.control import request_stop
from mia_tui.runs.worker.liveness import WorkerLock, lives
from mia_tui.tui.label import background_tasks
from mia_tui.tui.predict import flow

WIDE = 120, 40


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 4, classes=("round", "flat"))


@pytest.fixture
def trained(cells: Path) -> RunDir:
    return train(cells, ("round", "long"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    predict_without_torch(monkeypatch, tmp_path)
    monkeypatch.setattr(background_tasks, "_RUNS_AFTER_S", 0.0)


def said(pilot: Pilot[Any]) -> str:
    """What is on the screen; where a dialog is, only that."""
    lines, screen = screen_lines(pilot.app), pilot.app.screen
    if isinstance(screen, ModalScreen) and screen.children:
        box = screen.children[0].region
        lines = [line[box.x + 1 : box.right - 1] for line in lines[box.y + 1 : box.bottom - 1]]
    return " ".join(" ".join(lines).split())


WHICH_NETWORK, WHICH_IMAGES, BEFORE = (
    "Predict with which network?",
    "Predict which images?",
    "They are kept in",
)


async def see(pilot: Pilot[Any], words: str) -> None:
    await wait_until(pilot, lambda: words in said(pilot))


async def confirm(pilot: Pilot[Any], *dialogs: str) -> None:
    """Take what each of these dialogs offers first."""
    for words in dialogs:
        await see(pilot, words)
        await press(pilot, "enter")


def go(dataset: Path) -> None:
    (dataset / "mia" / "go").touch()


def prediction_of(dataset: Path) -> RunDir:
    [made] = [each for each in list_runs(StateFolder(dataset / "mia")) if "predict" in each.name]
    return made


async def end_of(pilot: Pilot[Any], made: RunDir) -> None:
    await wait_until(pilot, lambda: not lives(made))


def test_the_unlabelled_images_are_predicted_seen_left_and_become_suggestions(
    cells: Path, trained: RunDir
) -> None:
    label(cells, "round", ["image-000.png"])

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "ctrl+e")
            await see(pilot, f"{trained.name} 2 classes, best by macro F1, 0.875")
            await confirm(pilot, WHICH_NETWORK)
            await see(pilot, "all images (4)")
            assert "all images (4)" in said(pilot) and "images without a label (3)" in said(pilot)
            await press(pilot, "down")
            await confirm(pilot, WHICH_IMAGES)
            await see(pilot, BEFORE)
            text = said(pilot)
            assert "Predict 3 images?" in text
            assert f"{trained.name} predicts images without a label." in text
            assert "It has 2 classes: round is here, new: long." in text
            assert "only you make labels" in text
            assert str(cells / "mia" / "runs") in text.replace(" ", "")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "33% 1/3" in said(pilot))
            assert "Predicting images without a label (1 of 3)." in said(pilot)
            made = prediction_of(cells)
            assert made.images() == [ImageKey(f"image-00{number}.png") for number in (1, 2, 3)]
            await press(pilot, "escape")
            await see(pilot, "1/4")  # the labelling screen
            assert "You can go on labelling" in said(pilot)
            go(cells)
            await wait_until(pilot, lambda: "has finished: 3 suggestions." in told(pilot.app))
            await press(pilot, "right")
            await wait_until(pilot, lambda: "round?" in screen_text(pilot.app).splitlines()[0])

    run(test())


def test_a_network_of_another_dataset_and_the_images_of_the_filter(cells: Path, tmp_path: Path) -> None:
    other = make_images(tmp_path / "others", 1)
    train(other, ("round", "flat"), name="vgg16")
    remember_dataset(other, None, None)

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "ctrl+f")
            await type_text(pilot, "2")
            await press(pilot, "enter", "ctrl+e")
            await see(pilot, "vgg16 2 classes, best by macro F1, 0.875, of others")
            await confirm(pilot, WHICH_NETWORK)
            await see(pilot, 'images shown ("2") (1)')
            await press(pilot, "end")
            await confirm(pilot, WHICH_IMAGES)
            await see(pilot, BEFORE)
            assert "It has 2 classes, and this dataset has all of them: round, flat." in said(pilot)
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "100% 1/1" in said(pilot))
            made = prediction_of(cells)
            assert made.images() == [ImageKey("image-002.png")]
            assert made.predict_job().config.scope == 'images shown ("2")'

    run(test())


def test_a_weights_file_is_named_by_its_path_and_a_wrong_one_is_refused(cells: Path, tmp_path: Path) -> None:
    put_network(tmp_path / "mine.safetensors", ("thick", "thin"))
    (tmp_path / "wrong.safetensors").write_bytes(b"{}")

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "ctrl+e")
            await see(pilot, WHICH_NETWORK)
            await type_text(pilot, str(tmp_path / "wrong.safetensors"))
            await press(pilot, "enter")
            await see(pilot, "wrong.safetensors is damaged")
            await type_text(pilot, str(tmp_path / "mine.safetensors"))
            await confirm(pilot, "mine.safetensors")
            await see(pilot, BEFORE)
            assert "It has 2 classes, none of them in this dataset: thick, thin." in said(pilot)
            assert "mine predicts all images." in said(pilot)
            await press(pilot, "enter")
            go(cells)
            await wait_until(pilot, lambda: "Finished: 4 suggestions." in said(pilot))
            assert "thick 4 100.0%" in said(pilot)
            assert prediction_of(cells).images() is None

    run(test())


@pytest.mark.parametrize("keys", [("ctrl+u", "p"), ("ctrl+u", "enter", "p")], ids=["table", "run"])
def test_on_the_screens_of_runs_the_network_of_the_run_comes_first_and_back_leads_there(
    cells: Path, trained: RunDir, keys: tuple[str, ...]
) -> None:
    train(cells, ("round", "flat"), name="vgg16", created_at=2e9)  # a newer one

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "ctrl+u", "down", *keys[1:])
            await confirm(pilot, WHICH_NETWORK)
            await see(pilot, BEFORE)
            assert f"{trained.name} predicts all images." in said(pilot)
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "25% 1/4" in said(pilot))
            await press(pilot, "escape")
            await wait_until(pilot, lambda: "1/4" not in said(pilot) or "Runs of cells" in said(pilot))
            assert ("Runs of cells" if len(keys) == 2 else "Curves") in said(pilot)
            assert lives(prediction_of(cells))
            go(cells)
            await end_of(pilot, prediction_of(cells))

    run(test())
    assert read_state(prediction_of(cells)).outcome == "finished"


def test_behind_a_run_in_progress_it_waits_only_if_the_person_says_so(cells: Path, trained: RunDir) -> None:
    live = train(cells, ("round",), name="busy", created_at=2e9)
    go(cells)

    async def test() -> None:
        with WorkerLock(live) as lock, EventLog(live.events) as log:
            log.append(started())
            async with opened(cells, size=WIDE) as pilot:
                await press(pilot, "ctrl+e")
                await see(pilot, WHICH_NETWORK)
                assert "busy" not in said(pilot)  # its weights may be others in a minute
                await confirm(pilot, WHICH_NETWORK)
                await see(pilot, BEFORE)
                assert f"The run {live.name} is in progress" in said(pilot)
                await pilot.resize_terminal(80, 24)
                await wait_until(pilot, lambda: "Cancel" in said(pilot))
                await pilot.resize_terminal(*WIDE)
                await see(pilot, BEFORE)
                await press(pilot, "a")
                await wait_until(pilot, lambda: f"Waiting for the run {live.name} to end" in said(pilot))
                made = prediction_of(cells)
                assert made.job().after == str(live.path.resolve())
                request_stop(made)
                await end_of(pilot, made)
                await press(pilot, "escape", "ctrl+e")
                await confirm(pilot, WHICH_NETWORK, BEFORE)
                await wait_until(pilot, lambda: "Finished: 4 suggestions." in said(pilot))
                assert prediction_of(cells).job().after is None
            del lock

    run(test())


@pytest.mark.parametrize("escapes_at", [0, 1, 2])
def test_cancelling_starts_nothing(cells: Path, trained: RunDir, escapes_at: int) -> None:
    label(cells, "round", ["image-000.png"])  # else there is one choice of images, which is not asked for

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            dialogs = (WHICH_NETWORK, WHICH_IMAGES, BEFORE)
            await press(pilot, "ctrl+e")
            await confirm(pilot, *dialogs[:escapes_at])
            await see(pilot, dialogs[escapes_at])
            await press(pilot, "escape", "right")
            await see(pilot, "2/4")

    run(test())
    assert list_runs(StateFolder(cells / "mia")) == [trained]


def test_where_the_dataset_cannot_be_written_the_users_own_folder_is_named(
    cells: Path, trained: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow, "why_unwritable", lambda path: "no" if cells in path.parents else None)

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "ctrl+e")
            await confirm(pilot, WHICH_NETWORK)
            await see(pilot, BEFORE)
            assert str(user_jobs(cells).runs) in said(pilot).replace(" ", "")

    run(test())


def test_a_run_without_weights_says_so(cells: Path, trained: RunDir) -> None:
    trained.best_weights.unlink()

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "ctrl+u", "p")
            assert "does not exist" in said(pilot) or "no weights" in said(pilot)

    run(test())


def test_at_80_columns_every_line_of_the_dialogs_can_be_read(cells: Path, trained: RunDir) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "ctrl+e")
            await see(pilot, f"{trained.name} 2 classes, best by macro F1, 0.875")
            await confirm(pilot, WHICH_NETWORK)
            await see(pilot, BEFORE)
            assert "It has 2 classes: round is here, new: long." in said(pilot)

    run(test())


def test_a_prediction_that_is_being_made_is_not_started_twice(cells: Path, trained: RunDir) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "ctrl+e")
            await confirm(pilot, WHICH_NETWORK, BEFORE)
            await wait_until(pilot, lambda: "25% 1/4" in said(pilot))
            await press(pilot, "escape", "ctrl+e")
            await confirm(pilot, WHICH_NETWORK, BEFORE)
            await wait_until(pilot, lambda: "is making the same prediction" in told(pilot.app))
            request_stop(prediction_of(cells))
            await end_of(pilot, prediction_of(cells))

    run(test())


def test_a_stopped_prediction_goes_on_when_it_is_asked_for_again(cells: Path, trained: RunDir) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "ctrl+e")
            await confirm(pilot, WHICH_NETWORK, BEFORE)
            await wait_until(pilot, lambda: "25% 1/4" in said(pilot))
            await press(pilot, "s")
            await wait_until(
                pilot, lambda: "Stopped after 1 of 4 images; R resumes it where it stopped." in said(pilot)
            )
            go(cells)
            await press(pilot, "r")
            await wait_until(pilot, lambda: "Finished: 4 suggestions." in said(pilot))

    run(test())
    wait_for(lambda: read_state(prediction_of(cells)).attempt == 2)
