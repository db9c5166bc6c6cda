"""Batch normalisation measured anew: mean and variance of each layer, by the weights as they are now.

While a network is trained they are a running mean over steps with older weights, and over images as they are
augmented and mixed; of averaged weights they are not known at all.

Source: Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021, 3; torch's `swa_utils.update_bn` does the same.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mia_tui.engine.device import Arithmetic, autocast


def has_norms(model: nn.Module) -> bool:
    """Whether a network has batch normalisation that remembers anything."""
    return any(True for _ in _norms(model))


def measure_norms(
    model: nn.Module,
    batches: Iterable[Tensor],
    device: torch.device,
    arithmetic: Arithmetic,
    should_stop: Callable[[], bool],
) -> bool:
    """Measure the batch normalisation of a network on training images, in place; its weights stay.

    Args:
        model: The network.
        batches: Images as the network is given them, each of shape (N, channels, H, W), in an order in which classes
            are mixed; batches of a single image are left out.
        device: Device of the network.
        arithmetic: Type of the forward pass.
        should_stop: Polled before each batch.

    Returns:
        False if a stop was requested before the last batch: then the norms are to be measured once more.
    """
    with _measuring(model), torch.no_grad(), autocast(device, arithmetic):
        for images in batches:
            if should_stop():
                return False
            if len(images) > 1:  # one image has no variance
                model(images)
    return True


@contextmanager
def _measuring(model: nn.Module) -> Iterator[None]:
    """Within, norms take the mean over all batches; all other layers work as in a prediction."""
    model.eval()
    before = {norm: norm.momentum for norm in _norms(model)}
    for norm in before:
        norm.reset_running_stats()
        norm.momentum = None  # each batch counts the same
        norm.train()
    try:
        yield
    finally:
        for norm, momentum in before.items():
            norm.momentum = momentum


def _norms(model: nn.Module) -> Iterator[_BatchNorm]:
    for module in model.modules():
        if isinstance(module, _BatchNorm) and module.track_running_stats:
            yield module
