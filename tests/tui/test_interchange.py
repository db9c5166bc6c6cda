"""Importing and exporting labels in the app: what would change is said first, and nothing is lost."""

import csv
import os
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input
from tui_support import (
    label,
    labels_in,
    make_images,
    opened,
    press,
    run,
    screen_text,
    settle,
    told,
    type_text,
    wait_until,
)

from mia_tui.tui.dialogs import Dialog
from mia_tui.tui.interchange.found_files import find_labels

WIDE = 120, 40
NAMES = [f"image-{number:03}.png" for number in range(4)]
LABELS = "file,class\nimage-000.png,round\nimage-001.png,long\nimage-002.png,spiny\nelsewhere.png,round\n"


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_images(tmp_path / "cells", 4, classes=("round", "long"))


def classes_in(dataset: Path) -> dict[str, str]:
    """The class of each labelled image."""
    from mia_tui.dataset.store.label_store import LabelStore

    store = LabelStore.open_existing(dataset / "mia" / "labels.db")
    assert store is not None
    with store:
        names = {known.id: known.name for known in store.classes()}
        return {key.path: names[known.class_id] for key, known in store.labels().items()}


def words_on(pilot: Pilot[int]) -> str:
    """What is on the screen; line breaks and lines around dialogs do not count."""
    return " ".join(word for word in screen_text(pilot.app).split() if not set(word) <= set("│─╭╮╰╯▀·"))


async def asks(pilot: Pilot[int], words: str) -> None:
    """A dialog with these words comes; line breaks are as they fall."""
    await wait_until(
        pilot,
        lambda: isinstance(pilot.app.screen, Dialog) and words in " ".join(screen_text(pilot.app).split()),
    )


def test_a_file_is_imported_after_it_was_said_what_changes_and_one_key_undoes_it(
    cells: Path, tmp_path: Path
) -> None:
    file = tmp_path / "from another program.csv"
    file.write_text(LABELS)
    label(cells, "round", NAMES[:2])

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "(")
            assert "Import which labels? Type the path of a file." in screen_text(pilot.app)
            await type_text(pilot, str(file))
            await press(pilot, "enter")
            await asks(pilot, "Import from another program.csv?")
            text = words_on(pilot)
            assert "3 images in from another program.csv: round 1, long 1, spiny 1." in text
            assert "1 has no label yet, 1 has the same label already." in text
            assert "1 has another label, 1 of them by a person" in text
            assert "New classes: spiny." in text and "1 row names no image of the dataset" in text
            await wait_until(pilot, lambda: classes_in(cells) == dict.fromkeys(NAMES[:2], "round"))
            await press(pilot, "r")
            await wait_until(
                pilot, lambda: classes_in(cells) == dict(zip(NAMES, ("round", "long", "spiny"), strict=False))
            )
            done = "3 images labelled by from another program.csv, 2 of them new or changed"
            await wait_until(pilot, lambda: done in screen_text(pilot.app))
            await press(pilot, "ctrl+z")
            await wait_until(pilot, lambda: classes_in(cells) == dict.fromkeys(NAMES[:2], "round"))

    run(test())


def copied(cells: Path, tmp_path: Path) -> Path:
    """The labels.db of a copy in which bob labelled all images long, and wrote a note; here two are round."""
    import shutil

    from mia_tui.dataset.model import ImageKey
    from mia_tui.dataset.store.label_store import LabelStore

    other = tmp_path / "copy" / "labels.db"
    other.parent.mkdir()
    shutil.copy(cells / "mia" / "labels.db", other)
    label(cells, "round", NAMES[:2])
    with LabelStore(other, annotator="bob") as store:
        long = next(known for known in store.classes() if known.name == "long")
        store.set_labels([(ImageKey(name), long.id) for name in NAMES], source="person")
        store.set_note(ImageKey(NAMES[3]), "blurred")
    return other


