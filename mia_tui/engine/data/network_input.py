"""What the images of a run become: its settings, and how bright its files are."""

from dataclasses import dataclass

from mia_tui.config.train import Geometry, Resize, StackPick, TrainConfig
from mia_tui.dataset.images.decode import NetworkInput
from mia_tui.dataset.images.intensity import AS_BEFORE, InputMap, count_channels


@dataclass(frozen=True)
class InputOfRun:
    """The `NetworkInput` of a training; that of a trained network is its model card.

    Attributes:
        width: Pixels.
        height: Pixels.
        color: Red, green and blue, or one grey channel; without effect where the map names channels.
        geometry: See TrainConfig.
        resize: See TrainConfig.
        max_megapixels: Larger images are not read.
        pixel_size: Micrometres; None if the geometry decides the scale.
        input_map: From the values of the files to brightness.
        stack: What is taken of a stack that is one image.
    """

    width: int
    height: int
    color: bool
    geometry: Geometry
    resize: Resize
    max_megapixels: float
    pixel_size: float | None
    input_map: InputMap
    stack: StackPick

    @property
    def channel_count(self) -> int:
        return count_channels(self.input_map, color=self.color)


def input_of(config: TrainConfig, input_map: InputMap = AS_BEFORE) -> InputOfRun:
    """The input of a training whose images were measured."""
    return InputOfRun(
        width=config.width,
        height=config.height,
        color=config.color,
        geometry=config.geometry,
        resize=config.resize,
        max_megapixels=config.max_megapixels,
        pixel_size=config.pixel_size,
        input_map=input_map,
        stack=config.stack,
    )


def is_deep(wanted: NetworkInput) -> bool:
    """Whether pixels have 16 bits."""
    return wanted.input_map is not None and wanted.input_map.bits > 8


def is_rgb(wanted: NetworkInput) -> bool:
    """Whether the channels are red, green and blue, and no measurements of their own."""
    return wanted.color and not (wanted.input_map is not None and wanted.input_map.channels)


def bytes_of_image(wanted: NetworkInput) -> int:
    """Memory that one image takes."""
    return wanted.width * wanted.height * wanted.channel_count * (2 if is_deep(wanted) else 1)
