"""Images in an order, whose rows in a listing are looked up once."""

import asyncio

import numpy as np
import pytest

from mia_tui.dataset.listing import image_list
from mia_tui.dataset.listing.arrays import arrays_of
from mia_tui.dataset.listing.image_list import ImageList
from mia_tui.dataset.listing.listing import Listing, Rows
from mia_tui.dataset.model import ImageKey

KEYS = [ImageKey(f"{name}.png") for name in "dbac"]


def listing_of(names: str) -> Listing:
    return Listing(arrays_of([f"{name}.png" for name in names]))


def test_some_of_the_images_are_in_the_order_they_were_asked_for() -> None:
    some = ImageList(KEYS).some(np.array([3, 0, 1])).some(np.array([1, 0]))
    assert some == (KEYS[0], KEYS[3]) and len(some) == 2
    assert some[-1] == KEYS[3] and list(some[:1]) == [KEYS[0]]
    assert hash(some) == hash((KEYS[0], KEYS[3]))
    assert some != ImageList(KEYS)
    assert ImageList.of(some) is some


def test_each_image_has_its_row_and_those_not_listed_none() -> None:
    images, listing = ImageList(KEYS), listing_of("abd")
    assert images.rows_in(listing).tolist() == [2, 1, 0, -1]
    assert images.some(np.array([3, 0])).rows_in(listing).tolist() == [-1, 2]


def test_rows_are_looked_up_once_for_all_lists_made_of_the_same_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images, listing = ImageList(KEYS), listing_of("abd")
    asked: list[list[ImageKey]] = []
    look_up = Listing.rows

    def noted(self: Listing, keys: list[ImageKey]) -> Rows:
        asked.append(keys)
        return look_up(self, keys)

    monkeypatch.setattr(Listing, "rows", noted)
    images.some(np.array([1])).rows_in(listing)
    images.some(np.array([0, 1])).rows_in(listing)
    assert asked == [KEYS]
    listing.append(arrays_of(["c.png"]))
    assert images.rows_in(listing).tolist() == [2, 1, 0, 3]
    assert asked == [KEYS, [KEYS[3]]]
    assert images.rows_in(listing_of("dcba")).tolist() == [0, 2, 3, 1]


def test_rows_are_found_between_other_work_also_while_files_are_added(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(image_list, "_AT_ONCE", 1)
    images, listing = ImageList(KEYS), listing_of("abd")
    turns = 0

    async def test() -> None:
        nonlocal turns
        work = asyncio.create_task(images.find_rows(listing))
        while not work.done():
            turns += 1
            if turns == 2:
                listing.append(arrays_of(["c.png"]))
            await asyncio.sleep(0)

    asyncio.run(test())
    assert turns >= len(KEYS)
    monkeypatch.setattr(Listing, "rows", None)  # nothing is looked up any more
    assert images.rows_in(listing).tolist() == [2, 1, 0, 3]
