import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.split.assignment import group_images
from mia_tui.errors import ConfigError


def members(groups):
    """Groups as a set of sets of images."""
    return {frozenset(key for key in groups if groups[key] == name) for name in groups.values()}


def test_frames_of_one_file_belong_together_and_other_images_stand_alone():
    keys = [ImageKey("s.tif", 0), ImageKey("s.tif", 1), ImageKey("a.png"), ImageKey("b.png")]
    assert members(group_images(keys)) == {frozenset(keys[:2]), frozenset(keys[2:3]), frozenset(keys[3:])}


def test_byte_identical_copies_belong_together():
    keys = [ImageKey("a.png"), ImageKey("copy of a.png"), ImageKey("b.png")]
    groups = group_images(keys, hashes={"a.png": "1", "copy of a.png": "1", "b.png": "2"})
    assert groups[keys[0]] == groups[keys[1]] != groups[keys[2]]


@pytest.mark.parametrize("pattern", ["slide([0-9]+)", "slide[0-9]+"])
def test_a_pattern_joins_images_that_agree_in_its_groups_or_in_its_match(pattern):
    keys = [
        ImageKey("x/slide1-a.png"),
        ImageKey("y/slide1-b.png"),
        ImageKey("slide10.png"),
        ImageKey("other.png"),
    ]
    groups = group_images(keys, group_by=pattern)
    assert members(groups) == {frozenset(keys[:2]), frozenset(keys[2:3]), frozenset(keys[3:])}


def test_groups_are_joined_across_kinds():
    keys = [ImageKey("1-a.png"), ImageKey("1-b.png"), ImageKey("2-a.png"), ImageKey("2-b.tif", 3)]
    groups = group_images(keys, group_by="^[0-9]", hashes={"1-b.png": "h", "2-a.png": "h"})
    assert set(groups.values()) == {"1-a.png"}


def test_a_pattern_that_is_no_regular_expression_is_refused_in_a_sentence():
    with pytest.raises(ConfigError, match="--group-by 'slide\\(' is not a regular expression"):
        group_images([ImageKey("a.png")], group_by="slide(")


@settings(deadline=None)  # a busy machine is no fault
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 4), st.integers(0, 6)), unique_by=lambda t: t[0]),
    st.randoms(),
)
def test_groups_do_not_depend_on_the_order_of_the_images(images, random):
    keys = [ImageKey(f"p{slide}/n{number}.png") for number, slide, _ in images]
    hashes = {f"p{slide}/n{number}.png": str(content) for number, slide, content in images if content}
    groups = group_images(keys, group_by="p[0-9]+", hashes=hashes)
    random.shuffle(keys)
    assert group_images(keys, group_by="p[0-9]+", hashes=hashes) == groups
    for one in keys:
        for other in keys:
            linked = one.path[:2] == other.path[:2] or hashes.get(one.path, 1) == hashes.get(other.path, 2)
            assert not linked or groups[one] == groups[other]
