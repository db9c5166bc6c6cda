"""Resizing inside an exported network: the formulas of Pillow, with which the program resizes, on tensors.

Pillow makes each pixel of the result a weighted mean of pixels of the image, across first and then down. With all
weights of a direction in a matrix that is a product of matrices, whose shape may depend on that of the image. ONNX's
own Resize knows neither Lanczos' filter nor a part of an image, and few programs have it with anti-aliasing.

Source: Pillow, src/libImaging/Resample.c. Coordinates are float64 as there; corners of the part are float32.
"""

import math

import PIL
import torch
from torch import Tensor, nn

from mia_tui.config.train import Geometry, Resize

_SUPPORT: dict[Resize, float] = {"nearest": 0.5, "linear": 1.0, "cubic": 2.0, "lanczos": 3.0}
_ONE, _HALF = float(1 << 22), float(1 << 11)  # a weight of 1, and where its bits are parted
_CUBIC = -0.5  # Pillow's parameter of the cubic filter
_DOWN_FIRST = (
    int(PIL.__version__.split(".")[0]) >= 13
)  # since then it does some images down first, then across


class Resampling(nn.Module):
    """Puts images on a canvas, see `dataset.images.network.geometry`.

    Args:
        width: Of the canvas, pixels.
        height: Of the canvas, pixels.
        geometry: Without effect if a scale is given to `forward`.
        resize: Filter.
        rounds: Whether values are whole numbers from 0 to 255, and are rounded to such after each direction, as
            Pillow does with pictures of 8 bits.
    """

    def __init__(self, *, width: int, height: int, geometry: Geometry, resize: Resize, rounds: bool) -> None:
        super().__init__()
        self._canvas = width, height
        self._geometry, self._resize, self._rounds = geometry, resize, rounds

    def forward(self, images: Tensor, scale: Tensor | None = None) -> Tensor:
        """The canvas, shape (N, C, height, width), float32.

        Args:
            images: Shape (N, C, H, W), float32.
            scale: Pixels of the canvas for one of the image, across and down, shape (2,), float64; None if the
                geometry decides.
        """
        across, down = self._placements(images, scale)
        wide, high = _weights(across, self._resize), _weights(down, self._resize)
        if not self._rounds:
            unrounded = torch.matmul(images, wide.to(torch.float32).transpose(0, 1))
            return torch.matmul(high.to(torch.float32), unrounded)
        halves, high_halves = _halves(wide), _halves(high)
        usual = _down(_across(images, halves), high_halves)
        if not _DOWN_FIRST:
            return usual
        other = _across(_down(images, high_halves), halves)
        return torch.where(self._is_down_first(across, down), other, usual)

    def _is_down_first(self, across: "_Side", down: "_Side") -> Tensor:
        """Whether Pillow begins with the rows, since there are many more of them than wanted."""
        fewer_rows, fewer_columns = down.length - down.size, across.length - across.size
        return (fewer_rows > 0) & (fewer_rows > 2 * fewer_columns)

    def _placements(self, images: Tensor, scale: Tensor | None) -> tuple["_Side", "_Side"]:
        rooms = self._canvas
        places = [_places(images.shape[3]), _places(images.shape[2])]
        sides = [place[-1] + 1.0 for place in places]  # width and height as tensors
        if scale is not None:
            return self._at_scale(places, sides, scale)
        ratios = [room / side for room, side in zip(rooms, sides, strict=True)]
        zero = torch.zeros_like(sides[0])
        if self._geometry == "letterbox":
            by = torch.minimum(*ratios)
            sizes = [torch.round(side * by).clamp(min=1.0) for side in sides]
            return self._two(places, [zero, zero], sides, sizes)
        if self._geometry == "crop":
            by = torch.minimum(*(side / room for room, side in zip(rooms, sides, strict=True)))
            starts = [
                ((side - room * by) / 2).clamp(min=0.0) for room, side in zip(rooms, sides, strict=True)
            ]
            ends = [side - start for side, start in zip(sides, starts, strict=True)]
            return self._two(places, starts, ends, [zero + room for room in rooms])
        return self._two(places, [zero, zero], sides, [zero + room for room in rooms])

    def _at_scale(self, places: list[Tensor], sides: list[Tensor], scale: Tensor) -> tuple["_Side", "_Side"]:
        starts, ends, sizes = [], [], []
        for number, (side, room) in enumerate(zip(sides, self._canvas, strict=True)):
            by = scale[number]
            part = torch.minimum(side, room / by)
            start = (side - part) / 2
            starts.append(start)
            ends.append(torch.minimum(side, start + part))
            sizes.append(torch.round(side * by).clamp(1.0, float(room)))
        return self._two(places, starts, ends, sizes)

    def _two(
        self, places: list[Tensor], starts: list[Tensor], ends: list[Tensor], sizes: list[Tensor]
    ) -> tuple["_Side", "_Side"]:
        across, down = (
            _Side(place, start, end, size, room)
            for place, start, end, size, room in zip(places, starts, ends, sizes, self._canvas, strict=True)
        )
        return across, down


