"""What `--recipe auto` gains over the default, and whether it is ever worse, on small datasets.

    [MIA_BLOOD_CELLS=FOLDER] pytest -m benchmark tests/benchmarks/test_auto_recipe.py -s

FOLDER is as for test_blood_cells.py; without it, the sets are those that are drawn here. MIA_SETS chooses some by
name ("digits;stripes"), MIA_SEEDS says how often each is done (3), each time with other images; MIA_SIZE (64),
MIA_BACKBONE (resnet18) and MIA_THREADS (2) say what is trained. A network by the default and one by the recipe learn
from the same images and are asked about the same others, which neither has seen. Takes hours on two cores; with
MIA_SIZE=32 and MIA_BACKBONE=timm:test_resnet about half an hour.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest
from sklearn.datasets import load_digits

from mia_tui.dataset.demo import render_demo

pytestmark = pytest.mark.benchmark

SIZE = os.environ.get("MIA_SIZE", "64")
BACKBONE = os.environ.get("MIA_BACKBONE", "resnet18")
THREADS = os.environ.get("MIA_THREADS", "2")
SEEDS = int(os.environ.get("MIA_SEEDS", "3"))
ASKED = 400
"""Images that the networks are asked about."""

Picture = tuple[Path, str, str]
"""File, class, and group: images of one group are not both learned from and asked about."""


@dataclass(frozen=True)
class SmallSet:
    """Pictures, and how many of them are labelled.

    Attributes:
        pictures: All of them.
        labelled: How many are learned from, validation included.
        wrong: Share of the labels that are wrong.
    """

    pictures: list[Picture]
    labelled: int
    wrong: float = 0.0


def drawn_cells(folder: Path) -> list[Picture]:
    return [
        (folder / name, label, name) for name, label in dict(render_demo(folder, count=600, seed=3)).items()
    ]


def digits(folder: Path) -> list[Picture]:
    folder.mkdir()
    known, found = load_digits(), []
    for number, (pixels, digit) in enumerate(zip(known.images, known.target, strict=True)):
        path = folder / f"digit_{number:04d}.png"
        Image.fromarray((pixels * 15.9).astype(np.uint8)).resize((32, 32)).save(path)
        found.append((path, str(digit), path.name))
    return found


def stripes(folder: Path) -> list[Picture]:
    """Noisy stripes, whose classes differ in direction and width; turning them makes no other class."""
    folder.mkdir()
    random, found = np.random.default_rng(7), []
    y, x = np.mgrid[:48, :48]
    for number in range(600):
        kind = number % 4
        angle, width = random.uniform(0, np.pi), (3.0, 4.0, 5.5, 7.5)[kind] * random.uniform(0.92, 1.08)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / width + random.uniform(0, 6))
        shown = 128 + 40 * wave[..., None] * random.uniform(0.5, 1, 3) + random.normal(0, 45, (48, 48, 3))
        path = folder / f"stripes_{number:03d}.png"
        Image.fromarray(np.clip(shown, 0, 255).astype(np.uint8)).save(path)
        found.append((path, "abcd"[kind], path.name))
    return found


def blood_cells(folder: Path) -> list[Picture]:
    root = Path(os.environ["MIA_BLOOD_CELLS"]).resolve() / "train"
    with (root / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [(root / row["file"], row["class"], row["file"].rsplit("_", 1)[0]) for row in rows]


MAKERS: dict[str, tuple[Callable[[Path], list[Picture]], int, float]] = {
    "demo, 80 labels": (drawn_cells, 80, 0.0),
    "demo, noise": (drawn_cells, 200, 0.15),
    "digits": (digits, 200, 0.0),
    "stripes": (stripes, 160, 0.0),
    "blood cells, 100": (blood_cells, 100, 0.0),
    "blood cells, 300": (blood_cells, 300, 0.0),
}


def small_sets(folder: Path) -> Iterator[tuple[str, SmallSet]]:
    has_cells = "MIA_BLOOD_CELLS" in os.environ
    names = [name for name in MAKERS if has_cells or not name.startswith("blood")]
    asked = os.environ.get("MIA_SETS", ";".join(names)).split(";")
    made: dict[object, list[Picture]] = {}
    for name in names:
        make, labelled, wrong = MAKERS[name]
        if name in asked:
            if make not in made:
                made[make] = make(folder / make.__name__)
            yield name, SmallSet(made[make], labelled, wrong)


def put(pictures: list[Picture], folder: Path, names: list[str]) -> None:
    for (path, _, _), name in zip(pictures, names, strict=True):
        (folder / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / name / path.name)


def draw(one: SmallSet, seed: int, folder: Path) -> tuple[Path, Path]:
    """Folders of images to learn from and to be asked about."""
    random = np.random.default_rng(seed)
    groups = sorted({group for _, _, group in one.pictures})
    order = {groups[place]: number for number, place in enumerate(random.permutation(len(groups)))}
    pictures = sorted(one.pictures, key=lambda picture: order[picture[2]])
    known, last = pictures[: one.labelled], pictures[one.labelled - 1][2]
    others = [picture for picture in pictures[one.labelled :] if picture[2] != last][:ASKED]
    classes = sorted({label for _, label, _ in one.pictures})
    labels = [label for _, label, _ in known]
    for place in np.flatnonzero(random.random(len(labels)) < one.wrong):
        labels[place] = str(random.choice([label for label in classes if label != labels[place]]))
    put(known, folder / "known", labels)
    put(others, folder / "asked", [label for _, label, _ in others])
    return folder / "known", folder / "asked"


def mia(*words: object) -> list[dict[str, object]]:
    command = [sys.executable, "-m", "mia_tui", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def wrong_images(known: Path, asked: Path, seed: int, recipe: str) -> tuple[set[str], float, str]:
    """Images that the network of a recipe gets wrong, seconds of the training, and what was chosen."""
    begun = time.monotonic()
    settings = (
        "--recipe",
        recipe,
        "--backbone",
        BACKBONE,
        "--size",
        SIZE,
        "--seed",
        seed,
        "--threads",
        THREADS,
    )
    mia("train", known, *settings)
    taken = time.monotonic() - begun
    run = mia("runs", "show", "last", "--dataset", known)[0]
    out = known.with_name(f"{recipe}.jsonl")
    mia("predict", asked, "--run", run["path"], "--out", out, "--precision", "fp32", "--no-threshold")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    trials = run["trials"]
    chosen = trials["choice"]["settings"] if isinstance(trials, dict) else {}
    words = ", ".join(f"{name} {value:g}" for name, value in chosen.items())
    return {row["file"] for row in rows if row["class"] != row["file"].split("/")[0]}, taken, words


def test_errors_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    removed, lines, worse = [], [], []
    for name, one in small_sets(tmp_path):
        counts = np.zeros(4, int)  # wrong by the default, by auto, by the default alone, by auto alone
        times = []
        for seed in range(SEEDS):
            folder = tmp_path / f"{name} {seed}"
            known, asked = draw(one, seed, folder)
            usual, usual_s, _ = wrong_images(known, asked, seed, "default")
            auto, auto_s, chosen = wrong_images(known, asked, seed, "auto")
            counts += [len(usual), len(auto), len(usual - auto), len(auto - usual)]
            times.append(auto_s / usual_s)
            with capsys.disabled():
                print(f"{name}, seed {seed}: {len(usual)} wrong, auto {len(auto)}; {chosen}", flush=True)
        p = binomtest(counts[3], counts[2] + counts[3]).pvalue if counts[2] + counts[3] else 1.0
        if counts[1] > counts[0] and p < 0.01:
            worse.append(name)
        removed.append(1 - counts[1] / max(1, counts[0]))
        lines.append(
            f"{name:18} wrong {counts[0]:4} -> {counts[1]:4}, {removed[-1]:+.0%} removed, p {p:.3f}, "
            f"time {np.median(times):.1f} times"
        )
    with capsys.disabled():
        print("\n" + "\n".join(lines))
        print(f"errors removed: mean {np.mean(removed):+.0%}, worst {min(removed):+.0%}")
    assert not worse
