"""Counts behind every figure: one confusion matrix, summed over a whole split.

Ratios are computed from it once, in `runs/evaluation/confusion.py`; averaging the ratios of batches would be wrong.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics import Metric

from mia_tui.errors import RunError
from mia_tui.runs.evaluation.epoch_predictions import NOT_EVALUATED


class ConfusionCounter:
    """Counts truth against prediction.

    Nothing is asked of the device until `counts`, so a GPU is not held up; faults of a batch come out there.

    Args:
        num_classes: C.
        device: Where the counting happens; that of the logits.
    """

    def __init__(self, num_classes: int, device: torch.device | str = "cpu") -> None:
        self._num_classes = num_classes
        self._metric = _ConfusionMatrix(num_classes).to(device)

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Count a batch.

        Args:
            outputs: Logits or probabilities, shape (N, C), float; or predicted class ids, shape (N,), int.
            targets: Class ids, shape (N,), int64.

        Raises:
            ValueError: If the shapes do not fit.
        """
        self._metric.update(outputs, targets)

    def counts(self) -> npt.NDArray[np.int64]:
        """The matrix so far, shape (C, C): rows truth, columns prediction.

        Raises:
            RunError: If an output was nan or infinite (arg-max would call it class 0 in silence).
            ValueError: If a class id was not in [0, C).
        """
        if self._metric.update_count == 0:
            return np.zeros((self._num_classes, self._num_classes), np.int64)
        counts: npt.NDArray[np.int64] = self._metric.compute().cpu().numpy().copy()
        return counts


class Predictions:
    """The class that each sample was given; like the counter it asks nothing of the device before the end.

    Args:
        count: N samples.
        device: That of the logits.
        so_far: What an earlier attempt found in the same epoch, shape (N,); None for nothing.
    """

    def __init__(self, count: int, device: torch.device | str = "cpu", so_far: Tensor | None = None) -> None:
        start = torch.full((count,), NOT_EVALUATED) if so_far is None else so_far
        self._classes = start.to(device, torch.int32, copy=True)

    def update(self, rows: Tensor, logits: Tensor) -> None:
        """Take in a batch: rows (N,), int64, on any device; logits (N, C)."""
        rows = rows.to(self._classes.device, non_blocking=True)
        self._classes[rows] = logits.argmax(dim=1).to(torch.int32)

    def classes(self) -> Tensor:
        """Position of the class of each sample, shape (N,), int32, on the CPU; `NOT_EVALUATED` where none."""
        return self._classes.cpu().clone()


class _ConfusionMatrix(Metric):
    """torchmetrics' own confusion matrix needs N x C^2 numbers under deterministic algorithms (2 GB for a
    thousand classes); this one adds in place. As a Metric it can be summed over processes.
    """

    full_state_update = False
    cells: Tensor
    bad_outputs: Tensor
    bad_ids: Tensor

    def __init__(self, num_classes: int, **options: Any) -> None:
        super().__init__(**options)
        self.num_classes = num_classes
        self.add_state("cells", torch.zeros(num_classes**2, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("bad_outputs", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("bad_ids", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        predictions = self._predictions(outputs)  # (N,)
        if targets.shape != predictions.shape:
            raise ValueError(f"targets {tuple(targets.shape)} do not fit outputs {tuple(outputs.shape)}")
        ids = torch.stack([targets.to(torch.int64), predictions])  # (2, N)
        self.bad_ids += ((ids < 0) | (ids >= self.num_classes)).sum()
        ids = ids.clamp(0, self.num_classes - 1)  # an index outside would end the process on a GPU
        cells = ids[0] * self.num_classes + ids[1]  # (N,)
        self.cells.index_add_(0, cells, torch.ones_like(cells))

    def compute(self) -> Tensor:
        if self.bad_outputs.item():
            raise RunError(
                "The network's outputs are not finite numbers.",
                "Training has diverged: try a lower --lr, or --precision fp32.",
            )
        if self.bad_ids.item():
            raise ValueError(f"class ids lie outside 0..{self.num_classes - 1}")
        return self.cells.view(self.num_classes, self.num_classes)

    def _predictions(self, outputs: Tensor) -> Tensor:
        if not outputs.is_floating_point():
            return outputs.to(torch.int64)
        if outputs.ndim != 2 or outputs.shape[1] != self.num_classes:
            raise ValueError(f"outputs {tuple(outputs.shape)} do not fit {self.num_classes} classes")
        self.bad_outputs += (~outputs.isfinite()).sum()
        return outputs.argmax(dim=1)
