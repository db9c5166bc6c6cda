"""How long the first plane of a file takes in a new process, beside the library that the reader is built on.

    pytest -m benchmark tests/benchmarks/test_image_files.py -s

Both processes import what they need, open the file, which lies in the page cache, and
read one plane of 4 megapixels (of OIB, 1).
Further figures: a pyramid of 900 megapixels at the size of a screen, and counting a thousand pages.
"""

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from microscope_files import LeicaImage, write_czi, write_lif, write_nd2, write_oib
from ome_zarr_support import write_image
from PIL import Image

pytestmark = pytest.mark.benchmark

ROUNDS = 5
SIDE = 2048
PYRAMID = 30_000

OURS = """
import sys, time
start = time.perf_counter()
from pathlib import Path
from mia_tui.dataset.images.reading import opened
with opened(Path(sys.argv[1]), 0, 120.0) as image:
    assert image.planes().values.size >= 1 << 20
print(time.perf_counter() - start)
"""
PEERS = {
    "png": "from PIL import Image; np.asarray(Image.open(path))",
    "jpg": "from PIL import Image; np.asarray(Image.open(path))",
    "tif": "import tifffile; tifffile.imread(path)",
    "ome.tif": "import tifffile; tifffile.imread(path, key=0)",
    "zarr": "import zarr; zarr.open_group(path, mode='r')['0'][0]",
    "czi": "from pylibCZIrw import czi\nwith czi.open_czi(path) as file: file.read()",
    "nd2": "import nd2\nwith nd2.ND2File(path) as file: file.read_frame(0)",
    "lif": "import liffile\nwith liffile.LifFile(path) as file: file.images[0].asarray()",
    "oib": "import oiffile\nwith oiffile.OifFile(path) as file: file.asarray()",
}
PEER = """
import sys, time
start = time.perf_counter()
import numpy as np
path = sys.argv[1]
{read}
print(time.perf_counter() - start)
"""


def seconds(code: str, *words: object) -> float:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[0])


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, shape, dtype=np.uint16)


def write(folder: Path) -> dict[str, Path]:
    """A file of each format with a plane of 4 megapixels."""
    plane = noise(SIDE, SIDE)
    eight = (plane >> 4).astype(np.uint8)
    path: Callable[[str], Path] = lambda suffix: folder / f"a.{suffix}"  # noqa: E731
    Image.fromarray(eight).save(path("png"))
    Image.fromarray(eight).save(path("jpg"))
    tifffile.imwrite(path("tif"), plane, tile=(256, 256), compression="zlib")
    tifffile.imwrite(path("ome.tif"), np.stack([plane, plane]), ome=True, metadata={"axes": "CYX"})
    write_image(path("zarr"), np.stack([plane, plane]))
    write_czi(path("czi"), [({}, 0, (0, 0), plane)])
    write_nd2(path("nd2"), [plane[:, :, None]])
    write_lif(path("lif"), LeicaImage("a", {"Y": SIDE, "X": SIDE}, plane))
    write_oib(path("oib"), {"C001": plane[:1024, :1024]}, [("DAPI", (0, 0, 255))])
    return {suffix: path(suffix) for suffix in PEERS if path(suffix).exists()}


def test_the_first_plane_of_any_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = []
    for suffix, path in write(tmp_path).items():
        pairs = [(seconds(OURS, path), seconds(PEER.format(read=PEERS[suffix]), path)) for _ in range(ROUNDS)]
        ours, peer = (statistics.median(column) for column in zip(*pairs, strict=True))
        lines.append(f"{suffix:>8}: {ours:.2f} s, its library {peer:.2f} s, ratio {ours / peer:.2f}")
    with capsys.disabled():
        print("\nfirst plane of 4 megapixels in a new process, median of 5:", *lines, sep="\n")


SHOWN = """
import resource, sys, time
start = time.perf_counter()
from pathlib import Path
from mia_tui.dataset.images.rendering import DisplaySettings, render_image
view = render_image(Path(sys.argv[1]), 0, (1200, 800), DisplaySettings(zoom=float(sys.argv[2])))
assert view.image_width == 30_000
print(time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def test_a_pyramid_of_900_megapixels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "slide.tif"
    tile = np.random.default_rng(0).integers(0, 255, (512, 512, 3), dtype=np.uint8)
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level in range(6):
            side = PYRAMID >> level
            count = (-(-side // 512)) ** 2
            options = {"subifds": 5} if level == 0 else {"subfiletype": 1}
            file.write(
                (tile for _ in range(count)),
                shape=(side, side, 3),
                dtype=np.uint8,
                tile=(512, 512),
                compression="jpeg",
                photometric="rgb",
                **options,
            )
    lines = []
    for zoom in (1.0, 30.0):
        done = [
            subprocess.run(
                [sys.executable, "-c", SHOWN, str(path), str(zoom)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            for _ in range(ROUNDS)
        ]
        shown = statistics.median(float(words[0]) for words in done)
        lines.append(
            f"zoom {zoom:.0f}: {shown:.2f} s, {max(float(words[1]) for words in done):.0f} MiB at most"
        )
    with capsys.disabled():
        print("\n30,000 x 30,000 pixels on 1200 x 800, in a new process:", *lines, sep="\n")


COUNTED = """
import sys, time
from pathlib import Path
from mia_tui.dataset.images.reading import count_frames
import mia_tui.dataset.images.readers.tiff.reader
start = time.perf_counter()
assert count_frames(Path(sys.argv[1])) == 1000
print(time.perf_counter() - start)
"""


def test_counting_a_thousand_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.zeros((1000, 32, 32), np.uint16)
    lines = []
    for name, options in {
        "plain": {"photometric": "minisblack", "metadata": None},
        "imagej": {"imagej": True, "metadata": {"axes": "TYX"}},
        "ome": {"ome": True, "metadata": {"axes": "TYX"}},
    }.items():
        path = tmp_path / f"{name}.tif"
        if options["metadata"] is None:
            with tifffile.TiffWriter(path) as file:
                for page in values:
                    file.write(page, contiguous=False, **options)
        else:
            tifffile.imwrite(path, values, **options)
        took = statistics.median(seconds(COUNTED, path) for _ in range(ROUNDS))
        lines.append(f"{name:>8}: {1000 * took:.1f} ms")
    with capsys.disabled():
        print("\n1,000 pages counted the first time:", *lines, sep="\n")
