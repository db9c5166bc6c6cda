"""Stacks in the app: labels that an earlier version made, and stacks that are labelled as a whole."""

from pathlib import Path
from typing import Any

import pytest
from run_support import make_predict_job
from stack_support import labelled_stacks, make_stacks
from textual.pilot import Pilot
from tui_support import opened, press, run, screen_text, settle, told, wait_until

from mia_tui.dataset.model import WHOLE_STACK, ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.paths import StateFolder
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow
from mia_tui.runs.prediction.suggestions import write_suggestions
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.controller import label_controller
from mia_tui.tui.label.screen import LabelScreen

WIDE = 150, 40
HYPER = ImageKey("stacks/hyper.tif", WHOLE_STACK)


def label_screen(pilot: Pilot[Any]) -> LabelScreen:
    assert isinstance(pilot.app.screen, LabelScreen)
    return pilot.app.screen


def labels_shown(pilot: Pilot[Any]) -> dict[tuple[str, int], str]:
    session = label_screen(pilot).session
    keys = [session.listing.key(row) for row in range(len(session.listing))]
    states = [session.state_of(row) for row in range(len(keys))]
    return {
        (key.path, key.frame): state.image_class.name
        for key, state in zip(keys, states, strict=True)
        if state.image_class
    }


async def choose_stacks(pilot: Pilot[Any]) -> None:
    label_screen(pilot).run_command("stacks")
    await settle(pilot)


def test_labels_of_an_earlier_version_are_shown_at_the_frames_of_today(tmp_path: Path) -> None:
    root = labelled_stacks(tmp_path / "cells")

    async def test() -> None:
        async with opened(root, size=WIDE, notifications=True) as pilot:
            found = labels_shown(pilot)
            assert {frame: name for (path, frame), name in found.items() if path == HYPER.path} == {
                0: "dark",
                1: "dark",
                2: "light",
            }
            assert [(f, n) for (p, f), n in sorted(found.items()) if p == "stacks/times.ome.tif"] == [
                (0, "light"),
                (1, "light"),
            ]
            assert len(found) == 18  # without the second frame of the film, which the app does not show
            assert "Labels of 3 stacks got the numbers that frames have now" in told(pilot.app)

    run(test())
    with LabelStore(root / "mia/labels.db") as store:
        assert store.old_pages() == {}


def test_where_nothing_can_be_saved_labels_of_stacks_are_left_out_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = labelled_stacks(tmp_path / "cells")
    monkeypatch.setattr(label_controller, "why_unwritable", lambda path: "Nothing can be saved here.")
    before = (root / "mia/labels.db").read_bytes()

    async def test() -> None:
        async with opened(root, size=WIDE, notifications=True) as pilot:
            assert [frame for path, frame in labels_shown(pilot) if path == HYPER.path] == [0]
            assert "of stacks are not shown: frames are counted in another way now" in told(pilot.app)

    run(test())
    assert (root / "mia/labels.db").read_bytes() == before


def test_a_stack_is_labelled_once_when_the_person_chooses_so(tmp_path: Path) -> None:
    root = make_stacks(tmp_path / "cells")
    with LabelStore(root / "mia/labels.db") as store:
        dark = store.add_class("dark").id
        store.set_labels([(ImageKey(HYPER.path, 1), dark)], source="person")

    async def test() -> None:
        async with opened(root, size=WIDE, notifications=True) as pilot:
            session = label_screen(pilot).session
            assert len(session.listing) == 20
            await choose_stacks(pilot)
            asked = " ".join(screen_text(pilot.app).split())
            assert "Label stacks as a whole?" in asked
            assert "1 label of a single frame is kept and not used" in asked.replace("│ ", "")
            await press(pilot, "y")
            await settle(pilot)
            assert len(session.listing) == 13
            assert labels_shown(pilot) == {}
            assert "A stack is labelled as a whole" in told(pilot.app) and "gone" not in told(pilot.app)
            assert "1 unused" in screen_text(pilot.app) and "missing" not in screen_text(pilot.app)
            row = session.listing.row(HYPER)
            assert row is not None
            session.reveal(row)
            await press(pilot, "f1")
            assert labels_shown(pilot) == {(HYPER.path, WHOLE_STACK): "dark"}
            assert "stack of 3 frames" in screen_text(pilot.app)
            await press(pilot, "]")
            assert "frame 1" in screen_text(pilot.app)
            await press(pilot, "[")
            assert "frame 1" not in screen_text(pilot.app)
            await press(pilot, "[")
            assert "frame 3" in screen_text(pilot.app)
            await choose_stacks(pilot)
            await press(pilot, "y")
            await settle(pilot)
            assert labels_shown(pilot) == {(HYPER.path, 1): "dark"}

    run(test())
    with LabelStore(root / "mia/labels.db") as store:
        assert set(store.labels()) == {HYPER, ImageKey(HYPER.path, 1)}


