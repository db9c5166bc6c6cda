"""What is known of a dataset beside its screen: nothing that others write is lost, and what is said is so."""

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from listing_support import extend
from tui_support import label, labels_in, make_images

from mia_tui.dataset.listing import listing
from mia_tui.dataset.listing.incremental_scan import list_images
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session import changes
from mia_tui.errors import StoreReplaced
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.labelling.fingerprints import take_fingerprints

A, B = ImageKey("image-000.png"), ImageKey("image-001.png")


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 6, classes=("round", "flat"))


async def at(dataset: Path) -> LabelController:
    """A desk with everything that is there."""
    found = list_images(dataset)
    assert found is not None
    desk = LabelController(dataset, state=None, annotator="ann", listing=found.listing)
    await desk.load()
    return desk


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def class_name_at(desk: LabelController, key: ImageKey) -> str | None:
    row = desk.session.listing.row(key)
    assert row is not None
    image_class = desk.session.state_of(row).image_class
    return image_class.name if image_class else None


def test_what_others_label_while_fingerprints_are_taken_is_not_lost(cells: Path) -> None:
    async def test() -> None:
        desk = await at(cells)
        await desk.assign([A], desk.session.classes[0].id)
        label(cells, "flat", [B.path], annotator="bea")
        await take_fingerprints(desk, should_stop=lambda: False)
        await desk.news()
        assert class_name_at(desk, B) == "flat"

    run(test())


def test_a_key_that_changed_nothing_is_not_said_to_be_saved_whatever_others_wrote(cells: Path) -> None:
    async def test() -> None:
        desk = await at(cells)
        round_one = desk.session.classes[0].id
        await desk.assign([A], round_one)
        saved = desk.saved
        assert saved is not None and saved.what == f"{A.path} = round"
        label(cells, "flat", [B.path], annotator="bea")
        assert await desk.clear([ImageKey("image-002.png")]) == 0
        assert desk.saved is saved and class_name_at(desk, B) == "flat"

    run(test())


def test_labels_of_classes_put_away_and_of_files_that_are_gone_are_counted(cells: Path) -> None:
    async def test() -> None:
        desk = await at(cells)
        first, second = (known.id for known in desk.session.classes)
        await desk.assign([A, B], first)
        await desk.assign([ImageKey("gone.png")], second)
        await desk.write(lambda store: store.archive_class(first), "class round archived")
        assert await desk.label_counts() == {first: 2, second: 1}
        assert set(labels_in(cells)) == {A.path, B.path, "gone.png"}

    run(test())


def test_without_a_labels_db_nothing_is_counted(tmp_path: Path) -> None:
    async def test() -> None:
        desk = await at(make_images(tmp_path / "plain", 1))
        assert await desk.label_counts() == {}

    run(test())


def test_an_answer_given_while_labels_db_was_replaced_is_refused(cells: Path) -> None:
    async def test() -> None:
        desk = await at(cells)
        other = make_images(cells.parent / "other", 1, classes=("flat", "round")) / "mia" / "labels.db"
        answer = asyncio.get_running_loop().create_future()
        asked = asyncio.create_task(desk.answered(answer))
        await asyncio.sleep(0)
        other.replace(cells / "mia" / "labels.db")
        with pytest.raises(StoreReplaced):
            await desk.news()
        await desk.news()
        answer.set_result(desk.session.classes[0].id)
        with pytest.raises(StoreReplaced, match="nothing was done"):
            await asked

        async def none() -> None:
            return None

        assert await desk.answered(none()) is None

    run(test())


def test_what_a_covered_screen_does_not_ask_for_is_bounded(cells: Path) -> None:
    async def test() -> None:
        desk = await at(cells)
        keys = [ImageKey(f"image-00{number}.png") for number in range(6)]
        for number in range(400):
            await desk.flag(keys, number % 2 == 0)
        assert len(desk.touched()) <= 1000

    run(test())


def test_folders_are_looked_at_in_a_thread(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    parent_of = listing.parent_of

    def watched(path: str) -> str:
        threads.append(threading.current_thread())
        return parent_of(path)

    async def test() -> None:
        desk = await at(cells)
        monkeypatch.setattr(listing, "parent_of", watched)
        await desk.class_folders()
        assert threads and threading.main_thread() not in threads

    run(test())


def test_others_may_work_while_thousands_of_marks_are_taken_over(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_STEP", 50)
    keys = [ImageKey(f"{number}.png") for number in range(1000)]

    desk: LabelController

    async def turns_while(work: Coroutine[Any, Any, object]) -> int:
        """How often the event loop came round after the write."""
        task, turns = asyncio.create_task(work), 0
        while not task.done():
            turns += desk.keeper.busy_since is None
            await asyncio.sleep(0)
        await task
        return turns

    async def test() -> None:
        nonlocal desk
        desk = await at(cells)
        extend(desk.session, [key.path for key in keys])
        for work in (
            lambda: desk.flag(keys, True),
            lambda: desk.skip(keys, True),
            lambda: desk.step_back(),
            lambda: desk.step_back(redo=True),
        ):
            assert await turns_while(work()) >= len(keys) // 50
        assert (desk.session.counts.flagged, desk.session.counts.skipped) == (1000, 1000)

    run(test())


def test_what_an_undo_shows_leaves_out_what_others_did_meanwhile(cells: Path) -> None:
    async def test() -> None:
        desk = await at(cells)
        await desk.flag([A], True)
        label(cells, "flat", [B.path], annotator="bea")
        done = await desk.step_back()
        assert done is not None
        assert (done[0], done[1].rows.tolist(), done[1].others) == (
            f"Undid: {A.path} flagged.",
            [0],
            ("bea",),
        )
        assert class_name_at(desk, B) == "flat"

    run(test())