@pytest.mark.parametrize(("line", "first"), [(0, "round"), (2, "long"), (3, "long")])
def test_the_labels_of_a_copy_are_merged_as_the_person_says(
    cells: Path, tmp_path: Path, line: int, first: str
) -> None:
    file = copied(cells, tmp_path)
    before = file.read_bytes()

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "(")
            await type_text(pilot, str(file))
            await press(pilot, "enter")
            await asks(pilot, "Import labels.db?")
            text = words_on(pilot)
            assert "2 have no label yet" in text
            assert "2 have another label, 2 of them by a person" in text
            await press(pilot, "m")
            await asks(pilot, "2 images labelled otherwise here. Which label stays?")
            await press(pilot, *["down"] * line, "enter")
            wanted = dict(zip(NAMES, (first, first, "long", "long"), strict=True))
            await wait_until(pilot, lambda: classes_in(cells) == wanted)
            await wait_until(pilot, lambda: "of labels.db taken over" in screen_text(pilot.app))
            await press(pilot, "end")
            assert "blurred" in screen_text(pilot.app)
            await press(pilot, "ctrl+z")
            await wait_until(pilot, lambda: classes_in(cells) == dict.fromkeys(NAMES[:2], "round"))
            assert "blurred" not in screen_text(pilot.app)

    run(test())
    assert file.read_bytes() == before


def test_conflicts_with_a_copy_can_be_kept_as_opinions_and_decided(cells: Path, tmp_path: Path) -> None:
    file = copied(cells, tmp_path)

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "(")
            await type_text(pilot, str(file))
            await press(pilot, "enter")
            await asks(pilot, "Import labels.db?")
            await press(pilot, "m", "down", "enter")
            await wait_until(pilot, lambda: "2 differ from yours" in screen_text(pilot.app))
            pilot.app.screen.run_command("disputes")  # type: ignore[attr-defined]
            await settle(pilot)
            assert "long: bob" in screen_text(pilot.app)
            await press(pilot, "2", "enter")
            assert "All disputes are decided." in screen_text(pilot.app)

    run(test())
    assert classes_in(cells) == dict(zip(NAMES, ("long", "round", "long", "long"), strict=True))


def test_labels_that_differ_can_be_kept(cells: Path) -> None:
    (cells / "labels.csv").write_text(LABELS)
    label(cells, "round", NAMES[:2])

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "(", "enter")
            await asks(pilot, "Import labels.csv")
            await press(pilot, "k")
            await wait_until(
                pilot,
                lambda: classes_in(cells) == dict(zip(NAMES, ("round", "round", "spiny"), strict=False)),
            )
            await wait_until(pilot, lambda: "1 kept another label" in screen_text(pilot.app))

    run(test())


def test_a_file_beside_the_images_is_offered_once_where_there_are_no_labels(cells: Path) -> None:
    (cells / "labels.csv").write_text(LABELS)
    (cells / "notes.txt").write_text("not,labels\n1,2\n")

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await asks(pilot, "labels.csv lies beside the images. Import it?")
            await press(pilot, "enter")  # No has the focus
            assert labels_in(cells) == {}
        async with opened(cells, size=WIDE) as pilot:
            await pilot.pause(0.2)
            await settle(pilot)
            assert not isinstance(pilot.app.screen, Dialog)
            await press(pilot, "(", "enter")
            await asks(pilot, "Import labels.csv")
            await press(pilot, "i")
            await wait_until(pilot, lambda: len(labels_in(cells)) == 3)

    run(test())


def test_a_file_that_takes_long_to_read_is_listed_and_not_offered(cells: Path) -> None:
    with (cells / "labels.csv").open("w") as file:
        file.truncate((1 << 24) + 1)
    [found] = find_labels(cells, [""])
    assert not found.is_likely
    (cells / "labels.csv").write_text("file,class\n")
    [found] = find_labels(cells, [""])
    assert found.is_likely


@pytest.mark.parametrize(
    "content", ["", "file,class\n", "a,b\n1,2\n", "file,class\nelsewhere.png,x\n", "\0\xff"]
)
def test_a_file_that_is_no_labels_of_these_images_is_not_offered_and_says_why_if_chosen(
    cells: Path, content: str
) -> None:
    (cells / "labels.csv").write_bytes(content.encode("latin-1"))

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await pilot.pause(0.2)
            await settle(pilot)
            assert not isinstance(pilot.app.screen, Dialog)
            await press(pilot, "(")
            if content:
                await press(pilot, "enter")
                await wait_until(pilot, lambda: len(pilot.app.screen.query(".error")) == 1)
            await press(pilot, "escape")
            assert labels_in(cells) == {}

    run(test())


def test_a_file_that_does_not_exist_is_named_and_another_can_be_typed(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "(")
            await type_text(pilot, "nowhere.csv")
            await press(pilot, "enter")
            await asks(pilot, "nowhere.csv")
            assert "Import which labels?" in screen_text(pilot.app)

    run(test())


