"""CSV files as table programs, pandas and other people's scripts write them, and damaged ones."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labels_support import scan_of

from mia_tui.dataset.interchange import csv_table
from mia_tui.dataset.interchange.csv_labels import HEADERS, read_labels, write_labels
from mia_tui.dataset.interchange.csv_table import open_table
from mia_tui.dataset.model import ImageKey
from mia_tui.errors import LabelFileError


def read(folder: Path, content: str | bytes, scan, **options):
    path = folder / "labels.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_labels(path, scan, **options)


def classes(folder: Path, content: str | bytes, *paths: str, **options) -> dict[str, str]:
    """The class of each image by its path."""
    found = read(folder, content, scan_of(*paths), **options)
    return {key.path: name for key, name in found.labels.items()}


AB = ("a.png", "b.png")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('file,class\na.png,"cat\nb.png,dog\n', "line 2 has a quote that is never closed"),
        ('file,class\na.png,cat\n"b.png,dog\n', "line 3 has a quote that is never closed"),
        ('file,class,note\na.png,cat,"so\nb.png,dog,\n', "line 2 has a quote that is never closed"),
        (
            'file,class,note\na.png,cat,"two\nlines"\nb.png,dog,"x\n',
            "line 4 has a quote that is never closed",
        ),
        ('file,class\r\ra.png,"cat\rb.png,dog\r', "line 3 has a quote that is never closed"),
        ('"file,class\na.png,cat\n', "line 1 has a quote that is never closed"),
        (
            'file,class\na.png,"cat\nb.png,"dog"\n',
            "line 2 has a quote that opens a cell and is closed in the mid",
        ),
        ('file,class\na.png,"c"at\n', "line 2 has a quote that opens a cell and is closed in the middle"),
        ('file,class\na.png,"cat\nb.png,dog"\n', "line 2 opens a quote around a class of several lines"),
        ('file,class\n"a.png,cat\nb.png",dog\n', "line 2 opens a quote around a name of several lines"),
        ('file,class\na.png,ca"t\n', 'line 2 has a quote in the middle of the class ca"t'),
        ('file,class\na.png,"cat\n' + "b.png,dog\n" * 20_000, "line 2 has a quote that is not closed within"),
        ("file,class\na.png\n", "line 2 has 1 column, the first line has 2"),
        ("file,class\nmy cell,1.png,cat\n", "line 2 has 3 columns, the first line has 2"),
        ("file,class\na.png,cat\n\0\0\0", "line 3 contains a zero byte"),
        ("file,class\n" + "x" * 1_000_001, "line 2 has more than 1,000,000 characters"),
        ("file,class,frame\na.png,cat,0.5\n", "the frame 0.5, which is not a whole number"),
        ('file,class,frame\na.png,cat,"1,000"\n', "the frame 1,000, which is not a whole number"),
        ("file,class,frame\na.png,cat,1e99\n", "the frame 1e99, which is not a whole number"),
        ("file,class,frame\na.png,cat,-1\n", "the frame -1, which is not a whole number"),
        ("file,class,frame\na.png,cat,1,000\n", "line 2 has 4 columns"),
        (f"file,class,frame\na.png,cat,{'9' * 5000}\n", "which is not a whole number"),
        ("filename;kind\na.png;cat\n", "has no column class: its first line is 'filename;kind'"),
        ("nr,label\n1,cat\n", "has no column file"),
        (b"PK\x03\x04\x14\0\6\0\x08\0", "labels.csv is a workbook"),
        ("sep=;\nfile,class\na.png,cat\n", "no columns file and class"),
        (b"file,class\na.png,cat\nb.png,K\xe4fer\n", "not UTF-8 text, as line 3 shows"),
        (b"file,class\r" + b"a.png,cat\r" * 5000 + b"b.png,K\xe4fer\r", "not UTF-8 text, as line 5002 shows"),
        ("file,class\na.png,cat\n".encode("utf-16")[:-1], "begins like UTF-16 text and is cut short"),
    ],
)
def test_a_damaged_file_is_refused_with_the_line(tmp_path, content, says):
    with pytest.raises(LabelFileError) as caught:
        read(tmp_path, content, scan_of(*AB))
    assert says in str(caught.value)
    assert caught.value.hint


def test_a_long_file_with_an_unclosed_quote_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_table, "_LONGEST_CELL", 50)
    with (tmp_path / "labels.csv").open("w") as file:
        file.write('file,class\na.png,"cat\n' + "b.png,dog\n" * 1000)
    with open_table(tmp_path / "labels.csv") as table:
        with pytest.raises(LabelFileError):
            list(table.rows(","))
        assert table.lines.number < 20


def test_a_name_with_a_quote_or_a_line_break_in_it_is_found(tmp_path):
    text = 'file,class\n5" tile.png,cat\n"two\nlines.png",dog\n'
    assert classes(tmp_path, text, '5" tile.png', "two\nlines.png") == {
        '5" tile.png': "cat",
        "two\nlines.png": "dog",
    }


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_notes_of_several_lines_and_empty_cells_at_the_end_do_no_harm(tmp_path, end):
    rows = ["file,class,note", 'a.png,cat,"one', 'two ""x"""', "b.png, dog ,,,", ""]
    assert classes(tmp_path, end.join(rows), *AB) == {"a.png": "cat", "b.png": "dog"}


