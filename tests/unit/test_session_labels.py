"""What labels.db and its history say is what the session knows, image by image and in figures."""

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from listing_support import (
    CLASSES,
    FLAT,
    FLOWER,
    ROUND,
    apply,
    change,
    class_row,
    extend,
    label,
    labelled,
    listing_of,
    load,
    moved_label,
    session_of,
    suggestions,
)

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.session import changes as changes_module
from mia_tui.dataset.session.counts import LabellingSpeed
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.session import LabelSession
from mia_tui.dataset.store.label_store import LabelStore
from mia_tui.dataset.store.records import Mark
from mia_tui.errors import DataError

A, B, C = ImageKey("a.png"), ImageKey("b.png"), ImageKey("c.png")


def classes_of(session: LabelSession) -> dict[str, str | None]:
    found = {}
    for row in range(len(session.listing)):
        image_class = session.state_of(row).image_class
        found[session.listing.path(row)] = None if image_class is None else image_class.name
    return found


def test_labels_marks_and_classes_are_loaded() -> None:
    session = session_of("a.png", "b.png", "c.png")
    load(
        session,
        CLASSES,
        {A: label(1), B: label(5, "accepted")},
        {B: Mark(True, True, "two cells"), C: Mark(note="?")},
    )
    first, second, third = (session.state_of(row) for row in range(3))
    assert (first.image_class, first.source, first.flagged) == (ROUND, "person", False)
    assert (second.image_class, second.source) == (FLOWER, "accepted")
    assert (second.flagged, second.skipped, second.note) == (True, True, "two cells")
    assert (third.image_class, third.source, third.note) == (None, None, "?")
    assert session.counts.by_class == {1: 1, 2: 0, 5: 1}
    assert session.counts.by_source == {"person": 1, "import": 0, "accepted": 1, "page": 0}
    counts = session.counts
    assert (counts.labelled, counts.unlabelled, counts.skipped, counts.flagged) == (2, 1, 1, 1)


def test_loading_again_replaces_what_was_known() -> None:
    session = session_of("a.png", "b.png")
    load(session, CLASSES, {A: label(1), C: label(1)}, {A: Mark(True, True, "x")})
    load(session, CLASSES, {B: label(2)}, {})
    assert classes_of(session) == {"a.png": None, "b.png": "flat"}
    assert (session.counts.flagged, session.counts.skipped, session.counts.missing) == (0, 0, 0)
    assert session.state_of(0).note is None


def test_loading_pauses_for_the_screen_and_shows_what_there_is_so_far() -> None:
    paths = [f"{number}.png" for number in range(20_000)]
    session = session_of(*paths)
    labels = {ImageKey(path): label(1) for path in paths}
    done = [
        session.counts.labelled
        for _ in session.load_in_steps(CLASSES, labels, {ImageKey("1.png"): Mark(True)})
    ]
    assert done[0] == 0
    assert sorted(done) == done
    assert done[-1] == 20_000
    assert len(done) > 3
    assert session.counts.flagged == 1


def test_labels_of_images_that_are_not_listed_wait_for_them() -> None:
    session = session_of("a.png")
    load(session, CLASSES, {B: label(1), C: label(2)}, {C: Mark(True, note="later")})
    assert (session.counts.missing, session.counts.labelled) == (2, 0)
    extend(session, ["b.png"])
    assert (session.counts.missing, session.counts.by_class[1]) == (1, 1)
    session.replace_listing(listing_of("a.png", "b.png", "c.png"))
    assert (session.counts.missing, session.counts.by_class) == (0, {1: 1, 2: 1, 5: 0})
    assert (session.state_of(2).flagged, session.state_of(2).note) == (True, "later")
    session.replace_listing(listing_of("a.png"))
    assert (session.counts.missing, session.counts.labelled, session.counts.flagged) == (2, 0, 0)


def test_frames_of_a_stack_have_labels_of_their_own() -> None:
    session = LabelSession(listing_of("s.tif"))
    load(session, CLASSES, {ImageKey("s.tif", 0): label(1), ImageKey("s.tif", 2): label(2)}, {})
    assert (session.counts.labelled, session.counts.missing, session.counts.unused) == (1, 0, 1)
    session.replace_listing(listing_of("s.tif", frames={"s.tif": 3}))
    assert (session.counts.labelled, session.counts.missing, session.counts.unused) == (2, 0, 0)
    found = [session.state_of(row).image_class for row in range(3)]
    assert found == [ROUND, None, FLAT]


