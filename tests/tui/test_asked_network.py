"""Asking a network about the image on screen: what it says is shown, accepted, and never in the way of a key."""

import os
from pathlib import Path

import pytest
from network_support import put_network
from run_support import make_run, wait_for
from textual.pilot import Pilot
from tui_support import (
    burst,
    labels_in,
    make_images,
    opened,
    press,
    run,
    screen_lines,
    screen_text,
    told,
    wait_until,
)

from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.session import LabelSession
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.runs.machine.system import process_runs, start_time
from mia_tui.runs.prediction import one_image
from mia_tui.runs.record.layout import RunDir
from mia_tui.tui.label.screen import LabelScreen
from mia_tui.tui.label.suggestions import asked_network
from mia_tui.tui.open_dataset import RunPlace

SMALL, WIDE = (80, 24), (120, 40)
ASK, WHY = "ctrl+k", "$"
LEAST_RED = 165  # of black with the hottest colour over it


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 8, classes=["flat", "round"])


@pytest.fixture
def training(cells: Path) -> RunDir:
    made = make_run(cells / "mia", name="resnet18")
    made.checkpoints.mkdir()
    made.best_weights.write_bytes(b"weights")
    return made


@pytest.fixture(autouse=True)
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Without torch; the file says which process was asked about which image."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
    monkeypatch.setenv("ANSWER_LOG", str(tmp_path / "asked"))
    monkeypatch.setattr(one_image, "IMAGE_PREDICTOR_MODULE", "answering_helper")
    (tmp_path / "asked").touch()
    return tmp_path / "asked"


def frame(pilot: Pilot[int]) -> str:
    return screen_lines(pilot.app)[0]


async def asked(pilot: Pilot[int], words: str) -> None:
    await wait_until(pilot, lambda: words in screen_text(pilot.app))


@pytest.mark.usefixtures("training")
@pytest.mark.parametrize("size", [SMALL, WIDE])
def test_the_network_is_asked_about_the_image_on_screen_and_each_one_after_it(
    cells: Path, size: tuple[int, int]
) -> None:
    async def test() -> None:
        async with opened(cells, size=size) as pilot:
            assert "no label" in frame(pilot)
            await press(pilot, ASK)
            await asked(pilot, "resnet18: round 87%, flat 10%, spiny 3%")
            assert "round? 87%  Enter accepts" in screen_text(pilot.app)
            await press(pilot, "right")
            await asked(pilot, "resnet18: flat 87%, spiny 10%, round 3%")
            assert "flat? 87%  Enter accepts" in screen_text(pilot.app)

    run(test())


def test_a_network_of_a_dataset_that_was_typed_as_a_relative_path_is_found(
    cells: Path, training: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights: list[str] = []
    encode = one_image.encode_question

    def noting(question: one_image.ImageQuestion) -> bytes:
        weights.append(question.weights)
        return encode(question)

    monkeypatch.setattr(one_image, "encode_question", noting)
    monkeypatch.chdir(cells.parent)

    async def test() -> None:
        async with opened(Path(cells.name), size=WIDE) as pilot:
            await press(pilot, ASK)
            await asked(pilot, "resnet18: round 87%")

    run(test())
    assert weights == [str(training.best_weights)], "the helper works in /"


@pytest.mark.usefixtures("training")
def test_an_image_of_another_type_than_trained_on_is_said_beside_the_answer(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=SMALL) as pilot:
            await press(pilot, "end", ASK)
            await asked(pilot, "resnet18: flat 87%, spiny 10%, round 3% (8-bit file; trained on 16-bit)")

    run(test())


@pytest.mark.usefixtures("training")
def test_torch_is_said_to_be_loading_before_the_first_answer(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_image, "IMAGE_PREDICTOR_MODULE", "sleeping_helper")
    (cells.parent / "sleeping_helper.py").write_text("import time; time.sleep(600)")
    monkeypatch.setenv("PYTHONPATH", str(cells.parent))

    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, ASK)
            assert "Loading torch and" in screen_text(pilot.app)
            await press(pilot, "right", "1", "f2")
            assert "3/8" in screen_text(pilot.app)
            await press(pilot, ASK)
            assert "The network is not asked any more." in screen_text(pilot.app)
            await press(pilot, "right")
            assert "Loading torch" not in screen_text(pilot.app)
        assert len(labels_in(cells)) == 1

    run(test())


@pytest.mark.usefixtures("training")
def test_what_it_says_is_accepted_like_a_suggestion_and_undone_like_a_label(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, ASK)
            await asked(pilot, "round? 87%")
            await press(pilot, "enter")
            await asked(pilot, "flat? 87%")
            labels = labels_in(cells)
            assert [(path, label.source) for path, label in labels.items()] == [("image-000.png", "accepted")]
            await press(pilot, "ctrl+z")
            assert not labels_in(cells)
            await asked(pilot, "round? 87%")

    run(test())


