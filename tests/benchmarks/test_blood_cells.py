"""Accuracy and time on real microscope images, against a plain training loop and against shuffled labels.

    MIA_BLOOD_CELLS=FOLDER pytest -m benchmark tests/benchmarks/test_blood_cells.py -s

FOLDER holds train/ and test/, each with images and a labels.csv (file,class). The README's figures are of single
cells cut out of the BCCD images (three classes; train and test from different slides). Takes 20 minutes on two cores.
"""

import csv
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from mia_tui.dataset.images.decode import decode_fitted

pytestmark = pytest.mark.benchmark

SIZE = 96
SEEDS = (0, 1, 2)
PLAIN_EPOCHS = 15


@pytest.fixture(scope="module")
def cells() -> Path:
    folder = os.environ.get("MIA_BLOOD_CELLS")
    if folder is None:
        pytest.fail("Set MIA_BLOOD_CELLS to a folder with train/ and test/, each with a labels.csv.")
    return Path(folder).resolve()


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


def import_labels(dataset: Path, file: Path, state: Path) -> None:
    mia("labels", "import", dataset, file, "--state", state)


def mia(*arguments: object) -> str:
    command = [sys.executable, "-m", "mia_tui", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_rows(folder: Path) -> list[tuple[str, str]]:
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        return [(row["file"], row["class"]) for row in csv.DictReader(file)]


def plain_loop(cells: Path, run: Path) -> tuple[float, float]:
    """The peer: a loop of a dozen lines on the training part of a run; macro F1 on test, and seconds."""
    from sklearn.metrics import f1_score  # takes a second

    used = [json.loads(line) for line in (run / "samples.jsonl").read_text().splitlines()]
    train = [(sample["path"], sample["class"]) for sample in used if sample["split"] == "train"]
    names = [item["name"] for item in json.loads((run / "job.json").read_text())["classes"]]
    test = [(file, names.index(name)) for file, name in read_rows(cells / "test")]
    begun = time.monotonic()
    images, targets = load(cells / "train", train)
    torch.manual_seed(0)
    model = timm.create_model("resnet18", num_classes=len(names)).to(memory_format=torch.channels_last)
    steps = PLAIN_EPOCHS * -(-len(images) // 32)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, steps)
    for _ in range(PLAIN_EPOCHS):
        for rows in torch.randperm(len(images)).split(32):
            batch = images[rows]
            batch = batch.flip(3) if torch.rand(()) < 0.5 else batch
            batch = batch.flip(2) if torch.rand(()) < 0.5 else batch
            with torch.autocast("cpu", torch.bfloat16):
                logits = model(batch)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(logits.float(), targets[rows]).backward()
            optimizer.step()
            schedule.step()
    seconds = time.monotonic() - begun
    images, targets = load(cells / "test", test)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        predicted = torch.cat([model.eval()(batch).argmax(1) for batch in images.split(64)])
    return float(f1_score(targets, predicted, average="macro")), seconds


def load(folder: Path, rows: Sequence[tuple[str, int]]) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = [
        decode_fitted(folder / file, 0, width=SIZE, height=SIZE, geometry="squash", resize="cubic")
        for file, _ in rows
    ]
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    return images.contiguous(memory_format=torch.channels_last), torch.tensor([index for _, index in rows])
