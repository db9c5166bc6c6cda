"""What the end of a scan means for labels, without a screen."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tui_support import label, labels_in, make_images

from mia_tui.dataset.listing.incremental_scan import list_images
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.recent import remember_dataset
from mia_tui.dataset.scan.scan import scan
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError, MiaError
from mia_tui.tui.labelling.bookmark import Bookmark
from mia_tui.tui.labelling.controller import LabelController
from mia_tui.tui.labelling.dataset_sync import DatasetSync


@dataclass
class Face:
    """A screen that writes down what it is told."""

    yes: bool = False
    said: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    commands: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def show(self, *, anew: bool = False) -> None:
        pass

    def say(self, message: str) -> None:
        self.said.append(message)

    def tell(self, message: str, *, warning: bool = False) -> None:
        self.said.append(message)

    def say_error(self, error: MiaError) -> None:
        self.errors.append(str(error))

    def key(self, command: str) -> str:
        return f"<{command}>"

    def do(self, command: Callable[[], Awaitable[None]]) -> None:
        self.commands.append(command)

    async def confirm(self, title: str, text: str, *, no: str, yes: str) -> bool:
        self.asked.append(text)
        return self.yes


def arrive(
    dataset: Path, face: Face, outcome: DataError | None = None
) -> tuple[LabelController, DatasetSync]:
    """Scan a dataset, and do all that comes of it."""

    async def work() -> tuple[LabelController, DatasetSync]:
        desk = LabelController(dataset, state=None, annotator="ann")
        arrival = DatasetSync(desk, Bookmark(dataset, desk.session, None), face)
        await desk.load()
        found = outcome or list_images(dataset)
        assert found is not None and arrival.growing and not arrival.scanned
        await arrival.take(found)
        for command in face.commands:
            await command()
        desk.keeper.drain(5.0)
        return desk, arrival

    return asyncio.run(work())


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("round", "flat"):
        make_images(tmp_path / "cells" / name, 2)
    return tmp_path / "cells"


def test_all_images_are_there_when_the_scan_is_over(tmp_path: Path) -> None:
    face = Face()
    desk, arrival = arrive(make_images(tmp_path, 3), face)
    assert len(desk.session.listing) == 3
    assert arrival.scanned and arrival.idle and not arrival.growing
    assert face.errors == [] and face.asked == []


def test_the_place_of_the_last_visit_is_found_again_when_its_image_is(tmp_path: Path) -> None:
    make_images(tmp_path, 3)
    remember_dataset(tmp_path, None, ImageKey("image-001.png"))
    desk, _ = arrive(tmp_path, Face())
    assert desk.session.current == ImageKey("image-001.png")


def test_a_folder_that_cannot_be_looked_into_is_said_and_the_arrival_ends(tmp_path: Path) -> None:
    face = Face()
    _, arrival = arrive(tmp_path, face, DataError("There are no images.", "Choose another folder."))
    assert arrival.idle and "There are no images." in face.errors[0]


@pytest.mark.parametrize(("yes", "labelled"), [(True, 4), (False, 0)])
def test_folders_become_classes_only_where_the_person_agrees(folders: Path, yes: bool, labelled: int) -> None:
    face = Face(yes)
    desk, _ = arrive(folders, face)
    assert "flat (2), round (2)" in face.asked[0] or "round (2), flat (2)" in face.asked[0]
    assert desk.session.counts.labelled == labelled


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
    face = Face(yes=True)
    desk, _ = arrive(folders, face)
    assert len(face.asked) == 1 and not any("took the class" in said for said in face.said)
    assert desk.session.counts.labelled == 4


def test_runs_that_are_taken_over_after_a_renaming_leave_the_question_about_the_folders(
    folders: Path,
) -> None:
    with LabelStore(folders.with_name("cells.mia") / "labels.db") as store:
        store.set_meta("source", "folders")
        store.set_parts(
            {ImageKey(f"{name}/image-00{i}.png"): "train" for name in ("round", "flat") for i in (0, 1)}
        )
    face = Face(yes=True)
    desk, _ = arrive(folders.rename(folders.with_name("renamed")), face)
    assert len(face.asked) == 2
    assert desk.session.counts.labelled == 4


def test_nobody_is_asked_about_folders_where_there_are_classes_already(folders: Path) -> None:
    make_images(folders, 0, classes=["mine"])
    face = Face()
    arrive(folders, face)
    assert face.asked == []


def test_a_label_is_kept_where_its_file_is_gone_and_that_is_said(tmp_path: Path) -> None:
    make_images(tmp_path, 2, classes=["round"])
    label(tmp_path, "round", ["image-000.png"])
    (tmp_path / "image-000.png").unlink()
    face = Face()
    arrive(tmp_path, face)
    assert list(labels_in(tmp_path)) == ["image-000.png"]
    assert face.said == ["1 labelled file cannot be found; its label is kept: image-000.png."]


def test_an_image_that_was_replaced_is_flagged_and_that_is_said(tmp_path: Path) -> None:
    make_images(tmp_path, 2, classes=["round"])
    label(tmp_path, "round", ["image-000.png"])
    with LabelStore(tmp_path / "mia" / "labels.db") as store:
        store.reconcile(scan(tmp_path).files, tmp_path)  # takes its fingerprint
    (tmp_path / "image-000.png").write_bytes((tmp_path / "image-001.png").read_bytes() + b"more")
    face = Face()
    arrive(tmp_path, face)
    assert face.said == ["1 image was changed since it was labelled; flagged: image-000.png."]


def test_one_look_for_new_images_at_a_time_and_suggestions_still_come_meanwhile(tmp_path: Path) -> None:
    _, arrival = arrive(make_images(tmp_path, 1), Face())
    assert arrival.look_again() and not arrival.idle
    assert not arrival.look_again()
    assert arrival.opened, "a run that ends now has its suggestions shown"


def test_files_of_other_kinds_are_said_once_and_again_only_when_they_change(tmp_path: Path) -> None:
    make_images(tmp_path, 1)
    (tmp_path / "a.heic").touch()
    face = Face()

    async def work() -> None:
        desk = LabelController(tmp_path, state=None, annotator="ann")
        arrival = DatasetSync(desk, Bookmark(tmp_path, desk.session, None), face)
        await desk.load()
        for more in (None, None, "b.czi"):
            if more:
                (tmp_path / more).touch()
            found = list_images(tmp_path)
            assert found is not None
            await arrival.take(found)

    asyncio.run(work())
    assert [said for said in face.said if "left out" in said] == [
        "1 file of another kind left out: 1 .heic.",
        "2 files of other kinds left out: 1 .czi, 1 .heic.",
    ]


def test_an_image_beside_class_folders_that_comes_later_gets_no_class_and_is_no_fault(folders: Path) -> None:
    face = Face(yes=True)
    arrive(folders, face)
    make_images(folders, 1)
    again = Face()
    desk, _ = arrive(folders, again)
    assert (again.errors, desk.session.counts.labelled, len(desk.session.listing)) == ([], 4, 5)
    make_images(folders / "round" / "deeper", 3)
    later = Face()
    desk, _ = arrive(folders, later)
    assert (later.errors, desk.session.counts.labelled) == ([], 7)
    assert later.said == ["3 new images took the class of their folder."]


@pytest.mark.parametrize("yes", [True, False])
def test_labels_that_a_renaming_left_behind_are_taken_over_only_where_the_person_agrees(
    folders: Path, yes: bool
) -> None:
    arrive(folders, Face(yes=True))
    left = folders.with_name("cells.mia")
    assert (left / "labels.db").exists()
    renamed = folders.rename(folders.with_name("renamed"))
    face = Face(yes=yes)
    desk, _ = arrive(renamed, face)
    assert "renamed has the images of cells, which is gone" in face.asked[0].replace(f"{renamed.parent}/", "")
    assert face.errors == [] and len(face.asked) == (1 if yes else 2), (
        "the folders may be classes, as in any new dataset"
    )
    assert left.exists() is not yes
    assert desk.session.counts.labelled == (4 if yes else 0)
    assert (desk.state.root == renamed.with_name("renamed.mia")) is yes
