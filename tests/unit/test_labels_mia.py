import os

import numpy as np
import pytest
from labels_support import draw, draw_stack, scan_of

from mia_tui.dataset.interchange.mia import MAGIC, read_mia, write_mia
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.other_kinds import LABEL_FOLDER
from mia_tui.dataset.scan.scan import scan
from mia_tui.errors import DataError, LabelFileError


def put(root, path, number, *outlines, magic=MAGIC):
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez(target, np.array(magic), number, *outlines)


def test_a_label_lies_in_a_file_of_the_stem_beside_the_images(tmp_path):
    draw(tmp_path, "a.png", "s/b.png", "s/c.tif")
    put(tmp_path, f"{LABEL_FOLDER}/a.npz", np.array(1))
    put(tmp_path, f"s/{LABEL_FOLDER}/b.npz", np.int64(0))
    result = read_mia(tmp_path, scan(tmp_path), ["red", "blue"])
    assert result.labels == {ImageKey("a.png"): "blue", ImageKey("s/b.png"): "red"}
    assert not (result.unmatched or result.unreadable or result.notes)
    assert result.classes == ("red", "blue")


@pytest.mark.parametrize(
    "number", [np.array([[1.0]]), np.array([[1.0]], np.float32), np.array([1]), np.bool_(1)]
)
def test_a_class_number_is_taken_from_a_1x1_float_array_too(tmp_path, number):
    draw(tmp_path, "a.png")
    put(tmp_path, f"{LABEL_FOLDER}/a.npz", number)
    assert list(read_mia(tmp_path, scan(tmp_path), ["n", "y"]).labels.values()) == ["y"]


def test_outlines_of_background_are_left_out_and_counted(tmp_path):
    draw(tmp_path, "a.png", "b.png")
    put(tmp_path, f"{LABEL_FOLDER}/a.npz", np.array(0), np.zeros((9, 2)), np.ones((4, 2)))
    put(tmp_path, f"{LABEL_FOLDER}/b.npz", np.array(0))
    result = read_mia(tmp_path, scan(tmp_path))
    assert result.left_out == 2
    assert len(result.labels) == 2


def test_frames_of_a_stack_have_files_in_a_folder_of_its_name(tmp_path):
    draw_stack(tmp_path, "s.tif", 4)
    for frame in (0, 2):
        put(tmp_path, f"{LABEL_FOLDER}/s/s_{frame:03d}.npz", np.array(frame))
    result = read_mia(tmp_path, scan(tmp_path), ["x", "y", "z"])
    assert result.labels == {ImageKey("s.tif", 0): "x", ImageKey("s.tif", 2): "z"}


def test_one_label_for_the_whole_stack_gives_way_to_labels_of_frames(tmp_path):
    draw_stack(tmp_path, "s.tif", 3)
    put(tmp_path, f"{LABEL_FOLDER}/s/s_3u.npz", np.array(0))
    put(tmp_path, f"{LABEL_FOLDER}/s/s_001.npz", np.array(1))
    result = read_mia(tmp_path, scan(tmp_path), ["x", "y"])
    assert [result.labels[ImageKey("s.tif", n)] for n in range(3)] == ["x", "y", "x"]
    assert result.notes == ()


def test_a_label_for_a_stack_of_another_length_is_used_and_said(tmp_path):
    draw_stack(tmp_path, "s.tif", 3)
    put(tmp_path, f"{LABEL_FOLDER}/s/s_5u.npz", np.array(0))
    result = read_mia(tmp_path, scan(tmp_path), ["x"])
    assert len(result.labels) == 3
    assert "different length" in result.notes[0]


def test_frame_1000_is_frame_1000(tmp_path):
    put(tmp_path, f"{LABEL_FOLDER}/s/s_1000.npz", np.array(1))
    found = scan_of("s.tif", frames={"s.tif": 1001})
    assert read_mia(tmp_path, found, ["x", "y"]).labels == {ImageKey("s.tif", 1000): "y"}


def test_numbers_without_names_are_called_by_their_number(tmp_path):
    draw(tmp_path, "a.png", "b.png")
    put(tmp_path, f"{LABEL_FOLDER}/a.npz", np.array(2))
    result = read_mia(tmp_path, scan(tmp_path))
    assert list(result.labels.values()) == ["class 2"]
    assert result.classes == ("class 0", "class 1", "class 2")
    assert "--classes" in result.notes[0]


