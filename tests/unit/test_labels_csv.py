import io
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labels_support import scan_of
from run_support import on_small_disk

from mia_tui.dataset.interchange.csv_labels import read_labels, write_labels
from mia_tui.dataset.model import ImageKey
from mia_tui.errors import DataError, LabelFileError


def read(folder: Path, content: str | bytes, scan, **options):
    path = folder / "labels.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_labels(path, scan, **options)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_comma_semicolon_and_tab_are_read_with_and_without_a_byte_order_mark(tmp_path, delimiter, mark):
    text = f"file{delimiter}class\r\na.png{delimiter}x\r\nb/c.png{delimiter}y\r\n"
    result = read(tmp_path, mark + text.encode(), scan_of("a.png", "b/c.png"))
    assert result.labels == {ImageKey("a.png"): "x", ImageKey("b/c.png"): "y"}
    assert not result.unmatched


def test_what_a_table_program_saves_as_unicode_text_is_read(tmp_path):
    result = read(tmp_path, "file\tclass\r\nä.png\tgröß\r\n".encode("utf-16"), scan_of("ä.png"))
    assert result.labels == {ImageKey("ä.png"): "größ"}


def test_columns_stand_in_any_order_and_others_are_ignored(tmp_path):
    text = 'probability,Class,note, File \n0.9,"x, or y",,a.png\n'
    assert read(tmp_path, text, scan_of("a.png")).labels == {ImageKey("a.png"): "x, or y"}


def test_a_label_belongs_to_the_path_with_its_suffix(tmp_path):
    text = "file,class\ncell.tif,x\ncell-2.tif,y\ncell.png,z\n"
    result = read(tmp_path, text, scan_of("cell-2.tif", "cell.png", "cell.tif"))
    assert {key.path: name for key, name in result.labels.items()} == {
        "cell-2.tif": "y",
        "cell.png": "z",
        "cell.tif": "x",
    }
    assert read(tmp_path, "file,class\ncell.jpg,x\n", scan_of("cell.tif")).unmatched == ["cell.jpg"]


def test_a_bare_file_name_is_enough_where_it_is_unique(tmp_path):
    scan = scan_of("s1/a.png", "s1/b.png", "s2/a.png")
    result = read(tmp_path, "file,class\nb.png,x\na.png,y\ns2/a.png,z\n", scan)
    assert result.labels == {ImageKey("s1/b.png"): "x", ImageKey("s2/a.png"): "z"}
    assert result.ambiguous == ["a.png"]


def test_a_row_without_a_frame_is_meant_for_every_frame_and_one_with_it_wins(tmp_path):
    scan = scan_of("s.tif", "t.tif", frames={"s.tif": 3, "t.tif": 1001})
    text = "file,frame,class\ns.tif,1,special\ns.tif,,usual\nt.tif,1000,last\nt.tif,1001,none\n"
    result = read(tmp_path, text, scan)
    assert [result.labels.get(ImageKey("s.tif", n)) for n in range(3)] == ["usual", "special", "usual"]
    assert result.labels[ImageKey("t.tif", 1000)] == "last"
    assert ImageKey("t.tif", 0) not in result.labels
    assert result.unmatched == ["t.tif (frame 1001)"]


def test_rows_that_name_no_image_or_lie_outside_are_told_apart(tmp_path):
    dataset = tmp_path / "data"
    dataset.mkdir()
    rows = [
        f"{dataset}/a.png,x",
        "./sub/../b.png,y",
        "sub\\c.png,z",
        "gone.png,x",
        "../a.png,x",
        "/elsewhere/a.png,x",
        "d.png,",
        ",",
    ]
    scan = scan_of("a.png", "b.png", "sub/c.png", "d.png")
    result = read(tmp_path, "file,class\n" + "\n".join(rows) + "\n", scan, dataset=dataset)
    assert {key.path: name for key, name in result.labels.items()} == {
        "a.png": "x",
        "b.png": "y",
        "sub/c.png": "z",
    }
    assert result.unmatched == ["gone.png"]
    assert result.outside == ["../a.png", "/elsewhere/a.png"]
    assert result.blank == 1


def test_a_name_is_found_whether_accents_are_composed_or_not(tmp_path):
    result = read(tmp_path, "file,class\nZellkärne.png,x\n", scan_of("Zellka\u0308rne.png"))
    assert result.labels == {ImageKey("Zellka\u0308rne.png"): "x"}