def test_predictions_become_suggestions(cells: Path) -> None:
    (cells / "predictions.csv").write_text("file,class,probability\nimage-000.png,long,0.75\n")

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await asks(pilot, "predictions.csv lies beside the images")
            await press(pilot, "a")
            await wait_until(pilot, lambda: "long? 75%" in screen_text(pilot.app))
            assert labels_in(cells) == {}

    run(test())


def test_labels_are_exported_to_a_file_which_is_replaced_only_after_a_question(
    cells: Path, tmp_path: Path
) -> None:
    label(cells, "long", NAMES[:3])

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, ")", "enter")
            assert pilot.app.screen.query_one(Input).value == str(cells / "labels.csv")
            await press(pilot, "enter")
            await wait_until(pilot, lambda: "3 labels written to" in told(pilot.app))
            with (cells / "labels.csv").open(newline="") as file:
                assert [row["class"] for row in csv.DictReader(file)] == ["long"] * 3
            (cells / "labels.csv").write_text("mine")
            await press(pilot, ")", "enter", "enter")
            await asks(pilot, "Replace labels.csv?")
            await press(pilot, "enter")
            await asks(pilot, "to which file?")  # another one can be named
            assert (cells / "labels.csv").read_text() == "mine"
            await press(pilot, "enter")
            await asks(pilot, "Replace labels.csv?")
            await press(pilot, "r")
            await wait_until(pilot, lambda: "mine" not in (cells / "labels.csv").read_text())

    run(test())


def test_class_folders_are_made_beside_the_dataset_and_never_in_it(cells: Path) -> None:
    label(cells, "long", NAMES[:3])

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, ")", "down", "enter", "enter")
            await wait_until(pilot, lambda: (cells.parent / "cells-classes" / "long").is_dir())
            await wait_until(pilot, lambda: "3 " in told(pilot.app))
            assert len(list((cells.parent / "cells-classes" / "long").iterdir())) == 3

    run(test())


def test_mia_s_files_are_replaced_only_after_a_question_and_come_back(cells: Path) -> None:
    label(cells, "long", NAMES[:1])

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, ")")
            await type_text(pilot, "MIA")
            await press(pilot, "enter", "enter")
            await wait_until(pilot, lambda: (cells / "Classification_labels").is_dir())
            await wait_until(pilot, lambda: "1 label files written" in told(pilot.app))
            await press(pilot, ")")
            await type_text(pilot, "MIA")
            await press(pilot, "enter", "enter")
            await asks(pilot, "Replace MIA's label files?")
            await press(pilot, "escape", "delete")
            await wait_until(pilot, lambda: labels_in(cells) == {})
            await press(pilot, "(", "enter")
            await type_text(pilot, "round,long")
            await press(pilot, "enter")
            await asks(pilot, "Import MIA's label folders")
            await press(pilot, "i")
            await wait_until(pilot, lambda: classes_in(cells) == {NAMES[0]: "long"})

    run(test())


def test_without_labels_there_is_nothing_to_export(cells: Path) -> None:
    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, ")")
            assert "There are no labels to export yet." in screen_text(pilot.app)

    run(test())


@pytest.mark.parametrize("path", ["~nobody-of-this-name/labels.csv", f"{'x' * 300}.csv", "pipe.csv"])
def test_odd_paths_are_refused_with_a_sentence_and_wait_for_nothing(cells: Path, path: str) -> None:
    os.mkfifo(cells / "pipe.csv")
    label(cells, "round", NAMES[:1])

    async def test() -> None:
        async with opened(cells, size=WIDE) as pilot:
            await press(pilot, "(")
            pilot.app.screen.query_one(Input).value = path
            await press(pilot, "enter")
            await wait_until(
                pilot,
                lambda: any(
                    words in words_on(pilot) for words in ("There is no file", "cannot be read", "is no file")
                ),
            )
            assert "Reading" not in screen_text(pilot.app)
            await press(pilot, "escape", ")", "enter")
            pilot.app.screen.query_one(Input).value = path
            await press(pilot, "enter")
            if path == "pipe.csv":
                await asks(pilot, "Replace pipe.csv?")
                await press(pilot, "r")
            await wait_until(pilot, lambda: "cannot be" in words_on(pilot))

    run(test())
    assert (cells / "pipe.csv").is_fifo()
