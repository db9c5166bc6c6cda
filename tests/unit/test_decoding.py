"""What is said of a record that is not what it should be."""

import pytest

from mia_tui import decoding
from mia_tui.decoding import BadRecord, JsonReader, Text, decode_json


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


@pytest.mark.parametrize("at_once", [1, 3, 9, 1000])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_lines_are_decoded_in_pieces_each_once(
    monkeypatch: pytest.MonkeyPatch, at_once: int, end: bytes
) -> None:
    monkeypatch.setattr(decoding, "_BYTES_AT_ONCE", at_once)
    lines: JsonReader[list[int]] = JsonReader(list[int])
    assert lines.decode_lines(b"[1]\n[20, 3]\n\n[]\n[4]" + end) == [[1], [20, 3], [], [4]]
    assert lines.decode_lines(b"") == []
    with pytest.raises(BadRecord):
        lines.decode_lines(b'[1]\n[2]\n["a"]\n[3]' + end)
