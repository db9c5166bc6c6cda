"""Small files of microscopes, written by bytes from what their formats say; CZI by Zeiss's own library."""

import io
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

Array = NDArray[Any]
Colour = tuple[int, int, int]

# --- ND2 (Nikon) ---

_ND2_MAGIC = 0x0ABECEDA
_ND2_NAME_BYTES = 4072


def write_nd2(
    path: Path,
    frames: Sequence[Array],
    loops: Sequence[tuple[str, int]] = (),
    channels: Sequence[tuple[str, Colour, int]] = (("", (0, 0, 0), 1),),
    *,
    um: float = 0.5,
    bits: int | None = None,
    is_compressed: bool = False,
    padding: int = 0,
    positions: Sequence[str] = (),
    recorded: int | None = None,
) -> Path:
    """An ND2 file of version 3.

    Args:
        path: Of the file.
        frames: Shape (H, W, C), in the order of the loops.
        loops: T, P (position of the stage) and Z with their extents, outermost first.
        channels: Name, colour, and number of values of a pixel: 3 for a colour camera (blue, green, red).
        um: Size of a pixel in micrometres.
        bits: Significant bits.
        is_compressed: Whether frames are compressed.
        padding: Bytes behind each row.
        positions: Names of the positions.
        recorded: How many frames the file says it has; all of them if None.
    """
    height, width, values = frames[0].shape
    item = frames[0].dtype.itemsize
    chunks = {
        "ImageAttributesLV!": _variant(
            "SLxImageAttributes",
            {
                "uiWidth": width,
                "uiWidthBytes": width * values * item + padding,
                "uiHeight": height,
                "uiComp": values,
                "uiBpcInMemory": 8 * item,
                "uiBpcSignificant": bits or 8 * item,
                "uiSequenceCount": len(frames) if recorded is None else recorded,
                "eCompression": 0 if is_compressed else 2,
                "dCompressionParam": 0.0,
            },
        ),
        "ImageMetadataSeqLV|0!": _variant("SLxPictureMetadata", _nd2_picture(channels, um)),
    }
    if loops:
        chunks["ImageMetadataLV!"] = _variant("SLxExperiment", _nd2_loop(loops, positions))
    for number, frame in enumerate(frames):
        rows = np.ascontiguousarray(frame.astype(frame.dtype.newbyteorder("<"))).reshape(height, -1)
        pixels = b"".join(row.tobytes() + b"\xee" * padding for row in rows)
        chunks[f"ImageDataSeq|{number}!"] = struct.pack("<d", number) + (
            zlib.compress(pixels) if is_compressed else pixels
        )
    path.write_bytes(_nd2_file(chunks))
    return path


def _nd2_file(chunks: Mapping[str, bytes]) -> bytes:
    content = struct.pack(
        "<IIQ32s64s", _ND2_MAGIC, 32, 64, b"ND2 FILE SIGNATURE CHUNK NAME01!", b"Ver3.0"
    ).ljust(4096, b"\0")
    places = b""
    for name, data in chunks.items():
        places += name.encode() + struct.pack("<QQ", len(content), len(data))
        head = struct.pack("<IIQ", _ND2_MAGIC, _ND2_NAME_BYTES, len(data))
        content += head + name.encode().ljust(_ND2_NAME_BYTES, b"\0") + data
    places += b"ND2 CHUNK MAP SIGNATURE 0000001!" + struct.pack("<Q", len(content))
    name_of_map = b"ND2 FILEMAP SIGNATURE NAME 0001!"
    return content + struct.pack("<IIQ", _ND2_MAGIC, len(name_of_map), len(places)) + name_of_map + places


