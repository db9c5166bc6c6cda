"""The store thread: what could not be read is read again, and no label goes into a file that was replaced."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from listing_support import listing_of

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import MiaError, StoreError, StoreReplaced
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.controller.store_thread import StoreThread
from mia_tui.tui.keys.command_queue import CommandQueue


def labelled(folder: Path) -> Path:
    path = folder / "mia" / "labels.db"
    with LabelStore(path, annotator="bob") as store:
        added = store.add_class("round")
        store.set_labels([(ImageKey("a.png"), added.id)], source="person")
    return path


def test_labels_that_could_not_be_read_are_read_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = labelled(tmp_path)
    read, failed = LabelStore.labels, []

    def labels(store: LabelStore) -> object:
        if not failed:
            failed.append(1)
            raise StoreError("The disk hiccups.")
        return read(store)

    monkeypatch.setattr(LabelStore, "labels", labels)

    async def test() -> None:
        store_thread = StoreThread(lambda: path, "ann")
        with pytest.raises(StoreError):
            await store_thread.load()
        assert await store_thread.news() is None, "load it again"
        assert len((await store_thread.load()).labels) == 1
        assert await store_thread.news() == []
        store_thread.drain(5.0)

    asyncio.run(test())


def test_what_comes_while_labels_are_loaded_is_not_overwritten_by_them(tmp_path: Path) -> None:
    path = labelled(tmp_path)

    async def test() -> None:
        controller = LabelController(tmp_path, state=None, annotator="ann")
        controller.session.replace_listing(listing_of("a.png"))
        loading = asyncio.create_task(controller.load())
        while not controller.store_thread._loaded:
            await asyncio.sleep(0)
        with LabelStore(path, annotator="bob") as store:
            added = store.add_class("flat")
            store.set_labels([(ImageKey("a.png"), added.id)], source="person")
        assert await controller.news() is None
        await loading
        await controller.news()
        found = controller.session.state_of(0).image_class
        assert found is not None and found.name == "flat"
        controller.store_thread.drain(5.0)

    asyncio.run(test())


def test_the_end_of_the_app_is_not_dropped_with_what_waits_behind_a_failed_write() -> None:
    done: list[str] = []

    async def test() -> None:
        queue = CommandQueue(
            begin=lambda: None,
            done=lambda: None,
            failed=lambda error, dropped: done.append(f"dropped {dropped}"),
            slow=lambda waiting: None,
        )

        async def fail() -> None:
            raise MiaError("The disk is full.")

        async def note(what: str) -> None:
            done.append(what)

        queue.do(fail)
        queue.do(lambda: note("label"))
        queue.do(lambda: note("end"), keep=True)
        worker = asyncio.create_task(queue.run())
        while not queue.idle:
            await asyncio.sleep(0)
        worker.cancel()

    asyncio.run(test())
    assert done == ["dropped 1", "end"]


def another_store(path: Path, *classes: str, annotator: str = "bob") -> None:
    """A labels.db as a backup brings it back: with `classes`, and a.png in the last of them."""
    with LabelStore(path, annotator=annotator) as store:
        added = [store.add_class(name) for name in classes]
        store.set_labels([(ImageKey("a.png"), added[-1].id)], source="person")


async def controller_in(folder: Path) -> LabelController:
    """Ann's, with two images."""
    controller = LabelController(folder, state=None, annotator="ann")
    controller.session.replace_listing(listing_of("a.png", "b.png"))
    await controller.load()
    return controller


def by_rename(path: Path, new: Path) -> None:
    new.replace(path)


def by_writing_over(path: Path, new: Path) -> None:
    shutil.copyfile(new, path)


