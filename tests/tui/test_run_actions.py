"""The actions on runs, from the table of runs and the screen of one: titles, tags, notes, runs of other kinds."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from run_support import epoch_row, finished, make_predict_job, make_run, started
from textual.app import App
from textual.pilot import Pilot
from tui_support import OneScreen, make_context, press, run, running, screen_text, settle, wait_until

from mia_tui.paths import StateFolder
from mia_tui.runs.actions import action as actions
from mia_tui.runs.actions import starting
from mia_tui.runs.record.events import Event, ResultSaved
from mia_tui.runs.record.job import JobClass, RunNotes
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker.detach_risk import DetachRisk
from mia_tui.runs.worker.liveness import WorkerLock
from mia_tui.tui.context import Context
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.runs.run_screen import RunScreen
from mia_tui.tui.runs.table_screen import RunsScreen

PLACES = ("table", "run")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "cells" / "mia"
    folder.mkdir(parents=True)
    return folder


def training(state: Path, name: str = "resnet18", created_at: float = 1e9) -> RunDir:
    return tell(
        make_run(state, name=name, created_at=created_at, backbone=name),
        started(),
        epoch_row(1, macro_f1=0.5),
        finished(),
    )


def prediction(state: Path, **config: object) -> RunDir:
    made = RunDir.create(StateFolder(state), make_predict_job(state, **config), name="predict-resnet18")
    result = ResultSaved(t=8.0, sentence="3 suggestions.", file="predictions/suggestions.jsonl")
    return tell(made, started(total=0, steps=0), result, finished())


def tell(run: RunDir, *events: Event) -> RunDir:
    with EventLog(run.events) as log:
        for event in events:
            log.append(event)
    os.utime(run.path / "job.json", (1000.0, 1000.0))
    return run


@asynccontextmanager
async def showing(place: str, run: RunDir, *, columns: int = 80) -> AsyncIterator[Pilot[None]]:
    """The table of runs, or the screen of one."""
    dataset = run.path.parent.parent.parent

    def make(_: LabelController, context: Context) -> RunsScreen | RunScreen:
        opened = OpenDataset(dataset, None, "ann")
        return RunsScreen(opened, context) if place == "table" else RunScreen(run, opened, context)

    app = OneScreen(make_context(), LabelController(dataset, state=None, annotator="ann"), make)
    async with running(app, size=(columns, 24)) as pilot:
        await settle(pilot)
        yield pilot


def words(app: App[None]) -> str:
    return " ".join(screen_text(app).split())


async def see(pilot: Pilot[None], text: str) -> None:
    await wait_until(pilot, lambda: text in words(pilot.app))


async def type_in(pilot: Pilot[None], text: str) -> None:
    keys = {" ": "space", ",": "comma", "#": "number_sign"}
    await press(pilot, *(keys.get(letter, letter) for letter in text), "enter")


def test_both_screens_have_the_same_keys_for_what_is_done_with_runs() -> None:
    names = (
        "stop",
        "resume",
        "change",
        "again",
        "queue",
        "predict",
        "delete",
        "rename",
        "tag",
        "note",
        "report",
    )
    for name in names:
        assert SCOPES["run"].keys[name] == SCOPES["runs"].keys[name]


@pytest.mark.parametrize("place", PLACES)
def test_a_title_takes_the_place_of_the_name_and_the_folder_is_still_named(state: Path, place: str) -> None:
    made = training(state)

    async def test() -> None:
        async with showing(place, made) as pilot:
            await press(pilot, "e")
            assert "Which title has this run?" in screen_text(pilot.app)
            assert f"Empty: its folder's name, {made.name}." in words(pilot.app)
            await type_in(pilot, "plain labels")
            await see(pilot, f"{made.name} is now called plain labels.")
            assert made.notes() == RunNotes(title="plain labels")
            if place == "table":
                await see(pilot, "finished training plain")
                await see(pilot, f"in {made.name}")
            else:
                await wait_until(pilot, lambda: screen_text(pilot.app).startswith("plain labels  resnet18"))
                await press(pilot, "5")
                await see(pilot, f"folder {made.name} title plain labels")
            await press(pilot, "e", *["backspace"] * 12)
            await type_in(pilot, "")
            await see(pilot, f"{made.name} has no title.")

    run(test())


def test_a_title_that_misleads_is_asked_for_again_with_the_reason(state: Path) -> None:
    made = training(state)

    async def test() -> None:
        async with showing("table", made) as pilot:
            await press(pilot, "e")
            await type_in(pilot, "last")
            await see(pilot, "A run cannot be called last")
            await press(pilot, "escape")
            assert made.notes() == RunNotes()
            assert "called" not in words(pilot.app)

    run(test())


@pytest.mark.parametrize("place", PLACES)
def test_tags_and_notes_are_seen_where_they_are_written(state: Path, place: str) -> None:
    made = training(state)

    async def test() -> None:
        async with showing(place, made, columns=120) as pilot:
            await press(pilot, "t")
            await type_in(pilot, "good, plate 3")
            await see(pilot, f"{made.name} has the tags good, plate 3.")
            await see(pilot, "resnet18 #good #plate 3")
            await press(pilot, "t")
            assert "good, plate 3" in screen_text(pilot.app)
            await press(pilot, *["backspace"] * len(", plate 3"))
            await type_in(pilot, "")
            await see(pilot, f"{made.name} has the tag good.")
            await press(pilot, "w")
            await type_in(pilot, "labels of Monday")
            await see(pilot, f"The note on {made.name} is saved.")
            if place == "run":
                await press(pilot, "5")
            await see(pilot, "labels of Monday")
            assert made.notes() == RunNotes(tags=("good",), note="labels of Monday")

    run(test())


def test_marked_runs_are_tagged_together_and_the_table_is_filtered_by_a_tag(state: Path) -> None:
    first, second = training(state, "vgg16", 1.7e9), training(state, "vgg19", 1.71e9)
    third = training(state, "densenet121", 1.72e9)
    second.put_notes(RunNotes(tags=("old",)))

    async def test() -> None:
        async with showing("table", first) as pilot:
            await press(pilot, "down", "space", "down", "space", "t")
            assert "Tags that all 2 marked runs have" in screen_text(pilot.app)
            await type_in(pilot, "good")
            await see(pilot, "2 runs: good added.")
            assert first.notes().tags == ("good",)
            assert set(second.notes().tags) == {"old", "good"}
            assert third.notes().tags == ()
            # Both are read again by the table, which happens soon after.
            await wait_until(pilot, lambda: pilot.app.screen.rows.count("tagged good") == 2)
            await press(pilot, "escape", "f")
            await see(pilot, "tagged good (2)")
            await press(pilot, *["down"] * 20)
            await press(pilot, "up", "enter")
            await see(pilot, "shown: tagged good")
            lines = screen_text(pilot.app).splitlines()[2:6]
            assert [any(name in line for line in lines) for name in ("vgg16", "vgg19", "densenet121")] == [
                True,
                True,
                False,
            ]

    run(test())


def test_a_run_in_progress_shows_the_title_it_gets_meanwhile(state: Path) -> None:
    made = make_run(state)

    async def test() -> None:
        with WorkerLock(made):
            tell(made, started())
            async with showing("table", made, columns=120) as pilot:
                made.put_notes(RunNotes(title="from elsewhere"))
                await see(pilot, "from elsewhere")

    run(test())


@pytest.mark.parametrize("place", PLACES)
def test_a_finished_prediction_is_not_resumed_and_can_be_made_again(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    weights = tmp_path / "best.safetensors"
    weights.touch()
    card = SimpleNamespace(classes=[JobClass(0, "cat"), JobClass(1, "dog")])
    monkeypatch.setattr(starting, "read_card", lambda path: card)
    begun: list[RunDir] = []
    monkeypatch.setattr(starting, "resume_run", lambda run, after, dataset: begun.append(run))
    made = prediction(state, weights=str(weights))

    async def test() -> None:
        async with showing(place, made) as pilot:
            await press(pilot, "r")
            await see(pilot, f"The prediction {made.name} is finished, so there is nothing to resume.")
            await see(pilot, "A does the same again.")
            await press(pilot, "a")
            await wait_until(pilot, lambda: len(begun) == 1)
            await wait_until(pilot, lambda: screen_text(pilot.app).startswith(begun[0].name))

    run(test())


@pytest.mark.parametrize("place", PLACES)
def test_a_run_is_queued_from_both_screens_and_what_would_end_it_is_said(
    state: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    live = make_run(state, name="live", created_at=1e9)
    lost = tell(make_run(state, created_at=1.1e9), started())
    risk = DetachRisk("This terminal belongs to Slurm job 7.", "Use sbatch.")
    monkeypatch.setattr(actions, "detach_risk", lambda: risk)
    asked: list[tuple[RunDir, RunDir | None]] = []
    monkeypatch.setattr(starting, "resume_run", lambda run, after, dataset: asked.append((run, after)))

    async def test() -> None:
        with WorkerLock(live):
            async with showing(place, lost) as pilot:
                await press(pilot, "u")
                await see(pilot, f"continues with its settings when {live.name} has ended.")
                assert asked == [(lost, live)]
                assert [note.message for note in pilot.app._notifications] == [
                    "This terminal belongs to Slurm job 7. Use sbatch."
                ]

    run(test())


def test_a_prediction_has_no_network_to_predict_with(state: Path) -> None:
    made = prediction(state)

    async def test() -> None:
        async with showing("table", made) as pilot:
            await press(pilot, "p")
            await see(pilot, "It used that of resnet18: P and C work on that run; A does this one again.")

    run(test())
