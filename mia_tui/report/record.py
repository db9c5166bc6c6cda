"""The numbers of a report as one JSON object, see `mia-tui report --json`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from mia_tui import __version__
from mia_tui.analysis.calibration import Reliability
from mia_tui.analysis.metrics import Estimate
from mia_tui.config.fields import fields
from mia_tui.dataset.model import PARTS
from mia_tui.report.facts import RunFacts
from mia_tui.report.numbers import ResultNumbers
from mia_tui.text import encode_name

MOST_DENSE_CLASSES = 50
"""Of more, the confusion matrix is a list of its cells that are not 0, as [row, column, count]."""


def report_record(
    facts: RunFacts, parts: Sequence[ResultNumbers], *, methods: str, limits: Sequence[str]
) -> dict[str, Any]:
    """The numbers; names of files are as `text.encode_name` writes them."""
    state, training = facts.state, facts.training
    return {
        "run": facts.run.name,
        "title": facts.title,
        "path": encode_name(str(facts.run.path.resolve())),
        "dataset": None if facts.dataset is None else encode_name(str(facts.dataset)),
        "classes": list(facts.classes),
        "images": {part: sum(of[part] for _, of in facts.counts()) for part in PARTS},
        "class_images": dict(facts.counts()) if facts.samples else {},
        "fingerprint": None if facts.fingerprint is None else facts.fingerprint.digest,
        "network": None if facts.card is None else facts.card.backbone,
        "parameters": facts.parameters or None,
        "settings": None
        if training is None
        else {field.name: getattr(training.config, field.name) for field in fields()},
        "command": None if training is None else training.command,
        "attempts": [
            {"device": each.device, "versions": each.versions, "resumed": each.resumed_at is not None}
            for each in facts.attempts
        ],
        "training_s": None if state is None else state.elapsed_s,
        "best_epoch": None if state is None or state.best is None else state.best.epoch,
        "history": []
        if state is None
        else [
            {"epoch": row.epoch, "train": _figures(row.train), "val": _figures(row.val)}
            for row in state.epochs
        ],
        "parts": [_part(numbers) for numbers in parts],
        "methods": methods,
        "limits": list(limits),
        "version": __version__,
    }


def _part(numbers: ResultNumbers) -> dict[str, Any]:
    results = numbers.evaluated.results
    areas = numbers.areas
    return {
        "run": results.run.name,
        "split": results.split,
        "dataset": encode_name(str(results.dataset)),
        "epoch": results.epoch,
        "images": numbers.image_count,
        "trained_on": numbers.evaluated.trained_on,
        "groups": numbers.group_count,
        "group_by": results.group_by,
        "metrics": {name: _estimate(value) for name, value in numbers.metrics.overall.items()},
        "per_class": [
            {
                "class": row.name,
                "support": row.support,
                **{name: _estimate(getattr(row, name)) for name in ("precision", "recall", "f1", "mcc")},
                "roc_area": None if areas is None else _finite(areas.roc[index]),
                "average_precision": None if areas is None else _finite(areas.precision_recall[index]),
            }
            for index, row in enumerate(numbers.metrics.by_class)
        ],
        **_confusion(numbers),
        "reliability": _reliability(numbers.reliability),
        "temperature": numbers.rule.temperature,
        "threshold": numbers.rule.threshold,
        "thresholds_by_class": numbers.rule.by_class,
        "answered": None if numbers.answered is None else asdict(numbers.answered),
        "reliability_with_temperature": _reliability(numbers.calibrated),
        "why_no_probabilities": numbers.why_no_probabilities or None,
        "top_losses": [
            {
                "file": encode_name(results.keys[loss.row].path),
                "frame": results.keys[loss.row].frame,
                "class": numbers.classes[loss.truth],
                "predicted": numbers.classes[loss.predicted],
                "loss": loss.loss,
            }
            for loss in numbers.losses
        ],
    }


def _estimate(estimate: Estimate) -> dict[str, Any]:
    interval = estimate.interval
    if interval is None:
        return {"value": _finite(estimate.value), "interval": None, "why_none": estimate.why_none}
    return {"value": _finite(estimate.value), "interval": asdict(interval)}


def _confusion(numbers: ResultNumbers) -> dict[str, Any]:
    if len(numbers.classes) <= MOST_DENSE_CLASSES:
        return {"confusion": numbers.confusion.tolist()}
    rows, columns = np.nonzero(numbers.confusion)
    counts = numbers.confusion[rows, columns]
    return {"confusion_cells": np.stack([rows, columns, counts], axis=1).tolist()}


def _reliability(found: Reliability | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "ece": found.ece,
        "edges": found.edges.tolist(),
        "confidence": found.confidence.tolist(),
        "accuracy": found.accuracy.tolist(),
        "images": found.counts.tolist(),
    }


def _figures(values: Mapping[str, float] | None) -> dict[str, float | None] | None:
    """Metrics of an epoch; a loss may have been none."""
    return None if values is None else {name: _finite(value) for name, value in values.items()}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
