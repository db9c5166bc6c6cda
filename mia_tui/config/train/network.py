"""Settings of a training: the network."""

from functools import partial
from typing import Annotated

from msgspec import Struct

from mia_tui.config.train.about import MOST, about

_network = partial(about, "Network")


class NetworkSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the network is, and what of it learns."""

    backbone: Annotated[
        str,
        _network("The network that learns; `mia-tui backbones` lists them, timm:NAME is any other of timm."),
    ] = "resnet18"
    weights: Annotated[
        str,
        _network(
            "What the network knows at the start: none, imagenet (it was trained on a million photographs), or a "
            "file or folder of weights, as those of an earlier run.",
            min_length=1,
        ),
    ] = "none"
    drop_rate: Annotated[
        float,
        _network(
            "Share of the last features that are left out at random in each step (dropout).", ge=0.0, lt=1.0
        ),
    ] = 0.0
    drop_path_rate: Annotated[
        float,
        _network(
            "Share of the layers that are skipped at random in a step (stochastic depth); not all networks have it.",
            ge=0.0,
            lt=1.0,
        ),
    ] = 0.0
    ema_decay: Annotated[
        float,
        _network(
            "How slowly a running mean of the weights (EMA) follows them; the mean is validated and saved; 0 is off.",
            ge=0.0,
            lt=1.0,
        ),
    ] = 0.0
    average_epochs: Annotated[
        int,
        _network(
            "The mean of the weights at the end of the last so many epochs is validated and saved; 0 is off.",
            "epochs",
            ge=0,
            le=MOST,
        ),
    ] = 0
    refresh_norms: Annotated[
        bool,
        _network(
            "Whether the statistics of batch normalisation are measured anew, on training images, before each "
            "validation.",
        ),
    ] = False
    freeze_epochs: Annotated[
        float,
        _network(
            "Epochs at the start in which only the head learns, and the rest of the network stays as it was.",
            "epochs",
            ge=0.0,
            le=MOST,
        ),
    ] = 0.0
    layer_decay: Annotated[
        float,
        _network(
            "Learning rate of each stage of the network as a share of that of the stage after it; 1 is the same for "
            "all.",
            gt=0.0,
            le=1.0,
        ),
    ] = 1.0
