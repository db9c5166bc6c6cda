"""Whether an exported network says the same as the program, on real images."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt
import torch

from mia_tui.engine.data.reader import ImageReader
from mia_tui.engine.data.scaling import standardise, to_tensor, to_unit
from mia_tui.engine.export.checked_images import ComparedImages, FileValues, NotCompared, fitted, read_values
from mia_tui.engine.export.graph import GraphInput
from mia_tui.runs.record.model_card import ModelCard

MOST_DIFFERENCE = 1e-3
"""Between probabilities of the program and of an exported network: more is an error."""

Probabilities = npt.NDArray[np.float32]
Runner = Callable[[npt.NDArray[np.generic], tuple[float, float] | None], Probabilities]
"""Probabilities (N, C) from images (N, H, W, channels) and the size of their pixels."""

_TOGETHER = 16


@dataclass(frozen=True)
class NetworkAgreement:
    """How far two networks agree on the same images.

    Attributes:
        images: How many were compared.
        difference: The largest one of a probability.
        same_class: For how many the most probable class is the same.
    """

    images: int
    difference: float
    same_class: int

    @property
    def is_close(self) -> bool:
        """Whether one may stand for the other."""
        return self.same_class == self.images and self.difference <= MOST_DIFFERENCE


def compare(one: Probabilities, other: Probabilities) -> NetworkAgreement:
    """Compare the probabilities of the same images, shape (n, C); numbers that are not finite differ by 1."""
    if not len(one):
        return NetworkAgreement(0, 0.0, 0)
    differences = np.nan_to_num(np.abs(one.astype(np.float64) - other), nan=1.0, posinf=1.0)
    same = int((one.argmax(axis=1) == other.argmax(axis=1)).sum())
    return NetworkAgreement(len(one), float(differences.max()), same)


def run_on_images(
    runner: Runner, images: ComparedImages, card: ModelCard, takes: GraphInput, left_out: NotCompared
) -> tuple[npt.NDArray[np.int64], Probabilities]:
    """What an exported network says of images.

    Args:
        runner: The network.
        images: The images.
        card: Of the network.
        takes: What it takes.
        left_out: Counts images that it cannot be given.

    Returns:
        Positions of the images, ascending, shape (n,), int64, and their probabilities, shape (n, C).
    """
    rows: list[int] = []
    said: list[Probabilities] = []
    for batch in batches_of(fitting_values(images, card, takes, left_out)):
        rows += [one.row for one in batch]
        said.append(runner(np.stack([one.values for one in batch]), batch[0].pixel_um))
    none = np.empty((0, len(card.classes)), np.float32)
    return np.array(rows, np.int64), np.concatenate(said) if said else none


def fitting_values(
    images: ComparedImages, card: ModelCard, takes: GraphInput, left_out: NotCompared
) -> Iterator[FileValues]:
    """The images of the kind that a file takes, with its channels."""
    for one in read_values(images, card, left_out):
        values = fitted(one, takes, card)
        if values is None:
            left_out.reasons[f"with other values ({one.takes.dtype})"] += 1
        else:
            yield FileValues(one.row, np.ascontiguousarray(values), takes, one.pixel_um)


def batches_of(values: Iterable[FileValues]) -> Iterator[list[FileValues]]:
    """Images of one size that follow each other, a few at a time."""
    for _, group in groupby(values, key=lambda one: (one.values.shape, one.pixel_um)):
        batch: list[FileValues] = []
        for one in group:
            batch.append(one)
            if len(batch) == _TOGETHER:
                yield batch
                batch = []
        if batch:
            yield batch


def prepared_images(
    images: ComparedImages, card: ModelCard, *, threads: int
) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Images as the network itself is given them, a few at a time.

    Args:
        images: The images; those that cannot be read are left out.
        card: Of the network.
        threads: That read them.

    Yields:
        Positions of some images, and these, shape (n, channels, height, width), float32, normalised.
    """
    mean, std = tuple(card.mean), tuple(card.std)
    with closing(
        ImageReader(images.keys, images.root, card, threads=threads, numbering=images.numbering)
    ) as reader:
        for start in range(0, len(images.keys), _TOGETHER):
            rows = range(start, min(start + _TOGETHER, len(images.keys)))
            found = [(row, pixels) for row, pixels, _ in reader.read_each(rows) if pixels is not None]
            if found:
                batch = to_tensor(np.stack([pixels for _, pixels in found])).permute(0, 3, 1, 2)
                yield [row for row, _ in found], standardise(to_unit(batch), mean, std)
