"""What a model thinks of a dataset's images: written by predict, read by the app."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from run_support import make_predict_job

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.errors import RunError
from mia_tui.paths import StateFolder, user_jobs
from mia_tui.runs.list.find import places_of_runs, run_places
from mia_tui.runs.prediction import suggestions as suggestions_module
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow, PredictionRows, convert
from mia_tui.runs.prediction.suggestions import (
    SuggestionLine,
    read_newest,
    read_suggestions,
    suggestion_sets,
    write_lines,
    write_suggestions,
)
from mia_tui.runs.record.job import RunNotes
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import encode_name

RAW = os.fsdecode(b"a/\xff%.png")
KEYS = [ImageKey("a/1.png"), ImageKey(RAW), ImageKey("stack.tif", 2)]
ROWS = [[0.25, 0.75], [0.5, 0.5], [0.875, 0.125]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "cells"
    root.mkdir()
    return root


@pytest.fixture
def state(root: Path) -> StateFolder:
    return StateFolder(root / "mia")


def suggest(
    state: StateFolder,
    root: Path,
    *,
    run: str = "20260101-1200-a",
    keys: Sequence[ImageKey] = KEYS,
    rows: Sequence[Sequence[float] | None] = ROWS,
) -> Path:
    """Keep suggestions in the folder of a run, as predict does."""
    out = RunDir(state.runs / run).suggestions
    out.parent.mkdir(parents=True, exist_ok=True)
    header = PredictionHeader(
        encode_name(str(root.resolve())), "w", ["round", encode_name("l\udcffng")], run, False, 120.0
    )
    growing = PredictionRows(out.with_suffix(".rows"), header, keys)
    growing.append(
        PredictionRow(
            encode_name(key.path), key.frame, None if row is None else list(row), None if row else "damaged"
        )
        for key, row in zip(keys, rows, strict=True)
    )
    convert(out.with_suffix(".rows"), out, header, write_suggestions)
    return out


def newest_suggestions(state: StateFolder, root: Path) -> ModelSuggestions | None:
    found = read_newest(suggestion_sets((state,), root))
    return None if found is None else found[1]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call is a second later."""
    seconds: Iterator[int] = iter(range(1000, 10_000))
    monkeypatch.setattr(suggestions_module.time, "time", lambda: float(next(seconds)))


def test_suggestions_come_back_as_they_were_predicted(state: StateFolder, root: Path) -> None:
    before = time.time()
    suggest(state, root)
    found = newest_suggestions(state, root)
    assert found is not None
    assert (found.model, found.classes) == ("20260101-1200-a", ("round", "l\udcffng"))
    assert found.keys == KEYS
    assert (found.best.dtype, found.best.tolist()) == (np.int32, [1, 0, 0])
    assert (found.confidences.dtype, found.confidences.tolist()) == (np.float32, [0.75, 0.5, 0.875])
    [known] = suggestion_sets((state,), root)
    assert before - 1 <= known.predicted_at <= time.time()
    assert known.images == 3


def test_scores_of_a_network_come_back_and_those_of_earlier_versions_are_not_known(
    state: StateFolder, root: Path
) -> None:
    file = RunDir(state.runs / "20260101-1200-a").suggestions
    file.parent.mkdir(parents=True)
    lines = [SuggestionLine("a.png", 0, 0, 0.5, 1.25), SuggestionLine("b.png", 0, 0, None)]
    with file.open("wb") as opened:
        write_lines(opened, str(root), ["round"], lines)
    found = newest_suggestions(state, root)
    assert found is not None and found.unfamiliar is not None
    assert found.unfamiliar.dtype == np.float32
    np.testing.assert_array_equal(found.unfamiliar, np.array([1.25, np.nan], np.float32))
    before = file.read_text().replace(",1.25,false]", "]").replace(",null,null,false]", ",null]")
    file.write_text(before)
    found = newest_suggestions(state, root)
    assert found is not None and found.unfamiliar is None and found.keys[0] == ImageKey("a.png")


def test_images_that_could_not_be_read_have_none(state: StateFolder, root: Path) -> None:
    suggest(state, root, rows=[ROWS[0], None, ROWS[2]])
    found = newest_suggestions(state, root)
    assert found is not None
    assert found.keys == [KEYS[0], KEYS[2]]


def test_without_runs_or_without_predictions_there_are_none(state: StateFolder, root: Path) -> None:
    assert newest_suggestions(state, root) is None
    (state.runs / "20260101-1200-a").mkdir(parents=True)
    (state.runs / "a file").touch()
    assert newest_suggestions(state, root) is None


@pytest.mark.usefixtures("clock")
def test_the_newest_prediction_counts_not_the_newest_run(state: StateFolder, root: Path) -> None:
    suggest(state, root, run="20260301-1200-c")
    suggest(state, root, run="20260101-1200-a")
    found = newest_suggestions(state, root)
    assert found is not None and found.model == "20260101-1200-a"


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("keep", [0, 1, 40, 90, 120, 150, -1])
def test_a_file_that_was_cut_is_passed_over_for_an_older_one(
    state: StateFolder, root: Path, keep: int
) -> None:
    suggest(state, root, run="older")
    newer = suggest(state, root, run="newer")
    newer.write_bytes(newer.read_bytes()[:keep])
    found = newest_suggestions(state, root)
    assert found is not None and found.model == "older"


@pytest.mark.parametrize("line", range(5))
@pytest.mark.parametrize("text", [b"", b"{}\n", b'["a",0,7,0.5]\n', b"\xff\n", b"x\n", None])
def test_a_damaged_line_makes_a_file_worth_nothing(
    state: StateFolder, root: Path, line: int, text: bytes | None
) -> None:
    file = suggest(state, root)
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) == 5
    lines[line] = lines[line] * 2 if text is None else text
    file.write_bytes(b"".join(lines))
    assert newest_suggestions(state, root) is None


