"""Text wrapped at words."""

import pytest

from mia_tui.cli.output.wrap import wrap


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a line that fits", ["a line that fits"]),
        ("a line that does not fit into it", ["a line that does not", "  fit into it"]),
        (
            "see /a/path/that/is/longer/than/a/line for it",
            ["see", "  /a/path/that/is/longer/than/a/line", "  for it"],
        ),
        ("Type `mia-tui runs list cells` again.", ["Type", "  `mia-tui runs list cells`", "  again."]),
        ("Stop it: mia-tui runs stop /cells/run", ["Stop it:", "  mia-tui runs stop /cells/run"]),
        ("  mia-tui runs show last --dataset c", ["  mia-tui runs show last --dataset c"]),
        (
            "\u7d30\u80de\u7d30\u80de \u7d30\u80de\u7d30\u80de \u7d30\u80de\u7d30",
            ["\u7d30\u80de\u7d30\u80de \u7d30\u80de\u7d30\u80de", "  \u7d30\u80de\u7d30"],
        ),
    ],
)
def test_lines_end_at_words_and_commands_and_paths_stay_whole(text: str, lines: list[str]) -> None:
    assert wrap(text, 20).splitlines() == lines


def test_what_follows_hangs_below_the_text() -> None:
    assert wrap("Topic  one two three four five six", 20, hang=7) == (
        "Topic  one two three\n      four five six"
    )
