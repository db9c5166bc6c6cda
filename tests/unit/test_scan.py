"""The scan finds every image once, in the order people count, whatever the files are called."""

import hashlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from run_support import as_nobody

from mia_tui import paths
from mia_tui.dataset import hashes, threads, user_cache
from mia_tui.dataset.hashes import duplicate_groups, file_hash
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan import scan as scan_module
from mia_tui.dataset.scan import walk
from mia_tui.dataset.scan.scan import scan
from mia_tui.dataset.scan.walk import ScanProblem, natural_key, scan_files
from mia_tui.errors import DataError


def put(root: Path, *names: str) -> Path:
    """Files of one pixel's worth of nothing: the scan does not look inside."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def found(root: Path) -> list[str]:
    return list(scan_files(root))


def stack(path: Path, pages: int) -> Path:
    images = [Image.fromarray(np.full((4, 4), i % 256, np.uint8)) for i in range(pages)]
    images[0].save(path, save_all=True, append_images=images[1:])
    return path


def settle(path: Path) -> None:
    """As if the file had been there for an hour: what was touched just now is not kept in the index."""
    then = time.time_ns() - 3_600_000_000_000
    os.utime(path, ns=(then, then))


def test_images_come_in_the_order_people_count(tmp_path: Path) -> None:
    put(tmp_path, "cell10.png", "cell2.png", "Cell1.PNG", "b/2.tif", "a10/x.jpg", "a9/x.jpg", "a9/w.jpeg")
    assert found(tmp_path) == [
        "Cell1.PNG", "cell2.png", "cell10.png", "a9/w.jpeg", "a9/x.jpg", "a10/x.jpg", "b/2.tif",
    ]  # fmt: skip


def test_only_files_with_an_image_suffix_count(tmp_path: Path) -> None:
    put(tmp_path, *(f"a.{suffix}" for suffix in ("png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff")))
    put(tmp_path, "notes.txt", "labels.csv", "png", ".png", "a.png.bak", "model.pt", "a.npz")
    assert len(found(tmp_path)) == 8


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, ".git/a.png", "._cell.png", ".thumbs/b.png", "x/.y/c.png", "x/d.png")
    assert found(tmp_path) == ["x/d.png"]


def test_any_name_the_file_system_takes_works(tmp_path: Path) -> None:
    names = ["a [1].png", "b*?.png", "c\nd.png", 'e"f\\.png', " g.png", "h%41.png", "ж.png", "[set]/i;.png"]
    put(tmp_path, *names)
    not_utf_8 = os.fsdecode(b"caf\xe9.png")
    put(tmp_path, not_utf_8)
    assert set(found(tmp_path)) == {*names, not_utf_8}
    assert len(scan(tmp_path).keys) == len(names) + 1


def test_a_folder_that_holds_a_labels_db_is_skipped_at_any_depth(tmp_path: Path) -> None:
    put(tmp_path, "mia/labels.db", "mia/runs/1/a.png", "x/y/state/labels.db", "x/y/state/b.png", "x/y/c.png")
    assert found(tmp_path) == ["x/y/c.png"]


def test_a_class_may_be_called_mia(tmp_path: Path) -> None:
    put(tmp_path, "mia/a.png", "mia/labels.db.txt", "kia/b.png")
    assert found(tmp_path) == ["kia/b.png", "mia/a.png"]


def test_a_labels_db_in_the_dataset_itself_does_not_hide_the_images(tmp_path: Path) -> None:
    put(tmp_path, "labels.db", "a.png")
    assert found(tmp_path) == ["a.png"]


def test_a_linked_folder_is_followed_once(tmp_path: Path) -> None:
    outside = put(tmp_path / "outside", "a.png", "deep/b.png")
    root = put(tmp_path / "data", "z.png")
    (root / "first").symlink_to(outside)
    (root / "second").symlink_to(outside)
    assert found(root) == ["z.png", "first/a.png", "first/deep/b.png"]


def test_an_image_is_named_by_its_real_place(tmp_path: Path) -> None:
    put(tmp_path, "zoo/a.png")
    (tmp_path / "alias").symlink_to("zoo")
    assert found(tmp_path) == ["zoo/a.png"]


def test_a_link_into_a_hidden_store_is_followed(tmp_path: Path) -> None:
    put(tmp_path, ".store/a.png")
    (tmp_path / "images").symlink_to(".store")
    assert found(tmp_path) == ["images/a.png"]


@pytest.mark.parametrize("target", [".", "..", "../..", "loop", "sub"])
def test_links_in_a_circle_end(tmp_path: Path, target: str) -> None:
    root = put(tmp_path / "data", "a.png", "sub/b.png")
    (root / "sub" / "loop").symlink_to(target)
    (root / "loop").symlink_to(target)
    put(tmp_path, "elsewhere.png")
    assert found(root) == ["a.png", "sub/b.png"]


def test_a_class_folder_whose_disk_is_away_is_told_and_not_counted_as_a_file(tmp_path: Path) -> None:
    put(tmp_path, "a/1.png")
    (tmp_path / "b").symlink_to("/away/b")
    found = scan(tmp_path)
    assert [(problem.path, problem.message) for problem in found.problems] == [
        ("b", "The link leads nowhere.")
    ]
    assert not found.other_kinds.kinds


def test_linked_images_count_and_dead_links_are_told(tmp_path: Path) -> None:
    store = put(tmp_path / "store", "1.png")
    root = put(tmp_path / "data", "b.png", "folder/x.png")
    (root / "a.png").symlink_to(store / "1.png")
    (root / "dead.png").symlink_to("nowhere")
    (root / "circle.png").symlink_to("circle.png")
    (root / "c.png").symlink_to(store)
    problems: list[ScanProblem] = []
    assert list(scan_files(root, problems=problems)) == [
        "a.png", "b.png", "folder/x.png", "c.png/1.png",
    ]  # fmt: skip
    assert [problem.path for problem in problems] == ["circle.png", "dead.png"]
    assert problems[1].message == "The link leads nowhere."


def test_pipes_and_folders_called_like_images_are_no_images(tmp_path: Path) -> None:
    put(tmp_path, "folder.png/a.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert found(tmp_path) == ["folder.png/a.png"]


def test_a_folder_that_may_not_be_opened_is_told_and_the_rest_is_found(tmp_path: Path) -> None:
    root = put(tmp_path / "data", "a/1.png", "b/2.png", "c/3.png")
    (root / "b").chmod(0)
    problems: list[ScanProblem] = []
    with as_nobody(root):
        files = list(scan_files(root, problems=problems))
    (root / "b").chmod(0o755)
    assert files == ["a/1.png", "c/3.png"]
    assert problems == [ScanProblem("b", "The folder cannot be opened: Permission denied.")]


class _NoStat:
    """A folder's entry that may be asked for its name and kind, but not for a stat."""

    def __init__(self, entry: os.DirEntry[str]) -> None:
        self.name = entry.name
        self._entry = entry

    def is_symlink(self) -> bool:
        return self._entry.is_symlink()

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        assert not (follow_symlinks and self.is_symlink()), "a stat of a link before its turn"
        return self._entry.is_dir(follow_symlinks=follow_symlinks)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return self._entry.is_file(follow_symlinks=follow_symlinks)


