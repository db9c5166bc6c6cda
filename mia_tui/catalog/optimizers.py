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
        fused_on: Kinds of devices where one kernel for all weights is the fastest way to compute it, in all versions
            of torch that are supported. Elsewhere it is computed as torch does by default: weight by weight on a CPU,
            operation by operation for all weights (foreach) on a GPU. On two cores with resnet18, AdamW takes 15 ms
            fused, 58 ms with foreach and 76 ms weight by weight, but SGD 10, 4 and 5 ms.
        is_recordable: Whether a CUDA graph can hold its step.
    """

    title: str
    torch_class: str
    lr: float
    weight_decay: float
    source: str
    has_momentum: bool = False
    fused_on: tuple[str, ...] = ()
    is_recordable: bool = True


_FUSED = ("cuda", "cpu")

OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer(
        "Adam", "Adam", 1e-3, 0.0, "Kingma & Ba 2015, and the predecessor's default", fused_on=_FUSED
    ),
    "adamw": Optimizer("AdamW", "AdamW", 1e-3, 0.01, "Loshchilov & Hutter 2019", fused_on=_FUSED),
    "adamax": Optimizer("AdaMax", "Adamax", 2e-3, 0.0, "Kingma & Ba 2015"),
    "adadelta": Optimizer("Adadelta", "Adadelta", 1.0, 0.0, "Zeiler 2012"),
    "adagrad": Optimizer(
        "AdaGrad", "Adagrad", 1e-2, 0.0, "Duchi et al. 2011", fused_on=("cpu",), is_recordable=False
    ),
    "sgd": Optimizer(
        "SGD with Nesterov momentum",
        "SGD",
        1e-2,
        1e-4,
        "Goyal et al. 2017, scaled to batches of 32",
        has_momentum=True,
        fused_on=("cuda",),
    ),
}

if TYPE_CHECKING:
    OptimizerName = str
else:
    OptimizerName = Literal[tuple(OPTIMIZERS)]