def test_the_frame_that_is_shown_of_a_whole_stack_is_named_in_a_narrow_window_too(tmp_path: Path) -> None:
    root = make_stacks(tmp_path / "cells")
    with LabelStore(root / "mia/labels.db") as store:
        store.set_meta("stacks", "whole")

    async def test() -> None:
        async with opened(root, size=(80, 24)) as pilot:
            session = label_screen(pilot).session
            row = session.listing.row(HYPER)
            assert row is not None
            session.reveal(row)
            label_screen(pilot).show()
            await press(pilot, "]")
            await wait_until(pilot, lambda: "· frame 1" in screen_text(pilot.app))

    run(test())


def test_a_dataset_that_was_chosen_to_be_whole_opens_so_and_says_so(tmp_path: Path) -> None:
    root = make_stacks(tmp_path / "cells")
    with LabelStore(root / "mia/labels.db") as store:
        store.set_meta("stacks", "whole")

    async def test() -> None:
        for _ in range(2):  # as found, and as known from the last time
            async with opened(root, size=WIDE, notifications=True) as pilot:
                assert len(label_screen(pilot).session.listing) == 13
                assert "4 files are stacks, labelled as a whole" in told(pilot.app)

    run(test())


def test_suggestions_of_whole_stacks_are_counted_where_frames_are_labelled(tmp_path: Path) -> None:
    root = make_stacks(tmp_path / "cells")
    made = RunDir.create(StateFolder(root / "mia"), make_predict_job(root / "mia"), name="predict")
    made.predictions.mkdir()
    header = PredictionHeader(str(root.resolve()), "w", ["dark", "light"], made.name, False, 100.0)
    with made.suggestions.open("wb") as file:
        write_suggestions(file, header, [PredictionRow(HYPER.path, WHOLE_STACK, [0.9, 0.1])])

    async def test() -> None:
        async with opened(root, size=WIDE, notifications=True) as pilot:
            assert "1 of them is of whole stacks, whose frames are labelled one by one" in told(pilot.app)
            await choose_stacks(pilot)
            await press(pilot, "y")
            await settle(pilot)
            session = label_screen(pilot).session
            row = session.listing.row(HYPER)
            assert row is not None and session.state_of(row).suggestion is not None

    run(test())


def test_a_dataset_of_stacks_without_labels_says_how_they_are_labelled(tmp_path: Path) -> None:
    root = make_stacks(tmp_path / "cells")

    async def test() -> None:
        async with opened(root, size=WIDE, notifications=True) as pilot:
            assert "4 files are stacks: each frame is an image to label" in told(pilot.app)

    run(test())


def test_a_dataset_without_stacks_says_nothing_of_them(tmp_path: Path) -> None:
    root = make_stacks(tmp_path / "cells")
    for path in (root / "stacks").iterdir():
        path.unlink()

    async def test() -> None:
        async with opened(root, size=WIDE, notifications=True) as pilot:
            assert "stack" not in told(pilot.app)
            await choose_stacks(pilot)
            assert "There are no stacks here." in screen_text(pilot.app)

    run(test())
