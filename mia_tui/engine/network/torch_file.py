"""Reading files of `torch.save` that may come from anybody, without running code in them."""

import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mia_tui.decoding import BadRecord
from mia_tui.files import open_to_read

# Errors of torch.load for bytes that are no pickle, or of another program: they depend on where the bytes are wrong.
_FAULTS = (
    RuntimeError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    struct.error,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)


class HoldsCode(BadRecord):
    """A file holds more than tensors and plain values, which could run code; it was not loaded."""


def load_torch_file(path: Path, *, root: Path | None = None) -> Any:
    """Load tensors (on the CPU) and plain values from a file, without running any code in it.

    Args:
        path: The file.
        root: For a file of ours, see `files.new_content`; None for one that the user named, which may be a link.

    Raises:
        BadRecord: If it is truncated, damaged, or another kind of file.
        HoldsCode: If it holds other objects.
        OSError: If it cannot be read.
    """
    with open_to_read(path, root=root, follow=root is None) as file:
        try:
            _check_sizes(file)
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise (HoldsCode if "GLOBAL" in str(error) else BadRecord)(str(error)) from error
        except _FAULTS as error:
            raise BadRecord(str(error)) from error


def check_weights(weights: dict[str, Tensor]) -> None:
    """Refuse tensors that cannot be the weights of a network.

    Raises:
        BadRecord: If one is sparse, quantised or complex, or has values that are not finite.
    """
    for name, value in weights.items():
        if value.layout != torch.strided or value.device.type != "cpu" or value.is_quantized:
            raise BadRecord(f"{name} is no plain tensor")
        if value.is_complex():
            raise BadRecord(f"{name} holds complex numbers")
        if value.is_floating_point() and not _is_finite(value):
            raise BadRecord(f"{name} holds numbers that are not finite")


def _is_finite(value: Tensor) -> bool:
    if value.dtype.itemsize == 1:  # eight bits: torch has no arithmetic for them
        value = value.float()
    return bool(torch.isfinite(value).all())


def _check_sizes(file: Any) -> None:
    """torch.save does not compress, so the sizes of a file's entries cannot add up to more than the file."""
    if not zipfile.is_zipfile(file):
        file.seek(0)
        return
    with zipfile.ZipFile(file) as archive:
        held = sum(entry.file_size for entry in archive.infolist())
    if held > file.seek(0, 2):
        raise BadRecord("it claims to hold more than it does")
    file.seek(0)