def test_a_number_beyond_the_names_is_refused(tmp_path):
    draw(tmp_path, "a.png")
    put(tmp_path, f"{LABEL_FOLDER}/a.npz", np.array(2))
    with pytest.raises(
        LabelFileError, match=r"up to number 2, but --classes has only 2 names: x, y\. Name 3"
    ):
        read_mia(tmp_path, scan(tmp_path), ["x", "y"])


def test_equal_stems_are_ambiguous_and_labels_without_images_named(tmp_path):
    draw(tmp_path, "cell.png", "cell.tif", "cell-2.tif")
    for stem in ("cell", "cell-2", "gone"):
        put(tmp_path, f"{LABEL_FOLDER}/{stem}.npz", np.array(0))
    put(tmp_path, f"{LABEL_FOLDER}/cell-2/cell-2_007.npz", np.array(0))
    put(tmp_path, f"{LABEL_FOLDER}/cell-2/other_000.npz", np.array(0))
    result = read_mia(tmp_path, scan(tmp_path), ["x"])
    assert list(result.labels) == [ImageKey("cell-2.tif")]
    assert result.ambiguous == [f"{LABEL_FOLDER}/cell.npz"]
    assert sorted(result.unmatched) == [
        f"{LABEL_FOLDER}/cell-2/cell-2_007.npz",
        f"{LABEL_FOLDER}/cell-2/other_000.npz",
        f"{LABEL_FOLDER}/gone.npz",
    ]


