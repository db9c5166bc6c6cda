"""Decoded images in the user's cache folder: found again, never mistaken, and never more than there is room for."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from run_support import wait_for

import mia_tui.dataset.decoded.room as room_module
import mia_tui.dataset.decoded.segment_writer as writer_module
from mia_tui.dataset.decoded.images import DecodedImages
from mia_tui.dataset.decoded.layout import RECORD, all_decoded, describe_input
from mia_tui.dataset.decoded.room import decoded_use
from mia_tui.dataset.images.decode import NetworkInput
from mia_tui.dataset.images.intensity import AS_BEFORE, InputMap, ValueLimits
from mia_tui.dataset.model import FRAME_NUMBERING, ImageKey
from mia_tui.paths import user_cache, user_config_file

SHAPE = (4, 5, 3)
BYTES = 60


class Input(msgspec.Struct, frozen=True):
    """How a network wants its images."""

    width: int = 5
    height: int = 4
    color: bool = True
    geometry: Any = "squash"
    resize: Any = "cubic"
    max_megapixels: float = 100.0
    stack: Any = "middle"
    input_map: InputMap | None = AS_BEFORE
    pixel_size: float | None = None
    channel_count: int = 3


def make_files(root: Path, count: int) -> list[ImageKey]:
    """Images by name, whose files are old enough to be kept."""
    root.mkdir(exist_ok=True)
    keys = [ImageKey(f"{number}.png", 0) for number in range(count)]
    for number, key in enumerate(keys):
        write(root / key.path, b"x" * (number + 1))
    return keys


def write(path: Path, content: bytes, age_s: int = 100) -> None:
    path.write_bytes(content)
    os.utime(path, ns=(path.stat().st_mtime_ns - age_s * 10**9,) * 2)


def pixels_of(row: int) -> np.ndarray:
    return np.random.default_rng(row).integers(0, 256, SHAPE, dtype=np.uint8)


@contextmanager
def opened(root: Path, keys: list[ImageKey], wanted: NetworkInput | None = None) -> Iterator[DecodedImages]:
    decoded = DecodedImages.of_run(root, keys, wanted or Input(), BYTES, FRAME_NUMBERING)
    with closing(decoded):
        yield decoded


def fill(root: Path, keys: list[ImageKey], rows: list[int] | None = None, other_type: str = "") -> None:
    with opened(root, keys) as decoded:
        for row in range(len(keys)) if rows is None else rows:
            decoded.add(row, decoded.stamp(row), pixels_of(row), other_type)


def found(decoded: DecodedImages, keys: list[ImageKey]) -> list[int]:
    """Rows that are there; all of them must hold what was written."""
    rows = []
    for row in range(len(keys)):
        into = np.zeros(SHAPE, np.uint8)
        if decoded.read(row, into):
            assert np.array_equal(into, pixels_of(row))
            rows.append(row)
    return rows


def found_now(root: Path, keys: list[ImageKey], wanted: NetworkInput | None = None) -> list[int]:
    with opened(root, keys, wanted) as decoded:
        return found(decoded, keys)


def files(kind: str) -> list[Path]:
    return sorted(user_cache().glob(f"decoded/*/*/{kind}-*.bin"))


def test_what_one_run_decoded_the_next_one_reads(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    keys = make_files(root, 5)
    fill(root, keys, [0, 1, 3], other_type="uint16")
    with opened(root, keys) as decoded:
        assert found(decoded, keys) == [0, 1, 3]
        assert decoded.other_type(3) == "uint16"
        assert decoded.are_checked(np.array([0, 1, 3])) and not decoded.are_checked(np.array([1, 2]))
    fill(root, keys, [2, 4])
    assert found_now(root, keys) == [0, 1, 2, 3, 4]
    assert len(files("pixels")) == 1  # the second one went on where the first one ended


def test_only_this_user_can_read_them(tmp_path: Path) -> None:
    keys = make_files(tmp_path / "cells", 1)
    fill(tmp_path / "cells", keys)
    assert {path.stat().st_mode & 0o077 for path in (*files("pixels"), *files("images"))} == {0}


@pytest.mark.parametrize("change", ["size", "time", "young", "gone", "in place", "swapped"])
def test_an_image_whose_file_changed_is_decoded_anew(tmp_path: Path, change: str) -> None:
    root = tmp_path / "cells"
    keys = make_files(root, 3)
    fill(root, keys)
    if change == "size":
        write(root / "1.png", b"another content")
    elif change == "time":
        write(root / "1.png", b"xx", age_s=50)
    elif change == "young":
        (root / "1.png").write_bytes(b"xx")
    elif change == "in place":  # as many bytes, and the old time
        written = (root / "1.png").stat().st_mtime_ns
        wait_for_tick(root)
        (root / "1.png").write_bytes(b"yy")
        os.utime(root / "1.png", ns=(written, written))
    elif change == "swapped":  # by renaming
        written = (root / "1.png").stat().st_mtime_ns
        (root / "other.png").write_bytes(b"yy")
        os.utime(root / "other.png", ns=(written, written))
        wait_for_tick(root)
        (root / "other.png").rename(root / "1.png")
    else:
        (root / "1.png").unlink()
    assert found_now(root, keys) == [0, 2]
    fill(root, keys, [1])
    # A file that was written a moment ago may be written again within a tick of the disk's clock.
    assert found_now(root, keys) == ([0, 2] if change in ("young", "gone") else [0, 1, 2])


def wait_for_tick(folder: Path) -> None:
    """Wait until the disk's clock shows a later time than for all that was done so far."""
    clock = folder / "clock"
    clock.touch()
    before = clock.stat().st_ctime_ns
    wait_for(lambda: (clock.touch(), clock.stat().st_ctime_ns > before)[1])


