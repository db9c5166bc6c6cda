"""Of a large image only what is seen is read, in parts of bounded size, and its brightness is the same everywhere."""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from run_support import run_python

from mia_tui.dataset.images import reading
from mia_tui.dataset.images.decode import decode
from mia_tui.dataset.images.rendering import DisplaySettings, RenderedImage, load_image, render_image
from mia_tui.dataset.images.screen import averages
from mia_tui.dataset.images.screen.averages import averaged
from mia_tui.dataset.images.screen.pixels import KeptOverviews
from mia_tui.dataset.images.screen.windows import FixedWindow, Window
from mia_tui.dataset.images.source import Channel, Place, Region, Scene, Size, Source
from mia_tui.errors import DecodeError

BOX = (120, 80)
PATH = Path("large.xyz")


class Tiled(Source):
    """Values in memory that are read as a tiled file is: a part takes no more memory than its size."""

    format = "XYZ"

    def __init__(
        self, values: NDArray[np.generic], scene: Scene | None = None, copies: Sequence[int] = ()
    ) -> None:
        height, width, channels = values.shape
        sizes = tuple((width // by, height // by) for by in (1, *copies))
        plain = scene or Scene((width, height), values.dtype, (Channel(),) * channels)
        self.scenes = [replace(plain, levels=sizes)]
        self._levels = [averaged(values, by) for by in (1, *copies)]
        self.read: list[tuple[int, Size]] = []

    def plane(
        self,
        place: Place,
        *,
        channels: Sequence[int] | None = None,
        level: int = 0,
        region: Region | None = None,
    ) -> NDArray[np.generic]:
        values = self._levels[level]
        region = region or Region(0, 0, values.shape[1], values.shape[0])
        assert region.left + region.width <= values.shape[1] and region.top + region.height <= values.shape[0]
        self.read.append((level, (region.width, region.height)))
        return values[region.top : region.top + region.height, region.left : region.left + region.width]

    @property
    def most_read(self) -> int:
        """Pixels of the largest part that was read at once."""
        return max(width * height for _, (width, height) in self.read)


@pytest.fixture
def tiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[Tiled]]:
    """Put a source here: it is what every file is then read as; only 60,000 bytes of it are read at once."""
    sources: list[Tiled] = []

    @contextmanager
    def open_source(path: Path, **_: object) -> Iterator[Source]:
        yield sources[0]

    monkeypatch.chdir(tmp_path)
    PATH.touch()
    monkeypatch.setattr(reading, "open_source", open_source)
    monkeypatch.setattr("mia_tui.dataset.images.screen.pixels.AT_ONCE_BYTES", 60_000)
    monkeypatch.setattr("mia_tui.dataset.images.screen.pixels._MEASURED_PX", 10_000)
    monkeypatch.setattr("mia_tui.dataset.images.screen.pixels._OVERVIEW_PX", 100)
    monkeypatch.setattr(averages, "AT_ONCE_BYTES", 60_000)
    monkeypatch.setattr(averages, "_BLOCK_PX", 64)
    yield sources


def deep(width: int = 1000, height: int = 700) -> NDArray[np.uint16]:
    """Smooth, and darker on the left than on the right; shape (H, W, 1)."""
    y, x = np.mgrid[:height, :width]
    return (1000 + 3 * x + 500 * np.sin(y / 60)).astype(np.uint16)[:, :, None]


def view(zoom: float = 1.0, centre: tuple[float, float] = (0.5, 0.5), **options: object) -> RenderedImage:
    settings = DisplaySettings(zoom=zoom, centre=centre)
    return render_image(PATH, 0, BOX, settings, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(1000, 700), (999, 701), (65, 640)])
