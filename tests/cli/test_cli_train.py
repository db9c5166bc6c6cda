"""`mia-tui train` in this process: what it says, writes and leaves."""

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from cli_support import Mia
from disc_support import draw_disc
from patience import LONGEST_S
from PIL import Image
from run_support import make_run
from training_commands import assert_refused, runs_of, train

from mia_tui.runs.list import lifecycle
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.liveness import WorkerLock

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")


def test_a_training_tells_classes_epochs_and_the_figures_of_the_best(mia: Mia, discs: Path) -> None:
    answer = train(mia, discs, "--epochs", 2)
    assert (answer.code, answer.err) == (0, "")
    (run,) = runs_of(discs)
    lines = [line.split() for line in answer.out.splitlines()]
    assert ["red", "19", "5", "0"] in lines and ["blue", "10", "2", "0"] in lines
    assert [words[0] for words in lines if words and words[0] in ("1/2", "2/2")] == ["1/2", "2/2"]
    assert "Best epoch by " in answer.out and "evaluated on the validation part" in answer.out
    assert all(word in answer.out for word in ("precision", "recall", "f1"))
    assert f"Weights: {run.best_weights}" in answer.out
    said = " ".join(answer.out.split())
    assert "`--recipe finetune --backbone efficientnetlite0` suits better" in said
    assert said.index("suits better") < said.index("1/2"), "before the training"


def test_the_end_of_a_training_names_images_it_did_without_and_their_epochs(mia: Mia, discs: Path) -> None:
    for name in ("red/cell-0.png", "red/cell-1.png"):
        (discs / name).write_bytes(b"not an image")
    answer = train(mia, discs, "--epochs", 2)
    assert answer.code == 0
    said = " ".join(answer.err.split())
    assert "2 images were left out of epochs 1-2 (" in said and "red/cell-0.png, red/cell-1.png; " in said


def test_a_set_in_which_every_pixel_is_nan_is_reported_before_it_is_trained_on(
    mia: Mia, tmp_path: Path
) -> None:
    for index in range(12):
        path = tmp_path / "cells" / "ab"[index % 2] / f"{index}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((40 + index, 40), np.nan, np.float32)).save(path)
    answer = train(mia, tmp_path / "cells", "--json")
    assert answer.code == 0
    words = "Nothing can be learnt from this set: all 12 images that were checked hold no numbers"
    assert words in " ".join(answer.err.split())
    told = [json.loads(line) for line in answer.out.splitlines()]
    assert next(record["message"][: len(words)] for record in told if record["type"] == "warning") == words


def test_slides_that_are_trained_on_and_validated_on_are_warned_of_with_the_command_that_mends_it(
    mia: Mia, tmp_path: Path
) -> None:
    root = tmp_path / "cells"
    for number in range(24):
        red = number % 2 == 0
        name = f"slide{number // 4}_{number}.png"
        draw_disc(root / ("red" if red else "blue"), name, size_px=40, red=red, seed=number)
    answer = train(mia, root)
    assert "File names look like 6 slides (such as slide0)" in " ".join(answer.err.split())
    words = f"mia-tui labels split {root} --new --group-by 'slide[0-9]+'"
    assert words in " ".join(answer.err.split())
    assert mia(*shlex.split(words)[1:]).code == 0
    assert "File names" not in train(mia, root).err


def test_with_json_stdout_is_the_events_and_nothing_else(mia: Mia, discs: Path) -> None:
    answer = train(mia, discs, "--json")
    assert answer.code == 0
    told = [json.loads(line) for line in answer.out.splitlines()]
    (run,) = runs_of(discs)
    kept = [json.loads(line) for line in run.events.read_text().splitlines()]
    assert told == kept
    kinds = {record["type"] for record in told}
    assert kinds >= {"run_started", "phase", "epoch_ended", "confusion", "checkpoint_saved", "run_ended"}


def test_a_finished_run_is_remembered_and_not_resumed(mia: Mia, discs: Path) -> None:
    assert train(mia, discs).code == 0
    (run,) = runs_of(discs)
    assert_refused(mia("train", "--resume", "last"), 2, f"The run {run.name} is finished", "--weights")
    assert run.name in mia("runs", "list").out


