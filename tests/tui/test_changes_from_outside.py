"""What changes under the open app: image files, labels.db, and what others label at the same moment."""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from textual.pilot import Pilot
from tui_support import (
    NEWS_WITHIN_S,
    TERMINAL,
    label,
    labels_in,
    make_images,
    opened,
    press,
    run,
    screen_lines,
    screen_text,
    settle,
    told,
    wait_until,
    without_fingerprint,
)

from mia_tui.dataset.images.rendering import DisplaySettings
from mia_tui.dataset.interchange.csv_labels import read_labels
from mia_tui.dataset.interchange.importing import import_into
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.dataset.scan.scan import scan
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.terminal.model import Panel
from mia_tui.tui.controller import news
from mia_tui.tui.label.image_list import ImageList
from mia_tui.tui.pictures.cache import PictureCache, PictureRequest, PictureResult

WIDE = 130, 42
FIRST = "image-000.png"


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 6, classes=("round", "flat"))


def one_colour(path: Path, colour: tuple[int, int, int]) -> None:
    """An image of one colour, put in place as a program does that writes beside it first."""
    beside = path.with_name("beside.tmp")
    Image.fromarray(np.full((12, 16, 3), colour, np.uint8)).save(beside, "PNG")
    beside.replace(path)


def shows(pilot: Pilot[Any], colour: tuple[int, int, int]) -> bool:
    """Whether the picture on the screen is of this colour alone."""
    picture = pilot.app.screen._image.picture  # type: ignore[attr-defined]
    return picture is not None and bool((picture.cells == colour).all())


def test_an_image_that_was_replaced_is_shown_as_it_is_when_one_comes_back_to_it(cells: Path) -> None:
    one_colour(cells / FIRST, (255, 0, 0))

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await wait_until(pilot, lambda: shows(pilot, (255, 0, 0)))
            await press(pilot, "right")
            one_colour(cells / FIRST, (0, 0, 255))
            await press(pilot, "left")
            await wait_until(pilot, lambda: shows(pilot, (0, 0, 255)))

    run(test())


def test_a_card_goes_when_the_file_can_be_read_again(cells: Path) -> None:
    (cells / FIRST).write_bytes(b"half a file")

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await wait_until(pilot, lambda: "cannot be shown" in screen_text(pilot.app))
            await press(pilot, "right")
            one_colour(cells / FIRST, (0, 255, 0))
            await press(pilot, "left")
            await wait_until(pilot, lambda: shows(pilot, (0, 255, 0)))
            assert "✗" not in screen_text(pilot.app), "nor in the list"

    run(test())


def test_a_file_that_is_gone_is_shown_as_gone_keeps_its_label_and_comes_back(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "f2")
            (cells / FIRST).rename(cells.parent / "away.png")
            await press(pilot, "left")
            await wait_until(pilot, lambda: "This file is gone" in screen_text(pilot.app))
            text = screen_text(pilot.app)
            assert "image-000.png: missing since " in text and "Its label is kept" in text
            assert " ∅ ▸image-000.png" in text
            assert "round" in screen_lines(pilot.app)[0]
            (cells.parent / "away.png").rename(cells / FIRST)
            await press(pilot, "right", "left")
            await wait_until(pilot, lambda: "This file is gone" not in screen_text(pilot.app))
            await wait_until(pilot, lambda: "∅" not in screen_text(pilot.app))
        assert list(labels_in(cells)) == [FIRST]

    run(test())


def test_files_are_looked_at_in_the_thread_of_the_pictures_never_in_that_of_the_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_colour(tmp_path / "a.png", (9, 9, 9))
    stamp, threads = PictureCache._stamp, []

    def watched(self: PictureCache, key: ImageKey) -> object:
        threads.append(threading.current_thread())
        return stamp(self, key)

    monkeypatch.setattr(PictureCache, "_stamp", watched)
    made, changed = threading.Event(), threading.Event()
    picture_cache = PictureCache(
        tmp_path,
        TERMINAL,
        threads=1,
        on_ready=lambda _: made.set(),
        max_megapixels=1,
        on_changed=lambda _: changed.set(),
    )
    request = PictureRequest(ImageKey("a.png"), DisplaySettings(), Panel(8, 4, 10, 20))
    coarse = PictureRequest(request.key, request.display, request.panel, 10_000)
    picture_cache.want([request, coarse])
    assert made.wait(60)
    while picture_cache.get(coarse) is None:
        made.wait(0.01)
    first = picture_cache.get(request)
    os.utime(tmp_path / "a.png", ns=(1, 1))
    picture_cache.want([], shown=request)
    assert changed.wait(60)
    assert picture_cache.get(request) is None and picture_cache.get(coarse) is None, (
        "nothing of the old file is kept"
    )
    picture_cache.want([request])
    while picture_cache.get(request) is None:
        made.wait(0.01)
    again = picture_cache.get(request)
    assert (
        isinstance(first, PictureResult) and isinstance(again, PictureResult) and again.view is not first.view
    )
    assert threading.main_thread() not in threads
    picture_cache.close()


