"""The augmentations of a training in words, each with its probability and range.

A new augmentation of `engine.data.augment` is a line in `_WORDS`; a test holds that each has one.
"""

from collections.abc import Callable, Mapping

from mia_tui.config.fields import fields
from mia_tui.config.train import TrainConfig


def augmentations_in_words(config: TrainConfig) -> list[str]:
    """What may happen to an image that is trained on, in the order in which it happens; empty where nothing does."""
    possible = {field.name for field in fields() if field.has_effect(config)}
    return [
        f"{words(config)} (probability {getattr(config, chance):g})"
        for chance, words in _WORDS.items()
        if getattr(config, chance) > 0 and chance in possible
    ]


def _turns(config: TrainConfig) -> str:
    is_square = config.width == config.height
    return "rotation by 90, 180 or 270 degrees" if is_square else "rotation by 180 degrees"


def _blur(config: TrainConfig) -> str:
    return f"Gaussian blur with a sigma of up to {config.blur_sigma:g} pixels"


def _piecewise(config: TrainConfig) -> str:
    low, high = config.piecewise_scale_min, config.piecewise_scale_max
    return (
        "piecewise affine distortion, in which the points of a grid are moved by normally distributed distances with "
        f"a standard deviation of {_percents(low, high)} of width and height"
    )


def _dropout(config: TrainConfig) -> str:
    pixels = _percents(config.dropout_pixels_min, config.dropout_pixels_max)
    patches = _percents(config.dropout_patches_min, config.dropout_patches_max)
    sides = _percents(config.dropout_patch_size_min, config.dropout_patch_size_max)
    return (
        f"dropout of either {pixels} of the pixels (per channel with probability "
        f"{config.dropout_pixels_per_channel:g}) or {patches} of the image in patches of a grid with {sides} as many "
        f"rows and columns (per channel with probability {config.dropout_patches_per_channel:g})"
    )


def _affine(config: TrainConfig) -> str:
    return (
        f"affine transformation (scale {config.affine_scale_min:g} to {config.affine_scale_max:g} in width and "
        f"height separately, shift up to {config.affine_shift:.3g} of width and height, shear up to "
        f"{config.affine_shear:g} degrees, rotation up to {config.affine_rotate:g} degrees either way)"
    )


def _crop(config: TrainConfig) -> str:
    area = _percents(config.crop_area_min, config.crop_area_max)
    return f"random resized crop of {area} of the area, sides up to {config.crop_ratio:g} to 1"


def _trivial(config: TrainConfig) -> str:
    return (
        "TrivialAugment (one of identity, shear, translation, rotation, brightness, colour, contrast, sharpness, "
        "posterization, solarization, autocontrast and equalization at a random strength of its wide range)"
    )


def _stain(config: TrainConfig) -> str:
    return (
        "stain jitter (haematoxylin, eosin and a third stain, told apart by colour deconvolution, stronger or weaker "
        f"by up to {_percent(config.stain_strength)}, and up to {config.stain_strength / 4:.3g} more or less of its "
        "optical density in the whole image)"
    )


def _colour(config: TrainConfig) -> str:
    strengths = [
        f"brightness by up to {_percent(config.jitter_brightness)}",
        f"contrast by up to {_percent(config.jitter_contrast)}",
    ]
    if not config.color or config.channels is not None:
        return f"jitter of {' and '.join(strengths)}"
    return (
        f"colour jitter ({', '.join(strengths)}, saturation by up to {_percent(config.jitter_saturation)}, hue by up "
        f"to {_percent(config.jitter_hue)} of the colour circle)"
    )


def _erasing(config: TrainConfig) -> str:
    area = _percents(config.erasing_share_min, config.erasing_share_max)
    return f"random erasing of a rectangle of {area} of the area, filled with noise"


def _mixup(config: TrainConfig) -> str:
    return f"mixup with another image of the batch (alpha {config.mixup_alpha:g})"


def _cutmix(config: TrainConfig) -> str:
    return f"CutMix with another image of the batch (alpha {config.cutmix_alpha:g})"


def _percent(share: float) -> str:
    return _percents(share, share)


def _percents(low: float, high: float) -> str:
    one, other = f"{100 * low:.3g}", f"{100 * high:.3g}"
    return f"{one} %" if one == other else f"{one} to {other} %"


_WORDS: Mapping[str, Callable[[TrainConfig], str]] = {
    "flip_horizontal": lambda _: "horizontal flip",
    "flip_vertical": lambda _: "vertical flip",
    "rotate90": _turns,
    "resized_crop": _crop,
    "trivial_augment": _trivial,
    "stain_jitter": _stain,
    "colour_jitter": _colour,
    "blur": _blur,
    "piecewise_affine": _piecewise,
    "dropout": _dropout,
    "affine": _affine,
    "erasing": _erasing,
    "mixup": _mixup,
    "cutmix": _cutmix,
}