@pytest.mark.parametrize("bring", [by_rename, by_writing_over])
def test_a_labels_db_brought_back_from_a_backup_is_said_and_read_and_takes_the_next_label(
    tmp_path: Path, bring: Callable[[Path, Path], None]
) -> None:
    path = labelled(tmp_path)

    async def test() -> None:
        controller = await controller_in(tmp_path)
        another_store(tmp_path / "backup.db", "flat", "round", "oval")
        bring(path, tmp_path / "backup.db")
        with pytest.raises(StoreReplaced, match="replaced by another file while the app was open"):
            await controller.news()
        assert await controller.news() is not None, "it is loaded now"
        assert [known.name for known in controller.session.classes] == ["flat", "round", "oval"]
        state = controller.session.state_of(0)
        assert state.image_class is not None and state.image_class.name == "oval"
        await controller.assign([ImageKey("b.png")], controller.session.classes[0].id)
        controller.store_thread.drain(5.0)

    asyncio.run(test())
    with LabelStore(path) as store:
        assert sorted(key.path for key in store.labels()) == ["a.png", "b.png"]


@pytest.mark.parametrize("bring", [by_rename, by_writing_over])
def test_a_label_pressed_before_the_other_file_was_read_is_refused_not_given_to_another_class(
    tmp_path: Path, bring: Callable[[Path, Path], None]
) -> None:
    path = labelled(tmp_path)

    async def test() -> None:
        controller = await controller_in(tmp_path)
        another_store(tmp_path / "backup.db", "flat", "round")
        bring(path, tmp_path / "backup.db")
        [round_] = controller.session.classes
        with pytest.raises(StoreReplaced, match=r"not saved.*replaced"):
            await controller.assign([ImageKey("b.png")], round_.id)
        assert [known.name for known in controller.session.classes] == ["flat", "round"], "loaded at once"
        assert await controller.news() is None, "it was said already"
        await controller.assign([ImageKey("b.png")], controller.session.classes[1].id)
        controller.store_thread.drain(5.0)

    asyncio.run(test())
    with LabelStore(path) as store:
        names = {known.id: known.name for known in store.classes()}
        assert {key.path: names[label.class_id] for key, label in store.labels().items()} == {
            "a.png": "round",
            "b.png": "round",
        }


def test_a_key_that_waits_while_another_file_is_loaded_is_not_written_into_it(tmp_path: Path) -> None:
    path = labelled(tmp_path)

    async def test() -> None:
        controller = await controller_in(tmp_path)
        another_store(tmp_path / "backup.db", "flat", "round")
        (tmp_path / "backup.db").replace(path)
        with pytest.raises(StoreReplaced):
            await controller.news()
        loading = asyncio.create_task(controller.news())
        waiting = asyncio.create_task(
            controller.assign([ImageKey("b.png")], controller.session.classes[0].id)
        )
        await loading
        with pytest.raises(StoreReplaced):
            await waiting
        controller.store_thread.drain(5.0)

    asyncio.run(test())
    with LabelStore(path) as store:
        assert [key.path for key in store.labels()] == ["a.png"]


def test_a_deleted_labels_db_is_said_and_nothing_is_written_into_it(tmp_path: Path) -> None:
    path = labelled(tmp_path)

    async def test() -> None:
        controller = await controller_in(tmp_path)
        shutil.rmtree(path.parent)
        [round_] = controller.session.classes
        with pytest.raises(StoreReplaced, match=r"not saved.*deleted or moved away"):
            await controller.assign([ImageKey("b.png")], round_.id)
        assert (
            not path.exists() and not controller.session.classes and controller.session.counts.labelled == 0
        )
        added = await controller.write(lambda store: store.add_class("oval"), "class oval")
        await controller.assign([ImageKey("b.png")], added.id)
        controller.store_thread.drain(5.0)

    asyncio.run(test())
    with LabelStore(path) as store:
        assert [key.path for key in store.labels()] == ["b.png"]


def test_work_for_idle_time_that_meets_another_file_leaves_the_message_to_the_news(tmp_path: Path) -> None:
    path = labelled(tmp_path)

    async def test() -> None:
        store_thread = StoreThread(lambda: path, "ann")
        await store_thread.load()
        another_store(tmp_path / "backup.db", "flat")
        (tmp_path / "backup.db").replace(path)
        with pytest.raises(StoreReplaced):
            await store_thread.write(lambda store: store.save_fingerprints([]))
        with pytest.raises(StoreReplaced):
            await store_thread.news()
        assert await store_thread.news() is None
        await store_thread.load()
        assert await store_thread.news() == []
        store_thread.drain(5.0)

    asyncio.run(test())
