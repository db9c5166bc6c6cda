"""The mean of a network's weights over the ends of epochs."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from torch import nn
from torch.optim.swa_utils import AveragedModel

from mia_tui.decoding import check


class _Place(msgspec.Struct):
    last_epoch: Annotated[int, Meta(ge=0, le=2**53)]


class EpochAverage:
    """The mean of the weights at the end of each epoch from one on; before that there is none.

    Its batch normalisation is that of the last epoch: measure it anew (`norms.measure_norms`) before it is used.

    Args:
        first: Number of the first epoch that is part of it.

    Source: Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018.
    """

    def __init__(self, first: int) -> None:
        self._first, self._last = first, 0
        self._averaged: AveragedModel | None = None

    @property
    def model(self) -> nn.Module | None:
        """The network with the mean of the weights; None before the first of its epochs is over."""
        module: nn.Module | None = None if self._averaged is None else self._averaged.module
        return module

    @property
    def count(self) -> int:
        """Of how many epochs it is the mean."""
        return 0 if self._averaged is None else int(self._averaged.n_averaged)

    def epoch_ended(self, epoch: int, model: nn.Module) -> None:
        """Take in the weights at the end of an epoch; each epoch counts once, however often this is called."""
        if epoch < self._first or epoch <= self._last:
            return
        self._last = epoch
        if self._averaged is None:
            self._averaged = AveragedModel(model)
        self._averaged.update_parameters(model)

    def state_dict(self) -> dict[str, Any]:
        weights = None if self._averaged is None else self._averaged.state_dict()
        return {"last_epoch": self._last, "weights": weights}

    def load_state_dict(self, state: dict[str, Any], model: nn.Module) -> None:
        """Restore what `state_dict` returned.

        Args:
            state: What it returned.
            model: The network whose weights are averaged.

        Raises:
            RuntimeError: Or a LookupError, TypeError or BadRecord, if it is of another network or damaged.
        """
        self._last = check(state, _Place).last_epoch
        self._averaged = None
        if state["weights"] is not None:
            self._averaged = AveragedModel(model)
            self._averaged.load_state_dict(state["weights"])
