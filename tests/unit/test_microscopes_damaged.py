"""Damaged files of microscopes: a sentence, in a process that goes on."""

import subprocess
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from microscope_files import (
    LeicaImage,
    pack_as_jpeg_xr,
    write_czi,
    write_lif,
    write_nd2,
    write_oib,
    write_oif,
)
from run_support import LONGEST_S, python

from mia_tui.dataset.images.reading import count_frames, open_source
from mia_tui.errors import DecodeError

MUTANTS = 60
SEED = 3

# Reads changed copies of each file in a process of its own, since a library might end it.
READ_MUTANTS = """
import random, resource, signal, sys
from pathlib import Path
from mia_tui.dataset.images.reading import open_source
from mia_tui.errors import DecodeError

resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
chance, read, refused = random.Random(int(sys.argv[1])), 0, 0
for name in sys.argv[3:]:
    path = Path(name)
    content = path.read_bytes()
    for number in range(int(sys.argv[2])):
        data = bytearray(content)
        at = chance.randrange(len(data))
        if number % 6 == 0:
            del data[at:]
        else:
            for _ in range(number % 3 + 1):
                data[chance.randrange(len(data))] = chance.choice((0, 1, 127, 255, chance.randrange(256)))
        path.write_bytes(data)
        signal.alarm(20)
        try:
            with open_source(path) as source:
                for scene in source.scenes:
                    if scene.size[0] * scene.size[1] > 1e6:
                        raise DecodeError("too large")
                for frame in range(min(source.frames, 3)):
                    source.plane(source.place(frame))
            read += 1
        except DecodeError:
            refused += 1
print(read, refused)
"""


@pytest.fixture
def files(tmp_path) -> list[Path]:
    for name in ("liffile", "nd2", "oiffile", "pylibCZIrw.czi"):
        pytest.importorskip(name, reason="needs mia-tui[microscopy]")
    values = np.random.default_rng(0).integers(0, 4096, (2, 2, 4, 6), dtype=np.uint16)
    planes = {f"C00{c + 1}Z00{z + 1}": values[z, c] for z in range(2) for c in range(2)}
    channels = [("DAPI", (0, 0, 255)), ("GFP", (0, 255, 0))]
    tiles = [({"C": c}, s, (9 * s, 0), values[s, c]) for c in range(2) for s in range(2)]
    return [
        write_czi(tmp_path / "a.czi", tiles),
        write_czi(tmp_path / "b.czi", tiles, compression="zstd1:ExplicitLevel=1"),
        write_nd2(tmp_path / "a.nd2", list(np.moveaxis(values, 1, 3)), [("Z", 2)], is_compressed=True),
        write_lif(tmp_path / "a.lif", LeicaImage("a", {"Z": 2, "Y": 4, "X": 6}, values[:, 0])),
        write_oib(tmp_path / "a.oib", planes, channels),
        write_oif(tmp_path / "b.oif", planes, channels),
    ]


def test_changed_bytes_end_in_a_sentence_and_not_the_program(files):
    command = python(READ_MUTANTS, SEED, MUTANTS, *files)
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    read, refused = map(int, done.stdout.split())
    assert read + refused == MUTANTS * len(files)
    assert min(read, refused) > MUTANTS


def changed(path: Path, place: int, number: int) -> Path:
    content = bytearray(path.read_bytes())
    content[place : place + 4] = number.to_bytes(4, "little")
    path.write_bytes(content)
    return path


def test_a_chain_of_sectors_in_an_oib_that_leads_back_to_itself_is_refused(files):
    path = files[4]
    content = path.read_bytes()
    table = int.from_bytes(content[76:80], "little")  # the sector with the table
    with pytest.raises(DecodeError, match="damaged"):
        count_frames(changed(path, 512 + 512 * table, 0))  # sector 0 is followed by itself


def test_a_tile_of_a_czi_that_claims_what_the_library_would_trust_is_refused(files):
    tile = files[0].read_bytes().index(b"ZISRAWSUBBLOCK") + 32
    with pytest.raises(DecodeError, match="damaged"):
        read_first(changed(files[0], tile + 12, 1 << 30))  # bytes of its pixels
    tile = files[1].read_bytes().index(b"ZISRAWSUBBLOCK") + 32
    with pytest.raises(DecodeError, match="damaged"):
        read_first(changed(files[1], tile + 16 + 28, 1 << 28))  # number of its axes


def test_a_czi_with_a_tile_a_million_pixels_away_is_refused_and_not_shown_black(files):
    pixels = np.zeros((8, 8), np.uint8)
    tiles = [({"C": 0}, 0, (0, 0), pixels), ({"C": 0}, 0, (1_000_000, 0), pixels)]
    with pytest.raises(DecodeError, match="damaged"):
        count_frames(write_czi(files[0].with_name("far.czi"), tiles))


def test_a_tile_of_a_czi_in_jpeg_xr_of_another_depth_than_the_file_says_is_refused(files):
    pixels = np.zeros((32, 48), np.uint8)
    path = files[0].with_name("scan.czi")
    pack_as_jpeg_xr(write_czi(path, [({"C": 0}, 0, (0, 0), pixels)]), imagecodecs.jpegxr_encode(pixels))
    read_first(path)
    depth = path.read_bytes().index(b"WMPHOTO") + 8
    with pytest.raises(DecodeError, match="damaged"):
        read_first(changed(path, depth, 0x09C00011))


def read_first(path: Path) -> None:
    with open_source(path) as source:
        source.plane(source.place(0))
