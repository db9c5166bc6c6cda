"""Messages lie where nothing is read, and make room once they were read."""

import ast
import asyncio
import re
import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from run_support import make_run
from textual.pilot import Pilot
from textual.widgets._toast import Toast
from tui_support import make_images, press, record_paints, run, screen_text, told, type_text, wait_until
from tui_support import opened as opened_without

import mia_tui.tui
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import RunError, StoreError
from mia_tui.tui import read_messages
from mia_tui.tui.home import folders
from mia_tui.tui.review.finder import DoubtFinder, FoundDoubts
from mia_tui.tui.widgets.message_line import MessageLine


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return make_images(tmp_path / "images", 12, classes=["round", "long"])


opened = partial(opened_without, notifications=True)
"""The app with messages, which tests are spared elsewhere."""


async def tell(pilot: Pilot[Any], message: str, severity: Any = "information") -> None:
    pilot.app.notify(message, severity=severity, timeout=3600)  # so it does not go by itself
    await wait_until(pilot, lambda: is_seen(pilot, message))


def is_seen(pilot: Pilot[Any], message: str) -> bool:
    """Whether a message has its place on the screen."""
    for line in pilot.app.screen.query(MessageLine):
        return message in line.messages
    return any(toast.region.height for toast in pilot.app.screen.query(Toast))


def test_a_message_that_was_read_goes_at_the_next_key_and_an_error_only_at_escape(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_messages, "READ_S", 0.0)

    async def test() -> None:
        async with opened(dataset) as pilot:
            await tell(pilot, "Something came.")
            await tell(pilot, "Something is wrong.", "error")
            await press(pilot, "right")
            await wait_until(pilot, lambda: told(pilot.app) == "Something is wrong.")
            await press(pilot, "right", "escape")
            await wait_until(pilot, lambda: told(pilot.app) == "")
            assert pilot.app.screen.query_one(MessageLine).messages == []

    run(test())


def test_a_message_that_has_just_come_stays_whatever_is_pressed(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_messages, "READ_S", 600.0)
    monkeypatch.setattr(read_messages, "AFTER_KEY_S", 0.0)

    async def test() -> None:
        async with opened(dataset) as pilot:
            await tell(pilot, "Something came.")
            await press(pilot, "right", "f1", "escape")
            await pilot.pause(0.1)
            assert told(pilot.app) == "Something came."

    run(test())


