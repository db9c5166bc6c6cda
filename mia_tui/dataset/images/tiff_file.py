"""A single image written as a TIFF file, with the values it has."""

import io
from typing import Any

import numpy as np

from mia_tui.dataset.images.channels import Planes, in_whole_range, share_of
from mia_tui.dataset.images.network.brightness import type_range

_KINDS = {"rgb": "rgb", "cmyk": "separated", "lab": "cielab", None: "minisblack"}


def tiff_file(planes: Planes) -> bytes:
    """The content of a TIFF file of one page, with the image's own values, colours and transparency.

    Values of fewer than 8 bits become 0 to 255, and opacity takes all bits of its type.
    """
    import tifffile

    planes = in_whole_range(planes)
    scene = planes.scene
    options: dict[str, Any] = {"photometric": "miniswhite" if scene.is_inverted else _KINDS[scene.colour]}
    if scene.palette is not None:
        options = {"photometric": "palette", "colormap": scene.palette.T}
    if scene.opacity is not None:
        options["extrasamples"] = ["assocalpha" if scene.is_multiplied else "unassalpha"]
    values = planes.values
    if scene.opacity is not None and scene.bits is not None:
        values = values.copy()
        values[:, :, scene.opacity] = np.rint(share_of(planes, scene.opacity) * type_range(scene.dtype)[1])
    values = values[:, :, 0] if values.shape[2] == 1 else values
    if values.ndim == 3:
        options["planarconfig"] = "contig"
    if scene.pixel_um is not None:
        options["resolution"] = tuple(1e4 / side for side in scene.pixel_um)
        options["resolutionunit"] = "CENTIMETER"
    file = io.BytesIO()
    tifffile.imwrite(file, np.ascontiguousarray(values), metadata=None, **options)
    return file.getvalue()
