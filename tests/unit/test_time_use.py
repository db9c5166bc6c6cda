import pytest

from mia_tui.runs.list.words import start_words, time_used_words
from mia_tui.runs.record.events import StartTimed, TimeUsed
from mia_tui.runs.record.time_use import bottleneck, bottleneck_sentence, shares, shares_words


def test_shares_add_up_and_the_largest_comes_first() -> None:
    seconds = {"saving": 1.0, "computing": 6.0, "images": 3.0, "validating": 0.0}
    assert shares(seconds) == {"computing": 0.6, "images": 0.3, "saving": 0.1}
    assert list(shares(seconds)) == ["computing", "images", "saving"]
    assert shares_words({**seconds, "starting": 0.01}) == "computing 60%, waiting for images 30%, saving 10%"


def test_parts_of_other_versions_count_as_others() -> None:
    assert shares({"computing": 1.0, "dreaming": 1.0}) == {"computing": 0.5, "other": 0.5}
    assert shares({}) == {}


@pytest.mark.parametrize(
    ("seconds", "part"),
    [
        ({"computing": 6.0, "images": 3.0, "augmenting": 1.0}, "images"),
        ({"computing": 5.0, "images": 2.0, "augmenting": 3.0}, "augmenting"),
        ({"computing": 9.0, "images": 1.0}, "computing"),
        ({"computing": 1.0, "other": 9.0}, None),
        ({}, None),
    ],
)
def test_the_bottleneck_is_the_largest_part_that_can_be_saved_otherwise_computing(
    seconds: dict[str, float], part: str | None
) -> None:
    assert bottleneck(seconds) == part


@pytest.mark.parametrize(
    ("seconds", "images_in", "on_cpu", "words"),
    [
        (
            {"computing": 59.0, "images": 41.0},
            "none",
            True,
            "41% of the time was spent waiting for images: they are ",
        ),
        ({"computing": 59.0, "images": 41.0}, "none", True, "--cache disk"),
        ({"computing": 59.0, "images": 41.0}, "disk", False, "--cache ram"),
        ({"computing": 59.0, "images": 41.0}, "ram", False, "decoded once"),
        ({"computing": 9.0}, "ram", True, "100% of the time was spent computing: a GPU"),
        ({"computing": 9.0}, "device", False, "the GPU is busy"),
        ({"augmenting": 9.0}, "ram", True, "or a GPU"),
        ({"augmenting": 9.0}, "ram", False, "fewer augmentations would"),
        ({"validating": 9.0}, "ram", True, "--val-fraction"),
        ({"saving": 9.0}, "ram", True, "--state"),
        ({"starting": 9.0}, "ram", True, "the longer the run"),
    ],
)
def test_the_sentence_names_the_bottleneck_and_the_way_out(
    seconds: dict[str, float], images_in: str, on_cpu: bool, words: str
) -> None:
    sentence = bottleneck_sentence(seconds, images_in=images_in, on_cpu=on_cpu)
    assert words in sentence and sentence.endswith(".")


def test_where_nothing_was_measured_nothing_is_said() -> None:
    assert bottleneck_sentence({}, images_in="ram", on_cpu=True) == ""
    assert time_used_words(TimeUsed(t=1.0, seconds={}, sentence="")) == ""


def test_start_and_time_use_in_words() -> None:
    start = StartTimed(t=1.0, total_s=4.06, parts={"settings": 0.5, "libraries": 2.44})
    assert start_words(start) == "4.1 s to the first step: settings 0.5 s, libraries 2.4 s"
    used = TimeUsed(t=1.0, seconds={"computing": 3.0, "saving": 1.0}, sentence="Look here.")
    assert time_used_words(used) == "of 0:04 with the start: computing 75%, saving 25%. Look here."
