"""How soon a training begins, and what an epoch takes, with images that are decoded in it or were decoded before.

MIA_TUI_EARLIER names the folder of the source of an earlier version, which is measured in turn with this one;
MIA_TUI_IMAGES how many images there are.
"""

import os
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import torch
from photo_support import make_photos

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.images import ImageStore, open_images
from mia_tui.engine.data.network_input import input_of
from mia_tui.paths import user_cache
from mia_tui.runs.record.job import Sample

pytestmark = pytest.mark.benchmark

EARLIER = os.environ.get("MIA_TUI_EARLIER")
COUNT = int(os.environ.get("MIA_TUI_IMAGES", "2000"))
ROUNDS = 3
SIZES = (96, 224)
BATCH = 32
EPOCHS = 3

# Prints seconds from the first look at an image to the first step, and of each epoch.
TRAIN = """
import sys, time
from pathlib import Path
from mia_tui.config.check import make_config
from mia_tui.engine.training.learner import Learner
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
from mia_tui.runs.record.events import EpochEnded, Phase
from mia_tui.worker import work

config = make_config(flags=dict(backbone="timm:test_resnet", width=96, height=96, epochs=int(sys.argv[3]),
                                batch_size=32, threads=1, precision="fp32", weights="none", cache=sys.argv[2]))
run = prepare_training(read_dataset(Path(sys.argv[1]), follow=True), config).create()
times = {}
step = Learner.step
def first(*given):
    times.setdefault("first", time.perf_counter())
    return step(*given)
Learner.step = first
def note(event):
    if isinstance(event, Phase):
        times.setdefault(event.message.split()[0], time.perf_counter())
    if isinstance(event, EpochEnded):
        times[event.epoch] = time.perf_counter()
assert work(run, foreground=False, observe=note).outcome == "finished"
ends = [times["on"], *(times[number] for number in range(1, config.epochs + 1))]
print(times["first"] - times["reading"], *(after - before for before, after in zip(ends, ends[1:])))
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEGs of 500 by 375 pixels in two folders, old enough to be kept."""
    folder = tmp_path_factory.mktemp("photos")
    some = make_photos(folder / "some", 50)
    for number in range(COUNT):
        path = folder / "cells" / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(some[number % len(some)].read_bytes())
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - 60))
    return folder / "cells"


def train(photos: Path, cache: str, home: Path, source: str | None = None) -> list[float]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    if source is not None:
        environment["PYTHONPATH"] = source
    done = subprocess.run(
        [sys.executable, "-P", "-c", TRAIN, str(photos), cache, str(EPOCHS)],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [float(value) for value in done.stdout.split()[-1 - EPOCHS :]]


def test_a_training_begins_at_once(photos: Path, tmp_path: Path, say: list[str]) -> None:
    found: dict[str, list[list[float]]] = {}
    for number in range(ROUNDS):
        home = tmp_path / f"home-{number}"
        home.mkdir()
        if EARLIER is not None:
            found.setdefault("earlier version", []).append(train(photos, "ram", home, EARLIER))
        found.setdefault("first run", []).append(train(photos, "auto", home))
        found.setdefault("second run", []).append(train(photos, "auto", home))
        found.setdefault("second run, from the disk", []).append(train(photos, "disk", home))
    for name, runs in found.items():
        first, *epochs = (median(values) for values in zip(*runs, strict=True))
        say.append(
            f"{COUNT:,} JPEGs, {name}: first step after {first:.2f} s; epochs of "
            f"{', '.join(f'{epoch:.2f}' for epoch in epochs)} s"
        )


def epoch_s(images: ImageStore, count: int) -> float:
    """Wall time of an epoch in which nothing is done with the images."""
    order = torch.from_numpy(np.random.default_rng(0).permutation(count))
    batches = list(order.split(BATCH))
    begin = time.perf_counter()
    images.prefetch(batches)
    for batch in batches:
        images.fetch(batch)
    return time.perf_counter() - begin


@pytest.mark.parametrize("size", SIZES)
def test_reading_decoded_images_takes_little_of_an_epoch(photos: Path, say: list[str], size: int) -> None:
    samples = [Sample(f"{'ab'[number % 2]}/{number}.jpg", number % 2, "train") for number in range(COUNT)]
    found: dict[str, list[float]] = {}

    def measure(cache: str, *names: str) -> None:
        config = TrainConfig(cache=cache, width=size, height=size, threads=2)  # type: ignore[arg-type]
        with closing(open_images(samples, photos, config, input_of(config), torch.device("cpu"))) as images:
            for name in names:
                found.setdefault(name, []).append(epoch_s(images, COUNT))

    measure("auto", "decoded, and kept", "memory")
    for _ in range(ROUNDS):
        measure("none", "decoded")
        measure("auto", "memory, filled from the disk", "memory")
        measure("disk", "disk, checked", "disk", "disk")
        found.setdefault("mapped", []).append(mapped_s(size))
    for name, seconds in found.items():
        mean = median(seconds) / COUNT * 1e6
        say.append(f"{size} pixels, an image from {name}: {mean:.0f} µs")


def mapped_s(size: int) -> float:
    """The same from the file mapped into memory."""
    (path,) = (
        path
        for path in user_cache().glob("decoded/*/*/pixels-*.bin")
        if path.stat().st_size == COUNT * size * size * 3
    )
    pixels = torch.from_numpy(np.memmap(path, np.uint8, "c", shape=(COUNT, size, size, 3)))
    order = torch.from_numpy(np.random.default_rng(0).permutation(COUNT))
    begin = time.perf_counter()
    for batch in order.split(BATCH):
        pixels.index_select(0, batch)
    return time.perf_counter() - begin