@pytest.mark.usefixtures("training")
def test_an_answer_is_never_taken_for_another_image(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, ASK)
            await asked(pilot, "round? 87%")
            screen = pilot.app.screen
            session: LabelSession = screen.session  # type: ignore[attr-defined]
            session.move(1)  # and the screen was not painted yet, as behind a dialog
            await screen.commands.by_name["accept"]()  # type: ignore[attr-defined]
        assert labels_in(cells) == {}

    run(test())


@pytest.mark.usefixtures("training")
def test_a_label_stays_and_the_frame_tells_that_the_network_says_otherwise(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "1", "f1", ASK)
            await asked(pilot, "resnet18: round? 87%")
            await press(pilot, "2", "f1")
            await asked(pilot, "resnet18: round 87%")
            assert "resnet18" not in frame(pilot)

    run(test())


@pytest.mark.usefixtures("training")
def test_a_class_that_the_dataset_does_not_have_is_added_if_the_person_agrees(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, "right", "right", ASK)
            await asked(pilot, "spiny? 87%  Enter adds this class")
            await press(pilot, "enter")
            assert "Add the class spiny?" in screen_text(pilot.app)
            assert "resnet18 suggests it" in screen_text(pilot.app)
            await press(pilot, "y")
            await asked(pilot, "4/8")
            session: LabelSession = pilot.app.screen.session  # type: ignore[attr-defined]
            assert [each.name for each in session.classes] == ["flat", "round", "spiny"]
        [(path, label)] = labels_in(cells).items()
        assert (path, label.source) == ("image-002.png", "accepted")

    run(test())


@pytest.mark.usefixtures("training")
def test_a_class_that_was_archived_is_not_suggested(cells: Path) -> None:
    with LabelStore(cells / "mia" / "labels.db") as store:
        [archived] = [each for each in store.classes() if each.name == "round"]
        store.archive_class(archived.id)

    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, ASK)
            await asked(pilot, "resnet18: round 87%")
            assert "no label" in frame(pilot)

    run(test())


@pytest.mark.usefixtures("training")
def test_pressed_again_the_key_ends_it(cells: Path, log: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, ASK)
            await asked(pilot, "round? 87%")
            await press(pilot, ASK)
            assert "no label" in frame(pilot)
            await press(pilot, "right", "right")
            await pilot.pause(0.2)
            assert len(log.read_text().splitlines()) == 1
            await press(pilot, ASK)  # the same process goes on
            await asked(pilot, "spiny? 87%")
        assert len({line.split()[0] for line in log.read_text().splitlines()}) == 1

    run(test())


def test_without_a_network_a_sentence_says_how_to_get_one(cells: Path, log: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, ASK)
            said = "There is no trained network yet: Ctrl+T trains one on the labels"
            assert said in screen_text(pilot.app)
            assert not pilot.app.screen.asked_network.is_on  # type: ignore[attr-defined]
        assert not log.read_text()

    run(test())


@pytest.mark.usefixtures("training")
def test_images_that_are_passed_quickly_are_not_asked_about(
    cells: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, ASK)
            await asked(pilot, "round? 87%")
            monkeypatch.setattr(asked_network, "_PAUSE_S", 1.0)  # however slow the machine is
            await burst(pilot, *["right"] * 6)
            assert "round? 87%" not in screen_text(pilot.app)  # that was the first image
            await asked(pilot, "round? 87%")
        names = [line.split()[1] for line in log.read_text().splitlines()]
        assert names == ["image-000.png", "image-006.png"]

    run(test())


@pytest.mark.usefixtures("training")
def test_an_image_that_cannot_be_read_is_said_and_the_next_one_is_asked_about(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, *["right"] * 4, ASK)
            await asked(pilot, "image-004.png is damaged.")
            await press(pilot, "enter")
            assert "There is no suggestion of a model for this image." in screen_text(pilot.app)
            await press(pilot, "left")
            await asked(pilot, "round? 87%")

    run(test())


@pytest.mark.usefixtures("training")
def test_a_process_that_dies_is_said_and_the_next_image_starts_another(cells: Path, log: Path) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, *["right"] * 5, ASK)
            await wait_until(pilot, lambda: "the next image starts it again" in told(pilot.app))
            await wait_until(pilot, lambda: "Loading torch" not in screen_text(pilot.app))
            await press(pilot, "right")
            await asked(pilot, "round? 87%")
        assert len({line.split()[0] for line in log.read_text().splitlines()}) == 2

    run(test())


