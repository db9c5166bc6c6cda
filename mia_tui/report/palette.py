"""Colours that people with every kind of colour vision tell apart, on white paper and beside each other."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]

SAFE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Source: Okabe and Ito, "Color universal design", 2008; without the yellow, which is hardly seen on white."""

DASHES: tuple[str | tuple[int, tuple[int, ...]], ...] = ("solid", (0, (5, 2)), (0, (1, 1)), (0, (5, 2, 1, 2)))
"""Line styles, for the second and further classes of one colour."""

LEAST_DISTANCE = 0.075
"""Of two colours in OKLab, as everybody sees them; the nearest two of `SAFE` are 0.076 apart."""

LEAST_CONTRAST = 2.0
"""Of a colour with white, by WCAG; the palest of `SAFE` has 2.2."""

# Source: Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency",
# 2009, severity 1.0; applied to linear RGB.
_VISIONS: dict[str, Numbers] = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}

# Source: Ottosson, "A perceptual color space for image processing", 2020.
_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_OKLAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def class_colours(names: Sequence[str], own: Mapping[str, str]) -> list[str]:
    """A colour for each class: that of the app where it is safe beside those before it, else the next safe one.

    Args:
        names: The classes that are drawn together.
        own: Their colours in the app, #rrggbb, by name.

    Returns:
        #rrggbb for each. Of more classes than there are safe colours, some have the same; `line_style` differs.
    """
    chosen: list[str] = []
    for name in names:
        wanted = [own[name]] if name in own else []
        safe = next((colour for colour in (*wanted, *SAFE) if _is_safe(colour, chosen)), None)
        chosen.append(safe or SAFE[len(chosen) % len(SAFE)])
    return chosen


def line_style(index: int) -> str | tuple[int, tuple[int, ...]]:
    """The line of the class at a position: solid for the first ones, then dashed."""
    return DASHES[index // len(SAFE) % len(DASHES)]


def least_distance(colours: Sequence[str]) -> float:
    """How far apart in OKLab the nearest two of some colours are, with the colour vision for which that is least."""
    return min((_distance(one, other) for one, other in combinations(colours, 2)), default=math.inf)


def contrast_with_white(colour: str) -> float:
    """1 for white, 21 for black (WCAG)."""
    return float(1.05 / (_linear(colour) @ _LUMINANCE + 0.05))


def _is_safe(colour: str, others: Sequence[str]) -> bool:
    return contrast_with_white(colour) >= LEAST_CONTRAST and all(
        _distance(colour, other) >= LEAST_DISTANCE for other in others
    )


def _distance(one: str, other: str) -> float:
    pair = np.array([_linear(one), _linear(other)])
    distances = []
    for vision in _VISIONS.values():
        seen = np.clip(pair @ vision.T, 0.0, 1.0)
        first, second = np.cbrt(seen @ _TO_CONES.T) @ _TO_OKLAB.T
        distances.append(float(np.linalg.norm(first - second)))
    return min(distances)


def _linear(colour: str) -> Numbers:
    """`#rrggbb` as linear red, green and blue, 0 to 1."""
    values = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    linear: Numbers = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return linear
