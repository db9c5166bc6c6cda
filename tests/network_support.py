"""Networks that only have a card, and the real worker with a prediction that needs no torch."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from run_support import SOURCES, make_run
from safetensors.numpy import save_file

from mia_tui.runs.record.job import JobClass
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import CARD_KEY, ModelCard
from mia_tui.runs.worker import launch

_WORKER = """
import sys
sys.path[:0] = {paths!r}
import time, types
from pathlib import Path
from mia_tui import worker
from mia_tui.dataset.scan.scan import scan
from mia_tui.runs.prediction.listing import PredictionListing
from mia_tui.runs.prediction.predictions import PredictionRow, PredictionRows, make_header
from mia_tui.runs.prediction.result import write_result
from mia_tui.runs.record.model_card import read_card
from mia_tui.text import encode_name

def predict(attempt, job):
    gate = Path(job.dataset) / "mia" / "go"
    attempt.started(device="cpu")
    run, card = attempt.run, read_card(Path(job.config.weights))
    keys = run.images() or scan(Path(job.dataset)).keys
    header = make_header(job.dataset, job.config, card, job.config.digest, rule=job.config.rule)
    rows = PredictionRows(run.rows, header, keys, root=run.root)
    attempt.phase("working", "predicting " + job.config.scope)
    for number, key in enumerate(keys[rows.done:], rows.done + 1):
        while number > 1 and not gate.exists():
            time.sleep(0.02)
            if attempt.should_stop():
                return "stopped"
        spread = [0.9] + [0.1] * (len(card.classes) - 1)
        rows.append([PredictionRow(encode_name(key.path), key.frame, spread)])
        attempt.progress(number, len(keys))
    listing = PredictionListing(run.path / "listing", run.root, len(keys), len(keys), "")
    attempt.emit(write_result(run, header, listing, shard=None, other_kinds=dict()))
    return "finished"

module = types.ModuleType("without_torch.predict")
module.work = predict
sys.modules["without_torch"] = types.ModuleType("without_torch")
sys.modules[module.__name__] = module
worker.JOBS_PACKAGE = "without_torch"
sys.exit(worker.main())
"""


def put_network(
    weights: Path, classes: Sequence[str], *, run: str = "seen", value: float | None = 0.875
) -> None:
    """Write a weights file of a network with these classes; it cannot predict."""
    card = ModelCard(
        backbone="resnet18",
        classes=[JobClass(number, name) for number, name in enumerate(classes, 1)],
        width=32,
        height=32,
        color=True,
        geometry="squash",
        resize="linear",
        mean=[0.5] * 3,
        std=[0.5] * 3,
        max_megapixels=100.0,
        frames="first",
        drop_rate=0.0,
        drop_path_rate=0.0,
        run=run,
        epoch=2,
        metric="macro_f1",
        value=value,
        evaluated_on="val",
        version="0",
    )
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_file({"w": np.zeros(1, np.float32)}, weights, {CARD_KEY: msgspec.json.encode(card).decode()})


def train(
    dataset: Path, classes: Sequence[str], *, name: str = "resnet18", created_at: float = 1e9
) -> RunDir:
    """A training that has ended, with the weights of its best epoch."""
    run = make_run(dataset / "mia", name=name, created_at=created_at)
    os.utime(run.path / "job.json", (1e9, 1e9))  # else its worker might be about to start
    put_network(run.best_weights, classes, run=run.name)
    return run


def predict_without_torch(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Workers predict the first class for each image: the first at once, others when DATASET/mia/go exists."""
    program = folder / "worker_without_torch.py"
    program.write_text(_WORKER.format(paths=[str(SOURCES)]))
    start = launch.start_program
    monkeypatch.setattr(
        launch, "start_program", lambda words, log: start([sys.executable, str(program), words[-1]], log)
    )
