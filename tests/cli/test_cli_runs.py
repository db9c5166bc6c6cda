"""`mia-tui runs`."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from cli_support import Mia
from patience import LONGEST_S
from run_support import epoch_row, finished, make_run, python, started, wait_for

from mia_tui.catalog.metrics import metric_words
from mia_tui.cli.output.tables import FIGURES
from mia_tui.cli.runs.view import settings_sentence
from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.intensity import InputMap, ValueLimits
from mia_tui.dataset.model import Part
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.list.find import remember_run
from mia_tui.runs.record.events import Event, Failure, LeftOut, RunEnded, Warned
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker.liveness import run_status

FAILED = RunEnded(t=9.0, outcome="failed", error=Failure("RunError", "The loss became NaN.", "Lower --lr."))

# A worker that takes a run, writes an epoch, and ends at a signal; it might find the file `stop` before that comes.
WORKER = """
    import sys, time
    from pathlib import Path
    from run_support import epoch_row, finished, started
    from mia_tui.runs.worker import control
    from mia_tui.runs.worker.control import StopRequest
    from mia_tui.runs.record.log import EventLog
    from mia_tui.runs.record.events import RunEnded
    from mia_tui.runs.record.layout import RunDir
    from mia_tui.runs.worker.liveness import WorkerLock
    control._LOOK_EVERY_S = float("inf")
    run = RunDir(Path(sys.argv[1]))
    with WorkerLock(run), EventLog(run.events) as log, StopRequest(run) as stop:
        stop.install_signals(foreground=False)
        assert not stop.requested()
        log.append(started())
        log.append(epoch_row(1, loss=0.9, macro_f1=0.5))
        while not stop.requested():
            time.sleep(0.02)
        log.append(RunEnded(t=9.0, outcome="stopped"))
