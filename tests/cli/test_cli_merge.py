"""`mia-tui labels import DATASET OTHER/labels.db`: the labels of a copy of the dataset, with conflicts listed."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cli_support import Mia
from PIL import Image

from mia_tui.dataset.hashes import file_hash
from mia_tui.dataset.model import ImageFile, ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.paths import find_state


def key(number: int) -> ImageKey:
    return ImageKey(f"cell{number:02}.png")


def database(root: Path) -> Path:
    return find_state(root).labels_db


def opened(root: Path, who: str) -> LabelStore:
    return LabelStore(database(root), annotator=who)


def label(root: Path, who: str, given: dict[int, str]) -> None:
    with opened(root, who) as store:
        names = {known.name: known.id for known in store.classes()}
        for name in dict.fromkeys(given.values()):
            if name not in names:
                names[name] = store.add_class(name).id
        store.set_labels([(key(number), names[name]) for number, name in given.items()], source="person")


def classes(root: Path) -> dict[str, str]:
    """Name of the class of each image."""
    with opened(root, "reader") as store:
        names = {known.id: known.name for known in store.classes()}
        return {image.path: names[one.class_id] for image, one in store.labels().items()}


def merge(mia: Mia, mine: Path, theirs: Path, *more: object) -> Any:
    answer = mia("labels", "import", mine, database(theirs), "--json", *more)
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    root = tmp_path / "mine"
    root.mkdir()
    for number in range(10):
        Image.new("RGB", (8, 8), (number * 20, 0, 90)).save(root / f"cell{number:02}.png")
    label(root, "anna", {0: "round", 1: "long"})
    return root


@pytest.fixture
def theirs(mine: Path, tmp_path: Path) -> Path:
    """A copy, with the labels of then."""
    shutil.copytree(mine, tmp_path / "theirs")
    return tmp_path / "theirs"


def test_labels_that_are_only_there_come_with_annotator_and_time(mia: Mia, mine: Path, theirs: Path) -> None:
    label(theirs, "bob", {2: "round", 3: "star"})
    with opened(theirs, "x") as store:
        given = store.labels()[key(3)]
    before = database(theirs).read_bytes()
    done = merge(mia, mine, theirs)
    assert (done["changed"], done["created"], done["conflicts"]) == (2, ["star"], [])
    with opened(mine, "x") as store:
        taken = store.labels()[key(3)]
    assert (taken.annotator, taken.updated_at, taken.source) == ("bob", given.updated_at, "person")
    assert classes(mine)["cell03.png"] == "star"
    assert database(theirs).read_bytes() == before


def test_the_same_file_imported_again_changes_nothing(mia: Mia, mine: Path, theirs: Path) -> None:
    label(theirs, "bob", {2: "round"})
    merge(mia, mine, theirs)
    again = merge(mia, mine, theirs)
    assert (again["changed"], again["conflicts"]) == (0, [])


def test_conflicts_are_listed_and_the_label_here_stays(
    mia: Mia, mine: Path, theirs: Path, tmp_path: Path
) -> None:
    label(mine, "anna", {4: "round", 5: "long"})
    label(theirs, "bob", {4: "long", 5: "long"})
    out = tmp_path / "conflicts.csv"
    done = merge(mia, mine, theirs, "--conflicts-out", out)
    [conflict] = done["conflicts"]
    assert {name: conflict[name] for name in ("file", "mine", "mine_by", "theirs", "theirs_by")} == {
        "file": "cell04.png", "mine": "round", "mine_by": "anna", "theirs": "long", "theirs_by": "bob",
    }  # fmt: skip
    assert out.read_text().splitlines()[1].startswith("cell04.png,0,round,anna,")
    assert classes(mine)["cell04.png"] == "round"
    assert "exists already" in mia("labels", "import", mine, database(theirs), "--conflicts-out", out).err
    said = mia("labels", "import", mine, database(theirs)).out
    assert "cell04.png  round (anna)  long (bob)" in said
    assert "1 conflict." in said


@pytest.mark.parametrize(("rule", "expected"), [("replace", "long"), ("keep", "round"), ("newer", "long")])
def test_a_rule_decides_conflicts(mia: Mia, mine: Path, theirs: Path, rule: str, expected: str) -> None:
    label(mine, "anna", {4: "round"})
    label(theirs, "bob", {4: "long"})
    merge(mia, mine, theirs, "--existing", rule)
    assert classes(mine)["cell04.png"] == expected


def test_the_newer_label_may_be_the_one_here(mia: Mia, mine: Path, theirs: Path) -> None:
    label(theirs, "bob", {4: "long"})
    label(mine, "anna", {4: "round"})
    merge(mia, mine, theirs, "--existing", "newer")
    assert classes(mine)["cell04.png"] == "round"


def test_who_changed_a_label_since_the_copy_was_made_makes_no_conflict(
    mia: Mia, mine: Path, theirs: Path
) -> None:
    label(mine, "anna", {0: "long"})  # here
    label(theirs, "bob", {1: "round"})  # there
    done = merge(mia, mine, theirs)
    assert done["conflicts"] == []
    assert classes(mine) == {"cell00.png": "long", "cell01.png": "round"}


def test_a_label_that_was_removed_here_does_not_come_back(mia: Mia, mine: Path, theirs: Path) -> None:
    with opened(mine, "anna") as store:
        store.set_labels([(key(0), None)], source="person")
    merge(mia, mine, theirs)
    assert "cell00.png" not in classes(mine)


def test_kept_as_opinions_conflicts_are_disputes_and_agreeing_labels_count(
    mia: Mia, mine: Path, theirs: Path
) -> None:
    label(mine, "anna", {4: "round", 5: "long", 6: "round"})
    label(theirs, "bob", {4: "long", 5: "long", 6: "round"})
    merge(mia, mine, theirs, "--existing", "opinion")
    disputes = json.loads(mia("labels", "disputes", mine, "--json").out)["disputes"]
    assert [each["file"] for each in disputes] == ["cell04.png"]
    agreement = json.loads(mia("labels", "agreement", mine, "--json").out)
    assert (agreement["images"], agreement["annotators"]) == (3, ["anna", "bob"])


def test_two_people_with_the_same_name_are_told_apart(mia: Mia, mine: Path, theirs: Path) -> None:
    label(mine, "anna", {4: "round"})
    label(theirs, "anna", {4: "long"})
    merge(mia, mine, theirs, "--existing", "opinion")
    [dispute] = json.loads(mia("labels", "disputes", mine, "--json").out)["disputes"]
    assert dispute["said"] == {"anna": "round", "anna (copy)": "long"}


def test_renamed_images_are_found_by_content(mia: Mia, mine: Path, theirs: Path) -> None:
    label(theirs, "bob", {7: "round"})
    path = theirs / "cell07.png"
    with opened(theirs, "bob") as store:
        status = path.stat()
        file = ImageFile("cell07.png", status.st_size, status.st_mtime_ns)
        store.save_fingerprints([(file, file_hash(path))])
    (mine / "cell07.png").rename(mine / "renamed.png")
    done = merge(mia, mine, theirs)
    assert classes(mine)["renamed.png"] == "round"
    assert any("found by content: cell07.png" in note for note in done["notes"])


def test_an_image_with_other_content_is_left_out(mia: Mia, mine: Path, theirs: Path) -> None:
    label(theirs, "bob", {7: "round", 8: "round"})
    path = theirs / "cell07.png"
    with opened(theirs, "bob") as store:
        status = path.stat()
        store.save_fingerprints(
            [(ImageFile("cell07.png", status.st_size, status.st_mtime_ns), file_hash(path))]
        )
    Image.new("RGB", (99, 70), "red").save(mine / "cell07.png")
    done = merge(mia, mine, theirs)
    assert "cell07.png" not in classes(mine)
    assert classes(mine)["cell08.png"] == "round"
    assert any("other content" in note for note in done["notes"])


def test_notes_flags_opinions_and_audits_come_along_and_go_with_one_undo(
    mia: Mia, mine: Path, theirs: Path
) -> None:
    from mia_tui.dataset.store.review.records import Draw

    label(mine, "anna", {2: "round"})
    label(theirs, "bob", {2: "round", 3: "long"})
    with opened(theirs, "bob") as store:
        ids = {known.name: known.id for known in store.classes()}
        store.set_note(key(5), "blurred")
        store.set_flagged([key(6)], True)
        store.set_skipped([key(7)], True)
        store.give_opinions([(key(0), ids["long"])])
        store.draw_second_pass([key(0), key(1)])
        store.draw_audit([Draw(key(1), ids["long"])], kind="label", drawn_from=3, model="vgg16")
        store.answer_audit([(key(1), ids["long"])])
    done = merge(mia, mine, theirs)
    assert any(
        note.startswith("Also taken over: 3 notes, flags and skips, 1 opinion,") for note in done["notes"]
    )
    with opened(mine, "root") as store:
        marks = store.marks()
        assert (marks[key(5)].note, marks[key(6)].flagged, marks[key(7)].skipped) == ("blurred", True, True)
        assert store.opinions()[key(0)].keys() == {"bob"}
        assert store.second_pass() == {key(0), key(1)}
        [audit] = store.audits()
        assert (audit.image, audit.is_right, audit.annotator, audit.model) == (key(1), True, "bob", "vgg16")
    with LabelStore(database(mine)) as store:
        step = store.undo()
        assert step is not None
        assert step.what == "Undid: import of 1 label."
        assert (store.marks(), store.opinions()) == ({}, {})
        assert key(3) not in store.labels()


def test_an_answer_about_a_class_that_is_unknown_here_is_not_taken_for_a_wrong_one(
    mia: Mia, mine: Path, theirs: Path
) -> None:
    from mia_tui.dataset.store.review.records import Draw

    label(theirs, "bob", {2: "round", 3: "long"})
    with opened(theirs, "bob") as store:
        ids = {known.name: known.id for known in store.classes()}
        former = store.add_class("former").id
        store.draw_audit([Draw(key(1), former), Draw(key(4), ids["long"])], kind="suggestion", drawn_from=9)
        store.answer_audit([(key(1), ids["long"]), (key(4), ids["long"])])
        store.archive_class(former)
    merge(mia, mine, theirs)
    with opened(mine, "root") as store:
        assert [(row.image, row.is_right) for row in store.audits()] == [(key(4), True)]


def test_a_dry_run_writes_nothing(mia: Mia, mine: Path, theirs: Path) -> None:
    label(mine, "anna", {4: "round"})
    label(theirs, "bob", {4: "long", 5: "round"})
    before = classes(mine)
    answer = mia("labels", "import", mine, database(theirs), "--dry-run")
    assert "1 has no label yet" in answer.out
    assert "1 conflict." in answer.out
    assert classes(mine) == before


def test_an_older_schema_is_read_and_the_file_stays_as_it_is(mia: Mia, mine: Path, theirs: Path) -> None:
    from mia_tui.dataset.store.migrations import MIGRATIONS

    old = theirs / "old.db"
    with sqlite3.connect(old) as connection:
        for statement in [one for migration in MIGRATIONS[:3] for one in migration]:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 3")
        connection.execute("INSERT INTO class VALUES (5, 'round', '#112233', NULL, 0, 0)")
        connection.execute(
            "INSERT INTO image (id, path, frame, numbering) VALUES (1, ?, 0, 2)", (b"cell09.png",)
        )
        connection.execute("INSERT INTO label VALUES (1, 5, 1.5, 'carl', 'person')")
    connection.close()
    before = old.read_bytes()
    answer = mia("labels", "import", mine, old)
    assert answer.code == 0, answer.err
    assert classes(mine)["cell09.png"] == "round"
    assert old.read_bytes() == before
    assert not list(theirs.glob("old.db-*"))


def test_what_a_hostile_file_would_run_is_refused(mia: Mia, mine: Path, theirs: Path) -> None:
    label(theirs, "bob", {2: "round"})
    with sqlite3.connect(database(theirs)) as connection:
        connection.execute("CREATE TRIGGER evil AFTER INSERT ON image BEGIN DELETE FROM label; END")
    connection.close()
    before, present = database(theirs).read_bytes(), classes(mine)
    answer = mia("labels", "import", mine, database(theirs))
    assert answer.code != 0
    assert "its trigger evil was changed by another program" in answer.err
    assert (database(theirs).read_bytes(), classes(mine)) == (before, present)


@pytest.mark.parametrize("content", [b"", b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_what_is_no_labels_db_is_refused_with_a_sentence(
    mia: Mia, mine: Path, tmp_path: Path, content: bytes
) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(content)
    answer = mia("labels", "import", mine, other)
    assert answer.code != 0
    assert "other.db" in answer.err
    assert "Traceback" not in answer.err


def test_bytes_that_were_changed_at_random_do_no_harm(
    mia: Mia, mine: Path, theirs: Path, tmp_path: Path
) -> None:
    import random

    label(theirs, "bob", {2: "round", 3: "long"})
    whole = database(theirs).read_bytes()
    other = tmp_path / "other.db"
    for seed in range(40):
        chance = random.Random(seed)
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 60)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        other.write_bytes(damaged)
        answer = mia("labels", "import", mine, other, "--dry-run")
        assert "Traceback" not in answer.err, seed
        assert answer.code in (0, 1, 2, 3, 4, 5), (seed, answer.err)


def test_options_for_a_labels_db_are_refused_elsewhere(mia: Mia, mine: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text("file,class\ncell09.png,round\n")
    assert "is for a labels.db" in mia("labels", "import", mine, table, "--existing", "newer").err
    assert "is for a labels.db" in mia("labels", "import", mine, table, "--conflicts-out", tmp_path / "a").err


def test_a_transaction_that_is_under_way_is_waited_for_and_then_said(
    mia: Mia, mine: Path, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mia_tui.dataset.store.store_file._AGAIN_S", 0.0)
    label(theirs, "bob", {2: "round"})
    journal = database(theirs).with_name("labels.db-journal")
    journal.write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\0" * 600)
    answer = mia("labels", "import", mine, database(theirs))
    assert answer.code != 0
    assert "is being written" in answer.err
