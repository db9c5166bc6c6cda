"""Settings of a training: how its images are changed at random."""

from functools import partial
from typing import Annotated, Any

from msgspec import Meta

from mia_tui.config.fields import Condition
from mia_tui.config.train.about import about, is_on
from mia_tui.config.train.data import DataSettings

_augment = partial(about, "Augmentation")


def _chance(description: str, advice: str = "", **more: Any) -> Meta:
    return _augment(
        f"How often an image is {description}: 0 is never, 1 is always.", advice, ge=0.0, le=1.0, **more
    )


def _in_colour(chance: str) -> Condition:
    """Whether that augmentation may happen, and images are pictures in red, green and blue."""
    return lambda config: bool(getattr(config, chance) > 0 and config.color and config.channels is None)


_dropout = partial(_augment, ge=0.0, le=1.0, only_if=is_on("dropout"))
_jitter = partial(_augment, ge=0.0, le=1.0, only_if=is_on("colour_jitter"))


class AugmentationSettings(DataSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often images are changed, and by how much."""

    flip_horizontal: Annotated[float, _chance("flipped left to right")] = 0.5
    flip_vertical: Annotated[float, _chance("flipped upside down")] = 0.5
    rotate90: Annotated[
        float, _chance("turned by 90, 180 or 270 degrees (by 180 where the input is not square)")
    ] = 0.75
    blur: Annotated[float, _chance("blurred")] = 0.0
    blur_sigma: Annotated[
        float,
        _augment(
            "Blur: the strongest one (sigma of a Gaussian).", "pixels", gt=0.0, le=20.0, only_if=is_on("blur")
        ),
    ] = 3.0
    piecewise_affine: Annotated[float, _chance("distorted by moving the points of a grid")] = 0.0
    piecewise_scale_min: Annotated[
        float,
        _augment(
            "Distortion: how far points move at least, as a share of the image.",
            ge=0.0,
            le=0.2,
            only_if=is_on("piecewise_affine"),
        ),
    ] = 0.01
    piecewise_scale_max: Annotated[
        float,
        _augment(
            "Distortion: how far points move at most, as a share of the image.",
            ge=0.0,
            le=0.2,
            only_if=is_on("piecewise_affine"),
        ),
    ] = 0.05
    dropout: Annotated[float, _chance("partly blacked out, in pixels or in patches (one or the other)")] = 0.0
    dropout_pixels_min: Annotated[float, _dropout("Black pixels: their share at least.")] = 0.01
    dropout_pixels_max: Annotated[float, _dropout("Black pixels: their share at most.")] = 0.1
    dropout_pixels_per_channel: Annotated[
        float, _dropout("Black pixels: how often in each colour separately; 0 is never.")
    ] = 0.5
    dropout_patches_min: Annotated[float, _dropout("Black patches: their share of the image at least.")] = (
        0.03
    )
    dropout_patches_max: Annotated[float, _dropout("Black patches: their share of the image at most.")] = 0.15
    dropout_patch_size_min: Annotated[
        float,
        _augment(
            "Black patches: fewest along a side, as a share of the pixels along it (the fewer, the larger).",
            gt=0.0,
            le=1.0,
            only_if=is_on("dropout"),
        ),
    ] = 0.02
    dropout_patch_size_max: Annotated[
        float,
        _augment(
            "Black patches: most along a side, as a share of the pixels along it (the more, the smaller).",
            gt=0.0,
            le=1.0,
            only_if=is_on("dropout"),
        ),
    ] = 0.05
    dropout_patches_per_channel: Annotated[
        float, _dropout("Black patches: how often in each colour separately; 0 is never.")
    ] = 0.2
    affine: Annotated[float, _chance("scaled, shifted, sheared and turned, all at once")] = 0.0
    affine_scale_min: Annotated[
        float,
        _augment(
            "Affine: smallest scale, of width and height separately.", gt=0.0, le=1.0, only_if=is_on("affine")
        ),
    ] = 0.8
    affine_scale_max: Annotated[
        float,
        _augment(
            "Affine: largest scale, of width and height separately.", ge=1.0, le=10.0, only_if=is_on("affine")
        ),
    ] = 1.2
    affine_shift: Annotated[
        float,
        _augment(
            "Affine: farthest shift, as a share of width and height.", ge=0.0, le=1.0, only_if=is_on("affine")
        ),
    ] = 0.2
    affine_shear: Annotated[
        float,
        _augment(
            "Affine: strongest shear, which makes a square a rhombus.",
            "degrees",
            ge=0.0,
            lt=90.0,
            only_if=is_on("affine"),
        ),
    ] = 16.0
    affine_rotate: Annotated[
        float,
        _augment("Affine: farthest turn, either way.", "degrees", ge=0.0, le=180.0, only_if=is_on("affine")),
    ] = 45.0
    resized_crop: Annotated[float, _chance("cropped at a random place and brought to the whole size")] = 0.0
    crop_area_min: Annotated[
        float,
        _augment("Crop: smallest share of the image's area.", gt=0.0, le=1.0, only_if=is_on("resized_crop")),
    ] = 0.35
    crop_area_max: Annotated[
        float,
        _augment("Crop: largest share of the image's area.", gt=0.0, le=1.0, only_if=is_on("resized_crop")),
    ] = 1.0
    crop_ratio: Annotated[
        float,
        _augment(
            "Crop: how much longer one side may be than the other.",
            ge=1.0,
            le=10.0,
            only_if=is_on("resized_crop"),
        ),
    ] = 1.33
    colour_jitter: Annotated[float, _chance("changed in brightness, contrast and colour")] = 0.0
    jitter_brightness: Annotated[
        float, _jitter("Colour: by how much brightness goes up or down at most, as a share of it.")
    ] = 0.3
    jitter_contrast: Annotated[
        float, _jitter("Colour: by how much contrast goes up or down at most, as a share of it.")
    ] = 0.3
    jitter_saturation: Annotated[
        float,
        _augment(
            "Colour: by how much saturation goes up or down at most, as a share of it.",
            ge=0.0,
            le=1.0,
            only_if=_in_colour("colour_jitter"),
        ),
    ] = 0.2
    jitter_hue: Annotated[
        float,
        _augment(
            "Colour: how far the hue turns at most, as a share of the colour circle.",
            ge=0.0,
            le=0.5,
            only_if=_in_colour("colour_jitter"),
        ),
    ] = 0.02
    stain_jitter: Annotated[
        float,
        _chance(
            "changed in how strongly it is stained (of pictures in colour, as of sections)",
            only_if=lambda config: config.color and config.channels is None,
        ),
    ] = 0.0
    stain_strength: Annotated[
        float,
        _augment(
            "Stain: by how much each stain gets stronger or weaker at most, as a share of it.",
            gt=0.0,
            le=1.0,
            only_if=_in_colour("stain_jitter"),
        ),
    ] = 0.2
    trivial_augment: Annotated[
        float, _chance("changed by one operation of random kind and strength (TrivialAugment)")
    ] = 0.0
    erasing: Annotated[float, _chance("covered by one rectangle of noise (random erasing)")] = 0.0
    erasing_share_min: Annotated[
        float,
        _augment("Erasing: smallest share of the image's area.", gt=0.0, le=1.0, only_if=is_on("erasing")),
    ] = 0.02
    erasing_share_max: Annotated[
        float,
        _augment("Erasing: largest share of the image's area.", gt=0.0, le=1.0, only_if=is_on("erasing")),
    ] = 0.2
    mixup: Annotated[float, _chance("blended with another one, and the labels likewise (mixup)")] = 0.0
    mixup_alpha: Annotated[
        float,
        _augment(
            "Mixup: how even the blend is (alpha of a Beta distribution); 0.2 is mostly one image, 1 any share.",
            gt=0.0,
            le=10.0,
            only_if=is_on("mixup"),
        ),
    ] = 0.2
    cutmix: Annotated[
        float, _chance("given a rectangle of another one, and the labels by its area (CutMix)")
    ] = 0.0
    cutmix_alpha: Annotated[
        float,
        _augment(
            "CutMix: how even the areas are (alpha of a Beta distribution); 0.2 is mostly one image, 1 any share.",
            gt=0.0,
            le=10.0,
            only_if=is_on("cutmix"),
        ),
    ] = 1.0