def _nd2_picture(channels: Sequence[tuple[str, Colour, int]], um: float) -> dict[str, Any]:
    light = {"uiCount": 1, "pPoint": {"Point0": {"eType": 1, "dWavelength": 520.0, "dTValue": 1.0}}}
    planes = {
        f"i{number:010}": {
            "uiCompCount": values,
            "uiSampleIndex": number,
            "sDescription": name,
            "uiColor": red | green << 8 | blue << 16,
            "pFluorescentProbe": {"m_EmissionSpectrum": light},
        }
        for number, (name, (red, green, blue), values) in enumerate(channels)
    }
    return {
        "bCalibrated": True,
        "dCalibration": um,
        "sPicturePlanes": {"uiCount": len(channels), "sPlaneNew": planes},
    }


def _nd2_loop(loops: Sequence[tuple[str, int]], positions: Sequence[str]) -> dict[str, Any]:
    (kind, extent), *inner = loops
    if kind == "T":
        number, settings = 1, {"uiCount": extent, "dStart": 0.0, "dPeriod": 1.0, "dDuration": 1.0}
    elif kind == "Z":
        number, settings = 4, {"uiCount": extent, "dZLow": 0.0, "dZHigh": 1.0, "dZStep": 0.5, "iType": 2}
    else:
        names = [*positions, *[""] * extent]
        points = {
            f"i{one:010}": {"dPosX": 1.0, "dPosY": 2.0, "dPosName": names[one]} for one in range(extent)
        }
        number, settings = 2, {"uiCount": extent, "Points": points}
    loop = {"eType": number, "uLoopPars": settings}
    return {**loop, "ppNextLevelEx": {"i0000000000": _nd2_loop(inner, positions)}} if inner else loop


def _variant(name: str, value: Any) -> bytes:
    """A named value as Nikon stores it ("CLX lite variant")."""

    def head(kind: int) -> bytes:
        return struct.pack("BB", kind, len(name) + 1) + f"{name}\0".encode("utf-16-le")

    if isinstance(value, bool):
        return head(1) + struct.pack("B", value)
    if isinstance(value, int):
        return head(3) + struct.pack("<I", value)
    if isinstance(value, float):
        return head(6) + struct.pack("<d", value)
    if isinstance(value, str):
        return head(8) + f"{value}\0".encode("utf-16-le")
    body = b"".join(_variant(key, one) for key, one in value.items())
    size = len(head(11)) + 12 + len(body)
    return head(11) + struct.pack("<IQ", len(value), size) + body + bytes(8 * len(value))


# --- LIF, LOF and XLIF (Leica) ---

_LIF_AXES = {"X": 1, "Y": 2, "Z": 3, "T": 4, "λ": 5, "M": 10}


