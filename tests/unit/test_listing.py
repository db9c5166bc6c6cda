"""A list of images finds each by row and by key, whatever the files are called, and stays small."""

import os
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listing_support import extend, keys_of, listing_of, listing_of_files

from mia_tui.dataset.listing import path_table
from mia_tui.dataset.listing.arrays import arrays_of, encode_paths
from mia_tui.dataset.listing.folders import Folder
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageFile, ImageKey

HOSTILE = [
    "a\nb.png",
    "a\n",
    "\n/\n.png",
    os.fsdecode(b"caf\xe9.png"),
    "x" * 251 + ".png",
    "[a]*?.png",
    "\x1b]0;.png",
    " .png",
    "ж/Ж.png",
    "\ud83d\ude00.png".encode("utf-16", "surrogatepass").decode("utf-16"),
]

NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name).map(os.fsdecode)
PATHS = st.lists(NAMES, unique=True, max_size=30)


@settings(deadline=None)
@given(PATHS, st.lists(st.integers(1, 4)), st.integers(0, 30))
def test_every_image_is_found_again_whatever_bytes_its_name_has(
    paths: list[str], frames: list[int], extended: int
) -> None:
    first, later = paths[:extended], paths[extended:]
    counts = dict(zip(first, frames, strict=False))
    listing = listing_of_files([ImageFile(path, 7, 9) for path in first], counts)
    extend(listing, later)
    expected = [ImageKey(path, frame) for path in first for frame in range(counts.get(path, 1))]
    expected += [ImageKey(path) for path in later]
    assert len(listing) == len(expected)
    assert keys_of(listing) == expected
    assert [listing.row(key) for key in expected] == list(range(len(expected)))
    assert listing.rows(expected[::-1]).tolist() == list(range(len(expected)))[::-1]
    assert [(listing.path(row), listing.frame(row)) for row in range(len(listing))] == [
        (key.path, key.frame) for key in expected
    ]
    again = Listing(listing.arrays)
    assert keys_of(again) == expected
    assert again.rows(expected).tolist() == list(range(len(expected)))
    assert again.same_files(listing)


def test_names_with_newlines_bytes_and_255_letters_are_names_like_others() -> None:
    listing = Listing()
    extend(listing, HOSTILE)
    assert [listing.path(row) for row in range(len(listing))] == HOSTILE
    assert [listing.row(ImageKey(path)) for path in HOSTILE] == list(range(len(HOSTILE)))


def test_what_is_not_listed_has_no_row() -> None:
    listing = listing_of("a.png", "b.tif", frames={"b.tif": 3})
    strangers = [
        ImageKey("c.png"), ImageKey("a.pn"), ImageKey("a.png", 1), ImageKey("b.tif", 3), ImageKey("b.tif", -1),
        ImageKey("b.tif", 2**40), ImageKey(""), ImageKey("a.png\0"),
    ]  # fmt: skip
    assert [listing.row(key) for key in strangers] == [None] * len(strangers)
    assert listing.rows([*strangers, ImageKey("b.tif", 2)]).tolist() == [-1] * len(strangers) + [3]
    assert Listing().row(ImageKey("a.png")) is None
    assert Listing().rows([ImageKey("a.png")]).tolist() == [-1]


def test_a_row_beyond_the_end_is_an_error_and_rows_are_not_counted_from_the_end() -> None:
    listing = listing_of("a.png")
    for row in (-1, 1):
        with pytest.raises(IndexError):
            listing.key(row)


def test_a_name_cannot_hold_a_zero() -> None:
    with pytest.raises(ValueError, match="zero"):
        extend(Listing(), ["a\0b.png"])


def test_what_cannot_be_a_name_is_not_listed() -> None:
    listing = listing_of("a.png", "b.png")
    for path in ("a\0b.png", "\ud800.png", "", "a.png\0"):
        assert listing.row(ImageKey(path)) is None
        assert listing.rows([ImageKey("a.png"), ImageKey(path), ImageKey("b.png")]).tolist() == [0, -1, 1]


def test_hashes_of_many_are_those_of_each_and_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_table, "_HASHED_BYTES", 100)
    paths = [f"{'x' * (number % 130)}/{number}.png" for number in range(500)]
    hashes = path_table.hashes_of(*encode_paths(paths)).tolist()
    assert len(set(hashes)) == 500
    assert hashes == [int(path_table.hashes_of(*encode_paths([path]))[0]) for path in paths]


def test_parts_put_behind_each_other_make_the_same_listing() -> None:
    paths = ["1.png", "2.png", "a/1.png", "a/2.png", "a/3.png", "b/1.png"]
    whole = listing_of(*paths)
    for cut in range(len(paths)):
        parted = Listing()
        for part in (paths[:cut], paths[cut:]):
            parted.append(arrays_of(part, sizes=[1] * len(part), mtimes_ns=[1] * len(part)))
        assert parted.same_files(whole)
        assert parted.arrays.folder_starts.tolist() == whole.arrays.folder_starts.tolist() == [0, 2, 5]
        assert parted.folders_later()() == whole.folders_later()()