def test_lines_may_end_in_different_ways_in_one_file(tmp_path):
    assert classes(tmp_path, 'file,class\r\na.png,cat\r"b.png" , "dog"\n', *AB) == {
        "a.png": "cat",
        "b.png": "dog",
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_every_kind_of_unicode_text_is_read(tmp_path, encoding):
    text = "file\tclass\r\na.png\tKäfer\r\nb.png\t猫\r\n".encode(encoding)
    assert classes(tmp_path, text, *AB) == {"a.png": "Käfer", "b.png": "猫"}


@pytest.mark.parametrize(
    ("written", "frames"),
    [
        ("0", [0]), ("0.0", [0]), ("1.", [1]), ("2.00", [2]), ("1,0", [1]),
        ("", [0, 1, 2]), ("NaN", [0, 1, 2]), ("nan", [0, 1, 2]), ("NA", [0, 1, 2]), ("<NA>", [0, 1, 2]),
        ("None", [0, 1, 2]), (" 2 ", [2]), ("1e0", [1]), ("2.000000e+00", [2]), ("0.2E1", [2]), ("01", [1]),
    ],
)  # fmt: skip
def test_a_frame_may_be_a_fraction_as_pandas_writes_it_and_none_is_every_frame(tmp_path, written, frames):
    text = f'file,class,frame\ns.tif,cat,"{written}"\n'
    found = read(tmp_path, text, scan_of("s.tif", frames={"s.tif": 3}))
    assert [key.frame for key in found.labels] == frames


def test_a_frame_column_that_a_row_does_not_reach_means_every_frame(tmp_path):
    assert classes(tmp_path, "file,class,frame\na.png,cat\n", "a.png") == {"a.png": "cat"}


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;;", "\r\n\r\nsep=;"])
def test_the_line_that_names_the_separator_to_excel_is_heeded(tmp_path, first):
    assert classes(tmp_path, f"{first}\r\nfile;class\r\na.png;cat, tabby\r\n", "a.png") == {
        "a.png": "cat, tabby"
    }


def test_a_tab_may_be_named_as_scripts_write_it_and_a_second_mark_does_no_harm(tmp_path):
    text = "\ufeff\ufeffsep=\\t\nfile\tclass\na.png\tcat\n"
    assert classes(tmp_path, text, "a.png") == {"a.png": "cat"}
    assert classes(tmp_path, "\ufeff\ufefffile,class\na.png,cat\n", "a.png") == {"a.png": "cat"}


def test_one_class_written_in_two_ways_is_one(tmp_path):
    text = "file,class\na.png,caf\u00e9\na.png,cafe\u0301\n"
    assert list(classes(tmp_path, text, "a.png")) == ["a.png"]


def test_rows_between_two_quotes_of_a_column_that_is_not_read_are_said(tmp_path):
    text = 'file,class,note\na.png,cat,"x\nb.png,dog,y"\n'
    found = read(tmp_path, text, scan_of(*AB))
    assert [key.path for key in found.labels] == ["a.png"]
    assert "starting in line 2: rows inside it were not read" in found.notes[0]
    text = 'file,class,note\na.png,cat,"x\ny"\nb.png,dog,z\n'
    assert read(tmp_path, text, scan_of(*AB)).notes == ()


@pytest.mark.parametrize("separator", ["\t", "|", "^", ","])
def test_the_separator_may_be_any_character_that_is_named(tmp_path, separator):
    text = f"sep={separator}\nfile{separator}class\na.png{separator}cat\n"
    assert classes(tmp_path, text, "a.png") == {"a.png": "cat"}


@pytest.mark.parametrize(
    "header",
    [
        "filename,label", "File Name,Class Name", "FILE_NAME,CATEGORY", "image_path,category", "img,target",
        "path,y", "filepaths,labels", "images,classes", "Relative Path,Class ID", "id,image,choice",
        "name,labels", "image_id,label", "Image,Class", "image.name,class-label", ' "Filename" , "Label" ',
    ],
)  # fmt: skip
def test_columns_may_have_the_names_that_other_programs_give_them(tmp_path, header):
    row = "17,a.png,cat" if header.startswith("id,") else "a.png,cat"
    assert classes(tmp_path, f"{header}\n{row}\n", "a.png") == {"a.png": "cat"}


def test_the_index_that_pandas_writes_is_passed_over(tmp_path):
    assert classes(tmp_path, ",filename,label\n0,a.png,cat\n1,b.png,dog\n", *AB) == {
        "a.png": "cat",
        "b.png": "dog",
    }
    assert classes(tmp_path, "Unnamed: 0,filename,label\n0,a.png,cat\n", *AB) == {"a.png": "cat"}


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("filename,path,label", "filename, path"),
        ("file,label,category", "label, category"),
        ("File,file,class", "named File"),
        ("file,class,frame,Frame", "named frame"),
    ],
)
def test_two_columns_that_may_both_be_meant_are_refused_and_named(tmp_path, header, names):
    row = ",".join("a.png" if "ile" in name or name == "path" else "0" for name in header.split(","))
    with pytest.raises(LabelFileError, match="has two columns") as caught:
        read(tmp_path, f"{header}\n{row}\n", scan_of("a.png"))
    assert names in str(caught.value)