def test_a_file_that_changes_while_it_is_decoded_is_not_kept(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    keys = make_files(root, 2)
    with opened(root, keys) as decoded:
        before = decoded.stamp(0)
        write(root / "0.png", b"changed")
        decoded.add(0, before, pixels_of(0), "")
    assert found_now(root, keys) == []


OTHER_INPUTS = [
    {"width": 6, "height": 3},
    {"geometry": "crop"},
    {"resize": "nearest"},
    {"color": False},
    {"stack": "max"},
    {"pixel_size": 0.5},
    {"max_megapixels": 1.0},
    {"input_map": InputMap(mode="type")},
    {"input_map": InputMap(mode="dataset", limits=[ValueLimits(dtype="uint16", low=[0], high=[900])])},
]


@pytest.mark.parametrize("other", OTHER_INPUTS)
def test_all_that_decides_the_pixels_is_told_apart(tmp_path: Path, other: dict[str, Any]) -> None:
    keys = make_files(tmp_path / "cells", 2)
    fill(tmp_path / "cells", keys)
    assert found_now(tmp_path / "cells", keys, Input(**other)) == []
    assert describe_input(Input(), 1) != describe_input(Input(), 2)


def test_another_version_of_a_reader_or_of_the_program_decodes_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = make_files(tmp_path / "cells", 2)
    fill(tmp_path / "cells", keys)
    monkeypatch.setattr("mia_tui.dataset.decoded.layout._decoders", lambda: {"pillow": "0.1"})
    assert found_now(tmp_path / "cells", keys) == []


@pytest.mark.parametrize(
    "damage", ["a bit", "pixels cut", "records cut", "records of nothing", "pixels gone"]
)
def test_torn_and_damaged_images_are_decoded_again_and_all_others_kept(tmp_path: Path, damage: str) -> None:
    root = tmp_path / "cells"
    keys = make_files(root, 3)
    fill(root, keys)
    (pixels,), (images,) = files("pixels"), files("images")
    content, records = pixels.read_bytes(), images.read_bytes()
    if damage == "a bit":
        pixels.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    elif damage == "pixels cut":
        pixels.write_bytes(content[:-1])
    elif damage == "records cut":
        images.write_bytes(records[:-1])
    elif damage == "records of nothing":
        images.write_bytes(records + b"\0" * (RECORD.itemsize + 3))
    else:
        pixels.unlink()
    left = {"records of nothing": [0, 1, 2], "pixels gone": []}.get(damage, [0, 1])
    assert found_now(root, keys) == left
    fill(root, keys)
    assert found_now(root, keys) == [0, 1, 2]


def test_pixels_at_the_place_of_another_image_are_not_taken_for_it(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    keys = make_files(root, 2)
    for key in keys:
        write(root / key.path, b"same")
    fill(root, keys)
    (pixels,) = files("pixels")
    content = pixels.read_bytes()
    pixels.write_bytes(content[BYTES:] + content[:BYTES])
    assert found_now(root, keys) == []


BEGIN = """
import sys
from pathlib import Path
from test_decoded_images import *
root, number = Path(sys.argv[1]), int(sys.argv[2])
keys = [ImageKey(f"{number}.png", 0) for number in range(8)]
"""
KILLED = """
import mia_tui.dataset.decoded.segment_writer as writer
write_at, calls = writer._write_at, []
def dying(file, content, offset):
    calls.append(offset)
    if len(calls) == 3 * number:
        write_at(file, content.reshape(-1).view(np.uint8)[:7].copy(), offset)
        os.kill(os.getpid(), signal.SIGKILL)
    write_at(file, content, offset)
writer._write_at, writer._TOGETHER = dying, 1  # pixels, record, pixels, …, however quickly images come
fill(root, keys)
"""


def in_a_process(code: str, root: Path, number: int) -> int:
    """Run code that knows the dataset, its eight images and a number; returns the exit status."""
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parent)])}
    command = [sys.executable, "-c", BEGIN + code, str(root), str(number)]
    return subprocess.run(command, env=environment, check=False).returncode


