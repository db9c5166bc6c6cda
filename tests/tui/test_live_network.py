"""The network that the live suggestions are learned with: compared, said, and chosen by the person."""

from pathlib import Path

import pytest
from network_support import train
from test_learning_networks import BLIND, IMAGES, NAMES, RUN, SHARP, VAL, write
from textual.pilot import Pilot
from tui_support import label, make_context, make_images, opened, press, run, screen_text, told, wait_until

from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.listing.listing import Listing
from mia_tui.features.layout import DEFAULT_NETWORK, table_folder
from mia_tui.features.room import make_room
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.live.feature_job import FeatureJob
from mia_tui.tui.live.live_suggestions import LiveSuggestions
from mia_tui.tui.runs.run_screen import RunScreen

LIVE = UserConfig(toast_s=600.0, live_suggestions=True)
WIDE = 120, 40


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path | None]:
    """The networks whose features were asked for; no job is started."""
    found: list[Path | None] = []

    def begin(job: FeatureJob, listing: Listing, weights: Path | None) -> int:
        found.append(weights)
        return len(listing)

    monkeypatch.setattr(FeatureJob, "begin", begin)
    return found


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    dataset = make_images(tmp_path / "cells", IMAGES, classes=("round", "flat"))
    for name, first in (("round", 0), ("flat", 1)):
        label(dataset, name, NAMES[first:100:2])
    return dataset


@pytest.fixture
def trained(cells: Path) -> RunDir:
    return train(cells, ["round", "flat"])


def live(pilot: Pilot[int]) -> LiveSuggestions:
    screen = next(each for each in pilot.app.screen_stack if isinstance(each, LabelScreen))
    return screen.controller.live


async def ask(pilot: Pilot[int]) -> None:
    """Open the list of networks by the palette."""
    screen = pilot.app.screen
    assert isinstance(screen, LabelScreen)
    screen.run_command("live_network")
    await wait_until(pilot, lambda: "Live suggestions from which network?" in screen_text(pilot.app))


def test_the_network_of_a_run_is_compared_and_the_better_one_is_said_and_can_be_left(
    cells: Path, trained: RunDir, asked: list[Path | None]
) -> None:
    write(cells, DEFAULT_NETWORK, tells=BLIND)

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await wait_until(pilot, lambda: live(pilot).model == "live, from 100 labels")
            await ask(pilot)
            assert "looks at the images first" in screen_text(pilot.app)
            await pilot.press("down", "down")
            await press(pilot, "enter")
            assert asked == [trained.best_weights]
            assert f"The network of {trained.name} looks at 120 images" in screen_text(pilot.app)
            write(cells, RUN, tells=SHARP, run=trained)  # as the job does
            await wait_until(pilot, lambda: live(pilot).model == f"live, from 100 labels with {trained.name}")
            await wait_until(
                pilot,
                lambda: (
                    f"Suggestions from run {trained.name}: 1.00 right on its {VAL} validation images"
                    in told(pilot.app)
                ),
            )
            await wait_until(pilot, lambda: asked == [trained.best_weights, None])
            await ask(pilot)
            assert f"{trained.name} " in screen_text(pilot.app) and "1.00 right" in screen_text(pilot.app)
            await pilot.press("down")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: live(pilot).model == "live, from 100 labels")
            assert live(pilot).network.is_chosen
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await wait_until(pilot, lambda: live(pilot).network.is_chosen)
            assert live(pilot).model == "live, from 100 labels", "the choice is kept"
            await ask(pilot)
            await press(pilot, "enter")  # the better one
            await wait_until(pilot, lambda: live(pilot).model.endswith(trained.name))

    run(test())


def test_labels_that_look_wrong_are_told_by_the_network_that_was_trained_on_none(
    cells: Path, trained: RunDir, asked: list[Path | None]
) -> None:
    """The run's network knows wrong labels by heart: it would call none of them wrong."""
    write(cells, DEFAULT_NETWORK, tells=SHARP)
    write(cells, RUN, tells=SHARP * 2, run=trained)
    label(cells, "flat", [NAMES[60]])

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            screen = pilot.app.screen
            assert isinstance(screen, LabelScreen)
            live(pilot).choose_network(RUN)
            await wait_until(pilot, lambda: live(pilot).model.endswith(trained.name))
            networks: list[str] = []
            await live(pilot).ask(lambda learner: networks.append(learner.table.network.id), untrained=True)
            assert networks == [DEFAULT_NETWORK]
            screen.run_command("review")
            await wait_until(pilot, lambda: "Labels that look wrong (1)" in screen_text(pilot.app))
            await pilot.press(*"look wrong")
            await press(pilot, "enter")
            assert NAMES[60] in screen_text(pilot.app)

    run(test())


def test_the_screen_of_a_run_offers_to_look_at_the_images_with_its_network(
    cells: Path, trained: RunDir, asked: list[Path | None]
) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await press(pilot, "ctrl+u")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: isinstance(pilot.app.screen, RunScreen))
            assert asked in ([], [None]), "nothing is done unasked"
            await press(pilot, "n")
            await wait_until(pilot, lambda: "looks at 120 images in the background" in screen_text(pilot.app))
            assert asked[-1] == trained.best_weights
            trained.best_weights.unlink()
            await press(pilot, "n")
            await wait_until(pilot, lambda: "has no weights" in told(pilot.app) + screen_text(pilot.app))

    run(test())


def test_features_that_are_removed_to_make_room_are_said_and_made_again_for_the_next_label(
    cells: Path, asked: list[Path | None]
) -> None:
    write(cells, DEFAULT_NETWORK, tells=SHARP)

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await wait_until(pilot, lambda: live(pilot).model == "live, from 100 labels")
            make_room(0, keep=table_folder(cells / "other"))
            await wait_until(pilot, lambda: "was removed to make room" in told(pilot.app))
            assert live(pilot).model == "live, from 100 labels", "suggestions stay as they are"
            before = len(asked)
            await press(pilot, "end", "1", "f1")
            await wait_until(pilot, lambda: len(asked) > before)
            write(cells, DEFAULT_NETWORK, tells=SHARP)  # as the job does
            await wait_until(pilot, lambda: live(pilot).model == "live, from 101 labels")

    run(test())
