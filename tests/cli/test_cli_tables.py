"""Tables as text."""

import pytest

from mia_tui.cli.output.tables import class_table, confusion, table, width


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    assert list(table(["class", "images"], [["a", 1], ["blood cell", 2000]])) == [
        "class       images",
        "a                1",
        "blood cell   2,000",
    ]


def test_none_is_a_dash_and_a_number_has_four_places() -> None:
    assert list(table(["a", "b"], [[None, 0.98765], [0.5, None]])) == [
        "     a       b",
        "     –  0.9877",
        "0.5000       –",
    ]


def test_a_table_without_rows_is_its_headings() -> None:
    assert list(table(["a", "b"], [])) == ["a  b"]


def test_wide_and_combining_characters_keep_the_columns() -> None:
    lines = list(table(["class", "images"], [["細胞", 1], ["Zelle", 2], ["e\u0301", 3]]))
    assert {width(line) for line in lines} == {width("class  images")}


def test_a_name_cannot_steer_the_terminal() -> None:
    assert all(line.isprintable() for line in table(["class", "n"], [["\x1b[2J\nevil\u202e", 1]]))


def test_a_small_confusion_matrix_is_shown_whole() -> None:
    assert list(confusion([[5, 1], [0, 7]], ["red", "blue"])) == [
        "truth \\ predicted  red  blue",
        "red                  5     1",
        "blue                 0     7",
    ]


def test_of_many_classes_the_most_frequent_confusions_are_shown() -> None:
    counts = [[0] * 20 for _ in range(20)]
    for index in range(20):
        counts[index][index] = 100
    counts[3][4], counts[7][2] = 9, 30
    assert list(confusion(counts, [f"class {index}" for index in range(20)])) == [
        "The most frequent of 2 kinds of confusion:",
        "truth    predicted  images  share",
        "class 7  class 2        30    23%",
        "class 3  class 4         9     8%",
    ]


def test_many_classes_without_a_mix_up_say_so() -> None:
    counts = [[int(row == column) for column in range(20)] for row in range(20)]
    assert list(confusion(counts, [str(index) for index in range(20)])) == [
        "No image was predicted as another class than its own."
    ]


def test_a_matrix_whose_names_are_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        list(confusion([[1]], ["a", "b"]))


def test_every_class_has_a_line_with_its_figures() -> None:
    rows = [{"class": "red", "support": 6, "precision": 1.0, "recall": 5 / 6, "f1": 0.9091}]
    assert list(class_table(rows)) == [
        "class  images  precision  recall      F1",
        "red         6     1.0000  0.8333  0.9091",
    ]


def test_a_matrix_of_shares_by_similarity_has_confused_classes_side_by_side() -> None:
    counts = [[8, 0, 2], [0, 5, 0], [3, 0, 7]]
    assert list(confusion(counts, ["a", "b", "c"], shares=True, by_similarity=True)) == [
        "truth \\ predicted    a    c     b",
        "a                  80%  20%    0%",
        "c                  30%  70%    0%",
        "b                   0%   0%  100%",
    ]
