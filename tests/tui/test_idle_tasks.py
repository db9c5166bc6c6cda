"""What runs beside the keys: news of others, and work for idle time."""

import asyncio
import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import Patience
from tui_support import label, make_images, opened, press, without_fingerprint

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import MiaError, StoreError
from mia_tui.tui.controller import garbage, idle_tasks, news
from mia_tui.tui.controller.idle_tasks import finish_fingerprints, take_fingerprints
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.label.dataset_sync import take_folders


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[LabelController]:
    dataset = make_images(tmp_path / "cells", 4, classes=("round",))
    found = list_images(dataset)
    assert found is not None
    controller = LabelController(dataset, state=None, annotator="ann", listing=found.listing)
    yield controller
    controller.store_thread.drain(5)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "NEWS_S", 0.01)
    monkeypatch.setattr(idle_tasks, "IDLE_S", 0.01)


async def until(is_so: object, work: asyncio.Task[None]) -> None:
    """Wait, on an idle machine at most half a minute, then end the work."""
    patience = Patience(30.0)
    while not is_so() and not patience.is_over():  # type: ignore[operator]
        await asyncio.sleep(0.01)
    work.cancel()
    assert is_so()  # type: ignore[operator]


def test_what_others_label_is_told_once(controller: LabelController) -> None:
    async def test() -> None:
        await controller.load()
        came: list[int] = []
        work = asyncio.create_task(
            news.follow_news(
                controller,
                came=lambda: came.append(controller.session.counts.labelled),
                failed=print,
                tell=print,
            )
        )
        label(controller.dataset, "round", ["image-001.png"], annotator="bea")
        await until(lambda: came == [1], work)

    asyncio.run(test())


