"""Esc leads back to where one came from: from every screen, dialog and choice of images."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from run_support import epoch_row, finished, make_run, started
from textual.app import App
from textual.pilot import Pilot
from tui_support import make_context, make_images, opened, press, run, screen_text, type_text, wait_until

from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.paths import StateFolder
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.record.events import ConfusionSaved
from mia_tui.runs.record.job import JobClass, Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.tui.dialogs import PickDialog, Question, TextDialog
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.label.session_screen import SessionScreen
from mia_tui.tui.label.words import shown_filter
from mia_tui.tui.runs.run_screen import RunScreen

NAMES = tuple(f"image-{number:03}.png" for number in range(5))
CELLS = [(NAMES[0], 0, 0), (NAMES[1], 0, 1), (NAMES[2], 0, 1), (NAMES[3], 1, 1), (NAMES[4], 1, 0)]
"""Image, truth, prediction."""

CELL = ("ctrl+u", "enter", "4", "right", "enter")
"""The images of the cell `cat, predicted dog` of the only run."""


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Five labelled images of two classes, and a finished run that was evaluated on them."""
    folder = make_images(tmp_path / "pets", 5, classes=["cat", "dog"])
    with LabelStore(folder / "mia" / "labels.db", annotator="ann") as store:
        ids = [image_class.id for image_class in store.classes()]
        store.set_labels([(ImageKey(path), ids[truth]) for path, truth, _ in CELLS[:4]], source="person")
    made = make_run(folder / "mia", created_at=1e9)
    job = msgspec.structs.replace(made.job(), classes=[JobClass(1, "cat"), JobClass(2, "dog")])
    shutil.rmtree(made.path)
    samples = [Sample(path, truth, "val") for path, truth, _ in CELLS]
    seen = RunDir.create(StateFolder(folder / "mia"), job, samples, name="seen")
    counts = np.zeros((2, 2), np.int64)
    for _, truth, predicted in CELLS:
        counts[truth, predicted] += 1
    save_confusion(seen.confusion("best"), SavedConfusion(1, "val", ("cat", "dog"), counts))
    given = EpochPredictions(1, "val", np.array([predicted for _, _, predicted in CELLS]))
    save_epoch_predictions(epoch_predictions_file(seen, "best"), given)
    with EventLog(seen.events) as log:
        for event in (
            started(),
            epoch_row(1, macro_f1=0.25, loss=1.5),
            ConfusionSaved(t=4.0, epoch=1, split="val", file="confusion/best.json"),
            finished(t=1e10),
        ):
            log.append(event)
    return folder


def where(app: App[Any]) -> str:
    """The screen in view, and what of it: which images, or which page and cell of a run."""
    screen: Any = app.screen
    if isinstance(screen, SessionScreen):
        session = screen.session
        shown = shown_filter(session.filter, session, screen.context.ink) or "all"
        marks = f", {session.selected_count} marked" if session.selected_count else ""
        name = "label" if isinstance(screen, LabelScreen) else "grid"
        return f"{name}: {shown}{marks}"
    if isinstance(screen, RunScreen):
        place = screen.pages.place
        return f"run: {place.page} {place.line},{place.column}"
    return type(screen).__name__


async def go(pilot: Pilot[Any], *keys: str) -> None:
    """Press keys; a word in quotes is typed into the line that has the focus."""
    for key in keys:
        if key.startswith('"'):
            await type_text(pilot, key.strip('"'))
            await pilot.pause()
        else:
            await press(pilot, key)


