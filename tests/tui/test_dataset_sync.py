"""What follows for labels when a scan has ended, without a screen."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tui_support import label, labels_in, make_images

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.recent import remember_dataset
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.dataset.scan.scan import scan
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError, MiaError
from mia_tui.tui.controller.bookmark import Bookmark
from mia_tui.tui.controller.label_controller import LabelController
from mia_tui.tui.label.dataset_sync import DatasetSync


@dataclass
class RecordingScreen:
    """A screen that writes down what it is told."""

    yes: bool = False
    said: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    commands: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    is_kept: list[bool] = field(default_factory=list)

    def show(self) -> None:
        pass

    def say(self, message: str) -> None:
        self.said.append(message)

    def show_message(self, message: str, *, warning: bool = False) -> None:
        self.said.append(message)

    def show_error(self, error: MiaError) -> None:
        self.errors.append(str(error))

    def key(self, command: str) -> str:
        return f"<{command}>"

    @property
    def queue(self) -> "RecordingScreen":
        return self

    def do(self, command: Callable[[], Awaitable[None]], *, keep: bool = False) -> None:
        self.commands.append(command)
        self.is_kept.append(keep)

    async def confirm(self, title: str, text: str, *, no: str, yes: str, letters: bool = True) -> bool:
        self.asked.append(text)
        return self.yes


def sync(
    dataset: Path, screen: RecordingScreen, outcome: DataError | None = None
) -> tuple[LabelController, DatasetSync]:
    """Scan a dataset, and do all that comes of it."""

    async def work() -> tuple[LabelController, DatasetSync]:
        controller = LabelController(dataset, state=None, annotator="ann")
        dataset_sync = DatasetSync(controller, Bookmark(dataset, controller.session, None), screen)
        await controller.load()
        found = outcome or list_images(dataset)
        assert found is not None and dataset_sync.growing and not dataset_sync.scanned
        await dataset_sync.take(found)
        for command in screen.commands:
            await command()
        controller.store_thread.drain(5.0)
        return controller, dataset_sync

    return asyncio.run(work())


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("round", "flat"):
        make_images(tmp_path / "cells" / name, 2)
    return tmp_path / "cells"


def test_all_images_are_there_when_the_scan_is_over(tmp_path: Path) -> None:
    screen = RecordingScreen()
    controller, dataset_sync = sync(make_images(tmp_path, 3), screen)
    assert len(controller.session.listing) == 3
    assert dataset_sync.scanned and dataset_sync.idle and not dataset_sync.growing
    assert screen.errors == [] and screen.asked == []


def test_the_place_of_the_last_visit_is_found_again_when_its_image_is(tmp_path: Path) -> None:
    make_images(tmp_path, 3)
    remember_dataset(tmp_path, None, ImageKey("image-001.png"))
    controller, _ = sync(tmp_path, RecordingScreen())
    assert controller.session.current == ImageKey("image-001.png")


def test_a_folder_that_cannot_be_looked_into_is_said_and_the_sync_ends(tmp_path: Path) -> None:
    screen = RecordingScreen()
    _, dataset_sync = sync(tmp_path, screen, DataError("There are no images.", "Choose another folder."))
    assert dataset_sync.idle and "There are no images." in screen.errors[0]


@pytest.mark.parametrize(("yes", "labelled"), [(True, 4), (False, 0)])
def test_folders_become_classes_only_where_the_person_agrees(folders: Path, yes: bool, labelled: int) -> None:
    screen = RecordingScreen(yes)
    controller, _ = sync(folders, screen)
    assert "flat (2), round (2)" in screen.asked[0] or "round (2), flat (2)" in screen.asked[0]
    assert controller.session.counts.labelled == labelled
    assert screen.is_kept == [True], "no other dialog or error drops the question"


def test_folders_that_a_training_took_are_asked_about_before_new_images_take_their_class(
    folders: Path,
) -> None:
    with LabelStore(
        folders.with_name("cells.mia") / "labels.db"
    ) as store:  # what a training without the app leaves
        store.set_meta("source", "folders")
        store.set_parts(
            {ImageKey(f"{name}/image-00{i}.png"): "train" for name in ("round", "flat") for i in (0, 1)}
        )
    screen = RecordingScreen(yes=True)
    controller, _ = sync(folders, screen)
    assert len(screen.asked) == 1 and not any("got the class" in said for said in screen.said)
    assert controller.session.counts.labelled == 4


def test_runs_that_are_taken_over_after_a_renaming_leave_the_question_about_the_folders(
    folders: Path,
) -> None:
    with LabelStore(folders.with_name("cells.mia") / "labels.db") as store:
        store.set_meta("source", "folders")
        store.set_parts(
            {ImageKey(f"{name}/image-00{i}.png"): "train" for name in ("round", "flat") for i in (0, 1)}
        )
    screen = RecordingScreen(yes=True)
    controller, _ = sync(folders.rename(folders.with_name("renamed")), screen)
    assert len(screen.asked) == 2
    assert controller.session.counts.labelled == 4


def test_nobody_is_asked_about_folders_where_there_are_classes_already(folders: Path) -> None:
    make_images(folders, 0, classes=["mine"])
    screen = RecordingScreen()
    sync(folders, screen)
    assert screen.asked == []


def test_a_label_is_kept_where_its_file_is_gone_and_that_is_said(tmp_path: Path) -> None:
    make_images(tmp_path, 2, classes=["round"])
    label(tmp_path, "round", ["image-000.png"])
    (tmp_path / "image-000.png").unlink()
    screen = RecordingScreen()
    sync(tmp_path, screen)
    assert list(labels_in(tmp_path)) == ["image-000.png"]
    assert screen.said == ["1 labelled file cannot be found; its label is kept: image-000.png."]


def test_an_image_that_was_replaced_is_flagged_and_that_is_said(tmp_path: Path) -> None:
    make_images(tmp_path, 2, classes=["round"])
    label(tmp_path, "round", ["image-000.png"])
    with LabelStore(tmp_path / "mia" / "labels.db") as store:
        store.reconcile(scan(tmp_path).files, tmp_path)  # takes its fingerprint
    (tmp_path / "image-000.png").write_bytes((tmp_path / "image-001.png").read_bytes() + b"more")
    screen = RecordingScreen()
    sync(tmp_path, screen)
    assert screen.said == ["1 image was changed since it was labelled; flagged: image-000.png."]


def test_one_look_for_new_images_at_a_time_and_suggestions_still_come_meanwhile(tmp_path: Path) -> None:
    _, dataset_sync = sync(make_images(tmp_path, 1), RecordingScreen())
    assert dataset_sync.begin_rescan() and not dataset_sync.idle
    assert not dataset_sync.begin_rescan()
    assert dataset_sync.opened, "a run that ends now has its suggestions shown"


def test_files_of_other_kinds_are_said_once_and_again_only_when_they_change(tmp_path: Path) -> None:
    make_images(tmp_path, 1)
    (tmp_path / "a.heic").touch()
    screen = RecordingScreen()

    async def work() -> None:
        controller = LabelController(tmp_path, state=None, annotator="ann")
        dataset_sync = DatasetSync(controller, Bookmark(tmp_path, controller.session, None), screen)
        await controller.load()
        for more in (None, None, "b.cr2"):
            if more:
                (tmp_path / more).touch()
            found = list_images(tmp_path)
            assert found is not None
            await dataset_sync.take(found)

    asyncio.run(work())
    assert [said for said in screen.said if "left out" in said] == [
        "1 file of another kind left out: 1 .heic.",
        "2 files of other kinds left out: 1 .cr2, 1 .heic.",
    ]


def test_an_image_beside_class_folders_that_comes_later_gets_no_class_and_is_no_fault(folders: Path) -> None:
    screen = RecordingScreen(yes=True)
    sync(folders, screen)
    make_images(folders, 1)
    again = RecordingScreen()
    controller, _ = sync(folders, again)
    assert (again.errors, controller.session.counts.labelled, len(controller.session.listing)) == ([], 4, 5)
    make_images(folders / "round" / "deeper", 3)
    later = RecordingScreen()
    controller, _ = sync(folders, later)
    assert (later.errors, controller.session.counts.labelled) == ([], 7)
    assert later.said == ["3 new images got the class of their folder."]


@pytest.mark.parametrize("yes", [True, False])
def test_labels_that_a_renaming_left_behind_are_taken_over_only_where_the_person_agrees(
    folders: Path, yes: bool
) -> None:
    sync(folders, RecordingScreen(yes=True))
    left = folders.with_name("cells.mia")
    assert (left / "labels.db").exists()
    renamed = folders.rename(folders.with_name("renamed"))
    screen = RecordingScreen(yes=yes)
    controller, _ = sync(renamed, screen)
    assert "renamed has the images of cells, which is gone" in screen.asked[0].replace(
        f"{renamed.parent}/", ""
    )
    assert screen.errors == [] and len(screen.asked) == (1 if yes else 2), (
        "the folders may be classes, as in any new dataset"
    )
    assert left.exists() is not yes
    assert controller.session.counts.labelled == (4 if yes else 0)
    assert (controller.state.root == renamed.with_name("renamed.mia")) is yes
