"""Settings of an evaluation: which network, on which labelled images."""

from typing import ClassVar

from mia_tui.config.predict import NetworkConfig
from mia_tui.decoding import Count, Text


class EvaluateConfig(NetworkConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Compares a network's predictions with the labels of the images in samples.jsonl.

    Attributes:
        split: The part of the dataset that these images are, see `runs.evaluation.evaluation_set`.
        trained_on: How many of them the network was trained on.
        group_by: Regular expression on the path; images with the same match are a group, over which intervals are
            computed. None where only images of one file belong together.
    """

    kind: ClassVar[str] = "evaluate"
    noun: ClassVar[str] = "evaluation"

    split: Text
    trained_on: Count = 0
    group_by: Text | None = None
