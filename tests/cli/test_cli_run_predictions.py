"""`mia-tui runs predictions`: what a run predicted, in any format, and its images sorted into folders."""

import csv
import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from cli_support import Mia
from training_commands import runs_of, train

from mia_tui.dataset.interchange import folders_export
from mia_tui.runs.evaluation.results import load_results
from mia_tui.runs.record.decision import Decision, read_decision, write_decision
from mia_tui.runs.record.layout import RunDir

pytestmark = pytest.mark.usefixtures("threads_stay_as_they_were")


@pytest.fixture
def run(mia: Mia, discs: Path) -> RunDir:
    answer = train(mia, discs, "--lr", 0.0003)
    assert answer.code == 0, answer.err
    [made] = runs_of(discs)
    logs = load_results(made).log_probabilities
    assert logs is not None
    least = round(float(np.median(np.exp(logs.max(axis=1)))), 4)
    decision = Decision(
        threshold=least, part="val", images=9, coverage=0.5, accuracy=1.0, chosen_at=1.0, temperature=1.25
    )
    write_decision(made.best_weights, decision)
    return made


@pytest.fixture
def suggested(mia: Mia, discs: Path, run: RunDir) -> RunDir:
    """A prediction whose results are in its folder."""
    answer = mia("predict", discs, "--run", run.path, "--precision", "fp32")
    assert answer.code == 0, answer.err
    return runs_of(discs, "predict")[-1]


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def export(mia: Mia, run: RunDir, out: Path, *more: object) -> dict[str, object]:
    answer = mia("runs", "predictions", run.path, out, "--json", *more)
    assert answer.code == 0, answer.err
    record: dict[str, object] = json.loads(answer.out)
    return record


def test_a_prediction_in_its_folder_is_written_as_with_out(
    mia: Mia, discs: Path, run: RunDir, suggested: RunDir, tmp_path: Path
) -> None:
    direct, later = tmp_path / "direct.csv", tmp_path / "later.csv"
    assert mia("predict", discs, "--run", run.path, "--precision", "fp32", "--out", direct).code == 0
    said = export(mia, suggested, later)
    one, other = read(direct), read(later)
    assert said["predictions"] == len(one) == 36 and 0 < said["unsure"] < 36  # type: ignore[operator]
    for first, second in zip(one, other, strict=True):
        assert list(first) == list(second)
        for name in ("file", "frame", "class", "unsure", "run"):
            assert first[name] == second[name]
        assert float(first["p_red"]) == pytest.approx(float(second["p_red"]), abs=1e-4)


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_that_a_prediction_wrote_becomes_any_other(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path, kind: str
) -> None:
    out = tmp_path / f"p.{kind}"
    assert mia("predict", discs, "--run", run.path, "--out", out).code == 0
    made = runs_of(discs, "predict")[-1]
    export(mia, made, tmp_path / "again.jsonl")
    export(mia, made, tmp_path / "p.mia", "--format", "mia-csv")
    lines = [json.loads(line) for line in (tmp_path / "again.jsonl").read_text().splitlines()]
    rows = list(csv.DictReader((tmp_path / "p.mia").open(), delimiter=";"))
    assert len(lines) == len(rows) == 36
    for line, row in zip(lines, rows, strict=True):
        assert row["image name"] == line["file"]
        assert row["classname"] == ("" if line["unsure"] else line["class"])
    if kind == "jsonl":
        assert lines == [json.loads(line) for line in out.read_text().splitlines()]
    out.unlink()
    gone = mia("runs", "predictions", made.path, tmp_path / "x.csv")
    assert gone.code == 3 and "does not exist any more" in gone.err and not (tmp_path / "x.csv").exists()


