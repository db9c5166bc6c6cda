"""What can be done with runs: when it is possible, what is asked before, what is said after."""

import os
import time
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from run_support import epoch_row, finished, make_predict_job, make_run, started

from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.dataset.model import ImageKey
from mia_tui.errors import ConfigError, RunError
from mia_tui.paths import StateFolder
from mia_tui.runs.actions import starting
from mia_tui.runs.actions.action import RunAction, called, typed_command
from mia_tui.runs.actions.ending import DeleteRun, KillWorker, StopRun, delete_question
from mia_tui.runs.actions.noting import (
    LONGEST_NOTE,
    LONGEST_TAG,
    LONGEST_TITLE,
    MOST_TAGS,
    NoteRun,
    RenameRun,
    TagRuns,
    common_tags,
    has_tags,
    read_tags,
)
from mia_tui.runs.actions.starting import QueueRun, ResumeRun, RunAgain
from mia_tui.runs.actions.using import no_network
from mia_tui.runs.list.lifecycle import wait_until_started
from mia_tui.runs.prediction.shards import shard_file
from mia_tui.runs.record import job_place
from mia_tui.runs.record.events import CheckpointSaved, Event, Failure, RunEnded
from mia_tui.runs.record.job import EvaluateJob, JobClass, RunNotes, Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog
from mia_tui.runs.record.state import read_state
from mia_tui.runs.worker.control import StopResult
from mia_tui.runs.worker.detach_risk import DetachRisk
from mia_tui.runs.worker.liveness import WorkerLock

STOPPED = RunEnded(t=9.0, outcome="stopped")


def tell(run: RunDir, *events: Event) -> RunDir:
    with EventLog(run.events) as log:
        for event in events:
            log.append(event)
    return aged(run)


def aged(run: RunDir) -> RunDir:
    """As if it had been made long ago; a young run counts as starting."""
    os.utime(run.path / "job.json", (1000.0, 1000.0))
    return run


def prediction(state: Path, name: str = "predict-resnet18", **config: object) -> RunDir:
    return aged(RunDir.create(StateFolder(state), make_predict_job(state, **config), name=name))


def evaluation(state: Path) -> RunDir:
    settings = EvaluateConfig(weights="/w/best.safetensors", digest="00", network="resnet18", split="val")
    known = msgspec.structs.asdict(make_predict_job(state))
    job = EvaluateJob(**{**known, "config": settings})
    samples = [Sample(path="a.png", class_index=1, split="val")]
    return aged(RunDir.create(StateFolder(state), job, samples, name="evaluate-resnet18"))


def sentence(action: RunAction) -> str:
    """Why it is refused."""
    refusal = action.refusal()
    assert refusal is not None
    return str(refusal)


def by_key(action: str, run: RunDir) -> str:
    return f"<{action}>"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "cells" / "mia").mkdir(parents=True)
    return tmp_path / "cells" / "mia"


