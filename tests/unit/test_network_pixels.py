"""What a network is given of a file: brightness, channels and scale as in the file, by one map for a dataset."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import tifffile
from image_support import deep_png
from network_input_support import ArraySource, WantedInput, network_pixels
from PIL import Image

from mia_tui.dataset.images.bit_depth import tonal_window
from mia_tui.dataset.images.decode import decode_fitted, decode_input
from mia_tui.dataset.images.intensity import AS_BEFORE, InputMap, ValueLimits
from mia_tui.dataset.images.network.selection import channel_names, find_channels
from mia_tui.dataset.images.reading import OpenedFrame
from mia_tui.dataset.images.rendering import DisplaySettings, render_image
from mia_tui.dataset.images.source import Channel, Place
from mia_tui.errors import DecodeError


def limits(dtype: str, low: float, high: float, channels: int = 1) -> ValueLimits:
    return ValueLimits(dtype=dtype, low=[low] * channels, high=[high] * channels)


def wants(*known: ValueLimits, bits: int = 16, channels: list[str] | None = None) -> WantedInput:
    """Mono, at the size of the arrays of these tests, 8 x 8."""
    mapped = InputMap(mode="dataset", limits=list(known), bits=bits, channels=channels or [])
    return WantedInput(width=8, height=8, color=False, input_map=mapped)


def spread(low: float, high: float, dtype: str) -> np.ndarray:
    """64 values at equal distances, shape (8, 8, 1)."""
    return np.linspace(low, high, 64).reshape(8, 8, 1).astype(dtype)


@pytest.mark.parametrize(
    "dtype, low, high",
    [
        ("int8", -128, 127),
        ("uint16", 0, 65535),
        ("uint16", 1000, 2000),
        ("int16", -32768, 32767),
        ("int16", -500, 20),
        ("int32", -2_000_000_000, 2_000_000_000),
        ("uint32", 4_294_960_000, 4_294_967_000),
        ("uint64", 0, 2**63),
        ("float16", -2, 3),
        ("float32", -0.5, 1.5),
        ("float64", -1e200, 1e200),
    ],
)
def test_a_value_of_any_type_is_as_bright_as_the_map_says(dtype: str, low: float, high: float) -> None:
    values = spread(low, high, dtype)
    pixels = network_pixels(ArraySource(values), wants(limits(dtype, low, high)))
    assert pixels.dtype == np.uint16
    expected = (values.astype(np.float64) - low) / (high - low) * 65535
    assert np.abs(pixels - expected).max() <= 1


def test_values_beyond_the_limits_are_black_and_white() -> None:
    values = spread(-1000, 1000, "int16")
    pixels = network_pixels(ArraySource(values), wants(limits("int16", -10, 10)))
    assert (pixels[values < -10] == 0).all()
    assert (pixels[values > 10] == 65535).all()


def test_nan_is_black_and_infinities_are_the_ends() -> None:
    values = spread(0, 1, "float32")
    values[0, 0], values[0, 1], values[0, 2] = np.nan, np.inf, -np.inf
    pixels = network_pixels(ArraySource(values), wants(limits("float32", -1, 1)))[:, :, 0]
    assert (pixels[0, 0], pixels[0, 1], pixels[0, 2]) == (0, 65535, 0)
    assert abs(int(pixels[7, 7]) - 65535) <= 1


def test_a_hot_pixel_does_not_darken_its_surroundings() -> None:
    values = np.full((64, 64, 1), 500, np.uint16)
    values[32, 32] = 65535
    pixels = network_pixels(ArraySource(values), wants(limits("uint16", 0, 1000)))
    assert abs(int(np.median(pixels)) - 32768) <= 1
    assert pixels.max() < 35000


def test_a_file_of_8_bits_beside_deeper_ones_keeps_its_brightness(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    wanted = WantedInput(input_map=InputMap(mode="dataset", limits=[limits("uint8", 0, 255)], bits=16))
    expected = decode_fitted(tmp_path / "a.png", width=16, height=16)
    assert np.array_equal(decode_input(tmp_path / "a.png", 0, wanted), expected.astype(np.uint16) * 257)


@pytest.mark.parametrize("geometry", ["squash", "letterbox", "crop"])
@pytest.mark.parametrize("color", [True, False])
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.gif", "a.tif", "turned.jpg", "alpha.png"])
def test_files_of_8_bits_are_as_they_were(tmp_path: Path, name: str, color: bool, geometry: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    image = Image.fromarray(values).resize((300, 225))
    if name == "alpha.png":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    options = {"exif": _turned()} if name == "turned.jpg" else {}
    image.save(tmp_path / name, **options)
    fit = {"width": 40, "height": 56, "color": color, "geometry": geometry}
    expected = decode_fitted(tmp_path / name, **fit)
    for mode in ("dataset", "type", "image"):
        wanted = WantedInput(input_map=InputMap(mode=mode), **fit)
        assert np.array_equal(decode_input(tmp_path / name, 0, wanted), expected)
    assert np.array_equal(decode_input(tmp_path / name, 0, WantedInput(**fit)), expected)


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_without_a_map_deep_images_are_as_they_were(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", spread(300, 4000, "uint16")[:, :, 0])
    for input_map in (None, AS_BEFORE):
        wanted = WantedInput(width=8, height=8, input_map=input_map)
        assert np.array_equal(
            decode_input(tmp_path / "a.tif", 0, wanted), decode_fitted(tmp_path / "a.tif", width=8, height=8)
        )


def test_colours_of_16_bits_stay(tmp_path: Path) -> None:
    values = np.zeros((8, 8, 3), np.uint16)
    values[:, :4] = 40_000, 10_000, 20_000
    values[:, 4:] = 100, 60_000, 0
    (tmp_path / "a.png").write_bytes(deep_png(values))
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
    wanted = replace(wants(limits("uint16", 0, 65535)), color=True)
    for name in ("a.png", "a.tif"):
        assert np.array_equal(decode_input(tmp_path / name, 0, wanted), values)
        mono = decode_input(tmp_path / name, 0, replace(wanted, color=False))
        assert np.abs(mono[:, :, 0] - values @ [0.299, 0.587, 0.114]).max() <= 1


def test_a_grey_image_is_the_same_in_all_three_colours() -> None:
    wanted = replace(wants(limits("uint16", 0, 1000)), color=True)
    pixels = network_pixels(ArraySource(spread(0, 1000, "uint16")), wanted)
    assert pixels.shape == (8, 8, 3)
    assert (pixels == pixels[:, :, :1]).all()


def test_transparent_pixels_of_deep_images_lie_on_white() -> None:
    values = np.full((8, 8, 4), 10_000, np.uint16)
    values[:, :, 3] = 65535
    values[:4, :, 3] = 0
    source = ArraySource(values, colour="rgb", opacity=3)
    pixels = network_pixels(source, replace(wants(limits("uint16", 0, 20_000)), color=True, resize="nearest"))
    assert (pixels[:4] == 65535).all()
    assert np.abs(pixels[4:].astype(int) - 32768).max() <= 1


@pytest.mark.parametrize(
    "dtype, bits", [("uint16", None), ("uint16", 12), ("int16", None), ("float32", None)]
)
def test_where_0_is_white_larger_values_are_darker(dtype: str, bits: int | None) -> None:
    ends = {"uint16": (0, 65535), "int16": (-32768, 32767), "float32": (0, 1)}[dtype]
    ends = (0, 4095) if bits else ends
    values = spread(*ends, dtype)
    plain, inverted = ArraySource(values, bits=bits), ArraySource(values, bits=bits, is_inverted=True)
    wanted = wants(limits(dtype, *ends))
    total = network_pixels(plain, wanted).astype(int) + network_pixels(inverted, wanted)
    assert np.abs(total - 65535).max() <= 1


def test_deep_print_colours_are_those_of_8_bits() -> None:
    values = np.random.default_rng(0).integers(0, 256, (8, 8, 4), dtype=np.uint8)
    wanted = replace(wants(limits("uint8", 0, 255), bits=8), color=True)
    deep = network_pixels(ArraySource(values.astype(np.uint16) * 257, colour="cmyk"), wanted)
    shallow = network_pixels(ArraySource(values, colour="cmyk"), wanted)
    assert deep.dtype == np.uint8
    assert np.array_equal(deep, shallow)
    ink = 255 - values.astype(int)
    assert np.abs(shallow - ink[:, :, :3] * ink[:, :, 3:] / 255).max() <= 1


def test_a_palette_gives_its_colours_to_chosen_channels() -> None:
    palette = np.random.default_rng(0).integers(0, 65536, (256, 3)).astype(np.uint16)
    values = np.arange(64, dtype=np.uint8).reshape(8, 8, 1)
    source = ArraySource(values, palette=palette)
    pixels = network_pixels(source, wants(limits("uint8", 0, 255), bits=8, channels=["blue", "red"]))
    assert np.array_equal(pixels, (palette[values[:, :, 0]] >> 8)[:, :, [2, 0]])


def five_channels(dtype: str = "uint16") -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, (8, 8, 5)).astype(dtype)


NAMED = {"channels": tuple(Channel(name) for name in ("DAPI", "GFP", None, "Cy5", "Cy5"))}


@pytest.mark.parametrize(
    "chosen, numbers",
    [
        (["DAPI", "GFP"], [0, 1]),
        (["gfp", "0"], [1, 0]),
        (["2"], [2]),
        (["4", "3", "2", "1", "0"], [4, 3, 2, 1, 0]),
    ],
)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_channels_are_chosen_by_name_or_number(chosen: list[str], numbers: list[int], dtype: str) -> None:
    values = five_channels(dtype)
    wanted = wants(limits(dtype, 0, 255, len(numbers)), bits=8, channels=chosen)
    pixels = network_pixels(ArraySource(values, **NAMED), wanted)
    assert pixels.shape == (8, 8, wanted.channel_count)
    assert np.array_equal(pixels, values[:, :, numbers].astype(np.uint8))


def test_a_channel_is_found_without_the_spaces_that_its_file_has_around_the_name() -> None:
    source = ArraySource(five_channels(), channels=tuple(Channel(f" {letter} ") for letter in "abcde"))
    assert find_channels(source.scenes[0], ["C", " e "], "a.tif") == [2, 4]


def test_names_of_channels_fit_into_a_model_file_whatever_they_are() -> None:
    source = ArraySource(
        five_channels(), channels=tuple(map(Channel, ("a\0b", "\ud800", "c%41", "", "a\0b")))
    )
    names = list(channel_names(source.scenes[0]))
    assert names == ["0", "\\ud800", "c%41", "3", "4"]
    written = msgspec.json.encode(InputMap(mode="dataset", channels=names))
    assert msgspec.json.decode(written, type=InputMap).channels == names
    assert find_channels(source.scenes[0], names, "a.tif") == [0, 1, 2, 3, 4]


def test_only_the_channels_that_are_wanted_are_read() -> None:
    values = five_channels()
    values[:4, :, 4] = 0
    values[4:, :, 4] = 65535
    source = ArraySource(values, opacity=4)
    pixels = network_pixels(source, wants(limits("uint16", 0, 200), channels=["3", "1"]))
    assert source.channels_read == [[3, 1, 4]]
    assert (pixels[:4] == 65535).all()
    assert np.abs(pixels[4:] / 65535 * 200 - values[4:, :, [3, 1]]).max() < 0.01


def test_each_channel_has_limits_of_its_own() -> None:
    known = ValueLimits(dtype="uint16", low=[0, 100], high=[200, 110])
    values = five_channels()
    pixels = network_pixels(ArraySource(values), wants(known, channels=["0", "1"]))
    assert np.abs(pixels[:, :, 0] - values[:, :, 0] / 200 * 65535).max() <= 1
    assert np.abs(pixels[:, :, 1] - np.clip((values[:, :, 1] - 100.0) / 10, 0, 1) * 65535).max() <= 1


@pytest.mark.parametrize("name", ["Cy5", "DAPI2", "5", "-1"])
def test_a_file_that_lacks_a_channel_is_refused_with_those_it_has(name: str) -> None:
    wanted = wants(limits("uint16", 0, 255), channels=["DAPI", name])
    with pytest.raises(DecodeError, match=rf"^cell.tif has no channel {name}, only DAPI, GFP, 2, 3, 4\."):
        network_pixels(ArraySource(five_channels(), **NAMED), wanted)


def test_a_file_of_several_channels_is_refused_by_a_network_for_pictures() -> None:
    with pytest.raises(DecodeError, match=r"cell.tif has 5 channels \(.*--channels"):
        network_pixels(ArraySource(five_channels()), wants(limits("uint16", 0, 255)))


def test_with_each_image_by_itself_chosen_channels_have_windows_of_their_own() -> None:
    values = five_channels()
    values[:, :, 1] += 30_000
    wanted = WantedInput(width=8, height=8, input_map=InputMap(mode="image", channels=["0", "1"]))
    pixels = network_pixels(ArraySource(values), wanted)
    for channel in (0, 1):
        assert np.array_equal(pixels[:, :, channel], tonal_window(values[:, :, channel]))


def test_whole_numbers_of_an_unknown_type_have_the_range_of_their_type_which_is_told() -> None:
    noted: list[str] = []
    values = spread(0, 4095, "uint16")
    wanted = wants(limits("int16", 0, 10))
    pixels = network_pixels(ArraySource(values, bits=12), wanted, noted)
    assert np.abs(pixels - values / 4095 * 65535).max() <= 1
    assert noted == ["uint16"]


def test_an_image_of_8_bits_is_told_where_the_network_has_seen_none(tmp_path: Path) -> None:
    noted: list[str] = []
    Image.new("RGB", (8, 8), (1, 2, 3)).save(tmp_path / "a.png")
    decode_input(tmp_path / "a.png", 0, wants(limits("uint16", 0, 10)), on_other_type=noted.append)
    decode_input(tmp_path / "a.png", 0, wants(limits("uint8", 0, 255)), on_other_type=noted.append)
    decode_input(tmp_path / "a.png", 0, WantedInput(), on_other_type=noted.append)
    assert noted == ["uint8"]


def test_floating_point_numbers_of_an_unknown_type_are_refused() -> None:
    source, wanted = ArraySource(spread(0, 1, "float32")), wants(limits("uint16", 0, 10))
    with pytest.raises(DecodeError, match=r"cell.tif has floating point values \(float32\)"):
        network_pixels(source, wanted)
    by_type = replace(wanted, input_map=InputMap(mode="type", bits=16))
    assert np.abs(network_pixels(source, by_type) - spread(0, 65535, "float32")).max() <= 1


def test_two_microscopes_agree_at_a_physical_scale() -> None:
    def disc(pixel_um: float) -> np.ndarray:
        """A disc of 40 micrometres in a field of 100."""
        side = round(100 / pixel_um)
        across = (np.arange(side) + 0.5) * pixel_um - 50
        return ((across[:, None] ** 2 + across**2 < 400) * 60_000).astype(np.uint16)[:, :, None]

    wanted = replace(wants(limits("uint16", 0, 60_000)), width=64, height=64, pixel_size=1.0)
    seen = [
        network_pixels(ArraySource(disc(pixel_um), pixel_um=(pixel_um, pixel_um)), wanted)
        for pixel_um in (0.5, 0.25, 1.0)
    ]
    for pixels in seen:
        assert np.isclose((pixels[32, :, 0] > 32768).sum(), 40, atol=1)
        assert np.abs(pixels.astype(float) - seen[0]).mean() < 65535 * 0.01


@pytest.mark.parametrize("mode", ["dataset", "image"])
def test_pictures_of_8_bits_have_a_physical_scale_too(mode: str) -> None:
    values = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    input_map = InputMap(mode=mode, limits=[limits("uint8", 0, 255)])
    wanted = WantedInput(width=16, height=16, pixel_size=0.5, input_map=input_map)
    pixels = network_pixels(ArraySource(values, colour="rgb", pixel_um=(0.5, 0.5)), wanted)
    assert np.array_equal(pixels, values[12:28, 12:28])


def test_only_the_part_that_is_wanted_is_read_at_a_physical_scale() -> None:
    values = np.random.default_rng(0).integers(0, 60_000, (512, 512, 1)).astype(np.uint16)
    about = {"pixel_um": (0.5, 0.5), "shrunk_by": (1, 2, 4)}
    wanted = replace(wants(limits("uint16", 0, 60_000)), width=32, height=32, pixel_size=2.0)
    source = ArraySource(values, **about)
    pixels = network_pixels(source, wanted)
    (region,) = source.regions
    assert region is not None and region.width < 100
    whole = np.array(Image.fromarray(values[:, :, 0].reshape(256, 2, 256, 2).mean((1, 3)).astype(np.float32)))
    expected = Image.fromarray(whole).resize((128, 128), Image.Resampling.BICUBIC).crop((48, 48, 80, 80))
    assert np.abs(pixels[:, :, 0] / 65535 * 60_000 - np.asarray(expected)).max() < 60_000 / 255


def test_a_file_without_pixel_size_is_refused_where_one_is_needed(tmp_path: Path) -> None:
    wanted = replace(wants(limits("uint16", 0, 10)), pixel_size=0.5)
    with pytest.raises(DecodeError, match=r"cell.tif does not say how large its pixels are"):
        network_pixels(ArraySource(spread(0, 9, "uint16")), wanted)
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(DecodeError, match=r"a.png does not say how large its pixels are"):
        decode_input(tmp_path / "a.png", 0, wanted)


@pytest.mark.parametrize("side", [1e-300, 1e300])
def test_a_pixel_of_no_size_that_can_be_is_taken_for_none(side: float) -> None:
    source = ArraySource(spread(0, 9, "uint16"), pixel_um=(side, 0.5))
    wanted = replace(wants(limits("uint16", 0, 10)), pixel_size=0.5)
    with pytest.raises(DecodeError, match="does not say how large its pixels are"):
        network_pixels(source, wanted)


def test_a_deep_image_is_read_at_the_smallest_level_twice_as_large_as_wanted() -> None:
    values = np.zeros((256, 256, 1), np.uint16)
    values[::2, ::2] = 4000  # gone in the smaller levels
    source = ArraySource(values, shrunk_by=(1, 2, 4, 8, 16))
    wanted = replace(wants(limits("uint16", 0, 4000)), width=16, height=16)
    pixels = network_pixels(source, wanted)
    assert np.abs(pixels.astype(int) - 16384).max() <= 20
    assert [source.shrunk_by[level] for level in source.levels_read] == [8]


def test_of_levels_of_any_steps_the_smallest_that_is_enough_is_chosen() -> None:
    source = ArraySource(np.zeros((720, 720, 1), np.uint16), shrunk_by=(1, 2, 3, 5, 8, 12))
    image = OpenedFrame(source, Place(), Path("cell.tif"), 120)
    for least in range(1, 721):
        level = image.level_for(lambda size, least=least: (least, least))  # type: ignore[misc]
        fitting = [number for number, by in enumerate(source.shrunk_by) if 720 // by >= least]
        assert level == max(fitting), least


def test_a_deep_image_on_screen_and_for_a_network_is_the_same_at_the_same_map(tmp_path: Path) -> None:
    values = np.random.default_rng(0).gamma(2, 3000, (48, 64)).clip(0, 65535).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values)
    low, high = np.quantile(values, 0.001, method="higher"), np.quantile(values, 0.999, method="lower")
    shown = render_image(tmp_path / "a.tif", 0, (64, 48), DisplaySettings())
    as_shown = wants(limits("uint16", float(low), float(high)))
    pixels = decode_input(tmp_path / "a.tif", 0, replace(as_shown, width=64, height=48, color=True))
    assert np.abs(pixels / 257 - shown.pixels).max() <= 1.0


def test_limits_that_make_no_map_are_refused() -> None:
    for low, high in (([1.0], [1.0]), ([0.0], [np.nan]), ([0.0], [1.0, 2.0]), ([], []), ([-1e308], [1e308])):
        with pytest.raises(ValueError, match="limit"):
            ValueLimits(dtype="uint16", low=low, high=high)


@pytest.mark.parametrize("ends", [(-1e307, 1e308), (-1e39, 1e39), (0.0, 1e-300)])
def test_limits_that_no_float32_has_give_numbers(
    ends: tuple[float, float], recwarn: pytest.WarningsRecorder
) -> None:
    pixels = network_pixels(ArraySource(spread(0, 9, "uint16")), wants(limits("uint16", *ends)))
    assert not list(recwarn)
    assert pixels.max() <= 65535