@pytest.mark.parametrize(
    ("kind", "text"), [("csv", "file,frame,class\na,0,red\n"), ("jsonl", "{"), ("jsonl", '{"file":1}')]
)
def test_a_file_that_somebody_changed_is_refused(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path, kind: str, text: str
) -> None:
    out = tmp_path / f"p.{kind}"
    assert mia("predict", discs, "--run", run.path, "--out", out).code == 0
    out.write_text(text)
    answer = mia("runs", "predictions", runs_of(discs, "predict")[-1].path, tmp_path / "x.csv")
    assert answer.code == 3 and "is not as this prediction wrote it" in answer.err
    assert not (tmp_path / "x.csv").exists()


def test_a_file_that_another_prediction_has_written_since_is_refused(
    mia: Mia, discs: Path, run: RunDir, tmp_path: Path
) -> None:
    out = tmp_path / "p.csv"
    assert mia("predict", discs, "--run", run.path, "--out", out).code == 0
    made = runs_of(discs, "predict")[-1]
    assert mia("predict", discs, "--run", run.path, "--out", out, "--threshold", 1.0).code == 0
    answer = mia("runs", "predictions", made.path, tmp_path / "x.csv")
    assert answer.code == 3 and "holds other predictions than this run has made" in answer.err
    assert not (tmp_path / "x.csv").exists()


def test_the_validation_images_of_a_training_are_written_by_its_threshold(
    mia: Mia, run: RunDir, tmp_path: Path
) -> None:
    results = load_results(run)
    export(mia, run, tmp_path / "val.csv")
    rows = read(tmp_path / "val.csv")
    assert [row["file"] for row in rows] == [key.path for key in results.keys]
    assert [row["class"] for row in rows] == [results.classes[place] for place in results.predicted.tolist()]
    decision = read_decision(run.best_weights)
    assert decision is not None
    assert [row["unsure"] == "true" for row in rows] == [
        float(row["probability"]) < decision.threshold for row in rows
    ]


def test_a_threshold_given_here_counts_in_place_of_the_stored_one(
    mia: Mia, suggested: RunDir, tmp_path: Path
) -> None:
    assert export(mia, suggested, tmp_path / "a.csv", "--threshold", 1.0)["unsure"] == 36
    assert export(mia, suggested, tmp_path / "b.csv", "--no-threshold")["unsure"] == 0
    assert "unsure" not in read(tmp_path / "b.csv")[0]


