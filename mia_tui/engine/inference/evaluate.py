"""Evaluating a network on labelled images: loss, confusion matrix and the predicted class of each image."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mia_tui.engine.data.feed import Batch
from mia_tui.engine.device import Arithmetic, autocast, is_out_of_memory, release_memory
from mia_tui.engine.inference.head_input import EvaluatedFeatures
from mia_tui.engine.inference.kept_scores import KeptScores
from mia_tui.engine.parallel.ranks import Ranks
from mia_tui.engine.training.metrics import ConfusionCounter, PredictedClasses
from mia_tui.errors import RunError

LossTerms = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Scores:
    """The result of an evaluation.

    Attributes:
        confusion: Shape (C, C), int64, rows truth and columns predictions.
        loss: Mean over the images.
        weight: What it is a mean over: the sum of their denominators.
        predicted: Predicted class of each sample, shape (samples,), int32; see `metrics.PredictedClasses`. None if
            it was not recorded.
    """

    confusion: np.ndarray
    loss: float
    predicted: Tensor | None = None
    weight: float = 0.0

    def of_all(self, ranks: Ranks) -> "Scores":
        """The result for the images of all processes, from those of each."""
        if ranks.count == 1:
            return self
        numerator = self.loss * self.weight if self.weight else 0.0
        total, weight = ranks.sum_(torch.tensor([numerator, self.weight], dtype=torch.float64)).tolist()
        return Scores(
            ranks.sum_(torch.from_numpy(self.confusion)).numpy(),
            total / weight if weight else float("nan"),
            None if self.predicted is None else ranks.max_(self.predicted),
            weight,
        )


def evaluate(
    model: nn.Module,
    batches: Iterable[Batch],
    *,
    num_classes: int,
    num_samples: int,
    device: torch.device,
    arithmetic: Arithmetic,
    loss_terms: LossTerms,
    should_stop: Callable[[], bool],
    features: EvaluatedFeatures | None = None,
    kept: KeptScores | None = None,
    with_views: bool = False,
) -> Scores | None:
    """Evaluate a network on every batch; None if a stop was requested before the last one.

    `features` gets what the head is given, if the model is a `WithHeadInput`; `kept` gets the logits. `with_views`
    takes the mean over flips and turns of each image, as predictions do (`predict.Predictor`).
    """
    counter, predictions = ConfusionCounter(num_classes, device), PredictedClasses(num_samples, device)
    sums = torch.zeros(2, device=device)
    for batch in batches:
        if should_stop():
            return None
        if not len(batch.targets):  # none of its images can be read
            continue
        if with_views:
            output = infer_views(model, batch.images, num_classes, device, arithmetic)
        else:
            output = infer(model, batch.images, device, arithmetic)
        logits = output[:, :num_classes]
        if features is not None:
            features.add(batch.rows, output[:, num_classes:])
        if kept is not None:
            kept.add(batch.rows, logits)
        counter.update(logits, batch.targets)
        predictions.update(batch.rows, logits)
        numerators, denominators = loss_terms(logits, batch.targets)
        sums += torch.stack([numerators.sum(), denominators.sum()])
    numerator, denominator = sums.tolist()
    loss = numerator / denominator if denominator else float("nan")
    return Scores(counter.counts(), loss, predictions.classes(), denominator)


def infer(model: nn.Module, images: Tensor, device: torch.device, arithmetic: Arithmetic) -> Tensor:
    """Output (N, values), float32, of a batch, in eval mode; in smaller pieces when memory runs out.

    Raises:
        RunError: If memory runs out for a single image.
    """
    model.eval()
    pieces = 1
    while True:
        logits = _logits(model, images.tensor_split(pieces), device, arithmetic)
        if logits is not None:
            return logits
        release_memory(device)
        if pieces >= len(images):
            raise RunError("Memory ran out with a single image.", "Use another device (--device).")
        pieces = min(2 * pieces, len(images))


def infer_views(
    model: nn.Module, images: Tensor, num_classes: int, device: torch.device, arithmetic: Arithmetic
) -> Tensor:
    """As `infer`, of flips and turns of each image: logarithms of the mean probabilities, then means of the rest."""
    total: Tensor | None = None
    count = 0
    for view in views(images):
        output = infer(model, view, device, arithmetic)
        both = torch.cat([torch.softmax(output[:, :num_classes], dim=1), output[:, num_classes:]], dim=1)
        total, count = both if total is None else total + both, count + 1
    assert total is not None
    mean = total / count
    logs = mean[:, :num_classes].clamp_min(torch.finfo(mean.dtype).tiny).log()
    return torch.cat([logs, mean[:, num_classes:]], dim=1)


def views(images: Tensor) -> Iterator[Tensor]:
    """The flips and quarter turns of images (N, C, H, W): eight of a square, four otherwise."""
    for turn in range(0, 4, 1 if images.shape[-1] == images.shape[-2] else 2):
        turned = torch.rot90(images, turn, (-2, -1))
        yield turned
        yield turned.flip(-1)


@torch.inference_mode()
def _logits(
    model: nn.Module, pieces: Iterable[Tensor], device: torch.device, arithmetic: Arithmetic
) -> Tensor | None:
    try:
        with autocast(device, arithmetic):
            return torch.cat([model(piece).float() for piece in pieces])
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None