def test_the_settings_of_a_run_are_those_given(mia: Mia, discs: Path, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('loss = "focal"\nlr = 0.5\nmetric = "accuracy"\n')
    assert train(mia, discs, "--config", file, "--lr", 0.01, "--mono", "--class-weights", "red=2").code == 0
    config = runs_of(discs)[0].job().config
    assert (config.loss, config.lr, config.metric) == ("focal", 0.01, "accuracy")
    assert (config.color, config.class_weights, config.width) == (False, "red=2", 32)


def test_options_that_have_no_effect_beside_others_are_named(mia: Mia, discs: Path) -> None:
    answer = train(mia, discs, "--channels", "red", "--mono", "--focal-gamma", 1)
    assert answer.code == 0
    assert "--color/--mono and --focal-gamma have no effect with these settings." in answer.err
    assert train(mia, discs, "--mono", "--focal-gamma", 1, "--loss", "focal").err == ""


def test_another_folder_can_validate(mia: Mia, discs: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for index in range(3):
        draw_disc(other / "red", f"{index}.png", size_px=40, red=True, seed=index)
        draw_disc(other / "green", f"{index}.png", size_px=40, red=False, seed=index)
    answer = train(mia, discs, "--val", other)
    assert answer.code == 0
    assert "green" in answer.err
    (run,) = runs_of(discs)
    assert {(s.split, s.path.startswith("/")) for s in run.samples()} == {("train", False), ("val", True)}
    assert read_state(run).epochs[0].val is not None


def test_labels_of_images_that_are_gone_are_counted_once(mia: Mia, discs: Path) -> None:
    assert train(mia, discs).code == 0
    assert mia("labels", "import", discs, "--format", "folders").code == 0
    (discs / "red" / "cell-3.png").unlink()
    answer = train(mia, discs, "--labels", "store")
    assert answer.code == 0
    assert answer.err.count("not there any more") == 1


def test_the_state_can_lie_elsewhere(mia: Mia, discs: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert train(mia, discs, "--state", state).code == 0
    assert (state / "labels.db").exists() and not runs_of(discs)
    assert "finished" in mia("runs", "list", "--state", state).out


def test_a_mistake_that_only_the_worker_sees_leaves_no_run_behind(mia: Mia, discs: Path) -> None:
    answer = train(mia, discs, backbone="timm:resnet81x")
    assert_refused(answer, 2, "timm has no model 'resnet81x'")
    assert "Reading images" not in answer.out
    assert runs_of(discs) == []


@pytest.fixture
def workers_take_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """They import torch first, which on a busy machine takes longer than a user is to wait."""
    monkeypatch.setattr(lifecycle, "STARTING_S", LONGEST_S)


@pytest.mark.usefixtures("workers_take_their_time")
def test_a_detached_run_that_cannot_begin_is_reported_at_once(mia: Mia, discs: Path) -> None:
    answer = train(mia, discs, "--detach", backbone="timm:resnet81x")
    assert_refused(answer, 2, "timm has no model 'resnet81x'")
    assert "in the background" not in answer.out
    assert runs_of(discs) == []


def test_the_end_of_a_training_says_how_to_continue(mia: Mia, discs: Path) -> None:
    answer = train(mia, discs)
    (run,) = runs_of(discs)
    assert f"mia-tui evaluate FOLDER --run {run.path}" in answer.out
    assert f"mia-tui predict FOLDER --run {run.path}" in answer.out
    assert "macro F1 " in answer.out


def test_a_run_behind_one_that_has_ended_begins_at_once(mia: Mia, discs: Path) -> None:
    assert train(mia, discs).code == 0
    answer = train(mia, discs, "--after", "last")
    assert answer.code == 0, answer.err
    first, second = runs_of(discs)
    assert f"The run {first.name} has ended, so this one starts at once." in answer.err
    assert second.job().after is None


def test_a_run_behind_one_that_is_not_there_is_refused_before_anything_is_written(
    mia: Mia, discs: Path
) -> None:
    assert_refused(train(mia, discs, "--after", "nothing"), 2, "nothing")
    assert runs_of(discs) == []


def test_a_run_in_the_queue_that_is_to_be_resumed_keeps_its_place(mia: Mia, tmp_path: Path) -> None:
    ahead, run = (make_run(tmp_path / "mia", name=name) for name in ("ahead", "waiting"))
    run.put_after(ahead)
    with WorkerLock(run):
        assert_refused(mia("train", "--resume", run.path), 1, "already being worked on")
    assert run.run_ahead(run.job()) == ahead


@pytest.mark.usefixtures("workers_take_their_time")
def test_a_resumed_run_takes_another_number_of_threads_and_nothing_else(mia: Mia, tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia", created_at=1e9)
    run.checkpoints.mkdir()
    run.last_checkpoint.write_bytes(b"not one")
    refused = mia("train", "--resume", run.path, "--threads", 2, "--epochs", 9)
    assert_refused(refused, 2, "so --epochs cannot be given")
    assert run.job().threads == 1
    answer = mia("train", "--resume", run.path, "--threads", 2, "--detach")
    assert "The run continues with 2 threads, after 1:" in answer.err and "last.pt is damaged" in answer.err
    assert run.job().threads == 2


def test_a_run_is_not_resumed_on_more_devices_than_its_batches_can_feed(mia: Mia, tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia", created_at=1e9)
    before = run.job().config
    assert_refused(mia("train", "--resume", run.path, "--devices", 500), 2, "too small for 500 devices")
    assert run.job().config == before


@pytest.mark.parametrize("command", [("train",), ("demo",), ("runs", "follow")])
def test_curves_and_records_exclude_each_other(mia: Mia, discs: Path, command: tuple[str, ...]) -> None:
    assert_refused(
        mia(*command, discs, "--watch", "--json"), 2, "--watch draws curves, and --json prints records."
    )
