"""`mia-tui labels import --as suggestions`: predictions of another program, shown by the app as a model's."""

import json
import math
import os
from pathlib import Path

import pytest
from cli_support import Mia
from PIL import Image

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import RunError
from mia_tui.paths import StateFolder, user_jobs
from mia_tui.runs.list.find import find_run, run_places
from mia_tui.runs.list.summaries import RunSummaries
from mia_tui.runs.prediction import import_file
from mia_tui.runs.prediction.formats import PREDICTION_FORMATS
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow
from mia_tui.runs.prediction.suggestions import read_suggestions, suggestion_sets
from mia_tui.text import encode_name

RAW = os.fsdecode(b"odd\xff%.png")
NAMES = ("a.png", "b.png", RAW)


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three images with the classes round and flat."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "user"))
    root = tmp_path / "cells"
    root.mkdir()
    for name in NAMES:
        with (root / name).open("wb") as file:
            Image.new("L", (8, 8)).save(file, "png")
    with LabelStore(root / "mia" / "labels.db") as store:
        store.add_classes(["round", "flat"])
    return root


def write_table(file: Path, *rows: str) -> Path:
    file.write_text("\n".join(["file,class,probability", *rows]) + "\n")
    return file


def suggested(cells: Path) -> ModelSuggestions:
    [known] = suggestion_sets(run_places(cells), cells)
    return read_suggestions(known)


def runs_in(cells: Path) -> list[Path]:
    return [path for place in run_places(cells) if place.runs.is_dir() for path in place.runs.iterdir()]


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_what_predict_writes_comes_back_as_suggestions(
    mia: Mia, cells: Path, tmp_path: Path, ending: str
) -> None:
    header = PredictionHeader(str(cells), "w", ["round", encode_name("=1%41\tx")], "run", False, 100.0)
    rows = [
        PredictionRow(encode_name(name), 0, [0.25 + number / 4, 0.75 - number / 4])
        for number, name in enumerate(NAMES)
    ]
    out = tmp_path / f"p{ending}"
    with out.open("wb") as file:
        PREDICTION_FORMATS[ending].write(file, header, rows)
    answer = mia("labels", "import", cells, out, "--as", "suggestions")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith(f"3 suggestions imported from p{ending} as ")
    found = suggested(cells)
    assert found.model == f"p{ending}"
    assert sorted(found.keys) == sorted(map(ImageKey, NAMES))
    named = {key.path: found.classes[best] for key, best in zip(found.keys, found.best, strict=True)}
    assert named == {"a.png": "=1%41\\x09x", "b.png": "round", RAW: "round"}
    assert sorted(found.confidences.tolist()) == [0.5, 0.75, 0.75]
    with LabelStore(cells / "mia" / "labels.db") as store:
        assert store.labels() == {} and len(store.classes()) == 2


def test_it_is_listed_as_a_prediction_that_has_finished(mia: Mia, cells: Path, tmp_path: Path) -> None:
    table = write_table(tmp_path / "theirs.csv", "a.png,round,0.9", "b.png,debris,0.8")
    assert mia("labels", "import", cells, table, "--as", "suggestions").code == 0
    [row] = RunSummaries.of_dataset(cells, None).refresh()
    assert (row.kind, row.status, row.network) == ("predict", "finished", "theirs.csv")
    assert row.result == "2 suggestions imported from theirs.csv."
    run = find_run("last", dataset=cells, kind="predict")
    assert run.images() == [ImageKey("a.png"), ImageKey("b.png")]
    assert [item.name for item in run.job().classes] == ["debris", "round"]


def test_what_was_imported_is_not_done_again_by_a_network(mia: Mia, cells: Path, tmp_path: Path) -> None:
    table = write_table(tmp_path / "theirs.csv", "a.png,round,0.9")
    assert mia("labels", "import", cells, table, "--as", "suggestions").code == 0
    run = find_run("last", dataset=cells, kind="predict")
    for action in ("again", "queue"):
        said = mia("runs", action, run.path).err
        assert f"The prediction {run.name} was imported, so no network can do it again." in said
        assert "` imports its file again." in said
    assert "` imports its file again." in mia("runs", "resume", run.path).err
    shown = mia("runs", "show", run.path).out.splitlines()
    assert [line for line in shown if line.startswith("Time")] == ["Time        0:00"]


def test_classes_that_are_new_and_rows_without_an_image_are_named_and_counted(
    mia: Mia, cells: Path, tmp_path: Path
) -> None:
    table = write_table(tmp_path / "p.csv", "a.png,debris,", "x.png,round,0.5", "y.png,round,0.5")
    answer = mia("labels", "import", cells, table, "--as", "suggestions", "--json")
    assert answer.code == 0
    record = json.loads(answer.out)
    assert (record["suggestions"], record["new_classes"]) == (1, ["debris"])
    assert record["notes"] == ["2 rows name no image of the dataset: x.png, y.png."]
    assert "Classes that the dataset does not have: debris. The app offers them as new." in answer.err
    assert math.isnan(suggested(cells).confidences[0])


