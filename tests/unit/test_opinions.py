"""A blind second pass in labels.db: opinions, decisions about disputes, and what they do to classes and undo."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.people import shuffled
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.migrations import MIGRATIONS
from mia_tui.dataset.store.review.opinions import choose_second_pass, shares
from mia_tui.dataset.store.review.ratings import find_disputes, ratings_of
from mia_tui.errors import DataError, StoreConflict

KEYS = [ImageKey(f"{name}.png") for name in "abcdef"]


@pytest.fixture
def anna(tmp_path: Path) -> LabelStore:
    """Six images that anna labelled round; bob and carl open the same file."""
    store = LabelStore(tmp_path / "labels.db", annotator="anna")
    for name in ("round", "flat", "star"):
        store.add_class(name)
    store.set_labels([(key, 1) for key in KEYS], source="person")
    store.draw_second_pass(KEYS)
    return store


def as_who(store: LabelStore, name: str) -> LabelStore:
    return LabelStore(store.path, annotator=name)


def disputes(store: LabelStore) -> list[str]:
    active = {known.id for known in store.classes()}
    found = find_disputes(store.labels(), store.opinions(), store.decisions(), active)
    return [dispute.key.path[0] for dispute in found]


def said(store: LabelStore, key: ImageKey = KEYS[0]) -> dict[str, int]:
    return {who: one.class_id for who, one in store.opinions().get(key, {}).items()}


def test_an_opinion_changes_no_label_and_the_last_one_counts(anna: LabelStore) -> None:
    bob = as_who(anna, "bob")
    before = anna.labels()
    assert bob.give_opinions([(KEYS[0], 2), (KEYS[1], 1)]) == 2
    assert bob.give_opinions([(KEYS[0], 3), (KEYS[1], 1)]) == 1
    assert said(anna) == {"bob": 3}
    assert anna.labels() == before
    assert bob.second_pass_of("bob")[KEYS[0]] == 3
    assert bob.give_opinions([(KEYS[0], None)]) == 1
    assert said(anna) == {}


def test_each_person_undoes_and_redoes_their_own_opinions(anna: LabelStore) -> None:
    bob, carl = as_who(anna, "bob"), as_who(anna, "carl")
    bob.give_opinions([(KEYS[0], 2)])
    carl.give_opinions([(KEYS[0], 3)])
    step = bob.undo()
    assert step is not None
    assert step.what == "Undid: opinion on a.png."
    assert said(anna) == {"carl": 3}
    bob.redo()
    assert said(anna) == {"bob": 2, "carl": 3}


def test_the_first_annotator_gives_no_second_opinion(anna: LabelStore) -> None:
    assert anna.second_pass_of("anna") == {}
    with pytest.raises(DataError, match=r"The label of a\.png is your own"):
        anna.give_opinions([(KEYS[0], 2)])
    assert said(anna) == {}


def test_an_imported_label_is_nobodys_own(anna: LabelStore) -> None:
    anna.set_labels([(KEYS[0], 2)], source="import")
    assert list(anna.second_pass_of("anna")) == [KEYS[0]]
    assert anna.give_opinions([(KEYS[0], 1)]) == 1
    assert disputes(anna) == ["a"]


def test_a_decision_becomes_the_label_and_keeps_what_was_said(anna: LabelStore) -> None:
    bob, carl = as_who(anna, "bob"), as_who(anna, "carl")
    bob.give_opinions([(KEYS[0], 2), (KEYS[1], 2)])
    assert disputes(anna) == ["a", "b"]
    carl.decide([(KEYS[0], 2), (KEYS[1], 1)])
    assert disputes(anna) == []
    labels = anna.labels()
    assert (labels[KEYS[0]].class_id, labels[KEYS[0]].annotator) == (2, "carl")
    assert (labels[KEYS[1]].class_id, labels[KEYS[1]].annotator) == (1, "anna")
    assert said(anna) == {"anna": 1, "bob": 2}
    assert said(anna, KEYS[1]) == {"bob": 2}
    judged = ratings_of(labels, anna.opinions(), anna.decisions(), {1, 2, 3})
    assert judged == {KEYS[0]: {"anna": 1, "bob": 2}, KEYS[1]: {"anna": 1, "bob": 2}}
    carl.undo()
    assert disputes(anna) == ["a", "b"]
    assert anna.labels()[KEYS[0]].annotator == "anna"
    assert said(anna) == {"bob": 2}


def test_a_decision_that_is_changed_keeps_the_first_judgement(anna: LabelStore) -> None:
    bob, carl = as_who(anna, "bob"), as_who(anna, "carl")
    bob.give_opinions([(KEYS[0], 2)])
    carl.decide([(KEYS[0], 1)])  # anna was right
    carl.decide([(KEYS[0], 3)])
    carl.decide([(KEYS[0], 2)])  # 3 was a decision, no judgement of its own
    assert said(anna) == {"anna": 1, "bob": 2}


def test_a_later_opinion_that_differs_opens_the_dispute_again(anna: LabelStore) -> None:
    bob, carl = as_who(anna, "bob"), as_who(anna, "carl")
    bob.give_opinions([(KEYS[0], 2)])
    anna.decide([(KEYS[0], 1)])
    carl.give_opinions([(KEYS[0], 3)])
    assert disputes(anna) == ["a"]
    carl.undo()
    assert disputes(anna) == []


def test_opinions_that_differ_from_each_other_are_a_dispute_without_a_label(anna: LabelStore) -> None:
    as_who(anna, "bob").give_opinions([(KEYS[0], 2), (KEYS[1], 2)])
    as_who(anna, "carl").give_opinions([(KEYS[0], 3)])
    anna.set_labels([(KEYS[0], None), (KEYS[1], None)], source="person")
    assert disputes(anna) == ["a"]


def test_merged_classes_take_opinions_with_them_and_undo_brings_them_back(anna: LabelStore) -> None:
    as_who(anna, "bob").give_opinions([(KEYS[0], 2)])
    anna.merge_class(2, into=1)
    assert (said(anna), disputes(anna)) == ({"bob": 1}, [])
    anna.undo()
    assert (said(anna), disputes(anna)) == ({"bob": 2}, ["a"])


def test_opinions_of_an_archived_class_do_not_count(anna: LabelStore) -> None:
    as_who(anna, "bob").give_opinions([(KEYS[0], 2)])
    anna.archive_class(2)
    assert disputes(anna) == []
    with pytest.raises(DataError, match="archived"):
        as_who(anna, "carl").give_opinions([(KEYS[0], 2)])


def test_a_class_that_somebody_named_is_not_removed_by_undo(anna: LabelStore) -> None:
    new = as_who(anna, "dora")
    added = new.add_class("oval")
    as_who(anna, "bob").give_opinions([(KEYS[0], added.id)])
    with pytest.raises(StoreConflict, match='would remove the class "oval", which bob uses'):
        new.undo()


def test_a_file_of_an_earlier_version_has_no_opinions(tmp_path: Path) -> None:
    path = tmp_path / "labels.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in [one for migration in MIGRATIONS[:3] for one in migration]:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 3")
    store = LabelStore.open_existing(path, annotator="bob")
    assert store is not None
    assert (store.opinions(), store.decisions(), store.second_pass(), store.second_pass_of("bob")) == (
        {},
        {},
        set(),
        {},
    )
    assert store.leases() == []
    store.release_leases("x")


@pytest.mark.parametrize("count", [0, 1, 7, 10, 55, 99, 100, 1000])
def test_each_class_gets_its_share_and_all_shares_add_up(count: int) -> None:
    sizes = {1: 70, 2: 25, 3: 4, 4: 1}
    drawn = shares(sizes, count)
    assert sum(drawn.values()) == min(count, 100)
    for class_id, size in sizes.items():
        assert abs(drawn[class_id] - min(count, 100) * size / 100) < 1
        assert drawn[class_id] <= size


def test_more_images_are_drawn_beside_those_that_were() -> None:
    labels = {ImageKey(f"{number}.png"): 1 + number % 3 for number in range(300)}
    first = choose_second_pass(labels, (), 30)
    assert Counter(labels[key] for key in first) == {1: 10, 2: 10, 3: 10}
    more = choose_second_pass(labels, first, 60)
    assert len(more) == 30
    assert not set(first) & set(more)
    assert {*first, *more} == set(choose_second_pass(labels, (), 60))
    assert choose_second_pass(labels, (), 30, seed=1) != first


def test_the_order_of_a_blind_pass_is_no_order_of_classes_and_stays_the_same() -> None:
    import numpy as np

    rows = shuffled(np.ones(100, np.bool_))
    assert sorted(rows.tolist()) == list(range(100))
    assert np.corrcoef(rows, np.arange(100))[0, 1] ** 2 < 0.2
    assert rows.tolist() == shuffled(np.ones(100, np.bool_)).tolist()


def test_images_that_labels_db_does_not_know_count_once_when_they_are_drawn(anna: LabelStore) -> None:
    new = [ImageKey("unknown-1.png"), ImageKey("unknown-2.png")]
    assert anna.draw_second_pass(new) == 2
    assert anna.draw_second_pass(new) == 0
