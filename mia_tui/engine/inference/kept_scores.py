"""The probabilities of the images of an evaluation, kept as their batches pass by."""

import numpy as np
import torch
from torch import Tensor

from mia_tui.engine.parallel.ranks import Ranks
from mia_tui.runs.evaluation.saved_scores import EvaluatedScores, lower_bounded, scores_dtype


class KeptScores:
    """Log probabilities of images; none of too many, see `scores_dtype`.

    Args:
        images: How many images pass by.
        classes: C.
    """

    def __init__(self, images: int, classes: int) -> None:
        kept = scores_dtype(images, classes)
        self._dtype = None if kept is None else torch.float32 if kept is np.float32 else torch.float16
        self._rows: list[Tensor] = []
        self._values: list[Tensor] = []

    def add(self, rows: Tensor, logits: Tensor) -> None:
        """A batch: positions of its images, shape (N,), on the CPU, and logits (N, C), float32, on any device."""
        if self._dtype is not None:
            self._rows.append(rows)
            self._values.append(torch.log_softmax(logits, dim=1).to(self._dtype))

    def gather(self, ranks: Ranks) -> None:
        """Take over what the other processes kept."""
        if ranks.count > 1 and self._dtype is not None:
            found = ranks.gather((self._rows, [values.cpu() for values in self._values]))
            self._rows = [rows for each, _ in found for rows in each]
            self._values = [values for _, each in found for values in each]

    def scores(self, places: "np.ndarray", *, epoch: int, split: str) -> EvaluatedScores | None:
        """What was kept; waits for the device. None if nothing was.

        Args:
            places: Position in samples.jsonl of each row, shape (rows,), int.
            epoch: Epoch of the weights.
            split: Part of the images.
        """
        if not self._rows:
            return None
        rows = places[torch.cat(self._rows).numpy()]
        order = np.argsort(rows)
        values = torch.cat(self._values).cpu().numpy()
        return EvaluatedScores(epoch, split, rows[order].astype(np.int64), lower_bounded(values[order]))