@pytest.mark.parametrize(
    ("rows", "options", "why"),
    [
        (["x.png,round,0.5"], (), "p.csv labels no image of the dataset. 1 row names no image"),
        (["a.png,round,0.5", "x.png,flat,1"], ("--unmatched", "refuse"), "1 row names no image of the dataset"),
        (["a.png,dust,0.5"], ("--unknown-classes", "refuse"), "names 1 class that the dataset does not have: dust"),
        (["a.png,round,93 %"], (), "p.csv, line 2 has the probability 93 %, which is not a number from 0 to 1"),
        (["a.png,round,1.5"], (), "p.csv, line 2 has the probability 1.5"),
        (["a.png,round,0.5", "a.png,flat,0.5"], (), "p.csv gives a.png two classes"),
        (["a.png,round,0.5"], ("--annotator", "ann"), "--annotator names who labels"),
    ],
)  # fmt: skip
def test_a_refused_file_is_refused_in_a_sentence_and_leaves_nothing(
    mia: Mia, cells: Path, tmp_path: Path, rows: list[str], options: tuple[str, ...], why: str
) -> None:
    table = write_table(tmp_path / "p.csv", *rows)
    answer = mia("labels", "import", cells, table, "--as", "suggestions", *options)
    assert answer.code in (2, 3)
    assert why in answer.err and "Traceback" not in answer.err
    assert runs_in(cells) == []


def test_a_file_that_can_be_read_only_once_is_imported(mia: Mia, cells: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"file,class,probability\na.png,round,0.5\n")
    os.close(writing)
    source = f"/dev/fd/{reading}"
    answer = mia("labels", "import", cells, source, "--format", "csv", "--as", "suggestions")
    os.close(reading)
    assert answer.code == 0
    assert suggested(cells).keys == [ImageKey("a.png")]


def test_labels_of_the_dataset_itself_are_no_suggestions(mia: Mia, cells: Path) -> None:
    answer = mia("labels", "import", cells, "--format", "mia", "--as", "suggestions")
    assert answer.code == 2
    assert "--as suggestions imports a file, and --format mia reads what is in the dataset." in answer.err


def test_parquet_is_refused_with_the_way_out(mia: Mia, cells: Path, tmp_path: Path) -> None:
    file = tmp_path / "p.parquet"
    file.write_bytes(b"PAR1\x15\x04\x15\x20")
    answer = mia("labels", "import", cells, file, "--as", "suggestions")
    assert answer.code == 3
    assert answer.err == "p.parquet is a Parquet file. Write the same as .csv or .jsonl.\n"


def test_a_disk_that_fills_up_meanwhile_leaves_no_half_of_a_run(
    mia: Mia, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RunError("The disk is full.")

    monkeypatch.setattr(import_file, "write_atomically", full)
    table = write_table(tmp_path / "p.csv", "a.png,round,0.9")
    answer = mia("labels", "import", cells, table, "--as", "suggestions")
    assert answer.code != 0 and "The disk is full." in answer.err
    assert runs_in(cells) == []


def test_suggestions_for_a_folder_without_labels_are_with_the_user_and_with_state_there(
    mia: Mia, cells: Path, tmp_path: Path
) -> None:
    (cells / "mia" / "labels.db").unlink()
    table = write_table(tmp_path / "p.csv", "a.png,round,0.9")
    assert mia("labels", "import", cells, table, "--as", "suggestions").code == 0
    assert len(list(user_jobs(cells).runs.iterdir())) == 1
    assert suggested(cells).keys == [ImageKey("a.png")]
    state = StateFolder(tmp_path / "elsewhere")
    options = "--as", "suggestions", "--state", state.root
    assert mia("labels", "import", cells, table, *options).code == 0
    assert len(suggestion_sets((state,), cells)) == 1


def test_a_column_of_probabilities_does_not_matter_for_labels(mia: Mia, cells: Path, tmp_path: Path) -> None:
    table = tmp_path / "p.csv"
    table.write_text("file,class,score,confidence\na.png,round,93 %,?\n")
    assert mia("labels", "import", cells, table).code == 0
    answer = mia("labels", "import", cells, table, "--as", "suggestions")
    assert "two columns that may be the probability: score, confidence" in answer.err


def test_labels_can_be_imported_from_json_lines_too(mia: Mia, cells: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    lines = ['{"file": "a.png", "class": "round", "probability": 93}', "", '{"class": null, "file": "b.png"}']
    file.write_text("\n".join(lines))
    answer = mia("labels", "import", cells, file)
    assert (answer.code, answer.out) == (0, "1 image labelled, 1 of them new or changed.\n")
    assert "1 row without a class." in answer.err
    answer = mia("labels", "import", cells, file, "--as", "suggestions")
    assert "labels.jsonl, line 1 is not a JSON object with file and class" in answer.err
    file.write_text('{"file": "a.png"\n')
    assert "labels.jsonl, line 1 is not a JSON object" in mia("labels", "import", cells, file).err
    file.unlink()
    assert "There is no file" in mia("labels", "import", cells, file).err
