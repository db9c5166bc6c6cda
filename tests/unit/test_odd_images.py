"""What has the ending of an image and is none is named: never waited for, never handed on."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from labels_support import draw

from mia_tui.dataset.hashes import file_hash
from mia_tui.dataset.images.decode import decode, decode_fitted
from mia_tui.dataset.images.facts import read_facts
from mia_tui.dataset.images.reading import count_frames
from mia_tui.dataset.interchange.folders_export import write_class_folders
from mia_tui.dataset.interchange.formats import Transfer
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import scan
from mia_tui.errors import DecodeError, MiaError

READERS: tuple[Callable[[Path], object], ...] = (
    decode,
    count_frames,
    read_facts,
    file_hash,
    lambda path: decode_fitted(path, width=8, height=8),
)
ODD = {
    "pipe.png": "a named pipe",
    "device.png": "a device",
    "far-pipe.png": "a named pipe",
    "folder.png": "a folder",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cells"
    draw(folder, "a.png", "b.png")
    os.mkfifo(folder / "pipe.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "far-pipe.png").symlink_to(folder / "pipe.png")
    (folder / "folder.png").mkdir()
    (tmp_path / "private.txt").write_text("PRIVATE\n")
    (folder / "text.png").symlink_to(tmp_path / "private.txt")
    (folder / "same.png").symlink_to(folder / "a.png")
    return folder


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_named_and_not_waited_for(
    folder: Path, name: str, reader: Callable[[Path], object]
) -> None:
    with pytest.raises((DecodeError, OSError), match=ODD[name]):
        reader(folder / name)


def test_a_scan_names_them_and_goes_on(folder: Path) -> None:
    found = scan(folder)
    assert [key.path for key in found.keys] == ["a.png", "b.png", "same.png", "text.png"]
    assert sorted(problem.path for problem in found.problems) == ["device.png", "far-pipe.png", "pipe.png"]


@pytest.mark.parametrize("transfer", ["copy", "hardlink", "symlink"])
def test_an_export_hands_on_images_only(folder: Path, tmp_path: Path, transfer: Transfer) -> None:
    keys = [ImageKey(name) for name in ("a.png", "same.png", "text.png", *ODD)]
    out = tmp_path / "out"
    done = write_class_folders(out, folder, dict.fromkeys(keys, 0), ["x"], keys=keys, transfer=transfer)
    assert sorted(path.name for path in (out / "x").iterdir()) == ["a.png", "same.png"]
    assert len(done.skipped) == len(keys) - 2
    assert "text.png: it is not an image" in str(done)
    assert all(b"PRIVATE" not in path.read_bytes() for path in out.rglob("*.png"))


def test_an_export_replaces_nothing_that_waits_under_a_foreseen_name(folder: Path, tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir()
    (private / "key").write_text("PRIVATE\n")
    (tmp_path / ".out.partial").symlink_to(private)
    keys = [ImageKey("a.png")]
    write_class_folders(tmp_path / "out", folder, dict.fromkeys(keys, 0), ["x"], keys=keys)
    assert [path.name for path in private.iterdir()] == ["key"]


def test_labels_of_mia_are_not_written_through_a_planted_link(folder: Path, tmp_path: Path) -> None:
    from mia_tui.dataset.interchange.mia import LABEL_FOLDER, write_mia

    private = tmp_path / "private"
    private.mkdir()
    (folder / LABEL_FOLDER).symlink_to(private)
    with pytest.raises(MiaError, match="symbolic link"):
        write_mia(folder, scan(folder), {ImageKey("a.png"): 0}, ["x"])
    assert list(private.iterdir()) == []
