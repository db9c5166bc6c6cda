"""Optimizers to choose from, each with the learning rate it starts with when none is given.

A new optimizer of torch is one row of `OPTIMIZERS`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer, with the values it uses where the user sets none.

    Attributes:
        title: Its name in the literature.
        torch_class: Its class in `torch.optim`.
        lr: Learning rate.
        weight_decay: 0.01 is mild where it is decoupled from the gradient (AdamW) and strong elsewhere.
        source: Where the two come from.
        has_momentum: Whether it takes the setting `momentum`, as Nesterov momentum.
    """

    title: str
    torch_class: str
    lr: float
    weight_decay: float
    source: str
    has_momentum: bool = False


OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer("Adam", "Adam", 1e-3, 0.0, "Kingma & Ba 2015, and the predecessor's default"),
    "adamw": Optimizer("AdamW", "AdamW", 1e-3, 0.01, "Loshchilov & Hutter 2019"),
    "adamax": Optimizer("AdaMax", "Adamax", 2e-3, 0.0, "Kingma & Ba 2015"),
    "adadelta": Optimizer("Adadelta", "Adadelta", 1.0, 0.0, "Zeiler 2012"),
    "adagrad": Optimizer("AdaGrad", "Adagrad", 1e-2, 0.0, "Duchi et al. 2011"),
    "sgd": Optimizer(
        "SGD with Nesterov momentum",
        "SGD",
        1e-2,
        1e-4,
        "Goyal et al. 2017, scaled to batches of 32",
        has_momentum=True,
    ),
}

if TYPE_CHECKING:
    OptimizerName = str
else:
    OptimizerName = Literal[tuple(OPTIMIZERS)]
