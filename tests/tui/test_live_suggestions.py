"""Suggestions that are learned while labelling: shown after each label, beside those of runs, and the next images."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from run_support import make_suggestions
from textual.pilot import Pilot
from tui_support import (
    label,
    labels_in,
    make_context,
    make_images,
    opened,
    press,
    run,
    screen_text,
    told,
    wait_until,
)

from mia_tui.config.user.settings import UserConfig
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.review.records import Draw
from mia_tui.errors import DataError, RunError
from mia_tui.features.layout import FeatureNetwork
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.label.suggestions import live_commands
from mia_tui.tui.live import live_suggestions
from mia_tui.tui.live.feature_job import FeatureJob

IMAGES, DIMS = 60, 16
LIVE = UserConfig(toast_s=600.0, live_suggestions=True)
ASKED = UserConfig(toast_s=600.0)
"""Without a setting: as it was left."""
START = FeatureJob.start
WIDE = 120, 40


class MadeFeatures:
    """Features of the images of `make_images`: three kinds by turns, as far as they are made."""

    def __init__(self, made: int) -> None:
        self.network = FeatureNetwork("test", "test", DIMS)
        random = np.random.default_rng(3)
        kinds = random.normal(0, 1, (3, DIMS))[np.arange(IMAGES) % 3]
        self.all = (kinds * 3 + random.normal(0, 0.5, (IMAGES, DIMS))).astype(np.float16)
        self._seen, self.made, self.is_replaced = 0, made, False

    def refresh(self) -> bool:
        has_more, self._seen = self.made > self._seen, self.made
        return has_more

    def __len__(self) -> int:
        return self._seen

    @property
    def digests(self) -> NDArray[np.void]:
        return np.zeros(self._seen, "V20")

    def rows(self, start: int, stop: int) -> NDArray[np.float16]:
        return self.all[start:stop]

    def places(self, listing: Listing) -> NDArray[np.int32]:
        places = np.full(len(listing), -1, np.int32)
        rows = listing.rows([ImageKey(f"image-{number:03}.png") for number in range(self._seen)])
        places[rows[rows >= 0]] = np.flatnonzero(rows >= 0)
        return places


@pytest.fixture
def features(monkeypatch: pytest.MonkeyPatch) -> MadeFeatures:
    made = MadeFeatures(IMAGES)

    async def start(*_: object, **__: object) -> int:
        return 0

    monkeypatch.setattr(FeatureJob, "start", start)
    monkeypatch.setattr(live_suggestions, "open_features", lambda dataset: made if made.made else None)
    return made


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user"))
    return make_images(tmp_path / "cells", IMAGES, classes=("round", "flat", "long"))


def live(pilot: Pilot[int]) -> live_suggestions.LiveSuggestions:
    screen = next(each for each in pilot.app.screen_stack if isinstance(each, LabelScreen))
    return screen.controller.live


async def see(pilot: Pilot[int], words: str) -> None:
    await wait_until(pilot, lambda: words in screen_text(pilot.app))


async def learned(pilot: Pilot[int], labels: int) -> None:
    """Wait until so many labels were learned from."""
    await wait_until(pilot, lambda: live(pilot).model == f"live, from {labels} labels")


async def give(pilot: Pilot[int], *keys: str) -> None:
    """Label one image after the other by the keys of classes."""
    for key in keys:
        await press(pilot, key, "f2")


def test_from_the_second_class_on_every_image_has_a_suggestion(cells: Path, features: MadeFeatures) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await give(pilot, "1")
            assert not live(pilot).is_learning
            await give(pilot, "2", "3")
            await learned(pilot, 3)
            await see(pilot, "live, from 3 labels")
            await see(pilot, "round? ")
            assert screen_text(pilot.app).count("(1)") >= 5
            assert len(labels_in(cells)) == 3  # suggestions are no labels
            await press(pilot, "enter")
            assert labels_in(cells)["image-003.png"].source == "accepted"
            await learned(pilot, 4)
            await press(pilot, "ctrl+z")
            await learned(pilot, 3)

    run(test())


def test_labels_of_others_are_learned_as_well(cells: Path, features: MadeFeatures) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await give(pilot, "1", "2")
            await learned(pilot, 2)
            label(cells, "long", ["image-002.png", "image-005.png"], annotator="bob")
            await learned(pilot, 4)

    run(test())


def test_features_that_a_job_wrote_anew_are_learned_from(
    cells: Path, features: MadeFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    features.made = 20  # of the first images alone
    anew = MadeFeatures(IMAGES)
    tables = [features]
    monkeypatch.setattr(live_suggestions, "open_features", lambda dataset: tables[-1])

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await give(pilot, "1", "2", "3")
            await learned(pilot, 3)
            tables.append(anew)
            features.is_replaced = True
            label(cells, "long", ["image-050.png"], annotator="bob")
            await learned(pilot, 4)  # it has a row in the new ones alone

    run(test())


def test_a_small_window_has_the_three_best_classes_in_the_frame(cells: Path, features: MadeFeatures) -> None:
    async def test() -> None:
        features.all[3] = features.all[:3].astype(np.float32).mean(axis=0)  # like none of the three
        async with opened(cells, context=make_context(user=LIVE)) as pilot:
            await give(pilot, "1", "2", "3")
            await learned(pilot, 3)
            await see(pilot, "live, from 3 labels")
            line = screen_text(pilot.app).splitlines()[0]
            assert all(name in line for name in ("round", "flat", "long")) and line.count("%") == 3

    run(test())


def test_images_get_suggestions_as_their_features_are_made(cells: Path, features: MadeFeatures) -> None:
    features.made = 20

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await give(pilot, "1", "2", "3")
            await learned(pilot, 3)
            learning = live(pilot).learning
            assert learning is not None and learning.features == 20
            features.made = IMAGES
            await wait_until(pilot, lambda: live(pilot).learning.features == IMAGES)  # type: ignore[union-attr]
            await press(pilot, "end")
            await see(pilot, "? ")

    run(test())


def test_labels_given_before_there_were_features_are_learned_as_soon_as_there_are(
    cells: Path, features: MadeFeatures
) -> None:
    features.made = 0

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await give(pilot, "1", "2")
            assert live(pilot).is_learning and live(pilot).learning is None
            features.made = 1  # not of both labelled images
            await wait_until(pilot, lambda: live(pilot).learning is not None)
            assert live(pilot).model == ""
            features.made = IMAGES
            await see(pilot, "live, from 2 labels")

    run(test())


def test_a_key_for_a_suggestion_that_has_just_changed_is_asked_for_again(
    cells: Path, features: MadeFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_suggestions, "_READ_S", 0.0)
    monkeypatch.setattr(live_suggestions, "_REACTION_S", 3600.0)

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await give(pilot, "1", "2")
            await learned(pilot, 2)
            await press(pilot, "right")
            await see(pilot, "round? ")
            label(
                cells, "long", [f"image-{number:03}.png" for number in range(6, IMAGES, 3)], annotator="bob"
            )
            await learned(pilot, 2 + 18)
            await see(pilot, "long? ")
            await press(pilot, "enter")
            assert "has just changed: Enter again accepts long." in screen_text(pilot.app)
            assert "image-003.png" not in labels_in(cells)
            monkeypatch.setattr(live_suggestions, "_REACTION_S", 0.0)
            await press(pilot, "enter")
            assert labels_in(cells)["image-003.png"].class_id == 3

    run(test())


def test_what_a_run_predicted_is_shown_until_the_person_labels_and_where_they_choose_it(
    cells: Path, features: MadeFeatures
) -> None:
    names = [f"image-{number:03}.png" for number in range(IMAGES)]
    make_suggestions(cells / "mia", dict.fromkeys(names, ("flat", 0.7)), network="vgg16", classes=["flat"])

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            assert "flat? 70%" in screen_text(pilot.app)
            await give(pilot, "1", "2")
            await see(pilot, "live, from 2 labels")
            await press(pilot, "ctrl+s")
            assert "▸ live, from 2 labels" in screen_text(pilot.app)
            await press(pilot, "down", "enter")
            await see(pilot, "flat? 70%")
            await give(pilot, "3")
            await see(pilot, "flat? 70%")
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await give(pilot, "3")
            await press(pilot, "end")
            assert "flat? 70%" in screen_text(pilot.app)  # the choice is kept
            make_suggestions(cells / "mia", {names[-1]: ("long", 0.9)}, network="resnet18", classes=["long"])
            await see(pilot, "long? 90%")

    run(test())


def test_a_newer_prediction_announces_itself(cells: Path, features: MadeFeatures) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await give(pilot, "1", "2")
            await see(pilot, "live, from 2 labels")
            make_suggestions(
                cells / "mia", {"image-000.png": ("long", 0.9)}, network="resnet18", classes=["long"]
            )
            await wait_until(pilot, lambda: "resnet18 suggests classes for 1 image" in told(pilot.app))
            assert "live, from 2 labels" in screen_text(pilot.app)

    run(test())


def test_the_most_useful_image_is_a_key_away_and_labelling_goes_on_with_them(
    cells: Path, features: MadeFeatures
) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            screen = next(each for each in pilot.app.screen_stack if isinstance(each, LabelScreen))
            await press(pilot, "shift+tab")
            useful = screen.commands.useful
            assert useful.is_on
            await wait_until(pilot, lambda: useful.can_choose)
            seen = [screen.session.current_row]
            for key in "123123":
                await give(pilot, key)
                seen.append(screen.session.current_row)
            assert len(set(seen)) == len(seen) and seen != sorted(seen)
            assert len(labels_in(cells)) == 6
            await press(pilot, "left", "left")
            assert screen.session.current_row == seen[-3]
            await press(pilot, "right")
            assert screen.session.current_row == seen[-2]
            await press(pilot, "f4")
            assert screen.session.current_row == seen[-1]
            await press(pilot, "shift+tab", "right")
            assert screen.session.current_row == seen[-1] + 1
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await press(pilot, "shift+tab")
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            screen = next(each for each in pilot.app.screen_stack if isinstance(each, LabelScreen))
            assert screen.commands.useful.is_on

    run(test())


def test_the_pictures_that_are_prepared_are_those_of_the_images_that_come(
    cells: Path, features: MadeFeatures
) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            screen = next(each for each in pilot.app.screen_stack if isinstance(each, LabelScreen))
            await press(pilot, "shift+tab")
            await give(pilot, "1", "2", "3")
            await learned(pilot, 3)
            await pilot.pause()
            expected = screen.commands.useful.upcoming()
            assert len(expected) == 4
            await press(pilot, "right")
            assert screen.session.current_row == expected[0]

    run(test())


def test_every_image_gets_its_turn(cells: Path, features: MadeFeatures) -> None:
    async def test() -> None:
        async with opened(cells, context=make_context(user=LIVE)) as pilot:
            await press(pilot, "shift+tab")
            for number in range(IMAGES):
                await give(pilot, "123"[number % 3])
            assert len(labels_in(cells)) == IMAGES
            await see(pilot, "All images shown have a label or are skipped.")

    run(test())


def test_labels_of_earlier_visits_are_learned_without_a_key(cells: Path, features: MadeFeatures) -> None:
    label(cells, "round", ["image-000.png"])
    label(cells, "flat", ["image-001.png"])

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await press(pilot, "end")
            await see(pilot, "live, from 2 labels")

    run(test())


def test_nothing_is_learned_where_the_settings_say_so(cells: Path, features: MadeFeatures) -> None:
    off = UserConfig(toast_s=600.0, live_suggestions=False)
    features.made = 0

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=off)) as pilot:
            await give(pilot, "1", "2", "3")
            assert not live(pilot).is_learning
            await press(pilot, "tab")
            assert "Live suggestions are off" in screen_text(pilot.app)

    run(test())


def test_the_job_is_started_once_two_classes_are_labelled_and_stopped_by_a_command(
    cells: Path, features: MadeFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    features.made = 0
    done: list[str] = []

    def start(self: FeatureJob, listing: Listing, weights: Path | None) -> int:
        done.append("start")
        return len(listing)

    def stop(self: FeatureJob) -> bool:
        done.append("stop")
        return True

    monkeypatch.setattr(FeatureJob, "start", START)
    monkeypatch.setattr(FeatureJob, "begin", start)
    monkeypatch.setattr(FeatureJob, "_stop", stop)

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=ASKED)) as pilot:
            screen = next(each for each in pilot.app.screen_stack if isinstance(each, LabelScreen))
            await give(pilot, "1", "1")
            assert done == []
            await give(pilot, "2", "3")
            await wait_until(
                pilot, lambda: "A network looks at 60 images in the background" in told(pilot.app)
            )
            assert done == ["start"]
            screen.run_command("live")
            await wait_until(pilot, lambda: done == ["start", "stop"])
            await see(pilot, "Live suggestions are off, and the network looks at no more images.")
        async with opened(cells, size=WIDE, context=make_context(user=ASKED)) as pilot:
            await give(pilot, "1", "2")
            assert not live(pilot).is_learning  # the choice is kept

    run(test())


def test_where_no_job_can_run_a_sentence_says_why_and_labels_go_on(
    cells: Path, features: MadeFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: FeatureJob, listing: Listing, weights: Path | None) -> int:
        raise RunError("The cache folder cannot be written.", "Make room on that disk.")

    features.made = 0
    monkeypatch.setattr(FeatureJob, "start", START)
    monkeypatch.setattr(FeatureJob, "begin", start)

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await give(pilot, "1", "2", "3")
            await wait_until(
                pilot, lambda: "The cache folder cannot be written. Make room" in told(pilot.app)
            )
            await give(pilot, "1")
            assert len(labels_in(cells)) == 4

    run(test())


def test_asking_for_the_most_useful_image_has_all_images_looked_at_first(
    cells: Path, features: MadeFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    features.made = 0
    monkeypatch.setattr(FeatureJob, "start", START)
    monkeypatch.setattr(FeatureJob, "begin", lambda self, listing, weights: len(listing))

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await press(pilot, "tab")
            await wait_until(pilot, lambda: "A network looks at 60 images" in told(pilot.app))
            assert "The images have to be looked at first" in screen_text(pilot.app)
            features.made = IMAGES
            screen = next(each for each in pilot.app.screen_stack if isinstance(each, LabelScreen))
            await wait_until(pilot, lambda: screen.commands.useful.can_choose)
            await press(pilot, "tab")
            assert screen.session.current_row != 0

    run(test())


def test_the_answers_of_an_audit_calibrate_the_suggestions(cells: Path, features: MadeFeatures) -> None:
    label(cells, "round", ["image-000.png"])
    label(cells, "flat", ["image-001.png"])

    def answer(number: int) -> None:
        with LabelStore(cells / "mia" / "labels.db", annotator="ann") as store:
            store.draw_audit(
                [Draw(ImageKey(f"image-{number:03}.png"), 1, 0.9)], kind="suggestion", drawn_from=50
            )
            store.answer_audit([(ImageKey(f"image-{number:03}.png"), 1)])

    def audited(pilot: Pilot[int]) -> list[int]:
        learning = live(pilot).learning
        return [] if learning is None else learning.state.audited.tolist()

    async def test() -> None:
        answer(6)
        async with opened(cells, context=make_context(user=LIVE)) as pilot:
            await wait_until(pilot, lambda: audited(pilot) == [6])
            answer(9)  # by another program
            await wait_until(pilot, lambda: audited(pilot) == [6, 9])

    run(test())


def test_features_that_cannot_be_read_end_suggestions_with_a_sentence(
    cells: Path, features: MadeFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(dataset: Path) -> MadeFeatures:
        raise DataError("The cache folder is gone.")

    monkeypatch.setattr(live_suggestions, "open_features", fail)

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await give(pilot, "1", "2")
            await wait_until(pilot, lambda: "while you label: The cache folder is gone." in told(pilot.app))
            await give(pilot, "3")
            assert len(labels_in(cells)) == 3

    run(test())


def test_pages_are_spoken_of_once_as_soon_as_they_take_fewer_keys(
    cells: Path, features: MadeFeatures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_commands, "_LEAST_LABELS", 6)
    monkeypatch.setattr("mia_tui.tui.live.learner.MOST", 10)

    async def test() -> None:
        async with opened(cells, size=WIDE, context=make_context(user=LIVE)) as pilot:
            await give(pilot, "1", "2", "3", "1", "2")
            await learned(pilot, 5)
            assert "look alike" not in screen_text(pilot.app)
            await give(pilot, "3", "1", "2", "3")
            await see(pilot, "pages of images that look alike")
            assert not live(pilot).asks_for_pages

    run(test())
