"""A page of look-alikes as such: guesses, letters, what is written; and the layout in which all of it is seen."""

from string import ascii_lowercase, ascii_uppercase

import numpy as np
import pytest

from mia_tui.active.pages import next_page
from mia_tui.active.suggester import Suggester
from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.terminal.model import Terminal
from mia_tui.tui.look_alikes import words
from mia_tui.tui.look_alikes.page import MOST, Guess, LookAlike, LookAlikePage, ranked, tile_letters
from mia_tui.tui.look_alikes.sources import owners_of
from mia_tui.tui.mosaic.layout import FRAME_COLUMNS, lay_out_at_once
from mia_tui.tui.widgets.ink import Ink

INK = Ink(Terminal(graphics="half", colours="true", cell_width_px=10, cell_height_px=20, cell_known=True))


def page(images: int = 3) -> LookAlikePage:
    guesses = (Guess(7, 0.9), Guess(8, 0.08), Guess(9, None))
    return LookAlikePage(7, [LookAlike(ImageKey(f"{number}.png"), guesses) for number in range(images)])


def test_the_class_of_the_page_is_the_first_guess_and_unknown_classes_are_the_last() -> None:
    known = [Guess(3, 0.2), Guess(1, 0.7), Guess(2, 0.1)]
    assert [guess.class_id for guess in ranked(3, known, others=[1, 2, 3, 4])] == [3, 1, 2, 4]
    assert ranked(5, []) == (Guess(5, None),)


def test_a_letter_leads_through_all_guesses_to_none_and_back() -> None:
    shown = page()
    assert [shown.next_class(1) for _ in range(4)] == [8, 9, None, 7]
    assert shown.class_of(0) == shown.class_of(2) == 7


def test_a_class_by_its_key_comes_before_the_guesses_until_the_letter_is_pressed() -> None:
    shown = page()
    shown.give([0, 1], 42)
    assert (shown.class_of(0), shown.probability_of(0)) == (42, None)
    assert shown.next_class(0) == 8
    shown.take_back(0)
    assert shown.class_of(0) == 42


def test_what_is_written_tells_taken_from_corrected_and_leaves_the_rest() -> None:
    shown = page(6)
    shown.next_class(0)
    shown.leave_out(1)
    shown.toggle_mark(2)
    shown.give([3], 7)
    taken, corrected = shown.labels(leave_out={4})
    assert [key.path for key in taken] == ["3.png", "5.png"]
    assert [(key.path, class_id) for key, class_id in corrected] == [("0.png", 8)]
    assert not shown.is_untouched and page().is_untouched


def test_left_out_twice_is_taken_again() -> None:
    shown = page()
    assert shown.leave_out(0) and shown.class_of(0) is None
    assert not shown.leave_out(0) and shown.class_of(0) == 7


def test_a_smaller_page_keeps_its_first_images_and_the_cursor_on_them() -> None:
    shown = page(6)
    shown.move_to(5)
    shown.marked = {1, 5}
    shown.cut(4)
    assert (len(shown), shown.position, shown.marked) == (4, 3, {1})
    shown.cut(10)
    assert len(shown) == 4


@pytest.mark.parametrize(
    ("keys", "letters"),
    [
        ("123", ascii_lowercase[:MOST]),
        ("12ab", ascii_lowercase[2:]),
        ("1abc", ascii_uppercase[:MOST]),
        (ascii_lowercase + "A", ascii_uppercase[1:25]),
    ],
)
def test_no_tile_has_the_key_of_a_class(keys: str, letters: str) -> None:
    found = tile_letters(MOST, set(keys))
    assert found == letters and not set(found) & set(keys)


def test_where_most_letters_belong_to_classes_the_others_are_used_up() -> None:
    assert tile_letters(MOST, set(ascii_lowercase + ascii_uppercase[4:])) == "ABCD"
    assert tile_letters(5, set(ascii_lowercase[:20])) == "uvwxy"


