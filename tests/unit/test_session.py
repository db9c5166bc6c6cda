"""Position, filter and order: what a person looks at stays, goes on and ends where it should."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listing_support import (
    CLASSES,
    apply,
    extend,
    keys_of,
    label,
    labelled,
    listing_of,
    listing_of_files,
    load,
    session_of,
    suggestions,
)

from mia_tui.dataset.listing.arrays import arrays_of
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageClass, ImageFile, ImageKey
from mia_tui.dataset.session.filters import ORDERS, STATES, Filter
from mia_tui.dataset.session.session import LabelSession
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.dataset.store.records import Mark, Opinion

FIVE = ("a.png", "b.png", "c.png", "d.png", "e.png")


def shown(session: LabelSession) -> list[str]:
    return [session.listing.path(row) for row in session.view.tolist()]


def suggest(session: LabelSession, *, unsure: str = "", **what: tuple[int, float]) -> None:
    names = {image_class.id: image_class.name for image_class in CLASSES}
    known = {ImageKey(f"{each}.png"): (names[of], sure) for each, (of, sure) in what.items()}
    session.set_suggestions(suggestions(known, unsure=[f"{each}.png" for each in unsure]))


def unsure_images(session: LabelSession) -> str:
    """The first letters of the images whose suggestion says that it is unsure."""
    rows = range(len(session.listing))
    return "".join(session.listing.path(row)[0] for row in rows if session.state_of(row).unsure)


def test_an_unsure_suggestion_says_so_until_there_are_others() -> None:
    session = session_of("a.png", "b.png", "c.png")
    suggest(session, a=(2, 0.5), b=(2, 0.9), unsure="a")
    assert unsure_images(session) == "a"
    apply(session, [labelled("a.png", 1)])
    assert unsure_images(session) == "a"  # beside the label, which takes precedence
    suggest(session, a=(2, 0.5), b=(2, 0.4), unsure="b")
    assert unsure_images(session) == "b"
    rows = np.array([1, 1, 0], np.int32), np.array([0.5, 0.9, np.nan], np.float32)
    session.update_suggestions("live", [1], *rows, is_other=True)
    assert unsure_images(session) == ""
    session.set_filter(Filter("unsure"))
    assert shown(session) == []


def test_an_unsure_suggestion_stays_unsure_in_another_list_of_images() -> None:
    session = session_of("a.png", "b.png")
    suggest(session, a=(2, 0.5), c=(2, 0.5), d=(2, 0.9), unsure="ac")
    session.replace_listing(listing_of("b.png", "c.png", "d.png"))
    assert unsure_images(session) == "c"
    load(session, CLASSES, {}, {})
    session.replace_listing(listing_of("a.png", "d.png"))
    assert unsure_images(session) == "a"
    session.replace_listing(listing_of("c.png", "e.png"))
    assert unsure_images(session) == "c"
    suggest(session, e=(1, 0.9))
    session.replace_listing(listing_of("a.png", "c.png"))
    assert unsure_images(session) == ""


def test_a_session_begins_at_the_first_image() -> None:
    session = session_of(*FIVE)
    assert (session.position, session.current_row, session.current) == (0, 0, ImageKey("a.png"))
    assert session.filter == Filter()
    assert shown(session) == list(FIVE)


def test_without_images_there_is_no_position_and_every_move_says_so() -> None:
    session = LabelSession(Listing())
    assert (session.position, session.current_row, session.current) == (None, None, None)
    assert not any((session.move(1), session.first(), session.last(), session.next_unlabelled(wrap=True)))
    assert session.neighbours() == []
    assert (session.counts.labelled, session.counts.unlabelled, session.counts.missing) == (0, 0, 0)


def test_the_end_of_the_list_is_an_end() -> None:
    """The predecessor went back to the first image in silence."""
    session = session_of(*FIVE)
    assert not session.move(-1)
    assert session.move(3)
    assert session.move(3)  # as far as there is something
    assert session.position == 4
    assert not session.move(1)
    assert session.position == 4
    assert session.first() and not session.first()
    assert session.last() and not session.last()


def test_going_to_an_image_that_is_not_shown_does_not_move() -> None:
    session = session_of(*FIVE)
    session.set_filter(Filter(text="b"))
    assert not session.go_to(3)
    assert session.current_row == 1
    assert session.go_to(1)


def test_labelling_does_not_take_an_image_away_before_the_view_is_refreshed() -> None:
    session = session_of(*FIVE)
    session.set_filter(Filter("unlabelled"))
    session.move(1)
    apply(session, [labelled("b.png", 1)])
    assert shown(session) == list(FIVE)
    assert session.current == ImageKey("b.png")
    session.refresh_view()
    assert shown(session) == ["a.png", "c.png", "d.png", "e.png"]
    assert session.current == ImageKey("c.png")


def test_suggestions_that_come_are_shown_by_a_filter_that_was_chosen_before() -> None:
    session = session_of(*FIVE)
    session.set_filter(Filter("suggested"))
    assert shown(session) == []
    suggest(session, b=(1, 0.9), d=(2, 0.5))
    assert shown(session) == ["b.png", "d.png"]
    assert session.current == ImageKey("b.png")


def test_other_suggestions_take_images_out_of_the_filter_but_not_the_current_one() -> None:
    session = session_of(*FIVE)
    suggest(session, a=(1, 0.9), b=(1, 0.9), c=(1, 0.9))
    session.set_filter(Filter("suggested"))
    session.move(1)
    session.select(session.view)
    suggest(session, d=(2, 0.5))
    assert shown(session) == ["b.png", "d.png"]
    assert session.current == ImageKey("b.png")
    assert session.selected.tolist() == [1]


def test_suggestions_that_come_sort_images_by_confidence_anew() -> None:
    session = session_of(*FIVE)
    session.set_order("confidence")
    session.move(2)
    suggest(session, e=(1, 0.1), c=(1, 0.9), a=(1, 0.5))
    assert shown(session) == ["e.png", "a.png", "c.png", "b.png", "d.png"]
    assert session.current == ImageKey("c.png")


def test_what_others_change_joins_the_filter_it_fits_and_takes_nothing_away() -> None:
    session = session_of(*FIVE)
    apply(session, [labelled("a.png", 1), labelled("c.png", 1)])
    session.set_filter(Filter("class", class_id=1))
    session.move(1)
    applied = apply(session, [labelled("a.png", 2), labelled("b.png", 1), labelled("d.png", 2)])
    session.join(applied.rows)
    assert shown(session) == ["a.png", "b.png", "c.png"]
    assert session.current == ImageKey("c.png")


def test_a_filter_keeps_the_image_or_goes_to_the_next_that_fits() -> None:
    session = session_of(*FIVE)
    apply(session, [labelled("b.png", 1), labelled("d.png", 1)])
    session.go_to(3)
    session.set_filter(Filter("labelled"))
    assert (session.current, session.position) == (ImageKey("d.png"), 1)
    session.set_filter(Filter("unlabelled"))
    assert session.current == ImageKey("e.png")
    session.set_filter(Filter(text="a"))  # nothing comes after e.png: the last one
    assert session.current == ImageKey("a.png")


def test_a_filter_that_nothing_fits_is_left_for_the_same_image() -> None:
    session = session_of(*FIVE)
    session.go_to(2)
    session.set_filter(Filter(text="nowhere"))
    assert (session.position, session.current, len(session.view)) == (None, None, 0)
    session.set_filter(Filter())
    assert session.current == ImageKey("c.png")


def test_each_state_shows_what_its_name_says() -> None:
    session = session_of("a.png", "b.png", "c.png", "d.png", "e.png", "f.png")
    marks = {ImageKey("c.png"): Mark(True, False, None), ImageKey("d.png"): Mark(False, True, "blurred")}
    load(session, CLASSES, {ImageKey("a.png"): label(1), ImageKey("b.png"): label(2, "import")}, marks)
    suggest(session, a=(2, 0.5), b=(2, 0.9), c=(5, 0.7), d=(1, 0.4), unsure="ad")
    other = {ImageKey("a.png"): ("flat", 0.5), ImageKey("b.png"): ("round", 0.5)}
    session.compare_with(suggestions(other, model="vgg16"))
    session.people.load({ImageKey("b.png"): {"bob": Opinion(1, "bob", 1.0)}}, {})
    session.people.mine = {ImageKey("a.png"): None}
    session.set_problem(4, "It is cut short.")
    session.set_problem(5, "It is gone.", missing=True)
    expected = {
        "all": "abcdef", "unlabelled": "cdef", "labelled": "ab", "class": "ab", "flagged": "c", "skipped": "d",
        "noted": "d", "suggested": "cd", "unsure": "d", "differs": "a", "models_differ": "b", "unfamiliar": "be",
        "disputed": "b", "second_pass": "a", "unreadable": "ef",
    }  # fmt: skip
    session.set_unfamiliar(np.array([0], np.int32))
    session.set_unfamiliar(np.array([1, 4], np.int32))
    assert set(expected) == set(STATES)
    for state in STATES:
        session.set_filter(Filter(state))
        assert "".join(path[0] for path in shown(session)) == expected[state], state
    session.set_filter(Filter("class", class_id=2))
    assert shown(session) == ["b.png"]
    session.set_filter(Filter("suggested", class_id=5))
    assert shown(session) == ["c.png"]
    session.set_filter(Filter("suggested", class_id=2))
    assert shown(session) == []
    session.set_filter(Filter("unsure", class_id=1))
    assert shown(session) == ["d.png"]


def test_conditions_of_a_filter_hold_together() -> None:
    session = session_of("x/a1.png", "x/b1.png", "y/a1.png", "x/y/a2.png", "x/y/a1.png")
    apply(session, [labelled("x/y/a1.png", 1)])
    session.set_filter(Filter("unlabelled", text="A1", folder="x"))
    assert shown(session) == ["x/a1.png"]


def test_orders_are_by_name_time_class_and_confidence() -> None:
    times = {"a": 30, "b": 10, "c": None, "d": 20}
    session = LabelSession(
        listing_of_files([ImageFile(f"{name}.png", 1, time) for name, time in times.items()])
    )
    load(session, CLASSES, {ImageKey("a.png"): label(5), ImageKey("d.png"): label(1)}, {})
    suggest(session, a=(1, 0.9), c=(1, 0.0), d=(2, 0.4))
    expected = {"name": ("abcd", "dcba"), "time": ("bdac", "adbc"), "class": ("dabc", "adbc"),
                "confidence": ("cdab", "adcb")}  # fmt: skip
    assert set(expected) == set(ORDERS)
    session.go_to(2)
    for order in ORDERS:
        for reverse in (False, True):
            session.set_order(order, reverse=reverse)
            assert "".join(path[0] for path in shown(session)) == expected[order][reverse]
            assert session.current == ImageKey("c.png")


def test_chosen_images_can_be_shown_in_the_order_in_which_they_were_given() -> None:
    session = session_of("a.png", "b.png", "c.png", "d.png")
    given = tuple(map(ImageKey, ("d.png", "gone.png", "a.png", "c.png", "a.png")))
    session.set_filter(Filter(among=given), ("given", False))
    assert shown(session) == ["d.png", "a.png", "c.png"]
    session.set_order("given", reverse=True)
    assert shown(session) == ["c.png", "a.png", "d.png"]
    session.set_filter(Filter())
    assert (session.order, shown(session)) == ("name", ["a.png", "b.png", "c.png", "d.png"])


def test_after_the_current_image_comes_the_next_one_in_the_order_shown() -> None:
    session = session_of("a.png", "b.png", "c.png")
    suggest(session, a=(1, 0.5), b=(1, 0.9), c=(1, 0.1))
    session.set_order("confidence")
    session.go_to(0)
    apply(session, [labelled("a.png", 1)])
    session.set_filter(Filter("suggested"))
    assert session.current == ImageKey("b.png")


def test_the_next_unlabelled_image_is_found_and_skipped_ones_are_passed_over() -> None:
    session = session_of(*FIVE)
    load(session, CLASSES, {ImageKey("b.png"): label(1)}, {ImageKey("c.png"): Mark(skipped=True)})
    assert session.next_unlabelled()
    assert session.current == ImageKey("d.png")
    assert session.next_unlabelled()
    assert session.current == ImageKey("e.png")
    assert session.unlabelled_place(wrap=True) == 0
    assert not session.next_unlabelled()
    assert session.current == ImageKey("e.png")
    assert session.next_unlabelled(wrap=True)
    assert session.current == ImageKey("a.png")
    assert not session.next_unlabelled(backwards=True)
    assert session.next_unlabelled(backwards=True, wrap=True)
    assert session.current == ImageKey("e.png")


def test_the_only_unlabelled_image_is_not_its_own_next() -> None:
    session = session_of("a.png", "b.png")
    apply(session, [labelled("b.png", 1)])
    assert not session.next_unlabelled(wrap=True)


def test_what_is_had_ready_lies_where_the_person_is_going() -> None:
    session = session_of(*FIVE)
    assert session.neighbours(2, 1) == [1, 2]
    session.move(2)
    assert session.neighbours(3, 1) == [3, 4, 1]
    session.move(1)
    session.move(-1)
    assert session.neighbours(3, 1) == [1, 0, 3]


def test_an_image_that_is_not_shown_is_revealed_by_showing_all() -> None:
    session = session_of(*FIVE)
    session.set_filter(Filter(text="a"))
    assert session.reveal(3)
    assert (session.current_row, session.filter) == (3, Filter())
    session.set_filter(Filter(text="png"))
    assert not session.reveal(1)
    assert (session.current_row, session.filter.text) == (1, "png")


def test_images_found_meanwhile_join_at_the_end_without_moving() -> None:
    session = session_of("a/1.png", "a/2.png")
    session.set_filter(Filter(text="2"))
    extend(session, ["b/2.png", "b/3.png"])
    extend(session, [])
    assert shown(session) == ["a/2.png", "b/2.png"]
    assert session.current == ImageKey("a/2.png")
    session.set_filter(Filter(folder="b"))
    extend(session, ["b/4.png", "c/5.png"])
    assert shown(session) == ["b/2.png", "b/3.png", "b/4.png"]


def test_the_first_image_found_becomes_the_current_one() -> None:
    session = LabelSession(Listing())
    extend(session, ["a.png"])
    assert session.current == ImageKey("a.png")
    extend(session, ["b.png"])
    assert session.current == ImageKey("a.png")


def test_another_listing_keeps_image_labels_and_what_is_shown() -> None:
    session = session_of("b.tif", "c.png", "d.png", "e.png")
    apply(session, [labelled("c.png", 1), labelled("d.png", 2)])
    session.set_problem(3, "It is cut short.")
    session.toggle(2)
    session.go_to(2)
    session.replace_listing(listing_of("a.png", "b.tif", "d.png", "e.png", frames={"b.tif": 2}))
    assert session.current == ImageKey("d.png")
    assert [str(key.frame) + key.path for key in keys_of(session.listing)] == [
        "0a.png", "0b.tif", "1b.tif", "0d.png", "0e.png",
    ]  # fmt: skip
    assert shown(session) == ["a.png", "b.tif", "b.tif", "d.png", "e.png"]
    assert session.counts.by_class == {1: 0, 2: 1, 5: 0}
    assert session.counts.missing == 1
    assert session.state_of(4).problem == "It is cut short."
    assert session.selected_keys()() == [ImageKey("d.png")]
    session.replace_listing(listing_of("c.png"))
    assert (session.counts.by_class[1], session.counts.missing) == (1, 1)


def test_the_same_images_with_other_times_change_nothing_but_the_times() -> None:
    session = session_of(*FIVE)
    session.set_filter(Filter("unlabelled"))
    apply(session, [labelled("b.png", 1)])
    session.go_to(1)
    files = [ImageFile(path, 1, 100 - number) for number, path in enumerate(FIVE)]
    session.replace_listing(listing_of_files(files))
    assert (shown(session), session.current, session.counts.by_class[1]) == (list(FIVE), ImageKey("b.png"), 1)
    session.set_order("time")
    assert shown(session) == ["e.png", "d.png", "c.png", "a.png"]


@pytest.mark.parametrize(("gone", "then"), [("c.png", "d.png"), ("e.png", "d.png"), ("a.png", "c.png")])
def test_where_the_image_is_gone_the_next_one_takes_its_place(gone: str, then: str) -> None:
    session = session_of(*FIVE)
    session.go_to(2 if gone == "a.png" else FIVE.index(gone))
    session.replace_listing(listing_of(*(path for path in FIVE if path != gone)))
    assert session.current == ImageKey(then)


def test_another_listing_does_not_take_labelled_images_from_under_the_hands() -> None:
    session = session_of(*FIVE)
    session.set_filter(Filter("unlabelled"))
    apply(session, [labelled("a.png", 1)])
    session.replace_listing(listing_of("Z.png", *FIVE, "f.png"))
    assert shown(session) == ["Z.png", *FIVE, "f.png"]
    session.set_order("name", reverse=True)
    session.go_to(2)
    session.replace_listing(listing_of("Y.png", "Z.png", *FIVE, "f.png"))
    assert shown(session) == ["f.png", "e.png", "d.png", "c.png", "b.png", "Z.png", "Y.png"]
    assert session.current == ImageKey("b.png")
    session.set_order("confidence")
    session.replace_listing(listing_of("X.png", "Y.png", "Z.png", *FIVE))
    assert shown(session)[-1] == "X.png"


def test_a_place_found_out_in_a_thread_before_more_came_is_found_out_anew() -> None:
    session = session_of("a.png")
    new = listing_of("0.png", "a.png", "b.png")
    placed = new.rows_from(session.listing)
    extend(session, ["b.png"])
    apply(session, [labelled("b.png", 1)])
    session.replace_listing(new, placed)
    assert session.counts.by_class[1] == 1
    assert session.state_of(2).image_class is not None


def test_all_images_may_be_gone() -> None:
    session = session_of(*FIVE)
    apply(session, [labelled("a.png", 1)])
    session.replace_listing(Listing())
    assert (session.current, len(session.view), session.counts.missing) == (None, 0, 1)
    session.replace_listing(listing_of(*FIVE))
    assert (session.current, session.counts.missing, session.counts.by_class[1]) == (ImageKey("a.png"), 0, 1)


def test_marked_images_are_those_between_two_places_of_the_view() -> None:
    session = session_of(*FIVE)
    suggest(session, a=(1, 0.5), b=(1, 0.4), c=(1, 0.3), d=(1, 0.2), e=(1, 0.1))
    session.set_order("confidence")
    session.select_range(0, 2)
    assert session.selected.tolist() == [0, 1, 2]
    session.toggle(1)
    session.toggle(4)
    assert [session.is_selected(row) for row in range(5)] == [True, False, True, False, True]
    assert session.selected_count == 3
    assert session.selected_keys()() == [ImageKey("a.png"), ImageKey("c.png"), ImageKey("e.png")]
    session.clear_selection()
    assert session.selected_count == 0


def test_what_a_filter_hides_is_not_marked_any_more() -> None:
    """Bulk actions say how many: nothing that cannot be seen is among them."""
    session = session_of(*FIVE)
    session.select_range(4, 0)
    session.set_filter(Filter(text="b"))
    assert session.selected_keys()() == [ImageKey("b.png")]
    session.select_range(0, 1)  # one of them is not shown
    assert session.selected_count == 1


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_walk_stays_within_what_is_shown(data: st.DataObject) -> None:
    session = session_of(*FIVE)
    names = ["f.png", "g.png", "h.png"]
    for _ in range(data.draw(st.integers(0, 12))):
        step = data.draw(
            st.sampled_from(["move", "label", "filter", "order", "extend", "replace", "next", "reveal"])
        )
        if step == "move":
            session.move(data.draw(st.integers(-6, 6)))
        elif step == "label" and session.current:
            apply(session, [labelled(session.current.path, data.draw(st.sampled_from([None, 1, 2, 5])))])
        elif step == "filter":
            session.set_filter(
                Filter(data.draw(st.sampled_from(STATES)), text=data.draw(st.sampled_from(["", "a", "g"])))
            )
        elif step == "order":
            session.set_order(data.draw(st.sampled_from(ORDERS)), reverse=data.draw(st.booleans()))
        elif step == "extend" and names:
            extend(session, [names.pop()])
        elif step == "replace":
            listed = [key.path for key in keys_of(session.listing)]
            session.replace_listing(
                listing_of(*data.draw(st.permutations(listed))[: data.draw(st.integers(0, 8))])
            )
            names = [name for name in names if session.listing.row(ImageKey(name)) is None]
        elif step == "next":
            session.next_unlabelled(backwards=data.draw(st.booleans()), wrap=data.draw(st.booleans()))
        elif step == "reveal" and len(session.listing):
            row = data.draw(st.integers(0, len(session.listing) - 1))
            session.reveal(row)
            assert session.current_row == row
        view = session.view.tolist()
        assert len(set(view)) == len(view)
        assert all(0 <= row < len(session.listing) for row in view)
        assert (session.position is None) == (not view)
        if session.position is not None:
            assert view[session.position] == session.current_row
        assert session.counts.labelled + session.counts.unlabelled == len(session.listing)


def test_only_chosen_images_are_shown_and_those_that_are_gone_are_passed_over() -> None:
    session = session_of(*FIVE)
    session.set_filter(Filter(among=(ImageKey("c.png"), ImageKey("gone.png"), ImageKey("a.png"))))
    assert shown(session) == ["a.png", "c.png"]


def test_suggestions_by_row_take_the_place_of_those_before_and_keep_what_is_shown() -> None:
    session = LabelSession(Listing(arrays_of(["a.png", "b.png", "c.png"])))
    classes = [ImageClass(4, "round", "#112233", "1", 0), ImageClass(7, "flat", "#445566", "2", 1)]
    list(session.load_in_steps(classes, {}, {}))
    gone = ModelSuggestions(
        "net", ("flat",), [ImageKey("gone.png")], np.zeros(1, np.int32), np.ones(1, np.float32)
    )
    session.set_suggestions(gone)
    session.set_filter(Filter("suggested"))
    assert len(session.view) == 0

    def update(numbers: list[int], *, is_other: bool) -> list[int]:
        sure = np.full(len(numbers), 0.8, np.float32)
        return session.update_suggestions(
            "live", [4, 7], np.array(numbers, np.int32), sure, is_other=is_other
        ).tolist()

    assert update([1, 2], is_other=True) == [0, 1]  # of the third nothing is known yet
    assert session.view.tolist() == [0, 1]
    assert update([1, 1, 2], is_other=False) == [1, 2]
    assert session.view.tolist() == [0, 1]  # until the filter is chosen again
    state = session.state_of(2)
    assert state.suggestion is not None and state.suggestion.name == "flat" and session.model == "live"
    session.append(arrays_of(["gone.png"]))
    assert session.state_of(3).suggestion is None  # that of the model before