def test_changes_say_which_rows_to_draw_and_who_made_them() -> None:
    session = session_of("a.png", "b.png", "c.png")
    applied = apply(
        session,
        [
            labelled("c.png", 2),
            labelled("a.png", 1, annotator="bob"),
            change("flag", "a.png", True, annotator="bob"),
            change("skip", "b.png", True, annotator="carol"),
            change("note", "not listed.png", "?", annotator="carol"),
        ],
    )
    assert applied.rows.tolist() == [0, 1, 2]
    assert applied.rows.dtype == np.int32
    assert (applied.by_others, applied.others) == (4, ("bob", "carol"))
    assert apply(session, []).rows.tolist() == []


def test_the_last_of_several_changes_counts() -> None:
    session = session_of("a.png")
    apply(session, [labelled("a.png", 1), labelled("a.png", None), labelled("a.png", 2)])
    assert session.counts.by_class == {1: 0, 2: 1, 5: 0}
    apply(session, [labelled("a.png", None), change("note", "a.png", "x"), change("note", "a.png", None)])
    assert session.counts.labelled == 0
    assert session.state_of(0).note is None


def test_a_change_applied_twice_does_no_harm() -> None:
    session = session_of("a.png", "b.png")
    changes = [labelled("a.png", 1), change("flag", "b.png", True), labelled("gone.png", 1), class_row(ROUND)]
    for _ in range(2):
        apply(session, changes)
        assert (session.counts.labelled, session.counts.flagged, session.counts.missing) == (1, 1, 1)


def test_a_moved_file_takes_along_what_was_decided() -> None:
    session = session_of("a.png", "b.png")
    load(session, CLASSES, {A: label(1), C: label(2)}, {A: Mark(True, False, "x")})
    applied = apply(session, [change("path", "b.png", "b.png", before="a.png")])
    assert applied.rows.tolist() == [0, 1]
    assert classes_of(session) == {"a.png": None, "b.png": "round"}
    assert (session.state_of(1).flagged, session.state_of(1).note, session.state_of(0).note) == (
        True,
        "x",
        None,
    )
    apply(session, [change("path", "d.png", "d.png", before="b.png")])
    assert (session.counts.labelled, session.counts.missing) == (0, 2)
    apply(session, [change("path", "a.png", "a.png", before="c.png")])
    assert (classes_of(session)["a.png"], session.counts.missing) == ("flat", 1)


def test_a_label_given_before_a_file_moved_goes_with_it() -> None:
    """Each row of the history names its image as it is called now, not as it was called then."""
    session = session_of("a.png", "b%.png")
    apply(session, [labelled("b%.png", 1), change("path", "b%.png", "b%25.png", before="a.png")])
    assert classes_of(session) == {"a.png": None, "b%.png": "round"}


def test_archived_classes_count_nowhere_until_they_are_back() -> None:
    session = session_of("a.png", "b.png")
    load(session, CLASSES, {A: label(1), B: label(2)}, {})
    apply(session, [class_row(replace(ROUND, archived=True, key=None))])
    assert [image_class.id for image_class in session.classes] == [2, 5]
    assert session.counts.by_class == {2: 1, 5: 0}
    assert (session.counts.labelled, session.counts.unlabelled) == (1, 1)
    assert (session.state_of(0).image_class, session.state_of(0).source) == (None, None)
    former = session.class_of(1)
    assert former is not None and former.archived
    assert not session.next_unlabelled()
    session.last()
    assert session.next_unlabelled(backwards=True)
    session.set_filter(Filter("labelled"))
    assert session.view.tolist() == [1]
    apply(session, [class_row(ROUND)])
    assert session.counts.by_class == {1: 1, 2: 1, 5: 0}


def test_classes_change_as_the_history_says() -> None:
    session = session_of("a.png")
    new = replace(FLAT, id=9, name="new", key="n", position=3)
    apply(session, [class_row(new)])
    assert session.class_of_key("n") == new
    apply(session, [class_row(replace(ROUND, name="other", position=7))])
    assert [image_class.name for image_class in session.classes] == ["flat", "Flower", "new", "other"]
    apply(session, [class_row(None, id=9)])
    assert session.class_of(9) is None
    assert session.counts.by_class == {2: 0, 5: 0, 1: 0}


