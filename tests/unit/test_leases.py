"""Leases in labels.db, and what a session passes over because of them."""

from pathlib import Path

import pytest
from listing_support import listing_of

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session.session import LabelSession
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.review.leases import LEASE_S

KEYS = [ImageKey(f"{name}.png") for name in "abcdef"]


@pytest.fixture
def anna(tmp_path: Path) -> LabelStore:
    return LabelStore(tmp_path / "labels.db", annotator="anna")


@pytest.fixture
def bob(anna: LabelStore) -> LabelStore:
    return LabelStore(anna.path, annotator="bob")


def leased(store: LabelStore, holder: str, now: float | None = None) -> list[str]:
    return sorted(lease.image.path[0] for lease in store.leases(now) if lease.holder == holder)


def test_an_image_is_leased_by_one_program_only(anna: LabelStore, bob: LabelStore) -> None:
    assert anna.take_leases(KEYS[:3], "one") == []
    others = bob.take_leases(KEYS[2:5], "two")
    assert sorted(lease.image.path for lease in others) == ["a.png", "b.png", "c.png"]
    assert {lease.annotator for lease in others} == {"anna"}
    assert leased(bob, "two") == ["d", "e"]


def test_new_leases_take_the_place_of_the_old_ones(anna: LabelStore) -> None:
    anna.take_leases(KEYS[:3], "one")
    anna.take_leases(KEYS[2:4], "one")
    assert leased(anna, "one") == ["c", "d"]


def test_a_lease_ends_by_itself_and_another_may_be_taken_then(anna: LabelStore, bob: LabelStore) -> None:
    anna.take_leases(KEYS[:2], "one", now=1000.0)
    assert leased(anna, "one", 1000.0 + LEASE_S - 1) == ["a", "b"]
    assert leased(anna, "one", 1000.0 + LEASE_S + 1) == []
    assert bob.take_leases(KEYS[:1], "two", now=1000.0 + LEASE_S + 1) == []
    assert leased(bob, "two", 1000.0 + LEASE_S + 1) == ["a"]


def test_a_lease_of_a_clock_that_is_far_ahead_holds_up_nobody(anna: LabelStore, bob: LabelStore) -> None:
    anna.take_leases(KEYS[:2], "one", now=10_000_000.0)
    assert bob.take_leases(KEYS[:2], "two", now=1000.0) == []
    assert leased(bob, "two", 1000.0) == ["a", "b"]


def test_leases_are_given_up_and_are_no_step_of_the_history(anna: LabelStore) -> None:
    before = anna.last_change()
    anna.take_leases(KEYS[:2], "one")
    anna.release_leases("one")
    assert (anna.leases(), anna.last_change(), anna.undo()) == ([], before, None)


def test_leases_are_written_with_the_label_or_not_at_all(anna: LabelStore) -> None:
    with pytest.raises(RuntimeError, match="stopped"), anna.transaction():
        anna.take_leases(KEYS[:2], "one")
        raise RuntimeError("stopped")
    assert anna.leases() == []


def test_company_is_somebody_else_who_labelled_just_now(anna: LabelStore, bob: LabelStore) -> None:
    assert not anna.has_company()
    round_ = anna.add_class("round")
    assert not anna.has_company()
    assert bob.has_company()
    bob.set_labels([(KEYS[0], round_.id)], source="person")
    assert anna.has_company()
    at = anna.last_change_with_time()[1]
    assert not anna.has_company(at + LEASE_S + 1)


def session_with(*leased_keys: ImageKey) -> LabelSession:
    session = LabelSession(listing_of(*(key.path for key in KEYS)))
    session.set_leased(leased_keys)
    return session


def test_what_somebody_else_has_is_passed_over() -> None:
    session = session_with(*KEYS[1:3])
    assert session.leased.tolist() == [False, True, True, False, False, False]
    assert session.next_unlabelled()
    assert session.current == KEYS[3]
    session.first()
    assert session.go_on()
    assert session.current == KEYS[3]
    assert session.open_rows().tolist() == [True, False, False, True, True, True]
    assert session.unlabelled_after(2, 100) == [4, 5]


def test_one_may_still_go_to_what_somebody_else_has() -> None:
    session = session_with(*KEYS[1:])
    assert session.move(1)
    assert session.current == KEYS[1]
    assert not session.next_unlabelled()
    assert session.go_on()  # all others are leased: the next one in the list
    assert session.current == KEYS[2]


def test_leased_images_are_found_in_another_listing() -> None:
    session = session_with(KEYS[1])
    session.replace_listing(listing_of("0.png", "b.png"))
    assert session.leased.tolist() == [False, True]
    session.set_leased([])
    assert not session.has_leased
    assert not session.leased.any()
