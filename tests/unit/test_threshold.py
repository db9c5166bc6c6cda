"""Choosing the threshold of a network: what it does to the images, and which ones it may be chosen on."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
from network_support import put_network
from run_support import make_run

from mia_tui.analysis.calibration import fit_temperature
from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.config.predict import DecisionRule
from mia_tui.errors import ConfigError, RunError
from mia_tui.paths import StateFolder
from mia_tui.runs.evaluation.confusion import SavedConfusion, Which, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.evaluation.saved_scores import EvaluatedScores, save_scores, scores_file
from mia_tui.runs.evaluation.threshold import read_choice
from mia_tui.runs.record.decision import UNSURE, calibrated, decide, read_decision, write_decision
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.job_place import new_job
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import weights_digest

CLASSES = ("cat", "dog")
EPOCH = 2  # of the card


def too_sure(images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Log probabilities of a network that is too sure, shape (n, 2), and the truth."""
    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, images)
    logits = random.normal(0, 1, (images, 2))
    logits[np.arange(images), truth] += 2
    logits *= 3
    return (logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)).astype(np.float32), truth


def save(run: RunDir, which: Which, part: str, logs: np.ndarray, truth: np.ndarray) -> None:
    predicted = logs.argmax(axis=1)
    counts = np.zeros((2, 2), np.int64)
    np.add.at(counts, (truth, predicted), 1)
    save_scores(scores_file(run, which), EvaluatedScores(EPOCH, part, np.arange(len(truth)), logs))
    save_epoch_predictions(epoch_predictions_file(run, which), EpochPredictions(EPOCH, part, predicted))
    save_confusion(run.confusion(which), SavedConfusion(EPOCH, part, CLASSES, counts))


def samples_of(truth: np.ndarray) -> list[Sample]:
    return [Sample(f"s{row // 4}_{row}.png", int(of), "val") for row, of in enumerate(truth)]


def a_training(folder: Path, images: int = 400, *, part: str = "val", **config: object) -> RunDir:
    logs, truth = too_sure(images)
    run = make_run(folder / "mia", samples=samples_of(truth), **config)
    put_network(run.best_weights, CLASSES, run=run.name)
    save(run, "best", part, logs, truth)
    return run


def test_what_was_promised_is_what_a_prediction_of_the_same_images_does(tmp_path: Path) -> None:
    run = a_training(tmp_path)
    choice = read_choice(run)
    decision = choice.choose(accuracy=0.97)
    logs, truth = too_sure(400)
    assert decision.temperature == fit_temperature(logs, truth) > 1.3
    said = calibrated(np.exp(logs), decision.temperature)
    answers = decide(decision, said, CLASSES)
    answered = answers != UNSURE
    assert decision.coverage == answered.mean() and 0.3 < decision.coverage < 1
    assert decision.accuracy == (answers == truth)[answered].mean() >= 0.97
    assert (decision.part, decision.images) == ("val", 400)
    assert decision.interval is not None and decision.interval[0] < decision.accuracy < decision.interval[1]


def test_more_accuracy_answers_less_and_the_coverage_that_was_asked_for_is_reached(tmp_path: Path) -> None:
    choice = read_choice(a_training(tmp_path))
    low, high = choice.choose(accuracy=0.95), choice.choose(accuracy=0.98)
    assert low.coverage > high.coverage and low.threshold < high.threshold
    assert 0.9 <= choice.choose(coverage=0.9).coverage < 0.905
    whole = choice.choose(threshold=0)
    assert (whole.coverage, whole.threshold) == (1.0, 0.0)
    assert whole.accuracy == (choice.predicted == choice.results.truth).mean()


def test_a_threshold_has_few_digits_and_answers_the_same_images(tmp_path: Path) -> None:
    choice = read_choice(a_training(tmp_path))
    for row in choice.rows():
        assert len(f"{row.threshold:.12g}") <= 8
        assert (choice.confidence >= row.threshold).mean() == row.coverage
    coverages = [row.coverage for row in choice.rows()]
    assert coverages == sorted(coverages, reverse=True) and coverages[0] == 1.0


def test_the_rows_are_of_images_of_groups_where_there_are_groups(tmp_path: Path) -> None:
    run = a_training(tmp_path)
    alone, grouped = read_choice(run).rows()[0], read_choice(run, group_by=r"s\d+").rows()[0]
    assert alone.accuracy.interval is not None and grouped.accuracy.interval is not None
    assert (alone.accuracy.interval.method, grouped.accuracy.interval.method) == (
        "Wilson, 400 images",
        "bootstrap over 100 groups",
    )


