"""The confusion matrix of the command line as a heat map, on terminals that have the colours for it."""

import re

import numpy as np
import pytest
from rich.color import ColorSystem

from mia_tui.cli.output.heat_map import colours_of, heat_map

COUNTS = [[90, 0, 10], [0, 50, 0], [5, 0, 1000]]
CLASSES = ["cat", "dog", "a name that is longer than its column"]


def plain(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line)


@pytest.mark.parametrize("colours", [ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT])
@pytest.mark.parametrize("columns", [80, 120, 60])
def test_it_fits_the_terminal_and_has_shares_counts_and_margins(columns: int, colours: ColorSystem) -> None:
    lines = heat_map(COUNTS, CLASSES, columns, colours)
    assert lines is not None and all(len(plain(line)) <= columns for line in lines)
    text = "\n".join(map(plain, lines))
    assert [plain(line).split()[0] for line in lines[2:5]] == ["cat", "a", "dog"], "those that are confused"
    for words in ("recall", "images", "precision", "accuracy", "1,000", "90%", "99%"):
        assert words in text, words
    assert ("48;2;" if colours is ColorSystem.TRUECOLOR else "48;5;") in lines[2]


def test_it_can_have_shares_alone_and_the_order_of_the_classes() -> None:
    lines = heat_map(COUNTS, CLASSES, 120, ColorSystem.TRUECOLOR, shares=True, by_similarity=False)
    assert lines is not None
    assert [plain(line).split()[0] for line in lines[2:5]] == ["cat", "dog", "a"]
    assert "90%" in plain(lines[2]) and "90 " not in plain(lines[2]).replace("90%", "")


def test_a_matrix_that_does_not_fit_is_none() -> None:
    many = np.diag(np.arange(1, 31)).tolist()
    assert heat_map(many, [f"class {number}" for number in range(30)], 80, ColorSystem.TRUECOLOR) is None
    assert heat_map(many, [f"class {number}" for number in range(30)], 200, ColorSystem.TRUECOLOR) is not None


@pytest.mark.parametrize(
    ("environment", "colours"),
    [
        ({"TERM": "xterm-256color"}, ColorSystem.EIGHT_BIT),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, ColorSystem.TRUECOLOR),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, None),
        ({"TERM": "linux"}, None),
        ({"TERM": "dumb", "COLORTERM": "truecolor"}, None),
        ({}, None),
    ],
)
def test_colours_are_used_where_the_environment_tells_of_enough(
    environment: dict[str, str], colours: ColorSystem | None
) -> None:
    assert colours_of(environment) == colours


def test_names_with_control_characters_steer_nothing() -> None:
    lines = heat_map([[1, 0], [0, 1]], ["\x1b[2Jx", "y\n"], 80, ColorSystem.TRUECOLOR)
    assert lines is not None and "\x1b[2J" not in "".join(lines) and "\n" not in "".join(lines)