@pytest.mark.parametrize("calls", [1, 2])
def test_a_killed_process_leaves_whole_images_and_nothing_else(tmp_path: Path, calls: int) -> None:
    root = tmp_path / "cells"
    keys = make_files(root, 8)
    assert in_a_process(KILLED, root, calls) == -signal.SIGKILL
    assert found_now(root, keys) == list(range(calls))  # the third write is of pixels, the sixth of a record
    fill(root, keys)
    assert found_now(root, keys) == list(range(8))


def test_processes_that_write_at_once_have_files_of_their_own_and_all_read_all(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    keys = make_files(root, 8)
    with opened(root, keys) as decoded:
        for row in range(4):
            decoded.add(row, decoded.stamp(row), pixels_of(row), "")
        wait_for(lambda: files("images") != [] and files("images")[0].stat().st_size == 4 * RECORD.itemsize)
        assert in_a_process("fill(root, keys, [4, 5, 6, 7])", root, 0) == 0
        assert len(files("images")) == 2
        decoded.refresh()
        assert found(decoded, keys) == list(range(8))
    assert found_now(root, keys) == list(range(8))


def test_images_on_a_full_disk_are_removed_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "cells"
    keys = make_files(root, 4)
    calls: list[int] = []

    def full(file: int, content: np.ndarray, offset: int) -> None:
        calls.append(offset)
        if len(calls) > 4:
            raise OSError(28, "No space left on device")
        os.pwrite(file, content.reshape(-1).view(np.uint8).data, offset)

    monkeypatch.setattr(writer_module, "_write_at", full)
    monkeypatch.setattr(writer_module, "_TOGETHER", 1)
    with opened(root, keys) as decoded:
        for row in range(4):
            decoded.add(row, decoded.stamp(row), pixels_of(row), "")
        decoded._writer.close()
        assert decoded.problem is not None and decoded.problem.endswith("is full.")
        decoded.refresh()
        assert found(decoded, keys) == []
    assert files("pixels") == files("images") == []


def test_nothing_is_written_on_a_disk_with_little_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = make_files(tmp_path / "cells", 2)
    monkeypatch.setattr(writer_module, "free_bytes", lambda folder: 1_900_000_000)
    fill(tmp_path / "cells", keys)
    assert files("pixels") == []


def test_the_least_recently_used_goes_first_and_none_that_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "BYTES_PER_GB", 1)
    user_config_file().parent.mkdir(parents=True, exist_ok=True)
    user_config_file().write_text("decoded_gb = 3000")
    sets = [(tmp_path / name, make_files(tmp_path / name, 10)) for name in ("first", "second", "third")]
    for age, (root, keys) in zip((300, 200, 100), sets, strict=True):
        fill(root, keys)
        description = max(
            all_decoded(), key=lambda each: each.description_file.stat().st_mtime
        ).description_file
        os.utime(description, (description.stat().st_mtime - age,) * 2)
    assert decoded_use().datasets == 2  # 10 images are 600 bytes, their records 560, and a description each
    assert decoded_use().used <= 3000 + 1000
    (second, keys), (third, _) = sets[1], sets[2]
    with opened(second, keys) as decoded:
        assert len(found(decoded, keys)) == 10
        fourth = tmp_path / "fourth"
        fill(fourth, make_files(fourth, 10))
        assert len(found(decoded, keys)) == 10
    assert found_now(third, sets[2][1]) == []


def test_a_folder_full_of_images_that_a_run_does_not_have_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_module, "BYTES_PER_GB", 1)
    user_config_file().parent.mkdir(parents=True, exist_ok=True)
    user_config_file().write_text("decoded_gb = 2400")  # a description, and 13 images with their records
    root = tmp_path / "cells"
    keys = make_files(root, 12)
    fill(root, keys)
    assert len(found_now(root, keys)) == 12
    others = [ImageKey(f"other-{key.path}", 0) for key in keys]
    for other in others:
        write(root / other.path, b"y")
    with opened(root, keys):  # in use
        fill(root, others)
        assert len(found_now(root, keys)) == 12
    fill(root, others)
    assert found_now(root, others) == list(range(12))
    assert found_now(root, keys) == []


def test_no_room_for_all_images_keeps_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user_config_file().parent.mkdir(parents=True, exist_ok=True)
    user_config_file().write_text("decoded_gb = 0")
    keys = make_files(tmp_path / "cells", 2)
    with opened(tmp_path / "cells", keys) as decoded:
        assert not decoded.can_hold_all
    fill(tmp_path / "cells", keys)
    assert files("pixels") == []


def test_wrong_settings_of_the_app_end_no_run(tmp_path: Path) -> None:
    user_config_file().parent.mkdir(parents=True, exist_ok=True)
    user_config_file().write_text("decoded_gb = nonsense")
    keys = make_files(tmp_path / "cells", 2)
    fill(tmp_path / "cells", keys)
    assert found_now(tmp_path / "cells", keys) == [0, 1]
