"""Metrics to watch in training, all computed from one confusion matrix.

A new metric is a line here, and its value under the same name in `overall_metrics` of analysis/formulas.py.
"""

from typing import TYPE_CHECKING, Literal

METRICS: dict[str, str] = {
    "accuracy": "share of images that are right",
    "balanced_accuracy": "mean recall of the classes that have images",
    "macro_precision": "mean precision of the classes",
    "macro_recall": "mean recall of the classes",
    "macro_f1": "mean F1 of the classes",
    "weighted_precision": "mean precision, classes weighted by their images",
    "weighted_recall": "mean recall, classes weighted by their images",
    "weighted_f1": "mean F1, classes weighted by their images",
    "mcc": "Matthews correlation coefficient",
    "loss": "the loss itself; lower is better",
}

if TYPE_CHECKING:
    MetricName = str
else:
    MetricName = Literal[tuple(METRICS)]


def metric_words(metric: MetricName) -> str:
    """A metric as people write it: `macro F1`."""
    return metric.replace("_", " ").replace("f1", "F1").replace("mcc", "MCC")


def higher_is_better(metric: MetricName) -> bool:
    """Whether a larger value of the metric is the better one."""
    return metric != "loss"


def shown_metric(metric: MetricName) -> MetricName:
    """The metric to show for a run that watches `metric`.

    A loss tells epochs of one run apart, but says little to a person and nothing across runs with other losses.
    """
    return "macro_f1" if metric == "loss" else metric
