"""What is known of an open dataset, without a screen: nothing that others write is lost, and the status is true."""

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from listing_support import listing_of
from tui_support import label, labels_in, make_images

from mia_tui.dataset.listing import listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.dataset.session import changes
from mia_tui.errors import StoreReplaced
from mia_tui.tui.controller.idle_tasks import take_fingerprints
from mia_tui.tui.controller.label_controller import LabelController

A, B = ImageKey("image-000.png"), ImageKey("image-001.png")


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 6, classes=("round", "flat"))


async def at(dataset: Path) -> LabelController:
    """The controller of a dataset, with all its images."""
    found = list_images(dataset)
    assert found is not None
    controller = LabelController(dataset, state=None, annotator="ann", listing=found.listing)
    await controller.load()
    return controller


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def class_name_at(controller: LabelController, key: ImageKey) -> str | None:
    row = controller.session.listing.row(key)
    assert row is not None
    image_class = controller.session.state_of(row).image_class
    return image_class.name if image_class else None


def test_what_others_label_while_fingerprints_are_taken_is_not_lost(cells: Path) -> None:
    async def test() -> None:
        controller = await at(cells)
        await controller.assign([A], controller.session.classes[0].id)
        label(cells, "flat", [B.path], annotator="bea")
        await take_fingerprints(controller, should_stop=lambda: False)
        await controller.news()
        assert class_name_at(controller, B) == "flat"

    run(test())


def test_a_key_that_changed_nothing_is_not_said_to_be_saved_whatever_others_wrote(cells: Path) -> None:
    async def test() -> None:
        controller = await at(cells)
        round_one = controller.session.classes[0].id
        await controller.assign([A], round_one)
        saved = controller.saved
        assert saved is not None and saved.what == f"{A.path} = round"
        label(cells, "flat", [B.path], annotator="bea")
        assert await controller.clear([ImageKey("image-002.png")]) == 0
        assert controller.saved is saved and class_name_at(controller, B) == "flat"

    run(test())


def test_labels_of_classes_put_away_and_of_files_that_are_gone_are_counted(cells: Path) -> None:
    async def test() -> None:
        controller = await at(cells)
        first, second = (known.id for known in controller.session.classes)
        await controller.assign([A, B], first)
        await controller.assign([ImageKey("gone.png")], second)
        await controller.write(lambda store: store.archive_class(first), "class round archived")
        assert await controller.label_counts() == {first: 2, second: 1}
        assert set(labels_in(cells)) == {A.path, B.path, "gone.png"}

    run(test())


def test_without_a_labels_db_nothing_is_counted(tmp_path: Path) -> None:
    async def test() -> None:
        controller = await at(make_images(tmp_path / "plain", 1))
        assert await controller.label_counts() == {}

    run(test())


def test_an_answer_given_while_labels_db_was_replaced_is_refused(cells: Path) -> None:
    async def test() -> None:
        controller = await at(cells)
        other = make_images(cells.parent / "other", 1, classes=("flat", "round")) / "mia" / "labels.db"
        answer = asyncio.get_running_loop().create_future()
        asked = asyncio.create_task(controller.answered(answer))
        await asyncio.sleep(0)
        other.replace(cells / "mia" / "labels.db")
        with pytest.raises(StoreReplaced):
            await controller.news()
        await controller.news()
        answer.set_result(controller.session.classes[0].id)
        with pytest.raises(StoreReplaced, match="nothing was done"):
            await asked

        async def none() -> None:
            return None

        assert await controller.answered(none()) is None

    run(test())


def test_what_a_covered_screen_does_not_ask_for_is_bounded(cells: Path) -> None:
    async def test() -> None:
        controller = await at(cells)
        keys = [ImageKey(f"image-00{number}.png") for number in range(6)]
        for number in range(400):
            await controller.flag(keys, number % 2 == 0)
        assert len(controller.changed_rows()) <= 1000

    run(test())


def test_folders_are_looked_at_in_a_thread(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads = []
    parent_of = listing.parent_of

    def watched(path: str) -> str:
        threads.append(threading.current_thread())
        return parent_of(path)

    async def test() -> None:
        controller = await at(cells)
        monkeypatch.setattr(listing, "parent_of", watched)
        await controller.class_folders()
        assert threads and threading.main_thread() not in threads

    run(test())


def test_others_may_work_while_thousands_of_marks_are_taken_over(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_STEP", 50)
    keys = [ImageKey(f"{number}.png") for number in range(1000)]

    controller: LabelController

    async def turns_while(work: Coroutine[Any, Any, object]) -> int:
        """How often the event loop came round after the write."""
        task, turns = asyncio.create_task(work), 0
        while not task.done():
            turns += controller.store_thread.busy_since is None
            await asyncio.sleep(0)
        await task
        return turns

    async def test() -> None:
        nonlocal controller
        controller = await at(cells)
        controller.session.replace_listing(listing_of(*(key.path for key in keys)))
        for work in (
            lambda: controller.flag(keys, True),
            lambda: controller.skip(keys, True),
            lambda: controller.step_back(),
            lambda: controller.step_back(redo=True),
        ):
            assert await turns_while(work()) >= len(keys) // 50
        assert (controller.session.counts.flagged, controller.session.counts.skipped) == (1000, 1000)

    run(test())


def test_what_an_undo_shows_leaves_out_what_others_did_meanwhile(cells: Path) -> None:
    async def test() -> None:
        controller = await at(cells)
        await controller.flag([A], True)
        label(cells, "flat", [B.path], annotator="bea")
        done = await controller.step_back()
        assert done is not None
        assert (done[0], done[1].rows.tolist(), done[1].others) == (
            f"Undid: {A.path} flagged.",
            [0],
            ("bea",),
        )
        assert class_name_at(controller, B) == "flat"

    run(test())
