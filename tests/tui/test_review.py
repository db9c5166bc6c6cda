"""The review: what it begins with, queues of doubtful images, the audit, and how far the labelling is."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from run_support import make_suggestions
from textual.pilot import Pilot
from tui_support import label, labels_in, make_images, opened, press, run, screen_text, type_text, wait_until

from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.review.records import Draw
from mia_tui.errors import StoreError
from mia_tui.features.layout import FeatureNetwork
from mia_tui.tui.grid.screen import GridScreen
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.live import live_suggestions
from mia_tui.tui.review import finder
from mia_tui.tui.review.finder import FoundDoubts
from mia_tui.tui.review.queue import TITLES, Doubt, Doubted

NAMES = [f"image-{number:03}.png" for number in range(6)]
KEYS = [ImageKey(name) for name in NAMES]
ROUND, FLAT = 1, 2


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user"))
    return make_images(tmp_path / "cells", 6, classes=("round", "flat"))


def doubt(monkeypatch: pytest.MonkeyPatch, kind: Doubted, doubts: Sequence[Doubt]) -> None:
    """These and no others are found, less those that were kept."""

    async def find(self: finder.DoubtFinder, kinds: Sequence[Doubted]) -> FoundDoubts:
        found = dict.fromkeys(TITLES, ()) | {kind: tuple(doubts)}
        return FoundDoubts(found, "4 labels")

    monkeypatch.setattr(finder.DoubtFinder, "find", find)


def kept(cells: Path, issue: str) -> set[str]:
    with LabelStore(cells / "mia" / "labels.db") as store:
        return {key.path for key in store.kept(issue)}  # type: ignore[arg-type]


def is_seen(grid: GridScreen) -> bool:
    """Whether all tiles of the page count as seen."""
    grid.note_seen()
    return all(grid.controller.seen.was_seen(key, class_id) for key, class_id in suggested(grid).items())


def suggested(grid: GridScreen) -> dict[ImageKey, int]:
    """The class suggested for each image of the page."""
    states = {key: grid.session.state_of(grid.session.listing.row(key) or 0) for key in grid.tiles.keys_seen}
    return {key: state.suggestion.id for key, state in states.items() if state.suggestion is not None}


async def begin(pilot: Pilot[int], words: str) -> None:
    """Open the chooser and choose what begins with these words."""
    await press(pilot, "ctrl+d")
    await type_text(pilot, words)
    await press(pilot, "enter")


def test_suggestions_are_reviewed_least_sure_first_and_esc_brings_the_former_order(cells: Path) -> None:
    what = {NAMES[0]: ("flat", 0.9), NAMES[1]: ("flat", 0.6), NAMES[2]: ("round", 0.99)}
    make_suggestions(cells / "mia", what, network="vgg16")

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await press(pilot, "ctrl+d")
            text = screen_text(pilot.app)
            assert "Least sure first (3)" in text and "Where model and labels differ (0)" in text
            await press(pilot, "enter")
            assert "1/3  image-001.png" in screen_text(pilot.app)
            assert "3 images, the least sure first: Enter takes a suggestion." in screen_text(pilot.app)
            await press(pilot, "enter", "enter")
            assert "3/3  image-002.png" in screen_text(pilot.app)
            await press(pilot, "escape")
            assert "/6" in screen_text(pilot.app)
            await press(pilot, "home", "right")
            assert "2/6  image-001.png" in screen_text(pilot.app)
        assert labels_in(cells).keys() == set(NAMES[:2])

    run(test())


def test_the_review_says_of_how_many_images_the_network_is_unsure(cells: Path) -> None:
    what = {NAMES[0]: ("flat", 0.9), NAMES[1]: ("flat", 0.6), NAMES[2]: ("round", 0.7)}
    make_suggestions(cells / "mia", what, unsure=NAMES[1:3])

    async def test() -> None:
        async with opened(cells, size=(80, 24)) as pilot:
            await press(pilot, "ctrl+d")
            await wait_until(
                pilot, lambda: "Least sure first (3, 2 of them unsure)" in screen_text(pilot.app)
            )

    run(test())


def test_once_all_images_are_labelled_the_review_begins_with_the_labels(cells: Path) -> None:
    make_suggestions(cells / "mia", {NAMES[0]: ("flat", 0.9), NAMES[1]: ("round", 0.6)}, network="vgg16")
    label(cells, "round", NAMES)

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await press(pilot, "ctrl+d", "enter")
            assert "1 image, where label and suggestion differ" in screen_text(pilot.app)
            await press(pilot, "escape")
            await begin(pilot, "Least sure first (0)")
            text = screen_text(pilot.app)
            assert "no suggestion is left" in text and "/6" in text, "no empty list is opened"

    run(test())


def test_suggestions_of_one_class_are_reviewed_surest_first(cells: Path) -> None:
    what = {NAMES[0]: ("flat", 0.9), NAMES[1]: ("flat", 0.96), NAMES[2]: ("round", 0.99)}
    make_suggestions(cells / "mia", what, network="vgg16")

    async def test() -> None:
        async with opened(cells) as pilot:
            await begin(pilot, "By class")
            assert "round (1)" in screen_text(pilot.app) and "flat (2)" in screen_text(pilot.app)
            await press(pilot, "down", "enter")
            assert "1/2  image-001.png" in screen_text(pilot.app)
            await press(pilot, "escape")
            await begin(pilot, "Surest")
            assert "1/3  image-002.png" in screen_text(pilot.app)

    run(test())


def test_without_suggestions_the_review_says_where_they_come_from(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await begin(pilot, "Least")
            assert "There are no suggestions yet: Ctrl+E makes them" in screen_text(pilot.app)

    run(test())


def test_a_label_that_looks_wrong_is_changed_or_kept_by_one_key(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(cells, "round", NAMES[:4])
    doubt(
        monkeypatch,
        "label",
        [
            Doubt(KEYS[3], ROUND, FLAT, 0.97),
            Doubt(KEYS[0], ROUND, FLAT, 0.8),
            Doubt(KEYS[1], ROUND, FLAT, 0.6),
        ],
    )

    async def test() -> None:
        async with opened(cells, size=(100, 30)) as pilot:
            await begin(pilot, "Labels that")
            text = screen_text(pilot.app)
            assert "1/3  image-003.png" in text
            assert "You said round, the model says flat 97%." in text
            assert "Enter changes" in text and "F2 keeps" in text
            await press(pilot, "enter")
            assert "You said round, the model says flat 80%." in screen_text(pilot.app)
            await press(pilot, "f2")
            assert "3/3  image-001.png" in screen_text(pilot.app)
            assert kept(cells, "label") == {NAMES[0]}
            await press(pilot, "ctrl+z")  # back to the one that was kept, which is asked again
            assert "2/3  image-000.png" in screen_text(pilot.app) and "decided" not in screen_text(pilot.app)
            assert kept(cells, "label") == set()
            await press(pilot, "1", "2")  # the key of its own class keeps it, that of another changes it
            assert "All of these are decided; Esc goes back." in screen_text(pilot.app)
            await press(pilot, "escape")
            assert "/6" in screen_text(pilot.app)
        found = {name: (one.class_id, one.source) for name, one in labels_in(cells).items()}
        assert found == {
            NAMES[0]: (ROUND, "person"), NAMES[1]: (FLAT, "person"), NAMES[2]: (ROUND, "person"),
            NAMES[3]: (FLAT, "accepted"),
        }  # fmt: skip
        assert kept(cells, "label") == {NAMES[0]}

    run(test())


def test_near_duplicates_are_shown_one_after_the_other_and_decided_together(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label(cells, "round", [NAMES[0], NAMES[1]])
    label(cells, "flat", [NAMES[4], NAMES[5]])
    pairs = [
        Doubt(KEYS[0], ROUND, FLAT, None, None, KEYS[5]),
        Doubt(KEYS[5], FLAT, ROUND, None, None, KEYS[0]),
        Doubt(KEYS[1], ROUND, FLAT, None, None, KEYS[4]),
        Doubt(KEYS[4], FLAT, ROUND, None, None, KEYS[1]),
    ]
    doubt(monkeypatch, "duplicate", pairs)

    async def test() -> None:
        async with opened(cells, size=(120, 30)) as pilot:
            await begin(pilot, "Near")
            assert "You said round; image-005.png, which looks the same, is flat." in screen_text(pilot.app)
            await press(pilot, ",")
            assert "2/4  image-005.png" in screen_text(pilot.app)
            await press(pilot, ",")
            assert "1/4  image-000.png" in screen_text(pilot.app)
            await press(pilot, "f7")  # side by side
            assert "[two that look the same]" in screen_text(pilot.app) and "1/2" in screen_text(pilot.app)
            await press(pilot, "f7")
            assert "1/4  image-000.png" in screen_text(pilot.app)
            await press(pilot, "enter")  # both are flat now, so the next pair comes
            assert "3/4  image-001.png" in screen_text(pilot.app)
            await press(pilot, "'")
            assert "All of these are decided" in screen_text(pilot.app)
        assert kept(cells, "duplicate") == {NAMES[1], NAMES[4]}
        assert labels_in(cells)[NAMES[0]].class_id == FLAT

    run(test())


def test_unfamiliar_images_are_flagged_one_by_one_or_together_in_the_grid(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubt(monkeypatch, "unfamiliar", [Doubt(KEYS[4], 0), Doubt(KEYS[2], 0)])

    async def test() -> None:
        async with opened(cells, size=(120, 30)) as pilot:
            await begin(pilot, "Unfamiliar")
            text = screen_text(pilot.app)
            assert "1/2  image-004.png" in text and "Unfamiliar: which class is it, or none of these?" in text
            await press(pilot, "f7", "ctrl+a", "!", "f7")
            assert "decided" in screen_text(pilot.app)
        with LabelStore(cells / "mia" / "labels.db") as store:
            assert {key.path for key, mark in store.marks().items() if mark.flagged} == {NAMES[4], NAMES[2]}

    run(test())


def test_images_that_a_trained_network_finds_unfamiliar_are_marked_and_reviewed_farthest_first(
    cells: Path,
) -> None:
    far = {NAMES[1]: 1.2, NAMES[2]: 0.4, NAMES[4]: 2.5}
    what = dict.fromkeys(NAMES, ("flat", 0.9))
    make_suggestions(cells / "mia", what, network="vgg16", unfamiliar=far)

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await press(pilot, "right")
            assert "unfamiliar" in screen_text(pilot.app)
            await press(pilot, "right")
            assert "unfamiliar" not in screen_text(pilot.app)
            await press(pilot, "ctrl+d")
            await wait_until(
                pilot, lambda: "Unfamiliar images: unlike all labelled ones (2)" in screen_text(pilot.app)
            )
            await type_text(pilot, "Unfamiliar")
            await press(pilot, "enter")
            assert "1/2  image-004.png" in screen_text(pilot.app)

    run(test())


def test_the_marks_of_a_network_go_with_its_suggestions(cells: Path) -> None:
    what = dict.fromkeys(NAMES, ("flat", 0.9))
    make_suggestions(cells / "mia", what, network="vgg16", unfamiliar={NAMES[0]: 2.0})

    async def test() -> None:
        async with opened(cells) as pilot:
            assert "unfamiliar" in screen_text(pilot.app)
            screen = pilot.app.screen
            assert isinstance(screen, LabelScreen)
            shown = screen.controller.suggestions
            make_suggestions(cells / "mia", what, network="resnet18")
            await shown.refresh()
            assert shown.unfamiliar is None
            state = screen.session.state_of(0)
            assert state.suggestion is not None and not state.unfamiliar

    run(test())


def test_the_audit_hides_what_was_said_until_it_is_answered(cells: Path) -> None:
    make_suggestions(
        cells / "mia", dict.fromkeys(NAMES, ("flat", 0.9)), network="vgg16", classes=["flat", "round"]
    )

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await begin(pilot, "Audit")
            assert "6 of 6 suggestions" in screen_text(pilot.app)
            await press(pilot, "enter")
            text = screen_text(pilot.app)
            assert "Audit, 0 of 6 done: which class is it?" in text
            assert "flat?" not in text and "image-" not in text and "90%" not in text
            await press(pilot, "f7")  # the grid would show it
            assert "In an audit labels and suggestions are hidden" in screen_text(pilot.app)
            await press(pilot, "enter")
            assert "the key of a class answers" in screen_text(pilot.app)
            assert labels_in(cells) == {}
            await press(pilot, "2")
            assert "Right: the suggestion was flat 90%." in screen_text(pilot.app)
            await press(pilot, "1")
            assert "Wrong: the suggestion was flat 90%." in screen_text(pilot.app)
            await press(pilot, "ctrl+z")
            assert "Audit, 1 of 6 done" in screen_text(pilot.app)
            await press(pilot, "escape")
            await press(pilot, "ctrl+d")
            assert "(1 of 6 done)" in screen_text(pilot.app)

    run(test())


def test_sure_suggestions_that_were_seen_as_tiles_are_taken_in_one_step(tmp_path: Path) -> None:
    cells = make_images(tmp_path / "many", 60, classes=("round", "flat"))
    names = [f"image-{number:03}.png" for number in range(60)]
    what = {
        name: ("flat" if number % 2 else "round", 0.999 - number / 70) for number, name in enumerate(names)
    }
    make_suggestions(cells / "mia", what, network="vgg16")

    async def test() -> None:
        async with opened(cells, size=(80, 24)) as pilot:
            await begin(pilot, "Surest")
            await press(pilot, "f7")
            grid = pilot.app.screen
            assert isinstance(grid, GridScreen)
            await wait_until(pilot, lambda: grid.tiles.is_complete)
            await wait_until(pilot, lambda: is_seen(grid))
            page = len(grid.tiles.keys_seen)
            assert 2 < page < 60
            await press(pilot, "right", "space")  # this one looks wrong
            await press(pilot, "'")
            text = screen_text(pilot.app)
            assert f"all that you have seen: {page - 1} images" in text
            assert f"{60 - page} more were not on the screen yet." in text
            assert "99 % and surer: 1 image" in text
            await press(pilot, "end", "enter")
            assert f"{page - 1} suggestions taken; Ctrl+Z undoes that." in screen_text(pilot.app)
            taken = labels_in(cells)
            assert taken.keys() == {names[0], *names[2:page]}
            assert {label.source for label in taken.values()} == {"accepted"}
            assert {label.class_id for name, label in taken.items() if int(name[6:9]) % 2} == {FLAT}
            await press(pilot, "ctrl+z")
            assert labels_in(cells) == {}

    run(test())


def test_labels_that_came_after_an_audit_are_told_from_those_it_was_drawn_from(cells: Path) -> None:
    label(cells, "flat", NAMES)

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await begin(pilot, "Audit")
            await press(pilot, "enter", *"222222")
            await wait_until(pilot, lambda: "Labels: 6 of 6 right" in screen_text(pilot.app))
            text = screen_text(pilot.app)
            assert "after that" not in text and "Suggestions: none" not in text
            await press(pilot, "escape", "escape")
            with LabelStore(cells / "mia" / "labels.db") as store:
                store.set_labels([(KEYS[0], ROUND)], source="import")
            await begin(pilot, "How far")
            await wait_until(
                pilot, lambda: "1 label was given or changed after that" in screen_text(pilot.app)
            )

    run(test())


def test_the_end_of_an_audit_shows_how_far_the_labelling_is(cells: Path) -> None:
    what = {name: ("flat" if number else "round", 0.9) for number, name in enumerate(NAMES)}
    make_suggestions(cells / "mia", what, network="vgg16", classes=["flat", "round"])

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await begin(pilot, "Audit")
            await press(pilot, "enter", "2", "2", "2", "2", "2", "2")
            await wait_until(pilot, lambda: "Labelled 6" in screen_text(pilot.app))
            text = screen_text(pilot.app)
            assert "How far are we?" in text
            assert "Labelled 6 · suggestions right: 83 % (83-83, from 6 audited)" in text
            assert "Suggestions of vgg16: 5 of 6 right, drawn from 6 on" in text
            assert "Labels: none was audited" in text
            await press(pilot, "enter")  # audits again: there are only labels now
            assert "6 of 6 labels" in screen_text(pilot.app)
            await press(pilot, "escape", "ctrl+d")
            assert "(6 suggestions done)" in screen_text(pilot.app)
            assert "How far are we? (suggestions right: 83 % (83-83))" in screen_text(pilot.app)

    run(test())


def test_figures_of_one_model_are_not_given_as_those_of_another(cells: Path) -> None:
    make_suggestions(
        cells / "mia", dict.fromkeys(NAMES, ("flat", 0.9)), network="vgg16", classes=["flat", "round"]
    )
    with LabelStore(cells / "mia" / "labels.db") as store:
        for model, keys in (("live", KEYS[:2]), (None, KEYS[2:3])):
            store.draw_audit([Draw(key, ROUND) for key in keys], kind="suggestion", drawn_from=6, model=model)
            store.answer_audit([(key, ROUND) for key in keys])

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await begin(pilot, "How far")
            await wait_until(pilot, lambda: "Labelled 3" in screen_text(pilot.app))
            text = screen_text(pilot.app)
            assert "suggestions right" not in text
            assert "Suggestions of vgg16: none was audited" in text
            assert "Live suggestions: 2 of 2 right, drawn from 6 on" in text
            assert "Suggestions (whose was not noted): 1 of 1 right, drawn from 6 on" in text
            await press(pilot, "enter")
            await press(pilot, "enter", "1", "1", "2")
            await wait_until(pilot, lambda: "Suggestions of vgg16: 1 of 3 right" in screen_text(pilot.app))
            assert "suggestions right: 33 %" in screen_text(pilot.app)
        with LabelStore(cells / "mia" / "labels.db") as store:
            assert [row.model for row in store.audits()] == ["live", "live", None, *["vgg16"] * 3]

    run(test())


def test_an_image_that_was_skipped_in_an_audit_is_asked_about_again(cells: Path) -> None:
    make_suggestions(
        cells / "mia", dict.fromkeys(NAMES, ("flat", 0.9)), network="vgg16", classes=["flat", "round"]
    )

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await begin(pilot, "Audit")
            await press(pilot, "enter", "2", "f4", "2", "f4", "2", "2")
            await wait_until(pilot, lambda: "4 of 4 right" in screen_text(pilot.app))
            assert "2 images of the audit have no answer: these may be the hard ones." in screen_text(
                pilot.app
            )
            assert "goes on with the audit (4 of 6 done)" in screen_text(pilot.app)
            await press(pilot, "enter")
            assert "Audit, 4 of 6 done: which class is it?" in screen_text(pilot.app)
            await press(pilot, "1")
            assert "Audit, 5 of 6 done: which class is it?" in screen_text(pilot.app)
            await press(pilot, "2")
            await wait_until(pilot, lambda: "5 of 6 right" in screen_text(pilot.app))
            assert len(labels_in(cells)) == 6

    run(test())


def test_how_far_the_labelling_is_can_be_asked_before_anything_was_audited(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await begin(pilot, "How far")
            await wait_until(pilot, lambda: "Labelled 0" in screen_text(pilot.app))
            text = screen_text(pilot.app)
            assert "A network has to look at the images first" in text
            assert "Suggestions: none was audited, so how many are right is not known." in text
            await press(pilot, "enter")
            assert "There is nothing to audit: neither a label nor a suggestion." in screen_text(pilot.app)

    run(test())


def test_the_question_is_shortened_where_its_keys_would_not_fit(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LabelStore(cells / "mia" / "labels.db") as store:
        store.rename_class(ROUND, "round and large")
        store.rename_class(FLAT, "flat and small")
    label(cells, "round and large", NAMES[:1])
    doubt(monkeypatch, "label", [Doubt(KEYS[0], ROUND, FLAT, 0.97)])

    async def test() -> None:
        async with opened(cells) as pilot:
            await begin(pilot, "Labels that")
            assert "round and large? Model: flat and small 97%.  Enter changes  F2 keeps" in screen_text(
                pilot.app
            )

    run(test())


class MadeFeatures:
    """Features of the images of `make_images`: three kinds by turns, two that are the same and two like no other."""

    def __init__(self) -> None:
        self.network = FeatureNetwork("test", "test", 16)
        random = np.random.default_rng(3)
        kinds = random.normal(0, 1, (4, 16)) * 3
        self._rows = (kinds[np.arange(60) % 3] + random.normal(0, 0.5, (60, 16))).astype(np.float16)
        self._rows[[40, 41]] = (kinds[3] + random.normal(0, 0.5, (2, 16))).astype(np.float16)
        self._rows[31] = self._rows[30]
        self._seen = 0
        self.is_replaced = False

    def refresh(self) -> bool:
        before, self._seen = self._seen, len(self._rows)
        return before != self._seen

    def __len__(self) -> int:
        return self._seen

    @property
    def digests(self) -> NDArray[np.void]:
        return np.zeros(self._seen, "V20")

    def rows(self, start: int, stop: int) -> NDArray[np.float16]:
        return self._rows[start:stop]

    def places(self, listing: Listing) -> NDArray[np.int32]:
        places = np.full(len(listing), -1, np.int32)
        places[listing.rows([ImageKey(f"image-{number:03}.png") for number in range(60)])] = np.arange(60)
        return places


def test_what_is_doubtful_is_found_from_features_and_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user"))
    monkeypatch.setattr(live_suggestions, "open_features", lambda dataset: MadeFeatures())
    cells = make_images(tmp_path / "cells", 60, classes=("round", "flat", "long"))
    names = ("round", "flat", "long")
    said = {number: names[number % 3] for number in range(32)} | {7: "long"}  # 31 looks as 30, and is flat
    for name in names:
        label(cells, name, [f"image-{number:03}.png" for number, what in said.items() if what == name])

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await press(pilot, "ctrl+d")
            await wait_until(pilot, lambda: "Labels that look wrong (2)" in screen_text(pilot.app))
            await wait_until(
                pilot, lambda: "Unfamiliar images: unlike all labelled ones (…)" not in screen_text(pilot.app)
            )
            text = screen_text(pilot.app)
            assert "Near-duplicates with different labels (2)" in text
            await press(pilot, "escape")
            await begin(pilot, "Labels that")
            text = screen_text(pilot.app)
            assert "image-007.png" in text or "image-031.png" in text
            assert (
                "You said long, the model says flat" in text or "You said flat, the model says round" in text
            )
            await press(pilot, "f2", "escape")
            await begin(pilot, "Labels that")
            assert "1/1" in screen_text(pilot.app)  # what was kept is not asked again
            await press(pilot, "escape")
            await begin(pilot, "Near")
            assert "which looks the same, is" in screen_text(pilot.app)
            await press(pilot, "escape")
            await begin(pilot, "Unfamiliar")
            text = screen_text(pilot.app)
            assert "image-040.png" in text or "image-041.png" in text
            assert "unfamiliar" in frame(text)
            await press(pilot, "escape", "f5")
            await type_text(pilot, "unfamiliar")
            await press(pilot, "enter")
            assert "[unfamiliar, as far as that is known]" in screen_text(pilot.app)
            assert "unfamiliar" in frame(screen_text(pilot.app))

    run(test())


def frame(text: str) -> str:
    return text.splitlines()[0]


def test_an_audit_of_labels_hides_them_and_shows_no_look_alikes(cells: Path) -> None:
    label(cells, "round", NAMES[:3])

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await begin(pilot, "Audit")
            await press(pilot, "enter")
            text = screen_text(pilot.app)
            assert "Audit, 0 of 3 done" in text and "audit" in frame(text) and "round" not in frame(text)
            await press(pilot, '"')
            assert "In an audit labels and suggestions are hidden" in screen_text(pilot.app)
            await press(pilot, "1")
            assert "Right: the label was round." in screen_text(pilot.app)
            await press(pilot, "f4")  # cannot be told: it is not asked about again now
            await press(pilot, "2")
            await wait_until(pilot, lambda: "labels right: 50 %" in screen_text(pilot.app))
            assert "Labels: 1 of 2 right, drawn from 3 on" in screen_text(pilot.app)

    run(test())


def test_a_fault_while_doubts_are_counted_is_said_in_the_chooser(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def find(self: finder.DoubtFinder, kinds: Sequence[Doubted]) -> FoundDoubts:
        raise StoreError("labels.db is damaged.", "Restore a backup.")

    monkeypatch.setattr(finder.DoubtFinder, "find", find)

    async def test() -> None:
        async with opened(cells, size=(120, 40)) as pilot:
            await press(pilot, "ctrl+d")
            await wait_until(pilot, lambda: "is damaged. Restore a backup." in screen_text(pilot.app))
            assert "Least sure first" in screen_text(pilot.app)

    run(test())
