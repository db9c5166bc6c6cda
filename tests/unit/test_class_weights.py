"""What each class counts in the loss."""

import math

import pytest

from mia_tui.config.train.class_weights import class_weight_values, parse_class_weights
from mia_tui.errors import ConfigError

NAMES = ["lymphocyte", "neutrophil", "mono, large", "a=b"]


def mean_over_images(weights: list[float], counts: list[int]) -> float:
    return sum(w * n for w, n in zip(weights, counts, strict=True)) / sum(counts)


def values(spec: str, counts: list[int], beta: float = 0.999) -> list[float]:
    weights = class_weight_values(spec, counts, NAMES[: len(counts)], beta)
    assert weights is not None
    return weights


def test_none_is_no_weights() -> None:
    assert class_weight_values("none", [3, 1], NAMES[:2]) is None


def test_inverse_weights_make_every_class_count_the_same() -> None:
    weights = values("inverse", [90, 9, 1])
    assert [w * n for w, n in zip(weights, [90, 9, 1], strict=True)] == pytest.approx([100 / 3] * 3)
    assert mean_over_images(weights, [90, 9, 1]) == pytest.approx(1)


def test_square_root_weights_are_between_even_and_inverse_ones() -> None:
    counts = [90, 9, 1]
    weights = values("sqrt", counts)
    assert [w / weights[0] for w in weights] == pytest.approx([1, 10**0.5, 90**0.5])
    assert mean_over_images(weights, counts) == pytest.approx(1)


def test_effective_weights_follow_the_formula_of_the_paper() -> None:
    counts, beta = [5000, 500, 5], 0.99
    raw = [(1 - beta) / (1 - beta**n) for n in counts]
    weights = values("effective", counts, beta)
    assert [w / weights[0] for w in weights] == pytest.approx([r / raw[0] for r in raw])
    assert mean_over_images(weights, counts) == pytest.approx(1)


def test_effective_weights_become_inverse_ones_as_beta_goes_to_1_and_even_ones_as_it_goes_to_0() -> None:
    counts = [80, 20]
    assert values("effective", counts, 1 - 1e-12) == pytest.approx(values("inverse", counts), rel=1e-3)
    assert values("effective", counts, 1e-12) == pytest.approx([1, 1])


@pytest.mark.parametrize("spec", ["inverse", "sqrt", "effective"])
def test_a_class_without_images_weighs_1_and_changes_nothing_for_the_others(spec: str) -> None:
    assert values(spec, [80, 0, 20])[1] == 1
    assert values(spec, [80, 0, 20])[::2] == pytest.approx(values(spec, [80, 20]))
    assert values(spec, [0, 0]) == [1, 1]


def test_weights_by_hand_go_to_the_class_of_that_name_and_the_others_weigh_1() -> None:
    assert values("neutrophil=2.5, lymphocyte=0", [1, 1, 1]) == [0, 2.5, 1]
    assert parse_class_weights("neutrophil=2") == {"neutrophil": 2.0}


def test_names_with_commas_and_equal_signs_can_be_weighted() -> None:
    assert values("mono, large=3,a=b=4", [1, 1, 1, 1]) == [1, 1, 3, 4]


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ("invers", "Did you mean inverse"),
        ("heavy", "not none, inverse, sqrt, effective or NAME=WEIGHT"),
        ("neutrofil=2", "Did you mean neutrophil"),
        ("zzz=2", "The classes are lymphocyte, neutrophil"),
        ("neutrophil=-1", "no weight for the class 'neutrophil'"),
        ("neutrophil=nan", "no weight"),
        ("neutrophil=inf", "no weight"),
        ("neutrophil=much", "no weight"),
        ("neutrophil=", "no weight"),
        ("neutrophil=1,neutrophil=2", "twice"),
        ("neutrophil=1,lymphocyte", "'lymphocyte' has no weight"),
        ("lymphocyte=0,neutrophil=0", "every class weigh 0"),
    ],
)
def test_what_cannot_be_a_weight_is_refused_in_a_sentence(spec: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        class_weight_values(spec, [3, 2], NAMES[:2])
    assert sentence in str(caught.value)


def test_control_characters_of_a_class_name_do_not_reach_the_message() -> None:
    with pytest.raises(ConfigError) as caught:
        class_weight_values("evil\x1b[31m=1", [1], ["fine"])
    assert "\x1b" not in str(caught.value)


def test_weights_are_finite_for_huge_classes() -> None:
    assert all(math.isfinite(w) for w in values("effective", [10**9, 1], 0.999999))
