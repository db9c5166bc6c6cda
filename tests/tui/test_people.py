"""Several people in the app: a blind second pass, and disputes that one key decides."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from tui_support import (
    label,
    labels_in,
    make_images,
    opened,
    press,
    run,
    screen_text,
    settle,
    wait_until,
)

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore

WIDE = 130, 42
PATHS = [f"image-{number:03}.png" for number in range(6)]


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Six images that bob labelled, of which four are drawn for a second pass."""
    root = make_images(tmp_path / "cells", 6, classes=("round", "flat"))
    label(root, "round", PATHS[:3], annotator="bob")
    label(root, "flat", PATHS[3:], annotator="bob")
    with store_of(root) as store:
        store.draw_second_pass([ImageKey(path) for path in PATHS[1:5]])
    return root


def store_of(root: Path, who: str = "reader") -> LabelStore:
    return LabelStore(root / "mia" / "labels.db", annotator=who)


def opinions(root: Path, who: str = "ann") -> dict[str, str]:
    """What somebody said, by path."""
    with store_of(root) as store:
        names = {known.id: known.name for known in store.classes()}
        return {key.path: names[said[who].class_id] for key, said in store.opinions().items() if who in said}


def disagree(root: Path, who: str, *paths: str) -> None:
    """Somebody says of these images that they are flat."""
    with store_of(root, who) as store:
        flat = next(known.id for known in store.classes() if known.name == "flat")
        store.give_opinions([(ImageKey(path), flat) for path in paths])


async def command(pilot: Pilot[Any], name: str) -> None:
    pilot.app.screen.run_command(name)  # type: ignore[attr-defined]
    await settle(pilot)


def test_a_second_pass_shows_no_label_and_no_path_and_keeps_labels(cells: Path) -> None:
    before = labels_in(cells)

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await command(pilot, "second_pass")
            text = screen_text(pilot.app)
            assert "blind second pass, 0 of 4 done" in text
            assert "no label" in text
            assert "image-0" not in text
            assert "image 1" in text
            await press(pilot, "2", "f2", "1", "f2")
            assert "2 of 4 done" in screen_text(pilot.app)
            await press(pilot, "left")
            assert "round" in screen_text(pilot.app)  # what this person said

    run(test())
    assert labels_in(cells) == before
    assert sorted(opinions(cells).values()) == ["flat", "round"]
    assert set(opinions(cells)) < set(PATHS[1:5])


def test_a_second_pass_stops_and_goes_on_where_it_was_and_is_undone(cells: Path) -> None:
    async def first() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await command(pilot, "second_pass")
            await press(pilot, "2", "f2", "f2", "ctrl+z")
            assert "Undid: opinion on" in screen_text(pilot.app)
            assert "1 of 4 done" in screen_text(pilot.app)
            await press(pilot, "escape")
            assert "image-000.png" in screen_text(pilot.app)

    async def second() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await command(pilot, "second_pass")
            assert "1 of 4 done" in screen_text(pilot.app)
            await press(pilot, "2", "f2", "f2", "f2")
            assert "The second pass is done" in screen_text(pilot.app)
            await press(pilot, "f3")
            assert "All images shown were labelled again." in screen_text(pilot.app)

    run(first())
    assert len(opinions(cells)) == 1
    run(second())
    assert len(opinions(cells)) == 4


def test_what_was_said_is_withdrawn_by_the_key_that_removes_labels(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await command(pilot, "second_pass")
            await press(pilot, "2", "f1", "delete")
            assert "0 of 4 done" in screen_text(pilot.app)

    run(test())
    assert opinions(cells) == {}
    assert len(labels_in(cells)) == 6


def test_notes_and_networks_are_hidden_in_a_second_pass(cells: Path) -> None:
    with store_of(cells, "bob") as store:
        store.set_notes([ImageKey(path) for path in PATHS], "surely round")

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await command(pilot, "second_pass")
            assert "surely round" not in screen_text(pilot.app)
            await press(pilot, "ctrl+n")
            assert "Notes of others are hidden" in screen_text(pilot.app)
            await press(pilot, "ctrl+k")
            assert "No network is asked" in screen_text(pilot.app)
            screen = pilot.app.screen
            screen.queue.do(partial(screen.commands.ask_about, screen.session.current), opens=True)  # type: ignore[attr-defined]
            await settle(pilot)
            assert "image 1: which class" in screen_text(pilot.app)
            assert "image-0" not in screen_text(pilot.app)
            await press(pilot, "escape", "f7")
            text = screen_text(pilot.app)
            assert "image-0" not in text
            assert "surely" not in text

    run(test())


def test_own_labels_are_not_given_again(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            label(cells, "flat", PATHS[:3])
            label(cells, "round", PATHS[3:5])
            await command(pilot, "second_pass")
            assert "The images drawn have labels of yours" in screen_text(pilot.app)

    run(test())


def test_missing_images_are_no_part_of_the_second_pass(cells: Path) -> None:
    (cells / PATHS[1]).unlink()

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await command(pilot, "second_pass")
            assert "0 of 3 done" in screen_text(pilot.app)

    run(test())


def test_images_are_drawn_where_none_are(cells: Path) -> None:
    with store_of(cells) as store:
        store.end_second_pass()

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await command(pilot, "second_pass")
            assert "Draw how many of 6 labelled images" in screen_text(pilot.app)
            await press(pilot, "down", "down", "enter")
            assert "0 of 6 done" in screen_text(pilot.app)

    run(test())


def test_a_class_key_decides_a_dispute_and_enter_keeps_the_label(cells: Path) -> None:
    disagree(cells, "carl", *PATHS[:3])

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await command(pilot, "disputes")
            text = screen_text(pilot.app)
            assert "3 disputes: a class key decides" in text
            assert "flat: carl" in text
            assert "1, 2 decide and go on; Enter keeps the label" in text
            assert "1/3" in text
            await press(pilot, "2")
            assert "2/3" in screen_text(pilot.app)
            await press(pilot, "enter")
            assert "3/3" in screen_text(pilot.app)
            await press(pilot, "ctrl+z")
            assert "Undid: decision on image-001.png." in screen_text(pilot.app)
            await press(pilot, "enter", "enter")
            assert "All disputes are decided." in screen_text(pilot.app)
            await press(pilot, "escape")
            await command(pilot, "disputes")
            assert "There are no disputes" in screen_text(pilot.app)

    run(test())
    labels = labels_in(cells)
    assert labels[PATHS[0]].annotator == "ann"
    assert labels[PATHS[1]].annotator == "bob"
    with store_of(cells) as store:
        assert {key.path for key in store.decisions()} == set(PATHS[:3])
        assert set(store.opinions()[ImageKey(PATHS[0])]) == {"bob", "carl"}


def test_disputes_that_come_from_somebody_else_are_shown_by_the_filter(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await command(pilot, "disputes")
            assert "There are no disputes" in screen_text(pilot.app)
            disagree(cells, "carl", PATHS[1])
            session = pilot.app.screen.session  # type: ignore[attr-defined]
            await wait_until(pilot, lambda: bool(session.people._opinions))
            await press(pilot, "f5")
            await pilot.press(*"people")
            await press(pilot, "enter")
            assert "1/1" in screen_text(pilot.app)
            assert "flat: carl" in screen_text(pilot.app)

    run(test())
