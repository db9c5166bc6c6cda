"""Looking what is new in a dataset that was open before: after the first picture, or a little later without any."""

from pathlib import Path
from typing import Any

import pytest
from tui_support import make_context, make_images, opened, run, wait_until

from mia_tui.tui.app import MiaApp
from mia_tui.tui.screens import label as label_screen
from mia_tui.tui.screens.label import LabelScreen


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """A dataset that was open before, with a file that came since."""
    dataset = make_images(tmp_path / "cells", 3)

    async def test() -> None:
        async with opened(dataset):
            pass

    run(test())
    make_images(tmp_path / "more", 1)
    (tmp_path / "more" / "image-000.png").rename(dataset / "new.png")
    return dataset


async def images_within(dataset: Path, seconds: float) -> int:
    """How many images are listed so long after the start."""
    app = MiaApp(make_context(), dataset)
    async with app.run_test(size=(100, 30)) as pilot:
        await wait_until(pilot, lambda: isinstance(app.screen, LabelScreen))
        await pilot.pause(seconds)
        screen: Any = app.screen
        return len(screen.session.listing)


def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LabelScreen, "_take_view", lambda self, ready: None)


def test_without_a_picture_the_scan_begins_after_a_while(
    known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_pictures(monkeypatch)
    monkeypatch.setattr(label_screen, "_SCAN_BY_S", 0.05)
    assert run(images_within(known, 1.5)) == 4


def test_till_then_it_leaves_the_disk_to_the_picture(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_pictures(monkeypatch)
    monkeypatch.setattr(label_screen, "_SCAN_BY_S", 60.0)
    assert run(images_within(known, 1.0)) == 3


def test_it_begins_when_the_first_picture_is_shown(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_screen, "_SCAN_BY_S", 60.0)
    assert run(images_within(known, 1.5)) == 4
