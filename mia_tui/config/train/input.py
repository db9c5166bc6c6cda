"""Settings of a training: what the images become for the network."""

from functools import partial
from typing import Annotated, Literal

from msgspec import Meta

from mia_tui.config.fields import MICROMETRES
from mia_tui.config.train.about import LARGEST, MOST, about
from mia_tui.config.train.network import NetworkSettings

Scaling = Literal["auto", "zero_one", "minus_one_one", "imagenet"]
Geometry = Literal["squash", "letterbox", "crop"]
Resize = Literal["nearest", "linear", "cubic", "lanczos"]
Intensity = Literal["dataset", "type", "image"]
Frames = Literal["first", "all"]
StackPick = Literal["max", "mean", "middle"]

_input = partial(about, "Input")


class InputSettings(NetworkSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the images become for the network."""

    width: Annotated[int, _input("Input width.", "pixels", ge=8, le=4096)] = 224
    height: Annotated[int, _input("Input height.", "pixels", ge=8, le=4096)] = 224
    color: Annotated[
        bool,
        _input(
            "Colour (red, green, blue) or mono (one channel).",
            title="colour",
            only_if=lambda config: config.channels is None,
        ),
    ] = True
    channels: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        _input(
            "Channels of the files that the network is given, by name or by number from 0: DAPI,GFP or 0,2. Left "
            "out, a picture in colour or mono, and of files that hold no picture all channels."
        ),
    ] = None
    intensity: Annotated[
        Intensity,
        _input(
            "How bright images of more than 8 bits are for the network: dataset (the same values are black and "
            "white in all images, measured on some that are trained on), type (the whole range of the files' "
            "numbers is used), image (each image is stretched by itself, so that bright and dark ones look alike). "
            "Images of 8 bits stay as they are."
        ),
    ] = "dataset"
    geometry: Annotated[
        Geometry,
        _input(
            "How an image is fitted to the input size: squash (as a whole, stretched), letterbox (as a whole, "
            "borders black) or crop (its middle, nothing stretched).",
            only_if=lambda config: config.pixel_size is None,
        ),
    ] = "squash"
    pixel_size: Annotated[
        Annotated[float, Meta(gt=0.0, le=LARGEST)] | None,
        _input(
            "Size of a pixel of the input: 0.5, 0.5um or 500nm. What is larger than the input is cut off, what is "
            "smaller gets black borders; files that do not say their pixel size cannot be used. Left out, every "
            "image fills the input.",
            MICROMETRES,
        ),
    ] = None
    resize: Annotated[Resize, _input("How images are made smaller or larger, always with anti-aliasing.")] = (
        "cubic"
    )
    scaling: Annotated[
        Scaling,
        _input(
            "Range of the values that the network is given: zero_one (0..1), minus_one_one (-1..1), imagenet (mean "
            "and deviation of ImageNet), auto (what the weights expect; imagenet without weights)."
        ),
    ] = "auto"
    max_megapixels: Annotated[
        float, _input("Larger images are skipped, with a warning.", "megapixels", gt=0.0, le=MOST)
    ] = 120.0
    frames: Annotated[Frames, _input("Frames taken of animated GIF and WebP files.")] = "first"
    stack: Annotated[
        StackPick,
        _input(
            "What is taken of a stack that is labelled as a whole: the brightest value of each pixel over all "
            "frames (max), their mean, or the frame in the middle."
        ),
    ] = "max"
    start_size: Annotated[
        float,
        _input(
            "Size of the input when the training begins, as a share of the whole one, to which it grows; 1 is the "
            "whole one from the start.",
            gt=0.0,
            le=1.0,
        ),
    ] = 1.0
