"""The scan of a dataset that was open before starts after the first picture, or a little later without one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from tui_support import make_context, make_images, opened, run, running, wait_until

from mia_tui.tui.app import MiaApp
from mia_tui.tui.label import background_tasks
from mia_tui.tui.label.screen import LabelScreen


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


@asynccontextmanager
async def started(dataset: Path) -> AsyncIterator[tuple[Pilot[int], LabelScreen]]:
    """The app and its labelling screen, whatever is still to come."""
    app = MiaApp(make_context(), dataset)
    async with running(app, size=(100, 30)) as pilot:
        await wait_until(pilot, lambda: isinstance(app.screen, LabelScreen))
        screen: Any = app.screen
        yield pilot, screen


async def come_by_themselves(dataset: Path, count: int) -> None:
    """So many images are listed in the end."""
    async with started(dataset) as (pilot, screen):
        await wait_until(pilot, lambda: len(screen.session.listing) == count)


def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LabelScreen, "_take_picture", lambda self, ready: None)


def test_without_a_picture_the_scan_begins_after_a_while(
    known: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_pictures(monkeypatch)
    monkeypatch.setattr(background_tasks, "_SCAN_BY_S", 0.05)
    run(come_by_themselves(known, 4))


def test_till_then_it_leaves_the_disk_to_the_picture(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_pictures(monkeypatch)
    monkeypatch.setattr(background_tasks, "_SCAN_BY_S", 600.0)

    async def test() -> None:
        async with started(known) as (pilot, screen):
            await pilot.pause(1.0)
            assert len(screen.session.listing) == 3

    run(test())


def test_it_begins_when_the_first_picture_is_shown(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_tasks, "_SCAN_BY_S", 600.0)
    run(come_by_themselves(known, 4))
