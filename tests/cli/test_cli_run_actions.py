"""What `mia-tui runs` does with runs, and how it shows those that are no trainings."""

import io
import json
import os
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest
from cli_support import Mia
from patience import LONGEST_S
from run_support import epoch_row, finished, make_predict_job, make_run, started, wait_for
from training_commands import assert_refused, predictions_of, runs_of, train

from mia_tui.cli.output.safe_stream import SafeStream
from mia_tui.cli.runs import actions
from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.paths import StateFolder
from mia_tui.runs.actions import starting
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.list import lifecycle
from mia_tui.runs.record.events import Event, Phase, ProgressMade, ResultSaved, RunEnded
from mia_tui.runs.record.job import EvaluateJob, RunNotes, Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.worker.liveness import WorkerLock, run_status

WORKING = Phase(t=2.0, name="working", message="predicting all images")
STOPPED = RunEnded(t=9.0, outcome="stopped")
RESULT = ResultSaved(
    t=8.0,
    sentence="3 predictions in out.csv.",
    file="out.csv",
    counts={"dog": 2, "cat": 1},
    problem_count=1,
    problems={"b.png": "b.png is empty."},
)


def tell(run: RunDir, *events: Event) -> RunDir:
    with EventLog(run.events) as log:
        for event in events:
            log.append(event)
    return aged(run)


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
    """A training that was stopped after an epoch."""
    made = make_run(dataset / "mia", created_at=1e9, epochs=2)
    return tell(made, started(total=2), epoch_row(1, macro_f1=0.75), STOPPED)


@pytest.fixture
def prediction(dataset: Path) -> RunDir:
    """A finished one."""
    job = make_predict_job(dataset / "mia", out="/o/out.csv", tta=True, scope="unlabelled images")
    made = RunDir.create(StateFolder(dataset / "mia"), job, name="predict-resnet18")
    begun = started(total=0, steps=0)
    return tell(made, begun, WORKING, ProgressMade(t=7.0, done=4, total=4), RESULT, finished())


