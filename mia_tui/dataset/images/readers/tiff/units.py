"""The size of a pixel in micrometres, as TIFF files tell it."""

import math
from collections.abc import Iterable
from xml.etree import ElementTree

import tifffile

_MICROMETRES = {
    "pm": 1e-6,
    "å": 1e-4,
    "angstrom": 1e-4,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "um": 1.0,
    "μm": 1.0,  # the Greek letter; the other one is the sign for micro
    "µm": 1.0,
    "\\u00b5m": 1.0,  # as ImageJ writes it
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "mm": 1e3,
    "millimeter": 1e3,
    "cm": 1e4,
    "centimeter": 1e4,
    "m": 1e6,
    "meter": 1e6,
    "in": 25_400.0,
    "inch": 25_400.0,
}
_INCH, _CENTIMETRE = 2, 3
_MOST_UM = 20.0
"""Of a pixel by the resolution alone: 72 or 300 dots an inch are meant for printers."""


def micrometres(value: object, unit: str) -> float | None:
    """A length in micrometres; None if it is none."""
    scale = _MICROMETRES.get(unit.strip().lower())
    try:
        length = float(value) * scale  # type: ignore[arg-type, operator]
    except (TypeError, ValueError):
        return None
    return length if math.isfinite(length) and length > 0 else None


def page_um(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """Width and height of a pixel, as the microscope wrote it into a page, or else by the resolution."""
    for tell in (_electron_um, _metaseries_um):
        try:
            found = tell(page)
        except (LookupError, TypeError, ValueError, SyntaxError):
            continue
        if found is not None:
            return found
    return resolution_um(page)


def _electron_um(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """Of the electron microscopes of FEI and Zeiss."""
    scan = page.tags.valueof(34682) or page.tags.valueof(34680)
    if scan is not None:
        return both(micrometres(scan["Scan"][f"Pixel{side}"], "m") for side in ("Width", "Height"))
    said = page.tags.valueof(34118)
    if said is not None:
        _, size, unit = said["ap_image_pixel_size"]
        return both([micrometres(size, unit)] * 2)
    return None


def _metaseries_um(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """Of MetaMorph and MetaXpress, where the picture is calibrated."""
    if not page.is_metaseries:
        return None
    said = {one.get("id"): one.get("value") for one in ElementTree.fromstring(page.description).iter("prop")}
    unit = str(said["spatial-calibration-units"])
    return both(micrometres(said[f"spatial-calibration-{side}"], unit) for side in "xy")


def both(sides: Iterable[float | None]) -> tuple[float, float] | None:
    width, height = sides
    return None if width is None or height is None else (width, height)


def resolution_um(page: tifffile.TiffPage, unit: str | None = None) -> tuple[float, float] | None:
    """Width and height of a pixel by the resolution of a page.

    Args:
        page: The page.
        unit: In which the resolution is; None for inch or centimetre, as the page says.
    """
    found = both(_side(page, tag, unit) for tag in (282, 283))
    return None if found is None or (unit is None and max(found) > _MOST_UM) else found


def _side(page: tifffile.TiffPage, tag: int, unit: str | None) -> float | None:
    said = page.tags.get(tag)
    if said is None or not isinstance(said.value, tuple) or len(said.value) != 2:
        return None
    per, by = said.value
    if not per or not by:
        return None
    if unit is None:
        kind = page.tags.valueof(296, default=_INCH) if hasattr(page.tags, "valueof") else _INCH
        unit = {_INCH: "inch", _CENTIMETRE: "cm"}.get(int(kind), "")
    return micrometres(by / per, unit)
