"""Losses, from logits.

Every loss is given as two values for each image, a numerator and a
denominator; the loss of a batch is `sum(numerators) / sum(denominators)`.
Without class weights the denominators are 1. Kept apart, the two can be summed
over parts of a batch that does not fit the device, and over a whole epoch,
without changing what is minimised.

With targets p, predictions q = softmax(logits) and class weights w:

    cross entropy   -sum(w p log q)                 / sum(w p)
    focal           -sum(w (1 - q)^gamma p log q)   / sum(w p)
    kl              sum(w p) sum(p log p - p log q) / sum(w p)

(torch divides by the number of images instead once targets are probabilities,
so its loss would change scale with them.) With fixed targets `kl` has cross
entropy's gradients; its value is smaller by the entropy of the targets.

A new loss is a function below marked with `@formula`, and its name in
`catalog.losses`; its parameters are fields of TrainConfig, which it is given.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mia_tui.catalog.losses import LOSSES
from mia_tui.config.train import TrainConfig


@dataclass(frozen=True)
class LossInputs:
    """What formulas are made of, float32 (float64 for float64 logits).

    Attributes:
        log_q: Logarithm of the predicted probabilities, shape (N, C).
        p: Target probabilities, shape (N, C).
        w: Weight of each class, shape (C,).
        share: sum(w p), the denominator, shape (N,).
    """

    log_q: Tensor
    p: Tensor
    w: Tensor
    share: Tensor


Formula = Callable[[LossInputs, TrainConfig], Tensor]
_FORMULAS: dict[str, Formula] = {}


def formula(name: str) -> Callable[[Formula], Formula]:
    """Register the numerators of a loss: from its inputs and the settings of the run to a tensor of shape (N,).

    Sums of products are to be used, no matmul: autocast would turn that one into bfloat16.

    Raises:
        ValueError: If `catalog.losses` has no loss of that name.
    """
    if name not in LOSSES:
        raise ValueError(f"catalog/losses.py has no loss {name!r}")

    def register(function: Formula) -> Formula:
        _FORMULAS[name] = function
        return function

    return register


@formula("cross_entropy")
def _cross_entropy(loss: LossInputs, config: TrainConfig) -> Tensor:
    return -(loss.w * loss.p * loss.log_q).sum(dim=1)


@formula("focal")
def _focal(loss: LossInputs, config: TrainConfig) -> Tensor:
    """Easy images count less.

    With soft targets its minimum is not where predictions equal targets (for p = (.9, .1) and gamma 2 it is
    q = (.694, .306)).

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017, eq. 4.
    """
    # 1 - q without cancellation for q near 1, and without infinite gradients for gamma below 1.
    miss = (-torch.expm1(loss.log_q)).clamp_min(torch.finfo(loss.log_q.dtype).tiny)  # (N, C)
    return -(loss.w * miss**config.focal_gamma * loss.p * loss.log_q).sum(dim=1)


@formula("kl")
def _kl_divergence(loss: LossInputs, config: TrainConfig) -> Tensor:
    """Kullback-Leibler divergence of the targets from the predictions."""
    return loss.share * (torch.xlogy(loss.p, loss.p) - loss.p * loss.log_q).sum(dim=1)


def loss_terms(
    config: TrainConfig, logits: Tensor, targets: Tensor, *, class_weights: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Numerator and denominator of the loss, for each image.

    Args:
        config: Which loss, its parameters, and how much of each target is spread evenly over all classes.
        logits: Raw scores, shape (N, C); half precision is computed in float32.
        targets: Class ids, shape (N,), int64, in [0, C); or probabilities, shape (N, C).
        class_weights: Weight of each class, shape (C,), same device as logits.

    Returns:
        Two tensors of shape (N,), float32 (float64 for float64 logits).

    Raises:
        ValueError: If the shapes do not fit, or there is no such loss.
    """
    if config.loss not in _FORMULAS:
        raise ValueError(f"no loss {config.loss!r}")
    log_q = F.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)  # (N, C)
    p = _target_distribution(log_q, targets, config.label_smoothing)  # (N, C)
    w = _weights(log_q, class_weights)  # (C,)
    share = (w * p).sum(dim=1)  # (N,)
    return _FORMULAS[config.loss](LossInputs(log_q, p, w, share), config), share


def _target_distribution(log_q: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:
    count, classes = log_q.shape
    if targets.shape == (count,):
        p = F.one_hot(targets, classes).to(log_q.dtype)
    elif targets.shape == (count, classes):
        p = targets.to(log_q.dtype)
    else:
        raise ValueError(f"targets {tuple(targets.shape)} do not fit logits {(count, classes)}")
    return p * (1 - label_smoothing) + label_smoothing / classes if label_smoothing else p


def _weights(log_q: Tensor, class_weights: Tensor | None) -> Tensor:
    classes = log_q.shape[1]
    if class_weights is None:
        return log_q.new_ones(classes)
    if class_weights.shape != (classes,):
        raise ValueError(f"class weights {tuple(class_weights.shape)} do not fit {classes} classes")
    return class_weights.to(log_q.dtype)
