"""TIFF files of the programs of microscopes, with tags of their own, such as LSM and STK."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from mia_tui.dataset.images.readers.tiff.chain import MOST_PAGES, PageChain
from mia_tui.dataset.images.readers.tiff.imagej import planes_are_contiguous
from mia_tui.dataset.images.readers.tiff.pixels import contiguous_start
from mia_tui.dataset.images.readers.tiff.series import Series, declared_pages, page_at, series_of, split_pages
from mia_tui.dataset.images.readers.tiff.units import both, micrometres
from mia_tui.dataset.images.source import Channel, Colour

_SCENE_AXES = "PMR"  # positions, mosaics, regions
_LSM_SCANS = {0: "Z", 2: "", 3: "T", 4: "T", 6: "TZ", 7: "TZ", 9: "T"}  # what a scan repeats, slowest first
_LSM_SIZES = {"T": "DimensionTime", "Z": "DimensionZ", "P": "DimensionP", "M": "DimensionM"}
_FLUOVIEW_AXES = {"Z": "Z", "T": "T", "TIME": "T", "CH": "C", "WAVELENGTH": "C", "XY": "R"}
_FRAME_TAG = 51123  # of Micro-Manager: what a plane is, as JSON
_FRAME_AXES = {"time": "T", "z": "Z", "channel": "C", "position": "P"}


def lsm_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """The planes of a file of a Zeiss LSM; between them are small copies."""
    said, page = tiff.lsm_metadata, page_at(tiff, chain, 0)
    if said is None:
        return None
    axes = _LSM_SCANS.get(said["ScanType"], "")
    axes = "".join(axis for axis in "MP" if said.get(_LSM_SIZES[axis], 0) > 0) + axes
    step = 2 if chain.has(1) and chain.is_reduced(1) else 1
    table = declared_pages(chain, [max(1, int(said[_LSM_SIZES[axis]])) for axis in axes], step=step)
    return _by_scene(
        table,
        axes,
        channels=_lsm_channels(said.get("ChannelColors"), page.samplesperpixel),
        pixel_um=both(micrometres(said.get(f"VoxelSize{axis}"), "m") for axis in "XY"),
    )


def _lsm_channels(said: Any, count: int) -> tuple[Channel, ...]:
    if not isinstance(said, dict) or len(said["ColorNames"]) < count or len(said["Colors"]) < count:
        return ()
    return tuple(
        Channel(said["ColorNames"][number] or None, _colour(said["Colors"][number]))
        for number in range(count)
    )


def _colour(said: Any) -> Colour | None:
    red, green, blue = (int(value) & 0xFF for value in said[:3])
    return (red, green, blue) if red or green or blue else None


def stk_series(tiff: tifffile.TiffFile, chain: PageChain) -> Series | None:
    """The planes of a MetaMorph stack, all behind one page."""
    said, page = tiff.stk_metadata, page_at(tiff, chain, 0)
    planes = int(said["NumberPlanes"]) if said else 1
    if said is None or planes < 2 or not planes_are_contiguous(page, chain, planes):
        return None
    axis = "I"
    if np.all(np.asarray(said["ZDistance"]) != 0):
        axis = "Z"
    elif np.all(np.diff(np.asarray(said["TimeCreated"])) != 0):
        axis = "T"
    unit = str(said.get("CalibrationUnits", ""))
    size = both(micrometres(_fraction(said.get(f"{side}Calibration")), unit) for side in "XY")
    return series_of(
        np.arange(planes),
        axis,
        is_contiguous=True,
        pixel_um=size if said.get("SpatialCalibration") else None,
        name=str(said.get("Name", "")),
    )


def _fraction(value: Any) -> Any:
    return value[0] / value[1] if isinstance(value, tuple) and len(value) == 2 and value[1] else value


def fluoview_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """The planes of an Olympus FluoView file."""
    said = tiff.fluoview_metadata
    if said is None:
        return None
    known = {str(one[0]).upper(): one for one in said["Dimensions"] if str(one[0]) and int(one[1]) > 0}
    outer = [one for name, one in reversed(known.items()) if name not in ("X", "Y")]
    axes = "".join(_FLUOVIEW_AXES.get(str(one[0]).upper(), "Q") for one in outer)
    table = declared_pages(chain, [int(one[1]) for one in outer])
    sides = [micrometres(known[side][3], str(known[side][4])) if side in known else None for side in "XY"]
    return _by_scene(table, axes, pixel_um=both(sides))


def sis_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """The planes of a file of Olympus' cellSens or analySIS."""
    said = tiff.sis_metadata
    if said is None or "axes" not in said or "shape" not in said:
        return None
    return _by_scene(declared_pages(chain, [int(size) for size in said["shape"]]), str(said["axes"]))


