"""`mia-tui labels stacks`, and what training, prediction and evaluation make of whole stacks."""

import csv
import json
from pathlib import Path

import pytest
from cli_support import Mia
from stack_support import labelled_stacks, make_stacks, page, tiff

from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.paths import StateFolder
from mia_tui.runs.list.find import list_runs
from mia_tui.runs.record.model_card import read_card

TRAIN = (
    *("--backbone", "timm:test_vit", "--size", "32x32", "--epochs", "1", "--threads", "1"),
    *("--batch-size", "4", "--device", "cpu", "--val-fraction", "0.3"),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_stacks(tmp_path / "cells")


def write_table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(["file,frame,class", *rows]))
    return path


def test_without_a_choice_each_frame_is_labelled_and_nothing_is_written(mia: Mia, root: Path) -> None:
    answer = mia("labels", "stacks", root)
    assert answer.out == "Each frame of a stack is an image to label (4 stacks with 11 frames).\n"
    assert not (root / "mia").exists()


def test_a_choice_is_kept_and_says_which_labels_are_not_used(mia: Mia, root: Path, tmp_path: Path) -> None:
    table = write_table(
        tmp_path / "a.csv", "stacks/hyper.tif,1,dark", "stacks/pages.tif,,light", "0.tif,,light"
    )
    answer = mia("labels", "import", root, table)
    assert answer.code == 0
    assert "1 row names a stack without a frame, so all its frames have the class" in answer.err
    answer = mia("labels", "stacks", root, "whole")
    assert "A stack is labelled as a whole" in answer.out
    assert "4 labels of single frames are kept and not used until you change this again." in answer.err
    assert mia("labels", "import", root, write_table(tmp_path / "b.csv", "stacks/hyper.tif,,dark")).code == 0
    out = tmp_path / "out.csv"
    assert mia("labels", "export", root, out).code == 0
    assert list(csv.reader(out.open()))[1:] == [
        ["0.tif", "0", "light"],
        ["stacks/hyper.tif", "", "dark"],
    ]
    answer = mia("labels", "stacks", root, "frames", "--json")
    assert json.loads(answer.out) == {"stacks": "frames", "files": 4, "unused": 1}
    assert "1 label of a whole stack is kept and not used" in answer.err
    assert mia("labels", "export", root, out, "--overwrite").code == 0
    assert len(list(csv.reader(out.open()))) == 1 + 5


def test_labels_of_an_earlier_version_are_counted_by_the_frames_of_today(mia: Mia, tmp_path: Path) -> None:
    root = labelled_stacks(tmp_path / "old")
    out = tmp_path / "out.csv"
    assert mia("labels", "export", root, out).code == 0
    of_frames = sum(row[0].startswith("stacks/") and "film" not in row[0] for row in csv.reader(out.open()))
    answer = mia("labels", "stacks", root, "whole")
    assert f"{of_frames} labels of single frames are kept and not used" in answer.err


def test_counts_of_a_dataset_of_whole_stacks_are_those_of_files(mia: Mia, root: Path, tmp_path: Path) -> None:
    rows = ["stacks/hyper.tif,,dark", "stacks/pages.tif,,light", "0.tif,,light", "1.tif,,dark"]
    mia("labels", "stacks", root, "whole")
    mia("labels", "import", root, write_table(tmp_path / "a.csv", *rows))
    answer = mia("labels", "stats", root, "--json")
    counts = json.loads(answer.out.splitlines()[0])
    assert (counts["images"], counts["labelled"], counts["unlabelled"]) == (13, 4, 9)


