"""The figures of results as one JSON object, which the page `results` of the manual explains."""

import math
from dataclasses import asdict
from typing import Any

from mia_tui.analysis.metrics import ClassEstimates, Estimate
from mia_tui.cli.output import tables
from mia_tui.cli.results.figures import ResultFigures
from mia_tui.config.evaluate import EvaluateConfig
from mia_tui.runs.evaluation.pairs import CommonResults
from mia_tui.runs.evaluation.results import Results
from mia_tui.text import encode_name

_OF_CLASS = ("precision", "recall", "f1", "mcc")


def results_record(figures: ResultFigures) -> dict[str, Any]:
    """All figures of one run."""
    results, table, areas = figures.results, figures.table, figures.areas
    config = results.run.job().config
    evaluated = config if isinstance(config, EvaluateConfig) else None
    return {
        "run": results.run.name,
        "path": encode_name(str(results.run.path.resolve())),
        "network": results.run.name if evaluated is None else evaluated.network,
        "split": results.split,
        "tta": results.tta,
        "samples": figures.image_count,
        "trained_on": 0 if evaluated is None else evaluated.trained_on,
        **{name: table.overall[name].value for name in tables.FIGURES},
        "classes": list(results.classes),
        "per_class": [_class_record(figures, place, row) for place, row in enumerate(table.by_class)],
        "confusion": figures.counts.tolist(),
        "epoch": results.epoch,
        "dataset": encode_name(str(results.dataset)),
        "groups": figures.group_count,
        "group_by": results.group_by,
        "intervals": {name: interval_record(table.overall[name]) for name in tables.FIGURES},
        "roc_area": None if areas is None else areas.macro_roc,
        "average_precision": None if areas is None else areas.macro_precision_recall,
        "calibration": None if figures.calibration is None else asdict(figures.calibration),
        "top_losses": [
            {
                **image_record(results, each.row),
                "truth": results.classes[each.truth],
                "predicted": results.classes[each.predicted],
                "probability": each.probability,
                "truth_probability": each.truth_probability,
                "loss": each.loss,
            }
            for each in figures.losses
        ],
    }


def comparison_record(common: CommonResults) -> dict[str, Any]:
    """How two runs compare, and the images to which they give different classes."""
    test, one, other = common.test, common.one, common.other
    return {
        "images": len(one.truth),
        "both_right": test.both,
        "only_first_right": test.only_one,
        "only_second_right": test.only_other,
        "both_wrong": test.neither,
        "mcnemar_p": test.p,
        "mcnemar_method": test.method,
        "accuracy_difference": common.difference.value,
        "accuracy_difference_interval": interval_record(common.difference),
        "relabelled": common.relabelled,
        "differing": [
            {
                **image_record(one, row),
                "truth": one.classes[one.truth[row]],
                "predicted": one.classes[one.predicted[row]],
                "predicted_by_second": other.classes[other.predicted[row]],
            }
            for row in common.differing.tolist()
        ],
    }


def interval_record(estimate: Estimate) -> dict[str, Any]:
    """{low, high, method}, or {why_none}."""
    return {"why_none": estimate.why_none} if estimate.interval is None else asdict(estimate.interval)


def image_record(results: Results, row: int) -> dict[str, Any]:
    """An image, as predictions name it."""
    key = results.keys[row]
    return {"file": encode_name(key.path), "frame": key.frame}


def _class_record(figures: ResultFigures, place: int, row: ClassEstimates) -> dict[str, Any]:
    areas = figures.areas
    return {
        "class": row.name,
        "support": row.support,
        **{name: getattr(row, name).value for name in _OF_CLASS},
        "roc_area": None if areas is None else _defined(float(areas.roc[place])),
        "average_precision": None if areas is None else _defined(float(areas.precision_recall[place])),
        "intervals": {name: interval_record(getattr(row, name)) for name in _OF_CLASS},
    }


def _defined(value: float) -> float | None:
    return value if math.isfinite(value) else None
