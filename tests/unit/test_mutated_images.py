"""Changed copies of a file of each kind, through all that reads images: pixels or a sentence, soon and in 1 GB."""

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from microscope_files import LeicaImage, write_czi, write_lif, write_nd2, write_oib, write_oif
from mirax_support import write_mirax
from ome_zarr_support import write_image
from PIL import Image
from run_support import LONGEST_S, python
from stack_support import gif, imagej, ome, page, tiff

MUTANTS = 24

# A child for each file, since a library might end it; SIGPROF ends one that computes for 5 s.
READ_MUTANTS = """
import json, os, random, resource, signal, struct, sys, zlib
from pathlib import Path
from mia_tui.dataset.images.decode import decode_fitted
from mia_tui.dataset.images.facts import read_facts
from mia_tui.dataset.images.reading import count_frames, opened
from mia_tui.dataset.images.rendering import DisplaySettings, render_image
from mia_tui.dataset.images.source import Region
from mia_tui.errors import DecodeError

MUTANTS, WORDS = int(sys.argv[1]), (0, 1, 2, 255, 256, 32768, 65535, 1 << 24, 2**31 - 1, 2**31, 2**32 - 1)

def changed(content, chance):
    data = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 4))):
        at = chance.randrange(min(len(data), chance.choice((64, 512, len(data)))))
        way = chance.randrange(6)
        if way == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif way == 1 and at > 16:
            del data[at : chance.choice((at + 1, at + 9, len(data)))]
        elif way == 2:
            data[at:at] = data[at : at + chance.randrange(1, 99)]
        elif way == 3:
            data[at] = chance.choice(b"0129-.,e{}[]<>/")
        else:
            form = chance.choice(("<H", ">H", "<I", ">I"))
            value = chance.choice(WORDS) & (0xFFFF if form[1] == "H" else 0xFFFFFFFF)
            if at + 4 <= len(data):
                struct.pack_into(form, data, at, value)
    return with_checksums(data) if data[:4] == bytes((0x89,)) + b"PNG" else bytes(data)

def with_checksums(data):
    at = 8
    while at + 12 <= len(data) and at + 12 + (length := int.from_bytes(data[at : at + 4], "big")) <= len(data):
        end = at + 8 + length
        struct.pack_into(">I", data, end, zlib.crc32(bytes(data[at + 4 : end])))
        at = end + 4
    return bytes(data)

def use(path):
    frames = count_frames(path, animated="all")
    read_facts(path, frames - 1)
    decode_fitted(path, width=16, height=16)
    render_image(path, frames // 2, (40, 30), DisplaySettings(zoom=2.0))
    with opened(path, 0, 120.0) as image:
        width, height = image.scene.size
        region = Region(width // 2, height // 2, width - width // 2, height - height // 2)
        assert image.planes(0, region).values.shape[:2] == (region.height, region.width)

def read_all(path, parts, seed):
    chance, counts = random.Random(seed), [0, 0]
    for _ in range(MUTANTS):
        part = Path(chance.choice(parts))
        content = part.read_bytes()
        part.write_bytes(changed(content, chance))
        signal.setitimer(signal.ITIMER_PROF, 5)
        try:
            use(path)
            counts[0] += 1
        except DecodeError:
            counts[1] += 1
        part.write_bytes(content)
    return counts

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for seed, (path, parts) in enumerate(json.loads(sys.argv[2])):
    use(Path(path))
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            print(Path(path).name, *read_all(Path(path), parts, seed), flush=True)
        except BaseException as error:
            print(Path(path).name, repr(error), flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if status:
        print(Path(path).name, "ended by signal", os.WTERMSIG(status))
"""


