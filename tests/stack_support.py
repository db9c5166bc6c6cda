"""A dataset of stacks, written byte by byte, and what version 0.1.0 left beside it: its labels and a stopped run.

That version took each page of a TIFF for an image of its own, channels too. `stored/` holds its labels.db and run.
"""

import io
import struct
import tarfile
from pathlib import Path

import numpy as np

STORED = Path(__file__).parent / "stored"
SIDE_PX = 16

_OME = (
    '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
    '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="{order}" Type="uint8" SizeX="16" SizeY="16" '
    'SizeZ="{z}" SizeC="{c}" SizeT="{t}" BigEndian="false">{channels}<TiffData/></Pixels></Image></OME>'
)
_IMAGEJ = "ImageJ=1.53t\nimages={images}\nchannels={c}\nslices={z}\nhyperstack=true\nmode=grayscale\n"


def page(seed: int, level: int = 60) -> np.ndarray:
    """Noise around a grey level, uint8."""
    random = np.random.default_rng(seed)
    return random.integers(level - 25, level + 25, (SIDE_PX, SIDE_PX)).astype(np.uint8)


def imagej(c: int, z: int) -> str:
    """The description of an ImageJ stack whose pages are channels within depths."""
    return _IMAGEJ.format(images=c * z, c=c, z=z)


def ome(order: str, *, c: int = 1, z: int = 1, t: int = 1) -> str:
    """The OME-XML of a file whose pages follow each other in an order such as XYCZT."""
    channels = "".join(f'<Channel ID="Channel:0:{n}" SamplesPerPixel="1"/>' for n in range(c))
    return _OME.format(order=order, c=c, z=z, t=t, channels=channels)


def tiff(pages: list[np.ndarray], description: str = "") -> bytes:
    """An uncompressed TIFF of grey pages; the description is in the first one."""
    out = bytearray(b"II*\0" + b"\0\0\0\0")
    link = 4
    for number, values in enumerate(pages):
        text = description.encode() + b"\0" if description and not number else b""
        kind = {1: "B", 2: "H"}[values.itemsize]
        data = values.astype(f"<{kind}").tobytes()
        tags = [(256, 4, 1, values.shape[1]), (257, 4, 1, values.shape[0]), (258, 3, 1, 8 * values.itemsize)]
        tags += [(259, 3, 1, 1), (262, 3, 1, 1)]
        data_at = len(out) + len(text) + len(text) % 2
        if text:
            tags.append((270, 2, len(text), len(out)))
            out += text + b"\0" * (len(text) % 2)
        tags += [(273, 4, 1, data_at), (277, 3, 1, 1), (278, 4, 1, values.shape[0]), (279, 4, 1, len(data))]
        out += data
        out[link : link + 4] = struct.pack("<I", len(out))
        out += struct.pack("<H", len(tags))
        for tag, type_, count, value in tags:
            out += struct.pack("<HHI", tag, type_, count)
            out += struct.pack("<HH", value, 0) if type_ == 3 and count == 1 else struct.pack("<I", value)
        link = len(out)
        out += b"\0\0\0\0"
    return bytes(out)


def gif(frames: list[np.ndarray]) -> bytes:
    """A GIF of grey frames with 128 levels, not compressed."""
    size = struct.pack("<HH", SIDE_PX, SIDE_PX)
    palette = b"".join(bytes([2 * n]) * 3 for n in range(128))
    out = b"GIF89a" + size + b"\xf6\0\0" + palette
    for values in frames:
        codes = b"".join(b"\x80" + row.tobytes() for row in (values // 2).astype(np.uint8).reshape(-1, 64))
        codes += b"\x81"
        blocks = b"".join(bytes([len(part)]) + part for part in _parts(codes))
        out += b"!\xf9\x04\0\x0a\0\0\0" + b"," + b"\0\0\0\0" + size + b"\0\x07" + blocks + b"\0"
    return out + b";"


def _parts(data: bytes) -> list[bytes]:
    return [data[start : start + 255] for start in range(0, len(data), 255)]


def make_stacks(root: Path) -> Path:
    """Single images of two classes, dark and light, and a stack of every kind."""
    (root / "stacks").mkdir(parents=True)
    for number in range(8):
        (root / f"{number}.tif").write_bytes(tiff([page(number, 60 if number % 2 else 180)]))
    files = {
        "pages.tif": tiff([page(20), page(21, 180), page(22)]),
        # Channels within depths: pages 2z and 2z + 1 are one image now.
        "hyper.tif": tiff([page(30 + n) for n in range(6)], imagej(2, 3)),
        "cells.ome.tif": tiff([page(40 + n) for n in range(4)], ome("XYCZT", c=2, t=2)),
        # One channel after the other: pages t and t + 3 are one image now.
        "times.ome.tif": tiff([page(50 + n, 180) for n in range(6)], ome("XYTCZ", c=2, t=3)),
        "film.gif": gif([page(60), page(61, 180), page(62)]),
    }
    for name, content in files.items():
        (root / "stacks" / name).write_bytes(content)
    return root


NEW_FRAMES = {
    "stacks/hyper.tif": [0, 0, 1, 1, 2, 2],
    "stacks/cells.ome.tif": [0, 0, 1, 1],
    "stacks/times.ome.tif": [0, 1, 2, 0, 1, 2],
}
"""What the frames of version 0.1.0 are now, of the files where they are others."""


def labelled_stacks(root: Path) -> Path:
    """The dataset with the labels and the stopped run of version 0.1.0 beside it."""
    make_stacks(root)
    with tarfile.open(fileobj=io.BytesIO((STORED / "stacks-0.1.0.tar.xz").read_bytes())) as archive:
        archive.extractall(root, filter="data")
    return root


RESUMED_LOSSES = {2: (0.6684928894042969, 0.6779207502092633), 3: (2.1289410909016926, 0.6724984986441476)}
"""Losses of the training and validation part by epoch, when version 0.1.0 itself resumed the run."""
