"""The list of images: lines are made once, and again when something in them changed."""

from pathlib import Path

from tui_support import label, make_images, opened, press, run, screen_text, wait_until


def test_a_line_that_changed_out_of_sight_is_right_when_it_is_seen_again(tmp_path: Path) -> None:
    async def test() -> None:
        cells = make_images(tmp_path / "cells", 90, classes=("round", "long"))
        async with opened(cells, size=(110, 30)) as pilot:
            assert "image-003.png" in screen_text(pilot.app)
            await press(pilot, "end")
            assert "image-003.png" not in screen_text(pilot.app)
            label(cells, "long", ["image-003.png"], annotator="bob")
            await wait_until(pilot, lambda: pilot.app.screen.session.counts.labelled == 1)
            await press(pilot, "home")
            [line] = [line for line in screen_text(pilot.app).splitlines() if "image-003.png" in line]
            assert line.startswith("│ 2 ")

    run(test())
