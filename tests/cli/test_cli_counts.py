"""`mia-tui counts`: classes per group."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from cli_support import Mia
from PIL import Image

WELLS = r"(plate\d+)/(well[A-H]\d+)"


@pytest.fixture
def cells(tmp_path: Path, mia: Mia) -> Path:
    """24 wells of 8 cells, half of them labelled; well C1 has another composition."""
    root, rng, rows = tmp_path / "cells", np.random.default_rng(0), ["file,class"]
    for well in range(24):
        name = f"plate{well // 12 + 1}/well{'ABC'[well % 12 // 4]}{well % 4 + 1}"
        for cell in range(8):
            path = root / f"{name}_{cell}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), well * 8 + cell).save(path)
            if cell % 2:
                rows.append(f"{path.relative_to(root)},{rng.choice(['round', '=flat'], p=[0.7, 0.3])}")
    labels = tmp_path / "labels.csv"
    labels.write_text("\n".join(rows) + "\n")
    assert mia("labels", "import", root, labels).code == 0
    return root


def predict(mia: Mia, cells: Path) -> None:
    rows = ["file,class,probability"]
    rows += [
        f"{path.relative_to(cells)},{'round' if place % 3 else '=flat'},0.9"
        for place, path in enumerate(sorted(cells.rglob("*.png")))
    ]
    file = cells.parent / "predicted.csv"
    file.write_text("\n".join(rows) + "\n")
    assert mia("labels", "import", cells, file, "--as", "suggestions").code == 0


def test_wells_are_counted_and_written_in_long_form(mia: Mia, cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "counts.csv"
    answer = mia("counts", cells, "--by", WELLS, "--csv", out)
    assert answer.code == 0, answer.err
    assert "192 images in 24 groups by" in answer.out and "bootstrap over 24 groups" in answer.out
    assert "48 rows in" in answer.out
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48 and {row["plate"] for row in rows} == {"plate1", "plate2"}
    assert {row["class"] for row in rows} == {"round", "%3Dflat"}
    assert sum(int(row["labels"]) for row in rows) == 96
    again = mia("counts", cells, "--by", WELLS, "--csv", out)
    assert again.code != 0 and "already exists" in again.err
    assert mia("counts", cells, "--by", WELLS, "--csv", out, "--overwrite").code == 0


def test_predictions_are_counted_beside_labels(mia: Mia, cells: Path) -> None:
    predict(mia, cells)
    answer = mia("counts", cells, "--by", WELLS, "--json")
    *rows, said = [json.loads(line) for line in answer.out.splitlines()]
    assert said["predictions"] == 192 and said["labels"] == 96 and said["counted"] == "predictions"
    assert len(rows) == 48 and {"plate", "well"} == set(rows[0]["group"])
    share = sum(row["predictions"] for row in rows if row["class"] == "=flat") / 192
    assert said["overall"][0]["fraction"] == pytest.approx(share, abs=1e-6)
    assert said["overall"][0]["low"] < share < said["overall"][0]["high"]
    labels = mia("counts", cells, "--by", WELLS, "--json", "--use", "labels")
    assert json.loads(labels.out.splitlines()[-1])["counted"] == "labels"


def test_predictions_without_labels_are_enough(mia: Mia, tmp_path: Path) -> None:
    for place in range(6):
        (tmp_path / "cells" / "x").mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), place).save(tmp_path / "cells" / "x" / f"{place}.png")
    root = tmp_path / "cells"
    nothing = mia("counts", root)
    assert nothing.code != 0 and "nothing to count" in nothing.err
    predict(mia, root)
    answer = mia("counts", root)
    assert answer.code == 0 and "6 images in 1 group by folder: 0 labelled, 6 predicted" in answer.out


def test_counts_go_to_stdout_for_a_pipe(mia: Mia, cells: Path) -> None:
    answer = mia("counts", cells, "--by", "plate[12]", "--csv", "-")
    lines = answer.out.splitlines()
    assert lines[0].startswith("group,class,images,labels") and len(lines) == 5


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--by", "("], "not a regular expression"),
        (["--by", "nothing"], "matches none of the images"),
        (["--correct"], "there are none of these images"),
        (["--confusions", "last"], "Give --correct"),
        (["--correct", "--use", "labels"], "labels are not confused"),
        (["--use", "predictions"], "There are no predictions"),
        (["--by", WELLS, "--against", "plate9"], "is the name of no group"),
        (["--csv", "-", "--json"], "both write to stdout"),
        (["--overwrite"], "--overwrite is for the file of --csv"),
        (["--csv", "-", "--overwrite"], "--overwrite is for the file of --csv"),
        (["--csv", "no-folder/counts.csv"], "does not exist"),
        (["--run", "nothing"], "nothing"),
    ],
)
def test_what_cannot_be_counted_is_said_in_a_sentence(
    mia: Mia, cells: Path, options: list[str], says: str
) -> None:
    answer = mia("counts", cells, *options)
    assert answer.code != 0 and says in answer.err and "bug" not in answer.err


def test_an_imported_prediction_has_no_known_confusions(mia: Mia, cells: Path) -> None:
    predict(mia, cells)
    answer = mia("counts", cells, "--correct")
    assert answer.code != 0 and "No evaluation of" in answer.err and "mia-tui evaluate" in answer.err
