"""What a network is given, in words."""

import msgspec
import pytest

from mia_tui.dataset.images.intensity import AS_BEFORE, InputMap, ValueLimits
from mia_tui.runs.record.input_words import input_sentence, other_types_sentence, type_words


def limits(dtype: str, *pairs: tuple[float, float]) -> ValueLimits:
    return ValueLimits(dtype=dtype, low=[low for low, _ in pairs], high=[high for _, high in pairs])


@pytest.mark.parametrize(
    ("measured", "color", "pixel_size", "sentence"),
    [
        (
            InputMap(mode="dataset", limits=[limits("uint16", (180, 3900))], bits=16),
            True,
            None,
            "colour; 16-bit files: 180 to 3,900 become black and white",
        ),
        (
            InputMap(
                mode="dataset",
                channels=["DAPI", "GFP"],
                limits=[limits("float32", (0, 0.5), (-1.25, 2e7))],
                bits=16,
            ),
            True,
            0.65,
            "channels DAPI and GFP; 0.65 µm a pixel; "
            "32-bit floating-point files: DAPI 0 to 0.5, GFP -1.25 to 20,000,000 become black and white",
        ),
        (
            InputMap(
                mode="dataset", channels=["0", "2"], limits=[limits("uint16", (0, 99), (5, 4000))], bits=16
            ),
            True,
            None,
            "channels 0 and 2; 16-bit files: channel 0: 0 to 99, channel 2: 5 to 4,000 become black and white",
        ),
        (
            InputMap(
                mode="type", limits=[limits("int16", (-32768, 32767)), limits("uint8", (0, 255))], bits=16
            ),
            False,
            None,
            "grey; signed 16-bit files: -32,768 to 32,767 become black and white",
        ),
        (InputMap(mode="dataset", limits=[limits("uint8", (0, 255))]), True, None, "colour; 8-bit files as they are"),
        (InputMap(mode="image", channels=["3"]), True, None,
         "channel 3; files of more than 8 bits are stretched, each image by itself"),
        (AS_BEFORE, False, None, "grey; files of more than 8 bits are stretched, each image by itself"),
    ],
)  # fmt: skip
def test_the_input_is_a_line_that_says_which_values_become_black_and_white(
    measured: InputMap, color: bool, pixel_size: float | None, sentence: str
) -> None:
    assert input_sentence(measured, color=color, pixel_size=pixel_size) == sentence


def test_names_of_channels_are_made_printable() -> None:
    measured = InputMap(mode="dataset", channels=["a\x1b[2J"], limits=[limits("uint\x1b", (0, 1))], bits=16)
    assert "\x1b" not in input_sentence(measured, color=True, pixel_size=None)


def test_files_of_other_types_are_counted_by_their_type() -> None:
    measured = InputMap(mode="dataset", limits=[limits("uint16", (0, 4095))], bits=16)
    assert other_types_sentence({}, measured) == ""
    assert other_types_sentence({"uint8": 1}, measured).startswith(
        "1 8-bit image is of another type than the 16-bit files"
    )
    assert other_types_sentence({"uint8": 1204, "int16": 3}, measured).startswith(
        "3 signed 16-bit and 1,204 8-bit images are of another type than the 16-bit files"
    )


def test_a_type_is_named_as_people_name_it() -> None:
    assert [type_words(name) for name in ("uint8", "int32", "float64")] == [
        "8-bit",
        "signed 32-bit",
        "64-bit floating-point",
    ]


@pytest.mark.parametrize(
    "record",
    [
        {"mode": "dataset", "bits": 12},
        {"mode": "dataset", "channels": ["x"] * 5000},
        {"mode": "dataset", "channels": ["a", "b"], "limits": [{"dtype": "uint16", "low": [0] * 3, "high": [1] * 3}]},
        {"mode": "dataset", "limits": [{"dtype": "uint16", "low": [5], "high": [5]}]},
        {"mode": "dataset", "numbering": 3},
    ],
    ids=["bits", "channels", "limits", "order", "numbering"],
)  # fmt: skip
def test_a_map_that_cannot_be_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(record, InputMap)
