"""Curves in characters: what is drawn where, what the axes say, what is left out."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

from mia_tui.text import shorten
from mia_tui.tui.runs.figures.text_plots import (
    LEAST_COLUMNS,
    LEAST_ROWS,
    Curve,
    Plot,
    Stroke,
    axis,
    draw,
    plain,
)

BLANK, FULL = 0x2800, 0x28FF


def curve(name: str, y: list[float], stroke: Stroke = "line", *, first: int = 1) -> Curve:
    return Curve(name, np.arange(first, first + len(y), dtype=float), np.array(y, float), stroke)


def plot(*curves: Curve, **changes: Any) -> Plot:
    return Plot("loss", "epoch", curves, **changes)


def drawn(
    *curves: Curve, columns: int = 60, rows: int = 12, unicode: bool = True, **changes: Any
) -> list[str]:
    return plain(draw(plot(*curves, **changes), columns, rows, unicode=unicode)).split("\n")


def field(lines: list[str], wall: str = "│┤") -> list[str]:
    """What stands right of the upright axis."""
    return [line[max(line.index(sign) for sign in wall if sign in line) + 1 :] for line in lines[1:-2]]


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize(("columns", "rows"), [(LEAST_COLUMNS, LEAST_ROWS), (60, 12), (133, 41)])
def test_a_drawing_has_exactly_the_size_that_was_asked_for(columns: int, rows: int, unicode: bool) -> None:
    many = curve("training", list(np.random.default_rng(1).random(3000)), "dashes")
    for curves in ([], [many], [curve("validation", [0.5]), many]):
        lines = drawn(*(curves or [curve("none", [])]), columns=columns, rows=rows, unicode=unicode)
        assert [len(line) for line in lines] == [columns] * rows


def test_without_unicode_every_character_is_ascii_and_curves_differ_by_their_letters() -> None:
    lines = drawn(
        curve("validation", [3, 2, 1]),
        curve("training", [1, 1, 1], "dashes"),
        unicode=False,
        mark=(2, "best"),
    )
    assert all(line.isascii() for line in lines)
    assert "** validation 1" in lines[0] and "oo training 1" in lines[0]
    assert "*" in lines[1] and "o" in lines[9]


def test_a_falling_curve_falls_from_the_first_corner_to_the_last() -> None:
    cells = field(drawn(curve("validation", [1.0, 0.0]), columns=60))
    assert cells[0][0] != " " and cells[-1][-1] != " "
    assert cells[0][-1] == " " and cells[-1][0] == " "
    for row in cells:
        assert row.strip(), "a line has no holes"


def test_training_is_dashed_where_validation_is_whole() -> None:
    flat = [0.5] * 2
    whole = "".join(field(drawn(curve("validation", flat))))
    dashed = "".join(field(drawn(curve("training", flat, "dashes"))))
    assert 0 < len(dashed.replace(" ", "")) < 0.8 * len(whole.replace(" ", ""))


def test_a_curve_of_very_many_epochs_is_still_dashed() -> None:
    dashed = "".join(field(drawn(curve("training", list(np.linspace(1, 0, 1000)), "dashes"))))
    whole = "".join(field(drawn(curve("validation", list(np.linspace(1, 0, 1000))))))
    assert dashed.count(" ") > whole.count(" ")


def test_a_single_epoch_is_a_dot() -> None:
    cells = "".join(field(drawn(curve("validation", [0.25]))))
    assert [bin(ord(sign) - BLANK).count("1") for sign in cells if sign != " "] == [1]


def test_values_that_are_no_numbers_are_left_out_and_counted() -> None:
    lines = drawn(curve("validation", [1.0, math.nan, math.inf, -math.inf, 0.5]))
    assert "loss, 3 left out" in lines[0]
    assert "1.0" in lines[1] + lines[2]
    assert "inf" not in "".join(lines[1:])


def test_without_any_number_it_says_that_there_is_nothing() -> None:
    for values in ([], [math.nan], [math.inf, math.nan]):
        assert "nothing to draw yet" in "".join(drawn(curve("validation", values)))


def test_a_logarithmic_scale_has_even_steps_from_ten_to_ten_and_leaves_out_what_is_not_positive() -> None:
    lines = drawn(curve("validation", [100, 10, 1, 0.1, 0.0, -1.0]), rows=16, log=True)
    assert "loss, log scale, 2 left out" in lines[0]
    rows = [row for row, line in enumerate(lines) if "┤" in line]
    labels = [lines[row].split("┤")[0].strip() for row in rows]
    assert labels == ["100", "10", "1", "0.1"]
    assert {below - above for above, below in itertools.pairwise(rows)} == {4}


@pytest.mark.parametrize("unicode", [True, False])
def test_the_marked_epoch_is_pointed_out_below_it(unicode: bool) -> None:
    lines = drawn(curve("validation", [3, 2, 1, 2, 3]), columns=60, unicode=unicode, mark=(3, "best"))
    foot, pointer = lines[-2], "▲" if unicode else "^"
    assert "best" in foot
    first = foot.index("└" if unicode else "+") + 1
    assert abs(foot.index(pointer) - (first + (60 - first) / 2)) <= 1


@pytest.mark.parametrize("unicode", [True, False])
def test_lines_that_lie_on_each_other_take_turns(unicode: bool) -> None:
    three = [curve(name, [1, 1]) for name in "abc"]
    pieces = draw(plot(*three), 60, 12, unicode=unicode)
    [line] = [line for line in pieces[1:] if {0, 1, 2} <= {who for _, who in line}]
    shares = [sum(len(text) for text, who in line if who == number) for number in range(3)]
    assert max(shares) - min(shares) <= 4


def test_single_steps_lie_below_their_mean() -> None:
    pieces = draw(plot(curve("mean", [1, 1]), curve("step", [1, 1], "dots")), 60, 12, unicode=True)
    assert {who for line in pieces[1:] for _, who in line} == {None, 0}


@pytest.mark.parametrize("unicode", [True, False])
def test_the_best_epoch_is_marked_on_the_curve_and_its_figure_stands_on_the_axis(unicode: bool) -> None:
    falling = curve("validation", [3, 2, 1, 2, 3])
    lines = drawn(falling, columns=60, unicode=unicode, mark=(3, "best 1.0000, epoch 3"))
    assert "best 1.0000, epoch 3" in lines[-2]
    [marked] = [line for line in lines[1:-2] if ("◆" if unicode else "@") in line]
    assert marked == lines[-3], "the lowest value lies on the lowest row"
    assert "best 1.0000-" in drawn(falling, columns=40, unicode=False, mark=(3, "best 1.0000, epoch 3"))[-2]


def test_in_little_room_the_heading_drops_values_then_letters() -> None:
    curves = curve("validation", [0.12345]), curve("training", [0.5], "dashes")
    assert "validation 0.1235" in drawn(*curves, columns=60)[0]
    assert drawn(*curves, columns=36)[0].rstrip() == "loss  ━━ validation  ╍╍ training"
    long = Plot("balanced_accuracy", "epoch", curves)
    assert (
        plain(draw(long, 36, 12, unicode=True)).split("\n")[0].rstrip()
        == "balanced_accuracy  ━━ valid  ╍╍ trai"
    )


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (0, 1),
        (1e-9, 2e-9),
        (-3, 5),
        (0.1, 0.1),
        (0, 0),
        (1e12, 3e12),
        (1, 200_000),
        (-1e-300, 1e-300),
        (5, 5.0000001),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_an_axis_has_round_numbers_within_its_ends(low: float, high: float, whole: bool) -> None:
    made = axis(low, high, 5, whole=whole)
    assert made.low < made.high and made.low <= low and high <= made.high
    assert all(0 <= share <= 1 for share in made.shares)
    assert len(set(made.labels)) == len(made.labels) and len(made.shares) <= 14


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.123456, "0.1235"),
        (12345.6, "1.235e+04"),
        (1e-5, "1.0e-5"),
        (123456789.0, "1.2e8"),
        (math.nan, "nan"),
    ],
)
def test_values_are_short(value: float, text: str) -> None:
    assert shorten(value) == text


ODD = (0.0, -1.0, 1e308, -1e308, 5e-324, 1e-300, float("nan"), float("inf"), 1e17, 1.0000000000000002)


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("epochs", [(1, 2), (0, 0), (2**53 - 1, 2**53), (2**53, 2**53)])
def test_figures_that_no_training_has_are_drawn_or_left_out(epochs: tuple[int, int], log: bool) -> None:
    for values in itertools.product(ODD, repeat=2):
        odd = Curve("odd", np.array(epochs, float), np.array(values), "line")
        lines = drawn(odd, curve("loss", [1.0, 0.5]), log=log, mark=(float(epochs[1]), "best"))
        assert {len(line) for line in lines} == {60}
