"""A heat map over an image: where a network looks, from clear over red to yellow."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

# From dark red to light yellow, lightness rising, so that it can be read without telling colours apart.
_COLOURS = np.array([(90, 0, 60), (180, 20, 40), (235, 100, 0), (255, 190, 40), (255, 255, 170)], np.float32)
_MOST_COVER = 0.65  # of the hottest pixels; the image stays visible below


@dataclass(frozen=True)
class HeatMap:
    """Heat on a grid over a part of an image; hashable, so that pictures with it can be kept.

    Attributes:
        values: 0 to 255 for each cell of the grid, row by row.
        rows: Of the grid.
        columns: Of the grid.
        box: The part of the image that it lies on: left, top, right and lower edge, as fractions of the image's width
            and height. Outside there is no heat: the network does not see that.
    """

    values: bytes
    rows: int
    columns: int
    box: tuple[float, float, float, float]

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1 or len(self.values) != self.rows * self.columns:
            raise ValueError("the values do not fill the grid")
        left, top, right, bottom = self.box
        if not (left < right and top < bottom):
            raise ValueError("the box is empty")


def with_heat(
    pixels: npt.NDArray[np.uint8], heat: HeatMap, seen: tuple[float, float, float, float]
) -> npt.NDArray[np.uint8]:
    """A picture with a heat map over it.

    Args:
        pixels: uint8, shape (H, W, 3).
        heat: The map.
        seen: The part of the image that the picture shows, as `HeatMap.box`.

    Returns:
        uint8, shape (H, W, 3).
    """
    height, width = pixels.shape[:2]
    strength = _strength(heat, seen, (width, height))
    cover = (_MOST_COVER * strength)[..., None]
    place = strength * (len(_COLOURS) - 1)
    below = np.minimum(place.astype(np.intp), len(_COLOURS) - 2)
    part = (place - below)[..., None]
    colours = _COLOURS[below] * (1 - part) + _COLOURS[below + 1] * part
    mixed: npt.NDArray[np.uint8] = np.rint(pixels * (1 - cover) + colours * cover).astype(np.uint8)
    return mixed


def _strength(
    heat: HeatMap, seen: tuple[float, float, float, float], size: tuple[int, int]
) -> npt.NDArray[np.float32]:
    """Heat of each pixel of what is seen, 0 to 1, shape (H, W); 0 where the map does not lie."""
    grid = np.frombuffer(heat.values, np.uint8).reshape(heat.rows, heat.columns).astype(np.float32) / 255
    axes = []
    for first, last, low, high, cells, count in zip(
        seen[:2], seen[2:], heat.box[:2], heat.box[2:], (heat.columns, heat.rows), size, strict=True
    ):
        at = first + (np.arange(count) + 0.5) / count * (last - first)
        axes.append(((at - low) / (high - low), cells))
    (across, columns), (down, rows) = axes
    values = _weights(down * rows - 0.5, rows) @ grid @ _weights(across * columns - 0.5, columns).T
    inside = ((down >= 0) & (down <= 1))[:, None] & ((across >= 0) & (across <= 1))
    return np.where(inside, values, np.float32(0)).astype(np.float32)


def _weights(at: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float32]:
    """How much each cell of a row counts at each place, between the middles of the cells in proportion: shape
    (places, cells)."""
    at = at.clip(0, count - 1)
    low = np.minimum(at.astype(np.intp), max(0, count - 2))
    part = (at - low).astype(np.float32)
    weights = np.zeros((len(at), count), np.float32)
    places = np.arange(len(at))
    weights[places, low] = 1 - part
    weights[places, np.minimum(low + 1, count - 1)] += part
    return weights
