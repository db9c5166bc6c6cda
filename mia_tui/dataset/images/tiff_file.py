"""A single image written as a TIFF file, with the values it has."""

import io
from typing import Any

import numpy as np

from mia_tui.dataset.images.channels import Planes

_KINDS = {"rgb": "rgb", "cmyk": "separated", "lab": "cielab", None: "minisblack"}


def tiff_file(planes: Planes) -> bytes:
    """The content of a TIFF file of one page, with the image's own values, colours and transparency."""
    import tifffile

    scene = planes.scene
    options: dict[str, Any] = {"photometric": "miniswhite" if scene.is_inverted else _KINDS[scene.colour]}
    if scene.palette is not None:
        options = {"photometric": "palette", "colormap": scene.palette.T}
    if scene.opacity is not None:
        options["extrasamples"] = ["unassalpha"]
    values = planes.values[:, :, 0] if planes.values.shape[2] == 1 else planes.values
    if values.ndim == 3:
        options["planarconfig"] = "contig"
    if scene.pixel_um is not None:
        options["resolution"] = tuple(1e4 / side for side in scene.pixel_um)
        options["resolutionunit"] = "CENTIMETER"
    file = io.BytesIO()
    tifffile.imwrite(file, np.ascontiguousarray(values), metadata=None, **options)
    return file.getvalue()