def test_files_are_found_by_their_paths_and_by_their_sizes() -> None:
    files = [ImageFile("a.tif", 5, 1), ImageFile("b.png", 6, 2), ImageFile("c.png", 7, 3)]
    listing = listing_of_files(files, {"a.tif": 2})
    assert listing.files_at(["c.png", "gone.png", "a.tif"]) == [files[2], files[0]]
    assert listing.files_of_sizes({6, 7, 99}) == files[1:]
    assert listing.keys_except(["b.png", "gone.png"]) == [
        *(ImageKey("a.tif", n) for n in (0, 1)),
        ImageKey("c.png"),
    ]


def test_paths_whose_hashes_collide_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_table, "hashes_of", lambda names, ends: np.diff(ends, prepend=0))
    paths = [f"{number:03}.png" for number in range(50)]
    listing = Listing()
    for path in paths:
        extend(listing, [path])
    keys = [ImageKey(path) for path in paths]
    assert [listing.row(key) for key in keys] == list(range(50))
    assert listing.rows([*keys, ImageKey("999.png")]).tolist() == [*range(50), -1]
    assert listing.row(ImageKey("999.png")) is None


def test_extending_in_many_small_steps_keeps_every_path_findable() -> None:
    listing, paths = Listing(), [f"f{number % 7}/{number}.png" for number in range(500)]
    for start in range(0, 500, 3):
        extend(listing, paths[start : start + 3])
        assert listing.row(ImageKey(paths[start])) == start
    assert listing.rows([ImageKey(path) for path in paths]).tolist() == list(range(500))


def test_frames_of_a_stack_lie_side_by_side() -> None:
    listing = listing_of("a.tif", "b.png", "c.tif", frames={"a.tif": 2, "c.tif": 1001})
    assert len(listing) == 1004
    assert listing.files == 3
    assert listing.key(1003) == ImageKey("c.tif", 1000)
    assert [listing.frames_of(row) for row in (0, 1, 2, 3)] == [2, 2, 1, 1001]
    assert [listing.is_stack(row) for row in (1, 2, 3)] == [True, False, True]


def test_sizes_and_times_are_those_of_the_file_or_unknown() -> None:
    files = [ImageFile("a.tif", 10, 100), ImageFile("b.png", None, None)]
    listing = listing_of_files(files, {"a.tif": 2})
    extend(listing, ["c.png"])
    assert listing.sizes.tolist() == [10, 10, -1, -1]
    assert listing.mtimes_ns.tolist() == [100, 100, 0, 0]
    assert listing.mtime_ns(1) == 100


def test_by_time_is_oldest_first_and_unknown_last() -> None:
    times = {"a": 30, "b": None, "c": 10, "d": 30}
    listing = listing_of_files([ImageFile(f"{name}.tif", 1, time) for name, time in times.items()])
    assert listing.by_time.tolist() == [2, 0, 3, 1]
    extend(listing, ["e.tif"])
    assert listing.by_time.tolist() == [2, 0, 3, 1, 4]


@settings(deadline=None)
@given(
    st.lists(st.text("aAbB-/ä", min_size=1, max_size=9), unique=True, max_size=20),
    st.text("aAb-/Ä", max_size=4),
)
def test_text_is_found_as_a_plain_search_finds_it(paths: list[str], text: str) -> None:
    listing = Listing()
    extend(listing, paths)
    expected = [text.casefold() in path.casefold() for path in paths]
    assert listing.contains_text(text).tolist() == expected
    start = len(paths) // 2
    assert listing.contains_text(text, start).tolist() == expected[start:]


def test_text_does_not_reach_from_one_name_into_the_next() -> None:
    listing = listing_of("ab", "cd")
    assert listing.contains_text("bc").tolist() == [False, False]
    assert listing.contains_text("b\0c").tolist() == [False, False]


def test_cyrillic_capitals_and_letters_of_a_mac_are_found() -> None:
    listing = listing_of(
        "ПРОБА.png", "Gro\u0308\u00dfe.png", "Gr\u00f6\u00dfe.png", os.fsdecode(b"\xd0\xb6\xff.png")
    )
    assert listing.contains_text("проб").tolist() == [True, False, False, False]
    assert listing.contains_text("GRÖ").tolist() == [False, True, True, False]
    assert listing.contains_text("Ж").tolist() == [False, False, False, True]
    assert listing.contains_text("\ud800").tolist() == [False] * 4  # no name can hold it


def test_text_marks_every_frame_of_a_stack() -> None:
    listing = listing_of("a.png", "cell.tif", frames={"cell.tif": 2})
    assert listing.contains_text("CELL").tolist() == [False, True, True]