def test_a_training_on_whole_stacks_says_so_in_its_network_which_predicts_them_as_such(
    mia: Mia, root: Path, tmp_path: Path
) -> None:
    stacks = root / "more"
    stacks.mkdir()
    for number in range(6):
        level = 60 if number % 2 else 180
        (stacks / f"{number}.tif").write_bytes(tiff([page(70 + number, level), page(80 + number, level)]))
    mia("labels", "stacks", root, "whole")
    rows = [f"more/{n}.tif,,{'dark' if n % 2 else 'light'}" for n in range(6)]
    mia("labels", "import", root, write_table(tmp_path / "a.csv", *rows))
    answer = mia("train", root, "--stack", "mean", *TRAIN)
    assert answer.code == 0, answer.err
    [run] = list_runs(StateFolder(root / "mia"))
    assert {sample.frame for sample in run.samples()} == {WHOLE_STACK}
    card = read_card(run.best_weights)
    assert (card.stack, card.stacks) == ("mean", "whole")
    assert "are stacks as a whole (mean)" in mia("runs", "show", run.path).out

    out = tmp_path / "predicted.csv"
    other = tmp_path / "other"
    other.mkdir()
    (other / "new.tif").write_bytes((stacks / "0.tif").read_bytes())
    assert mia("predict", other, "--run", run.best_weights, "--out", out).code == 0
    assert [row[:2] for row in csv.reader(out.open())][1:] == [["new.tif", ""]]
    assert mia("predict", stacks / "0.tif", "--run", run.best_weights, "--out", out).code == 0
    assert [row[:2] for row in csv.reader(out.open())][1:] == [["0.tif", ""]]
    assert mia("evaluate", root, "--run", run.path, "--split", "all").code == 0

    mia("labels", "stacks", other, "frames")  # a choice for these images comes before the network's
    assert mia("predict", other, "--run", run.best_weights, "--out", out).code == 0
    assert [row[:2] for row in csv.reader(out.open())][1:] == [["new.tif", "0"], ["new.tif", "1"]]


def test_labels_of_an_earlier_version_are_exported_by_the_frames_of_today(mia: Mia, tmp_path: Path) -> None:
    root = labelled_stacks(tmp_path / "cells")
    database = (root / "mia/labels.db").read_bytes()
    out = tmp_path / "labels.csv"
    answer = mia("labels", "export", root, out, "--frames", "all")
    assert [row for row in csv.reader(out.open()) if row[0] == "stacks/hyper.tif"] == [
        ["stacks/hyper.tif", "0", "dark"],
        ["stacks/hyper.tif", "1", "dark"],
        ["stacks/hyper.tif", "2", "light"],
    ]
    assert "2 images have channels with different labels; of each, the first counts" in answer.err
    assert (root / "mia/labels.db").read_bytes() == database


def test_a_training_on_labels_of_an_earlier_version_renumbers_them_and_says_so(
    mia: Mia, tmp_path: Path
) -> None:
    root = labelled_stacks(tmp_path / "cells")
    answer = mia("train", root, "--frames", "all", *TRAIN)
    assert answer.code == 0, answer.err
    assert "Labels of 3 stacks got the numbers that frames have now; 4 channels joined" in answer.err
    run = max(list_runs(StateFolder(root / "mia")), key=lambda run: run.job().created_at)
    assert run.job().numbering == 2
    frames = [sample.frame for sample in run.samples() if sample.path == "stacks/times.ome.tif"]
    assert frames == [0, 1]


def test_a_table_of_pages_labels_the_images_that_they_are_part_of(
    mia: Mia, root: Path, tmp_path: Path
) -> None:
    rows = [
        "stacks/hyper.tif,0,dark",
        "stacks/hyper.tif,1,dark",
        "stacks/hyper.tif,4,dark",
        "stacks/hyper.tif,5,light",
    ]
    table = write_table(tmp_path / "a.csv", *rows, "stacks/times.ome.tif,4,light", "stacks/pages.tif,2,light")
    answer = mia("labels", "import", root, table, "--pages")
    assert answer.code == 0
    assert (
        "1 image has channels with different classes; the first counts: stacks/hyper.tif frame 2."
        in answer.err
    )
    out = tmp_path / "out.csv"
    assert mia("labels", "export", root, out).code == 0
    assert list(csv.reader(out.open()))[1:] == [
        ["stacks/hyper.tif", "0", "dark"],
        ["stacks/hyper.tif", "2", "dark"],
        ["stacks/pages.tif", "2", "light"],
        ["stacks/times.ome.tif", "1", "light"],
    ]


def test_a_table_with_single_frames_of_stacks_with_channels_is_doubted(
    mia: Mia, root: Path, tmp_path: Path
) -> None:
    table = write_table(tmp_path / "a.csv", "stacks/hyper.tif,1,dark", "stacks/pages.tif,1,light")
    answer = mia("labels", "import", root, table)
    assert "Frames of 1 stack with channels were taken as they are counted now" in answer.err
    assert "stacks/hyper.tif" in answer.err and "pass --pages" in answer.err
    table = write_table(tmp_path / "b.csv", "stacks/hyper.tif,,dark", "stacks/pages.tif,1,light")
    assert "--pages" not in mia("labels", "import", root, table).err
