"""Runs with results, and images, for the tests of reports."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from run_support import make_evaluate_job

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.model import FRAME_NUMBERING
from mia_tui.paths import StateFolder
from mia_tui.runs.evaluation.confusion import SavedConfusion, Which, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    NOT_EVALUATED,
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.evaluation.saved_scores import EvaluatedScores, save_scores, scores_file
from mia_tui.runs.record.events import EpochEnded, EpochPlace, Event, ResultSaved, RunEnded, RunStarted
from mia_tui.runs.record.job import JobClass, Sample, TrainJob
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.log import EventLog

CLASSES = ("cat", "dog", "owl")
HOSTILE = (
    "<script>alert(1)</script>",
    "{{ 7*7 }}",
    "=cmd|' /C calc'!A0",
    "a\x1b[31mred\u202e",
    "$x_1$ \\frac{1}{2}",
    '_under & "quote"',
    "{% include 'report.css' %}",
    "--><img src=http://example.org/x onerror=alert(1)>",
)
VERSIONS = {"python": "3.11.7", "mia-tui": "0.1.0", "torch": "2.9.0", "timm": "1.0.31"}


def train_job(root: Path, classes: Sequence[str] = CLASSES, **config: object) -> TrainJob:
    return TrainJob(
        config=TrainConfig(**config),
        dataset=str(root),
        state=str(root / "mia"),
        classes=[JobClass(number, name) for number, name in enumerate(classes, 1)],
        threads=1,
        command="mia-tui train cells",
        created_at=time.time(),
        numbering=FRAME_NUMBERING,
        version="0.1.0",
    )


def samples_of(
    count: int,
    classes: int,
    *,
    name: str = "im/{:04}.png",
    parts: Sequence[str] = ("train", "val", "train", "test"),
) -> list[Sample]:
    return [
        Sample(name.format(number), number % classes, parts[number // classes % len(parts)])
        for number in range(count)
    ]


def draw_images(root: Path, samples: Sequence[Sample]) -> None:
    rng = np.random.default_rng(0)
    for path in {sample.path for sample in samples}:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (24, 20, 3), np.uint8)).save(file, "PNG")


def put_results(
    run: RunDir,
    which: Which,
    samples: Sequence[Sample],
    classes: Sequence[str],
    *,
    split: str,
    epoch: int = 2,
    scores: bool = True,
) -> None:
    """What a network said of the images of a part: every seventh image is predicted as the next class."""
    size = len(classes)
    rows = [row for row, sample in enumerate(samples) if which == "evaluation" or sample.split == split]
    truth = np.array([samples[row].class_index for row in rows], np.int64)
    wrong = np.arange(len(rows)) % 7 == 3
    said = np.where(wrong, (truth + 1) % size, truth)
    logits = np.random.default_rng(1).normal(0, 0.5, (len(rows), size))
    logits[np.arange(len(rows)), said] += 4
    log_probabilities = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    predicted = np.full(len(samples), NOT_EVALUATED)
    predicted[np.array(rows, np.int64)] = said
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (truth, said), 1)
    save_epoch_predictions(epoch_predictions_file(run, which), EpochPredictions(epoch, split, predicted))
    save_confusion(run.confusion(which), SavedConfusion(epoch, split, tuple(classes), counts))
    if scores:
        found = EvaluatedScores(epoch, split, np.array(rows, np.int64), log_probabilities.astype(np.float32))
        save_scores(scores_file(run, which), found)


def training_events(
    *,
    epochs: int = 2,
    resumed: bool = False,
    outcome: str = "finished",
    device: str = "CPU, 2 threads",
    arithmetic: str = "",
) -> list[Event]:
    started: dict[str, Any] = {
        "protocol": 1,
        "pid": 1,
        "host": "here",
        "boot_id": "",
        "versions": VERSIONS,
        "device": device,
        "arithmetic": arithmetic,
        "total_epochs": 2,
        "steps_per_epoch": 5,
    }
    events: list[Event] = [RunStarted(t=1.7e9, attempt=1, resumed_at=None, **started)]
    if resumed:
        place = EpochPlace(epoch=1, step=2)
        events.append(RunStarted(t=1.7e9 + 10, attempt=2, resumed_at=place, **started))
    for epoch in range(1, epochs + 1):
        figures = {"loss": 1.0 / epoch, "accuracy": 0.5 + 0.1 * epoch, "macro_f1": 0.5 + 0.1 * epoch}
        events.append(
            EpochEnded(t=1.7e9 + 60 * epoch, epoch=epoch, train=figures, val=figures, elapsed_s=60.0 * epoch)
        )
    events.append(RunEnded(t=1.7e9 + 300, outcome=outcome))  # type: ignore[arg-type]  # any
    return events


def make_training(
    root: Path,
    *,
    classes: Sequence[str] = CLASSES,
    samples: Sequence[Sample] | None = None,
    count: int = 240,
    images: bool = True,
    scores: bool = True,
    events: Sequence[Event] | None = None,
    split: str = "val",
    **config: object,
) -> RunDir:
    """A finished training of two epochs, with the results of its validation part."""
    samples = samples_of(count, len(classes)) if samples is None else list(samples)
    (root / "mia").mkdir(parents=True, exist_ok=True)
    if images:
        draw_images(root, samples)
    job = train_job(root, classes, **{"epochs": 2, **config})
    run = RunDir.create(StateFolder(root / "mia"), job, samples, name="resnet18")
    put_results(run, "best", samples, classes, split=split, scores=scores)
    with EventLog(run.events) as log:
        for event in training_events() if events is None else events:
            log.append(event)
    return run


def make_evaluation(
    root: Path,
    samples: Sequence[Sample],
    *,
    classes: Sequence[str] = CLASSES,
    split: str = "test",
    **config: object,
) -> RunDir:
    """A finished evaluation; by default of weights that are not there."""
    job = make_evaluate_job(root / "mia", split=split, **config)
    named = [JobClass(number, name) for number, name in enumerate(classes, 1)]
    run = RunDir.create(
        StateFolder(root / "mia"),
        type(job)(**{**_fields(job), "classes": named, "dataset": str(root)}),
        samples,
        name="evaluate-resnet18",
    )
    put_results(run, "evaluation", samples, classes, split=split)
    with EventLog(run.events) as log:
        log.append(ResultSaved(t=1.7e9, sentence="Evaluated.", file="confusion/evaluation.json"))
        log.append(RunEnded(t=1.7e9 + 1, outcome="finished"))
    return run


def _fields(job: Any) -> Mapping[str, Any]:
    return {name: getattr(job, name) for name in job.__struct_fields__}
