"""The intensity map of a dataset, measured on its training part; and that it keeps what tells classes apart."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pytest
import tifffile
from image_support import deep_png
from network_input_support import ChosenInput, ImageFolder, InFolder, WantedInput
from PIL import Image

from mia_tui.dataset.images.decode import decode_input
from mia_tui.dataset.images.intensity import InputMap, ValueLimits
from mia_tui.dataset.images.network import measuring
from mia_tui.dataset.images.network.measuring import measure_input
from mia_tui.dataset.model import WHOLE_STACK
from mia_tui.errors import DecodeError


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    return ImageFolder(tmp_path)


def measured(folder: ImageFolder, **chosen: object) -> InputMap:
    return measure_input(folder.root, folder.images, ChosenInput(**chosen))


def noise(low: float, high: float, dtype: str, *shape: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).uniform(low, high, shape or (32, 32))
    return values.astype(dtype)


@pytest.mark.parametrize(
    "dtype, low, high, expected_low, expected_high",
    [
        ("uint16", 1000, 2000, 750, 2250),
        ("uint16", 100, 1000, 0, 1225),
        ("uint16", 30_000, 65_000, 21_250, 65_535),
        ("int16", -1000, 1000, -1500, 1500),
        ("int8", -100, 100, -128, 127),
        ("int32", -100_000, 100_000, -150_000, 150_000),
        ("float32", -0.5, 1.5, -1, 2),
        ("float64", 0, 1e6, -0.25e6, 1.25e6),
    ],
)
def test_the_limits_are_a_quarter_further_out_than_almost_all_values(
    folder: ImageFolder, dtype: str, low: float, high: float, expected_low: float, expected_high: float
) -> None:
    for seed in range(4):
        folder.add(noise(low, high, dtype, 64, 64, seed=seed))
    (limits,) = measured(folder).limits
    assert limits.dtype == dtype
    assert np.allclose(
        (limits.low[0], limits.high[0]), (expected_low, expected_high), atol=(high - low) / 100
    )


def test_whole_ranges_are_taken_if_the_type_decides(folder: ImageFolder) -> None:
    folder.add(noise(5, 9, "uint16"))
    folder.add(noise(5, 9, "int16"))
    folder.add(noise(5, 9, "float32"))
    folder.add(noise(5, 9, "uint8"))
    limits = {one.dtype: (one.low[0], one.high[0]) for one in measured(folder, intensity="type").limits}
    assert limits == {
        "uint16": (0, 65535),
        "int16": (-32768, 32767),
        "float32": (0, 1),
        "uint8": (0, 255),
    }


def test_significant_bits_are_the_range_if_the_type_decides(folder: ImageFolder) -> None:
    path = folder.add(noise(0, 4095, "uint16"))
    packed = tifffile.imread(path)
    path.write_bytes(tiff_of_12_bits(packed))
    assert measured(folder, intensity="type").limits[0].high == [4095]


def tiff_of_12_bits(values: np.ndarray) -> bytes:
    """An uncompressed TIFF with two values in three bytes."""
    from image_support import raw_tiff

    pairs = values.reshape(-1, 2).astype(np.uint32)
    bits = pairs[:, 0] << 12 | pairs[:, 1]
    packed = np.stack([bits >> 16, bits >> 8 & 255, bits & 255], axis=1).astype(np.uint8)
    return raw_tiff([packed.reshape(len(values), -1)], photometric=1, bits=(12,), width=values.shape[1])


def test_with_each_image_by_itself_nothing_is_measured(tmp_path: Path) -> None:
    chosen = ChosenInput(intensity="image")
    assert measure_input(tmp_path, [InFolder("missing.tif")], chosen) == InputMap(mode="image")


def test_images_of_8_bits_are_never_stretched(folder: ImageFolder) -> None:
    folder.add(noise(90, 110, "uint8"))
    Image.new("RGB", (8, 8), (3, 4, 5)).save(folder.root / "a.png")
    folder.images.append(InFolder("a.png"))
    found = measured(folder)
    assert found.limits == [ValueLimits(dtype="uint8", low=[0.0], high=[255.0])]
    assert found.bits == 8
    assert set(found.readers) == {"pillow", "tifffile"}


def test_8_bits_beside_16_are_kept_in_16(folder: ImageFolder) -> None:
    folder.add(noise(90, 110, "uint8"))
    folder.add(noise(90, 1100, "uint16"))
    found = measured(folder)
    assert found.bits == 16
    assert [one.dtype for one in found.limits] == ["uint16", "uint8"]


def test_a_sign_alone_takes_no_16_bits(folder: ImageFolder) -> None:
    folder.add(noise(-100, 100, "int8"))
    assert measured(folder).bits == 8


def test_red_green_and_blue_have_limits_in_common(folder: ImageFolder) -> None:
    values = np.stack([noise(0, most, "uint16", 64, 64) for most in (40_000, 4000, 400)], axis=2)
    (folder.root / "a.png").write_bytes(deep_png(values))
    folder.images.append(InFolder("a.png"))
    found = measured(folder)
    pixels = decode_input(folder.root / "a.png", 0, WantedInput(width=64, height=64, input_map=found))
    shares = pixels.reshape(-1, 3).mean(0) / pixels.mean()
    assert np.allclose(shares, values.reshape(-1, 3).mean(0) / values.mean(), atol=0.01)


def test_a_rare_class_of_bright_images_is_not_cut_off(folder: ImageFolder) -> None:
    for seed in range(60):
        folder.add(noise(100, 500, "uint16", 64, 64, seed=seed))
    bright = noise(100, 500, "uint16", 64, 64)
    bright[:4, :4] = np.linspace(1000, 1500, 16).reshape(4, 4)
    folder.add(bright)
    limits = measured(folder).limits[0]
    assert limits.high[0] > 1300


def test_a_rare_class_of_dark_images_is_not_cut_off(folder: ImageFolder) -> None:
    for seed in range(60):
        folder.add(noise(5100, 5500, "uint16", 64, 64, seed=seed))
    dark = noise(5100, 5500, "uint16", 64, 64)
    dark[:4, :4] = np.linspace(4100, 4600, 16).reshape(4, 4)
    folder.add(dark)
    limits = measured(folder).limits[0]
    assert limits.low[0] < 4300


def test_a_single_wild_image_does_not_darken_all_others(folder: ImageFolder) -> None:
    for seed in range(20):
        folder.add(noise(100, 500, "float32", 64, 64, seed=seed))
    wild = noise(100, 500, "float32", 64, 64)
    wild[0, :8] = 1e30
    wild[1, :2] = np.nan, np.inf
    folder.add(wild)
    assert measured(folder).limits[0].high[0] < 2000


@pytest.mark.parametrize(
    "value, dtype", [(7, "uint16"), (0, "float32"), (-3, "float64"), (np.nan, "float32")]
)
def test_images_of_one_value_give_a_map(folder: ImageFolder, value: float, dtype: str) -> None:
    folder.add(np.full((8, 8), value, dtype))
    (limits,) = measured(folder).limits
    assert limits.low[0] < limits.high[0]


def test_transparent_pixels_are_not_measured(folder: ImageFolder) -> None:
    values = np.full((32, 32, 4), 60_000, np.uint16)
    values[:, :16] = 0
    values[:, 16:, :3] = noise(1000, 2000, "uint16", 32, 16, 3)
    folder.add(values, photometric="rgb", extrasamples=["unassalpha"])
    (limits,) = measured(folder).limits
    assert limits.low[0] > 500


def stack(*ranges: tuple[float, float], seed: int = 0) -> np.ndarray:
    return np.stack([noise(*ends, "uint16", 32, 32, seed=seed) for ends in ranges], axis=2)


def test_all_channels_of_a_microscope_are_measured_each_by_itself(folder: ImageFolder) -> None:
    ranges = [(0, 100), (1000, 2000), (0, 60_000), (5, 6), (30_000, 40_000)]
    for seed in range(3):
        folder.add(stack(*ranges, seed=seed), planarconfig="contig", metadata=None)
    found = measured(folder)
    assert found.channels == ["0", "1", "2", "3", "4"]
    assert len(found.limits[0].high) == 5
    assert found.limits[0].high[0] < 140
    assert 38_000 < found.limits[0].high[4] < 44_000
    pixels = decode_input(folder.root / "000.tif", 0, WantedInput(input_map=found))
    assert pixels.shape == (16, 16, 5)


def test_only_the_channels_asked_for_are_measured(folder: ImageFolder) -> None:
    folder.add(stack((0, 100), (1000, 2000), (0, 60_000)), planarconfig="contig", metadata=None)
    found = measured(folder, channels=" 2, 0 ")
    assert found.channels == ["2", "0"]
    assert found.limits[0].high[0] > 60_000 > 200 > found.limits[0].high[1]
    assert measured(folder, channels="1", intensity="image") == InputMap(
        mode="image", channels=["1"], readers=found.readers
    )


def test_a_single_channel_of_colour_pictures_can_be_asked_for(folder: ImageFolder) -> None:
    Image.new("RGB", (8, 8), (3, 4, 5)).save(folder.root / "a.png")
    folder.images.append(InFolder("a.png"))
    found = measured(folder, channels="blue,red")
    pixels = decode_input(folder.root / "a.png", 0, WantedInput(input_map=found))
    assert (pixels == (5, 3)).all()


def test_channels_that_no_image_has_are_refused(folder: ImageFolder) -> None:
    folder.add(stack((0, 100), (1000, 2000)), planarconfig="contig", metadata=None)
    with pytest.raises(DecodeError, match=r"000.tif has no channel DAPI, only 0, 1\."):
        measured(folder, channels="DAPI")


def test_channels_that_most_images_have_are_taken(folder: ImageFolder) -> None:
    folder.add(noise(0, 100, "uint16"))
    for _ in range(2):
        folder.add(stack((0, 100), (1000, 2000)), planarconfig="contig", metadata=None)
    assert measured(folder).channels == ["0", "1"]
    for _ in range(2):
        folder.add(noise(0, 100, "uint16"))
    assert measured(folder).channels == []


def test_images_that_cannot_be_read_are_left_out_unless_all_are(folder: ImageFolder) -> None:
    folder.images.append(InFolder("missing.tif"))
    with pytest.raises(DecodeError, match=r"missing.tif is not there any more"):
        measured(folder)
    folder.add(noise(0, 100, "uint16"))
    assert len(measured(folder).limits) == 1


def test_the_sample_is_spread_over_the_training_part_and_always_the_same(
    folder: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_SAMPLE", 8)
    for number in range(40):
        folder.add(np.full((4, 4), 1000 * number, "uint16"))
    first, second = measured(folder), measured(folder)
    assert first == second
    assert first.limits[0].low == [0]
    assert first.limits[0].high[0] > 39_000


def test_whole_stacks_are_measured_as_they_are_picked(folder: ImageFolder) -> None:
    folder.add(np.stack([np.full((32, 32), 10_000 * number, np.uint16) for number in range(1, 6)]))
    folder.images = [InFolder("000.tif", WHOLE_STACK)]
    folder.add(noise(0, 10, "uint16"))
    for pick, value in (("max", 50_000), ("mean", 30_000), ("middle", 30_000)):
        found = measured(folder, stack=pick)
        assert found.limits[0].high == [min(65_535, value * 1.25)]
        wanted = WantedInput(input_map=found, stack=pick)
        pixels = decode_input(folder.root / "000.tif", WHOLE_STACK, wanted)
        assert abs(int(pixels[0, 0, 0]) / 65535 * found.limits[0].high[0] - value) < 2
        assert set(found.readers) == {"tifffile"}


def test_of_a_large_image_only_the_middle_is_read(
    folder: ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_LARGEST_SIDE", 32)
    values = noise(0, 60_000, "uint16", 96, 64)
    values[32:64, 16:48] = noise(100, 200, "uint16", 32, 32)
    folder.add(values)
    assert measured(folder).limits[0].high[0] < 300


def test_a_stop_ends_the_measuring_and_what_was_read_decides(folder: ImageFolder) -> None:
    for number in range(8):
        folder.add(np.full((4, 4), 1000 * number + np.arange(4), "uint16"))
    asked = iter([False, *[True] * 20])
    found = measure_input(
        folder.root, folder.images, ChosenInput(), threads=1, should_stop=lambda: next(asked)
    )
    assert found.limits[0].high[0] - found.limits[0].low[0] < 10  # of a single image


def test_measuring_ends_when_time_is_up(folder: ImageFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_LIMIT_S", -1)
    folder.add(noise(0, 100, "uint16"))
    assert measured(folder).limits == []


def test_a_map_survives_being_stored(folder: ImageFolder) -> None:
    folder.add(noise(-0.1, 0.7, "float32"))
    found = measured(folder)
    assert msgspec.json.decode(msgspec.json.encode(found), type=InputMap) == found


@dataclass(frozen=True)
class LabelledSet:
    """Two classes of images, and their raw pixels (N, 64 * 64)."""

    folder: ImageFolder
    raw: np.ndarray
    labels: np.ndarray

    def network_pixels(self, intensity: str) -> np.ndarray:
        """What a network is given, 0 to 1, shape (N, 64 * 64)."""
        found = measured(self.folder, intensity=intensity)
        wanted = WantedInput(width=64, height=64, color=False, input_map=found)
        most = 255 if found.bits == 8 else 65535
        pixels = [decode_input(self.folder.root / image.path, 0, wanted) for image in self.folder.images]
        return np.stack(pixels).reshape(len(pixels), -1) / most


def probe(pixels: np.ndarray, labels: np.ndarray) -> float:
    """Share of the second half that ridge regression on the first half gets right."""
    is_seen = np.arange(len(labels)) % 4 < 2
    seen, unseen = pixels[is_seen], pixels[~is_seen]
    centre = seen.mean(axis=0)
    inner = (seen - centre) @ (seen - centre).T
    inner += (1e-3 * np.trace(inner) / len(inner) + 1e-12) * np.eye(len(inner))
    weights = np.linalg.solve(inner, labels[is_seen] - 0.5)
    guess = (unseen - centre) @ (seen - centre).T @ weights > 0
    return float((guess == labels[~is_seen]).mean())


def make_set(folder: ImageFolder, make: object) -> LabelledSet:
    random = np.random.default_rng(0)
    labels = np.arange(120) % 2
    raw = np.stack([make(random, label) for label in labels])  # type: ignore[operator]
    for values in raw:
        folder.add(values)
    return LabelledSet(folder, raw.reshape(len(raw), -1).astype(np.float64), labels)


def blob(random: np.random.Generator, label: int) -> np.ndarray:
    """Noise around a blob; of class 1 all is four times as bright, as with four times the exposure."""
    across, down = np.meshgrid(np.arange(64), np.arange(64))
    x, y = random.uniform(24, 40, 2)
    light = 60 + 400 * np.exp(-((across - x) ** 2 + (down - y) ** 2) / 200)
    light *= random.normal(1, 0.15, light.shape).clip(0.3)
    return (light * (4 if label else 1)).astype(np.uint16)


_PATTERN = np.random.default_rng(7).integers(0, 26, (64, 32))


def texture(random: np.random.Generator, label: int) -> np.ndarray:
    """A texture of 100 to 170, another for each class, beside a half at 40,000."""
    values = np.full((64, 64), 40_000, np.uint16)
    own = _PATTERN if label else _PATTERN[::-1]
    values[:, :32] = 100 + own + random.integers(0, 45, own.shape)
    return values


def test_classes_that_differ_in_brightness_stay_apart(folder: ImageFolder) -> None:
    made = make_set(folder, blob)
    assert probe(made.raw, made.labels) == 1
    assert probe(made.network_pixels("dataset"), made.labels) == 1
    assert probe(made.network_pixels("image"), made.labels) < 0.65


def test_classes_that_differ_in_the_low_8_bits_stay_apart(folder: ImageFolder) -> None:
    made = make_set(folder, texture)
    assert probe(made.raw, made.labels) == 1
    assert probe(made.network_pixels("dataset"), made.labels) == 1
    assert probe(made.network_pixels("image"), made.labels) < 0.65
