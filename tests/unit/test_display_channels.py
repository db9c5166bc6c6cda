"""Channels and windows on the screen: the file's colours, one channel alone, some hidden, fixed windows."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from mia_tui.dataset.images.channels import ChannelChoice
from mia_tui.dataset.images.decode import decode
from mia_tui.dataset.images.facts import read_facts
from mia_tui.dataset.images.rendering import DisplaySettings, RenderedImage, load_image, render_image
from mia_tui.dataset.images.screen.windows import FixedWindow
from mia_tui.dataset.model import ImageKey
from mia_tui.tui.label.picture.view_settings import ViewSettings
from mia_tui.tui.label.picture.window_words import typed_window, window_of

BOX = (40, 30)


def save(
    path: Path, values: np.ndarray, axes: str, names: list[str], colours: list[int] | None = None
) -> Path:
    channel: dict[str, object] = {"Name": names}
    if colours is not None:
        channel["Color"] = colours
    metadata = {"axes": axes, "Channel": channel, "PhysicalSizeX": 0.65, "PhysicalSizeY": 0.65}
    tifffile.imwrite(path, values, photometric="minisblack", metadata=metadata)
    return path


def three_channels(dtype: str = "uint16") -> np.ndarray:
    """Three ramps of different ranges; shape (3, 30, 40)."""
    ramp = np.arange(30 * 40).reshape(30, 40)
    return np.stack([ramp, 2 * ramp[::-1] + 100, 3 * ramp[:, ::-1] + 1000]).astype(dtype)


@pytest.fixture
def cell(tmp_path: Path) -> Path:
    """DAPI in blue, GFP in green, and one in orange."""
    colours = [
        0x0000FFFF,
        0x00FF00FF,
        -0x7FFF01,
    ]  # red, green, blue, opacity; the last 0xFF8000FF with its sign
    return save(tmp_path / "cell.ome.tif", three_channels(), "CYX", ["DAPI", "GFP", "Cy3"], colours)


def seen(path: Path, **options: object) -> RenderedImage:
    return render_image(path, 0, BOX, DisplaySettings(**options))  # type: ignore[arg-type]


def alone(path: Path, number: int) -> np.ndarray:
    return seen(path, channels=ChannelChoice(alone=number)).pixels.astype(int)


def test_a_composite_is_in_the_colours_of_the_file(cell: Path) -> None:
    shown = seen(cell)
    assert shown.channels == {0: "DAPI", 1: "GFP", 2: "Cy3"}
    dapi, gfp, cy3 = (alone(cell, number)[:, :, 0] for number in range(3))
    mixed = np.stack([cy3, gfp + cy3 * 128 // 255, dapi], axis=2).clip(0, 255)
    assert np.abs(shown.pixels - mixed).max() <= 1


def test_without_colours_in_the_file_two_channels_are_green_and_magenta(tmp_path: Path) -> None:
    path = save(tmp_path / "a.ome.tif", three_channels()[:2], "CYX", ["a", "b"])
    first, second = (alone(path, number)[:, :, 0] for number in range(2))
    assert np.abs(seen(path).pixels - np.stack([second, first, second], axis=2)).max() <= 1


def test_a_channel_alone_is_grey_and_in_its_own_window(cell: Path) -> None:
    for number, values in enumerate(three_channels()):
        shown = alone(cell, number)
        assert np.ptp(shown, axis=2).max() == 0
        low, high = seen(cell).ranges[number]
        assert np.abs(shown[:, :, 0] - ((values.clip(low, high) - low) / (high - low) * 255)).max() <= 1


def test_a_hidden_channel_is_left_out_and_the_others_stay_as_they_are(cell: Path) -> None:
    whole, without = seen(cell).pixels, seen(cell, channels=ChannelChoice(hidden=frozenset({0}))).pixels
    assert (without[:, :, 2] == 0).all() and np.array_equal(without[:, :, :2], whole[:, :, :2])
    assert not seen(cell, channels=ChannelChoice(hidden=frozenset({0, 1, 2}))).pixels.any()


def test_channels_that_an_image_does_not_have_count_for_nothing(cell: Path, tmp_path: Path) -> None:
    grey = tmp_path / "grey.png"
    Image.fromarray(np.arange(100, dtype=np.uint8).reshape(10, 10)).save(grey)
    for path in (cell, grey):
        for choice in (ChannelChoice(alone=7), ChannelChoice(hidden=frozenset({7}))):
            assert np.array_equal(seen(path, channels=choice).pixels, seen(path).pixels)


@pytest.mark.parametrize("suffix", ["png", "tif", "gif"])
def test_red_green_and_blue_are_channels_of_every_coloured_picture(tmp_path: Path, suffix: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 4, (30, 40, 3), dtype=np.uint8) * 80
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(pixels).save(path)
    shown = decode(path)
    assert seen(path).channels == {0: "red", 1: "green", 2: "blue"}
    for number in range(3):
        assert np.array_equal(alone(path, number), shown[:, :, number : number + 1].repeat(3, axis=2))
    without = seen(path, channels=ChannelChoice(hidden=frozenset({1}))).pixels
    assert np.array_equal(without, shown * np.array([1, 0, 1], np.uint8))


def test_a_fixed_window_shows_the_same_value_alike_in_every_image(tmp_path: Path) -> None:
    bright, dark = (tmp_path / f"{name}.ome.tif" for name in ("bright", "dark"))
    save(bright, three_channels()[:1] * 4, "CYX", ["DAPI"])
    save(dark, three_channels()[:1], "CYX", ["DAPI"])
    assert np.array_equal(seen(bright).pixels, seen(dark).pixels), "each by its own percentiles"
    window = window_of("0 to 4000", seen(bright))
    shown = seen(dark, window=window)
    assert (shown.window, shown.ranges) == ("fixed", ((0.0, 4000.0),))
    assert np.abs(shown.pixels[:, :, 0] - three_channels()[0] / 4000 * 255).max() <= 1
    loaded = load_image(dark)
    assert loaded is not None
    assert np.array_equal(render_image(loaded, 0, BOX, DisplaySettings(window=window)).pixels, shown.pixels)


def test_a_fixed_window_of_8_bits_is_for_images_of_8_bits(cell: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.arange(256, dtype=np.uint8).reshape(16, 16)).save(path)
    window = window_of("50-150", seen(path))
    shown = seen(path, window=window).pixels[:, :, 0].reshape(-1)
    assert (shown[:51] == 0).all() and (shown[150:] == 255).all() and shown[100] in (127, 128)
    assert seen(cell, window=window).window == "image"


@pytest.mark.parametrize(
    ("dtype", "ends"),
    [("uint16", (0, 65535)), ("int16", (-32768, 32767)), ("float32", (0, 4597)), ("uint32", (0, 2**32 - 1))],
)
def test_the_whole_range_of_the_type_can_be_seen(tmp_path: Path, dtype: str, ends: tuple[int, int]) -> None:
    path = save(tmp_path / "a.ome.tif", three_channels(dtype), "CYX", ["a", "b", "c"])
    shown = seen(path, window="type")
    assert (shown.window, shown.ranges) == ("type", (ends,) * 3)


def test_decimals_from_0_to_1_have_that_range(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.linspace(0.2, 0.7, 100, dtype=np.float32).reshape(10, 10))
    assert seen(tmp_path / "a.tif", window="type").ranges == ((0.0, 1.0),)


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("180 to 3900", ((180.0, 3900.0),) * 3),
        ("180-3900", ((180.0, 3900.0),) * 3),
        (" -5 to -1.5 ", ((-5.0, -1.5),) * 3),
        ("1-2, 3–4, 5 to 6e3", ((1.0, 2.0), (3.0, 4.0), (5.0, 6000.0))),
    ],
)
def test_a_window_is_typed_as_two_numbers(
    cell: Path, text: str, ranges: tuple[tuple[float, float], ...]
) -> None:
    view = seen(cell)
    assert window_of(text, view) == FixedWindow("uint16", ranges)
    assert window_of(typed_window(view), view).ranges == view.ranges


@pytest.mark.parametrize("text", ["", "7", "9 to 3", "a to b", "1-2, 3-4", "1.2.3 to 4"])
def test_what_is_no_window_is_refused_with_a_sentence(cell: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"\.$|needed"):
        window_of(text, seen(cell))


def words(path: Path, settings: ViewSettings) -> str:
    settings.view = render_image(path, 0, BOX, settings.display)
    return ", ".join(settings.words())


def test_the_line_about_an_image_says_its_window_and_channels(cell: Path, tmp_path: Path) -> None:
    settings = ViewSettings(keep=False)
    settings.show_image(ImageKey("cell"))
    assert words(cell, settings) == "DAPI + GFP + Cy3, windows of this image"
    settings.next_channel()
    low, high = seen(cell).ranges[0]
    assert words(cell, settings) == f"DAPI only, window {low:.0f}–{high:,.0f} of this image"
    settings.choose_channels(ChannelChoice(hidden=frozenset({1})))
    assert words(cell, settings) == "DAPI + Cy3, windows of this image"
    settings.choose_channels(ChannelChoice(hidden=frozenset({1, 2})))
    assert words(cell, settings) == f"DAPI, window {low:.0f}–{high:,.0f} of this image"
    settings.reset()
    for _ in range(4):
        settings.next_window()
    assert words(cell, settings) == "DAPI + GFP + Cy3, window 0–65,535 of uint16"
    settings.fix_window(window_of("180 to 3900", seen(cell)))
    settings.next_channel()
    assert words(cell, settings) == "DAPI only, fixed window 180–3,900"
    settings.zoom(1)
    photo = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(photo)
    settings.show_image(ImageKey("photo"))
    assert words(photo, settings) == "red only"
    settings.show_image(ImageKey("cell"))
    assert words(cell, settings) == "DAPI only, fixed window 180–3,900", "they stay, for comparing images"
    assert settings.display.zoom == 1
    settings.reset()
    assert settings.display.channels == ChannelChoice()


def test_after_the_last_channel_all_are_seen_again(cell: Path) -> None:
    settings = ViewSettings(keep=True)
    settings.view = seen(cell)
    found = []
    for _ in range(4):
        assert settings.next_channel()
        found.append(settings.display.channels.alone)
    assert found == [0, 1, 2, None]


def test_facts_name_axes_channels_and_sizes(tmp_path: Path) -> None:
    values = np.zeros((3, 5, 2, 12, 16), np.uint16)
    path = save(tmp_path / "a.ome.tif", values, "TZCYX", ["DAPI", "GFP"])
    found = read_facts(path, 8)
    assert found.in_words == (
        "16 × 12 pixels, 16 bits, 2 channels: DAPI, GFP (uint16); 3 times × 5 depths; a pixel is 0.65 µm"
    )
    assert found.frames == 15 and dict(found.place.index) == {"T": 1, "Z": 3}
