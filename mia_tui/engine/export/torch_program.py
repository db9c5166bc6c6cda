"""A network as a program of torch.export (.pt2), which needs torch and nothing else."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.export import ExportedProgram

from mia_tui.engine.export.tracing import IMAGES, PIXEL_UM, quiet

METADATA_FILE = "mia_tui.json"


def torch_bytes(program: ExportedProgram, metadata: Mapping[str, Any]) -> bytes:
    """The content of a .pt2 file, with the metadata as a file of JSON within."""
    buffer = io.BytesIO()
    with quiet():
        torch.export.save(program, buffer, extra_files={METADATA_FILE: json.dumps(metadata, indent=2)})
    return buffer.getvalue()


class TorchProgram:
    """Runs a .pt2 file that was just written; those of others are not opened, since that may run code.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        with quiet():
            self._module = torch.export.load(path).module()

    def run(
        self, images: npt.NDArray[np.generic], pixel_um: tuple[float, float] | None = None
    ) -> npt.NDArray[np.float32]:
        """Probabilities, shape (N, C); see `comparison.Runner`."""
        inputs = {IMAGES: torch.from_numpy(images)}
        if pixel_um is not None:
            inputs[PIXEL_UM] = torch.tensor(pixel_um, dtype=torch.float64)
        with torch.inference_mode():
            found: npt.NDArray[np.float32] = self._module(**inputs).numpy()
        return found