def test_the_current_class_is_one_that_there_is() -> None:
    session = LabelSession(listing_of("a.png"))
    assert session.current_class is None
    apply(session, [class_row(ROUND)])
    assert session.current_class == 1
    apply(session, [class_row(FLAT), class_row(FLOWER)])
    session.choose_class(2)
    session.choose_class(99)
    assert session.current_class == 2
    apply(session, [class_row(replace(FLAT, archived=True))])
    assert session.current_class == 5  # the one that stands there now
    apply(session, [class_row(replace(FLOWER, archived=True))])
    assert session.current_class == 1
    apply(session, [class_row(replace(ROUND, archived=True))])
    assert session.current_class is None


def test_the_current_class_becomes_the_one_it_was_merged_into() -> None:
    session = session_of("a.png", "b.png")
    load(session, CLASSES, {A: label(1), B: label(1)}, {})
    apply(session, [moved_label("b.png", 1, 2, batch=1)])  # an image put right is no merge
    apply(session, [moved_label("a.png", 1, 5, batch=2), class_row(replace(ROUND, archived=True), batch=2)])
    assert session.current_class == 5


def test_a_class_is_found_by_its_key_in_either_case() -> None:
    session = session_of("a.png")
    assert session.class_of_key("1") == ROUND
    assert session.class_of_key("F") == FLOWER
    assert session.class_of_key("x") is None
    capital = replace(FLAT, id=7, name="capital", key="F", position=9)
    apply(session, [class_row(capital)])
    assert (session.class_of_key("F"), session.class_of_key("f")) == (capital, FLOWER)


def test_suggestions_stay_beside_labels_and_are_replaced_as_a_whole() -> None:
    session = session_of("a.png", "b.png", "c.png")
    apply(session, [labelled("a.png", 1)])
    session.set_suggestions(suggestions({A: ("flat", 0.5), B: ("Flower", 0.25)}))
    first, second, third = (session.state_of(row) for row in range(3))
    assert (first.image_class, first.suggestion, first.confidence, first.differs) == (ROUND, FLAT, 0.5, True)
    assert (second.image_class, second.suggestion, second.differs) == (None, FLOWER, False)
    assert (third.suggestion, third.confidence) == (None, None)
    apply(session, [class_row(replace(FLOWER, archived=True))])
    assert session.state_of(1).suggestion is None
    session.set_filter(Filter("suggested"))
    assert len(session.view) == 0
    session.set_suggestions(suggestions({C: ("flat", 1.0)}))
    assert session.state_of(0).suggestion is None
    assert session.state_of(2).suggestion == FLAT


def test_suggestions_wait_for_images_and_survive_a_reload() -> None:
    session = session_of("a.png")
    session.set_suggestions(suggestions({A: ("flat", 0.5), B: ("Flower", 0.5), C: ("round", 0.5)}))
    load(session, CLASSES, {B: label(1)}, {})
    assert session.state_of(0).suggestion == FLAT
    extend(session, ["b.png"])
    assert (session.state_of(1).suggestion, session.state_of(1).image_class) == (FLOWER, ROUND)
    session.set_suggestions(suggestions({}))
    extend(session, ["c.png"])
    assert [session.state_of(row).suggestion for row in range(3)] == [None] * 3


def test_a_problem_is_known_until_the_image_can_be_shown() -> None:
    session = session_of("a.png", "b.png")
    session.set_problem(0, "It is cut short.")
    session.set_problem(1, "The file is gone.", missing=True)
    assert (session.state_of(0).problem, session.state_of(0).missing) == ("It is cut short.", False)
    assert (session.state_of(1).problem, session.state_of(1).missing) == ("The file is gone.", True)
    load(session, CLASSES, {}, {})
    assert session.state_of(0).problem is not None
    session.set_problem(0, None)
    assert session.state_of(0).problem is None


