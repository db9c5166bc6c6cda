"""In which order an epoch goes through the training images, and how it is cut into batches.

The order is a function of (seed, epoch): a resumed run makes it again and goes on at its step.
It is not torch.randperm, whose algorithm may change from one torch to the next.
"""

import torch
from torch import Tensor

from mia_tui.engine.data.random import ORDER_STREAM, hashes


def epoch_order(count: int, *, seed: int, epoch: int) -> Tensor:
    """A permutation of 0..count-1, shape (count,), int64, on the CPU."""
    keys = hashes(seed, epoch, torch.arange(count), stream=ORDER_STREAM)
    return torch.argsort(keys, stable=True)


def batches(order: Tensor, batch_size: int, *, keep_single: bool = False) -> list[Tensor]:
    """Cut an order into batches; the last one may be smaller.

    Args:
        order: Row numbers, shape (count,), int64.
        batch_size: Images a batch, at least 1.
        keep_single: Whether a last batch of one image is kept. Training drops it, since batch normalisation
            has no variance over one image; another image is left out in the next epoch. With a batch size
            of 1, and for validation, all are kept.

    Returns:
        Shapes (batch_size,), the last one smaller; no batches for no images.
    """
    cut = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    if cut and len(cut[-1]) == 1 < batch_size and not keep_single:
        cut.pop()
    return cut
