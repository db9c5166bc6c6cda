"""What a network wants of image files, and files with the values that a test gives."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from mia_tui.config.train import Geometry, Resize, StackPick
from mia_tui.dataset.images.decode import NetworkInput
from mia_tui.dataset.images.intensity import AS_BEFORE, InputMap, IntensityMode, count_channels
from mia_tui.dataset.images.network.mapping import mapped_pixels
from mia_tui.dataset.images.reading import OpenedFrame
from mia_tui.dataset.images.source import Channel, Place, Region, Scene, Source


@dataclass(frozen=True)
class WantedInput:
    """As a model card says it."""

    width: int = 16
    height: int = 16
    color: bool = True
    geometry: Geometry = "squash"
    resize: Resize = "cubic"
    max_megapixels: float = 120.0
    input_map: InputMap | None = None
    pixel_size: float | None = None
    stack: StackPick = "max"

    @property
    def channel_count(self) -> int:
        return count_channels(self.input_map, color=self.color)


@dataclass(frozen=True)
class ChosenInput:
    """As the settings of a training say it."""

    intensity: IntensityMode = "dataset"
    channels: str | None = None
    stack: StackPick = "max"
    max_megapixels: float = 120.0


@dataclass(frozen=True)
class InFolder:
    """An image of the training part."""

    path: str
    frame: int = 0


@dataclass
class ImageFolder:
    """Images written for a test, in the order of the training part."""

    root: Path
    images: list[InFolder] = field(default_factory=list)

    def add(self, values: np.ndarray, name: str = "", **options: Any) -> Path:
        """A TIFF file, as tifffile writes it."""
        path = self.root / (name or f"{len(self.images):03}.tif")
        tifffile.imwrite(path, values, **{"photometric": "minisblack"} | options)
        self.images.append(InFolder(path.name))
        return path


class ArraySource(Source):
    """A file that says of its values whatever a test wants; with levels of which each pixel is a mean."""

    format = "values"

    def __init__(self, values: np.ndarray, *, shrunk_by: Sequence[int] = (1,), **about: Any) -> None:
        self.values, self.shrunk_by = values, shrunk_by
        self.regions: list[Region | None] = []
        self.levels_read: list[int] = []
        self.channels_read: list[list[int] | None] = []
        height, width, count = values.shape
        about = {"channels": (Channel(),) * count} | about
        levels = tuple((width // by, height // by) for by in shrunk_by)
        self.scenes = [Scene((width, height), values.dtype, levels=levels, **about)]

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> np.ndarray:
        self.regions.append(region)
        self.levels_read.append(level)
        self.channels_read.append(None if channels is None else list(channels))
        by = self.shrunk_by[level]
        height, width, count = self.values.shape
        parts = self.values.reshape(height // by, by, width // by, by, count)
        values = parts.mean((1, 3)).astype(self.values.dtype)
        if region is not None:
            values = values[region.top : region.top + region.height, region.left : region.left + region.width]
        return values if channels is None else values[:, :, list(channels)]


def network_pixels(source: Source, wanted: NetworkInput, other_types: list[str] | None = None) -> np.ndarray:
    """What a network is given of the only image of a source."""
    image = OpenedFrame(source, Place(), Path("cell.tif"), wanted.max_megapixels)
    noted = [] if other_types is None else other_types
    return mapped_pixels(image, wanted, wanted.input_map or AS_BEFORE, noted.append)
