"""The decision of a network, kept beside its weights: what it answers, when it is unsure, and whose it is."""

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from mutations import json_mutants

from mia_tui.config.predict import DecisionRule
from mia_tui.dataset.model import ImageKey
from mia_tui.errors import RunError
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow, PredictionRows
from mia_tui.runs.record.decision import (
    UNSURE,
    Decision,
    calibrated,
    decide,
    decision_file,
    is_of_other_weights,
    read_decision,
    remove_decision,
    write_decision,
)

CLASSES = ("cat", "dog", "bird")


def a_decision(**fields: object) -> Decision:
    known = {
        "temperature": 1.5,
        "threshold": 0.8,
        "part": "val",
        "images": 200,
        "coverage": 0.92,
        "accuracy": 0.99,
        "interval": (0.95, 1.0),
        "method": "Wilson",
        "chosen_at": 1000.0,
    }
    return Decision(**{**known, **fields})


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "cells.safetensors"
    path.write_bytes(b"some weights")
    return path


def test_a_decision_is_read_as_it_was_written(weights: Path) -> None:
    decision = a_decision(by_class={"cat": 0.7, "%41 ": 0.9, "=cmd|' /C calc'!A0": 1.0})
    write_decision(weights, decision)
    assert decision_file(weights).name == "cells.decision.json"
    assert read_decision(weights) == decision
    assert read_decision(weights, digest="other") is None


def test_weights_without_a_decision_have_none(weights: Path) -> None:
    assert read_decision(weights) is None
    assert not is_of_other_weights(weights)
    assert not remove_decision(weights)


def test_a_decision_goes_with_copied_weights_of_any_name(weights: Path, tmp_path: Path) -> None:
    write_decision(weights, a_decision())
    copy = tmp_path / "elsewhere" / "model.safetensors"
    copy.parent.mkdir()
    shutil.copy(weights, copy)
    shutil.copy(decision_file(weights), decision_file(copy))
    assert read_decision(copy) == a_decision()


def test_a_decision_beside_other_weights_has_no_effect(weights: Path) -> None:
    write_decision(weights, a_decision())
    weights.write_bytes(b"better weights")
    assert read_decision(weights) is None
    assert is_of_other_weights(weights)


def test_a_removed_decision_is_gone(weights: Path) -> None:
    write_decision(weights, a_decision())
    assert remove_decision(weights)
    assert read_decision(weights) is None


def test_a_damaged_decision_is_refused_in_a_sentence(weights: Path) -> None:
    write_decision(weights, a_decision(by_class={"cat": 0.7}))
    file = decision_file(weights)
    whole = file.read_bytes()
    for bad in (whole[:-20], b"", b"[]", whole.replace(b'"threshold": 0.8', b'"threshold": 8')):
        file.write_bytes(bad)
        with pytest.raises(RunError, match="is damaged"):
            read_decision(weights)


def test_no_change_of_the_file_is_more_than_another_decision_or_an_error(weights: Path) -> None:
    write_decision(weights, a_decision(by_class={"cat": 0.7}))
    file = decision_file(weights)
    for mutant in json_mutants(file.read_bytes()):
        file.write_bytes(mutant)
        try:
            found = read_decision(weights)
        except RunError:
            continue
        assert found is None or isinstance(found, Decision)


def test_a_network_without_a_decision_answers_always() -> None:
    probabilities = np.array([[0.4, 0.3, 0.3], [0.2, 0.4, 0.4]], np.float32)
    assert decide(None, probabilities, CLASSES).tolist() == [0, 1]
    assert decide(DecisionRule(), probabilities, CLASSES).tolist() == [0, 1]


def test_below_the_threshold_it_is_unsure_and_at_it_it_is_not() -> None:
    probabilities = np.array([[0.5, 0.25, 0.25], [0.4, 0.3, 0.3]])
    assert decide(DecisionRule(threshold=0.5), probabilities, CLASSES).tolist() == [0, UNSURE]


def test_a_class_has_its_own_threshold_and_the_others_the_common_one() -> None:
    probabilities = np.array([[0.6, 0.2, 0.2], [0.2, 0.6, 0.2], [0.2, 0.2, 0.6]])
    rule = DecisionRule(threshold=0.5, by_class={"dog": 0.7, "fish": 0.1})
    assert decide(rule, probabilities, CLASSES).tolist() == [0, UNSURE, 2]
    only = DecisionRule(by_class={"bird": 0.7})
    assert only.may_be_unsure
    assert decide(only, probabilities, CLASSES).tolist() == [0, 1, UNSURE]


def test_no_images_have_no_answers() -> None:
    assert decide(DecisionRule(threshold=0.5), np.empty((0, 3)), CLASSES).shape == (0,)
    assert calibrated(np.empty((0, 3)), 2.0).shape == (0, 3)


@pytest.mark.parametrize("temperature", [0.05, 0.5, 1.0, 1.7, 20.0])
def test_calibrated_probabilities_are_the_softmax_of_logits_divided_by_the_temperature(
    temperature: float,
) -> None:
    logits = np.random.default_rng(0).normal(0, 5, (500, 4))
    said = calibrated(softmax(logits), temperature)
    assert np.allclose(said, softmax(logits / temperature), rtol=1e-6, atol=1e-12)
    assert np.array_equal(said.argmax(axis=1), logits.argmax(axis=1))


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def test_a_probability_of_zero_stays_a_number() -> None:
    said = calibrated(np.array([[1.0, 0.0, 0.0]], np.float32), 3.0)
    assert np.isfinite(said).all()
    assert said.dtype == np.float32


def test_rows_by_another_rule_are_not_continued(tmp_path: Path) -> None:
    keys = [ImageKey("a.png"), ImageKey("b.png")]
    plain = PredictionHeader("/data", "w", ["cat", "dog"], "run", False, 100.0)
    rows = PredictionRows(tmp_path / "rows.jsonl", plain, keys)
    rows.append([PredictionRow("a.png", 0, [0.6, 0.4])])
    assert PredictionRows(tmp_path / "rows.jsonl", plain, keys).done == 1
    for rule in (
        DecisionRule(temperature=1.5),
        DecisionRule(threshold=0.5),
        DecisionRule(by_class={"cat": 0.9}),
    ):
        other = msgspec.structs.replace(plain, rule=rule)
        again = PredictionRows(tmp_path / "rows.jsonl", other, keys)
        assert again.done == 0
        again.append([PredictionRow("a.png", 0, [0.6, 0.4])])


def test_rows_of_an_earlier_version_are_those_without_a_rule(tmp_path: Path) -> None:
    header = PredictionHeader("/data", "w", ["cat", "dog"], "run", False, 100.0)
    old = msgspec.json.encode(header).replace(b',"rule":{}', b"")
    row = msgspec.json.encode(PredictionRow("a.png", 0, [0.6, 0.4]))
    (tmp_path / "rows.jsonl").write_bytes(old + b"\n" + row + b"\n")
    assert PredictionRows(tmp_path / "rows.jsonl", header, [ImageKey("a.png")]).done == 1