def test_a_large_image_without_levels_is_averaged_in_parts_and_looks_as_if_read_at_once(
    tiled: list[Tiled], size: Size, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiled.append(Tiled(deep(*size)))
    found = view()
    assert tiled[0].most_read <= 60_000 // 2 and len(tiled[0].read) > 1
    monkeypatch.setattr(averages, "AT_ONCE_BYTES", 1 << 30)
    monkeypatch.setattr("mia_tui.dataset.images.screen.pixels.AT_ONCE_BYTES", 1 << 30)
    whole = view()
    assert found.pixels.shape == whole.pixels.shape
    assert np.abs(found.pixels.astype(int) - whole.pixels).max() <= 4  # the window is of a sample


def test_the_smallest_level_that_is_enough_is_read(tiled: list[Tiled]) -> None:
    source = Tiled(np.repeat(deep() // 20, 3, axis=2).astype(np.uint8), copies=(2, 4, 8, 16))
    source.scenes = [replace(source.scenes[0], colour="rgb")]
    tiled.append(source)
    view()
    assert source.read == [(3, (125, 87))]
    source.read.clear()
    view(zoom=4.0)
    assert {level for level, _ in source.read} == {1} and source.most_read < 260 * 190


def test_zoomed_in_only_what_is_seen_is_read(tiled: list[Tiled]) -> None:
    values = deep()
    tiled.append(Tiled(values, copies=(2, 4)))
    kept = KeptOverviews()
    view(kept=kept)
    tiled[0].read.clear()
    shown = view(zoom=60.0, centre=(0.3, 0.6), kept=kept)
    assert len(tiled[0].read) == 1 and tiled[0].most_read < 40 * 40
    assert shown.width < 30
    part = values[
        int(shown.top) : int(shown.top + shown.height), int(shown.left) : int(shown.left + shown.width), 0
    ]
    (low, high), block = shown.ranges[0], int(shown.scale)
    expected = (part.astype(float).clip(low, high) - low) * 255 / (high - low)
    assert np.abs(shown.pixels[::block, ::block, 0] - expected).max() <= 1


@pytest.mark.parametrize("copies", [(), (2, 4, 8)])
def test_brightness_is_the_same_at_every_zoom_and_place(tiled: list[Tiled], copies: tuple[int, ...]) -> None:
    tiled.append(Tiled(deep(), copies=copies))
    kept = KeptOverviews()
    for zoom in (1.0, 1.5, 3.0, 10.0, 200.0):
        for centre in ((0.0, 0.0), (1.0, 1.0), (0.2, 0.7)):
            shown = view(zoom, centre, kept=kept)
            assert shown.ranges == view(kept=kept).ranges
            value = 1000 + 3 * (shown.left + shown.width / 2)
            (low, high) = shown.ranges[0]
            middle = (value - low) / (high - low) * 255
            assert abs(float(shown.pixels[:, :, 0].mean()) - middle) < 50


def test_an_overview_is_made_once_and_again_when_the_file_changes(tiled: list[Tiled]) -> None:
    tiled.append(Tiled(deep()))
    kept = KeptOverviews()
    view(kept=kept)
    tiled[0].read.clear()
    view(kept=kept)
    assert not tiled[0].read
    PATH.write_text("changed")
    view(kept=kept)
    assert tiled[0].read


def test_the_limit_of_megapixels_is_for_what_is_read_at_once(tiled: list[Tiled]) -> None:
    tiled.append(Tiled(deep(), copies=(2, 4, 8)))
    assert view(max_megapixels=0.1).image_width == 1000
    assert load_image(PATH) is None
    tiled[0] = Tiled(deep(100, 80))
    with pytest.raises(DecodeError, match="megapixels"):
        view(max_megapixels=0.001)


def test_the_overview_of_many_channels_is_smaller(
    tiled: list[Tiled], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mia_tui.dataset.images.screen.pixels._OVERVIEW_BYTES", 100_000)
    tiled.append(Tiled(deep().repeat(10, axis=2)))
    kept = KeptOverviews()
    view(kept=kept)
    (overview,) = kept._kept.values()
    assert not isinstance(overview.grid.pixels, Image.Image)
    assert 25_000 < overview.grid.pixels.values.nbytes <= 101_000


def test_a_palette_is_averaged_by_its_colours(tiled: list[Tiled]) -> None:
    values = (np.indices((512, 512)).sum(axis=0) % 2 * 200).astype(np.uint8)[:, :, None]  # a checkerboard
    palette = np.zeros((256, 3), np.uint16)
    palette[0], palette[200], palette[100] = (0, 0, 65535), (65535, 0, 0), (0, 65535, 0)
    tiled.append(Tiled(values, Scene((512, 512), values.dtype, palette=palette)))
    shown = render_image(PATH, 0, (16, 16), DisplaySettings()).pixels
    assert np.abs(shown.astype(int) - (127, 0, 127)).max() <= 1, "200 and 0 are red and blue, 100 is green"


def test_a_preloaded_image_is_as_one_that_is_read(tiled: list[Tiled]) -> None:
    tiled.append(Tiled(deep(), copies=(2, 4, 8)))
    loaded = load_image(PATH, box_px=BOX)
    assert loaded is not None and loaded.is_reduced
    assert np.array_equal(render_image(loaded, 0, BOX, DisplaySettings()).pixels, view().pixels)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "float32"])
@pytest.mark.parametrize("by", [1, 2, 8])
def test_averages_are_means_of_boxes_also_at_the_edges(dtype: str, by: int) -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 100, (37, 21, 2)).astype(dtype)
    found = averaged(values, by)
    assert found.dtype == values.dtype
    for row in range(-(-37 // by)):
        for column in range(-(-21 // by)):
            box = values[row * by : (row + 1) * by, column * by : (column + 1) * by]
            expected = box.astype(float).mean(axis=(0, 1))
            assert np.abs(found[row, column] - expected).max() <= (1e-4 if dtype == "float32" else 0.5001)


def test_sums_of_large_boxes_do_not_overflow() -> None:
    assert (averaged(np.full((600, 600, 1), 65535, np.uint16), 512) == 65535).all()
    assert (averaged(np.full((600, 600, 1), -32768, np.int16), 512) == -32768).all()


def test_a_pyramid_that_is_read_at_once_is_as_bright_at_every_zoom(tiled: list[Tiled]) -> None:
    values = (
        np.random.default_rng(0).integers(0, 4000, (140, 200, 1)).astype(np.uint16)
    )  # means are less extreme
    tiled.append(Tiled(values, copies=(2, 4)))
    box = (30, 20)
    small, large = (render_image(PATH, 0, box, DisplaySettings(zoom=zoom)) for zoom in (1.0, 8.0))
    assert {level for level, _ in tiled[0].read} == {0, 2}
    assert small.ranges == large.ranges and small.ranges[0][1] > 3900


def test_a_small_composite_is_what_the_network_gets_without_a_map(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4000, (3, 60, 100), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack")
    shown = render_image(tmp_path / "a.tif", 0, (100, 60), DisplaySettings()).pixels
    assert np.array_equal(shown, decode(tmp_path / "a.tif"))


def write_tiles(path: Path, side: int, levels: int, dtype: str = "uint16") -> None:
    """A square image of constant tiles, each smaller level in half the size."""
    constant = [zlib.compress(np.full((512, 512), value, dtype).tobytes()) for value in (500, 4000)]
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level in range(levels):
            now = side >> level
            across = -(-now // 512)
            tiles = (constant[number % across > across // 2] for number in range(across * across))
            file.write(
                tiles,
                shape=(now, now),
                dtype=dtype,
                tile=(512, 512),
                photometric="minisblack",
                compression="zlib",
                subifds=levels - 1 if level == 0 else 0,
                subfiletype=0 if level == 0 else 1,
            )


@pytest.mark.parametrize(("side", "levels"), [(30_000, 6), (10_000, 1)])
def test_an_image_of_hundreds_of_megapixels_is_seen_in_little_memory(
    tmp_path: Path, side: int, levels: int
) -> None:
    path = tmp_path / "slide.tif"
    write_tiles(path, side, levels)
    run_python(f"""
        from pathlib import Path
        from mia_tui.dataset.images.rendering import DisplaySettings, render_image
        from mia_tui.dataset.images.screen.pixels import KeptOverviews

        kept = KeptOverviews()
        for zoom in (1.0, 3.0, 50.0):
            view = render_image(Path({str(path)!r}), 0, (1200, 800), DisplaySettings(zoom=zoom), kept=kept)
            assert (view.image_width, view.ranges) == ({side}, ((500.0, 4000.0),))
            assert set(view.pixels[:, 0].flat) == {{0}}, zoom
            assert set(view.pixels[:, -1].flat) == {{255}} or zoom == 50, zoom
        peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
        assert int(peak.split()[1]) < 250 * 1024, peak
    """)


def test_a_tiled_file_looks_the_same_in_parts_as_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tif"
    values = deep(1500, 1100)[:, :, 0]
    tifffile.imwrite(path, values, tile=(128, 128), compression="zlib")
    for zoom in (1.0, 6.0):
        settings = DisplaySettings(zoom=zoom, window=FixedWindow("uint16", ((0.0, 6000.0),)))
        whole = render_image(path, 0, BOX, settings)
        with monkeypatch.context() as changed:
            changed.setattr("mia_tui.dataset.images.screen.pixels.AT_ONCE_BYTES", 600_000)
            changed.setattr(averages, "AT_ONCE_BYTES", 600_000)
            changed.setattr(averages, "_BLOCK_PX", 128)
            assert load_image(path) is None
            assert np.abs(render_image(path, 0, BOX, settings).pixels.astype(int) - whole.pixels).max() <= 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("window", [None, (2.0, 98.0), "type"])
def test_a_preloaded_file_is_measured_while_it_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, window: Window
) -> None:
    path = tmp_path / "a.tif"
    values = (deep(1500, 1100)[:, :, 0] // 25).astype(dtype)
    tifffile.imwrite(path, values, tile=(128, 128), compression="zlib")
    monkeypatch.setattr("mia_tui.dataset.images.screen.pixels.AT_ONCE_BYTES", 600_000)
    monkeypatch.setattr(averages, "AT_ONCE_BYTES", 600_000)
    monkeypatch.setattr(averages, "_BLOCK_PX", 128)
    settings = DisplaySettings(window=window)
    loaded = load_image(path, box_px=BOX)
    assert loaded is not None
    path.unlink()
    preloaded = render_image(loaded, 0, BOX, settings)
    tifffile.imwrite(path, values, tile=(128, 128), compression="zlib")
    assert np.array_equal(preloaded.pixels, render_image(path, 0, BOX, settings).pixels)
