"""Draws of an audit, and which of them count together."""

from dataclasses import replace

import numpy as np

from mia_tui.dataset.listing.arrays import arrays_of
from mia_tui.dataset.listing.listing import Listing
from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.session.session import LabelSession
from mia_tui.dataset.session.suggested import ModelSuggestions
from mia_tui.dataset.store.review.audits import (
    AuditDraw,
    by_model,
    draws_of,
    live_model,
    model_words,
    together,
)
from mia_tui.dataset.store.review.records import AuditKind, AuditRow
from mia_tui.tui.review.audit import says_something


def drawn(at: float, count: int, answers: int, *, of: int = 100, kind: AuditKind = "label") -> list[AuditRow]:
    """Images of class 1, of which the first few were answered: the first as class 2."""
    rows = []
    for number in range(count):
        answer = None if number >= answers else 2 if number == 0 else 1
        image = ImageKey(f"{at}-{number}.png")
        rows.append(AuditRow(number, image, at, of, kind, 1, None, answer, None, None))
    return rows


def always(draw: AuditDraw) -> bool:
    return True


def test_draws_are_told_apart_by_their_time_and_kind() -> None:
    rows = drawn(5, 3, 2) + drawn(7, 4, 0) + drawn(7, 2, 2, kind="suggestion")
    newest, before = draws_of(rows, "label")
    assert (newest.drawn_at, len(newest.rows), len(newest.open)) == (7, 4, 4)
    assert (before.drawn_at, len(before.answered), before.right, len(before.open)) == (5, 2, 1, 1)
    assert [len(draw.rows) for draw in draws_of(rows, "suggestion")] == [2]


def test_current_draws_count_together_as_drawn_from_the_most() -> None:
    rows = drawn(5, 10, 10, of=100) + drawn(7, 8, 6, of=90) + drawn(9, 8, 0, of=80)
    found = together(draws_of(rows, "label"), always)
    assert found is not None
    assert (len(found.answered), found.right, found.drawn_from, found.drawn_at) == (16, 14, 100, 5)
    assert found.rows[0].image.path == "5-0.png"


def test_draws_are_grouped_by_the_model_whose_suggestions_they_audit() -> None:
    rows = [replace(row, model="live") for row in drawn(5, 3, 2)]
    rows += drawn(7, 4, 4) + [replace(row, model="live") for row in drawn(9, 2, 2)]
    found = by_model(draws_of(rows, "label"))
    assert {model: [draw.drawn_at for draw in draws] for model, draws in found.items()} == {
        "live": [9, 5],
        None: [7],
    }
    assert found["live"][0].model == "live"


def test_each_model_has_words() -> None:
    words = [model_words(model) for model in (None, "", "live", live_model("run 7"), "vgg16")]
    assert words == [
        "Suggestions (whose was not noted)", "Suggestions", "Live suggestions", "Live suggestions with run 7",
        "Suggestions of vgg16",
    ]  # fmt: skip


def test_draws_that_are_out_of_date_do_not_count_beside_a_current_one() -> None:
    rows = drawn(5, 10, 10, of=400) + drawn(7, 8, 6, of=90)
    found = together(draws_of(rows, "label"), lambda draw: draw.drawn_from < 100)
    assert found is not None and (len(found.answered), found.drawn_from) == (6, 90)


def test_the_newest_is_shown_alone_if_all_are_out_of_date() -> None:
    rows = drawn(5, 10, 10) + drawn(7, 8, 6)
    found = together(draws_of(rows, "label"), lambda draw: False)
    assert found is not None and len(found.answered) == 6


def test_without_an_answer_there_is_nothing_to_say() -> None:
    assert together(draws_of(drawn(5, 3, 0), "label"), always) is None
    assert together([], always) is None


def test_an_audit_of_the_suggestions_that_there_were_is_current_while_most_images_have_none() -> None:
    session = LabelSession(Listing(arrays_of([f"{number}.png" for number in range(90)])))
    for _ in session.load_in_steps([ImageClass(1, "round", "#112233", "1", 0)], {}, {}):
        pass
    keys = [ImageKey(f"{number}.png") for number in range(30)]
    found = ModelSuggestions("live", ("round",), keys, np.zeros(30, np.int32), np.full(30, 0.9, np.float32))
    session.set_suggestions(found)
    [audit] = draws_of(drawn(5, 3, 0, of=30, kind="suggestion"), "suggestion")
    assert says_something(audit, session)
    [audit] = draws_of(drawn(5, 3, 0, of=90, kind="suggestion"), "suggestion")
    assert not says_something(audit, session)
