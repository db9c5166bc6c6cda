"""Slides, patients and the like, found by the names of files and folders."""

import random
import time
from collections.abc import Callable

import pytest

from mia_tui.dataset.model import ImageKey
from mia_tui.dataset.split.assignment import group_images
from mia_tui.dataset.split.name_groups import NameGroups, find_name_groups

CLASSES = ("round", "long", "square")
Name = Callable[[int, int, str], str]
"""A file's name by its group, its number in that, and its class."""


def labels_of(name: Name, groups: int = 12, each: int = 8) -> dict[ImageKey, int]:
    """Images of all classes in each group."""
    labels = {}
    for number in range(groups * each):
        group, place = number // each + 1, number % each + 1
        index = random.Random(number).randrange(len(CLASSES))
        labels[ImageKey(f"{name(group, place, CLASSES[index])}.png")] = index
    return labels


GROUPED: list[tuple[Name, str, str, str]] = [
    (lambda g, n, c: f"slide{g}_cell{n}", "slides", "slide1", "slide[0-9]+"),
    (lambda g, n, c: f"{c}/slide{g}_cell{n}", "slides", "slide1", "slide[0-9]+"),
    (lambda g, n, c: f"{c}_slide{g}_{n}", "slides", "slide1", "slide[0-9]+"),
    (lambda g, n, c: f"Slide{g:02}Cell{n}", "slides", "Slide01", "Slide[0-9]+"),
    (lambda g, n, c: f"patient_{g:03}_img_{n}", "patients", "patient_001", "patient_[0-9]+"),
    (lambda g, n, c: f"{c}/Patient-{g} ({n})", "patients", "Patient-1", "Patient\\-[0-9]+"),
    (lambda g, n, c: f"donor{chr(64 + g)}_{n}", "donors", "donorA", "donor[A-Za-z]"),
    (lambda g, n, c: f"plate1_well_{chr(65 + g % 6)}{g:02}_{n}", "wells", "well_A06", "well_[A-Za-z]+[0-9]+"),
    (lambda g, n, c: f"exp1_mouse{g}_{n}", "mice", "mouse1", "mouse[0-9]+"),
    (lambda g, n, c: f"{c}/patient {g}/{n}", "patients", "patient 1", "patient [0-9]+"),
    (lambda g, n, c: f"patient{g}/slide{n % 3}_{n}", "patients", "patient1", "patient[0-9]+"),
    (lambda g, n, c: f"fov{g}_{n}", "fields of view", "fov1", "fov[0-9]+"),
    (
        lambda g, n, c: f"TCGA-A{g % 3}-A0{g:02}-01Z_{n}_{n}",
        "patients",
        "TCGA-A0-A003",
        "TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}",
    ),
    (lambda g, n, c: f"P{g}_{n:03}", "groups", "P1", "(?:^|/)([A-Za-z0-9]+)_[^/]*$"),
    (lambda g, n, c: f"{10250 + g}_idx5_x{n * 50}_y{n}_{c}", "groups", "10251", "(?:^|/)([0-9]+)_[^/]*$"),
    (lambda g, n, c: f"{c}/img_{g:04}_{n}", "groups", "img_0001", "(?:^|/)(img_[0-9]+)_[^/]*$"),
    (
        lambda g, n, c: f"SOB_{c[0]}-14-{22549 + g}AB-40-{n:03}",
        "groups",
        "SOB_l-14-22550AB",
        "(?:^|/)(SOB_[A-Za-z0-9]+-14-[A-Za-z0-9]+)-[^/]*$",
    ),
]


@pytest.mark.parametrize(
    ("name", "noun", "example", "pattern"), GROUPED, ids=[example for _, _, example, _ in GROUPED]
)
def test_names_that_look_like_slides_or_patients_are_found(
    name: Name, noun: str, example: str, pattern: str
) -> None:
    labels = labels_of(name)
    found = find_name_groups(labels)
    assert found is not None
    assert (found.noun, found.example, found.pattern) == (noun, example, pattern)
    groups = group_images(labels, group_by=found.pattern)
    assert len(set(groups.values())) == found.count