WAYS = [
    # Where images are labelled
    ("a list of classes to choose from", ("/",), "label: all"),
    ("the question for a search", ("ctrl+f",), "label: all"),
    ("the list of filters", ("f5",), "label: all"),
    ("the list of orders", ("f6",), "label: all"),
    ("the list of folders", ("ctrl+o",), "label: all"),
    ("a note", ("ctrl+n",), "label: all"),
    ("the choice of a network", ("ctrl+e",), "label: all"),
    ("the palette", ("ctrl+p",), "label: all"),
    ("the keys", ("?",), "label: all"),
    ("the manual", ("f12",), "label: all"),
    ("the classes", ("f8",), "label: all"),
    ("the form of a training", ("ctrl+t",), "label: all"),
    ("the runs", ("ctrl+u",), "label: all"),
    ("the grid", ("f7",), "label: all"),
    # Images that were chosen
    ("what was searched", ("ctrl+f", '"002"', "enter"), "label: all"),
    ("what was filtered", ("f5", '"cat"', "enter"), "label: all"),
    ("another filter in its place", ("f5", '"cat"', "enter", "f5", '"dog"', "enter"), "label: all"),
    ("a search in a filter", ("f5", '"cat"', "enter", "ctrl+f", '"002"', "enter"), "label: class cat"),
    ("a search that found nothing", ("ctrl+f", '"zzz"', "enter"), "label: all"),
    ("a dialog in a filter", ("f5", '"cat"', "enter", "ctrl+f"), "label: class cat"),
    ("the grid of a filter", ("f5", '"cat"', "enter", "f7"), "label: class cat"),
    ("the images of a cell", CELL, "run: confusion 0,1"),
    ("the images of a class", ("ctrl+u", "enter", "3", "down", "enter"), "run: by_class 1,0"),
    ("the grid of a cell", (*CELL, "f7"), "label: truth cat, predicted dog"),
    ("a search in a cell", (*CELL, "ctrl+f", '"002"', "enter"), "label: truth cat, predicted dog"),
    ("a cell from within a filter", ("f5", '"cat"', "enter", *CELL), "run: confusion 0,1"),
    ("an image that was opened from the grid", ("f7", "right", "enter"), "grid: all"),
    # The grid
    ("marks", ("f7", "space"), "grid: all"),
    ("a search in the grid", ("f7", "ctrl+f", '"002"', "enter"), "grid: all"),
    ("a cell that was opened from the grid", ("f7", *CELL), "run: confusion 0,1"),
    ("a dialog of the grid", ("f7", "f5"), "grid: all"),
    ("the runs, from the grid", ("f7", "ctrl+u"), "grid: all"),
    ("the classes, from the grid", ("f7", "f8"), "grid: all"),
    ("the keys of the grid", ("f7", "?"), "grid: all"),
    ("an image of a search in the grid", ("f7", "ctrl+f", '"00"', "enter", "enter"), 'grid: "00"'),
    # Classes
    ("a new class", ("f8", "a"), "ClassesScreen"),
    ("the name of a class", ("f8", "r"), "ClassesScreen"),
    ("the colour of a class", ("f8", "c"), "ClassesScreen"),
    ("the key of a class", ("f8", "k"), "ClassesScreen"),
    ("the class to merge with", ("f8", "m"), "ClassesScreen"),
    ("the question before a merge", ("f8", "m", "enter"), "ClassesScreen"),
    ("the question before a class is archived", ("f8", "x"), "ClassesScreen"),
    ("the keys of the classes", ("f8", "?"), "ClassesScreen"),
    # The form
    ("a list of a field", ("ctrl+t", "ctrl+r"), "TrainScreen"),
    ("the file to save to", ("ctrl+t", "ctrl+s"), "TrainScreen"),
    ("the keys of the form", ("ctrl+t", "f1"), "TrainScreen"),
    ("the manual, from the form", ("ctrl+t", "f12"), "TrainScreen"),
    # Runs
    ("a run", ("ctrl+u", "enter"), "RunsScreen"),
    ("another page of a run", ("ctrl+u", "enter", "4"), "RunsScreen"),
    ("the mark of a run", ("ctrl+u", "space"), "RunsScreen"),
    ("the filter of runs", ("ctrl+u", "f", "down", "enter"), "RunsScreen"),
    ("the list of filters of runs", ("ctrl+u", "f"), "RunsScreen"),
    ("the title of a run", ("ctrl+u", "e"), "RunsScreen"),
    ("the question before a run is deleted", ("ctrl+u", "x"), "RunsScreen"),
    ("the title, on a run", ("ctrl+u", "enter", "e"), "run: curves 0,0"),
    ("the keys of a run", ("ctrl+u", "enter", "?"), "run: curves 0,0"),
    ("the wrong predictions of a run", ("ctrl+u", "enter", "4", "g"), "run: confusion 0,0"),
    ("an image among them", ("ctrl+u", "enter", "4", "g", "enter"), "run: confusion 0,0"),
    ("the form, from the runs", ("ctrl+u", "n"), "RunsScreen"),
    ("the form, from a run", ("ctrl+u", "enter", "a"), "run: curves 0,0"),
    # Help and manual
    ("a search in the manual", ("f12", "/"), "ManualScreen"),
    ("the contents of the manual", ("f12", "c"), "ManualScreen"),
    ("the keys of the manual", ("f12", "?"), "ManualScreen"),
    ("the keys of dialogs", ("ctrl+f", "f1"), "TextDialog"),
    ("the keys of dialogs, from a list", ("f5", "f1"), "PickDialog"),
    ("the keys of dialogs, from a question", ("f8", "x", "f1"), "Question"),
    # The first screen
    ("the first screen", ("f10",), "label: all"),
    ("the keys of the first screen", ("f10", "f1"), "HomeScreen"),
    ("the manual, from the first screen", ("f10", "f12"), "HomeScreen"),
    ("what is typed there", ("f10", '"zzz"'), "HomeScreen"),
]


