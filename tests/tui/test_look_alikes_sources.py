"""Where pages of look-alikes come from: the suggestions of a run, and what is learned while labelling."""

from pathlib import Path
from typing import Any

import pytest
from look_alikes_support import CLASSES as CLUSTERS
from look_alikes_support import ClusteredTable, clustered, name_of
from run_support import make_suggestions
from textual.pilot import Pilot
from tui_support import labels_in, make_context, make_images, opened, press, run, screen_text, wait_until

from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.listing.listing import Listing
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow
from mia_tui.runs.prediction.probabilities import keep_probabilities
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.live import live_suggestions
from mia_tui.tui.live.feature_job import FeatureJob
from mia_tui.tui.look_alikes.page import LookAlikePage
from mia_tui.tui.look_alikes.screen import LookAlikesScreen

WIDE = 120, 40
LIVE = UserConfig(toast_s=600.0, live_suggestions=True)
OPEN = "quotation_mark"
CLASSES = ["round", "long", "spiny"]
NAMES = [f"image-{number:03}.png" for number in range(12)]


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", len(NAMES), classes=("round", "long"))


def predict(cells: Path, *, keeps_all: bool) -> None:
    """Every fourth image is long, the last one spiny, all others are round."""
    best = {name: ("long", 0.8) if n % 4 == 1 else ("round", 0.9 - n / 100) for n, name in enumerate(NAMES)}
    best[NAMES[-1]] = ("spiny", 0.99)
    made = make_suggestions(cells / "mia", best, classes=CLASSES)
    if not keeps_all:
        return
    header = PredictionHeader(str(cells), "w", CLASSES, made.name, False, 100.0)
    rows = [
        PredictionRow(name, 0, [share if known == best[name][0] else 0.05 for known in CLASSES])
        for name, (_, share) in best.items()
    ]
    with made.probabilities.open("wb") as file:
        list(keep_probabilities(file, header, rows))


@pytest.fixture
def with_features(monkeypatch: pytest.MonkeyPatch) -> list[Listing]:
    """Features of all images are there; the listings that a job was started for."""
    started: list[Listing] = []

    async def start(job: FeatureJob, listing: Listing, *, again: bool = False) -> int:
        started.append(listing)
        return 0

    monkeypatch.setattr(FeatureJob, "start", start)
    monkeypatch.setattr(live_suggestions, "open_features", lambda dataset: ClusteredTable(60))
    return started


async def page(pilot: Pilot[Any]) -> LookAlikePage:
    """The page that a key shows, once the suggestions are there."""
    await wait_until(pilot, lambda: "?" in screen_text(pilot.app).splitlines()[0])
    await press(pilot, OPEN)
    screen: Any = pilot.app.screen
    assert isinstance(screen, LookAlikesScreen), screen_text(pilot.app)
    assert screen.pages.page is not None
    return screen.pages.page


@pytest.mark.parametrize("keeps_all", [True, False])
def test_the_suggestions_of_a_run_come_on_pages(cells: Path, keeps_all: bool) -> None:
    predict(cells, keeps_all=keeps_all)

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            shown = await page(pilot)
            assert [key.path for key in shown.keys] == [
                name for n, name in enumerate(NAMES[:-1]) if n % 4 != 1
            ], "the surest first, and no class that the dataset does not have"
            guesses = [guess.class_id for guess in shown.images[0].guesses]
            assert guesses == ([1, 2] if keeps_all else [1]), (
                "the letter leaves out where no other class is known"
            )
            await press(pilot, "a")
            assert ("long" in screen_text(pilot.app).splitlines()[1]) is keeps_all
            assert ("1 left out" in screen_text(pilot.app)) is not keeps_all
            await press(pilot, "enter")
            found = labels_in(cells)
            assert found[NAMES[2]].source == "page" and len(found) == (8 if keeps_all else 7)
            screen: Any = pilot.app.screen
            assert [key.path for key in screen.pages.page.keys] == [NAMES[1], NAMES[5], NAMES[9]]
            await press(pilot, "enter")
            assert "No page is left." in screen_text(pilot.app), "for spiny there is no class"

    run(test())


@pytest.mark.usefixtures("with_features")
def test_pages_are_learned_from_labels_and_each_page_from_the_one_before(tmp_path: Path) -> None:
    cells = clustered(tmp_path / "images")

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await press(pilot, OPEN)
            screen: Any = pilot.app.screen
            assert isinstance(screen, LookAlikesScreen), screen_text(pilot.app)
            seen = set()
            for _ in range(3):
                shown = screen.pages.page
                [kind] = {int(key.path[6:9]) % 3 for key in shown.keys}
                assert len(shown) == 18 and CLUSTERS[kind] in screen_text(pilot.app).splitlines()[0]
                seen.add(kind)
                await press(pilot, "enter")
            assert len(labels_in(cells)) == 60 and len(seen) == 3
            await press(pilot, "escape")
            assert "live, from 60 labels" in screen.controller.live.model

    run(test())


@pytest.mark.usefixtures("with_features")
def test_the_first_label_of_a_second_class_is_enough(tmp_path: Path) -> None:
    cells = clustered(tmp_path / "images", labelled=0)

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await press(pilot, "1", "f2", OPEN)
            assert "once images of two classes have labels" in screen_text(pilot.app)
            await press(pilot, "2", "f2", OPEN)
            assert isinstance(pilot.app.screen, LookAlikesScreen), screen_text(pilot.app)

    run(test())


def test_without_features_these_are_begun_and_that_is_said(
    tmp_path: Path, with_features: list[Listing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_suggestions, "open_features", lambda dataset: None)
    cells = clustered(tmp_path / "images")

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            for key in (OPEN, "at"):
                await press(pilot, key)
                assert isinstance(pilot.app.screen, LabelScreen)
                assert "A network does that now; try again in a moment." in screen_text(pilot.app)
            await wait_until(pilot, lambda: bool(with_features))

    run(test())


@pytest.mark.usefixtures("with_features")
def test_the_like_of_an_image_need_no_label(tmp_path: Path) -> None:
    cells = clustered(tmp_path / "images", labelled=0)

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await press(pilot, "2", "at")
            screen: Any = pilot.app.screen
            assert isinstance(screen, LookAlikesScreen), screen_text(pilot.app)
            nearest = [int(key.path[6:9]) % 3 for key in screen.pages.page.keys]
            assert screen.pages.page.keys[0].path == name_of(0) and len(nearest) > 12 and not any(nearest)
            assert screen.pages.page.class_id == 2

    run(test())
