"""Losses to choose from, by name, with what each is in words.

A new loss is a line here and its formula, marked with `@formula`, in engine/training/losses.py; a parameter of it is
a field in config/train/, such as `focal_gamma`, with a value in the recipe `mia` of config/train/recipes.py.
"""

from typing import TYPE_CHECKING, Literal

LOSSES: dict[str, str] = {
    "cross_entropy": "cross entropy",
    "focal": "focal loss: easy images count less (Lin et al. 2017)",
    "kl": "Kullback-Leibler divergence from targets to predictions",
}

if TYPE_CHECKING:
    LossName = str
else:
    LossName = Literal[tuple(LOSSES)]

ClassWeighting = Literal["none", "inverse", "sqrt", "effective", "manual"]

CLASS_WEIGHTINGS: dict[ClassWeighting, str] = {
    "none": "every image counts the same",
    "inverse": "1 / number of images of the class, scaled to a mean of 1 over the images",
    "sqrt": "1 / square root of the number of images of the class, scaled likewise",
    "effective": "1 / effective number of images of the class (Cui et al. 2019)",
    "manual": "as given: NAME=WEIGHT,NAME=WEIGHT; classes left out weigh 1",
}