class _Side:
    """How an image lies on a canvas in one direction.

    Args:
        places: 0, 1, … for each pixel of the image, shape (L,), float64.
        start: Of the part of the image that is on the canvas; all others are single numbers, float64.
        end: Of the part.
        size: Of the part on the canvas.
        room: Pixels of the canvas.
    """

    def __init__(self, places: Tensor, start: Tensor, end: Tensor, size: Tensor, room: int) -> None:
        self.places, self.size, self.room = places, size, room
        self.start = start.to(torch.float32)
        self.extent = (end.to(torch.float32) - self.start).to(torch.float64)
        self.start = self.start.to(torch.float64)
        self.at = torch.floor((room - size) / 2)
        self.length = places[-1] + 1.0

    @property
    def scale(self) -> Tensor:
        """Pixels of the image for one of the canvas."""
        return self.extent / self.size


def _places(count: int) -> Tensor:
    return torch.arange(count, dtype=torch.float64)


def _weights(side: _Side, resize: Resize) -> Tensor:
    """The weight of each pixel of the image in each of the canvas, shape (room, L), float64; 0 for what is black."""
    scale = side.scale
    widened = scale.clamp(min=1.0)
    support = _SUPPORT[resize] * widened
    on_canvas = torch.arange(side.room, dtype=torch.float64) - side.at  # (room,)
    centre = (side.start + (on_canvas + 0.5) * scale)[:, None]
    first = torch.floor((centre - support + 0.5).clamp(min=0.0))
    behind = torch.floor(centre + support + 0.5)
    weights = _filter((side.places - centre + 0.5) * (1.0 / widened), resize)
    weights = weights * ((side.places >= first) & (side.places < behind))
    total = weights.sum(dim=1, keepdim=True)
    is_seen = ((on_canvas >= 0) & (on_canvas < side.size))[:, None] & (total != 0)
    return torch.where(is_seen, weights / torch.where(total != 0, total, 1.0), 0.0)


def _halves(weights: Tensor) -> Tensor:
    """Weights as Pillow has them for pictures: whole numbers of 22 bits, here as two of 11, below each other.

    Products and sums of so few bits are exact in float32, so that the same pixels come out.

    Returns:
        Shape (2 * room, L), float32.
    """
    whole = torch.trunc(weights * _ONE + torch.where(weights < 0, -0.5, 0.5))
    upper = torch.floor(whole / _HALF)
    return torch.cat([upper, whole - upper * _HALF]).to(torch.float32)


def _across(images: Tensor, halves: Tensor) -> Tensor:
    upper, lower = torch.matmul(images, halves.transpose(0, 1)).chunk(2, dim=3)
    return _pixels(upper, lower)


def _down(images: Tensor, halves: Tensor) -> Tensor:
    upper, lower = torch.matmul(halves, images).chunk(2, dim=2)
    return _pixels(upper, lower)


def _pixels(upper: Tensor, lower: Tensor) -> Tensor:
    total = upper.to(torch.float64) * _HALF + lower
    return torch.floor((total + _ONE / 2) / _ONE).clamp(0.0, 255.0).to(torch.float32)


def _filter(x: Tensor, resize: Resize) -> Tensor:
    far = x.abs()
    if resize == "nearest":
        return ((x > -0.5) & (x <= 0.5)).to(x.dtype)
    if resize == "linear":
        return (1.0 - far).clamp(min=0.0)
    if resize == "cubic":
        near = ((_CUBIC + 2.0) * far - (_CUBIC + 3.0)) * far * far + 1.0
        beyond = (((far - 5.0) * far + 8.0) * far - 4.0) * _CUBIC
        return torch.where(far < 1.0, near, torch.where(far < 2.0, beyond, 0.0))
    return torch.where((x >= -3.0) & (x < 3.0), _sinc(x) * _sinc(x / 3.0), 0.0)


def _sinc(x: Tensor) -> Tensor:
    turned = torch.where(x == 0.0, 1.0, x) * math.pi
    return torch.where(x == 0.0, 1.0, torch.sin(turned) / turned)