def test_per_cent_signs_are_taken_as_written_by_hand_and_as_we_write_them(tmp_path):
    scan = scan_of("100%.png", "a%20b.png", "a%25.png", "a%.png")
    text = "file,class\n100%.png,x\na%20b.png,y\na%25.png,z\n"
    result = read(tmp_path, text, scan)
    assert result.labels == {ImageKey("100%.png"): "x", ImageKey("a%20b.png"): "y", ImageKey("a%.png"): "z"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "it is empty"),
        ("a.png,x\n", "no columns file and class"),
        ("file,class,file\na.png,x,b.png\n", "two columns named file"),
        ("file,class\na.png\n", "line 2 has 1 column, the first line has 2"),
        ("file,class,frame\na.png,x,first\n", "line 2 has the frame first, which is not a whole number"),
        ("file,class,frame\na.png,x,-1\n", "the frame -1, which is not a whole number"),
        ("file,class\na.png,x\nb.png,y\na.png,y\n", "two classes: x in line 2, y in line 4"),
        (b"file,class\n\xff.png,x\n", "not UTF-8"),
        ('file,class\n"a.png' + "x" * 200_000 + '",x\n', "line"),
    ],
)
def test_a_malformed_file_is_refused_in_a_sentence(tmp_path, content, says):
    with pytest.raises(LabelFileError) as caught:
        read(tmp_path, content, scan_of("a.png", "b.png"))
    assert says in str(caught.value)


def test_the_same_row_twice_is_no_contradiction(tmp_path):
    assert len(read(tmp_path, "file,class\na.png,x\na.png,x\n", scan_of("a.png")).labels) == 1


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(LabelFileError, match="There is no file"):
        read_labels(tmp_path / "gone.csv", scan_of("a.png"))
    with pytest.raises(LabelFileError, match="cannot be read"):
        read_labels(tmp_path, scan_of("a.png"))


names = st.text(
    st.one_of(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), st.sampled_from('%",;\t\r\n ')
    ),
    min_size=1,
    max_size=8,
).filter(lambda name: name not in (".", ".."))
raw_names = st.one_of(
    names, st.binary(min_size=1, max_size=6).map(os.fsdecode).filter(lambda name: not set(name) & set("/\0."))
)


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.dictionaries(
        st.builds(ImageKey, st.lists(raw_names, min_size=1, max_size=3).map("/".join), st.integers(0, 2)),
        st.integers(0, 2),
        min_size=1,
        max_size=8,
    )
)
def test_what_is_written_reads_back_the_same_whatever_the_names(tmp_path_factory, labels):
    paths = sorted({key.path for key in labels})
    scan = scan_of(*paths, frames=dict.fromkeys(paths, 3))
    target = tmp_path_factory.mktemp("csv") / "labels.csv"
    classes = ["x", 'y, "z"', "ü; one line"]
    assert write_labels(target, labels, classes) == len(labels)
    back = read_labels(target, scan)
    assert back.labels == {key: classes[index] for key, index in labels.items()}
    assert not (back.unmatched or back.ambiguous or back.outside)
    assert [path.name for path in target.parent.iterdir()] == ["labels.csv"]


def test_labels_go_to_an_open_stream_as_well():
    stream = io.StringIO()
    write_labels(stream, {ImageKey("a%.png"): 1, ImageKey("s.tif", 2): 0}, ["x", "y"])
    assert stream.getvalue() == "file,frame,class\na%25.png,0,y\ns.tif,2,x\n"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none/labels\.csv cannot be written"):
        write_labels(tmp_path / "none" / "labels.csv", {ImageKey("a.png"): 0}, ["x"])


def test_on_a_full_disk_the_file_that_was_there_stays_as_it_was(tmp_path):
    code = """
import sys
from pathlib import Path
from mia_tui.dataset.interchange.csv_labels import write_labels
from mia_tui.dataset.model import ImageKey
from mia_tui.errors import DataError
target = Path(sys.argv[1], "labels.csv")
write_labels(target, {ImageKey("a.png"): 0}, ["x"])
before = target.read_bytes()
try:
    write_labels(target, {ImageKey(f"{number:0200}.png"): 0 for number in range(10_000)}, ["x"])
except DataError as error:
    print(error)
print(target.read_bytes() == before, [path.name for path in target.parent.iterdir()])
"""
    said = on_small_disk(tmp_path / "disk", code, tmp_path / "disk")
    assert "labels.csv is full. Free some space, or name another file or folder." in said
    assert "True ['labels.csv']" in said
