from collections import Counter
from pathlib import Path

import pytest
from labels_support import draw
from PIL import Image

from mia_tui.dataset.images.decode import decode
from mia_tui.dataset.images.formats import FORMATS, STACK_SUFFIXES, is_image_name
from mia_tui.dataset.images.reading import count_frames
from mia_tui.dataset.scan import walk
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.dataset.scan.other_kinds import OtherKinds, ending, is_system_folder
from mia_tui.dataset.scan.scan import scan
from mia_tui.dataset.scan.walk import scan_files
from mia_tui.paths import LABELS_DB

ORDINARY = sorted(
    suffix for one in FORMATS if not one.package and not one.is_folder for suffix in one.suffixes
)
"""Endings of files that need no package of their own."""


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()


@pytest.mark.parametrize("suffix", ORDINARY)
def test_every_ending_that_is_listed_is_found_and_read_in_any_case_of_letters(tmp_path, suffix):
    kinds = {".dib": "DIB", ".bmp": "BMP", ".gif": "GIF", ".webp": "WEBP"}
    kind = kinds.get(suffix, "PNG" if "png" in suffix else "TIFF" if suffix in STACK_SUFFIXES else "JPEG")
    for name in (f"small{suffix}", f"LARGE{suffix.upper()}"):
        Image.new("RGB", (5, 4), "red").save(tmp_path / name, format=kind)
    assert [file.path for file in scan(tmp_path).files] == [f"LARGE{suffix.upper()}", f"small{suffix}"]
    for path in tmp_path.iterdir():
        assert decode(path).shape == (4, 5, 3)
        assert count_frames(path) == 1


@pytest.mark.parametrize("name", ["web.jfif", "a.JPE", "a.pjpeg", "a.pjp", "a.dib", "A.TIFF"])
def test_rarer_endings_of_kinds_that_are_read_are_images(name):
    assert is_image_name(name)


@pytest.mark.parametrize("name", ["a.heic", "jpg", ".jpg", "a.jpg.txt", "a."])
def test_other_names_are_no_images(name):
    assert not is_image_name(name)


def test_files_of_other_kinds_are_counted_by_ending_by_both_ways_of_looking(tmp_path):
    draw(tmp_path, "a/1.png")
    touch(tmp_path, "a/2.HEIC", "a/3.heic", "b/c/4.cr2", "b/c/5.png", "README", "volume.nii.gz")
    (tmp_path / "b" / "link.cr2").symlink_to(tmp_path / "b" / "c" / "4.cr2")
    counts = {".heic": 2, ".cr2": 2, "": 1, ".nii.gz": 1}
    assert scan(tmp_path).other_kinds.kinds == counts
    found = list_images(tmp_path)
    assert found is not None
    assert found.other_kinds.kinds == counts
    assert found.notes == scan(tmp_path).notes
    assert scan(tmp_path).notes == [
        "6 files of other kinds left out: 2 .cr2, 2 .heic, 1 .nii.gz, 1 without an ending."
    ]


def test_what_programs_leave_for_themselves_is_neither_an_image_nor_counted(tmp_path):
    draw(tmp_path, "a/1.png", "@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg", "lost+found/2.png", "a/#recycle/old.png")
    draw(tmp_path, "__MACOSX/x.png", "$RECYCLE.BIN/y.png", ".thumbnails/z.png", "FOUND.000/w.png")
    touch(
        tmp_path, "a/Thumbs.db", "a/desktop.ini", "a/.DS_Store", "a/1.png:Zone.Identifier", "a/~$table.xlsx"
    )
    draw(tmp_path.parent / "waste", "old.png")
    (tmp_path / "#recycle").symlink_to(tmp_path.parent / "waste")
    touch(tmp_path, f"mia/{LABELS_DB}", "mia/runs/r/events.jsonl", "Classification_labels/1.npz")
    touch(tmp_path, "labels.csv", "a/predictions.csv")  # by these names README calls our own tables
    found = scan(tmp_path)
    assert [file.path for file in found.files] == ["a/1.png"]
    assert (found.other_kinds.kinds, found.notes) == ({}, [])


@pytest.mark.parametrize(
    "name",
    [
        "@eaDir",
        "#recycle",
        "#Snapshot",
        "@Recycle",
        "@Recently-Snapshot",
        "System Volume Information",
        "~snapshot",
    ],
)
def test_folders_of_storage_boxes_are_known_in_any_case_of_letters(name):
    assert is_system_folder(name)


@pytest.mark.parametrize("name", ["recycled", "found", "snapshot", "mia", "thumbs", "found.0000"])
def test_folders_that_may_be_classes_are_not_taken_for_those(name):
    assert not is_system_folder(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.CR2", ".cr2"),
        ("a.nii.gz", ".nii.gz"),
        ("a.gz", ".gz"),
        ("README", ""),
        ("1.2.840.113619", ""),
        ("notes of Mr. Smith, second part", ""),
        ("a.", ""),
        ("a.\x1b[2J", ""),
    ],
)
def test_the_ending_of_a_name_is_what_says_a_kind(name, expected):
    assert ending(name) == expected


def test_a_folder_that_holds_nothing_that_is_read_is_named_since_it_may_be_a_class(tmp_path):
    draw(tmp_path, "a/1.png")
    touch(tmp_path, "z/1.heic", "z/2.heic", "a/3.heic", "notes/readme.txt")
    assert scan(tmp_path).notes == [
        "4 files of other kinds left out: 3 .heic, 1 .txt. The folder z holds nothing else."
    ]


def test_the_sentence_names_pictures_first_and_ends():
    files = Counter({".txt": 9000, ".heic": 1, "": 2, **{f".k{number}": 1 for number in range(20)}})
    named = "1 .heic, 9,000 .txt, 2 without an ending, 1 .k0, 1 .k1 and 18 more kinds"
    assert OtherKinds(files).notes == [f"9,023 files of other kinds left out: {named}."]
    assert OtherKinds(Counter({".cr2": 1})).notes == ["1 file of another kind left out: 1 .cr2."]


def test_files_of_other_kinds_cost_no_look_at_the_disk(tmp_path, monkeypatch):
    touch(tmp_path, "a.png", *(f"{number}.cr2" for number in range(50)))
    other_kinds = OtherKinds()
    asked = []
    real = walk.os.stat
    monkeypatch.setattr(
        walk.os, "stat", lambda *args, **options: asked.append(args) or real(*args, **options)
    )
    assert list(scan_files(tmp_path, other_kinds=other_kinds)) == ["a.png"]
    assert other_kinds.kinds == {".cr2": 50}
    assert not any(str(args[0]).endswith(".cr2") for args in asked)
