"""Features as a file for other programs: arrays in .npz, in the dataset's order, written without holding them all."""

import zipfile
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from mia_tui.dataset.listing.listing import Listing
from mia_tui.disk_errors import disk_error
from mia_tui.errors import ConfigError
from mia_tui.features.table import FeatureTable
from mia_tui.files import new_content
from mia_tui.text import encode_name, printable

ENDING = ".npz"

_AT_ONCE = 4096  # rows


def check_out(out: Path) -> None:
    """Refuse a file that cannot be written, before anything is made.

    Raises:
        ConfigError: If its ending is another one, or its folder does not exist.
    """
    if out.suffix.lower() != ENDING:
        raise ConfigError(
            f"--out {printable(out)} has no known ending.", f"Use {ENDING}, which numpy.load reads."
        )
    if not out.absolute().parent.is_dir():
        raise ConfigError(f"The folder of --out {printable(out)} does not exist.", "Make it first.")


def export_features(table: FeatureTable, listing: Listing, out: Path) -> int:
    """Write the features of the images that have some.

    `files` are the paths as `text.encode_name` gives them, shape (N,), text; `frames` int32, shape (N,); `features`
    float16, shape (N, dims).

    Returns:
        N.

    Raises:
        ConfigError: If the disk does not take it.
    """
    places = table.places(listing)
    rows = np.flatnonzero(places >= 0).astype(np.int32)
    keys, places = listing.keys(rows), places[rows]
    files = np.array([encode_name(key.path) for key in keys] or [""], np.str_)[: len(keys)]
    try:
        with new_content(out, sync=False) as file, zipfile.ZipFile(file, "w") as archive:
            for name, values in (
                ("files", files),
                ("frames", np.array([key.frame for key in keys], np.int32)),
            ):
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    npy.write_array(entry, values, allow_pickle=False)
            with archive.open("features.npy", "w", force_zip64=True) as entry:
                _write_features(entry, table, places)
    except OSError as error:
        raise disk_error(error, out, ConfigError, elsewhere="name another file with --out.") from error
    return len(keys)


def _write_features(entry: IO[bytes], table: FeatureTable, places: NDArray[np.int32]) -> None:
    header = {"descr": "<f2", "fortran_order": False, "shape": (len(places), table.network.dims)}
    npy.write_array_header_1_0(entry, header)
    features = table.rows(0, len(table))
    for start in range(0, len(places), _AT_ONCE):
        entry.write(np.ascontiguousarray(features[places[start : start + _AT_ONCE]]).tobytes())