def test_the_pace_is_that_of_the_last_minutes() -> None:
    speed = LabellingSpeed()
    assert speed.per_minute(0.0) is None
    for second in range(60):
        speed.add_label(float(second))
    assert speed.per_minute(60.0) == pytest.approx(59)
    assert speed.per_minute(230.0) == pytest.approx(60 * 9 / 180, rel=0.05)
    assert speed.per_minute(1000.0) is None
    speed.add_label(1000.0)
    speed.add_label(1000.5)
    assert speed.per_minute(1001.0) is None  # two keys are no speed yet


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["label", "label", "clear", "flag", "skip", "note", "undo", "redo", "archive", "restore",
                         "merge", "rename", "add", "move"]),
        st.integers(0, 1),
        st.integers(0, 4),
        st.integers(1, 4),
    ),
    max_size=25,
)  # fmt: skip


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS, st.lists(st.integers(0, 25)))
def test_applying_the_history_gives_what_loading_from_scratch_gives(
    tmp_path: Path, steps: list[tuple[str, int, int, int]], looks: list[int]
) -> None:
    path = tmp_path / str(time.monotonic_ns()) / "labels.db"
    listing = ("a.png", "b.png", "c.png")
    keys = [ImageKey(name) for name in (*listing, "gone.png", "away.png")]
    with LabelStore(path, annotator="anna") as anna, LabelStore(path, annotator="bob") as bob:
        for name in ("one", "two", "three"):
            anna.add_class(name)
        session = LabelSession(listing_of(*listing), annotator="anna")
        load(session, anna.classes(archived=True), anna.labels(), anna.marks())
        seen = anna.last_change()
        for number, (what, who, image, class_id) in enumerate(steps):
            take_step((anna, bob)[who], what, keys[image], class_id)
            if number in looks or number == len(steps) - 1:
                apply(session, anna.changes_since(seen))
                seen = anna.last_change()
                scratch = LabelSession(listing_of(*listing), annotator="anna")
                load(scratch, anna.classes(archived=True), anna.labels(), anna.marks())
                assert figures(session) == figures(scratch)


def take_step(store: LabelStore, what: str, key: ImageKey, class_id: int) -> None:
    active = {image_class.id for image_class in store.classes()}
    known = {image_class.id for image_class in store.classes(archived=True)}
    if what == "label" and class_id in active:
        store.set_labels([(key, class_id)], source="person")
    elif what == "clear":
        store.set_labels([(key, None)], source="person")
    elif what == "flag":
        store.set_flagged([key], class_id % 2 == 0)
    elif what == "skip":
        store.set_skipped([key], class_id % 2 == 0)
    elif what == "note":
        store.set_note(key, None if class_id == 1 else f"note {class_id}")
    elif what in ("undo", "redo"):
        with suppress(DataError):  # somebody else changed the same
            store.undo() if what == "undo" else store.redo()
    elif what == "archive" and class_id in active:
        store.archive_class(class_id)
    elif what == "restore" and class_id in known - active:
        store.restore_class(class_id)
    elif what == "merge" and len(active) > 1 and class_id in active:
        store.merge_class(class_id, min(active - {class_id}))
    elif what == "rename" and class_id in known:
        store.rename_class(class_id, f"{class_id} again {len(known)}")
    elif what == "add" and len(known) < 4:
        store.add_class(f"new {len(known)}")
    elif what == "move" and class_id in active:
        store.move_class(class_id, 0)


def figures(session: LabelSession) -> object:
    counts = session.counts
    return (
        [session.state_of(row) for row in range(len(session.listing))],
        session.classes,
        counts.by_class,
        counts.by_source,
        (counts.labelled, counts.unlabelled, counts.skipped, counts.flagged, counts.missing),
    )


def test_skipped_images_are_not_left_to_do_unless_they_wait_for_a_label_all_the_same() -> None:
    session = session_of("a.png", "b.png", "c.png", "d.png")
    load(session, CLASSES, {A: label(1)}, {A: Mark(skipped=True), B: Mark(skipped=True)})
    counts = session.counts
    assert (counts.labelled, counts.unlabelled, counts.skipped, counts.left) == (1, 3, 2, 2)
    load(session, CLASSES, {}, {})
    assert counts.left == counts.unlabelled == 4


