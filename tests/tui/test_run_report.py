"""The report of a run from the app: asked for by a key, made by a process, said when it is there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from report_support import make_training
from run_support import make_predict_job
from textual.app import App
from textual.pilot import Pilot
from tui_support import OneScreen, make_context, press, run, running, screen_text, settle, told, wait_until

from mia_tui.errors import RunError
from mia_tui.paths import StateFolder
from mia_tui.runs.actions.reporting import MakeReport, report_name
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.context import Context
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.runs.run_screen import RunScreen
from mia_tui.tui.runs.table_screen import RunsScreen


@asynccontextmanager
async def showing(place: str, run: RunDir) -> AsyncIterator[Pilot[None]]:
    """The table of runs, or the screen of one."""
    dataset = run.path.parent.parent.parent

    def make(_: LabelController, context: Context) -> RunsScreen | RunScreen:
        opened = OpenDataset(dataset, None, "ann")
        return RunsScreen(opened, context) if place == "table" else RunScreen(run, opened, context)

    app = OneScreen(make_context(), LabelController(dataset, state=None, annotator="ann"), make)
    async with running(app, size=(100, 24)) as pilot:
        await settle(pilot)
        yield pilot


def words(app: App[None]) -> str:
    return " ".join(screen_text(app).replace("│", " ").split())


async def see(pilot: Pilot[None], text: str) -> None:
    await wait_until(pilot, lambda: text in words(pilot.app))


@pytest.mark.parametrize("place", ["table", "run"])
def test_a_key_asks_where_to_and_writes_the_report(place: str, tmp_path: Path) -> None:
    made = make_training(tmp_path / "cells")

    async def body() -> None:
        async with showing(place, made) as pilot:
            await press(pilot, "d")
            await see(pilot, "Write the report of")
            await press(pilot, "enter")
            report = tmp_path / "cells" / report_name(made)
            await wait_until(pilot, report.exists)
            await see(pilot, "The report is in")
            assert report.read_text("utf-8").startswith("<!DOCTYPE html>")

    run(body())


def test_another_ending_is_refused_in_the_dialog_and_an_archive_is_one_ending(tmp_path: Path) -> None:
    made = make_training(tmp_path / "cells")

    async def body() -> None:
        async with showing("run", made) as pilot:
            await press(pilot, "d")
            await see(pilot, "Write the report of")
            await press(pilot, "ctrl+u", *"report.doc", "enter")
            await see(pilot, "report.doc is no name of a report.")
            await press(pilot, "ctrl+u", *"all.zip", "enter")
            await wait_until(pilot, (tmp_path / "cells" / "all.zip").exists)

    run(body())


def test_a_file_that_is_there_is_asked_about(tmp_path: Path) -> None:
    made = make_training(tmp_path / "cells")
    there = tmp_path / "cells" / report_name(made)
    there.write_text("mine")

    async def body() -> None:
        async with showing("run", made) as pilot:
            await press(pilot, "d")
            await see(pilot, "Write the report of")
            await press(pilot, "enter")
            await see(pilot, "Replace report-")
            await press(pilot, "escape")
            assert there.read_text() == "mine"

    run(body())


def test_a_prediction_has_no_report(tmp_path: Path) -> None:
    (tmp_path / "cells" / "mia").mkdir(parents=True)
    job = make_predict_job(tmp_path / "cells" / "mia")
    made = RunDir.create(StateFolder(tmp_path / "cells" / "mia"), job, name="predict")

    async def body() -> None:
        async with showing("run", made) as pilot:
            await press(pilot, "d")
            await wait_until(pilot, lambda: "There is no report of the prediction" in told(pilot.app))

    run(body())


def test_why_a_report_could_not_be_made_is_said_in_a_sentence(tmp_path: Path) -> None:
    made = make_training(tmp_path / "cells", images=False)
    with pytest.raises(RunError, match="gone"):
        MakeReport(made, tmp_path / "gone" / "report.html").do()


def test_a_report_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    made = make_training(tmp_path / "cells", images=False)
    action = MakeReport(made, tmp_path / "report.html")
    action.stop()
    with pytest.raises(RunError, match="its process ended"):
        action.do()
    assert not (tmp_path / "report.html").exists()
