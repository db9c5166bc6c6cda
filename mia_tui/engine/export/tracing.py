"""From a module of torch to a program that any number of images of any size can be given (torch.export)."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.export import Dim, ExportedProgram

from mia_tui.engine.export.graph import ExportedNetwork, GraphInput
from mia_tui.runs.record.model_card import ModelCard

IMAGES, PIXEL_UM, PROBABILITIES = "images", "pixel_um", "probabilities"
SIZES = ("images", "height", "width")
"""What may differ from call to call, in the order of the dimensions."""

_TWO = 2  # one image would be taken for the only possible number


def trace(network: ExportedNetwork, card: ModelCard, takes: GraphInput) -> ExportedProgram:
    """The program of a network, for images (N, H, W, channels) of any N, H and W."""
    dtype = getattr(torch, np.dtype(takes.dtype).name)
    # Neither square nor of the network's size, so that no two lengths look alike.
    example = torch.zeros(_TWO, card.height + 3, card.width + 5, takes.channels, dtype=dtype)
    inputs: dict[str, torch.Tensor] = {IMAGES: example}
    sizes: dict[str, dict[int, Dim] | None] = {
        IMAGES: {number: Dim(name) for number, name in enumerate(SIZES)}
    }
    if card.pixel_size is not None:
        inputs[PIXEL_UM] = torch.full((2,), card.pixel_size, dtype=torch.float64)
        sizes[PIXEL_UM] = None
    with quiet(), torch.no_grad():
        program = torch.export.export(network.eval(), (), kwargs=inputs, dynamic_shapes=sizes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # lines of files of this machine
    return program


@contextmanager
def quiet() -> Iterator[None]:
    """Without what torch says to its own developers."""
    loggers = [logging.getLogger(name) for name in ("torch", "torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
