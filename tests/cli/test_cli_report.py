"""`mia-tui report`: what is written where, what the archive holds, and what is refused."""

import csv
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from cli_support import Mia
from PIL import Image
from report_support import CLASSES, HOSTILE, make_evaluation, make_training, samples_of
from run_support import make_predict_job
from training_commands import runs_of, train

from mia_tui.config.settings_file import load_config
from mia_tui.paths import StateFolder
from mia_tui.report import archive as archives
from mia_tui.runs.evaluation.results import load_results
from mia_tui.runs.record.job import Sample
from mia_tui.runs.record.layout import RunDir
from mia_tui.runs.record.model_card import weights_digest


def table(archive: zipfile.ZipFile, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read(name).decode("utf-8"))))


def test_without_options_the_report_is_written_into_this_folder(
    mia: Mia, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_training(tmp_path / "cells")
    monkeypatch.chdir(tmp_path)
    answer = mia("report", "last", "--dataset", tmp_path / "cells")
    assert answer.code == 0 and answer.out == f"The report is in report-{run.name}.html.\n"
    assert (tmp_path / f"report-{run.name}.html").read_text("utf-8").startswith("<!DOCTYPE html>")


def test_last_is_the_newest_training_and_its_report_has_evaluations_of_its_weights(
    mia: Mia, tmp_path: Path
) -> None:
    run = make_training(tmp_path / "cells")
    run.checkpoints.mkdir()
    run.best_weights.write_bytes(b"weights")
    config = {"weights": str(run.best_weights), "digest": weights_digest(run.best_weights)}
    test = make_evaluation(tmp_path / "cells", samples_of(60, 3, parts=("test",)), **config)
    make_evaluation(tmp_path / "cells", samples_of(60, 3, parts=("test",)), **{**config, "digest": "ff"})
    answer = mia("report", "last", "--dataset", tmp_path / "cells", "--json")
    record = json.loads(answer.out)
    assert record["run"] == run.name
    assert [(part["split"], part["run"]) for part in record["parts"]] == [
        ("test", test.name),
        ("val", run.name),
    ]


@pytest.mark.usefixtures("threads_stay_as_they_were")
def test_a_real_training_has_a_report_of_its_test_part_that_shows_where_the_network_looks(
    mia: Mia, discs: Path, tmp_path: Path
) -> None:
    assert train(mia, discs, "--lr", 0.003, "--test-fraction", 0.2).code == 0
    assert mia("evaluate", discs, "--run", "last", "--split", "test", "--precision", "fp32").code == 0
    written = ("--out", tmp_path / "report.html", "--zip", tmp_path / "all.zip")
    answer = mia("report", "last", "--dataset", discs, *written, "--why", "--json")
    assert answer.code == 0, answer.err
    record = json.loads(answer.out)
    assert [part["split"] for part in record["parts"]] == ["test", "val"]
    assert record["parameters"] > 100_000 and len(record["fingerprint"]) == 32
    page = (tmp_path / "report.html").read_text("utf-8")
    assert page.count('alt="Where the network looks in ') > 3 and "Grad-CAM" in page
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        run = runs_of(discs)[0]
        assert archive.read("model/best.safetensors") == run.best_weights.read_bytes()
        assert archive.read("model/README.md").decode().startswith("---\n")
        assert record["fingerprint"] in archive.read("fingerprint.jsonl").decode()
    assert record["fingerprint"] in page and "which were used neither for training" in page


def test_without_its_weights_where_a_network_looks_is_said_to_be_unknown(mia: Mia, tmp_path: Path) -> None:
    run = make_training(tmp_path / "cells")
    answer = mia("report", run.path, "--out", tmp_path / "report.html", "--why")
    assert (
        answer.code == 0 and "Where the network looks is not known: its weights are not there." in answer.err
    )


def test_json_alone_prints_the_numbers_and_writes_nothing(
    mia: Mia, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_training(tmp_path / "cells")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    answer = mia("report", run.path, "--json")
    assert answer.code == 0 and not list((tmp_path / "here").iterdir())
    record = json.loads(answer.out)
    (part,) = record["parts"]
    assert part["metrics"]["accuracy"]["value"] == pytest.approx(51 / 60)
    assert part["metrics"]["accuracy"]["interval"]["low"] < 51 / 60
    assert np.array(part["confusion"]).sum() == 60 and part["groups"] == 60
    assert [row["support"] for row in part["per_class"]] == [20, 20, 20]
    precision = part["per_class"][0]["precision"]
    assert precision["value"] == pytest.approx(0.85, abs=0.1) and {"interval"} <= set(precision)
    assert record["images"] == {"train": 120, "val": 60, "test": 60} and record["training_s"] == 120.0
    assert record["settings"]["epochs"] == 2 and "accuracy 0.850" in record["methods"]


def test_figures_are_written_in_three_formats(mia: Mia, tmp_path: Path) -> None:
    run = make_training(tmp_path / "cells")
    answer = mia("report", run.path, "--figures", tmp_path / "new" / "figures")
    assert answer.code == 0, answer.err
    names = {path.name for path in (tmp_path / "new" / "figures").iterdir()}
    for name in ("learning-curves", "images-per-class", "val-confusion-matrix", "val-roc", "val-reliability"):
        assert {f"{name}.svg", f"{name}.pdf", f"{name}.png"} <= names
    picture = Image.open(tmp_path / "new" / "figures" / "val-roc.png")
    assert 900 < picture.width < 1150  # 89 mm at 300 dots an inch
    assert answer.out == f"24 files of figures are in {tmp_path / 'new' / 'figures'}.\n"


def test_the_archive_holds_what_a_checklist_asks_for(mia: Mia, tmp_path: Path) -> None:
    run = make_training(tmp_path / "cells", lr=0.004)
    answer = mia("report", run.path, "--zip", tmp_path / "cells.zip", "--examples", 2)
    assert answer.code == 0, answer.err
    with zipfile.ZipFile(tmp_path / "cells.zip") as archive:
        names = archive.namelist()
        assert archive.testzip() is None
        assert {
            "README.txt",
            "report.html",
            "numbers.json",
            "methods.txt",
            "settings.toml",
            "split.csv",
        } <= set(names)
        assert "figures/val-confusion-matrix.pdf" in names
        split = table(archive, "split.csv")
        assert len(split) == 240 and split[0] == {
            "file": "im/0000.png",
            "frame": "0",
            "class": "cat",
            "part": "train",
        }
        rows = table(archive, "predictions-val.csv")
        results = load_results(run)
        assert len(rows) == 60 and results.log_probabilities is not None
        given = np.array([[float(row[f"p {name}"]) for name in CLASSES] for row in rows])
        np.testing.assert_allclose(given, np.exp(results.log_probabilities), rtol=1e-4)
        assert [row["predicted"] for row in rows] == [CLASSES[index] for index in results.predicted]
        examples = table(archive, "examples/examples.csv")
        assert [row["class"] for row in examples] == ["cat", "cat", "dog", "dog", "owl", "owl"]
        for row in examples:
            original = (tmp_path / "cells" / row["original"]).read_bytes()
            assert archive.read(f"examples/{row['file']}") == original
        (tmp_path / "settings.toml").write_bytes(archive.read("settings.toml"))
        assert load_config(tmp_path / "settings.toml")["lr"] == 0.004
        assert json.loads(archive.read("numbers.json"))["run"] == run.name
        assert all(name in archive.read("README.txt").decode() for name in names if name != "README.txt")


@pytest.mark.parametrize(("option", "name"), [("--out", "report.html"), ("--zip", "all.zip")])
def test_an_earlier_report_is_replaced_only_if_that_is_asked(
    mia: Mia, tmp_path: Path, option: str, name: str
) -> None:
    run = make_training(tmp_path / "cells")
    (tmp_path / name).write_text("an earlier one")
    answer = mia("report", run.path, option, tmp_path / name)
    assert (
        answer.code
        and "already exists, and nothing was written" in answer.err
        and "--overwrite" in answer.err
    )
    assert (tmp_path / name).read_text() == "an earlier one"
    assert mia("report", run.path, option, tmp_path / name, "--overwrite").code == 0
    assert (tmp_path / name).stat().st_size > 1000


def test_no_images_are_in_the_archive_unless_they_are_asked_for(mia: Mia, tmp_path: Path) -> None:
    run = make_training(tmp_path / "cells")
    assert mia("report", run.path, "--zip", tmp_path / "cells.zip").code == 0
    with zipfile.ZipFile(tmp_path / "cells.zip") as archive:
        assert not [name for name in archive.namelist() if name.startswith("examples")]


def test_hostile_names_lead_nowhere_in_the_archive_and_run_in_no_spreadsheet(
    mia: Mia, tmp_path: Path
) -> None:
    (tmp_path / "secret.png").write_bytes(b"no image")
    Image.new("RGB", (8, 8)).save(tmp_path / "outside.png")
    root = tmp_path / "cells"
    samples = [
        Sample(path, number % len(HOSTILE), "val")
        for number, path in enumerate(
            ("=cmd.png", "+a.png", "../secret.png", "../outside.png", str(tmp_path / "secret.png"), "<b>.png")
            * 8
        )
    ]
    root.mkdir()
    for name in ("=cmd.png", "+a.png", "<b>.png"):
        Image.new("RGB", (8, 8)).save(root / name)
    run = make_training(root, samples=samples, classes=HOSTILE, images=False)
    answer = mia("report", run.path, "--zip", tmp_path / "cells.zip", "--examples", 9)
    assert answer.code == 0, answer.err
    with zipfile.ZipFile(tmp_path / "cells.zip") as archive:
        names = archive.namelist()
        assert not [name for name in names if ".." in name or name.startswith("/") or "secret" in name]
        for file in ("split.csv", "predictions-val.csv", "examples/examples.csv"):
            for line in csv.reader(io.StringIO(archive.read(file).decode())):
                assert not [cell for cell in line if cell[:1] in ("=", "+", "@") or "\x1b" in cell]
    assert "secret.png could not be put among the examples" in answer.err


def test_probabilities_of_many_classes_are_an_array_instead_of_columns(
    mia: Mia, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MOST_PROBABILITY_CELLS", 100)
    run = make_training(tmp_path / "cells")
    assert mia("report", run.path, "--zip", tmp_path / "cells.zip").code == 0
    with zipfile.ZipFile(tmp_path / "cells.zip") as archive:
        assert set(table(archive, "predictions-val.csv")[0]) == {
            "file",
            "frame",
            "class",
            "predicted",
            "right",
        }
        with np.load(io.BytesIO(archive.read("probabilities-val.npz"))) as arrays:
            assert arrays["log_probabilities"].shape == (60, 3) and arrays["classes"].tolist() == list(
                CLASSES
            )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "report.pdf"], "--out report.pdf does not end in .html."),
        (["--zip", "report.html"], "--zip report.html does not end in .zip."),
        (["--examples", "3"], "--examples are put into the archive."),
        (["--out", "gone/report.html"], "gone"),
        (["--figures", "figures", "--why"], "--why is for the galleries of the report."),
    ],
)
def test_what_cannot_be_written_is_refused_in_a_sentence(
    mia: Mia, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    run = make_training(tmp_path / "cells", images=False)
    monkeypatch.chdir(tmp_path)
    answer = mia("report", run.path, *words)
    assert answer.code in (2, 3) and said in answer.err and answer.err.count("\n") == 1
    assert not list(tmp_path.glob("*.html"))


def test_a_prediction_has_no_report(mia: Mia, tmp_path: Path) -> None:
    (tmp_path / "mia").mkdir()
    job = make_predict_job(tmp_path / "mia")
    run = RunDir.create(StateFolder(tmp_path / "mia"), job, name="predict")
    answer = mia("report", run.path)
    assert answer.code == 1 and "neither a training nor an evaluation" in answer.err


def test_a_run_of_an_earlier_version_has_a_report_that_says_what_is_missing(mia: Mia, tmp_path: Path) -> None:
    run = make_training(tmp_path / "cells", scores=False)
    answer = mia("report", run.path, "--json", "--zip", tmp_path / "cells.zip")
    assert answer.code == 0
    (part,) = json.loads(answer.out)["parts"]
    assert "mia-tui evaluate" in part["why_no_probabilities"] and part["reliability"] is None
