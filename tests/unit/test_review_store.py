"""What a review writes into labels.db: issues that were kept, and an audit."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from run_support import as_nobody

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.migrations import MIGRATIONS
from mia_tui.dataset.store.review.records import AuditRow, Draw
from mia_tui.errors import DataError, StoreConflict, StoreError

ONE, TWO = ImageKey("a/1.png"), ImageKey("b [2].png", 3)


@pytest.fixture
def store(tmp_path: Path) -> LabelStore:
    store = LabelStore(tmp_path / "labels.db", annotator="ada")
    store.add_classes(["round", "long", "other"])
    store.set_labels([(ONE, 1), (TWO, 2)], source="person")
    return store


def answers(store: LabelStore) -> list[tuple[int | None, int | None]]:
    return [(row.said_class_id, row.answer) for row in store.audits()]


def test_what_was_kept_stays_kept_until_it_has_another_label(store: LabelStore) -> None:
    assert store.keep_issues([ONE, TWO], "label") == 2
    assert store.kept("label") == {ONE, TWO} and store.kept("duplicate") == set()
    store.set_labels([(ONE, 3)], source="person")
    assert store.kept("label") == {TWO}


def test_keeping_twice_changes_nothing(store: LabelStore) -> None:
    store.keep_issues([ONE], "label")
    before = store.last_change()
    assert store.keep_issues([ONE, ONE], "label") == 0
    assert store.last_change() == before


def test_an_image_without_a_label_has_nothing_to_keep(store: LabelStore) -> None:
    assert store.keep_issues([ImageKey("c.png")], "outlier") == 0
    assert store.kept("outlier") == set()


def test_keeping_is_one_step_to_undo_and_redo(store: LabelStore) -> None:
    store.keep_issues([ONE, TWO], "duplicate")
    undone = store.undo()
    assert undone is not None and undone.what == "Undid: 2 images kept as labelled."
    assert store.kept("duplicate") == set() and store.labels()[ONE].class_id == 1
    store.redo()
    assert store.kept("duplicate") == {ONE, TWO}


def test_an_undo_returns_to_what_was_kept_before(store: LabelStore) -> None:
    store.keep_issues([ONE], "label")
    store.set_labels([(ONE, 2)], source="person")
    store.keep_issues([ONE], "label")
    store.undo()
    assert store.kept("label") == set()
    store.undo()
    assert store.kept("label") == {ONE}


def test_nobody_undoes_what_somebody_else_kept_since(store: LabelStore) -> None:
    store.keep_issues([ONE], "label")
    with LabelStore(store.path, annotator="ben") as other:
        other.set_labels([(ONE, 2)], source="person")
        other.keep_issues([ONE], "label")
    with pytest.raises(StoreConflict, match=r"the issue of a/1\.png by ben"):
        store.undo()
    assert store.kept("label") == {ONE}


@pytest.mark.parametrize("is_undone", [False, True])
def test_what_was_kept_and_audited_goes_with_a_merge_and_back(store: LabelStore, is_undone: bool) -> None:
    store.draw_audit([Draw(ONE, 1), Draw(TWO, 1)], kind="label", drawn_from=2)
    store.answer_audit([(ONE, 1), (TWO, 2)])
    store.keep_issues([ONE], "label")
    store.merge_class(1, 2)
    if is_undone:
        undone = store.undo()
        assert undone is not None and 'merged into "long"' in undone.what
    assert store.kept("label") == {ONE}
    assert answers(store) == ([(1, 1), (1, 2)] if is_undone else [(2, 2), (2, 2)])


def test_a_renamed_class_changes_nothing_and_an_archived_one_keeps_what_was_kept(store: LabelStore) -> None:
    store.keep_issues([ONE], "label")
    store.rename_class(1, "sphere")
    store.archive_class(1)
    store.restore_class(1)
    assert store.kept("label") == {ONE}


def test_a_class_that_an_audit_names_is_not_removed_by_an_undo(tmp_path: Path) -> None:
    with LabelStore(tmp_path / "labels.db") as store:
        store.add_class("round")
        store.draw_audit([Draw(ONE, 1, 0.9)], kind="suggestion", drawn_from=7)
        with pytest.raises(StoreConflict, match='would remove the class "round", which an audit uses'):
            store.undo()
        store.discard_audit()
        store.undo()
        assert store.classes(archived=True) == []


def test_an_answer_is_a_label_by_a_person(store: LabelStore) -> None:
    new = ImageKey("new.png")
    store.draw_audit([Draw(new, 1, 0.75), Draw(ONE, 1)], kind="suggestion", drawn_from=9)
    assert [row.is_right for row in store.audits()] == [None, None]
    assert store.answer_audit([(new, 2)]) == 1
    row = store.audits()[0]
    assert (
        row == AuditRow(1, new, row.drawn_at, 9, "suggestion", 1, 0.75, 2, "ada", row.answered_at)
        and row.is_right is False
    )
    assert (store.labels()[new].class_id, store.labels()[new].source) == (2, "person")
    assert store.audits()[1].answer is None


def test_the_same_label_again_is_an_answer(store: LabelStore) -> None:
    store.draw_audit([Draw(ONE, 1)], kind="label", drawn_from=2)
    assert store.answer_audit([(ONE, 1)]) == 1
    assert store.audits()[0].is_right is True
    undone = store.undo()
    assert undone is not None and undone.what == "Undid: answer about a/1.png in the audit."
    assert store.audits()[0].is_right is None and store.labels()[ONE].class_id == 1


def test_label_and_answer_are_undone_and_redone_together(store: LabelStore) -> None:
    new = ImageKey("new.png")
    store.draw_audit([Draw(new, 1, 0.5)], kind="suggestion", drawn_from=9)
    store.answer_audit([(new, 3)])
    store.undo()
    assert new not in store.labels() and answers(store) == [(1, None)]
    store.redo()
    assert store.labels()[new].class_id == 3 and answers(store) == [(1, 3)]


def test_only_an_answer_answers_and_a_label_after_it_corrects_it(store: LabelStore) -> None:
    taken, chosen = ImageKey("taken.png"), ImageKey("chosen.png")
    store.draw_audit([Draw(taken, 1, 0.5), Draw(chosen, 1, 0.5), Draw(ONE, 1)], kind="label", drawn_from=9)
    store.set_labels([(taken, 1)], source="page")
    store.set_labels([(chosen, 2), (ONE, 2)], source="person")
    assert answers(store) == [(1, None), (1, None), (1, None)]
    store.answer_audit([(taken, 2)])
    assert answers(store) == [(1, 2), (1, None), (1, None)]
    store.set_labels([(taken, 1)], source="import")
    assert answers(store) == [(1, 2), (1, None), (1, None)]
    store.set_labels([(taken, 3)], source="person")
    assert answers(store) == [(1, 3), (1, None), (1, None)]


def test_a_label_from_before_the_draw_is_no_answer(store: LabelStore) -> None:
    store.draw_audit([Draw(ONE, 1)], kind="label", drawn_from=2)
    assert answers(store) == [(1, None)]


def test_an_answer_of_a_class_that_is_archived_is_refused_whole(store: LabelStore) -> None:
    store.archive_class(3)
    store.draw_audit([Draw(ONE, 1), Draw(TWO, 2)], kind="label", drawn_from=2)
    with pytest.raises(DataError, match="archived"):
        store.answer_audit([(ONE, 2), (TWO, 3)])
    assert answers(store) == [(1, None), (2, None)] and store.labels()[ONE].class_id == 1


def test_only_open_questions_are_forgotten(store: LabelStore) -> None:
    store.draw_audit([Draw(ONE, 1), Draw(TWO, 2)], kind="label", drawn_from=2)
    store.answer_audit([(ONE, 1)])
    assert store.discard_audit() == 1
    assert [row.image for row in store.audits()] == [ONE]


def test_a_file_of_the_schema_before_has_nothing_kept_and_no_audit(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for migration in MIGRATIONS[:3]:
            for statement in migration:
                file.execute(statement)
        file.execute("PRAGMA user_version = 3")
    store = LabelStore.open_existing(path)
    assert store is not None
    with store:
        assert store.kept("label") == set() and store.audits() == []


def test_labels_by_pages_count_until_an_audit_of_labels_is_answered(store: LabelStore) -> None:
    store.set_labels([(ImageKey(f"{number}.png"), 1) for number in range(3)], source="page")
    assert store.page_labels_unaudited() == 3
    store.draw_audit([Draw(ONE, 1)], kind="label", drawn_from=5)
    assert store.page_labels_unaudited() == 3, "nothing is answered yet"
    store.answer_audit([(ONE, 1)])
    assert store.page_labels_unaudited() == 0
    store.set_labels([(ImageKey("new.png"), 2)], source="page")
    assert store.page_labels_unaudited() == 1


def test_an_audit_says_whose_suggestions_they_were(store: LabelStore) -> None:
    store.draw_audit([Draw(ONE, 1, 0.9)], kind="suggestion", drawn_from=7, model="live")
    store.draw_audit([Draw(TWO, 2)], kind="label", drawn_from=2)
    assert [row.model for row in store.audits()] == ["live", None]


def test_an_audit_of_schema_4_is_read_as_it_is_and_kept_when_the_file_is_brought_up(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        for migration in MIGRATIONS[:4]:
            for statement in migration:
                file.execute(statement)
        file.execute("PRAGMA user_version = 4")
        file.execute("INSERT INTO class VALUES (1, 'round', '#112233', '1', 0, 0)")
        file.execute("INSERT INTO image (id, path, frame, numbering) VALUES (1, ?, 0, 2)", (b"a/1.png",))
        file.execute("INSERT INTO label VALUES (1, 1, 5.0, 'ada', 'person')")
        file.execute("INSERT INTO audit VALUES (1, 1, 4.0, 9, 'suggestion', 1, 0.9, 1, 'ada', 5.0)")
    content = path.read_bytes()
    store = LabelStore.open_existing(path, annotator="ada")
    assert store is not None
    with store:
        before = store.audits()
        assert [(row.image, row.answer, row.model) for row in before] == [(ONE, 1, None)]
        assert path.read_bytes() == content
    with LabelStore(path, annotator="ada") as store:
        assert store.audits() == before
        store.draw_audit([Draw(TWO, 1, 0.5)], kind="suggestion", drawn_from=8, model="vgg16")
        assert [row.model for row in store.audits()] == [None, "vgg16"]
    [copy] = (tmp_path / "backups").iterdir()
    assert copy.read_bytes()[60:64] == b"\0\0\0\x04", "the version of the file before"
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_a_file_that_cannot_be_written_is_read(store: LabelStore) -> None:
    store.keep_issues([ONE], "label")
    for path in (store.path, store.path.with_name("labels.db-journal")):
        path.chmod(0o444)
    with as_nobody(store.path):
        other = LabelStore.open_existing(store.path)
        assert other is not None and other.kept("label") == {ONE}
        with pytest.raises(StoreError, match="cannot be written"):
            other.keep_issues([TWO], "label")


def test_a_damaged_audit_is_said(store: LabelStore) -> None:
    store.draw_audit([Draw(ONE, 1)], kind="label", drawn_from=2)
    with closing(sqlite3.connect(store.path, isolation_level=None)) as file:
        file.execute("UPDATE audit SET drawn_from = 'many'")
    with pytest.raises(StoreError, match=r"labels\.db is damaged"):
        store.audits()


def test_what_was_done_before_an_audit_was_forgotten_can_still_be_undone(store: LabelStore) -> None:
    """A merge changes what was said of the images of an audit; when they are forgotten, its undo is not refused."""
    store.set_labels([(ONE, 2)], source="person")
    store.draw_audit([Draw(ONE, 1, 0.9)], kind="suggestion", drawn_from=2)
    store.merge_class(1, 3)
    assert answers(store) == [(3, 2)] or answers(store) == [(3, None)]
    assert store.discard_audit() == 1
    for _ in range(2):
        assert store.undo() is not None
    assert store.labels()[ONE].class_id == 1
    for _ in range(2):
        assert store.redo() is not None
    assert store.labels()[ONE].class_id == 2 and store.audits() == []


def test_an_answer_is_given_again_without_a_question_that_was_forgotten(store: LabelStore) -> None:
    new = ImageKey("new.png")
    store.draw_audit([Draw(new, 1, 0.9)], kind="suggestion", drawn_from=2)
    store.answer_audit([(new, 2)])
    store.undo()
    assert store.discard_audit() == 1
    assert store.redo() is not None
    assert store.labels()[new].class_id == 2 and store.audits() == []
