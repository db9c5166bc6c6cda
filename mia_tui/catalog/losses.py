"""Losses to choose from. The formulas stand in engine/training/losses.py."""

from typing import Literal

LossName = Literal["cross_entropy", "focal", "kl"]

LOSSES: dict[LossName, str] = {
    "cross_entropy": "cross entropy",
    "focal": "focal loss: easy images count less (Lin et al. 2017)",
    "kl": "Kullback-Leibler divergence from targets to predictions",
}

ClassWeighting = Literal["none", "inverse", "effective", "manual"]

CLASS_WEIGHTINGS: dict[ClassWeighting, str] = {
    "none": "every image counts the same",
    "inverse": "1 / number of images of the class, scaled to a mean of 1 over the images",
    "effective": "1 / effective number of images of the class (Cui et al. 2019)",
    "manual": "as given: NAME=WEIGHT,NAME=WEIGHT; classes left out weigh 1",
}
