"""A trained network with everything around it, from the values of a file to probabilities, as one module of torch."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mia_tui.dataset.images.decode import NetworkInput
from mia_tui.dataset.images.intensity import AS_BEFORE, InputMap
from mia_tui.engine.export.resampling import Resampling
from mia_tui.runs.record.model_card import ModelCard

PICTURE_DTYPE = "uint8"

_LUMA_8_BITS = (19595.0, 38470.0, 7471.0)  # of 65536, as Pillow has ITU-R 601
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class GraphInput:
    """The arrays that an exported network takes: the values of image files, before brightness and size.

    Attributes:
        dtype: Of the values, as numpy calls it.
        channels: How many there are.
        limits: The values that become black and white, of each channel; None for pictures of 8 bits, which are
            resized as they are.
    """

    dtype: str
    channels: int
    limits: tuple[tuple[float, float], ...] | None = None


class ExportedNetwork(nn.Module):
    """The network of a card, as `decode.decode_input` and `Predictor` use it.

    Args:
        network: From images (N, channels, height, width), normalised, to logits (N, C).
        card: Its model card.
        takes: The arrays that it takes.
        temperature: Logits are divided by it.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: nn.Module, card: ModelCard, takes: GraphInput, *, temperature: float = 1.0
    ) -> None:
        super().__init__()
        self.network = network
        self.brightness = None if takes.limits is None else _Brightness(takes)
        self.resampling = Resampling(
            width=card.width,
            height=card.height,
            geometry=card.geometry,
            resize=card.resize,
            rounds=takes.limits is None,
        )
        self._pixel_size = card.pixel_size
        self._temperature = temperature
        self._bits = _map_of(card).bits
        self._colours = "" if _map_of(card).channels else "colour" if card.color else "mono"
        # Not `scaling.standardise`, whose cache would keep the placeholders of a trace.
        self.register_buffer("mean", torch.tensor(card.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(card.std)[:, None, None], persistent=False)

    def forward(self, images: Tensor, pixel_um: Tensor | None = None) -> Tensor:
        """Probabilities, shape (N, C), float32.

        Args:
            images: Shape (N, H, W, channels), of the dtype of `GraphInput`.
            pixel_um: Width and height of a pixel, micrometres, shape (2,), float64; only where the card has a size of
                pixels.
        """
        scale = None if self._pixel_size is None or pixel_um is None else pixel_um / self._pixel_size
        values = images.permute(0, 3, 1, 2)
        unit = self._of_picture(values, scale) if self.brightness is None else self._of_values(values, scale)
        logits = self.network((unit - self.mean) / self.std)
        return torch.softmax(logits / self._temperature, dim=1)

    def _of_picture(self, values: Tensor, scale: Tensor | None) -> Tensor:
        """A picture of 8 bits as the network has it, 0 to 1: colours, then size."""
        picture = values.to(torch.float32)
        if self._colours == "mono" and picture.shape[1] == 3:
            luma = _mixed(picture, _LUMA_8_BITS)
            picture = torch.floor((luma + 32768.0) / 65536.0)
        resized = self.resampling(picture, scale)
        return self._three(resized) / 255.0

    def _of_values(self, values: Tensor, scale: Tensor | None) -> Tensor:
        """Values of a file as the network has them, 0 to 1: brightness, size, then colours."""
        assert self.brightness is not None
        unit = self.resampling(self.brightness(values), scale)
        if self._colours == "mono" and unit.shape[1] == 3:
            unit = _mixed(unit, _LUMA)
        most = 255.0 if self._bits == 8 else 65535.0
        return torch.round(self._three(unit).clamp(0.0, 1.0) * most) / most

    def _three(self, images: Tensor) -> Tensor:
        is_grey = self._colours == "colour" and images.shape[1] == 1
        return torch.cat([images, images, images], dim=1) if is_grey else images


class _Brightness(nn.Module):
    """`brightness.to_unit` on tensors (N, C, H, W)."""

    low: Tensor
    high: Tensor

    def __init__(self, takes: GraphInput) -> None:
        super().__init__()
        assert takes.limits is not None
        dtype = np.dtype(takes.dtype)
        largest = max(abs(value) for limits in takes.limits for value in limits)
        fits = dtype.itemsize <= 2 and largest < 1e30
        self._exact = torch.float32 if fits else torch.float64
        self._is_real = dtype.kind == "f"
        both = torch.tensor(takes.limits, dtype=self._exact)  # (C, 2)
        self.register_buffer("low", both[:, 0, None, None].clone(), persistent=False)
        self.register_buffer("high", both[:, 1, None, None].clone(), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        exact = values.to(self._exact)
        if self._is_real:
            exact = torch.where(torch.isnan(exact), self.low, exact)
        bounded = torch.minimum(torch.maximum(exact, self.low), self.high)
        return ((bounded - self.low) / (self.high - self.low)).to(torch.float32)


def _mixed(images: Tensor, shares: tuple[float, float, float]) -> Tensor:
    """Red, green and blue (N, 3, H, W) as one channel."""
    red, green, blue = (images[:, n : n + 1] * share for n, share in enumerate(shares))
    return red + green + blue


def _map_of(card: NetworkInput) -> InputMap:
    return AS_BEFORE if card.input_map is None else card.input_map