@pytest.fixture
def evaluation(dataset: Path) -> RunDir:
    config = EvaluateConfig(
        weights="/w/best.safetensors", digest="00", network="resnet18", split="val", trained_on=1
    )
    job = EvaluateJob(**{**msgspec.structs.asdict(make_predict_job(dataset / "mia")), "config": config})
    samples = [Sample(path=f"{number}.png", class_index=number % 2, split="val") for number in range(6)]
    made = RunDir.create(StateFolder(dataset / "mia"), job, samples, name="evaluate-resnet18")
    counts = np.array([[3, 1], [0, 2]])
    save_confusion(made.confusion("evaluation"), SavedConfusion(0, "val", ("cat", "dog"), counts))
    result = ResultSaved(t=8.0, sentence="Accuracy 0.8333 on 6 images.", file="confusion/evaluation.json")
    return tell(made, started(total=0, steps=0), result, finished())


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A person at a terminal; what is written into it is typed."""

    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return True

    typed = Typed()
    monkeypatch.setattr("sys.stdin", typed)
    monkeypatch.setattr(SafeStream, "isatty", lambda self: True)
    return typed


def answer_with(typed: io.StringIO, text: str) -> None:
    typed.seek(0)
    typed.truncate()
    typed.write(text)
    typed.seek(0)


# Runs of other kinds


def test_the_list_says_of_each_run_which_kind_it_is(
    mia: Mia, dataset: Path, run: RunDir, prediction: RunDir, evaluation: RunDir
) -> None:
    heading, *lines = [line.split() for line in mia("runs", "list", dataset).out.splitlines()]
    assert " ".join(heading) == "run kind status done macro F1 best by"
    by_name = {line[0]: line[1:] for line in lines}
    assert by_name[run.name][:3] == ["train", "stopped", "1/2"]
    assert by_name[prediction.name][:3] == ["predict", "finished", "4/4"]
    assert by_name[evaluation.name][:2] == ["evaluate", "finished"]
    records = [json.loads(line) for line in mia("runs", "list", dataset, "--json").out.splitlines()]
    kinds = {record["run"]: (record["kind"], record["network"], record["result"]) for record in records}
    assert kinds[run.name] == ("train", run.train_job().config.backbone, "")
    assert kinds[prediction.name] == ("predict", "resnet18", RESULT.sentence)


def test_a_prediction_in_progress_is_listed_with_its_images(mia: Mia, dataset: Path) -> None:
    job = make_predict_job(dataset / "mia")
    made = RunDir.create(StateFolder(dataset / "mia"), job, name="predict-resnet18")
    with WorkerLock(made):
        tell(made, started(total=0, steps=0), WORKING, ProgressMade(t=7.0, done=1200, total=20_000))
        assert "1,200/20,000" in mia("runs", "list", dataset).out
        assert "running, 1,200 of 20,000 images" in mia("runs", "show", made.path).out


def test_a_prediction_is_shown_with_what_it_is_about_and_what_it_made(mia: Mia, prediction: RunDir) -> None:
    answer = mia("runs", "show", prediction.path)
    assert answer.code == 0, answer.err
    for line in (
        "Kind        prediction",
        "Status      finished",
        "Images      unlabelled images",
        "Classes     2: cat, dog",
        "Network     resnet18, weights /w/best.safetensors",
        "Settings    tta yes; otherwise the defaults",
        "Out         /o/out.csv",
        "Result      3 predictions in out.csv.",
        "Left out    1 image could not be read: b.png is empty.",
        "dog         2  66.7%",
    ):
        assert line in answer.out.splitlines(), answer.out
    assert "epoch" not in answer.out
    record = json.loads(mia("runs", "show", prediction.path, "--json").out)
    assert (record["kind"], record["config"]["tta"]) == ("predict", True)
    assert record["made"]["counts"] == {"dog": 2, "cat": 1}


def test_an_evaluation_is_shown_with_its_figures(mia: Mia, evaluation: RunDir) -> None:
    out = mia("runs", "show", evaluation.path).out
    for line in (
        "Kind        evaluation",
        "Images      6 images, split val, 1 of which the network was trained on",
        "Result      Accuracy 0.8333 on 6 images.",
        "cat                  3    1",
        "macro F1           0.8286",
    ):
        assert line in out.splitlines(), out
    record = json.loads(mia("runs", "show", evaluation.path, "--json").out)
    assert record["figures"]["accuracy"] == pytest.approx(5 / 6)
    assert record["images"] == {"val": 6}


def test_following_a_prediction_with_its_curves_says_that_it_has_none(mia: Mia, prediction: RunDir) -> None:
    assert "Only a training has curves." in mia("runs", "follow", prediction.path, "--watch").err


def test_following_a_prediction_tells_its_result_and_what_was_left_out(mia: Mia, prediction: RunDir) -> None:
    answer = mia("runs", "follow", prediction.path)
    assert answer.code == 0
    assert answer.out.endswith(f"{prediction.name} is finished.\n3 predictions in out.csv.\n")
    assert "Warning: 1 image could not be read and is left out: b.png is empty." in answer.err


def test_stopping_knows_the_kind(mia: Mia, prediction: RunDir) -> None:
    out = mia("runs", "stop", prediction.path).out
    assert out == f"There is nothing to stop: the prediction {prediction.name} is finished.\n"


# Title, tags and note


def test_a_run_is_renamed_and_found_by_its_title_and_by_its_folder(
    mia: Mia, dataset: Path, run: RunDir
) -> None:
    answer = mia("runs", "rename", run.name, "plain labels", "--dataset", dataset)
    assert (answer.code, answer.out) == (0, f"{run.name} is now called plain labels.\n")
    assert "plain labels" in mia("runs", "list", dataset).out
    assert run.name not in mia("runs", "list", dataset).out
    for name in ("plain labels", "plain", run.name):
        shown = mia("runs", "show", name, "--dataset", dataset).out
        assert f"Run         {run.path}" in shown and "Title       plain labels" in shown
    record = json.loads(mia("runs", "list", dataset, "--json").out)
    assert (record["run"], record["title"]) == (run.name, "plain labels")
    assert mia("runs", "rename", "plain", "", "--dataset", dataset).out == f"{run.name} has no title.\n"


def test_a_title_that_misleads_is_a_mistake_of_the_user(mia: Mia, dataset: Path, run: RunDir) -> None:
    assert_refused(mia("runs", "rename", run.path, "last"), 2, "cannot be called last", "another title")


def test_a_long_title_does_not_push_the_figures_off_the_screen(mia: Mia, dataset: Path, run: RunDir) -> None:
    run.put_notes(RunNotes(title="x" * 90))
    assert max(map(len, mia("runs", "list", dataset).out.splitlines())) <= 80
    assert "x…" in mia("runs", "list", dataset).out


def test_runs_are_tagged_together_and_listed_by_their_tags(
    mia: Mia, dataset: Path, run: RunDir, prediction: RunDir
) -> None:
    answer = mia("runs", "tag", run.name, prediction.name, "--add", "good, plate 3", "--dataset", dataset)
    assert (answer.code, answer.out) == (0, "2 runs: good and plate 3 added.\n")
    assert mia("runs", "tag", run.path, "--remove", "GOOD").out == f"{run.name} has the tag plate 3.\n"
    assert mia("runs", "tag", run.path).out == f"{run.name} has the tag plate 3.\n"
    listed = mia("runs", "list", dataset, "--tag", "plate 3", "--tag", "good").out
    assert prediction.name in listed and run.name not in listed
    assert run.name in mia("runs", "list", dataset, "--tag", "Plate 3").out
    assert "Tags        plate 3" in mia("runs", "show", run.path).out
    assert mia("runs", "list", dataset, "--tag", "bad").out == "No run has the tag bad.\n"


def test_a_note_is_written_shown_and_removed(mia: Mia, run: RunDir) -> None:
    assert mia("runs", "note", run.path).out == f"There is no note on {run.name}.\n"
    assert mia("runs", "note", run.path, "labels of Monday").out == f"The note on {run.name} is saved.\n"
    assert mia("runs", "note", run.path).out == "labels of Monday\n"
    assert "Note        labels of Monday" in mia("runs", "show", run.path).out
    assert mia("runs", "note", run.path, "").out == f"The note on {run.name} is removed.\n"


# Deleting


def test_deleting_needs_yes_where_nobody_can_be_asked(mia: Mia, run: RunDir) -> None:
    assert_refused(mia("runs", "delete", run.path), 2, f"Delete {run.name}?", "--yes means yes")
    assert run.exists()
    answer = mia("runs", "delete", run.path, "--yes")
    assert (answer.code, answer.out) == (0, f"{run.name} is deleted.\n")
    assert not run.path.exists()


def test_deleting_asks_at_a_terminal_and_only_yes_means_yes(
    mia: Mia, run: RunDir, answers: io.StringIO
) -> None:
    for word in ("\n", "n\n", ""):
        answer_with(answers, word)
        answer = mia("runs", "delete", run.path)
        assert (answer.code, answer.out) == (0, "Nothing is deleted.\n")
        assert f"Delete {run.name}? [y/N] " in answer.err
        assert "cannot be brought back" in answer.err
        assert run.exists()
    answer_with(answers, "y\n")
    assert mia("runs", "delete", run.path).out == f"{run.name} is deleted.\n"


def test_several_runs_are_deleted_and_none_if_one_is_not_found(
    mia: Mia, dataset: Path, run: RunDir, prediction: RunDir
) -> None:
    answer = mia("runs", "delete", run.name, "nobody", "--yes", "--dataset", dataset)
    assert answer.code == 2 and run.exists()
    answer = mia("runs", "delete", run.name, prediction.name, run.name, "--yes", "--dataset", dataset)
    assert answer.out == f"{run.name} is deleted.\n{prediction.name} is deleted.\n"
    assert not run.path.exists() and not prediction.path.exists()


def test_a_run_that_cannot_be_deleted_keeps_no_other_from_it(
    mia: Mia, dataset: Path, run: RunDir, prediction: RunDir
) -> None:
    (run.path / "mine.txt").touch()
    answer = mia("runs", "delete", run.path, prediction.path, "--yes")
    assert answer.code == 1
    assert "since it holds other files: mine.txt." in answer.err
    assert answer.out == f"{prediction.name} is deleted.\n"


# Starting


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[RunDir, RunDir | None]]:
    """Which runs were given to a worker, and behind which other; the worker begins at once."""
    begun: list[tuple[RunDir, RunDir | None]] = []

    def resume(run: RunDir, after: RunDir | None, dataset: Path | None) -> None:
        begun.append((run, after))
        run.put_after(after)
        tell(run, started(2 if len(begun) == 1 else 1, t=time.time()))

    monkeypatch.setattr(starting, "resume_run", resume)
    monkeypatch.setattr(lifecycle, "STARTING_S", LONGEST_S)
    return begun


def test_a_run_is_resumed_in_the_background(
    mia: Mia, run: RunDir, workers: list[tuple[RunDir, RunDir | None]]
) -> None:
    answer = mia("runs", "resume", run.path, "--json")
    assert answer.code == 0, answer.err
    assert f"{run.name} continues with its settings." in answer.err
    assert f"Watch it: mia-tui runs follow {run.path}" in answer.err
    assert json.loads(answer.out)["path"] == str(run.path)
    assert workers == [(run, None)]


def test_what_is_finished_is_not_resumed(
    mia: Mia, prediction: RunDir, workers: list[tuple[RunDir, RunDir | None]]
) -> None:
    again = f"`mia-tui runs again {prediction.path}` does the same again."
    assert_refused(mia("runs", "resume", prediction.path), 2, "nothing to resume", again)
    assert not workers


def test_a_run_is_queued_behind_the_one_in_progress(
    mia: Mia, dataset: Path, run: RunDir, workers: list[tuple[RunDir, RunDir | None]]
) -> None:
    assert_refused(mia("runs", "queue", run.path), 2, "No other run is in progress.", "runs resume")
    live = make_run(dataset / "mia", name="live")
    with WorkerLock(live):
        answer = mia("runs", "queue", run.path)
    assert answer.code == 0, answer.err
    assert f"{run.name} continues with its settings when {live.name} has ended." in answer.out
    assert "waits for its turn in the background" in answer.out
    assert workers == [(run, live)]


def test_a_training_is_done_again_on_the_labels_of_today(
    mia: Mia, discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(mia, discs, "--lr", 0.01).code == 0
    (first,) = runs_of(discs)
    new = next((discs / "red").glob("*.png"))
    for number in range(3):
        (discs / "red" / f"new-{number}.png").write_bytes(new.read_bytes())
    begun: list[RunDir] = []
    monkeypatch.setattr(actions, "start_detached", lambda report, run: begun.append(run) or 0)
    answer = mia("runs", "again", first.path)
    assert answer.code == 0, answer.err
    _, second = runs_of(discs)
    assert f"{first.name} is done again as the run {second.name}." in answer.out
    assert begun == [second]
    assert second.train_job().config == first.train_job().config
    assert len(second.samples()) == len(first.samples()) + 3
    assert second.job().command.startswith(f"mia-tui train {discs} --backbone timm:test_resnet")


def test_a_finished_training_is_queued_as_a_new_run(
    mia: Mia, discs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(mia, discs).code == 0
    (first,) = runs_of(discs)
    begun: list[RunDir] = []
    monkeypatch.setattr(actions, "start_detached", lambda report, run: begun.append(run) or 0)
    live = make_run(first.path.parent.parent, name="live")
    with WorkerLock(live):
        assert mia("runs", "queue", first.path).code == 0
    (second,) = begun
    assert second.run_ahead(second.job()) == live
    assert second != first


@pytest.mark.usefixtures("slow_workers")
def test_a_prediction_is_made_again_by_a_real_worker(mia: Mia, discs: Path, tmp_path: Path) -> None:
    assert train(mia, discs).code == 0
    out = tmp_path / "out.csv"
    answer = mia("predict", discs, "--run", "last", "--out", out)
    assert answer.code == 0, answer.err
    (first,) = predictions_of(discs)
    before = out.read_bytes()
    out.write_text("edited by hand")
    assert_refused(mia("runs", "again", first.path), 2, "Replace out.csv?", "--yes means yes")
    assert out.read_text() == "edited by hand"
    answer = mia("runs", "again", first.path, "--yes")
    assert answer.code == 0, answer.err
    second = predictions_of(discs)[-1]
    assert f"{first.name} is done again as the prediction {second.name}." in answer.out
    wait_for(lambda: run_status(second) == "finished", LONGEST_S)
    assert out.read_bytes() == before


@pytest.fixture
def slow_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """They import torch first, which on a busy machine takes longer than a user is to wait."""
    monkeypatch.setattr(lifecycle, "STARTING_S", LONGEST_S)
