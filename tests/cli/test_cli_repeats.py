"""`mia-tui train --repeats`, and several networks that answer together."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from cli_support import Mia
from disc_support import draw_disc
from training_commands import assert_refused, runs_of, train

from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.list.repeats import spread, spread_words
from mia_tui.runs.record.decision import Decision, calibrated, write_decision

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")


def table(path: Path) -> tuple[list[str], np.ndarray]:
    """Names of the networks, and the probabilities of the images."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = [name for name in rows[0] if name.startswith("p_")]
    return [row["run"] for row in rows], np.array([[float(row[name]) for name in columns] for row in rows])


def predicted(mia: Mia, images: Path, out: Path, *words: object) -> tuple[list[str], np.ndarray]:
    answer = mia("predict", images, *words, "--out", out, "--precision", "fp32")
    assert answer.code == 0, answer.err
    return table(out)


def test_repeated_trainings_are_a_group_that_predicts_together(mia: Mia, discs: Path, tmp_path: Path) -> None:
    answer = train(mia, discs, "--repeats", 2, "--seed", 5, "--json")
    assert answer.code == 0, answer.err
    first, second = runs_of(discs)
    assert [run.train_job().config.seed for run in (first, second)] == [5, 6]
    assert first.samples() == second.samples()
    repeat = first.job().repeat
    assert repeat is not None
    assert [run.name for run in (first, second)] == [f"{repeat.group}-1", f"{repeat.group}-2"]
    said = [json.loads(line) for line in answer.out.splitlines()][-1]
    assert (said["type"], said["group"], said["finished"]) == ("repeats", repeat.group, 2)
    figures = [each["figures"]["accuracy"] for each in said["runs"]]
    assert said["figures"]["accuracy"]["mean"] == pytest.approx(np.mean(figures))

    shown = mia("runs", "show", repeat.group, "--dataset", discs)
    assert "mean" in shown.out
    assert f"{repeat.group}, 2 of 2 runs finished" in mia("runs", "list", discs).out

    alone = [
        predicted(mia, discs, tmp_path / f"{run.name}.csv", "--run", run.path)[1] for run in (first, second)
    ]
    names, together = predicted(mia, discs, tmp_path / "all.csv", "--run", repeat.group)
    assert set(names) == {f"{first.name} + {second.name}"}
    np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=2e-6)

    deleted = mia("runs", "delete", repeat.group, "--dataset", discs, "--yes")
    assert deleted.code == 0, deleted.err
    assert runs_of(discs) == []


def test_networks_of_other_sizes_and_temperatures_answer_together(
    mia: Mia, discs: Path, tmp_path: Path
) -> None:
    assert train(mia, discs).code == 0
    assert train(mia, discs, "--size", 40, "--seed", 1).code == 0
    runs = runs_of(discs)
    names = [f"--run={run.path}" for run in runs]
    alone = [predicted(mia, discs, tmp_path / f"{run.name}.csv", f"--run={run.path}")[1] for run in runs]
    soft = Decision(
        temperature=3.0, threshold=0.9, part="val", images=9, coverage=1.0, accuracy=1.0, chosen_at=0.0
    )
    write_decision(runs[0].best_weights, soft)
    _, together = predicted(mia, discs, tmp_path / "all.csv", *names)
    wanted = (calibrated(alone[0], 3.0) + alone[1]) / 2
    np.testing.assert_allclose(together, wanted, atol=1e-5)
    assert (
        "unsure" not in (tmp_path / "all.csv").read_text().splitlines()[0]
    )  # no threshold is that of the mean

    answer = mia("evaluate", discs, *names, "--json")
    assert answer.code == 0, answer.err
    assert f"he networks {runs[0].name} + {runs[1].name}" in answer.err
    evaluation = [run for run in list_runs(StateFolder(runs[0].path.parent.parent)) if "evaluate" in run.name]
    assert [member.network for member in evaluation[0].evaluate_job().config.ensemble] == [
        run.name for run in runs
    ]
    refused = mia("runs", "threshold", evaluation[0].path, "--coverage", "0.9")
    assert_refused(refused, 1, "2 networks that answer together")


def test_networks_that_cannot_answer_together_are_refused(mia: Mia, discs: Path, tmp_path: Path) -> None:
    assert train(mia, discs).code == 0
    run = runs_of(discs)[0]
    twice = mia("predict", discs, "--run", run.path, "--run", run.path, "--out", tmp_path / "p.csv")
    assert_refused(twice, 2, "is named twice")
    other = tmp_path / "others"
    for name in ("red", "green"):
        for number in range(8):
            draw_disc(other / name, f"{number}.png", size_px=40, red=name == "red", seed=number)
    assert train(mia, other).code == 0
    second = runs_of(other)[0]
    answer = mia("predict", discs, "--run", run.path, "--run", second.path, "--out", tmp_path / "p.csv")
    assert_refused(answer, 2, "do not have the same classes")


def test_a_group_that_was_stopped_is_resumed_by_its_name(mia: Mia, discs: Path) -> None:
    assert train(mia, discs, "--repeats", 2).code == 0
    first, second = runs_of(discs)
    for path in (second.events, second.worker_json):  # as if it had never begun
        path.unlink(missing_ok=True)
    for path in (second.last_checkpoint, second.best_weights):
        path.unlink(missing_ok=True)
    repeat = first.job().repeat
    assert repeat is not None
    answer = mia("train", discs, "--resume", repeat.group)
    assert answer.code == 0, answer.err
    assert second.best_weights.exists()
    assert "2 of them finished" in answer.out
    assert_refused(mia("train", discs, "--resume", repeat.group), 2, "is finished")


def test_the_interval_of_a_mean_is_that_of_student() -> None:
    found = spread([0.9, 0.92, 0.97], most=1.0)
    assert found.mean == pytest.approx(0.93)
    assert found.sd == pytest.approx(0.036056, abs=1e-6)
    assert found.low == pytest.approx(0.84043, abs=1e-4)
    assert found.high == 1.0
    assert spread_words(found) == "mean 0.9300, sd 0.0361, 95 % interval of the mean 0.8404 to 1.0000"
    assert spread([0.5]).sd is None
