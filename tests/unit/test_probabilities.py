"""The probabilities of all classes on disk: each image is found, wherever it lies, and little is read for it."""

import os
from pathlib import Path

import pytest
from run_support import make_suggestions

from mia_tui.dataset.model import ImageKey
from mia_tui.paths import StateFolder
from mia_tui.runs.prediction import probabilities as module
from mia_tui.runs.prediction.listing import PredictionListing
from mia_tui.runs.prediction.predictions import PredictionHeader, PredictionRow, PredictionRows
from mia_tui.runs.prediction.probabilities import MOST_CLASSES, ProbabilityFile, keep_probabilities
from mia_tui.runs.prediction.result import write_result
from mia_tui.runs.prediction.suggestions import read_suggestions, suggestion_sets
from mia_tui.runs.record.layout import RunDir
from mia_tui.text import encode_class, encode_name


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    return make_suggestions(tmp_path / "mia", {"a.png": ("round", 0.9)})


def write(run: RunDir, rows: list[PredictionRow], classes: list[str]) -> None:
    header = PredictionHeader(
        "/images", "w", [encode_class(name) for name in classes], run.name, False, 100.0
    )
    with run.probabilities.open("wb") as file:
        assert list(keep_probabilities(file, header, rows)) == rows


def row(name: str, *probabilities: float, frame: int = 0) -> PredictionRow:
    return PredictionRow(encode_name(name), frame, list(probabilities))


def test_the_classes_of_an_image_come_with_the_most_probable_first(run: RunDir) -> None:
    write(
        run,
        [row("a.png", 0.1, 0.7, 0.2), PredictionRow("b.png", 0, problem="broken")],
        ["round", "long", "x"],
    )
    found = ProbabilityFile(run).find(ImageKey("a.png"), 0.0)
    assert found is not None
    assert (found.classes, found.probabilities) == (("long", "x", "round"), (0.7, 0.2, 0.1))
    assert ProbabilityFile(run).find(ImageKey("b.png"), 0.5) is None


@pytest.mark.parametrize("piece_bytes", [64, 100, 257, 1 << 18])
def test_each_image_is_found_from_any_guess_and_its_neighbours_without_reading(
    run: RunDir, piece_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PIECE_BYTES", piece_bytes)
    names = [f"folder/cell-{number}.png" for number in range(50)] + [
        os.fsdecode(b'b\xff"\n.png'),
        "ü [1].png",
    ]
    rows = [row(name, number / 100, 1 - number / 100) for number, name in enumerate(names)]
    rows += [row("stack.tif", 0.25, 0.75, frame=frame) for frame in (1, 10, 100)]
    write(run, rows, ["round", "long"])
    for near in (0.0, 0.4, 1.0):
        file = ProbabilityFile(run)
        for number, key in enumerate([*map(ImageKey, names), ImageKey("stack.tif", 10)]):
            found = file.find(key, near)
            assert found is not None and file.known(key) == found
            if number < len(names):
                assert dict(zip(found.classes, found.probabilities, strict=True))["round"] == number / 100
    assert ProbabilityFile(run).find(ImageKey("cell-1.png"), 0.5) is None
    assert ProbabilityFile(run).find(ImageKey("stack.tif"), 0.5) is None


def test_of_very_many_classes_the_most_probable_are_kept(run: RunDir) -> None:
    write(
        run, [row("a.png", *[number / 10_000 for number in range(1000)])], [f"class {n}" for n in range(1000)]
    )
    found = ProbabilityFile(run).find(ImageKey("a.png"), 0.0)
    assert found is not None and len(found.classes) == MOST_CLASSES and found.classes[0] == "class 999"


HEAD = b'{"protocol":1,"classes":["a"]}\n["a.png",0,'


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\xff\xfe", HEAD.replace(b"1", b"2") + b"[0],[0.5]]\n", HEAD + b"[7],[0.5]]\n",
     HEAD + b'[0],["x"]]\n', HEAD + b"[0],[0.", HEAD + b"[0],[]]\n", HEAD + b"[0],[0.5,0.5]]\n"]
)  # fmt: skip
def test_a_damaged_file_says_nothing(run: RunDir, content: bytes) -> None:
    run.probabilities.write_bytes(content)
    assert ProbabilityFile(run).find(ImageKey("a.png"), 0.0) is None
    run.probabilities.unlink()
    assert ProbabilityFile(run).find(ImageKey("a.png"), 0.0) is None


def test_a_prediction_for_the_app_keeps_them_when_its_rows_go(run: RunDir) -> None:
    header = PredictionHeader("/images", "w", ["round", "long"], run.name, False, 100.0)
    rows = PredictionRows(run.rows, header, [ImageKey("a.png")], root=run.root)
    rows.append([row("a.png", 0.25, 0.75)])
    listing = PredictionListing(run.listing, run.root, 1, 1, "")
    write_result(run, header, listing, shard=None, other_kinds={})
    run.rows.unlink()
    found = ProbabilityFile(run).find(ImageKey("a.png"), 0.0)
    assert found is not None and found.probabilities == (0.75, 0.25)
    [shown] = suggestion_sets([StateFolder(run.path.parents[1])], run.path.parents[2])
    assert read_suggestions(shown).confidences.tolist() == [0.75]