"""


def tell(run: RunDir, *events: Event) -> None:
    with EventLog(run.events) as log:
        for event in events:
            log.append(event)


def aged(run: RunDir) -> RunDir:
    """As if it had been made long ago; a young run counts as starting."""
    os.utime(run.path / "job.json", (1000.0, 1000.0))
    return run


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    root = tmp_path / "cells"
    (root / "mia").mkdir(parents=True)
    (root / "mia" / "labels.db").touch()
    return root


@pytest.fixture
def run(dataset: Path) -> RunDir:
    """A finished run of two epochs, the first of them the best."""
    parts: list[Part] = ["train", "train", "train", "val", "val"]
    samples = [
        Sample(path=f"{index}.png", class_index=index % 2, split=part) for index, part in enumerate(parts)
    ]
    made = make_run(dataset / "mia", samples=samples, created_at=time.time(), epochs=2)
    tell(
        made,
        started(),
        epoch_row(1, loss=0.9, macro_f1=0.75),
        Warned(t=2.0, message="1 image was skipped."),
        epoch_row(2, loss=0.8, macro_f1=0.5),
        finished(),
    )
    counts = np.array([[3, 1], [0, 2]])
    save_confusion(made.confusion("best"), SavedConfusion(1, "val", ("cat", "dog"), counts))
    return made


@contextmanager
def worker(run: RunDir) -> Iterator["subprocess.Popen[bytes]"]:
    child = subprocess.Popen(python(WORKER, run.path))
    try:
        wait_for(lambda: run.events.exists() and run.events.read_text().count("\n") >= 2)
        yield child
    finally:
        child.kill()
        child.wait()


def test_the_runs_of_a_dataset_are_listed_oldest_first(mia: Mia, dataset: Path, run: RunDir) -> None:
    older = aged(make_run(dataset / "mia", name="vgg16", created_at=1000.0, backbone="vgg16"))
    answer = mia("runs", "list", dataset)
    lines = answer.out.splitlines()
    assert answer.code == 0
    assert lines[0].split("  ")[-3:] == ["accuracy", "macro F1", "best by"]
    assert lines[1].split() == [older.name, "created", f"0/{TrainConfig().epochs}", "–", "–", "macro", "F1"]
    assert lines[2].split() == [run.name, "finished", "2/2", "–", "0.7500", "macro", "F1"]


def test_without_a_dataset_ones_own_recent_runs_are_listed(mia: Mia, dataset: Path, run: RunDir) -> None:
    assert mia("runs", "list").out.startswith("There are no runs yet.")
    remember_run(run)
    lines = mia("runs", "list").out.splitlines()
    assert str(dataset).endswith(lines[1].split()[-1].removeprefix("…"))
    assert max(map(len, lines)) <= 80


def test_each_run_is_a_line_of_json(mia: Mia, dataset: Path, run: RunDir) -> None:
    (record,) = map(json.loads, mia("runs", "list", dataset, "--json").out.splitlines())
    assert record["path"] == str(run.path)
    assert {key: record[key] for key in ("status", "epoch", "epochs", "metric", "best", "best_epoch")} == {
        "status": "finished",
        "epoch": 2,
        "epochs": 2,
        "metric": "macro_f1",
        "best": 0.75,
        "best_epoch": 1,
    }
    assert (record["best_by"], record["macro_f1"], record["accuracy"]) == ("macro_f1", 0.75, None)


def test_a_run_whose_loss_decides_says_so_beside_its_figures(mia: Mia, dataset: Path) -> None:
    run = make_run(dataset / "mia", metric="loss", samples=[Sample(f"{n}.png", 0, "train") for n in range(7)])
    with EventLog(run.events) as log:
        log.append(started())
        log.append(epoch_row(1, loss=0.5, macro_f1=0.9, accuracy=0.8))
        log.append(finished())
    (record,) = map(json.loads, mia("runs", "list", dataset, "--json").out.splitlines())
    assert (record["metric"], record["best"], record["best_by"]) == ("macro_f1", 0.9, "loss")
    assert (record["accuracy"], record["macro_f1"], record["image_count"]) == (0.8, 0.9, 7)
    assert mia("runs", "list", dataset).out.splitlines()[1].split()[-3:] == ["0.8000", "0.9000", "loss"]
    assert "epoch 1, macro F1 0.9000, chosen by loss" in mia("runs", "show", run.path).out


def test_a_damaged_run_is_named_and_hides_no_other(mia: Mia, dataset: Path, run: RunDir) -> None:
    damaged = make_run(dataset / "mia", name="vgg16")
    (damaged.path / "job.json").write_text("{")
    answer = mia("runs", "list", dataset)
    assert answer.code == 0
    assert run.name in answer.out
    assert damaged.name in answer.err


def test_a_missing_dataset_is_reported(mia: Mia, tmp_path: Path) -> None:
    answer = mia("runs", "list", tmp_path / "none")
    assert answer.code == 2
    assert "is not a folder" in answer.err


def test_runs_kept_elsewhere_are_found_by_state(mia: Mia, tmp_path: Path) -> None:
    made = make_run(tmp_path / "elsewhere")
    assert made.name in mia("runs", "list", "--state", tmp_path / "elsewhere").out
    assert made.name in mia("runs", "show", "last", "--state", tmp_path / "elsewhere").out


@pytest.mark.parametrize("text", ["last", "best", "name", "folder"])
def test_a_run_is_shown_however_it_is_named(mia: Mia, dataset: Path, run: RunDir, text: str) -> None:
    word = {"name": run.name, "folder": str(run.path)}.get(text, text)
    answer = mia("runs", "show", word, "--dataset", dataset)
    assert answer.code == 0
    for line in (
        "Status      finished",
        "Images      3 images in train, 2 images in val",
        "Classes     2: cat, dog",
        "Best        epoch 1, macro F1 0.7500",
        "Warning     1 image was skipped.",
        "Settings    metric macro_f1, epochs 2; otherwise the defaults",
        "cat                  3    1",
        "macro F1           0.8286",
    ):
        assert line in answer.out.splitlines()


def test_the_input_of_a_run_is_shown_once_it_was_measured(mia: Mia, run: RunDir) -> None:
    assert "\nInput" not in mia("runs", "show", run.path).out
    limits = ValueLimits(dtype="uint16", low=[180.0], high=[3900.0])
    run.put_input_map(InputMap(mode="dataset", channels=["DAPI"], limits=[limits], bits=16))
    line = "\nInput       channel DAPI; 16-bit files: 180 to 3,900 become black and white\n"
    assert line in mia("runs", "show", run.path).out
    (run.path / "input.json").write_text("{")
    answer = mia("runs", "show", run.path)
    assert answer.code == 0 and "input.json of the run" in answer.err


def test_the_figures_of_a_run_come_as_evaluate_tells_them(mia: Mia, run: RunDir) -> None:
    out = mia("runs", "show", run.path).out
    places = [out.index(heading) for heading in ("\ntruth \\ predicted", "precision", "\nmetric")]
    assert places == sorted(places)
    told = [line.rsplit(maxsplit=1)[0] for line in out.splitlines()[-7:]]
    assert told == [metric_words(name) for name in FIGURES]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "the defaults"),
        ({"lr": 0.5, "color": False}, "color no, lr 0.5; otherwise the defaults"),
        ({"group_by": "a\x1b"}, "group_by a\\x1b; otherwise the defaults"),
    ],
)
def test_settings_that_are_not_the_defaults_are_named(changes: dict[str, Any], sentence: str) -> None:
    assert settings_sentence(TrainConfig(**changes)) == sentence


def test_images_that_epochs_did_without_are_named_with_the_epochs(mia: Mia, dataset: Path) -> None:
    run = make_run(dataset / "mia", created_at=time.time(), epochs=3)
    left_out = LeftOut(
        train=1, of_train=3, val=1, of_val=2, images={"a%1b.png": "a.png is not there any more."}
    )
    rows = [msgspec.structs.replace(epoch_row(n, macro_f1=0.5), left_out=left_out) for n in (2, 3)]
    tell(run, started(), epoch_row(1, macro_f1=0.25), *rows, finished())
    save_confusion(
        run.confusion("best"), SavedConfusion(2, "val", ("cat", "dog"), np.array([[1, 0], [0, 0]]))
    )
    answer = mia("runs", "show", run.path)
    assert "2 images were left out of epochs 2-3 (1 of 3 to train on, 1 of 2 to validate)" in answer.out
    assert "\x1b" not in answer.out
    assert "Epoch 2 on val (1 of 2 images):" in answer.out
    assert [line.endswith("val 1/2") for line in answer.out.splitlines() if "/5 " in line] == [
        False,
        True,
        True,
    ]
    record = json.loads(mia("runs", "show", run.path, "--json").out)
    (spell,) = record["left_out"]
    assert (spell["first_epoch"], spell["last_epoch"], spell["train"], spell["val"]) == (2, 3, 1, 1)
    assert spell["images"] == {"a%1b.png": "a.png is not there any more."}


def test_a_run_as_json_has_its_settings_its_history_and_the_figures_of_its_best_epoch(
    mia: Mia, run: RunDir
) -> None:
    record = json.loads(mia("runs", "show", run.path, "--json").out)
    assert record["images"] == {"train": 3, "val": 2}
    assert record["config"]["epochs"] == 2
    assert [row["epoch"] for row in record["history"]] == [1, 2]
    assert record["warnings"] == ["1 image was skipped."]
    assert record["best_figures"]["confusion"] == [[3, 1], [0, 2]]
    assert record["best_figures"]["accuracy"] == pytest.approx(5 / 6)
    assert record["best_figures"]["per_class"][0]["class"] == "cat"


def test_a_run_that_was_never_started_is_shown_too(mia: Mia, tmp_path: Path) -> None:
    made = aged(make_run(tmp_path / "mia", created_at=1000.0))
    assert "never started" in mia("runs", "show", made.path).out


def test_why_a_run_failed_is_shown(mia: Mia, tmp_path: Path) -> None:
    made = make_run(tmp_path / "mia")
    tell(made, started(), FAILED)
    assert "Error       The loss became NaN. Lower --lr." in mia("runs", "show", made.path).out


def test_a_run_that_nobody_knows_is_answered_with_the_nearest(mia: Mia, dataset: Path, run: RunDir) -> None:
    answer = mia("runs", "show", run.name + "x", "--dataset", dataset)
    assert answer.code == 2
    assert f"Did you mean {run.name}?" in answer.err


def test_a_run_folder_that_is_not_there_is_called_a_folder(mia: Mia, tmp_path: Path) -> None:
    answer = mia("runs", "follow", tmp_path / "nope")
    assert answer.code == 2
    assert answer.err.startswith(f"There is no folder {tmp_path / 'nope'}. ")
    (tmp_path / "file").touch()
    assert "is a file, not the folder of a run." in mia("runs", "show", tmp_path / "file").err


def test_of_many_runs_that_are_meant_five_are_named(mia: Mia, dataset: Path) -> None:
    for index in range(13):
        make_run(dataset / "mia", name=f"net{index}", created_at=1_700_000_000.0)
    answer = mia("runs", "show", "2", "--dataset", dataset)
    assert answer.code == 2
    assert answer.err.count(str(dataset / "mia")) == 5
    assert " and 8 more." in answer.err


def test_following_a_finished_run_tells_its_epochs_and_ends(mia: Mia, run: RunDir) -> None:
    answer = mia("runs", "follow", run.path)
    assert answer.code == 0
    assert "best" in answer.out
    assert answer.out.endswith(f"{run.name} is finished.\n")


def test_following_a_failed_or_lost_run_leaves_with_1(mia: Mia, tmp_path: Path) -> None:
    failed = make_run(tmp_path / "mia")
    tell(failed, started(), FAILED)
    answer = mia("runs", "follow", failed.path)
    assert (answer.code, answer.err) == (1, "Warning: The loss became NaN. Lower --lr.\n")
    lost = aged(make_run(tmp_path / "mia", name="lost"))
    tell(lost, started())
    answer = mia("runs", "follow", lost.path)
    assert answer.code == 1
    assert f"`mia-tui runs resume {lost.path}` continues it" in answer.out


def test_following_as_json_repeats_every_event(mia: Mia, run: RunDir) -> None:
    with run.events.open("a") as file:
        file.write('{"type":"of a later version","t":1.0}\n')
    lines = mia("runs", "follow", run.path, "--json").out.splitlines()
    assert [json.loads(line) for line in lines] == [
        json.loads(line) for line in run.events.read_text().splitlines()
    ]


def test_a_run_can_be_followed_and_stopped_while_it_works(mia: Mia, tmp_path: Path) -> None:
    made = make_run(tmp_path / "mia")
    with worker(made) as child:
        watcher = subprocess.Popen(
            python("from mia_tui.__main__ import main; main()", "runs", "follow", made.path),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert watcher.stdout is not None
        head = [watcher.stdout.readline() for _ in range(2)]
        answer = mia("runs", "stop", made.path)
        assert answer.out == (
            f"{made.name} is asked to stop; it ends after the current step, with a checkpoint. If it has not after "
            f"10 s, `mia-tui runs stop {made.path} --kill` can end it at once.\n"
        )
        assert child.wait(LONGEST_S) == 0
        rest = watcher.stdout.read()
        watcher.stdout.close()
        assert watcher.wait(LONGEST_S) == 0
    assert head[1].split()[0] == "1/5"
    assert f"{made.name} is stopped; `mia-tui runs resume {made.path}` continues it." in rest
    assert run_status(made) == "stopped"


def test_ctrl_c_while_following_leaves_the_run_alone(tmp_path: Path) -> None:
    made = make_run(tmp_path / "mia")
    # Started from the background of a shell, this process ignores SIGINT, and so would its children.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    command = python(heed + "from mia_tui.__main__ import main; main()", "runs", "follow", made.path)
    with worker(made):
        watcher = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert watcher.stdout is not None
        assert watcher.stdout.readline()  # now it follows
        watcher.send_signal(signal.SIGINT)
        _, err = watcher.communicate(timeout=LONGEST_S)
        assert watcher.returncode == 130
        assert f"The run {made.name} continues;" in err
        assert run_status(made) == "running"


def test_a_watcher_that_nobody_reads_ends(tmp_path: Path) -> None:
    made = make_run(tmp_path / "mia")
    with worker(made):
        script = '"$@" | head -n 1'
        command = python("from mia_tui.__main__ import main; main()", "runs", "follow", made.path, "--json")
        writer = subprocess.Popen(["sh", "-c", script, "sh", *command], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        assert b"run_started" in writer.stdout.readline()
        with EventLog(made.events) as log:
            log.append(epoch_row(2, loss=0.1))
            wait_for(lambda: writer.poll() is not None or log.append(epoch_row(3, loss=0.1)) is not None)
        writer.stdout.close()


def test_stopping_a_run_that_is_not_running_says_what_it_is(mia: Mia, run: RunDir) -> None:
    answer = mia("runs", "stop", run.path)
    assert answer.code == 0
    assert answer.out == f"There is nothing to stop: the run {run.name} is finished.\n"
    assert not run.stop.exists()


def test_a_worker_that_does_not_hear_can_be_killed_after_a_while(mia: Mia, tmp_path: Path) -> None:
    made = make_run(tmp_path / "mia")
    deaf = WORKER.replace("while not stop.requested():", "while True:")
    child = subprocess.Popen(python(deaf, made.path))
    try:
        wait_for(lambda: made.events.exists() and made.events.read_text().count("\n") >= 2)
        first = mia("runs", "stop", made.path, "--kill")
        assert first.code == 1
        assert "is asked to stop" in first.out
        made.stop.write_text(json.dumps({"asked_at": time.time() - 60}))
        assert "--kill` can end it at once" in mia("runs", "stop", made.path).out
        assert "was ended" in mia("runs", "stop", made.path, "--kill").out
        assert child.wait(LONGEST_S) < 0
    finally:
        child.kill()
        child.wait()