def test_a_large_step_is_taken_over_in_parts_and_ends_as_if_it_were_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"{number}.png" for number in range(100)]
    history = [
        class_row(ROUND),
        *(labelled(name, 1) for name in names),
        *(labelled(name, 2) for name in names[:30]),
    ]
    at_once, in_parts = session_of(*names), session_of(*names)
    expected = apply(at_once, history)
    monkeypatch.setattr(changes_module, "_STEP", 7)
    pauses, steps = 0, in_parts.apply_in_steps(history)
    with pytest.raises(StopIteration) as end:
        while True:
            next(steps)
            pauses += 1
    assert pauses == len(history) // 7
    assert end.value.value.rows.tolist() == expected.rows.tolist()
    assert in_parts.counts.by_class == at_once.counts.by_class == {1: 70, 2: 30, 5: 0}


def test_a_large_step_of_marks_is_taken_over_in_parts_and_ends_as_if_it_were_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = [f"{number}.png" for number in range(40)]
    history = [
        *(change("flag", name, True) for name in names),
        *(change("skip", name, True) for name in names),
        *(change("note", name, f"note {name}") for name in names[:20]),
        *(change("flag", name, False) for name in names[10:]),
        *(change("note", name, None) for name in names[:5]),
    ]
    at_once, in_parts = session_of(*names[:30]), session_of(*names[:30])
    apply(at_once, history)
    monkeypatch.setattr(changes_module, "_STEP", 7)
    assert len(list(in_parts.apply_in_steps(history))) == (len(history) - 1) // 7
    for session in (at_once, in_parts):
        extend(session, names[30:])  # what is known of images waits for them
        assert (session.counts.flagged, session.counts.skipped) == (10, 40)
        notes = [session.state_of(row).note for row in range(40)]
        assert notes == [None] * 5 + [f"note {name}" for name in names[5:20]] + [None] * 20
    assert figures(in_parts) == figures(at_once)


def test_marks_that_images_have_already_count_once() -> None:
    session = session_of("a.png", "b.png", "c.png")
    load(session, CLASSES, {}, {A: Mark(True, True, "x"), B: Mark(flagged=True)})
    apply(session, [change("flag", name, True) for name in ("a.png", "b.png", "c.png", "a.png")])
    assert (session.counts.flagged, session.counts.skipped) == (3, 1)
    apply(
        session, [change("skip", "b.png", False), change("note", "a.png", "y"), change("note", "a.png", "z")]
    )
    assert (session.counts.skipped, session.state_of(0).note, session.state_of(0).skipped) == (1, "z", True)


