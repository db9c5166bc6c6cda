"""Several trained networks that answer together: the mean of their probabilities.

Networks that take the same input share the decoded images and their batches; others read the images once for
themselves. Each network has its own classes in its own order, its own scaling, and its own temperature.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import torch
from torch import Tensor

from mia_tui.dataset.images.screen.heat import HeatMap
from mia_tui.dataset.model import FRAME_NUMBERING, ImageKey
from mia_tui.engine.data.reader import ShouldStop
from mia_tui.engine.inference.predict import Prediction, Predictor
from mia_tui.runs.disk import OnWait
from mia_tui.runs.record.job import JobClass
from mia_tui.runs.record.model_card import ModelCard


def joint_predictor(members: Sequence[Predictor], temperatures: Sequence[float]) -> "Predictor | Ensemble":
    """Networks as one.

    Args:
        members: At least one; the first one's classes are those of the answers.
        temperatures: Of each of them, see `config.predict.DecisionRule`.
    """
    names = [item.name for item in members[0].card.classes]
    groups: dict[bytes, list[tuple[Predictor, float]]] = {}
    for member, temperature in zip(members, temperatures, strict=True):
        groups.setdefault(_input_of(member.card), []).append((member, temperature))
    parts = [SharedInput(group, names) for group in groups.values()]
    return parts[0] if len(parts) == 1 else Ensemble(parts)


def _input_of(card: ModelCard) -> bytes:
    """What decides the decoded pixels, see `NetworkInput`."""
    size = card.width, card.height, card.color, card.geometry, card.resize, card.pixel_size
    return msgspec.json.encode((*size, card.max_megapixels, card.stack, card.input_map))


class SharedInput(Predictor):
    """Networks that take the same input: every batch is decoded once and given to each of them.

    Args:
        members: Each with its temperature.
        names: The classes of the answers.
    """

    def __init__(self, members: Sequence[tuple[Predictor, float]], names: Sequence[str]) -> None:
        first = members[0][0]
        vars(self).update(vars(first))  # its device, threads and input are those of all of them
        self.count = len(members)
        self.other_types = Counter()
        self.familiar = None if any(member.familiar is None for member, _ in members) else first.familiar
        of_name = {item.name: item for item in first.card.classes}
        self.card = _with_classes(first.card, [of_name[name] for name in names])
        self._members = [(member, temperature, _order(member.card, names)) for member, temperature in members]

    def explain(self, root: Path, key: ImageKey, class_index: int) -> HeatMap:
        """As that of the first network; the maps of several are not comparable."""
        member, _, order = self._members[0]
        return member.explain(root, key, int(order[class_index]))

    def _outputs(self, pixels: Tensor, tta: bool) -> Tensor:
        classes = len(self.card.classes)
        if not len(pixels):
            return torch.empty(0, classes)
        said = [self._said_by(*member, pixels, tta) for member in self._members]
        width = min(values.shape[1] for values in said)  # a score only where all networks have one
        return torch.stack([values[:, :width] for values in said]).mean(dim=0)

    def _said_by(
        self, member: Predictor, temperature: float, order: Tensor, pixels: Tensor, tta: bool
    ) -> Tensor:
        """Probabilities of one network in the order of the answers, and its score behind them."""
        values = member._outputs(pixels, tta)
        shares, score = values[:, : len(order)], values[:, len(order) :]
        if temperature != 1.0:
            least = torch.finfo(shares.dtype).tiny
            shares = torch.softmax(shares.clamp_min(least).log() / temperature, dim=1)
        return torch.cat([shares.index_select(1, order.to(shares.device)), score], dim=1)


class Ensemble:
    """Networks of different inputs: each part of them that shares one reads the images for itself.

    Args:
        parts: At least one.

    Attributes:
        card: As in `Predictor`, of the first network; so are familiar, device, arithmetic,
            warning and other_types.
    """

    def __init__(self, parts: Sequence[SharedInput]) -> None:
        self._parts = parts
        first = parts[0]
        self.card, self.device, self.warning = first.card, first.device, first.warning
        self.arithmetic, self.other_types = first.arithmetic, first.other_types
        self.familiar = None if any(part.familiar is None for part in parts) else first.familiar

    def predict(
        self,
        root: Path,
        keys: Iterable[ImageKey],
        *,
        batch_size: int = 64,
        tta: bool = False,
        should_stop: ShouldStop | None = None,
        on_wait: OnWait | None = None,
        numbering: int = FRAME_NUMBERING,
    ) -> Iterator[Prediction]:
        """As `Predictor.predict`; an image that one of the networks cannot be given has no answer."""
        keys = list(keys)
        shares = np.array([part.count for part in self._parts], np.float32)
        answers = [
            part.predict(
                root,
                keys,
                batch_size=batch_size,
                tta=tta,
                should_stop=should_stop,
                on_wait=on_wait,
                numbering=numbering,
            )
            for part in self._parts
        ]
        for said in zip(*answers, strict=True):
            yield _mean(said, shares / shares.sum())


def _mean(said: Sequence[Prediction], shares: np.ndarray) -> Prediction:
    """The mean of what parts of an ensemble say of one image, each with its share of the networks."""
    failed = next((one for one in said if one.probabilities is None), None)
    if failed is not None:
        return failed
    mean = sum(share * one.probabilities for share, one in zip(shares, said, strict=True))
    scores = [one.unfamiliar for one in said if one.unfamiliar is not None]
    score = None
    if len(scores) == len(said):
        score = float(np.dot(shares, np.array(scores)).round(4))
    return replace(said[0], probabilities=np.asarray(mean, np.float32), unfamiliar=score)


def _order(card: ModelCard, names: Sequence[str]) -> Tensor:
    """Where each class of the answers is among those of a network, shape (C,), int64."""
    places = {item.name: place for place, item in enumerate(card.classes)}
    return torch.tensor([places[name] for name in names], dtype=torch.int64)


def _with_classes(card: ModelCard, classes: Sequence[JobClass]) -> ModelCard:
    return msgspec.structs.replace(card, classes=list(classes))


AnyPredictor = Predictor | Ensemble
"""One network, or several that answer together."""
