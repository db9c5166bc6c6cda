"""Which images a person can choose to do something with."""

from pathlib import Path

import pytest
from labels_support import draw

from mia_tui.dataset.model import ImageClass, ImageKey
from mia_tui.dataset.scan.incremental import list_images
from mia_tui.dataset.session.filters import Filter
from mia_tui.dataset.session.image_choice import ImageChoice, image_choices
from mia_tui.dataset.session.session import LabelSession
from mia_tui.dataset.store.records import Label


@pytest.fixture
def session(tmp_path: Path) -> LabelSession:
    """Four images, the first with a label."""
    draw(tmp_path, *(f"{number}.png" for number in range(4)))
    found = list_images(tmp_path)
    assert found is not None
    session = LabelSession(found.listing)
    classes = [ImageClass(1, "round", "#ff0000", "1", 0)]
    for _ in session.load_in_steps(classes, {ImageKey("0.png"): Label(1, "ann", "person", 1.0)}, {}):
        pass
    return session


def words_and_counts(choices: list[ImageChoice]) -> list[tuple[str, int]]:
    return [(choice.words, choice.count) for choice in choices]


def test_all_and_the_unlabelled_ones_can_be_chosen(session: LabelSession) -> None:
    choices = image_choices(session, "")
    assert words_and_counts(choices) == [("all images", 4), ("images without a label", 3)]
    assert choices[0].keys is None
    assert choices[1].keys is not None
    assert choices[1].keys() == [ImageKey(f"{number}.png") for number in (1, 2, 3)]


def test_those_of_the_filter_can_be_chosen_in_the_order_of_the_dataset(session: LabelSession) -> None:
    session.set_filter(Filter(among=(ImageKey("3.png"), ImageKey("0.png"))))
    session.set_order("name", reverse=True)
    choices = image_choices(session, "some")
    assert words_and_counts(choices)[2] == ("images shown (some)", 2)
    assert choices[2].keys is not None
    assert choices[2].keys() == [ImageKey("0.png"), ImageKey("3.png")]


def test_a_choice_without_an_image_or_with_all_of_them_is_left_out(session: LabelSession) -> None:
    session.set_filter(Filter(text="nothing"))
    assert words_and_counts(image_choices(session, "nothing"))[2:] == []
    session.set_filter(Filter(text=".png"))
    assert words_and_counts(image_choices(session, ".png"))[2:] == []
