"""Classes are renamed, ordered, merged and put away without a label getting lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mia_tui.dataset.interchange.formats import LabelFile
from mia_tui.dataset.interchange.importing import import_labels
from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.errors import DataError

A, B, C = ImageKey("a.png"), ImageKey("b.png"), ImageKey("c.png")
ROUND, FLAT, ODD = 1, 2, 3


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LabelStore]:
    with LabelStore(tmp_path / "labels.db", annotator="anna") as store:
        for name in ("round", "flat", "odd"):
            store.add_class(name)
        yield store


def names(store: LabelStore) -> list[str]:
    return [known.name for known in store.classes()]


def classes_of(store: LabelStore) -> dict[ImageKey, int]:
    return {key: label.class_id for key, label in store.labels().items()}


def test_a_class_gets_another_name_colour_and_key_and_keeps_its_id(store: LabelStore) -> None:
    store.rename_class(ROUND, " Za\u0308h ")
    store.recolour_class(ROUND, "#ABCDEF")
    store.set_class_key(ROUND, "z")
    assert store.classes()[0] == ImageClass(ROUND, "Zäh", "#abcdef", "z", 0)
    assert store.set_class_key(ROUND, None).key is None
    changes = [change for change in store.changes_since(0) if change.target_id == ROUND]
    assert [change.before and change.before["name"] for change in changes] == [
        None, "round", "Zäh", "Zäh", "Zäh"
    ]  # fmt: skip


def test_many_classes_are_added_as_they_are_one_by_one(tmp_path: Path) -> None:
    wanted = ["\u00e9", *(f"c{number}" for number in range(40)), "old", "z"]
    with LabelStore(tmp_path / "one.db") as one, LabelStore(tmp_path / "many.db") as many:
        for store in (one, many):
            store.add_class("old")
            store.add_class("first", key="3")
            store.archive_class(1)
        for name in wanted:
            one.add_class(name)
        added = many.add_classes(wanted)
        assert [known.name for known in added] == wanted
        for field in ("name", "key", "position"):
            values = [sorted(str(getattr(k, field)) for k in store.classes()) for store in (many, one)]
            assert values[0] == values[1], field
        assert added[-2].key == "1", "a class that was put away has the key that it had"
        for names in (["first"], ["q", "q"], ["e\u0301"], ["w", " "]):
            with pytest.raises(DataError):
                many.add_classes(names)
        assert len(many.classes()) == len(one.classes())


def test_thousands_of_classes_are_added_without_reading_those_before_each_time(tmp_path: Path) -> None:
    read: list[str] = []
    with LabelStore(tmp_path / "labels.db") as store:
        store._db.set_trace_callback(read.append)
        store.add_classes(f"c{number}" for number in range(500))
        assert len(store.classes()) == 500
    assert sum("FROM class" in statement for statement in read) < 20


def test_an_edit_that_changes_nothing_leaves_no_trace(store: LabelStore) -> None:
    last = store.last_change()
    store.rename_class(ROUND, "round")
    store.set_class_key(ROUND, "1")
    store.move_class(FLAT, 1)
    assert store.last_change() == last


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda store: store.rename_class(ROUND, "flat"), "There is a class flat already"),
        (lambda store: store.rename_class(ROUND, " "), "needs a name"),
        (lambda store: store.recolour_class(ROUND, "red"), "The colour red of class round"),
        (lambda store: store.set_class_key(ROUND, "2"), "The key 2 belongs to class flat"),
        (lambda store: store.set_class_key(ROUND, "ab"), "is invalid"),
        (lambda store: store.rename_class(9, "x"), "no class with the number 9"),
        (lambda store: store.merge_class(ROUND, ROUND), "cannot be merged into itself"),
        (lambda store: store.merge_class(ROUND, 9), "no class with the number 9"),
        (lambda store: store.restore_class(ROUND), "round is not archived"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_in_a_sentence(store: LabelStore, edit, says: str) -> None:
    before = store.classes(archived=True), store.last_change()
    with pytest.raises(DataError, match=says):
        edit(store)
    assert (store.classes(archived=True), store.last_change()) == before


@pytest.mark.parametrize(
    ("moved", "place", "order"),
    [
        (ROUND, 1, ["flat", "round", "odd"]),
        (ODD, 0, ["odd", "round", "flat"]),
        (ROUND, 99, ["flat", "odd", "round"]),
        (FLAT, -1, ["flat", "round", "odd"]),
    ],
)
def test_a_moved_class_lies_among_the_others_and_places_have_no_gaps(
    store: LabelStore, moved: int, place: int, order: list[str]
) -> None:
    store.move_class(moved, place)
    assert names(store) == order
    assert [known.position for known in store.classes()] == [0, 1, 2]
    store.undo()
    assert names(store) == ["round", "flat", "odd"]


def test_places_close_up_where_a_class_was_archived(store: LabelStore) -> None:
    store.archive_class(FLAT)
    store.move_class(ODD, 0)
    assert [(known.name, known.position) for known in store.classes()] == [("odd", 0), ("round", 1)]


def test_an_archived_class_keeps_its_labels_and_frees_its_key(store: LabelStore) -> None:
    store.set_labels([(A, ROUND), (B, FLAT)], source="person")
    archived = store.archive_class(ROUND)
    assert (archived.key, archived.archived) == (None, True)
    assert names(store) == ["flat", "odd"]
    assert classes_of(store) == {A: ROUND, B: FLAT}
    with pytest.raises(DataError, match=r"The class round is archived\. Restore it"):
        store.set_labels([(B, ROUND)], source="person")
    assert store.add_class("new").key == "1"


def test_a_restored_class_gets_its_key_back_if_nobody_took_it(store: LabelStore) -> None:
    store.set_class_key(ROUND, "r")
    store.archive_class(ROUND)
    store.rename_class(ROUND, "roundish")
    assert store.restore_class(ROUND) == ImageClass(ROUND, "roundish", store.classes()[0].colour, "r", 0)
    store.archive_class(ROUND)
    store.set_class_key(ODD, "r")
    assert store.restore_class(ROUND).key == "1"


def test_a_new_class_with_the_name_of_an_archived_one_with_labels_is_pointed_to_it(store: LabelStore) -> None:
    store.set_labels([(A, ROUND)], source="person")
    store.archive_class(ROUND)
    for edit in (lambda: store.add_class("round"), lambda: store.rename_class(FLAT, "round")):
        with pytest.raises(
            DataError, match=r"There is an archived class round\. Restore it, or choose another"
        ):
            edit()
    store.rename_class(ROUND, "round, old")
    assert store.add_class("round").id == 4


def test_an_archived_class_without_labels_is_used_again(store: LabelStore) -> None:
    colour = store.classes()[0].colour
    store.archive_class(ROUND)
    assert store.add_class("round") == ImageClass(ROUND, "round", colour, "1", 3)
    assert names(store) == ["flat", "odd", "round"]
    store.undo()
    assert names(store) == ["flat", "odd"]


def test_an_import_brings_an_archived_class_without_labels_back(store: LabelStore) -> None:
    store.archive_class(ROUND)
    file = LabelFile(name="x.csv", source="store", labels={A: "round"})
    import_labels(store, file)
    assert classes_of(store) == {A: ROUND}
    assert "round" in names(store)


def test_merging_moves_the_labels_and_keeps_who_made_them(store: LabelStore, tmp_path: Path) -> None:
    store.set_labels([(A, ROUND), (B, FLAT)], source="import")
    with LabelStore(tmp_path / "labels.db", annotator="berta") as other:
        other.set_labels([(C, ROUND)], source="person")
    before = store.labels()
    assert store.merge_class(ROUND, FLAT) == 2
    after = store.labels()
    assert classes_of(store) == {A: FLAT, B: FLAT, C: FLAT}
    assert (after[C].annotator, after[C].source, after[C].updated_at) == (
        "berta", "person", before[C].updated_at
    )  # fmt: skip
    assert names(store) == ["flat", "odd"]
    changes = store.changes_since(store.last_change() - 3)
    assert [change.kind for change in changes] == ["label", "label", "class"]
    assert len({change.batch for change in changes}) == 1
    step = store.undo()
    assert step is not None
    assert step.what == 'Undid: class "round" merged into "flat" (2 images).'
    assert store.labels() == before
    assert names(store) == ["round", "flat", "odd"]
    assert store.classes()[0].key == "1"


def test_an_archived_class_can_be_merged_into_another(store: LabelStore) -> None:
    store.set_labels([(A, ROUND)], source="person")
    store.archive_class(ROUND)
    assert store.merge_class(ROUND, FLAT) == 1
    assert classes_of(store) == {A: FLAT}
    with pytest.raises(DataError, match="The class round is archived"):
        store.merge_class(FLAT, ROUND)


def test_every_class_edit_is_undone_and_redone(store: LabelStore) -> None:
    store.set_labels([(A, ROUND), (B, FLAT)], source="person")
    states = [(store.classes(archived=True), store.labels())]
    said = []
    for edit in (
        lambda: store.add_class("new"),
        lambda: store.rename_class(ROUND, "circle"),
        lambda: store.recolour_class(ROUND, "#000000"),
        lambda: store.set_class_key(ROUND, "c"),
        lambda: store.move_class(ROUND, 2),
        lambda: store.merge_class(FLAT, ODD),
        lambda: store.archive_class(ROUND),
        lambda: store.restore_class(ROUND),
    ):
        edit()
        states.append((store.classes(archived=True), store.labels()))
    for state in reversed(states[:-1]):
        step = store.undo()
        assert step is not None
        said.append(step.what)
        assert (store.classes(archived=True), store.labels()) == state
    assert said == [
        'Undid: class "circle" restored.',
        'Undid: class "circle" archived.',
        'Undid: class "flat" merged into "odd" (1 image).',
        "Undid: order of classes.",
        'Undid: key of class "circle".',
        'Undid: colour of class "circle".',
        'Undid: class "round" renamed to "circle".',
        'Undid: class "new" added.',
    ]
    for state in states[1:]:
        store.redo()
        assert (store.classes(archived=True), store.labels()) == state
    assert store.redo() is None


def test_an_id_is_never_given_twice(store: LabelStore) -> None:
    assert store.add_class("new").id == 4
    store.undo()
    assert names(store) == ["round", "flat", "odd"]
    assert store.add_class("other").id == 5


def test_a_step_about_many_classes_names_them(store: LabelStore) -> None:
    with store.transaction():
        store.add_class("new")
        store.add_class("newer")
    step = store.undo()
    assert step is not None and step.what == 'Undid: classes "new", "newer" added.'
    step = store.redo()
    assert step is not None and step.what == 'Redid: classes "new", "newer" added.'
    with store.transaction():
        store.rename_class(ROUND, "circle")
        store.recolour_class(FLAT, "#000000")
    step = store.undo()
    assert step is not None and step.what == 'Undid: changes of the classes "circle", "flat".'
