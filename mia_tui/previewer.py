"""`python -m mia_tui.previewer`: augmented images for the form, made by the same code as in training.

A process of its own, since importing torch blocks the interpreter for seconds. It reads requests from its input and
writes answers to its output (their form: `runs.worker.preview_messages`), and ends when its input ends: with the app,
even if that crashes.
"""

import os
import sys
from pathlib import Path
from typing import IO

import msgspec
import numpy as np
import torch

from mia_tui.dataset.images.decode import decode_input, fit
from mia_tui.engine.data.augment import augment
from mia_tui.engine.data.scaling import to_unit
from mia_tui.errors import MiaError
from mia_tui.runs.worker.preview_messages import (
    PreviewAnswer,
    PreviewRequest,
    decode_request,
    encode_line,
)

_NICE = 10  # the app and a training have priority
_GAP_PX = 1


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    _send(answers, PreviewAnswer(0))
    for line in requests:
        request = decode_request(line)
        try:
            sheet = make_sheet(request)
        except (MiaError, RuntimeError, ValueError) as error:
            _send(answers, PreviewAnswer(request.number, error=str(error).splitlines()[0]))
            continue
        height, width, _ = sheet.shape
        _send(answers, PreviewAnswer(request.number, sheet.tobytes(), width, height))


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


def _send(answers: IO[bytes], answer: PreviewAnswer) -> None:
    answers.write(encode_line(answer))
    answers.flush()


def main() -> None:
    """Answer the process that started this one."""
    os.nice(_NICE)
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not get between the answers
    try:
        serve(sys.stdin.buffer, answers)
    except (BrokenPipeError, KeyboardInterrupt, msgspec.DecodeError):
        sys.exit(1)


if __name__ == "__main__":
    main()
