"""How long the report of a run takes, as a command of its own, and how large its page is."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from report_support import make_training
from run_support import SOURCES

from mia_tui.runs.evaluation.saved_scores import EvaluatedScores, save_scores, scores_file
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir

pytestmark = pytest.mark.benchmark


def samples(images: int, classes: int, files: int) -> list[Sample]:
    """Images of which four of five were evaluated; of many, some are the same files."""
    return [
        Sample(f"im/{number % files:05}.png", number // 5 % classes, "train" if number % 5 == 0 else "val")
        for number in range(images)
    ]


def halved(run: RunDir, images: int, classes: int) -> None:
    """The probabilities in half precision, as those of so many images are kept."""
    rows = np.flatnonzero(np.arange(images) % 5)
    rng = np.random.default_rng(0)
    values = np.empty((len(rows), classes), np.float16)
    for start in range(0, len(rows), 5000):
        part = rows[start : start + 5000]
        logits = rng.normal(0, 1, (len(part), classes)).astype(np.float32)
        logits[np.arange(len(part)), part // 5 % classes] += 5
        values[start : start + 5000] = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    save_scores(scores_file(run, "best"), EvaluatedScores(2, "val", rows, np.minimum(values, 0)))


@pytest.mark.parametrize(
    ("classes", "images", "most_s", "most_mb"), [(10, 2_500, 10.0, 5.0), (1_000, 125_000, 60.0, 10.0)]
)
def test_report(
    tmp_path: Path, say: list[str], classes: int, images: int, most_s: float, most_mb: float
) -> None:
    names = [f"class {number}" for number in range(classes)]
    many = classes > 100
    run = make_training(
        tmp_path / "cells", classes=names, samples=samples(images, classes, 2_500), scores=not many
    )
    if many:
        halved(run, images, classes)
    out = tmp_path / "report.html"
    began, before = time.perf_counter(), os.times()
    subprocess.run(
        [sys.executable, "-m", "mia_tui", "report", run.path, "--out", out],
        check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCES)},
        capture_output=True,
    )
    took, after = time.perf_counter() - began, os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    size = out.stat().st_size / 1e6
    evaluated = images * 4 // 5
    say.append(
        f"{classes:,} classes, {evaluated:,} predictions: {took:.1f} s, {used:.1f} of processor time, {size:.1f} MB"
    )
    assert size < most_mb and used < most_s
