"""The images on which an exported network is compared with the program, as the file of the network is given them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.decode import picture_or_values
from mia_tui.dataset.images.reading import OpenedFrame, opened
from mia_tui.dataset.model import FRAME_NUMBERING, ImageKey
from mia_tui.dataset.scan.scan import check_root, keys_of, scan
from mia_tui.engine.export.graph import PICTURE_DTYPE, GraphInput
from mia_tui.errors import ConfigError, DataError, DecodeError, MiaError
from mia_tui.runs.evaluation.results import load_results
from mia_tui.runs.list.moved_dataset import current_job, present_samples
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import ModelCard
from mia_tui.text import counted, join_names, printable

MOST_COMPARED = 100
"""Images of a comparison, as many as tell a difference and take seconds."""


@dataclass(frozen=True, eq=False)
class ComparedImages:
    """Images of a dataset.

    Attributes:
        root: Folder that their paths are relative to.
        keys: The images.
        truth: Positions of their classes, shape (n,), int64; None where nobody said.
        part: Part of the data that they are of, as in a sentence; empty where that is unknown.
        numbering: What their frames are, see `model.FRAME_NUMBERING`.
    """

    root: Path
    keys: tuple[ImageKey, ...]
    truth: npt.NDArray[np.int64] | None = None
    part: str = ""
    numbering: int = FRAME_NUMBERING

    def spread(self, most: int) -> "ComparedImages":
        """Some of them, spread evenly over all."""
        if len(self.keys) <= most:
            return self
        rows = np.linspace(0, len(self.keys) - 1, most).round().astype(np.int64)
        return self.at(rows)

    def at(self, rows: npt.NDArray[np.int64]) -> "ComparedImages":
        """Those at some positions."""
        keys = tuple(self.keys[row] for row in rows.tolist())
        return replace(self, keys=keys, truth=None if self.truth is None else self.truth[rows])


@dataclass(frozen=True, eq=False)
class FileValues:
    """An image as the file of an exported network is given it.

    Attributes:
        row: Position among the chosen images.
        values: Shape (H, W, C).
        takes: What kind of values they are.
        pixel_um: Width and height of a pixel, micrometres; None where the network has no size of pixels.
    """

    row: int
    values: npt.NDArray[np.generic]
    takes: GraphInput
    pixel_um: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class NotCompared:
    """Images that cannot be compared: how many, by the reason."""

    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def sentence(self) -> str:
        """Empty if there are none."""
        if not self.reasons:
            return ""
        words = join_names([f"{counted(count, 'image')} {reason}" for reason, count in self.reasons.items()])
        return f"Left out of the comparison: {words}."


def images_to_compare(run: RunDir | None, card: ModelCard, dataset: Path | None) -> ComparedImages:
    """The images that a run was evaluated on, or those of a folder.

    Args:
        run: The training; None for a weights file by itself.
        card: Of the network.
        dataset: A folder that the user named: the run's dataset, if it was moved, or any other one.

    Raises:
        ConfigError: If there are none, or they are not where they were.
    """
    found = None if run is None else _of_run(run, dataset)
    if found is not None and (dataset is None or (found.root / found.keys[0].path).exists()):
        if not any((found.root / key.path).exists() for key in found.keys):
            raise ConfigError(
                f"The images of the run {printable(run.name if run else '')} are not in {printable(found.root)}.",
                "Name a folder of images with --dataset: the file is compared with the network on them.",
            )
        return found
    if dataset is None:
        raise ConfigError(
            "On which images is the file compared with the network?",
            "Name a folder of such images with --dataset.",
        )
    check_root(dataset)
    files = scan(dataset, frames=card.frames)
    keys = [key for path, frames in _files(files.keys) for key in keys_of(path, frames, card.stacks)]
    if not keys:
        raise DataError(
            f"There are no images in {printable(dataset)}.", "Name another folder with --dataset."
        )
    return ComparedImages(dataset, tuple(keys))


def calibration_images(run: RunDir | None, dataset: Path | None, compared: ComparedImages) -> ComparedImages:
    """Images to measure ranges of values on: those that the network learned from, else those that are compared."""
    if run is None or dataset is not None:
        return compared
    try:
        job = current_job(run, dataset)
        samples = [sample for sample in present_samples(run, job) if sample.split == "train"]
    except MiaError:
        return compared
    keys = tuple(ImageKey(sample.path, sample.frame) for sample in samples)
    found = ComparedImages(Path(job.dataset), keys, part="train", numbering=job.numbering)
    return found if keys else compared


def read_values(images: ComparedImages, card: ModelCard, left_out: NotCompared) -> Iterator[FileValues]:
    """Read images one after the other; those that cannot be compared are counted.

    Raises:
        OSError: If a disk cannot be reached.
    """
    for row, key in enumerate(images.keys):
        try:
            with opened(
                images.root / key.path,
                key.frame,
                card.max_megapixels,
                numbering=images.numbering,
                stack=card.stack,
            ) as image:
                found = values_of(image, card)
        except DecodeError:
            left_out.reasons["cannot be read"] += 1
            continue
        if found is None:
            left_out.reasons["with transparent pixels"] += 1
        else:
            yield replace(found, row=row)


def values_of(image: OpenedFrame, card: ModelCard) -> FileValues | None:
    """An image as the file of a network is given it; None if it has values and opacity.

    Raises:
        DecodeError: As for `decode_input`.
    """
    found = picture_or_values(image, card)
    if isinstance(found, np.ndarray):
        return FileValues(0, found, GraphInput(PICTURE_DTYPE, found.shape[2]), None)
    if found.opacity is not None and found.opacity.min(initial=1) < 1:
        return None
    takes = GraphInput(found.values.dtype.name, found.values.shape[2], found.limits)
    pixel_um = None
    if found.scale is not None and card.pixel_size is not None:
        pixel_um = found.scale[0] * card.pixel_size, found.scale[1] * card.pixel_size
    return FileValues(0, found.values, takes, pixel_um)


def usual_input(values: Iterable[FileValues], card: ModelCard, dtype: str | None = None) -> GraphInput:
    """What most images are, with three channels if any has colours.

    Args:
        values: The images.
        card: Of the network.
        dtype: Of the values that are wanted; None for the most frequent.

    Raises:
        ConfigError: If there is no image, or none of that dtype.
    """
    kinds = Counter(one.takes for one in values)
    if not kinds:
        raise ConfigError(
            "None of the images can be read on which the file would be compared with the network.",
            "Name a folder of other images with --dataset.",
        )
    known = sorted({kind.dtype for kind in kinds})
    if dtype is not None and dtype not in known:
        raise ConfigError(f"None of the images has {dtype} values.", f"They have {join_names(known)}.")
    families: Counter[tuple[object, ...]] = Counter()
    for kind, count in kinds.items():
        if dtype in (None, kind.dtype):
            families[_family(kind, card)] += count
    family = families.most_common(1)[0][0]
    return max((kind for kind in kinds if _family(kind, card) == family), key=lambda kind: kind.channels)


def fitted(one: FileValues, takes: GraphInput, card: ModelCard) -> npt.NDArray[np.generic] | None:
    """The values with the channels that the file takes; None if they are of another kind."""
    if _family(one.takes, card) != _family(takes, card):
        return None
    if one.takes.channels == takes.channels:
        return one.values
    return one.values.repeat(3, axis=2) if one.takes.channels == 1 else None


def _family(kind: GraphInput, card: ModelCard) -> tuple[object, ...]:
    """Grey and coloured images of equal limits differ only in how often a value is there."""
    names_channels = bool(card.input_map.channels)
    limits = kind.limits if kind.limits is None or names_channels else kind.limits[:1]
    return kind.dtype, limits, kind.channels if names_channels else 0


def _of_run(run: RunDir, dataset: Path | None) -> ComparedImages | None:
    """What a training was evaluated on; of an old one what it says of its parts; None if it has no image."""
    job = current_job(run, dataset)
    if not isinstance(job.config, TrainConfig):
        raise ConfigError(
            f"The run {printable(run.name)} is not a training, so it has no network of its own.",
            "Name the training.",
        )
    try:
        results = load_results(run, dataset=dataset)
        if results.keys:
            return ComparedImages(
                results.dataset, results.keys, results.truth, results.split, numbering=job.numbering
            )
    except MiaError:
        pass  # of an earlier version, or before the first epoch was evaluated
    samples = present_samples(run, job)
    chosen = [sample for sample in samples if sample.split == "val"] or samples
    if not chosen:
        return None
    return ComparedImages(
        Path(job.dataset),
        tuple(ImageKey(sample.path, sample.frame) for sample in chosen),
        np.array([sample.class_index for sample in chosen], np.int64),
        chosen[0].split,
        numbering=job.numbering,
    )


def _files(keys: Sequence[ImageKey]) -> Iterator[tuple[str, int]]:
    """Each file with the number of its frames."""
    yield from Counter(key.path for key in keys).items()
