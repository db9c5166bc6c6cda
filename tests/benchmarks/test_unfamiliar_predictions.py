"""Whether scores of a trained network tell images of a class it never saw from others, and what they cost.

    MIA_BLOOD_CELLS=FOLDER pytest -m benchmark tests/benchmarks/test_unfamiliar_predictions.py -s

Prints, asserts none. FOLDER is as for test_blood_cells.py; without it, the demo set. For each class, a network is
trained on the images of the others. Takes a quarter of an hour on two cores.
"""

import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mia_tui.dataset.demo import render_demo
from mia_tui.engine.inference.familiar import familiar_features
from mia_tui.engine.inference.head_input import WithHeadInput
from mia_tui.engine.network.backbones import build_model

pytestmark = pytest.mark.benchmark

NETWORKS = (
    ("resnet18", "--size", "48", "--epochs", "8"),
    ("efficientnetlite0", "--weights", "imagenet", "--size", "64", "--epochs", "5"),
)
ROUNDS = 15

Reals = NDArray[np.float64]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[Path, str], dict[Path, str]]:
    """The class of each image to train on, and of those to predict."""
    named = os.environ.get("MIA_BLOOD_CELLS")
    if named is not None:
        return read_part(Path(named) / "train"), read_part(Path(named) / "test")
    folder = tmp_path_factory.mktemp("demo")
    images = [(folder / path, name) for path, name in sorted(render_demo(folder, count=800, size_px=64))]
    return dict(images[::2]), dict(images[1::2])


def read_part(folder: Path) -> dict[Path, str]:
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as file:
        return {folder / row["file"]: row["class"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network[0])
def test_a_class_that_was_not_trained_on(
    network: tuple[str, ...], labelled: tuple[dict[Path, str], dict[Path, str]], tmp_path: Path
) -> None:
    known, others = labelled
    print(
        f"\n{network[0]}: area under the ROC curve, images of a class that was not trained on against others"
    )
    for stranger in sorted(set(known.values())):
        folder = tmp_path / stranger
        copy({path: name for path, name in known.items() if name != stranger}, folder / "train")
        copy(others, folder / "test")
        state, out = folder / "state", folder / "p.jsonl"
        mia("train", folder / "train", "--state", state, "--backbone", *network, "--threads", "1")
        [run] = (state / "runs").iterdir()
        mia("predict", folder / "test", "--state", state, "--run", run, "--out", out, "--threads", "1")
        rows = [json.loads(line) for line in out.read_text().splitlines()]
        strange = np.array([row["file"].startswith(f"{stranger}/") for row in rows])
        scores = np.array([row["unfamiliar"] for row in rows])
        unsure = -np.array([row["probability"] for row in rows])
        print(
            f"{stranger:14} unfamiliar {area(scores, strange):.3f}   highest probability {area(unsure, strange):.3f}"
            f"   beyond the limit: {np.mean(scores[strange] > 1):.0%} of them, {np.mean(scores[~strange] > 1):.0%} "
            "of the others"
        )


def area(scores: Reals, strange: NDArray[np.bool_]) -> float:
    """Area under the ROC curve."""
    above = scores[strange][:, None] - scores[~strange][None]
    return float((above > 0).mean() + (above == 0).mean() / 2)


def copy(images: dict[Path, str], folder: Path) -> None:
    """Copy images into folders of their classes."""
    for path, name in images.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / name)


def mia(*arguments: object) -> None:
    command = [sys.executable, "-m", "mia_tui", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("name", "side"), [("resnet18", 96), ("resnet18", 224), ("efficientnetlite0", 96)])
def test_what_scores_cost(name: str, side: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, images = build_model(name, num_classes=3).eval(), torch.rand(64, 3, side, side)
    with torch.inference_mode():
        both = WithHeadInput(model)
        features = torch.cat([both(images + torch.rand(())) for _ in range(4)])[:, 3:]
        both.close()
        classes = torch.arange(256) % 3
        begun = time.process_time()
        familiar = familiar_features(features, classes, torch.arange(256))
        learned = time.process_time() - begun
        assert familiar is not None

        def scored() -> None:
            both = WithHeadInput(model)
            familiar.scores(both(images)[:, 3:])
            both.close()

        plain, with_scores = seconds_of(lambda: model(images), scored)
    print(
        f"\n{name}, {side} pixels, 64 images, CPU seconds: {plain:.4f} plain, {with_scores:.4f} with scores "
        f"({with_scores / plain - 1:+.2%}); learning from 256 images, once a checkpoint: {learned:.3f} s"
    )


def seconds_of(*works: Callable[[], object]) -> list[float]:
    """CPU seconds of each, the median of some rounds, in turn."""
    taken: list[list[float]] = [[] for _ in works]
    for _ in range(ROUNDS):
        for work, times in zip(works, taken, strict=True):
            begun = time.process_time()
            work()
            times.append(time.process_time() - begun)
    return [statistics.median(times) for times in taken]
