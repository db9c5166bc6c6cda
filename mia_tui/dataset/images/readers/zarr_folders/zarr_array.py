"""Arrays of Zarr, versions 2 and 3, in a folder, read region by region.

This is not left to the library zarr: it believes the sizes that compressed pieces claim, follows links out of the
folder, and its import takes half of the time that a first picture may take.
"""

import bz2
import json
import lzma
import os
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mia_tui.errors import DecodeError
from mia_tui.files import open_to_read, read
from mia_tui.text import printable

Range = tuple[int, int]
"""First and behind the last."""

_MOST_JSON_BYTES = 1 << 24
_MOST_AXES = 8
_MOST_LENGTH = 1 << 40
_MOST_PIECES = 1 << 18  # as of a TIFF
_SPARE_BYTES = 1 << 16  # that a piece may be longer than its values
_CHECKSUM_BYTES = 4
_TYPES_2 = re.compile(r"[<>|](b1|[iu][1248]|f[248])")
_TYPES_3 = {"bool": "?", **{f"{kind}{bits}": f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)},
            **{f"float{bits}": f"float{bits}" for bits in (16, 32, 64)}}  # fmt: skip
_EMPTY = (1 << 64) - 1  # place and length of a piece of a shard that is not there


class ZarrFolder:
    """A folder with arrays and groups; nothing outside of it is read, whatever links or paths say.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.name = path, printable(path.name)

    def json(self, *steps: str) -> dict[str, Any] | None:
        """A file of metadata; None if there is none."""
        try:
            content = read(self._inside(*steps), root=self.path, most_bytes=_MOST_JSON_BYTES)
        except FileNotFoundError:
            return None
        found = json.loads(content)
        if not isinstance(found, dict):
            raise ValueError("no object")
        return found

    def opened(self, *steps: str) -> BinaryIO | None:
        """A file; None if there is none."""
        path = self._inside(*steps)
        try:
            os.lstat(path)  # an array may lack most of its pieces; a safe opening takes much longer
            return open_to_read(path, root=self.path)
        except FileNotFoundError:
            return None

    def _inside(self, *steps: str) -> Path:
        parts = [part for step in steps for part in step.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in "".join(parts):
            raise DecodeError(f"{self.name} is damaged: a path in its metadata leads out of it.")
        return self.path.joinpath(*parts)


@dataclass(frozen=True)
class _Pieces:
    """How values become the bytes of a piece, and back."""

    shape: tuple[int, ...]
    dtype: np.dtype
    order: tuple[int, ...]  # of the axes in the bytes
    unpack: tuple[
        Callable[[bytes, int], bytes], ...
    ]  # in the order of reading, each with the most bytes it may give

    @property
    def size_bytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize

    def decode(self, data: bytes) -> NDArray[np.generic]:
        for unpack in self.unpack:
            data = unpack(data, self.size_bytes + _SPARE_BYTES)
        stored = [self.shape[axis] for axis in self.order]
        values = np.frombuffer(data, self.dtype, prod(stored)).reshape(stored)
        return values.transpose(np.argsort(self.order))


@dataclass(frozen=True)
class _Shards:
    """Files with many pieces, and a list of where they are."""

    shape: tuple[int, ...]
    index_first: bool
    index_spare: int  # bytes of its checksum


class ZarrArray:
    """An array; its pieces are read when they are asked for.

    Args:
        folder: The folder that holds it.
        path: Where it is in there.

    Raises:
        DecodeError: If there is none, or it is stored in a way that is not known.
    """

    def __init__(self, folder: ZarrFolder, path: str) -> None:
        self._folder, self._path = folder, path
        self._shards: _Shards | None = None
        self._name_of: Callable[[Sequence[int]], str]
        if (new := folder.json(path, "zarr.json")) is not None:
            self._understand_3(new)
        elif (old := folder.json(path, ".zarray")) is not None:
            self._understand_2(old)
        else:
            raise DecodeError(f"{folder.name} is damaged: it has no array {printable(path)}.")

    def read(self, ranges: Sequence[Range]) -> NDArray[np.generic]:
        """A part of the array, in the byte order of this machine; what was never written has the array's filling."""
        outer = self._shards.shape if self._shards else self._pieces.shape
        return self._gather(ranges, outer, self._stored)

    def cost_bytes(self, ranges: Sequence[Range]) -> int:
        """Memory that reading a part takes: it, and a piece twice."""
        part = prod(stop - start for start, stop in ranges) * self.dtype.itemsize
        return part + 2 * self._pieces.size_bytes

    def _gather(
        self,
        ranges: Sequence[Range],
        size: tuple[int, ...],
        piece: Callable[[tuple[int, ...], list[Range]], NDArray[np.generic] | None],
    ) -> NDArray[np.generic]:
        """A part, from pieces of one size; `piece` gets its number along each axis, and what of it is wanted."""
        spans = [range(start // by, -(-stop // by)) for (start, stop), by in zip(ranges, size, strict=True)]
        if prod(map(len, spans)) > _MOST_PIECES:
            raise DecodeError(
                f"{self._folder.name} is stored in {prod(map(len, spans)):,} pieces, the limit is {_MOST_PIECES:,}."
            )
        part = np.full([stop - start for start, stop in ranges], self._filling, self.dtype)
        for index in product(*spans):
            begins = [number * by for number, by in zip(index, size, strict=True)]
            wanted = [
                (max(start, begin) - begin, min(stop, begin + by) - begin)
                for (start, stop), begin, by in zip(ranges, begins, size, strict=True)
            ]
            values = piece(index, wanted)
            if values is not None:
                part[
                    tuple(
                        slice(begin + first - start, begin + last - start)
                        for (start, _), begin, (first, last) in zip(ranges, begins, wanted, strict=True)
                    )
                ] = values
        return part

    def _stored(self, index: tuple[int, ...], wanted: list[Range]) -> NDArray[np.generic] | None:
        """Part of what one file has; None if there is no such file."""
        file = self._folder.opened(self._path, self._name_of(index))
        if file is None:
            return None
        with file:
            if self._shards is None:
                return self._decoded(file, -1, wanted)
            places = self._places(file, self._shards)
            return self._gather(
                wanted, self._pieces.shape, lambda inner, part: self._in_shard(file, places[inner], part)
            )

    def _in_shard(
        self, file: BinaryIO, place: NDArray[np.uint64], wanted: list[Range]
    ) -> NDArray[np.generic] | None:
        start, length = map(int, place)
        if start == length == _EMPTY:
            return None
        file.seek(start)
        return self._decoded(file, length, wanted)

    def _decoded(self, file: BinaryIO, length: int, wanted: list[Range]) -> NDArray[np.generic]:
        most = 2 * self._pieces.size_bytes + _SPARE_BYTES
        data = file.read(most if length < 0 else min(length, most))
        return self._pieces.decode(data)[tuple(slice(*part) for part in wanted)]

    def _places(self, file: BinaryIO, shards: _Shards) -> NDArray[np.uint64]:
        """Place and length of each piece in a file."""
        grid = [outer // inner for outer, inner in zip(shards.shape, self._pieces.shape, strict=True)]
        if prod(grid) > _MOST_PIECES:
            raise ValueError(f"{prod(grid)} pieces in a file")
        length = prod(grid) * 16
        if shards.index_first:
            file.seek(0)
        else:
            file.seek(-length - shards.index_spare, 2)
        places: NDArray[np.uint64] = np.frombuffer(file.read(length), "<u8").reshape(*grid, 2)
        return places

    def _understand_2(self, said: dict[str, Any]) -> None:
        self.shape, size = _lengths(said["shape"]), _lengths(said["chunks"])
        if not isinstance(said["dtype"], str) or not _TYPES_2.fullmatch(said["dtype"]):
            raise self._unknown("values of the kind", said["dtype"])
        if said.get("filters"):
            raise self._unknown("the filter", said["filters"][0].get("id"))
        dtype = np.dtype(said["dtype"])
        axes = tuple(range(len(size)))
        packed = said.get("compressor")
        unpack = () if packed is None else (self._unpacker(packed["id"], packed),)
        self._pieces = _Pieces(size, dtype, axes[::-1] if said.get("order") == "F" else axes, unpack)
        separator = str(said.get("dimension_separator", "."))
        self._name_of = lambda index: separator.join(map(str, index)) or "0"
        self._finish(said.get("fill_value"))

    def _understand_3(self, said: dict[str, Any]) -> None:
        if said.get("node_type") != "array":
            raise DecodeError(f"{self._folder.name} is damaged: {printable(self._path)} is no array.")
        self.shape = _lengths(said["shape"])
        if said["chunk_grid"]["name"] != "regular":
            raise self._unknown("pieces of the kind", said["chunk_grid"]["name"])
        size = _lengths(said["chunk_grid"]["configuration"]["chunk_shape"])
        if said["data_type"] not in _TYPES_3:
            raise self._unknown("values of the kind", said["data_type"])
        keys = said["chunk_key_encoding"]
        is_new = keys["name"] == "default"
        separator = str(keys.get("configuration", {}).get("separator", "/" if is_new else "."))
        self._name_of = lambda index: separator.join([*(["c"] if is_new else []), *map(str, index)]) or "0"
        codecs = said["codecs"]
        if codecs[0]["name"] == "sharding_indexed":
            size, codecs = self._understand_shards(size, codecs)
        self._pieces = self._pieces_of(size, np.dtype(_TYPES_3[said["data_type"]]), codecs)
        self._finish(said.get("fill_value"))

    def _understand_shards(
        self, size: tuple[int, ...], codecs: list[Any]
    ) -> tuple[tuple[int, ...], list[Any]]:
        """Shape and codecs of the pieces in a shard."""
        configuration = codecs[0]["configuration"]
        index = [codec["name"] for codec in configuration.get("index_codecs", [])]
        if len(codecs) > 1 or index not in (["bytes"], ["bytes", "crc32c"]):
            raise self._unknown("shards with", ", ".join([*index, *(codec["name"] for codec in codecs[1:])]))
        inner = _lengths(configuration["chunk_shape"])
        if len(inner) != len(size) or any(outer % by for outer, by in zip(size, inner, strict=True)):
            raise ValueError("pieces that do not fit into a shard")
        is_first = configuration.get("index_location") == "start"
        self._shards = _Shards(size, is_first, _CHECKSUM_BYTES * (len(index) - 1))
        return inner, configuration["codecs"]

    def _pieces_of(self, size: tuple[int, ...], dtype: np.dtype, codecs: list[Any]) -> _Pieces:
        order = tuple(range(len(size)))
        unpack = []
        for codec in codecs:
            name, configuration = codec["name"], codec.get("configuration", {})
            if name == "transpose":
                order = tuple(order[int(axis)] for axis in configuration["order"])
            elif name == "bytes":
                dtype = dtype.newbyteorder(">" if configuration.get("endian") == "big" else "<")
            else:
                unpack.append(self._unpacker(str(name).removeprefix("numcodecs."), configuration))
        if sorted(order) != list(range(len(size))):
            raise ValueError("axes in no order")
        return _Pieces(size, dtype, order, tuple(reversed(unpack)))

    def _unpacker(self, name: str, configuration: dict[str, Any]) -> Callable[[bytes, int], bytes]:
        if name not in _UNPACKERS:
            raise self._unknown("the compression", name)
        return _UNPACKERS[name]

    def _finish(self, filling: object) -> None:
        if not len(self.shape) == len(self._pieces.shape):
            raise ValueError("pieces of other axes than the array")
        self.dtype = self._pieces.dtype.newbyteorder("=")
        number = float(filling) if isinstance(filling, str) and not filling.startswith("0x") else filling
        self._filling = np.array(number if isinstance(number, (bool, int, float)) else 0).astype(self.dtype)

    def _unknown(self, what: str, name: object) -> DecodeError:
        return DecodeError(f"{self._folder.name} has {what} {printable(str(name))}, which cannot be read.")


def _lengths(numbers: object) -> tuple[int, ...]:
    if not isinstance(numbers, list) or not 1 <= len(numbers) <= _MOST_AXES:
        raise ValueError("no shape")
    lengths = tuple(int(number) for number in numbers)
    if not all(1 <= length <= _MOST_LENGTH for length in lengths):
        raise ValueError("an empty array")
    return lengths


def _zlib(data: bytes, most: int) -> bytes:
    return zlib.decompressobj(wbits=47).decompress(data, most)  # of zlib or gzip


def _bz2(data: bytes, most: int) -> bytes:
    return bz2.BZ2Decompressor().decompress(data, most)


def _lzma(data: bytes, most: int) -> bytes:
    try:
        return lzma.LZMADecompressor(memlimit=1 << 28).decompress(data, most)
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from error


def _zstd(data: bytes, most: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.zstd_decode(data, out=most))


def _blosc(data: bytes, most: int) -> bytes:
    import imagecodecs

    length = int.from_bytes(data[4:8], "little")
    if length > most:
        raise ValueError("a piece of more values than its shape")
    return bytes(imagecodecs.blosc_decode(data, out=length))


def _lz4(data: bytes, most: int) -> bytes:
    import imagecodecs

    if int.from_bytes(data[:4], "little") > most:
        raise ValueError("a piece of more values than its shape")
    return bytes(imagecodecs.lz4_decode(data, header=True))


def _without_checksum(data: bytes, most: int) -> bytes:
    return data[:-_CHECKSUM_BYTES]


_UNPACKERS: dict[str, Callable[[bytes, int], bytes]] = {
    "blosc": _blosc,
    "bz2": _bz2,
    "crc32c": _without_checksum,
    "gzip": _zlib,
    "lz4": _lz4,
    "lzma": _lzma,
    "zlib": _zlib,
    "zstd": _zstd,
}
