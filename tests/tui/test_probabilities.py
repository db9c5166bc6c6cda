"""The probabilities of all classes beside the image, once a model has said something and where there is room."""

import re
from pathlib import Path

import pytest
from run_support import make_suggestions
from tui_support import make_images, opened, press, run, screen_text, wait_until

from mia_tui.runs.prediction import probabilities as module
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow
from mia_tui.runs.prediction.probabilities import keep_probabilities
from mia_tui.runs.record.layout import RunDir

BLOCKS = "▏▎▍▌▋▊▉█"
SMALL, WIDE = (80, 24), (120, 40)
CLASSES = ["round", "long", "spiny"]
NAMES = [f"image-{number:03}.png" for number in range(4)]


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 4, classes=("round", "long"))


@pytest.fixture
def predicted(cells: Path) -> RunDir:
    """The second image is long with 60 %, all others are round with 90 %."""
    made = make_suggestions(
        cells / "mia",
        {name: ("long", 0.6) if number == 1 else ("round", 0.9) for number, name in enumerate(NAMES)},
        classes=CLASSES,
    )
    header = PredictionHeader(str(cells), "w", CLASSES, made.name, False, 100.0)
    rows = [
        PredictionRow(name, 0, [0.3, 0.6, 0.1] if number == 1 else [0.9, 0.08, 0.02])
        for number, name in enumerate(NAMES)
    ]
    with made.probabilities.open("wb") as file:
        list(keep_probabilities(file, header, rows))
    return made


def panel(text: str) -> list[str]:
    """The lines with a percentage beside the image, without bars."""
    lines = [
        found[1] for line in text.splitlines() if (found := re.match(r"[│ ]?([^━].{0,30}?[0-9]%)", line))
    ]
    return [" ".join(word for word in line.split() if not set(word) & set(BLOCKS)) for line in lines]


@pytest.mark.usefixtures("predicted")
def test_all_classes_are_there_with_the_most_probable_first_for_each_image(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await wait_until(pilot, lambda: panel(screen_text(pilot.app))[:1] == ["1 round 90%"])
            await wait_until(pilot, lambda: len(panel(screen_text(pilot.app))) == 3)
            assert panel(screen_text(pilot.app)) == ["1 round 90%", "2 long 8%", "spiny 2%"]
            await press(pilot, "right")
            assert panel(screen_text(pilot.app)) == ["2 long 60%", "1 round 30%", "spiny 10%"]

    run(test())


@pytest.mark.usefixtures("predicted")
def test_a_key_changes_the_order_and_hides_them_and_that_is_kept(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "right")
            await wait_until(pilot, lambda: len(panel(screen_text(pilot.app))) == 3)
            await press(pilot, ":")
            assert panel(screen_text(pilot.app)) == ["1 round 30%", "2 long 60%", "spiny 10%"]
            assert "in the order of the classes" in screen_text(pilot.app)
        async with opened(cells, size=WIDE) as pilot:
            await wait_until(pilot, lambda: panel(screen_text(pilot.app))[:1] == ["1 round 90%"])
            await press(pilot, "right")
            assert panel(screen_text(pilot.app))[0] == "1 round 30%"
            await press(pilot, ":")
            assert panel(screen_text(pilot.app)) == []
        async with opened(cells, size=WIDE) as pilot:
            assert panel(screen_text(pilot.app)) == []
            await press(pilot, "right", ":")
            await wait_until(pilot, lambda: panel(screen_text(pilot.app))[:1] == ["2 long 60%"])

    run(test())


@pytest.mark.usefixtures("predicted")
def test_in_a_small_window_they_come_only_when_they_are_asked_for(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=SMALL) as pilot:
            assert panel(screen_text(pilot.app)) == []
            columns = pilot.app.screen.query_one("#image").size.width
            await press(pilot, ":")
            await wait_until(pilot, lambda: len(panel(screen_text(pilot.app))) == 3)
            assert pilot.app.screen.query_one("#image").size.width < columns
            await press(pilot, ":", ":")
            assert pilot.app.screen.query_one("#image").size.width == columns

    run(test())


def test_they_take_no_room_from_the_image_and_are_not_there_before_a_model_said_something(
    cells: Path,
) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            before = pilot.app.screen.query_one("#image").region
            assert pilot.app.screen.query_one("#frame").region.right == WIDE[0]
            await press(pilot, ":")
            assert "No model has said anything yet: Ctrl+E makes suggestions" in screen_text(pilot.app)
            make_suggestions(cells / "mia", {NAMES[0]: ("round", 0.9)}, classes=CLASSES)
            controller = pilot.app.screen.controller  # type: ignore[attr-defined]
            await controller.suggestions.refresh()
            pilot.app.screen.show()  # type: ignore[attr-defined]
            await wait_until(pilot, lambda: panel(screen_text(pilot.app)) == ["1 round 90%"])
            assert "only the best is known" in screen_text(pilot.app)
            assert pilot.app.screen.query_one("#image").region == before
            await press(pilot, "right")
            assert "no suggestion for this image" in screen_text(pilot.app)

    run(test())


@pytest.mark.usefixtures("predicted")
def test_of_a_large_file_only_pieces_are_read_and_keys_do_not_wait_for_them(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PIECE_BYTES", 50)  # a line

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            for _ in range(3):
                await press(pilot, "right")
                await wait_until(pilot, lambda: len(panel(screen_text(pilot.app))) == 3)
            await press(pilot, *["left"] * 2)
            await wait_until(pilot, lambda: panel(screen_text(pilot.app))[:1] == ["2 long 60%"])

    run(test())
