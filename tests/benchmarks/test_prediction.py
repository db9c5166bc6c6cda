"""How fast predictions are: beside a bare loop over the same images, in parts side by side, and in what memory.

    pytest -m benchmark tests/benchmarks/test_prediction.py -s

Takes a quarter of an hour on two cores. Each ratio is the median of rounds that alternate between the two; on a
machine that does something else, the processor time says more than the clock.
"""

import statistics
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from disc_support import make_discs
from program_support import program
from torch import Tensor
from training_support import make_run, train

from mia_tui.engine.data import reader
from mia_tui.engine.data.scaling import standardise, to_unit
from mia_tui.engine.device import autocast
from mia_tui.engine.inference.predict import Predictor
from mia_tui.engine.jobs import predict as job
from mia_tui.runs.machine.cores import usable_cores
from mia_tui.runs.prediction.create import create_prediction
from mia_tui.runs.prediction.predictions import PredictionRow, PredictionRows
from mia_tui.runs.record.layout import RunDir
from mia_tui.worker import work

pytestmark = pytest.mark.benchmark

ROUNDS, BATCH_SIZE = 5, 64
WARM_BATCHES, BATCHES = 3, 10
SIZES_PX = (32, 96)
MANY, LISTED = 100_000, 1_000_000


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    return make_discs(tmp_path / "discs")


def trained(discs: Path, size_px: int, backbone: str) -> RunDir:
    run = make_run(discs, epochs=1, width=size_px, height=size_px, backbone=backbone, weights="none")
    assert train(run)[0].outcome == "finished"
    return run


def link(discs: Path, folder: Path, count: int) -> Path:
    """So many images, 2,000 in a folder, all of them links to a few."""
    few = sorted(discs.rglob("*.png"))
    for index in range(count):
        place = folder / f"plate-{index // 2000:03}" / f"cell-{index}.png"
        if index % 2000 == 0:
            place.parent.mkdir(parents=True)
        place.hardlink_to(few[index % len(few)])
    return folder


class Speed:
    """Images a second, by the clock and by the processor time of this process."""

    def __init__(self) -> None:
        self._marks: list[tuple[float, float, int]] = []

    def mark(self, images: int) -> None:
        self._marks.append((time.perf_counter(), time.process_time(), images))

    def rates(self) -> tuple[float, float]:
        begin, end = self._marks[WARM_BATCHES], self._marks[-1]
        images = sum(count for _, _, count in self._marks[WARM_BATCHES + 1 :])
        return images / (end[0] - begin[0]), images / (end[1] - begin[1])


def bare_loop(network: Predictor, batch: Tensor) -> Speed:
    """The network over decoded batches, and nothing else."""
    speed, card, model = Speed(), network.card, network._model.eval()
    with torch.inference_mode():
        for _ in range(WARM_BATCHES + BATCHES):
            inputs = standardise(to_unit(batch), tuple(card.mean), tuple(card.std))
            with autocast(network.device, network.arithmetic):
                logits = model(inputs).float()
            torch.softmax(logits, dim=1).cpu().numpy()
            speed.mark(len(batch))
    return speed


def whole_job(images: Path, weights: Path, out: Path, threads: int) -> Speed:
    """A prediction from its start to its end, measured from row to row."""
    speed, append = Speed(), PredictionRows.append

    def measured(self: PredictionRows, rows: Iterable[PredictionRow]) -> None:
        rows = list(rows)
        append(self, rows)
        speed.mark(len(rows))

    run = create_prediction(
        images, weights, out=str(out), batch_size=BATCH_SIZE, precision="fp32", device="cpu", threads=threads
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job.PredictionRows, "append", measured)
        assert work(run, foreground=False).outcome == "finished"
    run.drop()
    return speed


@pytest.mark.parametrize("threads", [1, usable_cores()])
@pytest.mark.parametrize("size_px", SIZES_PX)
def test_a_prediction_beside_a_bare_loop(
    discs: Path, tmp_path: Path, say: list[str], monkeypatch: pytest.MonkeyPatch, size_px: int, threads: int
) -> None:
    weights = trained(discs, size_px, "resnet18").best_weights
    images = link(discs, tmp_path / "images", (WARM_BATCHES + BATCHES) * BATCH_SIZE)
    network = Predictor(weights, device="cpu", precision="fp32", threads=threads)
    pixels = np.random.default_rng(0).integers(0, 255, (size_px, size_px, 3), dtype=np.uint8)
    batch = torch.from_numpy(np.repeat(pixels[None], BATCH_SIZE, 0)).permute(0, 3, 1, 2)
    for what in ("with images in memory", "with images that are read and decoded"):
        if what == "with images in memory":
            monkeypatch.setattr(reader, "decode_input", lambda *given, **more: pixels)
        else:
            monkeypatch.undo()
            torch.set_num_threads(threads)
        found: list[tuple[float, float]] = []
        for _ in range(ROUNDS):
            bare = bare_loop(network, batch).rates()
            whole = whole_job(images, weights, tmp_path / "p.csv", threads).rates()
            found.append((whole[0] / bare[0], whole[1] / bare[1]))
        clock, processor = (statistics.median(ratios) for ratios in zip(*found, strict=True))
        say.append(
            f"resnet18 at {size_px} pixels, {threads} threads, {what}: {clock:.2f} of a bare loop by the clock, "
            f"{processor:.2f} by processor time ({bare[0]:.0f} images a second)"
        )


