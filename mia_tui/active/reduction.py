"""Fewer numbers for each image: features are standardised and turned to their principal axes."""

import numpy as np
from numpy.typing import NDArray

_MOST_AXES = 256
_MOST_FITTED = 4096  # images; more change the axes hardly
_LEAST_DEVIATION = 1e-4


class Reduction:
    """Principal axes of standardised features.

    Args:
        features: Of some images, shape (N, dims).
    """

    def __init__(self, features: NDArray[np.float16]) -> None:
        step = max(1, len(features) // _MOST_FITTED)
        sample = features[::step].astype(np.float32)
        self._mean = sample.mean(axis=0)
        self._scale = 1 / np.maximum(sample.std(axis=0), _LEAST_DEVIATION)
        sample = (sample - self._mean) * self._scale
        values, axes = np.linalg.eigh(sample.T @ sample / max(1, len(sample)))
        most = min(_MOST_AXES, len(sample), sample.shape[1])
        self._axes = np.ascontiguousarray(axes[:, ::-1][:, :most])
        self.dims = most
        self._unit = np.float32(1 / np.sqrt(max(values.sum(), _LEAST_DEVIATION)))

    def apply(self, features: NDArray[np.float16]) -> NDArray[np.float32]:
        """Points of images, shape (N, `self.dims`); all together have a mean square length of about 1."""
        standard = (features.astype(np.float32) - self._mean) * self._scale
        points: NDArray[np.float32] = standard @ self._axes * self._unit
        return points
