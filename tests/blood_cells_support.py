"""Real microscope images for benchmarks, the program run on them, and a plain training loop beside it."""

import csv
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import timm
import torch

from mia_tui.dataset.images.decode import decode_fitted

SIZE = 96
PLAIN_EPOCHS = 15


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
