"""The counts behind every metric: one confusion matrix, summed over a whole part.

The metrics are computed from it once, in `runs/evaluation/confusion.py`; averaging those of batches would be wrong.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mia_tui.errors import RunError
from mia_tui.runs.evaluation.epoch_predictions import NOT_EVALUATED


class ConfusionCounter:
    """A confusion matrix on the device of the network, filled batch by batch without waiting for it.

    Not torchmetrics': its import, which brings scipy and matplotlib along, takes a quarter of a run's start; it needs
    `torch.bincount`, which makes the CPU wait for the GPU at every batch, and N x C^2 numbers instead under
    deterministic algorithms (0.5 GB for a batch of 64 and a thousand classes); and it takes outputs that are not
    finite for class 0. Here a batch is added in place, and its faults come out in `counts`.

    Args:
        num_classes: C.
        device: Device of the logits.

    Attributes:
        sums: Shape (C * C + 2,), int64, on the device: the matrix row by row, then how many class ids were outside
            the classes, and how many outputs were not finite. Those of several processes can be added.
    """

    def __init__(self, num_classes: int, device: torch.device | str = "cpu") -> None:
        self.num_classes = num_classes
        self.sums = torch.zeros(num_classes * num_classes + 2, dtype=torch.int64, device=device)

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Count a batch.

        Args:
            outputs: Logits or probabilities, shape (N, C), float; or predicted class ids, shape (N,), int.
            targets: Class ids, shape (N,), int64.

        Raises:
            ValueError: If the shapes do not fit.
        """
        if targets.shape != outputs.shape[:1]:
            raise ValueError(f"targets {tuple(targets.shape)} do not fit outputs {tuple(outputs.shape)}")
        classes = self.num_classes
        is_float = outputs.is_floating_point()
        if is_float and outputs.shape[1:] != (classes,):
            raise ValueError(f"outputs {tuple(outputs.shape)} do not fit {classes} classes")
        predictions = outputs.argmax(dim=1) if is_float else outputs
        cells = targets * classes + predictions  # (N,)
        outside = (targets < 0) | (targets >= classes)
        if not is_float:
            outside |= (predictions < 0) | (predictions >= classes)
        # An index outside would end the process on a GPU.
        cells = cells.masked_fill(outside, classes * classes)
        if is_float:
            cells = cells.masked_fill(~outputs.isfinite().all(dim=1), classes * classes + 1)
        self.sums.index_add_(0, cells, torch.ones_like(cells))

    def counts(self) -> npt.NDArray[np.int64]:
        """The matrix so far, shape (C, C): rows truth, columns prediction.

        Raises:
            RunError: If an output was nan or infinite.
            ValueError: If a class id was not in [0, C).
        """
        sums: npt.NDArray[np.int64] = self.sums.cpu().numpy().copy()
        outside, not_finite = sums[-2:]
        if not_finite:
            raise RunError(
                "The network's outputs are not finite numbers.",
                "Training has diverged: try a lower --lr, or --precision fp32.",
            )
        if outside:
            raise ValueError(f"class ids are outside 0..{self.num_classes - 1}")
        return sums[:-2].reshape(self.num_classes, self.num_classes)


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
