"""The size that a compressed picture inside a TIFF file claims, read from its first bytes."""

import struct
from collections.abc import Callable

JPEG = frozenset({6, 7, 34892, 33007})
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers with the size of the image
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xDA)})  # markers without a length
_JPEG_2000 = frozenset({33003, 33004, 33005, 34712})
_WEBP, _JPEG_XL = frozenset({34927, 50001}), frozenset({50002, 52546})
_JPEG_XR, _PNG, _LERC = frozenset({22610, 34934}), frozenset({34933}), frozenset({34887})
_LOOKED_AT = 4096
_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_JXL_BITS = (9, 13, 18, 30)


def claimed_pixels(compression: int, data: bytes) -> int:
    """Width times height that a compressed picture claims; 0 if that is not known."""
    reader = _READERS.get(compression)
    try:
        return reader(data) if reader is not None else 0
    except (struct.error, IndexError):
        return 0


def _jpeg(data: bytes) -> int:
    """The largest size that a JPEG stream claims."""
    place, most = 2, 0
    while place + 9 <= len(data):
        if data[place] != 0xFF:
            break
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker in _JPEG_ALONE:
            place += 2
            continue
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            most = max(most, height * width)
        if marker == 0xDA:  # the pixels begin
            break
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return most


def _jpeg_2000(data: bytes) -> int:
    start = data.find(b"\xff\x4f\xff\x51", 0, _LOOKED_AT)
    if start < 0:
        return 0
    right, bottom, left, top = map(int, struct.unpack_from(">4I", data, start + 8))
    return max(0, right - left) * max(0, bottom - top)


def _webp(data: bytes) -> int:
    kind = data[12:16]
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return 0
    if kind == b"VP8X":
        width, height = int.from_bytes(data[24:27], "little"), int.from_bytes(data[27:30], "little")
        return (width + 1) * (height + 1)
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return ((bits & 0x3FFF) + 1) * ((bits >> 14 & 0x3FFF) + 1)
    width, height = map(int, struct.unpack_from("<HH", data, 26))
    return (width & 0x3FFF) * (height & 0x3FFF)


def _png(data: bytes) -> int:
    width, height = struct.unpack_from(">II", data, 16)
    return int(width * height)


def _lerc(data: bytes) -> int:
    """Only of the second version, which has a version number and, from its third on, a checksum before the size."""
    if not data.startswith(b"Lerc2 "):
        return 0
    version = struct.unpack_from("<i", data, 6)[0]
    height, width = map(int, struct.unpack_from("<ii", data, 14 if version >= 3 else 10))
    return max(0, height) * max(0, width)


def _jpeg_xr(data: bytes) -> int:
    sizes = {0xBC80: 0, 0xBC81: 0}  # width and height
    place = struct.unpack_from("<I", data, 4)[0]
    for at in range(place + 2, place + 2 + 12 * struct.unpack_from("<H", data, place)[0], 12):
        tag, kind = struct.unpack_from("<HH", data, at)
        if tag in sizes:
            sizes[tag] = struct.unpack_from("<H" if kind == 3 else "<I", data, at + 8)[0]
    return sizes[0xBC80] * sizes[0xBC81]


def _jpeg_xl(data: bytes) -> int:
    start = 0 if data[:2] == b"\xff\x0a" else data.find(b"\xff\x0a", 0, _LOOKED_AT)
    if start < 0:
        return 0
    bits = int.from_bytes(data[start + 2 : start + 14], "little")

    def take(count: int) -> int:
        nonlocal bits
        value = bits & ((1 << count) - 1)
        bits >>= count
        return value

    is_small = take(1)

    def side() -> int:
        return 8 * (take(5) + 1) if is_small else take(_JXL_BITS[take(2)]) + 1

    height, ratio = side(), take(3)
    if not ratio:
        return height * side()
    across, down = _JXL_RATIOS[ratio - 1]
    return height * (height * across // down)


_READERS: dict[int, Callable[[bytes], int]] = {
    kind: reader
    for kinds, reader in (
        (JPEG, _jpeg),
        (_JPEG_2000, _jpeg_2000),
        (_WEBP, _webp),
        (_JPEG_XL, _jpeg_xl),
        (_JPEG_XR, _jpeg_xr),
        (_PNG, _png),
        (_LERC, _lerc),
    )
    for kind in kinds
}
