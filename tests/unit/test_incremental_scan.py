"""The first image is told at once, the rest in batches, and at the end everything is known of all."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from listing_support import keys_of
from PIL import Image

from mia_tui.dataset.listing.arrays import ListingArrays, paths_of
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan import incremental
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.dataset.scan.scan import scan
from mia_tui.dataset.scan.walk import ScanProblem
from mia_tui.errors import DataError


def put(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


def stack(path: Path, pages: int) -> None:
    images = [Image.fromarray(np.full((4, 4), page, np.uint8)) for page in range(pages)]
    images[0].save(path, save_all=True, append_images=images[1:])


def test_batches_come_in_order_and_the_first_is_one_image(tmp_path: Path) -> None:
    names = [f"{folder}/{number}.png" for folder in ("a", "b") for number in range(40)]
    put(tmp_path, *names)
    batches: list[list[str]] = []
    list_images(tmp_path, on_batch=lambda part: batches.append(paths_of(part)))
    assert batches[0] == ["a/0.png"]
    assert [path for batch in batches for path in batch] == names
    sizes = [len(batch) for batch in batches]
    assert all(size <= 1 + sum(sizes[:number]) for number, size in enumerate(sizes))


def test_no_batch_is_larger_than_a_screen_takes_over_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, *(f"{number}.png" for number in range(100)))
    monkeypatch.setattr(incremental, "_BATCH", 10)
    sizes: list[int] = []
    list_images(tmp_path, on_batch=lambda part: sizes.append(part.images))
    assert sum(sizes) == 100
    assert max(sizes) <= 11


def test_what_waits_is_told_after_a_blink_however_little_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(root: Path, *, problems: list[ScanProblem], **_: object) -> Iterator[str]:
        for number in range(40):
            if number == 35:
                time.sleep(0.06)
            yield f"{number}.png"

    put(tmp_path, *(f"{number}.png" for number in range(40)))
    monkeypatch.setattr(incremental, "scan_files", slowly)
    batches: list[list[str]] = []
    list_images(tmp_path, on_batch=lambda part: batches.append(paths_of(part)))
    assert any(batch[-1] == "35.png" for batch in batches)


def test_at_the_end_everything_is_known_as_a_scan_knows_it(tmp_path: Path) -> None:
    put(tmp_path, "b.png", "c/d.png", os.fsdecode(b"caf\xe9.png"), "new\nline.png", "x" * 251 + ".png")
    stack(tmp_path / "a.tif", 3)
    (tmp_path / "dead.png").symlink_to("nowhere")
    found, scanned = list_images(tmp_path), scan(tmp_path)
    assert found is not None
    assert tuple(keys_of(found.listing)) == scanned.keys
    assert tuple(found.listing.files_at([file.path for file in scanned.files])) == scanned.files
    assert found.problems == scanned.problems
    assert found.notes == scanned.notes != []
    files = {file.path: file for file in scanned.files}
    for row in range(len(found.listing)):
        file = files[found.listing.path(row)]
        assert (found.listing.sizes[row], found.listing.mtimes_ns[row]) == (file.size, file.mtime_ns)


def test_animations_have_their_frames_where_all_are_asked_for(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), (90 * i, 0, 0), np.uint8)) for i in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    first, every = list_images(tmp_path), list_images(tmp_path, frames="all")
    assert first is not None and every is not None
    assert (len(first.listing), len(every.listing)) == (1, 3)


def test_batches_and_end_tell_of_the_same_files(tmp_path: Path) -> None:
    put(tmp_path, *(f"{number}.png" for number in range(30)))
    growing = Listing()
    found = list_images(tmp_path, on_batch=growing.append)
    assert found is not None
    assert growing.same_images(found.listing)
    again = list_images(tmp_path)
    assert again is not None
    assert again.listing.same_files(found.listing)


@pytest.mark.parametrize("after", [0, 1, 5, 15, 25])
def test_it_ends_soon_when_nobody_wants_to_know_any_more(tmp_path: Path, after: int) -> None:
    put(tmp_path, *(f"{number}.png" for number in range(10)), *(f"x{number}.tif" for number in range(10)))
    asked = iter(range(1000))
    told: list[str] = []
    assert (
        list_images(
            tmp_path, on_batch=lambda part: told.extend(paths_of(part)), stop=lambda: next(asked) >= after
        )
        is None
    )
    assert len(told) <= after
    assert next(asked) == after + 1


def test_a_file_that_vanishes_meanwhile_is_told_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.png", "b.png")

    def then_gone(part: ListingArrays) -> None:
        (tmp_path / "a.png").unlink(missing_ok=True)

    found = list_images(tmp_path, on_batch=then_gone)
    assert found is not None
    assert keys_of(found.listing) == [ImageKey("b.png")]
    assert [problem.path for problem in found.problems] == ["a.png"]


def test_a_folder_without_images_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There are no images in"):
        list_images(tmp_path)
    with pytest.raises(DataError, match="There is no folder"):
        list_images(tmp_path / "nowhere")
