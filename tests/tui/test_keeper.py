"""The thread of the labels: what could not be read is read again, and commands that must be done are."""

import asyncio
from pathlib import Path

import pytest

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import MiaError, StoreError
from mia_tui.tui.services.desk import Desk
from mia_tui.tui.services.keeper import Keeper
from mia_tui.tui.services.obeying import CommandQueue


def labelled(folder: Path) -> Path:
    path = folder / "mia" / "labels.db"
    with LabelStore(path, annotator="bob") as store:
        added = store.add_class("round")
        store.set_labels([(ImageKey("a.png"), added.id)], source="person")
    return path


def test_labels_that_could_not_be_read_are_read_at_the_next_look(
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
        keeper = Keeper(lambda: path, "ann")
        with pytest.raises(StoreError):
            await keeper.load()
        assert await keeper.news() is None, "load it again"
        assert len((await keeper.load()).labels) == 1
        assert await keeper.news() == []
        keeper.drain(5.0)

    asyncio.run(test())


def test_what_comes_while_labels_are_loaded_is_not_overwritten_by_them(tmp_path: Path) -> None:
    path = labelled(tmp_path)

    async def test() -> None:
        desk = Desk(tmp_path, state=None, annotator="ann")
        desk.session.extend(["a.png"])
        loading = asyncio.create_task(desk.load())
        while not desk._loading:
            await asyncio.sleep(0)
        with LabelStore(path, annotator="bob") as store:
            added = store.add_class("flat")
            store.set_labels([(ImageKey("a.png"), added.id)], source="person")
        assert await desk.news() is None
        await loading
        await desk.news()
        found = desk.session.state_of(0).image_class
        assert found is not None and found.name == "flat"
        desk.keeper.drain(5.0)

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