@pytest.fixture
def run(state: Path) -> RunDir:
    return aged(make_run(state, created_at=1e9))


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A weights file of two classes, cat and dog; the card is not read from it."""

    weights = tmp_path / "best.safetensors"
    weights.write_bytes(b"weights of today")
    monkeypatch.setattr(
        starting, "read_card", lambda path: SimpleNamespace(classes=[JobClass(0, "cat"), JobClass(1, "dog")])
    )
    return weights


def test_what_is_queued_behind_the_training_of_its_network_takes_the_weights_that_are_there_then(
    state: Path, run: RunDir, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "resume_run", lambda run, after, dataset: None)
    run.checkpoints.mkdir()
    run.best_weights.write_bytes(b"weights")
    made = tell(prediction(state, weights=str(run.best_weights)), started(), finished())
    with WorkerLock(run):
        action = QueueRun(made)
        action.do()
    assert action.ahead == run and action.started is not None
    assert action.started.predict_job().config.digest == ""


# Resuming


def test_a_finished_training_is_not_resumed_and_the_way_out_is_a_key_or_a_command(run: RunDir) -> None:
    tell(run, started(), finished())
    assert sentence(ResumeRun(run, by_key)) == (
        f"The run {run.name} is finished, so there is nothing to resume. <change> trains on from its weights."
    )
    assert sentence(ResumeRun(run)).endswith(
        f"`mia-tui train DATASET --weights {run.best_weights}` trains on from its weights."
    )
    with pytest.raises(ConfigError, match="nothing to resume"):
        ResumeRun(run).do()


def test_a_finished_prediction_is_called_one_and_can_be_made_again(state: Path) -> None:
    made = tell(prediction(state), started(), finished())
    assert sentence(ResumeRun(made)) == (
        f"The prediction {made.name} is finished, so there is nothing to resume. "
        f"`mia-tui runs again {made.path}` does the same again."
    )


def test_a_run_in_progress_is_not_resumed(run: RunDir) -> None:
    with WorkerLock(run):
        assert sentence(ResumeRun(run)) == f"The run {run.name} is running already."


def test_a_damaged_run_says_so_whatever_is_to_be_done_with_it(run: RunDir) -> None:
    (run.path / "job.json").write_text("{")
    for action in (ResumeRun(run), RunAgain(run), QueueRun(run)):
        with pytest.raises(RunError, match=r"cannot read job\.json"):
            action.refusal()


def test_resuming_says_what_the_run_waits_for_and_calls_runs_by_their_titles(
    run: RunDir, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_run(state, name="other")
    other.put_notes(RunNotes(title="first try"))
    run.put_notes(RunNotes(title="second try"))
    asked: list[tuple[RunDir, RunDir | None]] = []
    monkeypatch.setattr(starting, "resume_run", lambda run, after, dataset: asked.append((run, after)))
    assert ResumeRun(run).do() == "second try continues with its settings."
    assert ResumeRun(run, after=other).do() == (
        "second try continues with its settings when first try has ended."
    )
    assert asked == [(run, None), (run, other)]


def test_only_what_starts_a_worker_warns_of_what_would_end_it(
    run: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    risk = DetachRisk("This terminal belongs to Slurm job 7.", "Use sbatch.")
    monkeypatch.setattr("mia_tui.runs.actions.action.detach_risk", lambda: risk)
    assert [action.risk() for action in (ResumeRun(run), QueueRun(run), RunAgain(run))] == [risk] * 3
    assert [action.risk() for action in (StopRun(run), DeleteRun(run), NoteRun(run, ""))] == [None] * 3


# Again


def test_a_prediction_is_made_again_with_its_settings_its_images_and_the_network_of_today(
    state: Path, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "resume_run", lambda run, after, dataset: None)
    job = make_predict_job(
        state, weights=str(card), tta=True, batch_size=7, images="listed", scope="unlabelled images"
    )
    keys = [ImageKey("a.png"), ImageKey("b.png", 3)]
    made = aged(RunDir.create(StateFolder(state), job, name="predict-resnet18", images=keys))
    made.put_threads(5)  # what its first worker chose
    made.put_after(make_run(state, name="other"))
    tell(made, started(), finished())
    action = RunAgain(made)
    said = action.do()
    new = action.started
    assert new is not None and new.path != made.path
    assert said == f"{made.name} is done again as the prediction {new.name}."
    again = new.predict_job()
    assert again.config.digest != job.config.digest
    assert msgspec.structs.replace(again.config, digest="00", network="resnet18") == job.config
    assert (again.threads, again.after, again.command) == (1, None, job.command)
    assert new.images() == keys
    assert new.name.endswith("-predict-resnet18-2")
    again_again = RunAgain(tell(new, started(), finished()))
    again_again.do()
    assert again_again.started is not None and again_again.started.name.endswith("-predict-resnet18-3")


def test_an_evaluation_is_made_again_on_the_same_labels(
    state: Path, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starting, "resume_run", lambda run, after, dataset: None)
    made = evaluation(state)
    monkeypatch.setattr(job_place, "weights_digest", lambda path: "11")
    action = RunAgain(made)
    action.do()
    assert action.started is not None
    assert action.started.evaluate_job().config.digest == "11"
    assert action.started.samples() == made.samples()


def test_a_prediction_whose_network_is_gone_or_has_other_classes_is_not_made_again(
    state: Path, tmp_path: Path, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prediction(state, weights=str(card))

    others = SimpleNamespace(classes=[JobClass(0, "cow"), JobClass(1, "dog")])
    monkeypatch.setattr(starting, "read_card", lambda path: others)
    assert sentence(RunAgain(made)) == (
        f"The prediction {made.name} cannot be done again: {card} has other classes now. Start a new one with that "
        "network."
    )
    monkeypatch.undo()
    gone = prediction(state, weights=str(tmp_path / "gone.safetensors"))
    assert f"cannot be done again: {tmp_path / 'gone.safetensors'} does not exist." in sentence(
        RunAgain(gone)
    )


def test_a_prediction_in_progress_is_not_made_twice_at_once(state: Path, card: Path) -> None:
    made = prediction(state, weights=str(card))
    with WorkerLock(made):
        assert sentence(RunAgain(made, by_key)) == (
            f"The prediction {made.name} is running, so it is not done again yet. <stop> stops it."
        )


def test_a_file_that_would_be_replaced_is_asked_about(state: Path, tmp_path: Path, card: Path) -> None:
    out = tmp_path / "out.csv"
    made = prediction(state, weights=str(card), out=str(out))
    assert RunAgain(made).question() is None
    out.touch()
    question = RunAgain(made).question()
    assert question is not None and question.title == "Replace out.csv?"
    assert str(out) in question.text
    part = prediction(state, weights=str(card), out=str(out), shard=(1, 2))
    assert RunAgain(part).question() is None
    shard_file(out, (1, 2)).touch()
    question = RunAgain(part).question()
    assert question is not None and question.title == "Replace out.csv.shard-1-of-2.jsonl?"


def test_a_new_run_whose_worker_does_not_come_up_because_of_a_mistake_is_not_left_behind(
    state: Path, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = prediction(state, weights=str(card))

    def fail(run: RunDir, after: RunDir | None, dataset: Path | None) -> None:
        raise ConfigError("No.")

    monkeypatch.setattr(starting, "resume_run", fail)
    with pytest.raises(ConfigError, match=r"No\."):
        RunAgain(made).do()
    assert [path.name for path in (state / "runs").iterdir()] == [made.name]


# Queueing


def test_a_run_is_queued_behind_the_last_in_line_or_refused_without_one(
    run: RunDir, state: Path, card: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(run, started(), STOPPED)
    assert sentence(QueueRun(run, by_key)) == "No other run is in progress. <resume> starts this one at once."
    asked: list[tuple[RunDir, RunDir | None]] = []
    monkeypatch.setattr(starting, "resume_run", lambda run, after, dataset: asked.append((run, after)))
    live = make_run(state, name="live")
    with WorkerLock(live):
        assert QueueRun(run).do() == f"{run.name} continues with its settings when {live.name} has ended."
        made = tell(prediction(state, weights=str(card)), started(), finished())
        queued = QueueRun(made)
        assert queued.do().endswith(f"when {live.name} has ended.")
        assert queued.started is not None
        assert asked == [(run, live), (queued.started, live)]


def test_a_finished_training_that_is_queued_is_trained_again_and_a_stopped_one_is_not(
    run: RunDir, state: Path
) -> None:
    tell(run, started(), STOPPED)
    assert not QueueRun(run).trains_again
    tell(run, started(2), finished())
    queued = QueueRun(run, by_key)
    assert queued.trains_again
    assert sentence(queued) == "No other run is in progress. <again> starts this one at once."
    live = make_run(state, name="live")
    with WorkerLock(live):
        assert queued.refusal() is None
        assert queued.ahead == live


def test_a_resumed_run_that_failed_before_is_not_taken_for_failed_again(run: RunDir) -> None:
    failed = RunEnded(t=9.0, outcome="failed", error=Failure("DataError", "The disk was away."))
    tell(run, started(), failed)
    before = read_state(run)
    tell(run, started(2, t=10.0))
    wait_until_started(run, before)  # raises nothing, and does not wait for half a minute
    tell(run, msgspec.structs.replace(failed, t=11.0))
    with pytest.raises(Exception, match="The disk was away"):
        wait_until_started(run, before)
    assert run.exists()


# Stopping


@pytest.mark.parametrize(
    ("kind", "end"),
    [
        ("run", "after the current step, with a checkpoint."),
        ("prediction", "after the current batch, and what is done is kept."),
        ("evaluation", "after the current batch, and evaluates all images again if it is resumed."),
    ],
)
def test_stopping_says_what_is_kept_by_the_kind_of_run(run: RunDir, state: Path, kind: str, end: str) -> None:
    stopped = {"run": run, "prediction": prediction(state), "evaluation": evaluation(state)}[kind]
    said = StopRun(stopped, by_key).sentence(StopResult("running", time.time()))
    assert said == (
        f"{stopped.name} is asked to stop; it ends {end} If it has not after 10 s, <kill> can end it at once."
    )
    idle = StopRun(stopped).sentence(StopResult("finished"))
    assert idle == f"There is nothing to stop: the {kind} {stopped.name} is finished."


def test_killing_says_what_is_lost(run: RunDir, state: Path) -> None:
    question = KillWorker(run).question()
    assert question is not None and "did since the beginning is then lost" in question.text
    tell(run, started(), CheckpointSaved(t=1.0, path="x", epoch=4, is_best=False))
    question = KillWorker(run).question()
    assert question is not None and "its last checkpoint, of epoch 4, is then lost" in question.text
    question = KillWorker(prediction(state)).question()
    assert question is not None and "is kept, but for the last images" in question.text
    question = KillWorker(evaluation(state)).question()
    assert question is not None and "all images again if it is resumed" in question.text


# Deleting


def test_deleting_asks_with_the_size_and_what_is_lost_by_kind(
    run: RunDir, state: Path, tmp_path: Path
) -> None:
    run.checkpoints.mkdir()
    run.best_weights.write_bytes(bytes(30_000_000))
    question = delete_question([run])
    assert question.title == f"Delete {run.name}?"
    assert question.text == (
        "Its 30 MB of checkpoints, metrics and logs cannot be brought back; labels and images stay."
    )
    out = tmp_path / "out.csv"
    out.touch()
    made = prediction(state, out=str(out))
    assert delete_question([made]).text.endswith(
        f"of predictions and logs cannot be brought back; labels and images stay, and so does {out}."
    )
    both = delete_question([run, made])
    assert both.title == "Delete 2 runs?"
    assert f"2 runs: {run.name}, {made.name}. Their 30 MB of checkpoints, metrics, predictions and logs" in (
        both.text
    )
    with WorkerLock(run):
        assert delete_question([run]).text.startswith("It is in progress and will be stopped first.")
        assert f"{run.name} is in progress" in delete_question([run, made]).text


def test_a_deleted_run_is_called_by_its_title_and_its_file_outside_stays(state: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.touch()
    made = prediction(state, out=str(out))
    made.put_notes(RunNotes(title="rest of the plate"))
    assert DeleteRun(made).doing() == "Deleting rest of the plate"
    assert DeleteRun(made).do() == "rest of the plate is deleted."
    assert not made.path.exists() and out.exists()


# Predicting


def test_predicting_takes_a_training_with_weights(run: RunDir, state: Path) -> None:
    assert str(no_network(run)) == (
        f"The run {run.name} has no weights; it is created. A run has weights as soon as its first epoch is saved."
    )
    other = make_run(state, name="other")
    other.checkpoints.mkdir()
    other.best_weights.touch()
    other.put_notes(RunNotes(title="good one"))
    assert str(no_network(run)).endswith("The newest run beside it that has some is good one.")
    assert no_network(other) is None
    made = prediction(state)
    assert str(no_network(made)) == (
        f"The prediction {made.name} has no network of its own. It used that of resnet18: choose that run."
    )


# Title, tags and note


def test_a_title_takes_the_place_of_the_name_and_an_empty_one_gives_it_back(run: RunDir) -> None:
    job = (run.path / "job.json").read_bytes()
    assert RenameRun(run, "  plain \n labels ").do() == f"{run.name} is now called plain labels."
    assert called(run) == "plain labels"
    assert RenameRun(run, "better").do() == "plain labels is now called better."
    assert RenameRun(run, "").do() == f"{run.name} has no title."
    assert called(run) == run.name
    RenameRun(run, run.name).do()
    assert run.notes().title == ""
    assert (run.path / "job.json").read_bytes() == job


def test_titles_that_would_mislead_are_refused(run: RunDir, state: Path) -> None:
    other = make_run(state, name="other")
    other.put_notes(RunNotes(title="taken"))
    assert sentence(RenameRun(run, "taken")) == (
        f"The run {other.name} is called taken already. Choose another title."
    )
    assert "is called" in sentence(RenameRun(run, other.name))
    for word in ("last", "best", "--all"):
        assert f"cannot be called {word}" in sentence(RenameRun(run, word))
    assert "has 101 characters, and the most are 100" in sentence(RenameRun(run, "x" * (LONGEST_TITLE + 1)))
    assert RenameRun(run, "x" * LONGEST_TITLE).refusal() is None
    with pytest.raises(ConfigError):
        RenameRun(run, "taken").do()
    assert run.notes() == RunNotes()


def test_tags_are_added_and_removed_whatever_their_case_and_each_is_there_once(run: RunDir) -> None:
    said = TagRuns([run], add=["good, cells", "Good"]).do()
    assert said == f"{run.name} has the tags good, cells."
    assert TagRuns([run], add=["old"], remove=["CELLS"]).do() == f"{run.name} has the tags good, old."
    assert TagRuns([run], remove=["good,old"]).do() == f"{run.name} has no tags."


def test_tagging_several_runs_leaves_their_other_tags_and_notes_alone(run: RunDir, state: Path) -> None:
    other = make_run(state, name="other")
    run.put_notes(RunNotes(title="a", tags=("good", "one"), note="n"))
    other.put_notes(RunNotes(tags=("Good", "two")))
    assert common_tags([run, other]) == ("good",)
    said = TagRuns([run, other], add=["new"], remove=["good"]).do()
    assert said == "2 runs: new added, good removed."
    assert run.notes() == RunNotes(title="a", tags=("one", "new"), note="n")
    assert other.notes().tags == ("two", "new")
    assert has_tags(other.notes(), ["NEW", "two"]) and not has_tags(run.notes(), ["two"])


def test_too_long_or_too_many_tags_and_notes_are_refused_and_change_nothing(run: RunDir) -> None:
    assert "has 41 characters" in sentence(TagRuns([run], add=["x" * (LONGEST_TAG + 1)]))
    many = [f"tag{number}" for number in range(MOST_TAGS + 1)]
    assert "would have 51 tags, and a run can have 50" in sentence(TagRuns([run], add=many))
    assert "has 10,001 characters" in sentence(NoteRun(run, "x" * (LONGEST_NOTE + 1)))
    with pytest.raises(ConfigError):
        NoteRun(run, "x" * (LONGEST_NOTE + 1)).do()
    assert run.notes() == RunNotes()


def test_a_note_is_kept_beside_title_and_tags(run: RunDir) -> None:
    run.put_notes(RunNotes(title="a", tags=("t",)))
    assert NoteRun(run, "labels of\nMonday").do() == "The note on a is saved."
    assert run.notes() == RunNotes(title="a", tags=("t",), note="labels of Monday")
    assert NoteRun(run, " ").do() == "The note on a is removed."
    assert run.notes().note == ""


def test_tags_are_read_from_a_line_with_commas() -> None:
    assert read_tags(" good,, two  words ,GOOD") == ("good", "two words")


def test_the_commands_in_sentences_name_the_run_by_its_folder(run: RunDir) -> None:
    assert typed_command("kill", run) == f"`mia-tui runs stop {run.path} --kill`"


def test_a_title_with_control_characters_is_harmless_in_sentences(run: RunDir) -> None:
    run.put_notes(RunNotes(title="a\x1b[2J"))
    assert called(run) == "a\\x1b[2J"


def test_a_run_with_epochs_keeps_its_figures_when_it_gets_a_title(run: RunDir) -> None:
    tell(run, started(), epoch_row(1, macro_f1=0.5), finished())
    RenameRun(run, "x").do()
    assert read_state(run).best_value == 0.5