def test_a_million_changes_are_carried_out_all_of_a_kind_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one, a million flags took half a minute."""
    asked = []
    session = session_of(*(f"{number}.png" for number in range(100)))
    look_up = session.listing.rows
    monkeypatch.setattr(session.listing, "rows", lambda keys: asked.append(len(keys)) or look_up(keys))
    apply(session, [change("skip", f"{number}.png", True) for number in range(100)])
    assert asked == [100]
    assert session.counts.skipped == 100


def test_all_that_is_known_of_images_comes_back_with_them() -> None:
    """A folder that is not mounted for a while."""
    names = [f"{number:03}.png" for number in range(40)]
    keys = [ImageKey(name) for name in names]
    session = session_of(*names)
    labels = {key: label(1 + number % 2) for number, key in enumerate(keys) if number % 3}
    marks = {
        keys[2]: Mark(flagged=True, skipped=False, note=None),
        keys[3]: Mark(flagged=False, skipped=True, note="odd"),
    }
    load(session, CLASSES, labels, marks)
    of = {keys[0]: ("flat", 0.5), keys[1]: ("Flower", 0.5), keys[3]: ("round", 0.5)}
    session.set_suggestions(suggestions(of))
    session.compare_with(suggestions({keys[2]: ("round", 0.5), keys[35]: ("flat", 0.5)}, model="vgg16"))
    before = [session.state_of(row) for row in range(40)]
    counts = session.counts.labelled, session.counts.flagged, session.counts.skipped
    session.replace_listing(listing_of(*names[30:]))
    assert session.counts.labelled == sum(key in labels for key in keys[30:])
    assert session.counts.missing == sum(key in labels for key in keys[:30])
    session.replace_listing(listing_of(*names))
    assert [session.state_of(row) for row in range(40)] == before
    assert (session.counts.labelled, session.counts.flagged, session.counts.skipped) == counts
    assert session.counts.missing == 0


MIXED = ("round", "debris", "flat")


def test_a_class_that_the_dataset_does_not_have_is_suggested_as_new_by_its_name() -> None:
    session = session_of("a.png", "b.png", "c.png")
    session.set_suggestions(suggestions({A: ("debris", 0.9), B: ("round", 0.8)}, classes=MIXED))
    first, second, third = (session.state_of(row) for row in range(3))
    assert first.suggestion is not None and first.suggestion.name == "debris"
    assert (first.suggests_new, second.suggests_new, third.suggests_new) == (True, False, False)
    assert session.new_classes == ("debris",)
    session.set_filter(Filter("suggested"))
    assert session.view.tolist() == [0, 1]
    apply(session, [labelled("a.png", 1)])
    assert session.state_of(0).differs
    session.set_filter(Filter("differs"))
    assert session.view.tolist() == [0]


def test_a_new_class_is_matched_once_it_is_added_and_new_again_when_that_is_undone() -> None:
    session = session_of("a.png")
    session.set_suggestions(suggestions({A: ("debris", 0.9)}, classes=MIXED))
    debris = replace(ROUND, id=9, name="debris", key="d", position=8)
    apply(session, [class_row(debris)])
    assert session.state_of(0).suggestion == debris
    assert session.new_classes == ()
    apply(session, [class_row(None, id=debris.id)])
    assert session.state_of(0).suggests_new


def test_suggestions_follow_a_class_that_is_renamed_unless_another_takes_its_name() -> None:
    session = session_of("a.png")
    session.set_suggestions(suggestions({A: ("flat", 0.9)}))
    renamed = replace(FLAT, name="squashed")
    apply(session, [class_row(renamed)])
    assert session.state_of(0).suggestion == renamed
    another = replace(FLAT, id=9, key="x", position=8)
    apply(session, [class_row(another)])
    assert session.state_of(0).suggestion == another


def test_names_of_classes_are_compared_as_the_dataset_writes_them() -> None:
    session = session_of("a.png")
    session.set_suggestions(suggestions({A: (" round ", 0.9)}, classes=(" round ",)))
    assert session.state_of(0).suggestion == ROUND


def test_other_labels_that_are_loaded_have_their_classes_matched_anew() -> None:
    session = session_of("a.png")
    session.set_suggestions(suggestions({A: ("flat", 0.9)}))
    swapped = replace(FLAT, id=1), replace(ROUND, id=2)
    load(session, swapped, {}, {})
    assert session.state_of(0).suggestion == swapped[0]


def test_the_filter_shows_where_two_models_differ_by_the_names_of_their_classes() -> None:
    session = session_of("a.png", "b.png", "c.png", "d.png", "e.png")
    d, e = ImageKey("d.png"), ImageKey("e.png")
    session.set_filter(Filter("models_differ"))
    assert len(session.view) == 0
    one = {A: ("round", 0.9), B: ("debris", 0.9), C: ("flat", 0.9), d: ("round", 0.9)}
    session.set_suggestions(suggestions(one, classes=MIXED, model="one"))
    other = {A: ("flat", 0.9), B: ("debris", 0.2), C: ("dust", 0.9), e: ("flat", 0.9)}
    session.compare_with(suggestions(other, classes=("flat", "dust", "debris"), model="other"))
    assert (session.model, session.compared_model) == ("one", "other")
    assert session.view.tolist() == [0, 2]  # d and e have only one suggestion
    assert session.state_of(0).compared == FLAT
    apply(session, [labelled("a.png", 1)])
    session.set_filter(Filter("models_differ", text="a"))
    assert session.view.tolist() == [0]  # with a label, too


def test_what_is_compared_comes_with_images_that_are_listed_later_and_goes_with_another_model() -> None:
    session = session_of("a.png")
    session.set_suggestions(suggestions({A: ("round", 0.5), B: ("round", 0.5)}))
    session.compare_with(suggestions({B: ("flat", 0.5)}, model="other"))
    session.set_filter(Filter("models_differ"))
    extend(session, ["b.png"])
    assert session.view.tolist() == [1]
    session.compare_with(suggestions({}, model="none"))
    assert session.state_of(1).compared is None


def test_a_confidence_that_is_not_known_is_none() -> None:
    session = session_of("a.png", "b.png")
    session.set_suggestions(suggestions({A: ("round", float("nan")), B: ("round", 0.5)}))
    assert [session.state_of(row).confidence for row in range(2)] == [None, 0.5]
    session.set_order("confidence")
    assert session.view.tolist() == [1, 0]
