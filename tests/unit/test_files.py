"""Files of ours are made, replaced and opened without following what somebody else planted."""

import os
import stat
from pathlib import Path

import pytest

from mia_tui import files
from mia_tui.errors import RunError
from mia_tui.files import OddFile
from mia_tui.runs import disk


def test_no_folder_below_the_root_may_be_a_link_and_the_root_may(tmp_path: Path) -> None:
    (tmp_path / "real" / "in").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "real")
    root = tmp_path / "state"
    disk.write_atomically(root / "in" / "a", b"1", root=root)
    assert files.read(root / "in" / "a", root=root) == b"1"
    (root / "out").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match=r"state/out cannot be used: it is a symbolic link"):
        disk.write_atomically(root / "out" / "a", b"1", root=root)
    with pytest.raises(RunError, match="symbolic link"):
        disk.make_folder(root / "out" / "more", root=root, parents=True)
    with pytest.raises(OddFile, match="symbolic link"):
        files.remove(root / "out" / "a", root=root)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_link_is_replaced_and_a_pipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"PRIVATE")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    os.mkfifo(tmp_path / "pipe")
    disk.write_atomically(tmp_path / "link", b"ours")
    assert (tmp_path / "key").read_bytes() == b"PRIVATE"
    assert not (tmp_path / "link").is_symlink()
    with pytest.raises(RunError, match="it is a named pipe"):
        disk.write_atomically(tmp_path / "pipe", b"ours")


def test_what_is_changed_in_place_has_no_second_name(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"PRIVATE")
    (tmp_path / "log").hardlink_to(tmp_path / "key")
    with pytest.raises(OddFile, match="a second name by a hard link"):
        files.open_in_place(tmp_path / "log", append=True)


def test_names_on_the_way_cannot_be_foreseen_and_none_is_left(tmp_path: Path) -> None:
    seen = set()
    for _ in range(3):
        with disk.replacing(tmp_path / "a"):
            seen |= {path.name for path in tmp_path.iterdir()} - {"a"}
    assert len(seen) == 3 and [path.name for path in tmp_path.iterdir()] == ["a"]


def test_files_follow_the_mode_of_their_folder_and_private_ones_do_not(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o2770)
    disk.write_atomically(shared / "a", b"1")
    os.close(files.open_in_place(shared / "b"))
    os.close(files.open_in_place(shared / "c", mode=0o600))
    disk.make_folder(shared / "d")
    modes = [stat.S_IMODE((shared / name).stat().st_mode) for name in "abcd"]
    assert modes == [0o660, 0o660, 0o600, 0o2770]


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert files.read(tmp_path / "a", most_bytes=5) == b"12345"
    with pytest.raises(OddFile, match="larger than 4 bytes"):
        files.read(tmp_path / "a", most_bytes=4)
