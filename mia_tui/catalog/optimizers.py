"""Optimizers to choose from, each with the learning rate it starts with when none is given."""

from dataclasses import dataclass
from typing import Literal

OptimizerName = Literal["adam", "adamw", "adamax", "adadelta", "adagrad", "sgd"]


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer with what it starts from where the user names nothing.

    Attributes:
        lr: Learning rate.
        weight_decay: 0.01 is mild where it is decoupled from the gradient (AdamW) and strong elsewhere.
        source: Where the two come from.
    """

    title: str
    lr: float
    weight_decay: float
    source: str


OPTIMIZERS: dict[OptimizerName, Optimizer] = {
    "adam": Optimizer("Adam", 1e-3, 0.0, "Kingma & Ba 2015, and the predecessor's default"),
    "adamw": Optimizer("AdamW", 1e-3, 0.01, "Loshchilov & Hutter 2019"),
    "adamax": Optimizer("AdaMax", 2e-3, 0.0, "Kingma & Ba 2015"),
    "adadelta": Optimizer("Adadelta", 1.0, 0.0, "Zeiler 2012"),
    "adagrad": Optimizer("AdaGrad", 1e-2, 0.0, "Duchi et al. 2011"),
    "sgd": Optimizer("SGD with Nesterov momentum", 1e-2, 1e-4, "Goyal et al. 2017, scaled to batches of 32"),
}