@pytest.mark.parametrize("size", [(80, 19), (120, 35), (200, 55), (40, 12), (300, 80)])
@pytest.mark.parametrize("shape", [0.7, 1.0, 2.0])
def test_all_tiles_of_a_page_fit_and_their_pictures_are_large_enough(
    size: tuple[int, int], shape: float
) -> None:
    layout = lay_out_at_once(*size, MOST, 64, (10, 20), shape)
    assert layout.lines * layout.line_rows <= size[1]
    assert layout.x(layout.per_line - 1) + layout.columns <= size[0]
    width, height = layout.panel.box_px
    seen = min(height, width / shape)
    assert min(seen, seen * shape) >= 0.9 * 64 or layout.count <= 2
    assert layout.count >= MOST or lay_out_at_once(*size, MOST, 1, (10, 20), shape).count > layout.count


def test_a_window_of_no_size_has_a_layout_too() -> None:
    for size in ((1, 1), (5, 2), (11, 3)):
        layout = lay_out_at_once(*size, MOST, 64, (10, 20), 1.0)
        assert layout.count >= 1 and layout.columns >= FRAME_COLUMNS + 1


def test_rows_of_features_find_their_images_among_those_that_may_be_shown() -> None:
    places = np.array([4, -1, 0, 2], np.int32)
    rows = np.array([0, 1, 3, 9], np.int32)
    assert owners_of(places, rows, 4).tolist() == [-1, -1, 3, -1], "row 0 lies behind the end, row 9 is new"


def test_a_page_of_what_was_learned_has_the_surest_images_first() -> None:
    random = np.random.default_rng(0)
    of = np.arange(60) % 3
    suggester = Suggester(12)
    suggester.add(
        (np.repeat(np.eye(3), 4, axis=1)[of] * 4 + random.normal(0, 1, (60, 12))).astype(np.float16)
    )
    learned = suggester.learn(np.arange(12, dtype=np.int32), (of[:12] + 1).astype(np.int32))
    found = next_page(learned, np.ones(60, np.bool_), 8)
    assert found is not None
    assert (np.diff(learned.confidences[found.rows]) <= 1e-6).all()


def test_the_title_says_the_class_how_many_and_how_sure() -> None:
    image_class = ImageClass(7, "neutrophil", "#e69f00", "3", 0)
    shown = page(2)
    for left, said in (
        (0, "2 look-alikes"),
        (2, "2 look-alikes, the last"),
        (2310, "2 of 2,310 look-alikes"),
    ):
        pieces = words.title(shown, image_class, left, INK)
        assert "".join(text for text, _ in pieces) == f" 3  neutrophil?  {said}, 90%"
    shown.images = (shown.images[0], LookAlike(ImageKey("b"), (Guess(7, 0.99),)))
    assert words.how_sure(shown) == "90-99%"
    like = LookAlikePage(7, shown.images, ImageKey("folder/cell.png"))
    assert "2 most like folder/cell.png" in "".join(
        text for text, _ in words.title(like, image_class, 0, INK)
    )


def test_keys_an_image_are_said_once_something_was_labelled() -> None:
    assert words.progress(612, 1149, 10, 0) == "612 of 1,149 labelled"
    assert words.progress(612, 1149, 60, 500) == "612 of 1,149 labelled, 0.12 keys an image"


@pytest.mark.parametrize("columns", [10, 40, 60, 120])
def test_the_hint_always_says_what_takes_the_page(columns: int) -> None:
    pieces = words.hint("abcdef", "1-8", 0, "Enter", 24, columns, INK)
    text = "".join(text for text, _ in pieces)
    assert text.endswith("Enter takes 24") and (len(text) <= columns or columns == 10)


def test_classes_of_few_labels_are_warned_of() -> None:
    names = ((1, "round"), (2, "flat"))
    round_cell, flat = (ImageClass(number, name, "#000000", None, number) for number, name in names)
    assert words.rare_classes([round_cell, flat], {1: 5, 2: 9}, INK) == ""
    assert words.rare_classes([round_cell, flat], {1: 4, 2: 0}, INK) == "few labels of round: look twice"
    assert "2 classes" in words.rare_classes([round_cell, flat], {1: 1, 2: 1}, INK)