@pytest.mark.parametrize("bytes_at_once", [1, 10, 100])
def test_long_files_are_read_in_pieces(
    state: StateFolder, root: Path, monkeypatch: pytest.MonkeyPatch, bytes_at_once: int
) -> None:
    suggest(state, root)
    monkeypatch.setattr(suggestions_module, "_BYTES_AT_ONCE", bytes_at_once)
    found = newest_suggestions(state, root)
    assert found is not None
    assert (found.keys, found.best.tolist()) == (KEYS, [1, 0, 0])


def test_a_dataset_that_was_copied_or_moved_has_its_suggestions_with_it(
    state: StateFolder, root: Path, tmp_path: Path
) -> None:
    suggest(state, root)
    shutil.copytree(root, tmp_path / "copy")
    assert newest_suggestions(StateFolder(tmp_path / "copy" / "mia"), tmp_path / "copy") is not None
    (tmp_path / "link").symlink_to(root)
    assert newest_suggestions(StateFolder(tmp_path / "link" / "mia"), tmp_path / "link") is not None
    moved = root.rename(tmp_path / "moved")
    assert newest_suggestions(StateFolder(moved / "mia"), moved) is not None


def test_a_state_that_lies_elsewhere_has_suggestions_for_another_folder_passed_over_unless_it_was_moved(
    root: Path, tmp_path: Path
) -> None:
    elsewhere = StateFolder(tmp_path / "elsewhere")
    suggest(elsewhere, root)
    shutil.copytree(root, tmp_path / "copy")
    assert newest_suggestions(elsewhere, tmp_path / "copy") is None
    assert newest_suggestions(elsewhere, root.rename(tmp_path / "moved")) is not None


def test_a_newer_version_of_the_file_is_passed_over(state: StateFolder, root: Path) -> None:
    file = suggest(state, root)
    file.write_bytes(file.read_bytes().replace(b'"protocol":1', b'"protocol":2'))
    assert newest_suggestions(state, root) is None


def test_suggestions_for_a_folder_that_cannot_be_looked_at_are_no_fault(root: Path, tmp_path: Path) -> None:
    elsewhere = StateFolder(tmp_path / "elsewhere")
    folder = elsewhere.runs / "run" / "predictions"
    folder.mkdir(parents=True)
    head = f'{{"protocol":1,"images":"/{"x" * 300}","classes":["a"],"predicted_at":1.0}}'
    (folder / "suggestions.jsonl").write_text(f'{head}\n{{"rows":0}}\n')
    found = newest_suggestions(elsewhere, root)
    assert found is not None
    assert found.keys == []


@pytest.mark.usefixtures("clock")
def test_the_sets_of_several_runs_are_kept_apart_each_with_its_model_and_its_images(
    state: StateFolder, root: Path
) -> None:
    run = RunDir.create(state, make_predict_job(state.root, network="vgg16"), name="predict")
    suggest(state, root, run=run.name, keys=KEYS[:1], rows=ROWS[:1])
    suggest(state, root, run="20260101-1200-training")
    named = RunDir.create(state, make_predict_job(state.root, network="vgg16"), name="predict")
    named.put_notes(RunNotes(title="the good one"))
    suggest(state, root, run=named.name)
    known = suggestion_sets((state,), root)
    assert [(each.model, each.images) for each in known] == [
        ("the good one", 3), ("20260101-1200-training", 3), ("vgg16", 1),
    ]  # fmt: skip
    assert [read_suggestions(each).keys for each in known] == [KEYS, KEYS, KEYS[:1]]


@pytest.mark.usefixtures("clock")
def test_the_sets_of_all_places_of_runs_are_found(
    state: StateFolder, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "own"))
    suggest(state, root, run="inside")
    suggest(StateFolder(root.with_name("cells.mia")), root, run="beside")
    suggest(user_jobs(root), root, run="own")
    suggest(user_jobs(tmp_path), tmp_path, run="of another folder")
    assert [each.model for each in suggestion_sets(run_places(root), root)] == ["own", "beside", "inside"]
    assert suggestion_sets(places_of_runs(root, tmp_path / "elsewhere"), root) == []


def test_a_home_that_cannot_be_written_hides_no_suggestions(
    state: StateFolder, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    suggest(state, root)
    assert len(suggestion_sets(run_places(root), root)) == 1


def test_suggestions_that_are_damaged_or_gone_are_refused_in_a_sentence(
    state: StateFolder, root: Path
) -> None:
    file = suggest(state, root)
    [known] = suggestion_sets((state,), root)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(lines[0] + lines[1].replace(b"0.75", b"75.0") + b"".join(lines[2:]))
    assert suggestion_sets((state,), root) == [known]
    with pytest.raises(RunError, match="The suggestions of 20260101-1200-a are damaged"):
        read_suggestions(known)
    assert read_newest([known]) is None
    file.unlink()
    with pytest.raises(RunError, match="do not exist any more"):
        read_suggestions(known)


def test_a_suggestion_may_have_no_probability(state: StateFolder, root: Path) -> None:
    run = RunDir(state.runs / "a")
    run.predictions.mkdir(parents=True)
    with run.suggestions.open("wb") as file:
        write_lines(file, str(root), ["round"], [SuggestionLine("a.png", 0, 0, None)])
    found = newest_suggestions(state, root)
    assert found is not None and np.isnan(found.confidences).tolist() == [True]