def test_folders_are_a_tree_with_counts() -> None:
    listing = listing_of("top.png", "a/1.png", "a/b/c/2.tif", "a/b/c/3.png", "d/4.png", "a/link/5.png",
                         frames={"a/b/c/2.tif": 3})  # fmt: skip
    assert listing.folders_later()() == [
        Folder("", 1, 8),
        Folder("a", 1, 6),
        Folder("a/b", 0, 4),
        Folder("a/b/c", 4, 4),
        Folder("a/link", 1, 1),
        Folder("d", 1, 1),
    ]
    assert [folder.depth for folder in listing.folders_later()()] == [0, 1, 2, 3, 2, 1]
    assert listing.folder_of(2) == "a/b/c"
    assert listing.folder_of(0) == ""


def test_in_folder_counts_what_lies_below_but_no_namesake() -> None:
    listing = listing_of("a/1.png", "a/b/2.png", "ab/3.png", "4.png")
    assert listing.in_folder("a").tolist() == [True, True, False, False]
    assert listing.in_folder("a/b").tolist() == [False, True, False, False]
    assert listing.in_folder("").all()
    assert not listing.in_folder("b").any()
    extend(listing, ["a/5.png"])
    assert listing.in_folder("a").tolist() == [True, True, False, False, True]


def test_a_million_folders_of_one_name_length_are_not_mixed_up() -> None:
    listing = listing_of("aa/1.png", "ab/1.png", "ab/2.png", "ba/1.png")
    assert [(folder.path, folder.images) for folder in listing.folders_later()()[1:]] == [
        ("aa", 1),
        ("ab", 2),
        ("ba", 1),
    ]


@settings(deadline=None)
@given(
    st.lists(NAMES, unique=True, max_size=12).flatmap(lambda p: st.tuples(st.just(p), st.permutations(p))),
    st.data(),
)
def test_rows_from_another_listing_are_those_of_the_same_images(
    names: tuple[list[str], list[str]], data: st.DataObject
) -> None:
    old_paths, others = names
    new_paths = data.draw(
        st.sampled_from([old_paths, others, old_paths[1:], old_paths[:-1], ["new", *old_paths]])
    )
    new_paths = list(dict.fromkeys(new_paths))
    frames = st.dictionaries(st.sampled_from(old_paths or ["-"]), st.integers(1, 3))
    old = listing_of(*old_paths, frames=data.draw(frames))
    new = listing_of(*new_paths, frames=data.draw(frames))
    expected = [-1 if new.row(key) is None else new.row(key) for key in keys_of(old)]
    assert new.rows_from(old).tolist() == expected
    assert new.same_images(old) == (keys_of(new) == keys_of(old))


def test_an_equal_end_of_two_names_does_not_make_them_one_file() -> None:
    assert listing_of("xb/1.png", "c.png").rows_from(listing_of("b/1.png", "c.png")).tolist() == [-1, 1]
    assert listing_of("b/1.png", "c.png").rows_from(listing_of("xb/1.png", "c.png")).tolist() == [-1, 1]


def test_same_images_does_not_ask_for_sizes_and_same_files_does() -> None:
    one = listing_of_files([ImageFile("a.png", 1, 1)])
    two = listing_of_files([ImageFile("a.png", 2, 1)])
    assert one.same_images(two)
    assert not one.same_files(two)
    assert not listing_of("a.tif", frames={"a.tif": 2}).same_images(listing_of("a.tif"))


def test_extending_does_not_write_into_the_arrays_it_was_made_of() -> None:
    arrays = listing_of("a.png", "b.png").arrays
    for name in ("names", "ends", "first_rows", "sizes", "mtimes_ns", "folder_starts"):
        getattr(arrays, name).flags.writeable = False
    one, two = Listing(arrays), Listing(arrays)
    extend(one, ["c.png"])
    extend(two, ["d.png"])
    assert (one.path(2), two.path(2)) == ("c.png", "d.png")


def test_100_000_images_take_less_than_15_megabytes() -> None:
    paths = [f"plate {number // 1000:04}/cell-{number:06}_dapi.png" for number in range(100_000)]
    tracemalloc.start()
    listing = Listing()
    for start in range(0, len(paths), 5000):
        extend(listing, paths[start : start + 5000])
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 15e6
    assert np.array_equal(listing.rows([ImageKey(path) for path in paths]), np.arange(100_000))


def test_the_keys_of_many_rows_are_those_of_each() -> None:
    listing = listing_of_files(
        [ImageFile(name, 1, 1) for name in ("a.png", "b/stack.tif", "b/\udcff.png", "c.png")],
        frames={"b/stack.tif": 3},
    )
    for rows in ([0, 1, 2, 3, 4, 5], [0, 2, 5], [4], []):
        assert listing.keys(np.array(rows, np.int32)) == [listing.key(row) for row in rows]
