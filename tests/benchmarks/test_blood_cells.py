"""Accuracy and time on real microscope images, against a plain training loop and against shuffled labels.

    MIA_BLOOD_CELLS=FOLDER pytest -m benchmark tests/benchmarks/test_blood_cells.py -s

FOLDER holds train/ and test/, each with images and a labels.csv (file,class). The README's figures are of single
cells cut out of the BCCD images (three classes; train and test from different slides). Takes 20 minutes on two cores.
"""

import json
import random
import statistics
import time
from pathlib import Path

import pytest
from blood_cells_support import PLAIN_EPOCHS, SIZE, import_labels, mia, plain_loop, read_rows

pytestmark = pytest.mark.benchmark

SEEDS = (0, 1, 2)


def test_macro_f1_on_unseen_slides(cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Mean of three seeds, default split and settings."""
    import_labels(cells / "train", cells / "train" / "labels.csv", tmp_path / "state")
    import_labels(cells / "test", cells / "test" / "labels.csv", tmp_path / "test-state")
    scores, seconds = [], []
    for seed in SEEDS:
        f1, taken, run = train_and_evaluate(cells, tmp_path, "state", seed)
        scores.append(f1)
        seconds.append(taken)
    plain_f1, plain_seconds = plain_loop(cells, run)
    with capsys.disabled():
        print(
            f"\nmacro F1 on test: {', '.join(f'{f1:.4f}' for f1 in scores)}; mean {statistics.mean(scores):.4f}"
        )
        print(f"plain loop, {PLAIN_EPOCHS} epochs, same images: {plain_f1:.4f}")
        print(
            f"training: median {statistics.median(seconds):.0f} s; plain loop: {plain_seconds:.0f} s;",
            end=" ",
        )
        print(f"ratio {statistics.median(seconds) / plain_seconds:.2f}")


def test_shuffled_labels_give_chance(cells: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = read_rows(cells / "train")
    classes = [class_name for _, class_name in rows]
    random.Random(0).shuffle(classes)
    shuffled = tmp_path / "shuffled.csv"
    lines = [f"{file},{name}" for (file, _), name in zip(rows, classes, strict=True)]
    shuffled.write_text("\n".join(["file,class", *lines]))
    import_labels(cells / "train", shuffled, tmp_path / "state")
    import_labels(cells / "test", cells / "test" / "labels.csv", tmp_path / "test-state")
    f1, _, _ = train_and_evaluate(cells, tmp_path, "state", 0)
    with capsys.disabled():
        print(f"\nmacro F1 on test after shuffled labels: {f1:.4f} (chance is about 0.33 with three classes)")


def train_and_evaluate(cells: Path, folder: Path, state: str, seed: int) -> tuple[float, float, Path]:
    """Macro F1 on the test folder, seconds of training, and the run."""
    begun = time.monotonic()
    mia("train", cells / "train", "--state", folder / state, "--size", SIZE, "--seed", seed)
    taken = time.monotonic() - begun
    run = max((folder / state / "runs").iterdir(), key=lambda path: path.stat().st_ctime)
    answer = mia("evaluate", cells / "test", "--state", folder / "test-state", "--run", run, "--json")
    return json.loads(answer)["macro_f1"], taken, run
