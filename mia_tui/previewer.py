"""`python -m mia_tui.previewer`: augmented images for the form, made by the same code as in training.

A process of its own (`runs.worker.helper`); its messages are in `runs.worker.preview_messages`.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mia_tui.config.train import TrainConfig
from mia_tui.dataset.images.channels import Planes, show
from mia_tui.dataset.images.decode import decode_input
from mia_tui.dataset.images.intensity import InputMap
from mia_tui.dataset.images.network.geometry import fit
from mia_tui.dataset.images.network.measuring import measure_input
from mia_tui.dataset.images.source import Channel, Scene
from mia_tui.engine.data.augment import augment
from mia_tui.engine.data.augmentation.mixing import is_mixed, mix_images, portion_of
from mia_tui.engine.data.network_input import InputOfRun, input_of, is_rgb
from mia_tui.engine.data.scaling import to_tensor, to_unit
from mia_tui.errors import MiaError
from mia_tui.runs.worker.helper import answer_requests, encode_line
from mia_tui.runs.worker.preview_messages import (
    PreviewAnswer,
    PreviewImage,
    PreviewRequest,
    decode_request,
)

_GAP_PX = 1


def answer(line: bytes) -> bytes:
    """Answer one request."""
    try:
        sheet = make_sheet(decode_request(line))
    except (MiaError, RuntimeError, ValueError) as error:
        return encode_line(PreviewAnswer(error=str(error).splitlines()[0]))
    height, width, _ = sheet.shape
    return encode_line(PreviewAnswer(sheet.tobytes(), width, height))


def make_sheet(request: PreviewRequest) -> np.ndarray:
    """The images of a request in rows and columns: uint8, shape (H, W, 3).

    Raises:
        DecodeError: If an image cannot be read.
    """
    config, root = request.config, Path(request.root)
    wanted = _input_of(config, root, request.rows)
    images = np.stack(
        [decode_input(root / row.path, row.frame, wanted) for row in request.rows]
    )  # (N, H, W, C)
    batch = to_unit(to_tensor(images).permute(0, 3, 1, 2))
    columns = [batch] + [
        _augmented(batch, request, epoch=epoch, is_rgb=is_rgb(wanted)) for epoch in range(1, request.columns)
    ]
    is_picture = not wanted.input_map.channels
    seen = [_seen(column[: request.lines], is_picture=is_picture) for column in columns]
    return _sheet(seen, request.tile_px)


def _augmented(images: Tensor, request: PreviewRequest, *, epoch: int, is_rgb: bool) -> Tensor:
    """As an epoch trains on them; each is mixed with the next one of the request."""
    config, count = request.config, len(images)
    samples = torch.tensor([row.row for row in request.rows], dtype=torch.int64)
    augmented = augment(images, config, seed=config.seed, epoch=epoch, samples=samples, is_rgb=is_rgb)
    if not is_mixed(config):
        return augmented
    partners = portion_of(torch.arange(count), torch.arange(count), config).partners
    return mix_images(augmented, config, seed=config.seed, epoch=epoch, samples=samples, partners=partners)[0]


@lru_cache(maxsize=1)  # a change of the augmentation measures nothing
def _measured(root: Path, rows: tuple[PreviewImage, ...], config: TrainConfig) -> InputMap:
    return measure_input(root, rows, config, threads=1)


def _input_of(config: TrainConfig, root: Path, rows: tuple[PreviewImage, ...]) -> InputOfRun:
    """The input that a run of these images alone would have: measuring more of them takes too long here."""
    usual = TrainConfig(
        intensity=config.intensity,
        channels=config.channels,
        max_megapixels=config.max_megapixels,
        stack=config.stack,
    )
    return input_of(config, _measured(root, rows, usual))


def _seen(images: Tensor, *, is_picture: bool) -> np.ndarray:
    """Images in 0..1, shape (N, C, H, W), in 8 bits and three colours or grey: (N, H, W, 3 or 1).

    Channels that are measurements of their own are laid over each other, as on the screen.
    """
    bytes_ = images.clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    height, width, channels = bytes_.shape[1:]
    if is_picture or channels == 1:
        return bytes_
    scene = Scene((width, height), bytes_.dtype, (Channel(),) * channels)
    return np.stack([show(Planes(image, scene)) for image in bytes_])


def _sheet(columns: list[np.ndarray], tile_px: int) -> np.ndarray:
    """Columns of images, each (N, H, W, C), as one image with gaps between."""
    _, height, width, _ = columns[0].shape
    scale = min(1.0, tile_px / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    lines = [
        np.concatenate([_tile(column[row], size) for column in columns], axis=1)
        for row in range(len(columns[0]))
    ]
    return np.concatenate(lines)[:-_GAP_PX, :-_GAP_PX]


def _tile(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image of three colours at a size, with a gap on the right and below."""
    small = fit(image, *size, geometry="squash", resize="linear")
    if small.shape[2] == 1:
        small = small.repeat(3, axis=2)
    return np.pad(small, ((0, _GAP_PX), (0, _GAP_PX), (0, 0)))


def main() -> None:
    """Answer the process that started this one."""
    torch.set_num_threads(1)
    answer_requests(answer)


if __name__ == "__main__":
    main()
