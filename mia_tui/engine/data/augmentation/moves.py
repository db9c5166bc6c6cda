"""Flips and quarter turns of a whole batch, as one copy: they only move pixels.

They are done on the bytes of the images, a quarter of what float32 takes.
"""

from functools import lru_cache

import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.engine.data.random import uniforms

FLIP_HORIZONTAL_STREAM, FLIP_VERTICAL_STREAM, ROTATE90_STREAM = 1, 2, 3

_UPSIDE_DOWN = (
    2  # a move is 1 if flipped left to right, plus this if upside down, plus that for each quarter turn
)
_QUARTER_TURN = 4
_MOVES = 16


def moves_any(config: TrainConfig) -> bool:
    """Whether any image may be flipped or turned."""
    return bool(config.flip_horizontal or config.flip_vertical or config.rotate90)


def draw_moves(config: TrainConfig, *, seed: int, epoch: int, samples: Tensor) -> Tensor:
    """How each sample is flipped and turned, as a number for `move`: shape (N,), int64, on the device of `samples`.

    They may be drawn for a whole epoch at once, which is quicker than batch by batch.
    """
    moves = torch.zeros_like(samples)
    for chance, stream, value in (
        (config.flip_horizontal, FLIP_HORIZONTAL_STREAM, 1),
        (config.flip_vertical, FLIP_VERTICAL_STREAM, _UPSIDE_DOWN),
    ):
        if chance:
            moves += value * (uniforms(seed, epoch, samples, 1, stream=stream)[:, 0] < chance)
    if config.rotate90:
        decisive, drawn = uniforms(seed, epoch, samples, 2, stream=ROTATE90_STREAM).unbind(1)
        turns = (drawn * 3).long() + 1 if config.height == config.width else torch.full_like(samples, 2)
        moves += _QUARTER_TURN * turns * (decisive < config.rotate90)
    return moves


def move(images: Tensor, moves: Tensor) -> Tensor:
    """Flip left to right, then upside down, then turn.

    Args:
        images: Shape (N, C, H, W), any type; H equals W where one is turned by 90 or 270 degrees.
        moves: From `draw_moves`, shape (N,), int64, on any device.

    Returns:
        Same shape and type, channels last.
    """
    count, channels, height, width = images.shape
    size = height * width
    places = _places(height, width, images.device).index_select(0, moves.to(images.device, non_blocking=True))
    first = torch.arange(0, count * size, size, device=images.device).unsqueeze(1)
    pixels = images.permute(0, 2, 3, 1).reshape(count * size, channels)
    moved = pixels.index_select(0, (places + first).view(-1))
    return moved.view(count, height, width, channels).permute(0, 3, 1, 2)


@lru_cache(maxsize=4)
def _places(height: int, width: int, device: torch.device) -> Tensor:
    """Where each pixel comes from, for each move: shape (16, H * W), int64.

    Quarter turns of what is not square are never drawn; they are left out.
    """
    still = torch.arange(height * width).view(height, width)
    places = []
    for number in range(_MOVES):
        turns = number // _QUARTER_TURN if height == width else number // _QUARTER_TURN & 2
        flipped = still.flip(1) if number & 1 else still
        flipped = flipped.flip(0) if number & _UPSIDE_DOWN else flipped
        places.append(torch.rot90(flipped, turns).reshape(-1))
    return torch.stack(places).to(device)
