"""Which network is asked about the image on screen."""

from pathlib import Path

import msgspec
import pytest
from network_support import put_network
from run_support import finished, make_evaluate_job, make_predict_job, make_run

from mia_tui.paths import StateFolder
from mia_tui.runs.prediction.one_image import ImageAnswer, decode_answer, network_to_ask
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog


def training(
    dataset: Path, name: str, *, created_at: float, ended: bool = True, weights: bool = True
) -> RunDir:
    run = make_run(dataset / "mia", name=name, created_at=created_at)
    if weights:
        run.checkpoints.mkdir()
        run.best_weights.write_bytes(b"weights")
    if ended:
        with EventLog(run.events) as events:
            events.append(finished())
    return run


def chosen(dataset: Path, *shown: RunDir) -> Path | None:
    return network_to_ask(dataset, None, shown)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    (tmp_path / "images" / "mia").mkdir(parents=True)
    return tmp_path / "images"


def test_without_a_training_no_network_can_be_asked(dataset: Path) -> None:
    assert chosen(dataset) is None
    training(dataset, "begun", created_at=1000.0, weights=False)
    assert chosen(dataset) is None


def test_the_newest_finished_training_is_asked(dataset: Path) -> None:
    training(dataset, "old", created_at=1000.0)
    newest = training(dataset, "new", created_at=2000.0)
    training(dataset, "unfinished", created_at=3000.0, ended=False)
    assert chosen(dataset) == newest.best_weights


def test_an_unfinished_training_is_better_than_none(dataset: Path) -> None:
    training(dataset, "old", created_at=1000.0, ended=False)
    newest = training(dataset, "new", created_at=2000.0, ended=False)
    assert chosen(dataset) == newest.best_weights


def test_the_network_whose_suggestions_are_shown_comes_first(dataset: Path, tmp_path: Path) -> None:
    newest = training(dataset, "new", created_at=2000.0)
    weights = tmp_path / "elsewhere.safetensors"
    job = make_predict_job(dataset / "mia", weights=str(weights))
    run = RunDir.create(StateFolder(dataset / "mia"), job, name="predict")
    put_network(weights, ("a", "b"))
    assert chosen(dataset, run) == weights
    weights.write_bytes(b"file,class")  # the suggestions were imported from it
    assert chosen(dataset, run) == newest.best_weights
    weights.unlink()
    assert chosen(dataset, run) == newest.best_weights


def test_of_an_evaluation_its_network_is_asked(dataset: Path) -> None:
    old = training(dataset, "old", created_at=1000.0)
    put_network(old.best_weights, ("a", "b"))
    training(dataset, "new", created_at=2000.0)
    job = make_evaluate_job(dataset / "mia", weights=str(old.best_weights))
    assert (
        chosen(dataset, RunDir.create(StateFolder(dataset / "mia"), job, name="evaluation"))
        == old.best_weights
    )


def test_suggestions_of_earlier_versions_lie_beside_their_network(dataset: Path) -> None:
    old = training(dataset, "old", created_at=1000.0)
    put_network(old.best_weights, ("a", "b"))
    training(dataset, "new", created_at=2000.0)
    assert chosen(dataset, old) == old.best_weights


def test_the_most_probable_classes_come_first() -> None:
    answer = ImageAnswer(("a", "b", "c"), (0.2, 0.7, 0.1))
    assert answer.best(2) == [("b", 0.7), ("a", 0.2)]


def test_an_answer_without_a_probability_for_each_class_is_none() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_answer(b'{"classes":["a","b"],"probabilities":[0.5]}')
