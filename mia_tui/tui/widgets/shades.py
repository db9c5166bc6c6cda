"""Shares as colours: from the background to one colour in steps that look equal, with text that can be read on each.

Where a terminal has too few colours for that, characters of growing density stand in for them.
"""

from functools import lru_cache

import numpy as np
from rich.style import Style

from mia_tui.tui.widgets.ink import Ink, contrast, style

STEPS = 24
"""Colours between the background and the strongest one."""

_DENSE, _DENSE_ASCII = " ░▒▓█", " .:+#"

# OKLab: Björn Ottosson, "A perceptual color space for image processing", 2020.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)


def level_of(share: float) -> int:
    """Which of the steps stands for a share; by its square root, so that one percent can be told from nothing."""
    if share <= 0:
        return 0
    return max(1, min(STEPS, round(STEPS * float(np.sqrt(share)))))


def shade(level: int, ground: str, colour: str) -> Style:
    """The style of a cell: its background, and black or white for text, whichever can be read."""
    background = _ramp(ground, colour)[level]
    return style(fg=contrast(background), bg=background)


def density(level: int, ink: Ink) -> str:
    """A character that is the darker the higher the step."""
    characters = _DENSE if ink.unicode else _DENSE_ASCII
    return characters[-(-level * (len(characters) - 1) // STEPS)]


@lru_cache(maxsize=16)
def _ramp(ground: str, colour: str) -> tuple[str, ...]:
    """`STEPS` + 1 colours from one to another, evenly spaced in OKLab."""
    first, last = _lab(ground), _lab(colour)
    return tuple(_hex(first + (last - first) * step / STEPS) for step in range(STEPS + 1))


def _lab(colour: str) -> np.ndarray:
    values = np.array([int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    lab: np.ndarray = _TO_LAB @ np.cbrt(_TO_CONES @ linear)
    return lab


def _hex(lab: np.ndarray) -> str:
    linear = np.clip(np.linalg.solve(_TO_CONES, np.linalg.solve(_TO_LAB, lab) ** 3), 0, 1)
    values = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return "#" + "".join(f"{round(float(value) * 255):02x}" for value in values)