def test_a_key_that_takes_a_message_away_is_answered_first_in_one_paint(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_messages, "READ_S", 0.0)
    monkeypatch.setattr(read_messages, "AFTER_KEY_S", 600.0)

    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "1", "f1", "2")
            await tell(pilot, "Something came.")
            painted = record_paints(pilot.app)
            await press(pilot, "f1")
            assert len([paint for paint in painted if paint]) == 1 and told(pilot.app)

    run(test())


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (120, 40), (200, 60)])
@pytest.mark.parametrize("keys", [(), ("f7",)])
def test_messages_beside_images_have_lines_of_their_own_and_cover_nothing(
    dataset: Path, size: tuple[int, int], keys: tuple[str, ...]
) -> None:
    async def test() -> None:
        async with opened(dataset, size=size) as pilot:
            await press(pilot, *keys)
            screen = pilot.app.screen
            before = {
                widget.id: widget.region.height for widget in screen.query("#facts, #classes, #status, #keys")
            }
            for number in range(3):
                pilot.app.notify(f"{number}: something came that takes words.")
            await wait_until(pilot, lambda: "2: something" in screen_text(pilot.app) or size == (40, 12))
            await wait_until(pilot, lambda: "0: something" in screen_text(pilot.app))
            assert not [toast for toast in screen.query(Toast) if toast.region.height]
            widgets = [widget for widget in screen.query("*") if widget.region.height and not widget.children]
            for one, other in combinations(widgets, 2):
                assert not one.region.overlaps(other.region), (one, other)
            assert before == {name: screen.query_one(f"#{name}").region.height for name in before}
            assert screen.query_one("#messages").region.height <= max(1, size[1] // 4)

    run(test())


def test_a_long_message_is_there_to_its_end_and_gives_its_lines_back(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_messages, "READ_S", 0.0)

    async def test() -> None:
        async with opened(dataset) as pilot:
            image = pilot.app.screen.query_one("#image")
            rows = image.size.height
            await tell(pilot, "One word follows the other until the message ends. " * 3 + "This is the end.")
            await wait_until(pilot, lambda: "This is the end." in screen_text(pilot.app))
            assert image.size.height < rows
            await press(pilot, "right")
            await wait_until(pilot, lambda: image.size.height == rows)

    run(test())


def test_a_message_that_came_while_another_screen_was_open_is_there_afterwards(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=(120, 40)) as pilot:
            await press(pilot, "ctrl+u")
            await tell(pilot, "Something came.")
            await press(pilot, "escape")
            await wait_until(pilot, lambda: "Something came." in screen_text(pilot.app))

    run(test())


def test_a_click_takes_messages_away(dataset: Path) -> None:
    async def test() -> None:
        async with opened(dataset, size=(120, 40)) as pilot:
            await tell(pilot, "Something is wrong.", "error")
            await pilot.click("#messages")
            await wait_until(pilot, lambda: told(pilot.app) == "")
            assert "Something is wrong." not in screen_text(pilot.app)

    run(test())


LONG = "The run 20261124-2234-resnet18 failed, best macro F1 0.97. " + "The disk that holds it is full. " * 5


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_in_the_form_of_a_training_a_message_has_a_line_of_its_own_and_covers_nothing(
    dataset: Path, size: tuple[int, int]
) -> None:
    async def test() -> None:
        async with opened(dataset, size=size) as pilot:
            await press(pilot, "ctrl+t")
            await tell(pilot, LONG)
            screen = pilot.app.screen
            assert not any(toast.region.height for toast in screen.query(Toast))
            await wait_until(pilot, lambda: "The disk that holds it is full." in screen_text(pilot.app))
            place = screen.query_one(MessageLine).region
            assert place.y >= screen.query_one("#train-middle").region.bottom
            assert place.bottom <= screen.query_one("#keys").region.y

    run(test())


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_over_the_figures_of_a_run_a_message_is_low_and_its_head_and_last_lines_stay_free(
    dataset: Path, size: tuple[int, int]
) -> None:
    make_run(dataset / "mia", created_at=1e9)

    async def test() -> None:
        async with opened(dataset, size=size) as pilot:
            await press(pilot, "ctrl+u")
            await wait_until(pilot, lambda: pilot.app.screen.idle)  # type: ignore[attr-defined]
            await press(pilot, "enter")
            await tell(pilot, LONG)
            screen = pilot.app.screen
            [toast] = [toast.region for toast in screen.query(Toast)]
            assert 1 <= toast.height <= 4
            assert toast.bottom <= screen.query_one("#run-message").region.y
            assert toast.y > screen.query_one("#run-pages").region.y

    run(test())


# Sentences about what is being done, beginning with a participle or saying that something takes a while: each has to
# vanish or to change when that ends. The test that it does stands beside it.
AT_WORK = {
    "Looking for images": "test_scan_begin.py",
    "Looking for GPUs": "test_train_screen.py",
    "Looking for a learning rate": "test_find_rate.py",
    "Looking for {}": "test_doubts_that_cannot_be_looked_for_are_not_said_to_be_looked_for",
    "Computing {}": "test_how_far_the_labelling_is_can_be_asked_before_anything_was_audited",
    "Loading torch": "test_asked_network.py, test_train_screen.py",
    "Loading the libraries": "test_run_screen.py",
    "Loading {}": "test_label_screen.py",
    "Starting the worker": "test_train_screen.py",
    "Starting the prediction": "test_a_prediction_that_cannot_start_is_not_said_to_start",
    "Checking the images": "test_train_screen.py",
    "Asking torch": "test_train_screen.py",
    "Saving": "test_that_something_is_saved_is_said_until_it_is_saved",
    "Opening {}": "test_a_folder_that_was_opened_is_not_said_to_be_opening_later",
    "Closing as soon": "the app ends",
    "Reading {}": "test_labels_that_cannot_be_read_are_not_said_to_be_read",
    "Writing {}": "test_labels_are_said_to_be_written_until_they_are",
    "Reading the": "test_run_screen.py, test_runs_screen.py",
    "One moment.": "test_one_moment_is_said_as_long_as_a_command_is_at_work",
    "Training": "test_run_news.py, test_run_screen.py",
    "Counting {}": "test_counts_screen.py",
    "Exporting the network": "test_network_export.py",
    "Starting the evaluation": "test_an_evaluation_that_cannot_start_is_not_said_to_start",
}
_PARTICIPLE = re.compile(r"(?!Nothing|Labelling goes on)(?:[A-Z][a-z]+ing\b|One moment)")
_NO_SENTENCES = "keys/tables", "manual/"


def test_every_sentence_about_work_in_progress_is_known_to_vanish() -> None:
    found = set()
    for path in Path(mia_tui.tui.__file__).parent.rglob("*.py"):
        if any(part in path.as_posix() for part in _NO_SENTENCES):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for text in _sentences(node):
                is_piece = text.endswith(" ")  # of a sentence that is found, too
                if (_PARTICIPLE.match(text) and len(text.split()) > 1 and not is_piece) or text == "Saving":
                    found.add(text)
    unknown = {text for text in found if not any(text.startswith(known) for known in AT_WORK)}
    assert not unknown, "say until when these are true, and test it"


def _sentences(node: ast.AST) -> Iterator[str]:
    """What a call shows, with {} for what is put in."""
    if not isinstance(node, ast.Call):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    if name not in ("say", "update", "show_message", "say_slow", "_say"):
        return
    for argument in node.args:
        for part in ast.walk(argument):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value
            elif isinstance(part, ast.JoinedStr):
                yield "".join(
                    str(piece.value) if isinstance(piece, ast.Constant) else "{}" for piece in part.values
                )


def test_that_something_is_saved_is_said_until_it_is_saved(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    write = LabelStore.set_labels

    def slowly(store: LabelStore, *args: Any, **options: Any) -> int:
        held.wait(60)
        return write(store, *args, **options)

    monkeypatch.setattr(LabelStore, "set_labels", slowly)

    async def test() -> None:
        async with opened(dataset) as pilot:
            for way in ([], ["f7"]):
                await press(pilot, *way, "1")
                held.clear()
                await pilot.press("f1")
                await wait_until(pilot, lambda: "Saving" in screen_text(pilot.app))
                held.set()
                await wait_until(pilot, lambda: "Saving" not in screen_text(pilot.app))

    try:
        run(test())
    finally:
        held.set()


def test_a_prediction_that_cannot_start_is_not_said_to_start(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(screen: Any, *_: Any) -> None:
        screen.say("Starting the prediction by resnet18")
        raise RunError("The disk is full.")

    monkeypatch.setattr("mia_tui.tui.predict.flow.predict_images", fail)

    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "ctrl+e")
            await wait_until(pilot, lambda: "The disk is full." in told(pilot.app))
            await wait_until(pilot, lambda: "Starting the prediction" not in screen_text(pilot.app))

    run(test())


def test_doubts_that_cannot_be_looked_for_are_not_said_to_be_looked_for(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = asyncio.Event()

    async def fail(*_: Any) -> FoundDoubts:
        await held.wait()
        raise StoreError("The disk is away.")

    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "ctrl+d")
            monkeypatch.setattr(DoubtFinder, "find", fail)
            await type_text(pilot, "labels that look wrong")
            await pilot.press("enter")
            await wait_until(pilot, lambda: "Looking for labels" in screen_text(pilot.app))
            held.set()
            await wait_until(pilot, lambda: "The disk is away." in told(pilot.app))
            await wait_until(pilot, lambda: "Looking for" not in screen_text(pilot.app))

    run(test())


def test_one_moment_is_said_as_long_as_a_command_is_at_work_and_not_below_a_dialog(dataset: Path) -> None:
    made = make_run(dataset / "mia", created_at=1e9)
    held, asked = threading.Event(), threading.Event()

    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "ctrl+u", "enter")
            screen: Any = pilot.app.screen

            async def slow() -> None:
                await asyncio.to_thread(held.wait, 60)
                await screen.confirm("Sure?", "", no="No", yes="Yes")
                asked.set()

            screen.queue.do(slow, opens=True)
            await wait_until(pilot, lambda: "One moment." in screen_text(pilot.app))
            held.set()
            await wait_until(pilot, lambda: "Sure?" in screen_text(pilot.app))
            await wait_until(pilot, lambda: "One moment." not in screen_text(pilot.app))
            await press(pilot, "escape")
            await wait_until(pilot, asked.is_set)
            await wait_until(pilot, lambda: "One moment." not in screen_text(pilot.app))

    try:
        run(test())
    finally:
        held.set()
    assert made.path.exists()


def test_a_run_that_could_not_be_deleted_is_not_said_to_be_deleted_for_ever(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(dataset / "mia", created_at=1e9)

    def fail(_: Any) -> None:
        raise RunError("The disk is away.")

    monkeypatch.setattr("mia_tui.runs.actions.ending.delete_run", fail)

    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "ctrl+u", "x", "d")
            await wait_until(pilot, lambda: "The disk is away." in told(pilot.app))
            await wait_until(pilot, lambda: "Deleting" not in screen_text(pilot.app))

    run(test())


def test_a_folder_that_was_opened_is_not_said_to_be_opening_later(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = folders.read_folder

    def slowly(folder: Path) -> Any:
        time.sleep(0.4)
        return reading(folder)

    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "f10")
            monkeypatch.setattr(folders, "read_folder", slowly)
            await pilot.press("enter")
            await wait_until(pilot, lambda: "Opening" in screen_text(pilot.app))
            await wait_until(pilot, lambda: "1/12" in screen_text(pilot.app))
            await press(pilot, "f10")
            assert "Opening" not in screen_text(pilot.app)
            assert "Type the folder of your images" in screen_text(pilot.app)

    run(test())


def test_labels_that_cannot_be_read_are_not_said_to_be_read(dataset: Path) -> None:
    (dataset / "labels.csv").write_bytes(b"\x00\xff nonsense")

    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "(")
            await type_text(pilot, "labels.csv")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "Import which labels?" in screen_text(pilot.app))
            await press(pilot, "escape")
            await wait_until(pilot, lambda: "Reading" not in screen_text(pilot.app))

    run(test())


def test_labels_are_said_to_be_written_until_they_are(dataset: Path, tmp_path: Path) -> None:
    async def test() -> None:
        async with opened(dataset) as pilot:
            await press(pilot, "1", "f1", ")")
            await type_text(pilot, "csv")
            await press(pilot, "enter")
            await type_text(pilot, str(tmp_path / "out.csv"))
            await press(pilot, "enter")
            await wait_until(pilot, (tmp_path / "out.csv").exists)
            await wait_until(pilot, lambda: "Writing" not in screen_text(pilot.app))

    run(test())
