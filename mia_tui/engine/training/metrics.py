"""The counts behind every metric: one confusion matrix, summed over a whole part.

The metrics are computed from it once, in `runs/evaluation/confusion.py`; averaging those of batches would be wrong.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mia_tui.engine.large_library import import_large
from mia_tui.errors import RunError
from mia_tui.runs.evaluation.epoch_predictions import NOT_EVALUATED

import_large("torchmetrics")
from torchmetrics.classification import MulticlassConfusionMatrix  # noqa: E402


class ConfusionCounter(MulticlassConfusionMatrix):
    """torchmetrics' confusion matrix, with another way to count a batch.

    Its own needs `torch.bincount`, which makes the CPU wait for the GPU at every batch, and N x C^2 numbers instead
    under deterministic algorithms (0.5 GB for a batch of 64 and a thousand classes); and it takes outputs that are
    not finite for class 0. Here a batch is added in place, and its faults come out in `counts`.

    Args:
        num_classes: C.
        device: Device of the logits.
    """

    bad_outputs: Tensor
    bad_ids: Tensor

    def __init__(self, num_classes: int, device: torch.device | str = "cpu") -> None:
        super().__init__(num_classes, validate_args=False, sync_on_compute=False)
        self.add_state("bad_outputs", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("bad_ids", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.to(device)

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Count a batch.

        Args:
            outputs: Logits or probabilities, shape (N, C), float; or predicted class ids, shape (N,), int.
            targets: Class ids, shape (N,), int64.

        Raises:
            ValueError: If the shapes do not fit.
        """
        predictions = self._predictions(outputs)  # (N,)
        if targets.shape != predictions.shape:
            raise ValueError(f"targets {tuple(targets.shape)} do not fit outputs {tuple(outputs.shape)}")
        ids = torch.stack([targets.to(torch.int64), predictions])  # (2, N)
        self.bad_ids += ((ids < 0) | (ids >= self.num_classes)).sum()
        ids = ids.clamp(0, self.num_classes - 1)  # an index outside would end the process on a GPU
        cells = ids[0] * self.num_classes + ids[1]  # (N,)
        self.confmat.view(-1).index_add_(0, cells, torch.ones_like(cells))

    def counts(self) -> npt.NDArray[np.int64]:
        """The matrix so far, shape (C, C): rows truth, columns prediction; of this process alone.

        Raises:
            RunError: If an output was nan or infinite.
            ValueError: If a class id was not in [0, C).
        """
        if self.update_count == 0:  # `compute` would warn
            return np.zeros((self.num_classes, self.num_classes), np.int64)
        counts: npt.NDArray[np.int64] = self.compute().cpu().numpy().copy()
        return counts

    def compute(self) -> Tensor:
        """As `counts`, as a tensor on the device."""
        if self.bad_outputs.item():
            raise RunError(
                "The network's outputs are not finite numbers.",
                "Training has diverged: try a lower --lr, or --precision fp32.",
            )
        if self.bad_ids.item():
            raise ValueError(f"class ids are outside 0..{self.num_classes - 1}")
        return self.confmat

    def _predictions(self, outputs: Tensor) -> Tensor:
        if not outputs.is_floating_point():
            return outputs.to(torch.int64)
        if outputs.ndim != 2 or outputs.shape[1] != self.num_classes:
            raise ValueError(f"outputs {tuple(outputs.shape)} do not fit {self.num_classes} classes")
        self.bad_outputs += (~outputs.isfinite()).sum()
        return outputs.argmax(dim=1)


class PredictedClasses:
    """The predicted class of each sample; like the counter it never waits for the device before the end.

    Args:
        count: N samples.
        device: Device of the logits.
        so_far: Classes that an earlier attempt predicted in the same epoch, shape (N,); None for none.
    """

    def __init__(self, count: int, device: torch.device | str = "cpu", so_far: Tensor | None = None) -> None:
        start = torch.full((count,), NOT_EVALUATED) if so_far is None else so_far
        self._classes = start.to(device, torch.int32, copy=True)

    def update(self, rows: Tensor, logits: Tensor) -> None:
        """Add a batch: rows (N,), int64, on any device; logits (N, C)."""
        rows = rows.to(self._classes.device, non_blocking=True)
        self._classes[rows] = logits.argmax(dim=1).to(torch.int32)

    def classes(self) -> Tensor:
        """Position of the predicted class of each sample, shape (N,), int32, on the CPU; else `NOT_EVALUATED`."""
        return self._classes.cpu().clone()