def test_two_parts_side_by_side_beside_one_process_with_two_threads(
    discs: Path, tmp_path: Path, say: list[str]
) -> None:
    """By the clock, without the start of the processes: from the first row to the last of all of them."""
    run = trained(discs, 32, "resnet18")
    images = link(discs, tmp_path / "images", 60 * BATCH_SIZE)
    ratios = []
    for number in range(3):
        one = seconds_of([command(images, run, tmp_path / f"one-{number}.csv", threads=2)])
        out = tmp_path / f"two-{number}.csv"
        parts = [command(images, run, out, "--shard", f"{part}/2", threads=1) for part in (1, 2)]
        ratios.append(one / seconds_of(parts))
    ratio = statistics.median(ratios)
    each = ", ".join(f"{value:.2f}" for value in ratios)
    say.append(f"two parts with a thread each: {ratio:.2f} of one process with two threads ({each})")


TIMED = """
import sys, time
import mia_tui.engine.jobs.predict as predict
append = predict.PredictionRows.append
def timed(self, rows):
    append(self, rows)
    print("row", time.time(), file=sys.stderr, flush=True)
predict.PredictionRows.append = timed
"""


def command(images: Path, run: RunDir, out: Path, *more: object, threads: int) -> list[str]:
    options = ("--batch-size", BATCH_SIZE, "--precision", "fp32", "--threads", threads, "--out", out)
    return program("predict", images, "--run", run.path, *options, *more, before=TIMED)


def seconds_of(commands: list[list[str]]) -> float:
    """How long processes that are started together need for their rows, as if all had begun with them at once."""
    processes = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for words in commands]
    spans = []
    for process in processes:
        said = process.communicate()[1]
        assert process.returncode == 0, said
        times = [float(line.split()[1]) for line in said.splitlines() if line.startswith("row ")]
        spans.append((times[-1] - times[0]) * len(times) / (len(times) - 1))
    return max(spans)


MEMORY = """
import mia_tui.engine.jobs.predict as predict
append = predict.PredictionRows.append
done, told = [0], [0]
def resident_mib():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))
def measured(self, rows):
    rows = list(rows)
    append(self, rows)
    done[0] += len(rows)
    if done[0] >= told[0] + 10_000:
        told[0] += 10_000
        print("memory", done[0], resident_mib(), file=sys.stderr, flush=True)
predict.PredictionRows.append = measured
"""


def test_the_memory_of_a_long_prediction(discs: Path, tmp_path: Path, say: list[str]) -> None:
    run = trained(discs, 32, "timm:test_resnet")
    images = link(discs, tmp_path / "images", MANY)
    words = ["predict", images, "--run", run.path, "--threads", 2, "--out", tmp_path / "p.csv"]
    done = subprocess.run(program(*words, before=MEMORY), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split()[1:] for line in done.stderr.splitlines() if line.startswith("memory ")]
    first, last = lines[0], lines[-1]
    say.append(
        f"memory after {int(first[0]):,} images {float(first[1]):.0f} MiB, "
        f"after {int(last[0]):,} {float(last[1]):.0f} MiB"
    )


LIST = """
import time
from pathlib import Path
from mia_tui.runs.prediction.listing import list_images
from mia_tui.dataset.scan.scan import iter_images
images, place = Path(sys.argv[1]), Path(sys.argv[2])
def resident_mib():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
before, begun = resident_mib(), time.monotonic()
found = list_images(
    place, iter_images(images, frames="first"), batch_size=64, shard=(3, 8), root=place.parent.parent
)
print(found.total, found.count, time.monotonic() - begun, resident_mib() - before)
"""


@pytest.mark.parametrize("in_folder", [1000, LISTED])
def test_the_memory_of_a_long_listing(tmp_path: Path, say: list[str], in_folder: int) -> None:
    from run_support import run_python

    empty = tmp_path / "empty.png"
    for number in range(LISTED):
        folder = tmp_path / "images" / f"plate-{number // in_folder:04}"
        if number % in_folder == 0:
            folder.mkdir(parents=True)
        if number % 30_000 == 0:  # ext4 allows 65,000 links to a file
            empty = tmp_path / f"empty-{number}.png"
            empty.touch()
        (folder / f"cell-{number:06}.png").hardlink_to(empty)
    (tmp_path / "run").mkdir()
    total, count, seconds, more_mib = run_python(
        LIST, tmp_path / "images", tmp_path / "run" / "predictions" / "listing.jsonl"
    ).split()
    say.append(
        f"{int(total):,} images in folders of {in_folder:,}, {int(count):,} of them in part 3 of 8: "
        f"listed in {float(seconds):.1f} s and {float(more_mib):.0f} MiB"
    )