def broken_files(folder):
    whole = (folder / "whole.npz").read_bytes()
    (folder / "empty.npz").write_bytes(b"")
    (folder / "cut.npz").write_bytes(whole[: len(whole) // 2])
    (folder / "text.npz").write_text("not a zip")
    flipped = bytearray(whole)
    flipped[60] ^= 0xFF
    (folder / "flipped.npz").write_bytes(bytes(flipped))
    np.savez(folder / "pickle.npz", np.array(MAGIC), np.array([{}], object))
    np.savez(folder / "alone.npz", np.array(MAGIC))
    np.savez(folder / "letters.npz", np.array(MAGIC), np.array("x"))
    np.savez(folder / "several.npz", np.array(MAGIC), np.array([1, 2]))
    np.savez(folder / "huge.npz", np.array(MAGIC), np.zeros(1 << 18))
    np.savez(folder / "magic.npz", np.array(7), np.array(0))
    np.savez(folder / "half.npz", np.array(MAGIC), np.array([[0.5]]))
    np.savez(folder / "minus.npz", np.array(MAGIC), np.array(-1))
    np.savez(folder / "beyond.npz", np.array(MAGIC), np.array(1e300))
    np.savez(folder / "nan.npz", np.array(MAGIC), np.array(np.nan))


def test_broken_label_files_are_named_and_the_others_read(tmp_path):
    put(tmp_path, f"{LABEL_FOLDER}/whole.npz", np.array(0))
    broken_files(tmp_path / LABEL_FOLDER)
    stems = [path.stem for path in (tmp_path / LABEL_FOLDER).iterdir()]
    draw(tmp_path, *(f"{stem}.png" for stem in stems))
    result = read_mia(tmp_path, scan(tmp_path), ["x"])
    assert list(result.labels) == [ImageKey("whole.png")]
    assert len(result.unreadable) == len(stems) - 1 == 14
    assert any("half.npz (its class is 0.5" in text for text in result.unreadable)
    assert any("magic.npz (does not start with MIA's number)" in text for text in result.unreadable)


def test_without_label_folders_the_sentence_says_what_was_looked_for(tmp_path):
    draw(tmp_path, "a.png")
    with pytest.raises(LabelFileError, match="There is no folder Classification_labels beside the images"):
        read_mia(tmp_path, scan(tmp_path))


@pytest.mark.parametrize("elsewhere", [False, True])
def test_labels_written_for_mia_read_back_the_same(tmp_path, elsewhere):
    data = tmp_path / "data [x]*"
    odd = os.fsdecode(b"gr\xfcn.png")
    draw(data, "a.b.png", "s [1]/b.png", "s [1]/c.png", "t/c.png", odd)
    draw_stack(data, "t/stack.tif", 3)
    found = scan(data)
    classes = ["x", "y", "z"]
    labels = {key: number % 3 for number, key in enumerate(found.keys) if key.path != "s [1]/c.png"}
    out = tmp_path / "out" if elsewhere else None
    result = write_mia(data, found, labels, classes, out=out)
    assert result.files == len(labels) == 7
    assert result.numbers == {"x": 0, "y": 1, "z": 2}
    if elsewhere:
        assert not list(data.rglob("*.npz"))
        for folder in out.rglob(LABEL_FOLDER):
            folder.rename(data / folder.relative_to(out))
    back = read_mia(data, found, classes)
    assert back.labels == {key: classes[index] for key, index in labels.items()}
    assert not (back.unmatched or back.ambiguous or back.unreadable)
    assert scan(data).keys == found.keys


def test_the_written_file_is_what_mia_reads(tmp_path):
    draw(tmp_path, "a.png")
    draw_stack(tmp_path, "s.tif", 2)
    write_mia(tmp_path, scan(tmp_path), {ImageKey("a.png"): 1, ImageKey("s.tif", 1): 0}, ["x", "y"])
    with np.load(tmp_path / LABEL_FOLDER / "a.npz") as arrays:
        assert [int(arrays[name]) for name in arrays.files] == [1234554321, 1]
    assert (tmp_path / LABEL_FOLDER / "s" / "s_001.npz").is_file()


def test_two_images_of_one_stem_are_refused_and_both_named(tmp_path):
    draw(tmp_path, "cell.png", "cell.tif", "other.png")
    found = scan(tmp_path)
    with pytest.raises(DataError, match=r"cell\.png and cell\.tif would share one label file"):
        write_mia(tmp_path, found, {ImageKey("cell.png"): 0}, ["x"])
    assert not (tmp_path / LABEL_FOLDER).exists()
    assert write_mia(tmp_path, found, {ImageKey("other.png"): 0}, ["x"]).files == 1


def test_label_files_are_replaced_only_when_asked_and_keep_their_outlines(tmp_path):
    draw(tmp_path, "a.png", "b.png")
    outline = np.arange(8).reshape(4, 2)
    put(tmp_path, f"{LABEL_FOLDER}/a.npz", np.array(0), outline)
    (tmp_path / LABEL_FOLDER / "b.npz").write_bytes(b"broken")
    found = scan(tmp_path)
    labels = dict.fromkeys(found.keys, 1)
    with pytest.raises(DataError, match="2 label files of MIA would be replaced"):
        write_mia(tmp_path, found, labels, ["x", "y"])
    write_mia(tmp_path, found, labels, ["x", "y"], overwrite=True)
    result = read_mia(tmp_path, found, ["x", "y"])
    assert list(result.labels.values()) == ["y", "y"]
    assert result.left_out == 1
    with np.load(tmp_path / LABEL_FOLDER / "a.npz") as arrays:
        assert (arrays["arr_2"] == outline).all()


def test_frames_beyond_999_are_written_and_said(tmp_path):
    found = scan_of("s.tif", frames={"s.tif": 1002})
    labels = {ImageKey("s.tif", 0): 1, ImageKey("s.tif", 1001): 0}
    result = write_mia(tmp_path, found, labels, ["x", "y"])
    assert "1 frame after 999" in result.notes[0]
    assert read_mia(tmp_path, found, ["x", "y"]).labels == {
        ImageKey("s.tif", 0): "y",
        ImageKey("s.tif", 1001): "x",
    }


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    draw(tmp_path, "a.png")
    (tmp_path / LABEL_FOLDER).write_text("a file")
    with pytest.raises(DataError, match="Classification_labels cannot be used: it is a file"):
        write_mia(tmp_path, scan(tmp_path), {ImageKey("a.png"): 0}, ["x"])


def test_links_that_lead_in_a_circle_keep_no_label_from_being_read(tmp_path):
    draw(tmp_path, "a.png")
    put(tmp_path, f"{LABEL_FOLDER}/a.npz", np.array(0))
    for name in ("b.npz", "stack"):
        (tmp_path / LABEL_FOLDER / name).symlink_to(name)
    assert list(read_mia(tmp_path, scan(tmp_path), ["x"]).labels) == [ImageKey("a.png")]
