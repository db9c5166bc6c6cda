"""Optimizers, and the schedule of the learning rate.

The rate of a step depends on its position in the run (and, for `plateau`, on the metrics so far), never on how often
something was called: a resumed run has the same rates as an uninterrupted one.
"""

import math
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mia_tui.catalog.optimizers import OPTIMIZERS
from mia_tui.config.train import TrainConfig
from mia_tui.decoding import Count, check
from mia_tui.engine.network.layer_stages import learning_shares

_HOW = ("lr", "fused", "foreach", "capturable", "differentiable")
"""Settings of an optimizer that say how it computes, and not what: those of a saved state are of its device."""

PLATEAU_MIN_DELTA = 1e-4
"""A smaller change is no improvement. Source: Keras, ReduceLROnPlateau, which the predecessor uses."""


def base_lr(config: TrainConfig) -> float:
    """The learning rate a run starts with: the user's, or the default of the optimizer."""
    return OPTIMIZERS[config.optimizer].lr if config.lr is None else config.lr


def base_weight_decay(config: TrainConfig) -> float:
    """The weight decay of a run: the user's, or the default of the optimizer."""
    default = OPTIMIZERS[config.optimizer].weight_decay
    return default if config.weight_decay is None else config.weight_decay


def make_optimizer(model: nn.Module, config: TrainConfig) -> Optimizer:
    """The optimizer of a run, over the parameters that are to be trained.

    Weight decay leaves out parameters of one dimension: biases, and the scale and shift of norms. With `layer_decay`
    each group also has an `lr_scale`: its rate as a share of that of the schedule.

    It is computed as its row in the catalogue says for the device of the model. On an NVIDIA GPU, rates are tensors
    there, so that setting them is part of the GPU's work, and a CUDA graph can hold a step.
    """
    row = OPTIMIZERS[config.optimizer]
    kind = next(model.parameters()).device.type
    options: dict[str, Any] = {"lr": base_lr(config)}
    if kind in row.fused_on:
        options["fused"] = True
    if row.has_momentum:
        # torch refuses Nesterov without momentum, where the two are the same thing anyway.
        options |= {"momentum": config.momentum, "nesterov": config.momentum > 0}
    optimizer: type[Optimizer] = getattr(torch.optim, row.torch_class)
    made = optimizer(list(_parameter_groups(model, base_weight_decay(config), config.layer_decay)), **options)
    if kind == "cuda" and row.is_recordable:
        _make_recordable(made)
    return made


def _make_recordable(optimizer: Optimizer) -> None:
    """Keep rates and numbers of steps on the GPU; torch also lets an optimizer take part in a CUDA graph so."""
    # It says that this "can impair performance" without a graph, which is not so where a step is fused.
    warnings.filterwarnings("ignore", "This instance was constructed with capturable=True")
    for group in optimizer.param_groups:
        if "capturable" in group:
            group["capturable"] = True
        group["lr"] = torch.tensor(group["lr"], dtype=torch.float32, device=group["params"][0].device)


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Set the learning rate of a group; a tensor is filled, since recorded steps read that one."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def optimizer_state(optimizer: Optimizer) -> dict[str, Any]:
    """The state of an optimizer to be saved; its rates are numbers, on every device."""
    state: dict[str, Any] = optimizer.state_dict()
    groups = [{**group, "lr": float(group["lr"])} for group in state["param_groups"]]
    return {**state, "param_groups": groups}


