"""`mia-tui runs threshold`, and predictions by the threshold that is kept with a network."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from cli_support import Mia
from training_commands import runs_of, train

from mia_tui.paths import find_state
from mia_tui.runs.evaluation.results import load_results
from mia_tui.runs.prediction.suggestions import read_newest, suggestion_sets
from mia_tui.runs.record.decision import Decision, decision_file, read_decision, write_decision
from mia_tui.runs.record.layout import RunDir

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")


@pytest.fixture
def run(mia: Mia, discs: Path) -> RunDir:
    answer = train(mia, discs, "--epochs", 1, "--lr", 0.0003)
    assert answer.code == 0, answer.err
    return runs_of(discs)[0]


def middle(run: RunDir) -> float:
    """A threshold that about half of the validation images reach."""
    logs = load_results(run).log_probabilities
    assert logs is not None
    return round(float(np.median(np.exp(logs.max(axis=1)))), 4)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def predict(mia: Mia, images: Path, run: RunDir | Path, *more: object) -> dict[str, object]:
    network = run if isinstance(run, Path) else run.path
    answer = mia("predict", images, "--run", network, "--precision", "fp32", "--json", *more)
    assert answer.code == 0, answer.err
    found: dict[str, object] = json.loads(answer.out)
    return found


def keep(run: RunDir, **fields: object) -> None:
    known = {"part": "val", "images": 9, "coverage": 0.5, "accuracy": 1.0, "chosen_at": 1.0, **fields}
    write_decision(run.best_weights, Decision(**known))  # type: ignore[arg-type]


def test_the_rows_are_printed_then_one_is_chosen_shown_and_removed(mia: Mia, run: RunDir) -> None:
    rows = mia("runs", "threshold", run.path)
    assert rows.code == 0 and re.search(
        r"^threshold +answered +right +95 % interval$", rows.out, re.MULTILINE
    )
    assert "None is chosen" in rows.out and read_decision(run.best_weights) is None
    chosen = mia("runs", "threshold", run.path, "--coverage", 0.5)
    assert chosen.code == 0, chosen.err
    decision = read_decision(run.best_weights)
    assert decision is not None and decision.threshold > 0 and decision.part == "val"
    assert str(decision_file(run.best_weights)) in chosen.out and "Wilson, " in chosen.out
    assert re.search(
        r"^Threshold +0\.\d+.*: answers \d+\.\d% of \d+ images of val",
        mia("runs", "show", run.path).out,
        re.M,
    )
    assert "Chosen: threshold 0." in mia("runs", "threshold", run.path).out
    removed = mia("runs", "threshold", run.path, "--remove")
    assert removed.code == 0 and "every image is answered" in removed.out
    assert read_decision(run.best_weights) is None
    assert "There is no threshold" in mia("runs", "threshold", run.path, "--remove").out


def test_the_last_run_is_the_last_training(mia: Mia, discs: Path, run: RunDir) -> None:
    predict(mia, discs, run)
    answer = mia("runs", "threshold", "last", "--dataset", discs, "--coverage", 0.5)
    assert answer.code == 0, answer.err
    assert read_decision(run.best_weights) is not None


def test_images_that_were_trained_on_are_warned_of(mia: Mia, discs: Path, run: RunDir) -> None:
    answer = mia("evaluate", discs, "--run", run.path, "--split", "all", "--json")
    assert answer.code == 0, answer.err
    rows = mia("runs", "threshold", json.loads(answer.out)["path"])
    assert rows.code == 0 and "were trained on: of others fewer answers will be right" in rows.err
    assert "trained on" not in mia("runs", "threshold", run.path).err


def test_the_curve_and_the_choice_are_objects_with_json(mia: Mia, run: RunDir) -> None:
    curve = json.loads(mia("runs", "threshold", run.path, "--json").out)
    assert curve["part"] == "val" and curve["decision"] is None
    assert curve["rows"][0]["coverage"] == curve["curve"]["coverage"][0] == 1.0
    assert len(curve["curve"]["thresholds"]) == len(curve["curve"]["accuracy"])
    chosen = json.loads(
        mia("runs", "threshold", run.path, "--threshold", 0.0, "--temperature", 2, "--json").out
    )
    assert chosen["decision"]["temperature"] == 2 and chosen["decision"]["coverage"] == 1
    assert chosen["file"] == str(decision_file(run.best_weights))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--accuracy", 0.9, "--coverage", 0.9), "contradict each other"),
        (("--threshold", 0.5, "--remove"), "contradict each other"),
        (("--by-class",), "--by-class goes with"),
        (("--by-class", "--threshold", 0.5), "--by-class goes with"),
        (("--remove", "--temperature", 2), "so --temperature has no effect"),
        (("--remove", "--group-by", "x"), "so --group-by has no effect"),
        (("--accuracy", 1.5), "1.5"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    mia: Mia, run: RunDir, options: tuple[object, ...], why: str
) -> None:
    answer = mia("runs", "threshold", run.path, *options)
    assert answer.code == 2 and why in answer.err
    assert not decision_file(run.best_weights).exists()


def test_predictions_are_unsure_below_the_threshold_in_every_format(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    plain = predict(mia, discs, run, "--out", tmp_path / "plain.csv")
    assert plain["unsure"] == 0 and "unsure" not in read(tmp_path / "plain.csv")[0]
    least = middle(run)
    keep(run, threshold=least)
    for kind in ("csv", "jsonl", "parquet"):
        said = predict(mia, discs, run, "--out", tmp_path / f"p.{kind}")
        assert 0 < said["unsure"] < 36 and said["predicted"] == 36
        assert said["unsure"] + sum(said["classes"].values()) == 36  # type: ignore[attr-defined, operator]
    table, before = read(tmp_path / "p.csv"), read(tmp_path / "plain.csv")
    lines = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert list(table[0])[:5] == ["file", "frame", "class", "probability", "unsure"]
    for row, old, line in zip(table, before, lines, strict=True):
        assert {name: row[name] for name in old} == old
        assert line["unsure"] is (line["probability"] < least)
        assert row["unsure"] == ("true" if line["unsure"] else "false")
    assert pq.read_table(tmp_path / "p.parquet")["unsure"].to_pylist() == [line["unsure"] for line in lines]


def test_suggestions_say_which_are_unsure(mia: Mia, discs: Path, run: RunDir) -> None:
    keep(run, threshold=middle(run))
    said = predict(mia, discs, run)
    found = read_newest(suggestion_sets([find_state(discs)], discs))
    assert found is not None and found[1].unsure is not None
    assert found[1].unsure.sum() == said["unsure"] > 0
    shown = mia("runs", "show", "last", "--dataset", discs).out
    assert f"{said['unsure']} of them unsure" in shown and re.search(r"\(unsure\) +\d", shown)


def test_probabilities_are_at_the_temperature(mia: Mia, discs: Path, run: RunDir, tmp_path: Path) -> None:
    predict(mia, discs, run, "--out", tmp_path / "before.csv")
    keep(run, temperature=3.0)
    predict(mia, discs, run, "--out", tmp_path / "after.csv")
    for old, new in zip(read(tmp_path / "before.csv"), read(tmp_path / "after.csv"), strict=True):
        powers = np.array([float(old["p_blue"]), float(old["p_red"])]) ** (1 / 3)
        assert float(new["p_blue"]) == pytest.approx(powers[0] / powers.sum(), abs=1e-4)
        assert new["class"] == old["class"] and "unsure" not in new


def test_a_threshold_for_one_prediction_or_none(mia: Mia, discs: Path, run: RunDir, tmp_path: Path) -> None:
    keep(run, threshold=1.0)
    assert predict(mia, discs, run, "--out", tmp_path / "a.csv")["unsure"] == 36
    assert predict(mia, discs, run, "--out", tmp_path / "b.csv", "--threshold", 0.2)["unsure"] == 0
    assert predict(mia, discs, run, "--out", tmp_path / "c.csv", "--no-threshold")["unsure"] == 0
    assert "unsure" not in read(tmp_path / "c.csv")[0]
    both = mia("predict", discs, "--run", run.path, "--no-threshold", "--threshold", 0.5)
    assert both.code == 2 and "contradict each other" in both.err


def test_a_copy_of_both_files_predicts_as_the_network_does(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    keep(run, threshold=middle(run))
    copy = tmp_path / "given.safetensors"
    shutil.copy(run.best_weights, copy)
    without = predict(mia, discs, copy, "--out", tmp_path / "without.csv")
    shutil.copy(decision_file(run.best_weights), decision_file(copy))
    both = predict(mia, discs, copy, "--out", tmp_path / "both.csv")
    assert without["unsure"] == 0 and both["unsure"] == predict(mia, discs, run)["unsure"]


def test_a_threshold_that_was_chosen_for_other_weights_is_not_used_and_that_is_said(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    keep(run, threshold=1.0)
    file = decision_file(run.best_weights)
    record = json.loads(file.read_text())
    file.write_text(json.dumps({**record, "weights": "0" * 32}))
    answer = mia("predict", discs, "--run", run.path, "--out", tmp_path / "p.csv")
    assert answer.code == 0 and "was chosen for other weights and is not used" in answer.err
    assert "unsure" not in read(tmp_path / "p.csv")[0]
    assert "was chosen for earlier weights" in mia("runs", "show", run.path).err


def test_a_damaged_threshold_is_named_before_anything_is_predicted(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    keep(run, threshold=0.5)
    decision_file(run.best_weights).write_bytes(b"{")
    answer = mia("predict", discs, "--run", run.path, "--out", tmp_path / "p.csv")
    assert answer.code == 1 and "is damaged" in answer.err and not (tmp_path / "p.csv").exists()


def test_rows_of_another_threshold_or_temperature_are_not_continued(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mia_tui.engine.jobs import predict as job

    out = tmp_path / "p.csv"
    write = job.write_result

    def interrupted(*arguments: object, **more: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(job, "write_result", interrupted)
    first = mia("predict", discs, "--run", run.path, "--out", out)
    assert first.code == 130
    monkeypatch.setattr(job, "write_result", write)
    keep(run, temperature=2.0)
    second = mia("predict", discs, "--run", run.path, "--out", out)
    assert second.code == 0 and "already predicted" not in second.out + second.err
    assert mia("runs", "list", discs).out.count("predict-") == 2


def test_doing_a_prediction_again_takes_the_threshold_of_today_unless_it_had_its_own(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    from mia_tui.runs.actions.starting import _with_network_of_today
    from mia_tui.runs.prediction.create import prediction_config

    own, given = prediction_config(run.best_weights), prediction_config(run.best_weights, threshold=0.25)
    keep(run, threshold=0.75)
    again = _with_network_of_today(own)
    assert again.rule.threshold == 0.75  # type: ignore[attr-defined]
    assert _with_network_of_today(given).rule.threshold == 0.25  # type: ignore[attr-defined]


def test_parts_of_predictions_with_different_thresholds_are_not_joined(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    out = tmp_path / "p.csv"
    keep(run, threshold=0.9)
    predict(mia, discs, run, "--out", out, "--shard", "1/2", "--batch-size", 8)
    predict(mia, discs, run, "--out", out, "--shard", "2/2", "--batch-size", 8, "--threshold", 0.5)
    refused = mia("predict", "--join", out)
    assert refused.code == 3 and "parts of different predictions" in refused.err
    predict(mia, discs, run, "--out", out, "--shard", "2/2", "--batch-size", 8)
    joined = mia("predict", "--join", out)
    assert joined.code == 0, joined.err
    whole = tmp_path / "whole.csv"
    predict(mia, discs, run, "--out", whole, "--batch-size", 8)
    assert out.read_bytes() == whole.read_bytes()
