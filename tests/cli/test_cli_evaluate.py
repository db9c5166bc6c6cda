"""`mia-tui evaluate`: which images are evaluated, and the figures of them."""

import json
import shutil
from pathlib import Path

import pytest
import tifffile
from cli_support import Mia
from disc_support import draw_disc
from PIL import Image
from training_commands import assert_refused, runs_of, train

from mia_tui.runs.record.layout import RunDir

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")


@pytest.fixture
def run(mia: Mia, discs: Path) -> RunDir:
    answer = train(mia, discs, "--lr", 0.003, "--test-fraction", 0.2)
    assert answer.code == 0, answer.err
    return runs_of(discs)[0]


def evaluate(mia: Mia, dataset: Path, run: RunDir | Path, *more: object) -> dict:
    answer = mia(
        "evaluate", dataset, "--run", getattr(run, "path", run), "--json", "--precision", "fp32", *more
    )
    assert answer.code == 0, answer.err
    record = json.loads(answer.out)
    record["said"] = answer.err
    return record


def count(run: RunDir, part: str) -> int:
    return sum(sample.split == part for sample in run.samples())


def test_the_answer_as_json_has_the_agreed_fields(mia: Mia, discs: Path, run: RunDir) -> None:
    record = evaluate(mia, discs, run)
    record.pop("said")
    assert list(record) == [
        "run",
        "path",
        "network",
        "split",
        "tta",
        "samples",
        "trained_on",
        "accuracy",
        "balanced_accuracy",
        "macro_precision",
        "macro_recall",
        "macro_f1",
        "weighted_f1",
        "mcc",
        "classes",
        "per_class",
        "confusion",
        "epoch",
        "dataset",
        "groups",
        "group_by",
        "intervals",
        "roc_area",
        "average_precision",
        "calibration",
        "top_losses",
    ]
    assert record["classes"] == ["blue", "red"]
    assert [list(row) for row in record["per_class"]] == [
        ["class", "support", "precision", "recall", "f1", "mcc", "roc_area", "average_precision", "intervals"]
    ] * 2


def test_the_figures_are_those_of_the_predictions(mia: Mia, discs: Path, run: RunDir, tmp_path: Path) -> None:
    from sklearn import metrics  # takes a second

    record = evaluate(mia, discs, run, "--split", "all")
    out = tmp_path / "p.jsonl"
    assert mia("predict", discs, "--run", run.path, "--out", out, "--precision", "fp32").code == 0
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    truth, predicted = [row["file"].split("/")[0] for row in rows], [row["class"] for row in rows]
    assert record["confusion"] == metrics.confusion_matrix(truth, predicted).tolist()
    assert record["accuracy"] == pytest.approx(metrics.accuracy_score(truth, predicted))
    assert record["macro_f1"] == pytest.approx(metrics.f1_score(truth, predicted, average="macro"))
    assert record["mcc"] == pytest.approx(metrics.matthews_corrcoef(truth, predicted))


def test_what_was_trained_on_is_not_evaluated_as_unseen(mia: Mia, discs: Path, run: RunDir) -> None:
    assert count(run, "test") and count(run, "val")
    by_default = evaluate(mia, discs, run)
    assert (by_default["split"], by_default["samples"]) == ("test", count(run, "test"))
    validation = evaluate(mia, discs, run, "--split", "val")
    assert (validation["split"], validation["samples"]) == ("val", count(run, "val"))
    assert by_default["trained_on"] == validation["trained_on"] == 0
    everything = evaluate(mia, discs, run, "--split", "all")
    assert (everything["samples"], everything["trained_on"]) == (36, count(run, "train"))
    assert f"{count(run, 'train')} of the 36 images were trained on" in everything["said"]


def test_a_later_split_does_not_make_what_was_trained_on_unseen(mia: Mia, discs: Path, run: RunDir) -> None:
    assert mia("labels", "split", discs, "--new", "--test-fraction", 0.6, "--split-seed", 7).code == 0
    assert evaluate(mia, discs, run, "--split", "test")["samples"] == count(run, "test")


def test_new_images_of_the_dataset_are_evaluated_as_unseen(mia: Mia, discs: Path, run: RunDir) -> None:
    draw_disc(discs / "red", "new.png", size_px=40, red=True, seed=999)
    record = evaluate(mia, discs, run)
    assert (record["samples"], record["trained_on"]) == (count(run, "test") + 1, 0)


