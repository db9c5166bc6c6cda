"""Which images count as seen: those that were on the screen long enough to be read, with what was suggested then."""

from mia_tui.dataset.model import ImageKey
from mia_tui.tui.controller.seen import SeenImages

ONE, TWO = ImageKey("one.png"), ImageKey("two.png")


def test_an_image_counts_as_seen_once_it_was_on_the_screen_long_enough() -> None:
    seen = SeenImages()
    seen.look({ONE: 1}, 0.0)
    assert not seen.was_seen(ONE, 1)
    seen.look({ONE: 1}, 0.1)
    assert not seen.was_seen(ONE, 1)
    seen.look({TWO: 1}, 0.2)  # a page further
    assert seen.was_seen(ONE, 1) and not seen.was_seen(TWO, 1)
    assert seen.keys == [ONE]


def test_a_page_that_is_only_passed_is_not_seen() -> None:
    seen = SeenImages()
    seen.look({ONE: 1}, 0.0)
    seen.look({TWO: 1}, 0.05)
    seen.look({TWO: 1}, 1.0)
    assert seen.keys == [TWO]


def test_an_image_is_not_seen_with_another_suggestion_than_it_had_on_the_screen() -> None:
    seen = SeenImages()
    seen.look({ONE: 1}, 0.0)
    seen.look({ONE: 2}, 1.0)  # the model has learned: that was not read yet
    assert seen.was_seen(ONE, 1) and not seen.was_seen(ONE, 2)
    seen.look({}, 2.0)
    assert seen.was_seen(ONE, 2) and not seen.was_seen(ONE, 1)
