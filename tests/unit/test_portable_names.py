"""What leaves for other systems and spreadsheets: names that they can hold and do not obey."""

import csv
from pathlib import Path

import pytest
from labels_support import draw, scan_of

from mia_tui.dataset.interchange.csv_labels import read_labels, write_labels
from mia_tui.dataset.interchange.folders_export import portable, unportable, write_class_folders
from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.scan.scan import scan
from mia_tui.errors import DataError
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow, PredictionRows, convert
from mia_tui.text import encode_name

DEVICES = ("CON", "con", "aux", "NUL.txt", "nul .tar.gz", "COM1", "lpt9.png", "COM¹", "CONIN$")
SIGNS = ("C:", "a<b", "a>b", 'a"b', "a|b", "a?", "a*", "a\\b", "a\x1fb", "a\x7fb", "a.", "a ", "..", "\udcff")


@pytest.mark.parametrize("name", (*DEVICES, *SIGNS, "x" * 256))
def test_a_class_that_windows_cannot_hold_is_refused_as_a_folder(tmp_path: Path, name: str) -> None:
    draw(tmp_path / "data", "a.png")
    with pytest.raises(DataError, match="cannot be a folder: its name"):
        write_class_folders(
            tmp_path / "out", tmp_path / "data", {ImageKey("a.png"): 0}, [name], keys=[ImageKey("a.png")]
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ("console", "COM10", "nullen", "a.b", "a b", "Zelle ä", "comma", "C"))
def test_other_names_stay_as_they_are(name: str) -> None:
    assert unportable(name) is None and portable(name) == name


@pytest.mark.parametrize("name", (*DEVICES, *SIGNS))
def test_the_name_of_a_file_is_changed_to_one_that_every_system_holds(name: str) -> None:
    assert unportable(portable(name)) is None


@pytest.mark.parametrize(("one", "other"), [("Cat", "cat"), ("Straße", "STRASSE"), ("Ä", "ä")])
def test_two_classes_that_differ_in_capitals_only_are_refused_as_folders(
    tmp_path: Path, one: str, other: str
) -> None:
    draw(tmp_path / "data", "a.png", "b.png")
    labels = {ImageKey("a.png"): 0, ImageKey("b.png"): 1}
    with pytest.raises(DataError, match=f"{one} and {other} would be one folder"):
        write_class_folders(tmp_path / "out", tmp_path / "data", labels, [one, other], keys=list(labels))


def test_files_whose_names_windows_cannot_hold_are_written_under_others_and_named(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    draw(data, "CON.png", "a:b.png", "a_b.png", "plain.png")
    keys = scan(data).keys
    result = write_class_folders(out, data, dict.fromkeys(keys, 0), ["x"], keys=keys)
    names = sorted(path.name for path in (out / "x").iterdir())
    assert len(names) == 4 and "_CON.png" in names and "plain.png" in names
    assert all(unportable(name) is None for name in names)
    assert "2 names not allowed on Windows changed" in str(result) and "CON.png is x/_CON.png" in str(result)


NASTY = ("=1+1", "+1-cmd", "-2+3", "@SUM(A1)", "a;=1", "-0.5", "+", "-", "50%", "5%41", "x=y", "＝1")


def test_labels_with_names_like_formulas_steer_no_spreadsheet_and_come_back(tmp_path: Path) -> None:
    paths = [f"{name}.png" for name in NASTY if "/" not in name] + ["\t=1.png", "a\rb.png", "\x1b[31m.png"]
    classes = [*NASTY, "a", "b", "c"]
    labels = {ImageKey(path): place for place, path in enumerate(paths)}
    file = tmp_path / "l.csv"
    write_labels(file, labels, classes)
    text = file.read_text()
    assert not any(ord(letter) < 32 and letter != "\n" for letter in text)
    with file.open(newline="") as lines:
        rows = list(csv.reader(lines))[1:]
    assert not [
        cell for row in rows for cell in row if len(cell) > 1 and cell[0] in "=+-@" and cell != "-0.5"
    ]
    assert {row[2] for row in rows} >= {"-0.5", "+", "-", "50%", "x=y"}
    back = read_labels(file, scan_of(*paths)).labels
    assert back == {key: classes[place] for key, place in labels.items()}


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_predictions_of_a_foreign_network_hold_no_raw_control_bytes_and_no_formulas(
    tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"p.{suffix}"
    header = PredictionHeader(
        "/data", "w", ["=cmd|' /C calc'!A0", "\x1b]0;x\x07\x9b"], "=run\x1b", False, 120.0
    )
    growing = PredictionRows(out.with_suffix(".rows"), header, [ImageKey("=1.png")])
    growing.append([PredictionRow("=1.png", 0, [0.75, 0.25])])
    convert(out.with_suffix(".rows"), out, header)
    text = out.read_text()
    assert not any((ord(letter) < 32 and letter != "\n") or 127 <= ord(letter) < 160 for letter in text)
    if suffix == "csv":
        row = list(csv.reader(text.splitlines()))[1]
        assert row[:3] == ["%3D1.png", "0", "%3Dcmd|' /C calc'!A0"] and row[3:6] == ["0.75", "0.75", "0.25"]


@pytest.mark.parametrize("name", ["=1+1", "50%", "a%41", "x\ty", "plain"])
def test_predictions_are_read_as_labels_with_the_classes_they_were_written_with(
    tmp_path: Path, name: str
) -> None:
    out = tmp_path / "p.csv"
    header = PredictionHeader("/data", "w", [encode_name(name), "other"], "run", False, 120.0)
    growing = PredictionRows(out.with_suffix(".rows"), header, [ImageKey("a.png")])
    growing.append([PredictionRow("a.png", 0, [0.75, 0.25])])
    convert(out.with_suffix(".rows"), out, header)
    assert read_labels(out, scan_of("a.png")).labels == {ImageKey("a.png"): name}
