"""Two apps on one labels.db: each offers images that the other does not, and alone nothing is written about that."""

import time
from pathlib import Path
from typing import Any

import pytest
from run_support import wait_for
from textual.pilot import Pilot
from tui_support import (
    label,
    labels_in,
    make_context,
    make_images,
    opened,
    press,
    run,
    screen_text,
    settle,
    told,
    wait_until,
)

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.review.leases import LEASE_S, Lease, StoreLeases
from mia_tui.tui.controller import news
from mia_tui.tui.label.screen import LabelScreen

COUNT = 40


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    root = make_images(tmp_path / "cells", COUNT)
    with LabelStore(root / "mia" / "labels.db", annotator="ann") as store:
        store.add_classes(["round", "flat"])
    return root


@pytest.fixture(autouse=True)
def frequent_news(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "NEWS_S", 0.05)


def leases(root: Path) -> list[Lease]:
    with LabelStore(root / "mia" / "labels.db") as store:
        return store.leases()


def current(pilot: Pilot[Any]) -> str:
    key = pilot.app.screen.session.current  # type: ignore[attr-defined]
    assert key is not None
    path: str = key.path
    return path


def sees_others(pilot: Pilot[Any]) -> bool:
    found: bool = pilot.app.screen.session.has_leased  # type: ignore[attr-defined]
    return found


def as_somebody(who: str) -> Any:
    from dataclasses import replace

    return replace(make_context(), annotator=who)


def test_who_labels_alone_writes_no_lease(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(StoreLeases, "take_leases", lambda *given, **more: asked.append(given) or [])

    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "1", "f2", "f2", "f3", "f2", "ctrl+z", "f2")
            await pilot.pause(0.3)

    run(test())
    assert asked == []
    run(test())  # the same person, right after
    assert asked == []


def test_two_people_are_led_to_different_images(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[tuple[str, str]] = []

    def show_message(screen: LabelScreen, message: str, **more: bool) -> None:
        messages.append((screen.controller.annotator, message))

    monkeypatch.setattr(LabelScreen, "show_message", show_message)

    async def test() -> None:
        async with opened(cells, context=as_somebody("anna"), notifications=True) as anna:
            await press(anna, "1", "f2", "f2")
            async with opened(cells, context=as_somebody("bob"), notifications=True) as bob:
                await press(bob, "f3", "2", "f1")  # labels what nobody has; anna's app sees bob at work
                await wait_until(anna, lambda: sees_others(anna))
                await press(anna, "f2")
                await wait_until(bob, lambda: sees_others(bob))
                seen: dict[str, list[str]] = {"anna": [], "bob": []}
                for _ in range(6):
                    for who, pilot in (("anna", anna), ("bob", bob)):
                        await press(pilot, "f3")
                        seen[who].append(current(pilot))
                        await press(pilot, "f1")
                assert not set(seen["anna"]) & set(seen["bob"])
            await wait_until(anna, lambda: not sees_others(anna))

    run(test())
    told_of = [(who, words.partition(" is labelling ")[0]) for who, words in messages if "labelling" in words]
    assert sorted(told_of) == [("anna", "bob"), ("bob", "anna")]
    by = {label.annotator for label in labels_in(cells).values()}
    assert by == {"anna", "bob"}
    wait_for(lambda: leases(cells) == [])  # both apps have ended, their threads a moment later


def test_the_key_for_the_next_image_passes_over_what_somebody_else_has(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, context=as_somebody("anna")) as pilot:
            with LabelStore(cells / "mia" / "labels.db", annotator="a script") as store:
                store.take_leases([ImageKey(f"image-{number:03}.png") for number in (1, 2, 3)], "script")
            await wait_until(pilot, lambda: sees_others(pilot))
            await press(pilot, "1", "f2")
            assert current(pilot) == "image-004.png"
            mine = {lease.image.path for lease in leases(cells) if lease.annotator == "anna"}
            assert {"image-004.png", "image-011.png"} <= mine
            assert not mine & {"image-001.png", "image-002.png", "image-003.png"}
            await press(pilot, "left")
            assert current(pilot) == "image-003.png"  # nobody is kept from going there

    run(test())
    assert {lease.holder for lease in leases(cells)} == {"script"}


def test_leases_of_a_program_that_was_killed_end_by_themselves(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        with LabelStore(cells / "mia" / "labels.db", annotator="killed") as store:
            store.take_leases([ImageKey("image-001.png")], "killed")
        async with opened(cells) as pilot:
            assert sees_others(pilot)
            now = time.time()
            monkeypatch.setattr(time, "time", lambda: now + LEASE_S + 5)
            await wait_until(pilot, lambda: not sees_others(pilot))

    run(test())


def test_when_all_that_is_left_is_somebody_elses_that_is_said(cells: Path) -> None:
    label(cells, "round", [f"image-{number:03}.png" for number in range(COUNT - 2)])

    async def test() -> None:
        async with opened(cells, size=(130, 42)) as pilot:
            with LabelStore(cells / "mia" / "labels.db", annotator="bob") as store:
                store.take_leases([ImageKey(f"image-{n:03}.png") for n in (COUNT - 2, COUNT - 1)], "other")
            await wait_until(pilot, lambda: sees_others(pilot))
            await press(pilot, "f3")
            assert "2 images somebody else is labelling" in screen_text(pilot.app)

    run(test())


def test_a_dataset_that_cannot_be_written_is_looked_at_without_leases(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mia_tui.errors import StoreError

    tries: list[object] = []

    def refuse(*given: object, **more: object) -> list[Lease]:
        tries.append(given)
        raise StoreError("labels.db cannot be written.")

    async def test() -> None:
        async with opened(cells, notifications=True) as pilot:
            with LabelStore(cells / "mia" / "labels.db", annotator="bob") as store:
                store.take_leases([ImageKey("image-001.png")], "other")
            await wait_until(pilot, lambda: sees_others(pilot))
            monkeypatch.setattr(StoreLeases, "take_leases", refuse)
            await press(pilot, "f3", "f3", "f3")
            await settle(pilot)
            assert current(pilot) == "image-004.png"
            assert "cannot be written" not in told(pilot.app)

    run(test())
    assert len(tries) == 1
