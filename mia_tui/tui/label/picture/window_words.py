"""Between which values an image is shown, and which of its channels: in words, and as a person types it."""

import re

from mia_tui.dataset.images.channels import ChannelChoice
from mia_tui.dataset.images.rendering import RenderedImage
from mia_tui.dataset.images.screen.windows import FixedWindow, Window

_MOST_NAMES = 4
_RANGE = re.compile(r"\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*(?:to|–|-|\s)\s*([-+]?[\d.]+(?:e[-+]?\d+)?)\s*", re.I)


def window_words(view: RenderedImage | None, window: Window, choice: ChannelChoice) -> list[str]:
    """Between which values an image is shown; nothing for one of 8 bits as it is."""
    words = []
    if isinstance(window, tuple):
        words.append(f"tones {window[0]:g}–{window[1]:g} %")
    if view is None or not (view.is_deep or view.window == "fixed"):
        return words
    ranges = dict.fromkeys(view.ranges)
    seen = [n for n in view.channels if n not in choice.hidden]
    alone = choice.alone if choice.alone in view.channels else seen[0] if len(seen) == 1 else None
    if alone is not None and len(view.ranges) == len(view.channels):
        ranges = {view.ranges[list(view.channels).index(alone)]: None}
    several, values = "s", ""
    if len(ranges) == 1:
        low, high = next(iter(ranges))
        several, values = "", f" {_value(low, ',')}–{_value(high, ',')}"
    if view.window == "fixed":
        return [*words, f"fixed window{several}{values}"]
    if view.window == "type":
        return [*words, f"window{values} of {view.scene.dtype.name}"]
    words.append(f"window{several}{values} of this image")
    if isinstance(window, FixedWindow):
        kind = window.dtype if window.dtype != view.scene.dtype.name else f"{len(window.ranges)} channels"
        words.append(f"the fixed one is for {kind}")
    return words


def channel_words(view: RenderedImage, choice: ChannelChoice) -> list[str]:
    """The channels that are seen, by name; nothing for a coloured picture as it is."""
    names, scene = view.channels, view.scene
    if choice.alone in names:
        return [f"{names[choice.alone]} only"]
    if not names:
        named = [scene.channels[number].name for number in scene.measured]
        return [name for name in named if name]
    seen = [name for number, name in names.items() if number not in choice.hidden]
    if not scene.measured and len(seen) == len(names):
        return []
    if not seen:
        return ["no channel"]
    if len(seen) > _MOST_NAMES:
        return [
            f"{len(seen)} of {len(names)} channels" if len(seen) < len(names) else f"{len(names)} channels"
        ]
    return [" + ".join(seen)]


def typed_window(view: RenderedImage) -> str:
    """The values between which an image is shown, as `window_of` reads them."""
    return ", ".join(f"{_value(low)} to {_value(high)}" for low, high in view.ranges)


def window_of(text: str, view: RenderedImage) -> FixedWindow:
    """The window that a person typed: `180 to 3900`, for several channels one after the other with commas between.

    Raises:
        ValueError: With a sentence, if that is no window.
    """
    ranges = [_range(part) for part in text.split(",")]
    if len(ranges) == 1:
        ranges *= len(view.ranges)
    if len(ranges) != len(view.ranges):
        raise ValueError(f"This image has {len(view.ranges)} windows, one for each channel.")
    return FixedWindow(view.scene.dtype.name, tuple(ranges))


def _range(text: str) -> tuple[float, float]:
    found = _RANGE.fullmatch(text)
    try:
        low, high = (float(found[1]), float(found[2])) if found else (0.0, 0.0)
    except ValueError:
        low = high = 0.0
    if not low < high:
        raise ValueError("Two numbers are needed, the smaller one first: 180 to 3900.")
    return low, high


def _value(value: float, thousands: str = "") -> str:
    return f"{value:{thousands}.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.5g}"