def by_rename(path: Path, new: Path) -> None:
    new.replace(path)


def by_writing_over(path: Path, new: Path) -> None:
    shutil.copyfile(new, path)


@pytest.mark.parametrize("bring", [by_rename, by_writing_over])
def test_a_backup_brought_back_under_the_app_is_said_and_shown(
    cells: Path, tmp_path: Path, bring: Callable[[Path, Path], None]
) -> None:
    backup = tmp_path / "backup.db"
    with LabelStore(backup, annotator="bob") as store:
        oval = store.add_class("oval")
        store.set_labels([(ImageKey("image-001.png"), oval.id)], source="person")

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "f2", "f2", "left")
            bring(cells / "mia" / "labels.db", backup)
            await wait_until(pilot, lambda: "was replaced by another file" in told(pilot.app))
            await wait_until(pilot, lambda: "oval" in screen_lines(pilot.app)[0])
            text = screen_text(pilot.app)
            assert "1 labelled · 5 left" in text and "round" not in text
            assert " 1  image-000.png" not in text, "the list is painted anew"
            await press(pilot, "left", "f2")
        assert sorted(labels_in(cells)) == [FIRST, "image-001.png"]

    run(test())


def test_a_key_pressed_before_a_deleted_labels_db_was_noticed_is_refused_and_said(
    cells: Path, no_news: None
) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "f2", "f2")
            shutil.rmtree(cells / "mia")
            await press(pilot, "f2")
            assert "not saved" in told(pilot.app) and "was deleted or moved away" in told(pilot.app)
            assert "3/6" in screen_text(pilot.app), "the screen does not move without the label"
            assert "0 labelled" in screen_text(pilot.app)
            assert not (cells / "mia").exists()

    run(test())


@pytest.fixture
def no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """What others do is not seen before a key is pressed, however long that takes."""
    monkeypatch.setattr(news, "NEWS_S", 600.0)


def test_who_replaces_a_label_that_somebody_gave_just_now_is_told_and_undo_brings_it_back(
    cells: Path, no_news: None
) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            label(cells, "flat", [FIRST], annotator="anna")
            await press(pilot, "f2")
            assert (
                "anna labelled image-000.png flat a moment ago; your round replaced it; undo brings anna's "
                "label back." in told(pilot.app)
            )
            assert labels_in(cells)[FIRST].annotator == "ann"
            await press(pilot, "ctrl+z")
            assert "flat" in screen_lines(pilot.app)[0]
        assert (labels_in(cells)[FIRST].class_id, labels_in(cells)[FIRST].annotator) == (2, "anna")

    run(test())


