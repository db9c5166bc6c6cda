"""`mia-tui labels second`, `labels agreement` and `labels disputes`."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli_support import Mia
from PIL import Image
from sklearn.metrics import cohen_kappa_score

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.paths import find_state


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Forty images that anna labelled: thirty round, ten long."""
    root = tmp_path / "cells"
    root.mkdir()
    for number in range(40):
        Image.new("RGB", (8, 8), (number * 6, 0, 90)).save(root / f"cell{number:02}.png")
    with store_of(root, "anna") as store:
        round_, long = (store.add_class(name).id for name in ("round", "long"))
        store.set_labels(
            [(ImageKey(f"cell{number:02}.png"), long if number % 4 == 3 else round_) for number in range(40)],
            source="person",
        )
    return root


def store_of(root: Path, who: str) -> LabelStore:
    return LabelStore(find_state(root).labels_db, annotator=who)


def record(mia: Mia, *words: object) -> Any:
    return json.loads(mia("labels", *words, "--json").out)


def answer_all(root: Path, who: str, *, wrong: int) -> None:
    """Somebody labels the whole second pass; the first images otherwise than anna did."""
    with store_of(root, who) as store:
        ids = [known.id for known in store.classes()]
        labels = store.labels()
        items = []
        for place, key in enumerate(store.second_pass_of(who)):
            given = labels[key].class_id
            items.append((key, next(id for id in ids if id != given) if place < wrong else given))
        store.give_opinions(items)


def test_of_each_class_the_same_share_is_drawn(mia: Mia, cells: Path) -> None:
    answer = mia("labels", "second", cells, "--share", "20%")
    assert answer.code == 0
    assert answer.out.splitlines()[:4] == [
        "8 images to label again, 8 of them new.",
        "class  labelled  drawn",
        "round        30      6",
        "long         10      2",
    ]


def test_a_larger_share_contains_the_smaller_one_and_the_same_is_drawn_again(mia: Mia, cells: Path) -> None:
    mia("labels", "second", cells, "--share", "0.1")
    with store_of(cells, "bob") as store:
        before = store.second_pass()
    assert record(mia, "second", cells, "--images", "4")["new"] == 0
    assert record(mia, "second", cells, "--images", "20")["new"] == 16
    with store_of(cells, "bob") as store:
        assert before < store.second_pass()
        assert mia("labels", "second", cells, "--end").code == 0
        assert store.second_pass() == set()
    record(mia, "second", cells, "--images", "4", "--seed", "7")
    with store_of(cells, "bob") as store:
        assert store.second_pass() != before


@pytest.mark.parametrize("share", ["0", "-5%", "120%", "many", "nan"])
def test_what_is_no_share_is_refused(mia: Mia, cells: Path, share: str) -> None:
    answer = mia("labels", "second", cells, f"--share={share}")
    assert (answer.code, answer.out) == (2, "")
    assert "is no share. Give one as 10%" in answer.err


def test_options_that_exclude_each_other_and_too_many_images_are_refused(mia: Mia, cells: Path) -> None:
    assert "exclude each other" in mia("labels", "second", cells, "--share", "5%", "--end").err
    assert "only 40 images have a label" in mia("labels", "second", cells, "--images", "41").err


def test_how_far_each_annotator_is_gets_said(mia: Mia, cells: Path) -> None:
    mia("labels", "second", cells, "--images", "8")
    assert "Nobody has begun" in mia("labels", "second", cells).out
    answer_all(cells, "bob", wrong=0)
    assert "bob: 8 of 8 images labelled again." in mia("labels", "second", cells).out
    assert record(mia, "second", cells)["annotators"] == [{"annotator": "bob", "images": 8, "labelled": 8}]


def test_labels_stay_as_they_are_and_kappa_is_that_of_scikit_learn(mia: Mia, cells: Path) -> None:
    mia("labels", "second", cells, "--images", "20")
    with store_of(cells, "x") as store:
        labels = store.labels()
    answer_all(cells, "bob", wrong=3)
    with store_of(cells, "x") as store:
        assert store.labels() == labels
        said = {key: by["bob"].class_id for key, by in store.opinions().items()}
    found = record(mia, "agreement", cells)
    assert found["annotators"] == ["anna", "bob"]
    assert (found["images"], found["raw"][0], found["kappa_of"]) == (20, 0.85, "cohen")
    expected = cohen_kappa_score([labels[key].class_id for key in said], list(said.values()))
    assert found["kappa"][0] == pytest.approx(expected)
    assert found["kappa"][1] < expected < found["kappa"][2]
    matrix = found["pairs"][0]["matrix"]
    assert sum(map(sum, matrix)) == 20
    assert matrix[0][1] + matrix[1][0] == 3
    answer = mia("labels", "agreement", cells)
    assert "Cohen's kappa" in answer.out
    assert "Rows anna, columns bob:" in answer.out


def test_three_annotators_get_fleiss_kappa_and_each_two_cohens(mia: Mia, cells: Path) -> None:
    mia("labels", "second", cells, "--images", "20")
    answer_all(cells, "bob", wrong=3)
    answer_all(cells, "carl", wrong=5)
    found = record(mia, "agreement", cells)
    assert found["kappa_of"] == "fleiss"
    assert [pair["annotators"] for pair in found["pairs"]] == [
        ["anna", "bob"], ["anna", "carl"], ["bob", "carl"],
    ]  # fmt: skip
    assert "Fleiss' kappa" in mia("labels", "agreement", cells).out


def test_without_second_opinions_the_way_to_get_them_is_said(mia: Mia, cells: Path) -> None:
    answer = mia("labels", "agreement", cells)
    assert answer.code != 0
    assert "mia-tui labels second DATASET --share 10%" in answer.err


def test_disputes_are_listed_until_they_are_decided(mia: Mia, cells: Path) -> None:
    mia("labels", "second", cells, "--images", "12")
    answer_all(cells, "bob", wrong=2)
    disputes = record(mia, "disputes", cells)["disputes"]
    assert len(disputes) == 2
    assert {name for each in disputes for name in each["said"]} == {"anna", "bob"}
    assert "2 disputes to decide." in mia("labels", "disputes", cells).out
    kappa = record(mia, "agreement", cells)["kappa"]
    with store_of(cells, "carl") as store:
        for each in disputes:
            id = next(known.id for known in store.classes() if known.name == each["said"]["bob"])
            store.decide([(ImageKey(each["file"]), id)])
    assert record(mia, "disputes", cells)["disputes"] == []
    decided = record(mia, "disputes", cells, "--all")["disputes"]
    assert [each["decided"] for each in decided] == [each["said"]["bob"] for each in disputes]
    assert [each["said"] for each in decided] == [each["said"] for each in disputes]
    assert record(mia, "agreement", cells)["kappa"] == kappa  # the decision is no judgement of its own


def test_a_dataset_without_labels_says_how_to_get_some(mia: Mia, tmp_path: Path) -> None:
    root = tmp_path / "new"
    root.mkdir()
    Image.new("RGB", (8, 8)).save(root / "a.png")
    for command in ("second", "agreement", "disputes"):
        answer = mia("labels", command, root)
        assert answer.code != 0
        assert "mia-tui labels import" in answer.err
    assert [path.name for path in root.iterdir()] == ["a.png"]
