"""Images and run folders that are away for a moment, or for good, during a run."""

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from ome_zarr_support import write_image
from training_support import assert_same_weights, at, both, make_run, soon, train, waits

from mia_tui.engine.data import disk_watch
from mia_tui.engine.data import reader as reader_module
from mia_tui.engine.training import train as train_module
from mia_tui.errors import AwayError, RunError
from mia_tui.runs import disk
from mia_tui.runs.list.words import left_out_sentences
from mia_tui.runs.record.events import EpochEnded, Phase, StepEnded, Warned
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")

HIDDEN = ".hidden"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "EMIT_EVERY_S", 0.0)
    monkeypatch.setattr("mia_tui.runs.worker.control._LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(disk, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(disk, "_LISTEN_EVERY_S", 0.01)
    monkeypatch.setattr(disk, "OUTAGE_S", 60.0)


def some_images(run: RunDir, count: int, *parts: str) -> list[Path]:
    """Images of a run, as many of each class as there are and one of each class less than all."""
    home = Path(run.job().dataset)
    paths = [home / sample.path for sample in run.samples() if sample.split in parts]
    return [path for number, path in enumerate(paths) if number % 3 == 1][:count]


def hide(paths: list[Path]) -> None:
    for path in paths:
        path.rename(path.with_suffix(HIDDEN))


def bring_back(paths: list[Path]) -> None:
    for path in paths:
        path.with_suffix(HIDDEN).rename(path)


@pytest.mark.parametrize("cache", ["none", "ram"])
def test_images_that_are_away_for_two_epochs_are_back_in_the_third_and_named(discs: Path, cache: str) -> None:
    run = make_run(discs, epochs=4, cache=cache, early_stop=0)
    gone = [*some_images(run, 9, "train"), *some_images(run, 2, "val")]
    hide(gone)
    result, events = train(run, on_event=at(EpochEnded, lambda: bring_back(gone), epoch=2))
    assert result.outcome == "finished" and not waits(events)
    rows = [(row.epoch, row.left_out and row.left_out.count) for row in read_state(run).epochs]
    assert rows == [(1, 11), (2, 11), (3, None), (4, None)]
    (sentence,) = left_out_sentences(read_state(run))
    assert sentence.startswith(
        "11 images were left out of epochs 1-2 (9 of 29 to train on, 2 of 7 to validate): "
    )
    assert sentence.endswith(" is not there any more.") and " and 6 more; " in sentence
    said = [event.message for event in events if isinstance(event, Warned)]
    assert any(
        text.startswith("11 images that could not be read can be read again, from epoch 3") for text in said
    )


@pytest.mark.parametrize("cache", ["none", "ram"])
def test_an_epoch_that_is_resumed_does_without_the_images_it_began_without(discs: Path, cache: str) -> None:
    whole, broken = make_run(discs, cache=cache), make_run(discs, cache=cache)
    gone = some_images(whole, 9, "train", "val")
    hide(gone)
    train(whole, on_event=at(StepEnded, lambda: bring_back(gone), epoch=2, step=2))
    hide(gone)
    back = at(StepEnded, lambda: bring_back(gone), epoch=2, step=2)
    result, _ = train(broken, on_event=back, stop_after=(2, 2))
    assert result.outcome == "stopped"
    result, _ = train(broken)
    assert result.outcome == "finished"
    assert_same_weights(broken, whole)
    ended = [
        [(row.train, row.val, row.left_out) for row in read_state(run).epochs] for run in (broken, whole)
    ]
    assert ended[0] == ended[1]
    assert [row[2] is None for row in ended[0]] == [False, False, True]


def test_a_run_stopped_between_two_epochs_tries_the_images_again(discs: Path) -> None:
    run = make_run(discs, cache="none")
    gone = some_images(run, 9, "train", "val")
    hide(gone)
    stop = at(EpochEnded, run.stop.touch, epoch=1)
    train(run, on_event=stop)
    state = torch.load(run.last_checkpoint, weights_only=True)
    assert (state["progress"]["epoch"], state["progress"]["step"]) == (2, 0) and len(state["skipped"]) == 9
    bring_back(gone)
    train(run)
    assert [row.left_out is None for row in read_state(run).epochs] == [False, True, True]


@pytest.mark.parametrize(
    "what", ["the folder", "most images", "the images of a class", "the validation part"]
)
def test_a_drive_that_is_away_for_a_moment_makes_no_difference(
    discs: Path, unbroken: RunDir, what: str
) -> None:
    blinking = make_run(discs, cache="none")
    elsewhere = discs.with_name("elsewhere")
    samples, home = blinking.samples(), Path(blinking.job().dataset)
    chosen = {
        "the folder": [],
        "most images": samples[: len(samples) * 3 // 4],
        "the images of a class": [sample for sample in samples if sample.class_index == 0],
        "the validation part": [sample for sample in samples if sample.split == "val"],
    }[what]
    gone = [home / sample.path for sample in chosen]

    def vanish() -> None:
        hide(gone) if gone else discs.rename(elsewhere)

    def appear() -> None:
        bring_back(gone) if gone else elsewhere.rename(discs)

    look = both(at(StepEnded, vanish, epoch=2, step=1), at(Phase, soon(appear), name="waiting"))
    result, events = train(blinking, on_event=look)
    assert result.outcome == "finished"
    assert len(waits(events)) == 1 and str(discs) in waits(events)[0]
    phases = [event.name for event in events if isinstance(event, Phase)]
    assert phases[phases.index("waiting") + 1] == "training"
    assert any(
        "the run waited and continued" in event.message for event in events if isinstance(event, Warned)
    )
    assert_same_weights(blinking, unbroken)
    assert [row.left_out for row in read_state(blinking).epochs] == [None] * 3


@pytest.mark.parametrize("cache", ["none", "ram"])
def test_a_folder_that_is_away_when_a_run_begins_is_waited_for(discs: Path, cache: str) -> None:
    run, elsewhere = make_run(discs, epochs=1, cache=cache), discs.with_name("elsewhere")
    discs.rename(elsewhere)
    result, events = train(run, on_event=at(Phase, soon(lambda: elsewhere.rename(discs)), name="waiting"))
    assert result.outcome == "finished" and len(waits(events)) == 1
    assert read_state(run).epochs[0].left_out is None


def test_images_that_stay_away_end_a_run_with_a_checkpoint_it_can_be_resumed_from(
    discs: Path, unbroken: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = make_run(discs, cache="none")
    elsewhere = discs.with_name("elsewhere")
    with monkeypatch.context() as impatient:
        impatient.setattr(disk, "OUTAGE_S", 0.2)
        result, _ = train(broken, on_event=at(StepEnded, lambda: discs.rename(elsewhere), epoch=2, step=1))
    assert result.outcome == "stopped" and isinstance(result.error, AwayError)
    assert str(discs) in result.error.message
    state = read_state(broken)
    assert state.outcome == "stopped" and state.error is not None and state.error.kind == "AwayError"
    place = torch.load(broken.last_checkpoint, weights_only=True)["progress"]
    assert place["epoch"] == 2 and 1 <= place["step"] < 4
    elsewhere.rename(discs)
    assert train(broken)[0].outcome == "finished"
    assert_same_weights(broken, unbroken)


def test_a_run_that_waits_for_images_stops_as_soon_as_it_is_asked(discs: Path, unbroken: RunDir) -> None:
    broken = make_run(discs, cache="none")
    elsewhere = discs.with_name("elsewhere")
    vanish = at(StepEnded, lambda: discs.rename(elsewhere), epoch=2, step=1)
    result, _ = train(broken, on_event=both(vanish, at(Phase, broken.stop.touch, name="waiting")))
    assert result.outcome == "stopped" and result.error is None
    elsewhere.rename(discs)
    assert train(broken)[0].outcome == "finished"
    assert_same_weights(broken, unbroken)


def test_a_disk_that_does_not_answer_is_waited_for(
    discs: Path, unbroken: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = make_run(discs, cache="none")
    monkeypatch.setattr(disk_watch, "_SLOW_S", 0.2)
    answers, decode, hangs = threading.Event(), reader_module.decode_input, threading.Event()

    def slow(*arguments: object, **more: object) -> np.ndarray:
        if hangs.is_set():
            answers.wait()
        return decode(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(reader_module, "decode_input", slow)
    look = both(at(StepEnded, hangs.set, epoch=2, step=1), at(Phase, soon(answers.set), name="waiting"))
    result, events = train(hanging, on_event=look)
    assert result.outcome == "finished" and len(waits(events)) == 1 and "to answer" in waits(events)[0]
    assert_same_weights(hanging, unbroken)


def test_most_images_deleted_before_a_resume_are_left_out_and_not_waited_for(discs: Path) -> None:
    run = make_run(discs, cache="none")
    train(run, stop_after=(1, 1))
    hide([path for number, path in enumerate(sorted(discs.glob("*/*.png"))) if number % 4])
    result, events = train(run)
    assert result.outcome == "finished" and not waits(events)


def test_a_run_whose_folder_is_away_at_the_end_of_an_epoch_waits_and_saves(
    discs: Path, unbroken: RunDir
) -> None:
    run = make_run(discs)
    runs = run.path.parent
    elsewhere = runs.with_name("elsewhere")
    vanish = at(StepEnded, lambda: runs.rename(elsewhere), epoch=2, step=4)
    result, events = train(
        run, on_event=both(vanish, at(Phase, soon(lambda: elsewhere.rename(runs)), name="waiting"))
    )
    assert result.outcome == "finished" and len(waits(events)) == 1
    assert "folder of the run" in waits(events)[0]
    assert [row.epoch for row in read_state(run).epochs] == [1, 2, 3]
    assert_same_weights(run, unbroken)


def test_a_folder_of_a_run_that_stays_away_ends_the_attempt_and_the_last_checkpoint_is_good(
    discs: Path, unbroken: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(discs)
    monkeypatch.setattr(train_module, "SAVE_EVERY_S", 0.0)
    runs = run.path.parent
    elsewhere = runs.with_name("elsewhere")
    with monkeypatch.context() as impatient:
        impatient.setattr(disk, "OUTAGE_S", 0.2)
        result, _ = train(run, on_event=at(StepEnded, lambda: runs.rename(elsewhere), epoch=2, step=4))
    assert isinstance(result.error, AwayError) and "folder of the run" in result.error.message
    elsewhere.rename(runs)
    assert train(run)[0].outcome == "finished"
    assert_same_weights(run, unbroken)


def test_a_run_that_was_deleted_is_not_waited_for_as_a_drive_is(
    discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "DELETED_S", 0.2)
    run = make_run(discs)
    result, _ = train(
        run, on_event=at(StepEnded, lambda: run.path.rename(run.path.with_name("x")), epoch=2, step=4)
    )
    assert isinstance(result.error, RunError) and not isinstance(result.error, AwayError)
    assert not run.path.exists()


def test_an_image_that_is_a_folder_is_there_as_a_file_is(tmp_path: Path) -> None:
    write_image(tmp_path / "a.zarr", np.ones((1, 4, 5), np.uint8))
    assert not disk_watch.DiskWatch(tmp_path, ["a.zarr"]).is_away([0])
    shutil.rmtree(tmp_path / "a.zarr")
    assert disk_watch.DiskWatch(tmp_path, ["a.zarr"]).is_away([0])