def test_each_class_has_its_own_threshold_but_one_of_few_images_has_the_common_one(tmp_path: Path) -> None:
    logs, truth = too_sure(400)
    keep = (logs.argmax(axis=1) == 1) | (np.cumsum(logs.argmax(axis=1) == 0) <= 40)
    logs, truth = logs[keep], truth[keep]
    run = make_run(tmp_path / "mia", samples=samples_of(truth))
    put_network(run.best_weights, CLASSES)
    save(run, "best", "val", logs, truth)
    choice = read_choice(run)
    decision = choice.choose(accuracy=0.98, by_class=True)
    assert set(decision.by_class) == {"dog"}
    cat, dog = choice.rows_by_class(decision)
    assert dog.right / dog.answered >= 0.98 and dog.answered < dog.images
    assert cat.images == 40 and cat.threshold == decision.threshold != dog.threshold
    assert decision.coverage == (cat.answered + dog.answered) / len(truth)


def test_an_accuracy_that_no_threshold_reaches_is_refused_with_the_most_that_is_reached(
    tmp_path: Path,
) -> None:
    logs, truth = too_sure(400)
    truth[logs.max(axis=1).argmax()] ^= 1  # the surest one is wrong
    run = make_run(tmp_path / "mia", samples=samples_of(truth))
    put_network(run.best_weights, CLASSES)
    save(run, "best", "val", logs, truth)
    with pytest.raises(ConfigError, match=r"99\.99% of the answers are right; the most is 9\d"):
        read_choice(run).choose(accuracy=0.9999)


def test_a_threshold_that_answers_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No image of val would be answered"):
        read_choice(a_training(tmp_path)).choose(threshold=1.0)


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_a_temperature_that_is_given_is_kept(tmp_path: Path, temperature: float) -> None:
    choice = read_choice(a_training(tmp_path), temperature=temperature)
    assert choice.choose(coverage=0.8).temperature == temperature


def test_few_images_or_none_that_are_wrong_choose_no_temperature(tmp_path: Path) -> None:
    few = read_choice(a_training(tmp_path / "few", images=30))
    assert few.temperature == 1 and "30 images are too few" in few.remark
    low, high = few.choose(coverage=0.5).interval or (0.0, 0.0)
    assert high == 1 and high - low > 0.15
    logs, _ = too_sure(400)
    truth = logs.argmax(axis=1)
    run = make_run(tmp_path / "right" / "mia", samples=samples_of(truth))
    put_network(run.best_weights, CLASSES)
    save(run, "best", "val", logs, truth)
    right = read_choice(run)
    assert right.temperature == 1 and "no image is predicted wrong" in right.remark


def test_images_that_it_was_trained_on_choose_no_threshold(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="had no validation part"):
        read_choice(a_training(tmp_path, part="train"))


def test_a_run_of_an_earlier_version_says_how_to_get_probabilities(tmp_path: Path) -> None:
    run = a_training(tmp_path)
    scores_file(run, "best").unlink()
    with pytest.raises(RunError, match=r"does not record the probabilities.*mia-tui evaluate"):
        read_choice(run)


def test_weights_of_another_epoch_than_the_probabilities_are_refused(tmp_path: Path) -> None:
    run = a_training(tmp_path)
    save_scores(scores_file(run, "best"), EvaluatedScores(1, "val", np.arange(400), too_sure(400)[0]))
    with pytest.raises(RunError):
        read_choice(run)


def test_an_evaluation_chooses_the_threshold_of_the_network_that_it_evaluated(tmp_path: Path) -> None:
    logs, truth = too_sure(400, seed=1)
    weights = tmp_path / "copied.safetensors"
    put_network(weights, CLASSES)
    config = EvaluateConfig(
        weights=str(weights), digest=weights_digest(weights), network="copied", split="all"
    )
    place = StateFolder(tmp_path / "mia")
    job = new_job(config, CLASSES, tmp_path, [place])
    run = RunDir.create(place, job, samples_of(truth), name="evaluate")
    save(run, "evaluation", "all", logs, truth)
    choice = read_choice(run)
    assert choice.weights == weights and choice.doubts == []
    decision = choice.choose(coverage=0.9)
    write_decision(choice.weights, decision, digest=choice.digest)
    assert read_decision(weights) == decision
    put_network(weights, CLASSES, value=0.5)
    assert read_decision(weights) is None
    with pytest.raises(RunError, match="holds other weights"):
        read_choice(run)


def test_an_evaluation_of_known_images_or_of_turned_copies_chooses_with_a_doubt(tmp_path: Path) -> None:
    logs, truth = too_sure(400, seed=1)
    weights = tmp_path / "copied.safetensors"
    put_network(weights, CLASSES)
    digest = weights_digest(weights)
    config = EvaluateConfig(
        weights=str(weights), digest=digest, network="copied", split="all", trained_on=30, tta=True
    )
    place = StateFolder(tmp_path / "mia")
    run = RunDir.create(
        place, new_job(config, CLASSES, tmp_path, [place]), samples_of(truth), name="evaluate"
    )
    save(run, "evaluation", "all", logs, truth)
    known, turned = read_choice(run).doubts
    assert "30 of the 400 images were trained on" in known and "--tta" in turned


def test_a_rule_is_written_into_the_settings_of_a_prediction_as_it_is() -> None:
    rule = DecisionRule(1.5, 0.5, {"=cmd": 0.9})
    assert msgspec.json.decode(msgspec.json.encode(rule), type=DecisionRule) == rule
