"""Suggestions of several models: which are shown, where two differ, classes that the dataset does not have."""

import shutil
import time
from pathlib import Path

import pytest
from run_support import make_suggestions
from textual.pilot import Pilot
from tui_support import labels_in, make_images, opened, press, run, screen_text, told, type_text, wait_until

from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.paths import user_jobs
from mia_tui.runs.prediction import suggestions as suggestions_module
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.grid.screen import GridScreen
from mia_tui.tui.label import background_tasks

NAMES = [f"image-{number:03}.png" for number in range(4)]
NEW = ("round", "debris", "dust")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prediction is always later than the one before."""
    seconds = iter(range(10_000))
    now = time.time()
    monkeypatch.setattr(suggestions_module.time, "time", lambda: now + next(seconds))


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user"))
    return make_images(tmp_path / "cells", 4, classes=("round", "flat"))


def predict_all(cells: Path, network: str, *classes: str) -> RunDir:
    """A prediction of all images: each of the classes, one after the other."""
    what = {name: (classes[number % len(classes)], 0.9) for number, name in enumerate(NAMES)}
    return make_suggestions(cells / "mia", what, network=network, classes=sorted(set(classes)))


def frame(text: str) -> str:
    return text.splitlines()[0]


async def see(pilot: Pilot[int], words: str) -> None:
    await wait_until(pilot, lambda: words in screen_text(pilot.app))


def test_the_newest_prediction_is_shown_and_a_key_chooses_another(cells: Path) -> None:
    predict_all(cells, "20261101-0900-vgg16", "round")
    make_suggestions(cells / "mia", {NAMES[0]: ("flat", 0.8)}, network="20261102-0900-resnet18")

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            assert "flat? 80%" in screen_text(pilot.app)
            of_image = frame(screen_text(pilot.app))
            assert "resnet18 ━" in of_image and "20261102" not in of_image
            assert (
                "1 suggestion of 20261102-0900-resnet18, which predicted 1 of 4 images. Those of other predictions "
                "are not shown with it." in told(pilot.app)
            )
            await press(pilot, "ctrl+s")
            text = screen_text(pilot.app)
            assert "Whose suggestions? (4 images in all)" in text
            assert "▸ 20261102-0900-resnet18" in text and "  20261101-0900-vgg16" in text
            assert "1 image " in text and "4 images " in text
            await press(pilot, "down", "enter")
            assert "4 suggestions of 20261101-0900-vgg16." in screen_text(pilot.app)
            assert "round? 90%  Enter accepts" in screen_text(pilot.app)
            assert screen_text(pilot.app).count("(1)") == 4  # the list is painted again
            await press(pilot, "ctrl+s", "escape")
            assert "round? 90%" in screen_text(pilot.app)

    run(test())


def test_without_a_prediction_the_key_says_where_models_are(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "ctrl+s")
            assert "No prediction of this dataset was made yet; Ctrl+E makes" in screen_text(pilot.app)

    run(test())


def test_a_class_that_is_new_is_asked_for_once_and_one_undo_takes_it_back(cells: Path) -> None:
    predict_all(cells, "vgg16", "debris")

    async def test() -> None:
        async with opened(cells) as pilot:
            assert "Classes you do not have yet: debris." in told(pilot.app)
            assert "debris? 90%  Enter adds this class" in frame(screen_text(pilot.app))
            await press(pilot, "enter")
            assert "Add the class debris?" in screen_text(pilot.app)
            await press(pilot, "enter")  # the safe answer
            assert labels_in(cells) == {} and "1/4" in screen_text(pilot.app)
            await press(pilot, "enter", "y")
            assert "2/4" in screen_text(pilot.app)
            assert [label.source for label in labels_in(cells).values()] == ["accepted"]
            assert "debris? 90%  Enter accepts" in frame(screen_text(pilot.app))
            await press(pilot, "enter")
            assert set(labels_in(cells)) == set(NAMES[:2])
            await press(pilot, "ctrl+z", "ctrl+z")
            assert labels_in(cells) == {}
            with LabelStore(cells / "mia" / "labels.db") as store:
                assert [known.name for known in store.classes()] == ["round", "flat"]
            assert "debris? 90%  Enter adds this class" in frame(screen_text(pilot.app))

    run(test())


def test_all_new_classes_of_a_model_can_be_added_at_once(cells: Path) -> None:
    predict_all(cells, "vgg16", *NEW)

    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "right", "enter")
            assert "The new classes of this model are debris, dust." in screen_text(pilot.app)
            await press(pilot, "a")
            assert list(labels_in(cells)) == [NAMES[1]]
            with LabelStore(cells / "mia" / "labels.db") as store:
                assert [known.name for known in store.classes()] == ["round", "flat", "debris", "dust"]
            await press(pilot, "ctrl+z")
            await press(pilot, "ctrl+p")
            await type_text(pilot, "model's classes")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "Added debris, dust" in screen_text(pilot.app))
            assert labels_in(cells) == {}

    run(test())


def test_the_filter_compares_with_the_only_other_prediction_and_names_both(cells: Path) -> None:
    predict_all(cells, "20261101-0900-vgg16", "round")
    predict_all(cells, "20261102-0900-resnet18", "round", "dust")

    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "f5")
            await type_text(pilot, "two models")
            await press(pilot, "enter")
            text = screen_text(pilot.app)
            assert "1/2  image-001.png" in text
            assert "[where resnet18 and vgg16 differ]" in text
            assert "dust? 90%" in frame(text) and "vgg16: round?" in frame(text)
            await press(pilot, "1", "f1")
            assert "round" in frame(screen_text(pilot.app)) and "resnet18: dust?" in frame(
                screen_text(pilot.app)
            )
            await press(pilot, "f7")
            assert "[where resnet18 and vgg16 differ]" in screen_text(pilot.app)

    run(test())


def test_two_runs_of_one_network_on_one_day_are_told_apart_by_their_time(cells: Path) -> None:
    predict_all(cells, "20261101-0900-resnet18", "round")
    predict_all(cells, "20261101-1030-resnet18", "flat")

    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "f5")
            await type_text(pilot, "two models")
            await press(pilot, "enter")
            text = screen_text(pilot.app)
            assert "[where 1030-resnet18 and 0900-" in text
            assert "flat? 90%" in frame(text) and "0900-resnet18: round?" in frame(text)

    run(test())


def test_the_filter_says_if_there_is_no_other_prediction(cells: Path) -> None:
    predict_all(cells, "one", "round")

    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "f5")
            await type_text(pilot, "two models")
            await press(pilot, "enter")
            nothing = "There is nothing to compare: no other prediction"
            await wait_until(pilot, lambda: nothing in screen_text(pilot.app))
            assert "1/4" in screen_text(pilot.app)

    run(test())


def test_the_filter_asks_which_of_several_predictions(cells: Path) -> None:
    predict_all(cells, "one", "round", "flat")
    predict_all(cells, "two", "flat")
    predict_all(cells, "three", "round")

    async def test() -> None:
        async with opened(cells) as pilot:
            for answer in ("escape", "down"):
                await press(pilot, "f5")
                await see(pilot, "Show which images?")
                await type_text(pilot, "two models")
                await press(pilot, "enter")
                await see(pilot, "Where three differs from which?")
                text = screen_text(pilot.app)
                assert "one " in text and "two " in text
                await press(pilot, answer)
                await see(pilot, "1/4")
            await press(pilot, "enter")
            await see(pilot, "[where three and one differ]")
            assert "1/2" in screen_text(pilot.app)

    run(test())


def test_two_predictions_of_one_network_are_told_apart_by_their_time(cells: Path) -> None:
    predict_all(cells, "vgg16", "round")
    predict_all(cells, "vgg16", "flat")

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await press(pilot, "f5")
            await type_text(pilot, "two models")
            await press(pilot, "enter")
            await see(pilot, "[where vgg16 and vgg16 of ")

    run(test())


def test_predictions_that_come_and_go_while_the_app_is_open_are_followed(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_tasks, "_RUNS_AFTER_S", 0.0)
    predict_all(cells, "older", "round")
    chosen = predict_all(cells, "chosen", "flat")

    async def test() -> None:
        async with opened(cells) as pilot:
            tasks = pilot.app.screen._background_tasks  # type: ignore[attr-defined]
            await wait_until(pilot, lambda: tasks.runs is not None and tasks.runs._stamp is not None)
            own = make_suggestions(
                user_jobs(cells).root, {NAMES[0]: ("flat", 0.6)}, network="own", dataset=cells
            )
            await wait_until(pilot, lambda: "flat? 60%" in frame(screen_text(pilot.app)))
            await press(pilot, "ctrl+s", "down", "enter")
            assert "4 suggestions of chosen." in screen_text(pilot.app)
            shutil.rmtree(own.path)
            stamp = tasks.runs._stamp
            await wait_until(pilot, lambda: tasks.runs._stamp != stamp)
            await press(pilot, "right")
            assert "flat? 90%" in frame(screen_text(pilot.app))  # the person chose it
            shutil.rmtree(chosen.path)
            await wait_until(pilot, lambda: "round? 90%" in frame(screen_text(pilot.app)))

    run(test())


def test_a_prediction_that_ends_while_the_grid_is_open_is_seen_there(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_tasks, "_RUNS_AFTER_S", 0.0)

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await press(pilot, "f7")
            predict_all(cells, "vgg16", "flat")
            await see(pilot, "flat? 90%")
            assert isinstance(pilot.app.screen, GridScreen)

    run(test())


def test_suggestions_that_are_gone_or_damaged_when_they_are_chosen_are_said_so(cells: Path) -> None:
    damaged = predict_all(cells, "damaged", "flat")
    predict_all(cells, "good", "round")
    lines = damaged.suggestions.read_bytes().splitlines(keepends=True)
    damaged.suggestions.write_bytes(lines[0] + b"x\n" + b"".join(lines[2:]))

    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "ctrl+s", "down", "enter")
            assert "The suggestions of damaged are damaged" in told(pilot.app)
            assert "round? 90%" in frame(screen_text(pilot.app))

    run(test())
