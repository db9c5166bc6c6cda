"""The list of images of the last visit comes back as it was, or not at all; never wrong, never an error."""

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from listing_support import extend, keys_of, listing_of, listing_of_files

from mia_tui import files, paths
from mia_tui.dataset import user_cache
from mia_tui.dataset.listing.cache import load_listing, save_listing
from mia_tui.dataset.model import ImageFile, ImageKey

NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name).map(os.fsdecode)


def cached() -> Path:
    [file] = (paths.user_cache() / "listing").iterdir()
    return file


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, st.tuples(st.integers(0, 2**62), st.integers(1, 2**62), st.integers(1, 3))))
def test_a_listing_comes_back_as_it_was_kept(tmp_path: Path, files: dict[str, tuple[int, int, int]]) -> None:
    listing = listing_of_files(
        [ImageFile(path, size, time) for path, (size, time, _) in files.items()],
        {path: frames for path, (_, _, frames) in files.items()},
    )
    save_listing(tmp_path, listing)
    again = load_listing(tmp_path)
    assert again is not None
    assert again.same_files(listing)
    assert keys_of(again) == keys_of(listing)
    assert again.folders_later()() == listing.folders_later()()
    assert again.rows(keys_of(listing)).tolist() == list(range(len(listing)))


def test_what_comes_back_can_be_extended(tmp_path: Path) -> None:
    save_listing(tmp_path, listing_of("a/1.png", "a/2.png"))
    listing = load_listing(tmp_path)
    assert listing is not None
    extend(listing, ["a/3.png", "b/4.png"])
    assert listing.row(ImageKey("b/4.png")) == 3
    assert listing.in_folder("a").tolist() == [True, True, True, False]


def test_a_dataset_never_visited_has_no_listing(tmp_path: Path) -> None:
    assert load_listing(tmp_path) is None


def test_two_datasets_do_not_share_a_listing(tmp_path: Path) -> None:
    save_listing(tmp_path / "one", listing_of("1.png"))
    save_listing(tmp_path / "two", listing_of("2.png"))
    one = load_listing(tmp_path / "one")
    assert one is not None
    assert one.path(0) == "1.png"


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[:-1],
    "cut in the head": lambda content: content[:25],
    "longer": lambda content: content + b"x",
    "empty": lambda content: b"",
    "another program's": lambda content: b"PK\x03\x04" + content,
    "of another version": lambda content: content.replace(b"listing 2", b"listing 9"),
    "head is no JSON": lambda content: content.replace(b'{"images"', b'["images"'),
    "another count": lambda content: content.replace(b'"images":2', b'"images":3'),
    "arrays of other lengths": lambda content: content.replace(b'"ends":2', b'"ends":9'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_counts_as_none(tmp_path: Path, damage: str) -> None:
    save_listing(tmp_path, listing_of("a.png", "b.png"))
    file = cached()
    before = file.read_bytes()
    file.write_bytes(DAMAGES[damage](before))
    assert file.read_bytes() != before
    assert load_listing(tmp_path) is None


def test_any_changed_byte_is_noticed(tmp_path: Path) -> None:
    listing = listing_of("a.png", "b/c.tif", frames={"b/c.tif": 3})
    save_listing(tmp_path, listing)
    file = cached()
    content = file.read_bytes()
    for at in range(len(content)):
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        again = load_listing(tmp_path)
        assert again is None or again.same_files(listing)


@pytest.mark.parametrize("body", [b"{}\n", b"[1\n", b'{"images":1,"lengths":{"names":99}}\n', b"\n"])
def test_a_whole_file_of_another_version_counts_as_none(tmp_path: Path, body: bytes) -> None:
    save_listing(tmp_path, listing_of("a.png"))
    cached().write_bytes(b"mia-tui listing 2 %08x\n" % zlib.crc32(body) + body)
    assert load_listing(tmp_path) is None


@pytest.mark.parametrize("damage", ["folder", "in the way", "no home"])
def test_where_nothing_can_be_kept_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    if damage == "folder":
        save_listing(tmp_path, listing_of("a.png"))
        file = cached()
        file.unlink()
        file.mkdir()
    elif damage == "in the way":
        (paths.user_cache() / "listing").write_bytes(b"")
    else:
        monkeypatch.setattr(
            user_cache, "user_cache", lambda: (_ for _ in ()).throw(PermissionError(13, "no"))
        )
    save_listing(tmp_path, listing_of("a.png"))
    assert load_listing(tmp_path) is None


def test_a_write_that_fails_leaves_what_was_kept_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_listing(tmp_path, listing_of("a.png"))

    make = files._create

    def full(*of: Any) -> int:
        descriptor, nothing_fits = make(*of), os.open("/dev/full", os.O_WRONLY)
        os.dup2(nothing_fits, descriptor)
        os.close(nothing_fits)
        return descriptor

    with monkeypatch.context() as full_disk:
        full_disk.setattr(files, "_create", full)
        save_listing(tmp_path, listing_of("b.png"))
    listing = load_listing(tmp_path)
    assert listing is not None
    assert listing.path(0) == "a.png"
    assert cached()  # and nothing else is left in the folder
