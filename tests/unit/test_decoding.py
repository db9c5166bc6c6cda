"""What is said of a record that is not what it should be."""

import pytest

from mia_tui.decoding import BadRecord, Text, decode_json


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("[" * 200_000 + "]" * 200_000, "it is nested too deep"),
        ('{"name": ["a", "b\\u0000"]}', r"Expected text of another form - at `\$\[...\]\[1\]`"),
        ('{"name": 3}', "Expected `array`, got `int`"),
    ],
)
def test_the_reason_is_a_sentence_without_a_pattern(data: str, words: str) -> None:
    with pytest.raises(BadRecord, match=words):
        decode_json(data, dict[str, list[Text]] | list[object])  # type: ignore[arg-type]