@pytest.mark.parametrize(("keys", "to"), [way[1:] for way in WAYS], ids=[way[0] for way in WAYS])
def test_escape_leads_back_to_where_one_came_from(dataset: Path, keys: tuple[str, ...], to: str) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            await go(pilot, *keys)
            assert where(pilot.app) != to or to in ("RunsScreen", "HomeScreen"), "the keys led nowhere"
            await press(pilot, "escape")
            await wait_until(pilot, lambda: where(pilot.app) == to)

    run(test())


@pytest.mark.parametrize("auto", [False, True], ids=["auto mode off", "auto mode on"])
def test_from_the_images_of_a_cell_each_escape_goes_one_step_back(dataset: Path, auto: bool) -> None:
    async def test() -> None:
        async with opened(dataset, context=make_context(user=UserConfig(auto_advance=auto))) as pilot:
            await go(pilot, "right", "right", "right", *CELL)
            assert "Esc goes back to the run" in screen_text(pilot.app)
            for to in ("run: confusion 0,1", "RunsScreen", "label: all"):
                await press(pilot, "escape")
                await wait_until(pilot, lambda to=to: where(pilot.app) == to)
            assert "4/5" in screen_text(pilot.app), "the image that one came from"
            await press(pilot, "escape")
            assert "nothing to go back to" in screen_text(pilot.app)
            assert where(pilot.app) == "label: all"

    run(test())


def test_from_an_image_of_a_search_in_the_grid_each_escape_goes_one_step_back(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            await go(pilot, "f5", '"cat"', "enter", "f7", "ctrl+f", '"00"', "enter", "enter")
            for to in ('grid: class cat, "00"', "grid: class cat", "label: class cat", "label: all"):
                await press(pilot, "escape")
                await wait_until(pilot, lambda to=to: where(pilot.app) == to)

    run(test())


def test_a_search_is_left_at_the_image_that_was_found(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            await go(pilot, "ctrl+f", '"003"', "enter", "escape")
            assert "All images are shown again." in screen_text(pilot.app)
            assert "4/5" in screen_text(pilot.app)

    run(test())


def test_escape_goes_back_to_nothing_that_was_left_in_another_way(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            await go(pilot, *CELL, "f5", "home", "enter")
            assert where(pilot.app) == "label: all"
            await press(pilot, "escape")
            assert where(pilot.app) == "label: all"
            assert "nothing to go back to" in screen_text(pilot.app)

    run(test())


def test_the_users_own_key_goes_back_too(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, context=make_context(user=UserConfig(keys={"leave": ("f11",)}))) as pilot:
            await go(pilot, *CELL)
            assert "F11 goes back to the run" in screen_text(pilot.app)
            await press(pilot, "f11")
            await wait_until(pilot, lambda: where(pilot.app) == "run: confusion 0,1")

    run(test())


def test_all_kinds_of_dialogs_are_among_the_ways() -> None:
    assert {TextDialog.__name__, PickDialog.__name__, Question.__name__} <= {to for _, _, to in WAYS}
