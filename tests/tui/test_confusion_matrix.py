"""The confusion matrix on the screen of a run: it fills its room, can be read on every terminal, and opens images."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.color import Color, ColorSystem
from test_run_screen import a_run, see, watched
from textual.geometry import Offset
from textual.pilot import Pilot
from tui_support import (
    contrast_of,
    luminance,
    make_context,
    press,
    screen_lines,
    screen_text,
    settle,
    wait_until,
)
from tui_support import run as run_test

from mia_tui.dataset.model import ImageKey
from mia_tui.runs.evaluation.confusion import SavedConfusion, save_confusion
from mia_tui.text import percent
from mia_tui.tui.open_dataset import OpenImages
from mia_tui.tui.runs.figures.matrix import ConfusionMatrix
from mia_tui.tui.runs.figures.matrix_layout import LEAST_CELL, lay_out
from mia_tui.tui.widgets.ink import contrast
from mia_tui.tui.widgets.shades import STEPS, _ramp, level_of

CLASSES = ("basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil", "platelet")
COUNTS = np.array(
    [
        [40, 0, 0, 0, 10, 0],
        [0, 50, 0, 0, 0, 0],
        [0, 0, 45, 5, 0, 0],
        [0, 0, 9, 41, 0, 0],
        [7, 0, 0, 0, 43, 0],
        [0, 0, 0, 0, 0, 1000],
    ]
)


def confused(folder: Path, classes: tuple[str, ...] = CLASSES, counts: np.ndarray = COUNTS) -> Any:
    run = a_run(folder, classes=classes)
    for which, epoch in (("last", 3), ("best", 2)):
        save_confusion(run.confusion(which), SavedConfusion(epoch, "val", classes, counts))  # type: ignore[arg-type]
    return run


async def open_matrix(pilot: Pilot[None]) -> ConfusionMatrix:
    await press(pilot, "4")
    await see(pilot, "predicted as")
    await settle(pilot)
    return pilot.app.screen.query_one(ConfusionMatrix)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_the_matrix_fills_its_room_with_counts_shares_and_margins(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async def test() -> None:
        async with watched(confused(tmp_path), size=size) as pilot:
            matrix = await open_matrix(pilot)
            layout = matrix._layout
            cells = (layout.lefts[-1] - layout.lefts[0]) * (layout.tops[-1] - layout.tops[0])
            assert cells > (0.4 if size[1] == 24 else 0.6) * matrix.size.width * matrix.size.height
            text = screen_text(pilot.app)
            for words in ("recall", "images", "precision", "1,000", "100%", "98%"):
                assert words in text, words
            if size[0] >= 120:
                assert "80%" in text and "accuracy" in text

    run_test(test())


def test_classes_that_are_confused_are_neighbours_until_a_key_puts_them_in_their_order(
    tmp_path: Path,
) -> None:
    async def test() -> None:
        async with watched(confused(tmp_path), size=(120, 40)) as pilot:
            await open_matrix(pilot)

            def rows() -> list[str]:
                lines = [line for line in screen_lines(pilot.app) if "%" in line and "predicted" not in line]
                starts = [line.lstrip("│▸ ").split(" ")[0] for line in lines]
                return [word for word in starts if word in CLASSES]

            assert rows() == ["basophil", "neutrophil", "eosinophil", "lymphocyte", "monocyte", "platelet"]
            await press(pilot, "down", "o")
            assert rows() == list(CLASSES)
            assert "neutrophil predicted as basophil: 7 images, 14% of the class" in screen_text(pilot.app)

    run_test(test())


def test_a_click_puts_the_cursor_on_a_cell_and_a_second_one_opens_its_images(tmp_path: Path) -> None:
    async def test() -> None:
        async with watched(a_run(tmp_path), size=(120, 40)) as pilot:
            matrix = await open_matrix(pilot)
            layout = matrix._layout
            place = Offset(layout.lefts[1] + 2, layout.tops[0] + 1)
            await pilot.click(ConfusionMatrix, offset=place)
            await settle(pilot)
            assert "cat predicted as dog: 2 images, 67% of the class" in screen_text(pilot.app)
            await asyncio.sleep(0.6)  # a click after a pause is the first of two
            await pilot.click(ConfusionMatrix, offset=place, times=2)
            await wait_until(pilot, lambda: pilot.app.ended)
            keys = (ImageKey("b.png"), ImageKey("c.png"))
            assert pilot.app.result == OpenImages("truth cat, predicted dog", keys)

    run_test(test())


@pytest.mark.parametrize("theme", ["mia-dark", "mia-light", "nord", "solarized-light", "dracula"])
def test_text_can_be_read_on_every_shade_also_with_256_colours(theme: str) -> None:
    from textual.theme import BUILTIN_THEMES

    from mia_tui.tui.theme import own_themes

    colours = {made.name: made for made in (*own_themes(), *BUILTIN_THEMES.values())}[theme]
    ground, accent = colours.background or "#121212", colours.accent or colours.primary
    for shade in _ramp(ground[:7].lower(), accent[:7].lower()):
        few = Color.parse(shade).downgrade(ColorSystem.EIGHT_BIT).get_truecolor().hex
        for background in (shade, few):
            assert contrast_of(background, contrast(shade)) >= 4.0, (theme, background)


def test_shades_grow_with_the_share_in_even_steps_and_one_percent_is_seen() -> None:
    levels = [level_of(share) for share in np.linspace(0, 1, 101)]
    assert levels == sorted(levels) and levels[0] == 0 < levels[1] and levels[-1] == STEPS
    assert level_of(1e-6) == 1, "some is never nothing"
    lightness = [luminance(colour) ** (1 / 3) for colour in _ramp("#101418", "#b5a8ff")]
    steps = np.diff(lightness)
    assert steps.min() > 0.4 * steps.mean() and steps.max() < 1.8 * steps.mean()
    assert [percent(share) for share in (0, 0.001, 0.5, 0.999, 1)] == ["0%", "<1%", "50%", "99%", "100%"]


@pytest.mark.parametrize("unicode", [True, False])
def test_without_colours_density_stands_for_the_share(tmp_path: Path, unicode: bool) -> None:
    context = make_context(colours="none", unicode=unicode, graphics="none")

    async def test() -> None:
        async with watched(confused(tmp_path), size=(120, 40), context=context) as pilot:
            await open_matrix(pilot)
            text = screen_text(pilot.app)
            strong, weak = ("█", "▒") if unicode else ("#", ":")
            [large] = [line for line in text.splitlines() if "platelet" in line and "1,000" in line]
            assert large.count(strong) > 4
            assert weak * 3 in text
            if not unicode:
                assert text.isascii()

    run_test(test())


def test_of_a_hundred_classes_those_in_view_follow_the_cursor_and_the_wheel(tmp_path: Path) -> None:
    names = tuple(f"class_{number:03}" for number in range(100))
    counts = np.diag(np.arange(1, 101))
    run = confused(tmp_path, names, counts)

    async def test() -> None:
        async with watched(run, size=(120, 40)) as pilot:
            await press(pilot, "4")
            await see(pilot, "No prediction is wrong.")
            await press(pilot, "m")
            await open_matrix(pilot)
            assert "more to the sides" in screen_text(pilot.app)
            await press(pilot, *["down"] * 3, *["right"] * 3)
            assert "class_003 predicted correctly: 4 images, 100% of the class" in screen_text(pilot.app)
            await press(pilot, "end", *["right"] * 99)
            assert "class_099 predicted correctly: 100 images" in screen_text(pilot.app)
            assert all(len(line) == 120 for line in screen_lines(pilot.app))

    run_test(test())


def test_a_matrix_is_painted_in_its_new_size_also_before_it_hears_of_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ConfusionMatrix, "on_resize", lambda _: None)

    async def test() -> None:
        async with watched(confused(tmp_path), size=(60, 16)) as pilot:
            matrix = await open_matrix(pilot)
            matrix.move(9, 9)
            await settle(pilot)
            await pilot.resize_terminal(160, 50)
            await see(pilot, "precision")
            assert all(name in screen_text(pilot.app) for name in CLASSES)

    run_test(test())


@pytest.mark.parametrize("classes", [1, 2, 3, 8, 30, 100])
@pytest.mark.parametrize("size", [(20, 6), (78, 13), (116, 30), (196, 50)])
def test_every_layout_uses_the_whole_width_and_no_cell_is_too_narrow_for_its_number(
    size: tuple[int, int], classes: int
) -> None:
    layout = lay_out(*size, classes, longest=20, digits=4)
    assert layout.lefts[-1] + layout.recall + layout.images == size[0]
    assert layout.tops[-1] + layout.foot <= max(size[1], layout.head + 1)
    if layout.columns_shown > 1:
        assert layout.least_columns >= LEAST_CELL
    for row in range(layout.rows_shown):
        for column in range(layout.columns_shown):
            assert layout.cell_at(layout.lefts[column], layout.tops[row]) == (row, column)
    assert layout.cell_at(layout.lefts[-1], layout.tops[0]) is None
    assert layout.cell_at(layout.names - 1, layout.tops[0]) is None
