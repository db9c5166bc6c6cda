"""What a network can learn from deep images, and that images of 8 bits are trained on as fast as before them.

The second one compares with an earlier version: the variable MIA_TUI_EARLIER names the folder of its source.
"""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import numpy as np
import pytest
import tifffile
import torch
from deep_support import make_texture_set
from photo_support import make_photos

from mia_tui.config.check import make_config
from mia_tui.dataset.images.decode import decode_input
from mia_tui.engine.data.network_input import input_of
from mia_tui.engine.data.scaling import channel_scaling, standardise, to_tensor, to_unit
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.state import read_state
from mia_tui.worker import work

EARLIER = os.environ.get("MIA_TUI_EARLIER")
ROUNDS = 5
SETTINGS = {"backbone": "resnet18", "width": 64, "height": 64, "color": False, "epochs": 10, "batch_size": 16}

TRAIN = """
import sys, time
from pathlib import Path
from mia_tui.config.check import make_config
from mia_tui.runs.preflight.prepare import prepare_training, read_dataset
from mia_tui.runs.record.events import EpochEnded, Phase
from mia_tui.worker import work

config = make_config(flags=dict(backbone="timm:test_resnet", width=96, height=96, epochs=6, batch_size=16,
                                threads=1, precision="fp32", cache=sys.argv[2]))
run = prepare_training(read_dataset(Path(sys.argv[1]), follow=True), config).create()
times = {}
def note(event):
    if isinstance(event, Phase):
        times.setdefault(event.message.split()[0], time.perf_counter())
    if isinstance(event, EpochEnded):
        times[event.epoch] = time.perf_counter()
assert work(run, foreground=False, observe=note).outcome == "finished"
epochs = [times[number] - times[number - 1] for number in range(2, 7)]
begun = min(times[word] for word in ("measuring", "reading") if word in times)  # earlier versions read all first
print(times["on"] - begun, min(epochs))
"""


def probe(features: np.ndarray, classes: np.ndarray) -> float:
    """Accuracy of a linear classifier (least squares, the smallest solution) on the images it was not fitted to."""
    features = features.reshape(len(features), -1).astype(np.float64)
    features -= features.mean(axis=0)
    fitted = np.arange(len(features)) % 5 != 0
    weights, *_ = np.linalg.lstsq(features[fitted], 2.0 * classes[fitted] - 1, rcond=None)
    return float(((features[~fitted] @ weights > 0) == classes[~fitted]).mean())


def trained(root: Path, **settings: object) -> RunDir:
    config = make_config(flags={**SETTINGS, **settings})
    run = prepare_training(read_dataset(root, follow=True), config).create()
    assert work(run, foreground=False).outcome == "finished"
    return run


@pytest.mark.benchmark
def test_a_weak_texture_beside_bright_pixels_reaches_the_network(tmp_path: Path, say: list[str]) -> None:
    root = make_texture_set(tmp_path / "cells")
    run = trained(root)
    measured, config = run.input_map(), run.train_job().config
    assert measured is not None
    files = sorted(root.rglob("*.tif"))
    classes = np.array([path.parent.name == "b" for path in files])
    raw = np.stack([tifffile.imread(path) for path in files])
    pixels = to_tensor(np.stack([decode_input(path, 0, input_of(config, measured)) for path in files]))
    fed = standardise(to_unit(pixels.permute(0, 3, 1, 2)), *channel_scaling(config, measured))
    of_raw, of_fed = probe(raw, classes), probe(fed.numpy(), classes)
    rounded = probe(fed.to(torch.bfloat16).float().numpy(), classes)
    accuracies = [row.val["accuracy"] for row in read_state(run).epochs if row.val]
    before = trained(root, intensity="image")
    stretched = [row.val["accuracy"] for row in read_state(before).epochs if row.val]
    say += [
        f"linear probe: files {of_raw:.2f}, what the network is fed {of_fed:.2f}, in bfloat16 {rounded:.2f}",
        f"resnet18, 10 epochs, accuracy on the validation part: {max(accuracies):.2f}",
        f"with each image stretched by itself: {max(stretched):.2f}",
    ]
    assert of_fed >= of_raw - 0.01 and of_raw >= 0.99


@pytest.mark.benchmark
@pytest.mark.skipif(EARLIER is None, reason="MIA_TUI_EARLIER names no earlier version")
@pytest.mark.parametrize("cache", ["ram", "none"])
def test_images_of_8_bits_are_trained_on_as_fast_as_by_an_earlier_version(
    tmp_path: Path, say: list[str], cache: str
) -> None:
    here = str(Path(__file__).parents[2])
    times: dict[str, list[tuple[float, float]]] = {here: [], str(EARLIER): []}
    photos = {
        here: tmp_path / "now",
        str(EARLIER): tmp_path / "earlier",
    }  # each version has a labels.db of its own
    for folder in photos.values():
        for name in "ab":
            make_photos(folder / name, 24)
    for number in range(2 * ROUNDS):
        source = (here, str(EARLIER))[number % 2]
        done = subprocess.run(
            [sys.executable, "-c", TRAIN, str(photos[source]), cache],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": source},
        )
        loading, epoch = map(float, done.stdout.split()[-2:])
        times[source].append((loading, epoch))
    ours, earlier = (np.array(times[source]) for source in (here, str(EARLIER)))
    for what, column in (("loading", 0), ("an epoch", 1)):
        now, then = ours[:, column], earlier[:, column]
        say.append(
            f"{cache}, {what}: {min(now):.3f} s now, {min(then):.3f} s earlier (shortest of {ROUNDS}); "
            f"medians {median(now):.3f} and {median(then):.3f}"
        )
