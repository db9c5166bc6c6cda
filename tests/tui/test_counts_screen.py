"""Counts per group in the app: what is shown, from a cell to its images and back, and what the keys choose."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from run_support import make_evaluate_job, make_suggestions
from textual.pilot import Pilot
from tui_support import label, opened, press, run, screen_lines, screen_text, type_text, wait_until

from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.paths import StateFolder
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.runs.evaluation.epoch_predictions import (
    EpochPredictions,
    epoch_predictions_file,
    save_epoch_predictions,
)
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.counts.screen import CountsScreen

WIDE = 120, 40


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Eight slides of ten images; slide 7 is flat, the others mostly round; three of slide 1 have labels."""
    root, said = tmp_path / "cells", {}
    root.mkdir()
    rng = np.random.default_rng(0)
    for slide in range(1, 9):
        for cell in range(10):
            name = f"slide{slide}_cell{cell}.png"
            Image.new("L", (8, 8), slide * 20 + cell).save(root / name)
            flat = cell < 9 if slide == 7 else rng.random() < 0.2
            said[name] = ("flat" if flat else "round", 0.9)
    with LabelStore(root / "mia" / "labels.db") as store:
        store.add_classes(["round", "flat"])
    label(root, "round", ["slide1_cell0.png", "slide1_cell1.png"])
    label(root, "flat", ["slide1_cell2.png"])
    make_suggestions(root / "mia", said)
    return root


def evaluate(cells: Path, *, flat: int = 40) -> RunDir:
    truth, said = [0] * 40 + [1] * flat, [0] * 35 + [1] * (5 + flat)
    state = cells / "mia"
    samples = [Sample(f"t{place}.png", index, "test") for place, index in enumerate(truth)]
    made = RunDir.create(StateFolder(state), make_evaluate_job(state), samples, name="evaluate")
    counts = np.array([[35, 5], [0, flat]])
    save_confusion(made.confusion("evaluation"), SavedConfusion(1, "test", ("round", "flat"), counts))
    predictions = EpochPredictions(1, "test", np.array(said))
    save_epoch_predictions(epoch_predictions_file(made, "evaluation"), predictions)
    return made


def text_of(pilot: Pilot[Any]) -> str:
    return " ".join(" ".join(screen_lines(pilot.app)).split())


async def open_counts(pilot: Pilot[Any]) -> None:
    await press(pilot, "\\")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, CountsScreen) and pilot.app.screen.idle)
    await pilot.pause(0.05)


async def see_message(pilot: Pilot[Any], words: str) -> None:
    message = pilot.app.screen.query_one("#counts-message")
    await wait_until(pilot, lambda: words in " ".join(str(message.render()).split()))


def line_of(pilot: Pilot[Any], name: str) -> str:
    return next(line for line in screen_lines(pilot.app) if f" {name} " in line)


def test_slides_are_counted_with_the_newest_predictions(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await open_counts(pilot)
            text = screen_text(pilot.app)
            assert "fraction in % of predictions by resnet18" in text and "slides in names" in text
            assert "all 8 groups" in text
            assert line_of(pilot, "slide7").split()[1:5] == ["slide7", "10", "10.0", "90.0"]
            assert "bootstrap over 8 groups" in text
            await press(pilot, "space")
            assert line_of(pilot, "slide7").split()[1:5] == ["slide7", "10", "1", "9"]
            await press(pilot, "space")
            assert "enrichment score of predictions" in screen_text(pilot.app)
            await press(pilot, "u")
            await pilot.pause(0.05)
            assert "of labels" in screen_text(pilot.app) and "2 of 3 labels" in screen_text(pilot.app)

    run(test())


def test_a_cell_opens_its_images_and_escape_returns_to_the_cell(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await open_counts(pilot)
            await press(pilot, "right", "s", "down")  # the largest fraction of flat comes first
            await pilot.pause(0.05)
            assert "Groups are sorted by fraction" in screen_text(pilot.app)
            assert "flat: 9 of 10 predictions; 10 images." in screen_text(pilot.app)
            await press(pilot, "enter")
            await wait_until(pilot, lambda: not isinstance(pilot.app.screen, CountsScreen))
            await pilot.pause(0.05)
            text = text_of(pilot)
            assert "9 images: slide7, predicted flat." in text and "goes back to the counts" in text
            await press(pilot, "escape")
            await wait_until(
                pilot, lambda: isinstance(pilot.app.screen, CountsScreen) and pilot.app.screen.idle
            )
            await pilot.pause(0.05)
            assert "flat: 9 of 10 predictions" in screen_text(pilot.app)
            await press(pilot, "o")
            await wait_until(pilot, lambda: "10 images: slide7." in text_of(pilot))

    run(test())


def test_groups_are_changed_by_a_pattern_and_a_wrong_one_changes_nothing(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await open_counts(pilot)
            await press(pilot, "g")
            await type_text(pilot, "(cell[0-9")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "not a regular expression" in text_of(pilot))
            await type_text(pilot, "])")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "all 10 groups" in screen_text(pilot.app))
            assert line_of(pilot, "cell3")
            await press(pilot, "g")
            await press(pilot, *["backspace"] * 20)
            await type_text(pilot, "nothing")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "matches none of the images" in text_of(pilot))
            assert "all 10 groups" in screen_text(pilot.app)

    run(test())


def test_fractions_are_corrected_where_confusions_are_known(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await open_counts(pilot)
            await press(pilot, "c")
            await wait_until(pilot, lambda: "No evaluation of resnet18 is found" in text_of(pilot))
            assert "fraction in % of predictions" in screen_text(pilot.app)
            made = evaluate(cells)
            await press(pilot, "c")
            await wait_until(pilot, lambda: f"of the evaluation {made.name}" in text_of(pilot))
            assert "corrected fraction in %" in screen_text(pilot.app)
            assert "Corrected" in screen_text(pilot.app)
            await press(pilot, "c")
            await wait_until(pilot, lambda: "as they were predicted" in text_of(pilot))

    run(test())


def test_why_fractions_are_not_corrected_is_said_also_if_there_are_other_notes(cells: Path) -> None:
    Image.new("L", (8, 8)).save(cells / "slide8_cell10.png")  # has no prediction
    evaluate(cells, flat=0)

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await open_counts(pilot)
            await press(pilot, "c")
            await wait_until(pilot, lambda: "no image of flat is among the 40 images" in text_of(pilot))
            await see_message(pilot, "Fractions are not corrected: no image of flat")

    run(test())


def test_groups_are_compared_with_controls_and_written_as_csv(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await open_counts(pilot)
            await press(pilot, "a")
            await type_text(pilot, "slide[1-6]")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "Groups are compared with 6 controls." in text_of(pilot))
            await press(pilot, "e")
            await wait_until(pilot, lambda: "to which CSV file" in text_of(pilot))
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "16 rows in" in text_of(pilot))

    run(test())
    with (cells / "counts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 16 and sum(row["is_control"] == "TRUE" for row in rows) == 12


def test_a_dataset_without_labels_and_predictions_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "cells").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / "cells" / "a.png")

    async def test() -> None:
        async with opened(tmp_path / "cells", size=(80, 24)) as pilot:
            await open_counts(pilot)
            assert "nothing to count" in text_of(pilot)
            await press(pilot, "enter", "space", "right", "s", "u", "e", "o")
            await pilot.pause(0.05)
            assert "nothing to count" in text_of(pilot)
            await press(pilot, "escape")
            await wait_until(pilot, lambda: not isinstance(pilot.app.screen, CountsScreen))

    run(test())
