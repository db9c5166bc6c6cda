"""TIFF files of the formats of microscopes and slides: what is an image, and what the files say of it."""

import json
import struct
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from mia_tui.dataset.images.reading import count_frames, new_frame_numbers, open_source, opened
from mia_tui.dataset.images.source import Channel, Region
from mia_tui.errors import DecodeError


def numbered(shape: tuple[int, ...], dtype: str = "uint16") -> np.ndarray:
    """Planes that each hold their own number, and a ramp."""
    outer = int(np.prod(shape[:-2]))
    planes = np.arange(outer).reshape(*shape[:-2], 1, 1) * 3
    return (planes + np.arange(shape[-2] * shape[-1]).reshape(shape[-2:]) % 17).astype(dtype)


def frames(path: Path) -> np.ndarray:
    """All images of a file, channels first."""
    found = []
    for frame in range(count_frames(path)):
        with opened(path, frame, 100.0) as image:
            found.append(np.moveaxis(image.planes().values, 2, 0))
    return np.stack(found)


ORDERS = ["XYZCT", "XYZTC", "XYCTZ", "XYCZT", "XYTCZ", "XYTZC"]


def ome_xml(order: str, *, inner: str = "", size: tuple[int, int] = (32, 21), **more: str) -> str:
    said = "".join(f' {name}="{value}"' for name, value in more.items())
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:own"><Image ID="Image:0" '
        f'Name="field"><Pixels ID="Pixels:0" DimensionOrder="{order}" Type="uint16" SizeX="{size[0]}" '
        f'SizeY="{size[1]}" SizeZ="4" SizeC="2" SizeT="3"{said}>{inner}</Pixels></Image></OME>'
    )


@pytest.mark.parametrize("order", ORDERS)
def test_ome_planes_are_found_in_any_order(tmp_path: Path, order: str) -> None:
    sizes = {"T": 3, "Z": 4, "C": 2}
    stored = order[:1:-1]
    values = numbered((*(sizes[axis] for axis in stored), 21, 32))
    path = tmp_path / "a.ome.tif"
    channels = (
        '<Channel ID="Channel:0:0" Name="DAPI" Color="65535"/><Channel ID="Channel:0:1" Color="-16776961"/>'
    )
    xml = ome_xml(
        order,
        inner=channels + "<TiffData/>",
        PhysicalSizeX="500",
        PhysicalSizeXUnit="nm",
        PhysicalSizeY="0.25",
    )
    tifffile.imwrite(
        path, values.reshape(-1, 21, 32), description=xml, metadata=None, photometric="minisblack"
    )
    with open_source(path) as source:
        scene = source.scenes[0]
        assert dict(scene.axes) == {"T": 3, "Z": 4}
        assert scene.channels == (Channel("DAPI", (0, 0, 255)), Channel(None, (255, 0, 0)))
        assert scene.pixel_um == (0.5, 0.25)
        assert scene.name == "field"
    upright = values.transpose(*(stored.index(axis) for axis in "TZC"), 3, 4)
    assert np.array_equal(frames(path), upright.reshape(12, 2, 21, 32))
    theirs = tifffile.imread(path)
    assert np.array_equal(theirs, values)  # tifffile reads the same planes in the file's own order