def test_the_first_image_needs_no_stat_of_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk across a network each stat takes a millisecond, and there may be 100,000 files."""
    put(tmp_path, *(f"{i}.png" for i in range(50)), "sub/a.png")
    for i in range(50, 100):
        (tmp_path / f"{i}.png").symlink_to("0.png")
    scandir, stat = os.scandir, os.stat
    asked: list[str] = []

    @contextmanager
    def careful(path: str) -> Iterator[Any]:
        with scandir(path) as entries:
            yield (_NoStat(entry) for entry in entries)

    def counting(path: Any, **options: Any) -> os.stat_result:
        asked.append(os.fspath(path))
        return stat(path, **options)

    monkeypatch.setattr(os, "scandir", careful)
    monkeypatch.setattr(os, "stat", counting)
    files = scan_files(tmp_path)
    assert next(files) == "0.png"
    assert not [path for path in asked if path.endswith(".png")]
    assert str(tmp_path / "sub") not in asked
    assert len(list(files)) == 100


def test_a_scan_knows_sizes_times_and_frames(tmp_path: Path) -> None:
    put(tmp_path, "b.png")
    stack(tmp_path / "a.tif", 3)
    result = scan(tmp_path)
    assert result.keys == (*(ImageKey("a.tif", frame) for frame in range(3)), ImageKey("b.png"))
    assert [file.path for file in result.files] == ["a.tif", "b.png"]
    status = (tmp_path / "b.png").stat()
    assert (result.files[1].size, result.files[1].mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert result.problems == ()


def test_frame_1000_is_frame_1000(tmp_path: Path) -> None:
    """The predecessor took the last three digits."""
    stack(tmp_path / "a.tif", 1002)
    keys = scan(tmp_path).keys
    assert keys[-1] == ImageKey("a.tif", 1001)
    assert len(set(keys)) == 1002


def test_an_animation_is_one_image_unless_all_frames_are_asked_for(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), (90 * i, 0, 0), np.uint8)) for i in range(3)]
    for name in ("a.gif", "b.webp"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        settle(tmp_path / name)
    for _ in range(2):  # what one kind of scan put into the index must not mislead the other
        assert len(scan(tmp_path).keys) == 2
        assert len(scan(tmp_path, frames="all").keys) == 6


def test_a_damaged_stack_stands_for_one_image(tmp_path: Path) -> None:
    put(tmp_path, "a.tif", "b.tif")
    (tmp_path / "b.tif").write_bytes(b"")
    assert scan(tmp_path).keys == (ImageKey("a.tif"), ImageKey("b.tif"))


def count_calls(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[Path]:
    calls: list[Path] = []
    original = getattr(module, name)

    def counting(path: Path, **options: Any) -> Any:
        calls.append(path)
        return original(path, **options)

    monkeypatch.setattr(module, name, counting)
    return calls


def test_frames_are_counted_again_only_when_a_file_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.tif", "b.tif"):
        settle(stack(tmp_path / name, 3))
    calls = count_calls(monkeypatch, scan_module, "count_frames")
    assert len(scan(tmp_path).keys) == 6
    assert len(scan(tmp_path).keys) == 6
    assert len(calls) == 2
    stack(tmp_path / "b.tif", 5)
    assert len(scan(tmp_path).keys) == 8
    assert [path.name for path in calls] == ["a.tif", "b.tif", "b.tif"]


def test_a_file_touched_just_now_is_not_trusted_to_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack(tmp_path / "a.tif", 2)
    calls = count_calls(monkeypatch, scan_module, "count_frames")
    scan(tmp_path)
    scan(tmp_path)
    assert len(calls) == 2


@pytest.mark.parametrize("damage", ["garbage", "folder", "unwritable", "no_home"])
def test_without_its_cache_a_scan_is_only_slower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    root = tmp_path / "data"
    root.mkdir()
    settle(stack(root / "a.tif", 3))
    scan(root)
    cache = paths.user_cache() / "scan"
    [index] = cache.iterdir()
    if damage == "garbage":
        index.write_bytes(b"\xc1 what")
    elif damage == "folder":
        index.unlink()
        index.mkdir()
    elif damage == "unwritable":
        index.unlink()
        cache.rmdir()
        cache.write_bytes(b"in the way")
    else:
        monkeypatch.setattr(
            user_cache, "user_cache", lambda: (_ for _ in ()).throw(PermissionError(13, "no"))
        )
    assert len(scan(root).keys) == 3
    assert len(scan(root).keys) == 3


def test_two_datasets_do_not_share_an_index(tmp_path: Path) -> None:
    for name, pages in (("one", 2), ("two", 3)):
        (tmp_path / name).mkdir()
        settle(stack(tmp_path / name / "a.tif", pages))
        assert len(scan(tmp_path / name).keys) == pages
    assert len(scan(tmp_path / "one").keys) == 2


def test_a_missing_folder_a_file_and_an_empty_folder_are_said_in_a_sentence(tmp_path: Path) -> None:
    put(tmp_path, "cell.png", "empty/notes.txt")
    with pytest.raises(DataError, match=r"There is no folder .*nowhere") as missing:
        scan(tmp_path / "nowhere")
    assert missing.value.exit_code == 3
    with pytest.raises(DataError, match=r"cell\.png is a file"):
        scan(tmp_path / "cell.png")
    with pytest.raises(
        DataError, match=r"There are no images in .*empty\. Images are files that end in ap"
    ) as none:
        scan(tmp_path / "empty")
    assert str(none.value).endswith("1 file of another kind left out: 1 .txt.")


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan_module, "_REPORTED_EVERY", 2)
    put(tmp_path, *(f"{i}.png" for i in range(5)))
    told: list[int] = []
    scan(tmp_path, progress=told.append)
    assert told == [2, 4, 5]


def test_a_file_that_vanishes_during_the_scan_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.png", "b.png")

    def then_gone(root: Path, *, problems: list[ScanProblem], **_: object) -> Iterator[str]:
        yield from ("a.png", "b.png")
        (root / "a.png").unlink()

    monkeypatch.setattr(scan_module, "scan_files", then_gone)
    result = scan(tmp_path)
    assert result.keys == (ImageKey("b.png"),)
    assert result.problems[0].path == "a.png"


def test_names_sorted_piece_by_piece_are_in_natural_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walk, "_SORTED", 3)
    put(tmp_path, *(f"cell{number}.png" for number in range(25)))
    assert found(tmp_path) == [f"cell{number}.png" for number in range(25)]


def test_natural_order_is_total_and_ignores_case_first() -> None:
    names = ["a", "A1", "a1", "a01", "a2", "B", "b10", "b9", "", "9", "10"]
    assert natural_key("a" + "7" * 9000) > natural_key("a8")
    assert sorted(names, key=natural_key) == ["", "9", "10", "a", "A1", "a01", "a1", "a2", "B", "b9", "b10"]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text("aAbB0129²٣ß", max_size=8), unique=True).flatmap(lambda names: st.permutations(names))
)
def test_natural_order_does_not_depend_on_the_order_before(names: list[str]) -> None:
    assert sorted(names, key=natural_key) == sorted(sorted(names), key=natural_key)


def test_hashes_are_made_only_where_sizes_are_equal_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {"a.png": b"one", "b.png": b"two", "c.png": b"one", "d.png": b"longer", "e.png": b"uno"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        settle(tmp_path / name)
    calls = count_calls(monkeypatch, hashes, "file_hash")
    files = scan(tmp_path).files
    groups = duplicate_groups(tmp_path, files)
    assert set(groups) == {"a.png", "b.png", "c.png", "e.png"}
    assert groups["a.png"] == groups["c.png"] != groups["b.png"]
    assert duplicate_groups(tmp_path, files) == groups
    assert len(calls) == 4
    (tmp_path / "a.png").write_bytes(b"new")
    assert duplicate_groups(tmp_path, scan(tmp_path).files)["a.png"] != groups["a.png"]
    assert len(calls) == 5


def test_a_file_that_cannot_be_read_has_no_hash(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png")
    files = scan(tmp_path).files
    (tmp_path / "a.png").unlink()
    assert set(duplicate_groups(tmp_path, files)) == {"b.png"}


def test_a_hash_is_blake2b_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert file_hash(tmp_path / "a") == hashlib.blake2b(b"abc" * 100_000, digest_size=20).hexdigest()


@pytest.mark.parametrize("slow", [False, True])
def test_threads_are_used_only_where_calls_are_slow_and_keep_the_order(
    monkeypatch: pytest.MonkeyPatch, slow: bool
) -> None:
    clock = [0.0]
    monkeypatch.setattr(threads, "_TRIAL_CALLS", 3)
    monkeypatch.setattr(threads.time, "perf_counter", lambda: clock[0])
    used: set[str] = set()

    def work(item: int) -> int:
        used.add(threading.current_thread().name)
        clock[0] += 1e-3 if slow else 1e-5
        return item * 2

    assert list(threads.map_in_threads(work, range(40))) == [item * 2 for item in range(40)]
    assert (len(used) > 1) == slow
    assert list(threads.map_in_threads(work, [])) == []


def test_scanning_imports_no_torch() -> None:
    code = "import sys, mia_tui.dataset.scan.scan; print('torch' in sys.modules, 'click' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]


def test_links_that_lead_in_a_circle_hide_nothing(tmp_path: Path) -> None:
    put(tmp_path, "deep/a.png", "deep/b.png")
    for name in ("labels.db", "c.png", "folder"):
        (tmp_path / "deep" / name).symlink_to(name)
    assert list(scan_files(tmp_path)) == ["deep/a.png", "deep/b.png"]
