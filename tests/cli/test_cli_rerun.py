"""`mia-tui train --rerun`: a training is repeated elsewhere, and what differs is said."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from cli_support import Mia
from PIL import Image
from training_commands import assert_refused, train

from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.record.fingerprint import data_fingerprint
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import read_card, tensors_digest
from mia_tui.runs.rerun.outcome import rerun_outcome


def beside(dataset: Path) -> list[RunDir]:
    return list_runs(StateFolder(dataset.with_name(f"{dataset.name}.mia")))


@pytest.fixture
def trained(mia: Mia, discs: Path, tmp_path: Path) -> RunDir:
    """A run whose folder was copied to another place, without its dataset's state."""
    answer = train(mia, discs)
    assert answer.code == 0, answer.err
    [run] = beside(discs)
    away = tmp_path / "copied" / run.name
    shutil.copytree(run.path, away)
    return RunDir(away)


def test_a_run_is_repeated_elsewhere_with_the_same_weights_to_the_bit(
    mia: Mia, discs: Path, trained: RunDir, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(discs, elsewhere)
    shown = mia("runs", "show", trained.path).out
    fingerprint = data_fingerprint(trained)
    assert fingerprint is not None and f"fingerprint {fingerprint.digest} of" in shown
    assert read_card(trained.best_weights).fingerprint == fingerprint.digest

    answer = mia("train", elsewhere, "--rerun", trained.path, "--json")
    assert answer.code == 0, answer.err
    assert "are as they were: the same data fingerprint." in answer.err
    [again] = beside(elsewhere)
    assert again.samples() == trained.samples()
    before, now = trained.train_job(), again.train_job()
    assert now.config == before.config and now.threads == before.threads and now.classes == before.classes
    assert tensors_digest(again.best_weights) == tensors_digest(trained.best_weights)
    said = json.loads(next(line for line in answer.out.splitlines() if '"rerun"' in line))
    assert said["weights_equal"] is True and said["data_equal"] is True and said["machine"] == []
    assert said["differs_from_epoch"] is None
    text = mia("runs", "show", again.path).out
    assert f"The weights are those of {trained.name} to the bit" in " ".join(text.split())


def test_images_that_differ_are_named_before_and_weights_that_differ_afterwards(
    mia: Mia, discs: Path, trained: RunDir
) -> None:
    samples = [sample for sample in trained.samples() if sample.split == "train"]
    changed, gone = discs / samples[0].path, discs / samples[1].path
    Image.new("RGB", (40, 40), (9, 200, 30)).save(changed)
    gone.unlink()
    answer = mia("train", discs, "--rerun", trained.path)
    assert answer.code == 0, answer.err
    said = " ".join(answer.err.split())
    assert f"1 file is missing: {samples[1].path}." in said
    assert f"1 file has another size: {samples[0].path}." in said
    again = beside(discs)[-1]
    outcome = rerun_outcome(again)
    assert outcome is not None and outcome.weights_equal is False and outcome.data_equal is False
    out = " ".join(answer.out.split())
    assert f"The weights are not those of {trained.name} to the bit; figures differ from epoch 1 on" in out
    assert "What differs: other images." in out


def test_another_version_or_processor_is_said_before_and_after(
    mia: Mia, discs: Path, trained: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = trained.events.read_text().splitlines()
    first = json.loads(lines[0])
    place = next(number for number, line in enumerate(lines) if '"run_started"' in line)
    first = json.loads(lines[place])
    first["versions"]["torch"], first["cpu"] = "2.11.0", "AMD EPYC 7H12"
    lines[place] = json.dumps(first)
    trained.events.write_text("\n".join(lines) + "\n")
    answer = mia("train", discs, "--rerun", trained.path, "--threads", "2")
    said = " ".join(answer.err.split())
    assert "Weights may differ in their last bits, since this machine has torch" in said
    assert "instead of 2.11.0" in said and "instead of AMD EPYC 7H12" in said
    assert "threads: 2 instead of 1" in said
    outcome = rerun_outcome(beside(discs)[-1])
    assert outcome is not None and any("instead of 2.11.0" in each for each in outcome.machine)


def test_a_run_of_an_earlier_version_says_that_its_images_are_not_known(
    mia: Mia, discs: Path, trained: RunDir
) -> None:
    trained.fingerprint.unlink()
    assert "no fingerprint: an earlier version trained it" in mia("runs", "show", trained.path).out
    answer = mia("train", discs, "--rerun", trained.path)
    assert answer.code == 0 and "took no fingerprint of its images" in " ".join(answer.err.split())


def test_weights_that_are_not_there_are_said_and_figures_compared(
    mia: Mia, discs: Path, trained: RunDir
) -> None:
    trained.best_weights.unlink()
    answer = mia("train", discs, "--rerun", trained.path)
    out = " ".join(answer.out.split())
    assert answer.code == 0
    assert f"Whether the weights are those of {trained.name} is not known: it has no weights" in out


def test_what_cannot_be_repeated_is_refused(mia: Mia, discs: Path, trained: RunDir, tmp_path: Path) -> None:
    assert_refused(
        mia("train", discs, "--rerun", trained.path, "--epochs", 5), 2, "--epochs", "keeps the settings"
    )
    assert_refused(mia("train", "--rerun", trained.path, "--resume", "last"), 2, "Leave one of them out")
    assert_refused(mia("train", "--rerun", trained.path, "--show-config"), 2, "keeps its settings")
    (tmp_path / "empty").mkdir()
    assert_refused(mia("train", tmp_path / "empty", "--rerun", trained.path), 3, "holds none of the images")
    assert_refused(mia("train", tmp_path / "nowhere", "--rerun", trained.path), 3, "nowhere")
    job = json.loads((trained.path / "job.json").read_text())
    job["config"]["weights"] = "/gone/best.safetensors"
    (trained.path / "job.json").write_bytes(msgspec.json.encode(job))
    assert_refused(mia("train", discs, "--rerun", trained.path), 2, "/gone/best.safetensors", "not here")