def test_ome_planes_that_are_listed_one_by_one_may_lie_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    where = np.random.default_rng(0).permutation(24)
    listed = "".join(
        f'<TiffData FirstT="{t}" FirstZ="{z}" FirstC="{c}" IFD="{where[t * 8 + z * 2 + c]}" PlaneCount="1"/>'
        for t in range(3)
        for z in range(4)
        for c in range(2)
    )
    values = numbered((24, 21, 32))
    xml = ome_xml("XYCZT", inner=listed)
    tifffile.imwrite(
        path, values, description=xml, metadata=None, photometric="minisblack", compression="zlib"
    )
    assert np.array_equal(frames(path), values[where].reshape(12, 2, 21, 32))
    numbers = new_frame_numbers(path)
    assert numbers is not None
    assert all(numbers[where[plane]] == plane // 2 for plane in range(24))


def test_several_ome_images_follow_each_other_and_label_and_macro_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for number, name in enumerate(["left", "right", "Label Image", "macro image"]):
            values = numbered((2, 3, 21, 32 + number)) + np.uint16(100 * number)
            file.write(values, photometric="minisblack", metadata={"axes": "TCYX", "Name": name})
    assert count_frames(path) == 4
    with open_source(path) as source:
        assert [scene.name for scene in source.scenes] == ["left", "right"]
        assert [scene.size for scene in source.scenes] == [(32, 21), (33, 21)]
    with opened(path, 3, 100.0) as image:
        expected = numbered((2, 3, 21, 33))[1] + np.uint16(100)
        assert np.array_equal(np.moveaxis(image.planes().values, 2, 0), expected)
    with pytest.raises(DecodeError, match="has no frame 4"), opened(path, 4, 100.0):
        pass


def test_ome_levels_hang_on_their_pages(tmp_path: Path) -> None:
    path, values = tmp_path / "a.ome.tif", numbered((2, 3, 256, 384))
    with tifffile.TiffWriter(path, ome=True) as file:
        options: dict[str, Any] = {"photometric": "minisblack", "tile": (64, 64)}
        file.write(values, subifds=2, metadata={"axes": "TCYX"}, **options)
        for step in (2, 4):
            file.write(values[:, :, ::step, ::step], subfiletype=1, **options)
    assert count_frames(path) == 2
    with opened(path, 1, 100.0) as image:
        assert image.scene.levels == ((384, 256), (192, 128), (96, 64))
        for level, step in enumerate((1, 2, 4)):
            found = image.planes(level).values
            assert np.array_equal(np.moveaxis(found, 2, 0), values[1, :, ::step, ::step])


def test_ome_samples_with_a_sign_and_in_colour_keep_their_values(tmp_path: Path) -> None:
    small = numbered((3, 2, 21, 32), "int8") - np.int8(60)
    tifffile.imwrite(tmp_path / "a.ome.tif", small, photometric="minisblack", metadata={"axes": "ZCYX"})
    assert np.array_equal(frames(tmp_path / "a.ome.tif"), small)
    colour = np.random.default_rng(0).integers(0, 255, (4, 21, 32, 3), np.uint8)
    tifffile.imwrite(tmp_path / "b.ome.tif", colour, photometric="rgb", metadata={"axes": "TYXS"})
    with open_source(tmp_path / "b.ome.tif") as source:
        assert (source.scenes[0].colour, source.frames) == ("rgb", 4)
    assert np.array_equal(np.moveaxis(frames(tmp_path / "b.ome.tif"), 1, 3), colour)


BROKEN = {
    "no XML": "<OME><Image",
    "entities": '<!DOCTYPE x [<!ENTITY a "b">]><OME/>',
    "another size": ome_xml("XYCZT", size=(77, 21)),
    "far too many": ome_xml("XYCZT").replace('SizeT="3"', 'SizeT="2000000000"'),
    "other files": ome_xml(
        "XYCZT",
        inner='<TiffData><UUID FileName="b.tif">urn:uuid:b</UUID></TiffData>'
        '<TiffData FirstC="1"><UUID FileName="c.tif">urn:uuid:c</UUID></TiffData>',
    ),
    "elsewhere": '<OME><BinaryOnly MetadataFile="x.companion.ome" UUID="u"/></OME>',
}


@pytest.mark.parametrize("xml", BROKEN.values(), ids=BROKEN.keys())
def test_where_ome_xml_cannot_be_right_each_page_is_an_image(tmp_path: Path, xml: str) -> None:
    path, values = tmp_path / "a.ome.tif", numbered((24, 21, 32))
    xml = xml if xml.endswith("OME>") else xml + "</OME>" if "DOCTYPE" in xml else xml
    tifffile.imwrite(path, values, description=xml, metadata=None, photometric="minisblack")
    assert np.array_equal(frames(path)[:, 0], values)
    assert new_frame_numbers(path) is None


def test_of_an_ome_image_spread_over_files_each_file_has_its_own_planes(tmp_path: Path) -> None:
    path, values = tmp_path / "a.ome.tif", numbered((8, 21, 32))
    listed = "".join(
        f'<TiffData FirstT="{t}" FirstZ="{z}" FirstC="{c}" IFD="{z * 2 + c}" PlaneCount="1">'
        f'<UUID FileName="{"a" if t == 1 else "b"}.ome.tif">urn:uuid:{"own" if t == 1 else t}</UUID></TiffData>'
        for t in range(3)
        for z in range(4)
        for c in range(2)
    )
    xml = ome_xml("XYCZT", inner=listed)
    tifffile.imwrite(path, values, description=xml, metadata=None, photometric="minisblack")
    assert np.array_equal(frames(path), values.reshape(4, 2, 21, 32))


def test_a_file_with_one_of_the_channels_has_its_name(tmp_path: Path) -> None:
    path, values = tmp_path / "a.ome.tif", numbered((12, 21, 32))
    listed = "".join(
        f'<Channel ID="Channel:0:{c}" Name="{name}"/>' for c, name in enumerate(["DAPI", "GFP"])
    ) + "".join(
        f'<TiffData FirstC="{c}" PlaneCount="12"><UUID FileName="{name}">urn:uuid:{name}</UUID></TiffData>'
        for c, name in enumerate(["b.ome.tif", "a.ome.tif"])
    )
    xml = ome_xml("XYZTC", inner=listed)
    tifffile.imwrite(path, values, description=xml, metadata=None, photometric="minisblack")
    with open_source(path) as source:
        assert source.scenes[0].channels == (Channel("GFP"),)
    assert np.array_equal(frames(path)[:, 0], values)


def test_a_calibrated_picture_of_metamorph_tells_the_size_of_its_pixels(tmp_path: Path) -> None:
    props = {
        "spatial-calibration-x": "0.5",
        "spatial-calibration-y": "0.25",
        "spatial-calibration-units": "um",
    }
    said = "".join(f'<prop id="{name}" type="string" value="{value}"/>' for name, value in props.items())
    tifffile.imwrite(
        tmp_path / "a.tif",
        numbered((21, 32)),
        software="MetaSeries",
        description=f"<MetaData><PlaneInfo>{said}</PlaneInfo></MetaData>",
        metadata=None,
    )
    with open_source(tmp_path / "a.tif") as source:
        assert source.scenes[0].pixel_um == (0.5, 0.25)


def test_a_recording_that_ended_early_names_the_images_it_lacks(tmp_path: Path) -> None:
    path, values = tmp_path / "a.ome.tif", numbered((11, 21, 32))
    xml = ome_xml("XYCZT", inner="<TiffData/>")
    tifffile.imwrite(path, values, description=xml, metadata=None, photometric="minisblack")
    assert count_frames(path) == 8  # two times of four depths
    with opened(path, 4, 100.0) as image:
        assert np.array_equal(np.moveaxis(image.planes().values, 2, 0), values[8:10])
    with pytest.raises(DecodeError, match="lacks this image"), opened(path, 5, 100.0) as image:
        image.planes()


def test_an_imagej_stack_tells_colours_and_the_size_of_its_pixels(tmp_path: Path) -> None:
    path, values = tmp_path / "a.tif", numbered((3, 2, 21, 32))
    ramp = np.arange(256, dtype=np.uint8)
    tables = [np.stack([ramp * on for on in colour]) for colour in ([1, 0, 1], [0, 1, 0])]
    tifffile.imwrite(
        path,
        values,
        imagej=True,
        resolution=(2.0, 4.0),
        metadata={"axes": "ZCYX", "unit": "um", "LUTs": tables, "mode": "composite"},
    )
    with open_source(path) as source:
        assert source.scenes[0].pixel_um == (0.5, 0.25)
        assert [one.colour for one in source.scenes[0].channels] == [(255, 0, 255), (0, 255, 0)]
    assert np.array_equal(frames(path), values)


@pytest.mark.parametrize(
    ("unit", "per_cm", "found"), [("CENTIMETER", 20_000, (0.5, 0.5)), ("INCH", 300, None)]
)
def test_the_size_of_pixels_is_not_taken_from_dots_for_a_printer(
    tmp_path: Path, unit: str, per_cm: int, found: tuple[float, float] | None
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, numbered((21, 32)), resolution=(per_cm, per_cm), resolutionunit=unit, metadata=None
    )
    with open_source(path) as source:
        assert source.scenes[0].pixel_um == found


def raw_page(tags: dict[int, tuple[int, int, int]], before: bytes) -> bytes:
    """A TIFF of one page: type, count and value of each tag, and what lies before the page."""
    entries = b"".join(struct.pack("<HHII", tag, *value) for tag, value in sorted(tags.items()))
    head = b"II*\0" + struct.pack("<I", 8 + len(before))
    return head + before + struct.pack("<H", len(tags)) + entries + b"\0\0\0\0"


@pytest.mark.parametrize(("distance", "axis"), [(1, "Z"), (0, "T")])
def test_metamorph_planes_lie_behind_one_page(tmp_path: Path, distance: int, axis: str) -> None:
    path, values = tmp_path / "a.stk", numbered((5, 20, 32))
    planes, strip = values.tobytes(), values[0].nbytes
    spacing = struct.pack("<2I", 1, 2) * 5
    each = b"".join(struct.pack("<6I", distance, 2, 2451545, 10 * at, 2451545, 0) for at in range(5))
    tags = {256: (4, 1, 32), 257: (4, 1, 20), 258: (3, 1, 16), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
    tags |= {273: (4, 1, 8), 278: (4, 1, 20), 279: (4, 1, strip)}
    tags |= {33628: (5, 5, 8 + len(planes)), 33629: (5, 5, 8 + len(planes) + len(spacing))}
    path.write_bytes(raw_page(tags, planes + spacing + each))
    with open_source(path) as source:
        assert dict(source.scenes[0].axes) == {axis: 5}
    assert np.array_equal(frames(path)[:, 0], values)
    assert count_frames(path, numbering=1) == 1


def test_micromanager_pages_say_which_plane_they_are(tmp_path: Path) -> None:
    path, values = tmp_path / "a_NDTiffStack.tif", numbered((2, 2, 3, 21, 32))
    with tifffile.TiffWriter(path) as file:
        for t in (1, 0):  # not in order
            for c, name in enumerate(["DAPI", "GFP"]):
                for z in range(3):
                    said = json.dumps({"Axes": {"time": t, "channel": name, "z": z}}).encode()
                    file.write(
                        values[t, c, z],
                        contiguous=False,
                        metadata=None,
                        extratags=[(51123, 2, len(said), said, True)],
                    )
    with open_source(path) as source:
        assert dict(source.scenes[0].axes) == {"T": 2, "Z": 3}
        assert [one.name for one in source.scenes[0].channels] == ["DAPI", "GFP"]
    assert np.array_equal(frames(path), np.moveaxis(values, 1, 2).reshape(6, 2, 21, 32))


def write_slide(path: Path, pages: list[dict[str, Any]]) -> None:
    """Pages of one colour each, in tiles or not; the colour tells them apart."""
    with tifffile.TiffWriter(path) as file:
        for number, page in enumerate(pages):
            width, height = page.pop("size")
            values = np.full((height, width, 3), number * 10, np.uint8)
            tile = (64, 64) if page.pop("tiled", True) else None
            shown = values[..., 0] if page.get("photometric") == "minisblack" else values
            file.write(shown, **{"tile": tile, "metadata": None, "photometric": "rgb"} | page)


APERIO = "Aperio Image Library v1\n512x512 |AppMag = 20|MPP = 0.5|Left = 1"
SLIDES: dict[str, list[dict[str, Any]]] = {
    "a.svs": [
        {"size": (512, 512), "description": APERIO},
        {"size": (100, 100), "tiled": False, "description": "Aperio thumbnail"},
        {"size": (256, 256)},
        {"size": (128, 128)},
        {"size": (60, 50), "tiled": False, "subfiletype": 1},
        {"size": (90, 40), "tiled": False, "subfiletype": 9},
    ],
    "b.tif": [
        {"size": (512, 512)},
        {"size": (256, 256)},
        {"size": (128, 128)},
        {"size": (60, 50), "tiled": False},
    ],
    "c.bif": [
        {"size": (60, 50), "tiled": False, "description": "Label Image", "extratags": [(700, 1, 1, 0, True)]},
        {"size": (512, 512), "description": "level=0 mag=20 quality=90"},
        {"size": (256, 256), "description": "level=1 mag=10 quality=90"},
        {"size": (128, 128), "description": "level=2 mag=5 quality=90"},
    ],
    "d.tif": [
        {"size": (512, 512), "software": "Philips DP v1.0", "description": "<DataObject>\n</DataObject>"},
        {"size": (256, 256)},
        {"size": (128, 128)},
        {"size": (60, 50), "tiled": False, "description": "Macro"},
        {"size": (60, 50), "tiled": False, "description": "Label"},
    ],
}


@pytest.mark.parametrize("name", SLIDES)
def test_a_slide_is_one_image_without_its_label_and_macro(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_slide(path, [dict(page) for page in SLIDES[name]])
    assert count_frames(path) == 1
    with opened(path, 0, 100.0) as image:
        assert image.scene.levels == ((512, 512), (256, 256), (128, 128))
        shown = [int(image.planes(level).values[0, 0, 0]) for level in range(3)]
    sizes = [page["size"] for page in SLIDES[name]]
    assert shown == [10 * sizes.index(size) for size in ((512, 512), (256, 256), (128, 128))]
    if name == "a.svs":
        with open_source(path) as source:
            assert source.scenes[0].pixel_um == (0.5, 0.5)
        assert count_frames(path, numbering=1) == 1


def test_what_fills_the_copies_of_a_philips_slide_up_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    first = {"software": "Philips DP v1.0", "description": "<DataObject>\n</DataObject>"}
    write_slide(path, [{"size": (640, 448), **first}, {"size": (320, 256)}, {"size": (192, 128)}])
    with opened(path, 0, 100.0) as image:
        assert image.scene.levels == ((640, 448), (320, 224), (160, 112))
        assert [image.planes(level).values.shape[:2] for level in range(3)] == [
            (448, 640),
            (224, 320),
            (112, 160),
        ]


def test_channels_of_a_qptiff_are_pages(tmp_path: Path) -> None:
    def said(kind: str, name: str = "", colour: str = "") -> str:
        more = f"<Name>{name}</Name><Color>{colour}</Color>" if name else ""
        top = "PerkinElmer-QPI-ImageDescription"
        return f"<{top}><ImageType>{kind}</ImageType>{more}</{top}>"

    path = tmp_path / "a.qptiff"
    grey = {"photometric": "minisblack", "software": "PerkinElmer-QPI"}
    names = {"DAPI": "0,0,255", "CD8": "255,0,0"}
    full = [
        {"size": (512, 512), "description": said("FullResolution", *one), **grey} for one in names.items()
    ]
    small = [{"size": (256, 256), "description": said("ReducedResolution"), **grey} for _ in names]
    thumbnail = {"size": (100, 90), "tiled": False, "description": said("Thumbnail")}
    write_slide(
        path, [*full, thumbnail, *small, {"size": (60, 50), "tiled": False, "description": said("Label")}]
    )
    assert count_frames(path) == 1
    assert new_frame_numbers(path) == [0, 0, -1, -1, -1, -1]
    with opened(path, 0, 100.0) as image:
        assert image.scene.channels == (Channel("DAPI", (0, 0, 255)), Channel("CD8", (255, 0, 0)))
        assert image.planes(0).values[0, 0].tolist() == [0, 10]
        assert image.planes(1).values[0, 0].tolist() == [30, 40]


def test_a_leica_slide_has_fields_of_view_and_a_picture_of_the_glass(tmp_path: Path) -> None:
    def image(name: str, size: int, pages: list[int]) -> str:
        levels = "".join(
            f'<dimension sizeX="{512 >> at}" sizeY="{512 >> at}" r="{at}" ifd="{page}"/>'
            for at, page in enumerate(pages)
        )
        return (
            f'<image name="{name}"><pixels sizeX="512" sizeY="512">{levels}</pixels>'
            f'<view sizeX="{size}" sizeY="{size}"/></image>'
        )

    path = tmp_path / "a.scn"
    xml = (
        '<?xml version="1.0"?><scn><collection sizeX="9000000" sizeY="9000000">'
        f"{image('macro', 9_000_000, [0])}{image('field', 256_000, [1, 2])}</collection></scn>"
    )
    write_slide(path, [{"size": (512, 512), "description": xml}, {"size": (512, 512)}, {"size": (256, 256)}])
    assert count_frames(path) == 1
    with opened(path, 0, 100.0) as image_:
        assert (image_.scene.name, image_.scene.levels) == ("field", ((512, 512), (256, 256)))
        assert image_.scene.pixel_um == (0.5, 0.5)
        assert image_.planes().values[0, 0, 0] == 10


def test_other_content_of_a_page_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, numbered((21, 32)), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["Compression"].overwrite(34661)
    with pytest.raises(DecodeError, match=r"a\.tif is a TIFF with JBIG strips, which cannot be read"):
        frames(path)


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_between_the_planes_of_an_lsm_lie_small_copies(tmp_path: Path, compression: str | None) -> None:
    path, values = tmp_path / "a.lsm", numbered((2, 3, 3, 24, 32))
    said = np.zeros(1, np.dtype(tifffile.TIFF.CZ_LSMINFO).newbyteorder("<"))
    sizes = {"X": 32, "Y": 24, "Z": 3, "Channels": 3, "Time": 2}
    for name, size in sizes.items():
        said[f"Dimension{name}"] = size
    said["MagicNumber"], said["StructureSize"], said["ScanType"] = 0x400494C, said.nbytes, 6
    said["VoxelSizeX"], said["VoxelSizeY"] = 0.5e-6, 0.25e-6
    with tifffile.TiffWriter(path) as file:
        for number, plane in enumerate(values.reshape(6, 3, 24, 32)):
            tag = (34412, 1, said.nbytes, said.tobytes(), True)
            options = {"photometric": "minisblack", "planarconfig": "separate", "metadata": None}
            file.write(
                plane, compression=compression, extratags=[] if number else [tag], rowsperstrip=24, **options
            )
            file.write(np.zeros((3, 6, 8), np.uint8), subfiletype=1, **options)
    with open_source(path) as source:
        assert dict(source.scenes[0].axes) == {"T": 2, "Z": 3}
        assert source.scenes[0].pixel_um == (0.5, 0.25)
    assert np.array_equal(frames(path), values.reshape(6, 3, 24, 32))
    assert count_frames(path, numbering=1) == 11  # so it was: copies between the planes counted
    assert new_frame_numbers(path) == [0, -1, 1, -1, 2, -1, 3, -1, 4, -1, 5]


def test_a_fluoview_file_names_its_axes(tmp_path: Path) -> None:
    path, values = tmp_path / "a.tif", numbered((2, 3, 24, 32))
    said = np.zeros(1, np.dtype(tifffile.TIFF.MM_HEADER).newbyteorder("<"))
    for number, (name, size, step) in enumerate(
        [("x", 32, 0.5), ("y", 24, 0.25), ("Ch", 3, 1.0), ("T", 2, 1.0)]
    ):
        said["Dimensions"][0][number] = (name.encode(), size, 0.0, step, b"um")
    tags = [(34361, 1, said.nbytes, said.tobytes(), True), (34362, 12, 8, (0.0,) * 8, True)]
    tifffile.imwrite(path, values.reshape(6, 24, 32), metadata=None, photometric="minisblack", extratags=tags)
    with open_source(path) as source:
        assert dict(source.scenes[0].axes) == {"T": 2}
        assert source.scenes[0].pixel_um == (0.5, 0.25)
    assert np.array_equal(frames(path), values)


def test_micromanager_files_have_an_index_at_their_start(tmp_path: Path) -> None:
    path, values = tmp_path / "a_MMStack.ome.tif", numbered((2, 2, 3, 20, 32))  # times, depths, channels
    summary = json.dumps({"ChNames": ["a", "b", "c"], "ChColors": [255, 65280, -65536], "PixelSize_um": 0.5})
    size = values[0, 0, 0].nbytes
    tags = {256: (4, 1, 32), 257: (4, 1, 20), 258: (3, 1, 16), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
    tags |= {278: (4, 1, 20), 279: (4, 1, size), 51123: (2, 8, 40 + len(summary))}
    start, page = 48 + len(summary), 2 + 12 * (len(tags) + 1) + 4
    blocks, rows = b"", b""
    for number, plane in enumerate(values.reshape(12, 20, 32)):
        place = start + number * (page + size)
        entries = tags | {273: (4, 1, place + page)}
        blocks += struct.pack("<H", len(entries))
        blocks += b"".join(struct.pack("<HHII", tag, *value) for tag, value in sorted(entries.items()))
        blocks += struct.pack("<I", place + page + size if number < 11 else 0) + plane.tobytes()
        rows += struct.pack("<5I", number % 3, number // 3 % 2, number // 6, 0, place)
    index = struct.pack("<4I", 54773648, start + len(blocks), 0, 0) + struct.pack("<2I", 0, 0)
    head = b"II*\0" + struct.pack("<I", start) + index + struct.pack("<2I", 2355492, len(summary))
    listed = struct.pack("<2I", 3453623, 12) + rows
    path.write_bytes(head + summary.encode() + b'{"a":1}\0' + blocks + listed)
    with open_source(path) as source:
        assert dict(source.scenes[0].axes) == {"T": 2, "Z": 2}
        assert [one.name for one in source.scenes[0].channels] == ["a", "b", "c"]
        assert [one.colour for one in source.scenes[0].channels] == [(0, 0, 255), (0, 255, 0), (255, 0, 0)]
        assert source.scenes[0].pixel_um == (0.5, 0.5)
    assert np.array_equal(frames(path), values.reshape(4, 3, 20, 32))


VOLUMES = [
    {"compression": "zlib", "rowsperstrip": 10},
    {"tile": (16, 16)},
    {"tile": (2, 16, 16), "compression": "zlib"},
    {},
]


@pytest.mark.parametrize("stored", VOLUMES, ids=["strips", "tiles", "deep tiles", "rows"])
def test_each_plane_of_a_volume_in_one_page_is_an_image(tmp_path: Path, stored: dict[str, Any]) -> None:
    path, values = tmp_path / "a.tif", numbered((5, 24, 32))
    tifffile.imwrite(path, values, volumetric=True, photometric="minisblack", metadata=None, **stored)
    assert count_frames(path, numbering=1) == 1
    assert np.array_equal(frames(path)[:, 0], values)
    assert new_frame_numbers(path) is None
    with opened(path, 3, 100.0) as image:
        part = image.planes(region=Region(5, 7, 20, 11)).values
        assert np.array_equal(part[:, :, 0], values[3, 7:18, 5:25])


def test_planes_that_were_written_as_if_they_were_colours_are_images(tmp_path: Path) -> None:
    path, values = tmp_path / "a.tif", numbered((2, 3, 24, 32), "uint8")
    tifffile.imwrite(path, values, photometric="rgb", planarconfig="separate", metadata={"axes": "TZYX"})
    with open_source(path) as source:
        assert dict(source.scenes[0].axes) == {"T": 2, "Z": 3}
        assert (source.scenes[0].colour, len(source.scenes[0].channels)) == (None, 1)
    assert np.array_equal(frames(path)[:, 0], values.reshape(6, 24, 32))
    assert new_frame_numbers(path) == [0, 3]


def test_channels_of_a_scanimage_file_take_turns(tmp_path: Path) -> None:
    path, values = tmp_path / "a.tif", numbered((6, 24, 32), "int16")
    head = b"SI.hChannels.channelSave = [1;2]\nSI.hStackManager.framesPerSlice = 1\0"
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for plane in values:
            file.write(plane, contiguous=False, metadata=None, software="SI.LINE_FORMAT_VERSION = 1")
    # ScanImage keeps its settings between the header of the file and the first page.
    start = struct.pack("<IIII", 117637889, 3, len(head), 0)
    data, place = path.read_bytes(), 16
    path.write_bytes(moved(data, place, start + head))
    with open_source(path) as source:
        assert dict(source.scenes[0].axes) == {"Z": 3}
    assert np.array_equal(frames(path), values.reshape(3, 2, 24, 32))


def moved(data: bytes, place: int, between: bytes) -> bytes:
    """A BigTIFF with something put between its header and its pages, of which all places are moved."""
    shift = len(between)
    out = bytearray(data[:place] + between + data[place:])

    def shifted(at: int) -> int:
        value = struct.unpack_from("<Q", out, at)[0]
        struct.pack_into("<Q", out, at, value + shift)
        return int(value) + shift

    page = shifted(8)
    while True:
        tags = struct.unpack_from("<Q", out, page)[0]
        for at in range(page + 8, page + 8 + 20 * tags, 20):
            tag, kind, count = struct.unpack_from("<HHQ", out, at)
            size = {2: 1, 3: 2, 4: 4, 5: 8, 16: 8}[kind] * count
            if size > 8 or tag == 273:
                shifted(at + 12)
        if not struct.unpack_from("<Q", out, page + 8 + 20 * tags)[0]:
            return bytes(out)
        page = shifted(page + 8 + 20 * tags)


def test_an_unreadable_page_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(numbered((21, 32)), metadata=None)
        file.write(np.ones((21, 32), np.complex64), metadata=None)
        file.write(numbered((30, 40), "uint8"), metadata=None)
    with open_source(path) as source:
        assert source.frames == 3
        problems = [scene.problem for scene in source.scenes]
        assert problems[0] is None and problems[2] is None
        assert problems[1] == "a.tif is a TIFF with values of the kind complex64, which cannot be shown."
    with opened(path, 2, 100.0) as image:
        assert np.array_equal(image.planes().values[:, :, 0], numbered((30, 40), "uint8"))


ENCODED = {
    "jpeg": 7,
    "jpeg2k": 34712,
    "webp": 50001,
    "png": 34933,
    "jpegxl": 50002,
    "jpegxr": 34934,
    "lerc": 34887,
}


@pytest.mark.parametrize("codec", ENCODED)
def test_a_picture_inside_that_is_larger_than_its_page_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (96, 80, 3), np.uint8)
    data = getattr(imagecodecs, f"{codec}_encode")(pixels)
    path = tmp_path / "a.tif"

    def page_of(width: int, height: int) -> bytes:
        bits = 8 + len(data) + len(data) % 2
        tags = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 3, bits), 259: (3, 1, ENCODED[codec])}
        tags |= {262: (3, 1, 2), 273: (4, 1, 8), 277: (3, 1, 3), 278: (4, 1, height), 279: (4, 1, len(data))}
        return raw_page(tags, data + b"\0" * (len(data) % 2) + struct.pack("<4H", 8, 8, 8, 0))

    path.write_bytes(page_of(80, 96))
    assert frames(path).shape == (1, 3, 96, 80)
    path.write_bytes(page_of(20, 24))
    monkeypatch.setattr(tifffile.TiffPage, "decode", property(lambda page: pytest.fail))
    with pytest.raises(DecodeError, match="damaged"):
        frames(path)