UNGROUPED: list[Name] = [
    lambda g, n, c: f"img_{g * 8 + n:04}",
    lambda g, n, c: f"cell_{g * 8 + n:04}",
    lambda g, n, c: f"{c}/cell{g * 8 + n}",
    lambda g, n, c: f"{c}_{g * 8 + n:03}",
    lambda g, n, c: f"{CLASSES.index(c)}_{g * 8 + n:05}",
    lambda g, n, c: f"sample_{g * 8 + n}",
    lambda g, n, c: f"{c}/patient{g * 8 + n}",
    lambda g, n, c: f"IMG_202401{g:02}_1234{n:02}",
    lambda g, n, c: f"Image_2024-01-{g:02}_12-30-{n:02}",
    lambda g, n, c: f"tile_{g}_{n}",
    lambda g, n, c: f"x{g}_y{n}",
    lambda g, n, c: f"scan_row{g}_col{n}",
    lambda g, n, c: (
        f"{random.Random(g * 8 + n).getrandbits(64):016x}-{random.Random(n).getrandbits(32):08x}-{g}{n}"
    ),
    lambda g, n, c: f"DSC0{g * 8 + n:04}",
    lambda g, n, c: f"{c}ca{g * 8 + n}",
    lambda g, n, c: f"IMG_{g * 8 + n:04} copy",
    lambda g, n, c: f"Im{g * 8 + n:03}_{CLASSES.index(c)}",
    lambda g, n, c: f"class{CLASSES.index(c)}/{g * 8 + n}",
]


@pytest.mark.parametrize("name", UNGROUPED, ids=lambda name: name(7, 3, "round"))
def test_names_that_only_count_images_or_repeat_the_class_are_no_groups(name: Name) -> None:
    found = find_name_groups(labels_of(name))
    assert found is None, found


def test_few_groups_are_no_groups_and_two_images_in_all_are_none() -> None:
    assert find_name_groups(labels_of(GROUPED[0][0], groups=2)) is None
    assert find_name_groups(labels_of(GROUPED[0][0], groups=1, each=2)) is None
    assert find_name_groups({}) is None


def test_a_few_other_names_among_them_do_not_matter() -> None:
    labels = labels_of(GROUPED[0][0]) | {ImageKey(f"other{n}.png"): 0 for n in range(9)}
    assert find_name_groups(labels) == NameGroups(12, "slides", "slide1", "slide[0-9]+")
    labels |= {ImageKey(f"another{n}.png"): 0 for n in range(30)}
    assert find_name_groups(labels) is None


def test_a_slide_of_each_class_that_holds_nothing_else_is_the_class() -> None:
    labels = {ImageKey(f"slide{n % 3}_{n}.png"): n % 3 for n in range(60)}
    assert find_name_groups(labels) is None


def test_of_very_many_images_all_groups_are_counted() -> None:
    labels = {ImageKey(f"slide{n // 10}_{n}.png"): n % 3 for n in range(100_000)}
    found = find_name_groups(labels)
    assert found is not None
    assert found.count == 10_000


@pytest.mark.parametrize(
    ("noun", "one"),
    [("mice", "mouse"), ("patients", "patient"), ("fields of view", "field of view"), ("groups", "group")],
)
def test_one_of_them_has_a_name(noun: str, one: str) -> None:
    assert NameGroups(3, noun, "", "").one == one


@pytest.mark.parametrize("gap", [" (", "(", ")", "[", "+", "|", "$", "\\", "(?", ".*", "{2}", "[[:", "\n"])
def test_signs_in_names_are_no_part_of_a_pattern(gap: str) -> None:
    labels = labels_of(lambda g, n, c: f"P{g}{gap}{n:03})")
    found = find_name_groups(labels)
    assert found is not None
    groups = group_images(labels, group_by=found.pattern)
    assert {name.removesuffix(f"{gap}001).png") for name in groups.values()} == {
        f"P{g}" for g in range(1, 13)
    }


def test_names_of_many_dates_and_numbers_are_read_quickly() -> None:
    dates = "_".join(f"202001{day:02}" for day in range(10, 30))
    labels = labels_of(lambda g, n, c: f"{dates}_{g}_{n}" if n > 1 else f"{dates}_{g}")
    labels |= labels_of(lambda g, n, c: "-".join(str(g * n * part % 97) for part in range(80)))
    begun = time.process_time()
    find_name_groups(labels)
    assert time.process_time() - begun < 5.0