def test_nothing_is_told_where_the_others_label_could_be_seen_or_is_the_same(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            label(cells, "flat", [FIRST], annotator="anna")
            await wait_until(pilot, lambda: "flat" in screen_lines(pilot.app)[0])
            await press(pilot, "f2")
            label(cells, "round", ["image-001.png"], annotator="anna")
            await press(pilot, "f2")
            assert "anna" not in told(pilot.app)

    run(test())


def test_what_others_label_joins_the_filter_it_fits(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            pilot.app.screen.session.set_filter(Filter("class", class_id=2))  # type: ignore[attr-defined]
            await press(pilot, "right")
            assert "No image matches" in screen_text(pilot.app)
            label(cells, "flat", ["image-001.png"], annotator="anna")
            await wait_until(pilot, lambda: "1/1  image-001.png" in screen_text(pilot.app))
            label(cells, "flat", [FIRST], annotator="ann")  # by me, in another program
            await wait_until(pilot, lambda: "2/2  image-001.png" in screen_text(pilot.app))

    run(test())


def test_who_takes_an_unseen_label_away_or_overwrites_many_is_told(cells: Path, no_news: None) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            label(cells, "flat", [FIRST], annotator="anna")
            await press(pilot, "delete")
            assert "anna labelled image-000.png flat a moment ago; you removed that; undo" in told(pilot.app)
            label(cells, "flat", [FIRST, "image-001.png"], annotator="anna")
            controller = pilot.app.screen.controller  # type: ignore[attr-defined]
            await controller.assign(
                [ImageKey(FIRST), ImageKey("image-001.png"), ImageKey("image-002.png")], 1
            )
            [words] = controller.warnings()
            assert words == (
                "anna labelled 2 of these images a moment ago; your step replaced that; undo brings those "
                "labels back."
            )

    run(test())


def test_the_linking_of_moved_files_is_undone_by_the_command_that_the_message_names(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "f1")
            screen = pilot.app.screen
            screen._busy_at = 0.0  # type: ignore[attr-defined]  # as if nobody had pressed a key for a while
            await wait_until(pilot, lambda: not without_fingerprint(cells))
        (cells / FIRST).rename(cells / "renamed.png")
        async with opened(cells, size=WIDE) as pilot:
            name = "Undo the linking of moved files"
            await wait_until(pilot, lambda: f"To undo that: Ctrl+P, {name}" in told(pilot.app))
            titles = [found.title for found in pilot.app.palette_commands(pilot.app.screen)]
            assert any(title.startswith(name) for title in titles)
            pilot.app.screen.run_command("unlink")  # type: ignore[attr-defined]
            await press(pilot)
            await wait_until(pilot, lambda: "link of renamed.png to a moved file" in screen_text(pilot.app))
            assert list(labels_in(cells)) == [FIRST]
            await press(pilot, "ctrl+y")
            assert list(labels_in(cells)) == ["renamed.png"]
            await press(pilot, "ctrl+z")
            pilot.app.screen.run_command("unlink")  # type: ignore[attr-defined]
            await press(pilot)
            await wait_until(pilot, lambda: "No label followed" in screen_text(pilot.app))
        async with opened(cells, size=WIDE) as pilot:
            assert "moved" not in told(pilot.app)
        assert list(labels_in(cells)) == [FIRST]

    run(test())


@pytest.mark.parametrize(("who", "undone"), [("bob", False), ("ann", True)])
def test_an_import_while_the_app_is_open_is_shown_within_two_seconds_and_undone_by_who_made_it(
    cells: Path, tmp_path: Path, who: str, undone: bool
) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,class\nimage-000.png,oval\nimage-001.png,flat\n")

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            import_into(cells / "mia" / "labels.db", read_labels(table, scan(cells)), annotator=who)
            await wait_until(pilot, lambda: "oval" in screen_lines(pilot.app)[0], timeout_s=NEWS_WITHIN_S)
            text = screen_text(pilot.app)
            assert "oval (imported)" in text and "2 labelled" in text and "3  oval 1" in text
            await press(pilot, "ctrl+z")
            assert ("nothing of yours to undo" in screen_text(pilot.app)) is not undone
            assert ("import of 2 labels" in screen_text(pilot.app)) is undone
        assert len(labels_in(cells)) == (0 if undone else 2)

    run(test())


def test_classes_that_others_add_get_the_lines_they_need(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            with LabelStore(cells / "mia" / "labels.db", annotator="bob") as store:
                for number in range(8):
                    store.add_class(f"longer name {number}")
            await wait_until(pilot, lambda: "longer name 7" in screen_text(pilot.app))
            assert "round" in screen_text(pilot.app)

    run(test())


def test_images_that_were_skipped_are_not_left_to_do(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "f2", "f4", "f4")
            assert "1 labelled · 3 left · 2 skipped" in screen_text(pilot.app)
            await press(pilot, "f2", "f2", "f2")
            assert "All others have a label; 2 skipped." in screen_text(pilot.app)

    run(test())


def test_an_image_that_is_replaced_while_it_is_on_the_screen_is_shown_as_it_is(cells: Path) -> None:
    one_colour(cells / FIRST, (255, 0, 0))

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await wait_until(pilot, lambda: shows(pilot, (255, 0, 0)))
            one_colour(cells / FIRST, (0, 0, 255))
            await wait_until(pilot, lambda: shows(pilot, (0, 0, 255)))

    run(test())


def test_a_click_means_the_image_that_was_clicked_whatever_is_listed_by_then(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            screen: Any = pilot.app.screen
            gate = asyncio.Event()

            async def wait() -> None:
                await gate.wait()

            screen.queue.do(wait)
            screen.post_message(ImageList.ImageClicked(3, asks=False))
            await pilot.pause()
            make_images(cells.parent / "more", 1)
            (cells.parent / "more" / FIRST).rename(cells / "a-new-one.png")
            found = list_images(cells)
            assert found is not None
            screen.session.replace_listing(found.listing)
            gate.set()
            await settle(pilot)
            assert screen.session.current == ImageKey("image-003.png")

    run(test())


def test_a_click_on_a_line_that_is_not_there_any_more_does_nothing(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            pilot.app.screen.post_message(ImageList.ImageClicked(60, asks=False))
            await settle(pilot)
            assert "1/6" in screen_text(pilot.app)

    run(test())
