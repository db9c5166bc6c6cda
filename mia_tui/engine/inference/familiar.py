"""How far an image is from all classes that a trained network knows, by what its head is given.

The distance is Mahalanobis's to the mean of the nearest class, with one covariance for all classes (Lee 2018, a
simple unified framework for detecting out-of-distribution samples). It is learned from images that the network was
not trained on, of which there may be ten with 2,048 features each. So the covariance is that of a few directions, in
which images of a class differ and in which classes do, with one variance for all others (Moghaddam and Pentland 1997,
probabilistic visual learning), and it is shrunk towards the same variance everywhere. Features are brought to length
1 first: strangers may have smaller ones than any class, and would lie in the midst of all (tests/benchmarks has the
figures).

How far is too far is learned from the same images, each compared with others: beyond the limit is what lies farther
than 99 % of them. So the score means the same as that of `active.unfamiliar`.

It is kept in the metadata of the weights file, beside the model card: so it is always of these weights, and goes
where they go. Programs that do not know it pass over it.
"""

import base64
import math
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from mia_tui.active.unfamiliar import FEWEST_LABELS, SHARE

FAMILIAR_KEY = "mia_tui_familiar"

MOST_IMAGES = 1024
"""That are learned from."""

_MOST_FEATURES = 8192
_MOST_AXES = 32  # in which images of a class differ; as many in which classes do
_MOST_COMPARED = 256  # images that axes are found in: with more it would take seconds
_SHRINKAGE = 0.6  # from 0.1 to 0.9 the area under the ROC curve changed by 0.01
_LEAST = 1e-12
_FEW, _FOLDS, _FOLDS_OF_FEW = 100, 5, 20


@dataclass(frozen=True, eq=False)
class FamiliarFeatures:
    """What the features of images are like that a network knows; all on one device, float32.

    Attributes:
        middle: Of the features, shape (dims,).
        axes: Directions at right angles, of length 1, shape (dims, A).
        whitening: From the axes to those on which the covariance is 1, shape (A, A).
        means: Of the classes, on these, shape (C, A).
        outside: Variance in each direction that is at right angles to all axes.
        limit: The distance that 99 % of known images are within.
    """

    middle: Tensor
    axes: Tensor
    whitening: Tensor
    means: Tensor
    outside: float
    limit: float = 1.0

    @property
    def dims(self) -> int:
        """Features of an image."""
        return len(self.middle)

    def to(self, device: torch.device) -> "FamiliarFeatures":
        """The same on another device."""
        return replace(
            self,
            middle=self.middle.to(device),
            axes=self.axes.to(device),
            whitening=self.whitening.to(device),
            means=self.means.to(device),
        )

    def scores(self, features: Tensor) -> Tensor:
        """Distances as multiples of the limit, shape (N,): above 1 an image is unfamiliar.

        Args:
            features: What the head is given, shape (N, dims), float32.
        """
        points = _of_length_one(torch.nan_to_num(features)) - self.middle
        on_axes = points @ self.axes
        across = (points - on_axes @ self.axes.T).square().sum(dim=1)
        exactly = "donot_use_mm_for_euclid_dist"
        along = torch.cdist(on_axes @ self.whitening, self.means, compute_mode=exactly).amin(dim=1).square()
        return (along + across / self.outside).sqrt() / self.limit

    def encode(self) -> str:
        """For the metadata of a weights file; a megabyte at most."""
        tensors = {
            "middle": self.middle,
            "axes": self.axes.half(),
            "whitening": self.whitening,
            "means": self.means,
            "numbers": torch.tensor([self.outside, self.limit], dtype=torch.float64),
        }
        return base64.b64encode(safetensors.torch.save(_contiguous(tensors))).decode()


def read_familiar(weights: Path) -> FamiliarFeatures | None:
    """What a weights file says is familiar; None if it says nothing, as those of earlier versions, or nonsense.

    Args:
        weights: A file that has a model card.
    """
    try:
        with safetensors.safe_open(weights, framework="pt") as file:
            text = (file.metadata() or {})[FAMILIAR_KEY]
        saved = safetensors.torch.load(base64.b64decode(text, validate=True))
        outside, limit = saved.pop("numbers").tolist()
        found = FamiliarFeatures(
            **{name: value.float() for name, value in saved.items()}, outside=outside, limit=limit
        )
    except (OSError, LookupError, ValueError, TypeError, safetensors.SafetensorError):
        return None
    return found if _is_whole(found) else None