def test_another_dataset_is_evaluated_whole_with_its_classes_matched_by_name(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    for index in range(4):
        draw_disc(other / "a-red-like", f"{index}.png", size_px=40, red=True, seed=200 + index)
        draw_disc(other / "red", f"{index}.png", size_px=40, red=True, seed=300 + index)
    draw_disc(other / "blue", "0.png", size_px=40, red=False, seed=400)
    record = evaluate(mia, other, run)
    assert (record["split"], record["samples"], record["classes"]) == ("all", 5, ["blue", "red"])
    assert [sum(row) for row in record["confusion"]] == [1, 4]
    assert "4 images of classes that the network does not know are left out: a-red-like" in record["said"]


def test_a_copy_of_the_dataset_elsewhere_is_found_by_the_newest_run(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(discs, tmp_path / "copy"))
    assert evaluate(mia, copy, Path("last"))["samples"] == 36


def test_a_part_without_images_is_reported(mia: Mia, discs: Path) -> None:
    assert train(mia, discs).code == 0
    answer = mia("evaluate", discs, "--run", "last", "--split", "test")
    assert_refused(answer, 3, "no labelled image in the part test", "--split val, test or all")


def test_for_people_there_are_tables(mia: Mia, discs: Path, run: RunDir) -> None:
    answer = mia("evaluate", discs, "--run", "best", "--tta")
    assert answer.code == 0
    shown = f"{count(run, 'test')} images of the part test (the mean over flips and turns of each)"
    assert shown in answer.out
    assert all(word in answer.out for word in ("macro F1", "MCC", "precision", "blue", "red"))
    listed = [json.loads(line) for line in mia("runs", "list", discs, "--json").out.splitlines()]
    assert [row["metric"] for row in listed if row["kind"] == "evaluate"] == ["macro_f1"]
    assert "\n36 images:\n" in mia("evaluate", discs, "--run", "best", "--split", "all").out


def test_the_run_of_another_dataset_is_named_with_dataset(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(discs / "red", other / "red")
    shutil.copytree(discs / "blue", other / "blue")
    answer = mia("evaluate", other, "--run", "best", "--dataset", discs, "--json", "--precision", "fp32")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["samples"] == 36


def test_a_class_that_is_predicted_without_having_images_is_reported(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    draw_disc(other / "red", "a.png", size_px=40, red=False, seed=1)
    draw_disc(other / "red", "b.png", size_px=40, red=True, seed=2)
    for index in range(30):  # all labelled red, half of them blue: some are taken for blue
        draw_disc(other / "red", f"c{index}.png", size_px=40, red=index % 2 == 0, seed=index)
    record = evaluate(mia, other, run, "--labels", "folders")
    predicted_blue = sum(row[0] for row in record["confusion"])
    assert ("No image is of class blue" in record["said"]) == (predicted_blue > 0)


def test_each_frame_that_cannot_be_read_is_counted(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    stack, red = tmp_path / "other" / "red" / "stack.tif", discs / "red" / "cell-1.png"
    (tmp_path / "other" / "blue").mkdir(parents=True)
    shutil.copy(discs / "blue" / "cell-1.png", tmp_path / "other" / "blue")
    stack.parent.mkdir()
    pages = [Image.open(red).convert("RGB") for _ in range(3)]
    pages[0].save(stack, save_all=True, append_images=pages[1:], compression="tiff_adobe_deflate")
    with tifffile.TiffFile(stack) as file:
        damaged = [page.dataoffsets[0] for page in file.pages[1:]]
    with stack.open("r+b") as file:
        for place in damaged:
            file.seek(place)
            file.write(bytes(64))
    record = evaluate(mia, tmp_path / "other", run, "--labels", "folders")
    assert record["samples"] == 2
    assert "2 images could not be read" in record["said"] and "stack.tif frame 2" in record["said"]


def test_a_run_without_weights_is_reported_with_the_one_that_has_some(
    mia: Mia, discs: Path, run: RunDir
) -> None:
    from mia_tui.runs.record.layout import RunDir as Folder

    newer = run.path.with_name("29990101-0000-later")
    newer.mkdir()
    shutil.copy(run.path / "job.json", newer)
    shutil.copy(run.path / "samples.jsonl", newer)
    assert Folder(newer).exists()
    answer = mia("evaluate", discs, "--run", newer)
    assert_refused(answer, 2, "has no weights", f"some is {run.name}.")


def test_one_folder_of_images_is_refused_before_the_network_is_loaded_and_evaluated_with_the_option_named(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mia_tui.runs.evaluation import create as module

    draw_disc(tmp_path / "only" / "red" / "deep", "a.png", size_px=40, red=True, seed=5)
    with monkeypatch.context() as patch:
        patch.setattr(module, "read_card", lambda *_: pytest.fail("an evaluation is made"))
        answer = mia("evaluate", tmp_path / "only", "--run", run.path)
    assert_refused(answer, 3, "has no labels", "--labels folders if the folders are classes anyway (red)")
    assert evaluate(mia, tmp_path / "only", run, "--labels", "folders")["samples"] == 1


def test_what_was_trained_on_is_known_again_under_another_name_and_in_a_renamed_dataset(
    mia: Mia, discs: Path
) -> None:
    mia("labels", "import", discs, "--format", "folders")
    assert train(mia, discs, "--test-fraction", 0.2).code == 0
    [run] = runs_of(discs)
    trained_on = count(run, "train")
    moved = next(sample.path for sample in run.samples() if sample.split == "train")
    (discs / moved).rename((discs / moved).with_name("renamed.png"))
    assert evaluate(mia, discs, run, "--split", "all")["trained_on"] == trained_on
    mia("labels", "split", discs)  # writes down that its label went along
    assert evaluate(mia, discs, run, "--split", "all")["trained_on"] == trained_on
    renamed = discs.rename(discs.with_name("renamed"))
    assert mia("labels", "adopt", renamed).code == 0
    [run] = runs_of(renamed)
    assert evaluate(mia, renamed, run, "--split", "all")["trained_on"] == trained_on
    (renamed.parent / "link").symlink_to(renamed)
    assert evaluate(mia, renamed.parent / "link", run, "--split", "all")["trained_on"] == trained_on
