"""A file that a prediction wrote, as it is read again: whatever became of it, it is read or refused in a sentence."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mia_tui.errors import DataError
from mia_tui.runs.prediction.prediction_file import read_prediction_file

CLASSES = ("cat", "dog")
HEADER = "file,frame,class,probability,p_cat,p_dog,run\n"


def csv_of(folder: Path, name: str) -> Path:
    path = folder / "p.csv"
    path.write_text(f"{HEADER}a.png,0,cat,0.9,0.9,0.1,r\n{name},0,dog,0.8,0.2,0.8,r\n")
    return path


def test_rows_are_read_in_their_order(tmp_path: Path) -> None:
    rows = list(read_prediction_file(csv_of(tmp_path, "sub/b..c.png"), CLASSES))
    assert [(row.file, row.best) for row in rows] == [("a.png", 0), ("sub/b..c.png", 1)]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/secret.png", "sub/../../secret.png", "..", ""])
def test_a_row_that_leads_out_of_the_dataset_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"p\.csv, row 2, is not as this prediction wrote it"):
        list(read_prediction_file(csv_of(tmp_path, name), CLASSES))


@pytest.mark.parametrize("damage", ["b\r.png", 'b.png"x', '"b.png"x', '"b.png'])
def test_a_table_that_is_no_table_any_more_is_refused(tmp_path: Path, damage: str) -> None:
    with pytest.raises(DataError, match=r"p\.csv, row 2, is not as this prediction wrote it"):
        list(read_prediction_file(csv_of(tmp_path, damage + ","), CLASSES))


def test_lines_that_are_nested_without_end_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text("[" * 100_000 + "\n")
    with pytest.raises(DataError, match="is not as this prediction wrote it"):
        list(read_prediction_file(path, CLASSES))


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_parquet_file_that_was_cut_off_is_refused(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "p.parquet"
    row = {"file": "a.png", "frame": 0, "class": "cat", "probability": 0.9, "p_cat": 0.9, "p_dog": 0.1}
    pq.write_table(pa.Table.from_pylist([row]), path)
    assert [found.file for found in read_prediction_file(path, CLASSES)] == ["a.png"]
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(DataError, match="is not as this prediction wrote it"):
        list(read_prediction_file(path, CLASSES))
