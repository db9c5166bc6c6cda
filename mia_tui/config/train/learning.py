"""Settings of a training: what the network is told of its mistakes, and how it learns from them."""

from functools import partial
from typing import Annotated

from msgspec import Meta

from mia_tui.catalog.losses import LossName
from mia_tui.catalog.metrics import MetricName
from mia_tui.catalog.optimizers import OptimizerName
from mia_tui.catalog.schedules import ScheduleName
from mia_tui.config.train.about import LARGEST, MOST, about, has_value
from mia_tui.config.train.input import InputSettings

_loss = partial(about, "Loss and metric")
_optimizer = partial(about, "Optimizer")
_schedule = {
    name: partial(_optimizer, only_if=has_value("schedule", name)) for name in ("plateau", "step", "cosine")
}


class LearningSettings(InputSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Loss, metric, optimizer and learning rate."""

    loss: Annotated[LossName, _loss("What the network is told about its mistakes.")] = "cross_entropy"
    focal_gamma: Annotated[
        float,
        _loss(
            "How much the focal loss dwells on hard images; 0 is cross entropy.",
            ge=0.0,
            le=10.0,
            only_if=has_value("loss", "focal"),
        ),
    ] = 2.0
    label_smoothing: Annotated[
        float,
        _loss(
            "Share of each label that is spread over all classes, so that the network is never told to be quite "
            "sure.",
            ge=0.0,
            lt=1.0,
        ),
    ] = 0.0
    class_weights: Annotated[
        str,
        _loss(
            "How much a mistake counts in each class: none (the same), inverse (the fewer images, the more), "
            "sqrt and effective (the same, gentler), or by hand: NAME=WEIGHT,NAME=WEIGHT (others weigh 1).",
            min_length=1,
        ),
    ] = "none"
    effective_beta: Annotated[
        float,
        _loss(
            "Beta of the effective number of images (Cui et al. 2019).",
            gt=0.0,
            lt=1.0,
            only_if=lambda config: config.class_weights.strip() == "effective",
        ),
    ] = 0.999
    metric: Annotated[
        MetricName,
        _loss(
            "Figure of the validation part that decides which epoch is best, and is kept. The default is the loss: "
            "it differs between epochs of the same accuracy, which are frequent with a few hundred images."
        ),
    ] = "loss"

    optimizer: Annotated[OptimizerName, _optimizer("How the weights follow what is learned in a step.")] = (
        "adamw"
    )
    lr: Annotated[
        Annotated[float, Meta(gt=0.0, le=LARGEST)] | None,  # msgspec takes limits inside a union only
        _optimizer(
            "How far the weights go in a step, at the start; left out, the optimizer's own default.",
            title="learning rate",
        ),
    ] = None
    weight_decay: Annotated[
        Annotated[float, Meta(ge=0.0, le=LARGEST)] | None,
        _optimizer(
            "How strongly weights are pulled to 0 (biases and norms are spared); left out, the optimizer's own "
            "default."
        ),
    ] = None
    momentum: Annotated[
        float,
        _optimizer(
            "How much of the last step's direction SGD keeps (Nesterov).",
            ge=0.0,
            lt=1.0,
            only_if=has_value("optimizer", "sgd"),
        ),
    ] = 0.9
    schedule: Annotated[ScheduleName, _optimizer("How the learning rate changes during the training.")] = (
        "cosine"
    )
    plateau_factor: Annotated[
        float, _schedule["plateau"]("plateau: what the learning rate is multiplied by.", gt=0.0, lt=1.0)
    ] = 0.2
    plateau_patience: Annotated[
        int,
        _schedule["plateau"](
            "plateau: epochs without improvement before the learning rate falls.", "epochs", ge=1, le=MOST
        ),
    ] = 5
    step_factor: Annotated[
        float, _schedule["step"]("step: what the learning rate is multiplied by.", gt=0.0, lt=1.0)
    ] = 0.5
    step_epochs: Annotated[
        int,
        _schedule["step"]("step: epochs between two changes of the learning rate.", "epochs", ge=1, le=MOST),
    ] = 25
    min_lr: Annotated[
        float,
        _optimizer(
            "Lowest learning rate; the schedule does not go below it.",
            ge=0.0,
            le=LARGEST,
            only_if=lambda config: config.schedule != "constant",
            title="lowest learning rate",
        ),
    ] = 1e-6
    warmup_epochs: Annotated[
        float,
        _schedule["cosine"](
            "cosine: epochs in which the learning rate rises from 0.", "epochs", ge=0.0, le=MOST
        ),
    ] = 1.0
