"""What a model thinks of a dataset's images: written by predict, read by the app."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from mia_tui.dataset.model import ImageKey
from mia_tui.paths import StateFolder
from mia_tui.runs.prediction import suggestions as suggestions_module
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow, PredictionRows, convert
from mia_tui.runs.prediction.suggestions import newest_suggestions, write_suggestions
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
    assert (found.run, found.classes) == ("20260101-1200-a", ("round", "l\udcffng"))
    assert found.keys == KEYS
    assert (found.best.dtype, found.best.tolist()) == (np.int32, [1, 0, 0])
    assert (found.confidence.dtype, found.confidence.tolist()) == (np.float32, [0.75, 0.5, 0.875])
    assert before - 1 <= found.predicted_at <= time.time()


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
    assert found is not None and found.run == "20260101-1200-a"


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("keep", [0, 1, 40, 90, 120, 150, -1])
def test_a_file_that_was_cut_is_passed_over_for_an_older_one(
    state: StateFolder, root: Path, keep: int
) -> None:
    suggest(state, root, run="older")
    newer = suggest(state, root, run="newer")
    newer.write_bytes(newer.read_bytes()[:keep])
    found = newest_suggestions(state, root)
    assert found is not None and found.run == "older"


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
