"""The first screen: recent datasets, typing and browsing folders, runs in progress."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ome_zarr_support import write_image
from textual.app import App
from textual.events import Paste
from textual.pilot import Pilot
from tui_support import (
    OneScreen,
    burst,
    make_context,
    make_images,
    press,
    run,
    running,
    screen_text,
    settle,
    type_text,
    wait_until,
)

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.recent import remember_dataset
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.tui.home.folders import FolderContent, read_folder
from mia_tui.tui.home.screen import HomeScreen
from mia_tui.tui.home.words import run_words
from mia_tui.tui.runs.watch import LiveRun


class HomeApp(App[None]):
    """Shows the first screen and keeps what it opens."""

    CSS_PATH = OneScreen.CSS_PATH

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[Path] = []

    def on_mount(self) -> None:
        self.push_screen(HomeScreen(make_context()))

    def on_home_screen_opened(self, event: HomeScreen.Opened) -> None:
        self.opened.append(event.dataset)


@asynccontextmanager
async def home() -> Any:
    async with running(HomeApp()) as pilot:
        await settle(pilot)
        yield pilot


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder and home: cells (4 images, a folder more), celery, and a folder with a hostile name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    make_images(tmp_path / "cells", 4)
    make_images(tmp_path / "cells" / "more", 2)
    (tmp_path / "celery").mkdir()
    (tmp_path / "x\x1b[2J[b]").mkdir()
    yield tmp_path


async def enter(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
        await settle(pilot)


def test_recent_datasets_stand_first_with_what_was_known_of_them(place: Path) -> None:
    remember_dataset(place / "gone", None, None)
    remember_dataset(place / "cells", None, ImageKey("image-001.png"), images=1234, labels=17)

    async def test() -> None:
        async with home() as pilot:
            text = screen_text(pilot.app)
            assert "Recent datasets" in text
            assert "1,234 images, 17 labels, today" in text
            assert "not found" in text
            await enter(pilot, "enter")
            assert pilot.app.opened == [place / "cells"]

    run(test())


def test_a_folder_that_is_an_image_counts_as_one(tmp_path: Path) -> None:
    write_image(tmp_path / "a.ome.zarr", np.zeros((1, 4, 5), np.uint8))
    (tmp_path / "more").mkdir()
    assert read_folder(tmp_path) == FolderContent(("more",), images=1)


def test_folders_are_listed_with_their_images(place: Path) -> None:
    async def test() -> None:
        async with home() as pilot:
            await wait_until(pilot, lambda: "4 images, 1 folder" in screen_text(pilot.app))
            assert "celery/" in screen_text(pilot.app)

    run(test())


def test_tab_completes_as_far_as_names_agree(place: Path) -> None:
    async def test() -> None:
        async with home() as pilot:
            await type_text(pilot, "~/c")
            await enter(pilot, "tab")
            assert "~/cel  " in screen_text(pilot.app)
            await type_text(pilot, "l")
            await enter(pilot, "tab")
            assert "~/cells/  " in screen_text(pilot.app)
            await enter(pilot, "enter")
            assert pilot.app.opened == [place / "cells"]

    run(test())


def test_arrows_go_into_folders_and_out_again(place: Path) -> None:
    async def test() -> None:
        async with home() as pilot:
            await enter(pilot, "down", "down", "right")
            assert "~/cells/  " in screen_text(pilot.app)
            assert "▸more/" in screen_text(pilot.app)
            await enter(pilot, "left")
            assert "▸cells/" in screen_text(pilot.app)
            await enter(pilot, "right", "enter")
            assert pilot.app.opened == [place / "cells" / "more"]

    run(test())


def test_what_is_no_folder_is_refused_in_a_sentence(place: Path) -> None:
    async def test() -> None:
        async with home() as pilot:
            await type_text(pilot, "~/nowhere")
            await enter(pilot, "enter")
            text = screen_text(pilot.app)
            assert "There is no folder" in text
            assert text.count("No folder") + text.count("no folder") == 1, "it is said once"
            await enter(pilot, "escape")
            await type_text(pilot, "cells/image-000.png")
            await enter(pilot, "enter")
            assert "is a file." in screen_text(pilot.app)
            assert pilot.app.opened == []

    run(test())


def test_a_folder_that_may_not_be_read_is_named(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path: Any) -> Any:  # root may look into every folder, whatever its mode
        if Path(os.fsdecode(path)).name == "celery":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)

    async def test() -> None:
        async with home() as pilot:
            await wait_until(pilot, lambda: "cannot be read" in screen_text(pilot.app))

    run(test())


def test_the_app_ends_while_a_folder_never_answers(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir, asked, answer = os.scandir, threading.Event(), threading.Event()

    def wait(path: Any) -> Any:
        if Path(os.fsdecode(path)).name == "celery":
            asked.set()
            answer.wait()
        return scandir(path)

    monkeypatch.setattr(os, "scandir", wait)
    given_up = threading.Timer(20, answer.set)
    given_up.start()

    async def test() -> None:
        async with running(HomeApp()) as pilot:
            await wait_until(pilot, asked.is_set)

    run(test())
    given_up.cancel()
    assert not answer.is_set(), "the app waited for the folder"
    answer.set()


def test_a_folder_with_a_hostile_name_can_be_opened_and_steers_nothing(place: Path) -> None:
    async def test() -> None:
        async with home() as pilot:
            await enter(pilot, "down", "down", "down", "right")
            text = screen_text(pilot.app)
            assert "~/x\\x1b[2J[b]/" in text
            assert "\x1b" not in text
            await enter(pilot, "enter")
            assert pilot.app.opened == [place / "x\x1b[2J[b]"]

    run(test())


def test_runs_at_work_are_told(place: Path) -> None:
    live = LiveRun("20261123-1432-resnet50v2", Path("/data"), "running", "training", 2, 10, "macro_f1", 0.913)

    async def test() -> None:
        async with home() as pilot:
            assert "Runs in progress" not in screen_text(pilot.app)
            pilot.app.screen.post_message(HomeScreen.RunsSeen((live,)))
            await wait_until(pilot, lambda: "Runs in progress" in screen_text(pilot.app))
            assert "resnet50v2, epoch 3 of 10, best macro F1 0.913, in /data" in screen_text(pilot.app)

    run(test())


def test_a_prediction_in_progress_says_images_and_the_time_left() -> None:
    live = LiveRun(
        "predict", Path("/data"), "running", "predicting", 0, None, "macro_f1", None, (1200, 5000), 65.0
    )
    assert run_words(live) == "predict, 1,200 of 5,000 images, about 1:05 left"


def test_a_run_that_has_said_nothing_yet_is_told_in_one_line() -> None:
    live = LiveRun("run", Path("/data"), "starting", "", 0, None, "accuracy", None)
    assert run_words(live) == "run, starting"


def test_a_queued_run_waits_for_the_one_before_it_whatever_figures_it_has_from_earlier() -> None:
    phase = "waiting for the run first to end"
    live = LiveRun("run", Path("/data"), "waiting", phase, 2, 10, "macro_f1", 0.9)
    assert run_words(live) == "run, waiting for the run first to end"


def test_enter_tab_and_escape_are_obeyed_after_what_was_typed_before_them_in_one_burst(place: Path) -> None:
    async def test() -> None:
        async with home() as pilot:
            await burst(pilot, *"cells/more", "enter")
            assert pilot.app.opened == [place / "cells" / "more"]
            await burst(pilot, "escape", *"cells/m", "tab", "enter")
            assert pilot.app.opened[1:] == [place / "cells" / "more"]
            await burst(pilot, *"x", "escape", *"cells", "enter")
            assert pilot.app.opened[2:] == [place / "cells"]

    run(test())


def test_enter_behind_a_pasted_folder_opens_that_folder(place: Path) -> None:
    remember_dataset(place / "cells", None, ImageKey("image-001.png"))

    async def test() -> None:
        async with home() as pilot:
            pilot.app.post_message(Paste(str(place / "celery")))
            await burst(pilot, "enter")
            assert pilot.app.opened == [place / "celery"], "not the recent dataset under the cursor"

    run(test())


def test_f1_shows_the_keys(place: Path) -> None:
    async def test() -> None:
        async with home() as pilot:
            await press(pilot, "f1")
            assert "On the first screen" in screen_text(pilot.app)
            assert "Complete the typed name" in screen_text(pilot.app)
            await press(pilot, "escape")
            assert "Recent" in screen_text(pilot.app) or "Folders in" in screen_text(pilot.app)

    run(test())


def test_where_labels_and_runs_are_kept_is_no_folder_to_open(place: Path) -> None:
    make_images(place / "cells", 1, classes=["round"])  # labels in cells/mia
    with LabelStore(place / "discs.mia" / "labels.db") as store:
        store.add_class("round")
    (place / "runs.mia" / "runs").mkdir(parents=True)
    (place / "mia").mkdir()  # a folder that is only called so
    assert read_folder(place).folders == ("celery", "cells", "mia", "x\x1b[2J[b]")
    assert read_folder(place / "cells").folders == ("more",)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
def test_recent_datasets_and_folders_have_panels_which_the_cursor_goes_through(
    place: Path, size: tuple[int, int]
) -> None:
    remember_dataset(place / "cells", None, None, images=1234, labels=56)

    async def test() -> None:
        async with running(HomeApp(), size=size) as pilot:
            await settle(pilot)
            text = screen_text(pilot.app)
            for words in (
                "Open a folder",
                "Recent datasets",
                "Folders in",
                "1,234 images",
                "56 labels",
                "today",
            ):
                assert words in text, words
            recent, folders = (pilot.app.screen.query_one(f"#{name}") for name in ("recent", "entries"))
            assert not recent.region.overlaps(folders.region)
            assert (recent.region.y == folders.region.y) == (size[0] == 200)
            assert recent.has_class("-active") and not folders.has_class("-active")
            await enter(pilot, "down")
            assert folders.has_class("-active") and not recent.has_class("-active")
            await pilot.click("#entries", offset=(6, 2))
            await enter(pilot, "right")
            assert "more/" in screen_text(pilot.app)

    run(test())


def test_completion_that_cannot_go_on_says_why(place: Path) -> None:
    async def test() -> None:
        async with home() as pilot:
            await type_text(pilot, "zzz")
            await enter(pilot, "tab")
            assert "Nothing to complete: no folder in" in screen_text(pilot.app)
            await enter(pilot, "escape")
            await type_text(pilot, "ce")
            await enter(pilot, "tab", "tab")
            assert "2 folders begin like this: Down chooses one." in screen_text(pilot.app)

    run(test())
