"""`python -m mia_tui.previewer`: augmented images for the form, made by the same code as in training.

A process of its own (`runs.worker.helper`); its messages are in `runs.worker.preview_messages`.
"""

from pathlib import Path

import numpy as np
import torch

from mia_tui.dataset.images.decode import decode_input
from mia_tui.dataset.images.geometry import fit
from mia_tui.engine.data.augment import augment
from mia_tui.engine.data.scaling import to_unit
from mia_tui.errors import MiaError
from mia_tui.runs.worker.helper import answer_requests, encode_line
from mia_tui.runs.worker.preview_messages import PreviewAnswer, PreviewRequest, decode_request

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
    config = request.config
    root = Path(request.root)
    images = np.stack(
        [decode_input(root / row.path, row.frame, config) for row in request.rows]
    )  # (N, H, W, C)
    batch = to_unit(torch.from_numpy(images).permute(0, 3, 1, 2))
    samples = torch.tensor([row.row for row in request.rows], dtype=torch.int64)
    columns = [images]
    for epoch in range(1, request.columns):
        changed = augment(batch, config, seed=config.seed, epoch=epoch, samples=samples)
        bytes_ = changed.clamp(0, 1).mul(255).round().to(torch.uint8)
        columns.append(bytes_.permute(0, 2, 3, 1).contiguous().numpy())
    return _sheet(columns, request.tile_px)


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
