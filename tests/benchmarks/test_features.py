"""How fast features are made and found: beside the network alone on images that are in memory already.

    pytest -m benchmark tests/benchmarks/test_features.py -s

Takes five minutes on two cores. On a machine that does something else, the ratios and the processor time say more
than the clock.
"""

import resource
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from program_support import program
from run_support import wait_for

from mia_tui.dataset.images.intensity import InputMap, ValueLimits
from mia_tui.dataset.listing.arrays import arrays_of
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.engine.inference.features import DEFAULT_SIDE, shipped_maker
from mia_tui.features.layout import TableDescription
from mia_tui.features.table import FeatureTable
from mia_tui.features.writer import FeatureRow, FeatureWriter
from mia_tui.runs.machine.cores import usable_cores

pytestmark = pytest.mark.benchmark

COUNT, SIDE = 10_000, 224
FLOOR_BATCHES, BATCH = 60, 32
MANY = 100_000
LONG_S = 600.0
EIGHT_BITS = InputMap(mode="dataset", limits=[ValueLimits(dtype="uint8", low=[0.0], high=[255.0])])


def make_files(root: Path, count: int, ending: str) -> Path:
    """Blobs with noise, each with other bytes."""
    root.mkdir()
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    noise = random.normal(0, 8, (SIDE + 80, SIDE + 80, 3))
    for number in range(count):
        down, across = random.uniform(0.3, 0.7, 2) * SIDE
        blob = np.exp(-((np.hypot(y - down, x - across) / (0.2 * SIDE)) ** 2))[:, :, None]
        dy, dx = random.integers(0, 80, 2)
        pixels = 200 - blob * random.uniform(40, 160, 3) + noise[dy : dy + SIDE, dx : dx + SIDE]
        picture = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
        picture.save(root / f"cell-{number}.{ending}", quality=90)
    return root


def network_alone(threads: int) -> tuple[float, float]:
    """Images a second of the network on ready tensors, by the clock; and processor seconds an image."""
    maker = shipped_maker(EIGHT_BITS, device=torch.device("cpu"), precision="auto", threads=threads)
    images = torch.randint(0, 256, (BATCH, 3, DEFAULT_SIDE, DEFAULT_SIDE), dtype=torch.uint8)
    images = images.contiguous(memory_format=torch.channels_last)
    with ThreadPoolExecutor(threads, initializer=partial(torch.set_num_threads, 1)) as pool:
        list(pool.map(maker._features, [images] * 2 * threads))
        begun, used = time.perf_counter(), time.process_time()
        list(pool.map(maker._features, [images] * FLOOR_BATCHES))
        count = FLOOR_BATCHES * BATCH
        return count / (time.perf_counter() - begun), (time.process_time() - used) / count


def children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_making_features_of_many_files(tmp_path: Path, say: list[str], ending: str) -> None:
    root, threads = make_files(tmp_path / "cells", COUNT, ending), usable_cores()
    before, before_cpu = network_alone(threads)
    started, used = time.perf_counter(), children_s()
    process = subprocess.Popen(
        program("features", root, "--threads", threads, "--device", "cpu"), stderr=subprocess.DEVNULL
    )
    wait_for(lambda: (table := FeatureTable.open(root)) is not None and len(table) > 0, LONG_S)
    first_s = time.perf_counter() - started
    assert process.wait() == 0
    whole_s, cpu_s = time.perf_counter() - started, children_s() - used
    after, after_cpu = network_alone(threads)
    floor, floor_cpu = (before + after) / 2, min(before_cpu, after_cpu)
    table = FeatureTable.open(root)
    assert table is not None and len(table) == COUNT
    say.append(
        f"{COUNT:,} {ending} files of {SIDE} pixels, {threads} threads: {whole_s:.0f} s, "
        f"{COUNT / whole_s:.0f} images/s, first row after {first_s:.1f} s, {cpu_s:.0f} s of processor time"
    )
    say.append(
        f"  network alone {floor:.0f} images/s: {floor * whole_s / COUNT:.2f} times its time by the clock, "
        f"{cpu_s / COUNT / floor_cpu:.2f} times by the processor ({1e3 * floor_cpu:.2f} ms an image)"
    )


def test_finding_the_features_of_a_listing(tmp_path: Path, say: list[str]) -> None:
    paths = [f"plate-{number // 2000:03}/cell-{number}.png" for number in range(MANY)]
    order = np.random.default_rng(0).permutation(MANY)
    features = np.random.default_rng(1).random((1024, 1568), np.float32)
    with FeatureWriter(tmp_path, "many-96") as writer:
        writer.begin(TableDescription(id="many-96", name="many", dims=1568))
        for start in range(0, MANY, 1024):
            some = order[start : start + 1024].tolist()
            images = [FeatureRow(ImageKey(paths[number]), number, number + 1) for number in some]
            writer.append(images, features[: len(some)])
    listing = Listing(arrays_of(paths, sizes=range(MANY), mtimes_ns=range(1, MANY + 1)))
    spent: dict[str, list[float]] = {"opened": [], "places": []}
    for _ in range(7):
        begun = time.process_time()
        table = FeatureTable.open(tmp_path, "many-96")
        spent["opened"].append(time.process_time() - begun)
        assert table is not None
        begun = time.process_time()
        assert (table.places(listing) >= 0).all()
        spent["places"].append(time.process_time() - begun)
    words = ", ".join(f"{name} in {1e3 * float(np.median(times)):.0f} ms" for name, times in spent.items())
    say.append(f"{MANY:,} images of a table in another order: {words} (processor time)")
