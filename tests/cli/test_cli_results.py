"""`mia-tui evaluate` with two networks and a table, and `mia-tui runs results`: figures with intervals."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from cli_support import Mia
from disc_support import draw_disc
from network_support import put_network
from run_support import make_run
from training_commands import assert_refused, runs_of, train

from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.evaluation.saved_scores import EvaluatedScores, save_scores, scores_file
from mia_tui.runs.record.decision import Decision, decision_file, write_decision
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import decode_name

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")
GROUPED = r"slide\d+"


def a_run(
    folder: Path, *, seed: int = 0, images: int = 240, groups: int = 24, scores: bool = True, **config: object
) -> RunDir:
    """A finished training of the classes cat and dog, with what its network said of its validation part."""
    random = np.random.default_rng(seed)
    truth = np.arange(images) % 2
    predicted = np.where(random.random(images) < 0.85, truth, 1 - truth)
    samples = [
        Sample(f"slide{row % groups}_{row}.png", int(truth[row]), "val", frame=0) for row in range(images)
    ]
    run = make_run(folder / "mia", name=f"20260101-0000-run{seed}", samples=samples, **config)
    confusion = np.zeros((2, 2), np.int64)
    np.add.at(confusion, (truth, predicted), 1)
    save_confusion(run.confusion("best"), SavedConfusion(3, "val", ("cat", "dog"), confusion))
    save_epoch_predictions(epoch_predictions_file(run, "best"), EpochPredictions(3, "val", predicted))
    if scores:
        sure = random.uniform(0.6, 0.99, images).astype(np.float32)
        said = np.stack([np.where(predicted == place, sure, 1 - sure) for place in (0, 1)], axis=1)
        save_scores(scores_file(run, "best"), EvaluatedScores(3, "val", np.arange(images), np.log(said)))
    return run


def results(mia: Mia, run: RunDir, *more: object) -> dict:
    answer = mia("runs", "results", run.path, "--json", *more)
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


def test_the_results_of_a_training_are_shown_without_evaluating_anew(mia: Mia, tmp_path: Path) -> None:
    from sklearn import metrics  # takes a second

    run = a_run(tmp_path, group_by=GROUPED)
    record = results(mia, run)
    (right_cat, wrong_cat), (wrong_dog, right_dog) = record["confusion"]
    truth = [0] * (right_cat + wrong_cat) + [1] * (wrong_dog + right_dog)
    said = [0] * right_cat + [1] * wrong_cat + [0] * wrong_dog + [1] * right_dog
    assert record["macro_f1"] == pytest.approx(metrics.f1_score(truth, said, average="macro"))
    assert (record["samples"], record["groups"], record["group_by"]) == (240, 24, GROUPED)
    interval = record["intervals"]["accuracy"]
    assert interval["low"] < record["accuracy"] < interval["high"]
    assert interval["method"] == "bootstrap over 24 groups"
    assert record["per_class"][0]["intervals"]["recall"]["method"] == "bootstrap over 24 groups"
    assert 0.5 < record["roc_area"] <= 1 and record["calibration"]["source"] == "fitted to these images"
    assert len(record["top_losses"]) == 10
    losses = [each["loss"] for each in record["top_losses"]]
    assert losses == sorted(losses, reverse=True)


def test_the_groups_can_be_others_or_none(mia: Mia, tmp_path: Path) -> None:
    run = a_run(tmp_path, group_by=GROUPED)
    few = results(mia, run, "--group-by", r"slide\d")
    assert few["groups"] == 10 and few["intervals"]["accuracy"] == {"why_none": "too few: 10 groups"}
    none = results(mia, run, "--group-by", "")
    assert none["groups"] == 240 and none["intervals"]["accuracy"]["method"] == "Wilson, 240 images"
    assert_refused(mia("runs", "results", run.path, "--group-by", "("), 2, "not a regular expression")


def test_for_people_each_figure_stands_beside_its_interval(mia: Mia, tmp_path: Path) -> None:
    run = a_run(tmp_path, group_by=GROUPED)
    answer = mia("runs", "results", run.path, "--top", 3)
    assert answer.code == 0, answer.err
    assert "240 images of the part val, in 24 groups by 'slide\\d+':" in answer.out
    assert re.search(r"^cat +120  0\.\d{3} 0\.\d\d-0\.\d\d  0\.\d{3} ", answer.out, re.MULTILINE)
    assert re.search(
        r"^accuracy +0\.\d{4}  0\.\d{4}-0\.\d{4}  bootstrap over 24 groups$", answer.out, re.MULTILINE
    )
    assert "Calibration error" in answer.out and "The 3 images with the largest loss:" in answer.out
    shares = mia("runs", "results", run.path, "--shares", "--by-similarity", "--top", 0).out
    assert re.search(r"^cat +\d\d% +\d\d%$", shares, re.MULTILINE) and "largest loss" not in shares


def test_a_run_of_an_earlier_version_has_figures_and_says_what_it_lacks(mia: Mia, tmp_path: Path) -> None:
    run = a_run(tmp_path, scores=False)
    answer = mia("runs", "results", run.path)
    assert answer.code == 0 and "macro F1" in answer.out and "ROC" not in answer.out
    assert "does not record the probabilities" in answer.err and "mia-tui evaluate" in answer.err
    record = results(mia, run)
    assert record["roc_area"] is None and record["calibration"] is None and record["top_losses"] == []


def test_two_runs_are_compared_on_the_images_of_both(mia: Mia, tmp_path: Path) -> None:
    from statsmodels.stats.contingency_tables import mcnemar  # takes a second

    one, other = a_run(tmp_path, seed=1), a_run(tmp_path, seed=2, images=200)
    record = results(mia, one, "--against", other.path)
    found = record["comparison"]
    assert record["samples"] == record["against"]["samples"] == found["images"] == 200
    table = [
        [found["both_right"], found["only_first_right"]],
        [found["only_second_right"], found["both_wrong"]],
    ]
    assert np.sum(table) == 200
    assert found["mcnemar_p"] == pytest.approx(mcnemar(table, exact=True).pvalue)
    assert len(found["differing"]) == found["only_first_right"] + found["only_second_right"]
    assert found["accuracy_difference"] == pytest.approx(record["accuracy"] - record["against"]["accuracy"])
    answer = mia("runs", "results", one.path, "--against", other.path, "--top", 2)
    assert answer.code == 0, answer.err
    assert "40 images that only one of the runs was evaluated on are left out." in answer.err.replace(
        "\n", " "
    )
    assert "Both on the same 200 images:" in answer.out and "McNemar, exact" in answer.out
    assert "the first 2 of them:" in answer.out


def test_runs_without_an_image_in_common_are_refused(mia: Mia, tmp_path: Path) -> None:
    one = a_run(tmp_path / "a", seed=1)
    samples = [Sample("elsewhere.png", 0, "val")]
    other = make_run(tmp_path / "b" / "mia", samples=samples)
    save_confusion(
        other.confusion("best"), SavedConfusion(1, "val", ("cat", "dog"), np.array([[1, 0], [0, 0]]))
    )
    save_epoch_predictions(epoch_predictions_file(other, "best"), EpochPredictions(1, "val", np.array([0])))
    answer = mia("runs", "results", one.path, "--against", other.path)
    assert_refused(answer, 1, "no image in common", "--against RUN2")


def test_the_table_has_a_row_for_each_figure_and_no_formula(mia: Mia, tmp_path: Path) -> None:
    names = ("=cmd|' /C calc'!A0", "<script>{{x}}")
    run = a_run(tmp_path, group_by=GROUPED)
    counts = np.array([[100, 20], [15, 105]])
    save_confusion(run.confusion("best"), SavedConfusion(3, "val", names, counts))
    file = tmp_path / "out.csv"
    assert mia("runs", "results", run.path, "--csv", file).code == 0
    rows = list(csv.DictReader(file.open(encoding="utf-8", newline="")))
    assert not [
        cell for row in rows for cell in row.values() if cell and cell[0] in "=+-@" and not is_number(cell)
    ]
    assert {decode_name(row["class"]) for row in rows if row["class"]} == set(names)
    [accuracy] = [row for row in rows if row["figure"] == "accuracy"]
    assert float(accuracy["low"]) < float(accuracy["value"]) < float(accuracy["high"])
    assert accuracy["interval"] == "bootstrap over 24 groups" and accuracy["run"] == run.name
    assert len([row for row in rows if row["figure"] == "confusion"]) == 4
    assert all(row["value"] != "nan" for row in rows)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_a_table_is_not_replaced_unless_asked_and_nothing_else_is_done_first(
    mia: Mia, tmp_path: Path
) -> None:
    run, file = a_run(tmp_path), tmp_path / "out.csv"
    file.write_text("mine")
    assert_refused(mia("runs", "results", run.path, "--csv", file), 3, "already exists", "--overwrite")
    assert file.read_text() == "mine"
    assert mia("runs", "results", run.path, "--csv", file, "--overwrite").code == 0
    assert file.read_text().startswith("run,split,figure,class")
    assert_refused(mia("runs", "results", run.path, "--overwrite"), 2, "--overwrite is for")
    assert_refused(mia("runs", "results", run.path, "--csv", tmp_path / "no" / "a.csv"), 3, "does not exist")


def test_two_networks_are_evaluated_on_the_same_images(mia: Mia, discs: Path) -> None:
    assert train(mia, discs, "--lr", 0.003, "--test-fraction", 0.2, "--group-by", r"cell-\d").code == 0
    assert train(mia, discs, "--lr", 0.003, "--seed", 5).code == 0
    one, other = runs_of(discs)
    for number in range(4):
        draw_disc(discs / "red", f"new-{number}.png", size_px=40, red=True, seed=900 + number)
    answer = mia(
        "evaluate", discs, "--run", one.path, "--against", other.path, "--json", "--precision", "fp32"
    )
    assert answer.code == 0, answer.err
    record = json.loads(answer.out)
    assert record["samples"] == record["against"]["samples"] == record["comparison"]["images"]
    assert record["trained_on"] == 0
    assert (record["network"], record["against"]["network"]) == (one.name, other.name)
    assert record["group_by"] == record["against"]["group_by"] == r"cell-\d"
    evaluations = [RunDir(Path(each["path"])) for each in (record, record["against"])]
    assert [run.evaluate_job().config.group_by for run in evaluations] == [r"cell-\d"] * 2
    detached = mia("evaluate", discs, "--run", one.path, "--against", other.path, "--detach")
    assert_refused(detached, 2, "--detach does not wait for", "runs results")


def test_the_temperature_is_the_one_that_was_chosen_for_the_network(mia: Mia, tmp_path: Path) -> None:
    run = a_run(tmp_path)
    put_network(run.best_weights, ("cat", "dog"))
    chosen = Decision(
        temperature=2.5, part="val", images=240, coverage=0.9, accuracy=0.99, threshold=0.8, chosen_at=1.0
    )
    write_decision(run.best_weights, chosen)
    calibration = results(mia, run)["calibration"]
    assert calibration["temperature"] == 2.5 and calibration["source"] == "chosen on 240 images of val"
    assert calibration["error"] != calibration["error_after"]
    decision_file(run.best_weights).write_text("{")
    assert_refused(mia("runs", "results", run.path), 1, "best.decision.json is damaged")


@pytest.mark.parametrize(("images", "groups"), [(1, 1), (2, 1), (2, 2), (30, 3), (60, 60)])
def test_few_images_have_figures_and_nothing_is_not_a_number(
    mia: Mia, tmp_path: Path, images: int, groups: int
) -> None:
    run = a_run(tmp_path, images=images, groups=groups, group_by=GROUPED)
    record = results(mia, run)
    assert record["samples"] == images and "nan" not in json.dumps(record).lower()
    answer = mia("runs", "results", run.path, "--csv", tmp_path / "out.csv")
    assert answer.code == 0 and "nan" not in answer.out.lower()
    assert "nan" not in (tmp_path / "out.csv").read_text().lower()


def test_a_run_that_has_no_results_says_so(mia: Mia, tmp_path: Path) -> None:
    run = make_run(tmp_path / "mia", samples=[Sample("a.png", 0, "val")])
    assert_refused(mia("runs", "results", run.path), 1, "has no results yet", "after its first epoch")
