"""`mia-tui export`: a run leaves as a folder, which predicts and trains elsewhere."""

import json
from pathlib import Path

import pytest
from cli_support import Mia
from training_commands import assert_refused, runs_of, train

from mia_tui.files import read
from mia_tui.runs.record.events import Phase
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventReader

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")


@pytest.fixture
def run(mia: Mia, discs: Path) -> RunDir:
    answer = train(mia, discs, "--lr", 0.003)
    assert answer.code == 0, answer.err
    return runs_of(discs)[0]


def test_a_run_leaves_as_onnx_with_a_card_that_has_its_figures(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    out = tmp_path / "for-others"
    answer = mia("export", run.path, "--format", "onnx", "--out", out, "--threads", 1, "--json")
    assert answer.code == 0, answer.err
    record = json.loads(answer.out)
    assert record["dtype"] == "uint8" and record["channels"] == 3
    assert record["same_class"] == record["compared"] > 0
    assert record["largest_difference"] < 1e-3
    assert sorted(record["files"]) == ["README.md", "model.onnx"]
    assert "the largest difference of a probability is" in answer.err
    card = (out / "README.md").read_text("utf-8")
    assert f"Images: {sum(s.split == 'train' for s in run.samples())} in train" in card
    assert 'split: "val"' in card and "type: matthews_correlation" in card
    assert "of the part val, which also chose the epoch, so that figures may be somewhat too good:" in card
    assert str(discs) not in card and discs.name in card


def test_an_exported_folder_predicts_other_images_and_begins_a_training(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = mia("export", run.name, "--dataset", discs, "--format", "timm")
    assert answer.code == 0, answer.err
    folder = tmp_path / f"{run.name}-timm"
    assert read(folder / "model.safetensors") == read(run.best_weights)
    for network, out in ((folder, "a.csv"), (run.path, "b.csv")):
        answer = mia("predict", discs, "--run", network, "--out", tmp_path / out, "--precision", "fp32")
        assert answer.code == 0, answer.err
    first, second = ((tmp_path / name).read_text("utf-8") for name in ("a.csv", "b.csv"))
    assert [line.split(",")[:3] for line in first.splitlines()] == [
        line.split(",")[:3] for line in second.splitlines()
    ]
    answer = train(mia, discs, "--weights", folder)
    assert answer.code == 0, answer.err
    phases = [
        event.message
        for event in EventReader(runs_of(discs)[-1].events).read_new()
        if isinstance(event, Phase)
    ]
    assert any(message.startswith("keeping what the network knows of ") for message in phases)


def test_impossible_wishes_are_refused_in_a_sentence(mia: Mia, run: RunDir, tmp_path: Path) -> None:
    export = ("export", run.path, "--out", tmp_path / "out", "--format")
    assert_refused(mia(*export, "torch", "--quantize", "int8"), 2, "--quantize is for ONNX")
    assert_refused(mia(*export, "timm", "--dtype", "uint8"), 2, "--dtype")
    assert_refused(mia(*export, "timm", "--dataset", tmp_path / "nowhere"), 3, "nowhere")
    assert_refused(mia(*export, "keras"), 2, "keras")
    assert_refused(mia("export", tmp_path / "x.safetensors", "--format", "timm"), 2, "x.safetensors")
    assert not (tmp_path / "out").exists()


def test_an_onnx_folder_is_no_network_to_predict_with(mia: Mia, discs: Path, tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").write_bytes(b"")
    answer = mia("predict", discs, "--run", tmp_path / "onnx", "--out", tmp_path / "a.csv")
    assert_refused(answer, 2, "model.onnx is for other programs", "--format timm")
