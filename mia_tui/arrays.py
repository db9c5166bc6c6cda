"""Arrays in an archive of numpy, which may be damaged, or made to break a program."""

import math
import struct
import tokenize
import zipfile
import zlib
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

BROKEN = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    SyntaxError,
    MemoryError,
    RuntimeError,
    struct.error,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
"""What is raised for a broken archive, broken members, or a broken description of an array."""


def read_array(archive: zipfile.ZipFile, name: str, most_bytes: int) -> npt.NDArray[Any]:
    """An array of an archive.

    Args:
        archive: The archive.
        name: Of the member, with its ending.
        most_bytes: Of the array, with its header.

    Raises:
        ValueError: If it is larger, or its header declares more than there is: numpy allocates before it reads. For
            broken content it is one of `BROKEN`.
    """
    if archive.getinfo(name).file_size > most_bytes:
        raise ValueError("too large")
    content = BytesIO(archive.read(name))
    version = np.lib.format.read_magic(content)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(content)
    if math.prod(shape) * dtype.itemsize != len(content.getbuffer()) - content.tell():
        raise ValueError("not as large as it says")
    content.seek(0)
    array: npt.NDArray[Any] = np.load(content, allow_pickle=False)
    return array