def test_a_store_that_cannot_be_read_is_told_once_until_it_can_be_again(
    controller: LabelController, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing, looks, failed = [True], [0], list[MiaError]()

    async def read() -> None:
        looks[0] += 1
        if failing[0]:
            raise StoreError("It cannot be read.")

    monkeypatch.setattr(controller, "news", read)

    async def test() -> None:
        work = asyncio.create_task(
            news.follow_news(controller, came=lambda: None, failed=failed.append, tell=print)
        )
        while looks[0] < 4:
            await asyncio.sleep(0.01)
        assert len(failed) == 1
        failing[0] = False
        at = looks[0]
        while looks[0] < at + 2:
            await asyncio.sleep(0.01)
        failing[0] = True
        await until(lambda: len(failed) == 2, work)

    asyncio.run(test())


def test_fingerprints_are_taken_only_while_nobody_presses_a_key(controller: LabelController) -> None:
    async def test() -> None:
        await controller.load()
        await controller.assign([ImageKey("image-000.png")], controller.session.classes[0].id)
        idle, noted = [False], [0]

        def remember() -> None:
            noted[0] += 1

        work = asyncio.create_task(
            idle_tasks.use_idle_time(controller, is_idle=lambda: idle[0], remember=remember)
        )
        while noted[0] < 4:
            await asyncio.sleep(0.01)
        assert len(controller.fingerprints) == 1
        idle[0] = True
        await until(lambda: len(controller.fingerprints) == 0, work)

    asyncio.run(test())


def test_garbage_is_collected_once_when_no_key_is_pressed(
    controller: LabelController, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle, looked, noted = [False], [0], [0]
    monkeypatch.setattr(garbage, "collect", lambda: looked.__setitem__(0, looked[0] + 1))

    async def rounds(count: int) -> None:
        end = noted[0] + count
        while noted[0] < end:
            await asyncio.sleep(0.01)

    async def test() -> None:
        work = asyncio.create_task(
            idle_tasks.use_idle_time(
                controller, is_idle=lambda: idle[0], remember=lambda: noted.__setitem__(0, noted[0] + 1)
            )
        )
        await rounds(3)
        assert looked == [0]
        idle[0] = True
        await rounds(4)
        assert looked == [1]
        idle[0] = False
        await rounds(3)
        idle[0] = True
        await until(lambda: looked == [2], work)

    asyncio.run(test())


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold(), gc.isenabled()
    yield
    gc.unfreeze()
    gc.collect()
    gc.freeze()  # as it was: what the tests import is left out
    gc.set_threshold(*before[0])
    (gc.enable if before[1] else gc.disable)()


def test_no_full_collection_starts_by_itself(collector: None) -> None:
    gc.disable()
    garbage.begin()
    assert gc.isenabled() and gc.get_freeze_count()
    before = gc.get_stats()[2]["collections"]
    kept = [[number] for number in range(300_000)]
    assert gc.get_stats()[2]["collections"] == before and len(kept) == 300_000


def test_what_a_dataset_left_behind_is_garbage_when_another_screen_comes(collector: None) -> None:
    class Left:
        gone = False

        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            Left.gone = True

    left = Left()
    garbage.begin()
    del left
    garbage.collect()
    assert not Left.gone, "what was known by then is not looked through"
    garbage.begin_afresh()
    assert Left.gone


def test_a_label_has_the_fingerprints_of_earlier_sessions_taken_and_looking_does_not(
    controller: LabelController,
) -> None:
    label(controller.dataset, "round", ["image-001.png", "image-002.png"], annotator="bea")

    async def test() -> None:
        await controller.load()
        await finish_fingerprints(controller)
        assert without_fingerprint(controller.dataset) == ["image-001.png", "image-002.png"]
        await controller.assign([ImageKey("image-000.png")], controller.session.classes[0].id)
        await finish_fingerprints(controller)
        assert without_fingerprint(controller.dataset) == []

    asyncio.run(test())


def test_labels_of_folders_get_their_fingerprints_as_a_person_s_do(tmp_path: Path) -> None:
    for name in ("round", "flat"):
        make_images(tmp_path / "cells" / name, 2)
    found = list_images(tmp_path / "cells")
    assert found is not None
    controller = LabelController(tmp_path / "cells", state=None, annotator="ann", listing=found.listing)

    async def test() -> None:
        await take_folders(controller)
        await finish_fingerprints(controller)
        store = LabelStore.open_existing(controller.state.labels_db)
        assert store is not None
        with store:
            assert len(store.labels()) == 4
            assert store.files_without_hash()[0] == []

    asyncio.run(test())


def test_what_is_not_read_in_time_is_left_for_the_next_session(controller: LabelController) -> None:
    async def test() -> None:
        await controller.load()
        await controller.assign([ImageKey("image-000.png")], controller.session.classes[0].id)
        await finish_fingerprints(controller, most_s=-1.0)
        assert without_fingerprint(controller.dataset) == ["image-000.png"]
        assert controller.fingerprints.has_more
        assert await take_fingerprints(controller, should_stop=lambda: True)
        assert without_fingerprint(controller.dataset) == ["image-000.png"]
        await finish_fingerprints(controller)
        assert without_fingerprint(controller.dataset) == []

    asyncio.run(test())


def test_a_file_that_cannot_be_read_does_not_keep_the_others_from_their_fingerprints(
    controller: LabelController,
) -> None:
    async def test() -> None:
        await controller.load()
        await controller.assign(
            [ImageKey(f"image-00{n}.png") for n in range(2)], controller.session.classes[0].id
        )
        (controller.dataset / "image-000.png").unlink()
        os.mkfifo(controller.dataset / "image-000.png")  # reading it would wait for ever
        await finish_fingerprints(controller)
        assert without_fingerprint(controller.dataset) == ["image-000.png"]
        assert not controller.fingerprints.has_more

    asyncio.run(test())


def test_a_label_set_just_before_quitting_has_its_fingerprint(tmp_path: Path) -> None:
    dataset = make_images(tmp_path / "cells", 2, classes=("round",))

    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "f1")
            await pilot.press("ctrl+q")
            while pilot.app.is_running and pilot.app.return_code is None:
                await asyncio.sleep(0.01)

    asyncio.run(test())
    assert without_fingerprint(dataset) == []
