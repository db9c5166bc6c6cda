"""`mia-tui labels`."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_support import Mia
from PIL import Image

from mia_tui.dataset.scan.scan import scan
from mia_tui.dataset.store.label_store import LabelStore


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def counts(mia: Mia, dataset: Path, *more: object) -> dict[str, dict[str, int]]:
    """Images of each class and part, as `labels stats --json` has them."""
    record = json.loads(mia("labels", "stats", dataset, "--json", *more).out)
    return {row.pop("class"): row for row in record["classes"]}


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Twenty-four images in one folder, no labels."""
    root = tmp_path / "cells"
    root.mkdir()
    for index in range(24):
        Image.new("RGB", (20, 20), (index * 10, 0, 90)).save(root / f"cell{index}.png")
    return root


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Labels of twenty of them: fifteen round, five long."""
    rows = [f"cell{index}.png,{'long' if index % 4 == 3 else 'round'}" for index in range(20)]
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(["file,class", *rows]) + "\n")
    return file


@pytest.fixture
def labelled(mia: Mia, cells: Path, table: Path) -> Path:
    assert mia("labels", "import", cells, table).code == 0
    return cells


def test_labels_of_a_csv_file_are_imported_and_counted(mia: Mia, cells: Path, table: Path) -> None:
    answer = mia("labels", "import", cells, table)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "20 images labelled, 20 of them new or changed.",
        "New classes: long, round.",
    ]
    assert mia("labels", "stats", cells).out.splitlines() == [
        "class  images",
        "long        5",
        "round      15",
        "",
        "24 images, 4 without a label.",
        "There is no split yet; the first training makes one, or `mia-tui labels split`.",
    ]


def test_an_import_as_json_is_one_object(mia: Mia, cells: Path, table: Path) -> None:
    answer = mia("labels", "import", cells, table, "--json")
    assert json.loads(answer.out) == {
        "images": 20,
        "changed": 20,
        "created": ["long", "round"],
        "skipped": 0,
        "kept": 0,
        "notes": [],
    }


def test_rows_that_name_no_image_are_named_and_skipped_or_refuse_all(
    mia: Mia, cells: Path, table: Path
) -> None:
    with table.open("a") as file:
        file.write("gone.png,round\n")
    refused = mia("labels", "import", cells, table, "--unmatched", "refuse")
    assert refused.code == 3
    assert "gone.png" in refused.err
    assert mia("labels", "stats", cells).code == 3  # nothing was imported
    skipped = mia("labels", "import", cells, table)
    assert skipped.code == 0
    assert skipped.err == "Warning: 1 row names no image of the dataset: gone.png.\n"


def test_classes_the_dataset_lacks_can_be_refused(mia: Mia, labelled: Path, table: Path) -> None:
    table.write_text("file,class\ncell0.png,square\n")
    answer = mia("labels", "import", labelled, table, "--unknown-classes", "refuse")
    assert answer.code == 3
    assert "square" in answer.err
    assert set(counts(mia, labelled)) == {"long", "round"}


@pytest.mark.parametrize(
    ("words", "start"),
    [
        ([], "Which labels? Name a CSV file, or pass --format folders or --format mia."),
        (["--format", "csv"], "--format csv needs a file."),
        (["x.csv", "--format", "mia"], "--format mia reads what is in the dataset, not x.csv."),
        (["x.csv", "--format", "folders"], "--format folders reads what is in the dataset, not x.csv."),
        (["x.csv", "--classes", "a,b"], "--classes names the numbers of --format mia."),
        (["x.csv", "--format", "xml"], "Invalid value for '--format'"),
    ],
)
def test_an_import_that_makes_no_sense_is_refused(
    mia: Mia, cells: Path, words: list[str], start: str
) -> None:
    answer = mia("labels", "import", cells, *words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(start)


@pytest.mark.parametrize("command", ["import", "export", "stats", "split"])
def test_a_missing_dataset_is_a_fault_of_the_data(mia: Mia, tmp_path: Path, command: str) -> None:
    words = ["--format", "folders"] if command == "import" else []
    answer = mia("labels", command, tmp_path / "none", *words)
    assert answer.code == 3
    assert answer.err.startswith(f"There is no folder {tmp_path / 'none'}.")


@pytest.mark.parametrize("command", ["export", "stats", "split"])
def test_a_dataset_without_labels_is_refused_with_ways_to_label_it(
    mia: Mia, cells: Path, command: str
) -> None:
    answer = mia("labels", command, cells)
    assert answer.code == 3
    assert "mia-tui labels import" in answer.err and "--state" not in answer.err
    elsewhere = cells.with_name("elsewhere")
    answer = mia("labels", "stats", cells, "--state", elsewhere)
    assert f"`mia-tui labels import {cells} --state {elsewhere} FILE.csv`" in answer.err


def test_looking_writes_nothing(mia: Mia, discs: Path) -> None:
    before = files_below(discs.parent)
    assert mia("labels", "stats", discs).code == 0
    assert mia("labels", "export", discs).code == 0
    assert files_below(discs.parent) == before


def test_exported_labels_can_be_imported_again(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    answer = mia("labels", "export", labelled)
    assert answer.out.splitlines()[:2] == ["file,frame,class", "cell0.png,0,round"]
    file = tmp_path / "out.csv"
    assert mia("labels", "export", labelled, file).out == f"20 labels written to {file}.\n"
    assert file.read_text() == answer.out
    again = mia("labels", "import", labelled, file)
    assert again.out == "20 images labelled, 0 of them new or changed.\n"


def test_a_file_that_is_there_is_replaced_only_when_asked(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("what somebody else needs")
    refused = mia("labels", "export", labelled, other)
    assert (refused.code, refused.out) == (3, "")
    assert refused.err.startswith(f"{other} already exists, and nothing was written. Pass --overwrite")
    assert other.read_text() == "what somebody else needs"
    assert mia("labels", "export", labelled, other, "--overwrite").out == f"20 labels written to {other}.\n"
    assert other.read_text().startswith("file,frame,class")


def test_labels_are_exported_with_tabs_to_a_file_named_so(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.tsv"
    assert mia("labels", "export", labelled, file).code == 0
    assert file.read_text().splitlines()[:2] == ["file\tframe\tclass", "cell0.png\t0\tround"]
    assert mia("labels", "import", labelled, file).out.startswith("20 images labelled, 0 of them new")


def test_class_folders_are_imported_and_exported(mia: Mia, discs: Path, tmp_path: Path) -> None:
    answer = mia("labels", "import", discs, "--format", "folders")
    assert answer.out.startswith("36 images labelled, 36 of them new or changed.")
    out = tmp_path / "out"
    assert mia("labels", "export", discs, out, "--format", "folders").out == "36 files written.\n"
    assert len(list((out / "red").iterdir())) == 24
    mia("labels", "split", discs)
    parted = tmp_path / "parted"
    assert (
        mia("labels", "export", discs, parted, "--format", "folders", "--parts", "--transfer", "symlink").code
        == 0
    )
    assert sorted(path.name for path in parted.iterdir()) == ["train", "val"]
    assert counts(mia, parted)["red"]["images"] == 24


def test_exporting_folders_needs_a_place(mia: Mia, labelled: Path) -> None:
    answer = mia("labels", "export", labelled, "--format", "folders")
    assert answer.code == 2
    assert answer.err.startswith("--format folders needs a folder to write to.")


def test_mias_label_folders_are_written_and_read(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    answer = mia("labels", "export", labelled, "--format", "mia")
    assert answer.out == "20 label files written; MIA's class numbers: 0 long, 1 round.\n"
    again = mia("labels", "export", labelled, "--format", "mia")
    assert again.code == 3
    assert "--overwrite" in again.err
    assert mia("labels", "export", labelled, "--format", "mia", "--overwrite").code == 0
    read = mia("labels", "import", labelled, "--format", "mia", "--classes", "long, round")
    assert read.out == "20 images labelled, 0 of them new or changed.\n"


def test_mias_numbers_stay_when_a_class_has_no_images_left(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    relabelled = tmp_path / "round.csv"
    rows = [f"cell{index}.png,round" for index in range(24)]
    relabelled.write_text("\n".join(["file,class", *rows]) + "\n")
    mia("labels", "import", labelled, relabelled)
    answer = mia("labels", "export", labelled, "--format", "mia")
    assert answer.out == "24 label files written; MIA's class numbers: 0 long, 1 round.\n"
    assert answer.err == ""
    read = mia("labels", "import", labelled, "--format", "mia", "--classes", "long,round")
    assert read.out == "24 images labelled, 0 of them new or changed.\n"


@pytest.mark.parametrize(
    ("words", "start"),
    [
        (["--transfer", "copy"], "--transfer is for --format folders."),
        (["--format", "mia", "--parts"], "--parts is for --format folders."),
        (
            ["x", "--format", "folders", "--overwrite"],
            "--overwrite is for --format csv, mia, mia-csv, label-studio,",
        ),
    ],
)
def test_an_option_that_a_format_has_no_use_for_is_refused(
    mia: Mia, labelled: Path, words: list[str], start: str
) -> None:
    answer = mia("labels", "export", labelled, *words)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(start)


@pytest.mark.parametrize(
    ("content", "words", "code"),
    [
        ("file,class\nnope.png,round\n", [], 3),
        ("file,class\ncell0.png,round\nnope.png,round\n", ["--unmatched", "refuse"], 3),
        ("file,class\ncell0.png,round\n", ["--unknown-classes", "refuse"], 3),
        ("no header\n", [], 3),
    ],
)
def test_a_refused_import_leaves_nothing_behind(
    mia: Mia, cells: Path, tmp_path: Path, content: str, words: list[str], code: int
) -> None:
    file = tmp_path / "refused.csv"
    file.write_text(content)
    before = files_below(tmp_path)
    assert mia("labels", "import", cells, file, *words).code == code
    assert files_below(tmp_path) == before


@pytest.mark.parametrize(
    ("classes", "start"),
    [
        ("long,,round", "--classes leaves a number without a name."),
        ("a, b,a", "--classes names a twice."),
    ],
)
def test_each_of_mias_numbers_needs_a_name_of_its_own(
    mia: Mia, labelled: Path, classes: str, start: str
) -> None:
    mia("labels", "export", labelled, "--format", "mia")
    answer = mia("labels", "import", labelled, "--format", "mia", "--classes", classes)
    assert answer.code == 2
    assert answer.err.startswith(start)


@pytest.mark.parametrize(
    "words", [["--val-fraction", 0.6, "--test-fraction", 0.5], ["--group-by", "zzz"], ["--group-by", "("]]
)
def test_a_refused_split_leaves_nothing_behind(mia: Mia, discs: Path, words: list[object]) -> None:
    before = files_below(discs.parent)
    assert mia("labels", "split", discs, *words).code == 2
    assert files_below(discs.parent) == before


def test_an_empty_pattern_takes_the_groups_away_again(mia: Mia, labelled: Path) -> None:
    mia("labels", "split", labelled, "--group-by", "cell([0-9])")
    answer = mia("labels", "split", labelled, "--new", "--group-by", "")
    assert (answer.code, answer.err) == (0, "")
    assert counts(mia, labelled)["round"] == {"images": 15, "train": 12, "val": 3, "test": 0}


def test_labels_of_missing_and_of_changed_files_are_counted_without_writing(mia: Mia, labelled: Path) -> None:
    state = labelled / "mia" / "labels.db"
    with LabelStore(state) as store:
        store.reconcile(scan(labelled).files, labelled)
        (labelled / "cell1.png").unlink()
        Image.new("RGB", (21, 21)).save(labelled / "cell2.png")
        store.reconcile(scan(labelled).files, labelled)
    before = state.read_bytes()
    answer = mia("labels", "stats", labelled)
    assert answer.err == "Warning: 1 labelled image is not there any more.\n"
    assert "1 image changed since labelled, so the label may be wrong: cell2.png." in answer.out
    record = json.loads(mia("labels", "stats", labelled, "--json").out)
    assert (record["missing"], record["flagged"]) == (1, 1)
    assert state.read_bytes() == before


def test_labels_of_missing_files_are_counted_where_folders_are_the_classes(mia: Mia, discs: Path) -> None:
    mia("labels", "import", discs, "--format", "folders")
    (discs / "red" / "cell-3.png").unlink()
    assert mia("labels", "stats", discs).err == "Warning: 1 labelled image is not there any more.\n"


def test_the_split_is_made_once_and_anew_only_when_asked(mia: Mia, labelled: Path) -> None:
    made = mia("labels", "split", labelled)
    assert made.code == 0
    first = counts(mia, labelled)
    assert first["round"] == {"images": 15, "train": 12, "val": 3, "test": 0}
    rule = "val fraction 0.2, test fraction 0, no groups, seed 0."
    assert made.out.splitlines()[-1] == f"The split was made just now: {rule}"
    shown = mia("labels", "split", labelled).out.splitlines()
    assert shown == [*made.out.splitlines()[:-1], f"The split exists already: {rule}"]
    assert mia("labels", "stats", labelled).out.splitlines()[-1] == f"The split follows: {rule}"
    other = mia("labels", "split", labelled, "--val-fraction", 0.4)
    assert other.code == 2
    assert "mia-tui labels split" in other.err
    assert "--new" in other.err
    assert counts(mia, labelled) == first
    assert mia("labels", "split", labelled, "--new", "--val-fraction", 0.4, "--test-fraction", 0.2).code == 0
    assert counts(mia, labelled)["round"] == {"images": 15, "train": 6, "val": 6, "test": 3}


def test_a_new_split_keeps_what_it_is_not_told(mia: Mia, labelled: Path) -> None:
    mia("labels", "split", labelled, "--val-fraction", 0.4)
    answer = mia("labels", "split", labelled, "--new", "--split-seed", 7, "--group-by", "cell([0-9]+)")
    assert answer.out.splitlines()[-2:] == [
        "The split was made again: val fraction 0.4, test fraction 0, grouped by 'cell([0-9]+)', seed 7.",
        "Kept from the old split's rule: val fraction 0.4, test fraction 0.",
    ]
    assert counts(mia, labelled)["round"]["val"] == 6
    record = json.loads(mia("labels", "stats", labelled, "--json").out)
    assert record["rule"] == {
        "val_fraction": 0.4,
        "test_fraction": 0.0,
        "group_by": "cell([0-9]+)",
        "seed": 7,
    }


def test_a_fraction_for_a_part_that_a_folder_fixes_gets_a_warning(
    mia: Mia, discs: Path, tmp_path: Path
) -> None:
    mia("labels", "split", discs)
    parted = tmp_path / "parted"
    mia("labels", "export", discs, parted, "--format", "folders", "--parts")
    stats = mia("labels", "stats", parted).out
    assert stats.endswith("The parts are those of the top folders train and val.\n")
    answer = mia("labels", "split", parted, "--val-fraction", 0.4, "--test-fraction", 0.1)
    assert answer.err.splitlines()[0] == (
        "Warning: --val-fraction has no effect: the folder val fixes which images val has."
    )
    assert "--test-fraction has no effect" not in answer.err
    assert "made just now: val as its folder, test fraction 0.1, no groups, seed 0." in answer.out
    again = mia("labels", "split", parted, "--val-fraction", 0.3, "--new")
    assert again.code == 0
    assert again.out.endswith("Kept from the old split's rule: test fraction 0.1, no groups, seed 0.\n")
    assert mia("labels", "split", parted, "--val-fraction", 0.5).code == 0


def test_labels_and_split_can_lie_elsewhere(mia: Mia, cells: Path, table: Path, tmp_path: Path) -> None:
    state = tmp_path / "elsewhere"
    before = files_below(cells)
    assert mia("labels", "import", cells, table, "--state", state, "--annotator", "ada").code == 0
    assert mia("labels", "split", cells, "--state", state).code == 0
    assert files_below(cells) == before
    assert counts(mia, cells, "--state", state)["round"]["val"] == 3


def test_what_cannot_be_read_is_named_in_a_sentence(mia: Mia, labelled: Path) -> None:
    (labelled / "dead\x1b.png").symlink_to("nothing")
    assert mia("labels", "stats", labelled).err == (
        "Warning: 1 file or folder could not be read: dead\\x1b.png (The link leads nowhere).\n"
    )


def test_the_source_of_labels_can_be_chosen(mia: Mia, discs: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("file,class\nred/cell-0.png,odd\nblue/cell-0.png,even\n")
    mia("labels", "import", discs, file)
    assert set(counts(mia, discs, "--labels", "store")) == {"odd", "even"}
    assert {"red", "blue"} <= set(counts(mia, discs, "--labels", "folders"))


def test_frames_of_a_moving_image_count_when_asked(mia: Mia, tmp_path: Path) -> None:
    root = tmp_path / "moving"
    for name in ("a", "b"):
        (root / name).mkdir(parents=True)
        noise = np.random.default_rng(0).integers(0, 255, (3, 16, 16), np.uint8)
        first, *rest = [Image.fromarray(frame) for frame in noise]
        first.save(root / name / "x.gif", save_all=True, append_images=rest)
    assert counts(mia, root)["a"]["images"] == 1
    assert counts(mia, root, "--frames", "all")["a"]["images"] == 3


def test_a_class_name_cannot_steer_the_terminal(mia: Mia, cells: Path, table: Path) -> None:
    table.write_text("file,class\ncell0.png,\x1b[2Jred\ncell1.png,blue\n")
    answer = mia("labels", "import", cells, table)
    stats = mia("labels", "stats", cells)
    assert "\x1b" not in answer.out + answer.err + stats.out + stats.err
    assert "\\x1b[2Jred" in stats.out


def test_the_help_of_import_lists_every_name_a_column_may_have(mia: Mia) -> None:
    from mia_tui.dataset.interchange.csv_labels import HEADERS

    text = mia("labels", "import", "--help").out.replace(",", " ").replace(";", " ").split()
    missing = [name for usual, seldom in HEADERS.values() for name in (*usual, *seldom) if name not in text]
    assert not missing


def test_files_of_other_kinds_are_reported_and_are_in_the_record(mia: Mia, labelled: Path) -> None:
    for name in ("a.heic", "b.HEIC", "c.cr2", ".hidden.cr2", "Thumbs.db"):
        (labelled / name).touch()
    answer = mia("labels", "stats", labelled, "--json")
    assert answer.err.startswith("Warning: 3 files of other kinds left out: 2 .heic, 1 .cr2.\n")
    assert json.loads(answer.out)["other_kinds"] == {".heic": 2, ".cr2": 1}


def test_the_label_file_that_is_read_is_not_said_to_be_left_out(mia: Mia, cells: Path) -> None:
    (cells / "decisions.csv").write_text("file,class\ncell0.png,cat\n")
    assert "left out" not in mia("labels", "import", cells, cells / "decisions.csv").err
    (cells / "more.csv").touch()
    answer = mia("labels", "import", cells, cells / "decisions.csv")
    assert "1 file of another kind left out: 1 .csv." in answer.err


def test_a_damaged_table_leaves_nothing_behind(mia: Mia, cells: Path, table: Path) -> None:
    table.write_text('file,class\ncell0.png,"cat\ncell1.png,dog\n')
    before = files_below(cells.parent)
    answer = mia("labels", "import", cells, table)
    assert (answer.code, answer.out) == (3, "")
    assert answer.err.startswith("labels.csv, line 2 has a quote that is never closed.")
    assert files_below(cells.parent) == before


def test_what_was_matched_by_the_end_of_a_path_is_reported(mia: Mia, cells: Path, table: Path) -> None:
    table.write_text(
        "sep=;\r\nFile Name;Label;frame\r\nC:\\data\\cell0.png;cat;0.0\r\n/old/place/cell1.png;dog;\r\n"
    )
    answer = mia("labels", "import", cells, table, "--json")
    assert answer.code == 0
    (note,) = json.loads(answer.out)["notes"]
    assert note == (
        "2 rows matched by the end of the path: C:\\data\\cell0.png is cell0.png, /old/place/cell1.png is cell1.png."
    )
    assert counts(mia, cells)["cat"]["images"] == 1


# Files that are renamed, with no app ever opened


def rename(labelled: Path) -> None:
    (labelled / "deeper").mkdir()
    (labelled / "cell3.png").rename(labelled / "deeper" / "other.png")


def test_an_export_finds_renamed_images_of_an_import_and_writes_nothing(mia: Mia, labelled: Path) -> None:
    rename(labelled)
    state = labelled / "mia" / "labels.db"
    before = state.read_bytes()
    answer = mia("labels", "export", labelled)
    assert "deeper/other.png,0,long" in answer.out.splitlines()
    assert "cell3.png" not in answer.out
    assert answer.err == "Warning: 1 file was moved; labels moved along: cell3.png (now deeper/other.png).\n"
    assert counts(mia, labelled)["long"]["images"] == 5
    assert state.read_bytes() == before


def test_a_renamed_image_keeps_its_part_in_counts_and_when_the_split_exists(mia: Mia, labelled: Path) -> None:
    mia("labels", "split", labelled)
    before = counts(mia, labelled)
    with LabelStore(labelled / "mia" / "labels.db") as store:
        part = {key.path: part for key, part in store.parts().items()}["cell3.png"]
    rename(labelled)
    assert counts(mia, labelled) == before
    mia("labels", "split", labelled)
    with LabelStore(labelled / "mia" / "labels.db") as store:
        parts = {key.path: part for key, part in store.parts().items()}
    assert parts["deeper/other.png"] == part
    assert "cell3.png" not in parts


def test_an_import_after_a_renaming_changes_the_label_that_went_along(
    mia: Mia, labelled: Path, tmp_path: Path
) -> None:
    rename(labelled)
    (tmp_path / "more.csv").write_text("file,class\ndeeper/other.png,flat\n")
    mia("labels", "import", labelled, tmp_path / "more.csv")
    with LabelStore(labelled / "mia" / "labels.db") as store:
        assert len(store.labels()) == 20
        store.undo()
        names = {known.id: known.name for known in store.classes()}
        labels = {key.path: names[label.class_id] for key, label in store.labels().items()}
    assert labels["deeper/other.png"] == "long"


def test_an_import_takes_fingerprints_of_what_earlier_programs_labelled(
    mia: Mia, labelled: Path, table: Path
) -> None:
    with LabelStore(labelled / "mia" / "labels.db") as store, store.transaction():
        store._db.execute("UPDATE image SET hash = NULL, size = NULL")
    mia("labels", "import", labelled, table)
    with LabelStore(labelled / "mia" / "labels.db") as store:
        assert store.files_without_hash()[0] == []


def test_fingerprints_that_an_import_has_no_time_for_are_reported_and_taken_by_the_next(
    mia: Mia, cells: Path, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mia_tui.cli.labels.import_file._FINGERPRINTS_S", -1.0)
    answer = mia("labels", "import", cells, table)
    assert answer.code == 0
    assert (
        "20 labelled images were not read yet, and lose their labels if they are renamed now." in answer.err
    )
    monkeypatch.undo()
    assert mia("labels", "import", cells, table).err == ""
    with LabelStore(cells / "mia" / "labels.db") as store:
        assert store.files_without_hash()[0] == []


def test_labels_of_missing_images_are_exported_on_request(mia: Mia, labelled: Path, tmp_path: Path) -> None:
    for path in labelled.glob("*.png"):
        if path.name not in ("cell1.png", "cell22.png"):
            path.unlink()
    answer = mia("labels", "export", labelled)
    assert answer.out.splitlines() == ["file,frame,class", "cell1.png,0,round"]
    assert "--include-missing also exports the labels of missing images." in answer.err
    whole = mia("labels", "export", labelled, "--include-missing").out.splitlines()
    assert len(whole) == 21
    assert "cell3.png,0,long" in whole
    (labelled / "cell1.png").unlink()  # not one labelled image is left
    assert len(mia("labels", "export", labelled, "--include-missing").out.splitlines()) == 21
    refused = mia("labels", "export", labelled, tmp_path / "out", "--format", "folders", "--include-missing")
    assert (refused.code, refused.err) == (2, "--include-missing is for --format csv. Leave it out.\n")


# Class folders that are renamed


def test_nothing_begins_anew_in_renamed_class_folders_until_the_old_labels_are_taken_over(
    mia: Mia, discs: Path
) -> None:
    mia("labels", "split", discs, "--val-fraction", 0.4)
    before = counts(mia, discs)
    renamed, left = discs.with_name("renamed"), discs.with_name(f"{discs.name}.mia")
    discs.rename(renamed)
    for words in (
        ("train", renamed),
        ("labels", "split", renamed),
        ("labels", "import", renamed, "--format", "folders"),
    ):
        answer = mia(*words)
        assert answer.code == 3
        assert f"labels adopt {renamed}" in answer.err and str(left) in answer.err
    stats = mia("labels", "stats", renamed)
    assert stats.code == 0 and "labels adopt" in stats.err
    assert not renamed.with_name("renamed.mia").exists()
    answer = mia("labels", "adopt", renamed)
    assert (answer.code, answer.err) == (0, "")
    assert counts(mia, renamed) == before
    assert not left.exists()
    refused = mia("labels", "adopt", renamed)
    assert refused.code == 3 and "renamed has labels or runs of its own, in " in refused.err


def test_renamed_class_folders_begin_anew_where_the_state_is_named(
    mia: Mia, discs: Path, tmp_path: Path
) -> None:
    mia("labels", "split", discs)
    renamed = discs.rename(discs.with_name("renamed"))
    assert mia("labels", "split", renamed, "--state", tmp_path / "fresh").code == 0


def test_a_dry_run_says_what_would_change_and_writes_nothing(mia: Mia, cells: Path, table: Path) -> None:
    answer = mia("labels", "import", cells, table, "--dry-run")
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "20 images in labels.csv: round 15, long 5.",
        "20 have no label yet.",
        "New classes: long, round.",
        "Nothing was written.",
    ]
    assert not (cells / "mia").exists()
    assert mia("labels", "import", cells, table).code == 0
    table.write_text("file,class\ncell0.png,long\ncell1.png,round\ncell22.png,square\n")
    planned = json.loads(mia("labels", "import", cells, table, "--dry-run", "--json").out)
    assert (planned["new"], planned["same"], planned["created"]) == (1, 1, ["square"])
    [different] = planned["different"]
    assert different == {"file": "cell0.png", "frame": 0, "class": "round", "in_file": "long"}


def test_labels_that_are_there_can_be_kept(mia: Mia, labelled: Path, table: Path) -> None:
    table.write_text("file,class\ncell0.png,long\ncell22.png,long\n")
    answer = mia("labels", "import", labelled, table, "--existing", "keep")
    assert answer.out.splitlines()[0] == "2 images labelled, 1 of them new or changed."
    assert "1 image kept the class it had: cell0.png." in answer.err
    assert counts(mia, labelled)["long"]["images"] == 6


@pytest.mark.parametrize("option", [("--dry-run",), ("--existing", "keep")])
def test_suggestions_refuse_options_about_labels(
    mia: Mia, cells: Path, table: Path, option: tuple[str, ...]
) -> None:
    answer = mia("labels", "import", cells, table, "--as", "suggestions", *option)
    assert answer.code != 0 and f"{option[0]} is about labels" in answer.err


@pytest.mark.parametrize("target", ["mia/labels.db", "cell3.png", "link.csv"])
def test_an_export_replaces_neither_the_labels_nor_an_image(mia: Mia, labelled: Path, target: str) -> None:
    # A link is replaced, not followed, but nobody means the labels by it.
    (labelled / "link.csv").symlink_to(labelled / "mia" / "labels.db")
    before = (labelled / target).read_bytes()
    answer = mia("labels", "export", labelled, labelled / target, "--format", "csv", "--overwrite")
    assert answer.code == 3 and "Name another file" in answer.err
    assert (labelled / target).read_bytes() == before
