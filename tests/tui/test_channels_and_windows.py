"""On the labelling screen: channels and windows of a stack, and where in it a frame is."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from textual.pilot import Pilot
from tui_support import opened, press, run, screen_text, settle, type_text, wait_until

from mia_tui.dataset.images.channels import Planes
from mia_tui.dataset.images.reading import OpenedFrame
from mia_tui.dataset.images.screen import averages, pixels
from mia_tui.dataset.images.source import Region
from mia_tui.tui.pictures.image_view import ImageView

WIDE = 150, 40


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    """Two stacks of three times, the second half as bright, and a photo."""
    folder = tmp_path / "cells"
    folder.mkdir()
    ramp = np.arange(24 * 32).reshape(24, 32)
    values = np.stack([np.stack([ramp * 4 + 50, ramp.T.reshape(24, 32) * 2 + 10])] * 3).astype(np.uint16)
    for name, factor in (("a", 1), ("b", 2)):
        metadata = {"axes": "TCYX", "Channel": {"Name": ["DAPI", "GFP"]}}
        path = folder / f"{name}.ome.tif"
        tifffile.imwrite(path, values // factor, photometric="minisblack", metadata=metadata)
    Image.new("RGB", (32, 24), (200, 30, 30)).save(folder / "c.png")
    return folder


async def says(pilot: Pilot[None], *words: str) -> None:
    await wait_until(pilot, lambda: all(word in screen_text(pilot.app) for word in words))


def colours(pilot: Pilot[None]) -> set[tuple[int, ...]]:
    """Those of the picture on the screen."""
    picture = pilot.app.screen.query_one(ImageView).picture
    assert picture is not None and picture.cells is not None
    return {tuple(colour) for colour in picture.cells.reshape(-1, 3)}


def is_grey(pilot: Pilot[None]) -> bool:
    return all(len(set(colour)) == 1 for colour in colours(pilot))


def test_the_place_of_a_frame_and_its_channels_are_named(stack: Path) -> None:
    async def test() -> None:
        async with opened(stack, size=WIDE) as pilot:
            await says(pilot, "time 1 of 3", "DAPI + GFP", "windows of this image")
            await press(pilot, "]")
            await says(pilot, "time 2 of 3")
            await press(pilot, "end")
            await says(pilot, "c.png")
            assert "time" not in screen_text(pilot.app) and "window" not in screen_text(pilot.app)

    run(test())


def test_one_channel_after_the_other_is_seen_in_grey(stack: Path) -> None:
    async def test() -> None:
        async with opened(stack, size=WIDE) as pilot:
            assert not is_grey(pilot)
            for name in ("DAPI only", "GFP only"):
                await press(pilot, "|")
                await says(pilot, name)
                assert is_grey(pilot)
            await press(pilot, "|")
            await says(pilot, "DAPI + GFP")
            assert not is_grey(pilot)

    run(test())


def test_a_channel_is_hidden_and_shown_again_from_a_list(stack: Path) -> None:
    async def test() -> None:
        async with opened(stack, size=WIDE) as pilot:
            await press(pilot, ";")
            await type_text(pilot, "hide dapi")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "DAPI" not in screen_text(pilot.app))
            assert all(green == 0 and red == blue for red, green, blue in colours(pilot)), "GFP is magenta"
            await press(pilot, ";")
            await type_text(pilot, "show dapi")
            await press(pilot, "enter")
            await says(pilot, "DAPI + GFP")

    run(test())


def test_a_fixed_window_is_typed_over_that_of_the_image_and_stays(stack: Path) -> None:
    async def test() -> None:
        async with opened(stack, size=WIDE) as pilot:
            await press(pilot, "|", "#")
            assert " to " in screen_text(pilot.app), "the values of this image"
            await press(pilot, "ctrl+u")
            await type_text(pilot, "9 to 3")
            await press(pilot, "enter")
            assert "the smaller one first" in screen_text(pilot.app)
            await press(pilot, "ctrl+u")
            await type_text(pilot, "50 to 3118")
            await press(pilot, "enter")
            await says(pilot, "fixed window 50–3,118")
            await press(pilot, "pagedown", "up")
            await says(pilot, "b.ome.tif", "DAPI only", "fixed window 50–3,118")
            assert max(max(colour) for colour in colours(pilot)) < 140, "half as bright as the first"
            await press(pilot, "#", "ctrl+u", "enter")
            await says(pilot, "of this image")
            assert max(max(colour) for colour in colours(pilot)) > 240

    run(test())


def test_percentiles_come_before_the_whole_range_of_the_type(stack: Path) -> None:
    async def test() -> None:
        async with opened(stack, size=WIDE) as pilot:
            for words in ("tones 0.5–99.5 %", "tones 2–98 %", "tones 5–95 %", "window 0–65,535 of uint16"):
                await press(pilot, "%")
                await says(pilot, words)
            await press(pilot, "%")
            await says(pilot, "windows of this image")
            assert "tones" not in screen_text(pilot.app)

    run(test())


def test_an_image_of_one_channel_says_so(tmp_path: Path) -> None:
    (tmp_path / "cells").mkdir()
    Image.new("L", (8, 8), 90).save(tmp_path / "cells" / "a.png")

    async def test() -> None:
        async with opened(tmp_path / "cells", size=WIDE) as pilot:
            await settle(pilot)
            for key in ("|", ";"):
                await press(pilot, key)
                assert "This image has one channel." in screen_text(pilot.app)

    run(test())


def test_in_a_narrow_window_the_window_of_the_image_is_said_before_its_size(stack: Path) -> None:
    async def test() -> None:
        async with opened(stack, size=(80, 24)) as pilot:
            await says(pilot, "windows of this image")
            assert "32x24 px" not in screen_text(pilot.app)

    run(test())


def test_a_large_tiled_image_is_enlarged_and_moved_over_without_reading_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cells").mkdir()
    ramp = np.arange(1024 * 1024).reshape(1024, 1024) // 32
    tifffile.imwrite(
        tmp_path / "cells" / "a.tif", ramp.astype(np.uint16), tile=(128, 128), compression="zlib"
    )
    monkeypatch.setattr(averages, "AT_ONCE_BYTES", 300_000)
    monkeypatch.setattr(pixels, "AT_ONCE_BYTES", 300_000)
    monkeypatch.setattr(averages, "_BLOCK_PX", 128)
    read: list[int] = []
    planes = OpenedFrame.planes

    def noted(frame: OpenedFrame, level: int = 0, region: Region | None = None) -> Planes:
        found = planes(frame, level, region)
        read.append(found.values.size)
        return found

    monkeypatch.setattr(OpenedFrame, "planes", noted)

    async def test() -> None:
        async with opened(tmp_path / "cells", size=WIDE) as pilot:
            await says(pilot, "window 32–32,735 of this image")
            for key in ("+", "+", "+", "+", "shift+right", "shift+up"):
                await press(pilot, key)
                await settle(pilot)
                assert "window 32–32,735 of this image" in screen_text(pilot.app), key
            assert max(read) < 1024 * 1024 // 4

    run(test())
