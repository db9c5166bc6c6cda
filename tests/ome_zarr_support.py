"""OME-Zarr folders written by hand, without any library: arrays whose pieces are planes, not compressed."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

AXES = {
    "t": {"name": "t", "type": "time"},
    "c": {"name": "c", "type": "channel"},
    "z": {"name": "z", "type": "space", "unit": "micrometer"},
    "y": {"name": "y", "type": "space", "unit": "micrometer"},
    "x": {"name": "x", "type": "space", "unit": "nanometer"},
}


def multiscales(axes: str, levels: int = 1, **about: Any) -> dict[str, Any]:
    """What OME says of an image whose pixels are 250 nm wide and 0.5 µm high, each level half as large."""
    sides = {"y": 0.5, "x": 250.0}
    datasets = [
        {
            "path": str(level),
            "coordinateTransformations": [
                {
                    "type": "scale",
                    "scale": [sides.get(axis, 1.0) * (2**level if axis in sides else 1) for axis in axes],
                }
            ],
        }
        for level in range(levels)
    ]
    return {
        "multiscales": [
            {"name": "cells", "axes": [AXES[axis] for axis in axes], "datasets": datasets, **about}
        ]
    }


def write_group(folder: Path, said: dict[str, Any], version: int = 3) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if version == 2:
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(said))
        return
    content = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", **said}}}
    (folder / "zarr.json").write_text(json.dumps(content))


def write_array(folder: Path, values: np.ndarray, version: int = 3) -> None:
    folder.mkdir(parents=True)
    piece = [1] * (values.ndim - 2) + list(values.shape[-2:])
    if version == 2:
        said: dict[str, Any] = {
            "zarr_format": 2,
            "shape": values.shape,
            "chunks": piece,
            "dtype": values.dtype.str,
        }
        said |= {
            "compressor": None,
            "filters": None,
            "order": "C",
            "fill_value": 0,
            "dimension_separator": "/",
        }
        (folder / ".zarray").write_text(json.dumps(said))
    else:
        said = {"zarr_format": 3, "node_type": "array", "shape": values.shape, "data_type": values.dtype.name}
        said["chunk_grid"] = {"name": "regular", "configuration": {"chunk_shape": piece}}
        said["chunk_key_encoding"] = {"name": "default", "configuration": {"separator": "/"}}
        said["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}]
        said["fill_value"] = 0
        (folder / "zarr.json").write_text(json.dumps(said))
    for index in product(*map(range, values.shape[:-2])):
        place = folder.joinpath(*([] if version == 2 else ["c"]), *map(str, index), "0", "0")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(np.ascontiguousarray(values[index]).tobytes())


def write_image(folder: Path, values: np.ndarray, axes: str = "cyx", version: int = 3, **about: Any) -> Path:
    """An image of one level; `about` is added to what OME says beside the levels, as `omero`."""
    write_group(folder, multiscales(axes) | about, version)
    write_array(folder / "0", values, version)
    return folder
