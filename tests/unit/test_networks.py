"""The networks that a person can choose from, and which of their classes a dataset has."""

import os
from pathlib import Path

import pytest
from network_support import put_network, train
from run_support import make_predict_job, make_run

from mia_tui.dataset.recent import remember_dataset
from mia_tui.errors import CheckpointError
from mia_tui.paths import StateFolder
from mia_tui.runs.list.networks import class_sentence, known_networks, network_in, network_of
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.worker.liveness import WorkerLock


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    (tmp_path / "cells").mkdir()
    return tmp_path / "cells"


def test_the_networks_of_the_dataset_come_first_then_those_of_others_each_newest_first(
    cells: Path, tmp_path: Path
) -> None:
    other, gone = tmp_path / "other", tmp_path / "gone"
    old, new = train(cells, ("a",), created_at=1e9), train(cells, ("a",), created_at=2e9)
    theirs = train(other, ("b",), created_at=3e9)
    for folder in (gone, other, cells):
        remember_dataset(folder, None, None)
    found = known_networks(cells, None)
    assert [(network.name, network.dataset) for network in found] == [
        (new.name, cells),
        (old.name, cells),
        (theirs.name, other),
    ]


def test_only_trainings_that_have_ended_with_readable_weights_are_offered(cells: Path) -> None:
    good = train(cells, ("a",), name="good")
    make_run(cells / "mia", name="untrained", created_at=1e9)
    damaged = train(cells, ("a",), name="damaged")
    damaged.best_weights.write_bytes(b"{}")
    prediction = RunDir.create(StateFolder(cells / "mia"), make_predict_job(cells / "mia"), name="predict")
    os.utime(prediction.path / "job.json", (1e9, 1e9))
    live = train(cells, ("a",), name="live")
    with WorkerLock(live):
        assert [network.name for network in known_networks(cells, None)] == [good.name]


def test_a_state_folder_that_is_named_is_the_only_one_of_its_dataset(cells: Path, tmp_path: Path) -> None:
    train(cells, ("a",))
    assert known_networks(cells, tmp_path / "elsewhere") == []


def test_a_network_is_named_by_its_file_or_by_the_folder_of_its_run(cells: Path, tmp_path: Path) -> None:
    run = train(cells, ("a", "b"))
    put_network(tmp_path / "mine.safetensors", ("c",))
    assert network_in(run.path) == network_of(run)
    mine = network_in(tmp_path / "mine.safetensors")
    assert (mine.name, [item.name for item in mine.card.classes], mine.dataset) == ("mine", ["c"], None)
    with pytest.raises(CheckpointError, match="does not exist"):
        network_in(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("network", "dataset", "sentence"),
    [
        (["a", "b"], ["b", "a", "c"], "It has 2 classes, and this dataset has all of them: a, b."),
        (["a"], [], "It has 1 class, none of them in this dataset: a."),
        (["a", "b", "c"], ["a", "c"], "It has 3 classes: a, c are here, new: b."),
        ([" a ", "é"], ["a", "é"], "It has 2 classes, and this dataset has all of them:  a , é."),
    ],
)
def test_classes_are_matched_by_name(network: list[str], dataset: list[str], sentence: str) -> None:
    assert class_sentence(network, dataset) == sentence