def picture(channels: int, dtype: type) -> np.ndarray:
    most = np.iinfo(dtype).max
    down, across = np.mgrid[:36, :48]
    ramp = np.stack([np.roll(down + across, 5 * channel, 0) for channel in range(channels)], axis=2)
    return (ramp * (most // 84)).astype(dtype)


def saved(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture(3, np.uint8)).save(file, kind, **options)
    return file.getvalue()


def packed_tiff(**options: object) -> bytes:
    file = io.BytesIO()
    dtype = np.uint8 if options.get("compression") == "jpeg" else np.uint16
    tifffile.imwrite(file, picture(3, dtype), photometric="rgb", metadata=None, **options)
    return file.getvalue()


def common_files(folder: Path) -> list[Path]:
    pages, deep = [page(number) for number in range(6)], picture(3, np.uint16)
    contents = {
        "a.png": saved("PNG"),
        "deep.png": imagecodecs.png_encode(deep),
        "a.jpg": saved("JPEG"),
        "a.bmp": saved("BMP"),
        "a.webp": saved("WEBP"),
        "a.avif": imagecodecs.avif_encode(deep >> 6, bitspersample=10, level=90),
        "a.gif": gif(pages),
        "a.jp2": imagecodecs.jpeg2k_encode(deep, reversible=True, codecformat="jp2"),
        "a.ppm": b"P6\n48 36\n65535\n" + deep.astype(">u2").tobytes(),
        "pages.tif": tiff(pages),
        "stack.tif": tiff(pages, imagej(2, 3)),
        "a.ome.tif": tiff(pages, ome("XYCZT", c=2, t=3)),
        "tiles.tif": packed_tiff(compression="zlib", predictor=True, tile=(16, 16)),
        "lzw.tif": packed_tiff(compression="lzw", byteorder=">", bigtiff=True),
        "jpeg.tif": packed_tiff(compression="jpeg"),
        "j2k.tif": packed_tiff(compression="jpeg2000"),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    write_image(folder / "a.zarr", np.moveaxis(deep, 2, 0))
    write_image(folder / "b.zarr", np.moveaxis(deep, 2, 0), version=2)
    return [*(folder / name for name in contents), folder / "a.zarr", folder / "b.zarr"]


def microscope_files(folder: Path) -> list[Path]:
    for name in ("liffile", "nd2", "oiffile", "openslide", "pydicom", "pylibCZIrw.czi"):
        pytest.importorskip(name, reason="needs mia-tui[microscopy]")
    from pydicom.data import get_testdata_file

    values = np.random.default_rng(0).integers(0, 4096, (2, 2, 12, 16), dtype=np.uint16)
    planes = {f"C00{c + 1}Z00{z + 1}": values[z, c] for z in range(2) for c in range(2)}
    channels = [("DAPI", (0, 0, 255)), ("GFP", (0, 255, 0))]
    tiles = [({"C": c}, s, (20 * s, 0), values[s, c]) for c in range(2) for s in range(2)]
    dicom = folder / "a.dcm"
    dicom.write_bytes(Path(str(get_testdata_file("SC_rgb_rle_2frame.dcm"))).read_bytes())
    (folder / "slide").mkdir()
    return [
        write_czi(folder / "a.czi", tiles, compression="zstd1:ExplicitLevel=1"),
        write_nd2(folder / "a.nd2", list(np.moveaxis(values, 1, 3)), [("Z", 2)], is_compressed=True),
        write_lif(folder / "a.lif", LeicaImage("a", {"Z": 2, "Y": 12, "X": 16}, values[:, 0])),
        write_oib(folder / "a.oib", planes, channels),
        write_oif(folder / "a.oif", planes, channels),
        dicom,
        write_mirax(folder / "slide" / "a.mrxs", np.tile(picture(3, np.uint8)[:32], (2, 2, 1)) | 1, tile=16),
    ]


def parts_of(path: Path) -> list[str]:
    """The files of an image."""
    around = {".zarr": path, ".oif": path.with_name(f"{path.name}.files"), ".mrxs": path.with_suffix("")}
    folder = around.get(path.suffix)
    inside = [] if folder is None else sorted(one for one in folder.rglob("*") if one.is_file())
    return [*map(str, inside), *([] if path.is_dir() else [str(path)])]


@pytest.mark.parametrize("make", [common_files, microscope_files])
def test_changed_files_give_pixels_or_a_sentence(tmp_path: Path, make: Callable[[Path], list[Path]]) -> None:
    files = make(tmp_path)
    said = json.dumps([[str(path), parts_of(path)] for path in files])
    command = python(READ_MUTANTS, MUTANTS, said)
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    assert done.returncode == 0, done.stderr
    counts = {name: rest for name, *rest in map(str.split, done.stdout.splitlines())}
    assert counts.keys() == {path.name for path in files}
    for name, numbers in counts.items():
        assert all(map(str.isdecimal, numbers)), f"{name}: {' '.join(numbers)}"
        assert sum(map(int, numbers)) == MUTANTS
    assert sum(int(read) for read, _ in counts.values()) > MUTANTS
    assert sum(int(refused) for _, refused in counts.values()) > MUTANTS