class LeicaImage:
    """An image of a Leica file.

    Args:
        name: Of the image.
        axes: Extent along each, slowest first; the last two are those of a plane.
        values: Of all planes, as they lie in the file.
        channels: Name of the colour and of the dye of each.
        tags: 1, 2, 3 for the red, green and blue of a colour camera, in the order in which they lie in a pixel.
        um: Size of a pixel in micrometres.
        bits: Significant bits.
        padding: Bytes behind each row.
    """

    def __init__(
        self,
        name: str,
        axes: Mapping[str, int],
        values: Array,
        channels: Sequence[tuple[str, str]] = (("Gray", ""),),
        *,
        tags: Sequence[int] = (),
        um: float = 0.25,
        bits: int | None = None,
        padding: int = 0,
    ) -> None:
        item = values.dtype.itemsize
        (down, rows), (across, columns) = list(axes.items())[-2:]
        in_row = (len(tags) or 1) * columns * item
        steps = [(across, columns, in_row // columns), (down, rows, in_row + padding)]
        plane = rows * (in_row + padding)
        step = plane if tags else plane * len(channels)
        for axis, extent in list(axes.items())[-3::-1]:
            steps.append((axis, extent, step))
            step *= extent
        lines = np.ascontiguousarray(values).view("u1").reshape(-1, in_row)
        self.data = b"".join(line.tobytes() + b"\xee" * padding for line in lines)
        self.block = f"MemBlock_{name}"
        starts = [item * number if tags else plane * number for number in range(len(tags or channels))]
        kinds = channels if not tags else [("", "")] * len(tags)
        described = "".join(
            f'<ChannelDescription DataType="{int(values.dtype.kind == "f")}" ChannelTag="{tag}" '
            f'Resolution="{bits or 8 * item}" NameOfMeasuredQuantity="" Min="0" Max="1" Unit="" LUTName="{colour}" '
            f'IsLUTInverted="0" BytesInc="{start}" BitInc="0"><ChannelProperty><Key>DyeName</Key>'
            f"<Value>{dye}</Value></ChannelProperty></ChannelDescription>"
            for (colour, dye), tag, start in zip(kinds, tags or [0] * len(kinds), starts, strict=True)
        )
        dimensions = "".join(
            f'<DimensionDescription DimID="{_LIF_AXES[axis]}" NumberOfElements="{extent}" Origin="0" '
            f'Length="{(extent - 1) * um * 1e-6}" Unit="m" BytesInc="{step}" BitInc="0"/>'
            for axis, extent, step in steps
        )
        self.name = name
        self.described = (
            f"<Data><Image><ImageDescription><Channels>{described}</Channels>"
            f"<Dimensions>{dimensions}</Dimensions></ImageDescription></Image></Data>"
        )


def write_lif(path: Path, *images: LeicaImage) -> Path:
    """A LIF file of version 2."""
    elements = "".join(
        f'<Element Name="{one.name}">{one.described}'
        f'<Memory Size="{len(one.data)}" MemoryBlockID="{one.block}"/></Element>'
        for one in images
    )
    xml = f'<LMSDataContainerHeader Version="2"><Element Name="all"><Children>{elements}</Children></Element>'
    content = _lif_text(f"{xml}</LMSDataContainerHeader>")
    for one in images:
        name = one.block.encode("utf-16-le")
        head = struct.pack("<IIBQBI", 0x70, len(name) + 14, 0x2A, len(one.data), 0x2A, len(one.block))
        content += head + name + one.data
    path.write_bytes(content)
    return path


def write_lof(path: Path, image: LeicaImage) -> Path:
    """A LOF file: one image with its description behind it."""
    xml = f'<LMSDataContainerHeader Version="2"><Element Name="{image.name}">{image.described}'
    memory = (
        f'<Memory Size="{len(image.data)}" MemoryBlockID="{image.block}"/></Element></LMSDataContainerHeader>'
    )
    versions = struct.pack("<BIBI", 0x2A, 2, 0x2A, 0)
    pixels = struct.pack("<BQ", 0x2A, len(image.data)) + image.data
    path.write_bytes(_lif_text("LMS_Object_File") + versions + pixels + _lif_text(xml + memory))
    return path


def write_xlif(path: Path, image: LeicaImage, files: Sequence[tuple[str, int]]) -> Path:
    """An XLIF file.

    Args:
        path: Of the file.
        image: Its description; its pixels are in the files.
        files: Names of TIFF files beside it, each with the bytes of its pixels.
    """
    frames, start = "", 0
    for name, size in files:
        frames += f'<Frame File="{name}" Offset="{start}" Size="{size}" UUID=""/>'
        start += size
    path.write_text(
        f'<?xml version="1.0" encoding="utf-8"?><LMSDataContainerHeader Version="2"><Element Name="{image.name}">'
        f'{image.described}<Memory Size="{start}" MemoryBlockID="{image.block}">{frames}</Memory></Element>'
        "</LMSDataContainerHeader>"
    )
    return path


def _lif_text(text: str) -> bytes:
    return struct.pack("<IIBI", 0x70, 2 * len(text) + 5, 0x2A, len(text)) + text.encode("utf-16-le")


# --- OIF and OIB (Olympus) ---

_OIB_SECTOR, _OIB_SMALL, _OIB_LARGE = 512, 64, 4096
_END, _FREE, _TABLE = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD


def write_oif(path: Path, planes: Mapping[str, Array], channels: Sequence[tuple[str, Colour]]) -> Path:
    """An OIF file and the folder beside it.

    Args:
        path: Of the file.
        planes: By their place, such as `C001Z002`.
        channels: Name of the dye and colour of each.
    """
    path.write_bytes(_oif_settings(channels))
    folder = path.with_name(f"{path.name}.files")
    folder.mkdir()
    for name, content in _oif_parts(planes, channels).items():
        (folder / name).write_bytes(content)
    return path


def write_oib(path: Path, planes: Mapping[str, Array], channels: Sequence[tuple[str, Colour]]) -> Path:
    """An OIB file; arguments as for `write_oif`."""
    parts = {f"Storage00001/{name}": data for name, data in _oif_parts(planes, channels).items()}
    streams = {"main.oif": _oif_settings(channels), **parts}
    info = {"MainFileName": "Stream00000", "Storage00001": '"main.oif.files"'}
    info |= {f"Stream{number:05}": name for number, name in enumerate(streams)}
    files = {f"Stream{number:05}": data for number, data in enumerate(streams.values())}
    path.write_bytes(_compound({**files, "OibInfo.txt": _ini({"OibSaveInfo": info})}))
    return path


def _oif_settings(channels: Sequence[tuple[str, Colour]]) -> bytes:
    reference = {
        "ValidBitCounts": 12,
        "WidthConvertValue": 0.2,
        "HeightConvertValue": 0.2,
        "WidthUnit": '"um"',
    }
    gui = {
        f"GUI Channel {number} Parameters": {"CH Activate": 1, "DyeName": f'"{dye}"'}
        for number, (dye, _) in enumerate(channels, 1)
    }
    return _ini(
        {"ProfileSaveInfo": {"Name": '"a"', "Version": '"1"'}, "Reference Image Parameter": reference, **gui}
    )


def _oif_parts(planes: Mapping[str, Array], channels: Sequence[tuple[str, Colour]]) -> dict[str, bytes]:
    small = np.zeros((8, 8), np.uint16)
    pages = {f"s_{place}.tif": plane for place, plane in planes.items()} | {"s-R001_C001.tif": small}
    parts = {}
    for name, plane in pages.items():
        file = io.BytesIO()
        tifffile.imwrite(file, plane, photometric="minisblack", metadata=None)
        parts[name] = file.getvalue()
    for number, (_, (red, green, blue)) in enumerate(channels, 1):
        table = np.linspace((0, 0, 0, 0), (blue, green, red, 0), 8).astype(np.uint8)
        text = _ini({"Contrast": {"a": 1}}) + "[ColorLUTData]\r\n".encode("utf-16-le")
        parts[f"s_LUT{number}.lut"] = text + table.tobytes()
    return parts


def _ini(sections: Mapping[str, Mapping[str, object]]) -> bytes:
    text = "".join(
        f"[{name}]\r\n" + "".join(f"{key}={value}\r\n" for key, value in section.items())
        for name, section in sections.items()
    )
    return b"\xff\xfe" + text.encode("utf-16-le")


def _compound(files: Mapping[str, bytes]) -> bytes:
    """A compound file of version 3; small streams lie together in one stream."""
    table: list[int] = []
    small_table: list[int] = []
    sectors, small = b"", b""

    def chain(links: list[int], count: int) -> int:
        start = len(links)
        links += [*range(start + 1, start + count), _END]
        return start

    def put(data: bytes, filler: bytes = b"\0") -> int:
        nonlocal sectors
        count = -(-len(data) // _OIB_SECTOR)
        sectors += data.ljust(count * _OIB_SECTOR, filler)
        return chain(table, count)

    entries = []
    for name, data in files.items():
        if len(data) < _OIB_LARGE:
            count = -(-len(data) // _OIB_SMALL)
            small += data.ljust(count * _OIB_SMALL, b"\0")
            entries.append((name, chain(small_table, count), len(data)))
        else:
            entries.append((name, put(data), len(data)))
    directory = _entry("Root Entry", 5, _FREE, 1, put(small), len(small))
    for number, (name, start, size) in enumerate(entries, 1):
        directory += _entry(name, 2, number + 1 if number < len(entries) else _FREE, _FREE, start, size)
    small_links = struct.pack(f"<{len(small_table)}I", *small_table)
    small_start, directory_start = put(small_links, b"\xff"), put(directory)
    links_in_sector = _OIB_SECTOR // 4
    tables = -(-(len(table) + 1) // (links_in_sector - 1))
    places = [*range(len(table), len(table) + tables)]
    table += [_TABLE] * tables
    table += [_FREE] * (tables * links_in_sector - len(table))
    head = struct.pack(
        "<8s16s6H10I",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"",
        *(0x3E, 3, 0xFFFE, 9, 6, 0),
        *(0, 0, tables, directory_start, 0, _OIB_LARGE),
        *(small_start, -(-len(small_links) // _OIB_SECTOR), _END, 0),
    )
    first_places = struct.pack("<109I", *places, *[_FREE] * (109 - tables))
    return head + first_places + sectors + struct.pack(f"<{len(table)}I", *table)


def _entry(name: str, kind: int, right: int, child: int, start: int, size: int) -> bytes:
    text = f"{name}\0".encode("utf-16-le")
    return struct.pack(
        "<64sHBBIII16sIQQIQ", text, len(text), kind, 1, _FREE, right, child, b"", 0, 0, 0, start, size
    )


# --- CZI (Zeiss) ---


def write_czi(
    path: Path,
    tiles: Sequence[tuple[Mapping[str, int], int, tuple[int, int], Array]],
    *,
    channels: Mapping[int, tuple[str, Colour]] | None = None,
    um: float = 0.5,
    compression: str | None = None,
) -> Path:
    """A CZI file.

    Args:
        path: Of the file.
        tiles: Where each belongs (T, Z, C), its scene, its left and top edge, its pixels (blue, green, red).
        channels: Names and colours.
        um: Size of a pixel in micrometres.
        compression: As pylibCZIrw names it.
    """
    from pylibCZIrw import czi

    shown = {
        number: czi.ChannelDisplaySettingsDataClass(
            True, czi.TintingMode.Color, czi.Rgb8Color(*map(np.uint8, colour)), 0.0, 1.0
        )
        for number, (_, colour) in (channels or {}).items()
    }
    with czi.create_czi(str(path), compression_options=compression) as file:
        for place, scene, edges, pixels in tiles:
            file.write(pixels, plane=dict(place), scene=scene, location=edges)
        file.write_metadata(
            scale_x=um * 1e-6,
            scale_y=um * 1e-6,
            channel_names={number: name for number, (name, _) in (channels or {}).items()},
            display_settings=shown,
        )
    return path


def make_smaller_copy(path: Path, width: int, factor: int) -> None:
    """Turn the tile of a CZI file that is so wide into a smaller copy of the area that it lies in."""
    content = bytearray(path.read_bytes())
    for axis in (b"X", b"Y"):
        at = 0
        while (at := content.find(axis + b"\0\0\0", at + 1)) > 0:
            start, extent, place, stored = struct.unpack_from("<iifi", content, at + 4)
            if extent == width and stored in (0, width):
                struct.pack_into("<iifi", content, at + 4, start, extent * factor, place, extent)
    path.write_bytes(content)


def pack_as_jpeg_xr(path: Path, packed: bytes) -> None:
    """Replace the pixels of the only tile of a CZI file by others, in JPEG XR."""
    content = bytearray(path.read_bytes())
    tile = content.index(b"ZISRAWSUBBLOCK") + 32
    directory = content.index(b"ZISRAWDIRECTORY") + 32 + 128
    (metadata,) = struct.unpack_from("<i", content, tile)
    (axes,) = struct.unpack_from("<i", content, tile + 16 + 28)
    start = tile + max(256, 16 + 32 + 20 * axes) + metadata
    struct.pack_into("<q", content, tile + 8, len(packed))
    content[start : start + len(packed)] = packed
    for entry in (tile + 16, directory):
        struct.pack_into("<i", content, entry + 18, 4)
    path.write_bytes(content)