def scanimage_series(tiff: tifffile.TiffFile, chain: PageChain) -> Series | None:
    """The planes of a ScanImage file: channels fastest, then times, then depths."""
    said, _, _ = tifffile.read_scanimage_metadata(tiff.filehandle)
    saved = said["SI.hChannels.channelSave"]
    channels = len(saved) if isinstance(saved, list) else 1
    planes = len(chain) // channels
    times = said.get("SI.hStackManager.framesPerSlice", planes)
    times = int(times) if isinstance(times, (int, float)) and 0 < times <= planes else planes
    depths = max(1, planes // times)
    table = declared_pages(chain, (depths, times, channels))
    return None if table is None or len(chain) != table.size else series_of(table, "ZTC")


def volume_series(tiff: tifffile.TiffFile, chain: PageChain) -> Series | None:
    """The planes of pages that are volumes."""
    page = page_at(tiff, chain, 0)
    depth = page.imagedepth
    pieces = len(page.dataoffsets) * (page.tiledepth if page.is_tiled else 1)
    is_held = contiguous_start(page) is not None or pieces >= depth
    if depth < 2 or not is_held or depth * len(chain) > MOST_PAGES:
        return None
    return series_of(split_pages(np.arange(len(chain)), depth), "IZ", split=depth)


def micromanager_series(tiff: tifffile.TiffFile, chain: PageChain) -> list[Series] | None:
    """The planes of a Micro-Manager file, by the index at its start, or by what each page says of itself."""
    said = tifffile.read_micromanager_metadata(tiff.filehandle, {"Summary", "IndexMap"})
    summary = said.get("Summary")
    summary = summary if isinstance(summary, dict) else {}
    index = said.get("IndexMap")
    if index is not None and len(index):
        numbers = {offset: number for number, offset in enumerate(chain.offsets())}
        places: dict[int, Mapping[str, Any]] = {
            numbers[int(row[4])]: {"C": row[0], "Z": row[1], "T": row[2], "P": row[3]}
            for row in index.tolist()
            if int(row[4]) in numbers
        }
    else:
        places = dict(_places_by_page(chain))
    if not places:
        return None
    table, names = _table_of(places)
    channels = _micromanager_channels(summary, names.get("C", [0]))
    side = micrometres(summary.get("PixelSize_um"), "um")
    return _by_scene(table, "".join(names), channels=channels, pixel_um=both([side, side]))


def _places_by_page(chain: PageChain) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number in range(len(chain)):
        text = chain.value(number, _FRAME_TAG)
        said = json.loads(text.rstrip(b"\0")) if text else None
        axes = said.get("Axes") if isinstance(said, dict) else None
        if not isinstance(axes, dict):
            raise ValueError("a page does not say what it is")
        yield number, {_FRAME_AXES.get(str(name), str(name)): value for name, value in axes.items()}


def _table_of(places: Mapping[int, Mapping[str, Any]]) -> tuple[NDArray[np.int64], dict[str, list[Any]]]:
    """The page of each plane, and the values along each axis, from what each page says of itself.

    Raises:
        ValueError: If most planes are absent, or pages say different things.
    """
    axes = sorted({axis for place in places.values() for axis in place}, key=lambda axis: (axis == "C", axis))
    values = {axis: list(dict.fromkeys(place.get(axis) for place in places.values())) for axis in axes}
    for found in values.values():
        if all(isinstance(value, int) for value in found):
            found.sort()
    shape = [len(values[axis]) for axis in axes]
    if int(np.prod(shape)) > 2 * len(places):
        raise ValueError("most planes are absent")
    table = np.full(shape, -1)
    positions = {axis: {value: at for at, value in enumerate(found)} for axis, found in values.items()}
    for number, place in places.items():
        table[tuple(positions[axis][place.get(axis)] for axis in axes)] = number
    spare = iter("QIJKLNOUVWABDEFGH")
    letters = [axis if axis in "TZCP" else next(spare) for axis in axes]
    return table, dict(zip(letters, values.values(), strict=True))


def _micromanager_channels(summary: Mapping[str, Any], values: list[Any]) -> tuple[Channel, ...]:
    names, colours = summary.get("ChNames"), summary.get("ChColors")
    found = []
    for at, value in enumerate(values):
        number = value if isinstance(value, int) else at
        name = value if isinstance(value, str) else _item(names, number)
        colour = _item(colours, number)
        found.append(
            Channel(
                name if isinstance(name, str) else None,
                _colour((int(colour) & 0xFFFFFF).to_bytes(3, "big")) if isinstance(colour, int) else None,
            )
        )
    return tuple(found)


def _item(values: Any, number: int) -> Any:
    return values[number] if isinstance(values, list) and 0 <= number < len(values) else None


def _by_scene(table: NDArray[np.int64] | None, axes: str, **more: Any) -> list[Series] | None:
    """A series for each position of the microscope."""
    if table is None:
        return None
    places = [at for at, axis in enumerate(axes) if axis in _SCENE_AXES]
    others = [at for at in range(len(axes)) if at not in places]
    ordered = table.transpose(*places, *others)
    scenes = ordered.reshape(-1, *(table.shape[at] for at in others))
    left = "".join(axes[at] for at in others)
    return [series_of(scene, left, **more) for scene in scenes if (scene >= 0).any()]
