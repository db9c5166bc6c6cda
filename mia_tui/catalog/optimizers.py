"""Optimizers to choose from, each with the learning rate it starts with when none is given."""

from dataclasses import dataclass
from typing import Literal

OptimizerName = Literal["adam", "adamw", "adamax", "adadelta", "adagrad", "sgd"]


@dataclass(frozen=True, slots=True)
class Optimizer:
    """`lr` is used when the user names none; `lr_source` says where it comes from."""

    title: str
    lr: float
    lr_source: str


OPTIMIZERS: dict[OptimizerName, Optimizer] = {
    "adam": Optimizer("Adam", 1e-3, "Kingma & Ba 2015, and the predecessor's default"),
    "adamw": Optimizer("AdamW", 1e-3, "Loshchilov & Hutter 2019"),
    "adamax": Optimizer("AdaMax", 2e-3, "Kingma & Ba 2015"),
    "adadelta": Optimizer("Adadelta", 1.0, "Zeiler 2012"),
    "adagrad": Optimizer("AdaGrad", 1e-2, "Duchi et al. 2011"),
    "sgd": Optimizer("SGD with Nesterov momentum", 1e-2, "common for batches of 32"),
}