def load_optimizer_state(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Restore what `optimizer_state` returned, also on another device or by an earlier version.

    How it is computed, and its rates, stay those of this optimizer: torch would take them over from the state.

    Raises:
        ValueError: Or a RuntimeError, LookupError, TypeError or AttributeError, if the state is of another network,
            or damaged.
    """
    own = [dict(group) for group in optimizer.param_groups]
    groups = [
        saved | {name: group[name] for name in _HOW if name in group}
        for saved, group in zip(state["param_groups"], own, strict=True)
    ]
    optimizer.load_state_dict({**state, "param_groups": groups})
    for group, before in zip(optimizer.param_groups, own, strict=True):
        group["lr"] = before["lr"]  # the very same tensor
    _check_state(optimizer, own)


def _check_state(optimizer: Optimizer, own: list[dict[str, Any]]) -> None:
    """Refuse a state that the optimizer accepts without a check, and that would fail at the next step.

    Args:
        optimizer: With the loaded state.
        own: Its settings before.

    Raises:
        ValueError: If a setting or a tensor is of another kind.
    """
    for group, before in zip(optimizer.param_groups, own, strict=True):
        if any(name in group and type(group[name]) is not type(value) for name, value in before.items()):
            raise ValueError("settings of the optimizer are of another kind")
    for parameter, values in optimizer.state.items():
        for value in values.values():
            if isinstance(value, Tensor) and value.ndim and value.shape != parameter.shape:
                raise ValueError("the optimizer's state is of another network")


class _Saved(msgspec.Struct):
    """State of `plateau`."""

    reductions: Count
    best: float | None
    stale_epochs: Count


class Schedule:
    """Sets the learning rate of an optimizer, step by step.

    While only the head learns (`freeze_epochs`), its rate is that of the start; the schedule begins after that, with
    its warm-up, and the rest of the run is its length.

    Args:
        optimizer: All its groups get the same rate, or their own shares of it.
        config: Start of the rate, and which schedule it follows.
        steps_per_epoch: Steps of a whole epoch.
    """

    def __init__(self, optimizer: Optimizer, config: TrainConfig, steps_per_epoch: int) -> None:
        self._optimizer = optimizer
        self._config = config
        self._steps_per_epoch = steps_per_epoch
        self._frozen_steps = round(config.freeze_epochs * steps_per_epoch)
        # Kept here: a loaded state of an earlier version takes what is not in it out of the groups.
        self._shares = [group.get("lr_scale", 1.0) for group in optimizer.param_groups]
        self._base = base_lr(config)
        self._floor = min(config.min_lr, self._base)
        self._reductions = 0
        self._best: float | None = None
        self._stale_epochs = 0
        self.set_step(1, 0)

    @property
    def lr(self) -> float:
        """Learning rate of the next step."""
        return self._lr

    def set_step(self, epoch: int, step: int) -> None:
        """Set the rate of the next step.

        Args:
            epoch: From 1.
            step: Steps of this epoch that are done, from 0.
        """
        self.set_rate(max(self._floor, self._rate(epoch, step)))

    def set_rate(self, rate: float) -> None:
        """Set the rate of the next step, whatever the schedule says."""
        self._lr = rate
        for group, share in zip(self._optimizer.param_groups, self._shares, strict=True):
            set_rate(group, self._lr * share)

    def is_frozen(self, epoch: int, step: int) -> bool:
        """Whether only the head learns in the next step, of the place as in `set_step`."""
        return self._done(epoch, step) < self._frozen_steps

    def ends_frozen(self, epoch: int) -> bool:
        """Whether only the head learns up to the end of an epoch (from 1)."""
        return self.is_frozen(epoch, self._steps_per_epoch - 1)

    def epoch_ended(self, value: float, higher_is_better: bool) -> None:
        """Take in the watched metric of an epoch, for `plateau`; nan is no improvement. Other schedules ignore it."""
        if self._config.schedule != "plateau":
            return
        gain = math.inf if self._best is None else (value - self._best) * (1 if higher_is_better else -1)
        if not math.isnan(value) and gain > PLATEAU_MIN_DELTA:
            self._best = value
            self._stale_epochs = 0
            return
        self._stale_epochs += 1
        if self._stale_epochs >= self._config.plateau_patience:
            self._reductions += 1
            self._stale_epochs = 0

    def state_dict(self) -> dict[str, Any]:
        """State of `plateau`; everything else follows from the position in the run."""
        return {"reductions": self._reductions, "best": self._best, "stale_epochs": self._stale_epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned; call `set_step` afterwards."""
        saved = check(state, _Saved)
        self._reductions, self._best, self._stale_epochs = saved.reductions, saved.best, saved.stale_epochs

    def _rate(self, epoch: int, step: int) -> float:
        config = self._config
        if self.is_frozen(epoch, step):
            return self._base
        done = self._done(epoch, step) - self._frozen_steps
        match config.schedule:
            case "constant":
                return self._base
            case "plateau":
                return self._base * config.plateau_factor**self._reductions
            case "step":
                return self._base * config.step_factor ** (
                    done // max(1, self._steps_per_epoch) // config.step_epochs
                )
            case "cosine":
                return self._cosine(done)

    def _done(self, epoch: int, step: int) -> int:
        return (epoch - 1) * self._steps_per_epoch + step

    def _cosine(self, done: int) -> float:
        """Linear warm-up (half of the steps at most), then half a cosine down to the floor.

        Source: Loshchilov & Hutter, "SGDR", 2017, eq. 5, without restarts.
        """
        total = self._config.epochs * self._steps_per_epoch - self._frozen_steps
        warmup = min(round(self._config.warmup_epochs * self._steps_per_epoch), total // 2)
        if done < warmup:
            return self._base * (done + 1) / warmup
        progress = min(1.0, (done - warmup) / max(1, total - warmup))
        return self._floor + (self._base - self._floor) * (1 + math.cos(math.pi * progress)) / 2


def _parameter_groups(model: nn.Module, weight_decay: float, layer_decay: float) -> Iterator[dict[str, Any]]:
    """The parameters with weight decay, then those without; with `layer_decay` both of one share after the other.

    Not timm's `param_groups_weight_decay`: that puts the two in the other order, and into a single group where the
    weight decay is 0. The optimizer's state in last.pt is stored by position, so earlier runs could not be resumed.
    """
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if layer_decay == 1:
        yield from _with_and_without_decay(trained.values(), weight_decay)
        return
    shares = learning_shares(model, layer_decay)
    for share in sorted({shares[name] for name in trained}):
        group = [p for name, p in trained.items() if shares[name] == share]
        for made in _with_and_without_decay(group, weight_decay):
            yield made | {"lr_scale": share}


def _with_and_without_decay(trained: Iterable[nn.Parameter], weight_decay: float) -> Iterator[dict[str, Any]]:
    trained = list(trained)
    decayed = [p for p in trained if p.ndim > 1]
    spared = [p for p in trained if p.ndim <= 1]
    for params, decay in ((decayed, weight_decay), (spared, 0.0)):
        if params:
            yield {"params": params, "weight_decay": decay}