def test_the_column_with_the_very_name_wins_and_the_other_is_said_not_to_be_read(tmp_path):
    found = read(tmp_path, "file,class,label,id\na.png,cat,0,17\n", scan_of("a.png"))
    assert found.labels == {ImageKey("a.png"): "cat"}
    assert found.notes == (
        "The file is taken from the column file; id is not read.",
        "The class is taken from the column class; label is not read.",
    )


def test_no_name_of_a_column_stands_for_two_of_them():
    names = [name for usual, seldom in HEADERS.values() for name in (*usual, *seldom)]
    assert len(names) == len(set(names))
    assert all(name == name.casefold() and name.isalnum() for name in names)


@pytest.mark.parametrize("name", ["nan", "NaN", "<NA>", "None", "1.0", "=1", "a,b"])
def test_a_class_is_read_as_it_was_written_also_where_it_looks_like_no_value(tmp_path, name):
    write_labels(tmp_path / "out.csv", {ImageKey("a.png"): 0}, [name])
    assert list(read_labels(tmp_path / "out.csv", scan_of("a.png")).labels.values()) == [name]


def test_an_empty_class_is_no_class_and_said(tmp_path):
    found = read(tmp_path, 'file,class\na.png,\nb.png," "\nc.png,nan\nd.png,cat\n', scan_of("a.png", "d.png"))
    assert (list(found.labels.values()), found.blank) == (["cat"], 3)


def test_a_row_without_a_name_is_named_by_its_line(tmp_path):
    assert read(tmp_path, "file,class\n,cat\n", scan_of("a.png")).unmatched == ["line 2 (no name)"]


@pytest.mark.parametrize(
    "written",
    [
        r"C:\data\s1\a.png", "C:/data/s1/a.png", r"\\nas\group\s1\a.png", "/old/place/s1/a.png", r"old\s1\a.png",
        "~/pictures/s1/a.png", "s3://bucket/s1/a.png", "file:///old/s1/a.png", r"c:\data\.\x\..\s1\a.png",
    ],
)  # fmt: skip
def test_a_path_of_another_place_is_matched_by_its_longest_ending_and_said(tmp_path, written):
    found = read(tmp_path, f"file,class\n{written},cat\n", scan_of("a.png", "s1/a.png", "x/s2/a.png"))
    assert found.labels == {ImageKey("s1/a.png"): "cat"}
    assert found.notes == (f"1 row matched by the end of the path: {written} is s1/a.png.",)


@pytest.mark.parametrize("written", ["/old/cells/a.png", "C:\\data\\cells\\a.png", "old\\cells\\a.png"])
def test_a_path_of_another_place_is_said_also_where_the_dataset_has_kept_its_name(tmp_path, written):
    found = read(tmp_path, f"file,class\n{written},cat\n", scan_of("a.png"), dataset=tmp_path / "cells")
    assert found.notes == (f"1 row matched by the end of the path: {written} is a.png.",)