@pytest.mark.parametrize("name", ["label-studio", "cvat", "fiftyone", "mia-csv"])
def test_what_another_program_gets_comes_back_as_suggestions_or_labels(
    mia: Mia, discs: Path, suggested: RunDir, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out.txt"
    said = export(mia, suggested, out, "--format", name)
    assert said["predictions"] == 36
    back = mia("labels", "import", discs, out, "--format", name, "--as", "suggestions", "--json")
    assert back.code == 0, back.err
    expected = 36 - said["unsure"] if name == "mia-csv" else 36  # type: ignore[operator]
    assert json.loads(back.out)["suggestions"] == expected


@pytest.mark.parametrize("transfer", ["copy", "hardlink", "symlink"])
def test_images_are_sorted_into_folders_and_the_unsure_ones_into_their_own(
    mia: Mia, discs: Path, suggested: RunDir, tmp_path: Path, transfer: str
) -> None:
    out = tmp_path / "sorted"
    export(mia, suggested, tmp_path / "p.csv")
    export(mia, suggested, out, "--format", "folders", "--transfer", transfer)
    expected: dict[str, int] = {}
    for row in read(tmp_path / "p.csv"):
        folder = "unsure" if row["unsure"] == "true" else row["class"]
        expected[folder] = expected.get(folder, 0) + 1
    assert {folder.name: len(list(folder.iterdir())) for folder in out.iterdir()} == expected
    names = [path.name for path in out.rglob("*.png")]
    assert len(set(names)) == len(names) - sum("-2." in name for name in names) or len(names) == 36
    one = next(out.rglob("*.png"))
    assert one.is_symlink() == (transfer == "symlink")
    assert (one.stat().st_nlink > 1) == (transfer == "hardlink")


def test_unsure_images_are_left_out_on_request(mia: Mia, suggested: RunDir, tmp_path: Path) -> None:
    out = tmp_path / "sorted"
    answer = mia("runs", "predictions", suggested.path, out, "--format", "folders", "--unsure", "leave-out")
    assert answer.code == 0 and "left out" in answer.out
    assert not (out / "unsure").exists() and len(list(out.rglob("*.png"))) < 36


def test_copies_in_place_of_hard_links_are_said(
    mia: Mia, suggested: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_disk(self: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(Path, "hardlink_to", other_disk)
    answer = mia(
        "runs", "predictions", suggested.path, tmp_path / "s", "--format", "folders", "--transfer", "hardlink"
    )
    assert answer.code == 0 and "36 files are copies, since no hard link is possible there" in answer.out


def test_a_full_disk_leaves_nothing_and_the_same_command_works_afterwards(
    mia: Mia, suggested: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, done = folders_export.create, [0]

    def full(*arguments: object, **more: object) -> int:
        done[0] += 1
        if done[0] > 10:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return create(*arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(folders_export, "create", full)
    out = tmp_path / "sorted"
    answer = mia("runs", "predictions", suggested.path, out, "--format", "folders")
    assert answer.code == 3 and "full" in answer.err
    assert not out.exists() and not list(tmp_path.glob(".sorted*"))
    monkeypatch.setattr(folders_export, "create", create)
    assert mia("runs", "predictions", suggested.path, out, "--format", "folders").code == 0
    assert len(list(out.rglob("*.png"))) == 36


def test_nothing_is_overwritten_unless_asked(mia: Mia, suggested: RunDir, tmp_path: Path) -> None:
    out, folder = tmp_path / "p.csv", tmp_path / "sorted"
    out.write_text("mine")
    refused = mia("runs", "predictions", suggested.path, out)
    assert refused.code == 3 and "already exists" in refused.err and out.read_text() == "mine"
    assert mia("runs", "predictions", suggested.path, out, "--overwrite").code == 0
    folder.mkdir()
    (folder / "mine").touch()
    refused = mia("runs", "predictions", suggested.path, folder, "--format", "folders")
    assert (
        refused.code == 3
        and "not an empty folder" in refused.err
        and list(folder.iterdir()) == [folder / "mine"]
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("p.xyz",), "has no ending that says what to write"),
        (("p.csv", "--transfer", "copy"), "--transfer is for --format folders"),
        (("p.csv", "--unsure", "folder"), "--unsure is for --format folders"),
        (("p", "--format", "folders", "--overwrite"), "--overwrite replaces a file"),
        (("p.csv", "--threshold", 0.5, "--no-threshold"), "contradict each other"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    mia: Mia, run: RunDir, tmp_path: Path, options: tuple[object, ...], why: str
) -> None:
    name, *more = options
    answer = mia("runs", "predictions", run.path, tmp_path / str(name), *more)
    assert answer.code == 2 and why in answer.err
    assert not (tmp_path / str(name)).exists()


def test_a_prediction_that_has_not_finished_has_nothing_to_write(
    mia: Mia, suggested: RunDir, tmp_path: Path
) -> None:
    events = suggested.events.read_bytes().splitlines(keepends=True)
    suggested.events.write_bytes(b"".join(line for line in events if b'"result"' not in line))
    answer = mia("runs", "predictions", suggested.path, tmp_path / "p.csv")
    assert answer.code == 1 and "has no predictions yet" in answer.err and not (tmp_path / "p.csv").exists()


def test_damaged_probabilities_are_named(mia: Mia, suggested: RunDir, tmp_path: Path) -> None:
    lines = suggested.probabilities.read_bytes().splitlines(keepends=True)
    for damaged in (b"".join(lines[:-1]), b"".join([lines[0], *reversed(lines[1:])]), b"".join(lines)[:-9]):
        suggested.probabilities.write_bytes(damaged)
        answer = mia("runs", "predictions", suggested.path, tmp_path / "p.csv")
        assert answer.code == 1 and "is damaged" in answer.err and not (tmp_path / "p.csv").exists()