def _is_whole(found: FamiliarFeatures) -> bool:
    """Whether its parts fit each other and hold numbers."""
    tensors = [found.middle, found.axes, found.whitening, found.means]
    if [value.ndim for value in tensors] != [1, 2, 2, 2]:
        return False
    dims, count = found.axes.shape
    return (
        found.dims == dims
        and found.whitening.shape == (count, count)
        and found.means.shape[1] == count
        and len(found.means) > 0
        and all(bool(value.isfinite().all()) for value in tensors)
        and 0 < found.outside < math.inf
        and 0 < found.limit < math.inf
    )


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.contiguous() for name, value in tensors.items()}


def familiar_features(features: Tensor, classes: Tensor, groups: Tensor) -> FamiliarFeatures | None:
    """Learn what is familiar; None from fewer than 10 images, or from features that tell nothing.

    Args:
        features: Of images that the network was not trained on, shape (N, dims), float32, on the CPU.
        classes: Of these, shape (N,), int64.
        groups: Which belong together (frames of a file), shape (N,), int64: none is compared with those of its group.
    """
    count, dims = features.shape
    if count < FEWEST_LABELS or dims > _MOST_FEATURES or not features.isfinite().all():
        return None
    features = _of_length_one(features)
    whole = _learned(features, classes)
    if whole is None:
        return None
    distances = []
    for held_out in _folds(groups):
        others = _learned(features[~held_out], classes[~held_out])
        if others is not None:
            distances.append(others.scores(features[held_out]))  # which has length 1 and keeps it
    if not distances:
        return None
    return replace(whole, limit=max(float(torch.cat(distances).quantile(SHARE)), _LEAST))


def _of_length_one(features: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(features, dim=1, keepdim=True)
    return features / lengths.clamp_min(_LEAST)


def _folds(groups: Tensor) -> list[Tensor]:
    """Parts of the images, no group in two of them: which images each has, shape (N,), bool."""
    places = torch.unique(groups, return_inverse=True)[1]
    if places.max() < _FOLDS:
        places = torch.arange(len(groups))
    parts = min(_FOLDS_OF_FEW if len(groups) <= _FEW else _FOLDS, int(places.max()) + 1)
    return [places % parts == part for part in range(parts)]


def _learned(features: Tensor, classes: Tensor) -> FamiliarFeatures | None:
    """The same without a limit; None if the images of each class are all alike."""
    middle = features.mean(dim=0)
    points = features - middle
    known, places, counts = torch.unique(classes, return_inverse=True, return_counts=True)
    freedom = len(points) - len(known)
    means = points.new_zeros(len(known), points.shape[1]).index_add_(0, places, points) / counts[:, None]
    spread = points - means[places]
    total = float(spread.square().sum()) / max(freedom, 1)
    if not total > _LEAST:
        return None
    axes = _axes(spread, means * counts[:, None].sqrt())
    within = (spread @ axes).double()
    covariance = within.T @ within / freedom
    dims, count = axes.shape
    shared = _SHRINKAGE * total / dims
    across = max(total - float(covariance.trace()), 0.0) / max(dims - count, 1)
    covariance = (1 - _SHRINKAGE) * covariance + shared * torch.eye(count, dtype=torch.float64)
    variances, turns = torch.linalg.eigh(covariance)
    whitening = (turns / variances.clamp_min(shared).sqrt()).float()
    outside = (1 - _SHRINKAGE) * across + shared
    return FamiliarFeatures(middle, axes, whitening, means @ axes @ whitening, outside)


def _axes(spread: Tensor, means: Tensor) -> Tensor:
    """Directions in which images of a class differ most, then those in which classes do, at right angles."""
    within = _principal(spread)
    between = _principal(means - means @ within @ within.T)
    axes: Tensor = torch.linalg.qr(torch.cat([within, between], dim=1))[0]
    return axes


def _principal(points: Tensor) -> Tensor:
    """The principal axes of few points in many dimensions, at most 32, shape (dims, axes)."""
    points = points[:: -(-len(points) // _MOST_COMPARED)]
    variances, sides = torch.linalg.eigh((points @ points.T).double())
    most = min(_MOST_AXES, points.shape[1] // 2)
    large = torch.nonzero(variances > max(float(variances[-1]) * 1e-6, _LEAST)).flatten().flip(0)[:most]
    axes: Tensor = points.T @ (sides[:, large] / variances[large].sqrt()).float()
    return axes