def test_an_ending_that_fits_several_images_is_named_and_not_taken(tmp_path):
    found = read(
        tmp_path, "file,class\n/old/a.png,cat\n/old/b.png,dog\n", scan_of("s1/a.png", "s2/a.png", "b.png")
    )
    assert found.labels == {ImageKey("b.png"): "dog"}
    assert found.ambiguous == ["/old/a.png"]


def test_two_paths_are_never_taken_for_one_image_by_their_ends(tmp_path):
    scan = scan_of("s1/a.png", "b.png", "c.png")
    rows = [
        "/old/s1/a.png,cat",
        "/old/s2/a.png,dog",
        "/x/b.png,cat",
        "/y/b.png,dog",
        "c.png,cat",
        "/z/c.png,dog",
    ]
    found = read(tmp_path, "file,class\n" + "\n".join(rows) + "\n", scan)
    assert {key.path: name for key, name in found.labels.items()} == {"s1/a.png": "cat", "c.png": "cat"}
    assert found.outside == ["/old/s2/a.png", "/z/c.png"]
    assert found.ambiguous == ["/x/b.png", "/y/b.png"]


def test_one_path_written_in_two_ways_is_one(tmp_path):
    text = "file,frame,class\nC:\\d\\s.tif,0,cat\nC:/d/s.tif,1,dog\n"
    found = read(tmp_path, text, scan_of("s.tif", frames={"s.tif": 2}))
    assert list(found.labels.values()) == ["cat", "dog"]


def test_a_relative_path_counts_from_the_dataset_its_parent_or_the_files_own_folder(tmp_path):
    dataset = tmp_path / "cells"
    dataset.mkdir()
    scan = scan_of("s1/a.png", "s1/b.png", "c.png", "s2/deep/d.png")
    rows = ["s1/a.png,x", "my/cells/s1/b.png,x", "./cells/c.png,x", "deep/d.png,x", "other/s1/a.png,y"]
    found = read(tmp_path, "file,class\n" + "\n".join(rows) + "\n", scan, dataset=dataset)
    assert len(found.labels) == 4
    assert found.unmatched == ["other/s1/a.png"], "a folder that is not here may be another image's"
    (tmp_path / "lists").mkdir()
    assert len(read(tmp_path / "lists", "file,class\n../cells/c.png,x\n", scan, dataset=dataset).labels) == 1


def test_the_longest_ending_is_found_as_a_plain_search_finds_it(tmp_path):
    paths = [
        f"{a}{b}{c}.png" for a in ("", "x/", "y/", "x/y/") for b in ("", "s/", "t/") for c in ("1", "12", "2")
    ]
    names = [
        f"/r/{a}{b}{c}.png" for a in ("", "x/", "z/x/y/") for b in ("", "s/", "u/") for c in ("1", "12", "3")
    ]
    scan = scan_of(*paths)
    for name in names:
        parts = name.split("/")
        expected: list[str] = []
        for count in range(1, len(parts)):
            end = "/".join(parts[-count:])
            expected = [path for path in paths if f"/{path}".endswith(f"/{end}")] or expected
        found = read(tmp_path, f"file,class\n{name},c\n", scan)
        assert [key.path for key in found.labels] == (expected if len(expected) == 1 else []), name
        assert found.ambiguous == ([name] if len(expected) > 1 else []), name


cells = st.text(st.sampled_from('ab ,;"\t\n\r'), max_size=6)


@settings(deadline=None)
@given(st.lists(st.lists(cells, min_size=2, max_size=3), min_size=1, max_size=5))
def test_what_the_csv_module_writes_is_read_as_it_was(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["file", "class"], *rows])
    path.write_bytes(text.getvalue().encode())
    with open_table(path) as table:
        back = [row.cells for row in table.rows(",")]
    assert back == [row for row in rows if any(cell.strip() for cell in row)]


@settings(deadline=None)
@given(
    st.text(st.sampled_from('a,;"\n\r\t\0é=.0'), max_size=60), st.sampled_from(["utf-8", "utf-16", "latin-1"])
)
def test_whatever_stands_in_a_file_is_read_or_refused(tmp_path_factory, text, encoding):
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    path.write_bytes(b"file,class,frame\n" * (encoding != "utf-16") + text.encode(encoding))
    try:
        read_labels(path, scan_of("a", "a.a"))
    except LabelFileError as error:
        assert "\n" not in str(error)