def test_weights_that_are_deleted_end_it_with_a_sentence(cells: Path, training: RunDir) -> None:
    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, ASK)
            await asked(pilot, "round? 87%")
            training.best_weights.unlink()
            await press(pilot, "right")
            await wait_until(pilot, lambda: "best.safetensors does not exist." in told(pilot.app))
            assert not pilot.app.screen.asked_network.is_on  # type: ignore[attr-defined]
            assert "no label" in frame(pilot)

    run(test())


@pytest.mark.usefixtures("training")
def test_where_torch_cannot_be_used_a_sentence_says_so_once(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_image, "IMAGE_PREDICTOR_MODULE", "no_such_module")

    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, ASK)
            await wait_until(pilot, lambda: "torch cannot be used" in told(pilot.app))
            await press(pilot, "right", "right")
            assert told(pilot.app).count("torch cannot be used") == 1

    run(test())


@pytest.mark.usefixtures("training")
def test_the_process_ends_when_nothing_was_asked_for_long_and_comes_back(
    cells: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked_network, "IDLE_S", 0.2)

    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, ASK)
            await asked(pilot, "round? 87%")
            pid = int(log.read_text().split()[0])
            began = start_time(pid)
            await wait_until(pilot, lambda: not process_runs(pid, began))
            await press(pilot, "right")
            await asked(pilot, "flat? 87%")
            assert not told(pilot.app)

    run(test())


@pytest.mark.usefixtures("training")
def test_the_process_ends_with_the_screen(cells: Path, log: Path) -> None:
    pids: list[tuple[int, float | None]] = []

    async def test() -> None:
        async with opened(cells) as pilot:
            await press(pilot, ASK)
            await asked(pilot, "round? 87%")
            pid = int(log.read_text().split()[0])
            pids.append((pid, start_time(pid)))
            assert pid != os.getpid() and process_runs(*pids[0])
            await press(pilot, "f10")

    run(test())
    wait_for(lambda: not process_runs(*pids[0]))


def heat_shown(pilot: Pilot[int]) -> bool:
    """Whether the picture that was painted last has heat over it."""
    screen = pilot.app.screen
    assert isinstance(screen, LabelScreen)
    view = screen._view_settings.view
    return view is not None and int(view.pixels[..., 0].min()) >= LEAST_RED


@pytest.mark.usefixtures("training")
def test_where_the_network_looks_is_drawn_over_the_image_for_its_class_then_for_the_label(
    cells: Path,
) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "1", "f1", WHY)  # flat
            await asked(pilot, "resnet18 looks here for round: round 87%")
            await wait_until(pilot, lambda: heat_shown(pilot))
            await press(pilot, WHY)
            await asked(pilot, "resnet18 looks here for flat: round 87%")
            await wait_until(pilot, lambda: heat_shown(pilot))
            await press(pilot, WHY)
            await asked(pilot, "Where the network looks is not shown any more.")
            await wait_until(pilot, lambda: not heat_shown(pilot))
            await press(pilot, "right")
            await asked(pilot, "resnet18: flat 87%")

    run(test())


@pytest.mark.usefixtures("training")
def test_it_stays_for_the_next_images_until_one_has_no_map(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, WHY)
            await asked(pilot, "looks here for round")
            await press(pilot, "right")
            await asked(pilot, "resnet18 looks here for flat: flat 87%")
            await wait_until(pilot, lambda: heat_shown(pilot))
            await press(pilot, "right")
            await asked(pilot, "resnet18 (This network has no maps.): spiny 87%")
            await wait_until(pilot, lambda: not heat_shown(pilot))
            await press(pilot, ASK)
            await asked(pilot, "The network is not asked any more.")

    run(test())


@pytest.mark.usefixtures("training")
def test_the_network_of_the_run_whose_images_were_opened_is_asked(cells: Path) -> None:
    old = make_run(cells / "mia", name="older", created_at=1e9)
    put_network(old.best_weights, ("flat", "round"))

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, WHY)
            await asked(pilot, "resnet18 looks here for round")
            await press(pilot, WHY)  # off again
            controller = pilot.app.screen.controller
            keys = tuple(controller.session.listing.key(row) for row in controller.session.view)
            shown = Filter(among=keys, among_words="top losses")
            controller.ways_back.show("run", "label", shown, RunPlace(old, None))
            await press(pilot, WHY)
            await asked(pilot, "older looks here for round")

    run(test())


def test_without_a_network_it_says_how_to_get_one(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, WHY)
            await asked(pilot, "There is no trained network yet")

    run(test())
