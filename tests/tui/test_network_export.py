"""Exporting the network of a run from the app, by a process of its own."""

import os
import stat
import sys
from pathlib import Path

import pytest
from network_support import train
from run_support import finished, make_predict_job, started
from textual.pilot import Pilot
from tui_support import OneScreen, make_context, press, run, running, screen_text, settle, wait_until

from mia_tui.errors import RunError
from mia_tui.paths import StateFolder
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker import export_program
from mia_tui.runs.worker.export_program import ExportAsked, export_in_process
from mia_tui.tui.context import Context
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.interchange import network_export
from mia_tui.tui.keys.tables import SCOPES
from mia_tui.tui.open_dataset import OpenDataset
from mia_tui.tui.runs.run_screen import RunScreen

KEY = SCOPES["run"].keys["export"][0]


@pytest.fixture
def made(tmp_path: Path) -> RunDir:
    made = train(tmp_path / "cells", ["cat", "dog"])
    with EventLog(made.events) as log:
        for event in (started(), finished()):
            log.append(event)
    os.utime(made.path / "job.json", (1000.0, 1000.0))
    return made


def show(made: RunDir) -> OneScreen:
    dataset = made.path.parent.parent.parent

    def make(_: LabelController, context: Context) -> RunScreen:
        return RunScreen(made, OpenDataset(dataset, None, "ann"), context)

    return OneScreen(make_context(), LabelController(dataset, state=None, annotator="ann"), make)


async def see(pilot: Pilot[None], text: str) -> None:
    await wait_until(pilot, lambda: text in " ".join(screen_text(pilot.app).split()))


async def hear(pilot: Pilot[None], text: str) -> None:
    """Wait for a message over the screen."""
    await wait_until(pilot, lambda: any(text in note.message for note in pilot.app._notifications))


def test_a_format_and_a_folder_are_asked_for_and_the_result_is_said(
    made: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[RunDir, ExportAsked]] = []

    def export(found: RunDir, what: ExportAsked, *, dataset: Path) -> str:
        asked.append((found, what))
        return "Exported to a folder: the same class on all."

    monkeypatch.setattr(network_export, "export_in_process", export)

    async def test() -> None:
        async with running(show(made), size=(120, 40)) as pilot:
            await settle(pilot)
            await press(pilot, KEY)
            await see(pilot, "Export the network as what?")
            await press(pilot, "down", "enter")
            await see(pilot, "to which folder?")
            await see(pilot, f"cells-{made.name}-onnx")
            await press(pilot, "enter")
            await see(pilot, "Exported to a folder: the same class on all.")

    run(test())
    out = made.path.parent.parent.parent.with_name(f"cells-{made.name}-onnx")
    assert asked == [(made, ExportAsked("onnx", out, quantise=True))]


def test_what_goes_wrong_is_said_and_a_folder_is_replaced_only_after_a_question(
    made: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ExportAsked] = []

    def export(found: RunDir, what: ExportAsked, *, dataset: Path) -> str:
        asked.append(what)
        raise RunError("The disk that holds it is full.", "Free some space.")

    monkeypatch.setattr(network_export, "export_in_process", export)
    out = made.path.parent.parent.parent.with_name(f"cells-{made.name}-timm")
    out.mkdir()
    (out / "README.md").write_text("earlier")

    async def test() -> None:
        async with running(show(made), size=(80, 24)) as pilot:
            await settle(pilot)
            await press(pilot, KEY)
            await press(pilot, "down", "down", "down", "enter")
            await see(pilot, "to which folder?")
            await press(pilot, "enter")
            await see(pilot, "Replace cells-")
            await press(pilot, "r")
            await wait_until(pilot, lambda: bool(asked))
            await hear(pilot, "The disk that holds it is full.")
            assert "Exporting the network" not in screen_text(pilot.app)

    run(test())
    assert asked == [ExportAsked("timm", out, overwrite=True)]


def test_a_prediction_has_no_network_to_export(made: RunDir) -> None:
    state = made.path.parent.parent
    other = RunDir.create(StateFolder(state), make_predict_job(state), name="predict-resnet18")
    with EventLog(other.events) as log:
        log.append(finished())
    os.utime(other.path / "job.json", (1000.0, 1000.0))

    async def test() -> None:
        async with running(show(other), size=(120, 40)) as pilot:
            await settle(pilot)
            await press(pilot, KEY)
            await hear(pilot, "has no network of its own")

    run(test())


def _pretend(monkeypatch: pytest.MonkeyPatch, folder: Path, body: str) -> None:
    """Start another program in place of this one."""
    program = folder / "program"
    program.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(export_program.sys, "executable", str(program))


def test_the_process_is_asked_for_what_was_chosen_and_its_answer_becomes_sentences(
    made: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = (
        '{"compared": 9, "same_class": 9, "largest_difference": 0.00012, "left_out": null, "int8": '
        '{"compared": 9, "same_class": 8}}'
    )
    body = f"open({str(tmp_path / 'words')!r}, 'w').write(' '.join(sys.argv[1:]))\nprint('''{record}''')"
    _pretend(monkeypatch, tmp_path, body)
    asked = ExportAsked("onnx", tmp_path / "out", quantise=True)
    said = export_in_process(made, asked, dataset=tmp_path / "cells")
    assert "the same class on all, the largest difference of a probability is 1.2e-04" in said
    assert "With 8 bits the class is the same on 8 of 9 images." in said
    words = (tmp_path / "words").read_text()
    assert words.startswith(f"-P -m mia_tui export {made.path} --format onnx --out {tmp_path / 'out'} --json")
    assert words.endswith("--quantize int8")


def test_why_the_process_failed_is_its_last_line(
    made: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _pretend(
        monkeypatch, tmp_path, "print('Writing.\\nNo \\x1b[2Jdisk. Add one.', file=sys.stderr); sys.exit(2)"
    )
    with pytest.raises(RunError) as error:
        export_in_process(made, ExportAsked("timm", tmp_path / "out"), dataset=tmp_path)
    assert str(error.value) == "No \\x1b[2Jdisk. Add one."
