"""The images of a prediction in a file: in order, in parts, from any place on, and of any name."""

import os
from pathlib import Path

import pytest

from mia_tui.dataset.model import ImageKey
from mia_tui.errors import RunError
from mia_tui.runs.prediction import listing
from mia_tui.runs.prediction.listing import PredictionListing, write_listing

IMAGES = [ImageKey(f"plate {index // 10}/c\n{index}.png", index % 2) for index in range(37)]
ODD = ImageKey(os.fsdecode(b"\xff%41.png"))


def written(folder: Path, images: list[ImageKey], shard: tuple[int, int] | None = None) -> PredictionListing:
    folder.mkdir(exist_ok=True)
    path = folder / "predictions" / "listing.jsonl"
    return write_listing(path, iter(images), batch_size=5, shard=shard, root=folder)


def test_what_is_listed_is_read_in_pieces_and_from_any_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_AT_ONCE", 4)
    images = [*IMAGES, ODD]
    found = written(tmp_path, images)
    assert (found.count, found.total) == (38, 38)
    assert list(found) == list(found) == images
    for done in (0, 1, 20, 38, 100):
        keys, place = found.read(found.skip(done), 7)
        assert keys == images[done : done + 7]
        assert found.read(place, 7)[0] == images[done + 7 : done + 14]


def test_parts_list_whole_batches_and_know_that_they_are_of_the_same_images(tmp_path: Path) -> None:
    parts = [written(tmp_path / f"{number}", IMAGES, (number, 3)) for number in (1, 2, 3)]
    assert list(parts[1]) == [*IMAGES[5:10], *IMAGES[20:25], *IMAGES[35:]]
    assert sum(part.count for part in parts) == 37 and {part.total for part in parts} == {37}
    assert len({part.digest for part in parts}) == 1
    others = (IMAGES[1:], [*IMAGES, ODD], [*IMAGES[:-2], IMAGES[-1], IMAGES[-2]])
    for number, other in enumerate(others):
        assert written(tmp_path / f"other {number}", other).digest != parts[0].digest


@pytest.mark.parametrize(
    "content", [b"{}\n", b'["a.png",-2]\n', b"\xff\n", b'["a.png",0\n', b"x" * (1 << 21)]
)
def test_a_damaged_listing_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    found = written(tmp_path, IMAGES)
    found.path.write_bytes(content)
    with pytest.raises(RunError, match=r"listing\.jsonl is damaged"):
        list(found)
    found.path.unlink()
    with pytest.raises(RunError, match=r"listing\.jsonl cannot be read"):
        found.skip(3)
