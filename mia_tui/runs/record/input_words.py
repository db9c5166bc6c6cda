"""What a network is given, in words: the channels, and which values of the files become black and white."""

import re
from collections.abc import Mapping

from mia_tui.config.fields import MICROMETRES
from mia_tui.dataset.images.intensity import InputMap, ValueLimits
from mia_tui.text import join_names, name_some, printable

_COLOURS = ("red", "green", "blue")
_TYPE = re.compile(r"(u?int|float)([0-9]+)")  # as numpy calls it; its import takes 0.1 s


def input_sentence(input_map: InputMap, *, color: bool, pixel_size: float | None) -> str:
    """The input in a line, such as `channels DAPI and GFP; 16-bit files: 180 to 3,900 become black and white`."""
    named = input_map.channels
    first = join_names([printable(name) for name in named], "and") if named else "colour" if color else "grey"
    channels = [f"channel {first}" if len(named) == 1 else f"channels {first}"] if named else [first]
    scale = [f"{pixel_size:g} {MICROMETRES} a pixel"] if pixel_size is not None else []
    return "; ".join([*channels, *scale, *_brightness(input_map, color=color)])


def _brightness(input_map: InputMap, *, color: bool) -> list[str]:
    if input_map.mode == "image":
        return ["files of more than 8 bits are stretched, each image by itself"]
    deep = [limits for limits in input_map.limits if limits.dtype != "uint8"]
    names = input_map.channels or (_COLOURS if color else ("grey",))
    return [f"{type_words(limits.dtype)} files: {_range(limits, names)}" for limits in deep] or [
        "8-bit files as they are"
    ]


def _range(limits: ValueLimits, names: "tuple[str, ...] | list[str]") -> str:
    """`180 to 3,900 become black and white`, for each channel where they differ."""
    ranges = [f"{_number(low)} to {_number(high)}" for low, high in zip(limits.low, limits.high, strict=True)]
    if len(set(ranges)) == 1:
        return f"{ranges[0]} become black and white"
    numbered = (f"channel {name}:" if name.isdigit() else printable(name) for name in names)
    each = (f"{name} {span}" for name, span in zip(numbered, ranges, strict=False))
    return f"{name_some(each)} become black and white"


def other_type_words(dtype: str, input_map: InputMap) -> str:
    """`8-bit file; trained on 16-bit`: for an image of a type that a network was not trained on."""
    known = sorted({type_words(limits.dtype) for limits in input_map.limits}) or ["others"]
    return f"{type_words(dtype)} file; trained on {join_names(known)}"


def other_types_sentence(dtypes: Mapping[str, int], input_map: InputMap) -> str:
    """That images are of types that a network was not trained on, with counts by dtype; empty if there are none."""
    if not dtypes:
        return ""
    counts = join_names([f"{count:,} {type_words(dtype)}" for dtype, count in sorted(dtypes.items())])
    known = join_names(sorted({type_words(limits.dtype) for limits in input_map.limits}) or ["other"])
    are = "image is" if sum(dtypes.values()) == 1 else "images are"
    return (
        f"{counts} {are} of another type than the {known} files that brightness was measured on: the whole range of "
        "that type is used, so they may look brighter or darker to the network than they are."
    )


def type_words(dtype: str) -> str:
    """What people call files of a type: `16-bit`, `signed 16-bit`, `32-bit floating-point`."""
    found = _TYPE.fullmatch(dtype)
    if found is None:
        return printable(dtype)
    before, after = {"int": ("signed ", ""), "float": ("", " floating-point")}.get(found[1], ("", ""))
    return f"{before}{found[2]}-bit{after}"


def _number(value: float) -> str:
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.0f}"
