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
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from mia_tui.catalog.losses import LossName


def loss_terms(
    name: LossName,
    logits: Tensor,
    targets: Tensor,
    *,
    class_weights: Tensor | None = None,
    gamma: float = 2.0,
    label_smoothing: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Numerator and denominator of the loss, for each image.

    Args:
        name: One of the catalogue.
        logits: Raw scores, shape (N, C); half precision is computed in float32.
        targets: Class ids, shape (N,), int64, in [0, C); or probabilities, shape (N, C).
        class_weights: Weight of each class, shape (C,), same device as logits.
        gamma: Focusing strength of `focal`; 0 is cross entropy.
        label_smoothing: Share of each target spread evenly over all classes.

    Returns:
        Two tensors of shape (N,), float32 (float64 for float64 logits). `weighted_mean` joins them.

    Raises:
        ValueError: If the shapes do not fit, or there is no such loss.
    """
    log_q = F.log_softmax(logits.to(torch.promote_types(logits.dtype, torch.float32)), dim=1)  # (N, C)
    p = _target_distribution(log_q, targets, label_smoothing)  # (N, C)
    w = _weights(log_q, class_weights)  # (C,)
    # Sums of products, not matmul: autocast would turn that one into bfloat16.
    share = (w * p).sum(dim=1)  # (N,)
    match name:
        case "cross_entropy":
            return -(w * p * log_q).sum(dim=1), share
        case "focal":
            return -(w * _focus(log_q, gamma) * p * log_q).sum(dim=1), share
        case "kl":
            return share * (torch.xlogy(p, p) - p * log_q).sum(dim=1), share
    raise ValueError(f"no loss {name!r}")


def weighted_mean(numerators: Tensor, denominators: Tensor) -> Tensor:
    """The loss of a batch, a scalar; 0 where every image has a class of weight 0."""
    total = denominators.sum()
    return numerators.sum() / total.clamp_min(torch.finfo(total.dtype).tiny)


def cross_entropy(
    logits: Tensor, targets: Tensor, *, class_weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Mean cross entropy over a batch; arguments as in `loss_terms`."""
    return weighted_mean(
        *loss_terms(
            "cross_entropy", logits, targets, class_weights=class_weights, label_smoothing=label_smoothing
        )
    )


def focal_loss(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma: float = 2.0,
    class_weights: Tensor | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Mean focal loss over a batch; arguments as in `loss_terms`.

    With soft targets its minimum is not where predictions equal targets (for p = (.9, .1) and gamma 2 it is
    q = (.694, .306)).

    Source: Lin et al., "Focal Loss for Dense Object Detection", 2017, eq. 4.
    """
    return weighted_mean(
        *loss_terms(
            "focal",
            logits,
            targets,
            class_weights=class_weights,
            gamma=gamma,
            label_smoothing=label_smoothing,
        )
    )


def kl_divergence(
    logits: Tensor, targets: Tensor, *, class_weights: Tensor | None = None, label_smoothing: float = 0.0
) -> Tensor:
    """Mean Kullback-Leibler divergence of targets from predictions; arguments as in `loss_terms`."""
    return weighted_mean(
        *loss_terms("kl", logits, targets, class_weights=class_weights, label_smoothing=label_smoothing)
    )


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


def _focus(log_q: Tensor, gamma: float) -> Tensor:
    """(1 - q)^gamma without cancellation for q near 1, and without infinite gradients for gamma below 1."""
    return (-torch.expm1(log_q)).clamp_min(torch.finfo(log_q.dtype).tiny) ** gamma
