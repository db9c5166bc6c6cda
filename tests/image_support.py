"""Image files that Pillow cannot write: TIFF of any layout, PNG of 16 bits per colour, huge PNG."""

import struct
import zlib

import numpy as np


def raw_tiff(
    planes: list[np.ndarray],
    *,
    photometric: int,
    bits: tuple[int, ...],
    separate: bool = False,
    sample_format: int | None = None,
    orientation: int | None = None,
    order: str = "<",
    width: int | None = None,
) -> bytes:
    """An uncompressed TIFF with one strip for each plane; `width` is in pixels where several share a byte."""
    height, width = planes[0].shape[0], width or planes[0].shape[1]
    data = [plane.astype(plane.dtype.newbyteorder(order)).tobytes() for plane in planes]
    tags: list[tuple[int, str, list[int]]] = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", list(bits)),
        (259, "H", [1]),
        (262, "H", [photometric]),
        (277, "H", [len(bits)]),
        (278, "I", [height]),
        (284, "H", [2 if separate else 1]),
    ]
    if sample_format is not None:
        tags.append((339, "H", [sample_format] * len(bits)))
    if orientation is not None:
        tags.append((274, "H", [orientation]))
    start = 8 + 2 + 12 * (len(tags) + 2) + 4
    tail = b""

    def put(block: bytes) -> int:
        nonlocal tail
        place = start + len(tail)
        tail += block + b"\0" * (len(block) % 2)
        return place

    tags.append((273, "I", [put(block) for block in data]))
    tags.append((279, "I", [len(block) for block in data]))
    entries = b""
    for tag, kind, values in sorted(tags):
        raw = struct.pack(f"{order}{len(values)}{kind}", *values)
        if len(raw) > 4:
            raw = struct.pack(f"{order}I", put(raw))
        entries += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[kind], len(values)) + raw.ljust(4, b"\0")
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(f"{order}HI", 42, 8) + struct.pack(f"{order}H", len(tags))
    return head + entries + struct.pack(f"{order}I", 0) + tail


def deep_png(values: np.ndarray) -> bytes:
    """A PNG of 16 bits per colour; uint16, shape (H, W, 3) or (H, W, 4)."""
    height, width, channels = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    return _png(header, zlib.compress(rows))


def huge_png(width: int, height: int) -> bytes:
    """A PNG that says it is large and holds nothing."""
    return _png(struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0), b"")


def _png(header: bytes, data: bytes) -> bytes:
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(block)) + name + block + struct.pack(">I", zlib.crc32(name + block))
        for name, block in chunks
    )
