"""`mia-tui suggest`, `labels issues` and `labels audit`, on features that a test wrote."""

import csv
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_support import Mia
from labels_support import draw_stack
from PIL import Image

from mia_tui.cli.live.learned import LiveImages, read_live
from mia_tui.cli.output.report import Report
from mia_tui.dataset.hashes import file_hash
from mia_tui.dataset.model import WHOLE_STACK, ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.features.layout import DEFAULT_NETWORK, TableDescription
from mia_tui.features.writer import FeatureRow, FeatureWriter
from mia_tui.paths import user_config_file

COUNT, DIMS = 90, 24
CLASSES = ("flat", "long", "round")


def class_of(index: int) -> str:
    """What an image is; from the 60th on nobody said."""
    return CLASSES[index % 3]


def name(index: int) -> str:
    return f"cell{index:02}.png"


def features() -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Three clouds; image 89 is of none of them, image 61 almost the same as 60."""
    rng = np.random.default_rng(0)
    found = 4 * rng.normal(size=(3, DIMS))[np.arange(COUNT) % 3] + rng.normal(size=(COUNT, DIMS))
    found[89] = 15 * rng.normal(size=DIMS)
    return found.astype(np.float32)


def write_features(root: Path, values: Any, *, trained_on: int = 0, network: str = DEFAULT_NETWORK) -> None:
    images = []
    for index in range(COUNT):
        path = root / name(index)
        status = path.stat()
        part = "train" if index < trained_on else ""
        images.append(
            FeatureRow(ImageKey(path.name), status.st_size, status.st_mtime_ns, file_hash(path), part)
        )
    with FeatureWriter(root, network) as writer:
        writer.begin(TableDescription(id=network, name="tiny", dims=DIMS))
        writer.append(images, values)


@pytest.fixture
def cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ninety images with features, in a cache of their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "cells [a]"
    root.mkdir()
    for index in range(COUNT):
        Image.new("RGB", (6, 6), (index, 2 * index, 90)).save(root / name(index))
    write_features(root, features())
    return root


def label(mia: Mia, root: Path, labels: dict[int, str]) -> None:
    file = root.parent / "labels.csv"
    file.write_text("file,class\n" + "".join(f"{name(index)},{said}\n" for index, said in labels.items()))
    answer = mia("labels", "import", root, file)
    assert answer.code == 0, answer.err


@pytest.fixture
def labelled(mia: Mia, cells: Path) -> Path:
    """Sixty of them labelled, the 7th wrong."""
    label(mia, cells, {index: "round" if index == 7 else class_of(index) for index in range(60)})
    return cells


def records(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_suggestions_are_for_the_images_without_a_label(mia: Mia, labelled: Path) -> None:
    answer = mia("suggest", labelled, "--json")
    assert (answer.code, answer.err) == (0, "")
    found = {each["file"]: each for each in records(answer.out)}
    assert sorted(found) == [name(index) for index in range(60, 90)]
    assert all(found[name(index)]["class"] == class_of(index) for index in range(60, 89))
    assert all(0.3 < each["probability"] <= 1 for each in found.values())
    assert found[name(89)]["unfamiliar"] > 1 > found[name(62)]["unfamiliar"]


def test_a_summary_says_what_it_comes_from_and_what_to_do_next(mia: Mia, labelled: Path) -> None:
    lines = mia("suggest", labelled).out.splitlines()
    assert lines[0] == "30 suggestions, from 60 labels, features by tiny:"
    assert lines[1].split() == ["class", "images", "mean", "probability"]
    assert "unfamiliar image" in lines[5] or "No image is unfamiliar" in lines[5]
    assert "--next 20" in lines[-1]


def test_where_all_images_are_labelled_it_is_said_what_to_do_instead(mia: Mia, labelled: Path) -> None:
    with LabelStore(labelled / "mia" / "labels.db") as store:
        ids = {known.name: known.id for known in store.classes()}
        given = [(ImageKey(name(index)), ids[class_of(index)]) for index in range(60, COUNT)]
        store.set_labels(given, source="person")
    answer = mia("suggest", labelled).out
    assert "All 90 images are labelled: nothing is left to be suggested." in answer
    assert "mia-tui labels issues" in answer and "mean probability" not in answer


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_file_of_suggestions_is_one_of_predictions_with_the_unfamiliar_score(
    mia: Mia, labelled: Path, tmp_path: Path, ending: str
) -> None:
    out = tmp_path / f"suggested.{ending}"
    answer = mia("suggest", labelled, "--out", out, "--json")
    assert answer.code == 0
    assert records(answer.out)[0]["suggested"] == 30
    if ending == "csv":
        rows = list(csv.DictReader(out.open()))
    elif ending == "jsonl":
        rows = records(out.read_text())
    else:
        rows = pytest.importorskip("pyarrow.parquet").read_table(out).to_pylist()
    assert list(rows[0]) == [
        *("file", "frame", "class", "probability", "p_flat", "p_long", "p_round", "unfamiliar", "run")
    ]
    assert len(rows) == 30 and rows[0]["class"] == class_of(60)
    assert float(rows[29]["unfamiliar"]) > 1
    assert rows[0]["run"] == "60 labels, features by tiny"


def test_a_file_of_suggestions_can_be_shown_by_the_app(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "suggested.csv"
    assert mia("suggest", labelled, "--out", out).code == 0
    answer = mia("labels", "import", labelled, out, "--as", "suggestions")
    assert answer.code == 0 and "30 suggestions" in answer.out


def test_the_next_images_are_listed_before_anything_is_labelled(mia: Mia, cells: Path) -> None:
    answer = mia("suggest", cells, "--next", 6, "--json")
    found = records(answer.out)
    assert answer.code == 0 and len(found) == 6
    assert len({each["file"] for each in found}) == 6 and set(found[0]) == {"file", "frame"}
    table = mia("suggest", cells, "--next", 6).out.splitlines()
    assert len(table) == 7 and table[0].split() == ["file", "frame"]


def test_the_next_images_have_no_label_yet(mia: Mia, labelled: Path) -> None:
    found = records(mia("suggest", labelled, "--next", 5, "--json").out)
    assert len(found) == 5 and all(each["file"] >= name(60) for each in found)
    assert set(found[0]) == {"file", "frame", "class", "probability", "unfamiliar"}


def test_unfamiliar_images_are_listed(mia: Mia, labelled: Path) -> None:
    found = records(mia("suggest", labelled, "--unfamiliar", "--json").out)
    assert found[0]["file"] == name(89) and all(each["unfamiliar"] > 1 for each in found)
    assert name(89) in mia("suggest", labelled, "--unfamiliar").out


def test_without_two_classes_nothing_is_suggested(mia: Mia, cells: Path) -> None:
    label(mia, cells, {0: "flat", 3: "flat"})
    answer = mia("suggest", cells)
    assert answer.code != 0 and "two classes" in answer.err and answer.out == ""


def test_without_labels_the_way_to_some_is_said(mia: Mia, cells: Path) -> None:
    answer = mia("labels", "issues", cells)
    assert answer.code != 0 and "has no labels" in answer.err


def test_next_and_out_are_not_given_together(mia: Mia, labelled: Path) -> None:
    answer = mia("suggest", labelled, "--next", 5, "--out", "a.csv")
    assert answer.code != 0 and "Give one of them" in answer.err


def test_a_wrong_label_comes_first(mia: Mia, labelled: Path) -> None:
    found = records(mia("labels", "issues", labelled, "--json").out)
    first = next(each for each in found if each["issue"] == "label")
    assert (first["file"], first["said"], first["suggested"]) == (name(7), "round", class_of(7))
    assert first["probability"] > 0.8 > first["said_probability"]
    shown = mia("labels", "issues", labelled).out
    assert "then Ctrl+D, shows them one by one" in shown
    assert (
        shown.splitlines()[0].endswith(("looks wrong:", "look wrong:")) and name(7) in shown.splitlines()[2]
    )


def test_all_labels_are_listed_in_order_if_that_is_asked_for(mia: Mia, labelled: Path) -> None:
    found = records(mia("labels", "issues", labelled, "--json", "--all").out)
    assert sum(each["issue"] == "label" for each in found) == 60
    assert mia("labels", "issues", labelled, "--all").code != 0


def test_what_was_kept_is_not_listed_again_until_it_changes(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    keep = tmp_path / "right.csv"
    keep.write_text(f"file,class\n{name(7)},round\n{name(8)},flat\n")
    answer = mia("labels", "issues", labelled, "--keep", keep)
    assert answer.out.startswith("1 label kept.") and name(7) not in answer.out
    assert "1 image has another label" in answer.err
    assert name(7) not in mia("labels", "issues", labelled, "--json").out
    label(mia, labelled, {7: "flat"})
    assert name(7) in mia("labels", "issues", labelled, "--json").out


def test_copies_with_different_labels_are_a_pair(mia: Mia, cells: Path) -> None:
    cells.joinpath(name(61)).write_bytes(cells.joinpath(name(60)).read_bytes())
    values = features()
    values[61] = values[60]
    write_features(cells, values)
    label(mia, cells, {index: "round" if index == 61 else class_of(index) for index in range(80)})
    found = records(mia("labels", "issues", cells, "--json").out)
    [pair] = [each for each in found if each["issue"] == "duplicate"]
    assert (pair["file"], pair["other_file"], pair["exact"]) == (name(60), name(61), True)
    assert (pair["said"], pair["other_said"], pair["distance"]) == ("flat", "round", 0)


def test_labels_are_not_ranked_by_a_network_that_was_trained_on_them(
    mia: Mia, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mia_tui.cli.shared.network.find_network", lambda *_: (None, Path("best.safetensors"))
    )
    monkeypatch.setattr("mia_tui.runs.features.create.network_id", lambda *_: "tiny-1")
    write_features(labelled, features(), trained_on=60, network="tiny-1")
    answer = mia("labels", "issues", labelled, "--network", "best")
    assert answer.code != 0 and answer.out == ""
    assert "tiny was trained on 60 labels" in answer.err and "Leave --network out" in answer.err


def test_only_labels_that_the_network_was_not_trained_on_are_ranked(
    mia: Mia, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mia_tui.cli.shared.network.find_network", lambda *_: (None, Path("best.safetensors"))
    )
    monkeypatch.setattr("mia_tui.runs.features.create.network_id", lambda *_: "tiny-1")
    write_features(labelled, features(), trained_on=30, network="tiny-1")
    answer = mia("labels", "issues", labelled, "--network", "best", "--json", "--all")
    ranked = {each["file"] for each in records(answer.out) if each["issue"] == "label"}
    assert ranked == {name(index) for index in range(30, 60)}
    assert "30 labels that tiny was trained on are left out" in answer.err
    assert "copies of them" not in answer.err


def test_copies_of_what_the_network_was_trained_on_are_not_ranked_either(
    mia: Mia, cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cells / name(40)).write_bytes((cells / name(4)).read_bytes())
    label(mia, cells, {index: class_of(index) for index in range(60)})
    monkeypatch.setattr(
        "mia_tui.cli.shared.network.find_network", lambda *_: (None, Path("best.safetensors"))
    )
    monkeypatch.setattr("mia_tui.runs.features.create.network_id", lambda *_: "tiny-1")
    write_features(cells, features(), trained_on=30, network="tiny-1")
    answer = mia("labels", "issues", cells, "--network", "best", "--json", "--all")
    ranked = {each["file"] for each in records(answer.out) if each["issue"] == "label"}
    assert ranked == {name(index) for index in range(30, 60)} - {name(40)}
    assert "31 labels that tiny was trained on are left out" in answer.err


def test_a_network_that_may_know_copies_of_the_labels_is_warned_of(
    mia: Mia, labelled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "mia_tui.cli.shared.network.find_network", lambda *_: (None, Path("best.safetensors"))
    )
    monkeypatch.setattr("mia_tui.runs.features.create.network_id", lambda *_: "tiny-1")
    write_features(labelled, features(), network="tiny-1")
    assert "If it was trained on copies of them" in mia("labels", "issues", labelled, "--network", "best").err


def audited(mia: Mia, root: Path) -> dict[str, Any]:
    return records(mia("labels", "audit", root, "--json").out)[0]


def answer_all(mia: Mia, root: Path, file: Path, wrong: int = 0) -> None:
    """Answer what is open as a person would who knows; of the first few something else."""
    assert mia("labels", "audit", root, "--out", file).code == 0
    rows = list(csv.DictReader(file.open()))
    lines = ["file,class"]
    for place, row in enumerate(rows):
        index = int(row["file"][4:6])
        lines.append(f"{row['file']},{class_of(index + 1 if place < wrong else index)}")
    file.write_text("\n".join(lines) + "\n")
    answer = mia("labels", "audit", root, "--answers", file)
    assert answer.code == 0 and f"{len(rows)} answers taken." in answer.out, answer


def test_an_audit_from_the_draw_to_the_estimate(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    file = tmp_path / "audit.csv"
    assert "Nothing was audited yet" in mia("labels", "audit", labelled).out
    drawn = mia("labels", "audit", labelled, "--draw", 20, "--out", file)
    assert drawn.code == 0 and "20 suggestions drawn at random from 30." in drawn.out
    assert "20 images to be answered" in drawn.out
    rows = list(csv.DictReader(file.open()))
    assert len(rows) == 20 and {row["class"] for row in rows} == {""}
    assert all(row["file"] >= name(60) for row in rows)
    answer_all(mia, labelled, file, wrong=2)
    found = audited(mia, labelled)
    assert (found["labelled"], found["unlabelled"], found["open"]) == (80, 10, 0)
    its = found["suggestions"]
    assert (its["audited"], its["drawn_from"]) == (20, 30) and its["right"] in (17, 18)
    assert its["low"] < its["share"] < its["high"] and its["is_current"] is True
    assert found["labels"] is None and found["more"]["labels"] == 10
    assert mia("labels", "audit", labelled).out.startswith("Labelled 80 · suggestions right: ")


def test_an_audit_of_the_suggestions_of_another_model_is_listed_apart(
    mia: Mia, labelled: Path, tmp_path: Path
) -> None:
    mia("labels", "audit", labelled, "--draw", 5)
    answer_all(mia, labelled, tmp_path / "audit.csv")
    assert audited(mia, labelled)["suggestions"]["model"] == "live"
    with sqlite3.connect(labelled / "mia" / "labels.db") as connection:
        connection.execute("UPDATE audit SET model = 'vgg16'")
    found = audited(mia, labelled)
    assert found["suggestions"] is None
    assert [(other["model"], other["audited"]) for other in found["others"]] == [("vgg16", 5)]
    told = mia("labels", "audit", labelled).out
    assert (
        "suggestions right" not in told and "Suggestions of vgg16: 5 of 5 right" in told
    ) or "4 of 5 right" in told


def test_the_answers_of_an_audit_are_labels_by_a_person(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    mia("labels", "audit", labelled, "--draw", 5)
    answer_all(mia, labelled, tmp_path / "audit.csv")
    store = LabelStore.open_existing(labelled / "mia" / "labels.db")
    assert store is not None
    with store:
        assert sum(label.source == "person" for label in store.labels().values()) == 5


def test_labels_are_audited_too(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    drawn = mia("labels", "audit", labelled, "--draw", 60, "--of", "labels")
    assert "60 labels drawn at random from 60." in drawn.out
    answer_all(mia, labelled, tmp_path / "audit.csv")
    found = audited(mia, labelled)["labels"]
    assert (found["right"], found["audited"], found["low"], found["high"]) == (59, 60, 59 / 60, 59 / 60)


def test_an_audit_of_labels_says_nothing_of_those_that_came_after_it(
    mia: Mia, labelled: Path, tmp_path: Path
) -> None:
    mia("labels", "audit", labelled, "--draw", 20, "--of", "labels")
    answer_all(mia, labelled, tmp_path / "audit.csv")
    assert "after that" not in mia("labels", "audit", labelled).err
    with LabelStore(labelled / "mia" / "labels.db") as store:
        audited_keys = {row.image for row in store.audits()}
        others = [ImageKey(name(index)) for index in range(60)]
        others = [key for key in others if key not in audited_keys][:3]
        classes = {known.name: known.id for known in store.classes()}
        was = {key: label.class_id for key, label in store.labels().items()}
        given = [(key, next(id for id in classes.values() if id != was[key])) for key in others]
        store.set_labels(given, source="import")
    assert "3 labels were given or changed after that, of which it says nothing: audit again." in (
        mia("labels", "audit", labelled).err
    )


def test_draws_count_together_and_no_image_twice(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    for _ in range(2):
        mia("labels", "audit", labelled, "--draw", 5)
    answer_all(mia, labelled, tmp_path / "audit.csv")
    found = audited(mia, labelled)["suggestions"]
    assert (found["audited"], found["drawn_from"]) == (10, 30)


def test_an_audit_is_out_of_date_when_many_images_got_labels(
    mia: Mia, labelled: Path, tmp_path: Path
) -> None:
    mia("labels", "audit", labelled, "--draw", 4)
    answer_all(mia, labelled, tmp_path / "audit.csv")
    label(mia, labelled, {index: class_of(index) for index in range(75, 90)})
    answer = mia("labels", "audit", labelled)
    assert "out of date" in answer.err and "Draw again" in answer.err
    assert audited(mia, labelled)["suggestions"]["is_current"] is False


def test_open_questions_can_be_forgotten(mia: Mia, labelled: Path) -> None:
    mia("labels", "audit", labelled, "--draw", 4)
    assert mia("labels", "audit", labelled, "--discard").out.startswith("4 images forgotten.")
    assert audited(mia, labelled)["open"] == 0


def test_an_answer_of_an_unknown_class_is_refused_whole(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    file = tmp_path / "audit.csv"
    mia("labels", "audit", labelled, "--draw", 2, "--out", file)
    first, second = (row["file"] for row in csv.DictReader(file.open()))
    file.write_text(f"file,class\n{first},flat\n{second},blue\n")
    answer = mia("labels", "audit", labelled, "--answers", file)
    assert answer.code != 0 and "names the class blue" in answer.err
    assert audited(mia, labelled)["open"] == 2


def test_answers_about_other_images_are_left_alone(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    file = tmp_path / "audit.csv"
    mia("labels", "audit", labelled, "--draw", 1)
    file.write_text(f"file,class\n{name(0)},long\n")
    answer = mia("labels", "audit", labelled, "--answers", file)
    assert "0 answers taken." in answer.out and "1 image of" in answer.err
    store = LabelStore.open_existing(labelled / "mia" / "labels.db")
    assert store is not None
    with store:
        names = {known.id: known.name for known in store.classes()}
        assert names[store.labels()[ImageKey(name(0))].class_id] == "flat"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--of", "labels"), "Add --draw N"),
        (("--answers", "a.csv", "--draw", "3"), "Give it alone"),
        (("--draw", "3", "--out", "a.txt"), "ends in .csv"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    mia: Mia, labelled: Path, options: tuple[str, ...], words: str
) -> None:
    answer = mia("labels", "audit", labelled, *options)
    assert answer.code != 0 and words in answer.err


def test_nothing_left_to_draw_is_said(mia: Mia, cells: Path) -> None:
    label(mia, cells, {index: class_of(index) for index in range(COUNT)})
    answer = mia("labels", "audit", cells, "--draw", 3, "--of", "suggestions")
    assert answer.code != 0 and "There are no suggestions to be drawn" in answer.err


def test_class_folders_have_issues_and_suggest_labels_for_an_audit(
    mia: Mia, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "sorted"
    images = []
    for index in range(60):
        path = root / ("round" if index == 7 else class_of(index)) / name(index)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (6, 6), (index, 2 * index, 90)).save(path)
        status = path.stat()
        images.append(FeatureRow(ImageKey(str(path.relative_to(root))), status.st_size, status.st_mtime_ns))
    with FeatureWriter(root, DEFAULT_NETWORK) as writer:
        writer.begin(TableDescription(id=DEFAULT_NETWORK, name="tiny", dims=DIMS))
        writer.append(images, features()[:60])
    found = records(mia("labels", "issues", root, "--json").out)
    assert found[0]["file"] == f"round/{name(7)}" and found[0]["suggested"] == class_of(7)
    refused = mia("labels", "audit", root, "--draw", 3)
    assert refused.code != 0 and "--format folders" in refused.err
    right = root.parent / "right.csv"
    right.write_text(f"file,class\nround/{name(7)},round\n")
    refused = mia("labels", "issues", root, "--keep", right)
    assert refused.code != 0 and "--format folders" in refused.err and not list(root.rglob("labels.db"))


def test_what_the_split_keeps_together_stays_together(mia: Mia, labelled: Path) -> None:
    def groups() -> int:
        found = read_live(Report(as_json=True), labelled, None, None, labels=None, network=None, device="cpu")
        assert isinstance(found, LiveImages)
        return len(set(found.groups.tolist()))

    assert groups() == COUNT
    assert mia("labels", "split", labelled, "--group-by", r"cell(\d)").code == 0
    assert groups() == COUNT // 10


def test_missing_features_are_made_first_and_that_is_said(
    mia: Mia, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the network that comes with the program."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    root = tmp_path / "cells"
    root.mkdir()
    for index in range(8):
        Image.new("RGB", (20, 20), (30 * index, 0, 255 - 30 * index)).save(root / name(index))
    label(mia, root, {0: "blue", 1: "blue", 6: "red", 7: "red"})
    settings = user_config_file()
    settings.parent.mkdir(parents=True)
    settings.write_text("features_gb = 0.00001")
    refused = mia("suggest", root)
    assert refused.code != 0 and "features_gb in config.toml" in refused.err
    settings.unlink()
    answer = mia("suggest", root, "--json")
    assert answer.code == 0, answer.err
    assert "8 images have no features yet: they are made first." in answer.err
    assert {each["file"]: each["class"] for each in records(answer.out)}[name(2)] == "blue"
    assert "made first" not in mia("suggest", root, "--json").err


def test_a_stack_that_is_labelled_as_a_whole_has_no_frame(
    mia: Mia, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    root = tmp_path / "stacks"
    paths = [f"stack{index}.tif" for index in range(6)]
    for path in paths:
        draw_stack(root, path, 3)
    file = tmp_path / "labels.csv"
    file.write_text(
        "file,class\n" + "".join(f"{path},{class_of(i % 2)}\n" for i, path in enumerate(paths[:4]))
    )
    assert mia("labels", "stacks", root, "whole").code == 0
    assert mia("labels", "import", root, file).code == 0
    images = [
        FeatureRow(
            ImageKey(path, WHOLE_STACK), (root / path).stat().st_size, (root / path).stat().st_mtime_ns
        )
        for path in paths
    ]
    with FeatureWriter(root, DEFAULT_NETWORK) as writer:
        writer.begin(TableDescription(id=DEFAULT_NETWORK, name="tiny", dims=DIMS))
        writer.append(images, features()[[0, 1, 3, 4, 6, 7]])
    found = records(mia("suggest", root, "--json").out)
    assert [(each["file"], each["frame"], each["class"]) for each in found] == [
        ("stack4.tif", None, "flat"),
        ("stack5.tif", None, "long"),
    ]
    drawn = mia("labels", "audit", root, "--draw", 2, "--out", tmp_path / "audit.csv")
    assert drawn.code == 0, drawn.err
    assert {row["frame"] for row in csv.DictReader((tmp_path / "audit.csv").open())} == {""}


@pytest.mark.parametrize("words", [("suggest",), ("labels", "issues"), ("labels", "audit")])
def test_a_device_that_does_not_exist_is_refused(mia: Mia, labelled: Path, words: tuple[str, ...]) -> None:
    answer = mia(*words, labelled, "--device", "nonsense")
    assert answer.code == 2
    assert "--device is 'nonsense'. It takes auto, cpu, cuda, cuda:N or mps." in answer.err
